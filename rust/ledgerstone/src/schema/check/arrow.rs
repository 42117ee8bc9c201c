//! Tables: Arrow arrays of any fitting type, cast to typed columns. What is already right is taken over without a copy.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Date64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt64Array,
};
use arrow_cast::cast;
use arrow_schema::DataType;
use arrow_select::take::take;

use super::failure::{Failures, Fault};
use super::nested::{self, Scope};
use super::scalars::{check_bytes, check_date, check_int, check_text, parse_date, too_long};
use super::values::{missing, taken};
use super::{Checked, arrow_schema, decimal, instants};
use crate::codes;
use crate::schema::error::{NOT_EXACT, OUT_OF_RANGE, TableError, suggestion};
use crate::schema::module::{Field, FieldKind, RecordType};

/// Checks the rows of a table, columns by name.
///
/// An error means that no row of the table can be a record of the type; the reasons of single rows are in the result.
pub fn from_arrow(rt: &RecordType, batch: &RecordBatch) -> Result<Checked, TableError> {
    let schema = batch.schema_ref();
    let mut seen: Vec<&str> = Vec::with_capacity(schema.fields().len());
    for column in schema.fields() {
        if rt.field(column.name()).is_none() {
            let names: Vec<&str> = rt.fields.iter().map(|field| field.name.as_str()).collect();
            let near = match suggestion(column.name(), names.iter().copied()) {
                near if near.is_empty() => "; it has".to_owned(),
                near => format!("{near} It has"),
            };
            return Err(TableError::new(
                codes::UNKNOWN_COLUMN,
                column.name(),
                format!("{} has no field \"{}\"{near} {}", rt.name, column.name(), names.join(", ")),
            ));
        }
        if seen.contains(&column.name().as_str()) {
            return Err(TableError::new(
                codes::DUPLICATE_COLUMN,
                column.name(),
                format!("there are two columns \"{}\"", column.name()),
            ));
        }
        seen.push(column.name());
    }
    let mut failures = Failures::default();
    let scope = Scope::top(batch.num_rows());
    let columns = batch.columns();
    let named =
        |name: &str| schema.fields().iter().position(|column| column.name() == name).map(|position| &columns[position]);
    let typed = convert_fields(&rt.fields, &named, &scope, &mut failures)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let rows = RecordBatch::try_new_with_options(arrow_schema(rt), typed, &options);
    let rows = rows.map_err(|error| {
        TableError::new(codes::WRONG_COLUMN_TYPE, "", format!("the table is not well-formed: {error}"))
    })?;
    Ok(Checked { rows, failures: failures.sorted() })
}

/// Typed columns of declared fields; a column that is not there is absent.
pub(super) fn convert_fields<'b>(
    fields: &[Field],
    named: &dyn Fn(&str) -> Option<&'b ArrayRef>,
    scope: &Scope<'_>,
    failures: &mut Failures,
) -> Result<Vec<ArrayRef>, TableError> {
    let mut typed = Vec::with_capacity(fields.len());
    for (position, field) in fields.iter().enumerate() {
        let here = scope.field(position, &field.name);
        typed.push(match named(&field.name) {
            Some(array) => convert(field, array, &here, failures)?,
            None if field.required => {
                let message =
                    format!("the required column \"{}\" is missing; it takes {}", here.path(), taken(&field.kind));
                return Err(TableError::new(codes::MISSING_COLUMN, here.path(), message));
            }
            None => nested::absent(&field.kind, scope.len()),
        });
    }
    Ok(typed)
}

/// A typed column out of an array of any fitting type.
pub(super) fn convert(
    field: &Field,
    array: &ArrayRef,
    here: &Scope<'_>,
    failures: &mut Failures,
) -> Result<ArrayRef, TableError> {
    let array = &unpacked(array).map_err(|error| misfit(field, array.data_type(), here, &error))?;
    let missing = || missing(&field.kind);
    if *array.data_type() == DataType::Null {
        if field.required {
            here.note_all(|_| true, missing, failures);
            return Ok(nested::placeholders(&field.kind, array.len()));
        }
        return Ok(nested::absent(&field.kind, array.len()));
    }
    if field.required && array.null_count() > 0 {
        here.note_all(|index| array.is_null(index), missing, failures);
    }
    let typed = match &field.kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => {
            text(&field.kind, array, here, failures)
        }
        FieldKind::Bool => (*array.data_type() == DataType::Boolean).then(|| Arc::clone(array)),
        FieldKind::Int { min, max } => int(array, *min, *max, here, failures),
        FieldKind::Decimal { precision, scale } => {
            let array = &plain_text(array);
            let converted =
                decimal::convert(array, *precision, *scale, &mut |index, fault| here.note(index, fault, failures));
            converted.map(|typed| Arc::new(typed) as ArrayRef)
        }
        FieldKind::Date => date(array, here, failures),
        FieldKind::Timestamp => {
            instants::convert(&plain_text(array), &mut |index, fault| here.note(index, fault, failures))
        }
        FieldKind::Bytes { min, max } => bytes(array, (*min, *max), here, failures),
        FieldKind::List { item, max } => {
            return nested::list(field, item, *max, array, here, failures);
        }
        FieldKind::Struct(fields) => {
            return nested::structure(field, fields, array, here, failures);
        }
    };
    let typed = typed.ok_or_else(|| misfit(field, array.data_type(), here, ""))?;
    Ok(if field.required { without_nulls(typed) } else { typed })
}

/// Dictionaries and runs, as what they stand for.
fn unpacked(array: &ArrayRef) -> Result<ArrayRef, String> {
    let plain = match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        _ => return Ok(Arc::clone(array)),
    };
    cast(array, &plain).map_err(|error| error.to_string())
}

/// Text of any width as the narrow one; other arrays as they are.
fn plain_text(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8).unwrap_or_else(|_| Arc::clone(array)),
        _ => Arc::clone(array),
    }
}

/// The values of a column of texts or bytes, without those that are longer than `max`, which are noted: the narrow column types hold no
/// more than two gigabytes in all, and one value can have as many.
fn short(array: &ArrayRef, what: (&str, usize), here: &Scope<'_>, failures: &mut Failures) -> Option<ArrayRef> {
    let (kind, max) = what;
    let length = |index: usize| match array.data_type() {
        DataType::LargeUtf8 => array.as_string::<i64>().value_length(index) as usize,
        DataType::LargeBinary => array.as_binary::<i64>().value_length(index) as usize,
        DataType::Utf8View => array.as_string_view().value(index).len(),
        DataType::BinaryView => array.as_binary_view().value(index).len(),
        _ => 0,
    };
    let is_over = |index: usize| array.is_valid(index) && length(index) > max;
    for index in (0..array.len()).filter(|index| is_over(*index)) {
        here.note(index, too_long(kind, length(index), "bytes", max), failures);
    }
    let kept: UInt64Array = (0..array.len()).map(|index| (!is_over(index)).then_some(index as u64)).collect();
    take(array, &kept, None).ok()
}

/// The array without its null bitmap: what stood under it are placeholders of rows that failed.
fn without_nulls(array: ArrayRef) -> ArrayRef {
    if array.null_count() == 0 {
        return array;
    }
    let built = array.to_data().into_builder().nulls(None).build();
    built.map_or(array, arrow_array::make_array)
}

pub(super) fn misfit(field: &Field, given: &DataType, here: &Scope<'_>, detail: &str) -> TableError {
    let fits = match &field.kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid | FieldKind::Fraction => {
            "a text field takes strings"
        }
        FieldKind::Bool => "a bool field takes booleans",
        FieldKind::Int { .. } if given.is_floating() => {
            "an int field takes no floating point: cast the column to an integer type"
        }
        FieldKind::Int { .. } => "an int field takes integers",
        FieldKind::Decimal { .. } if given.is_floating() => {
            "a decimal field takes no floating point: cast the column to decimal or to string"
        }
        FieldKind::Decimal { .. } => "a decimal field takes decimals, integers or strings",
        FieldKind::Date => "a date field takes dates, or strings YYYY-MM-DD: cast the column to date",
        FieldKind::Timestamp if matches!(given, DataType::Timestamp(_, None)) => {
            "a timestamp field takes instants: say which time zone the column is in (UTC where you do not know better)"
        }
        FieldKind::Timestamp => {
            "a timestamp field takes timestamps with a time zone, or strings of RFC 3339 with an offset"
        }
        FieldKind::Bytes { .. } => "a bytes field takes binary",
        FieldKind::List { .. } => "a list field takes lists",
        FieldKind::Struct(_) => "a struct field takes structs",
    };
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    TableError::new(
        codes::WRONG_COLUMN_TYPE,
        here.path(),
        format!("column \"{}\" is {given}; {fits}{detail}", here.path()),
    )
}

fn text(kind: &FieldKind, array: &ArrayRef, here: &Scope<'_>, failures: &mut Failures) -> Option<ArrayRef> {
    let plain = match (plain_text(array), kind) {
        (wide, FieldKind::Text { max, .. }) if matches!(wide.data_type(), DataType::LargeUtf8 | DataType::Utf8View) => {
            plain_text(&short(array, ("text", *max), here, failures)?)
        }
        (plain, _) => plain,
    };
    let texts: &StringArray = plain.as_string_opt::<i32>()?;
    if !is_clean(kind, texts) {
        here.check_each(texts, |index| check_text(kind, texts.value(index)).err(), failures);
    }
    Some(plain)
}

/// Whether plain text cannot fail, told from the buffers as a whole. What stands under nulls may make it unsure, never wrong.
fn is_clean(kind: &FieldKind, texts: &StringArray) -> bool {
    let FieldKind::Text { max, format: None } = kind else {
        return texts.is_empty();
    };
    let offsets = texts.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[texts.len()] as usize);
    let bytes = &texts.value_data()[first..last];
    let short = last - first <= *max
        || offsets.windows(2).fold(true, |short, pair| short & ((pair[1] - pair[0]) as usize <= *max));
    short && !bytes.contains(&0)
}

fn int(array: &ArrayRef, min: i64, max: i64, here: &Scope<'_>, failures: &mut Failures) -> Option<ArrayRef> {
    if !array.data_type().is_integer() {
        return None;
    }
    let wide = cast(array, &DataType::Int64).ok()?;
    let mut ints: Int64Array = wide.as_primitive::<Int64Type>().clone();
    if wide.null_count() > array.null_count() {
        // Unsigned integers over 63 bits became null: they are out of range, not absent.
        let over = |index: usize| array.is_valid(index) && wide.is_null(index);
        here.note_all(over, || Fault::new(OUT_OF_RANGE, format!("the number is outside {min} to {max}")), failures);
        ints = Int64Array::new(ints.values().clone(), array.nulls().cloned());
    }
    if !ints.values().iter().fold(true, |inside, value| inside & (min <= *value) & (*value <= max)) {
        here.check_each(
            &ints,
            |index| check_int(ints.value(index), min, max).err().filter(|_| wide.is_valid(index)),
            failures,
        );
    }
    Some(Arc::new(ints))
}

fn date(array: &ArrayRef, here: &Scope<'_>, failures: &mut Failures) -> Option<ArrayRef> {
    let array = &plain_text(array);
    let dates = match array.data_type() {
        DataType::Date32 => {
            let dates = array.as_primitive::<Date32Type>();
            here.check_each(dates, |index| check_date(dates.value(index)).err(), failures);
            return Some(Arc::clone(array));
        }
        DataType::Date64 => {
            let millis = array.as_primitive::<Date64Type>();
            here.build(array, failures, |index| day_of_millis(millis.value(index)))
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            here.build(array, failures, |index| parse_date(texts.value(index)))
        }
        _ => return None,
    };
    Some(Arc::new(Date32Array::new(dates.into(), array.nulls().cloned())))
}

fn day_of_millis(millis: i64) -> Result<i32, Fault> {
    const DAY_MILLIS: i64 = 86_400_000;
    if millis % DAY_MILLIS != 0 {
        return Err(Fault::new(NOT_EXACT, "the date has a time of day"));
    }
    let days =
        i32::try_from(millis / DAY_MILLIS).map_err(|_| Fault::new(OUT_OF_RANGE, "the year is not in 0001 to 9999"));
    check_date(days?)
}

fn bytes(array: &ArrayRef, (min, max): (usize, usize), here: &Scope<'_>, failures: &mut Failures) -> Option<ArrayRef> {
    let plain = match array.data_type() {
        DataType::Binary => Arc::clone(array),
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let narrow = cast(array, &DataType::Binary).ok();
            narrow.or_else(|| cast(&short(array, ("value", max), here, failures)?, &DataType::Binary).ok())?
        }
        _ => return None,
    };
    let values: &BinaryArray = plain.as_binary_opt::<i32>()?;
    here.check_each(values, |index| check_bytes(values.value(index), min, max).err(), failures);
    Some(plain)
}
