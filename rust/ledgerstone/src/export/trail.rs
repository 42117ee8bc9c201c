//! The columns of the audit trail.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use ledgerstone_verify::hash::Hash;

use crate::model::RowId;
use crate::schema::RecordType;

/// What a trail row says of its transaction.
#[derive(Clone, Debug)]
pub(crate) struct TransactionFacts {
    pub(crate) author: String,
    /// Ledger time and the author's time, microseconds since 1970 UTC.
    pub(crate) time: i64,
    pub(crate) signed: i64,
}

/// One row of the trail apart from the record's own fields.
#[derive(Clone, Debug)]
pub(crate) struct TrailRow {
    pub(crate) row: RowId,
    /// The record's type; `None` where its bytes were not kept.
    pub(crate) record_type: Option<Arc<RecordType>>,
    pub(crate) leaf: Hash,
    pub(crate) outcome: &'static str,
    pub(crate) code: Option<String>,
    /// The position of the signed record that caused this one; `None` where it was signed itself.
    pub(crate) cause: Option<u32>,
}

/// The schema: who, when, where and what became of it, then the fields.
pub(crate) fn trail_schema(fields: &[Arc<Field>]) -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut columns: Vec<Arc<Field>> = [
        Field::new("_index", DataType::UInt64, false),
        Field::new("_position", DataType::UInt32, false),
        Field::new("_time", time(), false),
        Field::new("_signed", time(), false),
        Field::new("_author", DataType::Utf8, false),
        Field::new("_type", DataType::Utf8, true),
        Field::new("_version", DataType::UInt64, true),
        Field::new("_leaf", DataType::FixedSizeBinary(32), false),
        Field::new("_outcome", DataType::Utf8, false),
        Field::new("_code", DataType::Utf8, true),
        Field::new("_cause", DataType::UInt32, true),
    ]
    .into_iter()
    .map(Arc::new)
    .collect();
    columns.extend(fields.iter().cloned());
    Arc::new(Schema::new(columns))
}

/// Rows of the trail, with the columns of the records' own fields behind them.
pub(crate) fn trail_batch<'a>(
    schema: &SchemaRef,
    rows: &'a [TrailRow],
    fact: &dyn Fn(&'a TrailRow) -> &'a TransactionFacts,
    fields: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let mut authors = StringBuilder::new();
    let mut types = StringBuilder::new();
    let mut outcomes = StringBuilder::new();
    let mut codes = StringBuilder::new();
    let mut leaves = FixedSizeBinaryBuilder::with_capacity(rows.len(), 32);
    for row in rows {
        authors.append_value(&fact(row).author);
        types.append_option(row.record_type.as_ref().map(|declared| &declared.name));
        outcomes.append_value(row.outcome);
        codes.append_option(row.code.as_deref());
        leaves.append_value(row.leaf)?;
    }
    let times = |micros: fn(&TransactionFacts) -> i64| {
        TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| micros(fact(row)))).with_timezone("UTC")
    };
    let versions: UInt64Array =
        rows.iter().map(|row| row.record_type.as_ref().map(|declared| declared.version)).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row.index))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.row.position))),
        Arc::new(times(|facts| facts.time)),
        Arc::new(times(|facts| facts.signed)),
        Arc::new(authors.finish()),
        Arc::new(types.finish()),
        Arc::new(versions),
        Arc::new(leaves.finish()),
        Arc::new(outcomes.finish()),
        Arc::new(codes.finish()),
        Arc::new(rows.iter().map(|row| row.cause).collect::<UInt32Array>()),
    ];
    columns.extend(fields);
    RecordBatch::try_new(schema.clone(), columns)
}
