//! Functions of single values.

use regex::Regex;

use super::arithmetic::{Rounding, divide};
use super::currency_digits;
use super::eval::{Overflow, Value};
use crate::model::{Decimal, Fraction};
use crate::schema::scalar::Scalar;
use crate::schema::time::{DAY_MICROS, civil_from_days, days_from_civil, is_day, is_micro, month_days};

/// Microseconds of a second.
const SECOND_MICROS: i64 = 1_000_000;

/// A function of single values.
#[derive(Debug, Clone)]
pub(crate) enum Function {
    Size,
    CurrencyDigits,
    Least,
    Greatest,
    Absolute,
    Round(u8, Rounding),
    Divide(u8, Rounding),
    StartsWith,
    EndsWith,
    Contains,
    Matches(Box<Regex>),
    Year,
    Month,
    Day,
    DateOf,
    PlusDays,
    PlusMonths,
    PlusSeconds,
    DaysBetween,
    SecondsBetween,
    Numerator,
    Denominator,
    Units,
}

impl Function {
    /// The value for these operands; absent where one of them is.
    pub(super) fn apply<'a>(&self, operands: &[Scalar<'a>]) -> Value<'a> {
        if matches!(self, Function::Least | Function::Greatest) {
            return Ok(self.extreme(operands));
        }
        match *operands {
            [a] => self.of_one(a),
            [a, b] => self.of_two(a, b),
            _ => Ok(Scalar::Absent),
        }
    }

    fn extreme<'a>(&self, operands: &[Scalar<'a>]) -> Scalar<'a> {
        let mut extreme = operands[0];
        for operand in operands {
            match operand.compare(&extreme) {
                None => return Scalar::Absent,
                Some(order) => {
                    let better = if matches!(self, Function::Least) { order.is_lt() } else { order.is_gt() };
                    extreme = if better { *operand } else { extreme };
                }
            }
        }
        extreme
    }

    fn of_one<'a>(&self, a: Scalar<'a>) -> Value<'a> {
        Ok(match (self, a) {
            (Function::Size, Scalar::Text(text)) => Scalar::Int(text.chars().count() as i64),
            (Function::CurrencyDigits, Scalar::Text(text)) => {
                currency_digits(text).map_or(Scalar::Absent, |digits| Scalar::Int(i64::from(digits)))
            }
            (Function::Absolute, Scalar::Int(value)) => Scalar::Int(value.checked_abs().ok_or(Overflow)?),
            (Function::Absolute, Scalar::Decimal(mantissa, scale)) => {
                Scalar::Decimal(mantissa.checked_abs().ok_or(Overflow)?, scale)
            }
            (Function::Absolute, Scalar::Fraction(value)) if value < Fraction::ZERO => {
                Scalar::Fraction(value.checked_neg().ok_or(Overflow)?)
            }
            (Function::Absolute, Scalar::Fraction(value)) => Scalar::Fraction(value),
            (Function::Round(scale, mode), number) => match number.as_decimal() {
                Some(number) => decimal(divide(number, Decimal::new(1, 0), *scale, *mode)?),
                None => Scalar::Absent,
            },
            (Function::Matches(regex), Scalar::Text(text)) => Scalar::Bool(regex.is_match(text)),
            (Function::Year, Scalar::Date(day)) => Scalar::Int(i64::from(civil_from_days(day).0)),
            (Function::Month, Scalar::Date(day)) => Scalar::Int(i64::from(civil_from_days(day).1)),
            (Function::Day, Scalar::Date(day)) => Scalar::Int(i64::from(civil_from_days(day).2)),
            (Function::DateOf, Scalar::Timestamp(micros)) => {
                Scalar::Date(i32::try_from(micros.div_euclid(DAY_MICROS)).map_err(|_| Overflow)?)
            }
            (Function::Numerator, Scalar::Fraction(value)) => Scalar::Int(value.numerator()),
            (Function::Denominator, Scalar::Fraction(value)) => Scalar::Int(value.denominator()),
            _ => Scalar::Absent,
        })
    }

    fn of_two<'a>(&self, a: Scalar<'a>, b: Scalar<'a>) -> Value<'a> {
        Ok(match (self, a, b) {
            (Function::Divide(scale, mode), a, b) => match (a.as_decimal(), b.as_decimal()) {
                (Some(a), Some(b)) => decimal(divide(a, b, *scale, *mode)?),
                _ => Scalar::Absent,
            },
            (Function::StartsWith, Scalar::Text(text), Scalar::Text(part)) => Scalar::Bool(text.starts_with(part)),
            (Function::EndsWith, Scalar::Text(text), Scalar::Text(part)) => Scalar::Bool(text.ends_with(part)),
            (Function::Contains, Scalar::Text(text), Scalar::Text(part)) => Scalar::Bool(text.contains(part)),
            (Function::PlusDays, Scalar::Date(day), Scalar::Int(days)) => {
                let day = i64::from(day).checked_add(days).and_then(|day| i32::try_from(day).ok());
                Scalar::Date(day.filter(|day| is_day(*day)).ok_or(Overflow)?)
            }
            (Function::PlusDays, Scalar::Timestamp(micros), Scalar::Int(days)) => instant(micros, days, DAY_MICROS)?,
            (Function::PlusSeconds, Scalar::Timestamp(micros), Scalar::Int(seconds)) => {
                instant(micros, seconds, SECOND_MICROS)?
            }
            (Function::PlusMonths, Scalar::Date(day), Scalar::Int(months)) => {
                Scalar::Date(plus_months(day, months).ok_or(Overflow)?)
            }
            (Function::DaysBetween, Scalar::Date(a), Scalar::Date(b)) => Scalar::Int(i64::from(b) - i64::from(a)),
            (Function::SecondsBetween, Scalar::Timestamp(a), Scalar::Timestamp(b)) => {
                Scalar::Int(b.checked_sub(a).ok_or(Overflow)?.div_euclid(SECOND_MICROS))
            }
            (Function::Units, Scalar::Fraction(share), Scalar::Int(whole)) => {
                share.units(whole).map_or(Scalar::Absent, Scalar::Int)
            }
            _ => Scalar::Absent,
        })
    }
}

fn decimal<'a>(value: Decimal) -> Scalar<'a> {
    Scalar::Decimal(value.mantissa, value.scale)
}

fn instant<'a>(micros: i64, count: i64, unit: i64) -> Value<'a> {
    let moved = count.checked_mul(unit).and_then(|moved| micros.checked_add(moved));
    moved.filter(|micros| is_micro(*micros)).map(Scalar::Timestamp).ok_or(Overflow)
}

/// The same day of another month, or its last day where it is shorter.
fn plus_months(day: i32, months: i64) -> Option<i32> {
    let (year, month, of_month) = civil_from_days(day);
    let count = (i64::from(year) * 12 + i64::from(month) - 1).checked_add(months)?;
    let (year, month) = (i32::try_from(count.div_euclid(12)).ok()?, count.rem_euclid(12) as u32 + 1);
    days_from_civil(year, month, of_month.min(month_days(year, month)))
}
