//! The commit of a transaction that loads a version with new unique rules: stored records take its keys.

use std::sync::Arc;

use super::Ledger;
use super::append::unread;
use super::commit::unique_key;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::execute::{KeyEntry, KeyPasses, LoadError};
use crate::limits::PUTS_AT_A_TIME;
use crate::store::{Put, StoreError};

/// Rows to be written together.
type Piece = std::result::Result<Vec<Put>, StoreError>;

impl Ledger {
    /// Writes the rows of the next transaction, and those of the keys that stored records take with it. `after` is the authority that it
    /// leaves.
    pub(super) fn write(&self, writer: &Writer, after: &Arc<Authority>, puts: Vec<Put>) -> Result<()> {
        let index = writer.trees.size();
        if Arc::ptr_eq(&writer.authority, after) {
            return Ok(self.store.commit(index, puts)?);
        }
        let added = after.added_since(&writer.authority);
        // The records as they were decided on: nobody else writes.
        let view = self.writer_view(writer)?;
        let types = |name: &str, version: u64| after.version(name, version).cloned();
        let parts = added.into_iter().flat_map(|added| KeyPasses::new(&view, &types, added));
        Ok(self.store.commit_with(index, puts, &mut parts.flat_map(pieces))?)
    }
}

/// The rows of `unique_keys` for one part of the keys.
fn pieces(part: std::result::Result<Vec<KeyEntry>, LoadError<Error>>) -> impl Iterator<Item = Piece> {
    let (failed, entries) = match part {
        Ok(entries) => (None, entries),
        Err(error) => (Some(Err(as_store_error(unread(error)))), Vec::new()),
    };
    let count = entries.len().div_ceil(PUTS_AT_A_TIME);
    let piece = move |number: usize| {
        let from = number * PUTS_AT_A_TIME;
        let to = entries.len().min(from + PUTS_AT_A_TIME);
        Ok(entries[from..to].iter().map(|entry| unique_key(entry.hash, entry.row)).collect())
    };
    failed.into_iter().chain((0..count).map(piece))
}

fn as_store_error(error: Error) -> StoreError {
    match error {
        Error::Store(error) => error,
        other => StoreError::Engine(other.to_string()),
    }
}
