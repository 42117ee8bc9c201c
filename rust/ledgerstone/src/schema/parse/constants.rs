//! Named constants of a module.

use toml::de::DeValue;

use super::table::{Entry, Table};
use super::{Reader, check_name};
use crate::limits;
use crate::model::{Decimal, Fraction};
use crate::schema::scalar::OwnedScalar;
use crate::schema::time::{parse_date, parse_instant};

const FITS: &str = "an integer, true or false, \"text\", a date, { decimal = \"1.5\" }, { fraction = \"1/3\" } or { timestamp = \"…Z\" }";

/// The types that TOML does not know.
const TYPED: [&str; 3] = ["decimal", "fraction", "timestamp"];

impl<'t> Reader<'t> {
    pub(super) fn constants(&self, root: Table<'t>) -> Vec<(String, OwnedScalar)> {
        let mut constants = Vec::new();
        for entry in root.table("constants").map_or_else(Vec::new, |table| table.entries()) {
            check_name(self.source, "a constant", entry.name, entry.at);
            if let Some(value) = self.constant(&entry) {
                constants.push((entry.name.to_owned(), value));
            }
        }
        constants
    }

    fn constant(&self, entry: &Entry<'t>) -> Option<OwnedScalar> {
        let value = entry.value.get_ref();
        let read = match value {
            DeValue::String(text) if !text.contains('\0') => Some(OwnedScalar::Text(text.to_string())),
            DeValue::Boolean(value) => Some(OwnedScalar::Bool(*value)),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .filter(|value| (-limits::INT_MAX..=limits::INT_MAX).contains(value))
                .map(OwnedScalar::Int),
            DeValue::Datetime(date) if date.time.is_none() && date.offset.is_none() => {
                parse_date(&date.to_string()).map(OwnedScalar::Date)
            }
            DeValue::Table(_) => return self.typed_constant(entry.table(self.source)?),
            _ => None,
        };
        if read.is_none() {
            self.source.fault(entry.value.span().start, "not a constant", value.type_str(), FITS);
        }
        read
    }

    /// `{ decimal = "10000" }` and the like.
    fn typed_constant(&self, table: Table<'t>) -> Option<OwnedScalar> {
        table.known("a constant (integers, texts, true, false and dates stand without braces)", &TYPED);
        let entries = table.entries();
        let [only] = entries.as_slice() else {
            table.fault(format!("a constant is one value: {FITS}"));
            return None;
        };
        if !TYPED.contains(&only.name) {
            return None;
        }
        let text = only.text(self.source)?;
        let read = match only.name {
            "decimal" => decimal_constant(&text.value).map(OwnedScalar::Decimal),
            "fraction" => Fraction::parse(&text.value).map(OwnedScalar::Fraction),
            _ => parse_instant(&text.value).ok().map(OwnedScalar::Timestamp),
        };
        if read.is_none() {
            let (message, found) = (format!("not a {}", only.name), format!("\"{}\"", text.value));
            self.source.fault(text.span.start, message, found, FITS);
        }
        read
    }
}

/// A decimal that a field could hold.
pub(super) fn decimal_constant(text: &str) -> Option<Decimal> {
    let digits = u32::from(limits::DECIMAL_DIGITS);
    Decimal::parse(text).filter(|decimal| decimal.digits() <= digits && decimal.scale <= limits::DECIMAL_DIGITS)
}
