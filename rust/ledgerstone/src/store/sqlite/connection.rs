//! Connections: how SQLite is set up, and what makes a file a ledger.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::{FORMAT, KeyKind, StoreError, Table};

/// `Ledg`.
const APPLICATION_ID: u32 = 0x4C65_6467;

/// Measured in commits of 262,144 unique keys and 16 MiB of chunks, at 0.3 and at 2.1 million keys in the table: 1,495 and
/// 2,030 ns a row with pages of 8 KiB, 1,580 and 2,254 with 4 KiB. A commit of one transfer writes 64 KiB to the WAL with 8 KiB
/// and takes 450 µs, with 4 KiB 32 KiB and 385 µs (`make bench`, a plain commit beside it 142 µs): a twentieth of bulk speed for a
/// seventh of every single append.
const PAGE_BYTES: u32 = 4_096;

/// The WAL is carried over into the file when a commit leaves it longer than this.
const CHECKPOINT_BYTES: u32 = 16 << 20;
/// A WAL that one commit made longer than this is cut back when it is next begun again.
const WAL_KEPT_BYTES: u32 = 64 << 20;
/// Pages held in memory by the writer, and by each reader: what one reads is mostly another leaf each time, and a larger cache only keeps
/// it further from the processor (statements in 5,000,000 transfers: 11.6 s of CPU with 16 MiB, 11.2 s with 8, for 4 % more pages read).
const WRITER_CACHE_KIB: u32 = 65_536;
const READER_CACHE_KIB: u32 = 8_192;

/// `SQLITE_IOERR_WRITE` and `SQLITE_IOERR_SHMSIZE`: a write that failed though the system did not say "no space", as under a quota or a
/// bound on the size of files.
const CANNOT_GROW: [i32; 2] = [778, 4_874];

/// How long to wait for another process that opens, closes or recovers the file: moments, unless the machine is overloaded.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Commits.
    Write,
    /// Snapshots. Opened for writing where the system lets us, since only such a connection can tidy up when it is the last
    /// to close; `query_only` keeps it from writing.
    Read,
    /// Snapshots of a file that nobody writes, without locks and without files beside it.
    Frozen,
}

/// The statements of one table.
pub(super) struct TableSql {
    pub(super) create: String,
    pub(super) put: String,
    pub(super) at: String,
    pub(super) from: String,
    pub(super) between: String,
    pub(super) keys_from: String,
    pub(super) last: String,
}

/// The statements of each table, by its number.
pub(super) static TABLES: LazyLock<[TableSql; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(statements));

fn statements(table: Table) -> TableSql {
    let name = table.name();
    // The order of storage classes is integer, text, bytes; the least of ours as a lower bound keeps foreign keys out.
    let (kind, tail, least) = match table.key_kind() {
        KeyKind::Numbered => ("INTEGER", "", "0"),
        KeyKind::Named => ("BLOB", " WITHOUT ROWID", "x''"),
    };
    let verb = if super::replaces(table) { "REPLACE" } else { "INSERT" };
    TableSql {
        create: format!("CREATE TABLE {name} (key {kind} PRIMARY KEY, value BLOB NOT NULL){tail}"),
        put: format!("{verb} INTO {name} (key, value) VALUES (?1, ?2)"),
        at: format!("SELECT value FROM {name} WHERE key = ?1"),
        from: format!("SELECT key, value FROM {name} WHERE key >= ?1 ORDER BY key"),
        between: format!("SELECT key, value FROM {name} WHERE key >= ?1 AND key < ?2 ORDER BY key"),
        keys_from: format!("SELECT key FROM {name} WHERE key >= ?1 ORDER BY key"),
        last: format!("SELECT key, value FROM {name} WHERE key <= ?1 AND key >= {least} ORDER BY key DESC LIMIT 1"),
    }
}

/// Opens a connection to an existing file, without a memory map: measured, one made probes and scans no faster, and a file that
/// somebody cuts short would end the process rather than give an error. The file is not trusted: its schema runs no code of its own.
pub(super) fn connect(path: &Path, mode: Mode) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let opened = match mode {
        Mode::Write | Mode::Read => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE),
        Mode::Frozen => Connection::open_with_flags(
            frozen_uri(path.as_os_str())?,
            flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        ),
    };
    let set_up = opened.and_then(|connection| configure(&connection, mode).map(|()| connection));
    set_up.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::NotALedger { path: path.to_owned(), why: "it is not an SQLite database".into() }
        }
        _ => engine(error),
    })
}

fn configure(connection: &Connection, mode: Mode) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    let cache = if mode == Mode::Write { WRITER_CACHE_KIB } else { READER_CACHE_KIB };
    connection.execute_batch(&format!(
        "PRAGMA cell_size_check=ON;
         PRAGMA mmap_size=0;
         PRAGMA temp_store=MEMORY;
         PRAGMA cache_size=-{cache};"
    ))?;
    if mode != Mode::Write {
        return connection.execute_batch("PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0;");
    }
    connection.execute_batch(&format!(
        "PRAGMA synchronous=FULL;
         PRAGMA fullfsync=ON;
         PRAGMA checkpoint_fullfsync=ON;
         PRAGMA journal_size_limit={WAL_KEPT_BYTES};
         PRAGMA wal_autocheckpoint={};",
        CHECKPOINT_BYTES / PAGE_BYTES
    ))
}

/// The path as a URI that says that the file does not change.
fn frozen_uri(path: &OsStr) -> Result<String, StoreError> {
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Engine("a file without write permission needs a name in UTF-8".into()))?;
    let mut uri = String::from("file:");
    for byte in text.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b':' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    Ok(uri)
}

/// Fills an empty file.
pub(super) fn create_tables(connection: &mut Connection) -> Result<(), StoreError> {
    let fill = |connection: &mut Connection| {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        let transaction = connection.transaction()?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        TABLES.iter().try_for_each(|table| transaction.execute_batch(&table.create))?;
        transaction.commit()
    };
    fill(connection).map_err(engine)
}

/// Switches the file to WAL mode, if it is not.
pub(super) fn use_wal(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(engine)?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(StoreError::Engine(format!("the file cannot have a write-ahead log (mode {mode})")))
    }
}

/// Refuses a file that is not a ledger of a format that we read.
pub(super) fn check_ledger(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let not_a_ledger = |why: &str| StoreError::NotALedger { path: path.to_owned(), why: why.into() };
    let number = |name: &str| {
        let read = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        read.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => not_a_ledger("it is not an SQLite database"),
            _ => engine(error),
        })
    };
    if number("application_id")? != i64::from(APPLICATION_ID) {
        return Err(not_a_ledger("it is an SQLite database of something else, or empty"));
    }
    // As SQLite keeps it, it has a sign.
    let found = number("user_version")? as u32;
    if found > FORMAT {
        return Err(StoreError::NewerFormat { path: path.to_owned(), found });
    }
    if found == 0 {
        return Err(not_a_ledger("its file format is 0"));
    }
    if tables_of(connection).map_err(engine)? != expected_tables() {
        return Err(not_a_ledger("its tables are not those of a ledger"));
    }
    Ok(())
}

fn expected_tables() -> Vec<String> {
    let mut tables: Vec<String> = TABLES.iter().map(|table| table.create.clone()).collect();
    tables.sort();
    tables
}

fn tables_of(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY 1 LIMIT 100")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Damage; whoever knows the file says which.
pub(super) fn damaged(why: String) -> StoreError {
    StoreError::Damaged { path: PathBuf::new(), why }
}

/// What SQLite says, in words that help.
pub(super) fn engine(error: rusqlite::Error) -> StoreError {
    // Whoever knows the file says which.
    let full = StoreError::DiskFull { path: PathBuf::new() };
    if error.sqlite_extended_error_code().is_some_and(|code| CANNOT_GROW.contains(&code)) {
        return full;
    }
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => return full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => return damaged(error.to_string()),
        Some(ErrorCode::SystemIoFailure) => "the disk failed to read or write",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds the file in a way that ledgers do not"
        }
        Some(ErrorCode::ReadOnly) => "the file or its directory cannot be written",
        Some(ErrorCode::CannotOpen) => "the file, or a file beside it, cannot be opened",
        _ => return StoreError::Engine(error.to_string()),
    };
    StoreError::Engine(format!("{advice} ({error})"))
}
