//! What can be wrong with a schema file, a table, a row.

use std::fmt;

pub use crate::codes::{
    BAD_FORMAT, BAD_TEXT, MISSING_FIELD, NOT_EXACT, OUT_OF_RANGE, TOO_LONG, TOO_MANY_DIGITS, UNKNOWN_FIELD, WRONG_TYPE,
};

/// One fault of a schema file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What stands there; empty where nothing does.
    pub found: String,
    /// What would fit; empty where the message says it.
    pub expected: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match (self.found.is_empty(), self.expected.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, " (found {})", self.found),
            (true, false) => write!(f, " (expected {})", self.expected),
            (false, false) => write!(f, " (found {}, expected {})", self.found, self.expected),
        }
    }
}

/// Every fault of a schema file, sorted by place. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaErrors(pub Vec<SchemaError>);

impl fmt::Display for SchemaErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaErrors {}

/// A table that cannot be rows of the type, whatever its rows hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TableError {
    /// Stable code, `ledger.unknown_column`.
    pub code: &'static str,
    /// Dotted path of the column.
    pub column: String,
    /// What is wrong and what fits, naming the column.
    pub message: String,
}

impl TableError {
    pub(crate) fn new(code: &'static str, column: impl Into<String>, message: impl Into<String>) -> Self {
        TableError { code, column: column.into(), message: message.into() }
    }
}

/// The first reason why a row is no record of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// Row of the input, from 0.
    pub row: usize,
    /// Dotted path of the field, list items by index: `legs[2].amount`. Empty: the row itself.
    pub field: String,
    /// Stable code, `ledger.missing_field`.
    pub code: &'static str,
    /// Words for people.
    pub message: String,
}

/// Bytes that are not the canonical bytes of a record of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {position}: {message}")]
pub struct RecordError {
    /// Which of the records given.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

/// The candidate nearest to `word` by edit distance, where one is near enough to be a slip. Ties go to the first.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Never a word that has nothing of it.
    let length = word.chars().count();
    let allowed = ((length / 3).max(1) + 1).min(length.saturating_sub(1));
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = edit_distance(word, candidate);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Levenshtein distance; words longer than 64 characters are infinitely far.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    if b.len() > 64 || a.chars().count() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// `, did you mean "…"?` where something is near, else nothing.
pub(crate) fn suggestion<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(word, candidates)
        .filter(|near| *near != word)
        .map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"))
}

/// The same, or else all that there is: `; there are a, b`.
pub(crate) fn suggestion_or_all(word: &str, candidates: &[&str]) -> String {
    match suggestion(word, candidates.iter().copied()) {
        near if near.is_empty() => format!("; there are {}", candidates.join(", ")),
        near => near,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        assert_eq!(nearest("requird", ["required", "index", "doc"]), Some("required"));
        assert_eq!(nearest("zzzzzz", ["required", "index", "doc"]), None);
        assert_eq!(nearest("0", ["id"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(suggestion("amunt", ["amount"]), ", did you mean \"amount\"?");
    }
}
