//! Looking out for what is worth telling.

use std::time::Instant;

use super::{Ledger, Writer};
use crate::limits::{CLOCK_LAG_MICROS, SLOW_COMMIT};
use crate::model::Event;

impl Ledger {
    /// Tells an event, if somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        self.observer.tell(&self.origin, event);
    }

    /// Tells once that the clock has fallen behind the ledger.
    pub(crate) fn watch_clock(&self, writer: &mut Writer, now: i64) {
        let behind = writer.last_time.saturating_sub(now);
        let is_behind = behind > CLOCK_LAG_MICROS;
        if is_behind && !writer.is_clock_behind {
            self.tell(|| Event::ClockBehind { seconds: behind.unsigned_abs() / 1_000_000 });
        }
        writer.is_clock_behind = is_behind;
    }

    /// Tells of a commit that took long.
    pub(crate) fn watch_commit(&self, index: u64, started: Instant) {
        let taken = started.elapsed();
        if taken > SLOW_COMMIT {
            self.tell(|| Event::SlowCommit { index, millis: taken.as_millis() as u64 });
        }
    }
}
