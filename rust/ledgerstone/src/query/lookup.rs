//! The records that hold one of some values in an indexed field, found by postings: transaction by transaction.

use std::collections::VecDeque;

use super::read::ReadError;
use super::segments::segment_prefix;
use crate::model::RowId;
use crate::schema::codec::{CodecError, bucket_of, lookup_postings, read_positions};
use crate::store::{Snapshot, StoreError, Table};

/// Rows of small transactions read at a time.
const PAGE: usize = 512;

/// Positions of one transaction, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    pub(crate) index: u64,
    pub(crate) positions: Vec<u32>,
}

/// The key prefix of a field's postings.
pub(crate) fn posting_prefix(type_name: &str, field: &str) -> Vec<u8> {
    [segment_prefix(type_name).as_slice(), field.as_bytes(), &[0]].concat()
}

/// The records in whose field is one value, or another of the same hash.
#[derive(Debug)]
struct Value {
    prefix: Vec<u8>,
    hash: u32,
    small: Small,
    /// The next large transaction with the value; `None`: not looked for.
    large: Option<Option<Positions>>,
    /// The large transaction that was looked at last, and the bits of its buckets.
    known: Option<(u64, u8)>,
}

/// What is known of a large transaction.
struct Bucket {
    index: u64,
    /// How many leading bits of a hash choose among its buckets.
    bits: u8,
    /// The bucket that the hash falls in, if any posting does.
    stored: Option<Vec<u8>>,
}

/// Transactions with few postings: a row for each hash.
#[derive(Debug, Default)]
struct Small {
    page: VecDeque<Positions>,
    next: u64,
    is_done: bool,
}

/// The records that hold, in each of some fields, one of some values.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// All of which hold; of each, any value.
    terms: Vec<Vec<Value>>,
    next: u64,
    /// Transactions below this index.
    end: u64,
}

impl Lookup {
    /// `terms`: key prefix of the field's postings and the hashes of the values; at least one.
    pub(crate) fn new(terms: Vec<(Vec<u8>, Vec<u64>)>, first: u64, end: u64) -> Self {
        let value = |prefix: &Vec<u8>, hash: u64| Value {
            prefix: prefix.clone(),
            hash: hash as u32,
            small: Small::default(),
            large: None,
            known: None,
        };
        let terms = terms
            .into_iter()
            .map(|(prefix, mut hashes)| {
                hashes.sort_unstable();
                hashes.dedup();
                hashes.into_iter().map(|hash| value(&prefix, hash)).collect()
            })
            .collect();
        Lookup { terms, next: first, end }
    }

    /// The next transaction that has such records, and where they stand in it.
    pub(crate) fn next(&mut self, snapshot: &dyn Snapshot) -> Result<Option<Positions>, ReadError> {
        'search: while self.next < self.end {
            let mut common: Option<Vec<u32>> = None;
            for term in &mut self.terms {
                let Some(found) = any_of(term, snapshot, self.next, self.end)? else {
                    self.next = self.end;
                    return Ok(None);
                };
                let is_further = found.index > self.next;
                self.next = found.index;
                common = match common {
                    Some(_) if is_further => continue 'search,
                    Some(known) => Some(in_both(known, &found.positions)),
                    None => Some(found.positions),
                };
            }
            let index = self.next;
            self.next += 1;
            if let Some(positions) = common.filter(|positions| !positions.is_empty()) {
                return Ok(Some(Positions { index, positions }));
            }
        }
        Ok(None)
    }
}

fn in_both(mut some: Vec<u32>, others: &[u32]) -> Vec<u32> {
    some.retain(|position| others.binary_search(position).is_ok());
    some
}

/// The first transaction from `from` on that has one of the values.
fn any_of(values: &mut [Value], snapshot: &dyn Snapshot, from: u64, end: u64) -> Result<Option<Positions>, ReadError> {
    let mut found: Option<Positions> = None;
    for value in values {
        let Some(next) = value.seek(snapshot, from, end)? else { continue };
        match &mut found {
            Some(first) if next.index > first.index => {}
            Some(first) if next.index == first.index => {
                first.positions.extend(&next.positions);
                first.positions.sort_unstable();
                first.positions.dedup();
            }
            _ => found = Some(next.clone()),
        }
    }
    Ok(found)
}

impl Value {
    /// The first transaction from `from` on.
    fn seek(&mut self, snapshot: &dyn Snapshot, from: u64, end: u64) -> Result<Option<&Positions>, ReadError> {
        if self.large.as_ref().is_none_or(|large| large.as_ref().is_some_and(|large| large.index < from)) {
            self.large = Some(self.next_large(snapshot, from, end)?);
        }
        let (prefix, hash) = (&self.prefix, self.hash);
        let small = self.small.seek(snapshot, prefix, hash, from, end)?;
        let large = self.large.as_ref().and_then(Option::as_ref);
        Ok(match (small, large) {
            (Some(small), Some(large)) if large.index < small.index => Some(large),
            (None, large) => large,
            (small, _) => small,
        })
    }

    fn next_large(&mut self, snapshot: &dyn Snapshot, from: u64, end: u64) -> Result<Option<Positions>, ReadError> {
        let mut from = from;
        while let Some(Bucket { index, bits, stored }) = self.bucket(snapshot, from, end)? {
            self.known = Some((index, bits));
            if let Some(stored) = stored {
                let positions = lookup_postings(&stored, self.hash).map_err(|error| damaged(index, &error))?;
                if !positions.is_empty() {
                    return Ok(Some(Positions { index, positions }));
                }
            }
            from = index + 1;
        }
        Ok(None)
    }

    /// The bucket of the first large transaction from `from` on.
    fn bucket(&self, snapshot: &dyn Snapshot, from: u64, end: u64) -> Result<Option<Bucket>, ReadError> {
        // Transactions that follow each other are mostly of one size: then its bucket, or the one behind it, tells all.
        if let Some((_, bits)) = self.known.filter(|(index, _)| index + 1 == from) {
            let next = self.bucket_from(snapshot, &self.bucket_key(from, bits), end)?;
            if next.as_ref().is_some_and(|next| (next.index, next.bits) == (from, bits)) {
                return Ok(next);
            }
        }
        // Whichever bucket comes first says how many there are.
        let start = [self.prefix.as_slice(), &[1], &from.to_be_bytes()].concat();
        let Some(mut first) = self.bucket_from(snapshot, &start, end)? else { return Ok(None) };
        if first.stored.is_none() {
            first.stored = snapshot.get(Table::Postings, &self.bucket_key(first.index, first.bits))?;
        }
        Ok(Some(first))
    }

    /// The transaction of the first bucket at or behind a key, and the bucket if it is the hash's own.
    fn bucket_from(&self, snapshot: &dyn Snapshot, start: &[u8], end: u64) -> Result<Option<Bucket>, ReadError> {
        let head = self.prefix.len() + 1;
        let to = [self.prefix.as_slice(), &[1], &end.to_be_bytes()].concat();
        let mut found = None;
        snapshot.scan(Table::Postings, start, Some(&to), &mut |key, stored| {
            found = key[head..].split_first_chunk::<8>().and_then(|(index, rest)| {
                let (index, bits) = (u64::from_be_bytes(*index), *rest.first().filter(|bits| **bits <= 16)?);
                let is_own = key == self.bucket_key(index, bits);
                Some(Bucket { index, bits, stored: is_own.then(|| stored.to_vec()) })
            });
            false
        })?;
        Ok(found)
    }

    fn bucket_key(&self, index: u64, bits: u8) -> Vec<u8> {
        let bucket = bucket_of(self.hash, bits).to_be_bytes();
        [self.prefix.as_slice(), &[1], &index.to_be_bytes(), &[bits], &bucket].concat()
    }
}

impl Small {
    fn seek(
        &mut self,
        snapshot: &dyn Snapshot,
        prefix: &[u8],
        hash: u32,
        from: u64,
        end: u64,
    ) -> Result<Option<&Positions>, ReadError> {
        let passed = self.page.iter().take_while(|found| found.index < from).count();
        self.page.drain(..passed);
        if self.page.is_empty() && !self.is_done {
            self.read(snapshot, &[prefix, &[0], &hash.to_be_bytes()].concat(), from.max(self.next), end)?;
        }
        Ok(self.page.front())
    }

    fn read(&mut self, snapshot: &dyn Snapshot, prefix: &[u8], from: u64, end: u64) -> Result<(), ReadError> {
        let start = [prefix, &from.to_be_bytes()].concat();
        let to = [prefix, &end.to_be_bytes()].concat();
        let mut failed = None;
        let page = &mut self.page;
        snapshot.scan(Table::Postings, &start, Some(&to), &mut |key, value| {
            let Ok(index) = key[prefix.len()..].try_into().map(u64::from_be_bytes) else { return true };
            match read_positions(value) {
                Ok(positions) => page.push_back(Positions { index, positions }),
                Err(error) => failed = Some(damaged(index, &error)),
            }
            failed.is_none() && page.len() < PAGE
        })?;
        self.is_done = self.page.len() < PAGE;
        self.next = self.page.back().map_or(end, |last| last.index + 1);
        failed.map_or(Ok(()), Err)
    }
}

fn damaged(index: u64, error: &CodecError) -> ReadError {
    ReadError::Damaged { table: Table::Postings.name(), row: RowId::new(index, 0), why: error.to_string() }
}

impl From<Positions> for Vec<RowId> {
    fn from(found: Positions) -> Self {
        found.positions.into_iter().map(|position| RowId::new(found.index, position)).collect()
    }
}

/// The key of a cell's row in `cell_history`.
pub(crate) fn history_key(hash: u64, index: u64) -> Vec<u8> {
    [hash.to_be_bytes(), index.to_be_bytes()].concat()
}

/// The transactions that moved a cell, or another of the same hash, from `first` on and below `end`: their indexes, at most `limit`.
pub(crate) fn moving_transactions(
    snapshot: &dyn Snapshot,
    hash: u64,
    first: u64,
    end: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    if first < end {
        let (from, to) = (history_key(hash, first), history_key(hash, end));
        snapshot.scan(Table::CellHistory, &from, Some(&to), &mut |key, _| {
            found.extend(key[8..].try_into().map(u64::from_be_bytes));
            found.len() < limit
        })?;
    }
    Ok(found)
}
