//! The benchmark: every figure is a ratio to something run in the same minute, because machines are shared.
//!
//! `ledgerstone-bench figures.json [rows]` measures and writes the figures; `ledgerstone-bench memory ROWS DIR` is the child process whose
//! peak memory is read; `ledgerstone-bench reading ROWS` measures only what is read out of a large ledger.

mod baseline;
mod data;
mod figures;
mod reading;
mod workloads;

use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["memory", rows, folder] => {
            workloads::load_streaming(rows.parse().expect("a number of rows"), Path::new(folder))
        }
        ["reading", rows] => figures::print_reading(rows.parse().expect("a number of rows")),
        ["profile", rows] => workloads::profile(rows.parse().expect("a number of rows")),
        [out] => figures::measure(Path::new(out), 1_000_000),
        [out, rows] => figures::measure(Path::new(out), rows.parse().expect("a number of rows")),
        _ => {
            eprintln!("usage: ledgerstone-bench OUT.json [ROWS]");
            std::process::exit(2);
        }
    }
}
