//! Named formats of text: identifiers with check digits, code tables, periods, patterns.
//!
//! A format takes the canonical spelling only: upper case, no spaces, no separators.

mod digital_link;
mod tables;

use regex::{Regex, RegexBuilder};

use super::expr::is_currency;
use super::time::{days_from_civil, digits, month_days};
use tables::{IBAN_LENGTHS, ISO_3166};

/// Bytes of a compiled pattern.
pub(crate) const PATTERN_BYTES: usize = 1 << 20;

/// A named format.
#[derive(Debug, Clone)]
pub enum Format {
    /// International bank account number (ISO 13616): country, its length, mod 97. National check digits are not looked at.
    Iban,
    /// Business identifier code (ISO 9362), 8 or 11 characters.
    Bic,
    /// Legal entity identifier (ISO 17442): 20 characters, mod 97-10.
    Lei,
    /// International securities identification number (ISO 6166): 12 characters, Luhn.
    Isin,
    /// CUSIP: 9 characters, modulus 10 double add double.
    Cusip,
    /// Active currency code, table `iso4217@2026-01`.
    Iso4217,
    /// Country code of two letters, table `iso3166@2026-01`.
    Iso3166,
    /// Global trade item number: 8, 12, 13 or 14 digits, mod 10.
    Gtin,
    /// Global location number: 13 digits, mod 10.
    Gln,
    /// Serial shipping container code: 18 digits, mod 10.
    Sscc,
    /// Canonical GS1 Digital Link URI of an article, lot, serial, parcel, place, party or asset; check digits.
    DigitalLink,
    /// US national provider identifier: 10 digits, Luhn with prefix 80840.
    Npi,
    /// US DEA registration number: two characters, six digits, check digit.
    Dea,
    /// Calendar month, `2026-03`: one granularity, so that a closed period cannot be entered by another name.
    Period,
    /// Member id: 32 lower-case hexadecimal digits.
    Member,
    /// A regular expression that matches the whole text.
    Regex(Box<Regex>),
}

/// (name, format), in the order messages list them.
const NAMED: [(&str, Format); 15] = [
    ("iban", Format::Iban),
    ("bic", Format::Bic),
    ("lei", Format::Lei),
    ("isin", Format::Isin),
    ("cusip", Format::Cusip),
    ("iso4217", Format::Iso4217),
    ("iso3166", Format::Iso3166),
    ("gtin", Format::Gtin),
    ("gln", Format::Gln),
    ("sscc", Format::Sscc),
    ("digital-link", Format::DigitalLink),
    ("npi", Format::Npi),
    ("dea", Format::Dea),
    ("period", Format::Period),
    ("member", Format::Member),
];

impl Format {
    /// The format of that name.
    pub fn parse(name: &str) -> Option<Format> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, format)| format.clone())
    }

    /// The names that [`Format::parse`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// A format that is a pattern, matched against the whole text. An error where it is no regular expression or too large.
    pub fn pattern(pattern: &str) -> Result<Format, String> {
        let compiled = RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build();
        // Alone, so that a pattern cannot close the group around it.
        Regex::new(pattern).and(compiled).map(|regex| Format::Regex(Box::new(regex))).map_err(|error| error.to_string())
    }

    /// Its name; `pattern` for a regular expression.
    pub fn name(&self) -> &'static str {
        NAMED
            .iter()
            .find(|(_, format)| std::mem::discriminant(format) == std::mem::discriminant(self))
            .map_or("pattern", |(name, _)| name)
    }

    /// The regular expression, as its file has it.
    pub(crate) fn source(&self) -> Option<&str> {
        match self {
            Format::Regex(regex) => regex.as_str().strip_prefix(r"\A(?:")?.strip_suffix(r")\z"),
            _ => None,
        }
    }

    /// Whether both are the same format, or the same pattern.
    pub(crate) fn is_same(&self, other: &Format) -> bool {
        match (self, other) {
            (Format::Regex(a), Format::Regex(b)) => a.as_str() == b.as_str(),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Whether the text is of the format; the error says what is wrong.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let problem = match self {
            Format::Iban => iban_problem(text),
            Format::Bic => {
                problem(!is_bic(text), "a BIC is 8 or 11 characters: 4 of A-Z 0-9, a country, 2 or 5 of A-Z 0-9")
            }
            Format::Lei => lei_problem(text),
            Format::Isin => isin_problem(text),
            Format::Cusip => cusip_problem(text),
            Format::Iso4217 => problem(!is_currency(text), "not an active ISO 4217 code"),
            Format::Iso3166 => problem(!is_country(text), "not an ISO 3166-1 code of two letters"),
            Format::Gtin => gs1_problem(text, &[8, 12, 13, 14], "a GTIN is 8, 12, 13 or 14 digits"),
            Format::Gln => gs1_problem(text, &[13], "a GLN is 13 digits"),
            Format::Sscc => gs1_problem(text, &[18], "an SSCC is 18 digits"),
            Format::DigitalLink => digital_link::problem(text),
            Format::Npi => npi_problem(text),
            Format::Dea => dea_problem(text),
            Format::Period => problem(period_bounds(text).is_none(), "a period is a calendar month, written 2026-03"),
            Format::Member => problem(!is_member(text), "a member id is 32 lower-case hexadecimal digits"),
            Format::Regex(regex) => problem(!regex.is_match(text), "does not match the pattern"),
        };
        problem.map_or(Ok(()), |problem| Err(problem.to_owned()))
    }
}

type Problem = Option<&'static str>;

fn problem(wrong: bool, message: &'static str) -> Problem {
    wrong.then_some(message)
}

const CHECK_DIGIT: &str = "the check digit is wrong";

/// First and last day of a calendar month `2026-03`, as days since 1970-01-01.
pub fn period_bounds(text: &str) -> Option<(i32, i32)> {
    let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    let (year, month) = (digits(year.as_bytes())? as i32, digits(month.as_bytes())?);
    Some((days_from_civil(year, month, 1)?, days_from_civil(year, month, month_days(year, month))?))
}

fn is_member(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && ISO_3166.split_ascii_whitespace().any(|code| code == text)
}

fn is_bic(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    // Kosovo has no ISO 3166-1 code; its banks and IBANs use XK.
    matches!(bytes.len(), 8 | 11) && alphanumeric(bytes) && (is_country(&text[4..6]) || &text[4..6] == "XK")
}

/// 0 to 35 of a digit or upper-case letter.
fn base36(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

/// Remainder by 97 of the number that the characters spell, letters as 10 to 35.
fn mod_97(bytes: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0;
    for byte in bytes {
        let value = base36(byte)?;
        rest = (rest * if value < 10 { 10 } else { 100 } + value) % 97;
    }
    Some(rest)
}

fn iban_problem(text: &str) -> Problem {
    let bytes = text.as_bytes();
    let length = bytes.get(..2).and_then(|country| IBAN_LENGTHS.iter().find(|(code, _)| code.as_bytes() == country));
    let Some((_, length)) = length else {
        return Some("the first two letters are no country that uses IBANs");
    };
    if bytes.len() != *length {
        return Some("the IBAN has another length in this country");
    }
    if digits(&bytes[2..4]).is_none_or(|check| !(2..=98).contains(&check)) {
        return Some(CHECK_DIGIT);
    }
    match mod_97(bytes[4..].iter().chain(&bytes[..4]).copied()) {
        Some(1) => None,
        Some(_) => Some(CHECK_DIGIT),
        None => Some("an IBAN is upper-case letters and digits, without spaces"),
    }
}

fn lei_problem(text: &str) -> Problem {
    let bytes = text.as_bytes();
    if bytes.len() != 20 || !bytes[18..].iter().all(u8::is_ascii_digit) {
        return Some("an LEI is 18 characters A-Z 0-9 and 2 check digits");
    }
    match mod_97(bytes.iter().copied()) {
        Some(1) => None,
        Some(_) => Some(CHECK_DIGIT),
        None => Some("an LEI is 18 characters A-Z 0-9 and 2 check digits"),
    }
}

/// Whether the digits, the last one the check digit, satisfy Luhn. From the right, every second one is doubled.
fn luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let doubled = |(place, digit): (usize, u32)| {
        if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
    };
    digits.rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn isin_problem(text: &str) -> Problem {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 12 && bytes[..2].iter().all(u8::is_ascii_uppercase) && bytes[11].is_ascii_digit();
    let values: Option<Vec<u32>> = bytes.iter().map(|byte| base36(*byte)).collect();
    let Some(values) = values.filter(|_| shape) else {
        return Some("an ISIN is 2 letters, 9 characters A-Z 0-9 and a check digit");
    };
    let expanded: Vec<u32> = values
        .into_iter()
        .flat_map(|value| if value < 10 { vec![value] } else { vec![value / 10, value % 10] })
        .collect();
    problem(!luhn(expanded.into_iter()), CHECK_DIGIT)
}

fn cusip_problem(text: &str) -> Problem {
    const SHAPE: Problem = Some("a CUSIP is 8 characters A-Z 0-9 * @ # and a check digit");
    let bytes = text.as_bytes();
    if bytes.len() != 9 || !bytes[8].is_ascii_digit() {
        return SHAPE;
    }
    let mut sum = 0;
    for (place, byte) in bytes[..8].iter().enumerate() {
        let value = match byte {
            b'*' => 36,
            b'@' => 37,
            b'#' => 38,
            other => match base36(*other) {
                Some(value) => value,
                None => return SHAPE,
            },
        };
        let value = if place % 2 == 1 { value * 2 } else { value };
        sum += value / 10 + value % 10;
    }
    problem((10 - sum % 10) % 10 != u32::from(bytes[8] - b'0'), CHECK_DIGIT)
}

/// GS1 mod 10: weights 3 and 1 in turn from the right, the check digit excluded.
fn gs1_problem(text: &str, lengths: &[usize], shape: &'static str) -> Problem {
    if !lengths.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(shape);
    }
    let weighted = |(place, byte): (usize, u8)| u32::from(byte - b'0') * if place % 2 == 1 { 3 } else { 1 };
    problem(text.bytes().rev().enumerate().map(weighted).sum::<u32>() % 10 != 0, CHECK_DIGIT)
}

fn npi_problem(text: &str) -> Problem {
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(text.as_bytes()[0], b'1' | b'2')
    {
        return Some("an NPI is 10 digits, the first 1 or 2");
    }
    let digits = [8, 0, 8, 4, 0].into_iter().chain(text.bytes().map(|byte| u32::from(byte - b'0')));
    let digits: Vec<u32> = digits.collect();
    problem(!luhn(digits.into_iter()), CHECK_DIGIT)
}

fn dea_problem(text: &str) -> Problem {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 9
        && bytes[0].is_ascii_uppercase()
        && (bytes[1].is_ascii_uppercase() || bytes[1] == b'9')
        && bytes[2..].iter().all(u8::is_ascii_digit);
    if !shape {
        return Some("a DEA number is a letter, a letter or 9, and 7 digits");
    }
    let digit = |place: usize| u32::from(bytes[place + 1] - b'0');
    let sum = digit(1) + digit(3) + digit(5) + 2 * (digit(2) + digit(4) + digit(6));
    problem(sum % 10 != digit(7), CHECK_DIGIT)
}

#[cfg(test)]
mod tests;
