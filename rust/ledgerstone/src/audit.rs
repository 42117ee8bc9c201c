//! Audit: re-read every live row of every table, replay from index 0, rebuild and compare everything derived.
//!
//! A wave of transactions is read from one snapshot, then examined side by side ([`examine`]): envelopes parsed, signatures checked,
//! records decoded and hashed by the function that append used, lists and trees rebuilt. Then, in order ([`replay`]): the chain of the
//! two log trees, who was allowed to sign, and the decision itself, whose cells must be the ones the log committed to. In the end the
//! tables that hold state are compared with the state that the replay arrived at ([`compare`]).

mod anchor;
mod compare;
mod examine;
mod outcomes;
mod rejections;
mod replay;
mod report;
mod state;

use rayon::prelude::*;

pub use report::{AuditReport, Counts, Finding, Verdict};

use crate::error::{Error, Result};
use crate::ledger::{Ledger, View};
use crate::store::{StoreError, Table, number_key};
use anchor::Anchor;
use examine::{Examined, RawTransaction, examine};
use replay::Replay;
use report::Findings;

/// Bytes of chunks in one wave: bounds memory, and keeps all threads busy.
const WAVE_BYTES: usize = 16 << 20;
/// Transactions in one wave.
const WAVE_TRANSACTIONS: usize = 4096;

/// How to audit.
pub struct AuditOptions<'a> {
    /// A checkpoint that left the file, a signed note: without one, truncation cannot be seen.
    pub against: Option<&'a str>,
    /// Told after each wave: transactions done, and transactions in all; an error stops the audit.
    pub progress: &'a mut dyn FnMut(u64, u64) -> Result<()>,
}

impl Ledger {
    /// Audits the ledger as it is now. What is wrong with it is in the report; an error means that the audit itself could not go on.
    pub fn audit(&self, options: AuditOptions<'_>) -> Result<AuditReport> {
        let log_keys = match self.log_keys() {
            Err(Error::Verification { message: why, .. }) => {
                return Ok(self.unread(Verdict::ContentChanged, why, Findings::default()));
            }
            read => read?,
        };
        let against = options.against.map(|note| Anchor::verified(note, log_keys)).transpose()?;
        let mut findings = Findings::default();
        match self.audited(against, options.progress, &mut findings) {
            Ok((size, counts, has_anchor)) => Ok(AuditReport::new(&self.origin, size, counts, has_anchor, findings)),
            Err(Error::Verification { message: why, .. }) => Ok(self.unread(Verdict::ContentChanged, why, findings)),
            Err(Error::Store(StoreError::Engine(why) | StoreError::Damaged { why, .. })) => {
                Ok(self.unread(Verdict::StorageCorrupt, why, findings))
            }
            Err(other) => Err(other),
        }
    }

    fn audited(
        &self,
        against: Option<Anchor>,
        progress: &mut dyn FnMut(u64, u64) -> Result<()>,
        findings: &mut Findings,
    ) -> Result<(u64, Counts, bool)> {
        for problem in self.store.snapshot()?.integrity_check()? {
            findings.add(Finding::of(Verdict::StorageCorrupt, "", problem));
        }
        let view = self.view_of_any_semantics()?;
        let mut replay = Replay::new(self, &view, against, findings)?;
        let end = first_gap(&view, findings)?;
        let mut next = 0;
        while next < end {
            let wave = read_wave(&view, next, end, self.keeps_rejections)?;
            next += wave.len() as u64;
            for transaction in self.examine_wave(&view, wave)? {
                replay.transaction(transaction, findings)?;
            }
            progress(next, end)?;
        }
        if end < view.size {
            replay.cut(end, findings);
        }
        let finished = replay.finish(findings)?;
        let has_anchor = finished.has_anchor;
        let counts = compare::state_tables(&view, &self.origin, finished, findings)?;
        Ok((view.size, counts, has_anchor))
    }

    /// The report where reading itself failed.
    fn unread(&self, verdict: Verdict, why: String, mut findings: Findings) -> AuditReport {
        findings.add(Finding::of(verdict, "", why));
        findings.add(Finding::of(Verdict::Incomplete, "", "what came after was not read"));
        AuditReport::new(&self.origin, self.size().unwrap_or(0), Counts::default(), false, findings)
    }

    fn examine_wave(&self, view: &View, wave: Vec<RawTransaction>) -> Result<Vec<Examined>> {
        let authority = &*view.authority;
        let secret = view.secret;
        self.pool.run(|| {
            wave.into_par_iter()
                .map(|raw| {
                    let types = |name: &str, version: u64| authority.version(name, version).cloned();
                    examine(raw, &types, secret)
                })
                .collect()
        })
    }
}

/// The first index without an envelope: the size, unless one is missing below it.
fn first_gap(view: &View, findings: &mut Findings) -> Result<u64> {
    let mut expected = 0;
    let mut found = None;
    view.snapshot.scan(Table::Envelopes, &number_key(0), None, &mut |key, _| {
        if key == number_key(expected) {
            expected += 1;
        } else {
            found = key.try_into().ok().map(u64::from_be_bytes);
        }
        found.is_none()
    })?;
    if let Some(found) = found {
        let message = format!("the envelope is not there; the next one stored has index {found}");
        findings.add(Finding::at(Verdict::ContentChanged, Table::Envelopes.name(), expected, message));
    }
    Ok(expected)
}

/// Reads the stored rows of the transactions from `first` on, before `end`.
fn read_wave(view: &View, first: u64, end: u64, keeps_rejections: bool) -> Result<Vec<RawTransaction>> {
    let mut wave = Vec::new();
    let mut bytes = 0;
    let mut index = first;
    while index < end && bytes < WAVE_BYTES && wave.len() < WAVE_TRANSACTIONS {
        let raw = RawTransaction::read(view, index, keeps_rejections)?;
        bytes += raw.chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        wave.push(raw);
        index += 1;
    }
    Ok(wave)
}

/// The value of a numbered table at a transaction's index.
fn numbered(view: &View, table: Table, index: u64) -> Result<Option<Vec<u8>>> {
    Ok(view.snapshot.get(table, &number_key(index))?)
}
