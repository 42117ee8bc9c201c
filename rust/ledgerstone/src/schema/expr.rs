//! Expressions: a closed, typed subset of CEL, resolved against a record type when the schema is read.
//!
//! Values are ints, decimals, texts, bytes, bools, dates and instants; there are no doubles. `a` names a field, `a.b` a field of
//! a struct, `item` and `item.a` the item of the list that an `each` rule runs over.
//!
//! | form | meaning |
//! | --- | --- |
//! | `12`, `'text'`, `true`, `false` | literals; an int stands for a decimal wherever one is needed |
//! | `&&` `||` `!`, also `and` `or` `not` | on bools; an absent bool counts as false |
//! | `==` `!=` | on values of one kind; absent is a value and equals itself |
//! | `<` `<=` `>` `>=` | on values of one kind but bool; false where an operand is absent. Text and bytes by their bytes |
//! | `x in [a, b]`, `x in list` | equality with one of them; false where `x` is absent |
//! | `+` `-` `*`, unary `-` | on ints and decimals, exact; absent where an operand is |
//! | `size(x)` | items of a list, characters of a text; absent where it is |
//! | `has(x)` | whether a value is there |
//! | `coalesce(a, b, …)` | the first that is there |
//! | `currency_digits(text)` | digits behind the point of an ISO 4217 currency; absent for any other text |
//!
//! Operators bind as in CEL: `!` and unary `-`, then `*`, then `+` and `-`, then comparisons and `in`, then `&&`, then `||`.
//!
//! **Overflow.** Arithmetic is checked: ints in 64 bits, decimals in 128. Where it overflows, the whole expression has no value:
//! [`Expr::is_true`] is false, so a `require` fails, and [`Expr::eval`] is absent. [`Expr::overflows`] tells the two apart.

mod env;
mod eval;
mod iso4217;
mod lexer;
mod parser;
mod paths;

pub use env::{Endorser, Env, Found, Inputs, Needs};
pub(crate) use iso4217::{currency_digits, is_currency};
pub(crate) use lexer::{Token, tokens};
pub(crate) use parser::ExprError;

use eval::At;

use super::columns::{FieldPath, Rows};
use super::module::Field;
use super::scalar::{Scalar, ScalarKind};

/// A parsed and typed expression.
#[derive(Debug, Clone)]
pub struct Expr {
    source: String,
    node: Node,
    kind: ScalarKind,
    needs: Needs,
}

/// What an expression may name.
#[derive(Clone, Copy)]
pub(crate) struct Names<'s> {
    /// The fields of the record.
    pub(crate) fields: &'s [Field],
    /// The list that the rule runs over.
    pub(crate) each: Option<usize>,
}

/// A node of the tree that is evaluated.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Literal(Literal),
    Field(FieldPath),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    InList(Box<Node>, FieldPath),
    Arithmetic(Operation, Box<Node>, Box<Node>),
    Negate(Box<Node>),
    SizeOfList(FieldPath),
    SizeOfText(Box<Node>),
    HasField(FieldPath),
    Has(Box<Node>),
    Coalesce(Vec<Node>),
    CurrencyDigits(Box<Node>),
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Bool(bool),
    Int(i64),
    Decimal(i128, u8),
    Text(String),
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
}

impl Expr {
    /// Parses and types an expression.
    pub(crate) fn parse(source: &str, names: Names<'_>) -> Result<Self, ExprError> {
        let (node, kind) = parser::parse(source, names)?;
        Ok(Expr { source: source.to_owned(), node, kind, needs: Needs::default() })
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The type of its value.
    pub fn kind(&self) -> ScalarKind {
        self.kind
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
        eval::eval(&self.node, &At { rows, row, item, env }).unwrap_or(Scalar::Absent)
    }

    /// Whether its value is `true`; an absent value and an overflow are not.
    #[inline]
    pub fn is_true(&self, rows: &Rows<'_>, row: usize, item: Option<usize>, env: &Env<'_>) -> bool {
        matches!(eval::eval(&self.node, &At { rows, row, item, env }), Ok(Scalar::Bool(true)))
    }

    /// Whether its arithmetic overflows for a row.
    pub fn overflows(&self, rows: &Rows<'_>, row: usize, item: Option<usize>, env: &Env<'_>) -> bool {
        eval::eval(&self.node, &At { rows, row, item, env }).is_err()
    }
}

#[cfg(test)]
mod tests;
