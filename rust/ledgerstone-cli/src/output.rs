//! Standard output, buffered; an error is an error and no panic.

use std::io::{self, BufWriter, Write};

use ledgerstone_verify::Json;

use crate::table::{json_line, number};

/// Where results go.
pub(crate) struct Output {
    inner: BufWriter<io::Stdout>,
    is_json: bool,
}

impl Output {
    /// Standard output; `is_json`: results are JSON, one object a line.
    pub(crate) fn standard(is_json: bool) -> Self {
        Output { inner: BufWriter::new(io::stdout()), is_json }
    }

    /// Whether results are for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.inner, "{text}")
    }

    /// Writes text that ends its own lines.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.inner.write_all(text.as_bytes())
    }

    /// Writes one JSON object on a line: the result of a verb under `--json`.
    pub(crate) fn object<const N: usize>(&mut self, members: [(&str, Json); N]) -> io::Result<()> {
        let members = members.map(|(name, value)| (name.to_owned(), value));
        self.line(json_line(&Json::Object(members.to_vec())))
    }

    /// The same without the members that are absent.
    pub(crate) fn some<const N: usize>(&mut self, members: [(&str, Option<Json>); N]) -> io::Result<()> {
        let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        self.line(json_line(&Json::Object(given.collect())))
    }

    /// Tells what a verb did: under `--json` as an object, with its transaction, otherwise in words.
    pub(crate) fn done<const N: usize>(
        &mut self,
        words: &str,
        index: u64,
        members: [(&str, Json); N],
    ) -> io::Result<()> {
        if !self.is_json {
            return self.line(format!("{words}, transaction {index}"));
        }
        let members = members.map(|(name, value)| (name.to_owned(), value));
        let members = members.into_iter().chain([("index".to_owned(), number(index))]);
        self.line(json_line(&Json::Object(members.collect())))
    }

    /// Hands on everything written.
    pub(crate) fn finish(&mut self) -> Result<(), crate::failure::Failure> {
        Ok(self.inner.flush()?)
    }
}
