//! What a new version of a module asks of what is stored.

use std::fmt;
use std::sync::Arc;

use crate::model::{CellValue, Parts};
use crate::schema::module::{BalanceType, Bound, CellKind, CellType, Reason};

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
    /// No record of a type is stored, and no cell of a kind was ever set.
    Unused {
        /// What changes: the type, or the type and cell.
        place: String,
        /// Full name of the type.
        owner: String,
        /// The cell, where one changes.
        cell: Option<Arc<CellType>>,
        /// What is new, and why it cannot be where something is stored.
        reason: String,
    },
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
            Demand::Unused { place, owner, reason, .. } => write!(f, "{place}: no {owner} is stored yet: {reason}"),
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
