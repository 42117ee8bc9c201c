//! Exact arithmetic on 128 bits: rounding, division, shares.

use super::eval::Overflow;
use crate::model::Decimal;

/// Where a number between two neighbours goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearer one; from the middle to the even one.
    HalfEven,
    /// To the nearer one; from the middle away from zero.
    HalfUp,
    /// To the nearer one; from the middle towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
    /// Towards the greater one.
    Ceiling,
    /// Towards the lesser one.
    Floor,
}

/// Words of the modes of rounding.
pub(super) const MODES: [(&str, Rounding); 7] = [
    ("half_even", Rounding::HalfEven),
    ("half_up", Rounding::HalfUp),
    ("half_down", Rounding::HalfDown),
    ("up", Rounding::Up),
    ("down", Rounding::Down),
    ("ceiling", Rounding::Ceiling),
    ("floor", Rounding::Floor),
];

impl Rounding {
    /// Whether the magnitude `quotient` + `rest`/`divisor` of a number of this sign goes up by one.
    fn goes_up(self, negative: bool, quotient: u128, rest: u128, divisor: u128) -> bool {
        // Twice the rest against the divisor, without leaving 128 bits: rest < divisor.
        let half = rest.cmp(&(divisor - rest));
        rest != 0
            && match self {
                Rounding::Up => true,
                Rounding::Down => false,
                Rounding::Ceiling => !negative,
                Rounding::Floor => negative,
                Rounding::HalfUp => half.is_ge(),
                Rounding::HalfDown => half.is_gt(),
                Rounding::HalfEven => half.is_gt() || (half.is_eq() && quotient % 2 == 1),
            }
    }
}

/// `a` / `b` at `scale` digits behind the point. An error where `b` is zero or a step leaves 128 bits.
pub(super) fn divide(a: Decimal, b: Decimal, scale: u8, mode: Rounding) -> Result<Decimal, Overflow> {
    if b.mantissa == 0 {
        return Err(Overflow);
    }
    let negative = (a.mantissa < 0) != (b.mantissa < 0);
    let (dividend, mut divisor) = (a.mantissa.unsigned_abs(), b.mantissa.unsigned_abs());
    // dividend × 10^digits / divisor is the magnitude of the result in units of 10^-scale.
    let mut digits = i32::from(scale) + i32::from(b.scale) - i32::from(a.scale);
    if digits < 0 {
        let tens = 10u128.checked_pow(digits.unsigned_abs()).ok_or(Overflow)?;
        divisor = divisor.checked_mul(tens).ok_or(Overflow)?;
        digits = 0;
    }
    let (mut quotient, mut rest) = (dividend / divisor, dividend % divisor);
    for _ in 0..digits {
        rest = rest.checked_mul(10).ok_or(Overflow)?;
        quotient = quotient.checked_mul(10).and_then(|tens| tens.checked_add(rest / divisor)).ok_or(Overflow)?;
        rest %= divisor;
    }
    if mode.goes_up(negative, quotient, rest, divisor) {
        quotient = quotient.checked_add(1).ok_or(Overflow)?;
    }
    signed(quotient, negative).map(|mantissa| Decimal::new(mantissa, scale)).ok_or(Overflow)
}

/// The share of the weight at `place` in a total, in whole units, by largest remainder; ties go to the lower place. `None` where the
/// weights do not share it: one is below zero, or all are zero.
pub(super) fn share(total: i128, weights: &[i128], place: usize) -> Result<Option<i128>, Overflow> {
    let mut sum = 0i128;
    for weight in weights {
        if *weight < 0 {
            return Ok(None);
        }
        sum = sum.checked_add(*weight).ok_or(Overflow)?;
    }
    if sum == 0 {
        return Ok(None);
    }
    let (sum, magnitude) = (sum.unsigned_abs(), total.unsigned_abs());
    let mut remainders = Vec::with_capacity(weights.len());
    let (mut whole, mut given) = (0, 0u128);
    for (index, weight) in weights.iter().enumerate() {
        let product = magnitude.checked_mul(weight.unsigned_abs()).ok_or(Overflow)?;
        remainders.push(product % sum);
        given += product / sum;
        if index == place {
            whole = product / sum;
        }
    }
    let own = remainders[place];
    let before = remainders
        .iter()
        .enumerate()
        .filter(|(index, remainder)| **remainder > own || (**remainder == own && *index < place))
        .count();
    let share = whole + u128::from((before as u128) < magnitude - given);
    signed(share, total < 0).map(Some).ok_or(Overflow)
}

fn signed(magnitude: u128, negative: bool) -> Option<i128> {
    let value = i128::try_from(magnitude).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The quotient by its definition, over rationals of small numbers: the multiple of 10^-scale that the mode names.
    fn naive(a: i128, b: i128, scale: u32, mode: Rounding) -> i128 {
        let (n, d) = (a * 10i128.pow(scale) * b.signum(), b.abs());
        let (below, exact) = (n.div_euclid(d), n.rem_euclid(d) == 0);
        let above = if exact { below } else { below + 1 };
        let (to_below, to_above) = (n - below * d, above * d - n);
        let toward_zero = if n < 0 { above } else { below };
        let from_zero = if n < 0 { below } else { above };
        let nearer = |tie: i128| match to_below.cmp(&to_above) {
            std::cmp::Ordering::Less => below,
            std::cmp::Ordering::Greater => above,
            std::cmp::Ordering::Equal => tie,
        };
        match mode {
            Rounding::Floor => below,
            Rounding::Ceiling => above,
            Rounding::Down => toward_zero,
            Rounding::Up => from_zero,
            Rounding::HalfUp => nearer(from_zero),
            Rounding::HalfDown => nearer(toward_zero),
            Rounding::HalfEven => nearer(if below % 2 == 0 { below } else { above }),
        }
    }

    #[test]
    fn halves_go_where_the_mode_says() {
        let round =
            |text: &str, mode| divide(Decimal::parse(text).unwrap(), Decimal::new(1, 0), 0, mode).unwrap().mantissa;
        let modes = MODES.map(|(_, mode)| mode);
        for (text, expected) in [
            ("2.5", [2, 3, 2, 3, 2, 3, 2]),
            ("-2.5", [-2, -3, -2, -3, -2, -2, -3]),
            ("3.5", [4, 4, 3, 4, 3, 4, 3]),
            ("2.51", [3, 3, 3, 3, 2, 3, 2]),
            ("-0.1", [0, 0, 0, -1, 0, 0, -1]),
            ("7", [7; 7]),
        ] {
            assert_eq!(modes.map(|mode| round(text, mode)), expected, "{text}");
        }
    }

    #[test]
    fn what_leaves_128_bits_has_no_value() {
        let one = Decimal::new(1, 0);
        assert!(divide(one, Decimal::new(0, 0), 2, Rounding::Down).is_err());
        assert!(divide(Decimal::new(i128::MAX, 0), one, 1, Rounding::Down).is_err());
        assert_eq!(divide(Decimal::new(i128::MIN + 1, 0), one, 0, Rounding::Down).unwrap().mantissa, i128::MIN + 1);
        assert!(share(i128::MAX, &[4, 1], 0).is_err());
        assert_eq!(share(10, &[0, 0], 0).unwrap(), None);
        assert_eq!(share(10, &[1, -1], 0).unwrap(), None);
    }

    #[test]
    fn ties_go_to_the_lower_place() {
        let shares = |total, weights: &[i128]| -> Vec<i128> {
            (0..weights.len()).map(|place| share(total, weights, place).unwrap().unwrap()).collect()
        };
        assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(shares(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(shares(5, &[0, 3, 3]), [0, 3, 2]);
        assert_eq!(shares(0, &[3, 4]), [0, 0]);
    }

    proptest! {
        #[test]
        fn quotients_are_those_of_rationals(
            a in -1_000_000i128..1_000_000, b in -10_000i128..10_000, scale in 0u8..4, mode in proptest::sample::select(MODES.to_vec()),
        ) {
            let found = divide(Decimal::new(a, 0), Decimal::new(b, 0), scale, mode.1);
            if b == 0 {
                prop_assert!(found.is_err());
            } else {
                prop_assert_eq!(found.unwrap(), Decimal::new(naive(a, b, scale.into(), mode.1), scale));
            }
        }

        #[test]
        fn rounding_a_decimal_is_division_by_one(mantissa in any::<i64>(), own in 0u8..8, scale in 0u8..8, mode in proptest::sample::select(MODES.to_vec())) {
            let found = divide(Decimal::new(mantissa.into(), own), Decimal::new(1, 0), scale, mode.1).unwrap();
            prop_assert_eq!(found.mantissa, naive(mantissa.into(), 10i128.pow(own.into()), scale.into(), mode.1));
        }

        #[test]
        fn shares_add_up_and_are_off_by_less_than_one(total in -100_000i128..100_000, weights in proptest::collection::vec(0i128..1_000, 1..12)) {
            let sum: i128 = weights.iter().sum();
            prop_assume!(sum > 0);
            let shares: Vec<i128> = (0..weights.len()).map(|place| share(total, &weights, place).unwrap().unwrap()).collect();
            prop_assert_eq!(shares.iter().sum::<i128>(), total);
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!((share * sum - total * weight).abs() < sum);
            }
        }
    }
}
