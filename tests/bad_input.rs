//! Bad input gets a clear error and loses nothing: what the issue lists, as far as it reaches the engine. Files are in the command's
//! tests, full disks in `full_disk`, Python objects in the Python tests.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use ledgerstone::limits::{ATOMIC_BYTES, EXCEPTIONS_KEPT};
use ledgerstone::model::Value;
use ledgerstone::{Error, Ledger, LoadOptions, LoadReport, Open, RecordException, Rejected, codes};
use ledgerstone_tests::{ORIGIN, account, books, key, object, text, texts, transfer};
use ledgerstone_verify::Mode;

fn ready() -> Ledger {
    let ledger = books().in_memory().unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    ledger
}

/// Columns of two transfers, one of them replaced.
fn columns(name: &str, column: ArrayRef) -> RecordBatch {
    let strings = |texts: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("id", strings(["a", "b"])),
        ("debit", strings(["cash", "cash"])),
        ("credit", strings(["sales", "sales"])),
        ("currency", strings(["EUR", "EUR"])),
        ("amount", strings(["1", "2"])),
    ];
    match columns.iter_mut().find(|(known, _)| *known == name) {
        Some(place) => place.1 = column,
        None => columns.push((name, column)),
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn load(ledger: &Ledger, table: RecordBatch) -> Result<LoadReport, Error> {
    let options = LoadOptions::default();
    ledger.append_tables("finance.transfer", &mut std::iter::once(Ok(table)), options)
}

/// The first rejection of a load of two rows, the other of which stands where it can.
fn first(table: RecordBatch) -> Rejected {
    let ledger = ready();
    let report = load(&ledger, table).unwrap();
    assert_eq!(report.rows, 2);
    assert_eq!(report.accepted + report.rejections_total, 2);
    report.rejections[0].clone()
}

#[test]
fn wrong_columns_are_named_with_their_type_and_what_fits() {
    for (name, column, words) in [
        (
            "amount",
            Arc::new(arrow_array::Float64Array::from(vec![1.5, 2.5])) as ArrayRef,
            "column \"amount\" is Float64; a decimal field takes no floating point",
        ),
        ("id", Arc::new(Int64Array::from(vec![1, 2])), "column \"id\" is Int64; a text field takes strings"),
        ("date", Arc::new(Int64Array::from(vec![1, 2])), "column \"date\" is Int64; a date field takes dates"),
    ] {
        let ledger = ready();
        let error = load(&ledger, columns(name, column)).unwrap_err();
        let Error::Schema(misfit) = &error else { panic!("{error}") };
        assert_eq!((misfit.code, misfit.field.as_deref()), (codes::WRONG_COLUMN_TYPE, Some(name)), "{error}");
        assert!(misfit.message.contains(words), "{error}");
        assert_eq!(ledger.size().unwrap(), 3);
    }
}

#[test]
fn a_time_without_a_zone_is_refused() {
    let source = "[module]\nname = \"notes\"\nversion = 1\ntitle = \"Notes\"\n[roles.writer]\ndoc = \"Writes\"\n\
        [types.note]\ndoc = \"A note\"\nauthorise = [\"writer\"]\n[types.note.fields]\nat = { type = \"timestamp\", required = true }\n";
    let ledger = ledgerstone::Create::new(ORIGIN, key()).module(source, "notes.toml").in_memory().unwrap();
    let table =
        RecordBatch::try_from_iter([("at", Arc::new(TimestampMicrosecondArray::from(vec![0])) as ArrayRef)]).unwrap();
    let options = LoadOptions::default();
    let error = ledger.append_tables("notes.note", &mut std::iter::once(Ok(table)), options).unwrap_err();
    assert_eq!(error.code(), codes::WRONG_COLUMN_TYPE);
    assert!(error.to_string().contains("say which time zone the column is in"), "{error}");
    let error = ledger.append("notes.note", texts(&[("at", "2026-01-01T00:00:00")]), None).unwrap_err();
    assert_eq!(error.code(), codes::BAD_FORMAT);
    assert!(error.to_string().contains("with an offset"), "{error}");
}

#[test]
fn nulls_in_required_fields_are_refused_by_row() {
    let refused = first(columns("amount", Arc::new(StringArray::from(vec![Some("1"), None]))));
    assert_eq!(
        (refused.row, refused.code.as_str(), refused.field.as_deref()),
        (1, codes::MISSING_FIELD, Some("amount"))
    );
    let refused = first(columns("debit", Arc::new(NullArray::new(2))));
    assert_eq!(
        (refused.row, refused.code.as_str(), refused.field.as_deref()),
        (0, codes::MISSING_FIELD, Some("debit"))
    );
}

#[test]
fn money_has_the_digits_of_its_currency_and_no_more() {
    let refused = first(columns("amount", Arc::new(StringArray::from(vec!["1", "2.005"]))));
    assert_eq!((refused.row, refused.code.as_str()), (1, "finance.too_many_decimals"));
    let fine: ArrayRef = Arc::new(Decimal128Array::from(vec![1, 2]).with_precision_and_scale(38, 13).unwrap());
    let refused = first(columns("amount", fine));
    assert_eq!((refused.code.as_str(), refused.field.as_deref()), (codes::TOO_MANY_DIGITS, Some("amount")));
}

#[test]
fn integers_beyond_two_to_the_53_are_refused() {
    let ledger = ready();
    for value in [Value::Int(9_007_199_254_740_992), Value::BigInt("36893488147419103232".to_owned())] {
        let error =
            ledger.append("finance.commodity", object(&[("code", text("X")), ("exponent", value)]), None).unwrap_err();
        assert_eq!(error.code(), codes::OUT_OF_RANGE, "{error}");
    }
    assert_eq!(ledger.size().unwrap(), 3);
}

#[test]
fn a_text_over_its_bound_is_refused_whatever_it_is_packed_in() {
    let long = "x".repeat(1 << 20);
    let wide: ArrayRef = Arc::new(LargeStringArray::from(vec!["a", long.as_str()]));
    let refused = first(columns("id", wide));
    assert_eq!((refused.row, refused.code.as_str(), refused.field.as_deref()), (1, codes::TOO_LONG, Some("id")));
    assert!(refused.message.len() < 200, "the message does not repeat the value");
    let ledger = ready();
    let name = "n".repeat(1 << 20);
    let error = ledger.append("finance.transfer", object(&[(name.as_str(), text("x"))]), None).unwrap_err();
    assert_eq!(error.code(), codes::UNKNOWN_FIELD);
    assert!(error.to_string().len() < 1_000, "nor a name");
}

#[test]
fn an_empty_table_is_no_rows_but_its_columns_are_looked_at() {
    let ledger = ready();
    let empty = columns("amount", Arc::new(StringArray::from(vec!["1", "2"]))).slice(0, 0);
    let report = load(&ledger, empty).unwrap();
    assert_eq!((report.rows, report.transactions().count(), report.first), (0, 0, None));
    let wrong = columns("colour", Arc::new(Int64Array::from(vec![1, 2]))).slice(0, 0);
    assert_eq!(load(&ledger, wrong).unwrap_err().code(), codes::UNKNOWN_COLUMN);
    assert_eq!(ledger.size().unwrap(), 3);
}

#[test]
fn tables_with_their_columns_in_another_order_are_not_joined() {
    let ledger = ready();
    let first = columns("amount", Arc::new(StringArray::from(vec!["1", "2"])));
    // Debit and credit change places: joined by place they would be booked the wrong way round.
    let second = first.project(&[0, 2, 1, 3, 4]).unwrap();
    let mut tables = [Ok(first), Ok(second)].into_iter();
    let options = LoadOptions::default();
    let error = ledger.append_tables("finance.transfer", &mut tables, options).unwrap_err();
    assert_eq!(error.code(), codes::UNEVEN_TABLES, "{error}");
    assert!(error.to_string().contains("the first had id Utf8, debit Utf8"), "{error}");
    assert_eq!(ledger.size().unwrap(), 3);
}

#[test]
fn a_reader_that_fails_midway_keeps_nothing_or_says_what_was_kept() {
    let ledger = ready();
    let failing = |good: usize, rows: usize| {
        let piece = move |piece: usize| {
            (0..rows).map(move |row| transfer(&format!("{piece}-{row}"), "cash", "sales", "1").1).collect()
        };
        (0..=good).map(move |number| {
            if number < good { Ok(piece(number)) } else { Err(Error::schema(codes::INPUT_FAILED, "the reader broke")) }
        })
    };
    let options = || LoadOptions { progress: Some(Box::leak(Box::new(|_| Ok(())))), ..LoadOptions::default() };
    let error = ledger.append_values("finance.transfer", &mut failing(3, 100), options()).unwrap_err();
    assert!(matches!(error, Error::Schema(_)), "{error}");
    assert_eq!(ledger.size().unwrap(), 3, "nothing of that call is kept");
    let error = ledger.append_values("finance.transfer", &mut failing(3, 100_000), options()).unwrap_err();
    let Error::Stopped { rows, transactions, .. } = &error else { panic!("{error}") };
    assert_eq!((*rows, *transactions, error.code()), (262_144, 1, codes::INPUT_FAILED));
    assert!(error.to_string().contains("262144 rows before that are done"), "{error}");
    assert_eq!(ledger.size().unwrap(), 4);
}

#[test]
fn a_report_keeps_a_bounded_number_of_refusals_and_tells_all() {
    let ledger = ready();
    let total = EXCEPTIONS_KEPT + 5_000;
    let mut told = 0;
    let mut told_of = |exception: &RecordException| {
        assert_eq!(exception.reason.row, told);
        told += 1;
        Ok(())
    };
    let options = LoadOptions { exceptions: Some(&mut told_of), ..LoadOptions::default() };
    let mut pieces = (0..total).step_by(5_000).map(|_| Ok(vec![Value::Null; 5_000]));
    let report = ledger.append_values("finance.transfer", &mut pieces, options).unwrap();
    assert_eq!((report.rejections_total, report.rejections.len()), (total as u64, EXCEPTIONS_KEPT));
    assert_eq!(told, total as u64);
}

#[test]
fn large_rows_are_cut_by_their_bytes_wherever_the_tables_end() {
    // Each is far too long, and packed so that the test needs the memory of one.
    let text = "x".repeat(1 << 20);
    let strings = |count: usize| -> ArrayRef {
        Arc::new(std::iter::repeat_n(text.as_str(), count).collect::<DictionaryArray<Int32Type>>())
    };
    let table = |count: usize| {
        let names = ["id", "debit", "credit", "currency", "amount"].map(|name| (name, strings(count)));
        Ok(RecordBatch::try_from_iter(names).unwrap())
    };
    let cuts = |counts: &[usize]| {
        let mut seen = Vec::new();
        let mut progress = |done: ledgerstone::LoadProgress| {
            seen.push(done.rows);
            Ok(())
        };
        let options = LoadOptions { progress: Some(&mut progress), ..LoadOptions::default() };
        let mut tables = counts.iter().map(|count| table(*count));
        let report = ready().append_tables("finance.transfer", &mut tables, options).unwrap();
        assert_eq!(report.rejections_total, 60);
        seen
    };
    assert_eq!(cuts(&[60]), [25, 50, 60]);
    assert_eq!(cuts(&[7, 18, 1, 34]), [25, 50, 60]);
}

#[test]
fn one_atomic_transaction_has_a_bound_in_bytes() {
    let ledger = ready();
    // Packed, so that the test needs the memory of one.
    let text = "x".repeat(1 << 20);
    let packed: DictionaryArray<Int32Type> = std::iter::repeat_n(text.as_str(), 100).collect();
    let table = RecordBatch::try_from_iter([("id", Arc::new(packed) as ArrayRef)]).unwrap();
    let mut read = 0;
    let mut tables = std::iter::repeat_with(|| {
        read += 1;
        Ok(table.clone())
    });
    let options = LoadOptions { mode: Mode::Atomic, ..LoadOptions::default() };
    let error = ledger.append_tables("finance.transfer", &mut tables, options).unwrap_err();
    assert_eq!(error.code(), codes::ATOMIC_BYTES_LIMIT, "{error}");
    assert!(read <= ATOMIC_BYTES / (100 << 20) + 1, "{read} tables were read");
    assert_eq!(ledger.size().unwrap(), 3);
}

#[test]
fn a_truncated_file_is_refused_or_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    let opened = |path: &Path| {
        Open::default().readonly(true).at(path).and_then(|ledger| {
            let report = ledger.audit(ledgerstone::AuditOptions { against: None, progress: &mut |_, _| Ok(()) })?;
            Ok(report.verdict.is_ok())
        })
    };
    assert!(opened(&path).unwrap());
    for length in [0, 1, 99, 100, 4_095, 4_096, 8_192, whole.len() / 2, whole.len() - 4_096, whole.len() - 2_000] {
        std::fs::write(&path, &whole[..length]).unwrap();
        match opened(&path) {
            Ok(is_ok) => assert!(!is_ok, "{length} of {} bytes pass for a ledger", whole.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
