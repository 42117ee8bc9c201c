//! Files that record batches are written to.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::files::Whole;
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

/// A file under way. Dropped before it is finished, it leaves what was there.
pub(crate) struct Sink {
    path: PathBuf,
    writer: Writer,
    is_full: Arc<AtomicBool>,
}

enum Writer {
    Parquet(Box<ArrowWriter<Whole>>),
    Arrow(Box<FileWriter<BufWriter<Whole>>>),
}

impl Sink {
    /// Begins the file that will stand at `path`.
    pub(crate) fn create(path: &Path, format: ExportFormat, schema: &SchemaRef) -> Result<Self, StoreError> {
        let file = Whole::create(path).map_err(|source| StoreError::io(path, source))?;
        let is_full = file.is_full();
        let writer = Writer::begin(file, format, schema).map_err(|error| failed(path, &is_full, &error))?;
        Ok(Sink { path: path.to_owned(), writer, is_full })
    }

    /// Writes rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let written = match &mut self.writer {
            Writer::Parquet(writer) => writer.write(batch).map_err(ArrowError::from),
            Writer::Arrow(writer) => writer.write(batch),
        };
        written.map_err(|error| failed(&self.path, &self.is_full, &error))
    }

    /// Ends the file, waits until it is durable, and gives it its name.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        let Sink { path, writer, is_full } = self;
        let file = writer.end().map_err(|error| failed(&path, &is_full, &error))?;
        file.finish().map_err(|source| StoreError::io(&path, source))
    }
}

fn failed(path: &Path, is_full: &AtomicBool, error: &ArrowError) -> StoreError {
    if is_full.load(Ordering::Relaxed) {
        return StoreError::DiskFull { path: path.to_owned() };
    }
    StoreError::Engine(format!("{}: {error}", path.display()))
}

impl Writer {
    fn begin(file: Whole, format: ExportFormat, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            ExportFormat::Parquet => {
                let level = ZstdLevel::try_new(3).map_err(ArrowError::from)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(file, schema.clone(), Some(properties))?))
            }
            ExportFormat::Arrow => Writer::Arrow(Box::new(FileWriter::try_new(BufWriter::new(file), schema)?)),
        })
    }

    fn end(self) -> Result<Whole, ArrowError> {
        match self {
            Writer::Parquet(writer) => writer.into_inner().map_err(ArrowError::from),
            Writer::Arrow(mut writer) => {
                writer.finish()?;
                let buffer = (*writer).into_inner()?;
                buffer.into_inner().map_err(|error| ArrowError::from(error.into_error()))
            }
        }
    }
}
