//! What PREPARE hands to DECIDE and HASH: the rows of one type at consecutive positions, as typed columns, as bytes, and as
//! operations.

use std::sync::Arc;

use arrow_array::RecordBatch;
use ledgerstone_verify::entry::{EntryList, Salts, entry_leaf};
use ledgerstone_verify::hash::Hash;

use super::authority::{SEMANTICS, number};
use super::matching::data_of;
use super::ops::OpChunk;
use super::plan::lower;
use crate::codes;
use crate::limits::RECORD_BYTES;
use crate::schema::{Endorse, Reason, RecordType, Rows, StatelessFailure, stateless_failure};

/// Records of one type that follow each other in a transaction.
#[derive(Debug)]
pub(crate) struct PreparedChunk {
    pub(crate) record_type: Arc<RecordType>,
    /// Position of each row in the transaction, ascending.
    pub(crate) positions: Vec<u32>,
    /// The rows, in the type's Arrow schema.
    pub(crate) batch: RecordBatch,
    pub(crate) bytes: Arc<RecordBytes>,
    pub(crate) leaves: Vec<Hash>,
    pub(crate) ops: OpChunk,
    /// For each row, a bit for each endorsement policy of the type that it needs; empty where the type has none.
    endorse: Vec<u16>,
}

/// The record bytes of the rows of a chunk, one after another.
#[derive(Debug, Default)]
pub(crate) struct RecordBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

/// A row that a stateless rule refuses.
#[derive(Clone, Debug)]
pub(crate) struct StatelessRefusal {
    pub(crate) row: usize,
    pub(crate) reason: Reason,
    /// The fields that the rule looks at.
    pub(crate) field: Option<String>,
    pub(crate) detail: String,
}

impl RecordBytes {
    /// Writes the bytes of every row.
    pub(crate) fn write(rows: &Rows<'_>) -> Self {
        let mut written = RecordBytes::default();
        for row in 0..rows.len() {
            rows.write_record(row, &mut written.bytes);
            written.ends.push(written.bytes.len());
        }
        written
    }

    /// The bytes of a row.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// Only the rows of which `keep` says so.
    pub(crate) fn retain(&self, keep: &[bool]) -> Self {
        let mut kept = RecordBytes::default();
        for (row, _) in keep.iter().enumerate().filter(|(_, keep)| **keep) {
            kept.bytes.extend_from_slice(self.row(row));
            kept.ends.push(kept.bytes.len());
        }
        kept
    }
}

/// The first stateless refusal of every row that has one, in row order.
pub(crate) fn stateless_refusals(
    record_type: &RecordType,
    rows: &Rows<'_>,
    bytes: &RecordBytes,
) -> Vec<StatelessRefusal> {
    let mut refusals = Vec::new();
    for row in 0..rows.len() {
        if bytes.row(row).len() > RECORD_BYTES {
            refusals.push(StatelessRefusal {
                row,
                reason: Reason {
                    code: codes::RECORD_TOO_LARGE.to_owned(),
                    message: format!("a record has at most {RECORD_BYTES} bytes"),
                },
                field: None,
                detail: format!("{} bytes", bytes.row(row).len()),
            });
        } else if let Some(failed) = stateless_failure(record_type, rows, row) {
            let StatelessFailure { reason, field, detail, .. } = failed;
            refusals.push(StatelessRefusal { row, reason: reason.clone(), field, detail });
        }
    }
    refusals
}

impl PreparedChunk {
    /// Hashes the rows and makes their operations.
    pub(crate) fn new(
        record_type: Arc<RecordType>,
        positions: Vec<u32>,
        batch: RecordBatch,
        bytes: Arc<RecordBytes>,
        secret: [u8; 32],
        key_hash: &dyn Fn(&[u8]) -> u64,
    ) -> Result<Self, crate::schema::TableError> {
        let rows = Rows::new(&record_type, &batch)?;
        let ops = lower(&rows, &record_type, key_hash);
        let mut salts = Salts::new(secret, EntryList::Records);
        let leaves = (positions.iter().enumerate())
            .map(|(row, &position)| {
                let salt = salts.salt(u64::from(position));
                entry_leaf(EntryList::Records, &salt, bytes.row(row))
            })
            .collect();
        let endorse = policies(&record_type, &rows);
        Ok(PreparedChunk { record_type, positions, batch, bytes, leaves, ops, endorse })
    }

    /// The endorsement policies that a row needs, in the order declared.
    pub(crate) fn endorsements(&self, row: usize) -> impl Iterator<Item = &Endorse> {
        let needed = self.endorse.get(row).copied().unwrap_or(0);
        let policies = self.record_type.endorse.iter().enumerate();
        policies.filter(move |(place, _)| needed & (1 << place) != 0).map(|(_, policy)| policy)
    }

    /// The semantics that it raises the ledger to, where it does.
    pub(crate) fn raised(&self) -> Option<u64> {
        (self.record_type.name == SEMANTICS)
            .then(|| data_of(self.bytes.row(0)).map_or(u64::MAX, |data| number(&data, "semantics")))
    }

    /// One record that DECIDE made.
    pub(super) fn made(
        record_type: Arc<RecordType>,
        batch: RecordBatch,
        bytes: RecordBytes,
        key_hash: &dyn Fn(&[u8]) -> u64,
    ) -> Result<Self, crate::schema::TableError> {
        let ops = lower(&Rows::new(&record_type, &batch)?, &record_type, key_hash);
        Ok(PreparedChunk {
            record_type,
            positions: vec![0],
            batch,
            bytes: Arc::new(bytes),
            leaves: Vec::new(),
            ops,
            endorse: Vec::new(),
        })
    }

    /// Rows that DECIDE made: they are decided, and their entries are hashed with the emitted list.
    pub(crate) fn of_made(
        record_type: Arc<RecordType>,
        positions: Vec<u32>,
        batch: RecordBatch,
        bytes: RecordBytes,
    ) -> Self {
        let (bytes, leaves, ops) = (Arc::new(bytes), Vec::new(), OpChunk::default());
        PreparedChunk { record_type, positions, batch, bytes, leaves, ops, endorse: Vec::new() }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }
}

/// For each row, the policies that it needs, as bits.
fn policies(record_type: &RecordType, rows: &Rows<'_>) -> Vec<u16> {
    let policies = &record_type.endorse;
    if policies.is_empty() {
        return Vec::new();
    }
    let needed = |row| {
        let applying = policies.iter().enumerate().filter(|(_, policy)| policy.applies(rows, row));
        applying.fold(0, |needed, (place, _)| needed | 1 << place)
    };
    (0..rows.len()).map(needed).collect()
}
