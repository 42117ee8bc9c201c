//! A checkpoint that left the file: what truncation is measured by.

use ledgerstone_verify::checkpoint::{Checkpoint, verify_checkpoint};
use ledgerstone_verify::hash::Hash;

use super::report::{Finding, Findings, Verdict};
use crate::codes;
use crate::error::{Error, Result};
use crate::ledger::{LogKeyPeriod, View};
use crate::store::Table;

/// A checkpoint, and the log key that signed it.
pub(super) struct Anchor {
    checkpoint: Checkpoint,
    signer: LogKeyPeriod,
}

impl Anchor {
    /// Reads a note. One that none of the log's keys has signed is an error of the caller, and says nothing of the ledger.
    pub(super) fn verified(note: &str, log_keys: Vec<LogKeyPeriod>) -> Result<Self> {
        let mut refusal = None;
        // The newest key first: its refusal is the one that is told.
        for signer in log_keys.into_iter().rev() {
            match verify_checkpoint(note, &signer.verifier_keys[0]) {
                Ok(checkpoint) => return Ok(Anchor { checkpoint, signer }),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let (code, why) = match refusal {
            Some(error) => (error.kind().code(), error.to_string()),
            None => (codes::NOT_TRUSTED, "the ledger has no log key".to_owned()),
        };
        Err(Error::verification(code, format!("the checkpoint to audit against: {why}")))
    }

    /// Its size and root. One beyond the file is a finding, and so is one by a key that had been replaced.
    pub(super) fn within(self, view: &View, findings: &mut Findings) -> Option<(u64, Hash)> {
        let size = self.checkpoint.size;
        if size > view.size {
            let message = format!("a checkpoint of size {size} left the file, which holds {}", view.size);
            findings.add(Finding::of(Verdict::Truncated, Table::Envelopes.name(), message));
            return None;
        }
        if let Some(until) = self.signer.until.filter(|_| !self.signer.signs(size)) {
            let message = format!(
                "the checkpoint of size {size} is signed by a log key that transaction {until} replaced: somebody has it"
            );
            findings.add(Finding::of(Verdict::LinkBroken, "", message));
        }
        Some((size, self.checkpoint.root))
    }
}
