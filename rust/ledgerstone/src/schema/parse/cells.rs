//! The cells of a record type.

use std::sync::Arc;

use super::constants::decimal_constant;
use super::linear::linear;
use super::table::{Table, Text};
use super::{Reader, check_name, is_name};
use crate::limits;
use crate::schema::error::suggestion;
use crate::schema::module::{
    BalanceType, Bound, CellKind, CellType, CountType, HolderType, LifecycleType, Reason, SequenceOrder, SequenceType,
};
use crate::schema::scalar::ScalarKind;

/// Kinds of cells, in the order messages list them.
pub(super) const KINDS: [&str; 5] = ["balance", "count", "lifecycle", "holder", "sequence"];
/// Orders of a sequence.
const ORDERS: [SequenceOrder; 3] = [SequenceOrder::Strict, SequenceOrder::Gapless, SequenceOrder::Rising];
/// Kinds of the values of a sequence.
const VALUES: [ScalarKind; 4] = [ScalarKind::Int, ScalarKind::Decimal, ScalarKind::Date, ScalarKind::Timestamp];
/// States of a lifecycle: they are a set of 64 bits.
const STATES: usize = 64;

impl<'t> Reader<'t> {
    pub(super) fn cells(&self, table: &Table<'t>, owner: &str) -> Vec<Arc<CellType>> {
        let mut cells = Vec::new();
        for entry in table.table("cells").map_or_else(Vec::new, |cells| cells.entries()) {
            check_name(self.source, "a cell", entry.name, entry.at);
            let Some(table) = entry.table(self.source) else {
                continue;
            };
            let Some(kind) = table.required_text("a cell", "kind") else {
                continue;
            };
            let kind = match kind.value.as_str() {
                "balance" => self.balance_type(&table, owner).map(CellKind::Balance),
                "count" => self.count_type(&table, owner).map(CellKind::Count),
                "lifecycle" => self.lifecycle_type(&table, owner).map(CellKind::Lifecycle),
                "holder" => Some(CellKind::Holder(self.holder_type(&table, owner))),
                "sequence" => self.sequence_type(&table).map(CellKind::Sequence),
                other => {
                    let message = format!("unknown kind of cell \"{other}\"{}", suggestion(other, KINDS));
                    let expected = format!("one of {}", KINDS.join(", "));
                    self.source.fault(kind.span.start, message, format!("\"{other}\""), expected);
                    None
                }
            };
            if let Some(kind) = kind {
                cells.push(Arc::new(CellType::new(owner, entry.name, kind)));
            }
        }
        cells
    }

    fn balance_type(&self, table: &Table<'t>, owner: &str) -> Option<BalanceType> {
        let keys = ["kind", "doc", "parts", "scale", "digits", "opening", "missing", "too_precise", "bounds"];
        table.known("a balance cell", &keys);
        let parts = self.parts(table)?;
        if !table.has("scale") {
            table.fault("a balance cell needs \"scale\"");
        }
        let scale = table.int("scale", 0, i64::from(limits::DECIMAL_DIGITS)).map_or(0, |(scale, _)| scale as u8);
        let digits = table.text("digits").and_then(|part| self.position(&part, &parts, "part"));
        let opening = table.table("opening").map(|opening| self.opening(&opening, &parts, scale));
        let bounds = table.tables("bounds").into_iter().filter_map(|bound| self.bound(&bound, &parts)).collect();
        let missing = self.reason_in(table, "missing", "not_open", || format!("this balance of {owner} is not open"));
        let too_precise = self.reason_in(table, "too_precise", "too_many_decimals", || {
            "more digits behind the point than the balance has".to_owned()
        });
        Some(BalanceType { parts, scale, bounds, digits, opening, missing, too_precise })
    }

    /// `{ part = "decimal" }`: the parts of a cell that exists from the start.
    fn opening(&self, table: &Table<'t>, parts: &[String], scale: u8) -> Vec<(usize, i128)> {
        let mut opening = Vec::new();
        for entry in table.entries() {
            let name = Text { value: entry.name.to_owned(), span: entry.at..entry.at };
            let part = self.position(&name, parts, "part");
            let Some(text) = entry.text(self.source) else { continue };
            let amount = decimal_constant(&text.value).and_then(|decimal| decimal.rescaled(scale));
            if amount.is_none() {
                let expected = format!("a decimal of at most {scale} digits behind the point");
                self.source.fault(
                    text.span.start,
                    "not an amount of this balance",
                    format!("\"{}\"", text.value),
                    expected,
                );
            }
            opening.extend(part.zip(amount));
        }
        opening
    }

    fn count_type(&self, table: &Table<'t>, owner: &str) -> Option<CountType> {
        table.known("a count cell", &["kind", "doc", "low", "high", "reason"]);
        let bound = |key: &str| table.int(key, -limits::INT_MAX, limits::INT_MAX).map(|(bound, _)| bound);
        let (low, high) = (bound("low").unwrap_or(0), bound("high"));
        if high.is_some_and(|high| high < low) {
            table.fault_at("high", format!("the highest value is below the lowest, {low}"));
        } else if low > 0 || high.is_some_and(|high| high < 0) {
            // A cell that does not exist counts 0, which has to be a value of it.
            table.fault("a count starts at 0, which is outside these bounds");
        }
        let out_of_range = self.reason_in(table, "reason", "count_out_of_range", || match high {
            None => format!("this count of {owner} would be below {low}"),
            Some(high) => format!("this count of {owner} would be outside {low} to {high}"),
        });
        Some(CountType { low, high, out_of_range })
    }

    fn holder_type(&self, table: &Table<'t>, owner: &str) -> HolderType {
        table.known("a holder cell", &["kind", "doc", "missing"]);
        HolderType { missing: self.reason_in(table, "missing", "not_held", || format!("nobody holds this {owner}")) }
    }

    fn sequence_type(&self, table: &Table<'t>) -> Option<SequenceType> {
        table.known("a sequence cell", &["kind", "doc", "order", "of", "start"]);
        let order = table.required_text("a sequence cell", "order")?;
        let names = ORDERS.map(SequenceOrder::name).map(str::to_owned);
        let order = ORDERS[self.position(&order, &names, "order")?];
        let kind = match table.text("of") {
            None => ScalarKind::Int,
            Some(of) => VALUES[self.position(&of, &VALUES.map(|kind| kind.name().to_owned()), "kind")?],
        };
        if order == SequenceOrder::Gapless && kind != ScalarKind::Int {
            table.fault_at("of", "a gapless sequence counts in ints");
        }
        if order != SequenceOrder::Gapless && table.has("start") {
            table.fault_at("start", "only a gapless sequence has a start");
        }
        let start = table.int("start", -limits::INT_MAX, limits::INT_MAX).map_or(1, |(start, _)| start);
        Some(SequenceType { order, kind, start })
    }

    fn parts(&self, table: &Table<'t>) -> Option<Vec<String>> {
        let Some(names) = table.texts("parts") else {
            table.fault("a balance cell needs \"parts\"");
            return None;
        };
        if names.is_empty() || names.len() > limits::PARTS {
            let (found, expected) = (names.len().to_string(), format!("1 to {}", limits::PARTS));
            self.source.fault(table.place("parts"), "a balance cell has another number of parts", found, expected);
        }
        Some(self.distinct_names("a part", names))
    }

    /// The values of names, each well-formed and there once.
    fn distinct_names(&self, what: &str, names: Vec<Text>) -> Vec<String> {
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            if !is_name(&name.value) {
                check_name(self.source, what, &name.value, name.span.start);
            } else if distinct.contains(&name.value) {
                self.source.fault(name.span.start, format!("\"{}\" stands here twice", name.value), "", "");
            }
            distinct.push(name.value);
        }
        distinct
    }

    /// The place of a name in a list of names.
    pub(super) fn position(&self, name: &Text, names: &[String], what: &str) -> Option<usize> {
        let position = names.iter().position(|known| *known == name.value);
        if position.is_none() {
            let message = format!(
                "unknown {what} \"{}\"{}",
                name.value,
                suggestion(&name.value, names.iter().map(String::as_str))
            );
            self.source.fault(
                name.span.start,
                message,
                format!("\"{}\"", name.value),
                format!("one of {}", names.join(", ")),
            );
        }
        position
    }

    fn bound(&self, table: &Table<'t>, parts: &[String]) -> Option<Bound> {
        table.known("a bound", &["require", "code", "message"]);
        let require = table.required_text("a bound", "require")?;
        let reason = self.reason(table, "out_of_bounds", || format!("`{}` does not hold", require.value));
        match linear(&require.value, parts) {
            Ok(terms) => Some(Bound { terms, reason }),
            Err(error) => {
                self.source.expression_fault(&require.span, error);
                None
            }
        }
    }

    fn lifecycle_type(&self, table: &Table<'t>, owner: &str) -> Option<LifecycleType> {
        table.known("a lifecycle cell", &["kind", "doc", "states", "initial", "missing"]);
        let Some(names) = table.texts("states") else {
            table.fault("a lifecycle cell needs \"states\"");
            return None;
        };
        if names.is_empty() || names.len() > STATES {
            let (found, expected) = (names.len().to_string(), format!("1 to {STATES}"));
            self.source.fault(table.place("states"), "a lifecycle cell has another number of states", found, expected);
            return None;
        }
        let states = self.distinct_names("a state", names);
        let initial =
            table.text("initial").and_then(|state| self.position(&state, &states, "state")).map(|state| state as u8);
        let missing = self.reason_in(table, "missing", "unknown_reference", || format!("there is no such {owner}"));
        Some(LifecycleType { states, initial, missing })
    }

    /// The reason in a table of its own, or the default.
    pub(super) fn reason_in(
        &self,
        table: &Table<'t>,
        key: &str,
        code: &str,
        message: impl FnOnce() -> String,
    ) -> Reason {
        match table.table(key) {
            None => Reason { code: self.full(code), message: message() },
            Some(inner) => {
                inner.known(&format!("\"{key}\""), &["code", "message"]);
                self.reason(&inner, code, message)
            }
        }
    }

    /// The reason that `code` and `message` of a table give.
    pub(super) fn reason(&self, table: &Table<'t>, code: &str, message: impl FnOnce() -> String) -> Reason {
        let short = match table.text("code") {
            None => code.to_owned(),
            Some(text) => {
                check_name(self.source, "a code", &text.value, text.span.start);
                text.value
            }
        };
        Reason { code: self.full(&short), message: table.text("message").map_or_else(message, |text| text.value) }
    }
}
