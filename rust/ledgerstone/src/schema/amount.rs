//! What is summed: numbers of one kind, exactly.

use std::fmt;

use super::decimal_text::write_decimal;
use super::scalar::Scalar;
use crate::model::{Decimal, Fraction};

/// A decimal (an int is one), or a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// A decimal number.
    Decimal(Decimal),
    /// A fraction.
    Fraction(Fraction),
}

impl Amount {
    /// The amount that a value is; `None` where it is absent, or no number.
    pub(crate) fn of(value: &Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Fraction(fraction) => Some(Amount::Fraction(*fraction)),
            number => number.as_decimal().map(Amount::Decimal),
        }
    }

    /// The sum; `None` where it overflows. Amounts of two kinds have none: what is summed is of one.
    pub(crate) fn plus(self, other: Amount) -> Option<Amount> {
        match (self, other) {
            (Amount::Decimal(a), Amount::Decimal(b)) => {
                let scale = a.scale.max(b.scale);
                let sum = a.rescaled(scale)?.checked_add(b.rescaled(scale)?)?;
                Some(Amount::Decimal(Decimal::new(sum, scale)))
            }
            (Amount::Fraction(a), Amount::Fraction(b)) => a.checked_add(b).map(Amount::Fraction),
            _ => None,
        }
    }

    /// Whether it is neither below `low` nor above `high`; `None` where a bound has too many digits for a fraction.
    pub(crate) fn is_within(self, low: Decimal, high: Decimal) -> Option<bool> {
        match self {
            Amount::Decimal(sum) => {
                let scalar = |number: Decimal| Scalar::Decimal(number.mantissa, number.scale);
                let at_least = |a, b| scalar(a).compare(&scalar(b)).is_some_and(|order| order.is_ge());
                Some(at_least(sum, low) && at_least(high, sum))
            }
            Amount::Fraction(sum) => {
                let bound = |bound: Decimal| Fraction::new(bound.mantissa, 10i128.checked_pow(u32::from(bound.scale))?);
                Some((bound(low)?..=bound(high)?).contains(&sum))
            }
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Decimal(sum) => {
                let mut text = Vec::new();
                write_decimal(sum.mantissa, sum.scale, &mut text);
                f.write_str(&String::from_utf8_lossy(&text))
            }
            Amount::Fraction(sum) => sum.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn fraction(text: &str) -> Amount {
        Amount::Fraction(Fraction::parse(text).unwrap())
    }

    #[test]
    fn thirds_sum_to_one_exactly() {
        let third = fraction("1/3");
        let two = third.plus(third).unwrap();
        assert_eq!(two.is_within(decimal("1"), decimal("1")), Some(false));
        assert_eq!(two.plus(third).unwrap().is_within(decimal("1"), decimal("1")), Some(true));
        assert_eq!(two.is_within(decimal("0.6"), decimal("0.67")), Some(true));
        assert_eq!(two.to_string(), "2/3");
        assert_eq!(third.plus(Amount::Decimal(decimal("1"))), None);
    }

    #[test]
    fn decimals_of_different_scales_are_summed_and_compared() {
        let sum = Amount::Decimal(decimal("0.25")).plus(Amount::Decimal(decimal("1.5"))).unwrap();
        assert_eq!((sum.to_string().as_str(), sum.is_within(decimal("1.75"), decimal("2"))), ("1.75", Some(true)));
        assert_eq!(sum.is_within(decimal("1.751"), decimal("2")), Some(false));
    }
}
