//! Backups: a copy of the file while it is in use, whole and verified.

use std::path::Path;

use super::{Ledger, stored_checkpoint};
use crate::audit::AuditOptions;
use crate::builder::Open;
use crate::error::{Error, Result};
use crate::files;
use crate::store::{Snapshot, StoreError, remove_new, settle_new};

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupProgress {
    /// Pages of the file copied, and in all.
    Copied(u64, u64),
    /// Transactions of the copy audited, and in all.
    Audited(u64, u64),
}

/// How to back up.
pub struct BackupOptions<'a> {
    /// Whether the copy is audited, as [`Ledger::audit`] does, before it has its name.
    pub audit: bool,
    /// Told as the work goes on; an error stops the backup, and no file is left.
    pub progress: &'a mut dyn FnMut(BackupProgress) -> Result<()>,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Number of transactions.
    pub size: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Its newest checkpoint, a signed note.
    pub checkpoint: String,
}

impl Ledger {
    /// Copies the ledger to a file that must not exist, while others read and append: the copy is one consistent view, and has its name
    /// only when it is whole, durable and, unless told otherwise, audited.
    ///
    /// The log key is not in the file, and is not copied: keep it apart, or nobody can append to a copy that has to take the ledger's
    /// place. What was appended after the call began is not in the copy.
    ///
    /// # Errors
    ///
    /// `ledger.file_exists` where there is a file, `ledger.disk_full` where the copy does not fit, a verification error where the copy
    /// does not verify. In each case nothing is left at `path`.
    ///
    /// ```
    /// use ledgerstone::{BackupOptions, Create, Key, Open};
    /// let folder = std::env::temp_dir().join(format!("ledgerstone-backup-{}", std::process::id()));
    /// std::fs::create_dir(&folder)?;
    /// let ledger = Create::new("acme.example/books", Key::generate("me")?).at(&folder.join("books.ledger"))?;
    /// let copy = folder.join("copy.ledger");
    /// let backup = ledger.backup(&copy, BackupOptions { audit: true, progress: &mut |_| Ok(()) })?;
    /// assert_eq!(backup.size, 1);
    /// assert_eq!(Open::default().readonly(true).at(&copy)?.size()?, 1);
    /// # drop(ledger);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backup(&self, path: &Path, options: BackupOptions<'_>) -> Result<Backup> {
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists(path.to_owned()).into());
        }
        let partial = files::partial(path);
        let made = self.copy(&partial, options).and_then(|backup| {
            settle_new(&partial, path)?;
            Ok(backup)
        });
        remove_new(&partial);
        made
    }

    fn copy(&self, partial: &Path, options: BackupOptions<'_>) -> Result<Backup> {
        let BackupOptions { audit, progress } = options;
        let snapshot = self.store.snapshot()?;
        let checkpoint = stored_checkpoint(&*snapshot)?.note;
        let size = snapshot.size()?;
        copy_pages(&*snapshot, partial, progress)?;
        drop(snapshot);
        if audit {
            audited(partial, &checkpoint, progress)?;
        }
        let bytes = partial.metadata().map_err(|source| StoreError::io(partial, source))?.len();
        Ok(Backup { size, bytes, checkpoint })
    }
}

fn copy_pages(
    snapshot: &dyn Snapshot,
    partial: &Path,
    progress: &mut dyn FnMut(BackupProgress) -> Result<()>,
) -> Result<()> {
    let mut stopped = Ok(());
    snapshot.copy_to(partial, &mut |done, all| {
        stopped = progress(BackupProgress::Copied(done, all));
        stopped.is_ok()
    })?;
    stopped
}

/// The copy has to verify by itself, up to the checkpoint of the view that was copied.
fn audited(partial: &Path, checkpoint: &str, progress: &mut dyn FnMut(BackupProgress) -> Result<()>) -> Result<()> {
    let copy = Open::default().readonly(true).at(partial)?;
    let mut tell = |done, all| progress(BackupProgress::Audited(done, all));
    let report = copy.audit(AuditOptions { against: Some(checkpoint), progress: &mut tell })?;
    match report.verdict.code() {
        None => Ok(()),
        Some(code) => Err(Error::verification(code, format!("the copy does not verify, and was not kept: {report}"))),
    }
}
