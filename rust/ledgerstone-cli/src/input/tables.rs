//! Tables: Parquet, and Arrow IPC as a file or a stream.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;
use ledgerstone::Error;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{PIECE_ROWS, Records, malformed};

/// What an Arrow IPC file begins with; a stream does not.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// The tables of a Parquet file.
pub(super) fn parquet(name: &str, file: File) -> Result<Records, Error> {
    let reader = careful(name, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(ArrowError::from)?;
        builder.with_batch_size(PIECE_ROWS).build().map_err(ArrowError::from)
    })?;
    Ok(tables(name, reader))
}

/// The tables of an Arrow file, or of a stream kept in a file.
pub(super) fn arrow(name: &str, file: File) -> Result<Records, Error> {
    let mut reader = BufReader::new(file);
    let is_file = reader.fill_buf().is_ok_and(|start| start.starts_with(FILE_MAGIC));
    if !is_file {
        return arrow_stream(name, Box::new(reader));
    }
    reader.rewind().map_err(|error| malformed(name, None, error))?;
    let reader = careful(name, || FileReader::try_new(reader, None))?;
    Ok(tables(name, reader))
}

/// The tables of an Arrow stream.
pub(super) fn arrow_stream(name: &str, mut reader: Box<dyn BufRead>) -> Result<Records, Error> {
    if reader.fill_buf().is_ok_and(|start| start.starts_with(FILE_MAGIC)) {
        let what = "the Arrow file format keeps its index at the end: give the file's name, or send the stream format";
        return Err(malformed(name, None, what));
    }
    let reader = careful(name, || StreamReader::try_new(reader, None))?;
    Ok(tables(name, reader))
}

fn tables(name: &str, mut reader: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static) -> Records {
    let name = name.to_owned();
    let mut failed = false;
    Records::Tables(Box::new(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let next = careful(&name, || reader.next().transpose()).transpose();
        failed = matches!(next, Some(Err(_)));
        next
    })))
}

/// Runs a decoder, whose panic on bytes that it did not expect is an error like any other.
fn careful<T>(name: &str, run: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done.map_err(|error| malformed(name, None, error)),
        Err(_) => Err(malformed(name, None, "the file is damaged: it could not be decoded")),
    }
}
