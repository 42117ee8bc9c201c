//! The words of an expression, with their places.

use super::ExprError;

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name, a keyword.
    Name(String),
    /// An integer literal; a leading minus is an operator.
    Int(u64),
    /// A text literal.
    Text(String),
    /// An operator or a bracket.
    Symbol(&'static str),
}

impl Token {
    /// As a message shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(value) => format!("`{value}`"),
            Token::Text(text) => format!("'{text}'"),
            Token::Symbol(symbol) => format!("`{symbol}`"),
        }
    }
}

/// Longer symbols first.
const SYMBOLS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "%", "(", ")", "[", "]", ",", ".", "=", "?", ":",
];

/// Splits an expression into (byte offset, word).
pub(crate) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, ExprError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        if first.is_ascii_whitespace() {
            at += 1;
        } else if first == '\'' || first == '"' {
            let (text, length) =
                text_literal(rest, first).map_err(|message| ExprError::new(at, message, first.to_string(), ""))?;
            found.push((at, Token::Text(text)));
            at += length;
        } else if first.is_ascii_digit() {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            let value = rest[..length]
                .parse()
                .map_err(|_| ExprError::new(at, "the integer is too large", &rest[..length], ""))?;
            let next = rest.as_bytes().get(length);
            if next == Some(&b'.') || next.is_some_and(u8::is_ascii_alphabetic) {
                let shown: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
                return Err(ExprError::new(
                    at,
                    "expressions have whole numbers only, in decimal digits",
                    shown,
                    "an integer, or decimal('1.5')",
                ));
            }
            found.push((at, Token::Int(value)));
            at += length;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            found.push((at, Token::Name(rest[..length].to_owned())));
            at += length;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            found.push((at, Token::Symbol(symbol)));
            at += symbol.len();
        } else {
            let fits = if first == '/' { "div(a, b, scale, 'half_even'), which says how it rounds" } else { "" };
            return Err(ExprError::new(at, "no word of an expression starts so", first.to_string(), fits));
        }
    }
    Ok(found)
}

/// The text of a quoted literal, and its length with quotes. Escapes: `\\`, `\'`, `\"`, `\n`, `\t`.
fn text_literal(rest: &str, quote: char) -> Result<(String, usize), &'static str> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((text, index + 1)),
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                _ => return Err("a text literal has only the escapes \\\\ \\' \\\" \\n \\t"),
            },
            '\0' => return Err("a text holds no U+0000"),
            _ => text.push(c),
        }
    }
    Err("the text literal does not end")
}
