//! Exact fractions.

use std::cmp::Ordering;
use std::fmt;

use crate::limits::INT_MAX;

/// A fraction in lowest terms, its denominator above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    numerator: i64,
    denominator: i64,
}

impl Fraction {
    /// No part of the whole.
    pub const ZERO: Fraction = Fraction { numerator: 0, denominator: 1 };

    /// `numerator`/`denominator` in lowest terms; `None` where the denominator is zero, or a term leaves 64 bits.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let common = greatest_common_divisor(numerator.unsigned_abs(), denominator.unsigned_abs());
        let common = i128::try_from(common).ok()?;
        let sign = denominator.signum();
        Some(Fraction {
            numerator: i64::try_from((numerator / common).checked_mul(sign)?).ok()?,
            denominator: i64::try_from((denominator / common).checked_mul(sign)?).ok()?,
        })
    }

    /// The term above the line.
    pub fn numerator(self) -> i64 {
        self.numerator
    }

    /// The term below the line, above zero.
    pub fn denominator(self) -> i64 {
        self.denominator
    }

    /// Parses the canonical form, `-?n/d` in lowest terms, both within ±(2^53−1). `None` where the text is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (numerator, denominator) = text.split_once('/')?;
        let fraction = Fraction::new(numerator.parse::<i64>().ok()?.into(), denominator.parse::<i64>().ok()?.into())?;
        (fraction.is_storable() && fraction.to_string() == text).then_some(fraction)
    }

    /// Whether both terms are integers that a record can hold, within ±(2^53−1).
    pub fn is_storable(self) -> bool {
        (-INT_MAX..=INT_MAX).contains(&self.numerator) && self.denominator <= INT_MAX
    }

    /// The sum; `None` where a term leaves 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (a, b) = (i128::from(self.numerator), i128::from(other.numerator));
        let (m, n) = (i128::from(self.denominator), i128::from(other.denominator));
        // Each product is below 2^126.
        Fraction::new(a * n + b * m, m * n)
    }

    /// The fraction with its sign turned; `None` where a term leaves 64 bits.
    pub fn checked_neg(self) -> Option<Self> {
        Some(Fraction { numerator: self.numerator.checked_neg()?, ..self })
    }

    /// The fraction times a whole number, where that is whole.
    pub fn units(self, whole: i64) -> Option<i64> {
        let product = i128::from(self.numerator) * i128::from(whole);
        let denominator = i128::from(self.denominator);
        (product % denominator == 0).then(|| i64::try_from(product / denominator).ok()).flatten()
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let side = |a: &Self, b: &Self| i128::from(a.numerator) * i128::from(b.denominator);
        side(self, other).cmp(&side(other, self))
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        for text in ["1/3", "-1/3", "0/1", "7/1", "9007199254740991/2"] {
            assert_eq!(Fraction::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["2/6", "1/-3", "0/2", "1/0", "+1/3", "01/3", "1", "1/", "/3", " 1/3", "9007199254740992/1", "1/3/1"]
        {
            assert_eq!(Fraction::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_leaves_64_bits_is_no_fraction() {
        let ends = [i128::MIN, i128::MIN + 1, i64::MIN.into(), -1, 0, 1, i64::MAX.into(), i128::MAX];
        for (numerator, denominator) in ends.into_iter().flat_map(|a| ends.map(|b| (a, b))) {
            let Some(fraction) = Fraction::new(numerator, denominator) else { continue };
            assert!(fraction.denominator() > 0);
            for other in ends.into_iter().filter_map(|a| Fraction::new(a, i64::MAX.into())) {
                let _ = (fraction.checked_add(other), fraction.cmp(&other), fraction.units(i64::MIN));
            }
        }
        assert_eq!(Fraction::new(1, i128::MIN), None);
        assert_eq!(Fraction::new(i64::MIN.into(), 1).unwrap().checked_neg(), None);
    }

    #[test]
    fn a_share_of_units_is_whole_or_nothing() {
        let third = Fraction::new(1, 3).unwrap();
        assert_eq!((third.units(9), third.units(10), third.units(0)), (Some(3), None, Some(0)));
    }

    proptest! {
        #[test]
        fn sums_and_order_are_those_of_cross_multiplication(
            a in -9_999i64..9_999, m in 1i64..9_999, b in -9_999i64..9_999, n in 1i64..9_999,
        ) {
            let (x, y) = (Fraction::new(a.into(), m.into()).unwrap(), Fraction::new(b.into(), n.into()).unwrap());
            let sum = x.checked_add(y).unwrap();
            prop_assert_eq!(i128::from(sum.numerator()) * i128::from(m * n), i128::from(sum.denominator()) * i128::from(a * n + b * m));
            prop_assert_eq!(greatest_common_divisor(sum.numerator().unsigned_abs().into(), sum.denominator().unsigned_abs().into()), 1);
            prop_assert_eq!(x.cmp(&y), (a * n).cmp(&(b * m)));
        }
    }
}
