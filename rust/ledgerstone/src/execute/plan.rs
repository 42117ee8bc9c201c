//! From rows to operations: which cells and keys each record touches, and how. Order-free, so it runs in parallel.
//!
//! Rules that need the record alone are lowered here. A rule that needs inputs or lookups is one operation, [`Action::Evaluate`], and
//! is lowered by the same code when its turn comes.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::ops::{Action, CellUse, KeyUse, Op, OpChunk};
use crate::schema::{CellType, Env, Expr, Primitive, RecordType, Rows, Rule, Scalar, Severity, rule_failure};

/// Hashes the bytes of a unique key.
pub(super) type KeyHash<'a> = &'a dyn Fn(&[u8]) -> u64;

/// Makes the operations of every row.
pub(crate) fn lower(rows: &Rows<'_>, record_type: &RecordType, key_hash: KeyHash<'_>) -> OpChunk {
    let rules: Vec<Planned<'_>> = planned(record_type).filter(|planned| !is_screened(planned.rule)).collect();
    let mut lowering = Lowering::new(rows, key_hash, &Env::NONE);
    lowering.chunk.ops.reserve(rows.len() * rules.len());
    let has_private_fields = record_type.has_private_fields();
    for row in 0..rows.len() {
        if has_private_fields && rows.private_value(row).is_some() {
            lowering.push(0, Action::HoldsPrivate);
        }
        rules.iter().for_each(|planned| lowering.take_back(planned, row));
        for planned in &rules {
            if planned.rule.is_dynamic() {
                lowering.push(planned.place, Action::Evaluate);
            } else if planned.rule.is_of_record() {
                // It does not reject: one that does was looked at before signing.
                if let Some(failed) = rule_failure(planned.rule, rows, row, &Env::NONE) {
                    lowering.item = failed.item.map(|item| item as u32);
                    lowering.push(planned.place, Action::Fails);
                    lowering.item = None;
                }
            } else {
                lowering.rule(planned, row);
            }
        }
        lowering.chunk.ends.push(lowering.chunk.ops.len() as u32);
    }
    lowering.chunk
}

/// Makes the operations of one rule of a row, with what it needs besides the record.
pub(super) fn lower_rule(rows: &Rows<'_>, rule: u16, row: usize, key_hash: KeyHash<'_>, env: &Env<'_>) -> OpChunk {
    let mut lowering = Lowering::new(rows, key_hash, env);
    if let Some(planned) = planned(rows.record_type()).nth(usize::from(rule)) {
        lowering.rule(&planned, row);
    }
    lowering.chunk
}

/// Makes the operations of a row on balances and counts: its effects, where its type replaces versions.
pub(crate) fn lower_effects(rows: &Rows<'_>, row: usize, key_hash: KeyHash<'_>) -> OpChunk {
    let mut lowering = Lowering::new(rows, key_hash, &Env::NONE);
    for planned in planned(rows.record_type()) {
        if matches!(planned.rule.primitive, Primitive::Balance { .. } | Primitive::Count { .. }) {
            lowering.rule(&planned, row);
        }
    }
    lowering.chunk
}

/// Whether a rule was looked at before the record was signed, and says nothing new afterwards.
fn is_screened(rule: &Rule) -> bool {
    rule.is_stateless() && rule.severity == Severity::Reject
}

/// A rule about to be lowered.
pub(super) struct Planned<'r> {
    /// Its place among the rules.
    pub(super) place: u16,
    pub(super) rule: &'r Rule,
    /// Its expressions besides `when` that compute something, and so may overflow.
    computed: Vec<&'r Expr>,
}

fn planned(record_type: &RecordType) -> impl Iterator<Item = Planned<'_>> {
    record_type.rules.iter().enumerate().map(|(place, rule)| Planned {
        place: place as u16,
        rule,
        computed: rule.operands().filter(|expression| expression.as_field().is_none()).collect(),
    })
}

/// Appends the bytes of a unique key (FORMAT.md section 12); false where a value is absent, and the key with it. `number` is the
/// place of the rule among the type's `unique` rules.
pub(crate) fn write_key(
    type_name: &str,
    number: usize,
    values: &[Expr],
    scope: Scope<'_, '_>,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.extend_from_slice(b"[\"");
    out.extend_from_slice(type_name.as_bytes());
    out.extend_from_slice(b"\",");
    ledgerstone_verify::canon::write_int(out, number as i64);
    out.extend_from_slice(b",[");
    for (nth, value) in values.iter().enumerate() {
        let value = scope.value(value);
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

/// Where expressions are evaluated: a record or an item of it, and what there is besides.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s, 'a> {
    pub(crate) rows: &'s Rows<'a>,
    pub(crate) row: usize,
    pub(crate) item: Option<usize>,
    pub(crate) env: &'s Env<'a>,
}

impl<'a> Scope<'_, 'a> {
    /// The value of an expression; absent where it overflows.
    pub(crate) fn value(&self, expr: &'a Expr) -> Scalar<'a> {
        expr.eval(self.rows, self.row, self.item, self.env)
    }
}

/// Lowering under way: what it has made, and where values come from.
pub(super) struct Lowering<'a> {
    pub(super) rows: &'a Rows<'a>,
    key_hash: KeyHash<'a>,
    pub(super) env: &'a Env<'a>,
    pub(super) chunk: OpChunk,
    interned: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The place in its list of the item at hand, where the rule runs over one.
    pub(super) item: Option<u32>,
    /// Cells that the rule at hand has added to, in order, and the first item that did.
    pub(super) touched: Vec<(u32, Option<u32>)>,
}

impl<'a> Lowering<'a> {
    fn new(rows: &'a Rows<'a>, key_hash: KeyHash<'a>, env: &'a Env<'a>) -> Self {
        Lowering {
            rows,
            key_hash,
            env,
            chunk: OpChunk::default(),
            interned: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            item: None,
            touched: Vec::new(),
        }
    }

    /// A version that replaces takes back what the one before did, whatever stands before the rule that says so.
    fn take_back(&mut self, planned: &Planned<'_>, row: usize) {
        if let Primitive::Unique { values, versioned: Some(versioned) } = &planned.rule.primitive
            && versioned.replace
            && planned.rule.when.as_ref().is_none_or(|when| when.is_true(self.rows, row, None, self.env))
            && let Some(key) = self.key(&self.rows.record_type().name, 0, values, row, None)
        {
            self.push(planned.place, Action::TakeBack { key });
        }
    }

    fn rule(&mut self, planned: &Planned<'_>, row: usize) {
        match planned.rule.each {
            None => self.application(planned, row, None),
            Some(list) => {
                for (place, item) in (0..).zip(self.rows.list_range(list, row)) {
                    self.item = Some(place);
                    self.application(planned, row, Some(item));
                }
                self.item = None;
                self.checks_after_items(planned);
            }
        }
    }

    fn application(&mut self, planned: &Planned<'_>, row: usize, item: Option<usize>) {
        let (rows, env) = (self.rows, self.env);
        // What a rule computes is of no consequence where it does not apply: a guard may stand before a division.
        match planned.rule.applies(rows, row, item, env) {
            Some(false) => {}
            Some(true) if !planned.computed.iter().any(|it| it.overflows(rows, row, item, env)) => {
                self.primitive(planned, row, item);
            }
            _ => self.push(planned.place, Action::Overflow),
        }
    }

    pub(super) fn push(&mut self, rule: u16, action: Action) {
        self.chunk.ops.push(Op { rule, item: self.item, action });
    }

    pub(super) fn value<'v>(&self, expr: &'v Expr, row: usize, item: Option<usize>) -> Scalar<'v>
    where
        'a: 'v,
    {
        expr.eval(self.rows, row, item, self.env)
    }

    pub(super) fn key(
        &mut self,
        type_name: &str,
        number: usize,
        values: &[Expr],
        row: usize,
        item: Option<usize>,
    ) -> Option<u32> {
        let bytes = &mut self.chunk.key_bytes;
        let start = bytes.len();
        let scope = Scope { rows: self.rows, row, item, env: self.env };
        if !write_key(type_name, number, values, scope, bytes) {
            return None;
        }
        let hash = (self.key_hash)(&bytes[start..]);
        let end = bytes.len() as u32;
        self.chunk.keys.push(KeyUse { hash, end });
        Some((self.chunk.keys.len() - 1) as u32)
    }

    /// The number of a cell within the chunk.
    pub(super) fn cell(
        &mut self,
        kind: &Arc<CellType>,
        at: &[Expr],
        by: &[Expr],
        row: usize,
        item: Option<usize>,
    ) -> u32 {
        let start = self.chunk.names.len();
        let (rows, env) = (self.rows, self.env);
        kind.write_name(
            at.iter().map(|value| value.eval(rows, row, item, env)),
            by.iter().map(|value| value.eval(rows, row, item, env)),
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
