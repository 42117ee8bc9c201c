//! Rules that change cells.

use std::sync::Arc;

use super::rules::Draft;
use super::table::Text;
use crate::schema::expr::Expr;
use crate::schema::module::{
    Allowed, Approval, BalanceType, CellKind, CellType, HolderFrom, HolderTo, LifecycleType, Primitive, SequenceStep,
    SequenceType,
};
use crate::schema::scalar::ScalarKind;

const NUMBERS: &[ScalarKind] = &[ScalarKind::Int, ScalarKind::Decimal];

impl Draft<'_, '_> {
    pub(super) fn open(&self) -> Option<Primitive> {
        let cell = self.cell_of("open", "balance")?;
        let CellKind::Balance(balance) = &cell.kind else { return None };
        if balance.opening.is_some() {
            self.table.fault_at("open", "the balance has an opening: it exists from the start and is not opened");
        }
        let (at, by) = self.cell_name(&cell)?;
        let set = self.amounts("set", &balance.parts);
        if !self.table.has("set") {
            self.table.fault("`open` needs \"set\": the parts of the balance and their first values");
        }
        Some(Primitive::Open { at, by, set, cell })
    }

    pub(super) fn balance(&self) -> Option<Primitive> {
        let cell = self.cell_of("balance", "balance")?;
        let CellKind::Balance(balance) = &cell.kind else { return None };
        let (at, by) = self.cell_name(&cell)?;
        let mut add: Vec<(usize, Expr, bool)> = Vec::new();
        for (key, negated) in [("add", false), ("subtract", true)] {
            add.extend(self.amounts(key, &balance.parts).into_iter().map(|(part, expr)| (part, expr, negated)));
        }
        let set = self.amounts("set", &balance.parts);
        if !["add", "subtract", "set"].iter().any(|key| self.table.has(key)) {
            self.table.fault("`balance` needs \"add\", \"subtract\" or \"set\"");
        }
        let approval = self.approval(balance);
        if approval.is_some() && add.is_empty() {
            self.table.fault_at("approval", "an approval looks at the amount that is added or subtracted");
        }
        Some(Primitive::Balance { at, by, add, set, at_end: self.table.bool("at_end"), approval, cell })
    }

    fn approval(&self, balance: &BalanceType) -> Option<Approval> {
        let table = self.table.table("approval")?;
        table.known("\"approval\"", &["above", "roles", "count", "code", "message"]);
        let above = table.required_text("\"approval\"", "above");
        let above = above.and_then(|part| self.reader.position(&part, &balance.parts, "part"));
        let roles = self.reader.role_names(&table, "roles").unwrap_or_default();
        if roles.is_empty() {
            table.fault("\"approval\" needs \"roles\": who may endorse");
        }
        let count = table.int("count", 1, 16).map_or(1, |(count, _)| count as u32);
        let reason = self.reader.reason(&table, "approval_needed", || {
            format!("an amount above this limit needs {count} of {}", roles.join(" or "))
        });
        Some(Approval { above: above?, roles, count, reason })
    }

    pub(super) fn close(&self) -> Option<Primitive> {
        let cell = self.cell_of("close", "balance")?;
        let CellKind::Balance(balance) = &cell.kind else { return None };
        let (at, by) = self.cell_name(&cell)?;
        let zero = self.table.texts("zero").unwrap_or_default();
        if zero.is_empty() {
            self.table.fault("`close` needs \"zero\": the parts that must be zero");
        }
        let zero = zero.iter().filter_map(|part| self.reader.position(part, &balance.parts, "part")).collect();
        Some(Primitive::Close { at, by, zero, cell })
    }

    pub(super) fn count(&self) -> Option<Primitive> {
        let cell = self.cell_of("count", "count")?;
        let (at, by) = self.cell_name(&cell)?;
        let Some(step) = self.table.int_or_text("step", -crate::limits::INT_MAX, crate::limits::INT_MAX) else {
            if !self.table.has("step") {
                self.table.fault("`count` needs \"step\": 1, -1 or an int expression");
            }
            return None;
        };
        let step = self.expr(&step, &[ScalarKind::Int])?;
        Some(Primitive::Count { cell, at, by, step })
    }

    pub(super) fn lifecycle(&self) -> Option<Primitive> {
        let cell = self.cell_of("lifecycle", "lifecycle")?;
        let CellKind::Lifecycle(lifecycle) = &cell.kind else { return None };
        let (at, _) = self.cell_name(&cell)?;
        let (from, to) = self.moves(lifecycle);
        Some(Primitive::Lifecycle { at, from, to, allowed: self.allowed(), cell })
    }

    /// Who may make the move.
    fn allowed(&self) -> Option<Allowed> {
        let Some(roles) = self.reader.role_names(&self.table, "roles") else {
            if self.table.has("forbidden") {
                self.table.fault_at("forbidden", "\"forbidden\" says why without one of \"roles\"");
            }
            return None;
        };
        if roles.is_empty() {
            self.table.fault_at("roles", "\"roles\" is empty");
        }
        let reason = self.reader.reason_in(&self.table, "forbidden", "move_not_allowed", || {
            format!("only {} may do this", roles.join(" or "))
        });
        Some(Allowed { roles, reason })
    }

    /// The states before as a set, and the state after.
    fn moves(&self, lifecycle: &LifecycleType) -> (u64, Option<u8>) {
        let from = self.table.texts("from");
        if from.is_none() {
            self.table.fault("`lifecycle` needs \"from\": the states allowed; [] where the cell must not exist");
        }
        let from = from.unwrap_or_default();
        let positions = from.iter().filter_map(|state| self.reader.position(state, &lifecycle.states, "state"));
        let set = positions.fold(0u64, |set, state| set | 1 << state);
        let to = self
            .table
            .text("to")
            .and_then(|state| self.reader.position(&state, &lifecycle.states, "state"))
            .map(|state| state as u8);
        if from.is_empty() && self.table.has("from") {
            if lifecycle.initial.is_some() {
                self.table.fault_at("from", "a cell with an initial state always exists: \"from\" names states");
            } else if !self.table.has("to") {
                self.table.fault_at("from", "a cell that must not exist is made by \"to\"");
            }
        }
        (set, to)
    }

    pub(super) fn holder(&self) -> Option<Primitive> {
        let cell = self.cell_of("holder", "holder")?;
        let (at, by) = self.cell_name(&cell)?;
        let value = |key: &str| self.table.text(key).map(|text| self.expr(&text, &[ScalarKind::Text]));
        let from = match (value("from"), self.table.bool("any")) {
            (Some(_), true) => {
                self.table.fault_at("any", "\"any\" and \"from\" exclude each other");
                return None;
            }
            (Some(from), false) => HolderFrom::Value(from?),
            (None, true) => HolderFrom::Anybody,
            (None, false) => HolderFrom::Nobody,
        };
        let to = match (value("to"), self.table.bool("release")) {
            (Some(_), true) => {
                self.table.fault_at("release", "\"release\" and \"to\" exclude each other");
                return None;
            }
            (Some(to), false) => HolderTo::Value(to?),
            (None, true) => HolderTo::Released,
            (None, false) => HolderTo::Same,
        };
        if matches!((&from, &to), (HolderFrom::Nobody, HolderTo::Released)) {
            self.table.fault_at("release", "what nobody holds is not released: give \"from\" or \"any\"");
        }
        Some(Primitive::Holder { cell, at, by, from, to, allowed: self.allowed() })
    }

    pub(super) fn sequence(&self) -> Option<Primitive> {
        let cell = self.cell_of("sequence", "sequence")?;
        let CellKind::Sequence(sequence) = &cell.kind else { return None };
        let (at, by) = self.cell_name(&cell)?;
        let step = self.sequence_step(sequence)?;
        Some(Primitive::Sequence { at, by, step, cell })
    }

    fn sequence_step(&self, sequence: &SequenceType) -> Option<SequenceStep> {
        let kinds = [sequence.kind];
        let read = |key: &str| self.table.text(key).map(|text| self.expr(&text, &kinds));
        let (value, from, to) = (read("value"), read("from"), read("to"));
        Some(match (value, from, to, self.table.bool("reset")) {
            (Some(value), None, None, true) => SequenceStep::Reset(value?),
            (Some(value), None, None, false) => SequenceStep::Value(value?),
            (None, Some(from), Some(to), false) => SequenceStep::Range { from: from?, to: to? },
            _ => {
                self.table.fault("`sequence` needs \"value\" (with \"reset\" or without), or \"from\" and \"to\"");
                return None;
            }
        })
    }

    pub(super) fn acyclic(&self) -> Option<Primitive> {
        let cell = self.cell_of("acyclic", "holder")?;
        let (at, by) = self.cell_name(&cell)?;
        let mut keys = at.into_iter();
        let (Some(at), None, true) =
            (keys.next().filter(|at| at.kind() == ScalarKind::Text), keys.next(), by.is_empty())
        else {
            self.table.fault_at("at", "`acyclic` follows a cell whose key is one text");
            return None;
        };
        let to = self.table.required_text("an `acyclic` rule", "to");
        let to = to.and_then(|text| self.expr(&text, &[ScalarKind::Text]));
        if !self.table.has("depth") {
            self.table.fault("an `acyclic` rule needs \"depth\": how many steps are followed, 1 to 64");
        }
        let depth = self.table.int("depth", 1, 64).map_or(1, |(depth, _)| depth as u32);
        Some(Primitive::Acyclic { cell, at, to: to?, depth })
    }

    /// `{ part = "expression" }`, each a number.
    fn amounts(&self, key: &str, parts: &[String]) -> Vec<(usize, Expr)> {
        let entries = self.table.table(key).map_or_else(Vec::new, |table| table.entries());
        if entries.is_empty() && self.table.has(key) {
            self.table.fault_at(key, format!("\"{key}\" is empty"));
        }
        let mut amounts = Vec::new();
        for entry in entries {
            let name = Text { value: entry.name.to_owned(), span: entry.at..entry.at };
            let part = self.reader.position(&name, parts, "part");
            let expr = entry.text(self.reader.source).and_then(|text| self.expr(&text, NUMBERS));
            amounts.extend(part.zip(expr));
        }
        amounts
    }

    /// The cell of this module that a key names, of that kind.
    fn cell_of(&self, key: &str, kind: &str) -> Option<Arc<CellType>> {
        let text = self.table.text(key)?;
        let cell = self.own_cell(&text)?;
        if cell.kind.name() != kind {
            let message = format!("\"{}\" is no {kind} cell", text.value);
            self.reader.source.fault(text.span.start, message, cell.kind.name(), kind);
            return None;
        }
        Some(cell)
    }
}
