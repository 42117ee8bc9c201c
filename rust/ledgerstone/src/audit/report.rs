//! Verdicts and the report.

use std::fmt;

use crate::codes;

/// What an audit can find, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The storage engine's own structures are damaged.
    StorageCorrupt,
    /// Stored bytes are not those that were hashed.
    ContentChanged,
    /// A root or signature does not follow.
    LinkBroken,
    /// The ledger is shorter than, or other than, a checkpoint that left the file.
    Truncated,
    /// Derived state is not what the replay gives.
    StateDiffers,
    /// This build lacks the version that some of it needs: not an alarm, and not verified.
    UnverifiableVersion,
    /// Something was not read.
    Incomplete,
    /// All is well up to this size; without a checkpoint from outside, whether more was there cannot be said.
    OkUpToSize,
    /// All is well.
    Ok,
}

/// One thing that is wrong, as precisely as it can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub verdict: Verdict,
    /// Table of the file, if it is in one.
    pub table: &'static str,
    /// Index of the first bad transaction.
    pub index: Option<u64>,
    /// First and last position of the records among which the bad one is.
    pub positions: Option<(u32, u32)>,
    /// In words.
    pub message: String,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions: envelopes parsed, hashed into both trees, signatures checked.
    pub transactions: u64,
    /// Records decoded, hashed and replayed, rejected ones included where their bytes are kept.
    pub records: u64,
    /// Rejections that the log claims and that cannot be replayed, because the ledger does not keep the bytes of rejected records.
    pub claimed_rejections: u64,
    /// Signatures checked.
    pub signatures: u64,
    /// Cells compared.
    pub cells: u64,
    /// Unique keys compared.
    pub unique_keys: u64,
    /// Postings compared.
    pub postings: u64,
    /// Tree nodes compared.
    pub nodes: u64,
    /// Bytes of chunks and envelopes read.
    pub bytes: u64,
    /// Transactions signed by a key in a time for which its revocation calls it suspect. Evidence: no verdict follows from it.
    pub doubtful_transactions: u64,
    /// Records that stand in them.
    pub doubtful_records: u64,
    /// Index of the first of them.
    pub first_doubtful: Option<u64>,
}

/// The outcome of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The ledger's name.
    pub origin: String,
    /// Transactions in the file.
    pub size: u64,
    /// The one verdict: the worst of what was found.
    pub verdict: Verdict,
    /// Whether what was read is what was written.
    pub integrity: Verdict,
    /// Whether everything was read.
    pub completeness: Verdict,
    /// What was read.
    pub counts: Counts,
    /// The first findings, in the order found.
    pub findings: Vec<Finding>,
    /// How many there were in all.
    pub findings_total: u64,
}

/// Findings so far.
#[derive(Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    total: u64,
    /// The worst of what is wrong with what was read.
    broken: Option<Verdict>,
    is_incomplete: bool,
}

/// Findings that a report holds: enough to act on, few enough to read.
const KEPT: usize = 1_000;

impl Verdict {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::StorageCorrupt => "storage corrupt",
            Verdict::ContentChanged => "content changed",
            Verdict::LinkBroken => "link broken",
            Verdict::Truncated => "truncated or rolled back",
            Verdict::StateDiffers => "state differs from replay",
            Verdict::UnverifiableVersion => "unverifiable version",
            Verdict::Incomplete => "incomplete",
            Verdict::OkUpToSize => "ok up to size",
            Verdict::Ok => "ok",
        }
    }

    /// The code of an error that says so, [`codes::CATALOGUE`](crate::codes::CATALOGUE); `None` where nothing is wrong.
    pub fn code(self) -> Option<&'static str> {
        Some(match self {
            Verdict::StorageCorrupt => codes::STORAGE_CORRUPT,
            Verdict::ContentChanged => codes::CONTENT_CHANGED,
            Verdict::LinkBroken => codes::LINK_BROKEN,
            Verdict::Truncated => codes::TRUNCATED,
            Verdict::StateDiffers => codes::STATE_DIFFERS,
            Verdict::UnverifiableVersion => codes::UNVERIFIABLE_VERSION,
            Verdict::Incomplete => codes::EVIDENCE_INCOMPLETE,
            Verdict::OkUpToSize | Verdict::Ok => return None,
        })
    }

    /// Whether nothing is wrong.
    pub fn is_ok(self) -> bool {
        matches!(self, Verdict::Ok | Verdict::OkUpToSize)
    }
}

impl Finding {
    /// A finding about a table.
    pub(super) fn of(verdict: Verdict, table: &'static str, message: impl Into<String>) -> Self {
        Finding { verdict, table, index: None, positions: None, message: message.into() }
    }

    /// A finding about a transaction.
    pub(super) fn at(verdict: Verdict, table: &'static str, index: u64, message: impl Into<String>) -> Self {
        Finding { index: Some(index), ..Finding::of(verdict, table, message) }
    }

    /// Among these records.
    pub(super) fn among(self, first: u32, last: u32) -> Self {
        Finding { positions: Some((first, last)), ..self }
    }
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        if finding.verdict == Verdict::Incomplete {
            self.is_incomplete = true;
        } else {
            self.broken = Some(self.broken.map_or(finding.verdict, |worst| worst.min(finding.verdict)));
        }
        self.total += 1;
        if self.kept.len() < KEPT {
            self.kept.push(finding);
        }
    }
}

impl AuditReport {
    pub(super) fn new(origin: &str, size: u64, counts: Counts, has_anchor: bool, findings: Findings) -> Self {
        let best = if has_anchor { Verdict::Ok } else { Verdict::OkUpToSize };
        let completeness = if findings.is_incomplete { Verdict::Incomplete } else { best };
        AuditReport {
            origin: origin.to_owned(),
            size,
            verdict: findings.broken.unwrap_or(completeness),
            integrity: findings.broken.unwrap_or(Verdict::Ok),
            completeness,
            counts,
            findings: findings.kept,
            findings_total: findings.total,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if !self.table.is_empty() {
            write!(f, ", table {}", self.table)?;
        }
        if let Some(index) = self.index {
            write!(f, ", transaction {index}")?;
        }
        match self.positions {
            Some((first, last)) if first == last => write!(f, ", record {first}")?,
            Some((first, last)) => write!(f, ", records {first} to {last}")?,
            None => {}
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        match self.verdict {
            Verdict::OkUpToSize => writeln!(f, "{}: ok up to size {}", self.origin, self.size)?,
            verdict => writeln!(f, "{}: {verdict} (size {})", self.origin, self.size)?,
        }
        writeln!(
            f,
            "read: {} transactions, {} records, {} signatures, {} cells, {} unique keys, {} postings, {} tree nodes",
            counts.transactions,
            counts.records,
            counts.signatures,
            counts.cells,
            counts.unique_keys,
            counts.postings,
            counts.nodes,
        )?;
        if counts.claimed_rejections > 0 {
            writeln!(f, "claimed, not replayed: {} rejections", counts.claimed_rejections)?;
        }
        if let Some(first) = counts.first_doubtful {
            writeln!(
                f,
                "doubtful, not invalid: {} transactions with {} records, from {first} on, signed by keys that were revoked as suspect",
                counts.doubtful_transactions, counts.doubtful_records
            )?;
        }
        for finding in &self.findings {
            writeln!(f, "- {finding}")?;
        }
        let more = self.findings_total - self.findings.len() as u64;
        if more > 0 { writeln!(f, "- and {more} more") } else { Ok(()) }
    }
}
