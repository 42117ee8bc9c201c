//! The JSON that record bytes and cell names are made of (JCS, RFC 8785), appended to a buffer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends a string with its quotes, escaped as RFC 8785 says.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let clean = bytes.iter().fold(true, |clean, &byte| clean & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'));
    if clean {
        out.extend_from_slice(bytes);
    } else {
        bytes.iter().for_each(|&byte| write_escaped(byte, out));
    }
    out.push(b'"');
}

fn write_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x00..=0x1f => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
            return;
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends an integer.
pub(crate) fn write_int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_digits(u128::from(value.unsigned_abs()), 1, out);
}

/// Appends base64 with its quotes.
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The space is exact, so the encoder cannot lack any; were it to, the bytes stay zero and no reader takes them for base64.
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.push(b'"');
}

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
    use super::*;
    use crate::model::Decimal;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn strings_are_those_of_rfc_8785(value in "\\PC*|[\\x00-\\x7f]*") {
            prop_assert_eq!(text(|out| write_string(&value, out)), serde_jcs::to_string(&value).unwrap());
        }

        #[test]
        fn decimals_are_those_of_the_decimal_type(mantissa in any::<i128>(), shift in 0u32..127, scale in 0u8..=38) {
            let mantissa = mantissa >> shift;
            prop_assert_eq!(text(|out| write_decimal(mantissa, scale, out)), Decimal::new(mantissa, scale).to_string());
        }

        #[test]
        fn integers_and_bytes(value in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(text(|out| write_int(value, out)), value.to_string());
            prop_assert_eq!(text(|out| write_bytes(&bytes, out)), format!("\"{}\"", STANDARD.encode(&bytes)));
        }
    }
}
