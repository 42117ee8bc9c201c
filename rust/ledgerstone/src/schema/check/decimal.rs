//! Decimal columns out of decimals of other scales, integers and texts. Never out of floats.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array};
use arrow_buffer::i256;
use arrow_cast::cast;
use arrow_schema::DataType;

use super::builder::DIGITS;
use super::failure::Fault;
use super::scalars::{check_decimal, parse_decimal};
use crate::model::Decimal;
use crate::schema::error::{OUT_OF_RANGE, TOO_MANY_DIGITS};

/// The same values under the type of typed columns.
pub(super) fn typed(array: Decimal128Array, scale: i8) -> Decimal128Array {
    array.with_data_type(DataType::Decimal128(DIGITS, scale))
}

/// A decimal column at the field's scale. `None`: the type of the column does not fit. Values that do not fit are noted.
pub(super) fn convert(
    array: &ArrayRef,
    precision: u8,
    scale: u8,
    note: &mut dyn FnMut(usize, Fault),
) -> Option<Decimal128Array> {
    let out_scale = scale as i8;
    match array.data_type() {
        DataType::Decimal128(_, given) if *given == out_scale => {
            let same = array.as_primitive::<Decimal128Type>();
            let limit = 10i128.pow(u32::from(precision));
            if !same.values().iter().all(|value| -limit < *value && *value < limit) {
                each(same, |index| check_decimal(Decimal::new(same.value(index), scale), precision, scale).err(), note);
            }
            Some(typed(same.clone(), out_scale))
        }
        DataType::Decimal256(_, given) => {
            let wide = array.as_primitive::<Decimal256Type>();
            Some(built(wide, out_scale, |index| narrowed(wide.value(index), *given, precision, scale), note))
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            Some(built(texts, out_scale, |index| parse_decimal(texts.value(index), precision, scale), note))
        }
        _ => {
            let (mantissas, given) = mantissas(array)?;
            Some(built(&mantissas, out_scale, |index| rescaled(mantissas.value(index), given, precision, scale), note))
        }
    }
}

/// Decimals of at most 128 bits and integers, as mantissas of one scale.
fn mantissas(array: &ArrayRef) -> Option<(Decimal128Array, i8)> {
    let widened = |values: Vec<i128>| Decimal128Array::new(values.into(), array.nulls().cloned());
    Some(match array.data_type() {
        DataType::Decimal128(_, given) => (array.as_primitive::<Decimal128Type>().clone(), *given),
        DataType::Decimal64(_, given) => (
            widened(array.as_primitive::<Decimal64Type>().values().iter().map(|value| i128::from(*value)).collect()),
            *given,
        ),
        DataType::Decimal32(_, given) => (
            widened(array.as_primitive::<Decimal32Type>().values().iter().map(|value| i128::from(*value)).collect()),
            *given,
        ),
        DataType::UInt64 => {
            (widened(array.as_primitive::<UInt64Type>().values().iter().map(|value| i128::from(*value)).collect()), 0)
        }
        given if given.is_integer() => {
            let wide = cast(array, &DataType::Int64).ok()?;
            (widened(wide.as_primitive::<Int64Type>().values().iter().map(|value| i128::from(*value)).collect()), 0)
        }
        _ => return None,
    })
}

/// A value at another scale, which may be below zero.
fn rescaled(mantissa: i128, given: i8, precision: u8, scale: u8) -> Result<i128, Fault> {
    if given >= 0 {
        return check_decimal(Decimal::new(mantissa, given as u8), precision, scale);
    }
    let whole = 10i128.checked_pow(u32::from(given.unsigned_abs())).and_then(|unit| unit.checked_mul(mantissa));
    let whole = whole.ok_or_else(|| Fault::new(OUT_OF_RANGE, "the number has more than 38 digits"))?;
    check_decimal(Decimal::new(whole, 0), precision, scale)
}

/// A value of 256 bits: without its trailing zeros it fits 128, or it is out of range.
fn narrowed(value: i256, given: i8, precision: u8, scale: u8) -> Result<i128, Fault> {
    let ten = i256::from_i128(10);
    let (mut value, mut given) = (value, given);
    while given > 0 && value != i256::ZERO && value.wrapping_rem(ten) == i256::ZERO {
        value = value.wrapping_div(ten);
        given -= 1;
    }
    match value.to_i128() {
        Some(mantissa) => rescaled(mantissa, given, precision, scale),
        None if given > scale as i8 => {
            Err(Fault::new(TOO_MANY_DIGITS, format!("the number has more than {scale} digits behind the point")))
        }
        None => Err(Fault::new(OUT_OF_RANGE, "the number has more than 38 digits")),
    }
}

/// Builds a column value by value, zero where one does not fit.
fn built(
    array: &dyn Array,
    scale: i8,
    convert: impl Fn(usize) -> Result<i128, Fault>,
    note: &mut dyn FnMut(usize, Fault),
) -> Decimal128Array {
    let mut values = Vec::with_capacity(array.len());
    for index in 0..array.len() {
        values.push(if array.is_null(index) {
            0
        } else {
            convert(index).unwrap_or_else(|fault| {
                note(index, fault);
                0
            })
        });
    }
    typed(Decimal128Array::new(values.into(), array.nulls().cloned()), scale)
}

/// Notes what is wrong with each present value.
pub(super) fn each(array: &dyn Array, check: impl Fn(usize) -> Option<Fault>, note: &mut dyn FnMut(usize, Fault)) {
    for index in (0..array.len()).filter(|index| array.is_valid(*index)) {
        if let Some(fault) = check(index) {
            note(index, fault);
        }
    }
}
