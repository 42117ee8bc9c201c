//! The bounds of single values, for both ways in.

use super::failure::Fault;
use crate::model::{Decimal, Fraction};
use crate::schema::error::{BAD_FORMAT, BAD_TEXT, NOT_EXACT, OUT_OF_RANGE, TOO_LONG, TOO_MANY_DIGITS, suggestion};
use crate::schema::format::Format;
use crate::schema::module::FieldKind;
use crate::schema::time::{self, InstantError};

/// Checks text, an enum word, a UUID, a fraction.
pub(super) fn check_text(kind: &FieldKind, text: &str) -> Result<(), Fault> {
    match kind {
        FieldKind::Text { max, format } => {
            if text.len() > *max {
                return Err(too_long("text", text.len(), "bytes", *max));
            }
            if text.contains('\0') {
                return Err(Fault::new(BAD_TEXT, "the text holds U+0000"));
            }
            format.as_ref().map_or(Ok(()), |format| check_format(format, text))
        }
        FieldKind::Enum(words) if !words.iter().any(|word| word == text) => {
            let near = suggestion(text, words.iter().map(String::as_str));
            Err(Fault::new(BAD_FORMAT, format!("{} is none of {}{near}", quoted(text), words.join(", "))))
        }
        FieldKind::Uuid if !is_uuid(text) => {
            Err(Fault::new(BAD_FORMAT, format!("{} is no UUID in lower case with hyphens", quoted(text))))
        }
        FieldKind::Fraction if Fraction::parse(text).is_none() => {
            let lowest = text.split_once('/').and_then(|(numerator, denominator)| {
                Fraction::new(numerator.parse::<i64>().ok()?.into(), denominator.parse::<i64>().ok()?.into())
            });
            let near = lowest
                .filter(|fraction| fraction.is_storable())
                .map_or_else(String::new, |near| format!(", write \"{near}\""));
            Err(Fault::new(BAD_FORMAT, format!("{} is no fraction in lowest terms, as 1/3{near}", quoted(text))))
        }
        _ => Ok(()),
    }
}

fn check_format(format: &Format, text: &str) -> Result<(), Fault> {
    format.check(text).map_err(|problem| {
        let message = match format.source() {
            Some(pattern) => format!("{} does not match the pattern {}", quoted(text), shortened(pattern)),
            None => format!("{} is no {}: {problem}", quoted(text), format.name()),
        };
        Fault::new(BAD_FORMAT, message)
    })
}

/// The start of a text, in quotes, without control characters: a message stays short whatever the input.
fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// The start of a text, for a message.
pub(super) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(64).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

pub(super) fn too_long(what: &str, length: usize, unit: &str, max: usize) -> Fault {
    Fault::new(TOO_LONG, format!("the {what} has {length} {unit}, at most {max} are allowed"))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

pub(super) fn check_int(value: i64, min: i64, max: i64) -> Result<i64, Fault> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(Fault::new(OUT_OF_RANGE, format!("{value} is outside {min} to {max}")))
}

/// The mantissa at the field's scale, within its precision.
pub(super) fn check_decimal(value: Decimal, precision: u8, scale: u8) -> Result<i128, Fault> {
    // Most values have the digits of their field or fewer: no need to find the shortest form.
    let shortest = if value.scale > scale { value.normalised() } else { value };
    if shortest.scale > scale {
        return Err(Fault::new(
            TOO_MANY_DIGITS,
            format!("{shortest} has {} digits behind the point, at most {scale} are allowed", shortest.scale),
        ));
    }
    let fits = |mantissa: &i128| mantissa.unsigned_abs() < 10u128.pow(u32::from(precision));
    shortest.rescaled(scale).filter(fits).ok_or_else(|| {
        let whole = precision - scale;
        Fault::new(OUT_OF_RANGE, format!("{shortest} has more than {whole} digits before the point"))
    })
}

pub(super) fn parse_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, Fault> {
    let parsed = Decimal::parse(text).ok_or_else(|| {
        Fault::new(BAD_FORMAT, format!("{} is no decimal of at most 38 digits, as -12.50", quoted(text)))
    });
    check_decimal(parsed?, precision, scale)
}

pub(super) fn check_date(days: i32) -> Result<i32, Fault> {
    if time::is_day(days) { Ok(days) } else { Err(Fault::new(OUT_OF_RANGE, "the year is not in 0001 to 9999")) }
}

pub(super) fn parse_date(text: &str) -> Result<i32, Fault> {
    time::parse_date(text).ok_or_else(|| Fault::new(BAD_FORMAT, format!("{} is no date YYYY-MM-DD", quoted(text))))
}

pub(super) fn check_instant(micros: i64) -> Result<i64, Fault> {
    if time::is_micro(micros) { Ok(micros) } else { Err(Fault::new(OUT_OF_RANGE, "the year is not in 0001 to 9999")) }
}

pub(super) fn parse_instant(text: &str) -> Result<i64, Fault> {
    time::parse_instant(text).map_err(|error| match error {
        InstantError::Malformed => Fault::new(
            BAD_FORMAT,
            format!("{} is no instant of RFC 3339 with an offset, as 2026-11-22T10:00:00Z", quoted(text)),
        ),
        InstantError::TooFine => Fault::new(NOT_EXACT, format!("{} is finer than a microsecond", quoted(text))),
        InstantError::OutOfRange => Fault::new(OUT_OF_RANGE, "the year is not in 0001 to 9999"),
    })
}

pub(super) fn check_bytes(bytes: &[u8], min: usize, max: usize) -> Result<(), Fault> {
    match bytes.len() {
        length if length > max => Err(too_long("value", length, "bytes", max)),
        length if length < min => {
            Err(Fault::new(OUT_OF_RANGE, format!("the value has {length} bytes, at least {min} are needed")))
        }
        _ => Ok(()),
    }
}
