//! Aggregates: functions of the items of a list.

use super::arithmetic::share;
use super::eval::{At, Overflow, Value, eval, truth};
use super::{ListPath, Node, Operation};
use crate::model::Fraction;
use crate::schema::scalar::{Scalar, ScalarKind};

/// A function of the items of a list.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) form: Form,
    pub(crate) list: ListPath,
    /// What is looked at of an item.
    pub(crate) value: Node,
    /// Which items are looked at.
    pub(crate) condition: Option<Node>,
}

/// What an aggregate makes of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Their sum; of nothing, the zero of that kind.
    Sum(ScalarKind),
    Least,
    Greatest,
    /// How many are true.
    Count,
    All,
    Exists,
}

impl Aggregate {
    pub(super) fn eval<'a>(&'a self, at: &At<'_, 'a>) -> Value<'a> {
        let mut result = match self.form {
            Form::Sum(ScalarKind::Decimal) => Scalar::Decimal(0, 0),
            Form::Sum(ScalarKind::Fraction) => Scalar::Fraction(Fraction::ZERO),
            Form::Sum(_) | Form::Count => Scalar::Int(0),
            Form::Least | Form::Greatest => Scalar::Absent,
            Form::All => Scalar::Bool(true),
            Form::Exists => Scalar::Bool(false),
        };
        let Some((items, range)) = at.list(&self.list) else { return Ok(result) };
        for index in range {
            let at = At { bound: Some((items, index)), ..*at };
            if let Some(condition) = &self.condition
                && !truth(condition, &at)?
            {
                continue;
            }
            let value = eval(&self.value, &at)?;
            match (self.form, value) {
                (Form::All, Scalar::Bool(true)) | (Form::Exists, Scalar::Bool(false)) => {}
                (Form::All, _) => return Ok(Scalar::Bool(false)),
                (Form::Exists, Scalar::Bool(true)) => return Ok(Scalar::Bool(true)),
                (_, Scalar::Absent) => {}
                (Form::Sum(_), value) => result = Operation::Add.apply(result, value)?,
                (Form::Count, value) => {
                    if let (Scalar::Int(count), Scalar::Bool(true)) = (result, value) {
                        result = Scalar::Int(count + 1);
                    }
                }
                (Form::Least | Form::Greatest, value) => {
                    let better = match value.compare(&result) {
                        None => true,
                        Some(order) if self.form == Form::Least => order.is_lt(),
                        Some(order) => order.is_gt(),
                    };
                    result = if better { value } else { result };
                }
                (Form::Exists, _) => {}
            }
        }
        Ok(result)
    }
}

/// The share of the item at hand in a total.
#[derive(Debug, Clone)]
pub(crate) struct Apportion {
    /// The list of the rule, a field of the record.
    pub(crate) list: usize,
    pub(crate) total: Node,
    pub(crate) weight: Node,
    /// Digits behind the point of the shares.
    pub(crate) scale: u8,
}

impl Apportion {
    /// Absent where the total does not fit the scale, or the weights do not share it.
    pub(super) fn eval<'a>(&'a self, at: &At<'_, 'a>) -> Value<'a> {
        let range = at.rows.list_range(self.list, at.row);
        let Some(place) = at.item.and_then(|item| item.checked_sub(range.start)).filter(|place| *place < range.len())
        else {
            return Ok(Scalar::Absent);
        };
        let total = eval(&self.total, at)?.as_decimal().and_then(|total| total.normalised().rescaled(self.scale));
        let Some(total) = total else { return Ok(Scalar::Absent) };
        let mut weights = Vec::with_capacity(range.len());
        for item in range {
            match eval(&self.weight, &At { item: Some(item), ..*at })?.as_decimal() {
                Some(weight) => weights.push(weight),
                None => return Ok(Scalar::Absent),
            }
        }
        let scale = weights.iter().map(|weight| weight.scale).max().unwrap_or(0);
        let weights: Option<Vec<i128>> = weights.into_iter().map(|weight| weight.rescaled(scale)).collect();
        let share = share(total, &weights.ok_or(Overflow)?, place)?;
        Ok(share.map_or(Scalar::Absent, |share| Scalar::Decimal(share, self.scale)))
    }
}
