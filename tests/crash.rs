//! Power is cut in the middle of appends: a process that appends single records and loads is killed (SIGKILL) at random moments, a
//! hundred times and more. After each kill the ledger opens cleanly, the audit is ok, and every transaction that the process had
//! acknowledged is there with the same records.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ledgerstone::Open;
use ledgerstone::model::RowId;
use ledgerstone_tests::{Rng, account, audited, books, key, load, transfer};
use ledgerstone_verify::Mode;

/// Names the folder that the killed process works in.
const FOLDER: &str = "LEDGERSTONE_CRASH_FOLDER";
const KILLS: usize = 110;
/// Kills of one ledger, before the next begins with an empty one.
const KILLS_PER_LEDGER: usize = 11;

fn ledger_path(folder: &Path) -> PathBuf {
    folder.join("books.ledger")
}

/// Not a test of its own: what the killed process does. It appends until it is killed, and writes down every acknowledged
/// transaction durably before it goes on.
#[test]
fn killed_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let ledger = Open::default().key(key()).at(&ledger_path(&folder)).unwrap();
    let mut acknowledged = OpenOptions::new().append(true).create(true).open(folder.join("acknowledged")).unwrap();
    for round in 0.. {
        let size = ledger.size().unwrap();
        let name = |row: u64| format!("{size}-{row}");
        let (index, rows) = if round % 3 == 2 {
            let rows = [40, 700, 2_500][(size % 3) as usize];
            let values = (0..rows).map(|row| transfer(&name(row), "cash", "sales", "1").1).collect();
            let report = load(&ledger, "finance.transfer", values, Some(&format!("load-{size}")), Mode::Each).unwrap();
            assert_eq!(report.accepted, rows);
            (report.transactions().next().unwrap(), rows)
        } else {
            let one = vec![transfer(&name(0), "cash", "sales", "0.5"), transfer(&name(1), "cash", "sales", "0.25")];
            (ledger.append_all(one, Some(&format!("one-{size}"))).unwrap().index, 2)
        };
        // In one write, so that a kill leaves whole lines.
        acknowledged.write_all(format!("{index} {rows}\n").as_bytes()).unwrap();
        acknowledged.sync_data().unwrap();
    }
}

/// What was acknowledged: index and number of records. A last line that was cut off was not.
fn acknowledged(folder: &Path) -> Vec<(u64, u32)> {
    let Ok(file) = File::open(folder.join("acknowledged")) else { return Vec::new() };
    let mut lines = BufReader::new(file);
    let mut read = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some((index, rows)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) {
            read.push((index.parse().unwrap(), rows.parse().unwrap()));
        }
        line.clear();
    }
    read
}

/// Opens the ledger after a kill and looks at everything.
fn examine(folder: &Path, from: usize) -> usize {
    let ledger = Open::default().key(key()).at(&ledger_path(folder)).unwrap();
    audited(&ledger);
    let acknowledged = acknowledged(folder);
    let size = ledger.size().unwrap();
    let known = acknowledged.last().map_or(3, |(index, _)| index + 1);
    // A transaction that became durable just before the kill may not have been acknowledged any more; every run may leave one.
    assert!(size >= known, "{known} acknowledged, {size} there");
    for (index, rows) in &acknowledged[from..] {
        for position in [0, rows - 1] {
            let receipt = ledger.receipt(RowId::new(*index, position)).unwrap();
            let verified = receipt.verify(&ledger.verifier_keys().unwrap()).unwrap();
            let id = format!("\"id\":\"{index}-{position}\"");
            assert!(verified.record.contains(&id), "{id} is not in {}", verified.record);
        }
    }
    acknowledged.len()
}

fn kill_after(folder: &Path, wait: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_process", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(wait);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), None, "it ended by itself: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    let mut rng = Rng::new(21);
    let mut total = 0;
    for _ in 0..KILLS / KILLS_PER_LEDGER {
        let folder = tempfile::tempdir().unwrap();
        let ledger = books().at(&ledger_path(folder.path())).unwrap();
        ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
        drop(ledger);
        let mut seen = 0;
        for _ in 0..KILLS_PER_LEDGER {
            kill_after(folder.path(), Duration::from_millis(25 + rng.below(350)));
            seen = examine(folder.path(), seen);
        }
        total += seen;
    }
    assert!(total > KILLS, "only {total} transactions were acknowledged in all");
}
