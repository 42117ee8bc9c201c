//! Unique keys of stored records: those they have, and those they take when a later version of their module adds a `unique` rule.
//!
//! A key that is added belongs to every record that has had its effects, from the transaction that loads the version on. Any number of
//! records may be stored, so their keys are put in order a part at a time.

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
}

/// The keys of stored records under a rule that was added, in the order of hash and row: part by part.
pub(crate) struct KeyPasses<'a, E> {
    state: &'a dyn State<Error = E>,
    types: &'a Types<'a>,
    added: AddedKey,
    /// The last key of the part before.
    after: Option<KeyEntry>,
    is_done: bool,
    /// The first row whose keys are not looked for, where there is one.
    end: Option<RowId>,
    most: usize,
}

impl<'a, E> KeyPasses<'a, E> {
    pub(crate) fn new(state: &'a dyn State<Error = E>, types: &'a Types<'a>, added: AddedKey) -> Self {
        KeyPasses { state, types, added, after: None, is_done: false, end: None, most: ADDED_KEYS }
    }

    /// The keys behind those before, as many as may be together, and the last of them where there are more.
    fn part(&self) -> Result<(Vec<KeyEntry>, Option<KeyEntry>), LoadError<E>> {
        let mut part = Part { after: self.after, last: None, entries: Vec::new(), most: self.most };
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
        Ok((part.entries, part.last))
    }

    fn batch(&self, version: u64, batch: &RecordBatch, at: &[RowId], part: &mut Part) -> Result<(), LoadError<E>> {
        // Rows are visited in their order.
        let at = self.end.map_or(at, |end| &at[..at.partition_point(|row| *row < end)]);
        if at.is_empty() {
            return Ok(());
        }
        let AddedKey { record_type, rule } = &self.added;
        let old = (self.types)(&record_type.name, version).ok_or(LoadError::Rows)?;
        let batch = widened(batch, &old, record_type).map_err(|_| LoadError::Rows)?;
        let rows = Rows::new(record_type, &batch).map_err(|_| LoadError::Rows)?;
        for (place, row) in at.iter().enumerate() {
            keys_under(&rows, place, *rule, &mut |key, _| {
                part.add(KeyEntry { hash: self.state.key_hash(key), row: *row });
            });
        }
        Ok(())
    }
}

impl<E> Iterator for KeyPasses<'_, E> {
    type Item = Result<Vec<KeyEntry>, LoadError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::replace(&mut self.is_done, true) {
            return None;
        }
        Some(self.part().map(|(entries, last)| {
            self.is_done = last.is_none();
            self.after = last;
            entries
        }))
    }
}

/// The least keys behind those of the parts before.
struct Part {
    after: Option<KeyEntry>,
    /// The last that it takes, once there are too many.
    last: Option<KeyEntry>,
    entries: Vec<KeyEntry>,
    most: usize,
}

impl Part {
    fn add(&mut self, entry: KeyEntry) {
        if self.is_full() {
            // The upper half is left to the next part.
            let middle = self.entries.len() / 2 - 1;
            let last = *self.entries.select_nth_unstable(middle).1;
            self.last = Some(last);
            self.entries.retain(|entry| *entry <= last);
            // Keys of one hash that one record has more than once stay together: they are no more than the items of its list.
            self.most = self.most.max(2 * self.entries.len());
        }
        if self.after.is_none_or(|after| entry > after) && self.last.is_none_or(|last| entry <= last) {
            self.entries.push(entry);
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.most
    }
}

/// The least stored record that does not keep a rule that was added.
pub(super) struct Repeated {
    row: RowId,
    /// The record before it that has the key.
    before: RowId,
    key: Vec<u8>,
}

/// The search for it, among keys in the order of hash and row: of any number of them only those of the hash at hand are kept that differ.
struct Search<'a, E> {
    state: &'a dyn State<Error = E>,
    types: &'a Types<'a>,
    added: &'a AddedKey,
    /// What was met last.
    last: Option<KeyEntry>,
    /// The keys with the hash at hand, once two records have it: the newest record with each, and its version.
    newest: BTreeMap<Vec<u8>, (RowId, Option<i64>)>,
    least: Option<Repeated>,
}

impl<E> Search<'_, E> {
    fn meet(&mut self, entry: KeyEntry) -> Result<(), LoadError<E>> {
        if !self.is_less(entry.row) {
            return Ok(());
        }
        match self.last.replace(entry) {
            Some(last) if last.hash == entry.hash => {
                if self.newest.is_empty() {
                    self.compare(last)?;
                }
                if last.row != entry.row {
                    self.compare(entry)?;
                }
            }
            _ => self.newest.clear(),
        }
        Ok(())
    }

    fn is_less(&self, row: RowId) -> bool {
        self.least.as_ref().is_none_or(|least| row < least.row)
    }

    /// A hash is no proof: the keys themselves are compared.
    fn compare(&mut self, KeyEntry { hash, row }: KeyEntry) -> Result<(), LoadError<E>> {
        for UniqueKey { bytes: key, version } in stored_keys(self.state, self.types, self.added, row)? {
            if !self.is_less(row) {
                break;
            }
            if self.state.key_hash(&key) != hash {
                continue;
            }
            let follows = |before: Option<i64>| {
                self.added.is_appending() && before.and_then(|before| before.checked_add(1)) == version
            };
            match self.newest.get(&key) {
                Some(&(before, number)) if !follows(number) => self.least = Some(Repeated { row, before, key }),
                _ => drop(self.newest.insert(key, (row, version))),
            }
        }
        Ok(())
    }
}

impl Repeated {
    /// Looks for one: the least row that has a key which one before it has. Where the rule says that such records are versions, it is the
    /// least that does not follow the one before.
    pub(super) fn first<E>(
        state: &dyn State<Error = E>,
        types: &Types<'_>,
        added: &AddedKey,
    ) -> Result<Option<Self>, LoadError<E>> {
        Self::among(KeyPasses::new(state, types, added.clone()))
    }

    fn among<E>(mut passes: KeyPasses<'_, E>) -> Result<Option<Self>, LoadError<E>> {
        let added = passes.added.clone();
        let (state, types) = (passes.state, passes.types);
        let mut search = Search { state, types, added: &added, last: None, newest: BTreeMap::new(), least: None };
        while let Some(part) = passes.next() {
            for entry in part? {
                search.meet(entry)?;
            }
            passes.end = search.least.as_ref().map(|least| least.row);
        }
        Ok(search.least)
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
mod tests;
