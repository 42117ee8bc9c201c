//! Where the records of a type stand: transaction by transaction, in the order of the ledger.

use std::collections::VecDeque;

use crate::model::RowId;
use crate::store::{Snapshot, StoreError, Table};

/// Rows of the table read at a time.
const PAGE: usize = 1_024;

/// Consecutive chunks of one type within a transaction, none of another type between: they start in this range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: RowId,
    /// The end, excluded.
    pub(crate) end: RowId,
}

/// The runs of one type, page by page.
#[derive(Debug)]
pub(crate) struct Segments {
    prefix: Vec<u8>,
    /// First index not yet read.
    next: u64,
    /// Indexes below it.
    end: u64,
    page: VecDeque<Run>,
}

/// The key prefix of a type's segments.
pub(crate) fn segment_prefix(type_name: &str) -> Vec<u8> {
    let mut prefix = type_name.as_bytes().to_vec();
    prefix.push(0);
    prefix
}

/// Number of stored records of a type.
pub(crate) fn stored_rows(snapshot: &dyn Snapshot, type_name: &str) -> Result<u64, StoreError> {
    let from = segment_prefix(type_name);
    let to = [type_name.as_bytes(), &[1]].concat();
    let mut rows = 0;
    snapshot.scan(Table::Segments, &from, Some(&to), &mut |_, value| {
        rows += value.first_chunk::<4>().map_or(0, |rows| u64::from(u32::from_le_bytes(*rows)));
        true
    })?;
    Ok(rows)
}

/// Whether a type has records in the transactions from `first` on and below `end`.
pub(crate) fn has_segments(snapshot: &dyn Snapshot, type_name: &str, first: u64, end: u64) -> Result<bool, StoreError> {
    let key = |index: u64| [segment_prefix(type_name).as_slice(), &index.to_be_bytes()].concat();
    let mut found = false;
    snapshot.scan(Table::Segments, &key(first), Some(&key(end)), &mut |_, _| {
        found = true;
        false
    })?;
    Ok(found)
}

/// The newest transaction below `end` that has records of a type, and how many.
pub(crate) fn newest_segment(
    snapshot: &dyn Snapshot,
    type_name: &str,
    end: u64,
) -> Result<Option<(u64, u32)>, StoreError> {
    let Some(last) = end.checked_sub(1) else { return Ok(None) };
    let prefix = segment_prefix(type_name);
    let found = snapshot.last_at(Table::Segments, &[prefix.as_slice(), &last.to_be_bytes()].concat())?;
    Ok(found.and_then(|(key, value)| rows_of(key.strip_prefix(prefix.as_slice())?, &value)))
}

/// The transactions from `first` on and below `end` that have records of a type, and how many each.
pub(crate) fn segment_rows(
    snapshot: &dyn Snapshot,
    type_name: &str,
    first: u64,
    end: u64,
) -> Result<Vec<(u64, u32)>, StoreError> {
    let prefix = segment_prefix(type_name);
    let key = |index: u64| [prefix.as_slice(), &index.to_be_bytes()].concat();
    let mut found = Vec::new();
    snapshot.scan(Table::Segments, &key(first), Some(&key(end)), &mut |key, value| {
        found.extend(rows_of(&key[prefix.len()..], value));
        true
    })?;
    Ok(found)
}

fn rows_of(index: &[u8], value: &[u8]) -> Option<(u64, u32)> {
    Some((u64::from_be_bytes(index.try_into().ok()?), u32::from_le_bytes(*value.first_chunk::<4>()?)))
}

impl Segments {
    /// Those of the transactions from `first` on and below `end`.
    pub(crate) fn new(type_name: &str, first: u64, end: u64) -> Self {
        Segments { prefix: segment_prefix(type_name), next: first, end, page: VecDeque::new() }
    }

    /// The next run.
    pub(crate) fn next(&mut self, snapshot: &dyn Snapshot) -> Result<Option<Run>, StoreError> {
        if self.page.is_empty() && self.next < self.end {
            self.read(snapshot)?;
        }
        Ok(self.page.pop_front())
    }

    /// Every run that is left.
    pub(crate) fn all(mut self, snapshot: &dyn Snapshot) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        while let Some(run) = self.next(snapshot)? {
            runs.push(run);
        }
        Ok(runs)
    }

    fn read(&mut self, snapshot: &dyn Snapshot) -> Result<(), StoreError> {
        let from = [self.prefix.as_slice(), &self.next.to_be_bytes()].concat();
        let to = [self.prefix.as_slice(), &self.end.to_be_bytes()].concat();
        let (mut rows, mut last) = (0, None);
        let (page, prefix) = (&mut self.page, self.prefix.len());
        snapshot.scan(Table::Segments, &from, Some(&to), &mut |key, value| {
            rows += 1;
            // A row that is not as it should be is the audit's to report.
            if let (Ok(index), Some((_, runs))) =
                (key[prefix..].try_into().map(u64::from_be_bytes), value.split_first_chunk::<4>())
            {
                last = Some(index);
                page.extend(runs.as_chunks::<8>().0.iter().map(|&[a, b, c, d, e, f, g, h]| Run {
                    first: RowId::new(index, u32::from_le_bytes([a, b, c, d])),
                    end: RowId::new(index, u32::from_le_bytes([e, f, g, h])),
                }));
            }
            rows < PAGE
        })?;
        self.next = match last {
            Some(last) if rows == PAGE => last + 1,
            _ => self.end,
        };
        Ok(())
    }
}
