//! HASH and COMMIT: what a decided transaction is in the log and in the store.

use ledgerstone_verify::canon::ObjectWriter;
use ledgerstone_verify::entry::{EntryList, Exception, Salts, entry_leaf};
use ledgerstone_verify::envelope::ListRoot;
use ledgerstone_verify::hash::Hash;
use rayon::prelude::*;

use super::derive::{KeptRows, cell_rows, transaction_rows};
use super::emitted::emitted_chunks;
use super::pool::Pool;
use super::view::FileSecret;
use crate::error::Result;
use crate::execute::{Decision, Exceptional, Place, PreparedChunk, Working};
use crate::log::RecordTree;
use crate::model::RowId;
use crate::schema::codec;
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

/// The cells list, and the rows of `cells`, `cell_runs` and `cell_history`.
pub(crate) fn cells(
    secret: [u8; 32],
    index: u64,
    working: &Working,
    file_secret: FileSecret,
) -> (EntriesList, Vec<Put>) {
    let changed = working.changed();
    let list = EntriesList::new(
        EntryList::Cells,
        secret,
        changed.iter().map(|(name, value)| cell_entry(name, value)).collect(),
    );
    let mut puts = cell_rows(index, &list.entries, &changed, working, file_secret);
    puts.extend(changed.into_iter().map(|(name, value)| {
        let value = [index.to_be_bytes().as_slice(), &value].concat();
        put(Table::Cells, name, value)
    }));
    (list, puts)
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
    let mut kept = pool.each(&numbered, |(number, chunk)| {
        // In the order of the batch.
        let first = rejected.partition_point(|rejected| rejected.chunk < *number);
        let of_chunk = rejected[first..].iter().take_while(|rejected| rejected.chunk == *number);
        let rows: Vec<usize> = of_chunk.map(|rejected| rejected.row).collect();
        KeptRows::new(index, chunk, &rows, None, secret)
    })?;
    let made = emitted_chunks(count, decision)?;
    kept.extend(pool.each(&made, |chunk| KeptRows::new(index, chunk, &[], None, secret))?);
    let (mut puts, fields) = transaction_rows(index, kept.into_iter().flatten().collect());
    // A single record's few postings are not worth the way to another thread.
    let postings = match chunks {
        [_] => fields.into_iter().map(|field| field.puts(index)).collect(),
        _ => pool.run(|| fields.into_par_iter().map(|field| field.puts(index)).collect::<Vec<_>>())?,
    };
    puts.extend(postings.into_iter().flatten());
    let keys = taken_keys(index, count, chunks, decision, working);
    puts.extend(keys.into_iter().map(|(hash, row)| unique_key(hash, row)));
    Ok(puts)
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

/// The row of `rejections` for a record that was refused.
pub(super) fn rejection_put(index: u64, chunks: &[PreparedChunk], rejected: &Exceptional) -> Put {
    let chunk = &chunks[rejected.chunk];
    let row = RowId::new(index, chunk.positions[rejected.row]);
    put(Table::Rejections, number_key(row.number()), chunk.bytes.row(rejected.row).to_vec())
}

/// The row of `unique_keys` for a key.
pub(super) fn unique_key(hash: u64, row: RowId) -> Put {
    let key = [hash.to_be_bytes(), row.number().to_be_bytes()].concat();
    put(Table::UniqueKeys, key, Vec::new())
}

/// A row to be written.
pub(crate) fn put(table: Table, key: Vec<u8>, value: Vec<u8>) -> Put {
    Put { table, key, value }
}
