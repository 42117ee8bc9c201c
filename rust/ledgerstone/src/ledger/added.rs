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
type Piece = Result<Vec<Put>>;

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
        // The store ends the commit at an error of its own kind; what it was is told.
        let mut failed = None;
        let mut told = |error: Error| {
            let ended = StoreError::Engine(error.to_string());
            failed = Some(error);
            ended
        };
        let mut pieces = parts.flat_map(pieces).map(|piece| piece.map_err(&mut told));
        let written = self.store.commit_with(index, puts, &mut pieces);
        match failed {
            Some(error) => Err(error),
            None => Ok(written?),
        }
    }
}

/// The rows of `unique_keys` for one part of the keys.
fn pieces(part: std::result::Result<Vec<KeyEntry>, LoadError<Error>>) -> impl Iterator<Item = Piece> {
    let (failed, entries) = match part {
        Ok(entries) => (None, entries),
        Err(error) => (Some(Err(unread(error))), Vec::new()),
    };
    let count = entries.len().div_ceil(PUTS_AT_A_TIME);
    let piece = move |number: usize| {
        let from = number * PUTS_AT_A_TIME;
        let to = entries.len().min(from + PUTS_AT_A_TIME);
        Ok(entries[from..to].iter().map(|entry| unique_key(entry.hash, entry.row)).collect())
    };
    failed.into_iter().chain((0..count).map(piece))
}

#[cfg(test)]
mod tests {
    use crate::model::Value;
    use crate::{Create, Key, Ledger, codes};

    const NOTES: &str = "[module]\nname = \"notes\"\nversion = 1\n[roles.clerk]\n[types.note]\nauthorise = [\"clerk\"]\n[types.note.fields]\nid = { type = \"text\", max = 8 }\n";

    fn notes(source: &str) -> Ledger {
        Create::new("test.example/notes", Key::from_seed([3; 32], "me"))
            .module(source, "notes.toml")
            .in_memory()
            .unwrap()
    }

    /// An error while the keys are read is what it is, and not one of the store.
    #[test]
    fn an_unreadable_record_ends_the_commit_as_what_it_is() {
        let ledger = notes(NOTES);
        ledger.append("notes.note", Value::Object(vec![("id".to_owned(), Value::Text("a".to_owned()))]), None).unwrap();
        // An authority that does not know the version that the record is of.
        let two = format!("{}[[types.note.rules]]\nunique = [\"id\"]\n", NOTES.replace("version = 1", "version = 2"));
        let after = notes(&two).lock_writer().unwrap().authority.clone();
        let writer = ledger.lock_writer().unwrap();
        let error = ledger.write(&writer, &after, Vec::new()).unwrap_err();
        assert_eq!(error.code(), codes::CONTENT_CHANGED, "{error:?}");
    }
}
