//! Timestamps: microseconds since 1970-01-01T00:00:00Z, and their canonical text.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::error::{Error, Result};

/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// The time of the system clock.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The canonical text of an instant (FORMAT.md section 2).
pub(crate) fn text(micros: i64) -> Result<String> {
    let instant = Timestamp::from_microsecond(micros).map_err(|error| Error::Fault(error.to_string()))?;
    Ok(instant.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// The instant of a canonical text.
pub(crate) fn parse(text: &str) -> Result<i64> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_microsecond)
        .map_err(|error| Error::damaged(format!("{text} is no timestamp: {error}")))
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date: Date = text.parse().ok().filter(|_| is_plain)?;
    Some(Date::new(1970, 1, 1).ok()?.until(date).ok()?.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_six_digits_and_come_back() {
        for (micros, canonical) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_763_805_600_004_217, "2025-11-22T10:00:00.004217Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(text(micros).unwrap(), canonical);
            assert_eq!(parse(canonical).unwrap(), micros);
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(["1970-01-01", "1969-12-31", "2026-06-30"].map(parse_day), [Some(0), Some(-1), Some(20_634)]);
        assert!(["2026-02-30", "20260630", "2026-6-30", "today"].iter().all(|text| parse_day(text).is_none()));
    }
}
