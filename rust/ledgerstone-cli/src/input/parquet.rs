//! Parquet, in bounded memory whatever a file says: what its footer and the headers of its pages claim is looked at before anything is
//! unpacked, and what a batch of rows unpacks to is counted. Where rows are large, fewer are read together.

mod deltas;
mod footer;
mod meter;
mod pages;
mod thrift;

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use ledgerstone::Error;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};

use super::tables::careful;
use super::{PIECE_ROWS, malformed};
use meter::Meter;
use pages::RowGroup;

/// How many times fewer rows are read together, where so many unpack to too much.
const FEWER: usize = 8;

/// The tables of a file, one after another.
pub(super) struct Tables {
    name: String,
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
    /// The row group at hand, and what is read of it.
    group: usize,
    open: Option<Open>,
    /// Rows read together.
    rows: usize,
}

struct Open {
    reader: ParquetRecordBatchReader,
    meter: Arc<Meter>,
    /// Rows of the group that were read, and those that were handed out.
    read: usize,
    given: usize,
}

impl Tables {
    /// Looks at the footer, and reads it where it can be read.
    pub(super) fn new(name: &str, file: File) -> Result<Self, Error> {
        footer::check(name, &file)?;
        let metadata = careful(name, || {
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(ArrowError::from)
        })?;
        Ok(Tables { name: name.to_owned(), file: Arc::new(file), metadata, group: 0, open: None, rows: PIECE_ROWS })
    }

    /// The next rows; `None` at the end.
    pub(super) fn next_table(&mut self) -> Result<Option<RecordBatch>, Error> {
        while self.group < self.metadata.metadata().num_row_groups() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.open(0)?,
            };
            open.meter.begin();
            let read = careful(&self.name, || open.reader.next().transpose());
            match (read, open.meter.refused()) {
                (Ok(Some(table)), _) => {
                    let known = open.given.saturating_sub(open.read).min(table.num_rows());
                    open.read += table.num_rows();
                    self.check_rows(open.read, false)?;
                    let table = table.slice(known, table.num_rows() - known);
                    open.given += table.num_rows();
                    self.open = Some(open);
                    if table.num_rows() > 0 {
                        return Ok(Some(table));
                    }
                }
                (Ok(None), _) => {
                    self.check_rows(open.read, true)?;
                    self.group += 1;
                }
                // From the first row of the group on, with fewer rows together: pages know no rows.
                (Err(_), Some(_)) if self.rows > 1 => {
                    self.rows = (self.rows / FEWER).max(1);
                    self.open = Some(self.open(open.given)?);
                }
                (Err(_), Some(refused)) => return Err(refused),
                (Err(error), None) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether the row group at hand has the rows that it says: a few bytes can stand for any number of equal ones.
    fn check_rows(&self, read: usize, is_all: bool) -> Result<(), Error> {
        let said = self.metadata.metadata().row_group(self.group).num_rows();
        let read = i64::try_from(read).unwrap_or(i64::MAX);
        if read == said || (read < said && !is_all) {
            return Ok(());
        }
        let more = if is_all { "only " } else { "at least " };
        let what = format!("row group {} is said to have {said} rows, and has {more}{read}", self.group);
        Err(malformed(&self.name, None, what))
    }

    /// Opens the row group at hand, of which so many rows were handed out before.
    fn open(&self, given: usize) -> Result<Open, Error> {
        let meter = Arc::new(Meter::new(&self.name, self.rows));
        let reader = careful(&self.name, || {
            let schema = self.metadata.parquet_schema();
            let hint = Some(self.metadata.schema().fields());
            let levels = parquet_to_arrow_field_levels(schema, ProjectionMask::all(), hint)?;
            let group = RowGroup::new(&self.file, self.metadata.metadata(), self.group, &meter);
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &group, self.rows, None)
                .map_err(ArrowError::from)
        })?;
        Ok(Open { reader, meter, read: 0, given })
    }
}
