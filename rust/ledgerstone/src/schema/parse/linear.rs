//! Bounds over the parts of a balance: linear comparisons.

use std::collections::BTreeMap;

use crate::schema::error::suggestion;
use crate::schema::expr::{ExprError, Token, tokens};

/// Terms of `sum of coefficient × part >= 0`, from a comparison of two sums over parts.
pub(super) fn linear(source: &str, parts: &[String]) -> Result<Vec<(usize, i64)>, ExprError> {
    let words = tokens(source)?;
    let mut reader = Linear { words: &words, parts, next: 0, end: source.len(), terms: BTreeMap::new(), constant: 0 };
    reader.side(1)?;
    let at = reader.at();
    let sign = match reader.peek() {
        Some(Token::Symbol(">=")) => 1,
        Some(Token::Symbol("<=")) => -1,
        Some(word) => {
            return Err(ExprError::new(at, "a bound compares two sums of parts", word.shown(), "`>=` or `<=`"));
        }
        None => {
            return Err(ExprError::new(at, "a bound compares two sums of parts", "the end", "`>=` or `<=`"));
        }
    };
    reader.next += 1;
    reader.side(-1)?;
    if let Some(word) = reader.peek() {
        return Err(ExprError::new(reader.at(), "the bound goes on unexpectedly", word.shown(), "`+`, `-` or the end"));
    }
    if reader.constant != 0 {
        return Err(ExprError::new(
            0,
            "a bound compares parts with parts: it has no constant but 0",
            reader.constant.to_string(),
            "0",
        ));
    }
    let terms: Vec<(usize, i64)> =
        reader.terms.into_iter().filter(|(_, times)| *times != 0).map(|(part, times)| (part, times * sign)).collect();
    if terms.is_empty() {
        return Err(ExprError::new(0, "the bound says nothing: its parts cancel out", "", ""));
    }
    Ok(terms)
}

struct Linear<'w> {
    words: &'w [(usize, Token)],
    parts: &'w [String],
    next: usize,
    end: usize,
    terms: BTreeMap<usize, i64>,
    constant: i64,
}

impl Linear<'_> {
    /// A sum of terms, counted `sign` times.
    fn side(&mut self, sign: i64) -> Result<(), ExprError> {
        let mut sign_of_term = if self.take("-") { -sign } else { sign };
        loop {
            self.term(sign_of_term)?;
            sign_of_term = match self.peek() {
                Some(Token::Symbol("+")) => sign,
                Some(Token::Symbol("-")) => -sign,
                _ => return Ok(()),
            };
            self.next += 1;
        }
    }

    /// `part`, `2 * part`, `part * 2`, `0`.
    fn term(&mut self, sign: i64) -> Result<(), ExprError> {
        let first = self.factor()?;
        let second = if self.take("*") { self.factor()? } else { Factor::Number(1) };
        let (part, times) = match (first, second) {
            (Factor::Part(part), Factor::Number(times)) | (Factor::Number(times), Factor::Part(part)) => {
                (Some(part), times)
            }
            (Factor::Number(a), Factor::Number(b)) => (None, a * b),
            (Factor::Part(_), Factor::Part(_)) => {
                return Err(ExprError::new(self.at(), "a bound is linear: parts are not multiplied", "", ""));
            }
        };
        let sum = part.map_or(&mut self.constant, |part| self.terms.entry(part).or_default());
        *sum += sign * times;
        Ok(())
    }

    fn factor(&mut self) -> Result<Factor, ExprError> {
        let at = self.at();
        let factor = match self.peek() {
            Some(Token::Int(number)) if *number <= 1_000_000 => Factor::Number(*number as i64),
            Some(Token::Int(number)) => {
                return Err(ExprError::new(at, "the factor is too large", number.to_string(), "at most 1000000"));
            }
            Some(Token::Name(name)) => match self.parts.iter().position(|part| part == name) {
                Some(part) => Factor::Part(part),
                None => {
                    let message =
                        format!("unknown part `{name}`{}", suggestion(name, self.parts.iter().map(String::as_str)));
                    return Err(ExprError::new(
                        at,
                        message,
                        format!("`{name}`"),
                        format!("one of {}", self.parts.join(", ")),
                    ));
                }
            },
            Some(word) => {
                return Err(ExprError::new(at, "a bound is made of parts", word.shown(), "a part"));
            }
            None => {
                return Err(ExprError::new(at, "the bound ends too early", "the end", "a part"));
            }
        };
        self.next += 1;
        Ok(factor)
    }

    fn peek(&self) -> Option<&Token> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let taken = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.next += usize::from(taken);
        taken
    }
}

#[derive(Clone, Copy)]
enum Factor {
    Part(usize),
    Number(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(source: &str) -> Result<Vec<(usize, i64)>, String> {
        let parts: Vec<String> = ["posted", "pending", "floor"].iter().map(|part| (*part).to_owned()).collect();
        linear(source, &parts).map_err(|error| format!("{}: {}", error.offset, error.message))
    }

    #[test]
    fn bounds_are_brought_to_one_side() {
        assert_eq!(terms("posted - pending >= floor"), Ok(vec![(0, 1), (1, -1), (2, -1)]));
        assert_eq!(terms("posted + 2 * pending <= floor"), Ok(vec![(0, -1), (1, -2), (2, 1)]));
        assert_eq!(terms("-posted + pending * 3 >= 0"), Ok(vec![(0, -1), (1, 3)]));
        assert_eq!(terms("posted + posted >= pending - pending"), Ok(vec![(0, 2)]));
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for (source, error) in [
            ("posted", "6: a bound compares two sums of parts"),
            ("posted > floor", "7: a bound compares two sums of parts"),
            ("posted >= floo", "10: unknown part `floo`, did you mean \"floor\"?"),
            ("posted >= 5", "0: a bound compares parts with parts: it has no constant but 0"),
            ("posted * pending >= 0", "17: a bound is linear: parts are not multiplied"),
            ("posted >= posted", "0: the bound says nothing: its parts cancel out"),
            ("posted >= ", "10: the bound ends too early"),
            ("posted >= floor floor", "16: the bound goes on unexpectedly"),
        ] {
            assert_eq!(terms(source), Err(error.to_owned()), "{source}");
        }
    }
}
