//! What only files can do: other processes, other files, crashes and damage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::super::suite::{all, envelope, put};
use super::super::{Snapshot, SqliteStore, Store, StoreError, Table, WriterLock, number_key};
use super::snapshot::{Readers, SqliteSnapshot};

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("books.ledger");
    (directory, path)
}

#[test]
fn a_closed_ledger_is_one_file() {
    let (directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    store.commit(0, vec![envelope(0)]).unwrap();
    let held = store.snapshot().unwrap();
    drop(store);
    // A snapshot may outlive its store.
    assert_eq!(held.size().unwrap(), 1);
    drop(held);
    assert_eq!(files(directory.path()), ["books.ledger"]);
    let store = SqliteStore::open(&path).unwrap();
    store.commit(1, vec![envelope(1)]).unwrap();
    let reader = SqliteStore::open_readonly(&path).unwrap();
    let held = reader.snapshot().unwrap();
    drop((store, held, reader));
    assert_eq!(files(directory.path()), ["books.ledger"]);
    let reader = SqliteStore::open_readonly(&path).unwrap();
    assert_eq!(reader.snapshot().unwrap().size().unwrap(), 2);
    assert!(reader.commit(2, vec![envelope(2)]).is_err());
    drop(reader);
    assert_eq!(files(directory.path()), ["books.ledger"]);
}

#[test]
fn a_reader_beside_the_writer_sees_whole_commits() {
    let (_directory, path) = place();
    let writer = SqliteStore::create(&path).unwrap();
    let reader = SqliteStore::open_readonly(&path).unwrap();
    let before = reader.snapshot().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for index in 0..50 {
                let cells = (0..100).map(|cell| put(Table::Cells, format!("c{cell}"), index.to_string()));
                writer.commit(index, cells.chain([envelope(index)]).collect()).unwrap();
            }
        });
        loop {
            let snapshot = reader.snapshot().unwrap();
            let size = snapshot.size().unwrap();
            let cells = all(&*snapshot, Table::Cells);
            assert!(cells.iter().all(|(_, value)| *value == (size - 1).to_string().into_bytes()));
            if size == 50 {
                break;
            }
        }
    });
    assert_eq!(before.size().unwrap(), 0);
    assert!(all(&*before, Table::Cells).is_empty());
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let (directory, path) = place();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Missing(_))));
    assert!(matches!(SqliteStore::open_readonly(&path), Err(StoreError::Missing(_))));
    let refused = |path: &Path, part: &str| {
        for opened in [SqliteStore::open(path), SqliteStore::open_readonly(path)] {
            let Err(StoreError::NotALedger { why, .. }) = opened else { panic!("{}", path.display()) };
            assert!(why.contains(part), "{why}");
        }
    };
    refused(directory.path(), "directory");
    std::fs::write(&path, "").unwrap();
    refused(&path, "empty");
    std::fs::write(&path, "any text, long enough to have a header of a hundred bytes ".repeat(20)).unwrap();
    refused(&path, "not an SQLite database");
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE cells (a)").unwrap();
    refused(&path, "something else");
    std::fs::remove_file(&path).unwrap();
    drop(SqliteStore::create(&path).unwrap());
    let tamper = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    tamper("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM cells; END");
    refused(&path, "tables");
    tamper("DROP TRIGGER t; PRAGMA user_version=0");
    refused(&path, "format is 0");
    tamper("PRAGMA user_version=2");
    for opened in [SqliteStore::open(&path), SqliteStore::open_readonly(&path)] {
        assert!(matches!(opened, Err(StoreError::NewerFormat { found: 2, .. })));
    }
    assert_eq!(files(directory.path()), ["books.ledger"]);
}

#[test]
fn create_never_overwrites() {
    let (directory, path) = place();
    for name in ["books.ledger", "books.ledger-wal", "books.ledger-journal"] {
        let existing = directory.path().join(name);
        std::fs::write(&existing, "mine").unwrap();
        assert!(matches!(SqliteStore::create(&path), Err(StoreError::Exists(_))));
        assert_eq!(std::fs::read(&existing).unwrap(), b"mine");
        std::fs::remove_file(&existing).unwrap();
    }
    let open = SqliteStore::create(&path).unwrap();
    assert!(matches!(SqliteStore::create(&path), Err(StoreError::Exists(_))));
    drop(open);
    assert!(matches!(SqliteStore::create(&directory.path().join("no/such")), Err(StoreError::Io { .. })));
}

#[test]
fn a_second_writer_is_told_who_holds_the_ledger() {
    let (directory, path) = place();
    let first = SqliteStore::create(&path).unwrap();
    let Err(StoreError::Locked { holder, .. }) = SqliteStore::open(&path) else { panic!("not locked") };
    assert!(holder.contains(&format!("process {} on ", std::process::id())), "{holder}");
    #[cfg(unix)]
    {
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(SqliteStore::open(&link), Err(StoreError::Locked { .. })));
        std::fs::remove_file(link).unwrap();
    }
    drop(first);
    assert_eq!(files(directory.path()), ["books.ledger"]);
    // A process that was killed leaves its file, and no lock.
    std::fs::write(directory.path().join("books.ledger.lock"), "process 1 on nowhere").unwrap();
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(files(directory.path()), ["books.ledger"]);
}

#[test]
fn at_most_one_of_many_holds_the_lock() {
    let (directory, path) = place();
    let holders = std::sync::atomic::AtomicUsize::new(0);
    let acquired = std::sync::atomic::AtomicUsize::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let Ok(lock) = WriterLock::acquire(&path) else {
                        continue;
                    };
                    assert_eq!(holders.fetch_add(1, order), 0);
                    acquired.fetch_add(1, order);
                    holders.fetch_sub(1, order);
                    drop(lock);
                }
            });
        }
    });
    assert!(acquired.load(order) > 0);
    assert!(files(directory.path()).is_empty());
}

/// What a crash leaves is what the files hold at that moment: with every commit durable, a copy of them.
#[test]
fn a_crash_leaves_whole_commits() {
    let (directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    for index in 0..20 {
        let cells = (0..50).map(|cell| put(Table::Cells, format!("c{cell}"), index.to_string()));
        store.commit(index, cells.chain([envelope(index)]).collect()).unwrap();
    }
    let wal = directory.path().join("books.ledger-wal");
    let length = std::fs::metadata(&wal).unwrap().len() as usize;
    let mut sizes = Vec::new();
    for cut in (0..=10).map(|tenth| length * tenth / 10) {
        let (copies, copy) = place();
        copy_beside_the_store(&path, &copy);
        let bytes = std::fs::read(&wal).unwrap();
        std::fs::write(copies.path().join("books.ledger-wal"), &bytes[..cut]).unwrap();
        let reader = SqliteStore::open_readonly(&copy).unwrap();
        let seen = reader.snapshot().unwrap().size().unwrap();
        drop(reader);
        let kept = std::fs::read(copies.path().join("books.ledger-wal")).unwrap_or_default();
        assert!(cut == 0 || kept == bytes[..cut], "a reader leaves the WAL of a crashed writer alone");
        let opened = SqliteStore::open(&copy).unwrap();
        let snapshot = opened.snapshot().unwrap();
        let size = snapshot.size().unwrap();
        assert_eq!(size, seen);
        let expected = size.saturating_sub(1).to_string().into_bytes();
        assert!(all(&*snapshot, Table::Cells).iter().all(|(_, value)| *value == expected));
        assert!(snapshot.integrity_check().unwrap().is_empty());
        opened.commit(size, vec![envelope(size)]).unwrap();
        sizes.push(size);
    }
    assert!(sizes.is_sorted() && sizes[0] == 0 && sizes[10] == 20, "{sizes:?}");
}

/// Copies by another process, as any other handle on the file would drop this process's locks when it closes.
fn copy_beside_the_store(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let (_directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    let rows = (0..2_000).map(|row| put(Table::UniqueKeys, number_key(row * 7_919), "v"));
    store.commit(0, rows.chain([envelope(0)]).collect()).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(1_009) {
        let mut damaged = whole.clone();
        damaged[place..].iter_mut().take(16).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(&path, &damaged).unwrap();
        let Ok(store) = SqliteStore::open(&path) else {
            continue;
        };
        let Ok(snapshot) = store.snapshot() else {
            continue;
        };
        let _ = snapshot.integrity_check();
        let _ = snapshot.scan(Table::UniqueKeys, &[], None, &mut |_, _| true);
        let _ = snapshot.probe(Table::UniqueKeys, &[[0; 8], [1; 8]], &mut |_| ());
        let _ = snapshot.last_at(Table::UniqueKeys, &[0xff]);
    }
}

#[test]
fn keys_and_values_of_other_kinds_are_damage() {
    let (_directory, path) = place();
    drop(SqliteStore::create(&path).unwrap());
    let sql = "INSERT INTO meta VALUES (x'01', 'text'), (5, x'00'); INSERT INTO chunks VALUES (1, 2.5), (-3, x'00')";
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let store = SqliteStore::open_readonly(&path).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.get(Table::Meta, &[1]).unwrap_err().to_string().contains("damaged"));
    assert!(snapshot.scan(Table::Chunks, &[], None, &mut |_, _| true).is_err());
    assert_eq!(snapshot.last_at(Table::Chunks, &number_key(0)).unwrap(), None);
    assert_eq!(snapshot.last_at(Table::Meta, &[0]).unwrap(), None);
}

/// The way of reading that is left where neither file nor directory can be written; forced, since root may write anything.
#[test]
fn a_frozen_file_is_read_until_it_changes() {
    let (directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    store.commit(0, vec![envelope(0)]).unwrap();
    drop(store);
    let readers = Arc::new(Readers::new(path.clone(), true));
    readers.give_back(readers.frozen().unwrap());
    let snapshot = SqliteSnapshot::begin(&readers).unwrap();
    assert_eq!((snapshot.size().unwrap(), all(&snapshot, Table::Envelopes).len()), (1, 1));
    assert_eq!(files(directory.path()), ["books.ledger"]);
    let writer = SqliteStore::open(&path).unwrap();
    writer.commit(1, vec![envelope(1)]).unwrap();
    drop(writer);
    let changed = snapshot.get(Table::Envelopes, &number_key(0)).unwrap_err();
    assert!(changed.to_string().contains("take a new snapshot"), "{changed}");
    drop(snapshot);
    assert_eq!(SqliteSnapshot::begin(&readers).unwrap().size().unwrap(), 2);
}

/// A commit that does not fit changes nothing, and one that does fit can follow.
#[test]
fn a_full_disk_is_said_and_changes_nothing() {
    let (_directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    store.commit(0, vec![envelope(0)]).unwrap();
    let limit = |pages: u32| {
        let writer = store.writer.as_ref().unwrap().lock().unwrap();
        let sql = format!("PRAGMA max_page_count={pages}");
        writer.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    };
    limit(20);
    let chunk = || put(Table::Chunks, number_key(1 << 24), vec![1; 1 << 20]);
    let full = store.commit(1, vec![envelope(1), chunk()]).unwrap_err();
    assert!(full.to_string().contains("the disk is full"), "{full}");
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 1);
    limit(u32::MAX);
    store.commit(1, vec![envelope(1), chunk()]).unwrap();
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 2);
}
