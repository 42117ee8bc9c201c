//! What a record does to cells and keys: the operations that PREPARE makes and DECIDE runs.

use std::sync::Arc;

use crate::codes;
use crate::limits::DECIMAL_DIGITS;
use crate::model::Parts;
use crate::schema::{CellType, LifecycleType, Reason, RecordType};

/// One operation of a record. Cells and keys are numbered within the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    /// Place of the rule among the type's rules.
    pub(crate) rule: u16,
    pub(crate) action: Action,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The key is new; it is taken from now on.
    Take { key: u32 },
    /// A record with this key exists.
    Exists { key: u32 },
    /// Fields equal those of the record with this key. `item`: the place in the list of an `each` rule.
    Match { key: u32, item: Option<u32> },
    /// The balance does not exist yet; it has these parts from now on.
    Open { cell: u32, parts: u32 },
    /// Adds to a part of a balance. `check`: its bounds are looked at at once.
    Add { cell: u32, part: u8, check: bool, delta: i128 },
    /// The bounds of a balance hold now.
    Check { cell: u32 },
    /// The bounds of a balance hold at the end of the unit.
    CheckAtEnd { cell: u32 },
    /// The balance exists and these parts are zero; it does not exist from now on.
    Close { cell: u32, zero: u8 },
    /// The lifecycle is in one of the states `from` (none: it does not exist yet); it is in `to` from now on.
    Step { cell: u32, from: u64, to: Option<u8> },
    /// The operand cannot be held at the scale of the cell.
    TooPrecise { cell: u32 },
    /// An expression of the rule overflows.
    Overflow,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The rule's own reason.
    Rule,
    /// The cell, or the matched record, does not exist.
    Missing,
    /// The operand has more digits than the cell allows.
    TooPrecise,
    /// That bound of the balance.
    Bound(u8),
    /// A number has more digits than a decimal may have.
    Overflow,
}

/// A cell that a chunk touches.
#[derive(Clone, Debug)]
pub(crate) struct CellUse {
    pub(crate) kind: Arc<CellType>,
    /// End of its name in [`OpChunk::names`]; it starts where the one before ends.
    pub(crate) name_end: u32,
}

/// A unique key that a chunk takes or looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyUse {
    pub(crate) hash: u64,
    /// End of its bytes in [`OpChunk::key_bytes`].
    pub(crate) end: u32,
}

/// The operations of the rows of a chunk.
#[derive(Debug, Default)]
pub(crate) struct OpChunk {
    pub(crate) ops: Vec<Op>,
    /// For each row, the end of its operations.
    pub(crate) ends: Vec<u32>,
    pub(crate) cells: Vec<CellUse>,
    pub(crate) names: Vec<u8>,
    pub(crate) keys: Vec<KeyUse>,
    pub(crate) key_bytes: Vec<u8>,
    pub(crate) opened: Vec<Parts>,
}

impl OpChunk {
    /// The operations of a row.
    pub(crate) fn of_row(&self, row: usize) -> &[Op] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.ops[start..self.ends[row] as usize]
    }

    /// The name of a cell.
    pub(crate) fn name(&self, cell: u32) -> &[u8] {
        let cell = cell as usize;
        let start = if cell == 0 { 0 } else { self.cells[cell - 1].name_end as usize };
        &self.names[start..self.cells[cell].name_end as usize]
    }

    /// The bytes of a key.
    pub(crate) fn key(&self, key: u32) -> &[u8] {
        let key = key as usize;
        let start = if key == 0 { 0 } else { self.keys[key - 1].end as usize };
        &self.key_bytes[start..self.keys[key].end as usize]
    }
}

/// Why a record was refused: the operation that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    /// The cell's name, where a cell was the reason.
    pub(crate) cell: Option<String>,
}

impl Rejection {
    /// The rejection that a failed operation stands for.
    pub(crate) fn of(record_type: &RecordType, chunk: &OpChunk, op: Op, failure: Failure) -> Rejection {
        let cell = op.action.cell();
        let kind = cell.map(|cell| &*chunk.cells[cell as usize].kind);
        let rule = &record_type.rules[usize::from(op.rule)];
        let reason = match (failure, kind) {
            (Failure::Overflow, _) => Reason {
                code: codes::OVERFLOW.to_owned(),
                message: format!("an amount has at most {DECIMAL_DIGITS} digits, and this would have more"),
            },
            (Failure::Missing, Some(kind)) => kind.missing_reason(&rule.reason).clone(),
            (Failure::Missing, None) => rule.missing_reason().clone(),
            (Failure::TooPrecise, Some(kind)) => kind.too_precise_reason(&rule.reason).clone(),
            (Failure::Bound(bound), Some(kind)) => kind.bound_reason(bound, &rule.reason).clone(),
            _ => rule.reason.clone(),
        };
        let cell = cell.map(|cell| String::from_utf8_lossy(chunk.name(cell)).into_owned());
        Rejection { reason, cell }
    }
}

impl Action {
    /// The cell it touches.
    pub(crate) fn cell(&self) -> Option<u32> {
        match *self {
            Action::Take { .. } | Action::Exists { .. } | Action::Match { .. } | Action::Overflow => None,
            Action::Open { cell, .. }
            | Action::Add { cell, .. }
            | Action::Check { cell }
            | Action::CheckAtEnd { cell }
            | Action::Close { cell, .. }
            | Action::Step { cell, .. }
            | Action::TooPrecise { cell } => Some(cell),
        }
    }
}

/// The state a lifecycle cell is in, `None` where it does not exist.
pub(crate) fn lifecycle_state(lifecycle: &LifecycleType, stored: Option<u8>) -> Option<u8> {
    stored.or(lifecycle.initial)
}
