//! What each primitive stands for: the operations of one application of a rule, to a record or to an item of it.

use super::ops::{Action, Advance, HeldBy};
use super::plan::{Lowering, Planned};
use crate::model::{Decimal, Ordinal, Parts};
use crate::schema::{
    Amount, Approval, CellKind, CellType, Expr, HolderFrom, HolderTo, Primitive, Scalar, SequenceStep, Versioned,
};

/// The operands of a `balance` rule.
struct Movement<'r> {
    add: &'r [(usize, Expr, bool)],
    set: &'r [(usize, Expr)],
    at_end: bool,
    approval: Option<&'r Approval>,
}

impl Lowering<'_> {
    /// The operations of a rule that applies.
    pub(super) fn primitive(&mut self, planned: &Planned<'_>, row: usize, item: Option<usize>) {
        let place = planned.place;
        match &planned.rule.primitive {
            Primitive::Unique { values, versioned } => self.unique(place, values, *versioned, row, item),
            Primitive::Ref { targets, at, external: false } => self.reference(place, targets, at, row, item),
            Primitive::Match { target, at, .. } => {
                if let Some(key) = self.key(target, 0, at, row, item) {
                    self.push(place, Action::Match { key });
                }
            }
            Primitive::Open { cell, at, by, set } => {
                let id = self.cell(cell, at, by, row, item);
                self.open(place, cell, id, set, row, item);
            }
            Primitive::Balance { cell, at, by, add, set, at_end, approval } => {
                let id = self.cell(cell, at, by, row, item);
                let movement = Movement { add, set, at_end: *at_end, approval: approval.as_ref() };
                self.movement(planned, cell, id, &movement, row, item);
            }
            Primitive::Close { cell, at, by, zero } => {
                let cell = self.cell(cell, at, by, row, item);
                let zero = zero.iter().fold(0, |mask, part| mask | 1 << part);
                self.push(place, Action::Close { cell, zero });
            }
            Primitive::Lifecycle { cell, at, from, to, allowed } => {
                if allowed.is_some() {
                    self.push(place, Action::Allow);
                }
                let cell = self.cell(cell, at, &[], row, item);
                self.push(place, Action::Step { cell, from: *from, to: *to });
            }
            Primitive::Count { cell, at, by, step } => {
                let cell = self.cell(cell, at, by, row, item);
                let step = if let Scalar::Int(step) = self.value(step, row, item) { step } else { 0 };
                self.push(place, Action::Count { cell, step });
            }
            Primitive::Holder { cell, at, by, from, to, allowed } => {
                if allowed.is_some() {
                    self.push(place, Action::Allow);
                }
                let cell = self.cell(cell, at, by, row, item);
                let action = self.hold(cell, from, to, row, item).unwrap_or(Action::Absent);
                self.push(place, action);
            }
            Primitive::Sequence { cell, at, by, step } => {
                let cell = self.cell(cell, at, by, row, item);
                let action = self.advance(cell, step, row, item).unwrap_or(Action::Absent);
                self.push(place, action);
            }
            Primitive::Acyclic { at, to, .. } => {
                if let (Some(at), Some(to)) = (self.text(at, row, item), self.text(to, row, item)) {
                    self.push(place, Action::Follow { at, to });
                }
            }
            Primitive::Conserve { group: Some(group), sum, by, .. } => {
                self.contribute(place, group, sum, by, row, item);
            }
            Primitive::Tally(tally) => {
                self.chunk.groups.push(tally.group.iter().map(|(_, value)| self.json(value, row, item)).collect());
                self.push(place, Action::Tally { group: (self.chunk.groups.len() - 1) as u32 });
            }
            Primitive::Require(_)
            | Primitive::Window { .. }
            | Primitive::Conserve { group: None, .. }
            | Primitive::Ref { external: true, .. }
            | Primitive::Emit { .. } => {}
        }
    }

    fn unique(&mut self, place: u16, values: &[Expr], versioned: Option<Versioned>, row: usize, item: Option<usize>) {
        let record_type = self.rows.record_type();
        let number = record_type.unique_number(usize::from(place));
        let Some(key) = self.key(&record_type.name, number, values, row, item) else { return };
        let action = match versioned {
            None => Action::Take { key },
            Some(versioned) => Action::Version { key, version: self.rows.int(versioned.version, row) },
        };
        self.push(place, action);
    }

    fn reference(&mut self, place: u16, targets: &[String], at: &[Expr], row: usize, item: Option<usize>) {
        let keys: Vec<u32> = targets.iter().filter_map(|target| self.key(target, 0, at, row, item)).collect();
        if let Some(&key) = keys.first() {
            self.push(place, Action::Exists { key, keys: keys.len() as u32 });
        }
    }

    fn open(&mut self, place: u16, kind: &CellType, cell: u32, set: &[(usize, Expr)], row: usize, item: Option<usize>) {
        let action = match self.opening(kind, set, row, item) {
            Some(parts) => {
                self.chunk.opened.push(parts);
                Action::Open { cell, parts: (self.chunk.opened.len() - 1) as u32 }
            }
            None => Action::TooPrecise { cell },
        };
        self.push(place, action);
    }

    fn opening(&self, kind: &CellType, set: &[(usize, Expr)], row: usize, item: Option<usize>) -> Option<Parts> {
        let CellKind::Balance(balance) = &kind.kind else { return None };
        let mut parts = Parts::EMPTY;
        for (part, value) in set {
            match operand(self.value(value, row, item), balance.scale) {
                Operand::Absent => {}
                Operand::Amount(amount) => parts.set(*part, amount),
                Operand::TooPrecise => return None,
            }
        }
        Some(parts)
    }

    /// Approval is looked at first, then summands are added, then parts assigned, then bounds looked at.
    fn movement(
        &mut self,
        planned: &Planned<'_>,
        kind: &CellType,
        cell: u32,
        movement: &Movement<'_>,
        row: usize,
        item: Option<usize>,
    ) {
        let CellKind::Balance(balance) = &kind.kind else { return };
        let (place, is_each) = (planned.place, planned.rule.each.is_some());
        let checks_at_once = !movement.at_end && !is_each;
        let last = movement.add.len().saturating_sub(1);
        for (nth, (part, summand, negated)) in movement.add.iter().enumerate() {
            let delta = match operand(self.value(summand, row, item), balance.scale) {
                Operand::Absent => 0,
                Operand::TooPrecise => return self.push(place, Action::TooPrecise { cell }),
                Operand::Amount(amount) if *negated => match amount.checked_neg() {
                    Some(delta) => delta,
                    None => return self.push(place, Action::Overflow),
                },
                Operand::Amount(amount) => amount,
            };
            if nth == 0 && movement.approval.is_some() {
                self.push(place, Action::Approve { cell, amount: delta.unsigned_abs() });
            }
            let check = nth == last && checks_at_once && movement.set.is_empty();
            self.push(place, Action::Add { cell, part: *part as u8, check, delta });
        }
        for (part, value) in movement.set {
            let part = *part as u8;
            let action = match operand(self.value(value, row, item), balance.scale) {
                Operand::Absent => Action::Clear { cell, part },
                Operand::TooPrecise => Action::TooPrecise { cell },
                Operand::Amount(value) => Action::Assign { cell, part, value },
            };
            self.push(place, action);
        }
        if movement.at_end {
            self.push(place, Action::CheckAtEnd { cell });
        } else if is_each {
            if !self.touched.iter().any(|(touched, _)| *touched == cell) {
                self.touched.push((cell, self.item));
            }
        } else if !movement.set.is_empty() {
            self.push(place, Action::Check { cell });
        }
    }

    /// Bounds are looked at when every item has been added, so that the legs of one entry may come in any order.
    pub(super) fn checks_after_items(&mut self, planned: &Planned<'_>) {
        for (cell, item) in std::mem::take(&mut self.touched) {
            self.item = item;
            self.push(planned.place, Action::Check { cell });
        }
        self.item = None;
    }

    fn hold(&mut self, cell: u32, from: &HolderFrom, to: &HolderTo, row: usize, item: Option<usize>) -> Option<Action> {
        let from = match from {
            HolderFrom::Nobody => HeldBy::Nobody,
            HolderFrom::Anybody => HeldBy::Whoever,
            HolderFrom::Value(value) => HeldBy::This(self.text(value, row, item)?),
        };
        let to = match to {
            HolderTo::Same => HeldBy::Whoever,
            HolderTo::Released => HeldBy::Nobody,
            HolderTo::Value(value) => HeldBy::This(self.text(value, row, item)?),
        };
        Some(Action::Hold { cell, from, to })
    }

    fn advance(&mut self, cell: u32, step: &SequenceStep, row: usize, item: Option<usize>) -> Option<Action> {
        let ordinal = |value: &Expr| Ordinal::of(self.value(value, row, item));
        let advance = match step {
            SequenceStep::Value(value) => Advance::Value(ordinal(value)?),
            SequenceStep::Range { from, to } => Advance::Range(ordinal(from)?, ordinal(to)?),
            SequenceStep::Reset(value) => Advance::Reset(ordinal(value)?),
        };
        self.chunk.advances.push(advance);
        Some(Action::Advance { cell, to: (self.chunk.advances.len() - 1) as u32 })
    }

    fn json(&self, value: &Expr, row: usize, item: Option<usize>) -> Vec<u8> {
        let mut json = Vec::new();
        self.value(value, row, item).write_json(&mut json);
        json
    }

    fn text(&mut self, value: &Expr, row: usize, item: Option<usize>) -> Option<u32> {
        let Scalar::Text(text) = self.value(value, row, item) else { return None };
        let text = Box::from(text);
        self.chunk.texts.push(text);
        Some((self.chunk.texts.len() - 1) as u32)
    }

    /// An absent summand counts as nothing.
    fn contribute(&mut self, place: u16, group: &str, sum: &Expr, by: &[Expr], row: usize, item: Option<usize>) {
        let Some(amount) = Amount::of(&self.value(sum, row, item)) else { return };
        // Groups are the module's own.
        let module = self.rows.record_type().name.split('.').next().unwrap_or_default();
        let mut name = format!("{module}.{group}").into_bytes();
        for value in by {
            name.push(b',');
            name.extend(self.json(value, row, item));
        }
        self.chunk.summands.push((name.into_boxed_slice(), amount));
        let summand = (self.chunk.summands.len() - 1) as u32;
        self.push(place, Action::Contribute { summand });
    }
}

enum Operand {
    Absent,
    Amount(i128),
    TooPrecise,
}

fn operand(value: Scalar<'_>, scale: u8) -> Operand {
    let exact = match value {
        Scalar::Decimal(mantissa, own) if own == scale => Some(mantissa),
        Scalar::Decimal(mantissa, own) => Decimal::new(mantissa, own).rescaled(scale),
        Scalar::Int(value) => Decimal::new(i128::from(value), 0).rescaled(scale),
        _ => return Operand::Absent,
    };
    exact.map_or(Operand::TooPrecise, Operand::Amount)
}
