//! Cells: the named values of derived state that a record type owns.

use std::sync::OnceLock;

use super::Reason;
use crate::schema::scalar::ScalarKind;

/// A kind of cell that a record type owns. Its full name is `<type>` and `name`.
#[derive(Debug)]
pub struct CellType {
    /// Full name of the owning type, `finance.account`.
    pub owner: String,
    /// Name within the type, `balance`.
    pub name: String,
    /// What it holds.
    pub kind: CellKind,
    /// The kinds of the values that name one, known as soon as a rule or a lookup names one.
    pub(crate) key: OnceLock<CellKey>,
}

/// The kinds of the values that name a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellKey {
    /// Of its key.
    pub at: Vec<ScalarKind>,
    /// Of its by values.
    pub by: Vec<ScalarKind>,
}

impl CellType {
    /// A cell of this name that records of `owner` own.
    pub fn new(owner: &str, name: &str, kind: CellKind) -> Self {
        CellType { owner: owner.to_owned(), name: name.to_owned(), kind, key: OnceLock::new() }
    }

    /// The kinds of the values that name one; `None` where no rule does.
    pub fn key(&self) -> Option<&CellKey> {
        self.key.get()
    }
}

impl CellKind {
    /// The word for it in a schema file.
    pub fn name(&self) -> &'static str {
        match self {
            CellKind::Balance(_) => "balance",
            CellKind::Count(_) => "count",
            CellKind::Lifecycle(_) => "lifecycle",
            CellKind::Holder(_) => "holder",
            CellKind::Sequence(_) => "sequence",
        }
    }
}

impl CellType {
    /// Whether both are the same kind of cell, in whichever version of their type.
    pub fn is_same(&self, other: &CellType) -> bool {
        self.owner == other.owner && self.name == other.name
    }
}

/// What a cell holds.
#[derive(Debug)]
pub enum CellKind {
    /// Decimal parts under linear bounds; opened before it is used, unless it has an opening.
    Balance(BalanceType),
    /// A whole number; one that is zero does not exist.
    Count(CountType),
    /// A state out of a closed set.
    Lifecycle(LifecycleType),
    /// Who holds something.
    Holder(HolderType),
    /// The last value of an order.
    Sequence(SequenceType),
}

/// A balance cell: named decimal parts, all at one scale, and the bounds over them.
#[derive(Debug)]
pub struct BalanceType {
    /// Names of the parts, in the order declared.
    pub parts: Vec<String>,
    /// Digits behind the point that every part can hold.
    pub scale: u8,
    /// Bounds, in the order declared.
    pub bounds: Vec<Bound>,
    /// The part that says how many digits behind the point an operand may have in this cell, if any.
    pub digits: Option<usize>,
    /// The parts of a cell that no record opened, where such a cell exists from the start: (part, mantissa at `scale`).
    pub opening: Option<Vec<(usize, i128)>>,
    /// Code where the cell was never opened.
    pub missing: Reason,
    /// Code where an operand has more digits than `digits` allows.
    pub too_precise: Reason,
}

/// `sum of coefficient × part >= 0`; holds where a part it names is absent.
#[derive(Debug, Clone)]
pub struct Bound {
    /// (index of the part, coefficient), sorted by part.
    pub terms: Vec<(usize, i64)>,
    /// Why it matters.
    pub reason: Reason,
}

/// A lifecycle: states, the one a cell is in before any record moved it (if that is allowed), and the moves.
#[derive(Debug)]
pub struct LifecycleType {
    /// State names.
    pub states: Vec<String>,
    /// State of a cell that no record has touched; `None`: it must be opened by a move `from = []`.
    pub initial: Option<u8>,
    /// Code where the cell does not exist.
    pub missing: Reason,
}

/// A count: a cell that does not exist counts 0.
#[derive(Debug)]
pub struct CountType {
    /// Lowest value.
    pub low: i64,
    /// Highest value, if there is one.
    pub high: Option<i64>,
    /// Code where a step would leave the bounds.
    pub out_of_range: Reason,
}

/// A holder: a text, or nobody.
#[derive(Debug)]
pub struct HolderType {
    /// Code where nobody holds it and somebody should.
    pub missing: Reason,
}

/// A sequence: the last value that was accepted.
#[derive(Debug)]
pub struct SequenceType {
    /// How a value relates to the one before.
    pub order: SequenceOrder,
    /// The kind of its values: int, decimal, date or timestamp.
    pub kind: ScalarKind,
    /// The first value of a gapless sequence.
    pub start: i64,
}

/// How a value of a sequence relates to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceOrder {
    /// Greater.
    Strict,
    /// Greater by one; ints only.
    Gapless,
    /// Not less.
    Rising,
}

impl SequenceOrder {
    /// The word for it in a schema file.
    pub fn name(self) -> &'static str {
        match self {
            SequenceOrder::Strict => "strict",
            SequenceOrder::Gapless => "gapless",
            SequenceOrder::Rising => "rising",
        }
    }
}
