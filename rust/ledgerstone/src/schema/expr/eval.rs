//! Evaluation: a walk over the tree, without allocation.

use std::cmp::Ordering;

use super::{Comparison, Env, Literal, Node, Operation, currency_digits};
use crate::model::Decimal;
use crate::schema::columns::Rows;
use crate::schema::scalar::Scalar;

/// Arithmetic left 64 bits (int) or 128 bits (decimal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct At<'r, 'a> {
    pub(super) rows: &'r Rows<'a>,
    pub(super) row: usize,
    pub(super) item: Option<usize>,
    #[expect(dead_code, reason = "the parser names inputs and lookups next")]
    pub(super) env: &'r Env<'a>,
}

type Value<'a> = Result<Scalar<'a>, Overflow>;

pub(super) fn eval<'a>(node: &'a Node, at: &At<'_, 'a>) -> Value<'a> {
    Ok(match node {
        Node::Field(path) => at.rows.scalar(path, at.row, at.item),
        Node::Literal(literal) => literal.scalar(),
        Node::Compare(comparison, a, b) => {
            let (a, b) = (eval(a, at)?, eval(b, at)?);
            Scalar::Bool(comparison.holds(&a, &b))
        }
        Node::And(a, b) => Scalar::Bool(truth(a, at)? && truth(b, at)?),
        Node::Or(a, b) => Scalar::Bool(truth(a, at)? || truth(b, at)?),
        Node::Not(a) => Scalar::Bool(!truth(a, at)?),
        Node::HasField(path) => Scalar::Bool(at.rows.has(path, at.row, at.item)),
        Node::Has(a) => Scalar::Bool(!eval(a, at)?.is_absent()),
        Node::In(needle, options) => Scalar::Bool(is_in(needle, options, at)?),
        Node::InList(needle, path) => {
            let needle = eval(needle, at)?;
            let found = match at.rows.list_at(path, at.row, at.item) {
                Some((items, mut range)) if !needle.is_absent() => range.any(|index| items.scalar(index) == needle),
                _ => false,
            };
            Scalar::Bool(found)
        }
        Node::Arithmetic(operation, a, b) => operation.apply(eval(a, at)?, eval(b, at)?)?,
        Node::Negate(a) => match eval(a, at)? {
            Scalar::Int(value) => Scalar::Int(value.checked_neg().ok_or(Overflow)?),
            Scalar::Decimal(mantissa, scale) => Scalar::Decimal(mantissa.checked_neg().ok_or(Overflow)?, scale),
            _ => Scalar::Absent,
        },
        Node::SizeOfList(path) => match at.rows.list_at(path, at.row, at.item) {
            Some((_, range)) => Scalar::Int(range.len() as i64),
            None => Scalar::Absent,
        },
        Node::SizeOfText(a) => match eval(a, at)? {
            Scalar::Text(text) => Scalar::Int(text.chars().count() as i64),
            _ => Scalar::Absent,
        },
        Node::Coalesce(options) => first_present(options, at)?,
        Node::CurrencyDigits(a) => match eval(a, at)? {
            Scalar::Text(text) => currency_digits(text).map_or(Scalar::Absent, |digits| Scalar::Int(i64::from(digits))),
            _ => Scalar::Absent,
        },
    })
}

fn truth(node: &Node, at: &At<'_, '_>) -> Result<bool, Overflow> {
    Ok(matches!(eval(node, at)?, Scalar::Bool(true)))
}

fn is_in(needle: &Node, options: &[Node], at: &At<'_, '_>) -> Result<bool, Overflow> {
    let needle = eval(needle, at)?;
    if needle.is_absent() {
        return Ok(false);
    }
    for option in options {
        if eval(option, at)? == needle {
            return Ok(true);
        }
    }
    Ok(false)
}

fn first_present<'a>(options: &'a [Node], at: &At<'_, 'a>) -> Value<'a> {
    for option in options {
        let value = eval(option, at)?;
        if !value.is_absent() {
            return Ok(value);
        }
    }
    Ok(Scalar::Absent)
}

impl Literal {
    pub(crate) fn scalar(&self) -> Scalar<'_> {
        match self {
            Literal::Bool(value) => Scalar::Bool(*value),
            Literal::Int(value) => Scalar::Int(*value),
            Literal::Decimal(mantissa, scale) => Scalar::Decimal(*mantissa, *scale),
            Literal::Text(text) => Scalar::Text(text),
        }
    }
}

impl Comparison {
    #[inline]
    pub(crate) fn holds(self, a: &Scalar<'_>, b: &Scalar<'_>) -> bool {
        match self {
            Comparison::Equal => a == b,
            Comparison::NotEqual => a != b,
            Comparison::Less => a.compare(b) == Some(Ordering::Less),
            Comparison::LessOrEqual => {
                matches!(a.compare(b), Some(Ordering::Less | Ordering::Equal))
            }
            Comparison::Greater => a.compare(b) == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => {
                matches!(a.compare(b), Some(Ordering::Greater | Ordering::Equal))
            }
        }
    }
}

impl Operation {
    /// The exact result; the scale of a sum is the larger one, of a product the sum of both.
    pub(crate) fn apply<'a>(self, a: Scalar<'_>, b: Scalar<'_>) -> Value<'a> {
        if let (Scalar::Int(a), Scalar::Int(b)) = (a, b) {
            let result = match self {
                Operation::Add => a.checked_add(b),
                Operation::Subtract => a.checked_sub(b),
                Operation::Multiply => a.checked_mul(b),
            };
            return result.map(Scalar::Int).ok_or(Overflow);
        }
        let (Some(a), Some(b)) = (a.as_decimal(), b.as_decimal()) else {
            return Ok(Scalar::Absent);
        };
        self.on_decimals(a, b).map(|result| Scalar::Decimal(result.mantissa, result.scale)).ok_or(Overflow)
    }

    fn on_decimals(self, a: Decimal, b: Decimal) -> Option<Decimal> {
        let scale = a.scale.max(b.scale);
        let mantissa = match self {
            Operation::Add => a.rescaled(scale)?.checked_add(b.rescaled(scale)?)?,
            Operation::Subtract => a.rescaled(scale)?.checked_sub(b.rescaled(scale)?)?,
            Operation::Multiply => {
                return Some(Decimal::new(a.mantissa.checked_mul(b.mantissa)?, a.scale.checked_add(b.scale)?));
            }
        };
        Some(Decimal::new(mantissa, scale))
    }
}
