//! From rows to operations: which cells and keys each record touches, and how. Order-free, so it runs in parallel.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::ops::{Action, CellUse, KeyUse, Op, OpChunk};
use crate::model::{Decimal, Parts};
use crate::schema::{CellKind, CellType, Env, Expr, Module, Primitive, RecordType, Rows, Rule, Scalar, Severity};

/// Makes the operations of every row. `key_hash` hashes the bytes of a unique key.
pub(crate) fn lower<'a>(
    rows: &'a Rows<'a>,
    record_type: &'a RecordType,
    key_hash: &'a dyn Fn(&[u8]) -> u64,
) -> OpChunk {
    let stateful: Vec<(u16, &Rule)> = record_type
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| !rule.is_of_record())
        .map(|(place, rule)| (place as u16, rule))
        .collect();
    let computed = record_type
        .rules
        .iter()
        .map(|rule| rule.expressions().filter(|expression| expression.as_field().is_none()).collect())
        .collect();
    let mut lowering = Lowering {
        computed,
        rows,
        record_type,
        key_hash,
        chunk: OpChunk::default(),
        interned: HashTable::new(),
        hasher: DefaultHashBuilder::default(),
        touched: Vec::new(),
    };
    lowering.chunk.ops.reserve(rows.len() * stateful.len());
    for row in 0..rows.len() {
        for &(place, rule) in &stateful {
            lowering.rule(place, rule, row);
        }
        lowering.chunk.ends.push(lowering.chunk.ops.len() as u32);
    }
    lowering.chunk
}

/// The type and the place of the first rule that this version reads but does not run; a module that has one is not loaded.
pub(crate) fn not_executed(module: &Module) -> Option<(&str, usize)> {
    let runs = |rule: &Rule| {
        let primitive = match &rule.primitive {
            Primitive::Conserve { group, .. } => group.is_none(),
            Primitive::Unique { versioned, .. } => versioned.is_none(),
            Primitive::Ref { targets, .. } => targets.len() == 1,
            Primitive::Balance { set, approval, .. } => set.is_empty() && approval.is_none(),
            Primitive::Lifecycle { allowed, .. } => allowed.is_none(),
            Primitive::Require(_)
            | Primitive::Window { .. }
            | Primitive::Match { .. }
            | Primitive::Open { .. }
            | Primitive::Close { .. } => true,
            _ => false,
        };
        primitive && !rule.is_dynamic() && rule.severity == Severity::Reject
    };
    let first = |declared: &'_ RecordType| declared.rules.iter().position(|rule| !runs(rule));
    module.types.iter().find_map(|declared| Some((declared.name.as_str(), first(declared)?)))
}

/// Appends the bytes of a unique key (FORMAT.md section 12); false where a value is absent, and the key with it. `number` is the
/// place of the rule among the type's `unique` rules.
pub(crate) fn write_key(
    type_name: &str,
    number: usize,
    values: &[Expr],
    rows: &Rows<'_>,
    row: usize,
    item: Option<usize>,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.extend_from_slice(b"[\"");
    out.extend_from_slice(type_name.as_bytes());
    out.extend_from_slice(b"\",");
    ledgerstone_verify::canon::write_int(out, number as i64);
    out.extend_from_slice(b",[");
    for (nth, value) in values.iter().enumerate() {
        let value = value.eval(rows, row, item, &Env::NONE);
        if matches!(value, Scalar::Absent) {
            out.truncate(start);
            return false;
        }
        if nth > 0 {
            out.push(b',');
        }
        value.write_json(out);
    }
    out.extend_from_slice(b"]]");
    true
}

struct Lowering<'a> {
    /// For each rule, its expressions that compute something.
    computed: Vec<Vec<&'a Expr>>,
    rows: &'a Rows<'a>,
    record_type: &'a RecordType,
    key_hash: &'a dyn Fn(&[u8]) -> u64,
    chunk: OpChunk,
    interned: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Cells that the rule at hand has added to, in order.
    touched: Vec<u32>,
}

impl Lowering<'_> {
    fn rule(&mut self, place: u16, rule: &Rule, row: usize) {
        match rule.each {
            None => self.application(place, rule, row, None),
            Some(list) => {
                for item in self.rows.list_range(list, row) {
                    self.application(place, rule, row, Some(item));
                }
                self.checks_after_items(place, rule);
            }
        }
    }

    fn application(&mut self, place: u16, rule: &Rule, row: usize, item: Option<usize>) {
        if self.computed[usize::from(place)]
            .iter()
            .any(|expression| expression.overflows(self.rows, row, item, &Env::NONE))
        {
            return self.push(place, Action::Overflow);
        }
        if rule.when.as_ref().is_some_and(|when| !when.is_true(self.rows, row, item, &Env::NONE)) {
            return;
        }
        match &rule.primitive {
            Primitive::Unique { values, versioned: None } => {
                let number = self.record_type.unique_number(usize::from(place));
                if let Some(key) = self.key(&self.record_type.name, number, values, row, item) {
                    self.push(place, Action::Take { key });
                }
            }
            Primitive::Ref { targets, at, external: false } => {
                for target in targets {
                    if let Some(key) = self.key(target, 0, at, row, item) {
                        self.push(place, Action::Exists { key });
                    }
                }
            }
            Primitive::Match { target, at, .. } => {
                if let Some(key) = self.key(target, 0, at, row, item) {
                    let first = rule.each.map_or(0, |list| self.rows.list_range(list, row).start);
                    let item = item.map(|item| (item - first) as u32);
                    self.push(place, Action::Match { key, item });
                }
            }
            Primitive::Open { cell, at, by, set } => {
                let id = self.cell(cell, at, by, row, item);
                match self.opening(cell, set, row, item) {
                    Some(parts) => {
                        self.chunk.opened.push(parts);
                        let parts = (self.chunk.opened.len() - 1) as u32;
                        self.push(place, Action::Open { cell: id, parts });
                    }
                    None => self.push(place, Action::TooPrecise { cell: id }),
                }
            }
            Primitive::Balance { cell, at, by, add, at_end, .. } => {
                let id = self.cell(cell, at, by, row, item);
                self.additions(place, rule, cell, id, add, *at_end, row, item);
            }
            Primitive::Close { cell, at, by, zero } => {
                let cell = self.cell(cell, at, by, row, item);
                let zero = zero.iter().fold(0, |mask, part| mask | 1 << part);
                self.push(place, Action::Close { cell, zero });
            }
            Primitive::Lifecycle { cell, at, from, to, .. } => {
                let cell = self.cell(cell, at, &[], row, item);
                self.push(place, Action::Step { cell, from: *from, to: *to });
            }
            // What is left is not loaded: see `not_executed`.
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one primitive, used once")]
    fn additions(
        &mut self,
        place: u16,
        rule: &Rule,
        kind: &CellType,
        cell: u32,
        add: &[(usize, Expr, bool)],
        at_end: bool,
        row: usize,
        item: Option<usize>,
    ) {
        let CellKind::Balance(balance) = &kind.kind else { return };
        let last = add.len().saturating_sub(1);
        for (nth, (part, summand, negated)) in add.iter().enumerate() {
            let delta = match operand(summand.eval(self.rows, row, item, &Env::NONE), balance.scale) {
                Operand::Absent => 0,
                Operand::TooPrecise => return self.push(place, Action::TooPrecise { cell }),
                Operand::Amount(amount) if *negated => -amount,
                Operand::Amount(amount) => amount,
            };
            let check = nth == last && !at_end && rule.each.is_none();
            self.push(place, Action::Add { cell, part: *part as u8, check, delta });
        }
        if at_end {
            self.push(place, Action::CheckAtEnd { cell });
        } else if rule.each.is_some() && !self.touched.contains(&cell) {
            self.touched.push(cell);
        }
    }

    /// Bounds are looked at when every item has been added, so that the legs of one entry may come in any order.
    fn checks_after_items(&mut self, place: u16, rule: &Rule) {
        if matches!(rule.primitive, Primitive::Balance { at_end: false, .. }) {
            for cell in std::mem::take(&mut self.touched) {
                self.push(place, Action::Check { cell });
            }
        }
    }

    fn push(&mut self, rule: u16, action: Action) {
        self.chunk.ops.push(Op { rule, action });
    }

    fn opening(&self, kind: &CellType, set: &[(usize, Expr)], row: usize, item: Option<usize>) -> Option<Parts> {
        let CellKind::Balance(balance) = &kind.kind else { return None };
        let mut parts = Parts::EMPTY;
        for (part, value) in set {
            match operand(value.eval(self.rows, row, item, &Env::NONE), balance.scale) {
                Operand::Absent => {}
                Operand::Amount(amount) => parts.set(*part, amount),
                Operand::TooPrecise => return None,
            }
        }
        Some(parts)
    }

    fn key(&mut self, type_name: &str, number: usize, values: &[Expr], row: usize, item: Option<usize>) -> Option<u32> {
        let bytes = &mut self.chunk.key_bytes;
        let start = bytes.len();
        if !write_key(type_name, number, values, self.rows, row, item, bytes) {
            return None;
        }
        let hash = (self.key_hash)(&bytes[start..]);
        let end = bytes.len() as u32;
        self.chunk.keys.push(KeyUse { hash, end });
        Some((self.chunk.keys.len() - 1) as u32)
    }

    /// The number of a cell within the chunk.
    fn cell(&mut self, kind: &Arc<CellType>, at: &[Expr], by: &[Expr], row: usize, item: Option<usize>) -> u32 {
        let start = self.chunk.names.len();
        let rows = self.rows;
        kind.write_name(
            at.iter().map(|value| value.eval(rows, row, item, &Env::NONE)),
            by.iter().map(|value| value.eval(rows, row, item, &Env::NONE)),
            &mut self.chunk.names,
        );
        let name = &self.chunk.names[start..];
        let hash = self.hasher.hash_one(name);
        let chunk = &self.chunk;
        if let Some(&known) = self.interned.find(hash, |&cell| chunk.name(cell) == name) {
            self.chunk.names.truncate(start);
            return known;
        }
        let id = self.chunk.cells.len() as u32;
        let name_end = self.chunk.names.len() as u32;
        self.chunk.cells.push(CellUse { kind: Arc::clone(kind), name_end });
        let (chunk, hasher) = (&self.chunk, &self.hasher);
        self.interned.insert_unique(hash, id, |&cell| hasher.hash_one(chunk.name(cell)));
        id
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
