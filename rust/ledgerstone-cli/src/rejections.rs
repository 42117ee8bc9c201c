//! The file of the rows of a load that were not plainly accepted: CSV, JSON lines or Parquet, by its ending. It is written as the load goes, and has its name once it
//! is whole.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use ledgerstone::files::Whole;
use ledgerstone::store::StoreError;
use ledgerstone::{Error, RecordException, Rejected, codes};
use ledgerstone_verify::Json;
use parquet::arrow::ArrowWriter;

use crate::table::json_line;

/// What is told of a row.
const COLUMNS: [&str; 8] = ["row", "line", "outcome", "code", "field", "message", "cell", "type"];
/// Rows of one Parquet batch.
const BATCH_ROWS: usize = 8_192;

/// A row, and the line of the input where it has one.
type Row = (RecordException, Option<u64>);

/// The file under way.
pub(crate) struct RejectionsFile {
    path: PathBuf,
    form: Form,
}

enum Form {
    Csv(Box<csv::Writer<Whole>>),
    Jsonl(BufWriter<Whole>),
    Parquet(Box<ArrowWriter<Whole>>, Vec<Row>),
}

impl RejectionsFile {
    /// Begins the file.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !["csv", "jsonl", "ndjson", "parquet"].contains(&ending.as_str()) {
            let message = "rejections are written to .csv, .jsonl or .parquet";
            return Err(Error::schema(codes::UNKNOWN_FILE_FORMAT, message).in_file(path));
        }
        let file = Whole::create(path).map_err(|error| StoreError::io(path, error))?;
        let form = match ending.as_str() {
            "csv" => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(COLUMNS).map_err(|error| failed(path, error))?;
                Form::Csv(Box::new(writer))
            }
            "parquet" => {
                let writer = ArrowWriter::try_new(file, Arc::new(schema()), None);
                Form::Parquet(Box::new(writer.map_err(|error| failed(path, error))?), Vec::new())
            }
            _ => Form::Jsonl(BufWriter::new(file)),
        };
        Ok(RejectionsFile { path: path.to_owned(), form })
    }

    /// Writes one row.
    pub(crate) fn write(&mut self, exception: &RecordException, line: Option<u64>) -> Result<(), Error> {
        let path = &self.path;
        match &mut self.form {
            Form::Csv(writer) => writer.write_record(texts(exception, line)).map_err(|error| failed(path, error)),
            Form::Jsonl(writer) => {
                writeln!(writer, "{}", json_line(&as_json(exception, line))).map_err(|error| failed(path, error))
            }
            Form::Parquet(writer, rows) => {
                rows.push((exception.clone(), line));
                if rows.len() < BATCH_ROWS {
                    return Ok(());
                }
                batch(&std::mem::take(rows)).and_then(|batch| writer.write(&batch)).map_err(|error| failed(path, error))
            }
        }
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let path = self.path;
        let whole = match self.form {
            Form::Csv(writer) => writer.into_inner().map_err(|error| failed(&path, error.error()))?,
            Form::Jsonl(writer) => writer.into_inner().map_err(|error| failed(&path, error.error()))?,
            Form::Parquet(mut writer, rows) => batch(&rows)
                .and_then(|batch| writer.write(&batch))
                .and_then(|()| writer.into_inner())
                .map_err(|error| failed(&path, error))?,
        };
        whole.finish().map_err(|error| StoreError::io(&path, error).into())
    }
}

/// A row as JSON: what there is.
pub(crate) fn as_json(exception: &RecordException, line: Option<u64>) -> Json {
    let rejected = &exception.reason;
    let number = |number: u64| Json::Int(number as i64);
    let text = |text: &str| Json::Text(text.to_owned());
    let members = [
        ("row", Some(number(rejected.row))),
        ("line", line.map(number)),
        ("outcome", Some(text(exception.outcome.name()))),
        ("code", Some(text(&rejected.code))),
        ("field", rejected.field.as_deref().map(text)),
        ("message", Some(text(&rejected.message))),
        ("cell", rejected.cell.as_deref().map(text)),
        ("type", Some(text(&rejected.record_type))),
    ];
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(given.collect())
}

fn texts(exception: &RecordException, line: Option<u64>) -> [String; COLUMNS.len()] {
    let rejected = &exception.reason;
    [
        rejected.row.to_string(),
        line.map(|line| line.to_string()).unwrap_or_default(),
        exception.outcome.name().to_owned(),
        rejected.code.clone(),
        rejected.field.clone().unwrap_or_default(),
        rejected.message.clone(),
        rejected.cell.clone().unwrap_or_default(),
        rejected.record_type.clone(),
    ]
}

fn schema() -> Schema {
    let is_number = |name: &str| ["row", "line"].contains(&name);
    let kind = |name: &str| if is_number(name) { DataType::UInt64 } else { DataType::Utf8 };
    Schema::new(COLUMNS.map(|name| Field::new(name, kind(name), true)).to_vec())
}

fn batch(rows: &[Row]) -> parquet::errors::Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Rejected) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(|(exception, _)| of(&exception.reason)).collect::<StringArray>())
    };
    let outcomes = rows.iter().map(|(exception, _)| Some(exception.outcome.name()));
    let columns: [ArrayRef; COLUMNS.len()] = [
        Arc::new(rows.iter().map(|(exception, _)| Some(exception.reason.row)).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|(_, line)| *line).collect::<UInt64Array>()),
        Arc::new(outcomes.collect::<StringArray>()),
        texts(&|rejected| Some(&rejected.code)),
        texts(&|rejected| rejected.field.as_deref()),
        texts(&|rejected| Some(&rejected.message)),
        texts(&|rejected| rejected.cell.as_deref()),
        texts(&|rejected| Some(&rejected.record_type)),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema()), columns.to_vec())?)
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    StoreError::Engine(format!("{}: {error}", path.display())).into()
}
