//! The store in one SQLite file.
//!
//! The file is in WAL mode: a commit appends to `<path>-wal` and makes it durable (`synchronous=FULL`), readers go on in the
//! state they began with, and checkpoints carry pages over into the file. When the last connection closes, the WAL is gone and
//! one file remains. One writer at a time, by [`WriterLock`]; readers in any number, in this process or others.
//!
//! The file itself is never opened but by SQLite: on POSIX systems closing any other handle would silently drop SQLite's locks.

mod connection;
mod copy;
mod snapshot;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use self::connection::{Mode, TABLES, check_ledger, connect, create_tables, engine, use_wal};
pub(crate) use self::copy::settle_new;
use self::snapshot::{Readers, SqliteSnapshot, last_envelope};
use super::contract::{check_put, number_of, replaces};
use super::{KeyKind, Pieces, Put, Snapshot, Store, StoreError, Table, WriterLock};

/// A ledger's file, open.
pub struct SqliteStore {
    // Fields close in this order: the lock goes last.
    writer: Option<Mutex<Writer>>,
    readers: Arc<Readers>,
    _lock: Option<WriterLock>,
}

struct Writer {
    connection: Connection,
    /// A commit failed while it was being made durable. What the disk holds is not what we think, and an operating system
    /// reports a lost write only once: the ledger has to be opened again.
    failed: bool,
}

impl SqliteStore {
    /// Makes a new, empty file, and locks it for writing. Nothing that exists is ever overwritten.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let resolved = resolve_new(path)?;
        // What is left of an older ledger of this name would be taken for ours.
        for leftover in [resolved.clone(), beside(&resolved, "-wal"), beside(&resolved, "-journal")] {
            if leftover.symlink_metadata().is_ok() {
                return Err(StoreError::Exists(leftover));
            }
        }
        let lock = WriterLock::acquire(&resolved)?;
        let made = OpenOptions::new().write(true).create_new(true).open(&resolved);
        made.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => StoreError::Exists(resolved.clone()),
            _ => StoreError::io(&resolved, source),
        })?;
        let filled = connect(&resolved, Mode::Write).and_then(|mut connection| {
            create_tables(&mut connection)?;
            use_wal(&connection)?;
            sync_directory(&resolved)?;
            Ok(connection)
        });
        match filled {
            Ok(connection) => Ok(Self::writing(connection, resolved, lock)),
            Err(error) => {
                remove_new(&resolved);
                Err(error.at(&resolved))
            }
        }
    }

    /// Opens a ledger for writing, and locks it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let resolved = resolve_existing(path)?;
        let lock = WriterLock::acquire(&resolved)?;
        let opened = connect(&resolved, Mode::Write).and_then(|connection| {
            check_ledger(&connection, path)?;
            use_wal(&connection)?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| error.at(path))?;
        Ok(Self::writing(connection, resolved, lock))
    }

    /// Opens a ledger for reading, beside a writer or without one. Snapshots follow the writer's commits.
    ///
    /// SQLite keeps `-wal` and `-shm` files beside an open ledger, readers included; they are removed when the last one
    /// closes, unless they hold commits that a crashed writer left (the next writer takes those over, a reader never does).
    /// Where the directory cannot be written, and no writer is there to keep those files, the file is read as one that does
    /// not change; should it change all the same, the snapshot in use fails with an error and the next one is sound.
    pub fn open_readonly(path: &Path) -> Result<Self, StoreError> {
        let resolved = resolve_existing(path)?;
        let readers = Arc::new(Readers::new(resolved, true));
        let checked = readers.take().and_then(|reader| check_ledger(&reader.connection, path).map(|()| reader));
        readers.give_back(checked.map_err(|error| error.at(path))?);
        Ok(Self { writer: None, readers, _lock: None })
    }

    fn writing(connection: Connection, path: PathBuf, lock: WriterLock) -> Self {
        Self {
            writer: Some(Mutex::new(Writer { connection, failed: false })),
            readers: Arc::new(Readers::new(path, false)),
            _lock: Some(lock),
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let writer = self.writer.as_ref();
        let writer = writer.ok_or_else(|| StoreError::Engine("the ledger is open read-only".into()))?;
        // A commit that panicked was rolled back while it unwound.
        Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for SqliteStore {
    fn commit_with(&self, expected_size: u64, mut puts: Vec<Put>, more: &mut Pieces<'_>) -> Result<(), StoreError> {
        puts.iter().try_for_each(check_put)?;
        in_order(&mut puts);
        self.write(expected_size, &puts, more).map_err(|error| error.at(self.readers.path()))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let snapshot = SqliteSnapshot::begin(&self.readers).map_err(|error| error.at(self.readers.path()))?;
        Ok(Box::new(snapshot))
    }
}

impl SqliteStore {
    /// Writes rows in order, and more of them piece by piece, in one transaction.
    fn write(&self, expected_size: u64, puts: &[Put], more: &mut Pieces<'_>) -> Result<(), StoreError> {
        let mut writer = self.writer()?;
        if writer.failed {
            let why = "an earlier commit was not made durable: close the ledger and open it again";
            return Err(StoreError::Engine(why.into()));
        }
        let behavior = TransactionBehavior::Immediate;
        // Every early return drops the transaction, and that rolls it back.
        let transaction = writer.connection.transaction_with_behavior(behavior).map_err(engine)?;
        let found = last_envelope(&transaction)?;
        if found != expected_size {
            return Err(StoreError::StaleHead { expected: expected_size, found });
        }
        for rows in puts.chunk_by(|left, right| left.table == right.table) {
            write_rows(&transaction, rows)?;
        }
        for piece in more {
            let mut puts = piece?;
            puts.iter().try_for_each(check_put)?;
            in_order(&mut puts);
            for rows in puts.chunk_by(|left, right| left.table == right.table) {
                write_rows(&transaction, rows)?;
            }
        }
        let committed = transaction.commit();
        if let Err(error) = &committed {
            writer.failed = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        }
        committed.map_err(engine)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        if let Some(writer) = &mut self.writer {
            // Of no consequence where it fails, or where readers are in the way: the WAL stays, and the next one to open reads
            // it. So there is nothing to wait for either.
            let writer = writer.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = writer.connection.busy_timeout(std::time::Duration::ZERO);
            let _ = writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// Sorts by table and key; rows of one key keep their order. Keys in order touch each page once: with random ones (unique keys
/// are hashes) that is what makes a bulk load fast.
fn in_order(puts: &mut [Put]) {
    // The first bytes decide nearly always, and here they are at hand.
    let leading = |put: &Put| {
        let mut eight = [0; 8];
        eight.iter_mut().zip(&put.key).for_each(|(place, byte)| *place = *byte);
        u64::from_be_bytes(eight)
    };
    let mut order: Vec<(Table, u64, usize)> =
        puts.iter().enumerate().map(|(place, put)| (put.table, leading(put), place)).collect();
    order.sort_unstable_by(|left, right| {
        let whole = || puts[left.2].key.cmp(&puts[right.2].key);
        (left.0, left.1).cmp(&(right.0, right.1)).then_with(whole).then(left.2.cmp(&right.2))
    });
    let mut sorted: Vec<Put> = order
        .iter()
        .map(|&(_, _, place)| Put {
            table: puts[place].table,
            key: std::mem::take(&mut puts[place].key),
            value: std::mem::take(&mut puts[place].value),
        })
        .collect();
    puts.swap_with_slice(&mut sorted);
}

/// Writes rows of one table, in ascending order of their keys.
fn write_rows(transaction: &Transaction<'_>, rows: &[Put]) -> Result<(), StoreError> {
    let Some(table) = rows.first().map(|row| row.table) else {
        return Ok(());
    };
    let sql = &TABLES[table as usize];
    let mut put = transaction.prepare_cached(&sql.put).map_err(engine)?;
    for row in rows {
        let done = match table.key_kind() {
            KeyKind::Named => put.execute((&row.key, &row.value)),
            KeyKind::Numbered => put.execute((number_of(&row.key), &row.value)),
        };
        done.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) if !replaces(table) => StoreError::Conflict { table: table.name() },
            _ => engine(error),
        })?;
    }
    Ok(())
}

/// The path of an existing ledger without symbolic links, so that all its names lead to one lock.
fn resolve_existing(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
        _ => StoreError::io(path, source),
    };
    let resolved = path.canonicalize().map_err(failed)?;
    if !resolved.metadata().map_err(failed)?.is_file() {
        let why = if resolved.is_dir() { "it is a directory" } else { "it is not a regular file" };
        return Err(StoreError::NotALedger { path: path.to_owned(), why: why.into() });
    }
    Ok(resolved)
}

/// The path of a ledger to be, its directory without symbolic links.
fn resolve_new(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::io(path, source);
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidFilename.into()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(directory.canonicalize().map_err(failed)?.join(name))
}

/// Removes a ledger that was made a moment ago and is of no use to anybody, with the files that SQLite keeps beside it.
pub(crate) fn remove_new(path: &Path) {
    for made in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal")] {
        let _ = std::fs::remove_file(made);
    }
}

/// A file of the same name with something appended.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the name of a new file durable.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        #[cfg(unix)]
        Some(parent) => {
            let directory = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            let synced = std::fs::File::open(directory).and_then(|open| open.sync_all());
            synced.map_err(|source| StoreError::io(directory, source))
        }
        _ => Ok(()),
    }
}
