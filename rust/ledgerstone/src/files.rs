//! Files that are whole, or not there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a file could not grow: no space, a quota, or the process's own bound.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Writes a file that must not exist, durably; on Unix only its owner may read it. Where that fails, nothing is left.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// A file under way, which has its name only once it is whole. Dropped before that, it leaves what was there.
///
/// ```
/// use std::io::Write;
/// let path = std::env::temp_dir().join(format!("ledgerstone-whole-{}.txt", std::process::id()));
/// let mut file = ledgerstone::files::Whole::create(&path)?;
/// file.write_all(b"whole")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"whole");
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Whole {
    path: PathBuf,
    /// `None` once it has its name.
    file: Option<File>,
    is_full: Arc<AtomicBool>,
}

impl Whole {
    /// Begins the file that will stand at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = Some(File::create(partial(path))?);
        Ok(Whole { path: path.to_owned(), file, is_full: Arc::default() })
    }

    /// Whether it could not grow: the writers above it may lose what kind of error it was.
    pub fn is_full(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_full)
    }

    /// Waits until the file is durable, and gives it its name.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let named = self.noting(file.sync_all()).and_then(|()| move_over(&partial(&self.path), &self.path));
        if named.is_ok() {
            self.file = None;
        }
        named
    }

    fn noting<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(is_full) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.as_mut().map_or(Ok(0), |file| file.write(bytes));
        self.noting(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.as_mut().map_or(Ok(()), File::flush);
        self.noting(flushed)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(partial(&self.path));
        }
    }
}

/// Writes a file over what was there, durably: it is the new one or the old one, never half of either.
///
/// ```
/// let path = std::env::temp_dir().join(format!("ledgerstone-{}.txt", std::process::id()));
/// ledgerstone::files::replace(&path, b"whole")?;
/// assert_eq!(std::fs::read(&path)?, b"whole");
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Whole::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Gives a file another's name, durably; what had the name is gone.
pub(crate) fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).and_then(|()| sync_folder(to))
}

/// Makes a name durable: a file that is synced may still be lost with its entry in the folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Where a file is written before it has its name.
fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".partial");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        replace(&path, b"first").unwrap();
        // Where the partial file would go stands a folder.
        fs::create_dir(partial(&path)).unwrap();
        assert!(replace(&path, b"second").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(write_new(&path, b"third").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
