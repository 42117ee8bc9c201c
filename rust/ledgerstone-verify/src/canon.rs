//! Strict JSON, and its one canonical form (JCS, RFC 8785).
//!
//! What is hashed must have one reading and one writing. The reader refuses everything on which
//! JSON libraries differ: duplicate keys, lone surrogates, text after the value, deep nesting.
//! The writer gives the bytes of RFC 8785. Hashed text holds no floating-point numbers at all
//! ([`parse_canonical`]); [`Json::Float`] exists so that the published vectors can be checked.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::CanonError;

mod read;

/// The largest integer that every JSON reader keeps exact: 2^53 − 1 (RFC 8785 section 3.2.2.3).
pub const MAX_INT: i64 = (1 << 53) - 1;

/// Lists and objects nest at most this deep.
pub const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without fraction or exponent, within ±(2^53 − 1).
    Int(i64),
    /// An integer beyond that, as it was written; never in canonical text of this format.
    BigInt(String),
    /// Any other number; never in canonical text of this format.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object; members as they stood, keys distinct.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value, strictly: UTF-8, distinct keys, no lone surrogates, nothing after it but
    /// white space, nested at most [`MAX_DEPTH`] deep. Time and memory are linear in the input
    /// (n log n for objects whose keys are not in order).
    pub fn parse(bytes: &[u8]) -> Result<Json, CanonError> {
        read::parse(bytes)
    }

    /// Appends the canonical form (RFC 8785). A float that is not finite, which no text gives,
    /// is written as `null`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(true) => out.extend_from_slice(b"true"),
            Json::Bool(false) => out.extend_from_slice(b"false"),
            Json::Int(value) => write_int(out, *value),
            Json::BigInt(digits) => write_float(out, digits.parse().unwrap_or(f64::NAN)),
            Json::Float(value) => write_float(out, *value),
            Json::Text(text) => write_string(out, text),
            Json::List(items) => {
                out.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Json::Object(members) => write_object(out, members),
        }
    }

    /// The canonical form.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The member of this name; `None` where there is none, or this is not an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Json::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_list(&self) -> Option<&[Json]> {
        match self {
            Json::List(items) => Some(items),
            _ => None,
        }
    }

    fn holds_float(&self) -> bool {
        match self {
            Json::Float(_) | Json::BigInt(_) => true,
            Json::List(items) => items.iter().any(Json::holds_float),
            Json::Object(members) => members.iter().any(|(_, value)| value.holds_float()),
            _ => false,
        }
    }
}

/// Reads text that must be canonical and without floating-point numbers: anything whose one
/// writing is not these very bytes is refused.
pub fn parse_canonical(bytes: &[u8]) -> Result<Json, CanonError> {
    let json = Json::parse(bytes)?;
    let again = json.canonical();
    if again != bytes {
        let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(CanonError::new(same, "the text is not in canonical form from here on"));
    }
    if json.holds_float() {
        return Err(CanonError::new(0, "a number is not an integer within ±(2^53−1)"));
    }
    Ok(json)
}

fn write_object(out: &mut Vec<u8>, members: &[(String, Json)]) {
    let mut sorted: Vec<&(String, Json)> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| key_order(a, b));
    out.push(b'{');
    for (place, (key, value)) in sorted.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        value.write(out);
    }
    out.push(b'}');
}

/// The order of keys: by UTF-16 code units (RFC 8785 section 3.2.3). It differs from the order of
/// the UTF-8 bytes where one key has a character above U+FFFF and the other one from U+E000 on.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Appends a string in canonical form: quoted, and escaped only where JSON asks for it
/// (RFC 8785 section 3.2.2.2).
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    // Without a branch per byte, so that it is a few vector instructions for the common clean text.
    let is_clean = bytes.iter().fold(true, |clean, &byte| clean & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'));
    if is_clean {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// Appends an integer in decimal.
pub fn write_int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_uint(out, value.unsigned_abs());
}

/// Appends an unsigned integer in decimal.
pub fn write_uint(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a number as ECMAScript's `Number::toString` writes it (RFC 8785 section 3.2.2.3).
fn write_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return out.extend_from_slice(b"null");
    }
    if value == 0.0 {
        return out.push(b'0'); // Also minus zero.
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let scientific = shortest(value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    let zeros = |count: i32| std::iter::repeat_n(b'0', usize::try_from(count).unwrap_or(0));
    match exponent {
        0..=20 => {
            let whole = digits.len().min(exponent as usize + 1);
            out.extend_from_slice(&digits[..whole]);
            out.extend(zeros(exponent + 1 - whole as i32));
            if whole < digits.len() {
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        -6..=-1 => {
            out.extend_from_slice(b"0.");
            out.extend(zeros(-exponent - 1));
            out.extend_from_slice(&digits);
        }
        _ => {
            out.extend_from_slice(mantissa.as_bytes());
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            write_uint(out, u64::from(exponent.unsigned_abs()));
        }
    }
}

/// The shortest decimal that reads back as the value, the nearest of them where there are several,
/// and the even one of two that are as near: `d.ddde±x`.
fn shortest(value: f64) -> String {
    // The standard library gives the shortest, but takes the upper of two that are as near.
    let shortest = format!("{value:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit);
    // With the number of digits given it rounds to even. Below a power of two that may be nearer
    // and yet read back as the neighbour, so it counts only if it reads back.
    let even = format!("{value:.*e}", digits.count() - 1);
    if even.parse() == Ok(value) { even } else { shortest }
}

/// Writes one object whose keys the caller gives in canonical order, without building a tree of
/// values first.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    last: Option<&'static str>,
}

impl<'a> ObjectWriter<'a> {
    /// Opens the object.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        ObjectWriter { out, last: None }
    }

    /// Writes a key; the caller appends its value to what is returned. Keys come in canonical
    /// order, which debug builds check.
    pub fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        debug_assert!(self.last.is_none_or(|last| key_order(last, key).is_lt()), "{key}");
        if self.last.replace(key).is_some() {
            self.out.push(b',');
        }
        write_string(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A member that is a string.
    pub fn text(&mut self, key: &'static str, value: &str) {
        write_string(self.key(key), value);
    }

    /// A member that is an unsigned integer.
    pub fn uint(&mut self, key: &'static str, value: u64) {
        write_uint(self.key(key), value);
    }

    /// A member that is bytes, as a base64 string.
    pub fn b64(&mut self, key: &'static str, value: &[u8]) {
        let out = self.key(key);
        out.push(b'"');
        write_b64(out, value);
        out.push(b'"');
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends bytes in base64, without quotes.
pub fn write_b64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exact, so the only error, too little of it, cannot occur.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    debug_assert_eq!(start + written, out.len());
}

/// Bytes as padded standard base64 (RFC 4648 section 4).
pub fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads padded standard base64, strictly: no other alphabet, no white space, unused bits zero,
/// so that bytes have one text.
pub fn unb64(text: &str) -> Result<Vec<u8>, CanonError> {
    use base64::DecodeError;
    STANDARD.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(at, _) => CanonError::new(at, "not a base64 digit"),
        DecodeError::InvalidLastSymbol(at, _) => CanonError::new(at, "unused bits of base64 are not zero"),
        _ => CanonError::new(text.len(), "base64 of a wrong length or padding"),
    })
}

/// Reads strict base64 of exactly `N` bytes.
pub fn unb64_array<const N: usize>(text: &str) -> Result<[u8; N], CanonError> {
    let length = || CanonError::new(0, format!("base64 that is not of {N} bytes"));
    // Told by the text's length first, so that a long text is not decoded to be thrown away.
    if text.len() != N.div_ceil(3) * 4 {
        return Err(length());
    }
    unb64(text)?.try_into().map_err(|_| length())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libraries_read_differently_is_refused() {
        for (text, offset) in [
            (&b"{\"a\":1,\"b\":2,\"a\":3}"[..], 0),
            (b"[{\"\\u0061\":1,\"a\":2}]", 1),
            (b"\"\\ud800\"", 1),
            (b"\"\\udc00\"", 1),
            (b"\"\\ud800\\u0041\"", 1),
            (b"\"\\ud800\\", 1),
            (b"\"a\x01\"", 2),
            (b"\"a\xff\"", 2),
            (b"\"\\x41\"", 2),
            (b"\"a", 2),
            (b"1 2", 2),
            (b"01", 1),
            (b"+1", 0),
            (b".5", 0),
            (b"1.", 2),
            (b"1e", 2),
            (b"-", 1),
            (b"1e400", 0),
            (b"[1,]", 3),
            (b"{\"a\":1,}", 7),
            (b"{a:1}", 1),
            (b"nul", 0),
            (b"NaN", 0),
            (b"", 0),
            (b"\xef\xbb\xbf1", 0),
        ] {
            let error = Json::parse(text).unwrap_err();
            assert_eq!(error.offset(), offset, "{}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(Json::parse("[".repeat(1 << 20).as_bytes()).is_err());
    }

    #[test]
    fn integers_are_exact_or_not_integers() {
        for (text, json) in [
            ("9007199254740991", Json::Int(MAX_INT)),
            ("-9007199254740991", Json::Int(-MAX_INT)),
            ("9007199254740993", Json::BigInt("9007199254740993".to_owned())),
            ("-18446744073709551615", Json::BigInt("-18446744073709551615".to_owned())),
            ("-0", Json::Int(0)),
            ("1.0", Json::Float(1.0)),
            ("1e2", Json::Float(100.0)),
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap(), json, "{text}");
        }
    }

    #[test]
    fn only_canonical_text_without_floats_is_canonical() {
        assert!(parse_canonical(r#"{"":null,"a":[1,-2,"é"],"b":true}"#.as_bytes()).is_ok());
        for text in [
            "{\"b\":1,\"a\":2}",
            "{\"a\": 1}",
            " 1",
            "1 ",
            "-0",
            "1.5",
            "1.0",
            "1e3",
            "[1,2.5]",
            "9007199254740992",
            "\"\\u0041\"",
            "\"\\/\"",
            "\"\\u000a\"",
            "\"\\u001F\"",
        ] {
            assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_ordered_by_utf16() {
        // U+1F600 is d83d de00 in UTF-16, so before U+FB33; in UTF-8 it is after.
        let json = Json::parse("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"a\":3}".as_bytes()).unwrap();
        let text = String::from_utf8(json.canonical()).unwrap();
        assert_eq!(text, "{\"a\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    // RFC 8785 appendix B.
    #[test]
    fn floats_are_written_as_ecmascript_does() {
        for (bits, text) in [
            (0x0000000000000000_u64, "0"),
            (0x8000000000000000, "0"),
            (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"),
            (0x7fefffffffffffff, "1.7976931348623157e+308"),
            (0xffefffffffffffff, "-1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"),
            (0xc340000000000000, "-9007199254740992"),
            (0x4430000000000000, "295147905179352830000"),
            (0x44b52d02c7e14af5, "9.999999999999997e+22"),
            (0x44b52d02c7e14af6, "1e+23"),
            (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
            (0x444b1ae4d6e2ef4e, "999999999999999700000"),
            (0x444b1ae4d6e2ef4f, "999999999999999900000"),
            (0x444b1ae4d6e2ef50, "1e+21"),
            (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
            (0x3eb0c6f7a0b5ed8d, "0.000001"),
            (0x41b3de4355555553, "333333333.3333332"),
            (0x41b3de4355555557, "333333333.33333343"),
            (0xbecbf647612f3696, "-0.0000033333333333333333"),
            (0x43143ff3c1cb0959, "1424953923781206.2"),
        ] {
            let written = Json::Float(f64::from_bits(bits)).canonical();
            assert_eq!(String::from_utf8_lossy(&written), text, "{bits:016x}");
        }
    }

    #[test]
    fn integers_are_written_whole() {
        for value in [0, 7, -7, 10, MAX_INT, -MAX_INT, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_int(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn base64_has_one_text() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).collect();
            let mut out = b"x".to_vec();
            write_b64(&mut out, &bytes);
            assert_eq!(out[1..], *b64(&bytes).as_bytes());
            assert_eq!(unb64(&b64(&bytes)).unwrap(), bytes);
        }
        for text in ["AA", "AA=", "AB==", "AAB=", "A A=", "AA==\n", "AA==AA==", "__==", "A", "===="] {
            assert!(unb64(text).is_err(), "{text}");
        }
        assert_eq!(unb64_array::<2>("AAE=").unwrap(), [0, 1]);
        assert!(unb64_array::<2>("AAEB").is_err());
        assert!(unb64_array::<3>("AAE=").is_err());
    }
}
