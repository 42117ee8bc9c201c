//! Queries that begin with the newest transactions give what putting all records in order gives.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use ledgerstone::model::{RowId, Value};
use ledgerstone::query::{Comparison, OrderBy, Predicate};
use ledgerstone::{Create, Ledger, Moment, QueryRequest, Sources};
use ledgerstone_tests::{Rng, START_MICROS, key, load, object, text};
use ledgerstone_verify::Mode;

const NOTES: &str = r#"
[module]
name = "notes"
version = 1
[roles.clerk]
[types.note]
authorise = ["clerk"]
[types.note.fields]
kind = { type = "text", max = 8, required = true, index = true }
size = { type = "int", required = true }
[[types.note.rules]]
require = "size != 7"
severity = "hold"
code = "seven"
[types.other]
authorise = ["clerk"]
[types.other.fields]
size = { type = "int", required = true }
"#;

/// A row of the answer: ledger time, place and size.
type Row = (i64, RowId, i64);

/// Single records and loads, some of one ledger time.
fn notes(rng: &mut Rng) -> Arc<Ledger> {
    let readings = AtomicI64::new(0);
    let now = move || START_MICROS + 1_000_000 * (readings.fetch_add(1, Ordering::Relaxed) / 9);
    let sources = Sources::fixed(now, || [9; 32]);
    let create = Create::new("acme.example/notes", key()).module(NOTES, "notes.toml").sources(sources);
    let ledger = Arc::new(create.in_memory().unwrap());
    for _ in 0..60 {
        let rows = match rng.below(6) {
            0 => 1 + rng.below(300),
            1 => 0,
            _ => 1 + rng.below(3),
        };
        let note = |rng: &mut Rng| {
            let kind = ["a", "b", "c"][rng.below(3) as usize];
            object(&[("kind", text(kind)), ("size", Value::Int(rng.below(9) as i64))])
        };
        let rows: Vec<Value> = (0..rows).map(|_| note(rng)).collect();
        if rows.is_empty() {
            ledger.append_all(vec![("notes.other".to_owned(), object(&[("size", Value::Int(1))]))], None).unwrap();
        } else {
            load(&ledger, "notes.note", rows, None, Mode::Each).unwrap();
        }
    }
    ledger
}

fn rows(ledger: &Arc<Ledger>, request: &QueryRequest) -> Vec<Row> {
    let mut found = Vec::new();
    for batch in ledger.query(request).unwrap() {
        let batch = batch.unwrap();
        let (times, indexes) =
            (batch.column(0).as_primitive::<TimestampMicrosecondType>(), batch.column(1).as_primitive::<UInt64Type>());
        let (positions, sizes) =
            (batch.column(2).as_primitive::<UInt32Type>(), batch.column(3).as_primitive::<Int64Type>());
        found.extend(
            (0..batch.num_rows())
                .map(|row| (times.value(row), RowId::new(indexes.value(row), positions.value(row)), sizes.value(row))),
        );
    }
    found
}

/// The rows in an order, ties as they stand.
fn sorted(mut rows: Vec<Row>, order: &[OrderBy]) -> Vec<Row> {
    for by in order.iter().rev() {
        let key = |&(time, row, size): &Row| match by.field.as_str() {
            "_time" => time,
            "_index" => row.index as i64,
            "_position" => i64::from(row.position),
            _ => size,
        };
        if by.is_descending { rows.sort_by_key(|row| Reverse(key(row))) } else { rows.sort_by_key(key) }
    }
    rows
}

fn random(rng: &mut Rng, size: u64) -> QueryRequest {
    let by = |field: &str, is_descending| OrderBy { field: field.to_owned(), is_descending };
    let mut order_by = vec![by(["_index", "_time"][rng.below(2) as usize], true)];
    order_by.extend(match rng.below(5) {
        0 => Some(by("_position", false)),
        1 => Some(by("_position", true)),
        2 => Some(by("size", rng.below(2) == 0)),
        _ => None,
    });
    let is = |field: &str, comparison, value| Predicate { field: field.to_owned(), comparison, values: vec![value] };
    let mut predicates = Vec::new();
    if rng.below(3) == 0 {
        predicates.push(is("kind", Comparison::Equal, text(["a", "b", "z"][rng.below(3) as usize])));
    }
    if rng.below(3) == 0 {
        predicates.push(is("size", Comparison::Equal, Value::Int(rng.below(9) as i64)));
    }
    if rng.below(4) == 0 {
        predicates.push(is("_index", Comparison::AtLeast, Value::Int(rng.below(size) as i64)));
    }
    QueryRequest {
        record_type: "notes.note".to_owned(),
        predicates,
        columns: Some(["_time", "_index", "_position", "size"].map(str::to_owned).to_vec()),
        order_by,
        held: rng.below(2) == 0,
        as_of: (rng.below(4) == 0).then(|| Moment::Index(rng.below(size))),
        ..QueryRequest::default()
    }
}

#[test]
fn the_newest_come_first_as_if_all_had_been_put_in_order() {
    let mut rng = Rng::new(11);
    for _ in 0..4 {
        let ledger = notes(&mut rng);
        for _ in 0..150 {
            let request = random(&mut rng, ledger.size().unwrap());
            let whole = rows(&ledger, &QueryRequest { order_by: Vec::new(), ..request.clone() });
            let expected = sorted(whole, &request.order_by);
            assert_eq!(rows(&ledger, &request), expected, "{request:?}");
            let (offset, limit) = (rng.below(20), 1 + rng.below(30));
            let some = rows(&ledger, &QueryRequest { offset, limit: Some(limit), ..request.clone() });
            assert_eq!(some, expected.iter().skip(offset as usize).take(limit as usize).copied().collect::<Vec<_>>());
            // A page goes on where the one before ended.
            let start = rng.below(expected.len() as u64 + 1) as usize;
            if let Some((_, after, _)) = start.checked_sub(1).map(|last| expected[last]) {
                let page = rows(&ledger, &QueryRequest { after: Some(after), limit: Some(limit), ..request.clone() });
                assert_eq!(
                    page,
                    expected[start..].iter().take(limit as usize).copied().collect::<Vec<_>>(),
                    "{request:?}"
                );
            }
        }
    }
}
