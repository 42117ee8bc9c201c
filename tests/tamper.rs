//! Whoever holds the file but no keys changes it: bytes of values and keys in every table, rows deleted, inserted, swapped, outcomes
//! edited, the log cut short or rolled back, raw bytes of the file. The audit never says ok and never panics; it names the table, and
//! for envelopes the transaction.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledgerstone::model::Value;
use ledgerstone::{AuditOptions, AuditReport, Error, Ledger, Open, Verdict};
use ledgerstone_tests::{Rng, account, books, key, load, object, text, transfer};
use ledgerstone_verify::Mode;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params};

/// Tables with keys that are numbers, and those with keys that are bytes.
const NUMBERED: [&str; 8] =
    ["envelopes", "chunks", "exceptions", "rejections", "emitted", "cell_runs", "record_nodes", "log_nodes"];
const NAMED: [&str; 7] = ["meta", "segments", "cell_history", "cells", "unique_keys", "postings", "idempotency"];
/// Rows of a table that are changed, at most, and places in each.
const ROWS: usize = 24;
const PLACES: usize = 4;
/// Random changes of raw bytes.
const RAW: u64 = 200;

/// The longest that an audit of this small file may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);
/// What an audit says that took longer.
const ENDLESS: &str = ": the audit of a small file does not end";

/// A closed ledger, and a checkpoint that left it.
struct Victim {
    folder: tempfile::TempDir,
    path: PathBuf,
    note: String,
}

/// What became of an audit.
enum Answer {
    Report(AuditReport),
    /// It could not even be opened, or the audit could not go on.
    Error(Error),
}

impl Victim {
    /// A ledger with rows in every table.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.ledger");
        let create = books().module(include_str!("outcomes.toml"), "outcomes.toml").record_rejections(true);
        let ledger = create.at(&path).unwrap();
        let accounts = vec![account("cash", "0"), account("sales", ""), account("costs", "-10")];
        ledger.append_all(accounts, Some("accounts")).unwrap();
        let row = |n: usize| {
            let (debit, credit) = if n % 10 == 3 { ("nobody", "sales") } else { ("cash", "sales") };
            transfer(&format!("m{n}"), debit, credit, "1.25").1
        };
        load(&ledger, "finance.transfer", (0..260).map(row).collect(), Some("year"), Mode::Each).unwrap();
        load(&ledger, "finance.transfer", (500..520).map(row).collect(), None, Mode::Each).unwrap();
        for n in 0..64 {
            let id = format!("single-{n}");
            let id = (n % 2 == 0).then_some(id.as_str());
            ledger.append_all(vec![transfer(&format!("s{n}"), "costs", "sales", "0.5")], id).unwrap();
        }
        orders(&ledger);
        let note = ledger.checkpoint().unwrap().note;
        drop(ledger);
        Victim { folder, path, note }
    }

    /// A copy to be changed, without the log key.
    fn copy(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        std::fs::copy(&self.path, &path).unwrap();
        path
    }
}

/// Orders that are flagged, held and released, and what follows them.
fn orders(ledger: &Ledger) {
    let order = |id: &str, pieces: i64| {
        let members = [("id", text(id)), ("customer", text("ann")), ("pieces", Value::Int(pieces))];
        ("orders.order".to_owned(), object(&members))
    };
    for n in 0..12 {
        let several = (0..3).map(|m| order(&format!("o{n}-{m}"), [1, 13, 150][m])).collect();
        let appended = ledger.append_all(several, None).unwrap();
        if n % 3 == 0 {
            ledger.release(appended.row(2), None).unwrap();
        }
    }
}

fn connect(path: &Path) -> Connection {
    let file = Connection::open(path).unwrap();
    file.pragma_update(None, "synchronous", "OFF").unwrap();
    file
}

fn audit(path: &Path, against: Option<&str>) -> Answer {
    let began = Instant::now();
    let mut progress = |_, _| match began.elapsed() < PATIENCE {
        true => Ok(()),
        false => Err(Error::Interrupted(ENDLESS.to_owned())),
    };
    let opened = Open::default().readonly(true).threads(1).at(path);
    let audited = opened.and_then(|ledger| ledger.audit(AuditOptions { against, progress: &mut progress }));
    audited.map_or_else(Answer::Error, Answer::Report)
}

impl Answer {
    fn is_ok(&self) -> bool {
        matches!(self, Answer::Report(report) if report.verdict.is_ok())
    }

    fn names(&self, table: &str) -> bool {
        match self {
            Answer::Report(report) => {
                let in_words = format!("table {table}");
                report.findings.iter().any(|finding| finding.table == table || finding.message.contains(&in_words))
            }
            Answer::Error(error) => error.to_string().contains(&format!("table {table}")),
        }
    }

    fn has_index(&self, index: i64) -> bool {
        match self {
            Answer::Report(report) => report.findings.iter().any(|finding| {
                let in_words = format!("transaction {index} is not as it was");
                finding.index == Some(index as u64) || finding.message.contains(&in_words)
            }),
            Answer::Error(error) => error.to_string().contains(&format!("index {index}")),
        }
    }

    fn shown(&self) -> String {
        match self {
            Answer::Report(report) => report.to_string().lines().take(5).collect::<Vec<_>>().join(" | "),
            Answer::Error(error) => format!("error: {error}"),
        }
    }
}

/// Where a change can only be seen in another table: the file's secret in the hashes made with it, a segment in the chunk it points at.
fn named_by_another(table: &str, key: &Sql) -> Option<&'static str> {
    match (table, key) {
        ("meta", Sql::Blob(name)) if name == b"file_secret" => Some("table cell_history"),
        ("segments", _) => Some("a segment names it"),
        // A record that was emitted is missed by the list of them.
        ("chunks", _) => Some("table emitted"),
        _ => None,
    }
}

/// Rows of a table.
fn rows(file: &Connection, table: &str) -> Vec<(Sql, Vec<u8>)> {
    let mut query = file.prepare(&format!("SELECT key, value FROM {table} ORDER BY key")).unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// At most so many of the rows, spread.
fn some<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    let step = all.len().div_ceil(most).max(1);
    all.iter().step_by(step).cloned().collect()
}

/// Something wrong that an audit did not see, or did not name.
#[derive(Default)]
struct Misses {
    silent: Vec<String>,
    unnamed: Vec<String>,
    tried: usize,
}

impl Misses {
    /// Judges one change of a table; for envelopes the transaction has to be named as well.
    fn judge(&mut self, what: String, table: &str, key: &Sql, answer: &Answer) {
        self.tried += 1;
        let index = match (table, key) {
            ("envelopes", Sql::Integer(index)) => Some(*index),
            _ => None,
        };
        if answer.is_ok() || answer.shown().contains(ENDLESS) {
            self.silent.push(format!("{what}: {}", answer.shown()));
        } else if named_by_another(table, key).is_some_and(|other| answer.shown().contains(other)) {
            // Found, and named as far as it can be told.
        } else if !index.map_or_else(|| answer.names(table), |index| answer.has_index(index)) {
            self.unnamed.push(format!("{what}: {}", answer.shown()));
        }
    }

    fn none(&self, at_least: usize) {
        let (silent, unnamed) = (self.silent.len(), self.unnamed.len());
        let list = |misses: &[String]| misses.iter().take(12).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(
            silent + unnamed == 0,
            "of {} changes {silent} were not found:\n  {}\nand {unnamed} were found, but not where they are:\n  {}",
            self.tried,
            list(&self.silent),
            list(&self.unnamed),
        );
        assert!(self.tried >= at_least, "only {} changes were tried", self.tried);
    }
}

fn update(path: &Path, table: &str, key: &Sql, value: &[u8]) {
    let changed = connect(path).execute(&format!("UPDATE {table} SET value = ?2 WHERE key = ?1"), params![key, value]);
    assert_eq!(changed.unwrap(), 1);
}

fn rename(path: &Path, table: &str, key: &Sql, new: &Sql) -> bool {
    connect(path).execute(&format!("UPDATE {table} SET key = ?2 WHERE key = ?1"), params![key, new]).is_ok()
}

/// Changes one bit of a value or of a key, at some places of some rows of a table.
fn flip_bits(victim: &Victim, table: &str, misses: &mut Misses) {
    let mut rng = Rng::new(table.len() as u64);
    let path = victim.copy(&format!("flip-{table}"));
    let all = rows(&connect(&path), table);
    assert!(!all.is_empty(), "the table {table} is empty");
    for (key, value) in some(&all, ROWS) {
        for _ in 0..PLACES.min(value.len()) {
            let at = rng.below(value.len() as u64) as usize;
            let mut changed = value.clone();
            changed[at] ^= 1 << rng.below(8);
            update(&path, table, &key, &changed);
            misses.judge(format!("{table} {key:?}, byte {at} of the value"), table, &key, &audit(&path, None));
            update(&path, table, &key, &value);
        }
        let new = match &key {
            Sql::Integer(number) => Sql::Integer(number ^ (1 << rng.below(40))),
            Sql::Blob(bytes) => {
                let mut bytes = bytes.clone();
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << rng.below(8);
                Sql::Blob(bytes)
            }
            other => panic!("a key {other:?}"),
        };
        if rename(&path, table, &key, &new) {
            misses.judge(format!("{table} {key:?}, key now {new:?}"), table, &key, &audit(&path, None));
            assert!(rename(&path, table, &new, &key));
        }
    }
    assert!(audit(&path, None).is_ok(), "all changes were taken back");
}

/// Deletes rows, inserts rows, and makes values longer and shorter.
fn restructure(victim: &Victim, table: &str, misses: &mut Misses) {
    let path = victim.copy(&format!("rows-{table}"));
    let all = rows(&connect(&path), table);
    for (key, value) in some(&all, ROWS / 2) {
        let insert = |key: &Sql, value: &[u8]| {
            connect(&path).execute(&format!("INSERT INTO {table} VALUES (?1, ?2)"), params![key, value]).is_ok()
        };
        let delete =
            |key: &Sql| connect(&path).execute(&format!("DELETE FROM {table} WHERE key = ?1"), params![key]).unwrap();
        delete(&key);
        misses.judge(format!("{table} {key:?} deleted"), table, &key, &audit(&path, None));
        assert!(insert(&key, &value));
        let longer = [value.as_slice(), &[0]].concat();
        let shorter = &value[..value.len().saturating_sub(1)];
        for changed in [longer.as_slice(), shorter].into_iter().filter(|changed| *changed != value) {
            update(&path, table, &key, changed);
            misses.judge(format!("{table} {key:?} now {} bytes long", changed.len()), table, &key, &audit(&path, None));
            update(&path, table, &key, &value);
        }
        let beside = match &key {
            Sql::Integer(number) => Sql::Integer(number + 1),
            Sql::Blob(bytes) => Sql::Blob([bytes.as_slice(), &[1]].concat()),
            other => panic!("a key {other:?}"),
        };
        if insert(&beside, &value) {
            misses.judge(format!("{table} {beside:?} inserted"), table, &beside, &audit(&path, None));
            delete(&beside);
        }
    }
    // Where no commit would have written, and no lookup would look.
    let odd: &[Sql] = match NUMBERED.contains(&table) {
        true => &[Sql::Integer(-1)],
        false => &[Sql::Integer(1), Sql::Real(-1e300), Sql::Text("key".to_owned())],
    };
    let insert = format!("INSERT INTO {table} VALUES (?1, ?2)");
    for key in odd {
        connect(&path).execute(&insert, params![key, all[0].1]).unwrap();
        misses.judge(format!("{table} row {key:?} inserted"), table, &Sql::Null, &audit(&path, None));
        connect(&path).execute(&format!("DELETE FROM {table} WHERE key = ?1"), params![key]).unwrap();
    }
}

#[test]
fn the_untouched_ledger_is_ok_and_has_rows_in_every_table() {
    let victim = Victim::new();
    let Answer::Report(report) = audit(&victim.path, None) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report}");
    let Answer::Report(report) = audit(&victim.path, Some(&victim.note)) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::Ok, "{report}");
    let file = connect(&victim.path);
    for table in NUMBERED.iter().chain(&NAMED) {
        assert!(!rows(&file, table).is_empty(), "{table} is empty");
    }
    let encodings: Vec<u8> = rows(&file, "chunks").iter().map(|(_, chunk)| chunk[0]).collect();
    assert!(encodings.contains(&0) && encodings.contains(&1), "plain chunks and columns");
}

fn every_bit_is_found(tables: &[&str]) {
    let victim = Victim::new();
    let mut misses = Misses::default();
    tables.iter().for_each(|table| flip_bits(&victim, table, &mut misses));
    misses.none(2 * tables.len());
}

#[test]
fn a_changed_bit_of_what_is_the_ledger_is_found_and_named() {
    every_bit_is_found(&["envelopes", "chunks", "exceptions", "rejections", "emitted"]);
}

#[test]
fn a_changed_bit_of_derived_rows_by_number_is_found_and_named() {
    every_bit_is_found(&["cell_runs", "record_nodes", "log_nodes"]);
}

#[test]
fn a_changed_bit_of_state_is_found_and_named() {
    every_bit_is_found(&["cells", "unique_keys", "cell_history"]);
}

#[test]
fn a_changed_bit_of_an_index_is_found_and_named() {
    every_bit_is_found(&["segments", "postings", "idempotency"]);
}

#[test]
fn a_changed_bit_of_the_facts_about_the_file_is_found_and_named() {
    every_bit_is_found(&["meta"]);
}

#[test]
fn rows_deleted_inserted_and_resized_are_found_and_named() {
    let victim = Victim::new();
    let mut misses = Misses::default();
    NUMBERED.iter().chain(&NAMED).for_each(|table| restructure(&victim, table, &mut misses));
    misses.none(100);
}

#[test]
fn swapped_records_are_found() {
    let victim = Victim::new();
    let path = victim.copy("swap");
    let chunks = rows(&connect(&path), "chunks");
    let singles: Vec<_> = chunks.iter().rev().take(10).collect();
    for pair in singles.windows(2) {
        let [(a, first), (b, second)] = pair else { unreachable!() };
        update(&path, "chunks", a, second);
        update(&path, "chunks", b, first);
        let answer = audit(&path, None);
        assert!(!answer.is_ok() && answer.names("chunks"), "{}", answer.shown());
        update(&path, "chunks", a, first);
        update(&path, "chunks", b, second);
    }
    assert!(audit(&path, None).is_ok());
}

#[test]
fn an_edited_balance_is_found_and_named() {
    let victim = Victim::new();
    let path = victim.copy("balance");
    let cells = rows(&connect(&path), "cells");
    let is_cash =
        |key: &Sql| matches!(key, Sql::Blob(name) if name.starts_with(br#"["finance.account","balance",["cash"]"#));
    let (key, value) = cells.iter().find(|(key, _)| is_cash(key)).unwrap();
    let text = String::from_utf8_lossy(&value[8..]).replace("\"posted\":\"", "\"posted\":\"9");
    let richer = [&value[..8], text.as_bytes()].concat();
    assert_ne!(richer, *value);
    update(&path, "cells", key, &richer);
    let Answer::Report(report) = audit(&path, None) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::StateDiffers, "{report}");
    assert!(
        report.findings.iter().any(|finding| finding.table == "cells" && finding.message.contains("cash")),
        "{report}"
    );
}

#[test]
fn an_edited_outcome_is_found_and_named() {
    let victim = Victim::new();
    let path = victim.copy("outcome");
    let mut edits = 0;
    for (key, list) in rows(&connect(&path), "exceptions") {
        // Some rows tell of held and flagged records.
        if !String::from_utf8_lossy(&list).contains("account_not_open") {
            continue;
        }
        edits += 1;
        let edit = |from: &str, to: &str| {
            assert_eq!(from.len(), to.len());
            let at = list.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
            let mut edited = list.clone();
            edited[at..at + to.len()].copy_from_slice(to.as_bytes());
            edited
        };
        for edited in [
            edit("account_not_open", "account_is_risky"),
            edit("\"rejected\"", "\"rejectee\""),
            edit("\"position\":1", "\"position\":2"),
        ] {
            update(&path, "exceptions", &key, &edited);
            let answer = audit(&path, None);
            assert!(!answer.is_ok() && answer.names("exceptions"), "{}", answer.shown());
        }
        update(&path, "exceptions", &key, &list);
    }
    assert!(edits > 0 && audit(&path, None).is_ok());
}

#[test]
fn a_shortened_log_is_found_against_a_checkpoint_that_left_the_file() {
    let victim = Victim::new();
    // An older copy is a ledger in good order, and says no more than that.
    let older = victim.folder.path().join("older");
    std::fs::copy(&victim.path, &older).unwrap();
    let log_key = victim.folder.path().join("books.ledger.logkey.pem");
    let ledger = Open::default().key(key()).log_key(&log_key).at(&victim.path).unwrap();
    ledger.append_all(vec![transfer("new", "cash", "sales", "1")], None).unwrap();
    let newer = ledger.checkpoint().unwrap().note;
    drop(ledger);
    let Answer::Report(report) = audit(&older, None) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report}");
    let Answer::Report(report) = audit(&older, Some(&newer)) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::Truncated, "{report}");
    // The checkpoint of the older copy is still in the newer one's past.
    let Answer::Report(report) = audit(&victim.path, Some(&victim.note)) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::Ok, "{report}");
    // Another future of the same past: the newest transaction replaced.
    let ledger = Open::default().key(key()).log_key(&log_key).at(&older).unwrap();
    ledger.append_all(vec![transfer("other", "cash", "sales", "1")], None).unwrap();
    drop(ledger);
    let Answer::Report(report) = audit(&older, Some(&newer)) else { panic!("no report") };
    assert_eq!(report.verdict, Verdict::Truncated, "{report}");
}

#[test]
fn the_newest_transactions_cannot_be_cut_off_by_hand() {
    let victim = Victim::new();
    let path = victim.copy("cut");
    let file = connect(&path);
    let last: i64 = file.query_row("SELECT max(key) FROM envelopes", [], |row| row.get(0)).unwrap();
    file.execute("DELETE FROM envelopes WHERE key = ?1", [last]).unwrap();
    for table in ["exceptions", "cell_runs", "record_nodes"] {
        file.execute(&format!("DELETE FROM {table} WHERE key = ?1"), [last]).unwrap();
    }
    file.execute("DELETE FROM chunks WHERE key >= ?1", [last << 24]).unwrap();
    drop(file);
    let answer = audit(&path, None);
    assert!(!answer.is_ok(), "{}", answer.shown());
    let answer = audit(&path, Some(&victim.note));
    assert!(!answer.is_ok(), "{}", answer.shown());
}

/// Name and rows of each table.
type Content = Vec<(String, Vec<(Sql, Sql)>)>;

/// Everything that the file means, or `None` where it cannot be read.
fn content(path: &Path) -> Option<Content> {
    let file = Connection::open(path).ok()?;
    let pragma = |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, Sql>(0)).ok();
    let facts = vec![(pragma("application_id")?, pragma("user_version")?)];
    let mut all = vec![("file".to_owned(), facts)];
    for table in NUMBERED.iter().chain(&NAMED) {
        let mut query = file.prepare(&format!("SELECT key, value FROM {table}")).ok()?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
        all.push(((*table).to_owned(), rows.collect::<Result<_, _>>().ok()?));
    }
    Some(all)
}

#[test]
fn a_changed_byte_of_the_file_is_found_or_means_nothing() {
    let victim = Victim::new();
    let path = victim.copy("raw");
    let bytes = std::fs::read(&path).unwrap();
    let before = content(&path).unwrap();
    let (mut rng, mut silent, mut meaningless) = (Rng::new(77), Vec::new(), 0);
    for number in 0..RAW {
        // The header and the pages of the first table's schema are tried more often.
        let at = if number % 8 == 0 { rng.below(4_096) } else { rng.below(bytes.len() as u64) } as usize;
        let mut changed = bytes.clone();
        changed[at] ^= 1 << rng.below(8);
        for beside in ["raw-wal", "raw-shm"] {
            let _ = std::fs::remove_file(victim.folder.path().join(beside));
        }
        std::fs::write(&path, &changed).unwrap();
        let answer = audit(&path, None);
        if answer.is_ok() {
            match content(&path) {
                Some(after) if after == before => meaningless += 1,
                _ => silent.push(format!("byte {at}: {}", answer.shown())),
            }
        }
    }
    assert!(silent.is_empty(), "{} of {RAW} changes were not found:\n{}", silent.len(), silent.join("\n"));
    assert!(meaningless < RAW * 3 / 4, "{meaningless} of {RAW} changes meant nothing: free space alone was tried");
}

/// No alarm, and no answer: what the file holds is of a build to come.
#[test]
fn a_ledger_that_was_made_under_a_later_semantics_is_unverifiable() {
    let victim = Victim::new();
    let path = victim.copy("later.ledger");
    let file = connect(&path);
    let value: Vec<u8> = file.query_row("SELECT value FROM envelopes WHERE key = 0", [], |row| row.get(0)).unwrap();
    let (from, to) = (b"\"semantics\":0", b"\"semantics\":9");
    let at = value.windows(from.len()).position(|bytes| bytes == from).unwrap();
    let later = [&value[..at], to, &value[at + from.len()..]].concat();
    file.execute("UPDATE envelopes SET value = ? WHERE key = 0", params![later]).unwrap();
    drop(file);
    for readonly in [true, false] {
        let error = Open::default()
            .key(key())
            .log_key(&victim.folder.path().join("books.ledger.logkey.pem"))
            .readonly(readonly)
            .at(&path);
        let error = error.unwrap_err();
        assert_eq!(error.code(), "unverifiable_version", "{error}");
        assert!(error.to_string().contains("semantics 9, unknown to this build"), "{error}");
    }
}
