//! A rotation of the log key whose commit fails, and is durable all the same.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::keys::Key;
use crate::store::{MemoryStore, Pieces, Put, Snapshot, Store, StoreError};
use crate::{Create, Error, Ledger, Open, codes};

/// A store whose next commit ends as a switch says. It takes no other after that, as the store of a file does.
struct Faulty {
    store: Box<dyn Store>,
    fails: Fails,
    has_failed: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    /// With an I/O error, though it is durable.
    Kept,
    /// With an I/O error.
    NotKept,
    /// With a panic, after it is durable.
    Panics,
}

impl Store for Faulty {
    fn commit_with(&self, expected_size: u64, puts: Vec<Put>, more: &mut Pieces<'_>) -> Result<(), StoreError> {
        if self.has_failed.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Engine("an earlier commit was not made durable".to_owned()));
        }
        if self.fails != Fails::NotKept {
            self.store.commit_with(expected_size, puts, more)?;
        }
        assert!(self.fails != Fails::Panics, "injected");
        Err(StoreError::Engine("the disk failed to read or write".to_owned()))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }
}

fn key() -> Key {
    Key::from_seed([3; 32], "me")
}

/// A ledger whose next commit fails.
fn failing(path: &Path, fails: Fails) -> Ledger {
    let mut ledger = Create::new("test.example/books", key()).at(path).unwrap();
    let store = std::mem::replace(&mut ledger.store, Box::new(MemoryStore::new()));
    ledger.store = Box::new(Faulty { store, fails, has_failed: AtomicBool::new(false) });
    ledger
}

#[test]
fn a_rotation_whose_commit_failed_costs_no_log_key() {
    for fails in [Fails::Kept, Fails::NotKept, Fails::Panics] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.ledger");
        let next = folder.path().join("books.ledger.logkey.pem.next");
        let ledger = failing(&path, fails);
        let code = if fails == Fails::Panics { codes::FAULT } else { codes::STORAGE_FAILED };
        assert_eq!(ledger.rotate_log_key().unwrap_err().code(), code, "{fails:?}");
        let waits = std::fs::read(&next).unwrap();

        // Again and again: what waits may be the only copy of the key in force.
        for _ in 0..2 {
            let error = ledger.rotate_log_key().unwrap_err();
            assert_eq!(std::fs::read(&next).unwrap(), waits, "{fails:?}");
            assert!(matches!(&error, Error::Store(StoreError::Engine(_))), "{fails:?}: {error}");
            assert!(error.to_string().contains("close the ledger and open it again"), "{fails:?}: {error}");
        }
        drop(ledger);

        let ledger = Open::default().key(key()).at(&path).unwrap();
        let keys = if fails == Fails::NotKept { 1 } else { 2 };
        assert_eq!(ledger.log_keys().unwrap().len(), keys, "{fails:?}");
        ledger.admit_member(Key::from_seed([4; 32], "other").public()).unwrap();
        ledger.rotate_log_key().unwrap();
        assert!(!next.exists());
        drop(ledger);
        let ledger = Open::default().key(key()).at(&path).unwrap();
        assert_eq!(super::audit(&ledger).verdict, crate::Verdict::OkUpToSize, "{fails:?}");
    }
}
