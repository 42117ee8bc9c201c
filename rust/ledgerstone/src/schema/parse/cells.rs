//! The cells of a record type, and the bounds over the parts of a balance.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::table::{Table, Text};
use super::{Reader, check_name, is_name};
use crate::limits;
use crate::schema::error::suggestion;
use crate::schema::expr::{ExprError, Token, tokens};
use crate::schema::module::{BalanceType, Bound, CellKind, CellType, LifecycleType, Reason};

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
                "lifecycle" => self.lifecycle_type(&table, owner).map(CellKind::Lifecycle),
                other => {
                    let message =
                        format!("unknown kind of cell \"{other}\"{}", suggestion(other, ["balance", "lifecycle"]));
                    self.source.fault(kind.span.start, message, format!("\"{other}\""), "one of balance, lifecycle");
                    None
                }
            };
            if let Some(kind) = kind {
                cells.push(Arc::new(CellType { owner: owner.to_owned(), name: entry.name.to_owned(), kind }));
            }
        }
        cells
    }

    fn balance_type(&self, table: &Table<'t>, owner: &str) -> Option<BalanceType> {
        table.known("a balance cell", &["kind", "doc", "parts", "scale", "digits", "missing", "too_precise", "bounds"]);
        let parts = self.parts(table)?;
        if !table.has("scale") {
            table.fault("a balance cell needs \"scale\"");
        }
        let scale = table.int("scale", 0, i64::from(limits::DECIMAL_DIGITS)).map_or(0, |(scale, _)| scale as u8);
        let digits = table.text("digits").and_then(|part| self.position(&part, &parts, "part"));
        let bounds = table.tables("bounds").into_iter().filter_map(|bound| self.bound(&bound, &parts)).collect();
        let missing = self.reason_in(table, "missing", "not_open", || format!("this balance of {owner} is not open"));
        let too_precise = self.reason_in(table, "too_precise", "too_many_decimals", || {
            "more digits behind the point than the balance has".to_owned()
        });
        Some(BalanceType { parts, scale, bounds, digits, opening: None, missing, too_precise })
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

/// Terms of `sum of coefficient × part >= 0`, from a comparison of two sums over parts.
fn linear(source: &str, parts: &[String]) -> Result<Vec<(usize, i64)>, ExprError> {
    let words = tokens(source)?;
    let mut reader = Linear { words: &words, parts, next: 0, end: source.len(), terms: BTreeMap::new(), constant: 0 };
    reader.side(1)?;
    let at = reader.at();
    let sign = match reader.peek() {
        Some(Token::Symbol(">=")) => 1,
        Some(Token::Symbol("<=")) => -1,
        Some(word) => {
            return Err(ExprError::new(at, "a bound compares two sums of parts", word.shown(), "`>=` or `<=`"));
        }
        None => {
            return Err(ExprError::new(at, "a bound compares two sums of parts", "the end", "`>=` or `<=`"));
        }
    };
    reader.next += 1;
    reader.side(-1)?;
    if let Some(word) = reader.peek() {
        return Err(ExprError::new(reader.at(), "the bound goes on unexpectedly", word.shown(), "`+`, `-` or the end"));
    }
    if reader.constant != 0 {
        return Err(ExprError::new(
            0,
            "a bound compares parts with parts: it has no constant but 0",
            reader.constant.to_string(),
            "0",
        ));
    }
    let terms: Vec<(usize, i64)> =
        reader.terms.into_iter().filter(|(_, times)| *times != 0).map(|(part, times)| (part, times * sign)).collect();
    if terms.is_empty() {
        return Err(ExprError::new(0, "the bound says nothing: its parts cancel out", "", ""));
    }
    Ok(terms)
}

struct Linear<'w> {
    words: &'w [(usize, Token)],
    parts: &'w [String],
    next: usize,
    end: usize,
    terms: BTreeMap<usize, i64>,
    constant: i64,
}

impl Linear<'_> {
    /// A sum of terms, counted `sign` times.
    fn side(&mut self, sign: i64) -> Result<(), ExprError> {
        let mut sign_of_term = if self.take("-") { -sign } else { sign };
        loop {
            self.term(sign_of_term)?;
            sign_of_term = match self.peek() {
                Some(Token::Symbol("+")) => sign,
                Some(Token::Symbol("-")) => -sign,
                _ => return Ok(()),
            };
            self.next += 1;
        }
    }

    /// `part`, `2 * part`, `part * 2`, `0`.
    fn term(&mut self, sign: i64) -> Result<(), ExprError> {
        let first = self.factor()?;
        let second = if self.take("*") { self.factor()? } else { Factor::Number(1) };
        let (part, times) = match (first, second) {
            (Factor::Part(part), Factor::Number(times)) | (Factor::Number(times), Factor::Part(part)) => {
                (Some(part), times)
            }
            (Factor::Number(a), Factor::Number(b)) => (None, a * b),
            (Factor::Part(_), Factor::Part(_)) => {
                return Err(ExprError::new(self.at(), "a bound is linear: parts are not multiplied", "", ""));
            }
        };
        let sum = part.map_or(&mut self.constant, |part| self.terms.entry(part).or_default());
        *sum += sign * times;
        Ok(())
    }

    fn factor(&mut self) -> Result<Factor, ExprError> {
        let at = self.at();
        let factor = match self.peek() {
            Some(Token::Int(number)) if *number <= 1_000_000 => Factor::Number(*number as i64),
            Some(Token::Int(number)) => {
                return Err(ExprError::new(at, "the factor is too large", number.to_string(), "at most 1000000"));
            }
            Some(Token::Name(name)) => match self.parts.iter().position(|part| part == name) {
                Some(part) => Factor::Part(part),
                None => {
                    let message =
                        format!("unknown part `{name}`{}", suggestion(name, self.parts.iter().map(String::as_str)));
                    return Err(ExprError::new(
                        at,
                        message,
                        format!("`{name}`"),
                        format!("one of {}", self.parts.join(", ")),
                    ));
                }
            },
            Some(word) => {
                return Err(ExprError::new(at, "a bound is made of parts", word.shown(), "a part"));
            }
            None => {
                return Err(ExprError::new(at, "the bound ends too early", "the end", "a part"));
            }
        };
        self.next += 1;
        Ok(factor)
    }

    fn peek(&self) -> Option<&Token> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let taken = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.next += usize::from(taken);
        taken
    }
}

#[derive(Clone, Copy)]
enum Factor {
    Part(usize),
    Number(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(source: &str) -> Result<Vec<(usize, i64)>, String> {
        let parts: Vec<String> = ["posted", "pending", "floor"].iter().map(|part| (*part).to_owned()).collect();
        linear(source, &parts).map_err(|error| format!("{}: {}", error.offset, error.message))
    }

    #[test]
    fn bounds_are_brought_to_one_side() {
        assert_eq!(terms("posted - pending >= floor"), Ok(vec![(0, 1), (1, -1), (2, -1)]));
        assert_eq!(terms("posted + 2 * pending <= floor"), Ok(vec![(0, -1), (1, -2), (2, 1)]));
        assert_eq!(terms("-posted + pending * 3 >= 0"), Ok(vec![(0, -1), (1, 3)]));
        assert_eq!(terms("posted + posted >= pending - pending"), Ok(vec![(0, 2)]));
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for (source, error) in [
            ("posted", "6: a bound compares two sums of parts"),
            ("posted > floor", "7: a bound compares two sums of parts"),
            ("posted >= floo", "10: unknown part `floo`, did you mean \"floor\"?"),
            ("posted >= 5", "0: a bound compares parts with parts: it has no constant but 0"),
            ("posted * pending >= 0", "17: a bound is linear: parts are not multiplied"),
            ("posted >= posted", "0: the bound says nothing: its parts cancel out"),
            ("posted >= ", "10: the bound ends too early"),
            ("posted >= floor floor", "16: the bound goes on unexpectedly"),
        ] {
            assert_eq!(terms(source), Err(error.to_owned()), "{source}");
        }
    }
}
