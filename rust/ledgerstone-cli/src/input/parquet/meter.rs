//! What the rows read together unpack to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerstone::Error;
use ledgerstone::limits::INPUT_BATCH_BYTES;
use parquet::errors::{ParquetError, Result};

use super::super::batch_too_large;

/// Counts what the columns of a row group unpack to for one batch of rows.
pub(super) struct Meter {
    name: String,
    /// Rows of a batch.
    pub(super) rows: u64,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Bytes of the pages that the columns are in.
    standing: u64,
    /// Bytes of all pages that the batch is read from.
    batch: u64,
    refused: Option<Error>,
}

impl Meter {
    pub(super) fn new(name: &str, rows: usize) -> Self {
        Meter { name: name.to_owned(), rows: rows as u64, counts: Mutex::default() }
    }

    /// A batch begins, in the pages where the one before ended.
    pub(super) fn begin(&self) {
        let mut counts = self.counts();
        counts.batch = counts.standing;
    }

    /// A column goes on from a page of so many bytes to one of so many others; an error where that is too much.
    pub(super) fn turn(&self, column: &str, page: u64, from: u64, to: u64) -> Result<()> {
        let mut counts = self.counts();
        counts.standing = (counts.standing - from).saturating_add(to);
        counts.batch = counts.batch.saturating_add(to);
        if counts.batch <= INPUT_BATCH_BYTES {
            return Ok(());
        }
        let rows = if self.rows == 1 { "one row".to_owned() } else { format!("{} rows", self.rows) };
        let what =
            format!("{}, column {column}, page {page}: the bytes that {rows} unpack to, as far as read,", self.name);
        counts.refused = Some(batch_too_large(what, counts.batch));
        Err(ParquetError::General("the rows unpack to too much".to_owned()))
    }

    /// Why reading ended, where it was this.
    pub(super) fn refused(&self) -> Option<Error> {
        self.counts().refused.take()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
