//! What can be said of one transaction alone: its envelope, its signatures, its records and lists, its derived rows.

use std::sync::Arc;

use arrow_select::concat::concat_batches;
use rayon::prelude::*;

use super::numbered;
use super::rejections::with_rejections;
use super::report::{Finding, Verdict};
use crate::error::Result;
use crate::execute::{PreparedChunk, RecordBytes, stateless_refusals};
use crate::ledger::{EntriesList, FileSecret, KeptRows, View, transaction_rows};
use crate::limits::{CHUNK_ROWS, NODE_LEVEL};
use crate::log::RecordTree;
use crate::model::RowId;
use crate::query::{ChunkRows, Types, decode, row_key};
use crate::schema::codec::decode_list;
use crate::schema::{Rows, Semantics, arrow_schema, from_arrow};
use crate::store::{Put, Table, number_key};
use ledgerstone_verify::entry::{Emitted, EntryList, Exception, ExceptionOutcome, Salts, entry_leaf};
use ledgerstone_verify::envelope::{ENVELOPE_TAG, Envelope};
use ledgerstone_verify::error::VerifyErrorKind;
use ledgerstone_verify::hash::{Hash, Sha3_256, Sha256, leaf_hash};
use ledgerstone_verify::merkle;

/// The stored rows of one transaction.
pub(super) struct RawTransaction {
    index: u64,
    envelope: Option<Vec<u8>>,
    pub(super) chunks: Vec<(RowId, Vec<u8>)>,
    exceptions: Option<Vec<u8>>,
    /// Rows of `rejections`, in order, where the ledger keeps them.
    pub(super) rejections: Option<Vec<(RowId, Vec<u8>)>>,
    nodes: Option<Vec<u8>>,
    /// Rows of `cell_runs`, in order.
    cells: Vec<Vec<u8>>,
    /// Rows of the table `emitted`: row and causes.
    emitted: Vec<(RowId, Vec<u8>)>,
}

/// A transaction, examined.
pub(super) struct Examined {
    pub(super) index: u64,
    /// Leaves of the envelope's text in the SHA-256 and the SHA3-256 tree; `None` where there is none.
    pub(super) leaves: Option<(Hash, Hash)>,
    /// `None` where the envelope cannot be read.
    pub(super) content: Option<Content>,
    pub(super) findings: Vec<Finding>,
    pub(super) bytes: u64,
}

/// What a transaction holds.
pub(super) struct Content {
    pub(super) envelope: Envelope,
    pub(super) secret: [u8; 32],
    /// The signed records that are stored, ready to be replayed; `None` where they cannot be.
    pub(super) chunks: Option<Vec<PreparedChunk>>,
    pub(super) exceptions: Vec<Exception>,
    /// Records that rules added: the position of the cause, and the bytes.
    pub(super) emitted: Vec<(u32, Vec<u8>)>,
    /// Entries of the stored cells list.
    pub(super) cells: Vec<Vec<u8>>,
    /// Rows that the chunks make in other tables.
    pub(super) derived: Vec<Put>,
    pub(super) chunk_count: u64,
    pub(super) node_count: u64,
}

impl RawTransaction {
    /// Reads the rows.
    pub(super) fn read(view: &View, index: u64, keeps_rejections: bool) -> Result<Self> {
        let from = number_key(RowId::new(index, 0).number());
        let to = number_key(RowId::new(index + 1, 0).number());
        let mut chunks = Vec::new();
        view.snapshot.scan(Table::Chunks, &from, Some(&to), &mut |key, bytes| {
            if let Ok(last) = row_key(key) {
                chunks.push((last, bytes.to_vec()));
            }
            true
        })?;
        let mut emitted = Vec::new();
        view.snapshot.scan(Table::Emitted, &from, Some(&to), &mut |key, causes| {
            if let Ok(first) = row_key(key) {
                emitted.push((first, causes.to_vec()));
            }
            true
        })?;
        let mut rejections = keeps_rejections.then(Vec::new);
        if let Some(rejections) = &mut rejections {
            view.snapshot.scan(Table::Rejections, &from, Some(&to), &mut |key, bytes| {
                if let Ok(row) = row_key(key) {
                    rejections.push((row, bytes.to_vec()));
                }
                true
            })?;
        }
        let mut cells = Vec::new();
        view.snapshot.scan(Table::CellRuns, &from, Some(&to), &mut |_, run| {
            cells.push(run.to_vec());
            true
        })?;
        Ok(RawTransaction {
            emitted,
            index,
            envelope: numbered(view, Table::Envelopes, index)?,
            chunks,
            exceptions: numbered(view, Table::Exceptions, index)?,
            rejections,
            nodes: numbered(view, Table::RecordNodes, index)?,
            cells,
        })
    }
}

impl RawTransaction {
    fn text(&self) -> Option<&[u8]> {
        self.envelope.as_deref()?.get(32..)
    }
}

/// Examines one transaction.
pub(super) fn examine(raw: RawTransaction, types: Types<'_>, file_secret: FileSecret) -> Examined {
    let bytes =
        raw.chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + raw.envelope.as_ref().map_or(0, Vec::len);
    let mut examination = Examination { index: raw.index, findings: Vec::new() };
    let content = examination.content(&raw, types, file_secret);
    let leaves = raw
        .text()
        .map(|text| (leaf_hash::<Sha256>(&[ENVELOPE_TAG, text]), leaf_hash::<Sha3_256>(&[ENVELOPE_TAG, text])));
    Examined { index: raw.index, leaves, content, findings: examination.findings, bytes: bytes as u64 }
}

struct Examination {
    index: u64,
    findings: Vec<Finding>,
}

impl Examination {
    fn find(&mut self, verdict: Verdict, table: Table, message: impl Into<String>) {
        self.findings.push(Finding::at(verdict, table.name(), self.index, message));
    }

    fn content(&mut self, raw: &RawTransaction, types: Types<'_>, file_secret: FileSecret) -> Option<Content> {
        let Some((secret, text)) = raw.envelope.as_deref().and_then(|stored| stored.split_first_chunk::<32>()) else {
            self.find(Verdict::ContentChanged, Table::Envelopes, "the envelope is not there");
            return None;
        };
        let envelope = self.envelope(text)?;
        let exceptions = self.exceptions(raw, *secret, &envelope);
        let cells = self.cells(raw, *secret, &envelope);
        let all = self.chunks(raw, *secret, types, file_secret, envelope.intent.count as u32);
        let mut derived = Vec::new();
        let mut node_count = 0;
        let mut emitted = Vec::new();
        if let Some(chunks) = &all {
            let signed = chunks.partition_point(|(chunk, _)| !is_emitted(chunk, &envelope));
            node_count = self.records(raw, &envelope, &chunks[..signed], &exceptions);
            emitted = self.emitted(raw, &envelope, &chunks[signed..], *secret);
            let each: Vec<_> = chunks
                .par_iter()
                .map(|(chunk, cuts)| KeptRows::new(raw.index, chunk, &[], Some(cuts), file_secret))
                .collect();
            let mut kept = Vec::new();
            for rows in each {
                match rows {
                    Ok(rows) => kept.extend(rows),
                    Err(error) => self.find(Verdict::ContentChanged, Table::Chunks, error.to_string()),
                }
            }
            let (puts, fields) = transaction_rows(raw.index, kept);
            derived = puts;
            derived.par_extend(fields.into_par_iter().flat_map_iter(|field| field.puts(raw.index)));
            derived = self.compare_chunks(raw, derived);
        }
        let mut chunks: Option<Vec<PreparedChunk>> = all.map(|chunks| {
            chunks.into_iter().map(|(chunk, _)| chunk).filter(|chunk| !is_emitted(chunk, &envelope)).collect()
        });
        if let Some(kept) = &raw.rejections {
            chunks =
                match with_rejections(chunks, kept, &exceptions, |group| prepare(group, *secret, file_secret), types) {
                    Ok(chunks) => chunks,
                    Err((position, why)) => {
                        let finding = Finding::at(Verdict::ContentChanged, Table::Rejections.name(), self.index, why);
                        self.findings.push(finding.among(position, position));
                        None
                    }
                };
        }
        let chunk_count = raw.chunks.len() as u64;
        Some(Content {
            envelope,
            secret: *secret,
            chunks,
            exceptions,
            emitted,
            cells,
            derived,
            chunk_count,
            node_count,
        })
    }

    /// The emitted records, whose list has to be the one in the envelope.
    fn emitted(
        &mut self,
        raw: &RawTransaction,
        envelope: &Envelope,
        chunks: &[(PreparedChunk, Vec<usize>)],
        secret: [u8; 32],
    ) -> Vec<(u32, Vec<u8>)> {
        let first = RowId::new(self.index, envelope.intent.count as u32);
        let causes: Vec<u32> = match raw.emitted.as_slice() {
            [] => Vec::new(),
            [(row, causes)] if *row == first && !causes.is_empty() => {
                let (causes, rest) = causes.as_chunks::<4>();
                if !rest.is_empty() {
                    self.find(Verdict::ContentChanged, Table::Emitted, "its length is not that of a list of causes");
                }
                causes.iter().map(|cause| u32::from_le_bytes(*cause)).collect()
            }
            _ => {
                self.find(Verdict::ContentChanged, Table::Emitted, "it is not one row behind the signed records");
                Vec::new()
            }
        };
        let rows = chunks.iter().flat_map(|(chunk, _)| {
            chunk.positions.iter().enumerate().map(|(row, position)| (*position, chunk.bytes.row(row)))
        });
        let positions = first.position..;
        let mut records = Vec::new();
        for ((position, bytes), expected) in rows.zip(positions) {
            if position != expected {
                let message = format!("the emitted record at position {expected} is not there");
                self.find(Verdict::ContentChanged, Table::Chunks, message);
                break;
            }
            records.push(bytes.to_vec());
        }
        if records.len() != causes.len() {
            let message = format!("it has {} causes for {} emitted records", causes.len(), records.len());
            self.find(Verdict::ContentChanged, Table::Emitted, message);
        }
        let emitted: Vec<(u32, Vec<u8>)> = causes.into_iter().zip(records).collect();
        let entries = emitted.iter().map(|(cause, record)| Emitted::write(u64::from(*cause), record)).collect();
        let root = EntriesList::new(EntryList::Emitted, secret, entries).root;
        if root != envelope.emitted {
            self.find(Verdict::ContentChanged, Table::Emitted, "the emitted records are not those of the envelope");
        }
        emitted
    }

    fn envelope(&mut self, text: &[u8]) -> Option<Envelope> {
        let envelope = match Envelope::parse_under(text, &Semantics::is_executed) {
            Ok(envelope) => envelope,
            Err(error) => {
                let verdict = match error.kind() {
                    VerifyErrorKind::UnverifiableVersion => Verdict::UnverifiableVersion,
                    _ => Verdict::ContentChanged,
                };
                self.find(verdict, Table::Envelopes, error.to_string());
                return None;
            }
        };
        if envelope.index != self.index {
            self.find(Verdict::ContentChanged, Table::Envelopes, format!("it says index {}", envelope.index));
        }
        if let Err(error) = envelope.verify_signatures() {
            self.find(Verdict::LinkBroken, Table::Envelopes, error.to_string());
        }
        Some(envelope)
    }

    /// Decodes a stored list and compares its root; the entries.
    fn list(
        &mut self,
        table: Table,
        list: EntryList,
        stored: &[&[u8]],
        secret: [u8; 32],
        expected: (u64, Option<Hash>),
    ) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for run in stored {
            match decode_list(run) {
                Ok(run) => entries.extend(run),
                Err(error) => {
                    self.find(Verdict::ContentChanged, table, error.to_string());
                    return Vec::new();
                }
            }
        }
        let mut salts = Salts::new(secret, list);
        let leaves: Vec<Hash> =
            (0u64..).zip(&entries).map(|(place, bytes)| entry_leaf(list, &salts.salt(place), bytes)).collect();
        let root = (!leaves.is_empty()).then(|| RecordTree::new(&leaves).root);
        if (leaves.len() as u64, root) != expected || (!stored.is_empty() && leaves.is_empty()) {
            self.find(Verdict::ContentChanged, table, "the list is not the one in the envelope");
        }
        entries.into_iter().map(<[u8]>::to_vec).collect()
    }

    fn exceptions(&mut self, raw: &RawTransaction, secret: [u8; 32], envelope: &Envelope) -> Vec<Exception> {
        let expected = (envelope.exceptions.count, envelope.exceptions.root);
        let stored: Vec<&[u8]> = raw.exceptions.as_deref().into_iter().collect();
        let entries = self.list(Table::Exceptions, EntryList::Exceptions, &stored, secret, expected);
        let mut exceptions = Vec::with_capacity(entries.len());
        for bytes in entries {
            match Exception::parse(&bytes) {
                Ok(exception) => exceptions.push(exception),
                Err(error) => self.find(Verdict::ContentChanged, Table::Exceptions, error.to_string()),
            }
        }
        let rejected = exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Rejected).count();
        if rejected as u64 == envelope.intent.count {
            self.find(Verdict::LinkBroken, Table::Exceptions, "a transaction of which no record stands is not logged");
        }
        if !exceptions.is_sorted_by(|a, b| a.position < b.position) {
            self.find(Verdict::LinkBroken, Table::Exceptions, "the list is not sorted by position");
        }
        exceptions
    }

    fn cells(&mut self, raw: &RawTransaction, secret: [u8; 32], envelope: &Envelope) -> Vec<Vec<u8>> {
        let expected = (envelope.cells.count, envelope.cells.root);
        let stored: Vec<&[u8]> = raw.cells.iter().map(Vec::as_slice).collect();
        self.list(Table::CellRuns, EntryList::Cells, &stored, secret, expected)
    }

    /// Decodes the chunks, and prepares those of one type that follow each other together, with the rows of each; `None` where one
    /// cannot be.
    fn chunks(
        &mut self,
        raw: &RawTransaction,
        secret: [u8; 32],
        types: Types<'_>,
        file_secret: FileSecret,
        signed: u32,
    ) -> Option<Vec<(PreparedChunk, Vec<usize>)>> {
        let each: Vec<_> = raw.chunks.par_iter().map(|(last, bytes)| decode(*last, bytes, types)).collect();
        let mut groups: Vec<Vec<ChunkRows>> = Vec::new();
        let mut is_whole = true;
        for ((last, _), decoded) in raw.chunks.iter().zip(each) {
            match decoded {
                Ok(chunk) => match groups.last_mut().filter(|group| is_continued(group, &chunk, signed)) {
                    Some(group) => group.push(chunk),
                    None => groups.push(vec![chunk]),
                },
                Err(why) => {
                    self.damaged(*last, why.to_string());
                    is_whole = false;
                }
            }
        }
        let firsts: Vec<RowId> = groups.iter().filter_map(|group| group.first()?.rows.first().copied()).collect();
        let each: Vec<_> = groups.into_par_iter().map(|group| prepare(group, secret, file_secret)).collect();
        let mut prepared = Vec::with_capacity(each.len());
        for (first, group) in firsts.into_iter().zip(each) {
            match group {
                Ok(group) => prepared.push(group),
                Err(why) => {
                    self.damaged(first, why);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(prepared)
    }

    fn damaged(&mut self, last: RowId, why: String) {
        let finding = Finding::at(Verdict::ContentChanged, Table::Chunks.name(), self.index, why);
        self.findings.push(finding.among(last.position, last.position));
    }

    /// Rebuilds the records tree; the number of stored nodes that were compared.
    fn records(
        &mut self,
        raw: &RawTransaction,
        envelope: &Envelope,
        chunks: &[(PreparedChunk, Vec<usize>)],
        exceptions: &[Exception],
    ) -> u64 {
        let count = envelope.intent.count as usize;
        let mut leaves: Vec<Option<Hash>> = vec![None; count];
        let rows = chunks.iter().flat_map(|(chunk, _)| {
            chunk.positions.iter().zip(&chunk.leaves).map(|(position, leaf)| (*position as usize, *leaf))
        });
        let rejected = exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Rejected);
        let rejected = rejected.map(|exception| (exception.position as usize, exception.leaf));
        for (position, leaf) in rows.chain(rejected) {
            match leaves.get_mut(position) {
                Some(place @ None) => *place = Some(leaf),
                _ => {
                    let message = format!("position {position} is taken twice, or is not one of {count} records");
                    self.find(Verdict::ContentChanged, Table::Chunks, message);
                    return 0;
                }
            }
        }
        let Some(leaves) = leaves.iter().copied().collect::<Option<Vec<Hash>>>() else {
            let missing = leaves.iter().position(Option::is_none).unwrap_or(0) as u32;
            let finding =
                Finding::at(Verdict::ContentChanged, Table::Chunks.name(), self.index, "the record is not there");
            self.findings.push(finding.among(missing, missing));
            return 0;
        };
        for exception in exceptions {
            if leaves.get(exception.position as usize) != Some(&exception.leaf) {
                let message = format!("the exception of record {} names another leaf", exception.position);
                self.find(Verdict::ContentChanged, Table::Exceptions, message);
            }
        }
        let tree = RecordTree::in_parallel(&leaves);
        let stored = raw.nodes.as_deref().unwrap_or_default();
        if tree.root != envelope.intent.root {
            let (first, last) = changed_block(&leaves, stored);
            let message = "the records are not those that were signed";
            let finding = Finding::at(Verdict::ContentChanged, Table::Chunks.name(), self.index, message);
            self.findings.push(finding.among(first, last));
        } else if stored != tree.nodes {
            self.find(Verdict::StateDiffers, Table::RecordNodes, "the stored nodes are not those of the records");
        }
        (tree.nodes.len() / 32) as u64
    }

    /// Compares each chunk with its own encoding again; gives back the rows of the other tables.
    fn compare_chunks(&mut self, raw: &RawTransaction, derived: Vec<Put>) -> Vec<Put> {
        let (chunks, others): (Vec<Put>, Vec<Put>) = derived.into_iter().partition(|put| put.table == Table::Chunks);
        let mut merged = chunks.into_iter().peekable();
        for (last, bytes) in &raw.chunks {
            let again = merged.next_if(|put| put.key == number_key(last.number()));
            if again.map(|put| put.value).as_ref() != Some(bytes) {
                let message = "the chunk is not encoded as its rows are";
                let finding = Finding::at(Verdict::ContentChanged, Table::Chunks.name(), self.index, message);
                self.findings.push(finding.among(last.position, last.position));
            }
        }
        others
    }
}

/// Whether a chunk stands behind the signed records.
fn is_emitted(chunk: &PreparedChunk, envelope: &Envelope) -> bool {
    chunk.positions.first().is_some_and(|first| u64::from(*first) >= envelope.intent.count)
}

/// The positions among which the stored nodes of level 6 say that a record changed; all where there are none.
fn changed_block(leaves: &[Hash], nodes: &[u8]) -> (u32, u32) {
    let block = 1usize << NODE_LEVEL;
    let whole = leaves.len() / block;
    let changed = leaves
        .chunks_exact(block)
        .zip(nodes.chunks_exact(32).take(whole))
        .position(|(leaves, node)| merkle::root::<Sha3_256>(leaves) != node);
    match changed {
        Some(number) => ((number * block) as u32, ((number + 1) * block - 1) as u32),
        None if nodes.is_empty() => (0, leaves.len() as u32 - 1),
        None => ((whole * block).min(leaves.len() - 1) as u32, leaves.len() as u32 - 1),
    }
}

/// Whether a chunk is prepared together with those before it: of one type, and all signed or all emitted.
fn is_continued(group: &[ChunkRows], next: &ChunkRows, signed: u32) -> bool {
    let rows: usize = group.iter().map(|chunk| chunk.rows.len()).sum();
    let is_emitted = |chunk: &ChunkRows| chunk.rows.first().is_some_and(|row| row.position >= signed);
    rows + next.rows.len() <= CHUNK_ROWS
        && group.iter().all(|chunk| is_emitted(chunk) == is_emitted(next))
        && group.first().is_some_and(|first| Arc::ptr_eq(&first.record_type, &next.record_type))
}

/// Prepares chunks of one type by the function that append used; beside them the rows of each.
pub(super) fn prepare(
    group: Vec<ChunkRows>,
    secret: [u8; 32],
    file_secret: FileSecret,
) -> std::result::Result<(PreparedChunk, Vec<usize>), String> {
    let cuts: Vec<usize> = group.iter().map(|chunk| chunk.rows.len()).collect();
    let chunk = joined(group)?;
    let key_hash = |key: &[u8]| file_secret.hash(key);
    let view = Rows::new(&chunk.record_type, &chunk.batch).map_err(|error| error.to_string())?;
    let written = RecordBytes::write(&view);
    refuse_stateless(&chunk, &view, &written)?;
    let positions = chunk.rows.iter().map(|row| row.position).collect();
    let (record_type, batch) = (Arc::clone(&chunk.record_type), chunk.batch.clone());
    PreparedChunk::new(record_type, positions, batch, Arc::new(written), secret, &key_hash)
        .map(|prepared| (prepared, cuts))
        .map_err(|error| error.to_string())
}

fn joined(mut group: Vec<ChunkRows>) -> std::result::Result<ChunkRows, String> {
    if group.len() == 1 {
        return Ok(group.remove(0));
    }
    let record_type = Arc::clone(&group.first().ok_or("no chunk")?.record_type);
    let batches = group.iter().map(|chunk| &chunk.batch);
    let batch = concat_batches(&arrow_schema(&record_type), batches).map_err(|error| error.to_string())?;
    Ok(ChunkRows { record_type, batch, rows: group.into_iter().flat_map(|chunk| chunk.rows).collect() })
}

/// What was refused before signing cannot stand in the log: fields out of bounds, and rules that need nothing but the record.
fn refuse_stateless(chunk: &ChunkRows, view: &Rows<'_>, bytes: &RecordBytes) -> std::result::Result<(), String> {
    let at = |row: usize| chunk.rows[row].position;
    let checked = from_arrow(&chunk.record_type, &chunk.batch).map_err(|error| error.to_string())?;
    if let Some(failure) = checked.failures.first() {
        let position = at(failure.row);
        return Err(format!("record {position}, field {}: {}: {}", failure.field, failure.code, failure.message));
    }
    match stateless_refusals(&chunk.record_type, view, bytes).first() {
        Some(refusal) => {
            Err(format!("record {}: {}: {}", at(refusal.row), refusal.reason.code, refusal.reason.message))
        }
        None => Ok(()),
    }
}
