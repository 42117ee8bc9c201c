//! JSON lines: one object a line. Empty lines are passed over.

use std::io::{BufRead, Read};

use ledgerstone::Error;
use ledgerstone::limits::LINE_BYTES;
use ledgerstone::model::Value;
use ledgerstone_verify::Json;

use super::pieces::Values;
use super::{Lines, malformed, too_long};
use crate::values::from_json;

/// The values of a file.
pub(super) struct Rows {
    reader: Box<dyn BufRead>,
    name: String,
    line: u64,
    lines: Lines,
}

impl Rows {
    pub(super) fn new(name: &str, reader: Box<dyn BufRead>, lines: &Lines) -> Self {
        Rows { reader, name: name.to_owned(), line: 0, lines: lines.clone() }
    }
}

impl Values for Rows {
    fn next_value(&mut self) -> Result<Option<(Value, u64)>, Error> {
        loop {
            let mut line = Vec::new();
            self.line += 1;
            let wrong = |what: &dyn std::fmt::Display| malformed(&self.name, Some(self.line), what);
            let read = self.reader.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut line);
            if read.map_err(|error| wrong(&error))? == 0 {
                return Ok(None);
            }
            if line.len() as u64 > LINE_BYTES {
                return Err(too_long(&self.name, self.line));
            }
            // Some programs begin a text with a byte order mark.
            let mark: &[u8] = if self.line == 1 { b"\xef\xbb\xbf" } else { b"" };
            let text = line.strip_prefix(mark).unwrap_or(&line).trim_ascii();
            if text.is_empty() {
                continue;
            }
            let json = Json::parse(text).map_err(|error| wrong(&format!("no JSON, {error}")))?;
            if !matches!(json, Json::Object(_)) {
                return Err(wrong(&"a record is a JSON object, {\"field\": value, …}, alone on its line"));
            }
            self.lines.push(self.line);
            return Ok(Some((from_json(json), line.len() as u64)));
        }
    }
}
