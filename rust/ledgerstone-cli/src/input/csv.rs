//! Comma-separated values (RFC 4180): the first line names the fields, `address.city` a member of a struct. A cell is the text of its
//! field; an empty one is absent. A list is written as JSON.

use std::cell::Cell;
use std::io::BufRead;
use std::rc::Rc;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use ledgerstone::limits::LINE_BYTES;
use ledgerstone::model::Value;
use ledgerstone::schema::{Field, FieldKind, RecordType, field_at};
use ledgerstone::{Error, codes};
use ledgerstone_verify::Json;

use super::pieces::Values;
use super::{Lines, Metered, malformed, misfit, too_long};
use crate::values::{from_json, from_word};

/// The values of a file.
pub(super) struct Rows {
    reader: Reader<Metered<Box<dyn BufRead>>>,
    /// Bytes that may still be read for the row at hand.
    left: Rc<Cell<u64>>,
    name: String,
    columns: Vec<Column>,
    lines: Lines,
}

/// The field of a column: names from the outside in.
struct Column {
    path: Vec<String>,
    kind: FieldKind,
}

impl Rows {
    /// Reads the header.
    pub(super) fn new(
        name: &str,
        reader: Box<dyn BufRead>,
        delimiter: char,
        record_type: &RecordType,
        lines: &Lines,
    ) -> Result<Self, Error> {
        let byte =
            u8::try_from(delimiter).map_err(|_| malformed(name, None, "the delimiter is one ASCII character"))?;
        let left = Rc::new(Cell::new(LINE_BYTES));
        let metered = Metered { inner: reader, left: Rc::clone(&left) };
        let mut reader = ReaderBuilder::new().delimiter(byte).from_reader(metered);
        let header = reader.headers().map_err(|error| wrong(name, 1, &left, &error))?.clone();
        let columns = columns(name, &header, record_type)?;
        Ok(Rows { reader, left, name: name.to_owned(), columns, lines: lines.clone() })
    }
}

impl Values for Rows {
    fn next_value(&mut self) -> Result<Option<(Value, u64)>, Error> {
        self.left.set(LINE_BYTES);
        let start = self.reader.position().clone();
        let mut cells = StringRecord::new();
        let read = self.reader.read_record(&mut cells);
        // Where there are blank lines before it, the record itself knows better.
        let line = cells.position().map_or(start.line(), csv::Position::line);
        if !read.map_err(|error| wrong(&self.name, line, &self.left, &error))? {
            return Ok(None);
        }
        self.lines.push(line);
        let mut members = Vec::with_capacity(self.columns.len());
        for (column, cell) in self.columns.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty()) {
            put(&mut members, &column.path, typed(&column.kind, cell));
        }
        Ok(Some((Value::Object(members), self.reader.position().byte() - start.byte())))
    }
}

/// The fields of the header's names, which must be all that the type requires, and nothing else.
fn columns(name: &str, header: &StringRecord, record_type: &RecordType) -> Result<Vec<Column>, Error> {
    let first = Some(1);
    if header.is_empty() || header.iter().all(str::is_empty) {
        return Err(malformed(name, first, "the file is empty; its first line names the fields"));
    }
    let mut columns = Vec::new();
    for (place, title) in header.iter().enumerate() {
        if header.iter().take(place).any(|other| other == title) {
            let what = format!("there are two columns {title:?}");
            return Err(misfit(codes::DUPLICATE_COLUMN, name, first, Some(title), what));
        }
        let path: Vec<String> = title.split('.').map(str::to_owned).collect();
        let Some(field) = field_at(&record_type.fields, title) else {
            return Err(misfit(codes::UNKNOWN_COLUMN, name, first, Some(title), unknown(title, header, record_type)));
        };
        columns.push(Column { path, kind: field.kind.clone() });
    }
    let has = |field: &Field| columns.iter().any(|column| column.path[0] == field.name);
    let missing: Vec<&str> = record_type
        .fields
        .iter()
        .filter(|field| field.required && !has(field))
        .map(|field| field.name.as_str())
        .collect();
    if let [first_missing, ..] = missing[..] {
        let what = format!("the required column(s) {} of {} are missing", missing.join(", "), record_type.name);
        return Err(misfit(codes::MISSING_COLUMN, name, first, Some(first_missing), what));
    }
    Ok(columns)
}

fn unknown(title: &str, header: &StringRecord, record_type: &RecordType) -> String {
    let known: Vec<&str> = record_type.fields.iter().map(|field| field.name.as_str()).collect();
    let shown: String = title.chars().take(64).collect();
    let hint = match header.len() {
        1 if title.contains([';', '\t', '|']) => "; are its columns separated otherwise? name the --delimiter",
        _ => "",
    };
    format!(
        "the first line names the columns, and {} has no field {shown:?}; its fields are {}{hint}",
        record_type.name,
        known.join(", ")
    )
}

/// A cell as its field takes it. What does not fit stays text, so that the engine says what would.
fn typed(kind: &FieldKind, cell: &str) -> Value {
    match kind {
        FieldKind::List { .. } | FieldKind::Struct(_) => {
            Json::parse(cell.as_bytes()).map_or_else(|_| Value::Text(cell.to_owned()), from_json)
        }
        kind => from_word(Some(kind), cell),
    }
}

/// Puts a value at its path.
fn put(members: &mut Vec<(String, Value)>, path: &[String], value: Value) {
    let [name, rest @ ..] = path else { return };
    if rest.is_empty() {
        members.push((name.clone(), value));
        return;
    }
    let place = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        members.push((name.clone(), Value::Object(Vec::new())));
        members.len() - 1
    });
    if let Value::Object(inner) = &mut members[place].1 {
        put(inner, rest, value);
    }
}

fn wrong(name: &str, line: u64, left: &Cell<u64>, error: &csv::Error) -> Error {
    match error.kind() {
        ErrorKind::Io(_) if left.get() == 0 => too_long(name, line),
        ErrorKind::Io(error) => malformed(name, Some(line), error),
        ErrorKind::Utf8 { pos, err } => {
            let line = pos.as_ref().map_or(line, csv::Position::line);
            malformed(name, Some(line), format!("column {}: not UTF-8 text", err.field() + 1))
        }
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(line, csv::Position::line);
            malformed(name, Some(line), format!("{len} cells, where the first line names {expected_len} columns"))
        }
        _ => malformed(name, Some(line), error),
    }
}
