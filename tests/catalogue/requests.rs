//! Requests, tables and files that do not have the shape that is asked for; and values over a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use ledgerstone::codes;
use ledgerstone::model::{RowId, Value};
use ledgerstone::query::{Comparison, Predicate};
use ledgerstone::{Create, Error, ExportOptions, Key, Ledger, Moment, QueryRequest, Sources};
use ledgerstone_tests::{ORIGIN, account, books, key, load, object, text, transfer};
use ledgerstone_verify::Mode;

use crate::members::with_file;
use crate::records::ready;
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::SCHEMA_FILE, "file bad.toml, line 1", || {
        ready().load_module("[module]\nname = 5\n", "bad.toml", true).unwrap_err().into()
    }),
    (codes::UNKNOWN_TYPE, "", || ready().append("finance.transfers", text("x"), None).unwrap_err().into()),
    (codes::UNKNOWN_COLUMN, "field kind", || {
        tables(vec![table(&[("code", codes_of(1)), ("exponent", ints(1)), ("kind", ints(1))])])
    }),
    (codes::MISSING_COLUMN, "field exponent", || tables(vec![table(&[("code", codes_of(1))])])),
    (codes::DUPLICATE_COLUMN, "field code", || tables(vec![table(&[("code", codes_of(1)), ("code", codes_of(1))])])),
    (codes::WRONG_COLUMN_TYPE, "field exponent", || {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![2.0]));
        tables(vec![table(&[("code", codes_of(1)), ("exponent", floats)])])
    }),
    (codes::UNEVEN_TABLES, "", || {
        let more = table(&[("code", codes_of(1)), ("exponent", ints(1)), ("name", codes_of(1))]);
        tables(vec![table(&[("code", codes_of(1)), ("exponent", ints(1))]), more])
    }),
    (codes::UNKNOWN_FILE_FORMAT, "file books.xlsx", || {
        with_file(|path| export(&ready(), &path.with_extension("xlsx")))
    }),
    (codes::OWN_FILE, "file books.ledger", || with_file(|path| export(&books().at(path).unwrap(), path))),
    (codes::BAD_CONDITION, "field debit", || {
        let debit = Predicate { field: "debit".to_owned(), comparison: Comparison::Between, values: vec![text("a")] };
        let record_type = "finance.transfer".to_owned();
        let request = QueryRequest { record_type, predicates: vec![debit], ..QueryRequest::default() };
        Arc::new(ready()).query(&request).err().unwrap().into()
    }),
    (codes::WRONG_KEY_VALUES, "field id", || {
        ready().get("finance.transfer", &[text("a"), text("b")]).unwrap_err().into()
    }),
    (codes::NO_RECORD, "", || ready().record(RowId::new(99, 0)).unwrap_err().into()),
    (codes::NO_BALANCE, "", || ready().balances("finance.transfer", &[text("t1")]).unwrap_err().into()),
    (codes::NO_EFFECTIVE_DATE, "", || points().balances_on("points.card", &[text("a")], 0, None).unwrap_err().into()),
    (codes::BAD_MOMENT, "", || Moment::parse("soon").unwrap_err().into()),
    (codes::NO_RECEIPT, "", || {
        let ledger = ready();
        let rows = vec![transfer("t1", "cash", "sales", "1").1, transfer("t2", "sales", "cash", "9").1];
        let report = load(&ledger, "finance.transfer", rows, None, Mode::Each).unwrap();
        ledger.receipt(report.row(1).unwrap()).unwrap_err().into()
    }),
    (codes::EMPTY_TRANSACTION, "", || ready().append_all(Vec::new(), None).unwrap_err().into()),
    (codes::BAD_ID, "", || ready().append_all(vec![account("x", "")], Some("a/b")).unwrap_err().into()),
    (codes::BAD_ORIGIN, "", || Create::new("two words", key()).in_memory().unwrap_err().into()),
    (codes::ID_BYTES_LIMIT, "", || {
        ready().append_all(vec![account("x", "")], Some(&"i".repeat(65))).unwrap_err().into()
    }),
    (codes::ORIGIN_CHARS_LIMIT, "", || Create::new(&"o".repeat(129), key()).in_memory().unwrap_err().into()),
    (codes::ATOMIC_RECORDS_LIMIT, "", || {
        let rows = (1 << 20) + 1;
        let batch = table(&[("code", codes_of(rows)), ("exponent", ints(rows))]);
        append_tables(&ready(), vec![batch], Mode::Atomic)
    }),
    (codes::ATOMIC_BYTES_LIMIT, "", || {
        // Packed, so that the test needs the memory of one.
        let text = "x".repeat(1 << 20);
        let packed: DictionaryArray<Int32Type> = std::iter::repeat_n(text.as_str(), 100).collect();
        let code: ArrayRef = Arc::new(packed);
        append_tables(&ready(), vec![table(&[("code", code), ("exponent", ints(100))]); 6], Mode::Atomic)
    }),
    (codes::MAX_CLOCK_STEP_LIMIT, "", || {
        let clock = AtomicI64::new(1_700_000_000_000_000);
        // Each reading is a year and a half after the one before.
        let leap = move || clock.fetch_add(48_000_000_000_000, Ordering::Relaxed);
        let sources = Sources::fixed(leap, || [9; 32]);
        let ledger = Create::new(ORIGIN, Key::from_seed([1; 32], "me")).sources(sources).in_memory().unwrap();
        ledger.admit_member(Key::from_seed([2; 32], "").public()).unwrap_err().into()
    }),
    (codes::FAULT, "", || {
        let clock = AtomicI64::new(1_700_000_000_000_000);
        let draws = AtomicI64::new(0);
        let sources = Sources::fixed(
            move || clock.fetch_add(1, Ordering::Relaxed),
            move || if draws.fetch_add(1, Ordering::Relaxed) > 5 { panic!("injected") } else { [9; 32] },
        );
        let ledger = Create::new(ORIGIN, Key::from_seed([1; 32], "me")).sources(sources).in_memory().unwrap();
        let public = |seed: u8| Key::from_seed([seed; 32], "").public();
        let failed = (2..20).find_map(|seed| ledger.admit_member(public(seed)).err());
        failed.expect("the sources fail in the end").into()
    }),
    (codes::INTERRUPTED, "", || {
        let mut stopped = std::iter::once(Err(Error::Interrupted(String::new())));
        let options = ledgerstone::LoadOptions::default();
        ready().append_values("finance.transfer", &mut stopped, options).unwrap_err().into()
    }),
];

/// A ledger of points that are gained on no date.
fn points() -> Ledger {
    let points = "[module]\nname = \"points\"\nversion = 1\ntitle = \"Points\"\n[roles.keeper]\ndoc = \"Keeps\"\n\
        [types.card]\nauthorise = [\"keeper\"]\n[types.card.fields]\nid = { type = \"text\", required = true }\n\
        [types.card.cells.balance]\nkind = \"balance\"\nparts = [\"points\"]\nscale = 0\n\
        [[types.card.rules]]\nunique = [\"id\"]\n\
        [[types.card.rules]]\nopen = \"card.balance\"\nat = [\"id\"]\nset = { points = \"0\" }\n\
        [types.gain]\nauthorise = [\"keeper\"]\n[types.gain.fields]\ncard = { type = \"text\", required = true }\n\
        points = { type = \"int\", required = true }\n\
        [[types.gain.rules]]\nbalance = \"card.balance\"\nat = [\"card\"]\nadd = { points = \"points\" }\n";
    let ledger = books().module(points, "points.toml").in_memory().unwrap();
    ledger.append("points.card", object(&[("id", text("a"))]), None).unwrap();
    for points in [5, 100] {
        ledger.append("points.gain", object(&[("card", text("a")), ("points", Value::Int(points))]), None).unwrap();
    }
    ledger
}

fn codes_of(rows: usize) -> ArrayRef {
    Arc::new((0..rows).map(|row| Some(format!("C{row}"))).collect::<StringArray>())
}

fn ints(rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from(vec![0; rows]))
}

fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
}

fn tables(tables: Vec<RecordBatch>) -> Provoked {
    append_tables(&ready(), tables, Mode::Each)
}

fn append_tables(ledger: &Ledger, tables: Vec<RecordBatch>, mode: Mode) -> Provoked {
    let size = ledger.size().unwrap();
    let options = ledgerstone::LoadOptions { mode, ..ledgerstone::LoadOptions::default() };
    let error = ledger.append_tables("finance.commodity", &mut tables.into_iter().map(Ok), options).unwrap_err();
    assert_eq!(ledger.size().unwrap(), size, "nothing of the call is kept");
    error.into()
}

fn export(ledger: &Ledger, path: &std::path::Path) -> Provoked {
    let format = path.ends_with("books.ledger").then_some(ledgerstone::ExportFormat::Arrow);
    let options = ExportOptions { record_type: None, format, overwrite: false, progress: &mut |_| Ok(()) };
    ledger.export(path, options).unwrap_err().into()
}
