//! Calendar dates and instants as numbers, and their texts (proleptic Gregorian, years 0001 to 9999, UTC).

/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;
/// 0001-01-01 as days since 1970-01-01.
pub(crate) const FIRST_DAY: i32 = -719_162;
/// 9999-12-31 as days since 1970-01-01.
pub(crate) const LAST_DAY: i32 = 2_932_896;
/// 0001-01-01T00:00:00.000000Z.
pub(crate) const FIRST_MICRO: i64 = FIRST_DAY as i64 * DAY_MICROS;
/// 9999-12-31T23:59:59.999999Z.
pub(crate) const LAST_MICRO: i64 = LAST_DAY as i64 * DAY_MICROS + DAY_MICROS - 1;

/// Whether the year of the day is in 0001 to 9999.
pub(crate) fn is_day(days: i32) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&days)
}

/// Whether the year of the instant is in 0001 to 9999.
pub(crate) fn is_micro(micros: i64) -> bool {
    (FIRST_MICRO..=LAST_MICRO).contains(&micros)
}

/// Days since 1970-01-01 of a date that exists; `None` where it does not.
pub(crate) fn days_from_civil(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 || day > month_days(year, month) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_of_year = (month as i32 + 9) % 12;
    let day_of_year = (153 * month_of_year + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month, day of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_of_year + 2) / 5 + 1) as u32;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 } as u32;
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year, month, day)
}

/// Days of a month.
pub(crate) fn month_days(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Digits of ASCII, all of them, as a number.
pub(crate) fn digits(bytes: &[u8]) -> Option<u32> {
    (!bytes.is_empty() && bytes.len() <= 9 && bytes.iter().all(u8::is_ascii_digit))
        .then(|| bytes.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

/// Parses `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    days_from_civil(digits(&bytes[..4])? as i32, digits(&bytes[5..7])?, digits(&bytes[8..])?)
}

/// Why a text is no instant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InstantError {
    /// Not RFC 3339 with an offset.
    Malformed,
    /// More than six fraction digits that matter.
    TooFine,
    /// The year is not in 0001 to 9999.
    OutOfRange,
}

/// Parses an RFC 3339 instant with an offset, exactly, to microseconds. There is no second 60.
pub(crate) fn parse_instant(text: &str) -> Result<i64, InstantError> {
    let (local, fraction, offset) = instant_parts(text).ok_or(InstantError::Malformed)?;
    let significant = fraction.trim_end_matches('0');
    if significant.len() > 6 {
        return Err(InstantError::TooFine);
    }
    let micros = significant
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(6)
        .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let instant = local * 1_000_000 + micros - offset * 60_000_000;
    if is_micro(instant) { Ok(instant) } else { Err(InstantError::OutOfRange) }
}

/// Local seconds since 1970, the fraction digits, the offset in minutes.
fn instant_parts(text: &str) -> Option<(i64, &str, i64)> {
    let bytes = text.as_bytes();
    if !text.is_ascii()
        || bytes.len() < 20
        || !matches!(bytes[10], b'T' | b't' | b' ')
        || bytes[13] != b':'
        || bytes[16] != b':'
    {
        return None;
    }
    let day = i64::from(parse_date(&text[..10])?);
    let (hour, minute, second) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = &text[19..];
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(tail) => {
            let end = tail.bytes().position(|byte| !byte.is_ascii_digit())?;
            if end == 0 {
                return None;
            }
            tail.split_at(end)
        }
        None => ("", rest),
    };
    let local = day * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some((local, fraction, parse_offset(zone)?))
}

/// Minutes east of UTC of `Z`, `+hh:mm`, `-hh:mm`.
fn parse_offset(zone: &str) -> Option<i64> {
    let bytes = zone.as_bytes();
    if matches!(bytes, b"Z" | b"z") {
        return Some(0);
    }
    if bytes.len() != 6 || bytes[3] != b':' {
        return None;
    }
    let (hours, minutes) = (digits(&bytes[1..3])?, digits(&bytes[4..])?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = i64::from(hours * 60 + minutes);
    match bytes[0] {
        b'+' => Some(east),
        b'-' => Some(-east),
        _ => None,
    }
}

/// Appends `YYYY-MM-DD`.
pub(crate) fn write_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00";
    put_digits(&mut text[..4], year as u32);
    put_digits(&mut text[5..7], month);
    put_digits(&mut text[8..], day);
    out.extend_from_slice(&text);
}

/// Appends `YYYY-MM-DDThh:mm:ss.ffffffZ`.
pub(crate) fn write_instant(micros: i64, out: &mut Vec<u8>) {
    write_date(micros.div_euclid(DAY_MICROS) as i32, out);
    let of_day = micros.rem_euclid(DAY_MICROS);
    let seconds = (of_day / 1_000_000) as u32;
    let mut text = *b"T00:00:00.000000Z";
    put_digits(&mut text[1..3], seconds / 3600);
    put_digits(&mut text[4..6], seconds / 60 % 60);
    put_digits(&mut text[7..9], seconds % 60);
    put_digits(&mut text[10..16], (of_day % 1_000_000) as u32);
    out.extend_from_slice(&text);
}

fn put_digits(place: &mut [u8], mut value: u32) {
    for slot in place.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_goes_there_and_back() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        for days in FIRST_DAY..=LAST_DAY {
            assert_eq!(civil_from_days(days), (year, month, day));
            assert_eq!(days_from_civil(year, month, day), Some(days));
            day += 1;
            if day > month_days(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
    }

    #[test]
    fn instants_are_parsed_exactly() {
        let micros = parse_instant("2026-11-22T10:00:00.004217Z").unwrap();
        let mut text = Vec::new();
        write_instant(micros, &mut text);
        assert_eq!(text, b"2026-11-22T10:00:00.004217Z");
        assert_eq!(parse_instant("2026-11-22T12:30:00.0042170+02:30"), Ok(micros));
        assert_eq!(parse_instant("1969-12-31T23:59:59.999999Z"), Ok(-1));
        assert_eq!(parse_instant("2026-11-22T10:00:00.0000001Z"), Err(InstantError::TooFine));
        assert_eq!(parse_instant("0001-01-01T00:00:00+01:00"), Err(InstantError::OutOfRange));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "2026-11-22T10:00:00",
            "2026-11-22",
            "2026-02-29T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T10:00:60Z",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00.5",
            "2026-11-22T10:00:00+0200",
            "2026-11-22T10:00:00+24:00",
            "2026-11-22T10:00Z",
            "2026-11-22T10:00:00é",
            "",
        ] {
            assert_eq!(parse_instant(text), Err(InstantError::Malformed), "{text}");
        }
        for text in ["2026-13-01", "2026-00-01", "2026-1-01", "0000-01-01", "2026-02-30", "+026-01-01", "20260101"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
