//! Timestamps: microseconds since 1970-01-01T00:00:00Z, and their canonical text.

use jiff::Timestamp;

use crate::error::{Error, Result};

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
}
