//! Reading columns (FORMAT.md section 10, encoding 1): whole chunks, or single rows of them, one after another into one batch.
//!
//! A chunk that is read whole is checked to be what the encoder would have written. Of one that is read in part only what is taken is
//! checked: single rows are read by the thousand, and an audit reads everything.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray,
    StructArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use super::integers::Packed;
use super::reader::Reader;
use super::strings;
use super::{CHUNK_ITEMS, CodecError, Encoding, StoredChunk};
use crate::limits::INT_MAX;
use crate::schema::check::{arrow_field, arrow_fields, arrow_type, item_field};
use crate::schema::module::{Field, FieldKind};

/// Days since 1970-01-01 of 0001-01-01 and 9999-12-31.
const DAYS: (i64, i64) = (-719_162, 2_932_896);
const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds since 1970 of the first and the last instant of those years.
const MICROS: (i64, i64) = (DAYS.0 * DAY_MICROS, (DAYS.1 + 1) * DAY_MICROS - 1);

/// Rows of chunks of one type and version, gathered into one batch. Its fields are the caller's to keep, and the same for every call.
pub struct Gather {
    schema: SchemaRef,
    /// For each field of the type, the column if it is wanted.
    columns: Vec<Option<Gathered>>,
    /// Positions of the wanted fields, in the order asked for.
    order: Vec<usize>,
    rows: usize,
}

/// A column so far.
struct Gathered {
    /// `None`: every value so far is there.
    present: Option<Vec<bool>>,
    len: usize,
    values: Values,
}

/// Values so far; an absent one takes a place.
enum Values {
    /// Text, enum, uuid; and bytes.
    Strings {
        offsets: Vec<i32>,
        data: Vec<u8>,
        is_text: bool,
    },
    Bools(Vec<bool>),
    /// Int and timestamp.
    I64(Vec<i64>),
    Dates(Vec<i32>),
    Decimals(Vec<i128>),
    List {
        offsets: Vec<i32>,
        items: Box<Gathered>,
    },
    Struct(Vec<Gathered>),
}

/// Which values of a column are taken: all, or those at these places, ascending.
type Taken<'a> = Option<&'a [u32]>;

/// The rows of a chunk of encoding 1, of the schema [`arrow_schema`](crate::schema::arrow_schema). With a projection only those columns, in the order in
/// which it names them; of the others nothing but the lengths is checked.
pub fn decode_columns(
    chunk: &StoredChunk<'_>,
    fields: &[Field],
    projection: Option<&[usize]>,
) -> Result<RecordBatch, CodecError> {
    let mut gather = Gather::new(fields, projection)?;
    gather.append(fields, chunk, None)?;
    gather.finish(fields)
}

impl Gather {
    /// Nothing yet. `projection`: the fields wanted, in this order; `None`: all.
    pub fn new(fields: &[Field], projection: Option<&[usize]>) -> Result<Self, CodecError> {
        let order: Vec<usize> = projection.map_or_else(|| (0..fields.len()).collect(), <[usize]>::to_vec);
        if order.iter().any(|place| *place >= fields.len()) {
            return Err(CodecError::new("the projection names a column that is not there"));
        }
        let wanted = |place: &usize| order.contains(place);
        let columns =
            fields.iter().enumerate().map(|(place, field)| wanted(&place).then(|| Gathered::new(&field.kind)));
        let schema = Arc::new(Schema::new(order.iter().map(|&place| arrow_field(&fields[place])).collect::<Vec<_>>()));
        Ok(Gather { columns: columns.collect(), schema, order, rows: 0 })
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends the rows of a chunk: all, or those at these places, which ascend. After an error nothing of it is of use.
    pub fn append(
        &mut self,
        fields: &[Field],
        chunk: &StoredChunk<'_>,
        places: Option<&[u32]>,
    ) -> Result<(), CodecError> {
        if chunk.encoding != Encoding::Columns {
            return Err(CodecError::new("the chunk has no columns"));
        }
        let rows = chunk.rows as usize;
        if places.is_some_and(|places| places.last().is_some_and(|last| *last as usize >= rows)) {
            return Err(CodecError::new("the chunk has fewer rows"));
        }
        let mut reader = Reader::new(chunk.body);
        for (field, column) in fields.iter().zip(&mut self.columns) {
            match column {
                Some(column) => column.append(&mut reader, field, rows, places)?,
                None => skip_column(&mut reader, field, rows)?,
            }
        }
        reader.finish()?;
        self.rows += places.map_or(rows, <[u32]>::len);
        Ok(())
    }

    /// The rows.
    pub fn finish(mut self, fields: &[Field]) -> Result<RecordBatch, CodecError> {
        let mut arrays: Vec<Option<ArrayRef>> = Vec::with_capacity(self.columns.len());
        for (field, column) in fields.iter().zip(&mut self.columns) {
            let finished = column.take().map(|column| column.finish(&field.kind));
            arrays.push(finished.transpose().map_err(|error| error.within(&field.name))?);
        }
        let arrays: Option<Vec<ArrayRef>> = self.order.iter().map(|&place| arrays[place].clone()).collect();
        let arrays = arrays.ok_or(CodecError::new("the projection names a column that is not there"))?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.schema, arrays, &options).map_err(refused)
    }
}

impl Gathered {
    fn new(kind: &FieldKind) -> Self {
        let strings = |is_text| Values::Strings { offsets: vec![0], data: Vec::new(), is_text };
        let values = match kind {
            FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => strings(true),
            FieldKind::Bytes { .. } => strings(false),
            FieldKind::Bool => Values::Bools(Vec::new()),
            FieldKind::Int { .. } | FieldKind::Timestamp => Values::I64(Vec::new()),
            FieldKind::Date => Values::Dates(Vec::new()),
            FieldKind::Decimal { .. } => Values::Decimals(Vec::new()),
            FieldKind::List { item, .. } => {
                Values::List { offsets: vec![0], items: Box::new(Gathered::new(&item.kind)) }
            }
            FieldKind::Struct(fields) => {
                Values::Struct(fields.iter().map(|field| Gathered::new(&field.kind)).collect())
            }
        };
        Gathered { present: None, len: 0, values }
    }

    /// Appends values of the column that the reader is at, which has `count` of them.
    fn append(
        &mut self,
        reader: &mut Reader<'_>,
        field: &Field,
        count: usize,
        taken: Taken<'_>,
    ) -> Result<(), CodecError> {
        self.append_nullable(reader, field, count, taken).map_err(|error| error.within(&field.name))
    }

    fn append_nullable(
        &mut self,
        reader: &mut Reader<'_>,
        field: &Field,
        count: usize,
        taken: Taken<'_>,
    ) -> Result<(), CodecError> {
        let added = taken.map_or(count, <[u32]>::len);
        let (presence, present_count) = read_presence(reader, count)?;
        if !matches!(presence, Presence::All) && field.required {
            return Err(CodecError::new("a required value is missing"));
        }
        match presence {
            Presence::All => {
                self.append_values(reader, &field.kind, count, taken)?;
                if let Some(present) = &mut self.present {
                    present.resize(self.len + added, true);
                }
            }
            Presence::None => self.append_absent(added),
            Presence::Some(bits) => {
                let start = self.len;
                let is_set = |place: usize| bits[place / 8] >> (place % 8) & 1 == 1;
                let (mask, ranks) = match taken {
                    None => ((0..count).map(is_set).collect::<Vec<bool>>(), None),
                    Some(places) => {
                        let (mask, ranks) = ranks(places, is_set);
                        (mask, Some(ranks))
                    }
                };
                self.append_values(reader, &field.kind, present_count, ranks.as_deref())?;
                self.values.spread(start, &mask);
                self.present.get_or_insert_with(|| vec![true; start]).extend_from_slice(&mask);
            }
        }
        self.len += added;
        Ok(())
    }

    fn append_absent(&mut self, added: usize) {
        self.present.get_or_insert_with(|| vec![true; self.len]).resize(self.len + added, false);
        self.values.spread(self.len, &vec![false; added]);
    }

    fn append_values(
        &mut self,
        reader: &mut Reader<'_>,
        kind: &FieldKind,
        count: usize,
        taken: Taken<'_>,
    ) -> Result<(), CodecError> {
        match (&mut self.values, kind) {
            (Values::Strings { offsets, data, .. }, _) => strings::append(reader, count, taken, offsets, data),
            (Values::Bools(values), _) => {
                let bits = reader.bitmap(count)?;
                let is_set = |place: usize| bits[place / 8] >> (place % 8) & 1 == 1;
                match taken {
                    None => values.extend((0..count).map(is_set)),
                    Some(places) => values.extend(places.iter().map(|place| is_set(*place as usize))),
                }
                Ok(())
            }
            (Values::I64(values), FieldKind::Timestamp) => {
                Packed::read(reader, count)?.append_i64s(MICROS.0, MICROS.1, taken, values)
            }
            (Values::I64(values), _) => Packed::read(reader, count)?.append_i64s(-INT_MAX, INT_MAX, taken, values),
            (Values::Dates(values), _) => {
                let mut days = Vec::new();
                Packed::read(reader, count)?.append_i64s(DAYS.0, DAYS.1, taken, &mut days)?;
                values.extend(days.into_iter().map(|day| day as i32));
                Ok(())
            }
            (Values::Decimals(values), FieldKind::Decimal { precision, .. }) => {
                let bound = 10_i128.checked_pow((*precision).into()).unwrap_or(i128::MAX) - 1;
                Packed::read(reader, count)?.append_i128s(-bound, bound, taken, values)
            }
            (Values::List { offsets, items }, FieldKind::List { item, max }) => {
                append_list(reader, (item, *max), count, taken, offsets, items)
            }
            (Values::Struct(columns), FieldKind::Struct(fields)) => {
                let mut columns = fields.iter().zip(columns);
                columns.try_for_each(|(field, column)| column.append(reader, field, count, taken))
            }
            _ => Err(CodecError::new("values do not fit the declared type")),
        }
    }

    fn finish(self, kind: &FieldKind) -> Result<ArrayRef, CodecError> {
        let nulls = self.present.map(|present| NullBuffer::new(BooleanBuffer::from(present)));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        Ok(match (self.values, kind) {
            (Values::Strings { offsets, data, is_text }, _) => {
                let offsets = OffsetBuffer::new(offsets.into());
                if is_text {
                    Arc::new(StringArray::try_new(offsets, data.into(), nulls).map_err(refused)?)
                } else {
                    Arc::new(BinaryArray::try_new(offsets, data.into(), nulls).map_err(refused)?)
                }
            }
            (Values::Bools(values), _) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            (Values::I64(values), FieldKind::Timestamp) => primitive::<TimestampMicrosecondType>(values, nulls, kind),
            (Values::I64(values), _) => primitive::<Int64Type>(values, nulls, kind),
            (Values::Dates(values), _) => primitive::<Date32Type>(values, nulls, kind),
            (Values::Decimals(values), _) => primitive::<Decimal128Type>(values, nulls, kind),
            (Values::List { offsets, items }, FieldKind::List { item, .. }) => {
                let items = items.finish(&item.kind).map_err(|error| error.within(&item.name))?;
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(ListArray::try_new(item_field(item), offsets, items, nulls).map_err(refused)?)
            }
            (Values::Struct(columns), FieldKind::Struct(fields)) => {
                let columns = columns.into_iter().zip(fields);
                let columns = columns
                    .map(|(column, field)| column.finish(&field.kind).map_err(|error| error.within(&field.name)))
                    .collect::<Result<Vec<_>, _>>()?;
                let array = StructArray::try_new_with_length(arrow_fields(fields), columns, nulls, self.len);
                Arc::new(array.map_err(refused)?)
            }
            _ => return Err(CodecError::new("values do not fit the declared type")),
        })
    }
}

impl Values {
    /// Makes room for absent values among those from `start` on: `present` has one item for each place there is afterwards.
    fn spread(&mut self, start: usize, present: &[bool]) {
        match self {
            Values::Strings { offsets, .. } => spread_offsets(offsets, start, present),
            Values::Bools(values) => spread_values(values, start, present),
            Values::I64(values) => spread_values(values, start, present),
            Values::Dates(values) => spread_values(values, start, present),
            Values::Decimals(values) => spread_values(values, start, present),
            Values::List { offsets, .. } => spread_offsets(offsets, start, present),
            Values::Struct(columns) => columns.iter_mut().for_each(|column| {
                column.values.spread(start, present);
                let known = column.present.get_or_insert_with(|| vec![true; column.len]);
                spread_values(known, start, present);
                column.len = start + present.len();
            }),
        }
    }
}

/// Which of the places have a value, and the numbers of those values among all that are there.
fn ranks(places: &[u32], is_set: impl Fn(usize) -> bool) -> (Vec<bool>, Vec<u32>) {
    let (mut mask, mut ranks) = (Vec::with_capacity(places.len()), Vec::new());
    let (mut rank, mut place) = (0, 0);
    for &wanted in places {
        let wanted = wanted as usize;
        rank += (place..wanted).filter(|place| is_set(*place)).count() as u32;
        place = wanted;
        mask.push(is_set(wanted));
        if is_set(wanted) {
            ranks.push(rank);
        }
    }
    (mask, ranks)
}

fn spread_values<T: Copy + Default>(values: &mut Vec<T>, start: usize, present: &[bool]) {
    let mut from = values.len();
    values.resize(start + present.len(), T::default());
    for (place, _) in present.iter().enumerate().rev().filter(|(_, present)| **present) {
        from -= 1;
        values[start + place] = values[from];
    }
    for (place, _) in present.iter().enumerate().filter(|(_, present)| !**present) {
        values[start + place] = T::default();
    }
}

/// An absent value is empty: it ends where the one before ends.
fn spread_offsets(offsets: &mut Vec<i32>, start: usize, present: &[bool]) {
    let ends = offsets.split_off(start + 1);
    let mut end = offsets[start];
    let mut next = ends.into_iter();
    offsets.extend(present.iter().map(|present| {
        if *present {
            end = next.next().unwrap_or(end);
        }
        end
    }));
}

fn append_list(
    reader: &mut Reader<'_>,
    (item, max): (&Field, usize),
    count: usize,
    taken: Taken<'_>,
    offsets: &mut Vec<i32>,
    items: &mut Gathered,
) -> Result<(), CodecError> {
    let too_many = CodecError::new("too many items in one chunk");
    let mut lengths = Vec::new();
    Packed::read(reader, count)?.append_i64s(0, max.min(CHUNK_ITEMS) as i64, None, &mut lengths)?;
    let total: i64 = lengths.iter().sum();
    if total > CHUNK_ITEMS as i64 || items.len + total as usize > i32::MAX as usize {
        return Err(too_many);
    }
    let mut end = offsets.last().copied().unwrap_or(0);
    let mut add = |length: i64| {
        end += length as i32;
        offsets.push(end);
    };
    match taken {
        None => {
            lengths.iter().for_each(|length| add(*length));
            items.append(reader, item, total as usize, None)
        }
        Some(places) => {
            let mut wanted: Vec<u32> = Vec::new();
            let (mut start, mut place) = (0_i64, 0);
            for &row in places {
                start += lengths[place..row as usize].iter().sum::<i64>();
                place = row as usize;
                wanted.extend(start as u32..(start + lengths[place]) as u32);
                add(lengths[place]);
            }
            items.append(reader, item, total as usize, Some(&wanted))
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>, kind: &FieldKind) -> ArrayRef {
    let values = ScalarBuffer::from(values);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(arrow_type(kind)))
}

/// Which rows of a column have a value.
enum Presence<'a> {
    All,
    Some(&'a [u8]),
    None,
}

/// Which of the rows have a value, and how many.
fn read_presence<'a>(reader: &mut Reader<'a>, rows: usize) -> Result<(Presence<'a>, usize), CodecError> {
    match reader.u8()? {
        0 => Ok((Presence::All, rows)),
        1 => {
            let bits = reader.bitmap(rows)?;
            let present = bits.iter().map(|byte| byte.count_ones() as usize).sum();
            if present == 0 || present == rows {
                return Err(CodecError::new("a bitmap where all rows are alike"));
            }
            Ok((Presence::Some(bits), present))
        }
        2 if rows > 0 => Ok((Presence::None, 0)),
        _ => Err(CodecError::new("unknown presence")),
    }
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
