//! Runs the workloads beside their baselines, and writes the medians.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::data::{Random, transfers};
use crate::{baseline, reading, workloads};

const RUNS: usize = 5;
const SINGLES: usize = 300;
const MEMORY_ROWS: usize = 5_000_000;
/// Rows of the large ledger that is read, in parts of those of a run.
const READING_ROWS: usize = 5;

/// Times of one run, in seconds.
struct Run {
    plain: f64,
    append: f64,
    query: f64,
    audit: f64,
    bytes_a_transfer: f64,
}

/// Measures, prints, and writes a JSON file.
pub(crate) fn measure(out: &Path, rows: usize) {
    let runs: Vec<Run> = (0..RUNS).map(|number| run(number as u64, rows)).collect();
    let median = |value: &dyn Fn(&Run) -> f64| median(runs.iter().map(value).collect());
    let (single, plain_single, wal_bytes) = single();
    let peak_kib = memory();
    let read = reading::measure(rows * READING_ROWS);
    let figures = json!({
        "rows": rows,
        "accounts": crate::data::ACCOUNTS,
        "runs": RUNS,
        "append_rows_per_s": rows as f64 / median(&|run| run.append),
        "plain_rows_per_s": rows as f64 / median(&|run| run.plain),
        "append_to_plain": median(&|run| run.plain / run.append),
        "query_rows_per_s": rows as f64 / median(&|run| run.query),
        "query_to_append": median(&|run| run.append / run.query),
        "audit_rows_per_s": rows as f64 / median(&|run| run.audit),
        "audit_to_append": median(&|run| run.append / run.audit),
        "bytes_per_transfer": median(&|run| run.bytes_a_transfer),
        "single_us": single * 1e6,
        "plain_single_us": plain_single * 1e6,
        "single_to_plain": single / plain_single,
        "single_wal_bytes": wal_bytes,
        "reading_rows": rows * READING_ROWS,
        "statement_us": read.statement * 1e6,
        "statement_to_plain": read.plain_statement / read.statement,
        "plain_statement_us": read.plain_statement * 1e6,
        "by_value_us": read.by_value * 1e6,
        "by_value_to_plain": read.plain_by_value / read.by_value,
        "plain_by_value_us": read.plain_by_value * 1e6,
        "history_us": read.history * 1e6,
        "open_us": read.open_large * 1e6,
        "open_rows": rows * READING_ROWS * 2,
        "open_to_small": read.open_large / read.open_small,
        "memory_rows": MEMORY_ROWS,
        "memory_peak_mib": peak_kib / 1024.0,
    });
    let text = serde_json::to_string_pretty(&figures).expect("JSON");
    println!("{text}");
    std::fs::write(out, text + "\n").expect("the figures are written");
}

fn run(seed: u64, rows: usize) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let batch = transfers(&mut Random(seed), rows);
    let mut table = baseline::table(&folder.path().join("plain.sqlite"));
    let plain = baseline::insert(&mut table, &batch).as_secs_f64();
    drop(table);
    let path = folder.path().join("bench.ledger");
    let ledger = workloads::ledger(&path);
    let append = workloads::append(&ledger, &batch).as_secs_f64();
    let query = workloads::query(&ledger, rows).as_secs_f64();
    let audit = workloads::audit(&ledger).as_secs_f64();
    drop(ledger);
    let bytes = std::fs::metadata(&path).expect("the ledger").len();
    eprintln!("run {seed}: plain {plain:.2} s, append {append:.2} s, query {query:.3} s, audit {audit:.2} s");
    Run { plain, append, query, audit, bytes_a_transfer: bytes as f64 / rows as f64 }
}

/// Measures and prints what is read out of a ledger of so many rows.
pub(crate) fn print_reading(rows: usize) {
    let read = reading::measure(rows);
    let line = |what: &str, ours: f64, plain: f64| {
        println!("{what}: {:.0} us, plain {:.0} us: {:.2} as fast", ours * 1e6, plain * 1e6, plain / ours);
    };
    line("statement", read.statement, read.plain_statement);
    line("query by value", read.by_value, read.plain_by_value);
    println!("history: {:.0} us", read.history * 1e6);
    line("open, the small one beside it", read.open_large, read.open_small);
}

/// Medians of a durable single append and of a plain commit, in turn, and the WAL bytes of one append.
fn single() -> (f64, f64, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("single.ledger");
    let ledger = workloads::ledger(&path);
    let mut table = baseline::table(&folder.path().join("plain.sqlite"));
    let mut random = Random(9);
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..SINGLES {
        let one = transfers(&mut random, 1);
        plain.extend(baseline::singles(&mut table, &one));
        ours.extend(workloads::singles(&ledger, &one));
    }
    drop(ledger);
    let seconds = |times: Vec<Duration>| median(times.iter().map(Duration::as_secs_f64).collect());
    (seconds(ours), seconds(plain), wal_of_one(&path))
}

/// Bytes that one append adds to a fresh WAL.
fn wal_of_one(path: &Path) -> u64 {
    let key = ledgerstone::Key::from_seed([1; 32], "bench");
    let ledger = ledgerstone::Open::default().key(key).at(path).expect("the ledger");
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let length = || std::fs::metadata(&wal).map_or(0, |file| file.len());
    let before = length();
    workloads::singles(&ledger, &transfers(&mut Random(77), 1));
    length() - before
}

/// Peak memory of a streaming load, in KiB, of a process of its own.
fn memory() -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let own = std::env::current_exe().expect("this program");
    let rows = MEMORY_ROWS.to_string();
    let output = Command::new(own).arg("memory").arg(rows).arg(folder.path()).output().expect("a child process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of KiB")
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
