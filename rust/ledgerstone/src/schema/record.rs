//! Record bytes (FORMAT.md section 2): written from typed columns by a writer compiled from the schema, and read back strictly.

use arrow_array::RecordBatch;
use ledgerstone_verify::canon::{self, write_string};
use serde_json::Value as Json;

use super::check::from_values;
use super::columns::{Column, Members, Rows, list_items};
use super::decimal_text::write_decimal;
use super::error::RecordError;
use super::module::RecordType;
use crate::model::Value;

/// The type and version that record bytes name.
pub(crate) fn named_type(record: &[u8]) -> Option<(String, u64)> {
    let record = canon::Json::parse(record).ok()?;
    let version = record.get("version").and_then(canon::Json::as_int)?;
    let name = record.get("type").and_then(canon::Json::as_text)?;
    Some((name.to_owned(), u64::try_from(version).ok()?))
}

impl Rows<'_> {
    /// Appends the canonical bytes of a row: `{"data":{…},"type":"…","version":n}`.
    pub fn write_record(&self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"data\":{");
        write_members(&self.members, row, out);
        out.extend_from_slice(&self.tail);
    }
}

/// Appends the present members, without braces.
fn write_members(members: &Members<'_>, index: usize, out: &mut Vec<u8>) {
    let mut first = true;
    for (position, prefix) in &members.sorted {
        let column = &members.columns[*position];
        if column.is_absent(index) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(prefix);
        write_value(column, index, out);
    }
}

fn write_value(column: &Column<'_>, index: usize, out: &mut Vec<u8>) {
    match column {
        Column::Text(array) | Column::Fraction(array) => write_string(out, array.value(index)),
        Column::List(list, items) => {
            out.push(b'[');
            for (place, item) in list_items(list, index).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_value(items, item, out);
            }
            out.push(b']');
        }
        Column::Struct(_, members) => {
            out.push(b'{');
            write_members(members, index, out);
            out.push(b'}');
        }
        Column::Decimal(array, scale) => {
            out.push(b'"');
            write_decimal(array.value(index), *scale, out);
            out.push(b'"');
        }
        _ => column.scalar(index).write_json(out),
    }
}

/// Typed columns of records given by their canonical bytes. Strict: bytes that are not exactly what [`Rows::write_record`]
/// writes for the type are refused.
pub fn from_record_bytes(rt: &RecordType, rows: &[&[u8]]) -> Result<RecordBatch, RecordError> {
    let mut values = Vec::with_capacity(rows.len());
    for (position, bytes) in rows.iter().enumerate() {
        let failed = |message: String| RecordError { position, message };
        values.push(data_of(rt, bytes).map_err(failed)?);
    }
    let checked = from_values(rt, &values);
    if let Some(failure) = checked.failures.first() {
        return Err(RecordError {
            position: failure.row,
            message: format!("{}: {} ({})", failure.field, failure.message, failure.code),
        });
    }
    let typed = Rows::new(rt, &checked.rows).map_err(|error| RecordError { position: 0, message: error.message })?;
    let mut rewritten = Vec::new();
    for (position, bytes) in rows.iter().enumerate() {
        rewritten.clear();
        typed.write_record(position, &mut rewritten);
        if rewritten != *bytes {
            return Err(RecordError { position, message: "the bytes are not in canonical form".to_owned() });
        }
    }
    Ok(checked.rows)
}

/// The `data` of record bytes whose type and version are those of the record type.
fn data_of(rt: &RecordType, bytes: &[u8]) -> Result<Value, String> {
    let json: Json = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let Json::Object(mut members) = json else {
        return Err("not an object".to_owned());
    };
    match members.get("type") {
        Some(Json::String(name)) if *name == rt.name => {}
        other => return Err(format!("type is {}, not {:?}", shown(other), rt.name)),
    }
    match members.get("version") {
        Some(Json::Number(version)) if version.as_u64() == Some(rt.version) => {}
        other => return Err(format!("version is {}, not {}", shown(other), rt.version)),
    }
    members.remove("data").map(value_of).ok_or_else(|| "there is no data".to_owned())
}

fn shown(json: Option<&Json>) -> String {
    json.map_or_else(|| "absent".to_owned(), Json::to_string)
}

fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().map(value_of).collect()),
        Json::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, value_of(value))).collect())
        }
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::BigInt(value.to_string()),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}
