//! Checking input: from Arrow tables and dicts of any fitting shape to the typed columns of a record type.
//!
//! Both ways give the same columns, the same codes, and per row the same first reason: the least in the order of declared
//! fields, list items by index. Rows that fail keep their place, with placeholders.

mod arrow;
mod builder;
mod decimal;
mod failure;
mod instants;
mod nested;
mod scalars;
mod values;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit};

pub use arrow::from_arrow;
pub(crate) use values::Checker;
pub use values::from_values;

use super::error::RowFailure;
use super::module::{Field, FieldKind, RecordType};

/// Digits of every decimal column: what 128 bits hold. The precision of the field is checked apart.
pub(crate) const DECIMAL_COLUMN_DIGITS: u8 = 38;

/// Rows in typed columns, and what is wrong with some.
#[derive(Debug, Clone)]
pub struct Checked {
    /// All input rows, in the columns of [`arrow_schema()`]; rows that failed hold placeholders.
    pub rows: RecordBatch,
    /// Per failed row its first reason, sorted by row.
    pub failures: Vec<RowFailure>,
}

/// The typed columns of a record type, in declared order. Optional fields are nullable, required ones and list items are not.
pub fn arrow_schema(rt: &RecordType) -> SchemaRef {
    Arc::new(Schema::new(arrow_fields(&rt.fields)))
}

/// The Arrow fields of declared fields.
pub(crate) fn arrow_fields(fields: &[Field]) -> Fields {
    fields.iter().map(arrow_field).collect()
}

/// The Arrow field of a field: nullable unless it is required.
pub(crate) fn arrow_field(field: &Field) -> ArrowField {
    ArrowField::new(&field.name, arrow_type(&field.kind), !field.required)
}

/// The Arrow field of the items of a list: never null.
pub(crate) fn item_field(item: &Field) -> Arc<ArrowField> {
    Arc::new(ArrowField::new("item", arrow_type(&item.kind), false))
}

/// The Arrow type of a field.
pub(crate) fn arrow_type(kind: &FieldKind) -> DataType {
    match kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => DataType::Utf8,
        FieldKind::Bool => DataType::Boolean,
        FieldKind::Int { .. } => DataType::Int64,
        FieldKind::Decimal { scale, .. } => DataType::Decimal128(DECIMAL_COLUMN_DIGITS, *scale as i8),
        FieldKind::Date => DataType::Date32,
        FieldKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        FieldKind::Bytes { .. } => DataType::Binary,
        FieldKind::List { item, .. } => DataType::List(item_field(item)),
        FieldKind::Struct(fields) => DataType::Struct(arrow_fields(fields)),
    }
}

#[cfg(test)]
mod tests;
