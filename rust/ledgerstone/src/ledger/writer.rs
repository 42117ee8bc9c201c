//! The state of the one process that writes.

use std::sync::Arc;

use ledgerstone_verify::hash::Hash;

use super::log_key::LogKeyFile;
use super::view::record_type_of;
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::keys::LogKey;
use crate::log::{Checkpoints, LogTrees};
use crate::schema::RecordType;

/// What appending needs, as of the last durable commit.
pub(crate) struct Writer {
    pub(crate) log_key: Arc<LogKey>,
    /// Where the log key is kept; `None` in memory.
    pub(crate) log_key_file: Option<LogKeyFile>,
    /// Whether the commit of a rotation failed in a way that may have kept it: then what waits beside the key file may be the only copy
    /// of the log key in force.
    pub(crate) is_rotation_in_doubt: bool,
    pub(crate) trees: LogTrees,
    pub(crate) authority: Arc<Authority>,
    /// Hash of the genesis; `None` until it is in the log.
    pub(crate) genesis: Option<Hash>,
    /// Ledger time of the last transaction, in microseconds.
    pub(crate) last_time: i64,
    pub(crate) checkpoint: Option<Checkpoints>,
    /// In seconds.
    pub(crate) max_clock_step: i64,
    /// Whether the next transaction may be later than that: whoever opened the ledger has looked at the clock.
    pub(crate) accepts_clock_step: bool,
    /// Whether it was told that the clock is behind.
    pub(crate) is_clock_behind: bool,
}

impl Writer {
    /// The record type of that name, in the version in force.
    pub(crate) fn record_type(&self, name: &str) -> Result<Arc<RecordType>> {
        record_type_of(&self.authority, name)
    }

    /// Ledger time of the next transaction: the clock, but never before the last one, and far beyond it only where that is accepted.
    pub(crate) fn next_time(&self, now: i64) -> Result<i64> {
        let step = now.saturating_sub(self.last_time) / 1_000_000;
        if self.trees.size() > 0 && step > self.max_clock_step && !self.accepts_clock_step {
            return Err(Error::Limit {
                what: "the clock's step beyond the last transaction in seconds (where the clock is right, open the ledger with accept_clock_step)".to_owned(),
                value: step as u64,
                limit: "max_clock_step",
                bound: self.max_clock_step as u64,
            });
        }
        Ok(now.max(self.last_time))
    }
}
