//! What is measured of the ledger itself.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use ledgerstone::model::{Decimal, Value};
use ledgerstone::query::{Comparison, Predicate};
use ledgerstone::{AuditOptions, Create, Key, Ledger, LoadOptions, QueryRequest, StatementRequest};

use crate::data::{ACCOUNTS, Random, account, transfers};

/// A new ledger with the accounts opened.
pub(crate) fn ledger(path: &Path) -> Arc<Ledger> {
    let ledger = Create::new("bench.example/books", Key::from_seed([1; 32], "bench"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .at(path)
        .expect("a new ledger");
    let accounts = (0..ACCOUNTS)
        .map(|number| object(&[("id", text(&account(number))), ("kind", text("asset")), ("currency", text("EUR"))]))
        .collect();
    let report = ledger
        .append_values("finance.account", &mut std::iter::once(Ok(accounts)), each(&mut |_| Ok(())))
        .expect("accounts");
    assert_eq!(report.accepted, ACCOUNTS);
    Arc::new(ledger)
}

/// Appends a table; every row must be accepted.
pub(crate) fn append(ledger: &Ledger, batch: &RecordBatch) -> Duration {
    let start = Instant::now();
    let report = ledger
        .append_tables("finance.transfer", &mut std::iter::once(Ok(batch.clone())), each(&mut |_| Ok(())))
        .expect("transfers");
    assert_eq!(report.accepted, batch.num_rows() as u64);
    start.elapsed()
}

/// Reads every transfer as Arrow.
pub(crate) fn query(ledger: &Arc<Ledger>, rows: usize) -> Duration {
    let start = Instant::now();
    let request = QueryRequest { record_type: "finance.transfer".to_owned(), ..QueryRequest::default() };
    let read: usize = ledger.query(&request).expect("a query").map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(read, rows);
    start.elapsed()
}

/// The transfers that debit an account; the time, and how many.
pub(crate) fn query_by_value(ledger: &Arc<Ledger>, account: &str) -> (Duration, usize) {
    let start = Instant::now();
    let debit = Predicate { field: "debit".to_owned(), comparison: Comparison::Equal, values: vec![text(account)] };
    let columns = ["id", "debit", "credit", "currency", "amount"].map(str::to_owned).to_vec();
    let request = QueryRequest {
        record_type: "finance.transfer".to_owned(),
        predicates: vec![debit],
        columns: Some(columns),
        ..QueryRequest::default()
    };
    let read = ledger.query(&request).expect("a query").map(|batch| batch.expect("rows").num_rows()).sum();
    (start.elapsed(), read)
}

/// The statement of an account; the time, and its closing balance in cents.
pub(crate) fn statement(ledger: &Arc<Ledger>, account: &str) -> (Duration, i64) {
    let start = Instant::now();
    let request = StatementRequest {
        record_type: "finance.account".to_owned(),
        key: vec![text(account)],
        columns: ["id", "debit", "credit", "amount"].map(str::to_owned).to_vec(),
        ..StatementRequest::default()
    };
    let rows = ledger.statement(&request).expect("a statement");
    let closing = rows.closing()["posted"];
    let read: usize = rows.map(|batch| batch.expect("lines").num_rows()).sum();
    assert!(read > 0);
    (start.elapsed(), closing.rescaled(2).expect("cents") as i64)
}

/// The history of an account; the time.
pub(crate) fn history(ledger: &Arc<Ledger>, account: &str) -> Duration {
    let start = Instant::now();
    let rows = ledger.history("finance.account", &[text(account)], None).expect("a history");
    let read: usize = rows.map(|batch| batch.expect("rows").num_rows()).sum();
    assert!(read > 0);
    start.elapsed()
}

/// Opens a ledger for appending; the time.
pub(crate) fn open(path: &Path) -> Duration {
    let start = Instant::now();
    let ledger = ledgerstone::Open::default().key(Key::from_seed([1; 32], "bench")).at(path).expect("the ledger");
    let took = start.elapsed();
    drop(ledger);
    took
}

/// Audits everything.
pub(crate) fn audit(ledger: &Ledger) -> Duration {
    let start = Instant::now();
    let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).expect("an audit");
    assert!(report.verdict.is_ok(), "{report}");
    start.elapsed()
}

/// Appends transfers one by one; the time of each.
pub(crate) fn singles(ledger: &Ledger, batch: &RecordBatch) -> Vec<Duration> {
    let column = |number: usize| batch.column(number).as_string::<i32>();
    let amounts = batch.column(4).as_primitive::<Decimal128Type>();
    (0..batch.num_rows())
        .map(|row| {
            let record = object(&[
                ("id", text(column(0).value(row))),
                ("debit", text(column(1).value(row))),
                ("credit", text(column(2).value(row))),
                ("currency", text("EUR")),
                ("amount", Value::Decimal(Decimal::new(amounts.value(row), 2))),
            ]);
            let start = Instant::now();
            ledger.append("finance.transfer", record, None).expect("a transfer");
            start.elapsed()
        })
        .collect()
}

/// The child process: a load from a reader that makes its batches as they are asked for.
pub(crate) fn load_streaming(rows: usize, folder: &Path) {
    const BATCH: usize = 65_536;
    let ledger = ledger(&folder.join("memory.ledger"));
    let mut random = Random(5);
    let mut batches = (0..rows.div_ceil(BATCH)).map(|number| {
        let left = rows - number * BATCH;
        Ok(transfers(&mut random, left.min(BATCH)))
    });
    let report = ledger.append_tables("finance.transfer", &mut batches, each(&mut |_| Ok(()))).expect("a load");
    assert_eq!(report.accepted, rows as u64);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

/// One append, query and audit, for a profiler.
pub(crate) fn profile(rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = ledger(&folder.path().join("profile.ledger"));
    let batch = transfers(&mut Random(1), rows);
    println!("append {:?}", append(&ledger, &batch));
    println!("query {:?}", query(&ledger, rows));
    println!("audit {:?}", audit(&ledger));
}

fn each(progress: &mut dyn FnMut(ledgerstone::LoadProgress) -> ledgerstone::Result<()>) -> LoadOptions<'_> {
    LoadOptions { progress: Some(progress), ..LoadOptions::default() }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}
