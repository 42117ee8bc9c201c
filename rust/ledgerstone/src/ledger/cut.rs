//! How large rows are as they are handed over, by which a load is cut into transactions: a cut in flight fits in memory whatever the rows
//! are.
//!
//! How the caller batched its rows is of no consequence: the same rows in the same form are always cut at the same places, which is what
//! makes a load with an id repeatable.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

use super::screen::Input;
use crate::error::Error;
use crate::execute::has_followers;
use crate::limits::{ATOMIC_BYTES, ATOMIC_RECORDS, CUT_ROWS, FOLLOWED_CUT_ROWS};
use crate::model::{FlatRows, VALUE_BYTES};
use crate::schema::RecordType;

/// One atomic transaction is not cut: of so many rows it has too many, or they are too large.
pub(super) fn over_atomic(rows: usize) -> Error {
    if rows > ATOMIC_RECORDS {
        return Error::Limit {
            what: "the number of records of one atomic transaction, as far as they were read,".to_owned(),
            value: rows as u64,
            limit: "ATOMIC_RECORDS",
            bound: ATOMIC_RECORDS as u64,
        };
    }
    Error::Limit {
        what: "the size of one atomic transaction in bytes, as far as it was read,".to_owned(),
        value: ATOMIC_BYTES as u64 + 1,
        limit: "ATOMIC_BYTES",
        bound: ATOMIC_BYTES as u64,
    }
}

/// The most rows of one transaction of a load, where each stands alone: fewer where each may be followed by others.
pub(super) fn cut_rows(record_type: &RecordType) -> usize {
    if has_followers(record_type) { FOLLOWED_CUT_ROWS } else { CUT_ROWS }
}

/// How many of the first `most` rows have at most so many bytes together, and how many those are.
pub(super) fn fitting(input: &Input, most: usize, bytes: usize) -> (usize, usize) {
    match input {
        Input::Values(values, range) => each(most, bytes, |row| VALUE_BYTES + values[range.start + row].bytes()),
        Input::Rows(rows, range) => each(most, bytes, |row| flat_bytes(rows, range.start + row)),
        Input::Table(batch) => {
            let size = |rows: usize| table_bytes(batch, rows);
            let all = size(most);
            if all <= bytes {
                return (most, all);
            }
            // The size grows with the rows.
            let (mut fits, mut over) = (0, most);
            while fits + 1 < over {
                let middle = fits + (over - fits) / 2;
                if size(middle) <= bytes { fits = middle } else { over = middle }
            }
            (fits, size(fits))
        }
    }
}

fn each(most: usize, bytes: usize, size_of: impl Fn(usize) -> usize) -> (usize, usize) {
    let mut size = 0usize;
    for row in 0..most {
        let next = size.saturating_add(size_of(row));
        if next > bytes {
            return (row, size);
        }
        size = next;
    }
    (most, size)
}

/// As the values that flat rows stand for.
fn flat_bytes(rows: &FlatRows, row: usize) -> usize {
    match rows.odd(row) {
        Some(value) => VALUE_BYTES + value.bytes(),
        None => rows.row_bytes(row) + rows.names().len() * VALUE_BYTES,
    }
}

fn table_bytes(batch: &RecordBatch, rows: usize) -> usize {
    batch.columns().iter().fold(0usize, |sum, column| sum.saturating_add(column_bytes(column, 0, rows)))
}

/// Bytes that values of a column stand for, whatever they are packed in.
fn column_bytes(array: &ArrayRef, start: usize, rows: usize) -> usize {
    if rows == 0 {
        return 0;
    }
    let inner = match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().offsets(), start, rows).1,
        DataType::LargeUtf8 => span(array.as_string::<i64>().offsets(), start, rows).1,
        DataType::Binary => span(array.as_binary::<i32>().offsets(), start, rows).1,
        DataType::LargeBinary => span(array.as_binary::<i64>().offsets(), start, rows).1,
        DataType::Utf8View => {
            array.as_string_view().lengths().skip(start).take(rows).map(|length| length as usize).sum()
        }
        DataType::BinaryView => {
            array.as_binary_view().lengths().skip(start).take(rows).map(|length| length as usize).sum()
        }
        DataType::List(_) => {
            let (first, items) = span(array.as_list::<i32>().offsets(), start, rows);
            column_bytes(array.as_list::<i32>().values(), first, items)
        }
        DataType::LargeList(_) => {
            let (first, items) = span(array.as_list::<i64>().offsets(), start, rows);
            column_bytes(array.as_list::<i64>().values(), first, items)
        }
        DataType::FixedSizeList(_, width) => {
            let width = usize::try_from(*width).unwrap_or(0);
            column_bytes(array.as_fixed_size_list().values(), start * width, rows * width)
        }
        DataType::FixedSizeBinary(width) => rows * usize::try_from(*width).unwrap_or(0),
        DataType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .fold(0usize, |sum, column| sum.saturating_add(column_bytes(column, start, rows))),
        DataType::Dictionary(..) => {
            let part = array.slice(start, rows);
            let dictionary = part.as_any_dictionary();
            let values = dictionary.values();
            let known = |key: &usize| *key < values.len();
            dictionary
                .normalized_keys()
                .into_iter()
                .filter(known)
                .fold(0usize, |sum, key| sum.saturating_add(column_bytes(values, key, 1)))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => run_bytes::<Int16Type>(array, start, rows),
            DataType::Int32 => run_bytes::<Int32Type>(array, start, rows),
            _ => run_bytes::<Int64Type>(array, start, rows),
        },
        _ => 0,
    };
    inner.saturating_add(rows * VALUE_BYTES)
}

/// Where a range of values begins, and how long it is.
fn span<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, start: usize, rows: usize) -> (usize, usize) {
    let (first, last) = (offsets[start].as_usize(), offsets[start + rows].as_usize());
    (first, last - first)
}

fn run_bytes<R: RunEndIndexType>(array: &ArrayRef, start: usize, rows: usize) -> usize {
    let runs = array.as_run::<R>();
    (start..start + rows)
        .fold(0usize, |sum, row| sum.saturating_add(column_bytes(runs.values(), runs.get_physical_index(row), 1)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::Value;

    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, LargeStringArray, RunArray, StringArray, StringViewArray};

    use super::*;

    fn table(column: ArrayRef) -> Input {
        Input::Table(RecordBatch::try_from_iter([("text", column)]).unwrap())
    }

    /// Large values that take the memory of one.
    fn packed(count: usize, bytes: usize) -> ArrayRef {
        let text = "x".repeat(bytes);
        let texts: DictionaryArray<Int32Type> = std::iter::repeat_n(text.as_str(), count).collect();
        Arc::new(texts)
    }

    #[test]
    fn as_many_rows_fit_as_have_room() {
        let row = 1_000 + 2 * VALUE_BYTES;
        for (bytes, fit) in [(0, 0), (row - 1, 0), (row, 1), (5 * row + 1, 5), (300 * row, 300), (usize::MAX, 300)] {
            assert_eq!(fitting(&table(packed(300, 1_000)), 300, bytes), (fit, fit * row), "{bytes}");
        }
        let value = |_| Value::Object(vec![("text".to_owned(), Value::Text("x".repeat(1_000)))]);
        let values = Input::values((0..300).map(value).collect());
        let row = 1_000 + 2 * VALUE_BYTES + 4;
        assert_eq!(fitting(&values, 300, 7 * row), (7, 7 * row));
        assert_eq!(fitting(&values.slice(10, 5), 5, 7 * row), (5, 5 * row));
        assert_eq!(fitting(&values, 3, 7 * row), (3, 3 * row), "no more than was asked for");
    }

    #[test]
    fn flat_rows_count_what_they_stand_for() {
        let mut rows = FlatRows::new(["a", "b"].map(str::to_owned).into());
        rows.push_text("é");
        rows.push_value(Value::Bytes(vec![0; 5]));
        rows.end_row();
        rows.end_row_as(Value::Text("odd".to_owned()));
        let rows = Input::rows(rows);
        assert_eq!(fitting(&rows, 1, usize::MAX), (1, 7 + 2 * VALUE_BYTES));
        assert_eq!(fitting(&rows.slice(1, 1), 1, usize::MAX), (1, 3 + VALUE_BYTES));
    }

    #[test]
    fn texts_count_their_bytes_whatever_they_are_packed_in() {
        let texts = ["a", "", "ccc"];
        let wide: ArrayRef = Arc::new(LargeStringArray::from(texts.to_vec()));
        let view: ArrayRef = Arc::new(StringViewArray::from(texts.to_vec()));
        let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        for array in [&plain, &wide, &view] {
            assert_eq!(column_bytes(array, 0, 3), 4 + 3 * VALUE_BYTES, "{}", array.data_type());
            assert_eq!(column_bytes(array, 1, 1), VALUE_BYTES, "{}", array.data_type());
        }
        let items = OffsetBuffer::new(vec![0, 1, 3].into());
        let field = Arc::new(arrow_schema::Field::new("item", DataType::Utf8, false));
        let lists: ArrayRef = Arc::new(arrow_array::ListArray::new(field, items, plain, None));
        assert_eq!(column_bytes(&lists, 1, 1), 3 + 3 * VALUE_BYTES);
        let runs: RunArray<Int32Type> = ["aa", "aa", "b"].into_iter().collect();
        assert_eq!(column_bytes(&(Arc::new(runs) as ArrayRef), 0, 3), 5 + 6 * VALUE_BYTES);
    }
}
