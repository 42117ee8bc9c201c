//! A bounded part of the schema language as a tree, and its text.

use std::fmt::Write;

/// A module of the bounded grammar; its name is `m`.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) version: u64,
    pub(crate) types: Vec<Type>,
}

/// A record type.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<Field>,
    pub(crate) balance: Option<Balance>,
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) count: Option<Count>,
    /// Whether it owns the holder cell `own`.
    pub(crate) holder: bool,
    pub(crate) sequence: Option<Sequence>,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) rules: Vec<Rule>,
}

/// A field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// A field's type.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text(usize),
    Int(i64, i64),
    Decimal(usize),
    Enum(Vec<&'static str>),
    Date,
    Bool,
    /// Of structs.
    List(usize, Vec<Field>),
}

/// The balance cell `bal`.
#[derive(Clone, Debug)]
pub(crate) struct Balance {
    pub(crate) parts: Vec<&'static str>,
    pub(crate) scale: u32,
    pub(crate) digits: Option<&'static str>,
    /// Parts of a cell that no record opened, if there is one from the start.
    pub(crate) opening: Option<Vec<(&'static str, &'static str)>>,
    /// Each: the sum of coefficient times part is not below zero.
    pub(crate) bounds: Vec<Vec<(&'static str, i64)>>,
}

/// The lifecycle cell `life`.
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle {
    pub(crate) states: Vec<&'static str>,
    pub(crate) initial: Option<&'static str>,
}

/// The count cell `cnt`.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) low: i64,
    pub(crate) high: Option<i64>,
}

/// The sequence cell `seq`, of ints.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    /// `strict`, `rising` or `gapless`.
    pub(crate) order: &'static str,
    /// Of a gapless one.
    pub(crate) start: i64,
}

/// A lookup.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) name: &'static str,
    pub(crate) each: Option<&'static str>,
    /// A cell of the type `thing`; `None`: the record itself.
    pub(crate) cell: Option<&'static str>,
    /// Keys and `by` values, tried in order.
    pub(crate) candidates: Vec<(Expr, Vec<Expr>)>,
}

/// Who holds a thing, before (`Nobody`, `Whoever`, a text) or after (released, the same, a text).
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Nobody,
    Whoever,
    This(Expr),
}

/// How a sequence goes on.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Value(Expr),
    Range(Expr, Expr),
    Reset(Expr),
}

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) each: Option<&'static str>,
    pub(crate) when: Option<Expr>,
    /// `None`: the primitive's default.
    pub(crate) code: Option<String>,
    /// `reject`, `hold` or `flag`.
    pub(crate) severity: &'static str,
    pub(crate) does: Does,
}

/// What a rule does. Cells are those of the type `thing`.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Require(Expr),
    Unique {
        values: Vec<Expr>,
        /// `append` or `replace`; the version is the field `version`.
        versioned: Option<&'static str>,
    },
    Ref {
        targets: Vec<&'static str>,
        at: Vec<Expr>,
        external: bool,
    },
    Match {
        target: &'static str,
        at: Vec<Expr>,
        equal: Vec<&'static str>,
        negated: Vec<&'static str>,
    },
    Open {
        at: Expr,
        by: Vec<Expr>,
        set: Vec<(&'static str, Expr)>,
    },
    Balance {
        at: Expr,
        by: Vec<Expr>,
        add: Vec<(&'static str, Expr)>,
        subtract: Vec<(&'static str, Expr)>,
        set: Vec<(&'static str, Expr)>,
        at_end: bool,
    },
    Count {
        at: Expr,
        step: Expr,
    },
    Holder {
        at: Expr,
        from: Who,
        to: Who,
    },
    Sequence {
        at: Expr,
        step: Step,
    },
    Acyclic {
        at: Expr,
        to: Expr,
        depth: usize,
    },
    Close {
        at: Expr,
        by: Vec<Expr>,
        zero: Vec<&'static str>,
    },
    Lifecycle {
        at: Expr,
        from: Vec<&'static str>,
        to: Option<&'static str>,
    },
    Conserve {
        sum: Expr,
        by: Vec<Expr>,
        low: i64,
        high: i64,
        /// A group whose sums run over the unit.
        over: Option<&'static str>,
    },
    Window {
        field: Expr,
        not_before: Option<Expr>,
        not_after: Option<Expr>,
    },
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Field(&'static str),
    Item(&'static str),
    Int(i64),
    Text(&'static str),
    Has(Box<Expr>),
    Not(Box<Expr>),
    Size(&'static str),
    In(Box<Expr>, Vec<Expr>),
    Coalesce(Vec<Expr>),
    /// What a lookup found.
    Found(&'static str, &'static str),
    /// The author.
    Author,
    /// Whether the author holds a role.
    HasRole(&'static str),
    /// The day of ledger time.
    Today,
    /// An operator between two operands: `&&`, `||`, a comparison, `+`, `-`, `*`.
    Binary(&'static str, Box<Expr>, Box<Expr>),
}

impl Expr {
    pub(crate) fn binary(operator: &'static str, a: Expr, b: Expr) -> Expr {
        Expr::Binary(operator, Box::new(a), Box::new(b))
    }

    /// Whether it needs more than the record.
    pub(crate) fn is_dynamic(&self) -> bool {
        match self {
            Expr::Found(..) | Expr::Author | Expr::HasRole(_) | Expr::Today => true,
            Expr::Has(inner) | Expr::Not(inner) => inner.is_dynamic(),
            Expr::In(needle, options) => needle.is_dynamic() || options.iter().any(Expr::is_dynamic),
            Expr::Coalesce(options) => options.iter().any(Expr::is_dynamic),
            Expr::Binary(_, a, b) => a.is_dynamic() || b.is_dynamic(),
            Expr::Field(_) | Expr::Item(_) | Expr::Int(_) | Expr::Text(_) | Expr::Size(_) => false,
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        let list = |all: &[Expr]| all.iter().map(Expr::text).collect::<Vec<_>>().join(", ");
        match self {
            Expr::Field(name) => (*name).to_owned(),
            Expr::Item(name) => format!("item.{name}"),
            Expr::Int(value) if *value < 0 => format!("({value})"),
            Expr::Int(value) => value.to_string(),
            Expr::Text(text) => format!("'{text}'"),
            Expr::Has(inner) => format!("has({})", inner.text()),
            Expr::Not(inner) => format!("!({})", inner.text()),
            Expr::Size(name) => format!("size({name})"),
            Expr::In(needle, options) => format!("({} in [{}])", needle.text(), list(options)),
            Expr::Coalesce(options) => format!("coalesce({})", list(options)),
            Expr::Found(lookup, field) => format!("{lookup}.{field}"),
            Expr::Author => "author".to_owned(),
            Expr::HasRole(role) => format!("('{role}' in roles)"),
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
        let kind = match &self.kind {
            Kind::Text(max) => format!("type = \"text\", max = {max}"),
            Kind::Int(min, max) => format!("type = \"int\", min = {min}, max = {max}"),
            Kind::Decimal(scale) => format!("type = \"decimal\", precision = 20, scale = {scale}"),
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
        format!("{{ {kind}{required} }}")
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
        for (name, value) in self.does.lines() {
            line(out, name, value);
        }
    }
}

impl Does {
    /// Its expressions.
    pub(crate) fn expressions(&self) -> Vec<&Expr> {
        let mut all: Vec<&Expr> = Vec::new();
        match self {
            Does::Require(condition) => all.push(condition),
            Does::Unique { values, .. } => all.extend(values),
            Does::Ref { at, .. } | Does::Match { at, .. } => all.extend(at),
            Does::Open { at, by, set } => all.extend(by.iter().chain([at]).chain(set.iter().map(|(_, value)| value))),
            Does::Balance { at, by, add, subtract, set, .. } => {
                let operands = add.iter().chain(subtract).chain(set).map(|(_, value)| value);
                all.extend(by.iter().chain([at]).chain(operands));
            }
            Does::Close { at, by, .. } => all.extend(by.iter().chain([at])),
            Does::Lifecycle { at, .. } => all.push(at),
            Does::Count { at, step } => all.extend([at, step]),
            Does::Holder { at, from, to } => {
                let values =
                    [from, to].into_iter().filter_map(|who| if let Who::This(it) = who { Some(it) } else { None });
                all.extend(values.chain([at]));
            }
            Does::Sequence { at, step } => match step {
                Step::Value(value) | Step::Reset(value) => all.extend([at, value]),
                Step::Range(from, to) => all.extend([at, from, to]),
            },
            Does::Acyclic { at, to, .. } => all.extend([at, to]),
            Does::Conserve { sum, by, .. } => all.extend(by.iter().chain([sum])),
            Does::Window { field, not_before, not_after } => {
                all.extend(not_before.iter().chain(not_after).chain([field]));
            }
        }
        all
    }

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
            Does::Balance { at, by, add, subtract, set, at_end } => {
                lines.extend([("balance", cell("bal")), ("at", exprs(std::slice::from_ref(at)))]);
                lines.extend((!by.is_empty()).then(|| ("by", exprs(by))));
                lines.extend((!add.is_empty()).then(|| ("add", table(add))));
                lines.extend((!subtract.is_empty()).then(|| ("subtract", table(subtract))));
                lines.extend((!set.is_empty()).then(|| ("set", table(set))));
                lines.extend(at_end.then(|| ("at_end", "true".to_owned())));
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
            Does::Window { field, not_before, not_after } => {
                lines.push(("window", quoted(field)));
                lines.extend(not_before.iter().map(|bound| ("not_before", quoted(bound))));
                lines.extend(not_after.iter().map(|bound| ("not_after", quoted(bound))));
            }
        }
        lines
    }
}
