//! Numbers at the ends of their ranges: every operation has a value or none, and none panics.

use super::super::arithmetic::MODES;
use super::super::functions::Function;
use super::super::{Comparison, Operation};
use crate::model::{Decimal, Fraction};
use crate::schema::Amount;
use crate::schema::scalar::Scalar;
use crate::schema::time::{FIRST_DAY, FIRST_MICRO, LAST_DAY, LAST_MICRO};

/// Values that a field, or an expression over fields, may come to.
fn ends() -> Vec<Scalar<'static>> {
    let mut ends: Vec<Scalar<'static>> = [i64::MIN, i64::MIN + 1, -2, -1, 0, 1, 2, i64::MAX].map(Scalar::Int).to_vec();
    let mantissas = [i128::MIN, i128::MIN + 1, -10, -1, 0, 1, 10, 10i128.pow(38), i128::MAX];
    // A product has the digits of both behind the point.
    let scales = [0, 1, 28, 38, 39, 56, 76, 127, 255];
    ends.extend(mantissas.iter().flat_map(|mantissa| scales.map(|scale| Scalar::Decimal(*mantissa, scale))));
    let terms = [i64::MIN, -1, 0, 1, i64::MAX].map(i128::from);
    let fractions = terms.iter().flat_map(|a| terms.map(|b| Fraction::new(*a, b)));
    ends.extend(fractions.flatten().map(Scalar::Fraction));
    ends.extend([FIRST_DAY, 0, LAST_DAY].map(Scalar::Date));
    ends.extend([FIRST_MICRO, 0, LAST_MICRO].map(Scalar::Timestamp));
    ends.extend([Scalar::Absent, Scalar::Bool(true), Scalar::Text(""), Scalar::Bytes(b"")]);
    ends
}

/// What becomes of a value afterwards.
fn look(value: Scalar<'_>) {
    value.write_json(&mut Vec::new());
    if let Some(decimal) = value.as_decimal() {
        let _ = (decimal.to_string(), decimal.digits(), decimal.normalised());
    }
    let bounds = [Decimal::new(i128::MIN, 0), Decimal::new(1, 255)];
    let _ = Amount::of(&value).map(|amount| (amount.is_within(bounds[0], bounds[1]), amount.to_string()));
}

#[test]
fn one_operand_at_the_end_of_its_range() {
    let rounded = MODES.into_iter().flat_map(|(_, mode)| [0, 28].map(|scale| Function::Round(scale, mode)));
    let others = [
        Function::Size,
        Function::CurrencyDigits,
        Function::Absolute,
        Function::Year,
        Function::Month,
        Function::Day,
        Function::DateOf,
        Function::Numerator,
        Function::Denominator,
    ];
    for function in rounded.chain(others) {
        for value in ends() {
            if let Ok(result) = function.apply(&[value]) {
                look(result);
            }
        }
    }
}

#[test]
fn two_operands_at_the_ends_of_their_ranges() {
    let divided = MODES.into_iter().flat_map(|(_, mode)| [0, 28].map(|scale| Function::Divide(scale, mode)));
    let others = [
        Function::Least,
        Function::Greatest,
        Function::StartsWith,
        Function::PlusDays,
        Function::PlusMonths,
        Function::PlusSeconds,
        Function::DaysBetween,
        Function::SecondsBetween,
        Function::Units,
    ];
    let functions: Vec<Function> = divided.chain(others).collect();
    let operations = [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Remainder];
    let ends = ends();
    for (a, b) in ends.iter().flat_map(|a| ends.iter().map(move |b| (*a, *b))) {
        let made = functions.iter().map(|function| function.apply(&[a, b]));
        made.chain(operations.map(|operation| operation.apply(a, b))).flatten().for_each(look);
        let (less, more) = (Comparison::Less.holds(&a, &b), Comparison::Greater.holds(&b, &a));
        assert_eq!(less, more, "{a:?} {b:?}");
        assert!(!(less && a == b), "{a:?} {b:?}");
        if let (Some(one), Some(other)) = (Amount::of(&a), Amount::of(&b)) {
            let _ = one.plus(other);
        }
    }
}

#[test]
fn zero_is_less_than_the_smallest_decimal() {
    let (zero, small) = (Scalar::Decimal(0, 0), Scalar::Decimal(1, 56));
    assert!(Comparison::Less.holds(&zero, &small) && Comparison::Less.holds(&Scalar::Decimal(-1, 56), &zero));
    assert_ne!(zero, small);
}
