//! One writer: the lock file beside the ledger.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// How often the lock file may be replaced under our hands before we give up.
const ATTEMPTS: usize = 100;
/// Bytes of a lock file that are read: who holds it, in one line.
const HOLDER_BYTES: u64 = 256;

/// The right to write a ledger, held until it is dropped.
///
/// It is an advisory lock of the operating system on the file `<path>.lock`, which names the holder. A process that dies
/// loses the lock, so a file that was left behind means nothing: it is locked again. Two writers in one process exclude each
/// other like two processes do.
#[derive(Debug)]
pub struct WriterLock {
    path: PathBuf,
    /// Holds the lock as long as it is open.
    _file: File,
    /// A forked child shares the open file, and must not remove the name that its parent holds.
    pid: u32,
}

impl WriterLock {
    /// Locks the ledger at `path`; never waits.
    pub fn acquire(path: &Path) -> Result<WriterLock, StoreError> {
        let mut name = OsString::from(path);
        name.push(".lock");
        let lock_path = PathBuf::from(name);
        let failed = |source| StoreError::io(&lock_path, source);
        for _ in 0..ATTEMPTS {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&lock_path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked { path: path.to_owned(), holder: holder(&file) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // The last holder removes the name before it lets go: what we locked may be a file without one.
            if !is_at(&file, &lock_path).map_err(failed)? {
                continue;
            }
            let pid = std::process::id();
            sign(&mut file, pid).map_err(failed)?;
            return Ok(WriterLock { path: lock_path, _file: file, pid });
        }
        Err(StoreError::Locked { path: path.to_owned(), holder: "somebody in a great hurry".into() })
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            // While the lock is held, so that nobody else's file is removed. A file that stays is harmless.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether the name still leads to the open file itself.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the name still leads to a file; where an open file cannot be removed, that is ours.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> std::io::Result<bool> {
    path.try_exists()
}

fn sign(file: &mut File, pid: u32) -> std::io::Result<()> {
    let since = jiff::Timestamp::now();
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {pid} on {}, since {since:.0}", host_name())
}

/// What the lock file says, made fit for a message.
fn holder(file: &File) -> String {
    let mut bytes = Vec::new();
    let read = file.take(HOLDER_BYTES).read_to_end(&mut bytes);
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|letter| !letter.is_control()).collect();
    if read.is_err() || text.trim().is_empty() { "another process".into() } else { text }
}

fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = kernel
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "an unnamed host".into() } else { name.into() }
}
