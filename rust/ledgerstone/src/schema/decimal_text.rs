//! Decimals as record bytes write them (FORMAT.md section 2), appended to a buffer.

/// Appends the canonical decimal, without quotes (FORMAT.md section 2).
pub(crate) fn write_decimal(mantissa: i128, scale: u8, out: &mut Vec<u8>) {
    if mantissa < 0 {
        out.push(b'-');
    }
    let magnitude = mantissa.unsigned_abs();
    if scale == 0 {
        return write_digits(magnitude, 1, out);
    }
    let (whole, fraction) = split(magnitude, scale);
    write_digits(whole, 1, out);
    if fraction != 0 {
        out.push(b'.');
        write_digits(fraction, usize::from(scale), out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Whole part and fraction; a scale over 38 leaves no whole part.
fn split(magnitude: u128, scale: u8) -> (u128, u128) {
    if scale <= 19
        && let Ok(small) = u64::try_from(magnitude)
    {
        let unit = 10u64.pow(u32::from(scale));
        return (u128::from(small / unit), u128::from(small % unit));
    }
    match 10u128.checked_pow(u32::from(scale)) {
        Some(unit) => (magnitude / unit, magnitude % unit),
        None => (0, magnitude),
    }
}

/// Appends decimal digits, zero-padded to `width`.
fn write_digits(mut value: u128, width: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 39];
    let mut start = text.len();
    while value > u128::from(u64::MAX) {
        start -= 1;
        text[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let mut small = value as u64;
    while small > 0 {
        start -= 1;
        text[start] = b'0' + (small % 10) as u8;
        small /= 10;
    }
    let used = text.len() - start;
    for _ in text.len()..width.max(used) {
        out.push(b'0');
    }
    let from = text.len() - width.clamp(used, text.len());
    out.extend_from_slice(&text[from..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Decimal;

    proptest! {
        #[test]
        fn decimals_are_those_of_the_decimal_type(mantissa in any::<i128>(), shift in 0u32..127, scale in 0u8..=u8::MAX) {
            let mantissa = mantissa >> shift;
            let mut out = Vec::new();
            write_decimal(mantissa, scale, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), Decimal::new(mantissa, scale).to_string());
        }
    }
}
