//! Instant columns out of timestamps of any unit with a time zone, and out of texts.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, TimestampMicrosecondArray};
use arrow_schema::{DataType, TimeUnit};

use super::failure::Fault;
use super::scalars::{check_instant, parse_instant};
use crate::schema::error::{NOT_EXACT, OUT_OF_RANGE};

/// An instant column. `None`: the type of the column does not fit. Values that do not fit are noted.
pub(super) fn convert(array: &ArrayRef, note: &mut dyn FnMut(usize, Fault)) -> Option<ArrayRef> {
    let micros = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let same = array.as_primitive::<TimestampMicrosecondType>();
            super::decimal::each(same, |index| check_instant(same.value(index)).err(), note);
            return Some(Arc::new(same.clone().with_timezone("UTC")));
        }
        DataType::Timestamp(TimeUnit::Second, Some(_)) => {
            let seconds = array.as_primitive::<TimestampSecondType>();
            built(array, |index| scaled(seconds.value(index), 1_000_000), note)
        }
        DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => {
            let millis = array.as_primitive::<TimestampMillisecondType>();
            built(array, |index| scaled(millis.value(index), 1000), note)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            built(array, |index| from_nanos(nanos.value(index)), note)
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            built(array, |index| parse_instant(texts.value(index)), note)
        }
        _ => return None,
    };
    Some(Arc::new(TimestampMicrosecondArray::new(micros.into(), array.nulls().cloned()).with_timezone("UTC")))
}

fn scaled(value: i64, unit: i64) -> Result<i64, Fault> {
    let micros = value.checked_mul(unit).ok_or_else(|| Fault::new(OUT_OF_RANGE, "the year is not in 0001 to 9999"));
    check_instant(micros?)
}

fn from_nanos(nanos: i64) -> Result<i64, Fault> {
    if nanos % 1000 != 0 {
        return Err(Fault::new(NOT_EXACT, "the instant is finer than a microsecond"));
    }
    check_instant(nanos / 1000)
}

fn built(
    array: &dyn Array,
    convert: impl Fn(usize) -> Result<i64, Fault>,
    note: &mut dyn FnMut(usize, Fault),
) -> Vec<i64> {
    let value = |index: usize| {
        if array.is_null(index) {
            return 0;
        }
        convert(index).unwrap_or_else(|fault| {
            note(index, fault);
            0
        })
    };
    (0..array.len()).map(value).collect()
}
