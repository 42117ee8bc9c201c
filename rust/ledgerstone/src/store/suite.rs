//! One suite for every store: each sentence of the contract is a test. Below it, what only files can do.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A store and what keeps it alive.
struct Fixture {
    store: Box<dyn Store>,
    _directory: Option<TempDir>,
}

fn in_memory() -> Fixture {
    Fixture {
        store: Box::new(MemoryStore::new()),
        _directory: None,
    }
}

fn in_file() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("books.ledger")).unwrap();
    Fixture {
        store: Box::new(store),
        _directory: Some(directory),
    }
}

/// Instantiates a test for every store.
macro_rules! for_every_store {
    ($($name:ident)*) => {
        mod memory { $(#[test] fn $name() { super::$name(&*super::in_memory().store) })* }
        mod sqlite { $(#[test] fn $name() { super::$name(&*super::in_file().store) })* }
    };
}

for_every_store! {
    an_empty_store_is_empty
    every_table_keeps_keys_and_values
    a_commit_is_all_or_nothing
    a_stale_head_is_refused
    an_existing_row_is_refused
    meta_and_cells_replace_and_only_cells_are_removed
    numbers_are_below_2_to_the_63
    a_snapshot_does_not_move
    snapshots_work_from_any_thread
    scans_are_in_order_of_key_bytes
    the_last_row_at_a_key
    a_probe_visits_what_starts_with_a_prefix
    size_is_what_envelopes_says
}

fn put(table: Table, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Put {
    Put {
        table,
        key: key.as_ref().to_vec(),
        value: Some(value.as_ref().to_vec()),
    }
}

fn envelope(index: u64) -> Put {
    put(
        Table::Envelopes,
        number_key(index),
        format!("envelope {index}"),
    )
}

fn all(snapshot: &dyn Snapshot, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    between(snapshot, table, &[], None)
}

fn between(
    snapshot: &dyn Snapshot,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    snapshot.scan(table, from, to, &mut visit).unwrap();
    rows
}

fn probed(snapshot: &dyn Snapshot, table: Table, prefixes: &[[u8; 8]]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    snapshot
        .probe(table, prefixes, &mut |key| keys.push(key.to_vec()))
        .unwrap();
    keys
}

fn an_empty_store_is_empty(store: &dyn Store) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.size().unwrap(), 0);
    assert_eq!(snapshot.integrity_check().unwrap(), Vec::<String>::new());
    for table in Table::ALL {
        assert!(all(&*snapshot, table).is_empty());
        assert_eq!(snapshot.get(table, &number_key(0)).unwrap(), None);
        assert_eq!(snapshot.last_at(table, &[0xff; 9]).unwrap(), None);
        assert!(probed(&*snapshot, table, &[[0; 8]]).is_empty());
    }
}

fn every_table_keeps_keys_and_values(store: &dyn Store) {
    let rows = Table::ALL.map(|table| put(table, number_key(0), table.name()));
    // In any order of tables and keys.
    let more = Table::ALL.map(|table| put(table, number_key(u64::MAX >> 1), []));
    let mut puts: Vec<Put> = more.into_iter().chain(rows).collect();
    puts.retain(|put| put.table != Table::Envelopes);
    puts.push(envelope(0));
    store.commit(0, puts).unwrap();
    let snapshot = store.snapshot().unwrap();
    for table in Table::ALL
        .into_iter()
        .filter(|table| *table != Table::Envelopes)
    {
        assert_eq!(
            snapshot.get(table, &number_key(0)).unwrap().unwrap(),
            table.name().as_bytes()
        );
        assert_eq!(
            snapshot
                .get(table, &number_key(u64::MAX >> 1))
                .unwrap()
                .unwrap(),
            b""
        );
        assert_eq!(all(&*snapshot, table).len(), 2);
    }
    assert_eq!(snapshot.integrity_check().unwrap(), Vec::<String>::new());
}

fn a_commit_is_all_or_nothing(store: &dyn Store) {
    store
        .commit(0, vec![envelope(0), put(Table::UniqueKeys, "k", "")])
        .unwrap();
    let puts = vec![
        put(Table::Cells, "a", "1"),
        put(Table::Meta, "m", "1"),
        envelope(1),
        put(Table::UniqueKeys, "new", ""),
        put(Table::UniqueKeys, "k", ""),
    ];
    assert!(store.commit(1, puts).is_err());
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.size().unwrap(), 1);
    assert!(all(&*snapshot, Table::Cells).is_empty() && all(&*snapshot, Table::Meta).is_empty());
    assert_eq!(all(&*snapshot, Table::UniqueKeys).len(), 1);
    store.commit(1, vec![envelope(1)]).unwrap();
}

fn a_stale_head_is_refused(store: &dyn Store) {
    store.commit(0, vec![envelope(0)]).unwrap();
    for expected in [0, 2, u64::MAX] {
        let refused = store.commit(expected, vec![envelope(1)]).unwrap_err();
        assert!(
            matches!(refused, StoreError::StaleHead { expected: e, found: 1 } if e == expected)
        );
    }
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 1);
}

fn an_existing_row_is_refused(store: &dyn Store) {
    for table in Table::ALL {
        let row = || put(table, number_key(0), "");
        let size = store.snapshot().unwrap().size().unwrap();
        let twice = store.commit(size, vec![row(), row()]);
        let size = store.snapshot().unwrap().size().unwrap();
        if matches!(table, Table::Meta | Table::Cells) {
            twice.unwrap();
            store.commit(size, vec![row()]).unwrap();
            continue;
        }
        assert!(matches!(twice, Err(StoreError::Conflict { .. })));
        store.commit(size, vec![row()]).unwrap();
        let size = store.snapshot().unwrap().size().unwrap();
        let refused = store.commit(size, vec![row()]).unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { table: name } if name == table.name()));
    }
}

fn meta_and_cells_replace_and_only_cells_are_removed(store: &dyn Store) {
    for table in [Table::Meta, Table::Cells] {
        store
            .commit(0, vec![put(table, "k", "old"), put(table, "k", "newer")])
            .unwrap();
        store.commit(0, vec![put(table, "k", "newest")]).unwrap();
        assert_eq!(
            store.snapshot().unwrap().get(table, b"k").unwrap().unwrap(),
            b"newest"
        );
    }
    for table in Table::ALL {
        let removed = store.commit(
            0,
            vec![Put {
                table,
                key: b"k".to_vec(),
                value: None,
            }],
        );
        assert_eq!(removed.is_ok(), table == Table::Cells);
    }
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(Table::Cells, b"k").unwrap(), None);
    assert!(snapshot.get(Table::Meta, b"k").unwrap().is_some());
}

fn numbers_are_below_2_to_the_63(store: &dyn Store) {
    for key in [&number_key(1 << 63)[..], b"short", b"", b"too long."] {
        assert!(store.commit(0, vec![put(Table::Chunks, key, "")]).is_err());
        assert_eq!(
            store.snapshot().unwrap().get(Table::Chunks, key).unwrap(),
            None
        );
    }
    store
        .commit(0, vec![put(Table::Chunks, number_key((1 << 63) - 1), "")])
        .unwrap();
}

fn a_snapshot_does_not_move(store: &dyn Store) {
    store
        .commit(0, vec![envelope(0), put(Table::Cells, "a", "1")])
        .unwrap();
    let before = store.snapshot().unwrap();
    store
        .commit(
            1,
            vec![
                envelope(1),
                put(Table::Cells, "a", "2"),
                put(Table::Cells, "b", "3"),
            ],
        )
        .unwrap();
    let after = store.snapshot().unwrap();
    store
        .commit(
            2,
            vec![Put {
                table: Table::Cells,
                key: b"a".to_vec(),
                value: None,
            }],
        )
        .unwrap();
    assert_eq!((before.size().unwrap(), after.size().unwrap()), (1, 2));
    assert_eq!(before.get(Table::Cells, b"a").unwrap().unwrap(), b"1");
    assert_eq!(after.get(Table::Cells, b"a").unwrap().unwrap(), b"2");
    assert_eq!(
        (
            all(&*before, Table::Cells).len(),
            all(&*after, Table::Cells).len()
        ),
        (1, 2)
    );
    drop((before, after));
    assert_eq!(all(&*store.snapshot().unwrap(), Table::Cells).len(), 1);
}

fn snapshots_work_from_any_thread(store: &dyn Store) {
    let together = |index: u64| {
        let text = index.to_string();
        vec![
            envelope(index),
            put(Table::Meta, "m", &text),
            put(Table::Cells, "c", &text),
        ]
    };
    store.commit(0, together(0)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut size = 0;
                while size < 50 {
                    let snapshot = store.snapshot().unwrap();
                    assert!(
                        snapshot.size().unwrap() >= size,
                        "a later snapshot sees more"
                    );
                    size = snapshot.size().unwrap();
                    let expected = (size - 1).to_string().into_bytes();
                    assert_eq!(snapshot.get(Table::Meta, b"m").unwrap().unwrap(), expected);
                    assert_eq!(snapshot.get(Table::Cells, b"c").unwrap().unwrap(), expected);
                }
            });
        }
        (1..50).for_each(|index| store.commit(index, together(index)).unwrap());
    });
}

fn scans_are_in_order_of_key_bytes(store: &dyn Store) {
    let keys: [&[u8]; 6] = [b"b", b"", b"a\xff", b"a", b"a\0", b"\xff\xff"];
    let mut puts: Vec<Put> = keys.iter().map(|key| put(Table::Cells, key, key)).collect();
    puts.extend([5, 1, 300, 2].map(|number| put(Table::Chunks, number_key(number), "v")));
    store.commit(0, puts).unwrap();
    let snapshot = store.snapshot().unwrap();
    let named = |from, to| -> Vec<Vec<u8>> {
        between(&*snapshot, Table::Cells, from, to)
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    assert_eq!(
        named(b"", None),
        [&b""[..], b"a", b"a\0", b"a\xff", b"b", b"\xff\xff"]
    );
    assert_eq!(named(b"a", Some(b"b")), [&b"a"[..], b"a\0", b"a\xff"]);
    assert!(named(b"b", Some(b"a")).is_empty() && named(b"a", Some(b"a")).is_empty());
    let numbers = |from: &[u8], to: Option<&[u8]>| -> Vec<u8> {
        between(&*snapshot, Table::Chunks, from, to)
            .iter()
            .map(|(key, _)| key[7])
            .collect()
    };
    assert_eq!(numbers(&number_key(2), Some(&number_key(300))), [2, 5]);
    assert_eq!(numbers(&[], Some(&[0xff])), [1, 2, 5, 44]);
    assert_eq!(numbers(&[&number_key(2)[..], &[0]].concat(), None), [5, 44]);
    assert!(numbers(&[0x80], None).is_empty());
    let mut seen = 0;
    let mut visit = |_: &[u8], _: &[u8]| {
        seen += 1;
        seen < 3
    };
    snapshot.scan(Table::Cells, &[], None, &mut visit).unwrap();
    assert_eq!(seen, 3, "the visit said stop");
}

fn the_last_row_at_a_key(store: &dyn Store) {
    let chunks = [3, 7].map(|number| put(Table::Chunks, number_key(number), "v"));
    let cells = ["b", "d"].map(|key| put(Table::Cells, key, "v"));
    store
        .commit(0, chunks.into_iter().chain(cells).collect())
        .unwrap();
    let snapshot = store.snapshot().unwrap();
    let number = |at: &[u8]| {
        snapshot
            .last_at(Table::Chunks, at)
            .unwrap()
            .map(|(key, _)| key[7])
    };
    assert_eq!(
        [2, 3, 6, 7, 8].map(|at| number(&number_key(at))),
        [None, Some(3), Some(3), Some(7), Some(7)]
    );
    assert_eq!(
        (number(&[]), number(&[1]), number(&[0xff; 8])),
        (None, Some(7), Some(7))
    );
    assert_eq!(number(&number_key(7)[..7]), None);
    let name = |at: &[u8]| {
        snapshot
            .last_at(Table::Cells, at)
            .unwrap()
            .map(|(key, _)| key)
    };
    assert_eq!(
        (name(b"a"), name(b"c"), name(b"zz")),
        (None, Some(b"b".to_vec()), Some(b"d".to_vec()))
    );
}

fn a_probe_visits_what_starts_with_a_prefix(store: &dyn Store) {
    let key = |prefix: u64, tail: u8| [&prefix.to_be_bytes()[..], &[tail]].concat();
    let mut puts: Vec<Put> = (0..2_000)
        .map(|number| put(Table::UniqueKeys, key(number * 3, 1), ""))
        .collect();
    puts.extend((0..5).map(|tail| put(Table::UniqueKeys, key(300, tail + 10), "")));
    puts.push(put(Table::UniqueKeys, 7_u64.to_be_bytes(), ""));
    puts.push(put(Table::UniqueKeys, b"short", ""));
    puts.push(put(Table::Chunks, number_key(5), ""));
    store.commit(0, puts).unwrap();
    let snapshot = store.snapshot().unwrap();
    let find = |prefixes: Vec<u64>| {
        let prefixes: Vec<[u8; 8]> = prefixes.into_iter().map(u64::to_be_bytes).collect();
        probed(&*snapshot, Table::UniqueKeys, &prefixes)
    };
    assert_eq!(find((0..10_000).collect()).len(), 2_006, "dense");
    assert_eq!(find((0..10_000).step_by(999).collect()).len(), 7, "sparse");
    assert_eq!(find(vec![7]), [7_u64.to_be_bytes()]);
    assert_eq!(find(vec![299, 300, 301, u64::MAX]).len(), 6);
    assert!(find(vec![]).is_empty() && find(vec![1, 2, 4, 50_000, u64::MAX]).is_empty());
    let mut mixed: Vec<u64> = (100..200).chain((201..6_000).step_by(300)).collect();
    mixed.dedup();
    assert_eq!(
        find(mixed.clone()).len(),
        mixed.iter().filter(|number| **number % 3 == 0).count()
    );
    assert_eq!(
        probed(&*snapshot, Table::Chunks, &[4, 5, 6].map(u64::to_be_bytes)).len(),
        1
    );
}

fn size_is_what_envelopes_says(store: &dyn Store) {
    store.commit(0, vec![put(Table::Meta, "m", "")]).unwrap();
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 0);
    store
        .commit(0, vec![envelope(0), envelope(1), envelope(2)])
        .unwrap();
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 3);
    store.commit(3, vec![]).unwrap();
    store.commit(3, vec![envelope(3)]).unwrap();
}

// What only files can do.

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
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
                let cells =
                    (0..100).map(|cell| put(Table::Cells, format!("c{cell}"), index.to_string()));
                writer
                    .commit(index, cells.chain([envelope(index)]).collect())
                    .unwrap();
            }
        });
        loop {
            let snapshot = reader.snapshot().unwrap();
            let size = snapshot.size().unwrap();
            let cells = all(&*snapshot, Table::Cells);
            assert!(
                cells
                    .iter()
                    .all(|(_, value)| *value == (size - 1).to_string().into_bytes())
            );
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
    assert!(matches!(
        SqliteStore::open(&path),
        Err(StoreError::Missing(_))
    ));
    assert!(matches!(
        SqliteStore::open_readonly(&path),
        Err(StoreError::Missing(_))
    ));
    let refused = |path: &Path, part: &str| {
        for opened in [SqliteStore::open(path), SqliteStore::open_readonly(path)] {
            let Err(StoreError::NotALedger { why, .. }) = opened else {
                panic!("{}", path.display())
            };
            assert!(why.contains(part), "{why}");
        }
    };
    refused(directory.path(), "directory");
    std::fs::write(&path, "").unwrap();
    refused(&path, "empty");
    std::fs::write(
        &path,
        "any text, long enough to have a header of a hundred bytes ".repeat(20),
    )
    .unwrap();
    refused(&path, "not an SQLite database");
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE cells (a)")
        .unwrap();
    refused(&path, "something else");
    std::fs::remove_file(&path).unwrap();
    drop(SqliteStore::create(&path).unwrap());
    let tamper = |sql: &str| {
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(sql)
            .unwrap()
    };
    tamper("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM cells; END");
    refused(&path, "tables");
    tamper("DROP TRIGGER t; PRAGMA user_version=0");
    refused(&path, "format is 0");
    tamper("PRAGMA user_version=2");
    for opened in [SqliteStore::open(&path), SqliteStore::open_readonly(&path)] {
        assert!(matches!(
            opened,
            Err(StoreError::NewerFormat { found: 2, .. })
        ));
    }
    assert_eq!(files(directory.path()), ["books.ledger"]);
}

#[test]
fn create_never_overwrites() {
    let (directory, path) = place();
    for name in ["books.ledger", "books.ledger-wal", "books.ledger-journal"] {
        let existing = directory.path().join(name);
        std::fs::write(&existing, "mine").unwrap();
        assert!(matches!(
            SqliteStore::create(&path),
            Err(StoreError::Exists(_))
        ));
        assert_eq!(std::fs::read(&existing).unwrap(), b"mine");
        std::fs::remove_file(&existing).unwrap();
    }
    let open = SqliteStore::create(&path).unwrap();
    assert!(matches!(
        SqliteStore::create(&path),
        Err(StoreError::Exists(_))
    ));
    drop(open);
    assert!(matches!(
        SqliteStore::create(&directory.path().join("no/such")),
        Err(StoreError::Io { .. })
    ));
}

#[test]
fn a_second_writer_is_told_who_holds_the_ledger() {
    let (directory, path) = place();
    let first = SqliteStore::create(&path).unwrap();
    let Err(StoreError::Locked { holder, .. }) = SqliteStore::open(&path) else {
        panic!("not locked")
    };
    assert!(
        holder.contains(&format!("process {} on ", std::process::id())),
        "{holder}"
    );
    #[cfg(unix)]
    {
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(
            SqliteStore::open(&link),
            Err(StoreError::Locked { .. })
        ));
        std::fs::remove_file(link).unwrap();
    }
    drop(first);
    assert_eq!(files(directory.path()), ["books.ledger"]);
    // A process that was killed leaves its file, and no lock.
    std::fs::write(
        directory.path().join("books.ledger.lock"),
        "process 1 on nowhere",
    )
    .unwrap();
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
        store
            .commit(index, cells.chain([envelope(index)]).collect())
            .unwrap();
    }
    let wal = directory.path().join("books.ledger-wal");
    let length = std::fs::metadata(&wal).unwrap().len() as usize;
    let mut sizes = Vec::new();
    for cut in (0..=10).map(|tenth| length * tenth / 10) {
        let (copies, copy) = place();
        // Not the file itself by hand: that would drop the locks of the store in this process.
        let source = rusqlite::Connection::open(&path).unwrap();
        drop(source);
        copy_beside_the_store(&path, &copy);
        let bytes = std::fs::read(&wal).unwrap();
        std::fs::write(copies.path().join("books.ledger-wal"), &bytes[..cut]).unwrap();
        let reader = SqliteStore::open_readonly(&copy).unwrap();
        let seen = reader.snapshot().unwrap().size().unwrap();
        drop(reader);
        let kept = std::fs::read(copies.path().join("books.ledger-wal")).unwrap_or_default();
        assert!(
            cut == 0 || kept == bytes[..cut],
            "a reader leaves the WAL of a crashed writer alone"
        );
        let opened = SqliteStore::open(&copy).unwrap();
        let snapshot = opened.snapshot().unwrap();
        let size = snapshot.size().unwrap();
        assert_eq!(size, seen);
        let expected = size.saturating_sub(1).to_string().into_bytes();
        assert!(
            all(&*snapshot, Table::Cells)
                .iter()
                .all(|(_, value)| *value == expected)
        );
        assert!(snapshot.integrity_check().unwrap().is_empty());
        opened.commit(size, vec![envelope(size)]).unwrap();
        sizes.push(size);
    }
    assert!(
        sizes.is_sorted() && sizes[0] == 0 && sizes[10] == 20,
        "{sizes:?}"
    );
}

/// Copies by another process, as any other handle on the file would drop this process's locks when it closes.
fn copy_beside_the_store(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let (_directory, path) = place();
    let store = SqliteStore::create(&path).unwrap();
    let rows = (0..2_000).map(|row| put(Table::UniqueKeys, number_key(row * 7_919), "v"));
    store
        .commit(0, rows.chain([envelope(0)]).collect())
        .unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(1_009) {
        let mut damaged = whole.clone();
        damaged[place..]
            .iter_mut()
            .take(16)
            .for_each(|byte| *byte ^= 0x5a);
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
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    let store = SqliteStore::open_readonly(&path).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(
        snapshot
            .get(Table::Meta, &[1])
            .unwrap_err()
            .to_string()
            .contains("damaged")
    );
    assert!(
        snapshot
            .scan(Table::Chunks, &[], None, &mut |_, _| true)
            .is_err()
    );
    assert_eq!(
        snapshot.last_at(Table::Chunks, &number_key(0)).unwrap(),
        None
    );
    assert_eq!(snapshot.last_at(Table::Meta, &[0]).unwrap(), None);
}

/// One step of the comparison below.
#[derive(Debug, Clone)]
enum Step {
    Commit(u64, Vec<Put>),
    Look(Vec<u8>, Vec<u8>),
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let number = (0_u64..40).prop_map(number_key);
    prop_oneof![4 => number, 1 => prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xff)], 0..11)]
}

fn any_put() -> impl Strategy<Value = Put> {
    let value = prop::option::weighted(0.9, prop::collection::vec(any::<u8>(), 0..4));
    (prop::sample::select(&Table::ALL[..]), any_key(), value).prop_map(|(table, key, value)| {
        let value = if table == Table::Cells {
            value
        } else {
            Some(value.unwrap_or_default())
        };
        Put { table, key, value }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let commit = (0_u64..3, prop::collection::vec(any_put(), 0..6));
    prop_oneof![
        2 => commit.prop_map(|(stale, puts)| Step::Commit(stale / 2, puts)),
        1 => (any_key(), any_key()).prop_map(|(from, to)| Step::Look(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_file_does_what_memory_does(steps in prop::collection::vec(any_step(), 1..40)) {
        let (file, memory) = (in_file(), in_memory());
        for step in steps {
            let (left, right) = (file.store.snapshot().unwrap(), memory.store.snapshot().unwrap());
            prop_assert_eq!(left.size().unwrap(), right.size().unwrap());
            match step {
                Step::Commit(stale, puts) => {
                    let size = left.size().unwrap() + stale;
                    let (one, other) = (file.store.commit(size, puts.clone()), memory.store.commit(size, puts));
                    prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
                }
                Step::Look(from, to) => for table in Table::ALL {
                    prop_assert_eq!(left.get(table, &from).unwrap(), right.get(table, &from).unwrap());
                    prop_assert_eq!(left.last_at(table, &from).unwrap(), right.last_at(table, &from).unwrap());
                    prop_assert_eq!(all(&*left, table), all(&*right, table));
                    prop_assert_eq!(between(&*left, table, &from, Some(&to)), between(&*right, table, &from, Some(&to)));
                    let prefixes: Vec<[u8; 8]> = (0..40).map(u64::to_be_bytes).collect();
                    prop_assert_eq!(probed(&*left, table, &prefixes), probed(&*right, table, &prefixes));
                }
            }
        }
    }
}
