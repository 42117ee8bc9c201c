//! Single values of typed columns, as expressions and cell names see them.

use std::cmp::Ordering;

use ledgerstone_verify::canon::{Json, unb64, write_b64, write_int, write_string};

use super::decimal_text::write_decimal;
use super::time;
use crate::model::{Decimal, Fraction};

/// The type of a [`Scalar`]. Enums, named formats and UUIDs are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// A truth value.
    Bool,
    /// An integer.
    Int,
    /// A decimal.
    Decimal,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// An exact fraction.
    Fraction,
    /// A date.
    Date,
    /// An instant.
    Timestamp,
}

impl ScalarKind {
    /// The word for it in a message.
    pub fn name(self) -> &'static str {
        match self {
            ScalarKind::Bool => "bool",
            ScalarKind::Int => "int",
            ScalarKind::Decimal => "decimal",
            ScalarKind::Text => "text",
            ScalarKind::Bytes => "bytes",
            ScalarKind::Fraction => "fraction",
            ScalarKind::Date => "date",
            ScalarKind::Timestamp => "timestamp",
        }
    }

    /// The word with its article.
    pub(crate) fn a_name(self) -> String {
        format!("{} {}", if self == ScalarKind::Int { "an" } else { "a" }, self.name())
    }

    /// Whether it is an int or a decimal.
    pub fn is_number(self) -> bool {
        matches!(self, ScalarKind::Int | ScalarKind::Decimal)
    }
}

/// One value. Equality is of value: the decimals 1 and 1.00 are equal, and the int 1 equals both; absent equals absent.
#[derive(Debug, Clone, Copy)]
pub enum Scalar<'a> {
    /// No value.
    Absent,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Mantissa and digits behind the point.
    Decimal(i128, u8),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An exact fraction.
    Fraction(Fraction),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl Scalar<'_> {
    /// Whether there is no value.
    pub fn is_absent(&self) -> bool {
        matches!(self, Scalar::Absent)
    }

    /// The number as a decimal; `None` where it is none.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match *self {
            Scalar::Int(value) => Some(Decimal::new(i128::from(value), 0)),
            Scalar::Decimal(mantissa, scale) => Some(Decimal::new(mantissa, scale)),
            _ => None,
        }
    }

    /// How two values of one kind are ordered (int and decimal mix); `None` where one is absent or the kinds differ.
    pub fn compare(&self, other: &Scalar<'_>) -> Option<Ordering> {
        match (self, other) {
            (Scalar::Int(a), Scalar::Int(b)) => Some(a.cmp(b)),
            (Scalar::Decimal(a, m), Scalar::Decimal(b, n)) if m == n => Some(a.cmp(b)),
            (Scalar::Decimal(..) | Scalar::Int(_), Scalar::Decimal(..) | Scalar::Int(_)) => {
                Some(compare_decimals(self.as_decimal()?, other.as_decimal()?))
            }
            (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
            (Scalar::Bytes(a), Scalar::Bytes(b)) => Some(a.cmp(b)),
            (Scalar::Bool(a), Scalar::Bool(b)) => Some(a.cmp(b)),
            (Scalar::Fraction(a), Scalar::Fraction(b)) => Some(a.cmp(b)),
            (Scalar::Date(a), Scalar::Date(b)) => Some(a.cmp(b)),
            (Scalar::Timestamp(a), Scalar::Timestamp(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Appends its canonical JSON (FORMAT.md section 2); absent is `null`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match *self {
            Scalar::Absent => out.extend_from_slice(b"null"),
            Scalar::Bool(true) => out.extend_from_slice(b"true"),
            Scalar::Bool(false) => out.extend_from_slice(b"false"),
            Scalar::Int(value) => write_int(out, value),
            Scalar::Decimal(mantissa, scale) => quoted(out, |out| write_decimal(mantissa, scale, out)),
            Scalar::Text(text) => write_string(out, text),
            Scalar::Bytes(bytes) => quoted(out, |out| write_b64(out, bytes)),
            Scalar::Fraction(fraction) => quoted(out, |out| out.extend_from_slice(fraction.to_string().as_bytes())),
            Scalar::Date(days) => quoted(out, |out| time::write_date(days, out)),
            Scalar::Timestamp(micros) => quoted(out, |out| time::write_instant(micros, out)),
        }
    }
}

/// A [`Scalar`] that owns its text: a constant, a value that was looked up.
#[derive(Debug, Clone)]
pub enum OwnedScalar {
    /// No value.
    Absent,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A decimal.
    Decimal(Decimal),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An exact fraction.
    Fraction(Fraction),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl OwnedScalar {
    /// The type of the value; `None` where there is none.
    pub fn kind(&self) -> Option<ScalarKind> {
        Some(match self {
            OwnedScalar::Absent => return None,
            OwnedScalar::Bool(_) => ScalarKind::Bool,
            OwnedScalar::Int(_) => ScalarKind::Int,
            OwnedScalar::Decimal(_) => ScalarKind::Decimal,
            OwnedScalar::Text(_) => ScalarKind::Text,
            OwnedScalar::Bytes(_) => ScalarKind::Bytes,
            OwnedScalar::Fraction(_) => ScalarKind::Fraction,
            OwnedScalar::Date(_) => ScalarKind::Date,
            OwnedScalar::Timestamp(_) => ScalarKind::Timestamp,
        })
    }

    /// The value, borrowed.
    pub fn as_scalar(&self) -> Scalar<'_> {
        match self {
            OwnedScalar::Absent => Scalar::Absent,
            OwnedScalar::Bool(value) => Scalar::Bool(*value),
            OwnedScalar::Int(value) => Scalar::Int(*value),
            OwnedScalar::Decimal(value) => Scalar::Decimal(value.mantissa, value.scale),
            OwnedScalar::Text(text) => Scalar::Text(text),
            OwnedScalar::Bytes(bytes) => Scalar::Bytes(bytes),
            OwnedScalar::Fraction(fraction) => Scalar::Fraction(*fraction),
            OwnedScalar::Date(days) => Scalar::Date(*days),
            OwnedScalar::Timestamp(micros) => Scalar::Timestamp(*micros),
        }
    }

    /// A value of record bytes, as a field of that kind has it; absent where it is none.
    pub fn from_json(kind: ScalarKind, value: Option<&Json>) -> Self {
        let read = match (kind, value) {
            (ScalarKind::Bool, Some(Json::Bool(value))) => Some(OwnedScalar::Bool(*value)),
            (ScalarKind::Int, Some(Json::Int(value))) => Some(OwnedScalar::Int(*value)),
            (kind, Some(Json::Text(text))) => match kind {
                ScalarKind::Text => Some(OwnedScalar::Text(text.clone())),
                ScalarKind::Decimal => Decimal::parse(text).map(OwnedScalar::Decimal),
                ScalarKind::Bytes => unb64(text).ok().map(OwnedScalar::Bytes),
                ScalarKind::Fraction => Fraction::parse(text).map(OwnedScalar::Fraction),
                ScalarKind::Date => time::parse_date(text).map(OwnedScalar::Date),
                ScalarKind::Timestamp => time::parse_instant(text).ok().map(OwnedScalar::Timestamp),
                ScalarKind::Bool | ScalarKind::Int => None,
            },
            _ => None,
        };
        read.unwrap_or(OwnedScalar::Absent)
    }
}

impl From<Scalar<'_>> for OwnedScalar {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Absent => OwnedScalar::Absent,
            Scalar::Bool(value) => OwnedScalar::Bool(value),
            Scalar::Int(value) => OwnedScalar::Int(value),
            Scalar::Decimal(mantissa, scale) => OwnedScalar::Decimal(Decimal::new(mantissa, scale)),
            Scalar::Text(text) => OwnedScalar::Text(text.to_owned()),
            Scalar::Bytes(bytes) => OwnedScalar::Bytes(bytes.to_vec()),
            Scalar::Fraction(fraction) => OwnedScalar::Fraction(fraction),
            Scalar::Date(days) => OwnedScalar::Date(days),
            Scalar::Timestamp(micros) => OwnedScalar::Timestamp(micros),
        }
    }
}

impl PartialEq for OwnedScalar {
    fn eq(&self, other: &Self) -> bool {
        self.as_scalar() == other.as_scalar()
    }
}

impl Eq for OwnedScalar {}

impl PartialEq for Scalar<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Scalar::Text(a), Scalar::Text(b)) => a == b,
            (Scalar::Absent, Scalar::Absent) => true,
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }
}

impl Eq for Scalar<'_> {}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Compares by value. Where bringing both to one scale overflows, the one that would overflow has the larger magnitude.
fn compare_decimals(a: Decimal, b: Decimal) -> Ordering {
    let scale = a.scale.max(b.scale);
    match (a.rescaled(scale), b.rescaled(scale)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, _) => a.mantissa.cmp(&0),
        (_, None) => 0.cmp(&b.mantissa),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        assert_eq!(Scalar::Decimal(100, 2), Scalar::Int(1));
        assert_eq!(Scalar::Decimal(i128::MAX, 0).compare(&Scalar::Decimal(1, 28)), Some(Ordering::Greater));
        assert_eq!(Scalar::Decimal(1, 28).compare(&Scalar::Decimal(i128::MIN, 0)), Some(Ordering::Greater));
        assert_eq!(Scalar::Text("a").compare(&Scalar::Absent), None);
        assert_ne!(Scalar::Date(1), Scalar::Int(1));
    }

    #[test]
    fn the_canonical_json() {
        let cases: [(Scalar<'_>, &str); 9] = [
            (Scalar::Absent, "null"),
            (Scalar::Bool(true), "true"),
            (Scalar::Int(-7), "-7"),
            (Scalar::Decimal(-1250, 2), "\"-12.5\""),
            (Scalar::Decimal(0, 12), "\"0\""),
            (Scalar::Text("a\"\n"), "\"a\\\"\\n\""),
            (Scalar::Bytes(b"\0\xff"), "\"AP8=\""),
            (Scalar::Date(0), "\"1970-01-01\""),
            (Scalar::Timestamp(-1), "\"1969-12-31T23:59:59.999999Z\""),
        ];
        for (scalar, expected) in cases {
            let mut out = Vec::new();
            scalar.write_json(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
