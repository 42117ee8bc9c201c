//! What a ledger is measured against: a plain SQLite table, prepared statements, no hashing.

use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use rusqlite::{Connection, params};

/// Rows of one commit.
const ROWS_A_COMMIT: usize = 10_000;

/// A new table with `id TEXT PRIMARY KEY`, at the pragmas of the ledger.
pub(crate) fn table(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a new file");
    connection
        .execute_batch(
            "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE transfers (id TEXT PRIMARY KEY, debit TEXT NOT NULL, credit TEXT NOT NULL,
                                     currency TEXT NOT NULL, amount INTEGER NOT NULL);",
        )
        .expect("a new table");
    connection
}

/// Inserts every row, so many to a commit.
pub(crate) fn insert(connection: &mut Connection, batch: &RecordBatch) -> Duration {
    let text = |column: usize| batch.column(column).as_string::<i32>();
    let (ids, debits, credits, currencies) = (text(0), text(1), text(2), text(3));
    let amounts = batch.column(4).as_primitive::<Decimal128Type>();
    let start = Instant::now();
    for first in (0..batch.num_rows()).step_by(ROWS_A_COMMIT) {
        let transaction = connection.transaction().expect("a transaction");
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO transfers VALUES (?1, ?2, ?3, ?4, ?5)").expect("a statement");
            for row in first..(first + ROWS_A_COMMIT).min(batch.num_rows()) {
                let amount = amounts.value(row) as i64;
                insert
                    .execute(params![
                        ids.value(row),
                        debits.value(row),
                        credits.value(row),
                        currencies.value(row),
                        amount
                    ])
                    .expect("a row");
            }
        }
        transaction.commit().expect("a commit");
    }
    start.elapsed()
}

/// Indexes both accounts of a transfer, as whoever needs statements would.
pub(crate) fn index(connection: &Connection) {
    connection
        .execute_batch("CREATE INDEX by_debit ON transfers (debit); CREATE INDEX by_credit ON transfers (credit);")
        .expect("two indexes");
}

/// The statement of an account: id, counterparty, amount and running sum of every transfer, in the order of the table; the time, and the
/// last sum.
pub(crate) fn statement(connection: &Connection, account: &str) -> (Duration, i64) {
    const SQL: &str = "SELECT id, credit, amount, rowid FROM transfers WHERE debit = ?1
        UNION ALL SELECT id, debit, -amount, rowid FROM transfers WHERE credit = ?1 ORDER BY 4";
    let start = Instant::now();
    let mut select = connection.prepare_cached(SQL).expect("a statement");
    let mut rows = select.query([account]).expect("rows");
    let (mut lines, mut sum) = (Vec::new(), 0);
    while let Some(row) = rows.next().expect("a row") {
        let amount: i64 = row.get(2).expect("an amount");
        sum += amount;
        let texts: (String, String) = (row.get(0).expect("an id"), row.get(1).expect("an account"));
        lines.push((texts, amount, sum));
    }
    std::hint::black_box(&lines);
    (start.elapsed(), sum)
}

/// The transfers that debit an account; the time, and how many.
pub(crate) fn query_by_value(connection: &Connection, account: &str) -> (Duration, usize) {
    const SQL: &str = "SELECT id, debit, credit, currency, amount FROM transfers WHERE debit = ?1 ORDER BY rowid";
    let start = Instant::now();
    let mut select = connection.prepare_cached(SQL).expect("a statement");
    let rows = select.query_map([account], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(4)?))
    });
    let rows: Vec<_> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    (start.elapsed(), std::hint::black_box(rows).len())
}

/// Commits rows one by one; the time of each.
pub(crate) fn singles(connection: &mut Connection, batch: &RecordBatch) -> Vec<Duration> {
    (0..batch.num_rows()).map(|row| insert(connection, &batch.slice(row, 1))).collect()
}
