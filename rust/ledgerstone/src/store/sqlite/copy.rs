//! The file as a whole: copied while it is in use, and measured.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::super::{StoreError, Table};
use super::connection::engine;
use super::sync_directory;

/// Pages that are copied before the caller is asked whether to go on: 4 MiB.
const STEP_PAGES: i32 = 1_024;

/// Copies what a connection sees to a new file, by SQLite's online backup. The connection is in a reading transaction, so that the copy
/// is of one moment whatever is committed meanwhile. False: `go_on` said to stop, and the file is not whole.
pub(super) fn copy(from: &Connection, to: &Path, go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<bool, StoreError> {
    File::create_new(to).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::Exists(to.to_owned()),
        _ => StoreError::io(to, source),
    })?;
    let copied = pages(from, to, go_on).map_err(|error| engine(error).at(to))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|source| StoreError::io(to, source))?;
    Ok(copied)
}

fn pages(from: &Connection, to: &Path, go_on: &mut dyn FnMut(u64, u64) -> bool) -> rusqlite::Result<bool> {
    let mut copy = Connection::open(to)?;
    // It is thrown away where anything fails, so it needs no journal.
    copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
    let backup = Backup::new(from, &mut copy)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let progress = backup.progress();
        let (all, left) = (progress.pagecount.unsigned_abs(), progress.remaining.unsigned_abs());
        if !go_on(u64::from(all - left.min(all)), u64::from(all)) {
            return Ok(false);
        }
        match step {
            StepResult::Done => return Ok(true),
            StepResult::More => {}
            // Somebody opens or recovers the file: moments.
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Gives a new file its name, unless the name is taken.
pub(crate) fn settle_new(from: &Path, to: &Path) -> Result<(), StoreError> {
    let linked = std::fs::hard_link(from, to).or_else(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Err(error),
        // A file system without links.
        _ if !to.exists() => std::fs::rename(from, to),
        _ => Err(std::io::ErrorKind::AlreadyExists.into()),
    });
    linked.map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::Exists(to.to_owned()),
        _ => StoreError::io(to, source),
    })?;
    sync_directory(to)
}

/// Bytes of the pages of each table.
pub(super) fn bytes_by_table(connection: &Connection) -> rusqlite::Result<Vec<(Table, u64)>> {
    let mut statement = connection.prepare("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = ?1")?;
    let bytes =
        |table: Table| Ok((table, statement.query_row([table.name()], |row| row.get::<_, i64>(0))?.unsigned_abs()));
    Table::ALL.into_iter().map(bytes).collect()
}
