//! Files that record batches are written to.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

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

/// A file under way.
pub(crate) enum Sink {
    Parquet(Box<ArrowWriter<File>>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl Sink {
    /// Begins a file.
    pub(crate) fn create(file: File, format: ExportFormat, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            ExportFormat::Parquet => {
                let level = ZstdLevel::try_new(3).map_err(ArrowError::from)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                Sink::Parquet(Box::new(ArrowWriter::try_new(file, schema.clone(), Some(properties))?))
            }
            ExportFormat::Arrow => Sink::Arrow(Box::new(FileWriter::try_new(BufWriter::new(file), schema)?)),
        })
    }

    /// Writes rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Sink::Parquet(writer) => writer.write(batch).map_err(ArrowError::from),
            Sink::Arrow(writer) => writer.write(batch),
        }
    }

    /// Ends the file, and waits until it is durable.
    pub(crate) fn finish(self) -> Result<(), ArrowError> {
        let file = match self {
            Sink::Parquet(writer) => writer.into_inner().map_err(ArrowError::from)?,
            Sink::Arrow(mut writer) => {
                writer.finish()?;
                let buffer = (*writer).into_inner()?;
                buffer.into_inner().map_err(|error| ArrowError::from(error.into_error()))?
            }
        };
        file.sync_all().map_err(ArrowError::from)
    }
}
