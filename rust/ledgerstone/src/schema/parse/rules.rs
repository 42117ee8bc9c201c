//! The rules of a record type.

use std::sync::Arc;

use super::links::Loaded;
use super::table::{Table, Text};
use super::{Reader, Shape};
use crate::limits;
use crate::schema::error::suggestion;
use crate::schema::expr::{Expr, ExprError, Names};
use crate::schema::module::{
    BalanceType, CellKind, CellType, FieldKind, LifecycleType, Primitive, Reason, Rule, Severity,
};
use crate::schema::scalar::ScalarKind;

/// Keys that every rule may have.
const COMMON: [&str; 5] = ["each", "when", "code", "message", "severity"];
/// (primitive, its own keys, its default code), in the order messages list them.
const PRIMITIVES: [(&str, &[&str], &str); 10] = [
    ("require", &[], "requirement"),
    ("unique", &[], "duplicate"),
    ("ref", &["at"], "unknown_reference"),
    ("match", &["at", "equal", "negated", "missing"], "mismatch"),
    ("window", &["within", "not_before", "not_after"], "outside_window"),
    ("conserve", &["by", "low", "high"], "unbalanced"),
    ("open", &["at", "by", "set"], "already_open"),
    ("balance", &["at", "by", "add", "subtract", "at_end"], "amount_out_of_range"),
    ("close", &["at", "by", "zero"], "not_empty"),
    ("lifecycle", &["at", "from", "to"], "wrong_state"),
];

/// One rule being read.
pub(super) struct Draft<'r, 't> {
    pub(super) reader: &'r Reader<'t>,
    pub(super) table: Table<'t>,
    pub(super) shape: &'r Shape<'t>,
    pub(super) shapes: &'r [Shape<'t>],
    pub(super) loaded: Loaded<'r>,
    pub(super) each: Option<usize>,
}

impl<'t> Reader<'t> {
    pub(super) fn rules(&self, shape: &Shape<'t>, shapes: &[Shape<'t>], loaded: Loaded<'_>) -> Vec<Rule> {
        let tables = shape.table.tables("rules");
        if tables.len() > limits::RULES {
            self.source.fault(
                shape.table.at,
                "the record type has too many rules",
                tables.len().to_string(),
                format!("at most {}", limits::RULES),
            );
        }
        let mut keyed = false;
        let mut rules = Vec::new();
        for table in tables {
            if table.has("unique") && !keyed {
                keyed = true;
                if table.has("each") {
                    table.fault_at("each", "the first `unique` is the key of the record: it does not run over a list");
                }
            }
            rules.extend(self.rule(table, shape, shapes, loaded));
        }
        rules
    }

    fn rule(&self, table: Table<'t>, shape: &Shape<'t>, shapes: &[Shape<'t>], loaded: Loaded<'_>) -> Option<Rule> {
        let (name, keys, code) = self.named_primitive(&table)?;
        let known: Vec<&str> = std::iter::once(name).chain(keys.iter().copied()).chain(COMMON).collect();
        table.known(&format!("a `{name}` rule"), &known);
        if let Some(severity) = table.text("severity")
            && severity.value != "reject"
        {
            self.source.fault(
                severity.span.start,
                "this severity is not in this version",
                format!("\"{}\"", severity.value),
                "\"reject\"",
            );
        }
        let each = match table.text("each") {
            None => None,
            Some(list) => Some(self.list(&list, shape)?),
        };
        let draft = Draft { reader: self, table, shape, shapes, loaded, each };
        let when = table.text("when").and_then(|text| draft.expr(&text, &[ScalarKind::Bool]));
        let primitive = draft.primitive(name);
        let reason = self.reason(&table, code, || draft.default_message(name));
        Some(Rule::new(primitive?, each, when, reason, Severity::Reject))
    }

    /// The one primitive of a rule: its name, keys and default code.
    fn named_primitive(&self, table: &Table<'t>) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        let named: Vec<_> = PRIMITIVES.iter().filter(|(name, ..)| table.has(name)).collect();
        let names = PRIMITIVES.map(|(name, ..)| name).join(", ");
        match named.as_slice() {
            [only] => Some(**only),
            [] => {
                let slip = table.entries().into_iter().find_map(|entry| {
                    let near = suggestion(entry.name, PRIMITIVES.iter().map(|(name, ..)| *name));
                    (!COMMON.contains(&entry.name) && !near.is_empty()).then_some((entry, near))
                });
                match slip {
                    Some((entry, near)) => {
                        let message = format!("unknown key \"{}\" in a rule{near}", entry.name);
                        self.source.fault(entry.at, message, format!("\"{}\"", entry.name), format!("one of {names}"));
                    }
                    None => self.source.fault(table.at, "a rule needs a primitive", "", format!("one of {names}")),
                }
                None
            }
            [_, second, ..] => {
                table.fault_at(
                    second.0,
                    format!(
                        "a rule has one primitive; this one has {}",
                        named.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(" and ")
                    ),
                );
                None
            }
        }
    }

    /// The position of a list field of the record.
    fn list(&self, name: &Text, shape: &Shape<'t>) -> Option<usize> {
        let is_list = |kind: &FieldKind| matches!(kind, FieldKind::List { .. });
        let position = shape.fields.iter().position(|field| field.name == name.value && is_list(&field.kind));
        if position.is_none() {
            let lists: Vec<&str> =
                shape.fields.iter().filter(|field| is_list(&field.kind)).map(|field| field.name.as_str()).collect();
            let message =
                format!("`each` names a list field of the record{}", suggestion(&name.value, lists.iter().copied()));
            let expected = if lists.is_empty() {
                "a record with a list".to_owned()
            } else {
                format!("one of {}", lists.join(", "))
            };
            self.source.fault(name.span.start, message, format!("\"{}\"", name.value), expected);
        }
        position
    }
}

impl<'t> Draft<'_, 't> {
    fn primitive(&self, name: &str) -> Option<Primitive> {
        match name {
            "require" => self
                .table
                .text("require")
                .and_then(|text| self.expr(&text, &[ScalarKind::Bool]))
                .map(Primitive::Require),
            "unique" => self.exprs("unique").map(|values| Primitive::Unique { values, versioned: None }),
            "ref" => self.reference(),
            "match" => self.matching(),
            "window" => self.window(),
            "conserve" => self.conserve(),
            "open" => self.open(),
            "balance" => self.balance(),
            "close" => self.close(),
            _ => self.lifecycle(),
        }
    }

    fn open(&self) -> Option<Primitive> {
        let (cell, balance) = self.balance_cell("open")?;
        let (at, by) = self.cell_name(&cell)?;
        let set = self.amounts("set", &balance.parts);
        if !self.table.has("set") {
            self.table.fault("`open` needs \"set\": the parts of the balance and their first values");
        }
        Some(Primitive::Open { cell: Arc::clone(&cell), at, by, set })
    }

    fn balance(&self) -> Option<Primitive> {
        let (cell, balance) = self.balance_cell("balance")?;
        let (at, by) = self.cell_name(&cell)?;
        let mut add: Vec<(usize, Expr, bool)> = Vec::new();
        for (key, negated) in [("add", false), ("subtract", true)] {
            add.extend(self.amounts(key, &balance.parts).into_iter().map(|(part, expr)| (part, expr, negated)));
        }
        if !self.table.has("add") && !self.table.has("subtract") {
            self.table.fault("`balance` needs \"add\" or \"subtract\"");
        }
        Some(Primitive::Balance {
            cell: Arc::clone(&cell),
            at,
            by,
            add,
            set: Vec::new(),
            at_end: self.table.bool("at_end"),
            approval: None,
        })
    }

    fn close(&self) -> Option<Primitive> {
        let (cell, balance) = self.balance_cell("close")?;
        let (at, by) = self.cell_name(&cell)?;
        let zero = self.table.texts("zero").unwrap_or_default();
        if zero.is_empty() {
            self.table.fault("`close` needs \"zero\": the parts that must be zero");
        }
        let zero = zero.iter().filter_map(|part| self.reader.position(part, &balance.parts, "part")).collect();
        Some(Primitive::Close { cell: Arc::clone(&cell), at, by, zero })
    }

    fn lifecycle(&self) -> Option<Primitive> {
        let (text, cell) = self.cell("lifecycle")?;
        let CellKind::Lifecycle(lifecycle) = &cell.kind else {
            self.reader.source.fault(
                text.span.start,
                format!("\"{}\" is no lifecycle cell", text.value),
                "balance",
                "lifecycle",
            );
            return None;
        };
        let (at, _) = self.cell_name(cell)?;
        let (from, to) = self.moves(lifecycle);
        Some(Primitive::Lifecycle { cell: Arc::clone(cell), at, from, to, allowed: None })
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
            let expr = entry
                .text(self.reader.source)
                .and_then(|text| self.expr(&text, &[ScalarKind::Int, ScalarKind::Decimal]));
            amounts.extend(part.zip(expr));
        }
        amounts
    }

    fn balance_cell(&self, key: &str) -> Option<(Arc<CellType>, &BalanceType)> {
        let (text, cell) = self.cell(key)?;
        let CellKind::Balance(balance) = &cell.kind else {
            self.reader.source.fault(
                text.span.start,
                format!("\"{}\" is no balance cell", text.value),
                "lifecycle",
                "balance",
            );
            return None;
        };
        Some((Arc::clone(cell), balance))
    }

    /// An array of expressions, at least one; `None` where one is wrong.
    pub(super) fn exprs(&self, key: &str) -> Option<Vec<Expr>> {
        let Some(texts) = self.table.texts(key) else {
            self.table.fault(format!("the rule needs \"{key}\""));
            return None;
        };
        if texts.is_empty() {
            self.table.fault_at(key, format!("\"{key}\" is empty"));
        }
        // All are read before one that is wrong ends it, so that every fault is noted.
        let read: Vec<Option<Expr>> = texts.iter().map(|text| self.expr(text, &[])).collect();
        read.into_iter().collect()
    }

    /// An expression of one of these kinds; of any, where there are none.
    pub(super) fn expr(&self, text: &Text, kinds: &[ScalarKind]) -> Option<Expr> {
        let names = Names { fields: &self.shape.fields, each: self.each };
        let parsed = Expr::parse(&text.value, names).and_then(|expr| {
            if kinds.is_empty() || kinds.contains(&expr.kind()) {
                return Ok(expr);
            }
            let expected = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
            let article = kinds.first().map_or_else(String::new, |kind| kind.a_name());
            let rest = expected.strip_prefix(kinds.first().map_or("", |kind| kind.name())).unwrap_or_default();
            Err(ExprError::new(0, format!("{article}{rest} is needed here"), expr.kind().name(), expected))
        });
        parsed.map_err(|error| self.reader.source.expression_fault(&text.span, error)).ok()
    }

    fn default_message(&self, name: &str) -> String {
        let of = |key: &str| self.table.texts_quietly(key).join(", ");
        match name {
            "require" => format!("`{}` does not hold", of("require")),
            "unique" => format!("there is a {} with the same {} already", self.shape.name, of("unique")),
            "ref" => format!("no {} has this {}", of("ref"), of("at")),
            "match" => format!("the fields differ from those of the {} named by {}", of("match"), of("at")),
            "window" => format!("{} is outside its window", of("window")),
            "conserve" => format!("the sum of {} is not what it must be", of("conserve")),
            "open" => format!("{} is open already for this {}", of("open"), of("at")),
            "balance" => format!("{} cannot take this amount", of("balance")),
            "close" => format!("{} is not empty for this {}", of("close"), of("at")),
            _ => format!(
                "{} of this {} is not {}",
                of("lifecycle"),
                of("at"),
                if of("from").is_empty() { "new".to_owned() } else { of("from") }
            ),
        }
    }

    /// The default reason of a match whose record does not exist.
    pub(super) fn missing(&self) -> Reason {
        let message = || {
            format!(
                "no {} has this {}",
                self.table.texts_quietly("match").join(", "),
                self.table.texts_quietly("at").join(", ")
            )
        };
        self.reader.reason_in(&self.table, "missing", "unknown_reference", message)
    }
}
