//! Writing columns: one per field, each with its presence and its values (FORMAT.md section 10, encoding 1).

use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, RecordBatch, cast::AsArray};
use arrow_buffer::BooleanBuffer;

use super::integers;
use super::strings::{self, Strings};
use super::{CHUNK_ITEMS, ChunkHeader, Encoding};
use crate::schema::module::{Field, FieldKind};

/// A chunk of encoding 1. The batch has one column per field, of the types of [`arrow_schema`](crate::schema::arrow_schema); names do not matter, and its
/// arrays may be slices.
///
/// # Panics
/// Where header, fields and batch do not belong together (a mistake of the caller).
pub fn encode_columns(header: &ChunkHeader, fields: &[Field], batch: &RecordBatch) -> Vec<u8> {
    assert_eq!(header.rows as usize, batch.num_rows(), "rows of the header and of the batch");
    assert_eq!(fields.len(), batch.num_columns(), "fields of the type and columns of the batch");
    let mut out = Vec::with_capacity(1024 + batch.num_rows() * fields.len() * 8);
    header.write(Encoding::Columns, &mut out);
    for (field, array) in fields.iter().zip(batch.columns()) {
        put_column(&mut out, &field.kind, array);
    }
    out
}

fn put_column(out: &mut Vec<u8>, kind: &FieldKind, array: &ArrayRef) {
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        out.push(0);
        return put_values(out, kind, array);
    };
    if nulls.null_count() == array.len() {
        return out.push(2);
    }
    out.push(1);
    put_bitmap(out, nulls.inner());
    // What is left has no nulls, nor anything that they hid.
    let present = BooleanArray::new(nulls.inner().clone(), None);
    let dense = arrow_select::filter::filter(array, &present).expect("a mask of the same length");
    put_values(out, kind, &dense);
}

fn put_bitmap(out: &mut Vec<u8>, bits: &BooleanBuffer) {
    let start = out.len();
    out.extend_from_slice(&bits.sliced()[..bits.len().div_ceil(8)]);
    if !bits.len().is_multiple_of(8)
        && let Some(last) = out[start..].last_mut()
    {
        *last &= (1 << (bits.len() % 8)) - 1;
    }
}

fn put_values(out: &mut Vec<u8>, kind: &FieldKind, array: &ArrayRef) {
    match kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => {
            let array = array.as_string::<i32>();
            strings::put(out, Strings { offsets: array.value_offsets(), data: array.value_data() });
        }
        FieldKind::Bytes { .. } => {
            let array = array.as_binary::<i32>();
            strings::put(out, Strings { offsets: array.value_offsets(), data: array.value_data() });
        }
        FieldKind::Bool => put_bitmap(out, array.as_boolean().values()),
        FieldKind::Int { .. } => integers::put_i64(out, array.as_primitive::<Int64Type>().values()),
        FieldKind::Date => {
            let days = array.as_primitive::<Date32Type>().values();
            integers::put_i64(out, &days.iter().map(|day| i64::from(*day)).collect::<Vec<_>>());
        }
        FieldKind::Timestamp => {
            integers::put_i64(out, array.as_primitive::<TimestampMicrosecondType>().values());
        }
        FieldKind::Decimal { .. } => {
            integers::put_i128(out, array.as_primitive::<Decimal128Type>().values());
        }
        FieldKind::List { item, .. } => put_list(out, item, array.as_list::<i32>()),
        FieldKind::Struct(fields) => {
            let columns = array.as_struct().columns();
            assert_eq!(fields.len(), columns.len(), "fields of a struct and its columns");
            fields.iter().zip(columns).for_each(|(field, column)| put_column(out, &field.kind, column));
        }
    }
}

fn put_list(out: &mut Vec<u8>, item: &Field, array: &ListArray) {
    let offsets = array.value_offsets();
    let lengths = offsets.windows(2).map(|pair| i64::from(pair[1] - pair[0]));
    integers::put_i64(out, &lengths.collect::<Vec<_>>());
    let (first, last) = (offsets[0] as usize, offsets[array.len()] as usize);
    assert!(last - first <= CHUNK_ITEMS, "a chunk holds at most {CHUNK_ITEMS} items of a list");
    put_column(out, &item.kind, &array.values().slice(first, last - first));
}
