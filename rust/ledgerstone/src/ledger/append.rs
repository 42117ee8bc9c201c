//! One transaction, from screened rows to the durable commit.

use std::sync::Arc;
use std::time::Instant;

use ledgerstone_verify::entry::Exception;
use ledgerstone_verify::envelope::{
    ENVELOPE_TAG, Envelope, Intent, MAX_ENVELOPE_BYTES, Mode, Seen, idempotency_digest,
};
use ledgerstone_verify::hash::{Hash, Sha3_256, leaf_hash};

use super::commit::{EntriesList, cells, exceptions, put, record_puts, rejection_put};
use super::earlier::Earlier;
use super::emitted::{causes_put, emitted_list};
use super::endorse::Signing;
use super::outcomes::RecordException;
use super::pool::panic_message;
use super::screen::Screened;
use super::view::View;
use super::writer::Writer;
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::module_of;
use crate::execute::{
    AuthorityGate, Context, Decide, Decision, Exceptional, InOrder, LoadError, PreparedChunk, Working,
};
use crate::keys::LogKey;
use crate::limits::{ATOMIC_RECORDS, INTENT_LIFETIME_MICROS};
use crate::log::{Checkpoints, LogTrees, NewNodes, RecordTree, node_key};
use crate::schema::codec::decode_list;
use crate::store::{Put, Table, number_key};

/// A transaction that is ready to be signed.
pub(crate) struct Draft<'a> {
    pub(crate) mode: Mode,
    pub(crate) records: Vec<Screened>,
    pub(crate) id: Option<String>,
    /// The transaction that has this id already, for whose versions the records are prepared then.
    pub(crate) earlier: Option<Earlier>,
    pub(crate) author: String,
    pub(crate) signing: Signing<'a>,
    /// The log key from this transaction on, where it rotates.
    pub(crate) new_log_key: Option<Arc<LogKey>>,
}

/// A transaction that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) index: u64,
    pub(crate) count: u32,
    /// Records that were not plainly accepted, by position.
    pub(crate) exceptions: Vec<(u32, RecordException)>,
    /// Whether this call appended it (otherwise an earlier one with the same id did).
    pub(crate) is_new: bool,
}

/// What happened to a draft.
pub(crate) enum Attempt {
    Committed(Committed),
    /// No record of it stands, so nothing was logged; why, by position.
    Empty(Vec<(u32, RecordException)>),
}

/// A transaction after PREPARE: hashed, and the tree of its records.
pub(super) struct Prepared {
    chunks: Vec<PreparedChunk>,
    tree: RecordTree,
    count: u32,
    secret: [u8; 32],
}

/// Where an author sees the log when he signs.
pub(super) struct Place<'a> {
    pub(super) genesis: Option<Hash>,
    pub(super) seen: Option<&'a Checkpoints>,
    /// Ledger time, in microseconds.
    pub(super) time: i64,
    /// Microseconds for which the intent is good.
    pub(super) lifetime: i64,
}

/// A transaction after DECIDE.
struct Decided {
    working: Working,
    decision: Decision,
    gate: AuthorityGate,
}

impl Ledger {
    /// Signs, decides, hashes and commits a draft. A panic on the way is a fault: nothing is logged, and the writer is as it was.
    pub(crate) fn transact(&self, writer: &mut Writer, draft: &Draft<'_>) -> Result<Attempt> {
        self.check_faults(writer, draft)?;
        let attempt = std::panic::AssertUnwindSafe(|| self.attempt(writer, draft));
        std::panic::catch_unwind(attempt).unwrap_or_else(|panic| Err(Error::Fault(panic_message(&*panic))))
    }

    fn attempt(&self, writer: &mut Writer, draft: &Draft<'_>) -> Result<Attempt> {
        let count: usize = draft.records.iter().map(|screened| screened.inputs.len()).sum();
        if count > ATOMIC_RECORDS {
            return Err(Error::Limit {
                what: "the number of records of one transaction".to_owned(),
                value: count as u64,
                limit: "ATOMIC_RECORDS",
                bound: ATOMIC_RECORDS as u64,
            });
        }
        let view = self.writer_view(writer)?;
        if let Some(earlier) = self.retried(&view, draft)? {
            return Ok(Attempt::Committed(earlier));
        }
        let secret = match &draft.signing {
            Signing::Keys { .. } => self.sources.random()?,
            Signing::Done(proposal) => proposal.secret,
        };
        let prepared = self.prepare(draft, secret)?;
        let now = self.sources.now();
        self.watch_clock(writer, now);
        let time = writer.next_time(now)?;
        let intent = match &draft.signing {
            Signing::Keys { author, .. } => {
                let seen = writer.checkpoint.as_ref();
                let place = Place { genesis: writer.genesis, seen, time, lifetime: INTENT_LIFETIME_MICROS };
                self.intent(draft, author.public(), &prepared, &place)?
            }
            Signing::Done(proposal) => {
                self.check_place(&view, writer, &proposal.intent, time)?;
                proposal.intent.clone()
            }
        };
        self.check_signers(writer, draft)?;
        let decided = self.decide(&view, writer, draft, &prepared, time)?;
        let exceptions = describe(&prepared, &decided.decision.exceptions, draft);
        if decided.decision.rejected().count() as u32 == prepared.count {
            return refusal_of_all(exceptions, draft);
        }
        let index = writer.trees.size();
        // Nobody reads the state before a commit any more: a reader would keep the WAL from being begun anew.
        drop(view);
        self.commit(writer, draft, &prepared, decided, intent, time)?;
        Ok(Attempt::Committed(Committed { index, count: prepared.count, exceptions, is_new: true }))
    }

    /// The second half of PREPARE: leaf hashes under this secret, operations, and the records tree.
    pub(super) fn prepare(&self, draft: &Draft<'_>, secret: [u8; 32]) -> Result<Prepared> {
        let file_secret = self.secret;
        let mut first = 0u32;
        let mut parts = Vec::new();
        for screened in draft.records.iter().filter(|screened| !screened.inputs.is_empty()) {
            parts.push((first, screened));
            first += screened.inputs.len() as u32;
        }
        let chunks = self.pool.each(&parts, |(first, screened)| {
            let module = module_of(&screened.record_type.name);
            self.faults.guard(module, || {
                PreparedChunk::new(
                    Arc::clone(&screened.record_type),
                    (*first..).take(screened.inputs.len()).collect(),
                    screened.batch.clone(),
                    Arc::clone(&screened.bytes),
                    secret,
                    &|key| file_secret.hash(key),
                )
                .map_err(|error| Error::Fault(error.to_string()))
            })
        })?;
        let leaves: Vec<Hash> = chunks.iter().flat_map(|chunk| chunk.leaves.iter().copied()).collect();
        let tree = match chunks.len() {
            0 | 1 => RecordTree::new(&leaves),
            _ => self.pool.run(|| RecordTree::in_parallel(&leaves))?,
        };
        Ok(Prepared { chunks, tree, count: first, secret })
    }

    /// What the earlier transaction with the draft's id did, if there is one and it is the same.
    fn retried(&self, view: &View, draft: &Draft<'_>) -> Result<Option<Committed>> {
        let Some(earlier) = &draft.earlier else { return Ok(None) };
        let (index, stored) = (earlier.index, &earlier.stored);
        let prepared = self.prepare(draft, stored.secret)?;
        let intent = &stored.envelope.intent;
        let same =
            intent.mode == draft.mode && intent.count == u64::from(prepared.count) && intent.root == prepared.tree.root;
        if !same {
            return Err(earlier.reused(draft.type_name()));
        }
        let input_of = draft.inputs();
        let exceptions = stored_exceptions(view, index)?
            .into_iter()
            .map(|exception| {
                let Exception { position, outcome, code, .. } = exception;
                let message = format!("{} when the transaction was first appended", outcome.name());
                let (row, record_type) = input_of(position as u32);
                let reason = Rejected { code, message, record_type, row, field: None, cell: None };
                (position as u32, RecordException { outcome, reason })
            })
            .collect();
        Ok(Some(Committed { index, count: prepared.count, exceptions, is_new: false }))
    }

    /// What the author signs.
    pub(super) fn intent(
        &self,
        draft: &Draft<'_>,
        key: [u8; 32],
        prepared: &Prepared,
        place: &Place<'_>,
    ) -> Result<Intent> {
        let now = self.sources.now();
        let id = draft.id.as_deref();
        // By the later of the two clocks, so that a ledger ahead of its author takes the transaction.
        let expires = now.max(place.time).saturating_add(place.lifetime);
        Ok(Intent {
            author: draft.author.clone(),
            count: u64::from(prepared.count),
            expires: clock::text(expires)?,
            genesis: place.genesis,
            idempotency: id.map(|id| idempotency_digest(&prepared.secret, id)),
            key,
            mode: draft.mode,
            root: prepared.tree.root,
            seen: place.seen.map(|newest| Seen { root: newest.root, size: newest.size }),
            time: clock::text(now)?,
        })
    }

    /// DECIDE. A panic is a fault of the module whose rules looked at the record at hand.
    fn decide(
        &self,
        view: &View,
        writer: &Writer,
        draft: &Draft<'_>,
        prepared: &Prepared,
        time: i64,
    ) -> Result<Decided> {
        let chunks = &prepared.chunks;
        let mut working = Working::load(view, Arc::clone(&writer.authority), chunks).map_err(unread)?;
        let context = Context {
            author: draft.author.clone(),
            endorsers: draft.signing.endorsers(),
            time,
            index: writer.trees.size(),
            genesis: writer.genesis,
        };
        let mut gate = AuthorityGate::new(Arc::clone(&writer.authority), context).probed(self.sources.probe());
        let decide = std::panic::AssertUnwindSafe(|| InOrder.decide(draft.mode, chunks, &mut working, &mut gate, view));
        let decision = match std::panic::catch_unwind(decide) {
            Ok(decision) => decision.map_err(unread)?,
            Err(panic) => return Err(self.faults.found(&gate.module_at_hand(chunks), panic_message(&*panic))),
        };
        let felled = draft.mode == Mode::Atomic && decision.rejected().next().is_some();
        if felled {
            let (_, exception) = describe(prepared, &decision.exceptions, draft).swap_remove(0);
            return Err(rejection(exception.reason));
        }
        Ok(Decided { working, decision, gate })
    }

    /// HASH and COMMIT.
    fn commit(
        &self,
        writer: &mut Writer,
        draft: &Draft<'_>,
        prepared: &Prepared,
        decided: Decided,
        intent: Intent,
        time: i64,
    ) -> Result<()> {
        let index = writer.trees.size();
        let Decided { working, decision, gate } = decided;
        let (chunks, count) = (&prepared.chunks, prepared.count);
        let record_puts = record_puts(index, count, chunks, &decision, &working, self.secret, &self.pool)?;
        let exceptions = exceptions(prepared.secret, chunks, &decision.exceptions);
        let emitted = emitted_list(prepared.secret, chunks, &decision);
        let (cells, cell_puts) = cells(prepared.secret, index, &working, self.secret);
        let envelope = envelope(writer, draft, intent, [&exceptions, &emitted, &cells], time)?;
        let mut trees = writer.trees.clone();
        let nodes = trees.push(&[ENVELOPE_TAG, &envelope]);
        let genesis = writer.genesis.unwrap_or_else(|| leaf_hash::<Sha3_256>(&[ENVELOPE_TAG, &envelope]));
        let log_key = next_log_key(writer, draft, &gate)?;
        let log_keys: &[&LogKey] = match &log_key {
            None => &[&writer.log_key],
            // The state that a rotation leads to is signed by both.
            Some(new) => &[&writer.log_key, new],
        };
        let checkpoint =
            Checkpoints::sign(&self.origin, &trees, log_keys).map_err(|error| Error::Fault(error.to_string()))?;

        let mut puts = record_puts;
        puts.extend(cell_puts);
        puts.extend(exceptions.put(Table::Exceptions, index));
        if self.keeps_rejections {
            puts.extend(decision.rejected().map(|rejected| rejection_put(index, chunks, rejected)));
        }
        puts.extend(causes_put(index, count, chunks, &decision));
        puts.extend(log_puts(index, &trees, &nodes, prepared, &envelope));
        puts.push(put(Table::Meta, b"checkpoint".to_vec(), checkpoint.to_bytes()));
        if index == 0 {
            puts.push(put(Table::Meta, b"file_secret".to_vec(), self.secret.0.to_vec()));
            puts.push(put(Table::Meta, b"origin".to_vec(), self.origin.clone().into_bytes()));
        }
        if let Some(id) = &draft.id {
            puts.push(put(Table::Idempotency, idempotency_key(&draft.author, id)?, number_key(index)));
        }
        let started = Instant::now();
        self.write(writer, &gate.authority, puts)?;
        self.watch_commit(index, started);

        // Only what is durable becomes the writer's state.
        writer.trees = trees;
        writer.genesis = Some(genesis);
        writer.last_time = time;
        writer.accepts_clock_step = false;
        writer.checkpoint = Some(checkpoint);
        writer.authority = gate.authority;
        if let Some(new) = log_key {
            writer.log_key = new;
        }
        self.publish(writer);
        Ok(())
    }
}

impl Draft<'_> {
    /// Finds the row handed over, and the type, of the record at a position.
    fn inputs(&self) -> impl Fn(u32) -> (u64, String) {
        let ends: Vec<u32> = self
            .records
            .iter()
            .scan(0, |end, screened| {
                *end += screened.inputs.len() as u32;
                Some(*end)
            })
            .collect();
        move |position| {
            let part = ends.partition_point(|end| *end <= position);
            let first = if part == 0 { 0 } else { ends[part - 1] };
            let screened = &self.records[part];
            (u64::from(screened.inputs[(position - first) as usize]), screened.record_type.name.clone())
        }
    }

    pub(super) fn type_name(&self) -> &str {
        self.records.first().map_or("", |screened| screened.record_type.name.as_str())
    }
}

/// Why a decision could not read what it needed.
pub(crate) fn unread(error: LoadError<Error>) -> Error {
    match error {
        LoadError::State(error) => error,
        LoadError::Cell(name) => Error::damaged(format!("table cells: {name} is damaged; audit the ledger")),
        LoadError::Rows => Error::damaged("a record is not one of its type; audit the ledger".to_owned()),
    }
}

fn rejection(rejected: Rejected) -> Error {
    if rejected.code == codes::FORBIDDEN {
        Error::Forbidden(Box::new(rejected))
    } else {
        Error::Rejected(Box::new(rejected))
    }
}

/// The exceptions of DECIDE in the words of the caller: position, and row handed over.
fn describe(prepared: &Prepared, exceptions: &[Exceptional], draft: &Draft<'_>) -> Vec<(u32, RecordException)> {
    let input_of = draft.inputs();
    exceptions
        .iter()
        .map(|exceptional| {
            let position = prepared.chunks[exceptional.chunk].positions[exceptional.row];
            let (row, record_type) = input_of(position);
            let rejection = &exceptional.rejection;
            let reason = Rejected {
                code: rejection.reason.code.clone(),
                message: rejection.reason.message.clone(),
                record_type,
                row,
                field: rejection.field.clone(),
                cell: rejection.cell.clone(),
            };
            (position, RecordException { outcome: exceptional.outcome, reason })
        })
        .collect()
}

/// Nothing stands: a lack of permission is raised, other reasons are the caller's to read.
fn refusal_of_all(exceptions: Vec<(u32, RecordException)>, draft: &Draft<'_>) -> Result<Attempt> {
    match exceptions.first() {
        Some((_, first)) if first.reason.code == codes::FORBIDDEN => Err(rejection(first.reason.clone())),
        Some(_) => Ok(Attempt::Empty(exceptions)),
        None => Err(Error::schema(
            codes::EMPTY_TRANSACTION,
            format!("there is no record of {} to append", draft.type_name()),
        )),
    }
}

fn envelope(
    writer: &Writer,
    draft: &Draft<'_>,
    intent: Intent,
    [exceptions, emitted, cells]: [&EntriesList; 3],
    time: i64,
) -> Result<Vec<u8>> {
    let envelope = Envelope {
        cells: cells.root,
        emitted: emitted.root,
        exceptions: exceptions.root,
        index: writer.trees.size(),
        signatures: draft.signing.signatures(&intent),
        intent,
        prev: writer.trees.sha3.root(),
        semantics: writer.authority.semantics(),
        time: clock::text(time)?,
    }
    .to_canonical();
    check_length(ENVELOPE_TAG.len() + envelope.len())?;
    Ok(envelope)
}

/// The log key that a transaction puts in force, if it does; it has to be at hand to sign the checkpoint.
fn next_log_key(writer: &Writer, draft: &Draft<'_>, gate: &AuthorityGate) -> Result<Option<Arc<LogKey>>> {
    let in_force = gate.authority.log_key();
    if in_force == Some(writer.log_key.public().to_bytes()) {
        return Ok(None);
    }
    let new = draft.new_log_key.as_ref().filter(|new| in_force == Some(new.public().to_bytes()));
    let why = "the log key rotates by rotate_log_key, which has the new one at hand";
    let missing = || Error::schema(codes::LOG_KEY_ABSENT, why);
    new.cloned().map(Some).ok_or_else(missing)
}

/// A leaf of the log has a 16-bit length. Every part of an envelope is bounded so that none comes near it, unless its endorsers write their
/// meanings in control characters, which JSON spells out.
pub(super) fn check_length(leaf_bytes: usize) -> Result<()> {
    if leaf_bytes <= MAX_ENVELOPE_BYTES {
        return Ok(());
    }
    Err(Error::Limit {
        what: "the envelope's length in bytes".to_owned(),
        value: leaf_bytes as u64,
        limit: "ENVELOPE_BYTES",
        bound: MAX_ENVELOPE_BYTES as u64,
    })
}

/// The rows of `envelopes`, `record_nodes` and `log_nodes`.
fn log_puts(index: u64, trees: &LogTrees, nodes: &NewNodes, prepared: &Prepared, envelope: &[u8]) -> Vec<Put> {
    debug_assert_eq!(trees.size(), index + 1);
    let stored = [prepared.secret.as_slice(), envelope].concat();
    let mut puts = vec![put(Table::Envelopes, number_key(index), stored)];
    if !prepared.tree.nodes.is_empty() {
        puts.push(put(Table::RecordNodes, number_key(index), prepared.tree.nodes.clone()));
    }
    puts.extend(nodes.iter().map(|(level, place, sha256, sha3)| {
        put(Table::LogNodes, number_key(node_key(*level, *place)), [sha256.as_slice(), sha3].concat())
    }));
    puts
}

/// The key of a caller's id in the table `idempotency`.
pub(crate) fn idempotency_key(member: &str, id: &str) -> Result<Vec<u8>> {
    let member = hex::decode(member).map_err(|error| Error::Fault(format!("member {member}: {error}")))?;
    Ok([member.as_slice(), id.as_bytes()].concat())
}

/// The exceptions list of a transaction, as stored.
pub(crate) fn stored_exceptions(view: &View, index: u64) -> Result<Vec<Exception>> {
    let damaged = |why: String| Error::damaged(format!("table exceptions, index {index}: {why}"));
    let Some(stored) = view.snapshot.get(Table::Exceptions, &number_key(index))? else {
        return Ok(Vec::new());
    };
    decode_list(&stored)
        .map_err(|error| damaged(error.to_string()))?
        .into_iter()
        .map(|bytes| Exception::parse(bytes).map_err(|error| damaged(error.to_string())))
        .collect()
}
