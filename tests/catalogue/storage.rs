//! Files that are missing, in use, something else, damaged; and stores that refuse.

use std::path::Path;

use ledgerstone::codes;
use ledgerstone::keys::KeyFileError;
use ledgerstone::store::{MemoryStore, Put, SqliteStore, Store, StoreError, Table, number_key};
use ledgerstone::{Error, Key, LogKey, Open, Passphrase};
use ledgerstone_tests::{books, key};

use crate::members::with_file;
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::NO_LEDGER, "file books.ledger", || with_file(opened)),
    (codes::FILE_EXISTS, "file books.ledger", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            books().at(path).unwrap_err().into()
        })
    }),
    (codes::NOT_A_LEDGER, "file books.ledger", || {
        with_file(|path| {
            std::fs::write(path, "hello, this is no ledger").unwrap();
            opened(path)
        })
    }),
    (codes::NEWER_FORMAT, "file books.ledger", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
            opened(path)
        })
    }),
    (codes::LOCKED, "file books.ledger", || {
        with_file(|path| {
            let _first = books().at(path).unwrap();
            opened(path)
        })
    }),
    (codes::STALE_HEAD, "", || refused(&MemoryStore::new(), 5, vec![envelope(5)])),
    (codes::ROW_EXISTS, "", || {
        let store = MemoryStore::new();
        store.commit(0, vec![envelope(0)]).unwrap();
        refused(&store, 1, vec![envelope(0)])
    }),
    (codes::STORAGE_FAILED, "", || {
        let put = Put { table: Table::Chunks, key: b"short".to_vec(), value: Vec::new() };
        refused(&MemoryStore::new(), 0, vec![put])
    }),
    (codes::STORAGE_DAMAGED, "file books.ledger", || with_file(damaged)),
    (codes::FILE_FAILED, "file such", || {
        with_file(|path| books().at(&path.join("no").join("such")).unwrap_err().into())
    }),
    (codes::KEY_MISSING, "file books.ledger", || {
        with_file(|path| Error::from(Key::load(path, None).unwrap_err()).into())
    }),
    (codes::NOT_A_KEY, "file books.ledger", || {
        with_file(|path| {
            LogKey::generate().unwrap().save(path, "acme.example/books", None).unwrap();
            Error::from(Key::load(path, None).unwrap_err()).into()
        })
    }),
    (codes::NEEDS_PASSPHRASE, "file books.ledger", || with_file(|path| protected(path, None))),
    (codes::WRONG_PASSPHRASE, "file books.ledger", || with_file(|path| protected(path, Some("wrong")))),
    (codes::BAD_PASSPHRASE, "", || Error::from(Passphrase::new("").unwrap_err()).into()),
    // No test can take the operating system's random numbers away.
    (codes::NO_RANDOMNESS, "", || Error::from(KeyFileError::NoRandomness).into()),
];

fn opened(path: &Path) -> Provoked {
    Open::default().key(key()).at(path).unwrap_err().into()
}

/// A protected key file, read with these words.
fn protected(path: &Path, words: Option<&str>) -> Provoked {
    let passphrase = |words: &str| Passphrase::new(words).unwrap();
    key().save(path, Some(&passphrase("right"))).unwrap();
    Error::from(Key::load(path, words.map(passphrase).as_ref()).unwrap_err()).into()
}

fn envelope(index: u64) -> Put {
    Put { table: Table::Envelopes, key: number_key(index), value: b"envelope".to_vec() }
}

fn refused(store: &dyn Store, expected_size: u64, puts: Vec<Put>) -> Provoked {
    Error::from(store.commit(expected_size, puts).unwrap_err()).into()
}

/// Every page but the first is overwritten, and then read.
fn damaged(path: &Path) -> Provoked {
    let store = SqliteStore::create(path).unwrap();
    let row = |number: u64| Put { table: Table::Chunks, key: number_key(number), value: vec![7; 4_000] };
    store.commit(0, (0..100).map(row).collect()).unwrap();
    drop(store);
    let mut bytes = std::fs::read(path).unwrap();
    bytes[4_096..].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
    let store = SqliteStore::open_readonly(path);
    let read = store.and_then(|store| {
        let snapshot = store.snapshot()?;
        (0..100).try_for_each(|number| snapshot.get(Table::Chunks, &number_key(number)).map(|_| ()))
    });
    let error: StoreError = read.unwrap_err();
    Error::from(error).into()
}
