//! Where passphrases come from: a file or the environment, never the command line, which other processes can read.

use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone::keys::{KeyFileError, is_protected};
use ledgerstone::{Error, Key, Passphrase};

use crate::failure::Failure;

/// The variable that holds the passphrase of the key file.
const VARIABLE: &str = "LEDGERSTONE_PASSPHRASE";
/// The variable that holds the passphrase of the log key's file.
const LOG_VARIABLE: &str = "LEDGERSTONE_LOG_PASSPHRASE";
/// The variable that holds the passphrase of a new key file.
const NEW_VARIABLE: &str = "LEDGERSTONE_NEW_PASSPHRASE";

/// The passphrase of a key file.
#[derive(Args, Debug)]
pub(crate) struct Protection {
    /// A file whose first line is the key file's passphrase [or the variable LEDGERSTONE_PASSPHRASE holds it]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Protection {
    /// The passphrase, if one is given.
    pub(crate) fn passphrase(&self) -> Result<Option<Passphrase>, Failure> {
        match &self.passphrase_file {
            Some(path) => from_file(path).map(Some),
            None => from_variable(VARIABLE),
        }
    }

    /// The passphrase for a file, if it needs one. What the environment holds may be meant for another file.
    pub(crate) fn for_file(&self, path: &Path) -> Result<Option<Passphrase>, Failure> {
        let is_protected = is_protected(path).unwrap_or(false);
        if self.passphrase_file.is_some() || is_protected { self.passphrase() } else { Ok(None) }
    }

    /// Reads a member's key.
    pub(crate) fn load_key(&self, path: &Path) -> Result<Key, Failure> {
        Ok(Key::load(path, self.for_file(path)?.as_ref()).map_err(Error::from)?)
    }
}

/// A log key's file, and its passphrase.
#[derive(Args, Debug)]
pub(crate) struct LogKeyFile {
    /// The log key's file [default: <LEDGER>.logkey.pem]
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// A file whose first line is the log key file's passphrase [or the variable LEDGERSTONE_LOG_PASSPHRASE holds it]
    #[arg(long, value_name = "FILE")]
    log_passphrase_file: Option<PathBuf>,
}

impl LogKeyFile {
    /// The file, where one is named.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.log_key.as_deref()
    }

    /// The passphrase for a new file, if one is given.
    pub(crate) fn passphrase(&self) -> Result<Option<Passphrase>, Failure> {
        match &self.log_passphrase_file {
            Some(path) => from_file(path).map(Some),
            None => from_variable(LOG_VARIABLE),
        }
    }

    /// The passphrase for the file of a ledger, if it needs one.
    pub(crate) fn passphrase_for(&self, ledger: &Path) -> Result<Option<Passphrase>, Failure> {
        let default = || {
            let mut path = ledger.as_os_str().to_owned();
            path.push(".logkey.pem");
            PathBuf::from(path)
        };
        let is_protected = is_protected(&self.log_key.clone().unwrap_or_else(default)).unwrap_or(false);
        if self.log_passphrase_file.is_some() || is_protected { self.passphrase() } else { Ok(None) }
    }
}

/// The passphrase of a new key file, if one is given.
pub(crate) fn new_passphrase(path: Option<&Path>) -> Result<Option<Passphrase>, Failure> {
    match path {
        Some(path) => from_file(path).map(Some),
        None => from_variable(NEW_VARIABLE),
    }
}

/// The first line of a file.
fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    Passphrase::load(path).map_err(|error| match error {
        KeyFileError::BadPassphrase => Failure::new(error.code(), format!("{}: {error}", path.display())),
        other => Error::from(other).into(),
    })
}

fn from_variable(name: &str) -> Result<Option<Passphrase>, Failure> {
    let words = std::env::var_os(name).map(|words| Passphrase::new(words.to_string_lossy().into_owned()));
    words.transpose().map_err(|error| Failure::new(error.code(), format!("{name}: {error}")))
}
