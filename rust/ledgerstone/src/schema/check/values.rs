//! Rows given as values: dicts, JSON lines.

use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::builder::Builder;
use super::failure::{Failures, Fault, Place};
use super::scalars::{
    check_bytes, check_date, check_decimal, check_instant, check_int, check_text, parse_date, parse_decimal,
    parse_instant, shortened, too_long,
};
use super::{Checked, arrow_schema};
use crate::model::{Decimal, FlatRows, Value, ValueRef};
use crate::schema::error::{BAD_FORMAT, MISSING_FIELD, OUT_OF_RANGE, UNKNOWN_FIELD, WRONG_TYPE, suggestion};
use crate::schema::module::{Field, FieldKind, RecordType};

/// Checks rows given as objects, one each.
pub fn from_values(rt: &RecordType, rows: &[Value]) -> Checked {
    let mut checker = Checker::new(rt);
    checker.values(rows);
    checker.finish()
}

/// Rows being checked, one after another.
pub(crate) struct Checker<'r> {
    record_type: &'r RecordType,
    builders: Vec<Builder>,
    failures: Failures,
    rows: usize,
}

impl<'r> Checker<'r> {
    /// No rows yet.
    pub(crate) fn new(record_type: &'r RecordType) -> Self {
        let builders = record_type.fields.iter().map(|field| Builder::new(&field.kind)).collect();
        Checker { record_type, builders, failures: Failures::default(), rows: 0 }
    }

    /// Checks rows given as objects.
    pub(crate) fn values(&mut self, rows: &[Value]) {
        rows.iter().for_each(|row| self.row(row));
    }

    /// Checks some of the rows. Their names are those of the fields, in their order; of another version of the type, where one was loaded
    /// since they were read.
    pub(crate) fn flat(&mut self, rows: &FlatRows, range: Range<usize>) {
        let fields = &self.record_type.fields;
        if !rows.names().iter().eq(fields.iter().map(|field| &field.name)) {
            range.for_each(|row| self.row(&rows.to_value(row)));
            return;
        }
        for row in range {
            if let Some(odd) = rows.odd(row) {
                self.row(odd);
                continue;
            }
            let mut writer = Writer { row: self.rows, failures: &mut self.failures };
            for (position, (field, builder)) in fields.iter().zip(&mut self.builders).enumerate() {
                let place = || Place::default().field(position + 1, &field.name);
                writer.value(field, rows.value(row, position), builder, &place);
            }
            self.rows += 1;
        }
    }

    fn row(&mut self, row: &Value) {
        let fields = &self.record_type.fields;
        let mut writer = Writer { row: self.rows, failures: &mut self.failures };
        match row {
            Value::Object(members) => writer.members(fields, members, &mut self.builders, &Place::default()),
            other => {
                writer.note(
                    Place::default(),
                    Fault::new(WRONG_TYPE, format!("a record is an object of named values, not {}", other.kind())),
                );
                self.builders.iter_mut().zip(fields).for_each(|(builder, field)| builder.absent(field.required));
            }
        }
        self.rows += 1;
    }

    /// The rows in typed columns.
    pub(crate) fn finish(self) -> Checked {
        let Checker { record_type, builders, failures, rows } = self;
        let fields = &record_type.fields;
        let columns: Vec<ArrayRef> =
            builders.into_iter().zip(fields).map(|(builder, field)| builder.finish(field.required)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        // The builders are those of the declared fields, from which the schema is made.
        let rows = RecordBatch::try_new_with_options(arrow_schema(record_type), columns, &options);
        Checked { rows: rows.expect("columns of the declared fields"), failures: failures.sorted() }
    }
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
            let given = members.iter().rev().find(|(name, _)| *name == field.name);
            let value = given.map_or(ValueRef::Null, |(_, value)| value.into());
            self.value(field, value, builder, &|| place.field(position + 1, &field.name));
        }
        if members.len() > fields.len()
            || members.iter().any(|(name, _)| fields.iter().all(|field| field.name != *name))
        {
            let unknown = members.iter().filter(|(name, _)| fields.iter().all(|field| field.name != *name));
            for (name, _) in unknown {
                let near = suggestion(name, fields.iter().map(|field| field.name.as_str()));
                let shown = shortened(name);
                self.note(
                    // First of all reasons: a name misspelt is told before the field that it leaves empty.
                    place.field(0, &shown),
                    Fault::new(UNKNOWN_FIELD, format!("there is no field {shown:?}{near}")),
                );
            }
        }
    }

    /// Appends a value, or a placeholder and the fault.
    fn value(&mut self, field: &Field, value: ValueRef<'_>, builder: &mut Builder, place: &dyn Fn() -> Place) {
        if matches!(value, ValueRef::Null) {
            if field.required {
                self.note(place(), missing(&field.kind));
            }
            return builder.absent(field.required);
        }
        let written = match (&field.kind, value, &mut *builder) {
            (_, ValueRef::Unfit(unfit), _) => Err(Fault::new(unfit.code, unfit.message.clone())),
            (FieldKind::List { item, max }, ValueRef::List(values), Builder::List { offsets, valid, items, .. }) => {
                if values.len() > *max {
                    Err(too_long("list", values.len(), "items", *max))
                } else {
                    let here = place();
                    values
                        .iter()
                        .enumerate()
                        .for_each(|(index, value)| self.value(item, value.into(), items, &|| here.item(index)));
                    offsets.push(offsets.last().copied().unwrap_or_default() + values.len() as i32);
                    valid.push(true);
                    Ok(())
                }
            }
            (FieldKind::Struct(fields), ValueRef::Object(given), Builder::Struct { valid, members, .. }) => {
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
fn scalar(kind: &FieldKind, value: ValueRef<'_>, builder: &mut Builder) -> Result<(), Fault> {
    match (builder, kind, value) {
        (Builder::Text(builder), kind, ValueRef::Text(text)) => {
            check_text(kind, text)?;
            builder.append_value(text);
        }
        (Builder::Bool(builder), _, ValueRef::Bool(value)) => builder.append_value(value),
        (Builder::Int(builder), FieldKind::Int { min, max }, ValueRef::Int(value)) => {
            builder.append_value(check_int(value, *min, *max)?)
        }
        (Builder::Int(_), FieldKind::Int { min, max }, ValueRef::BigInt(digits)) => {
            return Err(Fault::new(OUT_OF_RANGE, format!("{digits} is outside {min} to {max}")));
        }
        (Builder::Decimal(builder, _), FieldKind::Decimal { precision, scale }, value) => {
            builder.append_value(decimal(value, *precision, *scale)?)
        }
        (Builder::Date(builder), _, ValueRef::Date(days)) => builder.append_value(check_date(days)?),
        (Builder::Date(builder), _, ValueRef::Text(text)) => builder.append_value(parse_date(text)?),
        (Builder::Timestamp(builder), _, ValueRef::Timestamp(micros)) => builder.append_value(check_instant(micros)?),
        (Builder::Timestamp(builder), _, ValueRef::Text(text)) => builder.append_value(parse_instant(text)?),
        (Builder::Bytes(builder), FieldKind::Bytes { min, max }, ValueRef::Bytes(bytes)) => {
            check_bytes(bytes, *min, *max)?;
            builder.append_value(bytes);
        }
        (Builder::Bytes(builder), FieldKind::Bytes { min, max }, ValueRef::Text(text)) => {
            let bytes =
                STANDARD.decode(text).map_err(|_| Fault::new(BAD_FORMAT, "text for a bytes field is padded base64"))?;
            check_bytes(&bytes, *min, *max)?;
            builder.append_value(bytes);
        }
        (_, kind, value) => return Err(misfit(kind, value)),
    }
    Ok(())
}

fn decimal(value: ValueRef<'_>, precision: u8, scale: u8) -> Result<i128, Fault> {
    match value {
        ValueRef::Decimal(decimal) => check_decimal(decimal, precision, scale),
        ValueRef::Int(value) => check_decimal(Decimal::new(i128::from(value), 0), precision, scale),
        ValueRef::BigInt(digits) | ValueRef::Text(digits) => parse_decimal(digits, precision, scale),
        other => Err(misfit(&FieldKind::Decimal { precision, scale }, other)),
    }
}

/// A required value that is absent.
pub(super) fn missing(kind: &FieldKind) -> Fault {
    Fault::new(MISSING_FIELD, format!("the field is required; it takes {}", taken(kind)))
}

/// A value of another type, and what to send instead.
fn misfit(kind: &FieldKind, value: ValueRef<'_>) -> Fault {
    Fault::new(WRONG_TYPE, format!("the field takes {}; this is {}", taken(kind), value.kind()))
}

/// The values that a field takes, in words.
pub(super) fn taken(kind: &FieldKind) -> &'static str {
    match kind {
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
    }
}
