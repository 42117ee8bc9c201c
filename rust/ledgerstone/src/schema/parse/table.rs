//! Reading a TOML table with places: every fault is noted, reading goes on.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::schema::error::{SchemaError, SchemaErrors, suggestion};
use crate::schema::expr::ExprError;

/// A range of bytes in the file.
pub(super) type Span = Range<usize>;

/// The file being read, and the faults found so far.
pub(super) struct Source<'s> {
    pub(super) text: &'s str,
    file: &'s str,
    faults: RefCell<Vec<(usize, SchemaError)>>,
}

impl<'s> Source<'s> {
    pub(super) fn new(text: &'s str, file: &'s str) -> Self {
        Source { text, file, faults: RefCell::new(Vec::new()) }
    }

    /// Notes a fault.
    pub(super) fn fault(
        &self,
        at: usize,
        message: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let before = &self.text[..self.floor(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let error = SchemaError {
            file: self.file.to_owned(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            found: found.into(),
            expected: expected.into(),
        };
        self.faults.borrow_mut().push((at, error));
    }

    /// Notes a fault inside an expression that is the value of a string.
    pub(super) fn expression_fault(&self, span: &Span, error: ExprError) {
        let at = self.inside(span, error.offset);
        self.fault(at, error.message, error.found, error.expected);
    }

    /// The place of a byte of a string's value. A string with escapes or of several lines is not looked into.
    pub(super) fn inside(&self, span: &Span, offset: usize) -> usize {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let plain = (raw.starts_with('"') && !raw.contains('\\') && !raw.starts_with("\"\"\""))
            || (raw.starts_with('\'') && !raw.starts_with("'''"));
        if plain { span.start + 1 + offset } else { span.start }
    }

    /// Everything found, sorted by place; `None` where nothing was.
    pub(super) fn faults(&self) -> Option<SchemaErrors> {
        let mut faults = self.faults.borrow().clone();
        faults.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.message.cmp(&y.message)));
        faults.dedup();
        (!faults.is_empty()).then(|| SchemaErrors(faults.into_iter().map(|(_, error)| error).collect()))
    }

    /// The character boundary at or before a byte.
    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// A table being read.
#[derive(Clone, Copy)]
pub(super) struct Table<'t> {
    pub(super) source: &'t Source<'t>,
    entries: &'t DeTable<'t>,
    /// Where faults about the table as a whole are shown: its name, or its opening bracket.
    pub(super) at: usize,
}

/// A string with its place.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Span,
}

/// A named entry of a table.
pub(super) struct Entry<'t> {
    pub(super) name: &'t str,
    pub(super) at: usize,
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Table<'t> {
    pub(super) fn new(source: &'t Source<'t>, entries: &'t DeTable<'t>, at: usize) -> Self {
        Table { source, entries, at }
    }

    /// Notes every key that is none of these.
    pub(super) fn known(&self, what: &str, keys: &[&str]) {
        for entry in self.entries() {
            if !keys.contains(&entry.name) {
                let message =
                    format!("unknown key \"{}\" in {what}{}", entry.name, suggestion(entry.name, keys.iter().copied()));
                self.source.fault(
                    entry.at,
                    message,
                    format!("\"{}\"", entry.name),
                    format!("one of {}", keys.join(", ")),
                );
            }
        }
    }

    /// The entries in the order of the file.
    pub(super) fn entries(&self) -> Vec<Entry<'t>> {
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &std::borrow::Cow<'t, str> = key.get_ref();
            Entry { name: name.as_ref(), at: key.span().start, value }
        };
        let mut entries: Vec<Entry<'t>> = self.entries.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// Notes a fault about the whole table.
    pub(super) fn fault(&self, message: impl Into<String>) {
        self.source.fault(self.at, message, "", "");
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Notes a value of another type than the key takes.
    fn misfit(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        self.source.fault(
            value.span().start,
            format!("\"{key}\" takes {expected}"),
            value.get_ref().type_str(),
            expected,
        );
    }

    pub(super) fn text(&self, key: &str) -> Option<Text> {
        let value = self.value(key)?;
        let text = as_text(value);
        if text.is_none() {
            self.misfit(key, value, "a string");
        }
        text
    }

    /// A string that has to be there.
    pub(super) fn required_text(&self, what: &str, key: &str) -> Option<Text> {
        if !self.has(key) {
            self.fault(format!("{what} needs \"{key}\""));
        }
        self.text(key)
    }

    /// A string, or nothing where it is left out.
    pub(super) fn text_or_empty(&self, key: &str) -> String {
        self.text(key).map_or_else(String::new, |text| text.value)
    }

    pub(super) fn bool(&self, key: &str) -> bool {
        match self.value(key) {
            None => false,
            Some(value) => value.get_ref().as_bool().unwrap_or_else(|| {
                self.misfit(key, value, "true or false");
                false
            }),
        }
    }

    /// An integer within bounds, with its place.
    pub(super) fn int(&self, key: &str, low: i64, high: i64) -> Option<(i64, Span)> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.misfit(key, value, "an integer");
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| (low..=high).contains(number))
        {
            Some(number) => Some((number, value.span())),
            None => {
                self.source.fault(
                    value.span().start,
                    format!("\"{key}\" is out of range"),
                    integer.to_string(),
                    format!("{low} to {high}"),
                );
                None
            }
        }
    }

    /// A string, or the words of an integer within bounds.
    pub(super) fn int_or_text(&self, key: &str, low: i64, high: i64) -> Option<Text> {
        match self.value(key)?.get_ref().as_integer() {
            None => self.text(key),
            Some(_) => self.int(key, low, high).map(|(value, span)| Text { value: value.to_string(), span }),
        }
    }

    /// A string, or an array of strings.
    pub(super) fn text_or_texts(&self, key: &str) -> Vec<Text> {
        match self.value(key).map(|value| value.get_ref().as_array().is_some()) {
            Some(true) => self.texts(key).unwrap_or_default(),
            _ => self.text(key).into_iter().collect(),
        }
    }

    /// An array of strings; `None` where it is left out.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<Text>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.misfit(key, value, "an array of strings");
            return Some(Vec::new());
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match as_text(item) {
                Some(text) => texts.push(text),
                None => self.misfit(key, item, "strings only"),
            }
        }
        Some(texts)
    }

    /// The string or strings of a key, for a message; nothing where they are none.
    pub(super) fn texts_quietly(&self, key: &str) -> Vec<String> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let one = as_text(value).into_iter();
        let many = value.get_ref().as_array().into_iter().flat_map(|array| array.iter().filter_map(as_text));
        one.chain(many).map(|text| text.value).collect()
    }

    pub(super) fn table(&self, key: &str) -> Option<Table<'t>> {
        let (name, value) = self.entries.iter().find(|(name, _)| name.get_ref() == key)?;
        let Some(entries) = value.get_ref().as_table() else {
            self.misfit(key, value, "a table");
            return None;
        };
        Some(Table { source: self.source, entries, at: name.span().start })
    }

    /// An array of tables; empty where it is left out.
    pub(super) fn tables(&self, key: &str) -> Vec<Table<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.misfit(key, value, "an array of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(entries) => tables.push(Table { source: self.source, entries, at: item.span().start }),
                None => self.misfit(key, item, "tables only"),
            }
        }
        tables
    }

    /// The place of a key's value, or of the table.
    pub(super) fn place(&self, key: &str) -> usize {
        self.value(key).map_or(self.at, |value| value.span().start)
    }

    /// Notes a fault at the value of a key.
    pub(super) fn fault_at(&self, key: &str, message: impl Into<String>) {
        self.source.fault(self.place(key), message, "", "");
    }
}

impl<'t> Entry<'t> {
    /// The entry as a table.
    pub(super) fn table(&self, source: &'t Source<'t>) -> Option<Table<'t>> {
        match self.value.get_ref().as_table() {
            Some(entries) => Some(Table { source, entries, at: self.at }),
            None => {
                source.fault(
                    self.value.span().start,
                    format!("\"{}\" takes a table", self.name),
                    self.value.get_ref().type_str(),
                    "a table",
                );
                None
            }
        }
    }

    /// The entry as a string, or as an array of strings.
    pub(super) fn text_or_texts(&self, source: &Source<'_>) -> (Option<Text>, Vec<Text>) {
        let Some(array) = self.value.get_ref().as_array() else {
            return (self.text(source), Vec::new());
        };
        let texts: Vec<Text> = array.iter().filter_map(as_text).collect();
        if texts.is_empty() || texts.len() < array.len() {
            let message = format!("\"{}\" takes strings only, at least one", self.name);
            source.fault(self.value.span().start, message, "another value", "strings");
        }
        (None, texts)
    }

    /// The entry as a string.
    pub(super) fn text(&self, source: &Source<'_>) -> Option<Text> {
        let text = as_text(self.value);
        if text.is_none() {
            source.fault(
                self.value.span().start,
                format!("\"{}\" takes a string", self.name),
                self.value.get_ref().type_str(),
                "a string",
            );
        }
        text
    }
}

fn as_text(value: &Spanned<DeValue<'_>>) -> Option<Text> {
    value.get_ref().as_str().map(|text| Text { value: text.to_owned(), span: value.span() })
}
