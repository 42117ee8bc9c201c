//! Random modules of the bounded grammar.

use super::choices::Choices;
use super::language::{
    Balance, Count, Does, Expr, Field, Kind, Lifecycle, Lookup, Module, Rule, Sequence, Step, Type, Who,
};

const PARTS: [&str; 4] = ["p0", "p1", "p2", "p3"];
const STATES: [&str; 3] = ["red", "green", "blue"];

/// Shared by the types of a module, so that their rules fit together.
struct Shape {
    balance: Balance,
    lifecycle: Lifecycle,
    count: Count,
    sequence: Sequence,
    /// Whether balances are named by kind as well.
    by_kind: bool,
    /// Bounds and severity of the sums over the unit `g`, `h` and `f` (of fractions), which all their rules agree on.
    sums: [((i64, i64), &'static str); 3],
    payload: Vec<Field>,
}

fn field(name: &'static str, kind: Kind, required: bool) -> Field {
    Field { name, kind, required, index: false }
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn payload(choices: &mut Choices) -> Vec<Field> {
    let all = [
        field("amount", Kind::Decimal(choices.one(&[2, 0, 3])), choices.percent(50)),
        field("number", Kind::Int(-3, 9), choices.percent(30)),
        field("kind", Kind::Enum(vec!["x", "y"]), choices.percent(70)),
        Field { index: true, ..field("flag", Kind::Bool, false) },
        field("start", Kind::Date, false),
        field("finish", Kind::Date, false),
        field("share", Kind::Fraction, false),
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
    let opening = choices.percent(30).then(|| {
        let parts = parts.iter().filter(|_| choices.percent(70));
        parts.map(|part| (*part, ["0", "1", "5", "100"][part.len() % 4])).collect::<Vec<_>>()
    });
    let opening = opening.filter(|opening| !opening.is_empty());
    let states = STATES[..2 + choices.below(2)].to_vec();
    let initial = choices.percent(50).then(|| choices.one(&states));
    Shape {
        balance: Balance { parts, scale, digits, opening, bounds },
        lifecycle: Lifecycle { states, initial },
        count: Count { low: choices.one(&[0, 0, -2]), high: choices.percent(40).then(|| choices.one(&[1, 3, 10])) },
        sequence: Sequence { order: choices.one(&["strict", "rising", "gapless"]), start: choices.one(&[0, 1]) },
        by_kind: choices.percent(50),
        sums: [(); 3].map(|()| (choices.one(&[(0, 0), (0, 1), (-20, 20)]), choices.one(&["reject", "reject", "flag"]))),
        payload: payload(choices),
    }
}

fn number(choices: &mut Choices, depth: usize) -> Expr {
    match choices.below(if depth == 0 { 3 } else { 6 }) {
        0 => Expr::Field("amount"),
        1 => Expr::Field("number"),
        2 => Expr::Int(choices.one(&[0, 1, -1, 3])),
        3 => Expr::Coalesce(vec![Expr::Field("amount"), Expr::Field("number")]),
        4 => {
            let dividend = number(choices, 0);
            divided(choices, dividend, Expr::Field("number"))
        }
        _ => {
            let operator = choices.one(&["+", "-", "*"]);
            Expr::binary(operator, number(choices, 0), number(choices, 0))
        }
    }
}

/// A quotient, which has no value where the divisor is zero.
fn divided(choices: &mut Choices, a: Expr, b: Expr) -> Expr {
    Expr::Divide(boxed(a), boxed(b), choices.one(&["half_even", "down", "ceiling"]))
}

fn condition(choices: &mut Choices, depth: usize) -> Expr {
    match choices.below(if depth == 0 { 7 } else { 11 }) {
        0 | 1 => {
            let operator = choices.one(&["<=", ">", "==", "!=", "<", ">="]);
            Expr::binary(operator, number(choices, 1), number(choices, 1))
        }
        2 => Expr::binary("==", Expr::Field("kind"), Expr::Text("x")),
        3 => Expr::Has(boxed(Expr::Field(choices.one(&["start", "kind", "number", "flag"])))),
        4 => Expr::binary(choices.one(&["<", ">="]), Expr::Field("start"), Expr::Field("finish")),
        5 => Expr::In(boxed(Expr::Field("number")), vec![Expr::Int(1), Expr::Int(2), Expr::Int(5)]),
        6 => Expr::binary(choices.one(&["<", ">=", "=="]), Expr::Field("share"), Expr::Fraction("1/2")),
        7 => Expr::Not(boxed(condition(choices, 0))),
        8 => {
            // The first half decides alone where the second has no value.
            let (amount, number) = (Expr::Field("amount"), || Expr::Field("number"));
            let guard = Expr::binary("!=", number(), Expr::Int(0));
            Expr::binary("&&", guard, Expr::binary(">=", divided(choices, amount, number()), Expr::Int(1)))
        }
        9 => Expr::binary("&&", condition(choices, 0), condition(choices, 0)),
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
    let guard = || Expr::binary("!=", Expr::Field("number"), Expr::Int(0));
    let divides = does.expressions().into_iter().any(Expr::divides);
    let when = if divides && choices.percent(60) { Some(guard()) } else { when };
    let code = choices.percent(30).then(|| format!("code{}", choices.below(5)));
    let has_no_effects = matches!(does, Does::Require(_) | Does::Window { .. } | Does::Ref { .. } | Does::Match { .. });
    let severity = if has_no_effects { choices.one(&["reject", "reject", "hold", "flag"]) } else { "reject" };
    let moves = matches!(does, Does::Lifecycle { .. } | Does::Holder { .. });
    let allowed: [&[&str]; 3] = [&["clerk"], &["other.boss"], &["other.boss", "clerk"]];
    let roles = if moves && choices.percent(25) { choices.one(&allowed).to_vec() } else { Vec::new() };
    Rule { each: None, when, code, severity, roles, does }
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
        let mut set = Vec::new();
        if choices.percent(15) {
            set.push((choices.one(&self.balance.parts), if item { Expr::Item("amount") } else { number(choices, 0) }));
        }
        let approval = choices.percent(25).then(|| (choices.one(&self.balance.parts), 1 + choices.below(2)));
        Does::Balance { at, by: self.by(item), add, subtract, set, at_end: choices.percent(25), approval }
    }

    fn counting(&self, choices: &mut Choices, at: Expr) -> Does {
        let step = choices.one(&[Expr::Int(1), Expr::Int(-1), Expr::Int(2), Expr::Field("number")]);
        Does::Count { at, step }
    }

    fn holding(&self, choices: &mut Choices, at: Expr) -> Does {
        let who = |choices: &mut Choices| match choices.below(4) {
            0 | 1 => Expr::Field("a"),
            2 => Expr::Field("b"),
            _ => Expr::Author,
        };
        let from = match choices.below(4) {
            0 | 1 => Who::Nobody,
            2 => Who::Whoever,
            _ => Who::This(who(choices)),
        };
        let to = match choices.below(5) {
            0 if !matches!(from, Who::Nobody) => Who::Nobody,
            1 => Who::Whoever,
            _ => Who::This(who(choices)),
        };
        Does::Holder { at, from, to }
    }

    fn advancing(&self, choices: &mut Choices, at: Expr) -> Does {
        let number = || Expr::Field("number");
        let next = || Expr::binary("+", Expr::Field("number"), Expr::Int(2));
        let step = match choices.below(4) {
            0 | 1 => Step::Value(number()),
            2 => Step::Range(number(), next()),
            _ => Step::Reset(number()),
        };
        Does::Sequence { at, step }
    }

    /// A sum over the unit: of the record, or of its items.
    fn over_the_unit(&self, choices: &mut Choices, item: bool) -> Rule {
        let kind = if item { Expr::Item("kind") } else { Expr::Field("kind") };
        let (number, group, by) =
            choices.one(&[(0, "g", Vec::new()), (1, "h", vec![kind.clone()]), (2, "f", vec![kind])]);
        let name = if group == "f" { "share" } else { "amount" };
        let sum = if item { Expr::Item(name) } else { Expr::Field(name) };
        let ((low, high), severity) = self.sums[number];
        let does = Does::Conserve { sum, by, low, high, over: Some(group) };
        let rule = if item { item_rule(choices, does) } else { rule(choices, does) };
        Rule { severity, ..rule }
    }

    /// Nothing in the chain of holders may come back to the start.
    fn acyclic(&self, choices: &mut Choices) -> [Rule; 2] {
        let (a, b) = (|| Expr::Field("a"), || Expr::Field("b"));
        let does = Does::Acyclic { at: a(), to: b(), depth: 1 + choices.below(4) };
        let from = if choices.percent(50) { Who::Nobody } else { Who::This(Expr::Author) };
        [rule(choices, does), rule(choices, Does::Holder { at: a(), from, to: Who::This(b()) })]
    }

    fn lookups(&self) -> Vec<Lookup> {
        let plain = |at: Expr| (at, Vec::new());
        let (a, b) = (|| Expr::Field("a"), || Expr::Field("b"));
        let of = |name, cell, candidates| Lookup { name, each: None, cell, candidates };
        vec![
            of("l_thing", None, vec![plain(b()), plain(a())]),
            of("l_count", Some("cnt"), vec![plain(a())]),
            of("l_bal", Some("bal"), vec![(a(), self.by(false))]),
            of("l_own", Some("own"), vec![plain(b()), plain(a())]),
            of("l_seq", Some("seq"), vec![plain(a())]),
            Lookup { each: Some("items"), ..of("l_item", None, vec![plain(Expr::Item("a"))]) },
        ]
    }

    /// A condition on inputs or on what lookups found.
    fn dynamic_condition(&self, choices: &mut Choices) -> Expr {
        let part = self.balance.parts[0];
        match choices.below(11) {
            9 => Expr::binary(choices.one(&["<", ">="]), Expr::Endorsers, Expr::Int(1 + choices.below(3) as i64)),
            10 => {
                Expr::binary(choices.one(&["==", ">="]), Expr::EndorsedBy("clerk"), Expr::Int(choices.below(3) as i64))
            }
            0 => Expr::binary(choices.one(&["<", ">="]), Expr::Found("l_count", "count"), number(choices, 0)),
            1 => Expr::binary("<=", number(choices, 0), Expr::Found("l_bal", part)),
            2 => Expr::binary("==", Expr::Found("l_thing", "kind"), Expr::Field("kind")),
            3 => Expr::Has(boxed(Expr::Found("l_own", "holder"))),
            4 => Expr::binary("==", Expr::Found("l_own", "holder"), Expr::Author),
            5 => Expr::HasRole("clerk"),
            6 => Expr::binary("<=", Expr::Today, Expr::Field("start")),
            7 => Expr::binary("<", Expr::Found("l_seq", "last"), Expr::Int(4)),
            _ => Expr::binary("||", Expr::Found("l_thing", "flag"), condition(choices, 0)),
        }
    }

    /// A rule that is evaluated when its turn comes.
    fn dynamic(&self, choices: &mut Choices) -> Rule {
        let a = || Expr::Field("a");
        let does = match choices.below(7) {
            0 | 1 => Does::Require(self.dynamic_condition(choices)),
            2 => {
                let value = choices.one(&[Expr::Found("l_thing", "amount"), Expr::Found("l_count", "count")]);
                let add = vec![(self.balance.parts[0], value)];
                let (by, set) = (self.by(false), Vec::new());
                let (subtract, at_end, approval) = (Vec::new(), choices.percent(25), None);
                Does::Balance { at: a(), by, add, subtract, set, at_end, approval }
            }
            3 => Does::Ref { targets: vec!["thing"], at: vec![Expr::Found("l_own", "holder")], external: false },
            4 => Does::Window {
                field: Expr::Field("start"),
                not_before: Some(choices.one(&[Expr::Today, Expr::Found("l_thing", "start")])),
                not_after: None,
            },
            5 => {
                let condition = Expr::binary("==", Expr::Found("l_item", "kind"), Expr::Item("kind"));
                return Rule { each: Some("items"), when: None, ..rule(choices, Does::Require(condition)) };
            }
            _ => {
                let does = self.movement(choices, a(), false);
                return Rule { when: Some(self.dynamic_condition(choices)), ..rule(choices, does) };
            }
        };
        rule(choices, does)
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
        let does = match choices.below(18) {
            0 | 1 => self.movement(choices, a(), false),
            11 | 12 => self.counting(choices, a()),
            13 => self.holding(choices, a()),
            14 => self.advancing(choices, a()),
            15 => return self.over_the_unit(choices, false),
            16 | 17 => return self.dynamic(choices),
            2 => Does::Require(condition(choices, 1)),
            3 => {
                let targets = choices.one(&[vec!["thing"], vec!["note", "thing"]]);
                let at = vec![Expr::Field(choices.one(&["a", "b"]))];
                Does::Ref { targets, at, external: choices.percent(10) }
            }
            4 if choices.percent(40) => {
                Does::Match { target: "note", at: vec![Expr::Field("b")], equal: vec!["kind"], negated: Vec::new() }
            }
            4 => Does::Match {
                target: "thing",
                at: vec![Expr::Field("b")],
                equal: vec![choices.one(&["kind", "number", "start", "share"])],
                negated: if choices.percent(30) { vec!["amount"] } else { Vec::new() },
            },
            5 => {
                let at = Expr::Field(choices.one(&["a", "b"]));
                self.step(choices, at)
            }
            6 => {
                let values = vec![Expr::Field(choices.one(&["b", "number"])), Expr::Field("kind")];
                Does::Unique { values, versioned: None }
            }
            7 => Does::Window { field: Expr::Field("start"), not_before: None, not_after: Some(Expr::Field("finish")) },
            8 => return self.of_items(choices),
            9 if self.balance.opening.is_none() => {
                let set = vec![(self.balance.parts[0], Expr::Field("amount"))];
                Does::Open { at: Expr::Field("a"), by: self.by(false), set }
            }
            _ => self.movement(choices, Expr::Field("b"), false),
        };
        rule(choices, does)
    }

    fn of_items(&self, choices: &mut Choices) -> Rule {
        let at = Expr::Item("a");
        let does = match choices.below(8) {
            0 | 1 => self.movement(choices, at, true),
            5 => Does::Count { at, step: Expr::Int(choices.one(&[1, -1])) },
            6 => return self.over_the_unit(choices, true),
            7 => Does::Holder { at, from: Who::Nobody, to: Who::This(Expr::Field("a")) },
            2 => Does::Require(item_condition(choices)),
            3 => Does::Ref { targets: vec!["thing"], at: vec![at], external: false },
            _ => {
                let by = if choices.percent(50) { vec![Expr::Item("kind")] } else { Vec::new() };
                let (low, high) = choices.one(&[(0, 0), (-5, 5), (0, 20)]);
                let sum = Expr::Item(choices.one(&["amount", "amount", "share"]));
                Does::Conserve { sum, by, low, high, over: None }
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
        let plain =
            |does: Does| Rule { each: None, when: None, code: None, severity: "reject", roles: Vec::new(), does };
        let mut rules = vec![plain(Does::Unique { values: vec![id()], versioned: None })];
        if choices.percent(40) {
            let does = Does::Require(condition(choices, 1));
            rules.push(rule(choices, does));
        }
        if self.balance.opening.is_none() {
            rules.push(plain(Does::Open { at: id(), by: self.by(false), set }));
        }
        if self.lifecycle.initial.is_none() {
            let to = Some(self.lifecycle.states[0]);
            rules.push(plain(Does::Lifecycle { at: id(), from: Vec::new(), to }));
        }
        Type {
            name: "thing",
            fields,
            balance: Some(self.balance.clone()),
            lifecycle: Some(self.lifecycle.clone()),
            count: Some(self.count.clone()),
            holder: true,
            sequence: Some(self.sequence.clone()),
            lookups: Vec::new(),
            rules,
        }
    }

    /// `a`, `b`, the payload and a list of items.
    fn fields(&self) -> Vec<Field> {
        let text = |name, required| field(name, Kind::Text(2), required);
        let mut fields = vec![text("a", true), text("b", false)];
        fields.extend(self.payload.iter().cloned());
        let item = self.payload.iter().filter(|field| ["amount", "kind", "share"].contains(&field.name));
        let item = std::iter::once(text("a", true)).chain(item.cloned()).collect();
        fields.push(field("items", Kind::List(4, item), false));
        fields
    }

    /// Versions of a record: those that append do anything, those that replace only what can be undone.
    fn note(&self, choices: &mut Choices) -> Type {
        let versioned = choices.one(&["append", "replace"]);
        let mut fields = vec![field("id", Kind::Text(2), true), field("version", Kind::Int(0, 9), true)];
        fields.extend(self.fields());
        let values = vec![Expr::Field("id")];
        let key = Does::Unique { values, versioned: Some(versioned) };
        let mut rules =
            vec![Rule { each: None, when: None, code: None, severity: "reject", roles: Vec::new(), does: key }];
        for _ in 0..1 + choices.below(4) {
            let a = Expr::Field("a");
            rules.push(match choices.below(5) {
                _ if versioned == "append" => self.anything(choices),
                0 | 1 => {
                    let mut does = self.movement(choices, a, false);
                    if let Does::Balance { set, .. } = &mut does {
                        set.clear();
                    }
                    rule(choices, does)
                }
                2 | 3 => {
                    let does = self.counting(choices, a);
                    rule(choices, does)
                }
                _ => self.over_the_unit(choices, false),
            });
        }
        // What a version takes back comes first, wherever its key stands.
        if versioned == "replace" {
            rules.rotate_left(choices.below(2));
        }
        self.typed("note", fields, rules)
    }

    fn typed(&self, name: &'static str, fields: Vec<Field>, rules: Vec<Rule>) -> Type {
        let (balance, lifecycle, count, sequence) = (None, None, None, None);
        let lookups = if fields.iter().any(|field| field.name == "items") { self.lookups() } else { Vec::new() };
        Type { name, fields, balance, lifecycle, count, holder: false, sequence, lookups, rules }
    }

    /// Fields of the type `echo`: those that it demands, and some more.
    fn emitting(&self, choices: &mut Choices) -> Rule {
        let item = choices.percent(30);
        let mut set = vec![("a", if item { Expr::Item("a") } else { Expr::Field(choices.one(&["a", "b"])) })];
        for field in &self.payload {
            if !field.required && !choices.percent(40) {
                continue;
            }
            let value = match &field.kind {
                Kind::Decimal(_) if item => Expr::Item("amount"),
                Kind::Decimal(_) => number(choices, 1),
                Kind::Int(..) => {
                    let more = Expr::binary("+", Expr::Field("number"), Expr::Int(1));
                    choices.one(&[Expr::Field("number"), more])
                }
                Kind::Date => Expr::Field(choices.one(&["start", "finish"])),
                _ => Expr::Field(field.name),
            };
            set.push((field.name, value));
        }
        let does = Does::Emit { target: "echo", set };
        let rule = if item { item_rule(choices, does) } else { rule(choices, does) };
        if choices.percent(20) { Rule { when: Some(self.dynamic_condition(choices)), ..rule } } else { rule }
    }

    /// The count of notes.
    fn result(&self, choices: &mut Choices) -> Type {
        let words = || Kind::Enum(vec!["x", "y"]);
        let item = vec![field("choice", words(), true), field("votes", Kind::Decimal(3), true)];
        let fields = vec![
            field("flag", Kind::Bool, false),
            field("counts", Kind::List(3, item), false),
            field("winner", words(), false),
        ];
        let (method, weight) = choices.one(&[
            ("plurality", None),
            ("plurality", None),
            ("weighted", Some("number")),
            ("weighted", Some("amount")),
            ("quadratic", Some("number")),
        ]);
        let does = Does::Tally { weight, method, winner: choices.percent(40), group: Expr::Field("flag") };
        let code = choices.percent(30).then(|| format!("code{}", choices.below(5)));
        let rules = vec![Rule { each: None, when: None, code, severity: "reject", roles: Vec::new(), does }];
        self.typed("result", fields, rules)
    }

    /// What follows a `motion`.
    fn echo(&self, choices: &mut Choices) -> Type {
        let rules = (0..choices.below(4)).map(|_| self.anything(choices)).collect();
        self.typed("echo", self.fields(), rules)
    }

    fn motion(&self, choices: &mut Choices) -> Type {
        let fields = self.fields();
        let mut rules: Vec<Rule> = (0..1 + choices.below(5)).map(|_| self.anything(choices)).collect();
        if choices.percent(30) {
            let size = Expr::binary("<=", Expr::Size("items"), Expr::Int(2));
            rules.push(rule(choices, Does::Require(size)));
        }
        if choices.percent(30) {
            rules.extend(self.acyclic(choices));
        }
        for _ in 0..choices.below(3) {
            let place = choices.below(rules.len() + 1);
            rules.insert(place, self.emitting(choices));
        }
        self.typed("motion", fields, rules)
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
        self.typed("ending", fields, rules)
    }
}

/// A module.
pub(crate) fn module(choices: &mut Choices) -> Module {
    let shape = shape(choices);
    let types = vec![
        shape.thing(choices),
        shape.motion(choices),
        shape.ending(choices),
        shape.note(choices),
        shape.echo(choices),
        shape.result(choices),
    ];
    Module { version: 1 + choices.below(3) as u64, types }
}
