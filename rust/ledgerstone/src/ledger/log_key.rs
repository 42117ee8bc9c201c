//! The log key: its history, its rotation, and its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_verify::checkpoint::log_key_message;
use ledgerstone_verify::key::PublicKey;
use ledgerstone_verify::note::VerifierKey;

use super::records::object;
use super::{Appended, Ledger, Submission, Writer};
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::keys::{LogKey, Passphrase};
use crate::log::verifier_keys;
use crate::model::Value;
use crate::store::StoreError;
use crate::{codes, files};

/// A log key, and the part of the log that it signs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeyPeriod {
    /// The keys by which its checkpoints are verified: the origin's, and that of its SHA3-256 tree.
    pub verifier_keys: [VerifierKey; 2],
    /// Index of the transaction that put it in force.
    pub since: u64,
    /// Index of the transaction that put another in its place, whose checkpoint both signed; `None`: it is in force.
    pub until: Option<u64>,
}

/// Where a log key is kept, and what opens the file.
#[derive(Clone, Debug)]
pub(crate) struct LogKeyFile {
    pub(crate) path: PathBuf,
    pub(crate) passphrase: Option<Arc<Passphrase>>,
}

impl LogKeyPeriod {
    /// Whether the key signed checkpoints of this size.
    pub(crate) fn signs(&self, size: u64) -> bool {
        self.since < size && self.until.is_none_or(|until| size <= until + 1)
    }
}

impl Ledger {
    /// The keys by which its checkpoints and receipts are verified, the newest first: for each log key the origin's, and that of its
    /// SHA3-256 tree. Behind those in force stand earlier ones, so that old receipts stay verifiable: leave out one that may have leaked.
    pub fn verifier_keys(&self) -> Result<Vec<VerifierKey>> {
        Ok(self.log_keys()?.into_iter().rev().flat_map(|period| period.verifier_keys).collect())
    }

    /// The log keys, the newest last.
    pub fn log_keys(&self) -> Result<Vec<LogKeyPeriod>> {
        log_key_periods(&self.origin, &self.view_of_any_semantics()?.authority)
    }

    /// Puts a new log key in the place of the one in force, by a record that both sign. The new one takes the place of the old key file;
    /// while the transaction is under way it stands beside it, as `<file>.next`. It is protected as the old file is, by the passphrase that
    /// the ledger was opened with: where that does not open the old file any more, nothing is done. After a rotation of which the store
    /// cannot say whether it was kept there is no other until the ledger is opened again.
    pub fn rotate_log_key(&self) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let file = writer.log_key_file.clone();
        if let Some(file) = &file {
            self.check_log_key_file(&writer, file)?;
        }
        let new = match file {
            Some(_) => LogKey::generate()?,
            None => LogKey::from_seed(self.sources.random()?),
        };
        let next = file.as_ref().map(|file| next_path(&file.path));
        if let (Some(next), Some(file)) = (&next, &file) {
            // What stands there is of a rotation that did not come about: the key in force was found in the other file.
            let _ = std::fs::remove_file(next);
            new.save(next, &self.origin, file.passphrase.as_deref())?;
        }
        let genesis = writer.genesis.ok_or_else(|| Error::Fault("the ledger has no genesis".to_owned()))?;
        let record = rotation(&genesis, &writer.log_key, &new);
        let submission = Submission { new_log_key: Some(Arc::new(new)), ..Submission::of(vec![record]) };
        match (self.append_locked(&mut writer, submission), file.zip(next)) {
            (Ok(appended), Some((file, next))) => {
                move_into_place(&next, &file.path)?;
                Ok(appended)
            }
            (Err(error), Some((_, next))) => {
                // A commit that failed may have been kept, and so may one before a panic: then the next opening needs the key.
                writer.is_rotation_in_doubt = matches!(error, Error::Store(_) | Error::Fault(_));
                if !writer.is_rotation_in_doubt {
                    let _ = std::fs::remove_file(next);
                }
                Err(error)
            }
            (done, None) => done,
        }
    }

    /// Fails where the next log key would not be protected as the file of the one in force is, or might overwrite the only copy of it.
    fn check_log_key_file(&self, writer: &Writer, file: &LogKeyFile) -> Result<()> {
        if writer.is_rotation_in_doubt {
            let why =
                "an earlier rotation of the log key may have been made durable: close the ledger and open it again";
            return Err(StoreError::Engine(why.to_owned()).into());
        }
        // Its passphrase may have been changed since the ledger was opened.
        load_log_key(file, &self.origin, &writer.authority).map(|_| ())
    }
}

/// The history of the log keys of a ledger.
pub(crate) fn log_key_periods(origin: &str, authority: &Authority) -> Result<Vec<LogKeyPeriod>> {
    let keys = authority.log_keys();
    let ends = keys.iter().skip(1).map(|(index, _)| Some(*index)).chain([None]);
    let period = |((since, key), until): (&(u64, [u8; 32]), Option<u64>)| {
        let key = PublicKey::admit(key).map_err(|error| Error::damaged(format!("a log key: {error}")))?;
        let verifier_keys = verifier_keys(origin, key).map_err(|error| Error::damaged(error.to_string()))?;
        Ok(LogKeyPeriod { verifier_keys, since: *since, until })
    };
    keys.iter().zip(ends).map(period).collect()
}

/// Reads the log key in force. A rotation that ended before its key file was in its place is finished here.
pub(crate) fn load_log_key(file: &LogKeyFile, origin: &str, authority: &Authority) -> Result<LogKey> {
    let (path, passphrase) = (file.path.as_path(), file.passphrase.as_deref());
    let is_in_force = |key: &LogKey| authority.log_key() == Some(key.public().to_bytes());
    let found = LogKey::load(path, passphrase)?;
    if is_in_force(&found) {
        return Ok(found);
    }
    let next = next_path(path);
    if next.exists() {
        let key = LogKey::load(&next, passphrase)?;
        if is_in_force(&key) {
            move_into_place(&next, path)?;
            return Ok(key);
        }
    }
    let found = found.public().to_bytes();
    let periods = authority.log_keys().windows(2).find(|pair| pair[0].1 == found);
    let why = match periods {
        Some(pair) => {
            format!("this log key was replaced by transaction {} of {origin}; its successor is needed", pair[1].0)
        }
        None => format!("this is not the log key of {origin}, but another ledger's"),
    };
    Err(Error::verification(codes::WRONG_LOG_KEY, why).in_file(path))
}

fn rotation(genesis: &[u8; 32], old: &LogKey, new: &LogKey) -> (String, Value) {
    let (before, after) = (old.public().to_bytes(), new.public().to_bytes());
    let message = log_key_message(genesis, &before, &after);
    let record = object(vec![
        ("old", Value::Bytes(before.to_vec())),
        ("new", Value::Bytes(after.to_vec())),
        ("old_signature", Value::Bytes(old.sign(&message).to_vec())),
        ("new_signature", Value::Bytes(new.sign(&message).to_vec())),
    ]);
    ("ledger.log_key".to_owned(), record)
}

/// Where the next log key waits.
fn next_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

fn move_into_place(next: &Path, path: &Path) -> Result<()> {
    Ok(files::move_over(next, path).map_err(|source| StoreError::io(path, source))?)
}
