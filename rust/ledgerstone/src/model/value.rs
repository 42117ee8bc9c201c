//! Values as a caller hands them over, before a schema has checked them, and the decimal type.

use std::fmt;

/// A value as it comes in from a face (a Python dict, a JSON line), not yet checked against a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Absent.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not, as decimal digits.
    BigInt(String),
    /// A binary floating-point number: no field takes one, the error says what to send instead.
    Float(f64),
    /// A decimal number, exact.
    Decimal(Decimal),
    /// Text; dates, timestamps, uuids and decimals are accepted in this form too.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A list.
    List(Vec<Value>),
    /// Named values, in the order given.
    Object(Vec<(String, Value)>),
    /// What a face could not read as any of these.
    Unfit(Box<Unfit>),
}

/// What no field takes, and why. It stands where the value would, so that it is refused as any other that does not fit: at its field,
/// and with nothing but its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Stable name of the reason.
    pub code: &'static str,
    /// In words: what was found, and what to send instead.
    pub message: String,
}

/// What a value counts beside its own bytes.
pub const VALUE_BYTES: usize = 16;

impl Value {
    /// The word for this kind of value in an error message.
    pub fn kind(&self) -> &'static str {
        ValueRef::from(self).kind()
    }

    /// About how many bytes it takes beside itself: those of texts, bytes and names, and [`VALUE_BYTES`] for every value within.
    pub fn bytes(&self) -> usize {
        let within = |value: &Value| VALUE_BYTES + value.bytes();
        match self {
            Value::Text(text) | Value::BigInt(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(items) => items.iter().map(within).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| name.len() + within(value)).sum(),
            _ => 0,
        }
    }
}

/// A [`Value`] that stands elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// Absent.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not, as decimal digits.
    BigInt(&'a str),
    /// A binary floating-point number.
    Float(f64),
    /// A decimal number.
    Decimal(Decimal),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A list.
    List(&'a [Value]),
    /// Named values.
    Object(&'a [(String, Value)]),
    /// What is none of these.
    Unfit(&'a Unfit),
}

impl ValueRef<'_> {
    /// The word for this kind of value in an error message.
    pub fn kind(&self) -> &'static str {
        match self {
            ValueRef::Null => "null",
            ValueRef::Bool(_) => "a bool",
            ValueRef::Int(_) | ValueRef::BigInt(_) => "an integer",
            ValueRef::Float(_) => "a float",
            ValueRef::Decimal(_) => "a decimal",
            ValueRef::Text(_) => "text",
            ValueRef::Bytes(_) => "bytes",
            ValueRef::Date(_) => "a date",
            ValueRef::Timestamp(_) => "a timestamp",
            ValueRef::List(_) => "a list",
            ValueRef::Object(_) => "an object",
            ValueRef::Unfit(_) => "of a kind that no field takes",
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::BigInt(digits) => ValueRef::BigInt(digits),
            Value::Float(value) => ValueRef::Float(*value),
            Value::Decimal(value) => ValueRef::Decimal(*value),
            Value::Text(text) => ValueRef::Text(text),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
            Value::Date(days) => ValueRef::Date(*days),
            Value::Timestamp(micros) => ValueRef::Timestamp(*micros),
            Value::List(values) => ValueRef::List(values),
            Value::Object(members) => ValueRef::Object(members),
            Value::Unfit(unfit) => ValueRef::Unfit(unfit),
        }
    }
}

/// A decimal number: `mantissa` × 10^−`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits, signed.
    pub mantissa: i128,
    /// How many of the digits stand behind the point.
    pub scale: u8,
}

impl Decimal {
    /// A decimal of these digits and this scale.
    pub const fn new(mantissa: i128, scale: u8) -> Self {
        Decimal { mantissa, scale }
    }

    /// Parses `-?digits[.digits]`; trailing zeros are kept in the scale. `None` where the text is something else or has more
    /// than 38 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let well_formed = !whole.is_empty()
            && (!digits.contains('.') || !fraction.is_empty())
            && whole.len() + fraction.len() <= 38
            && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if !well_formed {
            return None;
        }
        let magnitude =
            whole.bytes().chain(fraction.bytes()).fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        Some(Decimal::new(if negative { -magnitude } else { magnitude }, fraction.len() as u8))
    }

    /// The same number with as few fraction digits as it needs.
    pub fn normalised(self) -> Self {
        if let Ok(mut small) = i64::try_from(self.mantissa) {
            // Division of 64 bits is many times faster, and nearly every amount fits.
            let mut scale = self.scale;
            while scale > 0 && small % 10 == 0 {
                small /= 10;
                scale -= 1;
            }
            return Decimal { mantissa: i128::from(small), scale };
        }
        let Decimal { mut mantissa, mut scale } = self;
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal { mantissa, scale }
    }

    /// The mantissa at another scale; `None` where digits would be lost or overflow.
    pub fn rescaled(self, scale: u8) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        if scale >= self.scale {
            10i128.checked_pow(u32::from(scale - self.scale))?.checked_mul(self.mantissa)
        } else {
            let unit = 10i128.checked_pow(u32::from(self.scale - scale))?;
            (self.mantissa % unit == 0).then(|| self.mantissa / unit)
        }
    }

    /// How many decimal digits the number has, without leading zeros.
    pub fn digits(self) -> u32 {
        self.mantissa.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
    }
}

impl fmt::Display for Decimal {
    /// The canonical form: no exponent, no trailing zeros, no `-0` (FORMAT.md section 2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { mantissa, scale } = self.normalised();
        let magnitude = mantissa.unsigned_abs();
        if mantissa < 0 {
            f.write_str("-")?;
        }
        if scale == 0 {
            return write!(f, "{magnitude}");
        }
        // 128 bits hold at most 39 digits: behind more than 38 of them there is no whole part.
        let (whole, rest) =
            10u128.checked_pow(u32::from(scale)).map_or((0, magnitude), |unit| (magnitude / unit, magnitude % unit));
        write!(f, "{whole}.{rest:0width$}", width = usize::from(scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_written_canonically() {
        for (text, canonical) in
            [("0", "0"), ("-0.00", "0"), ("12.50", "12.5"), ("-0.05", "-0.05"), ("100", "100"), ("007.1", "7.1")]
        {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "1e3", "+1", " 1", "1_000", "NaN", "١"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    /// Digits moved behind the point by hand.
    fn naive(mantissa: i128, scale: u8) -> String {
        let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = usize::from(scale) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{whole}{point}{fraction}", if mantissa < 0 { "-" } else { "" })
    }

    #[test]
    fn the_ends_of_the_range_are_written_at_every_scale() {
        for scale in 0..=u8::MAX {
            for mantissa in [0, 1, -1, 10, 10i128.pow(38), i128::MAX, i128::MIN, i128::MIN + 1] {
                let decimal = Decimal::new(mantissa, scale);
                assert_eq!(decimal.to_string(), naive(mantissa, scale));
                // 2^127 has 39 digits.
                assert_eq!(decimal.digits(), mantissa.unsigned_abs().to_string().len() as u32);
                for other in 0..=u8::MAX {
                    let rescaled = decimal.rescaled(other).map(|rescaled| Decimal::new(rescaled, other).to_string());
                    assert!(rescaled.is_none_or(|text| text == naive(mantissa, scale)));
                }
            }
        }
        assert_eq!(Decimal::new(0, 0).rescaled(76), Some(0));
    }

    proptest! {
        #[test]
        fn decimals_are_digits_with_a_point(mantissa in any::<i128>(), shift in 0u32..127, scale in 0u8..=76) {
            let mantissa = mantissa >> shift;
            prop_assert_eq!(Decimal::new(mantissa, scale).to_string(), naive(mantissa, scale));
        }
    }
}
