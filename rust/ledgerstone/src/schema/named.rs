//! The fields that the error of a failed rule names.
//!
//! They follow from the rule and from what of it failed, so nothing of them is stored, signed or hashed: an outcome has its code
//! alone.

use super::expr::{Expr, Fields};
use super::module::{HolderFrom, Primitive, RecordType, Rule};
use crate::limits::FIELDS_NAMED;

/// What of a rule failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// What it demands: its condition, that a key is free, that a state or holder is the right one.
    Demand,
    /// The record or the cell that it names is not there, or is there already.
    Key,
    /// An amount or a step.
    Amount,
    /// One of its expressions has no value.
    Value,
    /// That pair of fields that `match` compares.
    Pair(usize),
}

impl RecordType {
    /// The fields that the error of a rule names, in the order of the record: at most [`FIELDS_NAMED`], with commas between. `item`:
    /// the place in its list of the item that failed, where it runs over one and it is known. `None` where it looks at no field.
    pub(crate) fn named(&self, rule: &Rule, aspect: Aspect, item: Option<usize>) -> Option<String> {
        let primitive = &rule.primitive;
        if let (Aspect::Pair(nth), Primitive::Match { pairs, .. }) = (aspect, primitive) {
            let ours = &pairs.get(nth)?.ours;
            return Some(match (rule.each, ours.strip_prefix("item")) {
                (Some(list), Some(path)) if path.is_empty() || path.starts_with('.') => {
                    let place = item.map_or(String::new(), |item| format!("[{item}]"));
                    format!("{}{place}{path}", self.fields[list].name)
                }
                _ => ours.clone(),
            });
        }
        let mut fields = Fields::new(self, rule.each.zip(item));
        match (aspect, primitive) {
            (Aspect::Demand, Primitive::Unique { versioned: Some(versioned), .. }) => {
                fields.add_field(versioned.version)
            }
            (Aspect::Demand, Primitive::Tally(tally)) => {
                fields.add_field(tally.counts);
                tally.winner.into_iter().for_each(|winner| fields.add_field(winner));
            }
            (Aspect::Demand, _) => primitive.demanded().into_iter().for_each(|expr| fields.add(expr)),
            (Aspect::Amount, _) => primitive.amounts().into_iter().for_each(|expr| fields.add(expr)),
            (Aspect::Value, _) => {
                rule.operands().filter(|expr| expr.as_field().is_none()).for_each(|expr| fields.add(expr));
                if fields.is_empty() {
                    rule.when.iter().for_each(|when| fields.add(when));
                }
            }
            (Aspect::Key | Aspect::Pair(_), _) => {}
        }
        if fields.is_empty() {
            primitive.keys().into_iter().for_each(|expr| fields.add(expr));
        }
        let names: Vec<String> = fields.names().take(FIELDS_NAMED).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

impl Primitive {
    /// What says which record, key or cell it is about.
    fn keys(&self) -> Vec<&Expr> {
        match self {
            Primitive::Unique { values, .. } => values.iter().collect(),
            Primitive::Ref { at, .. } | Primitive::Match { at, .. } | Primitive::Lifecycle { at, .. } => {
                at.iter().collect()
            }
            Primitive::Open { at, by, .. }
            | Primitive::Balance { at, by, .. }
            | Primitive::Close { at, by, .. }
            | Primitive::Count { at, by, .. }
            | Primitive::Holder { at, by, .. }
            | Primitive::Sequence { at, by, .. } => at.iter().chain(by).collect(),
            Primitive::Acyclic { at, .. } => vec![at],
            Primitive::Tally(tally) => tally.group.iter().map(|(_, value)| value).collect(),
            Primitive::Require(_) | Primitive::Conserve { .. } | Primitive::Window { .. } | Primitive::Emit { .. } => {
                Vec::new()
            }
        }
    }

    /// What it holds against its demand, where that is more than a key.
    fn demanded(&self) -> Vec<&Expr> {
        match self {
            Primitive::Require(condition) => vec![condition],
            Primitive::Window { field, .. } => vec![field],
            Primitive::Holder { from: HolderFrom::Value(holder), .. } => vec![holder],
            Primitive::Sequence { step, .. } => step.values(),
            Primitive::Acyclic { to, .. } => vec![to],
            Primitive::Conserve { .. } | Primitive::Balance { .. } | Primitive::Count { .. } => self.amounts(),
            _ => Vec::new(),
        }
    }

    /// What it adds, sets or sums.
    fn amounts(&self) -> Vec<&Expr> {
        match self {
            Primitive::Conserve { sum, .. } => vec![sum],
            Primitive::Open { set, .. } => set.iter().map(|(_, value)| value).collect(),
            Primitive::Balance { add, set, .. } => {
                add.iter().map(|(_, summand, _)| summand).chain(set.iter().map(|(_, value)| value)).collect()
            }
            Primitive::Count { step, .. } => vec![step],
            _ => Vec::new(),
        }
    }
}
