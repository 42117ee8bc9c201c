//! Records that were refused, where the ledger keeps their bytes: they are decided again among the others of their transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerstone_verify::entry::{Exception, ExceptionOutcome};

use crate::execute::PreparedChunk;
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::query::{ChunkRows, Types};
use crate::schema::{RecordType, from_record_bytes, named_type};

/// The position of a record that is not as it was, and why.
type Changed = (u32, String);

/// The signed records of a transaction, rejected ones included, in the order of positions. Every rejected one is there, and has the leaf
/// that its exception names.
pub(super) fn with_rejections(
    chunks: Option<Vec<PreparedChunk>>,
    kept: &[(RowId, Vec<u8>)],
    exceptions: &[Exception],
    prepare: impl Fn(Vec<ChunkRows>) -> Result<(PreparedChunk, Vec<usize>), String>,
    types: Types<'_>,
) -> Result<Option<Vec<PreparedChunk>>, Changed> {
    let rejected = exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Rejected);
    let leaves: BTreeMap<u32, _> = rejected.map(|exception| (exception.position as u32, exception.leaf)).collect();
    let mut wanted = leaves.keys();
    for (row, _) in kept {
        match wanted.next() {
            Some(position) if *position == row.position => {}
            Some(position) if *position < row.position => return Err((*position, not_there())),
            _ => return Err((row.position, "no record was rejected here".to_owned())),
        }
    }
    if let Some(position) = wanted.next() {
        return Err((*position, not_there()));
    }
    let Some(chunks) = chunks else { return Ok(None) };
    if kept.is_empty() {
        return Ok(Some(chunks));
    }
    let stored = chunks.iter().flat_map(|chunk| {
        let rows = chunk.positions.iter().enumerate();
        rows.map(|(row, position)| (*position, chunk.bytes.row(row), Some(&chunk.record_type)))
    });
    let refused = kept.iter().map(|(row, bytes)| (row.position, bytes.as_slice(), None));
    let mut rows = Vec::new();
    for (position, bytes, known) in stored.chain(refused) {
        let record_type = match known {
            Some(known) => Arc::clone(known),
            None => type_of(bytes, types).ok_or_else(|| (position, "it is no record of a known type".to_owned()))?,
        };
        rows.push((position, bytes, record_type));
    }
    rows.sort_unstable_by_key(|(position, ..)| *position);
    let index = kept[0].0.index;
    let mut merged = Vec::new();
    for same in rows.chunk_by(|left, right| Arc::ptr_eq(&left.2, &right.2)).flat_map(|same| same.chunks(CHUNK_ROWS)) {
        let (first, _, record_type) = &same[0];
        let bytes: Vec<&[u8]> = same.iter().map(|(_, bytes, _)| *bytes).collect();
        let batch = from_record_bytes(record_type, &bytes).map_err(|error| (*first, error.to_string()))?;
        let rows = same.iter().map(|(position, ..)| RowId::new(index, *position)).collect();
        let chunk = ChunkRows { record_type: Arc::clone(record_type), batch, rows };
        let (chunk, _) = prepare(vec![chunk]).map_err(|why| (*first, why))?;
        for (row, (position, bytes, _)) in same.iter().enumerate() {
            let is_as_signed = leaves.get(position).is_none_or(|leaf| *leaf == chunk.leaves[row]);
            if !is_as_signed || chunk.bytes.row(row) != *bytes {
                return Err((*position, "the record is not the one that was rejected".to_owned()));
            }
        }
        merged.push(chunk);
    }
    Ok(Some(merged))
}

fn not_there() -> String {
    "the rejected record is not there".to_owned()
}

fn type_of(record: &[u8], types: Types<'_>) -> Option<Arc<RecordType>> {
    let (name, version) = named_type(record)?;
    types(&name, version)
}
