//! The ledger as it was: at an index, or at a time.

use super::view::View;
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};

/// A state of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Right after the transaction of that index.
    Index(u64),
    /// At that ledger time, in microseconds since 1970-01-01T00:00:00Z: after every transaction whose time is not later.
    Time(i64),
    /// A day in UTC, in days since 1970-01-01: its end, or its beginning where something begins there.
    Day(i32),
}

impl Moment {
    /// Reads an index (`17`), a day (`2026-06-30`) or an RFC 3339 time (`2026-06-30T18:00:00Z`).
    pub fn parse(text: &str) -> Result<Self> {
        if let Ok(index) = text.parse() {
            return Ok(Moment::Index(index));
        }
        if let Some(day) = clock::parse_day(text) {
            return Ok(Moment::Day(day));
        }
        clock::parse(text).map(Moment::Time).map_err(|_| {
            Error::schema(
                codes::BAD_MOMENT,
                format!("{text:?} is no index (17), no day (2026-06-30) and no time (2026-06-30T18:00:00Z)"),
            )
        })
    }
}

/// Reads a day, `2026-06-30`; gives days since 1970-01-01.
pub fn parse_day(text: &str) -> Result<i32> {
    clock::parse_day(text)
        .ok_or_else(|| Error::schema(codes::BAD_MOMENT, format!("{text:?} is no day; write it like 2026-06-30")))
}

impl View {
    /// How many transactions there were at a moment; `None`: now.
    pub(crate) fn size_at(&self, moment: Option<Moment>) -> Result<u64> {
        match moment {
            None => Ok(self.size),
            Some(Moment::Index(index)) => self.check_index(index).map(|()| index + 1),
            Some(Moment::Time(time)) => self.first_after(time),
            Some(Moment::Day(day)) => self.first_after((i64::from(day) + 1) * clock::DAY_MICROS - 1),
        }
    }

    /// The transactions from one moment on up to another, both included: first index, and the one after the last.
    pub(crate) fn range(&self, start: Option<Moment>, end: Option<Moment>) -> Result<(u64, u64)> {
        let first = match start {
            None => 0,
            Some(Moment::Index(index)) => index.min(self.size),
            Some(Moment::Time(time)) => self.first_after(time.saturating_sub(1))?,
            Some(Moment::Day(day)) => self.first_after(i64::from(day) * clock::DAY_MICROS - 1)?,
        };
        let end = self.size_at(end)?;
        Ok((first.min(end), end))
    }

    /// The first transaction whose ledger time is later; the size where none is. Ledger time never decreases.
    pub(crate) fn first_after(&self, time: i64) -> Result<u64> {
        let (mut low, mut high) = (0, self.size);
        while low < high {
            let middle = low + (high - low) / 2;
            if clock::parse(&self.envelope(middle)?.envelope.time)? <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

impl Ledger {
    /// Ledger time of a transaction, in microseconds since 1970-01-01T00:00:00Z.
    pub fn time_of(&self, index: u64) -> Result<i64> {
        let view = self.view()?;
        view.check_index(index)?;
        clock::parse(&view.envelope(index)?.envelope.time)
    }
}
