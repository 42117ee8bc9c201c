//! What a new version of a module asks of what is stored.

use std::fmt;
use std::sync::Arc;

use crate::model::{CellValue, Parts};
use crate::schema::module::{BalanceType, Bound, CellKind, CellType, Primitive, Reason, RecordType};

/// What has to hold of what is stored, so that a new version of a module may follow.
#[derive(Debug, Clone)]
pub enum Demand {
    /// Every cell of this kind keeps bounds that are new or narrower.
    Bounds {
        /// The cell as the new version declares it.
        cell: Arc<CellType>,
        /// Which of the bounds of a balance; none for a count, whose range is meant.
        bounds: Vec<usize>,
    },
    /// No record of the type that owns a cell is stored, and no such cell was ever set.
    Unused {
        /// The cell as the new version declares it.
        cell: Arc<CellType>,
        /// What is new, and why it cannot be where something is stored.
        reason: String,
    },
    /// The stored records of a type keep a `unique` rule that is new: they take its keys when the new version is loaded.
    Keys(AddedKey),
}

/// A `unique` rule that a version of a type has, and the version before it had not.
#[derive(Debug, Clone)]
pub struct AddedKey {
    /// The type, in the version that added the rule.
    pub record_type: Arc<RecordType>,
    /// The place of the rule among its rules.
    pub rule: usize,
}

impl AddedKey {
    /// The `unique` rules that a version has beyond those of an earlier one. The earlier ones stay in front ([`compat`](super::compat)).
    pub(crate) fn between(old: &RecordType, new: &Arc<RecordType>) -> Vec<AddedKey> {
        let added = new.unique_rules().skip(old.unique_rules().count());
        added.map(|rule| AddedKey { record_type: Arc::clone(new), rule }).collect()
    }

    /// The rule in words.
    pub(crate) fn text(&self) -> String {
        super::key_text(&self.record_type, &self.record_type.rules[self.rule])
    }

    /// Whether records with one key are versions that follow each other, and none takes back what the one before did.
    pub(crate) fn is_appending(&self) -> bool {
        let primitive = &self.record_type.rules[self.rule].primitive;
        matches!(primitive, Primitive::Unique { versioned: Some(versioned), .. } if !versioned.replace)
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Demand::Bounds { cell, bounds } => {
                let codes: Vec<&str> = match &cell.kind {
                    CellKind::Balance(balance) => {
                        bounds.iter().map(|bound| balance.bounds[*bound].reason.code.as_str()).collect()
                    }
                    CellKind::Count(count) => vec![&count.out_of_range.code],
                    _ => Vec::new(),
                };
                write!(f, "{}.{}: what is stored keeps {}", cell.owner, cell.name, codes.join(" and "))
            }
            Demand::Unused { cell, reason } => {
                write!(f, "{}.{}: no {} is stored yet: {reason}", cell.owner, cell.name, cell.owner)
            }
            Demand::Keys(added) => {
                write!(
                    f,
                    "{}: the records that are stored keep the unique rule {}",
                    added.record_type.name,
                    added.text()
                )
            }
        }
    }
}

impl Bound {
    /// Whether parts keep it: it holds where one that it names is absent. `None` where the sum overflows.
    pub(crate) fn holds(&self, parts: &Parts) -> Option<bool> {
        let mut sum = Some(0i128);
        for &(part, coefficient) in &self.terms {
            let Some(value) = parts.part(part) else { return Some(true) };
            sum = sum.and_then(|sum| sum.checked_add(value.checked_mul(i128::from(coefficient))?));
        }
        Some(sum? >= 0)
    }
}

impl BalanceType {
    /// Why the first of some bounds that parts do not keep matters.
    pub(super) fn broken(&self, bounds: &[usize], parts: &Parts) -> Option<&Reason> {
        let mut bounds = bounds.iter().map(|bound| &self.bounds[*bound]);
        bounds.find(|bound| bound.holds(parts) != Some(true)).map(|bound| &bound.reason)
    }
}

impl CellType {
    /// Why the first of some bounds (of a count its range) that a value does not keep matters.
    pub(crate) fn broken(&self, bounds: &[usize], value: &CellValue) -> Option<&Reason> {
        match (&self.kind, value) {
            (CellKind::Balance(balance), CellValue::Parts(parts)) => balance.broken(bounds, parts),
            (CellKind::Count(range), CellValue::Count(count)) => {
                let is_within = *count >= range.low && range.high.is_none_or(|high| *count <= high);
                (!is_within).then_some(&range.out_of_range)
            }
            _ => None,
        }
    }
}
