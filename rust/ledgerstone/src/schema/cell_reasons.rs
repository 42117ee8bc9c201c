//! Which reason a failed operation gives: the cell's own where it declares one, otherwise the rule's.

use super::module::{Allowed, CellKind, CellType, Primitive, Reason, RecordType, Rule};

impl CellType {
    /// Where the cell does not exist.
    pub(crate) fn missing_reason<'a>(&'a self, rule: &'a Reason) -> &'a Reason {
        match &self.kind {
            CellKind::Balance(balance) => &balance.missing,
            CellKind::Lifecycle(lifecycle) => &lifecycle.missing,
            CellKind::Holder(holder) => &holder.missing,
            CellKind::Count(_) | CellKind::Sequence(_) => rule,
        }
    }

    /// Where an operand has too many digits.
    pub(crate) fn too_precise_reason<'a>(&'a self, rule: &'a Reason) -> &'a Reason {
        match &self.kind {
            CellKind::Balance(balance) => &balance.too_precise,
            _ => rule,
        }
    }

    /// Where a bound does not hold.
    pub(crate) fn bound_reason<'a>(&'a self, bound: u8, rule: &'a Reason) -> &'a Reason {
        match &self.kind {
            CellKind::Balance(balance) => balance.bounds.get(usize::from(bound)).map_or(rule, |bound| &bound.reason),
            CellKind::Count(count) => &count.out_of_range,
            _ => rule,
        }
    }
}

impl Rule {
    /// Where the record it refers to does not exist.
    pub(crate) fn missing_reason(&self) -> &Reason {
        match &self.primitive {
            Primitive::Match { missing, .. } => missing,
            _ => &self.reason,
        }
    }
}

impl Rule {
    /// Who may make the move, where not everybody may.
    pub(crate) fn allowed(&self) -> Option<&Allowed> {
        match &self.primitive {
            Primitive::Lifecycle { allowed, .. } | Primitive::Holder { allowed, .. } => allowed.as_ref(),
            _ => None,
        }
    }

    /// Where the author may not make the move.
    pub(crate) fn forbidden_reason(&self) -> &Reason {
        self.allowed().map_or(&self.reason, |allowed| &allowed.reason)
    }

    /// Where too few have endorsed the amount.
    pub(crate) fn unapproved_reason(&self) -> &Reason {
        match &self.primitive {
            Primitive::Balance { approval: Some(approval), .. } => &approval.reason,
            _ => &self.reason,
        }
    }
}

impl RecordType {
    /// The places of the `unique` rules among its rules, in order.
    pub(crate) fn unique_rules(&self) -> impl Iterator<Item = usize> {
        let rules = self.rules.iter().enumerate();
        rules.filter(|(_, rule)| matches!(rule.primitive, Primitive::Unique { .. })).map(|(place, _)| place)
    }

    /// The place of a rule among the `unique` rules.
    pub(crate) fn unique_number(&self, rule: usize) -> usize {
        self.unique_rules().take_while(|place| *place < rule).count()
    }
}
