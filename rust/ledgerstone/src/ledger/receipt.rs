//! Receipts: the proof of one record that leaves the ledger.

use ledgerstone_verify::entry::{Emitted, EntryList, Exception, Salts, entry_leaf};
use ledgerstone_verify::envelope::ENVELOPE_TAG;
use ledgerstone_verify::hash::{Hash, Hasher, Sha3_256, Sha256, leaf_hash};
use ledgerstone_verify::merkle::{self, Frontier};
use ledgerstone_verify::receipt::{LogProof, ProvenEntry, Receipt};

use super::append::stored_exceptions;
use super::view::{StoredEnvelope, View};
use super::{Ledger, stored_checkpoint};
use crate::codes;
use crate::error::{Error, Result};
use crate::limits::NODE_LEVEL;
use crate::log::{Nodes, inclusion_path, node_key, record_nodes_node};
use crate::model::RowId;
use crate::store::{Table, number_key};

impl Ledger {
    /// The receipt of a record under the newest checkpoint: verifies offline, alone.
    pub fn receipt(&self, row: RowId) -> Result<Receipt> {
        let view = self.view()?;
        let checkpoint = stored_checkpoint(&*view.snapshot)?;
        view.check_index(row.index)?;
        let envelope = view.envelope(row.index)?;
        let (count, added) = (envelope.envelope.intent.count, envelope.envelope.emitted.count);
        if u64::from(row.position) >= count + added {
            let message = format!("transaction {} has {} records: there is no {row}", row.index, count + added);
            return Err(Error::schema(codes::NO_RECORD, message));
        }
        let emitted = u64::from(row.position) >= count;
        let (record, exceptions) = if emitted {
            (prove_emitted(&view, row, &envelope)?, Vec::new())
        } else {
            let exceptions = stored_exceptions(&view, row.index)?;
            (prove_record(&view, row, &envelope, &exceptions)?, exception_entries(row, &envelope, &exceptions))
        };
        Ok(Receipt {
            record,
            emitted,
            exceptions,
            sha256: LogProof {
                path: log_path::<Sha256>(&view, row.index, NodeHash::Sha256)?,
                checkpoint: checkpoint.note,
            },
            sha3_256: Some(LogProof {
                path: log_path::<Sha3_256>(&view, row.index, NodeHash::Sha3)?,
                checkpoint: checkpoint.note_sha3,
            }),
            envelope: text(envelope.text)?,
        })
    }
}

/// The proof of an emitted record: its list is hashed again.
fn prove_emitted(view: &View, row: RowId, envelope: &StoredEnvelope) -> Result<ProvenEntry> {
    let first = envelope.envelope.intent.count as u32;
    let place = (row.position - first) as usize;
    let mut salts = Salts::new(envelope.secret, EntryList::Emitted);
    let mut leaves = Vec::new();
    let mut bytes = Vec::new();
    for n in 0..envelope.envelope.emitted.count as u32 {
        let at = RowId::new(row.index, first + n);
        let cause = view.cause(at)?.unwrap_or_default();
        let entry = Emitted::write(u64::from(cause), &view.record_bytes(at)?);
        leaves.push(entry_leaf(EntryList::Emitted, &salts.salt(u64::from(n)), &entry));
        if at == row {
            bytes = entry;
        }
    }
    Ok(ProvenEntry {
        bytes: text(bytes)?,
        path: merkle::inclusion_path::<Sha3_256>(&leaves, place),
        position: place as u64,
        salt: salts.salt(place as u64),
    })
}

fn prove_record(view: &View, row: RowId, envelope: &StoredEnvelope, exceptions: &[Exception]) -> Result<ProvenEntry> {
    let bytes = match view.snapshot.get(Table::Rejections, &number_key(row.number()))? {
        Some(rejected) => rejected,
        None => view.record_bytes(row).map_err(|error| explain_rejected(row, exceptions, error))?,
    };
    let count = envelope.envelope.intent.count;
    let stored_nodes = view.snapshot.get(Table::RecordNodes, &number_key(row.index))?;
    let mut salts = Salts::new(envelope.secret, EntryList::Records);
    let mut nodes =
        RecordLeaves { view, row, count, exceptions, secret: envelope.secret, nodes: stored_nodes.unwrap_or_default() };
    Ok(ProvenEntry {
        bytes: text(bytes)?,
        path: inclusion_path::<Sha3_256, _>(&mut nodes, u64::from(row.position), count)?,
        position: u64::from(row.position),
        salt: salts.salt(u64::from(row.position)),
    })
}

/// A rejected record whose bytes are not kept has no receipt.
fn explain_rejected(row: RowId, exceptions: &[Exception], error: Error) -> Error {
    match exceptions.iter().find(|exception| exception.position == u64::from(row.position)) {
        Some(exception) => Error::schema(
            codes::NO_RECEIPT,
            format!(
                "record {row} was {} ({}): the ledger keeps its hash, not its bytes, so it has no receipt",
                exception.outcome.name(),
                exception.code
            ),
        ),
        None => error,
    }
}

/// The entries that prove what became of a record: its own, or its neighbours.
fn exception_entries(row: RowId, envelope: &StoredEnvelope, exceptions: &[Exception]) -> Vec<ProvenEntry> {
    if exceptions.is_empty() {
        return Vec::new();
    }
    let position = u64::from(row.position);
    let places = match exceptions.binary_search_by_key(&position, |exception| exception.position) {
        Ok(own) => own..own + 1,
        Err(next) => next.saturating_sub(1)..(next + 1).min(exceptions.len()),
    };
    let entries: Vec<Vec<u8>> = exceptions.iter().map(Exception::to_canonical).collect();
    let salt = |place: usize| Salts::new(envelope.secret, EntryList::Exceptions).salt(place as u64);
    let leaves: Vec<Hash> = entries
        .iter()
        .enumerate()
        .map(|(place, bytes)| entry_leaf(EntryList::Exceptions, &salt(place), bytes))
        .collect();
    places
        .map(|place| ProvenEntry {
            bytes: String::from_utf8_lossy(&entries[place]).into_owned(),
            path: merkle::inclusion_path::<Sha3_256>(&leaves, place),
            position: place as u64,
            salt: salt(place),
        })
        .collect()
}

/// Leaves and nodes of one transaction's records tree.
struct RecordLeaves<'a> {
    view: &'a View,
    row: RowId,
    count: u64,
    exceptions: &'a [Exception],
    secret: [u8; 32],
    nodes: Vec<u8>,
}

impl RecordLeaves<'_> {
    fn leaf(&self, position: u64, salts: &mut Salts) -> Result<Hash> {
        if let Ok(place) = self.exceptions.binary_search_by_key(&position, |exception| exception.position) {
            return Ok(self.exceptions[place].leaf);
        }
        let bytes = self.view.record_bytes(RowId::new(self.row.index, position as u32))?;
        Ok(entry_leaf(EntryList::Records, &salts.salt(position), &bytes))
    }
}

impl Nodes for RecordLeaves<'_> {
    type Error = Error;

    fn node(&mut self, level: u32, place: u64) -> Result<Hash> {
        if level >= NODE_LEVEL {
            return record_nodes_node(&self.nodes, self.count, level, place).ok_or_else(|| {
                Error::damaged(format!("table record_nodes, index {}: level {level} is not there", self.row.index))
            });
        }
        let start = place << level;
        let mut salts = Salts::new(self.secret, EntryList::Records);
        let leaves = (start..start + (1 << level))
            .map(|position| self.leaf(position, &mut salts))
            .collect::<Result<Vec<_>>>()?;
        Ok(merkle::root::<Sha3_256>(&leaves))
    }
}

/// Which half of a stored log node.
#[derive(Clone, Copy)]
pub(crate) enum NodeHash {
    Sha256,
    Sha3,
}

/// Leaves and nodes of a log tree.
struct LogLeaves<'a, H> {
    view: &'a View,
    half: NodeHash,
    hasher: std::marker::PhantomData<H>,
}

impl<H: Hasher> Nodes for LogLeaves<'_, H> {
    type Error = Error;

    fn node(&mut self, level: u32, place: u64) -> Result<Hash> {
        if level >= NODE_LEVEL {
            let stored = self.view.snapshot.get(Table::LogNodes, &number_key(node_key(level, place)))?;
            let half = stored.as_deref().and_then(|stored| match self.half {
                NodeHash::Sha256 => stored.get(..32)?.try_into().ok(),
                NodeHash::Sha3 => stored.get(32..)?.try_into().ok(),
            });
            return half
                .ok_or_else(|| Error::damaged(format!("table log_nodes: level {level}, place {place} is not there")));
        }
        let start = place << level;
        let leaves = (start..start + (1 << level))
            .map(|index| Ok(leaf_hash::<H>(&[ENVELOPE_TAG, &self.view.envelope(index)?.text])))
            .collect::<Result<Vec<_>>>()?;
        Ok(merkle::root::<H>(&leaves))
    }
}

fn log_path<H: Hasher>(view: &View, index: u64, half: NodeHash) -> Result<Vec<Hash>> {
    let mut nodes = LogLeaves::<H> { view, half, hasher: std::marker::PhantomData };
    inclusion_path::<H, _>(&mut nodes, index, view.size)
}

/// Root of the SHA-256 log tree at an earlier size.
pub(super) fn root_at(view: &View, size: u64) -> Result<Hash> {
    let mut nodes = LogLeaves::<Sha256> { view, half: NodeHash::Sha256, hasher: std::marker::PhantomData };
    let mut frontier = Frontier::<Sha256>::new();
    for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
        let node = nodes.node(level, (size >> level) - 1)?;
        frontier.push_subtree(level, node).map_err(|error| Error::Fault(error.to_string()))?;
    }
    Ok(frontier.root())
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| Error::damaged(error.to_string()))
}
