//! Files that are whole, or not there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether a file could not grow: no space, a quota, or the process's own bound.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Writes a file that must not exist, durably; on Unix only its owner may read it. Where that fails, nothing is left.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Writes a file that only its owner may read over what was there, durably: it is the new one or the old one.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial(path);
    let file = Some(create_private(&partial)?);
    let mut whole = Whole { path: path.to_owned(), partial, file, is_full: Arc::default() };
    whole.write_all(bytes)?;
    whole.finish()
}

/// Begins a file that must not exist; on Unix only its owner may read it.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
    /// Where it is written meanwhile.
    partial: PathBuf,
    /// `None` once it has its name.
    file: Option<File>,
    is_full: Arc<AtomicBool>,
}

impl Whole {
    /// Begins the file that will stand at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let partial = partial(path);
        let file = Some(File::create_new(&partial)?);
        Ok(Whole { path: path.to_owned(), partial, file, is_full: Arc::default() })
    }

    /// Whether it could not grow: the writers above it may lose what kind of error it was.
    pub fn is_full(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_full)
    }

    /// Waits until the file is durable, and gives it its name.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let named = self.noting(file.sync_all()).and_then(|()| move_over(&self.partial, &self.path));
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
            let _ = fs::remove_file(&self.partial);
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

/// Where a file is written before it has its name: beside its place, under a name that nobody else uses.
pub(crate) fn partial(path: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(path);
        name.push(format!(".{}-{number}.partial", std::process::id()));
        let place = PathBuf::from(name);
        // A process of this number may have left one: in a container all have the same.
        if place.symlink_metadata().is_err() {
            return place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        replace(&path, b"first").unwrap();
        let mut file = Whole::create(&path).unwrap();
        file.write_all(b"second").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of the other");
        assert_eq!(write_new(&path, b"third").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn two_files_under_way_to_one_place_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.parquet");
        let own = folder.path().join("export.parquet.partial");
        fs::write(&own, b"a user's").unwrap();
        let (mut first, mut second) = (Whole::create(&path).unwrap(), Whole::create(&path).unwrap());
        first.write_all(b"first").unwrap();
        second.write_all(b"the second").unwrap();
        second.finish().unwrap();
        first.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read(&own).unwrap(), b"a user's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
