use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::execute::RecordBytes;
use crate::model::{CellVisitor, RecordsVisitor, Value};
use crate::schema::{from_values, parse};

/// All keys, a part after another, each made of all of them.
fn parts(entries: &[KeyEntry], most: usize) -> Vec<Vec<KeyEntry>> {
    let (mut after, mut parts) = (None, Vec::new());
    loop {
        let mut part = Part { after, last: None, entries: Vec::new(), most };
        entries.iter().for_each(|entry| part.add(*entry));
        part.entries.sort_unstable();
        after = part.last;
        parts.push(part.entries);
        if after.is_none() {
            return parts;
        }
    }
}

#[test]
fn parts_hold_every_key_once_in_order_and_are_bounded_however_many_have_one_hash() {
    for (hashes, most) in [(1, 4), (3, 4), (50, 4), (50, 7), (1000, 16), (1000, 10_000)] {
        let hash = |n: u64| u64::MAX - n * 7 % hashes;
        let entries: Vec<KeyEntry> = (0..500).map(|n| KeyEntry { hash: hash(n), row: RowId::new(n, 0) }).collect();
        let parts = parts(&entries, most);
        let mut sorted = entries.clone();
        sorted.sort_unstable();
        assert_eq!(parts.concat(), sorted);
        assert!(parts.iter().all(|part| part.len() <= most), "{hashes} {most}");
    }
}

#[test]
fn keys_of_one_hash_and_record_stay_together() {
    let entries: Vec<KeyEntry> = (0..90).map(|n| KeyEntry { hash: 5, row: RowId::new(n / 30, 0) }).collect();
    let parts = parts(&entries, 4);
    assert_eq!(parts.concat(), entries);
    assert!(parts.windows(2).all(|two| two[1].is_empty() || two[0].last() < two[1].first()));
}

/// A type before and after a rule is added.
fn types(rule: &str) -> (Arc<RecordType>, Arc<RecordType>) {
    let source = "[module]\nname = \"notes\"\nversion = 1\n[roles.clerk]\n[types.note]\nauthorise = [\"clerk\"]\n[types.note.fields]\n\
                  tags = { type = \"list\", item = { type = \"int\", required = true } }\n\
                  id = { type = \"int\" }\nnumber = { type = \"int\", required = true }\n";
    // The first key of a type does not run over a list.
    let first = if rule.contains("each") { "[[types.note.rules]]\nunique = [\"number\"]\n" } else { "" };
    let source = format!("{source}{first}");
    let two = format!("{}[[types.note.rules]]\n{rule}\n", source.replace("version = 1", "version = 2"));
    let note = |source: &str| Arc::clone(&parse(source, "notes.toml").unwrap().types[0]);
    (note(&source), note(&two))
}

/// Records of a type, and keys of which many have one hash.
struct Stored {
    batch: RecordBatch,
    bytes: RecordBytes,
    rows: Vec<RowId>,
    hashes: u64,
}

impl State for Stored {
    type Error = Infallible;

    fn records_of(&self, _: &str, visit: &mut RecordsVisitor<'_>) -> Result<(), Infallible> {
        for start in (0..self.rows.len()).step_by(3) {
            let length = (self.rows.len() - start).min(3);
            visit(1, &self.batch.slice(start, length), &self.rows[start..start + length]);
        }
        Ok(())
    }

    fn record(&self, row: RowId) -> Result<Vec<u8>, Infallible> {
        Ok(self.bytes.row(row.index as usize).to_vec())
    }

    fn key_hash(&self, key: &[u8]) -> u64 {
        key.iter().map(|byte| u64::from(*byte)).sum::<u64>() % self.hashes
    }

    fn cells(&self, _: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Infallible> {
        unreachable!()
    }

    fn cells_from(&self, _: &[u8], _: &mut CellVisitor<'_>) -> Result<(), Infallible> {
        unreachable!()
    }

    fn has_records(&self, _: &str) -> Result<bool, Infallible> {
        unreachable!()
    }

    fn rows_by_key_hash(&self, _: &[u64], _: &mut dyn FnMut(u64, RowId)) -> Result<(), Infallible> {
        unreachable!()
    }

    fn unique_keys(&self, _: RowId) -> Result<Vec<UniqueKey>, Infallible> {
        unreachable!()
    }

    fn rows_with(&self, _: &str, _: &str, _: &[u8], _: &mut dyn FnMut(RowId) -> bool) -> Result<(), Infallible> {
        unreachable!()
    }

    fn is_held(&self, _: RowId) -> Result<bool, Infallible> {
        unreachable!()
    }
}

/// What the search finds among records, each with tags, an id and a number, in parts of so many keys: the record and the one before it.
fn found(rule: &str, records: &[(Vec<i64>, i64, i64)], (hashes, most): (u64, usize)) -> Option<(u64, u64)> {
    let (old, new) = types(rule);
    let value = |(tags, id, number): &(Vec<i64>, i64, i64)| {
        let tags = Value::List(tags.iter().map(|tag| Value::Int(*tag)).collect());
        let members = [("tags", tags), ("id", Value::Int(*id)), ("number", Value::Int(*number))];
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec())
    };
    let batch = from_values(&old, &records.iter().map(value).collect::<Vec<_>>()).rows;
    let bytes = RecordBytes::write(&Rows::new(&old, &batch).unwrap());
    let rows = (0..records.len() as u64).map(|index| RowId::new(index, 0)).collect();
    let state = Stored { batch, bytes, rows, hashes };
    let types = |_: &str, _: u64| Some(Arc::clone(&old));
    let added = AddedKey::between(&old, &new).remove(0);
    let passes = KeyPasses { most, ..KeyPasses::new(&state, &types, added) };
    let found = Repeated::among(passes).unwrap();
    found.map(|found| (found.row.index, found.before.index))
}

/// The first record with a key that one before it has, and does not follow, by the plainest reading.
fn naive(keys: impl Iterator<Item = (u64, i64, i64)>, is_appending: bool) -> Option<(u64, u64)> {
    let mut newest: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    for (row, key, number) in keys {
        match newest.insert(key, (row, number)) {
            Some((before, last)) if !is_appending || number != last + 1 => return Some((row, before)),
            _ => {}
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the parts and however many keys have one hash, the least record is found.
    #[test]
    fn the_first_that_breaks_a_rule_is_found_in_parts(
        ids in proptest::collection::vec((0..30i64, 0..40u8), 0..40),
        tags in proptest::collection::vec(proptest::collection::vec(0..60i64, 0..4), 0..12),
        hashes in 1..12u64,
        most in 2..12usize,
    ) {
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        let records: Vec<(Vec<i64>, i64, i64)> = ids.iter().map(|&(id, slip)| {
            let count = counts.entry(id).or_default();
            *count += if slip == 0 { 2 } else { 1 };
            (Vec::new(), id, *count)
        }).collect();
        let keys = || (0..).zip(&records).map(|(row, (_, id, number))| (row, *id, *number));
        prop_assert_eq!(found("unique = [\"id\"]", &records, (hashes, most)), naive(keys(), false));
        let append = "unique = [\"id\"]\nversioned = \"append\"\nversion = \"number\"";
        prop_assert_eq!(found(append, &records, (hashes, most)), naive(keys(), true));

        let records: Vec<(Vec<i64>, i64, i64)> = tags.iter().map(|tags| (tags.clone(), 0, 0)).collect();
        let keys = (0..).zip(&tags).flat_map(|(row, tags)| tags.iter().map(move |tag| (row, *tag, 0)));
        let found = found("unique = [\"item\"]\neach = \"tags\"", &records, (hashes, most));
        let naive = naive(keys, false);
        // Of two keys that one record repeats, either may be named.
        prop_assert_eq!(found.map(|(row, _)| row), naive.map(|(row, _)| row));
    }
}
