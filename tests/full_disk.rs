//! A full disk at any write leaves a whole ledger: a process under a bound on the size of its files makes or fills a ledger until it is
//! refused, at many bounds. What it was told was appended is there afterwards, the audit is ok, the error says what to do, and exports,
//! backups and key files leave no half file.

use std::path::{Path, PathBuf};
use std::process::Command;

use ledgerstone::{AuditOptions, BackupOptions, Error, ExportOptions, Key, Ledger, Open, Verdict, codes};
use ledgerstone_tests::{account, books, key, load, transfer};
use ledgerstone_verify::Mode;

/// Names the folder that the bounded process works in, and what it does there.
const FOLDER: &str = "LEDGERSTONE_FULL_FOLDER";
const TASK: &str = "LEDGERSTONE_FULL_TASK";

/// Not a test of its own: what the bounded process does.
#[test]
fn bounded_process() {
    let (Some(folder), Ok(task)) = (std::env::var_os(FOLDER).map(PathBuf::from), std::env::var(TASK)) else { return };
    let error = match task.as_str() {
        "create" => books().at(&folder.join("books.ledger")).err(),
        "append" => append(&folder),
        "key" => Key::generate("me").unwrap().save(&folder.join("new.pem"), None).map_err(Error::from).err(),
        "backup" => {
            let ledger = reading(&folder);
            let options = BackupOptions { audit: false, progress: &mut |_| Ok(()) };
            ledger.backup(&folder.join("copy.ledger"), options).err()
        }
        format => {
            let options = ExportOptions { record_type: None, format: None, overwrite: true, progress: &mut |_| Ok(()) };
            reading(&folder).export(&folder.join(format!("trail.{format}")), options).err()
        }
    };
    match error {
        None => println!("whole"),
        Some(error) => println!("error {} {error}", error.code()),
    }
}

/// Appends single records and loads until it is refused.
fn append(folder: &Path) -> Option<Error> {
    let ledger = match Open::default().key(key()).at(&folder.join("books.ledger")) {
        Ok(ledger) => ledger,
        Err(error) => return Some(error),
    };
    for round in 0..400 {
        let size = ledger.size().unwrap();
        let name = |row: u64| format!("{size}-{row}");
        let appended = if round % 4 == 3 {
            let rows = (0..300).map(|row| transfer(&name(row), "cash", "sales", "1").1).collect();
            load(&ledger, "finance.transfer", rows, Some(&format!("load-{size}")), Mode::Each).map(|_| 300)
        } else {
            ledger.append_all(vec![transfer(&name(0), "cash", "sales", "1")], None).map(|_| 1)
        };
        match appended {
            Ok(rows) => println!("done {size} {rows}"),
            Err(error) => return Some(error),
        }
    }
    None
}

/// For reading needs no file that would have to grow.
fn reading(folder: &Path) -> Ledger {
    Open::default().readonly(true).at(&folder.join("books.ledger")).unwrap()
}

fn open(folder: &Path) -> Ledger {
    Open::default().key(key()).at(&folder.join("books.ledger")).unwrap()
}

/// What the process says under this bound, in blocks of 512 bytes. The signal that would end it is ignored, so that writing fails.
fn bounded(folder: &Path, task: &str, blocks: u64) -> Vec<String> {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "bounded_process", "--nocapture"])
        .env(FOLDER, folder)
        .env(TASK, task)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = said.lines().filter_map(told).collect();
    assert!(!lines.is_empty(), "{task} at {blocks}: {said}{}", String::from_utf8_lossy(&output.stderr));
    lines
}

/// A line of ours; the test harness writes before the first.
fn told(line: &str) -> Option<String> {
    let ours = ["done ", "error ", "whole"].into_iter().filter_map(|word| line.find(word)).min()?;
    line.get(ours..).filter(|rest| !rest.starts_with("done in")).map(str::to_owned)
}

/// The error says that the disk is full, and where.
fn check_full(lines: &[String], path: &str, context: &str) {
    let last = lines.last().unwrap();
    assert!(last.starts_with(&format!("error {} ", codes::DISK_FULL)), "{context}: {last}");
    assert!(last.contains("the disk is full") && last.contains(path), "{context}: {last}");
}

fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = books().at(&folder.path().join("books.ledger")).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // A reader whose files for sharing could not grow leaves them, empty, for the next one.
    names.retain(|name| !["books.ledger-shm", "books.ledger-wal"].contains(&name.as_str()));
    names.sort();
    names
}

#[test]
fn appends_that_do_not_fit_leave_what_was_acknowledged() {
    let (mut refused, mut kept) = (0, 0);
    for blocks in (0..44).map(|step| 40 + 56 * step) {
        let folder = prepared();
        let lines = bounded(folder.path(), "append", blocks);
        if lines.last().unwrap().starts_with("error") {
            check_full(&lines, "books.ledger", &format!("{blocks} blocks"));
            refused += 1;
        }
        let ledger = open(folder.path());
        let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap();
        assert_eq!(report.verdict, Verdict::OkUpToSize, "{blocks} blocks: {report}");
        let done: Vec<&String> = lines.iter().filter(|line| line.starts_with("done")).collect();
        assert_eq!(ledger.size().unwrap(), 3 + done.len() as u64, "{blocks} blocks: exactly what was acknowledged");
        // It goes on where it was.
        ledger.append_all(vec![transfer("after", "cash", "sales", "1")], None).unwrap();
        kept += done.len();
    }
    assert!(refused > 20 && kept > 100, "{refused} refused, {kept} kept");
}

#[test]
fn a_ledger_that_cannot_be_made_leaves_nothing() {
    let mut refused = 0;
    for blocks in (0..40).map(|step| 1 + 9 * step) {
        let folder = tempfile::tempdir().unwrap();
        let lines = bounded(folder.path(), "create", blocks);
        if lines.last().unwrap() == "whole" {
            assert_eq!(open(folder.path()).size().unwrap(), 2, "{blocks} blocks");
            continue;
        }
        check_full(&lines, "books.ledger", &format!("{blocks} blocks"));
        assert_eq!(names(folder.path()), [""; 0], "{blocks} blocks");
        refused += 1;
    }
    assert!(refused > 5, "{refused} refused");
}

#[test]
fn exports_backups_and_keys_are_whole_or_not_there() {
    let folder = prepared();
    let ledger = open(folder.path());
    let rows =
        (0..30_000).map(|row| transfer(&format!("{row}-{}", row * 7_919 % 30_011), "cash", "sales", "1").1).collect();
    load(&ledger, "finance.transfer", rows, None, Mode::Each).unwrap();
    drop(ledger);
    let before = names(folder.path());
    for (task, made) in
        [("key", "new.pem"), ("backup", "copy.ledger"), ("parquet", "trail.parquet"), ("arrow", "trail.arrow")]
    {
        let bounds: &[u64] = if task == "key" { &[0] } else { &[0, 64, 512, 1_500] };
        for &blocks in bounds {
            let lines = bounded(folder.path(), task, blocks);
            check_full(&lines, made, &format!("{task} at {blocks} blocks"));
            assert_eq!(names(folder.path()), before, "{task} at {blocks} blocks");
        }
        assert_eq!(bounded(folder.path(), task, 1 << 20), ["whole"], "{task}");
        assert!(names(folder.path()).contains(&made.to_owned()), "{task}");
        std::fs::remove_file(folder.path().join(made)).unwrap();
    }
}
