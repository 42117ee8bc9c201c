//! Python values as the engine's, and back.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use ledgerstone::codes;
use ledgerstone::model::{Decimal, Unfit, Value};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};

use crate::errors;

/// Lists and dicts within each other; a type has far fewer, and a list that holds itself has no end.
const DEPTH: usize = 16;
/// Characters of a text that is refused, in the message that says so.
const SHOWN_CHARS: usize = 64;
/// Bits of the longest integer whose digits are written out: Python writes no more than 4,300 of them.
const SHOWN_BITS: usize = 1 << 12;
/// Proleptic Gregorian ordinal of 1970-01-01, where Python counts from 0001-01-01.
const EPOCH_ORDINAL: i32 = 719_163;

/// A Python value as the engine's. What is no value of any kind is one that does not fit, so that the engine refuses it where it stands; an
/// error is one that Python code raised, with a note for each field that it is in.
pub(crate) fn to_value(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(value, 0)
}

/// The value of a field of a record.
pub(crate) fn within_record(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(value, 1)
}

/// A record: a dict, or another mapping with strings as keys.
pub(crate) fn to_record(record: &Bound<'_, PyAny>) -> PyResult<Value> {
    match to_value(record)? {
        object @ Value::Object(_) => Ok(object),
        _ => {
            Err(PyTypeError::new_err(format!("a record is a dict of named values, not {}", record.get_type().name()?)))
        }
    }
}

fn convert(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > DEPTH {
        return Ok(unfit(codes::BAD_VALUE, format!("the value is nested deeper than {DEPTH} levels")));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(error) => no_text(text, error),
        };
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(int) = value.cast::<PyInt>() {
        return int.extract::<i64>().map(Value::Int).or_else(|_| big_int(int));
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Value::Float(float.value()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if value.is_instance_of::<PyDict>() {
        return object(value.cast::<PyMapping>()?, depth);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| convert(&item?, depth + 1));
        return items.collect::<PyResult<_>>().map(Value::List);
    }
    convert_library_type(value, depth)
}

/// The members are listed first: converting one can run Python code, which may change the mapping.
fn object(mapping: &Bound<'_, PyMapping>, depth: usize) -> PyResult<Value> {
    let members = mapping.items()?.into_iter().map(|pair| {
        let (name, value) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let Ok(text) = name.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!("the names of a record are strings, not {name:?}")));
        };
        let text = text.to_str().map_or_else(|error| escaped(text, error), |text| Ok(text.to_owned()))?;
        let note = |error| errors::noted(value.py(), error, format!("in the field {text}"));
        let value = convert(&value, depth + 1).map_err(note)?;
        Ok((text, value))
    });
    members.collect::<PyResult<_>>().map(Value::Object)
}

/// What no field takes.
fn unfit(code: &'static str, message: impl Into<String>) -> Value {
    Value::Unfit(Box::new(Unfit { code, message: message.into() }))
}

/// A text that is no Unicode: half of a surrogate pair stands alone in it.
fn no_text(text: &Bound<'_, PyString>, error: PyErr) -> PyResult<Value> {
    let shown = escaped(text, error)?;
    let start: String = shown.chars().take(SHOWN_CHARS).collect();
    Ok(unfit(codes::BAD_TEXT, format!("the text \"{start}\" holds a lone surrogate, which is no character")))
}

/// A text in which every lone surrogate is written out, as `\ud800`: no field has such a name.
fn escaped(text: &Bound<'_, PyString>, error: PyErr) -> PyResult<String> {
    if !error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
        return Err(error);
    }
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    Ok(String::from_utf8_lossy(bytes.cast::<PyBytes>()?.as_bytes()).into_owned())
}

/// An integer that does not fit 64 bits.
fn big_int(int: &Bound<'_, PyInt>) -> PyResult<Value> {
    let bits: usize = int.call_method0("bit_length")?.extract()?;
    if bits > SHOWN_BITS {
        return Ok(unfit(codes::OUT_OF_RANGE, format!("an integer of {bits} bits is larger than any field takes")));
    }
    Ok(Value::BigInt(int.str()?.to_str()?.to_owned()))
}

/// What has no type of its own in the stable C interface.
fn convert_library_type(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let py = value.py();
    if value.is_instance(decimal_type(py)?)? {
        return decimal(value);
    }
    // A datetime is a date as well.
    if value.is_instance(datetime_type(py)?)? {
        return timestamp(value);
    }
    if value.is_instance(date_type(py)?)? {
        let ordinal: i32 = value.call_method0("toordinal")?.extract()?;
        return Ok(Value::Date(ordinal - EPOCH_ORDINAL));
    }
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if value.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        return Ok(Value::Text(value.str()?.to_str()?.to_owned()));
    }
    static FRACTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if value.is_instance(FRACTION.import(py, "fractions", "Fraction")?)? {
        return Ok(Value::Text(format!(
            "{}/{}",
            value.getattr("numerator")?.str()?,
            value.getattr("denominator")?.str()?
        )));
    }
    // Asked late: whether something is a mapping is looked up in a registry.
    if let Ok(mapping) = value.cast::<PyMapping>() {
        return object(mapping, depth);
    }
    // Integers of numpy and the like.
    if value.hasattr("__index__")? {
        return convert(&value.call_method0("__index__")?, depth + 1);
    }
    let kind = value.get_type().fully_qualified_name()?;
    Ok(unfit(codes::BAD_VALUE, format!("no field takes a value of the type {kind}; an absent value is None")))
}

fn decimal(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let text = value.str()?;
    let text = text.to_str()?;
    if let Some(decimal) = decimal_of(text) {
        return Ok(Value::Decimal(decimal));
    }
    if !value.call_method0("is_finite")?.extract()? {
        return Ok(unfit(codes::BAD_VALUE, format!("the decimal {text} is no number")));
    }
    // Too long for 128 bits: as digits, which the field then refuses in its own words.
    Ok(Value::BigInt(text.to_owned()))
}

/// Python writes an exponent where it is above zero, or far below.
fn decimal_of(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once('E') {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let digits = Decimal::parse(digits)?;
    let scale = i64::from(digits.scale).checked_sub(exponent)?;
    if let Ok(scale) = u8::try_from(scale) {
        return (scale <= 38).then(|| Decimal::new(digits.mantissa, scale));
    }
    let unit = 10i128.checked_pow(u32::try_from(scale.checked_neg()?).ok()?)?;
    Some(Decimal::new(digits.mantissa.checked_mul(unit)?, 0))
}

fn timestamp(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let is_plain = value.get_type().is(datetime_type(value.py())?);
    // pandas marks an absent time by one that is not equal to itself.
    if !is_plain && value.ne(value)? {
        let message = format!("{} is no time; an absent value is None", value.str()?);
        return Ok(unfit(codes::BAD_VALUE, message));
    }
    if value.call_method0("utcoffset")?.is_none() {
        let message = format!(
            "{} is a datetime without a time zone, which is no instant: give it one, tzinfo=datetime.timezone.utc where it is UTC",
            value.str()?
        );
        return Ok(unfit(codes::BAD_VALUE, message));
    }
    // The timestamps of pandas count nanoseconds beside what a datetime has.
    if !is_plain
        && let Some(nanos) = value.getattr_opt("nanosecond")?
        && nanos.is_truthy()?
    {
        return Ok(unfit(
            codes::NOT_EXACT,
            format!("{} is finer than a microsecond", value.call_method0("isoformat")?),
        ));
    }
    let delta = value.sub(epoch(value.py())?)?;
    let part = |name: &str| delta.getattr(name)?.extract::<i64>();
    let (days, seconds, micros) = (part("days")?, part("seconds")?, part("microseconds")?);
    Ok(Value::Timestamp((days * 86_400 + seconds) * 1_000_000 + micros))
}

/// An instant that a caller hands over: a datetime with a time zone, as microseconds since 1970.
pub(crate) fn to_micros(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<i64>> {
    let Some(value) = value else { return Ok(None) };
    match to_value(value)? {
        Value::Timestamp(micros) => Ok(Some(micros)),
        Value::Unfit(unfit) => Err(errors::schema(codes::BAD_MOMENT, unfit.message)),
        _ => Err(PyTypeError::new_err(format!(
            "a time is a datetime with a time zone, not {}",
            value.get_type().name()?
        ))),
    }
}

/// A value of the engine as Python's.
pub(crate) fn from_value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::BigInt(digits) => py.get_type::<PyInt>().call1((digits,))?,
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Decimal(value) => to_decimal(py, *value)?,
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Date(days) => day(py, *days)?,
        Value::Timestamp(micros) => instant(py, *micros)?,
        Value::List(items) => {
            let items = items.iter().map(|item| from_value(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (name, value) in members {
                dict.set_item(name, from_value(py, value)?)?;
            }
            dict.into_any()
        }
        Value::Unfit(unfit) => return Err(errors::fault(&unfit.message)),
    })
}

/// The rows of a batch as dicts, columns by name.
pub(crate) fn to_dicts<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| PyString::intern(py, field.name())).collect();
    (0..batch.num_rows())
        .map(|row| {
            let dict = PyDict::new(py);
            for (name, column) in names.iter().zip(batch.columns()) {
                dict.set_item(name, cell(py, column, row)?)?;
            }
            Ok(dict)
        })
        .collect()
}

fn cell<'py>(py: Python<'py>, column: &ArrayRef, row: usize) -> PyResult<Bound<'py, PyAny>> {
    if column.is_null(row) {
        return Ok(py.None().into_bound(py));
    }
    Ok(match column.data_type() {
        DataType::Utf8 => PyString::new(py, column.as_string::<i32>().value(row)).into_any(),
        DataType::Boolean => PyBool::new(py, column.as_boolean().value(row)).to_owned().into_any(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into_pyobject(py)?.into_any(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into_pyobject(py)?.into_any(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into_pyobject(py)?.into_any(),
        DataType::Decimal128(_, scale) => {
            let mantissa = column.as_primitive::<Decimal128Type>().value(row);
            to_decimal(py, Decimal::new(mantissa, *scale as u8))?
        }
        DataType::Date32 => day(py, column.as_primitive::<Date32Type>().value(row))?,
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            instant(py, micros)?
        }
        DataType::Binary => PyBytes::new(py, column.as_binary::<i32>().value(row)).into_any(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|place| cell(py, &items, place));
            PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        DataType::Struct(_) => {
            let members = column.as_struct();
            let dict = PyDict::new(py);
            for (name, member) in members.column_names().into_iter().zip(members.columns()) {
                dict.set_item(name, cell(py, member, row)?)?;
            }
            dict.into_any()
        }
        other => {
            return Err(errors::fault(&format!("a column of type {other} has no Python value")));
        }
    })
}

/// A decimal, in its canonical form.
pub(crate) fn to_decimal<'py>(py: Python<'py>, value: Decimal) -> PyResult<Bound<'py, PyAny>> {
    decimal_type(py)?.call1((value.to_string(),))
}

/// A date, of days since 1970-01-01.
fn day(py: Python<'_>, days: i32) -> PyResult<Bound<'_, PyAny>> {
    date_type(py)?.call_method1("fromordinal", (days + EPOCH_ORDINAL,))
}

/// An instant, in UTC.
pub(crate) fn instant(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    static TIMEDELTA: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let delta = TIMEDELTA.import(py, "datetime", "timedelta")?.call1((0, 0, micros))?;
    epoch(py)?.add(delta)
}

fn decimal_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DECIMAL.import(py, "decimal", "Decimal")
}

fn datetime_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DATETIME.import(py, "datetime", "datetime")
}

fn date_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DATE.import(py, "datetime", "date")
}

fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static EPOCH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = EPOCH.get_or_try_init(py, || {
        let utc = py.import("datetime")?.getattr("timezone")?.getattr("utc")?;
        let epoch = datetime_type(py)?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
        PyResult::Ok(epoch.unbind())
    })?;
    Ok(made.bind(py))
}
