//! Records on their way in: CSV, JSON lines, Parquet, Arrow IPC, from a file or standard input, a piece at a time.
//!
//! Text formats give values, which the engine reads as the record type's fields; table formats give Arrow tables. Nothing here decides
//! whether a record is good: what is refused here is what cannot be read at all, with the file and the line.

mod arrow;
mod csv;
mod json;
mod lines;
mod parquet;
mod pieces;
mod tables;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use arrow_array::RecordBatch;
use clap::ValueEnum;
use ledgerstone::limits::{INPUT_BATCH_BYTES, INPUT_HEAD_BYTES, LINE_BYTES};
use ledgerstone::model::Value;
use ledgerstone::schema::RecordType;
use ledgerstone::{Error, Misfit, codes};

pub(crate) use lines::Lines;
use pieces::Pieces;

use crate::failure::Failure;

/// Records handed over together: so many, or so many bytes of input, whichever is reached first.
const PIECE_ROWS: usize = 8_192;
const PIECE_BYTES: u64 = 16 << 20;
/// How standard input is called in messages.
const STDIN: &str = "standard input";

/// The formats that records are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values; the first line names the fields
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC, file or stream
    Arrow,
}

/// Records under way.
pub(crate) struct Input {
    /// The file, for messages.
    pub(crate) name: String,
    pub(crate) records: Records,
    /// In which lines of the file records begin; nothing for tables.
    pub(crate) lines: Lines,
}

/// Pieces of records.
pub(crate) enum Records {
    Values(Box<dyn Iterator<Item = Result<Vec<Value>, Error>>>),
    Tables(Box<dyn Iterator<Item = Result<RecordBatch, Error>>>),
}

impl Format {
    /// The format that a file name's ending stands for.
    fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "parquet" => Some(Format::Parquet),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Arrow),
            _ => None,
        }
    }
}

impl Input {
    /// Opens a file, or standard input where there is none (or `-`), which holds JSON lines unless told otherwise.
    pub(crate) fn open(
        path: Option<&Path>,
        format: Option<Format>,
        delimiter: Option<char>,
        record_type: &RecordType,
    ) -> Result<Self, Failure> {
        let is_tabbed = path.and_then(Path::extension).is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
        let delimiter = delimiter.unwrap_or(if is_tabbed { '\t' } else { ',' });
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let reader = Box::new(BufReader::new(std::io::stdin()));
            return Input::text(STDIN.to_owned(), reader, format.unwrap_or(Format::Jsonl), delimiter, record_type);
        };
        let name = path.display().to_string();
        let format = format.or_else(|| Format::of_path(path)).ok_or_else(|| {
            let message = "records are read from .csv, .jsonl, .parquet and .arrow; otherwise name the --format";
            Failure::from(Error::schema(codes::UNKNOWN_FILE_FORMAT, message).in_file(path))
        })?;
        let file = File::open(path).map_err(|error| Failure::file(path, error))?;
        if path.is_dir() {
            return Err(Failure::file(path, ErrorKind::IsADirectory.into()));
        }
        let records = match format {
            Format::Parquet => tables::parquet(&name, file)?,
            Format::Arrow => tables::arrow(&name, file)?,
            _ => return Input::text(name, Box::new(BufReader::new(file)), format, delimiter, record_type),
        };
        Ok(Input { name, records, lines: Lines::default() })
    }

    fn text(
        name: String,
        mut reader: Box<dyn BufRead>,
        format: Format,
        delimiter: char,
        record_type: &RecordType,
    ) -> Result<Self, Failure> {
        let lines = Lines::default();
        let records = match format {
            Format::Csv => {
                Records::Values(Box::new(Pieces::new(csv::Rows::new(&name, reader, delimiter, record_type, &lines)?)))
            }
            Format::Jsonl => Records::Values(Box::new(Pieces::new(json::Rows::new(&name, reader, &lines)))),
            Format::Arrow => tables::arrow_stream(&name, reader)?,
            Format::Parquet => {
                let has_data = reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
                let what =
                    if has_data { "Parquet keeps its index at the end: give the file's name" } else { "no data" };
                return Err(malformed(&name, None, what).into());
            }
        };
        Ok(Input { name, records, lines })
    }

    /// The words of a refused record: with its line where there are lines.
    pub(crate) fn place(name: &str, lines: &Lines, row: u64) -> String {
        match lines.of(row) {
            Some(line) => format!("{name}, line {line}"),
            None => format!("{name}, row {row}"),
        }
    }
}

/// An error of a file's form.
pub(crate) fn malformed(name: &str, line: Option<u64>, what: impl std::fmt::Display) -> Error {
    misfit(codes::INPUT_MALFORMED, name, line, None, what)
}

fn misfit(
    code: &'static str,
    name: &str,
    line: Option<u64>,
    field: Option<&str>,
    what: impl std::fmt::Display,
) -> Error {
    let at = line.map_or_else(String::new, |line| format!(", line {line}"));
    Error::Schema(Box::new(Misfit {
        code,
        message: format!("{name}{at}: {what}"),
        file: Some(name.to_owned()),
        line,
        field: field.map(str::to_owned),
    }))
}

/// A line or row that is longer than any record.
fn too_long(name: &str, line: u64) -> Error {
    Error::Limit {
        what: format!("{name}, line {line}: its length in bytes, as far as it was read,"),
        value: LINE_BYTES + 1,
        limit: "LINE_BYTES",
        bound: LINE_BYTES,
    }
}

/// A Parquet footer or the head of an Arrow message that is too long.
fn head_too_long(what: String, value: u64) -> Error {
    Error::Limit { what, value, limit: "INPUT_HEAD_BYTES", bound: INPUT_HEAD_BYTES }
}

/// What would have to be read together takes too much.
fn batch_too_large(what: String, value: u64) -> Error {
    Error::Limit { what, value, limit: "INPUT_BATCH_BYTES", bound: INPUT_BATCH_BYTES }
}

/// A reader that gives so many bytes and then an error, until it is allowed more: no line is read whole to find that it is too long.
struct Metered<R> {
    inner: R,
    left: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(std::io::Error::other("over the bound"));
        }
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buffer[..length])?;
        self.left.set(left - read as u64);
        Ok(read)
    }
}
