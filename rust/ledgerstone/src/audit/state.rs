//! The state that a replay builds, kept apart from the stored one.

use std::collections::{BTreeMap, BTreeSet};

use ledgerstone_verify::entry::ExceptionOutcome;

use crate::error::{Error, Result};
use crate::execute::{Decision, PreparedChunk};
use crate::ledger::{FileSecret, View, release_cell};
use crate::model::{CellVisitor, RecordsVisitor, RowId, State, UniqueKey};

/// Cells and unique keys as the replay made them.
pub(super) struct ReplayedState<'a> {
    view: &'a View,
    secret: FileSecret,
    /// How many transactions have been applied.
    size: u64,
    /// Cell name to the index of its last change and its value.
    pub(super) cells: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    /// Hash of each unique key, and its row.
    pub(super) keys: KeyRows,
    /// Records that were held, released ones as well.
    held: BTreeSet<RowId>,
}

/// Rows by the hash of their unique keys: sorted runs of doubling size, so that a lookup is a few binary searches and memory is the
/// keys alone.
#[derive(Default)]
pub(super) struct KeyRows {
    runs: Vec<Vec<(u64, u64)>>,
}

impl KeyRows {
    /// Adds keys.
    pub(super) fn extend(&mut self, mut keys: Vec<(u64, u64)>) {
        if keys.is_empty() {
            return;
        }
        keys.sort_unstable();
        while let Some(last) = self.runs.pop_if(|last| last.len() <= 2 * keys.len()) {
            keys = merged(&last, &keys);
        }
        self.runs.push(keys);
    }

    /// Visits the rows of a hash.
    fn rows(&self, hash: u64, visit: &mut dyn FnMut(u64)) {
        for run in &self.runs {
            let start = run.partition_point(|(known, _)| *known < hash);
            run[start..].iter().take_while(|(known, _)| *known == hash).for_each(|(_, row)| visit(*row));
        }
    }

    /// All keys, in ascending order.
    pub(super) fn into_sorted(self) -> Vec<(u64, u64)> {
        self.runs.into_iter().rev().reduce(|small, large| merged(&large, &small)).unwrap_or_default()
    }
}

fn merged(left: &[(u64, u64)], right: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut l, mut r) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        let next = match (l.peek(), r.peek()) {
            (Some(a), Some(b)) if a <= b => l.next(),
            (Some(_), None) => l.next(),
            _ => r.next(),
        };
        match next {
            Some(key) => out.push(key),
            None => return out,
        }
    }
}

impl<'a> ReplayedState<'a> {
    /// The state before the genesis.
    pub(super) fn new(view: &'a View) -> Self {
        ReplayedState {
            view,
            secret: view.secret,
            size: 0,
            cells: BTreeMap::new(),
            keys: KeyRows::default(),
            held: BTreeSet::new(),
        }
    }

    /// Remembers the records that a transaction holds.
    pub(super) fn hold(&mut self, index: u64, chunks: &[PreparedChunk], decision: &Decision) {
        let held = decision.exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Held);
        self.held.extend(held.map(|exception| RowId::new(index, chunks[exception.chunk].positions[exception.row])));
    }

    /// Applies the cells that a transaction changed.
    pub(super) fn apply(&mut self, index: u64, changed: Vec<(Vec<u8>, Vec<u8>)>) {
        self.size = index + 1;
        // A removed cell keeps its row, as it does in the file.
        self.cells.extend(changed.into_iter().map(|(name, value)| (name, (index, value))));
    }
}

impl State for ReplayedState<'_> {
    type Error = Error;

    fn cells(&self, names: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let value = |name: &&[u8]| self.cells.get(*name).map(|(_, value)| value).filter(|value| *value != b"null");
        Ok(names.iter().map(|name| value(name).cloned()).collect())
    }

    fn cells_from(&self, prefix: &[u8], visit: &mut CellVisitor<'_>) -> Result<()> {
        let from = self.cells.range(prefix.to_vec()..).take_while(|(name, _)| name.starts_with(prefix));
        for (name, (_, value)) in from {
            if !visit(name, (value != b"null").then_some(value)) {
                break;
            }
        }
        Ok(())
    }

    fn has_records(&self, type_name: &str) -> Result<bool> {
        self.view.has_records_below(type_name, self.size)
    }

    fn records_of(&self, type_name: &str, visit: &mut RecordsVisitor<'_>) -> Result<()> {
        let is_held = |row: &RowId| self.held.contains(row) && !self.cells.contains_key(&release_cell(*row));
        let mut are_held = |rows: &[RowId]| Ok(rows.iter().map(is_held).collect());
        self.view.records_below(type_name, self.size, &mut are_held, visit)
    }

    fn rows_by_key_hash(&self, hashes: &[u64], visit: &mut dyn FnMut(u64, RowId)) -> Result<()> {
        for &hash in hashes {
            self.keys.rows(hash, &mut |row| visit(hash, RowId::from_number(row)));
        }
        Ok(())
    }

    fn record(&self, row: RowId) -> Result<Vec<u8>> {
        self.view.record_bytes(row)
    }

    fn unique_keys(&self, row: RowId) -> Result<Vec<UniqueKey>> {
        self.view.unique_keys(row)
    }

    fn rows_with(
        &self,
        type_name: &str,
        field: &str,
        value: &[u8],
        visit: &mut dyn FnMut(RowId) -> bool,
    ) -> Result<()> {
        let mut before = |row: RowId| row.index >= self.size || visit(row);
        self.view.rows_with(type_name, field, value, &mut before)
    }

    fn is_held(&self, row: RowId) -> Result<bool> {
        Ok(self.held.contains(&row))
    }

    fn key_hash(&self, key: &[u8]) -> u64 {
        self.secret.hash(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_every_key_once() {
        let mut keys = KeyRows::default();
        let mut all = Vec::new();
        for start in [5u64, 1, 9, 3, 3, 100, 7] {
            let some: Vec<(u64, u64)> = (0..start).map(|n| (start.wrapping_mul(n) % 17, start * 1000 + n)).collect();
            all.extend_from_slice(&some);
            keys.extend(some);
        }
        all.sort_unstable();
        for hash in 0..17 {
            let mut rows = Vec::new();
            keys.rows(hash, &mut |row| rows.push(row));
            rows.sort_unstable();
            let expected: Vec<u64> = all.iter().filter(|(known, _)| *known == hash).map(|(_, row)| *row).collect();
            assert_eq!(rows, expected);
        }
        assert_eq!(keys.into_sorted(), all);
    }
}
