//! Values of cells, in memory; their bytes are FORMAT.md section 4.

use std::sync::Arc;

use super::Decimal;
use crate::limits::{DECIMAL_DIGITS, PARTS};

/// The first magnitude with too many digits, those behind the point counted.
const DIGITS_END: u128 = 10u128.pow(DECIMAL_DIGITS as u32);

/// The value of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellValue {
    /// A balance.
    Parts(Parts),
    /// A count, never zero.
    Count(i64),
    /// A lifecycle: the number of its state.
    State(u8),
    /// Who holds something.
    Holder(Arc<str>),
    /// The last value of a sequence.
    Last(Ordinal),
}

/// A value of a sequence. Decimals have as few digits as they need, so equal numbers are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordinal {
    /// An integer.
    Int(i64),
    /// A decimal.
    Decimal(Decimal),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

/// The parts of a balance, as mantissas at the scale of the cell; each may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    present: u8,
    values: [i128; PARTS],
}

impl Parts {
    /// No part present.
    pub const EMPTY: Parts = Parts { present: 0, values: [0; PARTS] };

    /// The value of a part.
    pub fn part(&self, part: usize) -> Option<i128> {
        (self.present & (1 << part) != 0).then(|| self.values[part])
    }

    /// Sets a part.
    pub fn set(&mut self, part: usize, value: i128) {
        self.present |= 1 << part;
        self.values[part] = value;
    }

    /// Takes the value of a part away.
    pub fn clear(&mut self, part: usize) {
        self.present &= !(1 << part);
        self.values[part] = 0;
    }

    /// Adds to a part; an absent one counts as zero. `None` where the sum has more digits than a decimal may have, with nothing
    /// changed.
    #[must_use]
    pub fn add(&mut self, part: usize, delta: i128) -> Option<()> {
        let sum = self.values[part].checked_add(delta).filter(|sum| sum.unsigned_abs() < DIGITS_END)?;
        self.set(part, sum);
        Some(())
    }

    /// Whether every part has as few digits as a decimal may have.
    pub fn is_within_digits(&self) -> bool {
        self.values.iter().all(|value| value.unsigned_abs() < DIGITS_END)
    }
}

/// The place of a record: its transaction, and its position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// Index of the transaction in the log.
    pub index: u64,
    /// Position among the records of the transaction.
    pub position: u32,
}

impl RowId {
    const POSITION_BITS: u32 = 24;

    /// The row at this place.
    pub const fn new(index: u64, position: u32) -> Self {
        RowId { index, position }
    }

    /// As one number: index·2^24 + position (FORMAT.md section 9).
    pub const fn number(self) -> u64 {
        self.index << Self::POSITION_BITS | self.position as u64
    }

    /// From one number.
    pub const fn from_number(number: u64) -> Self {
        RowId { index: number >> Self::POSITION_BITS, position: (number & 0xff_ffff) as u32 }
    }
}

impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.index, self.position)
    }
}
