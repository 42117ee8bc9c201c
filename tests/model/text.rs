//! The text of a module of the bounded grammar: its schema file.

use std::fmt::Write;

use super::language::{Balance, Count, Does, Expr, Field, Kind, Lookup, Module, Rule, Sequence, Step, Type, Who};

impl Expr {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        let list = |all: &[Expr]| all.iter().map(Expr::text).collect::<Vec<_>>().join(", ");
        match self {
            Expr::Field(name) => (*name).to_owned(),
            Expr::Item(name) => format!("item.{name}"),
            Expr::Int(value) if *value < 0 => format!("({value})"),
            Expr::Int(value) => value.to_string(),
            Expr::Text(text) => format!("'{text}'"),
            Expr::Fraction(text) => format!("fraction('{text}')"),
            Expr::Divide(a, b, mode) => format!("div({}, {}, 2, '{mode}')", a.text(), b.text()),
            Expr::Has(inner) => format!("has({})", inner.text()),
            Expr::Not(inner) => format!("!({})", inner.text()),
            Expr::Size(name) => format!("size({name})"),
            Expr::In(needle, options) => format!("({} in [{}])", needle.text(), list(options)),
            Expr::Coalesce(options) => format!("coalesce({})", list(options)),
            Expr::Found(lookup, field) => format!("{lookup}.{field}"),
            Expr::Author => "author".to_owned(),
            Expr::HasRole(role) => format!("('{role}' in roles)"),
            Expr::Endorsers => "endorsers".to_owned(),
            Expr::EndorsedBy(role) => format!("endorsed_by('{role}')"),
            Expr::Today => "date(ledger_time)".to_owned(),
            Expr::Binary(operator, a, b) => format!("({} {operator} {})", a.text(), b.text()),
        }
    }
}

impl Module {
    /// The schema file.
    pub(crate) fn toml(&self) -> String {
        let mut out = format!("[module]\nname = \"m\"\nversion = {}\n\n[roles.clerk]\n", self.version);
        self.types.iter().for_each(|declared| declared.write(&mut out));
        out
    }
}

fn words<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("{:?}", word.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

fn table(members: &[(&'static str, Expr)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} = {:?}", value.text())).collect();
    format!("{{ {} }}", members.join(", "))
}

fn pairs(names: &[&str]) -> String {
    let members: Vec<String> = names.iter().map(|name| format!("{name} = {name:?}")).collect();
    format!("{{ {} }}", members.join(", "))
}

fn exprs(all: &[Expr]) -> String {
    words(all.iter().map(Expr::text))
}

impl Type {
    fn write(&self, out: &mut String) {
        let name = self.name;
        let _ = writeln!(out, "\n[types.{name}]\nauthorise = [\"clerk\"]\n\n[types.{name}.fields]");
        for field in &self.fields {
            let _ = writeln!(out, "{} = {}", field.name, field.text());
        }
        if let Some(balance) = &self.balance {
            balance.write(name, out);
        }
        if let Some(lifecycle) = &self.lifecycle {
            let states = words(&lifecycle.states);
            let _ = writeln!(out, "\n[types.{name}.cells.life]\nkind = \"lifecycle\"\nstates = {states}");
            if let Some(initial) = lifecycle.initial {
                let _ = writeln!(out, "initial = {initial:?}");
            }
        }
        if let Some(Count { low, high }) = &self.count {
            let high = high.map_or_else(String::new, |high| format!("high = {high}\n"));
            let _ = writeln!(out, "\n[types.{name}.cells.cnt]\nkind = \"count\"\nlow = {low}\n{high}");
        }
        if self.holder {
            let _ = writeln!(out, "\n[types.{name}.cells.own]\nkind = \"holder\"");
        }
        if let Some(Sequence { order, start }) = &self.sequence {
            let _ = writeln!(out, "\n[types.{name}.cells.seq]\nkind = \"sequence\"\norder = {order:?}");
            if *order == "gapless" {
                let _ = writeln!(out, "start = {start}");
            }
        }
        self.lookups.iter().for_each(|lookup| lookup.write(name, out));
        for rule in &self.rules {
            let _ = writeln!(out, "\n[[types.{name}.rules]]");
            rule.write(out);
        }
    }
}

impl Lookup {
    fn write(&self, owner: &str, out: &mut String) {
        let _ = writeln!(out, "\n[types.{owner}.lookups.{}]", self.name);
        let _ = match self.cell {
            Some(cell) => writeln!(out, "cell = \"thing.{cell}\""),
            None => writeln!(out, "record = \"thing\""),
        };
        if let Some(list) = self.each {
            let _ = writeln!(out, "each = {list:?}");
        }
        let place = |(at, by): &(Expr, Vec<Expr>), between: &str| {
            let by = if by.is_empty() { String::new() } else { format!("{between}by = {}", exprs(by)) };
            format!("at = {}{by}", exprs(std::slice::from_ref(at)))
        };
        let _ = writeln!(out, "{}", place(&self.candidates[0], "\n"));
        let others: Vec<String> =
            self.candidates[1..].iter().map(|other| format!("{{ {} }}", place(other, ", "))).collect();
        if !others.is_empty() {
            let _ = writeln!(out, "or = [{}]", others.join(", "));
        }
    }
}

impl Field {
    fn text(&self) -> String {
        let required = if self.required { ", required = true" } else { "" };
        let index = if self.index { ", index = true" } else { "" };
        let kind = match &self.kind {
            Kind::Text(max) => format!("type = \"text\", max = {max}"),
            Kind::Int(min, max) => format!("type = \"int\", min = {min}, max = {max}"),
            Kind::Decimal(scale) => format!("type = \"decimal\", precision = 20, scale = {scale}"),
            Kind::Fraction => "type = \"fraction\"".to_owned(),
            Kind::Enum(values) => format!("type = \"enum\", values = {}", words(values)),
            Kind::Date => "type = \"date\"".to_owned(),
            Kind::Bool => "type = \"bool\"".to_owned(),
            Kind::List(max, fields) => {
                let inner: Vec<String> =
                    fields.iter().map(|field| format!("{} = {}", field.name, field.text())).collect();
                let item = format!("type = \"struct\", required = true, fields = {{ {} }}", inner.join(", "));
                format!("type = \"list\", max = {max}, item = {{ {item} }}")
            }
        };
        format!("{{ {kind}{required}{index} }}")
    }
}

impl Balance {
    fn write(&self, owner: &str, out: &mut String) {
        let parts = words(&self.parts);
        let _ =
            writeln!(out, "\n[types.{owner}.cells.bal]\nkind = \"balance\"\nparts = {parts}\nscale = {}", self.scale);
        if let Some(digits) = self.digits {
            let _ = writeln!(out, "digits = {digits:?}");
        }
        if let Some(opening) = &self.opening {
            let parts: Vec<String> = opening.iter().map(|(part, value)| format!("{part} = {value:?}")).collect();
            let _ = writeln!(out, "opening = {{ {} }}", parts.join(", "));
        }
        let bounds: Vec<String> = self.bounds.iter().enumerate().map(bound).collect();
        let _ = writeln!(out, "bounds = [{}]", bounds.join(", "));
    }
}

/// Terms with a negative coefficient go to the other side, for the sake of both.
fn bound((number, terms): (usize, &Vec<(&'static str, i64)>)) -> String {
    let side = |positive: bool| {
        let terms: Vec<String> = terms
            .iter()
            .filter(|(_, times)| (*times > 0) == positive)
            .map(|(part, times)| format!("{} * {part}", times.abs()))
            .collect();
        if terms.is_empty() { "0".to_owned() } else { terms.join(" + ") }
    };
    format!("{{ require = \"{} >= {}\", code = \"bound{number}\" }}", side(true), side(false))
}

impl Rule {
    fn write(&self, out: &mut String) {
        let line = |out: &mut String, name: &str, value: String| {
            let _ = writeln!(out, "{name} = {value}");
        };
        if let Some(list) = self.each {
            line(out, "each", format!("{list:?}"));
        }
        if let Some(when) = &self.when {
            line(out, "when", format!("{:?}", when.text()));
        }
        if let Some(code) = &self.code {
            line(out, "code", format!("{code:?}"));
        }
        if self.severity != "reject" {
            line(out, "severity", format!("{:?}", self.severity));
        }
        if !self.roles.is_empty() {
            line(out, "roles", words(&self.roles));
        }
        for (name, value) in self.does.lines() {
            line(out, name, value);
        }
    }
}

impl Does {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let quoted = |expr: &Expr| format!("{:?}", expr.text());
        let cell = |name: &str| format!("\"thing.{name}\"");
        let mut lines = Vec::new();
        match self {
            Does::Require(condition) => lines.push(("require", quoted(condition))),
            Does::Unique { values, versioned } => {
                lines.push(("unique", exprs(values)));
                if let Some(versioned) = versioned {
                    lines.extend([("versioned", format!("{versioned:?}")), ("version", "\"version\"".to_owned())]);
                }
            }
            Does::Ref { targets, at, external } => {
                lines.extend([("ref", words(targets)), ("at", exprs(at))]);
                lines.extend(external.then(|| ("external", "true".to_owned())));
            }
            Does::Match { target, at, equal, negated } => {
                lines.extend([("match", format!("{target:?}")), ("at", exprs(at))]);
                let given = [("equal", equal), ("negated", negated)];
                lines.extend(given.iter().filter(|(_, of)| !of.is_empty()).map(|(name, of)| (*name, pairs(of))));
            }
            Does::Open { at, by, set } => {
                lines.extend([("open", cell("bal")), ("at", exprs(std::slice::from_ref(at))), ("set", table(set))]);
                lines.extend((!by.is_empty()).then(|| ("by", exprs(by))));
            }
            Does::Balance { at, by, add, subtract, set, at_end, approval } => {
                lines.extend([("balance", cell("bal")), ("at", exprs(std::slice::from_ref(at)))]);
                lines.extend((!by.is_empty()).then(|| ("by", exprs(by))));
                lines.extend((!add.is_empty()).then(|| ("add", table(add))));
                lines.extend((!subtract.is_empty()).then(|| ("subtract", table(subtract))));
                lines.extend((!set.is_empty()).then(|| ("set", table(set))));
                lines.extend(at_end.then(|| ("at_end", "true".to_owned())));
                lines.extend(approval.map(|(above, count)| {
                    let table = format!("{{ above = {above:?}, roles = [\"clerk\"], count = {count} }}");
                    ("approval", table)
                }));
            }
            Does::Close { at, by, zero } => {
                lines.extend([("close", cell("bal")), ("at", exprs(std::slice::from_ref(at))), ("zero", words(zero))]);
                lines.extend((!by.is_empty()).then(|| ("by", exprs(by))));
            }
            Does::Lifecycle { at, from, to } => {
                let at = exprs(std::slice::from_ref(at));
                lines.extend([("lifecycle", cell("life")), ("at", at), ("from", words(from))]);
                lines.extend(to.map(|to| ("to", format!("{to:?}"))));
            }
            Does::Count { at, step } => {
                lines.extend([("count", cell("cnt")), ("at", exprs(std::slice::from_ref(at)))]);
                lines.push(("step", if let Expr::Int(step) = step { step.to_string() } else { quoted(step) }));
            }
            Does::Holder { at, from, to } => {
                lines.extend([("holder", cell("own")), ("at", exprs(std::slice::from_ref(at)))]);
                match from {
                    Who::Nobody => {}
                    Who::Whoever => lines.push(("any", "true".to_owned())),
                    Who::This(expr) => lines.push(("from", quoted(expr))),
                }
                match to {
                    Who::Nobody => lines.push(("release", "true".to_owned())),
                    Who::Whoever => {}
                    Who::This(expr) => lines.push(("to", quoted(expr))),
                }
            }
            Does::Sequence { at, step } => {
                lines.extend([("sequence", cell("seq")), ("at", exprs(std::slice::from_ref(at)))]);
                match step {
                    Step::Value(value) => lines.push(("value", quoted(value))),
                    Step::Range(from, to) => lines.extend([("from", quoted(from)), ("to", quoted(to))]),
                    Step::Reset(value) => lines.extend([("value", quoted(value)), ("reset", "true".to_owned())]),
                }
            }
            Does::Acyclic { at, to, depth } => {
                let at = exprs(std::slice::from_ref(at));
                lines.extend([("acyclic", cell("own")), ("at", at), ("to", quoted(to)), ("depth", depth.to_string())]);
            }
            Does::Conserve { sum, by, low, high, over } => {
                if let Some(group) = over {
                    lines.extend([("over", "\"transaction\"".to_owned()), ("group", format!("{group:?}"))]);
                }
                let limits = [("low", format!("\"{low}\"")), ("high", format!("\"{high}\""))];
                lines.push(("conserve", quoted(sum)));
                lines.extend((!by.is_empty()).then(|| ("by", exprs(by))));
                lines.extend(limits);
            }
            Does::Tally { weight, method, winner, group } => {
                lines.extend([("tally", "\"note\"".to_owned()), ("choice", "\"kind\"".to_owned())]);
                lines.extend([("group", table(&[("flag", group.clone())])), ("method", format!("{method:?}"))]);
                lines.push(("counts", "\"counts\"".to_owned()));
                lines.extend(weight.map(|weight| ("weight", format!("{weight:?}"))));
                lines.extend(winner.then(|| ("winner", "\"winner\"".to_owned())));
            }
            Does::Emit { target, set } => lines.extend([("emit", format!("{target:?}")), ("set", table(set))]),
            Does::Window { field, not_before, not_after } => {
                lines.push(("window", quoted(field)));
                lines.extend(not_before.iter().map(|bound| ("not_before", quoted(bound))));
                lines.extend(not_after.iter().map(|bound| ("not_after", quoted(bound))));
            }
        }
        lines
    }
}
