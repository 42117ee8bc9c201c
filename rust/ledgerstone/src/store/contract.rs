//! The contract: tables, rows, and what a store guarantees.

use std::io;
use std::path::{Path, PathBuf};

use crate::codes;
use crate::files::is_full;

/// The file format that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Facts about the file.
    Meta,
    /// Secret and envelope of each transaction.
    Envelopes,
    /// Rows of one type.
    Chunks,
    /// Which chunks hold a type.
    Segments,
    /// Records that were not plainly accepted.
    Exceptions,
    /// Bytes of records that were refused, where the ledger keeps them.
    Rejections,
    /// Causes of the records that rules made.
    Emitted,
    /// Cells that each transaction changed.
    CellRuns,
    /// Transactions that moved a cell.
    CellHistory,
    /// Inner nodes of the records trees.
    RecordNodes,
    /// Inner nodes of the log trees.
    LogNodes,
    /// Cells as they are now.
    Cells,
    /// Unique keys, hashed.
    UniqueKeys,
    /// Rows by the value of an indexed field.
    Postings,
    /// Indexes by member and caller's id.
    Idempotency,
}

/// How the keys of a table look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Eight bytes, big-endian, below 2^63.
    Numbered,
    /// Any bytes.
    Named,
}

impl Table {
    /// Every table, in the order of FORMAT.md.
    pub const ALL: [Table; 15] = [
        Table::Meta,
        Table::Envelopes,
        Table::Chunks,
        Table::Segments,
        Table::Exceptions,
        Table::Rejections,
        Table::Emitted,
        Table::CellRuns,
        Table::CellHistory,
        Table::RecordNodes,
        Table::LogNodes,
        Table::Cells,
        Table::UniqueKeys,
        Table::Postings,
        Table::Idempotency,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Envelopes => "envelopes",
            Table::Chunks => "chunks",
            Table::Segments => "segments",
            Table::Exceptions => "exceptions",
            Table::Rejections => "rejections",
            Table::Emitted => "emitted",
            Table::CellRuns => "cell_runs",
            Table::CellHistory => "cell_history",
            Table::RecordNodes => "record_nodes",
            Table::LogNodes => "log_nodes",
            Table::Cells => "cells",
            Table::UniqueKeys => "unique_keys",
            Table::Postings => "postings",
            Table::Idempotency => "idempotency",
        }
    }

    /// How its keys look.
    pub const fn key_kind(self) -> KeyKind {
        match self {
            Table::Envelopes
            | Table::Chunks
            | Table::Exceptions
            | Table::Rejections
            | Table::Emitted
            | Table::CellRuns
            | Table::RecordNodes
            | Table::LogNodes => KeyKind::Numbered,
            _ => KeyKind::Named,
        }
    }
}

/// One row to be written: it must not exist yet, unless the table is `Meta` or `Cells`, where it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub table: Table,
    /// Key; for a numbered table eight bytes, big-endian.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("{0}: no such ledger; `create` makes a new one")]
    Missing(PathBuf),
    /// The file is there already.
    #[error("{0} exists, and nothing is overwritten")]
    Exists(PathBuf),
    /// The file is something else.
    #[error("{path} is not a ledger: {why}")]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// Written by a newer build.
    #[error("{path} has file format {found}; this build reads up to {FORMAT}: install a newer ledgerstone")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Another process writes.
    #[error("{path} is open for writing by {holder}; open it read-only, or close it there")]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who, as far as it is known.
        holder: String,
    },
    /// Somebody committed in between.
    #[error("the ledger has grown to size {found}, this commit was made at size {expected}")]
    StaleHead {
        /// Size the commit was made for.
        expected: u64,
        /// Size found.
        found: u64,
    },
    /// A row that must be new exists.
    #[error("table {table}: a row with this key exists")]
    Conflict {
        /// The table.
        table: &'static str,
    },
    /// The disk or a quota is full.
    #[error("{}: the disk is full, or a quota or size limit keeps the file from growing; nothing of this step was kept: make space and repeat the call", path.display())]
    DiskFull {
        /// The file that was to grow.
        path: PathBuf,
    },
    /// SQLite finds its structures damaged, or a row is not what the format says.
    #[error("{}: the file is damaged ({why})", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The storage engine failed.
    #[error("storage: {0}")]
    Engine(String),
    /// The operating system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl StoreError {
    /// An error of the operating system at a file.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) { StoreError::DiskFull { path } } else { StoreError::Io { path, source } }
    }

    /// The same, and the file that it happened to, where that is not known.
    pub(super) fn at(mut self, file: &Path) -> Self {
        if let StoreError::DiskFull { path } | StoreError::Damaged { path, .. } = &mut self
            && path.as_os_str().is_empty()
        {
            file.clone_into(path);
        }
        self
    }

    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            StoreError::Missing(_) => codes::NO_LEDGER,
            StoreError::Exists(_) => codes::FILE_EXISTS,
            StoreError::NotALedger { .. } => codes::NOT_A_LEDGER,
            StoreError::NewerFormat { .. } => codes::NEWER_FORMAT,
            StoreError::Locked { .. } => codes::LOCKED,
            StoreError::StaleHead { .. } => codes::STALE_HEAD,
            StoreError::Conflict { .. } => codes::ROW_EXISTS,
            StoreError::DiskFull { .. } => codes::DISK_FULL,
            StoreError::Damaged { .. } => codes::STORAGE_DAMAGED,
            StoreError::Engine(_) => codes::STORAGE_FAILED,
            StoreError::Io { .. } => codes::FILE_FAILED,
        }
    }

    /// The file, where one is the reason.
    pub fn path(&self) -> Option<&Path> {
        match self {
            StoreError::Missing(path) | StoreError::Exists(path) => Some(path),
            StoreError::NotALedger { path, .. }
            | StoreError::NewerFormat { path, .. }
            | StoreError::Locked { path, .. }
            | StoreError::DiskFull { path }
            | StoreError::Damaged { path, .. }
            | StoreError::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Looks at a row, key and value, and gives back the key to go on at.
pub type Hop<'a> = dyn FnMut(&[u8], &[u8]) -> Option<Vec<u8>> + 'a;

/// A consistent view of all tables at one moment: later commits do not show.
pub trait Snapshot: Send {
    /// The value at a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the rows with `from <= key < to` (`to` `None`: to the end) in ascending order of key bytes, until `visit` returns false.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// Visits the first row with `key >= from`, then the first with `key >=` what `visit` gave back, and so on; ends where it gives nothing
    /// back or there is no such row.
    fn hop(&self, table: Table, from: &[u8], visit: &mut Hop<'_>) -> Result<(), StoreError>;

    /// The last row with `key <= at`, if any.
    fn last_at(&self, table: Table, at: &[u8]) -> Result<Option<Row>, StoreError>;

    /// For each 8-byte prefix, ascending and distinct: visits every key of a named table that starts with it.
    fn probe(&self, table: Table, prefixes: &[[u8; 8]], visit: &mut dyn FnMut(&[u8])) -> Result<(), StoreError>;

    /// Number of transactions: one more than the last key of `Envelopes`.
    fn size(&self) -> Result<u64, StoreError>;

    /// What the storage engine itself finds wrong with its structures; empty where nothing.
    fn integrity_check(&self) -> Result<Vec<String>, StoreError>;

    /// Copies what it shows to a new file that opens as a ledger. `go_on` is told pages done and pages in all, and says whether to go on;
    /// `Ok(false)`: it said no. What is left of a copy that was not finished is the caller's to remove.
    fn copy_to(&self, path: &Path, go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<bool, StoreError>;

    /// Bytes that each table takes, in the order of [`Table::ALL`].
    fn bytes_by_table(&self) -> Result<Vec<(Table, u64)>, StoreError>;
}

/// Further rows of a commit.
pub type Pieces<'a> = dyn Iterator<Item = Result<Vec<Put>, StoreError>> + 'a;

/// A store. One writer, any number of snapshots, from any thread.
///
/// - `commit` is atomic: all its rows or none, also after a crash or a full disk; it returns only when they are durable.
/// - `commit` refuses a stale head: the size must be `expected_size`, and afterwards it is what `Envelopes` says.
/// - `commit` refuses a row that exists, in every table but `Meta` and `Cells`.
/// - A snapshot taken after `commit` returned sees it; one taken before does not, however long it lives.
/// - Nothing but `commit` changes a byte, and no row is ever removed.
pub trait Store: Send + Sync {
    /// Writes rows, in any order of tables and keys.
    fn commit(&self, expected_size: u64, puts: Vec<Put>) -> Result<(), StoreError> {
        self.commit_with(expected_size, puts, &mut std::iter::empty())
    }

    /// Writes rows, and after them `more`, a piece at a time, so that they are never in memory together: one commit. An error in place of a
    /// piece ends it, and nothing is written.
    fn commit_with(&self, expected_size: u64, puts: Vec<Put>, more: &mut Pieces<'_>) -> Result<(), StoreError>;

    /// A consistent view of now.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;
}

/// The key of a numbered table.
pub fn number_key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Whether a row of this table may exist already.
pub(super) const fn replaces(table: Table) -> bool {
    matches!(table, Table::Meta | Table::Cells)
}

/// Refuses a row that no store can hold.
pub(super) fn check_put(put: &Put) -> Result<(), StoreError> {
    let name = put.table.name();
    if put.table.key_kind() == KeyKind::Numbered && number_of(&put.key).is_none() {
        return Err(StoreError::Engine(format!("table {name}: a key is eight bytes, below 2^63")));
    }
    Ok(())
}

/// The number of a key of a numbered table.
pub(super) fn number_of(key: &[u8]) -> Option<i64> {
    i64::try_from(u64::from_be_bytes(key.try_into().ok()?)).ok()
}
