//! Columns: one per field, each with its presence and its values (FORMAT.md section 10, encoding 1).

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    StringArray, StructArray, UInt32Array, cast::AsArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Schema};

use super::integers::{self, Packed};
use super::reader::Reader;
use super::strings::{self, Strings};
use super::{CHUNK_ITEMS, ChunkHeader, CodecError, Encoding, decode_header};
use crate::limits::INT_MAX;
use crate::schema::check::{arrow_field, arrow_fields, arrow_type, item_field};
use crate::schema::module::{Field, FieldKind};

/// Days since 1970-01-01 of 0001-01-01 and 9999-12-31.
const DAYS: (i64, i64) = (-719_162, 2_932_896);
const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds since 1970 of the first and the last instant of those years.
const MICROS: (i64, i64) = (DAYS.0 * DAY_MICROS, (DAYS.1 + 1) * DAY_MICROS - 1);

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

/// The rows of a chunk of encoding 1, of the schema [`arrow_schema`](crate::schema::arrow_schema). With a projection only those columns, in the order in
/// which it names them; of the others nothing but the lengths is checked.
pub fn decode_columns(bytes: &[u8], fields: &[Field], projection: Option<&[usize]>) -> Result<RecordBatch, CodecError> {
    let (encoding, header, body) = decode_header(bytes)?;
    if encoding != Encoding::Columns {
        return Err(CodecError::new("the chunk has no columns"));
    }
    let rows = header.rows as usize;
    let mut reader = Reader::new(&bytes[body..]);
    let mut columns: Vec<Option<ArrayRef>> = Vec::with_capacity(fields.len());
    for (place, field) in fields.iter().enumerate() {
        columns.push(if projection.is_none_or(|wanted| wanted.contains(&place)) {
            Some(read_column(&mut reader, field, rows)?)
        } else {
            skip_column(&mut reader, field, rows)?;
            None
        });
    }
    reader.finish()?;
    let all: Vec<usize> = (0..fields.len()).collect();
    let (mut schema, mut arrays) = (Vec::new(), Vec::new());
    for &place in projection.unwrap_or(&all) {
        let (Some(field), Some(Some(array))) = (fields.get(place), columns.get(place)) else {
            return Err(CodecError::new("the projection names a column that is not there"));
        };
        schema.push(arrow_field(field));
        arrays.push(Arc::clone(array));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(schema)), arrays, &options).map_err(refused)
}

fn refused(error: ArrowError) -> CodecError {
    CodecError::new(match error {
        ArrowError::InvalidArgumentError(text) if text.contains("UTF-8") || text.contains("UTF8") => {
            "text is not UTF-8"
        }
        ArrowError::OffsetOverflowError(_) => "more than 2 GiB of strings",
        _ => "values do not fit the declared type",
    })
}

fn read_column(reader: &mut Reader<'_>, field: &Field, rows: usize) -> Result<ArrayRef, CodecError> {
    read_nullable(reader, field, rows).map_err(|error| error.within(&field.name))
}

fn read_nullable(reader: &mut Reader<'_>, field: &Field, rows: usize) -> Result<ArrayRef, CodecError> {
    let (nulls, present) = read_presence(reader, rows)?;
    let Some(nulls) = nulls else {
        return read_values(reader, &field.kind, rows);
    };
    if field.required {
        return Err(CodecError::new("a required value is missing"));
    }
    if present == 0 {
        return Ok(arrow_array::new_null_array(&arrow_type(&field.kind), rows));
    }
    let dense = read_values(reader, &field.kind, present)?;
    let mut next = 0;
    let places = nulls.iter().map(|valid| {
        next += u32::from(valid);
        next.saturating_sub(1)
    });
    let places = UInt32Array::new(places.collect(), Some(nulls));
    arrow_select::take::take(&dense, &places, None).map_err(refused)
}

/// Which of the rows have a value (`None`: all), and how many.
fn read_presence(reader: &mut Reader<'_>, rows: usize) -> Result<(Option<NullBuffer>, usize), CodecError> {
    match reader.u8()? {
        0 => Ok((None, rows)),
        1 => {
            let bits = BooleanBuffer::new(Buffer::from(reader.bitmap(rows)?), 0, rows);
            let present = bits.count_set_bits();
            if present == 0 || present == rows {
                return Err(CodecError::new("a bitmap where all rows are alike"));
            }
            Ok((Some(NullBuffer::new(bits)), present))
        }
        2 if rows > 0 => Ok((Some(NullBuffer::new_null(rows)), 0)),
        _ => Err(CodecError::new("unknown presence")),
    }
}

fn read_values(reader: &mut Reader<'_>, kind: &FieldKind, count: usize) -> Result<ArrayRef, CodecError> {
    Ok(match kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => {
            let (offsets, data) = strings::read(reader, count)?;
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(StringArray::try_new(offsets, data.into(), None).map_err(refused)?)
        }
        FieldKind::Bytes { .. } => {
            let (offsets, data) = strings::read(reader, count)?;
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(BinaryArray::try_new(offsets, data.into(), None).map_err(refused)?)
        }
        FieldKind::Bool => {
            let bits = Buffer::from(reader.bitmap(count)?);
            Arc::new(BooleanArray::new(BooleanBuffer::new(bits, 0, count), None))
        }
        FieldKind::Int { .. } => primitive::<Int64Type>(Packed::read(reader, count)?.i64s(-INT_MAX, INT_MAX)?, kind),
        FieldKind::Date => {
            let days = Packed::read(reader, count)?.i64s(DAYS.0, DAYS.1)?;
            primitive::<Date32Type>(days.into_iter().map(|day| day as i32).collect(), kind)
        }
        FieldKind::Timestamp => {
            let micros = Packed::read(reader, count)?.i64s(MICROS.0, MICROS.1)?;
            primitive::<TimestampMicrosecondType>(micros, kind)
        }
        FieldKind::Decimal { precision, .. } => {
            let bound = 10_i128.checked_pow((*precision).into()).unwrap_or(i128::MAX) - 1;
            primitive::<Decimal128Type>(Packed::read(reader, count)?.i128s(-bound, bound)?, kind)
        }
        FieldKind::List { item, max } => read_list(reader, item, *max, count)?,
        FieldKind::Struct(fields) => {
            let columns = fields.iter().map(|field| read_column(reader, field, count));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let declared = arrow_fields(fields);
            let array = StructArray::try_new_with_length(declared, columns, None, count);
            Arc::new(array.map_err(refused)?)
        }
    })
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, kind: &FieldKind) -> ArrayRef {
    let values = ScalarBuffer::from(values);
    Arc::new(PrimitiveArray::<T>::new(values, None).with_data_type(arrow_type(kind)))
}

fn read_list(reader: &mut Reader<'_>, item: &Field, max: usize, count: usize) -> Result<ArrayRef, CodecError> {
    let lengths = Packed::read(reader, count)?.i64s(0, max.min(CHUNK_ITEMS) as i64)?;
    let mut offsets: Vec<i32> = integers::reserve(count + 1)?;
    let mut end = 0;
    offsets.push(0);
    for length in lengths {
        end += length;
        if end > CHUNK_ITEMS as i64 {
            return Err(CodecError::new("too many items in one chunk"));
        }
        offsets.push(end as i32);
    }
    let items = read_column(reader, item, end as usize)?;
    let offsets = OffsetBuffer::new(offsets.into());
    let array = ListArray::try_new(item_field(item), offsets, items, None);
    Ok(Arc::new(array.map_err(refused)?))
}

fn skip_column(reader: &mut Reader<'_>, field: &Field, rows: usize) -> Result<(), CodecError> {
    let (_, count) = read_presence(reader, rows)?;
    if count == 0 && rows > 0 {
        return Ok(());
    }
    match &field.kind {
        FieldKind::Text { .. }
        | FieldKind::Enum(_)
        | FieldKind::Uuid
        | FieldKind::Fraction
        | FieldKind::Bytes { .. } => strings::skip(reader, count),
        FieldKind::Bool => reader.bitmap(count).map(drop),
        FieldKind::Int { .. } | FieldKind::Date | FieldKind::Timestamp | FieldKind::Decimal { .. } => {
            Packed::read(reader, count).map(drop)
        }
        FieldKind::List { item, .. } => {
            let items = Packed::read(reader, count)?.sum()?;
            if items > CHUNK_ITEMS {
                return Err(CodecError::new("too many items in one chunk"));
            }
            skip_column(reader, item, items)
        }
        FieldKind::Struct(fields) => fields.iter().try_for_each(|field| skip_column(reader, field, count)),
    }
}
