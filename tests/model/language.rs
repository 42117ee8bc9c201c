//! A bounded part of the schema language as a tree; its text is in `text`.

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
    /// Whether it is indexed.
    pub(crate) index: bool,
}

/// A field's type.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text(usize),
    Int(i64, i64),
    Decimal(usize),
    Fraction,
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
    /// Of a lifecycle or a holder: who may make the move; everybody, where nobody is named.
    pub(crate) roles: Vec<&'static str>,
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
        /// Above which part an amount needs how many endorsers.
        approval: Option<(&'static str, usize)>,
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
    /// The counts of the field `counts`, and the winner of the field `winner`, are those of the notes with the same `flag`, by `kind`.
    Tally {
        /// A number field of theirs.
        weight: Option<&'static str>,
        method: &'static str,
        /// Whether it claims a winner.
        winner: bool,
        /// Our field that says which notes.
        group: Expr,
    },
    /// A record of another type that follows.
    Emit {
        target: &'static str,
        set: Vec<(&'static str, Expr)>,
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
    /// A literal.
    Fraction(&'static str),
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
    Endorsers,
    EndorsedBy(&'static str),
    /// The day of ledger time.
    Today,
    /// A quotient with two digits behind the point, rounded in a mode.
    Divide(Box<Expr>, Box<Expr>, &'static str),
    /// An operator between two operands: `&&`, `||`, a comparison, `+`, `-`, `*`.
    Binary(&'static str, Box<Expr>, Box<Expr>),
}

impl Expr {
    pub(crate) fn binary(operator: &'static str, a: Expr, b: Expr) -> Expr {
        Expr::Binary(operator, Box::new(a), Box::new(b))
    }

    /// Whether it may have no value.
    pub(crate) fn divides(&self) -> bool {
        match self {
            Expr::Divide(..) => true,
            Expr::Has(inner) | Expr::Not(inner) => inner.divides(),
            Expr::In(needle, options) => needle.divides() || options.iter().any(Expr::divides),
            Expr::Coalesce(options) => options.iter().any(Expr::divides),
            Expr::Binary(_, a, b) => a.divides() || b.divides(),
            _ => false,
        }
    }

    /// Whether it needs more than the record.
    pub(crate) fn is_dynamic(&self) -> bool {
        match self {
            Expr::Found(..) | Expr::Author | Expr::HasRole(_) | Expr::Endorsers | Expr::EndorsedBy(_) | Expr::Today => {
                true
            }
            Expr::Has(inner) | Expr::Not(inner) => inner.is_dynamic(),
            Expr::In(needle, options) => needle.is_dynamic() || options.iter().any(Expr::is_dynamic),
            Expr::Coalesce(options) => options.iter().any(Expr::is_dynamic),
            Expr::Binary(_, a, b) | Expr::Divide(a, b, _) => a.is_dynamic() || b.is_dynamic(),
            Expr::Field(_) | Expr::Item(_) | Expr::Int(_) | Expr::Text(_) | Expr::Fraction(_) | Expr::Size(_) => false,
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
            Does::Tally { group, .. } => all.push(group),
            Does::Emit { set, .. } => all.extend(set.iter().map(|(_, value)| value)),
            Does::Conserve { sum, by, .. } => all.extend(by.iter().chain([sum])),
            Does::Window { field, not_before, not_after } => {
                all.extend(not_before.iter().chain(not_after).chain([field]));
            }
        }
        all
    }
}
