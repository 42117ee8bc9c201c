//! HASH and COMMIT: what a decided transaction is in the log and in the store.

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;
use ledgerstone_verify::canon::ObjectWriter;
use ledgerstone_verify::entry::{EntryList, Exception, Salts, entry_leaf};
use ledgerstone_verify::envelope::ListRoot;
use ledgerstone_verify::hash::Hash;

use super::emitted::emitted_chunks;
use super::pool::Pool;
use super::view::FileSecret;
use crate::error::{Error, Result};
use crate::execute::{Decision, Exceptional, Place, PreparedChunk, Working};
use crate::limits::SMALL_CHUNK_ROWS;
use crate::log::RecordTree;
use crate::model::RowId;
use crate::query::segment_prefix;
use crate::schema::codec::{self, ChunkHeader};
use crate::schema::{Rows, lookup_path};
use crate::store::{Put, Table, number_key};

/// The entries of a list, their bytes in order, and its root.
pub(crate) struct EntriesList {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) root: ListRoot,
}

impl EntriesList {
    /// Hashes entries under their salts.
    pub(crate) fn new(list: EntryList, secret: [u8; 32], entries: Vec<Vec<u8>>) -> Self {
        let mut salts = Salts::new(secret, list);
        let leaves: Vec<Hash> =
            (0u64..).zip(&entries).map(|(place, bytes)| entry_leaf(list, &salts.salt(place), bytes)).collect();
        let count = entries.len() as u64;
        let root = (count > 0).then(|| RecordTree::new(&leaves).root);
        EntriesList { entries, root: ListRoot { count, root } }
    }

    /// The row of its table, if it is not empty.
    pub(crate) fn put(&self, table: Table, index: u64) -> Option<Put> {
        let entries = || self.entries.iter().map(Vec::as_slice);
        (!self.entries.is_empty()).then(|| put(table, number_key(index), codec::encode_list(entries())))
    }
}

/// The exceptions list: every signed record that was not plainly accepted.
pub(crate) fn exceptions(secret: [u8; 32], chunks: &[PreparedChunk], exceptions: &[Exceptional]) -> EntriesList {
    let entries = exceptions.iter().map(|exceptional| exception(chunks, exceptional).to_canonical()).collect();
    EntriesList::new(EntryList::Exceptions, secret, entries)
}

/// The entry of one record that was not plainly accepted.
pub(crate) fn exception(chunks: &[PreparedChunk], exceptional: &Exceptional) -> Exception {
    let chunk = &chunks[exceptional.chunk];
    Exception {
        position: u64::from(chunk.positions[exceptional.row]),
        leaf: chunk.leaves[exceptional.row],
        outcome: exceptional.outcome,
        code: exceptional.rejection.reason.code.clone(),
    }
}

/// The cells list, and the new rows of the table `cells`.
pub(crate) fn cells(secret: [u8; 32], index: u64, working: &Working) -> (EntriesList, Vec<Put>) {
    let changed = working.changed();
    let entries = changed.iter().map(|(name, value)| cell_entry(name, value)).collect();
    let puts = changed
        .into_iter()
        .map(|(name, value)| Put {
            table: Table::Cells,
            key: name,
            value: (value != b"null").then(|| [index.to_be_bytes().as_slice(), &value].concat()),
        })
        .collect();
    (EntriesList::new(EntryList::Cells, secret, entries), puts)
}

/// The bytes of a cell entry (FORMAT.md section 4).
pub(crate) fn cell_entry(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 18);
    let mut object = ObjectWriter::new(&mut bytes);
    object.key("cell").extend_from_slice(name);
    object.key("value").extend_from_slice(value);
    object.close();
    bytes
}

/// The rows of `chunks`, `segments`, `postings` and `unique_keys` that a transaction of `count` signed records makes.
pub(crate) fn record_puts(
    index: u64,
    count: u32,
    chunks: &[PreparedChunk],
    decision: &Decision,
    working: &Working,
    secret: FileSecret,
    pool: &Pool,
) -> Result<Vec<Put>> {
    let numbered: Vec<(usize, &PreparedChunk)> = chunks.iter().enumerate().collect();
    let rejected: Vec<&Exceptional> = decision.rejected().collect();
    let mut puts = pool.each(&numbered, |(number, chunk)| {
        // In the order of the batch.
        let first = rejected.partition_point(|rejected| rejected.chunk < *number);
        let of_chunk = rejected[first..].iter().take_while(|rejected| rejected.chunk == *number);
        let rows: Vec<usize> = of_chunk.map(|rejected| rejected.row).collect();
        chunk_puts(index, chunk, &rows, secret)
    })?;
    let made = emitted_chunks(count, decision)?;
    puts.extend(pool.each(&made, |chunk| chunk_puts(index, chunk, &[], secret))?);
    let keys = taken_keys(index, count, chunks, decision, working).into_iter().map(|(hash, row)| unique_key(hash, row));
    Ok(puts.into_iter().flatten().chain(keys).collect())
}

/// The hashes of the keys that the decision of a transaction of `count` signed records took, and the rows that hold them.
pub(crate) fn taken_keys(
    index: u64,
    count: u32,
    chunks: &[PreparedChunk],
    decision: &Decision,
    working: &Working,
) -> Vec<(u64, RowId)> {
    let made = decision.made_rows(index, count);
    let row = |place: Place| match chunks.get(place.chunk as usize) {
        Some(chunk) => Some(RowId::new(index, chunk.positions[place.row as usize])),
        None => made[place.chunk as usize - chunks.len()],
    };
    working.taken().filter_map(|(hash, place)| Some((hash, row(place)?))).collect()
}

/// The row of `unique_keys` for a key.
fn unique_key(hash: u64, row: RowId) -> Put {
    let key = [hash.to_be_bytes(), row.number().to_be_bytes()].concat();
    put(Table::UniqueKeys, key, Vec::new())
}

/// The rows that one chunk makes: itself, its segment, its postings.
pub(crate) fn chunk_puts(index: u64, chunk: &PreparedChunk, refused: &[usize], secret: FileSecret) -> Result<Vec<Put>> {
    let rows = chunk.len() - refused.len();
    if rows == 0 {
        return Ok(Vec::new());
    }
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
    let record_type = &chunk.record_type;
    let positions = chunk.positions.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(position, _)| *position);
    let header = ChunkHeader::new(&record_type.name, record_type.version as u32, positions);
    let first = RowId::new(index, header.runs[0].0);
    let body = if rows < SMALL_CHUNK_ROWS {
        let records: Vec<&[u8]> = (0..chunk.len()).filter(|&row| keep[row]).map(|row| chunk.bytes.row(row)).collect();
        codec::encode_plain(&header, &records)
    } else {
        let body = codec::encode_columns(&header, &record_type.fields, &batch);
        let again = codec::decode_columns(&body, &record_type.fields, None).map_err(|error| fault(&error))?;
        if again != batch {
            return Err(fault(&"a chunk does not decode to its rows"));
        }
        body
    };
    let prefix = segment_prefix(&record_type.name);
    let number = first.number().to_be_bytes();
    let segment = [prefix.as_slice(), &number].concat();
    let mut puts = vec![
        put(Table::Chunks, number_key(first.number()), body),
        put(Table::Segments, segment, (rows as u32).to_le_bytes().to_vec()),
    ];
    if rows >= SMALL_CHUNK_ROWS {
        let view = Rows::new(record_type, &batch).map_err(|error| fault(&error))?;
        for (place, field) in record_type.fields.iter().enumerate().filter(|(_, field)| field.index) {
            let postings = codec::encode_postings(&posting_hashes(&view, place, secret));
            let key = [prefix.as_slice(), field.name.as_bytes(), &[0], &number].concat();
            puts.push(put(Table::Postings, key, postings));
        }
    }
    Ok(puts)
}

fn posting_hashes(view: &Rows<'_>, field: usize, secret: FileSecret) -> Vec<Option<u32>> {
    let name = &view.record_type().fields[field].name;
    let Some(path) = lookup_path(view.record_type(), name) else { return Vec::new() };
    let mut bytes = Vec::new();
    (0..view.len())
        .map(|row| {
            if view.is_absent(field, row) {
                return None;
            }
            bytes.clear();
            view.scalar(&path, row, None).write_json(&mut bytes);
            Some(secret.hash(&bytes) as u32)
        })
        .collect()
}

/// A row to be written.
pub(crate) fn put(table: Table, key: Vec<u8>, value: Vec<u8>) -> Put {
    Put { table, key, value: Some(value) }
}
