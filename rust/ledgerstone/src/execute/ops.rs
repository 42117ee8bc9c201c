//! What a record does to cells and keys: the operations that PREPARE makes and DECIDE runs.

use std::sync::Arc;

use crate::codes;
use crate::limits::{DECIMAL_DIGITS, TALLY_RECORDS};
use crate::model::{Ordinal, Parts};
use crate::schema::{Amount, Aspect, CellType, LifecycleType, Primitive, Reason, RecordType, Severity};

/// One operation of a record. Cells, keys, texts and the like are numbered within the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    /// Place of the rule among the type's rules.
    pub(crate) rule: u16,
    /// The place in its list of the item that it is for, where the rule runs over one.
    pub(crate) item: Option<u32>,
    pub(crate) action: Action,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The rule needs more than the record: it is evaluated when its turn comes.
    Evaluate,
    /// The key is new; it is taken from now on.
    Take { key: u32 },
    /// The key is new, or this is the version after the newest that has it; it is the newest from now on.
    Version { key: u32, version: Option<i64> },
    /// Takes back what the newest version with this key did, if there is one.
    TakeBack { key: u32 },
    /// A record with one of so many keys, from this one on, exists.
    Exists { key: u32, keys: u32 },
    /// Fields equal those of the record with this key.
    Match { key: u32 },
    /// The balance does not exist yet; it has these parts from now on.
    Open { cell: u32, parts: u32 },
    /// Where the amount is above a part of the balance, enough members have endorsed it.
    Approve { cell: u32, amount: u128 },
    /// Adds to a part of a balance. `check`: its bounds are looked at at once.
    Add { cell: u32, part: u8, check: bool, delta: i128 },
    /// Assigns a part of a balance.
    Assign { cell: u32, part: u8, value: i128 },
    /// A part of a balance has no value from now on.
    Clear { cell: u32, part: u8 },
    /// The bounds of a balance or count hold now.
    Check { cell: u32 },
    /// The bounds of a balance hold at the end of the unit.
    CheckAtEnd { cell: u32 },
    /// The balance exists and these parts are zero; it does not exist from now on.
    Close { cell: u32, zero: u8 },
    /// The author may make this move.
    Allow,
    /// The lifecycle is in one of the states `from` (none: it does not exist yet); it is in `to` from now on.
    Step { cell: u32, from: u64, to: Option<u8> },
    /// Steps a count, and looks at its bounds.
    Count { cell: u32, step: i64 },
    /// Looks at who holds a thing, and passes it on.
    Hold { cell: u32, from: HeldBy, to: HeldBy },
    /// Takes the next value of a sequence.
    Advance { cell: u32, to: u32 },
    /// Following holders from `to` does not meet `at`: both are texts.
    Follow { at: u32, to: u32 },
    /// Counts towards a sum that is looked at at the end of the unit.
    Contribute { summand: u32 },
    /// The record's counts are those of the votes of a group.
    Tally { group: u32 },
    /// The operand cannot be held at the scale of the cell.
    TooPrecise { cell: u32 },
    /// An expression of the rule overflows.
    Overflow,
    /// The rule needs nothing but the record, does not reject, and fails.
    Fails,
    /// The record holds a value in a private field.
    HoldsPrivate,
    /// A value without which the rule cannot hold is absent.
    Absent,
}

/// Who holds a thing, before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBy {
    Nobody,
    /// Whoever does.
    Whoever,
    /// This text.
    This(u32),
}

/// The next value of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    Value(Ordinal),
    /// From, to.
    Range(Ordinal, Ordinal),
    Reset(Ordinal),
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
    /// That bound of the balance, or the range of a count.
    Bound(u8),
    /// The author may not make the move.
    Forbidden,
    /// Too few have endorsed the amount.
    Unapproved,
    /// A number has more digits than a decimal may have.
    Overflow,
    /// More votes than a tally counts.
    TooMany,
    /// That pair of fields that a match compares.
    Differs(u16),
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
    pub(crate) texts: Vec<Box<str>>,
    pub(crate) advances: Vec<Advance>,
    /// The sum that each counts towards (its group and `by` values), and how much.
    pub(crate) summands: Vec<(Box<[u8]>, Amount)>,
    /// The values of the group that a tally counts, as JSON.
    pub(crate) groups: Vec<Vec<Vec<u8>>>,
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

    /// A text.
    pub(crate) fn text(&self, text: u32) -> &str {
        &self.texts[text as usize]
    }
}

/// Why a record was refused: the operation that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    /// The fields that the rule looked at, where there are some.
    pub(crate) field: Option<String>,
    /// The cell's name, where a cell was the reason.
    pub(crate) cell: Option<String>,
}

impl Rejection {
    /// The rejection that a failed operation stands for.
    pub(crate) fn of(record_type: &RecordType, chunk: &OpChunk, op: Op, failure: Failure) -> Rejection {
        let cell = op.action.cell();
        let kind = cell.map(|cell| &*chunk.cells[cell as usize].kind);
        if op.action == Action::HoldsPrivate {
            return Rejection::because(plain_private());
        }
        let rule = &record_type.rules[usize::from(op.rule)];
        let reason = match (failure, kind) {
            (Failure::Overflow, _) if op.action == Action::Overflow => no_value(),
            (Failure::Overflow, _) => overflow(),
            (Failure::TooMany, _) => Reason {
                code: codes::TOO_MANY_VOTES.to_owned(),
                message: format!("a tally counts at most {TALLY_RECORDS} records"),
            },
            (Failure::Missing, Some(kind)) => kind.missing_reason(&rule.reason).clone(),
            (Failure::Missing, None) => rule.missing_reason().clone(),
            (Failure::TooPrecise, Some(kind)) => kind.too_precise_reason(&rule.reason).clone(),
            (Failure::Bound(bound), Some(kind)) => kind.bound_reason(bound, &rule.reason).clone(),
            (Failure::Forbidden, _) => rule.forbidden_reason().clone(),
            (Failure::Unapproved, _) => rule.unapproved_reason().clone(),
            _ => rule.reason.clone(),
        };
        let aspect = match (failure, &rule.primitive) {
            (Failure::Forbidden, _) => None,
            (Failure::Missing | Failure::TooMany, _) | (Failure::Rule, Primitive::Open { .. }) => Some(Aspect::Key),
            (Failure::Rule, _) => Some(Aspect::Demand),
            (Failure::Overflow, _) if op.action == Action::Overflow => Some(Aspect::Value),
            (Failure::TooPrecise | Failure::Bound(_) | Failure::Unapproved | Failure::Overflow, _) => {
                Some(Aspect::Amount)
            }
            (Failure::Differs(pair), _) => Some(Aspect::Pair(usize::from(pair))),
        };
        let item = op.item.map(|item| item as usize);
        let field = aspect.and_then(|aspect| record_type.named(rule, aspect, item));
        let cell = cell.map(|cell| String::from_utf8_lossy(chunk.name(cell)).into_owned());
        Rejection { reason, field, cell }
    }

    /// One for which no operation stands.
    pub(crate) fn because(reason: Reason) -> Rejection {
        Rejection { reason, field: None, cell: None }
    }

    /// The same, in other words.
    #[must_use]
    pub(crate) fn in_words(mut self, message: &str) -> Rejection {
        message.clone_into(&mut self.reason.message);
        self
    }

    /// The same, about a field.
    #[must_use]
    pub(crate) fn about(self, field: &str) -> Rejection {
        Rejection { field: Some(field.to_owned()), ..self }
    }

    /// The same as the reason of the record that `other` follows: it has other fields.
    #[must_use]
    pub(crate) fn of_other(self, other: &str) -> Rejection {
        let Reason { code, message } = self.reason;
        Rejection { reason: Reason { code, message: format!("{other}: {message}") }, field: None, cell: self.cell }
    }
}

/// The reason where an expression of a rule has no value.
pub(super) fn no_value() -> Reason {
    Reason {
        code: codes::OVERFLOW.to_owned(),
        message: "the rule divides by zero, or computes with a number that has too many digits: guard it with `when`"
            .to_owned(),
    }
}

/// The reason where an amount leaves its bounds.
fn overflow() -> Reason {
    Reason {
        code: codes::OVERFLOW.to_owned(),
        message: format!("an amount has at most {DECIMAL_DIGITS} digits, and this would have more"),
    }
}

/// The reason that flags a record with a value in a private field: so it is on record that somebody wanted it in the clear.
fn plain_private() -> Reason {
    Reason {
        code: codes::PLAIN_PRIVATE.to_owned(),
        message: "a private field holds a value that is not encrypted".to_owned(),
    }
}

impl Op {
    /// What its failure does to the record.
    pub(super) fn severity(self, record_type: &RecordType) -> Severity {
        match self.action {
            Action::HoldsPrivate => Severity::Flag,
            _ => record_type.rules[usize::from(self.rule)].severity,
        }
    }
}

impl Action {
    /// Whether it sets the cell that it touches.
    pub(crate) fn is_effect(&self) -> bool {
        matches!(self.touch(), Touch::Sets(_))
    }

    /// What takes it back, where it is one of those that can be: additions and counts.
    pub(crate) fn undone(self) -> Option<Self> {
        match self {
            Action::Add { cell, part, check, delta } => Some(Action::Add { cell, part, check, delta: -delta }),
            Action::Count { cell, step } => Some(Action::Count { cell, step: -step }),
            _ => None,
        }
    }

    /// The cell it touches.
    pub(crate) fn cell(&self) -> Option<u32> {
        match self.touch() {
            Touch::Nothing => None,
            Touch::Reads(cell) | Touch::Sets(cell) => Some(cell),
        }
    }

    fn touch(&self) -> Touch {
        match *self {
            Action::Open { cell, .. }
            | Action::Add { cell, .. }
            | Action::Assign { cell, .. }
            | Action::Clear { cell, .. }
            | Action::Close { cell, .. }
            | Action::Count { cell, .. }
            | Action::Advance { cell, .. } => Touch::Sets(cell),
            Action::Step { cell, to, .. } if to.is_some() => Touch::Sets(cell),
            Action::Hold { cell, to, .. } if to != HeldBy::Whoever => Touch::Sets(cell),
            Action::Step { cell, .. }
            | Action::Hold { cell, .. }
            | Action::Approve { cell, .. }
            | Action::Check { cell }
            | Action::CheckAtEnd { cell }
            | Action::TooPrecise { cell } => Touch::Reads(cell),
            Action::Evaluate
            | Action::Take { .. }
            | Action::Version { .. }
            | Action::TakeBack { .. }
            | Action::Exists { .. }
            | Action::Match { .. }
            | Action::Allow
            | Action::Follow { .. }
            | Action::Contribute { .. }
            | Action::Tally { .. }
            | Action::Overflow
            | Action::Fails
            | Action::HoldsPrivate
            | Action::Absent => Touch::Nothing,
        }
    }
}

/// What an action does with a cell of its record.
enum Touch {
    Nothing,
    Reads(u32),
    Sets(u32),
}

/// The state a lifecycle cell is in, `None` where it does not exist.
pub(crate) fn lifecycle_state(lifecycle: &LifecycleType, stored: Option<u8>) -> Option<u8> {
    stored.or(lifecycle.initial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_no_rule_names_have_codes_of_the_engine() {
        let finance = crate::schema::parse(ledgerstone_schemas::FINANCE, "finance.toml").unwrap();
        let transfer = finance.record_type("finance.transfer").unwrap();
        let op = Op { rule: 0, item: None, action: Action::Overflow };
        for (failure, code) in [(Failure::Overflow, codes::OVERFLOW), (Failure::TooMany, codes::TOO_MANY_VOTES)] {
            let rejection = Rejection::of(transfer, &OpChunk::default(), op, failure);
            assert_eq!((rejection.reason.code.as_str(), rejection.cell), (code, None));
        }
    }
}
