//! What a module of the bounded grammar means: a naive interpreter.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::amount;
use super::language::{Does, Expr, Field, Kind, Module, Rule, Type};
use super::state::{Record, Rules, Unit, Unsigned, cell_name, key_name};

/// A module, interpreted. `strict` makes it wrong on purpose: a bound may not be met exactly.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    pub(crate) module: Module,
    pub(crate) strict: bool,
}

/// A value within an expression.
#[derive(Clone, Debug, PartialEq)]
enum Scalar {
    Absent,
    Bool(bool),
    /// In 10^-12.
    Number(i128),
    /// Text, and dates, whose text is in their order.
    Text(String),
}

impl Scalar {
    fn of(value: Option<&Json>, fields: &[Field], name: &str) -> Scalar {
        let kind = fields.iter().find(|field| field.name == name).map(|field| &field.kind);
        match (value, kind) {
            (Some(Json::Bool(value)), _) => Scalar::Bool(*value),
            (Some(Json::Number(value)), _) => Scalar::Number(i128::from(value.as_i64().unwrap()) * 10i128.pow(12)),
            (Some(Json::String(text)), Some(Kind::Decimal(_))) => Scalar::Number(amount::parse(text)),
            (Some(Json::String(text)), _) => Scalar::Text(text.clone()),
            _ => Scalar::Absent,
        }
    }

    fn compare(&self, other: &Scalar) -> Option<Ordering> {
        match (self, other) {
            (Scalar::Number(a), Scalar::Number(b)) => Some(a.cmp(b)),
            (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn is_true(&self) -> bool {
        *self == Scalar::Bool(true)
    }

    fn number(&self) -> Option<i128> {
        match self {
            Scalar::Number(value) => Some(*value),
            _ => None,
        }
    }
}

/// A record, or an item of it, that expressions are evaluated on.
#[derive(Clone, Copy)]
struct Scope<'a> {
    fields: &'a [Field],
    data: &'a Json,
    item: Option<(&'a [Field], &'a Json)>,
}

impl Scope<'_> {
    fn eval(&self, expr: &Expr) -> Scalar {
        match expr {
            Expr::Field(name) => Scalar::of(self.data.get(name), self.fields, name),
            Expr::Item(name) => {
                let (fields, item) = self.item.expect("an item is at hand");
                Scalar::of(item.get(name), fields, name)
            }
            Expr::Int(value) => Scalar::Number(i128::from(*value) * 10i128.pow(12)),
            Expr::Text(text) => Scalar::Text((*text).to_owned()),
            Expr::Has(inner) => Scalar::Bool(self.eval(inner) != Scalar::Absent),
            Expr::Not(inner) => Scalar::Bool(!self.is_true(inner)),
            Expr::Size(name) => match self.data.get(name).and_then(Json::as_array) {
                Some(items) => Scalar::Number(items.len() as i128 * 10i128.pow(12)),
                None => Scalar::Absent,
            },
            Expr::In(needle, options) => {
                let needle = self.eval(needle);
                let found = options.iter().any(|option| self.eval(option) == needle);
                Scalar::Bool(needle != Scalar::Absent && found)
            }
            Expr::Coalesce(options) => {
                let mut values = options.iter().map(|option| self.eval(option));
                values.find(|value| *value != Scalar::Absent).unwrap_or(Scalar::Absent)
            }
            Expr::Binary(operator, a, b) => self.binary(operator, a, b),
        }
    }

    fn binary(&self, operator: &str, a: &Expr, b: &Expr) -> Scalar {
        let (a, b) = (self.eval(a), self.eval(b));
        let order = a.compare(&b);
        Scalar::Bool(match operator {
            "&&" => a.is_true() && b.is_true(),
            "||" => a.is_true() || b.is_true(),
            "==" => a == b,
            "!=" => a != b,
            "<" => order == Some(Ordering::Less),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            ">" => order == Some(Ordering::Greater),
            ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            arithmetic => {
                let (Some(a), Some(b)) = (a.number(), b.number()) else { return Scalar::Absent };
                return Scalar::Number(match arithmetic {
                    "+" => a + b,
                    "-" => a - b,
                    _ => exact_product(a, b),
                });
            }
        })
    }

    fn is_true(&self, expr: &Expr) -> bool {
        self.eval(expr).is_true()
    }

    /// The canonical JSON of a value that names a cell or key.
    fn json(&self, expr: &Expr) -> Json {
        let named = match expr {
            Expr::Field(name) => self.data.get(name),
            Expr::Item(name) => self.item.and_then(|(_, item)| item.get(name)),
            other => panic!("{other:?} names no cell"),
        };
        named.cloned().unwrap_or(Json::Null)
    }

    fn all_json(&self, exprs: &[Expr]) -> Vec<Json> {
        exprs.iter().map(|expr| self.json(expr)).collect()
    }
}

fn exact_product(a: i128, b: i128) -> i128 {
    let product = a * b;
    assert_eq!(product % 10i128.pow(12), 0, "the tests stay within 12 digits");
    product / 10i128.pow(12)
}

fn parse_fault(code: &str) -> Result<(), Unsigned> {
    Err(Unsigned::Parse(format!("ledger.{code}")))
}

/// Checks values against their fields: names that are no field first, then the fields in the order declared.
fn check_fields(fields: &[Field], data: &Json) -> Result<(), Unsigned> {
    let is_known = |name: &String| fields.iter().any(|field| field.name == name);
    if data.as_object().is_some_and(|members| !members.keys().all(is_known)) {
        return parse_fault("unknown_field");
    }
    for field in fields {
        match data.get(field.name) {
            None | Some(Json::Null) if field.required => return parse_fault("missing_field"),
            None | Some(Json::Null) => {}
            Some(value) => check_value(&field.kind, value)?,
        }
    }
    Ok(())
}

fn check_value(kind: &Kind, value: &Json) -> Result<(), Unsigned> {
    match (kind, value) {
        (Kind::Text(max), Json::String(text)) if text.len() > *max => parse_fault("too_long"),
        (Kind::Int(min, max), Json::Number(value)) if !(*min..=*max).contains(&value.as_i64().unwrap()) => {
            parse_fault("out_of_range")
        }
        (Kind::Decimal(scale), Json::String(text)) if amount::behind_point(text) > *scale => {
            parse_fault("too_many_digits")
        }
        (Kind::Enum(values), Json::String(word)) if !values.contains(&word.as_str()) => parse_fault("bad_format"),
        (Kind::List(max, _), Json::Array(items)) if items.len() > *max => parse_fault("too_long"),
        (Kind::List(_, fields), Json::Array(items)) => items.iter().try_for_each(|item| check_fields(fields, item)),
        _ => Ok(()),
    }
}

fn canonical(fields: &[Field], data: &Json) -> Json {
    let mut kept = Map::new();
    for field in fields {
        let Some(value) = data.get(field.name).filter(|value| !value.is_null()) else { continue };
        let value = match (&field.kind, value) {
            (Kind::Decimal(_), Json::String(text)) => json!(amount::canonical(text)),
            (Kind::List(_, inner), Json::Array(items)) => {
                Json::Array(items.iter().map(|item| canonical(inner, item)).collect())
            }
            (_, value) => value.clone(),
        };
        kept.insert(field.name.to_owned(), value);
    }
    Json::Object(kept)
}

impl Rule {
    fn full_code(&self) -> String {
        let default = match &self.does {
            Does::Require(_) => "requirement",
            Does::Unique(_) => "duplicate",
            Does::Ref { .. } => "unknown_reference",
            Does::Match { .. } => "mismatch",
            Does::Open { .. } => "already_open",
            Does::Balance { .. } => "amount_out_of_range",
            Does::Close { .. } => "not_empty",
            Does::Lifecycle { .. } => "wrong_state",
            Does::Conserve { .. } => "unbalanced",
            Does::Window { .. } => "outside_window",
        };
        format!("m.{}", self.code.as_deref().unwrap_or(default))
    }

    /// The scopes that the rule runs over: the record, or each item for which `when` holds.
    fn scopes<'a>(&self, declared: &'a Type, data: &'a Json) -> Vec<Scope<'a>> {
        let whole = Scope { fields: &declared.fields, data, item: None };
        let mut scopes = match self.each {
            None => vec![whole],
            Some(list) => {
                let field = declared.fields.iter().find(|field| field.name == list).expect("the list");
                let Kind::List(_, inner) = &field.kind else { panic!("{list} is no list") };
                let items = data.get(list).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
                items.iter().map(|item| Scope { item: Some((inner, item)), ..whole }).collect()
            }
        };
        scopes.retain(|scope| self.when.as_ref().is_none_or(|when| scope.is_true(when)));
        scopes
    }

    fn holds_alone(&self, scopes: &[Scope<'_>]) -> bool {
        match &self.does {
            Does::Require(condition) => scopes.iter().all(|scope| scope.is_true(condition)),
            Does::Window { field, not_before, not_after } => scopes.iter().all(|scope| {
                let order = |bound: &Expr| scope.eval(field).compare(&scope.eval(bound));
                not_before.as_ref().is_none_or(|bound| order(bound).is_some_and(Ordering::is_ge))
                    && not_after.as_ref().is_none_or(|bound| order(bound).is_some_and(Ordering::is_le))
            }),
            Does::Conserve { sum, by, low, high } => {
                let mut sums: BTreeMap<String, i128> = BTreeMap::new();
                for scope in scopes {
                    let Some(summand) = scope.eval(sum).number() else { continue };
                    *sums.entry(json!(scope.all_json(by)).to_string()).or_default() += summand;
                }
                let unit = 10i128.pow(12);
                let within = i128::from(*low) * unit..=i128::from(*high) * unit;
                sums.values().all(|sum| within.contains(sum))
            }
            _ => true,
        }
    }
}

impl Interpreter {
    fn declared(&self, kind: &str) -> &Type {
        let name = kind.strip_prefix("m.").expect("a type of m");
        self.module.types.iter().find(|declared| declared.name == name).expect("a declared type")
    }

    fn thing(&self) -> &Type {
        self.declared("m.thing")
    }

    fn balance_cell(scope: &Scope<'_>, at: &Expr, by: &[Expr]) -> String {
        cell_name("m.thing", "bal", &[scope.json(at)], &scope.all_json(by))
    }

    fn bounds(&self, unit: &Unit<'_>, cell: &str) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        for (number, terms) in balance.bounds.iter().enumerate() {
            let values: Option<Vec<i128>> =
                terms.iter().map(|(part, times)| Some(unit.part(cell, part)? * i128::from(*times))).collect();
            let lowest = i128::from(self.strict);
            if values.is_some_and(|values| values.iter().sum::<i128>() < lowest) {
                return Err(format!("m.bound{number}"));
            }
        }
        Ok(())
    }

    /// A rule that looks at state.
    fn rule(&self, unit: &mut Unit<'_>, declared: &Type, number: usize, data: &Json) -> Result<(), String> {
        let rule = &declared.rules[number];
        let mut changed: Vec<String> = Vec::new();
        for scope in rule.scopes(declared, data) {
            match &rule.does {
                Does::Unique(values) => Self::unique(unit, declared, number, &scope, values)?,
                Does::Ref { target, at } => {
                    let key = key_name(&format!("m.{target}"), 0, &scope.all_json(at));
                    let given = at.iter().all(|value| scope.json(value) != Json::Null);
                    if given && unit.holder(&key).is_none() {
                        return Err(rule.full_code());
                    }
                }
                Does::Match { target, at, equal, negated } => {
                    Self::agree(unit, rule, &scope, (target, at), equal, negated)?;
                }
                Does::Open { at, by, set } => self.open(unit, rule, &scope, (at, by), set)?,
                Does::Balance { at, by, add, subtract, at_end } => {
                    let cell = Self::balance_cell(&scope, at, by);
                    self.add(unit, &scope, &cell, add, 1)?;
                    self.add(unit, &scope, &cell, subtract, -1)?;
                    if *at_end {
                        unit.at_end.push(cell);
                    } else if !changed.contains(&cell) {
                        changed.push(cell);
                    }
                }
                Does::Close { at, by, zero } => {
                    let cell = Self::balance_cell(&scope, at, by);
                    if unit.cell(&cell).is_none() {
                        return Err("m.not_open".to_owned());
                    }
                    if zero.iter().any(|part| unit.part(&cell, part).unwrap_or(0) != 0) {
                        return Err(rule.full_code());
                    }
                    unit.set(&cell, None);
                }
                Does::Lifecycle { at, from, to } => self.step(unit, rule, &scope.json(at), from, *to)?,
                Does::Require(_) | Does::Conserve { .. } | Does::Window { .. } => {}
            }
        }
        changed.iter().try_for_each(|cell| self.bounds(unit, cell))
    }

    fn unique(
        unit: &mut Unit<'_>,
        declared: &Type,
        number: usize,
        scope: &Scope<'_>,
        values: &[Expr],
    ) -> Result<(), String> {
        let values = scope.all_json(values);
        if values.contains(&Json::Null) {
            return Ok(());
        }
        let before = &declared.rules[..number];
        let place = before.iter().filter(|rule| matches!(rule.does, Does::Unique(_))).count();
        let key = key_name(&format!("m.{}", declared.name), place, &values);
        unit.take(&key, scope.data, &declared.rules[number].full_code())
    }

    fn agree(
        unit: &Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        (target, at): (&str, &[Expr]),
        equal: &[&str],
        negated: &[&str],
    ) -> Result<(), String> {
        let at = scope.all_json(at);
        if at.contains(&Json::Null) {
            return Ok(());
        }
        let Some(theirs) = unit.holder(&key_name(&format!("m.{target}"), 0, &at)) else {
            return Err("m.unknown_reference".to_owned());
        };
        let minus = |name: &str| match (theirs.get(name), scope.data.get(name)) {
            (Some(theirs), Some(ours)) => {
                let number = |value: &Json| amount::parse(value.as_str().expect("a decimal"));
                number(theirs) == -number(ours)
            }
            _ => false,
        };
        let same = equal.iter().all(|name| theirs.get(name) == scope.data.get(name));
        if same && negated.iter().all(|name| minus(name)) { Ok(()) } else { Err(rule.full_code()) }
    }

    fn open(
        &self,
        unit: &mut Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        (at, by): (&Expr, &[Expr]),
        set: &[(&str, Expr)],
    ) -> Result<(), String> {
        let cell = Self::balance_cell(scope, at, by);
        let balance = self.thing().balance.as_ref().expect("the balance");
        let mut parts = Map::new();
        for (part, value) in set {
            if let Some(value) = scope.eval(value).number() {
                if amount::is_finer(value, balance.scale) {
                    return Err("m.too_many_decimals".to_owned());
                }
                parts.insert((*part).to_owned(), json!(amount::show(value)));
            }
        }
        if unit.cell(&cell).is_some() {
            return Err(rule.full_code());
        }
        unit.set(&cell, Some(Json::Object(parts)));
        self.bounds(unit, &cell)
    }

    fn add(
        &self,
        unit: &mut Unit<'_>,
        scope: &Scope<'_>,
        cell: &str,
        parts: &[(&str, Expr)],
        sign: i128,
    ) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        for (part, value) in parts {
            let value = scope.eval(value).number().unwrap_or(0);
            if amount::is_finer(value, balance.scale) {
                return Err("m.too_many_decimals".to_owned());
            }
            if unit.cell(cell).is_none() {
                return Err("m.not_open".to_owned());
            }
            let digits = balance.digits.and_then(|part| unit.part(cell, part));
            let digits = digits.map(|digits| (digits / 10i128.pow(12)).clamp(0, i128::from(balance.scale)));
            if digits.is_some_and(|digits| amount::is_finer(value, digits as u32)) {
                return Err("m.too_many_decimals".to_owned());
            }
            unit.add(cell, part, sign * value);
        }
        Ok(())
    }

    fn step(&self, unit: &mut Unit<'_>, rule: &Rule, at: &Json, from: &[&str], to: Option<&str>) -> Result<(), String> {
        let lifecycle = self.thing().lifecycle.as_ref().expect("the lifecycle");
        let name = cell_name("m.thing", "life", std::slice::from_ref(at), &[]);
        let cell = unit.cell(&name);
        let stored = cell.as_ref().map(|cell| cell["state"].as_str().expect("a state"));
        match stored.or(lifecycle.initial) {
            None if from.is_empty() => {}
            None => return Err("m.unknown_reference".to_owned()),
            Some(state) if !from.contains(&state) => return Err(rule.full_code()),
            Some(_) => {}
        }
        if let Some(to) = to {
            unit.set(&name, Some(json!({ "state": to })));
        }
        Ok(())
    }
}

impl Rules for Interpreter {
    fn version(&self, _: &str) -> u64 {
        self.module.version
    }

    fn screen(&self, record: &Record) -> Result<(), Unsigned> {
        let declared = self.declared(&record.kind);
        check_fields(&declared.fields, &record.data)?;
        let data = canonical(&declared.fields, &record.data);
        match declared.rules.iter().find(|rule| !rule.holds_alone(&rule.scopes(declared, &data))) {
            Some(broken) => Err(Unsigned::Rule(broken.full_code())),
            None => Ok(()),
        }
    }

    fn canonical(&self, record: &Record) -> Json {
        canonical(&self.declared(&record.kind).fields, &record.data)
    }

    fn apply(&self, unit: &mut Unit<'_>, record: &Record) -> Result<(), String> {
        let declared = self.declared(&record.kind);
        (0..declared.rules.len()).try_for_each(|number| self.rule(unit, declared, number, &record.data))
    }

    fn end(&self, unit: &Unit<'_>) -> Result<(), String> {
        unit.at_end.iter().try_for_each(|cell| {
            if unit.cell(cell).is_none() { Err("m.not_open".to_owned()) } else { self.bounds(unit, cell) }
        })
    }
}
