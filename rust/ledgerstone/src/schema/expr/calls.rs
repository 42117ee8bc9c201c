//! Reading calls: functions, literals of other kinds, aggregates.

use regex::RegexBuilder;

use super::aggregates::{Aggregate, Apportion, Form};
use super::arithmetic::{MODES, Rounding};
use super::functions::Function;
use super::parser::{BoundItem, ExprError, Parser, Read, Typed, of_one_kind};
use super::paths::word_of;
use super::{Input, ListPath, Node, Token};
use crate::limits::DECIMAL_DIGITS;
use crate::model::{Decimal, Fraction};
use crate::schema::error::suggestion;
use crate::schema::format::PATTERN_BYTES;
use crate::schema::module::FieldKind;
use crate::schema::scalar::{OwnedScalar, ScalarKind};
use crate::schema::time::{parse_date, parse_instant};

/// Functions of values of fixed kinds: name, kinds of the operands, the function, kind of the value.
static FIXED: [(&str, &[ScalarKind], Function, ScalarKind); 13] = [
    ("currency_digits", &[ScalarKind::Text], Function::CurrencyDigits, ScalarKind::Int),
    ("starts_with", &[ScalarKind::Text, ScalarKind::Text], Function::StartsWith, ScalarKind::Bool),
    ("ends_with", &[ScalarKind::Text, ScalarKind::Text], Function::EndsWith, ScalarKind::Bool),
    ("contains", &[ScalarKind::Text, ScalarKind::Text], Function::Contains, ScalarKind::Bool),
    ("year", &[ScalarKind::Date], Function::Year, ScalarKind::Int),
    ("month", &[ScalarKind::Date], Function::Month, ScalarKind::Int),
    ("day", &[ScalarKind::Date], Function::Day, ScalarKind::Int),
    ("plus_months", &[ScalarKind::Date, ScalarKind::Int], Function::PlusMonths, ScalarKind::Date),
    ("plus_seconds", &[ScalarKind::Timestamp, ScalarKind::Int], Function::PlusSeconds, ScalarKind::Timestamp),
    ("days_between", &[ScalarKind::Date, ScalarKind::Date], Function::DaysBetween, ScalarKind::Int),
    ("seconds_between", &[ScalarKind::Timestamp, ScalarKind::Timestamp], Function::SecondsBetween, ScalarKind::Int),
    ("numerator", &[ScalarKind::Fraction], Function::Numerator, ScalarKind::Int),
    ("denominator", &[ScalarKind::Fraction], Function::Denominator, ScalarKind::Int),
];

/// Every function, in the order messages list them.
pub(super) const NAMES: [&str; 34] = [
    "has",
    "size",
    "coalesce",
    "min",
    "max",
    "abs",
    "round",
    "div",
    "sum",
    "count",
    "all",
    "exists",
    "apportion",
    "decimal",
    "fraction",
    "date",
    "timestamp",
    "year",
    "month",
    "day",
    "plus_days",
    "plus_months",
    "plus_seconds",
    "days_between",
    "seconds_between",
    "starts_with",
    "ends_with",
    "contains",
    "matches",
    "numerator",
    "denominator",
    "units",
    "endorsed_by",
    "currency_digits",
];

impl Parser<'_> {
    /// The call of a function, after its opening bracket and up to the closing one. Not inlined: brackets nest, and its frame is large.
    #[inline(never)]
    pub(super) fn call(&mut self, at: usize, name: &str) -> Read {
        if let Some((_, kinds, function, kind)) = FIXED.iter().find(|(known, ..)| *known == name) {
            let mut operands = Vec::new();
            for (place, wanted) in kinds.iter().enumerate() {
                if place > 0 {
                    self.symbol(",")?;
                }
                let operand = self.expression()?;
                operand.must_be(*wanted)?;
                operands.push(operand.node);
            }
            return self.node(at, Node::Call(function.clone(), operands), *kind);
        }
        match name {
            "has" | "size" => self.has_or_size(at, name == "has"),
            "coalesce" => {
                let (nodes, kind) = self.alternatives()?;
                self.node(at, Node::Coalesce(nodes), kind)
            }
            "min" | "max" => self.extreme(at, name == "min"),
            "sum" | "count" | "all" | "exists" => {
                let list = self.list()?.ok_or_else(|| self.unexpected("a list"))?;
                self.aggregate(at, name, list)
            }
            "abs" => {
                let operand = self.expression()?;
                if operand.kind != ScalarKind::Fraction {
                    operand.must_be_number()?;
                }
                let kind = operand.kind;
                self.node(at, Node::Call(Function::Absolute, vec![operand.node]), kind)
            }
            "round" => {
                let operand = self.number()?;
                let (scale, mode) = self.scale_and_mode()?;
                self.node(at, Node::Call(Function::Round(scale, mode), vec![operand]), ScalarKind::Decimal)
            }
            "div" => {
                let a = self.number()?;
                self.symbol(",")?;
                let b = self.number()?;
                let (scale, mode) = self.scale_and_mode()?;
                self.node(at, Node::Call(Function::Divide(scale, mode), vec![a, b]), ScalarKind::Decimal)
            }
            "apportion" => self.apportion(at),
            _ => self.call_of_kind(at, name),
        }
    }

    /// The call of a function whose operands are of certain kinds.
    fn call_of_kind(&mut self, at: usize, name: &str) -> Read {
        match name {
            "decimal" | "fraction" | "timestamp" => self.literal(at, name),
            "date" => match self.peek() {
                Some(Token::Text(_)) => self.literal(at, name),
                _ => {
                    let instant = self.expression()?;
                    instant.must_be(ScalarKind::Timestamp)?;
                    self.node(at, Node::Call(Function::DateOf, vec![instant.node]), ScalarKind::Date)
                }
            },
            "plus_days" => self.plus_days(at),
            "units" => {
                let share = self.expression()?;
                share.must_be(ScalarKind::Fraction)?;
                self.symbol(",")?;
                let whole = self.expression()?;
                whole.must_be(ScalarKind::Int)?;
                self.node(at, Node::Call(Function::Units, vec![share.node, whole.node]), ScalarKind::Int)
            }
            "matches" => self.matches(at),
            "endorsed_by" => {
                let (place, name) = self.text_literal("a role")?;
                let role = self.role_named(place, &name)?;
                self.needs.inputs = true;
                self.node(at, Node::Input(Input::EndorsedBy(role)), ScalarKind::Int)
            }
            _ => {
                let message = format!("unknown function `{name}`{}", suggestion(name, NAMES));
                Err(ExprError::new(at, message, format!("`{name}`"), format!("one of {}", NAMES.join(", "))))
            }
        }
    }

    fn has_or_size(&mut self, at: usize, has: bool) -> Read {
        let start = self.mark();
        // A bare path may name a list or a struct here.
        if self.is_path() {
            let place = self.at();
            let named = self.path()?;
            if self.is_symbol(")") && (has || matches!(named.field.kind, FieldKind::List { .. })) {
                return match (has, named.bound) {
                    (true, false) => self.node(at, Node::HasField(named.path), ScalarKind::Bool),
                    (true, true) => self.node(at, Node::HasBound(named.path), ScalarKind::Bool),
                    (false, bound) => {
                        self.node(at, Node::SizeOfList(ListPath { path: named.path, bound }), ScalarKind::Int)
                    }
                };
            }
            if !has && named.path.kind.is_none() {
                let message = format!("`{}` has no size", named.path.text);
                return Err(ExprError::new(place, message, word_of(&named.field.kind), "a list or a text"));
            }
            self.back_to(start);
        }
        let operand = self.expression()?;
        if has {
            return self.node(at, Node::Has(Box::new(operand.node)), ScalarKind::Bool);
        }
        operand.must_be(ScalarKind::Text)?;
        self.node(at, Node::Call(Function::Size, vec![operand.node]), ScalarKind::Int)
    }

    /// Values of one kind, one at least.
    fn alternatives(&mut self) -> Result<(Vec<Node>, ScalarKind), ExprError> {
        let mut options = vec![self.expression()?];
        while self.take_symbol(",") {
            options.push(self.expression()?);
        }
        of_one_kind(options)
    }

    /// `min(list, x)`, `min(a, b, …)`.
    fn extreme(&mut self, at: usize, least: bool) -> Read {
        if let Some(list) = self.list()? {
            return self.aggregate(at, if least { "min" } else { "max" }, list);
        }
        let place = self.at();
        let (nodes, kind) = self.alternatives()?;
        if kind == ScalarKind::Bool {
            return Err(ExprError::new(place, "bools have no order", "bool", "values that have an order"));
        }
        self.node(at, Node::Call(if least { Function::Least } else { Function::Greatest }, nodes), kind)
    }

    /// A bare path that names a list, if one stands here.
    fn list(&mut self) -> Result<Option<(ListPath, BoundItem, usize)>, ExprError> {
        let start = self.mark();
        if self.is_path()
            && let Ok(named) = self.path()
            && let FieldKind::List { item, max } = &named.field.kind
        {
            let of_record = !named.bound && !named.path.is_item() && named.path.steps.len() == 1;
            let list = of_record.then(|| named.path.field());
            let bound = BoundItem { item: item.as_ref().clone(), list };
            return Ok(Some((ListPath { path: named.path, bound: named.bound }, bound, *max)));
        }
        self.back_to(start);
        Ok(None)
    }

    /// The operands of an aggregate after its list.
    fn aggregate(&mut self, at: usize, name: &str, (list, item, max): (ListPath, BoundItem, usize)) -> Read {
        self.symbol(",")?;
        let before = self.cost;
        self.bound.push(item);
        let value = self.expression()?;
        let condition = if self.take_symbol(",") { Some(self.expression()?) } else { None };
        self.bound.pop();
        let inner = self.cost.saturating_sub(before);
        self.cost = before.saturating_add(inner.saturating_mul(max as u64));
        if let Some(condition) = &condition {
            condition.must_be(ScalarKind::Bool)?;
        }
        let (form, kind) = match name {
            "sum" => {
                if value.kind != ScalarKind::Fraction {
                    value.must_be_number()?;
                }
                (Form::Sum(value.kind), value.kind)
            }
            "min" | "max" if value.kind == ScalarKind::Bool => {
                return Err(ExprError::new(value.at, "bools have no order", "bool", "values that have an order"));
            }
            "min" => (Form::Least, value.kind),
            "max" => (Form::Greatest, value.kind),
            "count" => (Form::Count, ScalarKind::Int),
            "all" => (Form::All, ScalarKind::Bool),
            _ => (Form::Exists, ScalarKind::Bool),
        };
        if matches!(form, Form::Count | Form::All | Form::Exists) {
            value.must_be(ScalarKind::Bool)?;
        }
        let condition = condition.map(|condition| condition.node);
        self.node(at, Node::Aggregate(Box::new(Aggregate { form, list, value: value.node, condition })), kind)
    }

    /// `apportion(total, list, weight, scale)`.
    fn apportion(&mut self, at: usize) -> Read {
        let total = self.number()?;
        self.symbol(",")?;
        let place = self.at();
        let named = self.path()?;
        let list = named.path.field();
        let fits = !named.bound && !named.path.is_item() && self.names.each == Some(list) && self.bound.is_empty();
        let FieldKind::List { max, .. } = named.field.kind else {
            let message = format!("`{}` is no list", named.path.text);
            return Err(ExprError::new(place, message, word_of(&named.field.kind), "the list of the rule"));
        };
        if !fits {
            let message = "`apportion` gives the share of an item of the rule";
            return Err(ExprError::new(place, message, "", format!("a rule with each = \"{}\"", named.path.text)));
        }
        self.symbol(",")?;
        let before = self.cost;
        let weight = self.number()?;
        let inner = self.cost.saturating_sub(before);
        self.cost = before.saturating_add(inner.saturating_mul(max as u64));
        self.symbol(",")?;
        let scale = self.scale()?;
        let node = Node::Apportion(Box::new(Apportion { list, total, weight, scale }));
        self.node(at, node, ScalarKind::Decimal)
    }

    fn plus_days(&mut self, at: usize) -> Read {
        let day = self.expression()?;
        if day.kind != ScalarKind::Timestamp {
            day.must_be(ScalarKind::Date)?;
        }
        self.symbol(",")?;
        let count = self.expression()?;
        count.must_be(ScalarKind::Int)?;
        let kind = day.kind;
        self.node(at, Node::Call(Function::PlusDays, vec![day.node, count.node]), kind)
    }

    /// `matches(text, 'regex')`.
    fn matches(&mut self, at: usize) -> Read {
        let text = self.expression()?;
        text.must_be(ScalarKind::Text)?;
        self.symbol(",")?;
        let (place, pattern) = self.text_literal("a regular expression")?;
        let regex = RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
        let regex = regex.map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().to_owned();
            ExprError::new(place, format!("not a regular expression: {reason}"), "", "")
        })?;
        self.node(at, Node::Call(Function::Matches(Box::new(regex)), vec![text.node]), ScalarKind::Bool)
    }

    /// A number, int or decimal.
    fn number(&mut self) -> Result<Node, ExprError> {
        let Typed { node, kind, at } = self.expression()?;
        let typed = Typed { node, kind, at };
        typed.must_be_number()?;
        Ok(typed.node)
    }

    /// `, scale, 'mode'`.
    fn scale_and_mode(&mut self) -> Result<(u8, Rounding), ExprError> {
        self.symbol(",")?;
        let scale = self.scale()?;
        self.symbol(",")?;
        let (at, name) = self.text_literal("a mode of rounding")?;
        let found = MODES.iter().find(|(known, _)| *known == name);
        found.map(|(_, mode)| (scale, *mode)).ok_or_else(|| {
            let names = MODES.map(|(name, _)| name);
            let message = format!("unknown mode of rounding '{name}'{}", suggestion(&name, names));
            ExprError::new(at, message, format!("'{name}'"), format!("one of {}", names.join(", ")))
        })
    }

    /// Digits behind the point, as a literal.
    fn scale(&mut self) -> Result<u8, ExprError> {
        match self.peek() {
            Some(Token::Int(scale)) if *scale <= u64::from(DECIMAL_DIGITS) => {
                let scale = *scale as u8;
                self.skip();
                Ok(scale)
            }
            _ => Err(self.unexpected(&format!("digits behind the point, 0 to {DECIMAL_DIGITS}"))),
        }
    }

    fn text_literal(&mut self, what: &str) -> Result<(usize, String), ExprError> {
        let at = self.at();
        match self.peek().cloned() {
            Some(Token::Text(text)) => {
                self.skip();
                Ok((at, text))
            }
            _ => Err(self.unexpected(&format!("{what} in quotes"))),
        }
    }

    /// `decimal('1.5')` and the like.
    fn literal(&mut self, at: usize, name: &str) -> Read {
        let (place, text) = self.text_literal(&format!("a {name}"))?;
        let digits = u32::from(DECIMAL_DIGITS);
        let (value, kind) = match name {
            "decimal" => {
                let fits = |decimal: &Decimal| decimal.digits() <= digits && decimal.scale <= DECIMAL_DIGITS;
                (Decimal::parse(&text).filter(fits).map(OwnedScalar::Decimal), ScalarKind::Decimal)
            }
            "fraction" => (Fraction::parse(&text).map(OwnedScalar::Fraction), ScalarKind::Fraction),
            "date" => (parse_date(&text).map(OwnedScalar::Date), ScalarKind::Date),
            _ => (parse_instant(&text).ok().map(OwnedScalar::Timestamp), ScalarKind::Timestamp),
        };
        let fits = match name {
            "decimal" => "a decimal as '-12.50'",
            "fraction" => "a fraction in lowest terms as '1/3'",
            "date" => "a date as '2026-01-31'",
            _ => "an instant as '2026-01-31T12:00:00Z'",
        };
        let value = value.ok_or_else(|| ExprError::new(place, format!("not a {name}"), format!("'{text}'"), fits))?;
        self.node(at, Node::Literal(value), kind)
    }
}
