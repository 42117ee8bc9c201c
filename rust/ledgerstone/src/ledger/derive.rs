//! The rows that the records and cells of a transaction make in the tables that are derived from them: the same functions when it is
//! appended and when it is audited.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;

use super::commit::put;
use super::view::FileSecret;
use crate::error::{Error, Result};
use crate::execute::{PreparedChunk, Working};
use crate::limits::{CELL_RUN_ENTRIES, SMALL_CHUNK_ROWS, WRITTEN_CHUNK_BYTES, WRITTEN_CHUNK_ROWS};
use crate::model::RowId;
use crate::query::{history_key, posting_prefix, segment_prefix};
use crate::schema::codec::{self, ChunkHeader, Postings, StoredChunk, bucket_bits, bucket_of};
use crate::schema::{RecordType, Rows, lookup_path};
use crate::store::{Put, Table, number_key};

/// The rows of a prepared chunk that stand: their stored chunks, and what the tables of the whole transaction need to know of them.
pub(crate) struct KeptRows {
    record_type: Arc<RecordType>,
    /// First position, and the one after the last.
    range: (u32, u32),
    rows: u32,
    puts: Vec<Put>,
    /// For each indexed field: its position among the fields, and its postings in no order.
    postings: Vec<(usize, Postings)>,
}

/// The postings of one field of a transaction.
pub(crate) struct FieldPostings {
    prefix: Vec<u8>,
    postings: Postings,
}

/// The rows of one type of a transaction: how many, and from where to where its chunks follow each other.
#[derive(Default)]
struct TypeRuns {
    rows: u32,
    runs: Vec<(u32, u32)>,
}

impl KeptRows {
    /// Encodes the rows but those refused; `None` where none is left. `cuts`: rows of each stored chunk, where they are given.
    pub(crate) fn new(
        index: u64,
        chunk: &PreparedChunk,
        refused: &[usize],
        cuts: Option<&[usize]>,
        secret: FileSecret,
    ) -> Result<Option<Self>> {
        let fault = |error: &dyn std::fmt::Display| Error::Fault(error.to_string());
        let mut keep = vec![true; chunk.len()];
        for &row in refused {
            keep[row] = false;
        }
        let batch = if refused.is_empty() {
            chunk.batch.clone()
        } else {
            filter_record_batch(&chunk.batch, &BooleanArray::from(keep.clone())).map_err(|error| fault(&error))?
        };
        let rows: Vec<usize> = (0..chunk.len()).filter(|&row| keep[row]).collect();
        let positions: Vec<u32> = rows.iter().map(|&row| chunk.positions[row]).collect();
        let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return Ok(None) };
        let record_type = &chunk.record_type;
        let mut puts: Vec<Put> = Vec::new();
        let (mut start, mut before) = (0, None);
        while start < rows.len() {
            let length = match cuts {
                Some(cuts) => cuts[puts.len()],
                None => next_length(rows.len() - start, before),
            };
            let range = start..start + length;
            start += length;
            let header = ChunkHeader::new(
                &record_type.name,
                record_type.version as u32,
                positions[range.clone()].iter().copied(),
            );
            let key = number_key(RowId::new(index, positions[start - 1]).number());
            let body = if length < SMALL_CHUNK_ROWS {
                let records: Vec<&[u8]> = rows[range].iter().map(|&row| chunk.bytes.row(row)).collect();
                codec::encode_plain(&header, &records)
            } else {
                codec::encode_columns(&header, &record_type.fields, &batch.slice(range.start, length))
            };
            before = Some((length, body.len()));
            puts.push(put(Table::Chunks, key, body));
        }
        check_decoding(&puts, record_type, &batch)?;
        let view = Rows::new(record_type, &batch).map_err(|error| fault(&error))?;
        let indexed = record_type.fields.iter().enumerate().filter(|(_, field)| field.index);
        let postings = indexed.map(|(place, _)| (place, postings(&view, place, &positions, secret))).collect();
        Ok(Some(KeptRows {
            record_type: Arc::clone(record_type),
            range: (*first, *last + 1),
            rows: rows.len() as u32,
            puts,
            postings,
        }))
    }
}

/// Rows of the next stored chunk, of so many that are left: as many as would have come near the wanted size in the chunk before, of which
/// the rows and bytes are given. Rows behind it that are too few for columns are taken along, or given some of its own.
fn next_length(left: usize, before: Option<(usize, usize)>) -> usize {
    let aim = before.map_or(SMALL_CHUNK_ROWS, |(rows, bytes)| rows * WRITTEN_CHUNK_BYTES / bytes);
    let aim = aim.clamp(SMALL_CHUNK_ROWS, WRITTEN_CHUNK_ROWS);
    match left.saturating_sub(aim) {
        0 => left,
        behind if behind >= SMALL_CHUNK_ROWS => aim,
        _ if left >= 2 * SMALL_CHUNK_ROWS => left - SMALL_CHUNK_ROWS,
        _ => left,
    }
}

/// What is written must read back as it was: a ledger keeps nothing that it could not hash again.
fn check_decoding(puts: &[Put], record_type: &RecordType, batch: &arrow_array::RecordBatch) -> Result<()> {
    let fault = |error: &dyn std::fmt::Display| Error::Fault(error.to_string());
    let mut start = 0;
    for chunk in puts.chunk_by(|left, right| is_columns(left) == is_columns(right)) {
        if !chunk.first().is_some_and(is_columns) {
            start += chunk.iter().map(rows_of).sum::<usize>();
            continue;
        }
        let fields = &record_type.fields;
        let mut gather = codec::Gather::new(fields, None).map_err(|error| fault(&error))?;
        for put in chunk {
            let stored = StoredChunk::read(&put.value).map_err(|error| fault(&error))?;
            gather.append(fields, &stored, None).map_err(|error| fault(&error))?;
        }
        let again = gather.finish(fields).map_err(|error| fault(&error))?;
        if again != batch.slice(start, again.num_rows()) {
            return Err(fault(&"a chunk does not decode to its rows"));
        }
        start += again.num_rows();
    }
    Ok(())
}

fn is_columns(put: &Put) -> bool {
    put.value.first() == Some(&1)
}

fn rows_of(put: &Put) -> usize {
    StoredChunk::read(&put.value).map_or(0, |chunk| chunk.rows as usize)
}

fn postings(view: &Rows<'_>, field: usize, positions: &[u32], secret: FileSecret) -> Postings {
    let name = &view.record_type().fields[field].name;
    let Some(path) = lookup_path(view.record_type(), name) else { return Vec::new() };
    let mut bytes = Vec::new();
    let mut found = Vec::with_capacity(positions.len());
    for (row, position) in positions.iter().enumerate() {
        if !view.is_absent(field, row) {
            bytes.clear();
            view.scalar(&path, row, None).write_json(&mut bytes);
            found.push((secret.hash(&bytes) as u32, *position));
        }
    }
    found
}

/// The rows of `chunks` and `segments`, and what the rows of `postings` are made of. `kept` is in the order of positions.
pub(crate) fn transaction_rows(index: u64, kept: Vec<KeptRows>) -> (Vec<Put>, Vec<FieldPostings>) {
    let mut puts = Vec::new();
    let mut types: BTreeMap<Vec<u8>, TypeRuns> = BTreeMap::new();
    let mut fields: BTreeMap<Vec<u8>, Postings> = BTreeMap::new();
    let mut before: Option<Arc<RecordType>> = None;
    for part in kept {
        let name = &part.record_type.name;
        let TypeRuns { rows, runs } = types.entry(segment_prefix(name)).or_default();
        *rows += part.rows;
        match runs.last_mut().filter(|_| before.as_ref().is_some_and(|before| before.name == *name)) {
            Some(run) => run.1 = part.range.1,
            None => runs.push(part.range),
        }
        for (place, mut postings) in part.postings {
            let prefix = posting_prefix(name, &part.record_type.fields[place].name);
            fields.entry(prefix).or_default().append(&mut postings);
        }
        puts.extend(part.puts);
        before = Some(part.record_type);
    }
    puts.extend(types.into_iter().map(|(prefix, TypeRuns { rows, runs })| {
        let runs = runs.iter().flat_map(|(first, end)| [first.to_le_bytes(), end.to_le_bytes()]);
        let value = std::iter::once(rows.to_le_bytes()).chain(runs).collect::<Vec<_>>().concat();
        put(Table::Segments, [prefix.as_slice(), &index.to_be_bytes()].concat(), value)
    }));
    let fields = fields.into_iter().map(|(prefix, postings)| FieldPostings { prefix, postings });
    (puts, fields.collect())
}

impl FieldPostings {
    /// The rows of `postings`.
    pub(crate) fn puts(mut self, index: u64) -> Vec<Put> {
        self.postings.sort_unstable();
        let prefix = self.prefix;
        let Some(bits) = bucket_bits(self.postings.len()) else {
            let groups = self.postings.chunk_by(|left, right| left.0 == right.0);
            return groups
                .map(|group| {
                    let key = [&prefix[..], &[0], &group[0].0.to_be_bytes(), &index.to_be_bytes()].concat();
                    let positions = codec::encode_positions(group.iter().map(|(_, position)| *position));
                    put(Table::Postings, key, positions)
                })
                .collect();
        };
        let bucket = |posting: &(u32, u32)| bucket_of(posting.0, bits);
        let buckets = self.postings.chunk_by(|left, right| bucket(left) == bucket(right));
        buckets
            .map(|postings| {
                let place = [&[bits][..], &bucket(&postings[0]).to_be_bytes()].concat();
                let key = [&prefix[..], &[1], &index.to_be_bytes(), &place].concat();
                put(Table::Postings, key, codec::encode_postings(postings))
            })
            .collect()
    }
}

/// The rows of `cell_runs` and `cell_history`: the entries of the cells list, the cells they are of, and those that were moved and are as
/// they were.
pub(crate) fn cell_rows(
    index: u64,
    entries: &[Vec<u8>],
    changed: &[(Vec<u8>, Vec<u8>)],
    working: &Working,
    secret: FileSecret,
) -> Vec<Put> {
    let mut puts: Vec<Put> = (0..)
        .zip(entries.chunks(CELL_RUN_ENTRIES))
        .map(|(number, run)| {
            let key = number_key(RowId::new(index, number).number());
            put(Table::CellRuns, key, codec::encode_list(run.iter().map(Vec::as_slice)))
        })
        .collect();
    // Names with one hash share a row.
    let mut history: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (place, (name, _)) in (0u32..).zip(changed) {
        let places = history.entry(history_key(secret.hash(name), index)).or_default();
        places.extend_from_slice(&place.to_le_bytes());
    }
    for name in working.moved_back() {
        history.entry(history_key(secret.hash(name), index)).or_default();
    }
    puts.extend(history.into_iter().map(|(key, places)| put(Table::CellHistory, key, places)));
    puts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::{Lookup, Positions};
    use crate::store::{MemoryStore, Store};

    /// The lengths into which rows of one size, and of a head for each chunk, are cut.
    fn lengths(rows: usize, row_bytes: usize) -> Vec<usize> {
        let (mut left, mut before, mut lengths) = (rows, None, Vec::new());
        while left > 0 {
            let length = next_length(left, before);
            before = Some((length, 80 + length * row_bytes));
            left -= length;
            lengths.push(length);
        }
        lengths
    }

    proptest! {
        /// Transactions of all sizes, one after the other or with gaps: small ones, and large ones of few and of many buckets.
        #[test]
        fn postings_are_found_whatever_the_sizes(
            sizes in prop::collection::vec(prop::sample::select(&[0, 3, 63, 64, 70, 200, 210, 600][..]), 1..12),
            spread in 1_u32..200, first in 0_u64..4, end in 6_u64..14, seed in any::<u32>(),
        ) {
            let hash_of = |index: usize, position: u32| {
                let value = (position ^ seed.rotate_left(index as u32)).wrapping_mul(2_654_435_761) % spread;
                value.wrapping_mul(0x9e37_79b9)
            };
            let store = MemoryStore::new();
            let mut naive: BTreeMap<u32, Vec<(u64, Vec<u32>)>> = BTreeMap::new();
            for (index, size) in sizes.iter().enumerate() {
                let postings: Postings = (0..*size).map(|position| (hash_of(index, position), position)).collect();
                for &(hash, position) in &postings {
                    let found = naive.entry(hash).or_default();
                    match found.last_mut().filter(|(last, _)| *last == index as u64) {
                        Some((_, positions)) => positions.push(position),
                        None => found.push((index as u64, vec![position])),
                    }
                }
                store.commit(0, FieldPostings { prefix: b"a.b\0c\0".to_vec(), postings }.puts(index as u64)).unwrap();
            }
            let snapshot = store.snapshot().unwrap();
            for value in 0..spread {
                let hash = value.wrapping_mul(0x9e37_79b9);
                let mut lookup = Lookup::new(vec![(b"a.b\0c\0".to_vec(), vec![hash.into()])], first, end);
                let mut found = Vec::new();
                while let Some(Positions { index, positions }) = lookup.next(&*snapshot).unwrap() {
                    found.push((index, positions));
                }
                let mut expected = naive.remove(&hash).unwrap_or_default();
                expected.retain(|(index, _)| (first..end).contains(index));
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn chunks_lie_in_a_page_and_none_is_too_short_for_columns() {
        for (row_bytes, usual) in [(4, 128), (50, 75), (500, 64)] {
            for rows in (1..2_000).chain([8_192]) {
                let lengths = lengths(rows, row_bytes);
                assert_eq!(lengths.iter().sum::<usize>(), rows);
                assert!(lengths.iter().all(|length| *length >= SMALL_CHUNK_ROWS.min(rows)), "{rows}: {lengths:?}");
                assert!(lengths.iter().all(|length| *length <= WRITTEN_CHUNK_ROWS), "{rows}: {lengths:?}");
            }
            assert!(lengths(8_192, row_bytes)[3..8].iter().all(|length| length.abs_diff(usual) <= 1));
        }
    }
}
