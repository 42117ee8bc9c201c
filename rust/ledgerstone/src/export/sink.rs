//! Files that record batches are written to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::files::{self, is_full};
use crate::store::StoreError;

/// The file formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Apache Parquet, zstd.
    Parquet,
    /// The Arrow IPC file format.
    Arrow,
}

impl ExportFormat {
    /// The format that a file name's ending stands for.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "parquet" => Some(ExportFormat::Parquet),
            "arrow" | "ipc" | "feather" => Some(ExportFormat::Arrow),
            _ => None,
        }
    }
}

/// A file under way, which has its name only once it is whole. Dropped before that, it leaves nothing.
pub(crate) struct Sink {
    path: PathBuf,
    /// `None` once it is whole.
    writer: Option<Writer>,
    is_full: Arc<AtomicBool>,
}

enum Writer {
    Parquet(Box<ArrowWriter<Disk>>),
    Arrow(Box<FileWriter<BufWriter<Disk>>>),
}

/// The file itself. The writers above it lose what kind of error it was.
struct Disk {
    file: File,
    is_full: Arc<AtomicBool>,
}

impl Sink {
    /// Begins the file that will stand at `path`.
    pub(crate) fn create(path: &Path, format: ExportFormat, schema: &SchemaRef) -> Result<Self, StoreError> {
        let partial = files::partial(path);
        let file = File::create(&partial).map_err(|source| StoreError::io(&partial, source))?;
        let is_full = Arc::new(AtomicBool::new(false));
        let disk = Disk { file, is_full: Arc::clone(&is_full) };
        let mut sink = Sink { path: path.to_owned(), writer: None, is_full };
        match Writer::begin(disk, format, schema) {
            Ok(writer) => sink.writer = Some(writer),
            Err(error) => {
                let _ = std::fs::remove_file(&partial);
                return Err(sink.failed(&error));
            }
        }
        Ok(sink)
    }

    /// Writes rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let written = match &mut self.writer {
            Some(Writer::Parquet(writer)) => writer.write(batch).map_err(ArrowError::from),
            Some(Writer::Arrow(writer)) => writer.write(batch),
            None => Ok(()),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Ends the file, waits until it is durable, and gives it its name.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let partial = files::partial(&self.path);
        let ended = writer.end().map_err(|error| self.failed(&error));
        let named = ended
            .and_then(|()| std::fs::rename(&partial, &self.path).map_err(|source| StoreError::io(&self.path, source)));
        if named.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        named
    }

    fn failed(&self, error: &ArrowError) -> StoreError {
        if self.is_full.load(Ordering::Relaxed) {
            return StoreError::DiskFull { path: self.path.clone() };
        }
        StoreError::Engine(format!("{}: {error}", self.path.display()))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = std::fs::remove_file(files::partial(&self.path));
        }
    }
}

impl Writer {
    fn begin(disk: Disk, format: ExportFormat, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            ExportFormat::Parquet => {
                let level = ZstdLevel::try_new(3).map_err(ArrowError::from)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(disk, schema.clone(), Some(properties))?))
            }
            ExportFormat::Arrow => Writer::Arrow(Box::new(FileWriter::try_new(BufWriter::new(disk), schema)?)),
        })
    }

    fn end(self) -> Result<(), ArrowError> {
        let disk = match self {
            Writer::Parquet(writer) => writer.into_inner().map_err(ArrowError::from)?,
            Writer::Arrow(mut writer) => {
                writer.finish()?;
                let buffer = (*writer).into_inner()?;
                buffer.into_inner().map_err(|error| ArrowError::from(error.into_error()))?
            }
        };
        disk.noting(disk.file.sync_all()).map_err(ArrowError::from)
    }
}

impl Disk {
    fn noting<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(is_full) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.noting(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.noting(flushed)
    }
}
