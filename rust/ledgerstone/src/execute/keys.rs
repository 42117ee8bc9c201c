//! Unique keys of stored records: those they have, and those they take when a later version of their module adds a `unique` rule.
//!
//! A key that is added belongs to every record that has had its effects, from the transaction that loads the version on. Any number of
//! records may be stored, so their keys are put in order a part of the hashes at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::ops::{Action, Failure, Rejection};
use super::plan::{Scope, lower_rule, write_key};
use super::steps::Unit;
use super::working::{LoadError, Place};
use crate::limits::ADDED_KEYS;
use crate::model::{RowId, State, UniqueKey};
use crate::schema::{AddedKey, Env, Primitive, RecordType, Rows, from_record_bytes, named_type, widened};

/// Finds the record type of a name and version that was in force at some time.
type Types<'a> = dyn Fn(&str, u64) -> Option<Arc<RecordType>> + 'a;

/// Visits the keys that a `unique` rule gives a row, with the version that the row is; `rule` is its place among the rules of the type.
pub(crate) fn keys_under(rows: &Rows<'_>, row: usize, rule: usize, visit: &mut dyn FnMut(&[u8], Option<i64>)) {
    let record_type = rows.record_type();
    let number = record_type.unique_number(rule);
    let rule = &record_type.rules[rule];
    let Primitive::Unique { values, versioned } = &rule.primitive else { return };
    let version = versioned.and_then(|versioned| rows.int(versioned.version, row));
    let items = rule.each.map_or(vec![None], |list| rows.list_range(list, row).map(Some).collect());
    let mut bytes = Vec::new();
    for item in items {
        let applies = rule.when.as_ref().is_none_or(|when| when.is_true(rows, row, item, &Env::NONE));
        bytes.clear();
        if applies
            && write_key(&record_type.name, number, values, Scope { rows, row, item, env: &Env::NONE }, &mut bytes)
        {
            visit(&bytes, version);
        }
    }
}

/// A key of a stored record, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyEntry {
    pub(crate) hash: u64,
    pub(crate) row: RowId,
    version: Option<i64>,
}

/// The keys of stored records under a rule that was added, by hash and row: part by part.
pub(crate) struct KeyPasses<'a, E> {
    state: &'a dyn State<Error = E>,
    types: &'a Types<'a>,
    added: AddedKey,
    /// The first hash of the next part.
    next: Option<u64>,
    most: usize,
}

impl<'a, E> KeyPasses<'a, E> {
    pub(crate) fn new(state: &'a dyn State<Error = E>, types: &'a Types<'a>, added: AddedKey) -> Self {
        KeyPasses { state, types, added, next: Some(0), most: ADDED_KEYS }
    }

    /// The keys from a hash on, as many as may be together, and the hash where the next part begins.
    fn part(&self, from: u64) -> Result<(Vec<KeyEntry>, Option<u64>), LoadError<E>> {
        let mut part = Part { from, end: None, entries: Vec::new(), most: self.most };
        let mut failed = None;
        let mut visit = |version: u64, batch: &RecordBatch, at: &[RowId]| {
            if failed.is_none() {
                failed = self.batch(version, batch, at, &mut part).err();
            }
        };
        self.state.records_of(&self.added.record_type.name, &mut visit).map_err(LoadError::State)?;
        if let Some(failed) = failed {
            return Err(failed);
        }
        part.entries.sort_unstable();
        Ok((part.entries, part.end))
    }

    fn batch(&self, version: u64, batch: &RecordBatch, at: &[RowId], part: &mut Part) -> Result<(), LoadError<E>> {
        let AddedKey { record_type, rule } = &self.added;
        let old = (self.types)(&record_type.name, version).ok_or(LoadError::Rows)?;
        let batch = widened(batch, &old, record_type).map_err(|_| LoadError::Rows)?;
        let rows = Rows::new(record_type, &batch).map_err(|_| LoadError::Rows)?;
        for (place, row) in at.iter().enumerate() {
            keys_under(&rows, place, *rule, &mut |key, version| {
                part.add(KeyEntry { hash: self.state.key_hash(key), row: *row, version });
            });
        }
        Ok(())
    }
}

impl<E> Iterator for KeyPasses<'_, E> {
    type Item = Result<Vec<KeyEntry>, LoadError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.next.take()?;
        Some(self.part(from).map(|(entries, next)| {
            self.next = next;
            entries
        }))
    }
}

/// The keys of a range of hashes, which ends earlier where there are too many.
struct Part {
    from: u64,
    /// The end, excluded.
    end: Option<u64>,
    entries: Vec<KeyEntry>,
    most: usize,
}

impl Part {
    fn add(&mut self, entry: KeyEntry) {
        if entry.hash < self.from || self.end.is_some_and(|end| entry.hash >= end) {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() <= self.most {
            return;
        }
        // The upper half is left to the next part. Keys of one hash stay together, however many they are.
        let middle = self.entries.len() / 2;
        let middle = *self.entries.select_nth_unstable(middle).1;
        let least = self.entries.iter().map(|entry| entry.hash).min();
        let end = if least == Some(middle.hash) { middle.hash.checked_add(1) } else { Some(middle.hash) };
        self.end = end.or(self.end);
        self.entries.retain(|entry| end.is_none_or(|end| entry.hash < end));
        self.most = self.most.max(2 * self.entries.len());
    }
}

/// The least stored record that does not keep a rule that was added.
pub(super) struct Repeated {
    row: RowId,
    /// The record before it that has the key.
    before: RowId,
    key: Vec<u8>,
}

impl Repeated {
    /// Looks for one: the least row that has a key which one before it has. Where the rule says that such records are versions, it is the
    /// least that does not follow the one before.
    pub(super) fn first<E>(
        state: &dyn State<Error = E>,
        types: &Types<'_>,
        added: &AddedKey,
    ) -> Result<Option<Self>, LoadError<E>> {
        let mut least: Option<Repeated> = None;
        for part in KeyPasses::new(state, types, added.clone()) {
            for same in part?.chunk_by(|left, right| left.hash == right.hash) {
                let is_less = |entry: &&KeyEntry| least.as_ref().is_none_or(|least| entry.row < least.row);
                if same.get(1).filter(is_less).is_some() {
                    least = Self::among(state, types, added, same)?
                        .filter(|found| least.as_ref().is_none_or(|least| found.row < least.row))
                        .or(least);
                }
            }
        }
        Ok(least)
    }

    /// The first among records with keys of one hash. A hash is no proof: the keys themselves are compared.
    fn among<E>(
        state: &dyn State<Error = E>,
        types: &Types<'_>,
        added: &AddedKey,
        same: &[KeyEntry],
    ) -> Result<Option<Self>, LoadError<E>> {
        let mut newest: BTreeMap<Vec<u8>, (RowId, Option<i64>)> = BTreeMap::new();
        for one in same.chunk_by(|left, right| left.row == right.row) {
            let row = one[0].row;
            let mut keys = stored_keys(state, types, added, row)?;
            keys.retain(|key| state.key_hash(&key.bytes) == one[0].hash);
            for UniqueKey { bytes: key, version } in keys {
                let follows = |before: Option<i64>| {
                    added.is_appending() && before.and_then(|before| before.checked_add(1)) == version
                };
                match newest.get(&key) {
                    Some((before, number)) if !follows(*number) => {
                        return Ok(Some(Repeated { row, before: *before, key }));
                    }
                    _ => drop(newest.insert(key, (row, version))),
                }
            }
        }
        Ok(None)
    }

    /// What is wrong, in words.
    pub(super) fn message(&self, added: &AddedKey) -> String {
        let Repeated { row, before, key } = self;
        // A key is the array of its type, its rule and its values (FORMAT.md section 12).
        let key = String::from_utf8_lossy(key);
        let values = key.splitn(3, ',').nth(2).and_then(|rest| rest.strip_suffix(']')).unwrap_or(&key);
        let (place, rule) = (&added.record_type.name, added.text());
        let why = match row {
            row if row == before => format!("record {row} has the key {values} twice"),
            row if added.is_appending() => {
                format!("record {row} with the key {values} is not the next version of record {before}")
            }
            row => format!("records {before} and {row} both have the key {values}"),
        };
        format!("{place}: the unique rule {rule} is new, and {why}")
    }
}

/// The keys of one stored record under a rule that was added.
fn stored_keys<E>(
    state: &dyn State<Error = E>,
    types: &Types<'_>,
    added: &AddedKey,
    row: RowId,
) -> Result<Vec<UniqueKey>, LoadError<E>> {
    let bytes = state.record(row).map_err(LoadError::State)?;
    let (name, version) = named_type(&bytes).ok_or(LoadError::Rows)?;
    let old = types(&name, version).ok_or(LoadError::Rows)?;
    let batch = from_record_bytes(&old, &[bytes.as_slice()]).map_err(|_| LoadError::Rows)?;
    let batch = widened(&batch, &old, &added.record_type).map_err(|_| LoadError::Rows)?;
    let rows = Rows::new(&added.record_type, &batch).map_err(|_| LoadError::Rows)?;
    let mut keys = Vec::new();
    keys_under(&rows, 0, added.rule, &mut |key, version| keys.push(UniqueKey { bytes: key.to_vec(), version }));
    Ok(keys)
}

/// Why a record that was held before its type replaced versions is not released where there is one. It had other rules then: what it would
/// take back was not asked of it.
const REPLACES_NOTHING: &str = "a record that was held before the key was versioned replaces no other, and one with the same key is stored: append it anew as the next version";

impl<E> Unit<'_, '_, E> {
    /// A held record that is released takes the keys that later versions have added: why it cannot. Nobody may hold them, or it is the
    /// version after the newest.
    pub(super) fn take_added(&mut self, place: Place) -> Result<Option<Rejection>, LoadError<E>> {
        let (chunk, state) = (&self.chunks[place.chunk as usize], self.state);
        for added in self.gate.added_keys(&chunk.record_type) {
            let batch = widened(&chunk.batch, &chunk.record_type, &added.record_type).map_err(|_| LoadError::Rows)?;
            let rows = Rows::new(&added.record_type, &batch).map_err(|_| LoadError::Rows)?;
            let ops = lower_rule(&rows, added.rule as u16, 0, &|key| state.key_hash(key), &Env::NONE);
            let number = self.working.admit(state, ops)?;
            let ops = self.working.late(number);
            for op in &ops.ops {
                let taken = match op.action {
                    Action::Version { key, version } if added.is_appending() => {
                        self.version(place, &added.record_type, (number, &ops), *op, (key, version))?
                    }
                    Action::Take { key } | Action::Version { key, .. } => self.take(place, number, &ops, key),
                    _ => Err(Failure::Overflow),
                };
                if let Err(failure) = taken {
                    let rejection = Rejection::of(&added.record_type, &ops, *op, failure);
                    let replaces = matches!(op.action, Action::Version { .. }) && !added.is_appending();
                    return Ok(Some(if replaces { rejection.in_words(REPLACES_NOTHING) } else { rejection }));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All keys, a part after another, each made of all of them.
    fn parts(entries: &[KeyEntry], most: usize) -> Vec<Vec<KeyEntry>> {
        let (mut from, mut parts) = (Some(0), Vec::new());
        while let Some(first) = from {
            let mut part = Part { from: first, end: None, entries: Vec::new(), most };
            entries.iter().for_each(|entry| part.add(*entry));
            part.entries.sort_unstable();
            from = part.end;
            parts.push(part.entries);
        }
        parts
    }

    #[test]
    fn parts_hold_every_key_once_in_order_and_those_of_one_hash_together() {
        for (hashes, most) in [(1, 4), (3, 4), (50, 4), (50, 7), (1000, 16), (1000, 10_000)] {
            let hash = |n: u64| u64::MAX - n * 7 % hashes;
            let entries: Vec<KeyEntry> =
                (0..500).map(|n| KeyEntry { hash: hash(n), row: RowId::new(n, 0), version: None }).collect();
            let parts = parts(&entries, most);
            let mut sorted = entries.clone();
            sorted.sort_unstable();
            assert_eq!(parts.concat(), sorted);
            assert!(parts.windows(2).all(|two| match (two[0].last(), two[1].first()) {
                (Some(last), Some(first)) => last.hash < first.hash,
                _ => true,
            }));
            assert!(hashes < 50 || parts.iter().all(|part| part.len() <= most.max(30)), "{hashes} {most}");
        }
    }
}
