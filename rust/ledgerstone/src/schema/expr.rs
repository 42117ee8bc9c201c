//! Expressions: a closed, typed subset of CEL, resolved against a record type when the schema is read.
//!
//! Values are ints, decimals, fractions, texts, bytes, bools, dates and instants; there are no doubles. `a` names a field, `a.b` a
//! field of a struct, `item` and `item.a` the item of the list that an `each` rule or an aggregate runs over, `const.a` a constant of
//! the module, `lookup.a` a value that a lookup of the type found.
//!
//! | form | meaning |
//! | --- | --- |
//! | `12`, `'text'`, `true`, `false` | literals; an int stands for a decimal wherever one is needed |
//! | `decimal('1.5')`, `fraction('1/3')`, `date('2026-01-01')`, `timestamp('2026-01-01T00:00:00Z')` | literals |
//! | `c ? a : b` | `a` where `c` is true, else `b` |
//! | `&&` <code>\|\|</code> `!`, also `and` `or` `not` | on bools; an absent bool counts as false |
//! | `==` `!=` | on values of one kind; absent is a value and equals itself |
//! | `<` `<=` `>` `>=` | on values of one kind but bool; false where an operand is absent. Text and bytes by their bytes |
//! | `x in [a, b]`, `x in list`, `x in list.field` | equality with one of them; false where `x` is absent |
//! | `+` `-` `*`, unary `-` | on ints and decimals, `+` and `-` on fractions; exact; absent where an operand is |
//! | `%` | remainder of ints, with the sign of the left one |
//! | `size(x)` | items of a list, characters of a text; absent where it is |
//! | `has(x)` | whether a value is there |
//! | `coalesce(a, b, …)` | the first that is there |
//! | `min(a, b, …)`, `max(a, b, …)`, `abs(x)` | absent where an operand is |
//! | `round(x, scale, mode)`, `div(a, b, scale, mode)` | a decimal of `scale` digits behind the point; modes: [`Rounding`] |
//! | `starts_with(t, p)`, `ends_with(t, p)`, `contains(t, p)`, `matches(t, 'regex')` | on texts; a regex may match anywhere |
//! | `year(d)`, `month(d)`, `day(d)`, `date(t)` | of a date; the day of an instant, UTC |
//! | `plus_days(d, n)`, `plus_months(d, n)`, `plus_seconds(t, n)` | a month that is too short ends on its last day |
//! | `days_between(a, b)`, `seconds_between(a, b)` | from `a` to `b`; whole seconds, rounded down |
//! | `numerator(f)`, `denominator(f)`, `units(f, n)` | of a fraction; `units` is `f` × `n` where that is whole, else absent |
//! | `currency_digits(text)` | digits behind the point of an ISO 4217 currency; absent for any other text |
//! | `sum(list, x)`, `min(list, x)`, `max(list, x)`, `count(list, c)`, `all(list, c)`, `exists(list, c)` | over the items, `item` bound; a third operand says which items. Absent values are left out; the sum of nothing is 0, its least and greatest are absent |
//! | `apportion(total, list, weight, scale)` | in a rule over `list`: this item's share, by largest remainder |
//! | `author`, `'role' in roles`, `endorsers`, `endorsed_by('role')`, `ledger_time` | inputs of the decision |
//!
//! Operators bind as in CEL: `!` and unary `-`, then `*` and `%`, then `+` and `-`, then comparisons and `in`, then `&&`, then `||`,
//! then `? :`. The operand that is not chosen by `? :`, `&&`, `||` is not evaluated.
//!
//! **Overflow.** Arithmetic is checked: ints and the terms of fractions in 64 bits, decimals in 128, dates and instants in the years
//! 0001 to 9999; division by zero counts as overflow. Where it overflows, the whole expression has no value: [`Expr::is_true`] is
//! false, so a `require` fails, and [`Expr::eval`] is absent. [`Expr::overflows`] tells the two apart.
//!
//! **Cost.** [`Expr::cost`] counts the nodes, those of an aggregate once for every item its list may have.

mod aggregates;
mod arithmetic;
mod calls;
mod cursor;
mod env;
mod eval;
mod fields;
mod functions;
mod iso4217;
mod lexer;
mod parser;
mod paths;

pub use arithmetic::Rounding;
pub use env::{Endorser, Env, Found, Inputs, Needs};
pub(crate) use fields::Fields;
pub(crate) use iso4217::{currency_digits, is_currency};
pub(crate) use lexer::{Token, tokens};
pub(crate) use parser::ExprError;

use eval::At;

use super::columns::{FieldPath, Rows};
use super::module::Field;
use super::scalar::{OwnedScalar, Scalar, ScalarKind};
use aggregates::{Aggregate, Apportion};
use functions::Function;

/// Words of the language: no field of a record and no lookup is named so.
pub(crate) const RESERVED: [&str; 12] =
    ["true", "false", "in", "and", "or", "not", "item", "const", "author", "roles", "endorsers", "ledger_time"];

/// A parsed and typed expression.
#[derive(Debug, Clone)]
pub struct Expr {
    source: String,
    node: Node,
    kind: ScalarKind,
    needs: Needs,
    cost: u64,
}

/// What an expression may name.
#[derive(Clone, Copy)]
pub(crate) struct Names<'s> {
    /// The fields of the record.
    pub(crate) fields: &'s [Field],
    /// The list that the rule runs over.
    pub(crate) each: Option<usize>,
    /// Everything else.
    pub(crate) scope: &'s dyn Scope,
}

/// The names of a module and of the lookups of a type. Errors are messages.
pub(crate) trait Scope {
    /// The value of a constant.
    fn constant(&self, name: &str) -> Result<OwnedScalar, String>;

    /// The full name of a role.
    fn role(&self, name: &str) -> Result<String, String>;

    /// The place of a lookup among those of the type, and the list it runs over.
    fn lookup(&self, name: &str) -> Option<(usize, Option<usize>)>;

    /// The names of the lookups.
    fn lookup_names(&self) -> Vec<&str>;

    /// The place and the kind of a field of a lookup.
    fn found(&self, lookup: usize, path: &str) -> Result<(usize, ScalarKind), String>;
}

/// A node of the tree that is evaluated.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Literal(OwnedScalar),
    Field(FieldPath),
    /// A field of the item that an aggregate runs over.
    Bound(FieldPath),
    Input(Input),
    /// A value that a lookup found. The list whose items it was looked up for, and whether an aggregate runs over it.
    Found {
        lookup: usize,
        field: usize,
        list: Option<(usize, bool)>,
    },
    Conditional(Box<[Node; 3]>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    InList(Box<Node>, Box<(ListPath, FieldPath)>),
    Arithmetic(Operation, Box<Node>, Box<Node>),
    Negate(Box<Node>),
    /// An int where a decimal is needed.
    Decimal(Box<Node>),
    SizeOfList(ListPath),
    HasField(FieldPath),
    HasBound(FieldPath),
    Has(Box<Node>),
    Coalesce(Vec<Node>),
    Call(Function, Vec<Node>),
    Aggregate(Box<Aggregate>),
    Apportion(Box<Apportion>),
}

/// An input of the decision.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Author,
    HoldsRole(String),
    Endorsers,
    EndorsedBy(String),
    LedgerTime,
}

/// The place of a list: in the record or the item of the rule, or in the item that an aggregate runs over.
#[derive(Debug, Clone)]
pub(crate) struct ListPath {
    pub(crate) path: FieldPath,
    pub(crate) bound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Remainder,
}

impl Expr {
    /// Parses and types an expression.
    pub(crate) fn parse(source: &str, names: Names<'_>) -> Result<Self, ExprError> {
        let parsed = parser::parse(source, names)?;
        let parser::Parsed { node, kind, needs, cost } = parsed;
        Ok(Expr { source: source.to_owned(), node, kind, needs, cost })
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The type of its value.
    pub fn kind(&self) -> ScalarKind {
        self.kind
    }

    /// Steps of one evaluation, at most.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The field, where it is nothing but one.
    pub fn as_field(&self) -> Option<&FieldPath> {
        match &self.node {
            Node::Field(path) => Some(path),
            _ => None,
        }
    }

    /// What it needs besides the record.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Its value for a row; `item` is the absolute index in the list's child array. Absent where it overflows.
    #[inline]
    pub fn eval<'a>(&'a self, rows: &Rows<'a>, row: usize, item: Option<usize>, env: &Env<'a>) -> Scalar<'a> {
        eval::eval(&self.node, &At { rows, row, item, bound: None, env }).unwrap_or(Scalar::Absent)
    }

    /// Whether its value is `true`; an absent value and an overflow are not.
    #[inline]
    pub fn is_true(&self, rows: &Rows<'_>, row: usize, item: Option<usize>, env: &Env<'_>) -> bool {
        matches!(eval::eval(&self.node, &At { rows, row, item, bound: None, env }), Ok(Scalar::Bool(true)))
    }

    /// Whether its arithmetic overflows for a row.
    pub fn overflows(&self, rows: &Rows<'_>, row: usize, item: Option<usize>, env: &Env<'_>) -> bool {
        eval::eval(&self.node, &At { rows, row, item, bound: None, env }).is_err()
    }
}

#[cfg(test)]
mod tests;
