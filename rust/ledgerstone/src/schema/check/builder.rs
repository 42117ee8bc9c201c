//! Typed columns built value by value.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::{DECIMAL_COLUMN_DIGITS, arrow_fields, item_field};
use crate::schema::module::{Field, FieldKind};

/// A column being built. A placeholder goes where a required value is missing, so that the column keeps its shape.
pub(super) enum Builder {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Decimal(Decimal128Builder, i8),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Bytes(BinaryBuilder),
    List { offsets: Vec<i32>, valid: Vec<bool>, items: Box<Builder>, item: Box<Field> },
    Struct { valid: Vec<bool>, members: Vec<Builder>, fields: Vec<Field> },
}

impl Builder {
    pub(super) fn new(kind: &FieldKind) -> Self {
        match kind {
            FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => {
                Builder::Text(StringBuilder::new())
            }
            FieldKind::Bool => Builder::Bool(BooleanBuilder::new()),
            FieldKind::Int { .. } => Builder::Int(Int64Builder::new()),
            FieldKind::Decimal { scale, .. } => Builder::Decimal(Decimal128Builder::new(), *scale as i8),
            FieldKind::Date => Builder::Date(Date32Builder::new()),
            FieldKind::Timestamp => Builder::Timestamp(TimestampMicrosecondBuilder::new()),
            FieldKind::Bytes { .. } => Builder::Bytes(BinaryBuilder::new()),
            FieldKind::List { item, .. } => Builder::List {
                offsets: vec![0],
                valid: Vec::new(),
                items: Box::new(Builder::new(&item.kind)),
                item: item.clone(),
            },
            FieldKind::Struct(fields) => {
                let members = fields.iter().map(|field| Builder::new(&field.kind)).collect();
                Builder::Struct { valid: Vec::new(), members, fields: fields.clone() }
            }
        }
    }

    /// Appends no value: null where the field is optional, a placeholder where it is required.
    pub(super) fn absent(&mut self, required: bool) {
        match self {
            Builder::Text(builder) => builder.append_option((required).then_some("")),
            Builder::Bool(builder) => builder.append_option(required.then_some(false)),
            Builder::Int(builder) => builder.append_option(required.then_some(0)),
            Builder::Decimal(builder, _) => builder.append_option(required.then_some(0)),
            Builder::Date(builder) => builder.append_option(required.then_some(0)),
            Builder::Timestamp(builder) => builder.append_option(required.then_some(0)),
            Builder::Bytes(builder) => builder.append_option(required.then_some(b"".as_slice())),
            Builder::List { offsets, valid, .. } => {
                offsets.push(offsets.last().copied().unwrap_or_default());
                valid.push(required);
            }
            Builder::Struct { valid, members, fields } => {
                valid.push(required);
                members.iter_mut().zip(fields).for_each(|(member, field)| member.absent(field.required));
            }
        }
    }

    /// The column; without a null where the field is required.
    pub(super) fn finish(self, required: bool) -> ArrayRef {
        let nulls =
            |valid: Vec<bool>| Some(NullBuffer::from(valid)).filter(|nulls| !required && nulls.null_count() > 0);
        match self {
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Bool(mut builder) => Arc::new(builder.finish()),
            Builder::Int(mut builder) => Arc::new(builder.finish()),
            Builder::Decimal(mut builder, scale) => Arc::new(super::decimal::typed(builder.finish(), scale)),
            Builder::Date(mut builder) => Arc::new(builder.finish()),
            Builder::Timestamp(mut builder) => Arc::new(builder.finish().with_timezone("UTC")),
            Builder::Bytes(mut builder) => Arc::new(builder.finish()),
            Builder::List { offsets, valid, items, item } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(item_field(&item), offsets, items.finish(true), nulls(valid)))
            }
            Builder::Struct { valid, members, fields } => {
                let length = valid.len();
                let columns: Vec<ArrayRef> =
                    members.into_iter().zip(&fields).map(|(member, field)| member.finish(field.required)).collect();
                let nulls = nulls(valid);
                let built = StructArray::try_new_with_length(arrow_fields(&fields), columns, nulls, length);
                // The columns were built to the declared fields above.
                Arc::new(built.expect("columns of the declared fields"))
            }
        }
    }
}

/// Decimal digits of every typed column.
pub(super) const DIGITS: u8 = DECIMAL_COLUMN_DIGITS;
