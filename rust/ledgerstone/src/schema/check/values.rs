//! Rows given as values: dicts, JSON lines.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::builder::Builder;
use super::failure::{Failures, Fault, Place};
use super::scalars::{
    check_bytes, check_date, check_decimal, check_instant, check_int, check_text, parse_date, parse_decimal,
    parse_instant, too_long,
};
use super::{Checked, arrow_schema};
use crate::model::{Decimal, Value};
use crate::schema::error::{BAD_FORMAT, MISSING_FIELD, OUT_OF_RANGE, UNKNOWN_FIELD, WRONG_TYPE, suggestion};
use crate::schema::module::{Field, FieldKind, RecordType};

/// Checks rows given as objects, one each.
pub fn from_values(rt: &RecordType, rows: &[Value]) -> Checked {
    let mut builders: Vec<Builder> = rt.fields.iter().map(|field| Builder::new(&field.kind)).collect();
    let mut failures = Failures::default();
    for (row, value) in rows.iter().enumerate() {
        let mut writer = Writer { row, failures: &mut failures };
        match value {
            Value::Object(members) => writer.members(&rt.fields, members, &mut builders, &Place::default()),
            other => {
                writer.note(
                    Place::default(),
                    Fault::new(WRONG_TYPE, format!("a record is an object of named values, not {}", other.kind())),
                );
                builders.iter_mut().zip(&rt.fields).for_each(|(builder, field)| builder.absent(field.required));
            }
        }
    }
    let columns: Vec<ArrayRef> =
        builders.into_iter().zip(&rt.fields).map(|(builder, field)| builder.finish(field.required)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    // The builders are those of the declared fields, from which the schema is made.
    let rows =
        RecordBatch::try_new_with_options(arrow_schema(rt), columns, &options).expect("columns of the declared fields");
    Checked { rows, failures: failures.sorted() }
}

/// Writes one row.
struct Writer<'w> {
    row: usize,
    failures: &'w mut Failures,
}

impl Writer<'_> {
    fn note(&mut self, place: Place, fault: Fault) {
        self.failures.note(self.row, place, fault);
    }

    fn members(&mut self, fields: &[Field], members: &[(String, Value)], builders: &mut [Builder], place: &Place) {
        for (position, (field, builder)) in fields.iter().zip(builders).enumerate() {
            // Of a name given twice the last counts, as in JSON readers; Python dicts cannot hold one.
            let value =
                members.iter().rev().find(|(name, _)| *name == field.name).map_or(&Value::Null, |(_, value)| value);
            self.value(field, value, builder, &|| place.field(position + 1, &field.name));
        }
        if members.len() > fields.len()
            || members.iter().any(|(name, _)| fields.iter().all(|field| field.name != *name))
        {
            let unknown = members.iter().filter(|(name, _)| fields.iter().all(|field| field.name != *name));
            for (name, _) in unknown {
                let near = suggestion(name, fields.iter().map(|field| field.name.as_str()));
                self.note(
                    // First of all reasons: a name misspelt is told before the field that it leaves empty.
                    place.field(0, name),
                    Fault::new(UNKNOWN_FIELD, format!("there is no field {name:?}{near}")),
                );
            }
        }
    }

    /// Appends a value, or a placeholder and the fault.
    fn value(&mut self, field: &Field, value: &Value, builder: &mut Builder, place: &dyn Fn() -> Place) {
        if matches!(value, Value::Null) {
            if field.required {
                self.note(place(), Fault::new(MISSING_FIELD, "the field is required"));
            }
            return builder.absent(field.required);
        }
        let written = match (&field.kind, value, &mut *builder) {
            (FieldKind::List { item, max }, Value::List(values), Builder::List { offsets, valid, items, .. }) => {
                if values.len() > *max {
                    Err(too_long("list", values.len(), "items", *max))
                } else {
                    let here = place();
                    values
                        .iter()
                        .enumerate()
                        .for_each(|(index, value)| self.value(item, value, items, &|| here.item(index)));
                    offsets.push(offsets.last().copied().unwrap_or_default() + values.len() as i32);
                    valid.push(true);
                    Ok(())
                }
            }
            (FieldKind::Struct(fields), Value::Object(given), Builder::Struct { valid, members, .. }) => {
                self.members(fields, given, members, &place());
                valid.push(true);
                Ok(())
            }
            (kind, value, builder) => scalar(kind, value, builder),
        };
        if let Err(fault) = written {
            self.note(place(), fault);
            builder.absent(field.required);
        }
    }
}

/// Appends a scalar that fits its field.
fn scalar(kind: &FieldKind, value: &Value, builder: &mut Builder) -> Result<(), Fault> {
    match (builder, kind, value) {
        (Builder::Text(builder), kind, Value::Text(text)) => {
            check_text(kind, text)?;
            builder.append_value(text);
        }
        (Builder::Bool(builder), _, Value::Bool(value)) => builder.append_value(*value),
        (Builder::Int(builder), FieldKind::Int { min, max }, Value::Int(value)) => {
            builder.append_value(check_int(*value, *min, *max)?)
        }
        (Builder::Int(_), FieldKind::Int { min, max }, Value::BigInt(digits)) => {
            return Err(Fault::new(OUT_OF_RANGE, format!("{digits} is outside {min} to {max}")));
        }
        (Builder::Decimal(builder, _), FieldKind::Decimal { precision, scale }, value) => {
            builder.append_value(decimal(value, *precision, *scale)?)
        }
        (Builder::Date(builder), _, Value::Date(days)) => builder.append_value(check_date(*days)?),
        (Builder::Date(builder), _, Value::Text(text)) => builder.append_value(parse_date(text)?),
        (Builder::Timestamp(builder), _, Value::Timestamp(micros)) => builder.append_value(check_instant(*micros)?),
        (Builder::Timestamp(builder), _, Value::Text(text)) => builder.append_value(parse_instant(text)?),
        (Builder::Bytes(builder), FieldKind::Bytes { max }, Value::Bytes(bytes)) => {
            check_bytes(bytes, *max)?;
            builder.append_value(bytes);
        }
        (Builder::Bytes(builder), FieldKind::Bytes { max }, Value::Text(text)) => {
            let bytes =
                STANDARD.decode(text).map_err(|_| Fault::new(BAD_FORMAT, "text for a bytes field is padded base64"))?;
            check_bytes(&bytes, *max)?;
            builder.append_value(bytes);
        }
        (_, kind, value) => return Err(misfit(kind, value)),
    }
    Ok(())
}

fn decimal(value: &Value, precision: u8, scale: u8) -> Result<i128, Fault> {
    match value {
        Value::Decimal(decimal) => check_decimal(*decimal, precision, scale),
        Value::Int(value) => check_decimal(Decimal::new(i128::from(*value), 0), precision, scale),
        Value::BigInt(digits) | Value::Text(digits) => parse_decimal(digits, precision, scale),
        other => Err(misfit(&FieldKind::Decimal { precision, scale }, other)),
    }
}

/// A value of another type, and what to send instead.
fn misfit(kind: &FieldKind, value: &Value) -> Fault {
    let expected = match kind {
        FieldKind::Text { .. } => "text",
        FieldKind::Enum(_) => "text, one of its words",
        FieldKind::Bool => "a bool",
        FieldKind::Int { .. } => "an integer",
        FieldKind::Decimal { .. } => "a decimal (decimal.Decimal or a string), never a float",
        FieldKind::Date => "a date, or a string YYYY-MM-DD",
        FieldKind::Timestamp => "an instant with a time zone, or a string of RFC 3339 with an offset",
        FieldKind::Bytes { .. } => "bytes, or a string of base64",
        FieldKind::Uuid => "a UUID as a string",
        FieldKind::Fraction => "a fraction in lowest terms as a string, 1/3",
        FieldKind::List { .. } => "a list",
        FieldKind::Struct(_) => "an object of named values",
    };
    Fault::new(WRONG_TYPE, format!("the field takes {expected}; this is {}", value.kind()))
}
