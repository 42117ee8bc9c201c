//! Scanning the records of one type, in the order of the ledger.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::{concat::concat_batches, filter::filter_record_batch};
use rayon::prelude::*;

use super::filter::Filter;
use super::read::{ChunkRows, ReadError, Types, decode};
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::schema::{RecordType, arrow_schema, widened};
use crate::store::{Snapshot, StoreError, Table, number_key};

/// Chunks that are decoded side by side.
const WAVE: usize = 8;

/// Rows that passed, with their places.
pub(crate) struct Page {
    pub(crate) batch: RecordBatch,
    pub(crate) rows: Vec<RowId>,
}

/// Chunks that are read and not yet decoded.
pub(crate) struct Wave {
    record_type: Arc<RecordType>,
    groups: Vec<Vec<(RowId, Vec<u8>)>>,
}

/// A scan over chunks of one type, wave by wave. The snapshot is the caller's, so that it can outlive a call.
pub(crate) struct Scan {
    chunks: std::iter::Peekable<std::vec::IntoIter<(RowId, u32)>>,
    /// The version whose columns every page has.
    record_type: Arc<RecordType>,
    filter: Filter,
}

/// The key prefix of a type's segments.
pub(crate) fn segment_prefix(type_name: &str) -> Vec<u8> {
    let mut prefix = type_name.as_bytes().to_vec();
    prefix.push(0);
    prefix
}

/// The chunks of a type from `from` on: first row and number of rows.
pub(crate) fn segments(snapshot: &dyn Snapshot, type_name: &str, from: RowId) -> Result<Vec<(RowId, u32)>, StoreError> {
    let prefix = segment_prefix(type_name);
    let start = [prefix.as_slice(), &from.number().to_be_bytes()].concat();
    let end = [prefix.as_slice(), &u64::MAX.to_be_bytes()].concat();
    let mut found = Vec::new();
    snapshot.scan(Table::Segments, &start, Some(&end), &mut |key, value| {
        let number = key[prefix.len()..].try_into().map(u64::from_be_bytes);
        let rows = value.try_into().map(u32::from_le_bytes);
        if let (Ok(number), Ok(rows)) = (number, rows) {
            found.push((RowId::from_number(number), rows));
        }
        true
    })?;
    Ok(found)
}

impl Scan {
    /// Scans these chunks of a type; rows of its older versions come in the columns of this one.
    pub(crate) fn new(chunks: Vec<(RowId, u32)>, record_type: Arc<RecordType>, filter: Filter) -> Self {
        Scan { chunks: chunks.into_iter().peekable(), record_type, filter }
    }

    /// Reads the chunks of the next wave; `None` at the end.
    pub(crate) fn read_wave(&mut self, snapshot: &dyn Snapshot) -> Result<Option<Wave>, ReadError> {
        let mut groups = Vec::new();
        while groups.len() < WAVE {
            let group = self.next_group();
            if group.is_empty() {
                break;
            }
            let read = group.into_iter().map(|first| Ok((first, stored(snapshot, first)?)));
            groups.push(read.collect::<Result<Vec<_>, ReadError>>()?);
        }
        let record_type = Arc::clone(&self.record_type);
        Ok((!groups.is_empty()).then_some(Wave { record_type, groups }))
    }

    /// What rows have to pass.
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// One large chunk, or as many small ones in a row as make a large one.
    fn next_group(&mut self) -> Vec<RowId> {
        let mut group = Vec::new();
        let mut sum = 0;
        while let Some((first, rows)) = self.chunks.next_if(|(_, rows)| sum == 0 || sum + *rows as usize <= CHUNK_ROWS)
        {
            group.push(first);
            sum += rows as usize;
        }
        group
    }
}

impl Wave {
    /// Decodes and filters, a page for each group. Call it within the engine's pool.
    pub(crate) fn decode(self, types: Types<'_>, filter: &Filter) -> Result<Vec<Page>, ReadError> {
        let record_type = &self.record_type;
        self.groups.into_par_iter().map(|group| page(&group, record_type, types, filter)).collect()
    }
}

fn stored(snapshot: &dyn Snapshot, first: RowId) -> Result<Vec<u8>, ReadError> {
    snapshot.get(Table::Chunks, &number_key(first.number()))?.ok_or(ReadError::Damaged {
        table: Table::Chunks.name(),
        row: first,
        why: "a segment names it, and it is not there".to_owned(),
    })
}

fn page(
    group: &[(RowId, Vec<u8>)],
    record_type: &Arc<RecordType>,
    types: Types<'_>,
    filter: &Filter,
) -> Result<Page, ReadError> {
    let mut chunks = Vec::with_capacity(group.len());
    for (first, bytes) in group {
        let chunk = decode(*first, bytes, types)?;
        let batch = widened(&chunk.batch, &chunk.record_type, record_type).map_err(|error| ReadError::Damaged {
            table: Table::Chunks.name(),
            row: *first,
            why: error.to_string(),
        })?;
        chunks.push(ChunkRows { record_type: Arc::clone(record_type), batch, rows: chunk.rows });
    }
    let ChunkRows { batch, rows, .. } = if chunks.len() == 1 { chunks.remove(0) } else { joined(chunks)? };
    if filter.is_empty() {
        return Ok(Page { batch, rows });
    }
    let failed = |error: arrow_schema::ArrowError| ReadError::Damaged {
        table: Table::Chunks.name(),
        row: rows[0],
        why: error.to_string(),
    };
    let mask = filter.mask(&batch).map_err(failed)?;
    let batch = filter_record_batch(&batch, &mask).map_err(failed)?;
    let rows = rows.iter().zip(mask.values()).filter(|(_, keep)| *keep).map(|(row, _)| *row).collect();
    Ok(Page { batch, rows })
}

fn joined(chunks: Vec<ChunkRows>) -> Result<ChunkRows, ReadError> {
    let record_type = Arc::clone(&chunks[0].record_type);
    let batches: Vec<&RecordBatch> = chunks.iter().map(|chunk| &chunk.batch).collect();
    let batch = concat_batches(&arrow_schema(&record_type), batches).map_err(|error| ReadError::Damaged {
        table: Table::Chunks.name(),
        row: chunks[0].rows[0],
        why: error.to_string(),
    })?;
    let rows = chunks.into_iter().flat_map(|chunk| chunk.rows).collect();
    Ok(ChunkRows { record_type, batch, rows })
}
