//! The words of an expression, one after the other.

use super::Token;
use super::parser::{ExprError, Parser};

impl Parser<'_> {
    /// Goes past a word.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    pub(super) fn mark(&self) -> (usize, usize) {
        (self.next, self.nodes)
    }

    pub(super) fn back_to(&mut self, (next, nodes): (usize, usize)) {
        (self.next, self.nodes) = (next, nodes);
    }

    /// Whether a bare path of the record stands here, up to a comma or the closing bracket.
    pub(super) fn is_path(&self) -> bool {
        let Some(Token::Name(first)) = self.peek() else { return false };
        let other = ["true", "false", "not", "const", "author", "endorsers", "ledger_time"].contains(&first.as_str());
        let next = self.words.get(self.next + 1).map(|(_, word)| word);
        !other && self.names.scope.lookup(first).is_none() && matches!(next, Some(Token::Symbol("." | ")" | ",")))
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    /// Offset of the next word.
    pub(super) fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(next)) if next == word)
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let taken = self.is_symbol(symbol);
        self.next += usize::from(taken);
        taken
    }

    pub(super) fn take_name(&mut self, word: &str) -> bool {
        let taken = self.is_word(word);
        self.next += usize::from(taken);
        taken
    }

    pub(super) fn symbol(&mut self, symbol: &'static str) -> Result<(), ExprError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    pub(super) fn unexpected(&self, expected: &str) -> ExprError {
        match self.peek() {
            Some(word) => ExprError::new(self.at(), "the expression goes on unexpectedly", word.shown(), expected),
            None => ExprError::new(self.end, "the expression ends too early", "the end", expected),
        }
    }
}
