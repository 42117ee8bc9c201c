//! One suite for every store: each sentence of the contract is a test; and both stores do the same, whatever is asked.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A store and what keeps it alive.
struct Fixture {
    store: Box<dyn Store>,
    _directory: Option<TempDir>,
}

fn in_memory() -> Fixture {
    Fixture { store: Box::new(MemoryStore::new()), _directory: None }
}

fn in_file() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("books.ledger")).unwrap();
    Fixture { store: Box::new(store), _directory: Some(directory) }
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
    what_comes_in_pieces_is_one_commit
    a_stale_head_is_refused
    an_existing_row_is_refused
    meta_and_cells_replace
    numbers_are_below_2_to_the_63
    a_snapshot_does_not_move
    snapshots_work_from_any_thread
    scans_are_in_order_of_key_bytes
    hops_go_where_they_are_told
    the_last_row_at_a_key
    a_probe_visits_what_starts_with_a_prefix
    size_is_what_envelopes_says
}

pub(super) fn put(table: Table, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Put {
    Put { table, key: key.as_ref().to_vec(), value: value.as_ref().to_vec() }
}

pub(super) fn envelope(index: u64) -> Put {
    put(Table::Envelopes, number_key(index), format!("envelope {index}"))
}

pub(super) fn all(snapshot: &dyn Snapshot, table: Table) -> Vec<Row> {
    between(snapshot, table, &[], None)
}

fn between(snapshot: &dyn Snapshot, table: Table, from: &[u8], to: Option<&[u8]>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    snapshot.scan(table, from, to, &mut visit).unwrap();
    rows
}

/// The keys that hopping from `from` comes by: from each, on to one that it makes.
fn hopped(snapshot: &dyn Snapshot, table: Table, from: &[u8], on: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        on(key)
    };
    snapshot.hop(table, from, &mut visit).unwrap();
    rows
}

fn probed(snapshot: &dyn Snapshot, table: Table, prefixes: &[[u8; 8]]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    snapshot.probe(table, prefixes, &mut |key| keys.push(key.to_vec())).unwrap();
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
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Envelopes) {
        assert_eq!(snapshot.get(table, &number_key(0)).unwrap().unwrap(), table.name().as_bytes());
        assert_eq!(snapshot.get(table, &number_key(u64::MAX >> 1)).unwrap().unwrap(), b"");
        assert_eq!(all(&*snapshot, table).len(), 2);
    }
    assert_eq!(snapshot.integrity_check().unwrap(), Vec::<String>::new());
}

fn what_comes_in_pieces_is_one_commit(store: &dyn Store) {
    let piece = |keys: &[&str]| Ok(keys.iter().map(|key| put(Table::UniqueKeys, key, "")).collect());
    let broken = || Err(StoreError::Engine("no more".to_owned()));
    for pieces in [vec![piece(&["b", "a"]), broken()], vec![piece(&["a"]), piece(&["a"])]] {
        assert!(store.commit_with(0, vec![envelope(0)], &mut pieces.into_iter()).is_err());
        let snapshot = store.snapshot().unwrap();
        assert!(snapshot.size().unwrap() == 0 && all(&*snapshot, Table::UniqueKeys).is_empty());
    }
    let pieces = vec![piece(&["d", "a"]), piece(&[]), piece(&["c", "b"])];
    store.commit_with(0, vec![envelope(0)], &mut pieces.into_iter()).unwrap();
    let keys: Vec<Vec<u8>> =
        all(&*store.snapshot().unwrap(), Table::UniqueKeys).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"a", b"b", b"c", b"d"]);
}

fn a_commit_is_all_or_nothing(store: &dyn Store) {
    store.commit(0, vec![envelope(0), put(Table::UniqueKeys, "k", "")]).unwrap();
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
        assert!(matches!(refused, StoreError::StaleHead { expected: e, found: 1 } if e == expected));
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

fn meta_and_cells_replace(store: &dyn Store) {
    for table in [Table::Meta, Table::Cells] {
        store.commit(0, vec![put(table, "k", "old"), put(table, "k", "newer")]).unwrap();
        store.commit(0, vec![put(table, "k", "newest")]).unwrap();
        assert_eq!(store.snapshot().unwrap().get(table, b"k").unwrap().unwrap(), b"newest");
    }
}

fn numbers_are_below_2_to_the_63(store: &dyn Store) {
    for key in [&number_key(1 << 63)[..], b"short", b"", b"too long."] {
        assert!(store.commit(0, vec![put(Table::Chunks, key, "")]).is_err());
        assert_eq!(store.snapshot().unwrap().get(Table::Chunks, key).unwrap(), None);
    }
    store.commit(0, vec![put(Table::Chunks, number_key((1 << 63) - 1), "")]).unwrap();
}

fn a_snapshot_does_not_move(store: &dyn Store) {
    store.commit(0, vec![envelope(0), put(Table::Cells, "a", "1")]).unwrap();
    let before = store.snapshot().unwrap();
    store.commit(1, vec![envelope(1), put(Table::Cells, "a", "2"), put(Table::Cells, "b", "3")]).unwrap();
    let after = store.snapshot().unwrap();
    store.commit(2, vec![put(Table::Cells, "c", "4")]).unwrap();
    assert_eq!((before.size().unwrap(), after.size().unwrap()), (1, 2));
    assert_eq!(before.get(Table::Cells, b"a").unwrap().unwrap(), b"1");
    assert_eq!(after.get(Table::Cells, b"a").unwrap().unwrap(), b"2");
    assert_eq!((all(&*before, Table::Cells).len(), all(&*after, Table::Cells).len()), (1, 2));
    drop((before, after));
    assert_eq!(all(&*store.snapshot().unwrap(), Table::Cells).len(), 3);
}

fn snapshots_work_from_any_thread(store: &dyn Store) {
    let together = |index: u64| {
        let text = index.to_string();
        vec![envelope(index), put(Table::Meta, "m", &text), put(Table::Cells, "c", &text)]
    };
    store.commit(0, together(0)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut size = 0;
                while size < 50 {
                    let snapshot = store.snapshot().unwrap();
                    assert!(snapshot.size().unwrap() >= size, "a later snapshot sees more");
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
        between(&*snapshot, Table::Cells, from, to).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(named(b"", None), [&b""[..], b"a", b"a\0", b"a\xff", b"b", b"\xff\xff"]);
    assert_eq!(named(b"a", Some(b"b")), [&b"a"[..], b"a\0", b"a\xff"]);
    assert!(named(b"b", Some(b"a")).is_empty() && named(b"a", Some(b"a")).is_empty());
    let numbers = |from: &[u8], to: Option<&[u8]>| -> Vec<u8> {
        between(&*snapshot, Table::Chunks, from, to).iter().map(|(key, _)| key[7]).collect()
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

fn hops_go_where_they_are_told(store: &dyn Store) {
    let chunks = (0..100).map(|number| put(Table::Chunks, number_key(number * 3), "v"));
    let cells = ["b", "d", "f"].map(|key| put(Table::Cells, key, key));
    store.commit(0, chunks.chain(cells).collect()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let numbers = |from: u64, step: u64| -> Vec<u8> {
        let on = |key: &[u8]| Some(number_key(u64::from_be_bytes(key.try_into().unwrap()) + step));
        hopped(&*snapshot, Table::Chunks, &number_key(from), on).iter().map(|(key, _)| key[7]).collect()
    };
    assert_eq!(numbers(0, 1).len(), 100);
    assert_eq!(numbers(100, 50), [102, 153, 204, 255]);
    assert!(numbers(298, 1).is_empty());
    let back = |key: &[u8]| (key == b"f").then(|| b"a".to_vec());
    let rows = hopped(&*snapshot, Table::Cells, b"e", back);
    assert_eq!(rows, [(b"f".to_vec(), b"f".to_vec()), (b"b".to_vec(), b"b".to_vec())]);
}

fn the_last_row_at_a_key(store: &dyn Store) {
    let chunks = [3, 7].map(|number| put(Table::Chunks, number_key(number), "v"));
    let cells = ["b", "d"].map(|key| put(Table::Cells, key, "v"));
    store.commit(0, chunks.into_iter().chain(cells).collect()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let number = |at: &[u8]| snapshot.last_at(Table::Chunks, at).unwrap().map(|(key, _)| key[7]);
    assert_eq!([2, 3, 6, 7, 8].map(|at| number(&number_key(at))), [None, Some(3), Some(3), Some(7), Some(7)]);
    assert_eq!((number(&[]), number(&[1]), number(&[0xff; 8])), (None, Some(7), Some(7)));
    assert_eq!(number(&number_key(7)[..7]), None);
    let name = |at: &[u8]| snapshot.last_at(Table::Cells, at).unwrap().map(|(key, _)| key);
    assert_eq!((name(b"a"), name(b"c"), name(b"zz")), (None, Some(b"b".to_vec()), Some(b"d".to_vec())));
}

fn a_probe_visits_what_starts_with_a_prefix(store: &dyn Store) {
    let key = |prefix: u64, tail: u8| [&prefix.to_be_bytes()[..], &[tail]].concat();
    let mut puts: Vec<Put> = (0..2_000).map(|number| put(Table::UniqueKeys, key(number * 3, 1), "")).collect();
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
    assert_eq!(find(mixed.clone()).len(), mixed.iter().filter(|number| **number % 3 == 0).count());
    assert_eq!(probed(&*snapshot, Table::Chunks, &[4, 5, 6].map(u64::to_be_bytes)).len(), 1);
}

fn size_is_what_envelopes_says(store: &dyn Store) {
    store.commit(0, vec![put(Table::Meta, "m", "")]).unwrap();
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 0);
    store.commit(0, vec![envelope(0), envelope(1), envelope(2)]).unwrap();
    assert_eq!(store.snapshot().unwrap().size().unwrap(), 3);
    store.commit(3, vec![]).unwrap();
    store.commit(3, vec![envelope(3)]).unwrap();
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
    let value = prop::collection::vec(any::<u8>(), 0..4);
    (prop::sample::select(&Table::ALL[..]), any_key(), value).prop_map(|(table, key, value)| Put { table, key, value })
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
                    let on = |key: &[u8]| Some([key, &[0]].concat());
                    prop_assert_eq!(hopped(&*left, table, &from, on), hopped(&*right, table, &from, on));
                    let prefixes: Vec<[u8; 8]> = (0..40).map(u64::to_be_bytes).collect();
                    prop_assert_eq!(probed(&*left, table, &prefixes), probed(&*right, table, &prefixes));
                }
            }
        }
    }
}
