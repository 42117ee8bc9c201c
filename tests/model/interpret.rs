//! What a module of the bounded grammar means: a naive interpreter. Here what a record says on its own; what rules do to state is in
//! `effects`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::amount;
use super::language::{Does, Expr, Field, Kind, Module, Rule, Type};
use super::ratio::Ratio;
use super::scope::{Found, NoValue, Scope};
use super::state::{AtEnd, Record, Rules, Signers, Unit, Unsigned};

/// A module, interpreted. `strict` makes it wrong on purpose: a bound may not be met exactly.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    pub(crate) module: Module,
    pub(crate) strict: bool,
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
        (Kind::Fraction, Json::String(text)) if !Ratio::parse(text).is_reduced() => parse_fault("bad_format"),
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
    pub(super) fn full_code(&self) -> String {
        let default = match &self.does {
            Does::Require(_) => "requirement",
            Does::Unique { versioned: None, .. } => "duplicate",
            Does::Unique { versioned: Some(_), .. } => "stale_version",
            Does::Ref { .. } => "unknown_reference",
            Does::Match { .. } => "mismatch",
            Does::Open { .. } => "already_open",
            Does::Balance { .. } => "amount_out_of_range",
            Does::Close { .. } => "not_empty",
            Does::Lifecycle { .. } => "wrong_state",
            Does::Conserve { .. } => "unbalanced",
            Does::Window { .. } => "outside_window",
            Does::Count { .. } => "count_out_of_range",
            Does::Holder { .. } => "not_holder",
            Does::Sequence { .. } => "out_of_sequence",
            Does::Acyclic { .. } => "cycle",
            Does::Tally { .. } => "tally_mismatch",
            Does::Emit { .. } => "not_made",
        };
        format!("m.{}", self.code.as_deref().unwrap_or(default))
    }

    /// Whether it needs more than the record.
    pub(super) fn is_dynamic(&self) -> bool {
        self.when.as_ref().is_some_and(Expr::is_dynamic) || self.does.expressions().into_iter().any(Expr::is_dynamic)
    }

    /// Whether it is looked at before the record is signed, and only then.
    pub(super) fn is_screened(&self) -> bool {
        self.is_of_record() && !self.is_dynamic() && self.severity == "reject"
    }

    /// Whether it is decided by the record, inputs and lookups: it has no operation on state.
    pub(super) fn is_of_record(&self) -> bool {
        matches!(self.does, Does::Require(_) | Does::Window { .. } | Does::Conserve { over: None, .. })
    }

    /// The record, or each of its items: what the rule runs over, `when` not yet asked.
    pub(super) fn all_scopes<'a>(&self, declared: &'a Type, data: &'a Json, signers: Signers<'a>) -> Vec<Scope<'a>> {
        let whole = Scope { fields: &declared.fields, data, item: None, signers, found: Found::default() };
        match self.each {
            None => vec![whole],
            Some(list) => {
                let field = declared.fields.iter().find(|field| field.name == list).expect("the list");
                let Kind::List(_, inner) = &field.kind else { panic!("{list} is no list") };
                let items = data.get(list).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
                items.iter().map(|item| Scope { item: Some((inner, item)), ..whole.clone() }).collect()
            }
        }
    }

    /// Whether `when` holds.
    pub(super) fn applies(&self, scope: &Scope<'_>) -> Result<bool, NoValue> {
        self.when.as_ref().map_or(Ok(true), |when| Ok(scope.value(when)?.is_true()))
    }

    /// Those for which `when` holds.
    pub(super) fn applying<'a>(&self, mut scopes: Vec<Scope<'a>>) -> Vec<Scope<'a>> {
        scopes.retain(|scope| self.applies(scope) == Ok(true));
        scopes
    }

    pub(super) fn holds_alone(&self, scopes: Vec<Scope<'_>>) -> bool {
        if scopes.iter().any(|scope| self.applies(scope).is_err()) {
            return false;
        }
        let scopes = self.applying(scopes);
        match &self.does {
            Does::Require(condition) => scopes.iter().all(|scope| scope.is_true(condition)),
            Does::Window { field, not_before, not_after } => scopes.iter().all(|scope| {
                let order = |bound: &Expr| scope.eval(field).compare(&scope.eval(bound));
                not_before.as_ref().is_none_or(|bound| order(bound).is_some_and(Ordering::is_ge))
                    && not_after.as_ref().is_none_or(|bound| order(bound).is_some_and(Ordering::is_le))
            }),
            Does::Conserve { sum, by, low, high, over: None } => {
                let mut sums: BTreeMap<String, Ratio> = BTreeMap::new();
                for scope in &scopes {
                    let Some(summand) = scope.eval(sum).ratio() else { continue };
                    let sum = sums.entry(json!(scope.all_json(by)).to_string()).or_insert(Ratio::ZERO);
                    *sum = sum.plus(summand);
                }
                scopes.iter().all(|scope| scope.has_value(sum)) && sums.values().all(|sum| sum.is_within((*low, *high)))
            }
            _ => true,
        }
    }
}

impl Type {
    /// What a rule sets a field of it to.
    fn member(&self, name: &str, value: &Expr, scope: &Scope<'_>) -> Json {
        let field = self.fields.iter().find(|field| field.name == name).expect("a field");
        match (&field.kind, scope.eval(value)) {
            (Kind::Decimal(_), of) => of.number().map_or(Json::Null, |number| json!(amount::show(number))),
            (Kind::Int(..), of) => of.int().map_or(Json::Null, |int| json!(int)),
            _ => scope.json(value),
        }
    }
}

impl Interpreter {
    pub(super) fn declared(&self, kind: &str) -> &Type {
        let name = kind.strip_prefix("m.").expect("a type of m");
        self.module.types.iter().find(|declared| declared.name == name).expect("a declared type")
    }

    pub(super) fn thing(&self) -> &Type {
        self.declared("m.thing")
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
        let breaks = |rule: &&Rule| {
            rule.is_screened() && !rule.holds_alone(rule.all_scopes(declared, &data, Signers::default()))
        };
        match declared.rules.iter().find(breaks) {
            Some(broken) => Err(Unsigned::Rule(broken.full_code())),
            None => Ok(()),
        }
    }

    fn canonical(&self, record: &Record) -> Json {
        canonical(&self.declared(&record.kind).fields, &record.data)
    }

    fn apply(&self, unit: &mut Unit<'_>, record: &Record) -> Result<(), String> {
        let declared = self.declared(&record.kind);
        self.take_back(unit, declared, &record.data)?;
        (0..declared.rules.len()).try_for_each(|number| self.rule(unit, declared, number, &record.data))?;
        let later = unit.later.take().unwrap_or_default();
        later.iter().try_for_each(|cell| self.bounds(unit, cell))
    }

    fn followers(&self, unit: &Unit<'_>, record: &Record) -> Result<Vec<Record>, String> {
        let declared = self.declared(&record.kind);
        let mut followers = Vec::new();
        for rule in &declared.rules {
            let Does::Emit { target, set } = &rule.does else { continue };
            let into = self.declared(&format!("m.{target}"));
            for scope in self.scopes(unit, declared, rule, &record.data) {
                match rule.applies(&scope) {
                    Ok(false) => continue,
                    Ok(true) if set.iter().all(|(_, value)| scope.has_value(value)) => {}
                    _ => return Err("ledger.overflow".to_owned()),
                }
                let members = set.iter().map(|(name, value)| ((*name).to_owned(), into.member(name, value, &scope)));
                let made = Record { kind: format!("m.{target}"), data: Json::Object(members.collect()) };
                self.screen(&made).map_err(|unsigned| unsigned.code().to_owned())?;
                followers.push(Record { data: self.canonical(&made), ..made });
            }
        }
        Ok(followers)
    }

    fn end(&self, unit: &Unit<'_>, last: &AtEnd) -> Result<Option<String>, String> {
        match last {
            AtEnd::Bounds(cell) => self.holds(unit, cell).map(|()| None),
            AtEnd::Sum(number) => {
                let this = &unit.contributions[*number];
                let of_group = || unit.contributions.iter().enumerate().filter(|(_, other)| other.group == this.group);
                let is_first = of_group().next().is_some_and(|(first, _)| first == *number);
                let sum = of_group().map(|(_, other)| other.amount).fold(Ratio::ZERO, Ratio::plus);
                match is_first && !sum.is_within(this.within) {
                    true if this.flags => Ok(Some(this.code.clone())),
                    true => Err(this.code.clone()),
                    false => Ok(None),
                }
            }
        }
    }
}
