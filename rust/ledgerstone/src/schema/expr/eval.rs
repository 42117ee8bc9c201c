//! Evaluation: a walk over the tree.

use std::cmp::Ordering;
use std::ops::Range;

use super::{Comparison, Env, Input, ListPath, Node, Operation};
use crate::model::Decimal;
use crate::schema::columns::{Column, FieldPath, Rows};
use crate::schema::scalar::Scalar;

/// Arithmetic left its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct At<'r, 'a> {
    pub(super) rows: &'r Rows<'a>,
    pub(super) row: usize,
    /// The item of the rule, as an absolute index in the list's child array.
    pub(super) item: Option<usize>,
    /// The item of the innermost aggregate: the items of its list, and the absolute index of this one.
    pub(super) bound: Option<(&'r Column<'a>, usize)>,
    pub(super) env: &'r Env<'a>,
}

pub(super) type Value<'a> = Result<Scalar<'a>, Overflow>;

pub(super) fn eval<'a>(node: &'a Node, at: &At<'_, 'a>) -> Value<'a> {
    Ok(match node {
        Node::Field(path) => at.rows.scalar(path, at.row, at.item),
        Node::Literal(literal) => literal.as_scalar(),
        Node::Compare(comparison, a, b) => {
            let (a, b) = (eval(a, at)?, eval(b, at)?);
            Scalar::Bool(comparison.holds(&a, &b))
        }
        Node::And(a, b) => Scalar::Bool(truth(a, at)? && truth(b, at)?),
        Node::Or(a, b) => Scalar::Bool(truth(a, at)? || truth(b, at)?),
        Node::Not(a) => Scalar::Bool(!truth(a, at)?),
        Node::Conditional(parts) => {
            let [condition, yes, no] = parts.as_ref();
            return eval(if truth(condition, at)? { yes } else { no }, at);
        }
        Node::Bound(path) => at.bound_field(path).map_or(Scalar::Absent, |(column, index)| column.scalar(index)),
        Node::HasField(path) => Scalar::Bool(at.rows.has(path, at.row, at.item)),
        Node::HasBound(path) => {
            Scalar::Bool(at.bound_field(path).is_some_and(|(column, index)| !column.is_absent(index)))
        }
        Node::Has(a) => Scalar::Bool(!eval(a, at)?.is_absent()),
        Node::In(needle, options) => Scalar::Bool(is_in(needle, options, at)?),
        Node::InList(needle, list) => Scalar::Bool(is_in_list(&eval(needle, at)?, &list.0, &list.1, at)),
        Node::Arithmetic(operation, a, b) => operation.apply(eval(a, at)?, eval(b, at)?)?,
        Node::Negate(a) => negated(eval(a, at)?)?,
        Node::Decimal(a) => match eval(a, at)? {
            Scalar::Int(value) => Scalar::Decimal(i128::from(value), 0),
            other => other,
        },
        Node::SizeOfList(list) => match at.list(list) {
            Some((_, range)) => Scalar::Int(range.len() as i64),
            None => Scalar::Absent,
        },
        Node::Coalesce(options) => first_present(options, at)?,
        Node::Call(function, operands) => match operands.as_slice() {
            [a] => function.apply(&[eval(a, at)?])?,
            [a, b] => function.apply(&[eval(a, at)?, eval(b, at)?])?,
            many => {
                let many: Result<Vec<Scalar<'a>>, Overflow> = many.iter().map(|operand| eval(operand, at)).collect();
                function.apply(&many?)?
            }
        },
        Node::Aggregate(aggregate) => aggregate.eval(at)?,
        Node::Apportion(apportion) => apportion.eval(at)?,
        Node::Input(input) => input.value(at.env),
        Node::Found { lookup, field, list } => {
            let index = match list {
                None => Some(0),
                Some((list, bound)) => {
                    let item = if *bound { at.bound.map(|(_, index)| index) } else { at.item };
                    item.and_then(|item| item.checked_sub(at.rows.list_range(*list, at.row).start))
                }
            };
            index.map_or(Scalar::Absent, |index| at.env.found(*lookup, index, *field))
        }
    })
}

pub(super) fn truth(node: &Node, at: &At<'_, '_>) -> Result<bool, Overflow> {
    Ok(matches!(eval(node, at)?, Scalar::Bool(true)))
}

impl<'r, 'a> At<'r, 'a> {
    /// The items of a present list, and which of them are its own.
    pub(super) fn list(&self, list: &ListPath) -> Option<(&'r Column<'a>, Range<usize>)> {
        if !list.bound {
            return self.rows.list_at(&list.path, self.row, self.item);
        }
        let (column, index) = self.bound_field(&list.path)?;
        column.items(index)
    }

    /// The column of a field of the item that an aggregate runs over.
    fn bound_field(&self, path: &FieldPath) -> Option<(&'r Column<'a>, usize)> {
        let (column, index) = self.bound?;
        Some((column.inside(&path.steps, index)?, index))
    }
}

impl Input {
    fn value<'a>(&self, env: &Env<'a>) -> Scalar<'a> {
        let Some(inputs) = env.inputs else { return Scalar::Absent };
        match self {
            Input::Author => Scalar::Text(&inputs.author),
            Input::HoldsRole(role) => Scalar::Bool(inputs.roles.contains(role)),
            Input::Endorsers => Scalar::Int(inputs.endorsers.len() as i64),
            Input::EndorsedBy(role) => {
                Scalar::Int(inputs.endorsers.iter().filter(|endorser| endorser.roles.contains(role)).count() as i64)
            }
            Input::LedgerTime => Scalar::Timestamp(inputs.ledger_time),
        }
    }
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

/// Whether an item of a list, or a field of one, equals a value.
fn is_in_list(needle: &Scalar<'_>, list: &ListPath, path: &FieldPath, at: &At<'_, '_>) -> bool {
    match at.list(list) {
        Some((items, mut range)) if !needle.is_absent() => range.any(|index| {
            let field = items.inside(&path.steps, index);
            field.is_some_and(|column| column.scalar(index) == *needle)
        }),
        _ => false,
    }
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

fn negated(value: Scalar<'_>) -> Value<'_> {
    Ok(match value {
        Scalar::Int(value) => Scalar::Int(value.checked_neg().ok_or(Overflow)?),
        Scalar::Decimal(mantissa, scale) => Scalar::Decimal(mantissa.checked_neg().ok_or(Overflow)?, scale),
        Scalar::Fraction(value) => Scalar::Fraction(value.checked_neg().ok_or(Overflow)?),
        _ => Scalar::Absent,
    })
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
        match (a, b) {
            (Scalar::Int(a), Scalar::Int(b)) => {
                let result = match self {
                    Operation::Add => a.checked_add(b),
                    Operation::Subtract => a.checked_sub(b),
                    Operation::Multiply => a.checked_mul(b),
                    Operation::Remainder => a.checked_rem(b),
                };
                result.map(Scalar::Int).ok_or(Overflow)
            }
            (Scalar::Fraction(a), Scalar::Fraction(b)) => {
                let sum = match self {
                    Operation::Add => a.checked_add(b),
                    Operation::Subtract => b.checked_neg().and_then(|b| a.checked_add(b)),
                    Operation::Multiply | Operation::Remainder => return Ok(Scalar::Absent),
                };
                sum.map(Scalar::Fraction).ok_or(Overflow)
            }
            (a, b) => {
                let (Some(a), Some(b)) = (a.as_decimal(), b.as_decimal()) else {
                    return Ok(Scalar::Absent);
                };
                self.on_decimals(a, b).map(|result| Scalar::Decimal(result.mantissa, result.scale)).ok_or(Overflow)
            }
        }
    }

    fn on_decimals(self, a: Decimal, b: Decimal) -> Option<Decimal> {
        let scale = a.scale.max(b.scale);
        let mantissa = match self {
            Operation::Add => a.rescaled(scale)?.checked_add(b.rescaled(scale)?)?,
            Operation::Subtract => a.rescaled(scale)?.checked_sub(b.rescaled(scale)?)?,
            Operation::Multiply => {
                return Some(Decimal::new(a.mantissa.checked_mul(b.mantissa)?, a.scale.checked_add(b.scale)?));
            }
            // Ints only: the parser refuses it.
            Operation::Remainder => return None,
        };
        Some(Decimal::new(mantissa, scale))
    }
}
