//! What is looked at when a unit ends: deferred bounds, and sums over all of its records.

use std::collections::{BTreeMap, BTreeSet};

use super::cells;
use super::chunks::Chunks;
use super::ops::{Action, Failure, Op, Rejection};
use super::working::{Place, Working};
use crate::schema::{Amount, Primitive, Rule, Severity};

/// An operation that is looked at again when its unit ends.
#[derive(Clone, Copy)]
pub(super) struct Deferred {
    pub(super) place: Place,
    /// Number of the operations it is one of.
    pub(super) ops: u32,
    pub(super) op: Op,
}

/// The deferred operations that fail, in the order of records and rules, and what that does: bounds that do not hold, and of each sum
/// that is out of its bounds the first that counts towards it.
pub(super) fn unmet<'w, 'c>(
    chunks: &'w Chunks<'c>,
    working: &'w Working,
    deferred: &'w [Deferred],
) -> impl Iterator<Item = (Place, Severity, Rejection)> + use<'w, 'c> {
    let sums = sums(chunks, working, deferred);
    let mut seen = BTreeSet::new();
    deferred.iter().filter_map(move |deferred| {
        let record_type = &chunks[deferred.place.chunk as usize].record_type;
        let ops = working.operations(chunks, deferred.ops);
        let failure = match deferred.op.action {
            Action::Contribute { summand } => {
                let (name, _) = &ops.summands[summand as usize];
                if !seen.insert(&**name) {
                    return None;
                }
                let rule = &record_type.rules[usize::from(deferred.op.rule)];
                is_conserved(rule, sums.get(&**name).copied().flatten()).err()?
            }
            action => cells::check(working, working.slot(deferred.ops, action.cell()?)).err()?,
        };
        let rejection = Rejection::of(record_type, ops, deferred.op, failure);
        Some((deferred.place, deferred.op.severity(record_type), rejection))
    })
}

/// The sums that the deferred operations count towards, by name; `None` where one overflows.
fn sums<'w>(chunks: &'w Chunks<'_>, working: &'w Working, deferred: &[Deferred]) -> BTreeMap<&'w [u8], Option<Amount>> {
    let mut sums = BTreeMap::new();
    for deferred in deferred {
        if let Action::Contribute { summand } = deferred.op.action {
            let (name, amount) = &working.operations(chunks, deferred.ops).summands[summand as usize];
            sums.entry(&**name)
                .and_modify(|sum: &mut Option<Amount>| *sum = sum.and_then(|sum| sum.plus(*amount)))
                .or_insert(Some(*amount));
        }
    }
    sums
}

fn is_conserved(rule: &Rule, sum: Option<Amount>) -> Result<(), Failure> {
    let Primitive::Conserve { low, high, .. } = &rule.primitive else { return Err(Failure::Rule) };
    let is_within = sum.and_then(|sum| sum.is_within(*low, *high)).ok_or(Failure::Overflow)?;
    if is_within { Ok(()) } else { Err(Failure::Rule) }
}
