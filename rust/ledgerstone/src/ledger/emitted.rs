//! Records that rules added: the emitted list of a transaction, and the rows that hold them.

use std::sync::Arc;

use ledgerstone_verify::entry::{Emitted, EntryList};

use super::commit::{EntriesList, put};
use crate::error::{Error, Result};
use crate::execute::{Decision, Made, PreparedChunk, RecordBytes};
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::schema::from_record_bytes;
use crate::store::{Put, Table, number_key};

/// The emitted records of a decision, each with the position of the signed record that caused it.
pub(crate) fn emitted<'d>(
    decision: &'d Decision,
    chunks: &'d [PreparedChunk],
) -> impl Iterator<Item = (u32, &'d Made)> + 'd {
    let position = |made: &Made| chunks[made.cause.chunk as usize].positions[made.cause.row as usize];
    decision.emitted().map(move |made| (position(made), made))
}

/// The emitted list, hashed.
pub(crate) fn emitted_list(secret: [u8; 32], chunks: &[PreparedChunk], decision: &Decision) -> EntriesList {
    let entries = emitted(decision, chunks).map(|(cause, made)| Emitted::write(u64::from(cause), made.bytes()));
    EntriesList::new(EntryList::Emitted, secret, entries.collect())
}

/// The row of the table `emitted`, where there are any: `count` records were signed.
pub(crate) fn causes_put(index: u64, count: u32, chunks: &[PreparedChunk], decision: &Decision) -> Option<Put> {
    let causes: Vec<u8> = emitted(decision, chunks).flat_map(|(cause, _)| cause.to_le_bytes()).collect();
    let first = number_key(RowId::new(index, count).number());
    (!causes.is_empty()).then(|| put(Table::Emitted, first, causes))
}

/// The emitted records as chunks, behind the `count` that were signed.
pub(crate) fn emitted_chunks(count: u32, decision: &Decision) -> Result<Vec<PreparedChunk>> {
    let emitted: Vec<&Made> = decision.emitted().collect();
    let mut first = count;
    let mut chunks = Vec::new();
    for same in emitted.chunk_by(|a, b| Arc::ptr_eq(&a.chunk.record_type, &b.chunk.record_type)) {
        for rows in same.chunks(CHUNK_ROWS) {
            chunks.push(chunk(first, rows)?);
            first += rows.len() as u32;
        }
    }
    Ok(chunks)
}

fn chunk(first: u32, rows: &[&Made]) -> Result<PreparedChunk> {
    let record_type = Arc::clone(&rows[0].chunk.record_type);
    let records: Vec<&[u8]> = rows.iter().map(|made| made.bytes()).collect();
    let batch = from_record_bytes(&record_type, &records).map_err(|error| Error::Fault(error.to_string()))?;
    let mut bytes = RecordBytes::default();
    for record in records {
        bytes.bytes.extend_from_slice(record);
        bytes.ends.push(bytes.bytes.len());
    }
    let positions = (first..first + rows.len() as u32).collect();
    Ok(PreparedChunk::of_made(record_type, positions, batch, bytes))
}
