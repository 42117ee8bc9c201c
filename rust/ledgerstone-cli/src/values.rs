//! Values on their way in: JSON lines, and words of the command line.

use ledgerstone::model::{RowId, Value};
use ledgerstone::query::{Comparison, Predicate};
use ledgerstone::schema::{FieldKind, RecordType, field_at};
use ledgerstone::{Moment, codes, parse_day};
use ledgerstone_verify::{Json, b64, unb64};

use crate::failure::Failure;
use crate::table::{date, instant, json_line};

/// The comparisons of `--where`, longest sign first.
const SIGNS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("^=", Comparison::StartsWith),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

/// JSON as the engine takes it. A float stays one, so that the engine says what to send instead.
pub(crate) fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Int(value) => Value::Int(value),
        Json::BigInt(digits) => Value::BigInt(digits),
        Json::Float(value) => Value::Float(value),
        Json::Text(text) => Value::Text(text),
        Json::List(items) => Value::List(items.into_iter().map(from_json).collect()),
        Json::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, from_json(value))).collect())
        }
    }
}

/// A value as JSON: decimals, dates and instants are text, as in record bytes, and bytes are base64.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Int(*value),
        Value::BigInt(digits) => Json::BigInt(digits.clone()),
        Value::Float(value) => Json::Float(*value),
        Value::Decimal(value) => Json::Text(value.to_string()),
        Value::Date(days) => Json::Text(date(*days)),
        Value::Timestamp(micros) => Json::Text(instant(*micros)),
        Value::Text(text) => Json::Text(text.clone()),
        Value::Unfit(unfit) => Json::Text(unfit.message.clone()),
        Value::Bytes(bytes) => Json::Text(b64(bytes)),
        Value::List(values) => Json::List(values.iter().map(to_json).collect()),
        Value::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
        }
    }
}

/// A value for people.
pub(crate) fn words(value: &Value) -> String {
    match to_json(value) {
        Json::Null => "nothing".to_owned(),
        Json::Text(text) => text,
        other => json_line(&other),
    }
}

/// Named values for people: `posted 12.5, floor 0`.
pub(crate) fn named_words(values: &[(String, Value)]) -> String {
    values.iter().map(|(name, value)| format!("{name} {}", words(value))).collect::<Vec<_>>().join(", ")
}

/// A word of the command line, as the field takes it. What does not fit stays text, so that the engine says what does.
pub(crate) fn from_word(kind: Option<&FieldKind>, word: &str) -> Value {
    let typed = match kind {
        Some(FieldKind::Int { .. }) => word.parse().ok().map(Value::Int),
        Some(FieldKind::Bool) => word.parse().ok().map(Value::Bool),
        Some(FieldKind::Bytes { .. }) => unb64(word).ok().map(Value::Bytes),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::Text(word.to_owned()))
}

/// The values of a record's key, as the fields of the type's first `unique` rule take them.
pub(crate) fn key_values(record_type: &RecordType, words: &[String]) -> Vec<Value> {
    let fields = record_type.key().unwrap_or_default();
    let kind = |place: usize| fields.get(place).and_then(|field| kind_of(record_type, field.source()));
    words.iter().enumerate().map(|(place, word)| from_word(kind(place), word)).collect()
}

/// An instant of RFC 3339, in microseconds since 1970.
pub(crate) fn parse_time(text: &str) -> Result<i64, Failure> {
    let instant: Result<jiff::Timestamp, _> = text.parse();
    instant.map(jiff::Timestamp::as_microsecond).map_err(|_| {
        Failure::usage(format!("{text:?} is no time with a zone: 2026-03-01T00:00:00Z, or 2026-03-01T01:00:00+01:00"))
    })
}

/// `7:0`: transaction and position.
pub(crate) fn parse_place(text: &str) -> Option<RowId> {
    let (index, position) = text.split_once(':')?;
    let row = RowId::new(index.parse().ok()?, position.parse().ok()?);
    (row.index < 1 << 39 && row.position < 1 << 24).then_some(row)
}

/// A moment of `--as-of`.
pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).map_err(|error| error.to_string())
}

/// A day of `--on`.
pub(crate) fn parse_day_word(text: &str) -> Result<i32, String> {
    parse_day(text).map_err(|error| error.to_string())
}

/// One condition of `--where`.
pub(crate) fn parse_condition(record_type: &RecordType, text: &str) -> Result<Predicate, Failure> {
    let words = |name: &str, list: &str| -> Vec<Value> {
        list.split(',').map(|word| from_word(kind_of(record_type, name), word.trim())).collect()
    };
    let predicate = |field: &str, comparison, values| Predicate { field: field.to_owned(), comparison, values };
    if let [field, operator, rest] = text.splitn(3, ' ').collect::<Vec<_>>()[..] {
        match operator {
            "in" => return Ok(predicate(field, Comparison::In, words(field, rest))),
            "between" => return Ok(predicate(field, Comparison::Between, words(field, rest))),
            "is" if rest == "absent" => return Ok(predicate(field, Comparison::Equal, vec![Value::Null])),
            _ => {}
        }
    }
    let end = text.find(|letter: char| {
        !letter.is_ascii_lowercase() && !letter.is_ascii_digit() && letter != '_' && letter != '.'
    });
    let (field, rest) = text.split_at(end.unwrap_or(text.len()));
    for (sign, comparison) in SIGNS {
        if let Some(word) = rest.trim_start().strip_prefix(sign) {
            let value = from_word(kind_of(record_type, field), word.trim_start());
            return Ok(predicate(field, comparison, vec![value]));
        }
    }
    Err(Failure::new(
        codes::BAD_CONDITION,
        format!(
            "{text:?} is no condition; write field=value, with =, !=, <, <=, >, >= or ^= (begins with), \
             \"field in a,b\", \"field between low,high\" or \"field is absent\""
        ),
    ))
}

/// What the columns of numbers beside a record hold.
const NUMBER: FieldKind = FieldKind::Int { min: 0, max: i64::MAX };

fn kind_of<'t>(record_type: &'t RecordType, name: &str) -> Option<&'t FieldKind> {
    if ["_index", "_position", "_version", "_cause"].contains(&name) {
        return Some(&NUMBER);
    }
    field_at(&record_type.fields, name).map(|field| &field.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> std::sync::Arc<RecordType> {
        let module = ledgerstone::schema::parse(ledgerstone_schemas::FINANCE, "finance.toml").unwrap();
        module.record_type("finance.transfer").unwrap().clone()
    }

    #[test]
    fn conditions_are_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (given, comparison, values) in [
            ("debit=cash", Comparison::Equal, vec![text("cash")]),
            ("amount <= 10.5", Comparison::AtMost, vec![text("10.5")]),
            ("debit != cash", Comparison::NotEqual, vec![text("cash")]),
            ("id^=t-", Comparison::StartsWith, vec![text("t-")]),
            ("narrative=a = b, in c", Comparison::Equal, vec![text("a = b, in c")]),
            ("debit in cash, bank", Comparison::In, vec![text("cash"), text("bank")]),
            ("date between 2026-01-01,2026-02-01", Comparison::Between, vec![text("2026-01-01"), text("2026-02-01")]),
            ("_index >= 7", Comparison::AtLeast, vec![Value::Int(7)]),
            ("book is absent", Comparison::Equal, vec![Value::Null]),
        ] {
            let predicate = parse_condition(&transfer(), given).unwrap();
            assert_eq!((predicate.comparison, predicate.values), (comparison, values), "{given}");
        }
        for bad in ["debit", "", "=cash", "debit cash"] {
            let parsed = parse_condition(&transfer(), bad);
            assert!(parsed.is_err() || parsed.unwrap().field.is_empty(), "{bad}");
        }
    }

    #[test]
    fn places_are_read() {
        assert_eq!(parse_place("7:3"), Some(RowId::new(7, 3)));
        for bad in ["7", "7:", "a:1", "1:16777216", "18446744073709551615:0"] {
            assert_eq!(parse_place(bad), None, "{bad}");
        }
    }
}
