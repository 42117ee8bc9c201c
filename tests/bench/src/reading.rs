//! What is read out of a large ledger, beside an indexed table of the same transfers: statements, histories, queries by value, opening.

use std::path::Path;

use rusqlite::Connection;

use crate::data::{ACCOUNTS, Random, account, transfers};
use crate::figures::median;
use crate::{baseline, workloads};

/// Accounts that are asked for, each once in a run: neither side has what it needs in a cache of its own.
const ASKED: usize = 60;
/// Times that a ledger is opened.
const OPENINGS: usize = 15;
/// Rows appended at a time.
const PIECE: usize = 500_000;

/// Medians, in seconds.
pub(crate) struct Reading {
    pub(crate) statement: f64,
    pub(crate) plain_statement: f64,
    pub(crate) by_value: f64,
    pub(crate) plain_by_value: f64,
    pub(crate) history: f64,
    pub(crate) open_small: f64,
    pub(crate) open_large: f64,
}

/// Measures on a ledger of so many transfers; opening one of twice as many beside one of 10,000.
pub(crate) fn measure(rows: usize) -> Reading {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.ledger");
    let ledger = workloads::ledger(&path);
    let mut table = baseline::table(&folder.path().join("plain.sqlite"));
    let mut random = Random(3);
    for first in (0..rows).step_by(PIECE) {
        let batch = transfers(&mut random, PIECE.min(rows - first));
        workloads::append(&ledger, &batch);
        baseline::insert(&mut table, &batch);
    }
    baseline::index(&table);
    table.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    let (statement, plain_statement, by_value, plain_by_value) = beside_the_table(&ledger, &table);
    let history = (0..ASKED).map(|_| workloads::history(&ledger, &any(&mut random)).as_secs_f64()).collect();
    for first in (0..rows).step_by(PIECE) {
        workloads::append(&ledger, &transfers(&mut random, PIECE.min(rows - first)));
    }
    drop(ledger);
    let small = folder.path().join("small.ledger");
    drop(workloads::ledger(&small));
    let (open_small, open_large) = openings(&small, &path);
    Reading { statement, plain_statement, by_value, plain_by_value, history: median(history), open_small, open_large }
}

/// Statements and queries, in turn with those of the table; both have to give the same.
fn beside_the_table(ledger: &std::sync::Arc<ledgerstone::Ledger>, table: &Connection) -> (f64, f64, f64, f64) {
    let mut random = Random(4);
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ASKED {
        let id = any(&mut random);
        let (ours, plain) = (workloads::statement(ledger, &id), baseline::statement(table, &id));
        assert_eq!(ours.1, plain.1, "the closing balance of {id}");
        let id = any(&mut random);
        let (found, plain_found) = (workloads::query_by_value(ledger, &id), baseline::query_by_value(table, &id));
        assert_eq!(found.1, plain_found.1, "the transfers of {id}");
        let took = [ours.0, plain.0, found.0, plain_found.0];
        times.iter_mut().zip(took).for_each(|(times, took)| times.push(took.as_secs_f64()));
    }
    let [ours, plain, found, plain_found] = times;
    (median(ours), median(plain), median(found), median(plain_found))
}

fn openings(small: &Path, large: &Path) -> (f64, f64) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        first.push(workloads::open(small).as_secs_f64());
        second.push(workloads::open(large).as_secs_f64());
    }
    (median(first), median(second))
}

fn any(random: &mut Random) -> String {
    account(random.next() % ACCOUNTS)
}
