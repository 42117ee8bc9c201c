//! The strict reader.

use std::borrow::Cow;

use super::{Json, MAX_DEPTH, MAX_INT, key_order};
use crate::error::CanonError;

pub(super) fn parse(bytes: &[u8]) -> Result<Json, CanonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| CanonError::new(error.valid_up_to(), "not UTF-8"))?;
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    let json = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(json),
        Some(_) => Err(reader.expected("the end of the text")),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Always on a character boundary: it moves past ASCII bytes and over whole runs of text.
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Json, CanonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                Err(CanonError::new(self.at, format!("nested deeper than {MAX_DEPTH}")))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => Err(self.expected("a value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, CanonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::List(items));
            }
            if !self.take(b',') {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, CanonError> {
        let start = self.at;
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.expected("':'"));
            }
            self.skip_space();
            members.push((key, self.value(depth)?));
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.expected("',' or '}'"));
            }
        }
        match duplicate(&members) {
            Some(key) => Err(CanonError::new(start, format!("an object with two keys {key:?}"))),
            None => Ok(Json::Object(members)),
        }
    }

    fn string(&mut self) -> Result<String, CanonError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            let Some(plain) = plain else {
                self.at = self.text.len();
                return Err(self.expected("'\"'"));
            };
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.expected("no control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, CanonError> {
        let start = self.at;
        self.at += 1;
        let found = self.peek();
        let plain = match found {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(start);
            }
            _ => return Err(self.expected("an escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// What follows `\u`: one code unit, or two that make a pair.
    fn unicode(&mut self, start: usize) -> Result<char, CanonError> {
        let mut units = [self.hex4()?, 0];
        let mut count = 1;
        if (0xd800..0xdc00).contains(&units[0]) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            units[1] = self.hex4()?;
            count = 2;
        }
        match char::decode_utf16(units.into_iter().take(count)).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(CanonError::new(start, "a lone surrogate")),
        }
    }

    fn hex4(&mut self) -> Result<u16, CanonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.expected("four hexadecimal digits"));
            };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Json, CanonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut integer = true;
        if self.take(b'.') {
            self.digits()?;
            integer = false;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
            integer = false;
        }
        let text = &self.text[start..self.at];
        if integer
            && let Ok(value) = text.parse::<i64>()
            && (-MAX_INT..=MAX_INT).contains(&value)
        {
            return Ok(Json::Int(value));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && integer => Ok(Json::BigInt(text.to_owned())),
            Ok(value) if value.is_finite() => Ok(Json::Float(value)),
            _ => Err(CanonError::new(start, "a number too large")),
        }
    }

    fn digits(&mut self) -> Result<(), CanonError> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.expected("a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, CanonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, what: &str) -> CanonError {
        let found: Cow<'_, str> = match self.text.get(self.at..).and_then(|s| s.chars().next()) {
            Some(character) => format!("{character:?}").into(),
            None => "the end of the text".into(),
        };
        CanonError::new(self.at, format!("expected {what}, found {found}"))
    }
}

/// A key that an object holds twice. Keys in canonical order, the usual case, need no sorting.
fn duplicate(members: &[(String, Json)]) -> Option<&str> {
    if members.is_sorted_by(|(a, _), (b, _)| key_order(a, b).is_lt()) {
        return None;
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
