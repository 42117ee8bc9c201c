//! The chain and the replay: what has to follow from the transactions before.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerstone_verify::canon::{Json, b64};
use ledgerstone_verify::checkpoint::verify_checkpoint;
use ledgerstone_verify::entry::{EntryList, Exception, ExceptionOutcome};
use ledgerstone_verify::envelope::{Envelope, ListRoot, Mode, idempotency_digest};
use ledgerstone_verify::hash::{Hash, Sha256};
use ledgerstone_verify::key::PublicKey;
use ledgerstone_verify::merkle::Frontier;

use super::anchor::Anchor;
use super::examine::{Content, Examined};
use super::outcomes::outcomes;
use super::report::{Counts, Finding, Findings, Verdict};
use super::state::ReplayedState;
use crate::builder::log_keys;
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::execute::{AuthorityGate, Context, Decide, InOrder, KeyPasses, LoadError, PreparedChunk, Working};
use crate::ledger::{
    EntriesList, Ledger, LogKeyPeriod, View, cell_entry, cell_rows, doubts, first_semantics, log_key_periods,
    stored_checkpoint, taken_keys, unread,
};
use crate::limits::NODE_LEVEL;
use crate::log::{LogTrees, ORIGIN_SUFFIX_SHA3, node_key};
use crate::schema::{Semantics, parse_instant};
use crate::store::{Put, Table, number_key};

/// The replay of a ledger, so far.
pub(super) struct Replay<'a> {
    ledger: &'a Ledger,
    view: &'a View,
    trees: LogTrees,
    /// Root of the SHA-256 tree at each size, for what authors say they have seen.
    roots: Vec<Hash>,
    genesis: Option<Hash>,
    time: String,
    authority: Arc<Authority>,
    state: ReplayedState<'a>,
    /// A checkpoint that left the file: size and root.
    anchor: Option<(u64, Hash)>,
    /// First transaction that could not be replayed: state after it is not known.
    stopped_at: Option<u64>,
    /// The chain is broken: what follows cannot follow either, and is not reported again.
    is_broken: bool,
    derived_rows: DerivedRows,
    counts: Counts,
    /// Keys of the table `idempotency`, by the index they name.
    ids: BTreeMap<u64, Vec<u8>>,
}

/// How many rows each table must have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DerivedRows {
    pub(super) chunks: u64,
    pub(super) segments: u64,
    pub(super) postings: u64,
    pub(super) exceptions: u64,
    pub(super) rejections: u64,
    pub(super) emitted: u64,
    pub(super) cell_runs: u64,
    pub(super) cell_history: u64,
    pub(super) record_nodes: u64,
    pub(super) log_nodes: u64,
    pub(super) idempotency: u64,
}

/// What the replay arrived at.
pub(super) struct Finished<'a> {
    pub(super) state: ReplayedState<'a>,
    pub(super) counts: Counts,
    pub(super) has_anchor: bool,
    pub(super) is_whole: bool,
    pub(super) rows: DerivedRows,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        ledger: &'a Ledger,
        view: &'a View,
        against: Option<Anchor>,
        findings: &mut Findings,
    ) -> Result<Self> {
        let anchor = against.and_then(|anchor| anchor.within(view, findings));
        Ok(Replay {
            ledger,
            view,
            trees: LogTrees::new(),
            roots: vec![Frontier::<Sha256>::new().root()],
            genesis: None,
            time: String::new(),
            authority: Arc::new(Authority::of(first_semantics(&*view.snapshot)?)),
            state: ReplayedState::new(view),
            anchor,
            stopped_at: None,
            is_broken: false,
            derived_rows: DerivedRows::default(),
            counts: Counts::default(),
            ids: stored_ids(view)?,
        })
    }

    /// Takes the next transaction.
    pub(super) fn transaction(&mut self, examined: Examined, findings: &mut Findings) -> Result<()> {
        let Examined { index, leaves, content, findings: found, bytes } = examined;
        // Derived rows that differ say nothing against the records.
        let is_sound = found.iter().all(|finding| finding.verdict == Verdict::StateDiffers);
        found.into_iter().for_each(|finding| findings.add(finding));
        self.counts.bytes += bytes;
        let (leaf, leaf_sha3) = leaves.unwrap_or_default();
        let Some(content) = content else {
            self.stop(index, findings);
            // Text that this build cannot read has its leaf all the same; without text no later root can be rebuilt.
            self.is_broken |= leaves.is_none();
            return self.push_leaf(index, leaf, leaf_sha3, findings);
        };
        self.counts.transactions += 1;
        self.counts.signatures += content.envelope.signatures.len() as u64;
        self.chain(index, &content.envelope, findings);
        let is_executed = self.semantics(index, &content, findings);
        self.doubt(index, &content)?;
        self.derived(index, &content, findings)?;
        match &content.chunks {
            Some(_) if is_sound && is_executed && self.stopped_at.is_none() => {
                self.decide(index, &content, findings)?
            }
            _ => self.stop(index, findings),
        }
        if index == 0 {
            self.genesis = Some(leaf_sha3);
            self.check_genesis(&content, findings);
        }
        self.time.clone_from(&content.envelope.time);
        self.push_leaf(index, leaf, leaf_sha3, findings)
    }

    /// The first record names its author as the first member, and the keys of the log.
    fn check_genesis(&self, content: &Content, findings: &mut Findings) {
        let intent = &content.envelope.intent;
        let record = content.chunks.as_deref().and_then(|chunks| match chunks {
            [only] if only.len() == 1 => Json::parse(only.bytes.row(0)).ok(),
            _ => None,
        });
        let data = record.as_ref().and_then(|record| record.get("data"));
        let text = |name: &str| data.and_then(|data| data.get(name)).and_then(Json::as_text);
        let keys = data.and_then(|data| log_keys(data).ok());
        let names = [self.ledger.origin.clone(), format!("{}{ORIGIN_SUFFIX_SHA3}", self.ledger.origin)];
        let semantics = data.and_then(|data| data.get("semantics")).and_then(Json::as_int);
        let is_sound = semantics.is_some_and(|number| u64::try_from(number) == Ok(content.envelope.semantics))
            && text("member") == Some(&intent.author)
            && text("key") == Some(&b64(&intent.key))
            && text("origin") == Some(&self.ledger.origin)
            && PublicKey::admit(&intent.key).is_ok()
            && keys.is_some_and(|keys| {
                keys[0].name() == names[0] && keys[1].name() == names[1] && keys[0].key() == keys[1].key()
            });
        if !is_sound {
            let message =
                "the first record does not name its semantics, its author, its origin and the keys of the log";
            findings.add(Finding::at(Verdict::LinkBroken, Table::Chunks.name(), 0, message));
        }
    }

    /// Whether this build executes the semantics that the transaction leads to; and the one that it names is in force.
    fn semantics(&self, index: u64, content: &Content, findings: &mut Findings) -> bool {
        let (found, in_force) = (content.envelope.semantics, self.authority.semantics());
        if self.stopped_at.is_none() && found != in_force {
            let message = format!("the envelope is of semantics {found}, and {in_force} is in force");
            findings.add(Finding::at(Verdict::LinkBroken, Table::Envelopes.name(), index, message));
        }
        let raised = content.chunks.iter().flatten().find_map(PreparedChunk::raised);
        if let Some(raised) = raised.filter(|raised| !Semantics::is_executed(*raised)) {
            let message = format!("it raises the semantics to {raised}, unknown to this build");
            findings.add(Finding::at(Verdict::UnverifiableVersion, Table::Chunks.name(), index, message));
            return false;
        }
        true
    }

    /// Signatures that hold, by keys that were revoked later and are under suspicion for the time in which they signed.
    fn doubt(&mut self, index: u64, content: &Content) -> Result<()> {
        let envelope = &content.envelope;
        let is_suspect = envelope.signatures.iter().any(|by| self.view.authority.suspected_since(&by.key).is_some());
        if is_suspect
            && !doubts(&self.view.authority, &envelope.signatures, parse_instant(&envelope.time).unwrap_or_default())
                .is_empty()
        {
            self.counts.doubtful_transactions += 1;
            let rejected = content.exceptions.iter().filter(is_rejected).count() as u64;
            self.counts.doubtful_records += envelope.intent.count.saturating_sub(rejected);
            self.counts.first_doubtful.get_or_insert(index);
        }
        Ok(())
    }

    /// What the envelope says of the log before it.
    fn chain(&mut self, index: u64, envelope: &Envelope, findings: &mut Findings) {
        let mut broken = |message: String| {
            findings.add(Finding::at(Verdict::LinkBroken, Table::Envelopes.name(), index, message));
        };
        if !self.is_broken && envelope.prev != self.trees.sha3.root() {
            self.is_broken = true;
            broken(match index.checked_sub(1) {
                Some(before) => {
                    format!("`prev` is not the root of what is stored: transaction {before} is not as it was")
                }
                None => "`prev` is not the root of an empty log".to_owned(),
            });
        }
        if !self.is_broken && envelope.intent.genesis != self.genesis {
            broken("the intent names another genesis".to_owned());
        }
        let seen = envelope.intent.seen;
        if !self.is_broken && seen.is_some_and(|seen| self.roots.get(seen.size as usize) != Some(&seen.root)) {
            broken("the intent has seen a state that is not in this log's past".to_owned());
        }
        // Timestamps have a fixed width, so their order is that of their text.
        if envelope.time < self.time {
            broken("its ledger time is before that of the transaction before".to_owned());
        }
    }

    /// Compares the rows that the transaction makes in other tables.
    fn derived(&mut self, index: u64, content: &Content, findings: &mut Findings) -> Result<()> {
        let rows = &mut self.derived_rows;
        rows.exceptions += u64::from(!content.exceptions.is_empty());
        rows.emitted += u64::from(!content.emitted.is_empty());
        rows.record_nodes += u64::from(content.node_count > 0);
        self.counts.nodes += content.node_count;
        let rejected = content.exceptions.iter().filter(is_rejected).count() as u64;
        match self.ledger.keeps_rejections {
            true => rows.rejections += rejected,
            false => self.counts.claimed_rejections += rejected,
        }
        rows.chunks += content.chunk_count;
        for put in &content.derived {
            match put.table {
                Table::Segments => self.derived_rows.segments += 1,
                _ => {
                    self.counts.postings += 1;
                    self.derived_rows.postings += 1;
                }
            }
            self.compare(index, put, findings)?;
        }
        if let Some(digest) = &content.envelope.intent.idempotency {
            self.derived_rows.idempotency += 1;
            self.id_row(index, content, digest, findings);
        }
        Ok(())
    }

    /// Compares a derived row with the stored one.
    fn compare(&self, index: u64, put: &Put, findings: &mut Findings) -> Result<()> {
        if self.view.snapshot.get(put.table, &put.key)?.as_ref() != Some(&put.value) {
            let message = format!("the row {} is not the one that the records make", readable(&put.key));
            findings.add(Finding::at(Verdict::StateDiffers, put.table.name(), index, message));
        }
        Ok(())
    }

    /// The row of `idempotency` that names this transaction says an id whose digest its author signed.
    fn id_row(&self, index: u64, content: &Content, digest: &Hash, findings: &mut Findings) {
        let author = hex::decode(&content.envelope.intent.author).unwrap_or_default();
        let is_signed = self.ids.get(&index).is_some_and(|key| {
            let id = key.strip_prefix(author.as_slice()).and_then(|id| str::from_utf8(id).ok());
            id.is_some_and(|id| idempotency_digest(&content.secret, id) == *digest)
        });
        if !is_signed {
            let message = "no row holds the id that its author signed";
            findings.add(Finding::at(Verdict::StateDiffers, Table::Idempotency.name(), index, message));
        }
    }

    /// Decides the transaction again: every accepted record must be accepted, and the cells must be those of the envelope.
    fn decide(&mut self, index: u64, content: &Content, findings: &mut Findings) -> Result<()> {
        let Some(chunks) = &content.chunks else { return Ok(()) };
        let intent = &content.envelope.intent;
        let mut differs = |message: String| {
            findings.add(Finding::at(Verdict::StateDiffers, "", index, message));
        };
        for signature in content.envelope.signatures.iter().filter(|_| index > 0) {
            if self.authority.member_of(&signature.key) != Some(&signature.member) {
                differs(format!("the key that signed for {} was not an active key of this member", signature.member));
            }
        }
        if intent.mode == Mode::Atomic && content.exceptions.iter().filter(is_rejected).count() > 0 {
            differs("an atomic transaction has rejected records".to_owned());
        }
        let endorsers = content.envelope.signatures.iter().skip(1).map(|by| by.member.clone()).collect();
        let (author, genesis) = (intent.author.clone(), self.genesis);
        let time = parse_instant(&content.envelope.time).unwrap_or_default();
        let context = Context { author, endorsers, time, index, genesis };
        let mut gate = AuthorityGate::new(Arc::clone(&self.authority), context);
        let decided = Working::load(&self.state, Arc::clone(&self.authority), chunks).and_then(|mut working| {
            let decision = InOrder.decide(intent.mode, chunks, &mut working, &mut gate, &self.state)?;
            Ok((working, decision))
        });
        let (working, decision) = match decided {
            Ok(decided) => decided,
            Err(LoadError::State(error @ Error::Store(_))) => return Err(error),
            Err(LoadError::State(error)) => {
                differs(format!("it cannot be replayed: {error}"));
                self.stop(index, findings);
                return Ok(());
            }
            Err(LoadError::Rows) => {
                return Err(Error::Fault("the replay made a record that is none of its type".to_owned()));
            }
            Err(LoadError::Cell(name)) => {
                return Err(Error::Fault(format!("the replay made the cell {name} unreadable")));
            }
        };
        outcomes(index, content, self.ledger.keeps_rejections, chunks, &decision, findings);
        let signed = chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        self.counts.records += signed + content.emitted.len() as u64;
        let changed = working.changed();
        let entries: Vec<Vec<u8>> = changed.iter().map(|(name, value)| cell_entry(name, value)).collect();
        if entries != content.cells || entries.len() as u64 != content.envelope.cells.count {
            let expected = EntriesList::new(EntryList::Cells, content.secret, entries).root;
            let table = if matches(&expected, &content.envelope.cells) { Table::CellRuns.name() } else { "" };
            let message = "the cells it changed are not those that the replay changes";
            findings.add(Finding::at(Verdict::StateDiffers, table, index, message));
        }
        for put in cell_rows(index, &content.cells, &changed, &working, self.view.secret) {
            match put.table {
                Table::CellRuns => self.derived_rows.cell_runs += 1,
                _ => self.derived_rows.cell_history += 1,
            }
            self.compare(index, &put, findings)?;
        }
        let keys = taken_keys(index, intent.count as u32, chunks, &decision, &working);
        self.state.keys.extend(keys.into_iter().map(|(hash, row)| (hash, row.number())).collect());
        self.added_keys(&gate.authority)?;
        self.state.apply(index, changed);
        self.state.hold(index, chunks, &decision);
        self.authority = gate.authority;
        Ok(())
    }

    /// The keys that stored records take where the transaction loads a version that adds a `unique` rule.
    fn added_keys(&mut self, after: &Arc<Authority>) -> Result<()> {
        if Arc::ptr_eq(&self.authority, after) {
            return Ok(());
        }
        let types = |name: &str, version: u64| after.version(name, version).cloned();
        for added in after.added_since(&self.authority) {
            let mut keys = Vec::new();
            for part in KeyPasses::new(&self.state, &types, added) {
                keys.extend(part.map_err(unread)?.iter().map(|entry| (entry.hash, entry.row.number())));
            }
            self.state.keys.extend(keys);
        }
        Ok(())
    }

    fn push_leaf(&mut self, index: u64, leaf: Hash, leaf_sha3: Hash, findings: &mut Findings) -> Result<()> {
        let mut sha256 = Vec::new();
        let mut sha3 = Vec::new();
        self.trees.sha256.push_visiting(leaf, &mut |level, hash| sha256.push((level, hash)));
        self.trees.sha3.push_visiting(leaf_sha3, &mut |level, hash| sha3.push((level, hash)));
        self.roots.push(self.trees.sha256.root());
        let size = index + 1;
        for ((level, left), (_, right)) in sha256.into_iter().zip(sha3).filter(|((level, _), _)| *level >= NODE_LEVEL) {
            self.derived_rows.log_nodes += 1;
            self.counts.nodes += 1;
            let place = (size >> level) - 1;
            let stored = self.view.snapshot.get(Table::LogNodes, &number_key(node_key(level, place)))?;
            if stored.as_deref() != Some(&[left, right].concat()) {
                let message = format!("the node at level {level}, place {place} is not that of the envelopes");
                findings.add(Finding::at(Verdict::StateDiffers, Table::LogNodes.name(), index, message));
            }
        }
        if let Some((size, root)) = self.anchor
            && size == self.trees.size()
            && root != self.trees.sha256.root()
        {
            let message = format!("at size {size} the log is not the one of the checkpoint");
            findings.add(Finding::at(Verdict::Truncated, "", index, message));
        }
        Ok(())
    }

    /// The log cannot be read from here on.
    pub(super) fn cut(&mut self, index: u64, findings: &mut Findings) {
        self.stop(index, findings);
        self.is_broken = true;
    }

    fn stop(&mut self, index: u64, findings: &mut Findings) {
        if self.stopped_at.is_none() {
            self.stopped_at = Some(index);
            let message = "from here on records were read and hashed, but not replayed";
            findings.add(Finding::at(Verdict::Incomplete, "", index, message));
        }
    }

    /// The end of the log: the newest checkpoint.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Result<Finished<'a>> {
        let broken = |message: String| Finding::of(Verdict::LinkBroken, Table::Meta.name(), message);
        match stored_checkpoint(&*self.view.snapshot) {
            Err(Error::Verification { message: why, .. }) => findings.add(broken(why)),
            Err(other) => return Err(other),
            Ok(checkpoint) => {
                // Who signs under a semantics that this build does not execute is not known to it.
                let is_known = Semantics::is_executed(self.view.authority.semantics());
                let periods = if is_known { signing_periods(self.ledger, self.view)? } else { Vec::new() };
                for period in periods {
                    let notes = [&checkpoint.note, &checkpoint.note_sha3];
                    for (note, key) in notes.into_iter().zip(&period.verifier_keys) {
                        self.counts.signatures += 1;
                        if let Err(error) = verify_checkpoint(note, key) {
                            findings.add(broken(format!("the newest checkpoint: {error}")));
                        }
                    }
                }
                let follows = checkpoint.size == self.trees.size()
                    && checkpoint.root == self.trees.sha256.root()
                    && checkpoint.root_sha3 == self.trees.sha3.root();
                if !follows && !self.is_broken {
                    findings.add(broken("the newest checkpoint does not follow from the envelopes".to_owned()));
                }
            }
        }
        Ok(Finished {
            state: self.state,
            counts: self.counts,
            has_anchor: self.anchor.is_some(),
            is_whole: self.stopped_at.is_none(),
            rows: self.derived_rows,
        })
    }
}

/// The keys of the table `idempotency`, by the index they name.
fn stored_ids(view: &View) -> Result<BTreeMap<u64, Vec<u8>>> {
    let mut ids = BTreeMap::new();
    view.snapshot.scan(Table::Idempotency, &[], None, &mut |key, value| {
        if let Ok(index) = value.try_into().map(u64::from_be_bytes) {
            ids.insert(index, key.to_vec());
        }
        true
    })?;
    Ok(ids)
}

/// The log keys that signed the newest checkpoint: the one in force, and the one before where the newest transaction replaced it.
fn signing_periods(ledger: &Ledger, view: &View) -> Result<Vec<LogKeyPeriod>> {
    let periods = log_key_periods(ledger.origin(), &view.authority)?;
    Ok(periods.into_iter().filter(|period| period.signs(view.size)).collect())
}

/// Whether a record was not stored.
fn is_rejected(exception: &&Exception) -> bool {
    exception.outcome == ExceptionOutcome::Rejected
}

fn matches(found: &ListRoot, expected: &ListRoot) -> bool {
    found.count == expected.count && found.root == expected.root
}

/// A key as far as it can be read.
pub(super) fn readable(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}
