//! Snapshots: a reading transaction each, on a connection of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use super::super::contract::number_of;
use super::super::{Hop, KeyKind, Snapshot, StoreError, Table, number_key};
use super::beside;
use super::connection::{Mode, TABLES, connect, damaged, engine};
use super::copy;

/// Connections kept for the next snapshot; opening one costs about as much as a hundred lookups.
const IDLE_CONNECTIONS: usize = 8;

/// The most rows that [`Snapshot::probe`] steps over before it looks the next prefix up instead: a lookup costs about as much
/// as twenty steps.
const STEPS: u32 = 32;
/// Lookups after which it tries so many steps again.
const RETRY_LOOKUPS: u32 = 64;

/// The readers' connections of one open store.
pub(super) struct Readers {
    path: PathBuf,
    /// No writer stands behind them.
    alone: bool,
    /// There were commits beside the file, and nobody who might still have been writing them.
    orphaned: bool,
    /// `None` once the store is closed.
    idle: Mutex<Option<Vec<Reader>>>,
}

pub(super) struct Reader {
    pub(super) connection: Connection,
    /// What the file looked like when it was taken for one that does not change.
    frozen: Option<Stamp>,
}

type Stamp = (u64, Option<SystemTime>);

impl Readers {
    pub(super) fn new(path: PathBuf, alone: bool) -> Self {
        let mut readers = Self { path, alone, orphaned: false, idle: Mutex::new(Some(Vec::new())) };
        readers.orphaned = alone && readers.has_wal() && !readers.has_lock();
        readers
    }

    /// The ledger's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection without a transaction.
    pub(super) fn take(&self) -> Result<Reader, StoreError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop();
        while let Some(reader) = idle() {
            if reader.frozen.is_none() || (reader.frozen == self.stamp() && !self.has_wal()) {
                return Ok(reader);
            }
        }
        if !self.alone {
            return Ok(Reader { connection: connect(&self.path, Mode::Read)?, frozen: None });
        }
        let shared = connect(&self.path, Mode::Read).and_then(|connection| {
            connection.pragma_query(None, "schema_version", |_| Ok(())).map_err(engine)?;
            Ok(Reader { connection, frozen: None })
        });
        if shared.is_ok() || self.has_wal() {
            return shared;
        }
        // The files that readers share cannot be made here, and there is no writer whose commits they would show.
        self.frozen().or(shared)
    }

    /// A connection to the file as it is now.
    pub(super) fn frozen(&self) -> Result<Reader, StoreError> {
        let stamp = self.stamp();
        let connection = connect(&self.path, Mode::Frozen)?;
        // Without a stamp, any change would go unseen.
        let frozen = Some(stamp.ok_or_else(|| StoreError::Missing(self.path.clone()))?);
        Ok(Reader { connection, frozen })
    }

    /// Keeps a connection for later, or closes it.
    pub(super) fn give_back(&self, reader: Reader) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
            && idle.len() < IDLE_CONNECTIONS
        {
            return idle.push(reader);
        }
        self.close_one(reader);
    }

    /// Closes what is idle, and from now on what is given back.
    pub(super) fn close(&self) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        idle.into_iter().flatten().for_each(|reader| self.close_one(reader));
    }

    fn close_one(&self, reader: Reader) {
        // The last connection to close carries the WAL over and removes it. A writer that closes leaves that to the readers
        // that are still there; one that crashed leaves its lock file too, and then readers leave all as they found it.
        let keep = self.alone && self.has_wal() && (self.orphaned || self.has_lock());
        let _ = reader.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
    }

    fn has_wal(&self) -> bool {
        beside(&self.path, "-wal").metadata().is_ok_and(|file| file.len() > 0)
    }

    fn has_lock(&self) -> bool {
        beside(&self.path, ".lock").symlink_metadata().is_ok()
    }

    fn stamp(&self) -> Option<Stamp> {
        self.path.metadata().ok().map(|file| (file.len(), file.modified().ok()))
    }
}

/// A consistent view of the file.
pub(super) struct SqliteSnapshot {
    /// `None` only while it is dropped.
    reader: Option<Reader>,
    readers: Arc<Readers>,
    size: u64,
}

impl SqliteSnapshot {
    pub(super) fn begin(readers: &Arc<Readers>) -> Result<Self, StoreError> {
        let reader = readers.take()?;
        let connection = &reader.connection;
        // The transaction begins with the first read.
        connection.execute_batch("BEGIN").map_err(engine)?;
        let size = last_envelope(connection)?;
        Ok(Self { reader: Some(reader), readers: Arc::clone(readers), size })
    }

    /// Runs a read, and then makes sure that the file was not changed meanwhile by somebody whom no lock told of us.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let gone = || StoreError::Engine("the snapshot has ended".into());
        let reader = self.reader.as_ref().ok_or_else(gone)?;
        let found = read(&reader.connection);
        if reader.frozen.is_some() && reader.frozen != self.readers.stamp() {
            let why = "the file was changed while it was read without write permission: take a new snapshot";
            return Err(StoreError::Engine(why.into()));
        }
        found.map_err(|error| error.at(self.readers.path()))
    }
}

impl Drop for SqliteSnapshot {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take()
            && reader.connection.execute_batch("ROLLBACK").is_ok()
        {
            self.readers.give_back(reader);
        }
    }
}

impl Snapshot for SqliteSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(key) = exact(table, key) else {
            return Ok(None);
        };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&TABLES[table as usize].at).map_err(engine)?;
            let mut rows = statement.query([key]).map_err(engine)?;
            let row = rows.next().map_err(engine)?;
            row.map(|row| bytes(row, 0, table).map(<[u8]>::to_vec)).transpose()
        })
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let Some(from) = at_least(table, from) else {
            return Ok(());
        };
        // No key at or above a bound beyond all keys: the scan goes to the end.
        let to = to.and_then(|to| at_least(table, to));
        let sql = &TABLES[table as usize];
        self.read(|connection| {
            let sql = if to.is_some() { &sql.between } else { &sql.from };
            let mut statement = connection.prepare_cached(sql).map_err(engine)?;
            let mut rows = match to {
                Some(to) => statement.query([from, to]),
                None => statement.query([from]),
            }
            .map_err(engine)?;
            while let Some(row) = rows.next().map_err(engine)? {
                if !on_row(row, table, |key, value| visit(key, value))? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn hop(&self, table: Table, from: &[u8], visit: &mut Hop<'_>) -> Result<(), StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&TABLES[table as usize].from).map_err(engine)?;
            let mut next = Some(from.to_vec());
            while let Some(key) = next.as_deref().and_then(|from| at_least(table, from)) {
                let mut rows = statement.query([key]).map_err(engine)?;
                let row = rows.next().map_err(engine)?;
                next = row.map(|row| on_row(row, table, |key, value| visit(key, value))).transpose()?.flatten();
            }
            Ok(())
        })
    }

    fn last_at(&self, table: Table, at: &[u8]) -> Result<Option<super::super::Row>, StoreError> {
        let Some(at) = at_most(table, at) else {
            return Ok(None);
        };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&TABLES[table as usize].last).map_err(engine)?;
            let mut rows = statement.query([at]).map_err(engine)?;
            let Some(row) = rows.next().map_err(engine)? else {
                return Ok(None);
            };
            let key = match table.key_kind() {
                KeyKind::Named => bytes(row, 0, table)?.to_vec(),
                KeyKind::Numbered => number_key(number_at(row, table)?),
            };
            Ok(Some((key, bytes(row, 1, table)?.to_vec())))
        })
    }

    /// Walks rows and prefixes side by side. Where the next prefix is near, stepping to it is many times cheaper than looking
    /// it up; where it is far, the walk gives up after some rows and does look it up. How many rows it grants is learnt on
    /// the way, and tried anew now and then, so that dense prefixes become one scan and sparse ones a lookup each.
    fn probe(&self, table: Table, prefixes: &[[u8; 8]], visit: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        if table.key_kind() == KeyKind::Numbered {
            return prefixes
                .iter()
                .try_for_each(|prefix| self.get(table, prefix).map(|found| found.iter().for_each(|_| visit(prefix))));
        }
        self.read(|connection| {
            let sql = &TABLES[table as usize].keys_from;
            let mut statement = connection.prepare_cached(sql).map_err(engine)?;
            let (mut rest, mut patience, mut lookups) = (prefixes, STEPS, 0_u32);
            while let Some(first) = rest.first() {
                let mut rows = statement.query([&first[..]]).map_err(engine)?;
                patience = if lookups.is_multiple_of(RETRY_LOOKUPS) { STEPS } else { patience };
                lookups = lookups.wrapping_add(1);
                let (mut steps, mut visited) = (0, false);
                while steps <= patience {
                    let Some(row) = rows.next().map_err(engine)? else {
                        return Ok(());
                    };
                    let key = bytes(row, 0, table)?;
                    let behind = |prefix: &&[u8; 8]| key > &prefix[..] && !key.starts_with(&prefix[..]);
                    let passed = rest.iter().take_while(behind).count();
                    rest = &rest[passed..];
                    let Some(next) = rest.first() else {
                        return Ok(());
                    };
                    let arrived = key.starts_with(next);
                    if arrived {
                        visit(key);
                    }
                    if arrived || passed > usize::from(visited) {
                        patience = if steps > 0 { (patience * 2).min(STEPS) } else { patience };
                        steps = 0;
                    } else {
                        steps += 1;
                    }
                    visited = arrived;
                }
                patience /= 2;
            }
            Ok(())
        })
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(self.size)
    }

    fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check").map_err(engine)?;
            let found = statement.query_map([], |row| row.get(0)).map_err(engine)?;
            let mut found = found.collect::<rusqlite::Result<Vec<String>>>().map_err(engine)?;
            found.retain(|line| line != "ok");
            Ok(found)
        })
    }

    fn copy_to(&self, path: &Path, go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<bool, StoreError> {
        self.read(|connection| copy::copy(connection, path, go_on))
    }

    fn bytes_by_table(&self) -> Result<Vec<(Table, u64)>, StoreError> {
        self.read(|connection| copy::bytes_by_table(connection).map_err(engine))
    }
}

/// One more than the last key of `Envelopes`.
pub(super) fn last_envelope(connection: &Connection) -> Result<u64, StoreError> {
    let read = |connection: &Connection| {
        let sql = "SELECT key FROM envelopes ORDER BY key DESC LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row([], |row| row.get::<_, i64>(0)).optional()
    };
    match read(connection).map_err(engine)? {
        None => Ok(0),
        Some(last) => u64::try_from(last).map(|last| last + 1).map_err(|_| odd(Table::Envelopes)),
    }
}

fn odd(table: Table) -> StoreError {
    damaged(format!("table {}: a key or value is not what the format says", table.name()))
}

fn bytes<'a>(row: &'a Row<'_>, column: usize, table: Table) -> Result<&'a [u8], StoreError> {
    match row.get_ref(column).map_err(engine)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(odd(table)),
    }
}

/// The key, as in the contract, and the value of a row.
fn on_row<T>(row: &Row<'_>, table: Table, look: impl FnOnce(&[u8], &[u8]) -> T) -> Result<T, StoreError> {
    let value = bytes(row, 1, table)?;
    Ok(match table.key_kind() {
        KeyKind::Named => look(bytes(row, 0, table)?, value),
        KeyKind::Numbered => look(&number_at(row, table)?.to_be_bytes(), value),
    })
}

fn number_at(row: &Row<'_>, table: Table) -> Result<u64, StoreError> {
    row.get_ref(0)
        .map_err(engine)?
        .as_i64()
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| odd(table))
}

/// A key as SQLite keeps it.
#[derive(Clone, Copy)]
enum Key<'a> {
    /// Before every key, also one of another type than a commit would have written.
    Least,
    Number(i64),
    Bytes(&'a [u8]),
}

impl ToSql for Key<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Key::Least => Ok(f64::NEG_INFINITY.into()),
            Key::Number(number) => number.to_sql(),
            Key::Bytes(bytes) => bytes.to_sql(),
        }
    }
}

/// The key itself; `None` where no row can have it.
fn exact(table: Table, key: &[u8]) -> Option<Key<'_>> {
    match table.key_kind() {
        KeyKind::Named => Some(Key::Bytes(key)),
        KeyKind::Numbered => number_of(key).map(Key::Number),
    }
}

/// The first key at or after these bytes; `None` where no row can have one.
fn at_least(table: Table, bytes: &[u8]) -> Option<Key<'_>> {
    if bytes.is_empty() {
        return Some(Key::Least);
    }
    if table.key_kind() == KeyKind::Named {
        return Some(Key::Bytes(bytes));
    }
    let number = leading_number(bytes).checked_add(u64::from(bytes.len() > 8))?;
    i64::try_from(number).ok().map(Key::Number)
}

/// The last key at or before these bytes; `None` where no row can have one.
fn at_most(table: Table, bytes: &[u8]) -> Option<Key<'_>> {
    if table.key_kind() == KeyKind::Named {
        return Some(Key::Bytes(bytes));
    }
    let number = leading_number(bytes).checked_sub(u64::from(bytes.len() < 8))?;
    Some(Key::Number(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// The first eight bytes as a number; absent ones count as zero, as they do when bytes are compared.
fn leading_number(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    u64::from_be_bytes(eight)
}
