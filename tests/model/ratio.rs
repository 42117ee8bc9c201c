//! Exact fractions of the model, by the arithmetic of school.

use std::cmp::Ordering;

use super::amount::SCALE;

/// A fraction; the term below the line is above zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio(i128, i128);

/// The greatest number that divides both.
fn common(a: i128, b: i128) -> i128 {
    if a == 0 { b } else { common(b % a, a).abs() }
}

impl Ratio {
    pub(crate) const ZERO: Ratio = Ratio(0, 1);

    /// The fraction that a text means.
    pub(crate) fn parse(text: &str) -> Self {
        let (above, below) = text.split_once('/').expect("a fraction");
        Ratio(above.parse().expect("a number"), below.parse().expect("a number"))
    }

    /// Whether no number divides both terms.
    pub(crate) fn is_reduced(self) -> bool {
        common(self.0, self.1) == 1
    }

    pub(crate) fn whole(number: i64) -> Self {
        Ratio(number.into(), 1)
    }

    /// A number that counts 10^-12.
    pub(crate) fn of_number(number: i128) -> Self {
        Ratio(number, 10i128.pow(SCALE as u32))
    }

    pub(crate) fn plus(self, other: Ratio) -> Self {
        if self.1 == other.1 {
            return Ratio(self.0 + other.0, self.1);
        }
        let (above, below) = (self.0 * other.1 + other.0 * self.1, self.1 * other.1);
        let divisor = common(above, below);
        Ratio(above / divisor, below / divisor)
    }

    pub(crate) fn is_within(self, (low, high): (i64, i64)) -> bool {
        Ratio::whole(low) <= self && self <= Ratio::whole(high)
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.0 * other.1 == other.0 * self.1
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.0 * other.1).partial_cmp(&(other.0 * self.1))
    }
}
