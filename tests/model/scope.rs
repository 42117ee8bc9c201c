//! Evaluating expressions of the bounded grammar on a record, an item of it, and what lookups found.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::amount;
use super::language::{Expr, Field, Kind};
use super::ratio::Ratio;
use super::state::Signers;

/// A value within an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Absent,
    Bool(bool),
    /// In 10^-12.
    Number(i128),
    Fraction(Ratio),
    /// Text, and dates, whose text is in their order.
    Text(String),
}

/// An expression has no value: it divides by zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NoValue;

/// What a text in a record means.
#[derive(Clone, Copy)]
enum Text {
    Plain,
    Decimal,
    Fraction,
}

impl Scalar {
    fn of(value: Option<&Json>, text: Text) -> Scalar {
        match value {
            Some(Json::Bool(value)) => Scalar::Bool(*value),
            Some(Json::Number(value)) => Scalar::Number(i128::from(value.as_i64().unwrap()) * 10i128.pow(12)),
            Some(Json::String(of)) => match text {
                Text::Plain => Scalar::Text(of.clone()),
                Text::Decimal => Scalar::Number(amount::parse(of)),
                Text::Fraction => Scalar::Fraction(Ratio::parse(of)),
            },
            _ => Scalar::Absent,
        }
    }

    pub(super) fn compare(&self, other: &Scalar) -> Option<Ordering> {
        match (self, other) {
            (Scalar::Number(a), Scalar::Number(b)) => Some(a.cmp(b)),
            (Scalar::Fraction(a), Scalar::Fraction(b)) => a.partial_cmp(b),
            (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Scalar::Bool(true)
    }

    /// What is summed, exactly.
    pub(super) fn ratio(&self) -> Option<Ratio> {
        match self {
            Scalar::Number(value) => Some(Ratio::of_number(*value)),
            Scalar::Fraction(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<i128> {
        match self {
            Scalar::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// A number without digits behind the point.
    pub(super) fn int(&self) -> Option<i64> {
        self.number().map(|number| i64::try_from(number / 10i128.pow(12)).expect("an int"))
    }
}

/// The one role that the author holds.
pub(super) const HELD_ROLE: &str = "clerk";

/// What lookups found, by name: a record's data, or a cell's value.
pub(super) type Found = Rc<BTreeMap<&'static str, Json>>;

/// A record, or an item of it, that expressions are evaluated on.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) fields: &'a [Field],
    pub(super) data: &'a Json,
    pub(super) item: Option<(&'a [Field], &'a Json)>,
    pub(super) signers: Signers<'a>,
    pub(super) found: Found,
}

fn text_of(fields: &[Field], name: &str) -> Text {
    match fields.iter().find(|field| field.name == name).map(|field| &field.kind) {
        Some(Kind::Decimal(_)) => Text::Decimal,
        Some(Kind::Fraction) => Text::Fraction,
        _ => Text::Plain,
    }
}

impl Scope<'_> {
    /// The value of an expression; absent where it has none.
    pub(super) fn eval(&self, expr: &Expr) -> Scalar {
        self.value(expr).unwrap_or(Scalar::Absent)
    }

    pub(super) fn has_value(&self, expr: &Expr) -> bool {
        self.value(expr).is_ok()
    }

    pub(super) fn value(&self, expr: &Expr) -> Result<Scalar, NoValue> {
        Ok(match expr {
            Expr::Field(name) => Scalar::of(self.data.get(name), text_of(self.fields, name)),
            Expr::Item(name) => {
                let (fields, item) = self.item.expect("an item is at hand");
                Scalar::of(item.get(name), text_of(fields, name))
            }
            Expr::Int(value) => Scalar::Number(i128::from(*value) * 10i128.pow(12)),
            Expr::Text(text) => Scalar::Text((*text).to_owned()),
            Expr::Fraction(text) => Scalar::Fraction(Ratio::parse(text)),
            Expr::Has(inner) => Scalar::Bool(self.value(inner)? != Scalar::Absent),
            Expr::Not(inner) => Scalar::Bool(!self.value(inner)?.is_true()),
            Expr::Size(name) => match self.data.get(name).and_then(Json::as_array) {
                Some(items) => Scalar::Number(items.len() as i128 * 10i128.pow(12)),
                None => Scalar::Absent,
            },
            Expr::In(needle, options) => {
                let needle = self.value(needle)?;
                let mut found = false;
                for option in options {
                    found = found || (needle != Scalar::Absent && self.value(option)? == needle);
                }
                Scalar::Bool(found)
            }
            Expr::Coalesce(options) => {
                for option in options {
                    let value = self.value(option)?;
                    if value != Scalar::Absent {
                        return Ok(value);
                    }
                }
                Scalar::Absent
            }
            // Parts of balances are p0, p1 and so on.
            Expr::Found(lookup, field) => {
                let text = match *field {
                    "share" => Text::Fraction,
                    field if field.starts_with('p') || field == "amount" => Text::Decimal,
                    _ => Text::Plain,
                };
                Scalar::of(self.found.get(lookup).and_then(|found| found.get(field)), text)
            }
            Expr::Author => Scalar::Text(self.signers.author.to_owned()),
            Expr::Endorsers => Scalar::Number(self.signers.endorsers as i128 * 10i128.pow(12)),
            Expr::EndorsedBy(role) => {
                let approvers = if *role == HELD_ROLE { self.signers.approvers } else { 0 };
                Scalar::Number(approvers as i128 * 10i128.pow(12))
            }
            Expr::HasRole(role) => Scalar::Bool(*role == HELD_ROLE),
            // The clock of the tests does not leave its first day.
            Expr::Today => Scalar::Text("2026-01-01".to_owned()),
            Expr::Divide(a, b, mode) => match (self.value(a)?.number(), self.value(b)?.number()) {
                (Some(_), Some(0)) => return Err(NoValue),
                (Some(a), Some(b)) => Scalar::Number(quotient(a, b, mode)),
                _ => Scalar::Absent,
            },
            // What decides alone is all that is looked at.
            Expr::Binary("&&", a, b) => Scalar::Bool(self.value(a)?.is_true() && self.value(b)?.is_true()),
            Expr::Binary("||", a, b) => Scalar::Bool(self.value(a)?.is_true() || self.value(b)?.is_true()),
            Expr::Binary(operator, a, b) => binary(operator, &self.value(a)?, &self.value(b)?),
        })
    }

    pub(super) fn is_true(&self, expr: &Expr) -> bool {
        self.eval(expr).is_true()
    }

    /// The canonical JSON of a value that names a cell or key.
    pub(super) fn json(&self, expr: &Expr) -> Json {
        let named = match expr {
            Expr::Field(name) => self.data.get(name),
            Expr::Item(name) => self.item.and_then(|(_, item)| item.get(name)),
            Expr::Found(lookup, field) => self.found.get(lookup).and_then(|found| found.get(field)),
            Expr::Author => return json!(self.signers.author),
            other => panic!("{other:?} names no cell"),
        };
        named.cloned().unwrap_or(Json::Null)
    }

    pub(super) fn all_json(&self, exprs: &[Expr]) -> Vec<Json> {
        exprs.iter().map(|expr| self.json(expr)).collect()
    }

    pub(super) fn text(&self, expr: &Expr) -> Option<String> {
        match self.eval(expr) {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A comparison or arithmetic.
fn binary(operator: &str, a: &Scalar, b: &Scalar) -> Scalar {
    let order = a.compare(b);
    Scalar::Bool(match operator {
        "==" => a == b,
        "!=" => a != b,
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        arithmetic => {
            let (Some(a), Some(b)) = (a.number(), b.number()) else { return Scalar::Absent };
            return Scalar::Number(match arithmetic {
                "+" => a + b,
                "-" => a - b,
                _ => exact_product(a, b),
            });
        }
    })
}

/// A quotient with two digits behind the point.
fn quotient(a: i128, b: i128, mode: &str) -> i128 {
    let (dividend, divisor) = (a * 100 * b.signum(), b.abs());
    let below = dividend.div_euclid(divisor);
    let rest = dividend.rem_euclid(divisor);
    let goes_up = match mode {
        "down" => rest != 0 && dividend < 0,
        "ceiling" => rest != 0,
        "half_even" => 2 * rest > divisor || (2 * rest == divisor && below % 2 != 0),
        other => panic!("{other} is not modelled"),
    };
    (below + i128::from(goes_up)) * 10i128.pow(10)
}

fn exact_product(a: i128, b: i128) -> i128 {
    let product = a * b;
    assert_eq!(product % 10i128.pow(12), 0, "the tests stay within 12 digits");
    product / 10i128.pow(12)
}
