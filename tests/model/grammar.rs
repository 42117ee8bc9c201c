//! Random modules of the bounded grammar, and random calls on them.

use serde_json::{Map, Value as Json, json};

use super::choices::Choices;
use super::engine::Call;
use super::language::{Balance, Does, Expr, Field, Kind, Lifecycle, Module, Rule, Type};
use super::ledger::Mode;
use super::state::Record;

const PARTS: [&str; 4] = ["p0", "p1", "p2", "p3"];
const STATES: [&str; 3] = ["red", "green", "blue"];
const IDS: [&str; 6] = ["i0", "i1", "i2", "i3", "i4", "i5"];
const DECIMALS: [&str; 9] = ["1", "0.5", "-2", "3.25", "10", "0", "-0.50", "0.001", "7.125"];
const DATES: [&str; 3] = ["2026-01-01", "2026-06-15", "2027-02-28"];

/// Shared by the types of a module, so that their rules fit together.
struct Shape {
    balance: Balance,
    lifecycle: Lifecycle,
    /// Whether balances are named by kind as well.
    by_kind: bool,
    payload: Vec<Field>,
}

fn field(name: &'static str, kind: Kind, required: bool) -> Field {
    Field { name, kind, required }
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn payload(choices: &mut Choices) -> Vec<Field> {
    let all = [
        field("amount", Kind::Decimal(choices.one(&[2, 0, 3])), choices.percent(50)),
        field("number", Kind::Int(-3, 9), choices.percent(30)),
        field("kind", Kind::Enum(vec!["x", "y"]), choices.percent(70)),
        field("flag", Kind::Bool, false),
        field("start", Kind::Date, false),
        field("finish", Kind::Date, false),
    ];
    all.to_vec()
}

fn shape(choices: &mut Choices) -> Shape {
    let parts = PARTS[..1 + choices.below(4)].to_vec();
    let bounds = (0..choices.below(3))
        .map(|_| {
            let terms: Vec<_> = parts
                .iter()
                .map(|part| (*part, choices.one(&[1, -1, 0, 2, -2])))
                .filter(|(_, times)| *times != 0)
                .collect();
            if terms.is_empty() { vec![(parts[0], 1)] } else { terms }
        })
        .collect();
    let digits = choices.percent(25).then(|| choices.one(&parts));
    let scale = choices.one(&[2, 0, 4]);
    let states = STATES[..2 + choices.below(2)].to_vec();
    let initial = choices.percent(50).then(|| choices.one(&states));
    Shape {
        balance: Balance { parts, scale, digits, bounds },
        lifecycle: Lifecycle { states, initial },
        by_kind: choices.percent(50),
        payload: payload(choices),
    }
}

fn number(choices: &mut Choices, depth: usize) -> Expr {
    match choices.below(if depth == 0 { 3 } else { 5 }) {
        0 => Expr::Field("amount"),
        1 => Expr::Field("number"),
        2 => Expr::Int(choices.one(&[0, 1, -1, 3])),
        3 => Expr::Coalesce(vec![Expr::Field("amount"), Expr::Field("number")]),
        _ => {
            let operator = choices.one(&["+", "-", "*"]);
            Expr::binary(operator, number(choices, 0), number(choices, 0))
        }
    }
}

fn condition(choices: &mut Choices, depth: usize) -> Expr {
    match choices.below(if depth == 0 { 6 } else { 9 }) {
        0 | 1 => {
            let operator = choices.one(&["<=", ">", "==", "!=", "<", ">="]);
            Expr::binary(operator, number(choices, 1), number(choices, 1))
        }
        2 => Expr::binary("==", Expr::Field("kind"), Expr::Text("x")),
        3 => Expr::Has(boxed(Expr::Field(choices.one(&["start", "kind", "number", "flag"])))),
        4 => Expr::binary(choices.one(&["<", ">="]), Expr::Field("start"), Expr::Field("finish")),
        5 => Expr::In(boxed(Expr::Field("number")), vec![Expr::Int(1), Expr::Int(2), Expr::Int(5)]),
        6 => Expr::Not(boxed(condition(choices, 0))),
        7 => Expr::binary("&&", condition(choices, 0), condition(choices, 0)),
        _ => Expr::binary("||", condition(choices, 0), Expr::Field("flag")),
    }
}

fn item_condition(choices: &mut Choices) -> Expr {
    match choices.below(3) {
        0 => Expr::binary(choices.one(&["<", ">="]), Expr::Item("amount"), Expr::Int(choices.one(&[0, 3]))),
        1 => Expr::binary("!=", Expr::Item("kind"), Expr::Text("y")),
        _ => Expr::Has(boxed(Expr::Item("amount"))),
    }
}

fn rule(choices: &mut Choices, does: Does) -> Rule {
    let when = choices.percent(25).then(|| condition(choices, 1));
    let code = choices.percent(30).then(|| format!("code{}", choices.below(5)));
    Rule { each: None, when, code, does }
}

fn item_rule(choices: &mut Choices, does: Does) -> Rule {
    let when = choices.percent(25).then(|| item_condition(choices));
    Rule { each: Some("items"), when, ..rule(choices, does) }
}

impl Shape {
    fn by(&self, item: bool) -> Vec<Expr> {
        let kind = if item { Expr::Item("kind") } else { Expr::Field("kind") };
        if self.by_kind { vec![kind] } else { Vec::new() }
    }

    fn amounts(&self, choices: &mut Choices, item: bool) -> Vec<(&'static str, Expr)> {
        let mut amounts = Vec::new();
        for part in &self.balance.parts {
            if choices.percent(50) {
                let value = if item { Expr::Item("amount") } else { number(choices, 1) };
                amounts.push((*part, value));
            }
        }
        amounts
    }

    fn movement(&self, choices: &mut Choices, at: Expr, item: bool) -> Does {
        let (mut add, subtract) = (self.amounts(choices, item), self.amounts(choices, item));
        if add.is_empty() && subtract.is_empty() {
            add.push((self.balance.parts[0], Expr::Int(1)));
        }
        Does::Balance { at, by: self.by(item), add, subtract, at_end: choices.percent(25) }
    }

    fn step(&self, choices: &mut Choices, at: Expr) -> Does {
        let states = &self.lifecycle.states;
        let mut from: Vec<&'static str> = states.iter().copied().filter(|_| choices.percent(50)).collect();
        let mut to = choices.percent(80).then(|| choices.one(states));
        if from.is_empty() && self.lifecycle.initial.is_some() {
            from.push(states[0]);
        }
        if from.is_empty() && to.is_none() {
            to = Some(states[0]);
        }
        Does::Lifecycle { at, from, to }
    }

    fn anything(&self, choices: &mut Choices) -> Rule {
        let a = || Expr::Field("a");
        let does = match choices.below(11) {
            0 | 1 => self.movement(choices, a(), false),
            2 => Does::Require(condition(choices, 1)),
            3 => Does::Ref { target: "thing", at: vec![Expr::Field(choices.one(&["a", "b"]))] },
            4 => Does::Match {
                target: "thing",
                at: vec![Expr::Field("b")],
                equal: vec![choices.one(&["kind", "number", "start"])],
                negated: if choices.percent(30) { vec!["amount"] } else { Vec::new() },
            },
            5 => {
                let at = Expr::Field(choices.one(&["a", "b"]));
                self.step(choices, at)
            }
            6 => Does::Unique(vec![Expr::Field(choices.one(&["b", "number"])), Expr::Field("kind")]),
            7 => Does::Window { field: Expr::Field("start"), not_before: None, not_after: Some(Expr::Field("finish")) },
            8 => return self.of_items(choices),
            9 => {
                let set = vec![(self.balance.parts[0], Expr::Field("amount"))];
                Does::Open { at: Expr::Field("a"), by: self.by(false), set }
            }
            _ => self.movement(choices, Expr::Field("b"), false),
        };
        rule(choices, does)
    }

    fn of_items(&self, choices: &mut Choices) -> Rule {
        let at = Expr::Item("a");
        let does = match choices.below(5) {
            0 | 1 => self.movement(choices, at, true),
            2 => Does::Require(item_condition(choices)),
            3 => Does::Ref { target: "thing", at: vec![at] },
            _ => {
                let by = if choices.percent(50) { vec![Expr::Item("kind")] } else { Vec::new() };
                let (low, high) = choices.one(&[(0, 0), (-5, 5), (0, 20)]);
                Does::Conserve { sum: Expr::Item("amount"), by, low, high }
            }
        };
        item_rule(choices, does)
    }

    fn thing(&self, choices: &mut Choices) -> Type {
        let mut fields = vec![field("id", Kind::Text(2), true)];
        fields.extend(self.payload.iter().cloned());
        let id = || Expr::Field("id");
        let mut set = self.amounts(choices, false);
        if set.is_empty() {
            set.push((self.balance.parts[0], Expr::Int(0)));
        }
        let plain = |does: Does| Rule { each: None, when: None, code: None, does };
        let mut rules = vec![plain(Does::Unique(vec![id()]))];
        if choices.percent(40) {
            let does = Does::Require(condition(choices, 1));
            rules.push(rule(choices, does));
        }
        rules.push(plain(Does::Open { at: id(), by: self.by(false), set }));
        if self.lifecycle.initial.is_none() {
            let to = Some(self.lifecycle.states[0]);
            rules.push(plain(Does::Lifecycle { at: id(), from: Vec::new(), to }));
        }
        let (balance, lifecycle) = (Some(self.balance.clone()), Some(self.lifecycle.clone()));
        Type { name: "thing", fields, balance, lifecycle, rules }
    }

    fn motion(&self, choices: &mut Choices) -> Type {
        let text = |name, required| field(name, Kind::Text(2), required);
        let mut fields = vec![text("a", true), text("b", false)];
        fields.extend(self.payload.iter().cloned());
        let item = self.payload.iter().filter(|field| ["amount", "kind"].contains(&field.name));
        let item = std::iter::once(text("a", true)).chain(item.cloned()).collect();
        fields.push(field("items", Kind::List(4, item), false));
        let mut rules: Vec<Rule> = (0..1 + choices.below(5)).map(|_| self.anything(choices)).collect();
        if choices.percent(30) {
            let size = Expr::binary("<=", Expr::Size("items"), Expr::Int(2));
            rules.push(rule(choices, Does::Require(size)));
        }
        Type { name: "motion", fields, balance: None, lifecycle: None, rules }
    }

    fn ending(&self, choices: &mut Choices) -> Type {
        let mut fields = vec![field("a", Kind::Text(2), true)];
        fields.extend(self.payload.iter().cloned());
        let zero = vec![choices.one(&self.balance.parts)];
        let close = Does::Close { at: Expr::Field("a"), by: self.by(false), zero };
        let mut rules = vec![rule(choices, close)];
        if choices.percent(50) {
            let does = self.step(choices, Expr::Field("a"));
            rules.push(rule(choices, does));
        }
        Type { name: "ending", fields, balance: None, lifecycle: None, rules }
    }
}

/// A module.
pub(crate) fn module(choices: &mut Choices) -> Module {
    let shape = shape(choices);
    let types = vec![shape.thing(choices), shape.motion(choices), shape.ending(choices)];
    Module { version: 1 + choices.below(3) as u64, types }
}

fn value(choices: &mut Choices, kind: &Kind) -> Json {
    match kind {
        Kind::Text(_) => json!(choices.one(&IDS)),
        Kind::Int(..) => json!(choices.below(8) as i64 - 2),
        Kind::Decimal(scale) => loop {
            let text = choices.one(&DECIMALS);
            if super::amount::behind_point(text) <= *scale || choices.percent(5) {
                break json!(text);
            }
        },
        Kind::Enum(values) => json!(choices.one(values)),
        Kind::Date => json!(choices.one(&DATES)),
        Kind::Bool => json!(choices.percent(50)),
        Kind::List(max, fields) => {
            let length = choices.below(max + 1);
            Json::Array((0..length).map(|_| data(choices, fields)).collect())
        }
    }
}

fn data(choices: &mut Choices, fields: &[Field]) -> Json {
    let mut members = Map::new();
    for field in fields {
        if choices.percent(if field.required { 99 } else { 70 }) {
            members.insert(field.name.to_owned(), value(choices, &field.kind));
        }
    }
    Json::Object(members)
}

fn record(choices: &mut Choices, of: &Type) -> Record {
    let mut data = data(choices, &of.fields);
    match choices.below(100) {
        99 => data["surprise"] = json!("?"),
        98 => data["number"] = json!(10),
        97 => data["kind"] = json!("z"),
        96 => data[of.fields[0].name] = json!("i00"),
        _ => {}
    }
    Record { kind: format!("m.{}", of.name), data }
}

/// Calls on a module.
pub(crate) fn calls(choices: &mut Choices, module: &Module) -> Vec<Call> {
    let [thing, motion, ending] = &module.types[..] else { panic!("three types") };
    let things = (0..3 + choices.below(6)).map(|_| record(choices, thing)).collect();
    let mut calls = vec![Call { mode: Mode::Each, rows: things, id: None }];
    for _ in 0..1 + choices.below(5) {
        let id = choices.percent(20).then(|| format!("call{}", choices.below(2)));
        let of = choices.one(&[motion, motion, motion, thing, ending]);
        let length = 1 + choices.below(16);
        let mode = if choices.percent(65) { Mode::Each } else { Mode::Atomic };
        let rows = if mode == Mode::Each {
            (0..length).map(|_| record(choices, of)).collect()
        } else {
            (0..1 + length / 4)
                .map(|_| {
                    let of = choices.one(&[motion, motion, thing, ending]);
                    record(choices, of)
                })
                .collect()
        };
        calls.push(Call { mode, rows, id });
    }
    calls
}
