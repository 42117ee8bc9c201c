//! Tables: Parquet, and Arrow IPC as a file or a stream.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use ledgerstone::Error;

use super::{Records, malformed};

/// What an Arrow IPC file begins with; a stream does not.
const FILE_MAGIC: &[u8] = b"ARROW1";
/// What messages are aligned to, at least.
const ALIGNMENT: usize = 8;
/// Bytes at the end of a file: the length of its index, and its first bytes again.
const FILE_TAIL: u64 = 10;

/// The tables of a Parquet file.
pub(super) fn parquet(name: &str, file: File) -> Result<Records, Error> {
    let mut tables = super::parquet::Tables::new(name, file)?;
    Ok(until_error(move || tables.next_table()))
}

/// The tables of an Arrow file, or of a stream kept in a file.
pub(super) fn arrow(name: &str, file: File) -> Result<Records, Error> {
    let mut reader = BufReader::new(file);
    let is_file = reader.fill_buf().is_ok_and(|start| start.starts_with(FILE_MAGIC));
    if !is_file {
        return arrow_stream(name, Box::new(reader));
    }
    let wrong = |error| malformed(name, None, error);
    let length = reader.seek(SeekFrom::End(0)).map_err(wrong)?;
    let mut tail = [0; 4];
    reader.seek(SeekFrom::Start(length.saturating_sub(FILE_TAIL))).map_err(wrong)?;
    reader.read_exact(&mut tail).map_err(wrong)?;
    let index = FILE_TAIL + u64::from(u32::from_le_bytes(tail));
    let mut start = FILE_MAGIC.len().next_multiple_of(ALIGNMENT) as u64;
    reader.seek(SeekFrom::Start(start)).map_err(wrong)?;
    let mut next = [0; ALIGNMENT];
    // The first message begins at a multiple that the writer has chosen.
    while reader.read_exact(&mut next).is_ok() && next == [0; ALIGNMENT] {
        start += ALIGNMENT as u64;
    }
    let Some(stream) = length.checked_sub(index + start) else {
        return Err(malformed(name, None, "the file is cut off: it ends without its index"));
    };
    reader.seek(SeekFrom::Start(start)).map_err(wrong)?;
    Ok(stream_of(name, Box::new(reader.take(stream))))
}

/// The tables of an Arrow stream.
pub(super) fn arrow_stream(name: &str, mut reader: Box<dyn BufRead>) -> Result<Records, Error> {
    if reader.fill_buf().is_ok_and(|start| start.starts_with(FILE_MAGIC)) {
        let what = "the Arrow file format keeps its index at the end: give the file's name, or send the stream format";
        return Err(malformed(name, None, what));
    }
    Ok(stream_of(name, Box::new(reader)))
}

fn stream_of(name: &str, reader: Box<dyn Read>) -> Records {
    let mut tables = super::arrow::Tables::new(name, reader);
    until_error(move || tables.next_table())
}

/// Tables, up to the first error.
fn until_error(mut next: impl FnMut() -> Result<Option<RecordBatch>, Error> + 'static) -> Records {
    let mut failed = false;
    Records::Tables(Box::new(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let next = next().transpose();
        failed = matches!(next, Some(Err(_)));
        next
    })))
}

thread_local! {
    /// Whether this thread is in a decoder.
    static DECODES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder, whose panic on bytes that it did not expect is an error like any other, and no more is said of it.
pub(super) fn careful<T>(name: &str, run: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, Error> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !DECODES.get() {
                loud(panic);
            }
        }));
    });
    DECODES.set(true);
    let done = catch_unwind(AssertUnwindSafe(run));
    DECODES.set(false);
    match done {
        Ok(done) => done.map_err(|error| malformed(name, None, error)),
        Err(_) => Err(malformed(name, None, "the file is damaged: it could not be decoded")),
    }
}
