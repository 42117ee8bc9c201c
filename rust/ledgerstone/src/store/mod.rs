//! Durable storage behind one narrow contract.
//!
//! A store is a set of tables of keys and values (FORMAT.md section 9) and knows no more of a ledger than that. What it must
//! guarantee stands at [`Store`] and [`Snapshot`]; the SQLite store and the memory store pass one common suite.

mod contract;
mod lock;
mod memory;
mod sqlite;
#[cfg(test)]
mod suite;

pub use contract::{FORMAT, Hop, KeyKind, Pieces, Put, Row, Snapshot, Store, StoreError, Table, number_key};
pub use lock::WriterLock;
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub(crate) use sqlite::{remove_new, settle_new};
