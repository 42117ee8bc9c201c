//! Signing keys: Ed25519 (RFC 8032). Their files are PKCS#8 PEM, mode 0600 ([`file`]).
//!
//! A [`Key`] belongs to a member and signs intents and endorsements; a [`LogKey`] belongs to a ledger and signs checkpoints.
//! They are different types and different files, so that neither can be used for the other.

mod file;

use std::path::{Path, PathBuf};

use ledgerstone_verify::canon::b64;
use ledgerstone_verify::key::PublicKey;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::codes;

use file::{LOG_KEY, MEMBER_KEY, read, rewrite, role_of, write};
pub use file::{Passphrase, is_protected};

/// Why a key could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is not there.
    #[error("{0}: no such key file")]
    Missing(PathBuf),
    /// A key file is never overwritten.
    #[error("{0} exists: a key file is never overwritten")]
    Exists(PathBuf),
    /// The disk or a quota is full.
    #[error("{0}: the disk is full; no key file was left there: make space and repeat the call")]
    DiskFull(PathBuf),
    /// The operating system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path}: {why}")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The file is protected, and no passphrase was given.
    #[error("{path} is protected by a passphrase: give {argument} to the command")]
    NeedsPassphrase {
        /// The file.
        path: PathBuf,
        /// How whoever asked for the key takes it: in Python, and on the command line.
        argument: &'static str,
    },
    /// The passphrase does not open the file.
    #[error("{0}: the passphrase is wrong")]
    WrongPassphrase(PathBuf),
    /// A passphrase that protects nothing.
    #[error("a passphrase is 1 to 1,024 bytes on one line, without control characters")]
    BadPassphrase,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl KeyFileError {
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            KeyFileError::Missing(_) => codes::KEY_MISSING,
            KeyFileError::Exists(_) => codes::FILE_EXISTS,
            KeyFileError::DiskFull(_) => codes::DISK_FULL,
            KeyFileError::Io { .. } => codes::FILE_FAILED,
            KeyFileError::NotAKey { .. } => codes::NOT_A_KEY,
            KeyFileError::NeedsPassphrase { .. } => codes::NEEDS_PASSPHRASE,
            KeyFileError::WrongPassphrase(_) => codes::WRONG_PASSPHRASE,
            KeyFileError::BadPassphrase => codes::BAD_PASSPHRASE,
            KeyFileError::NoRandomness => codes::NO_RANDOMNESS,
        }
    }

    /// The file, where one is the reason.
    pub fn path(&self) -> Option<&Path> {
        match self {
            KeyFileError::Missing(path) | KeyFileError::Exists(path) | KeyFileError::DiskFull(path) => Some(path),
            KeyFileError::Io { path, .. } | KeyFileError::NotAKey { path, .. } => Some(path),
            KeyFileError::NeedsPassphrase { path, .. } | KeyFileError::WrongPassphrase(path) => Some(path),
            KeyFileError::BadPassphrase | KeyFileError::NoRandomness => None,
        }
    }
}

/// A member's key.
pub struct Key {
    pair: Pair,
    label: String,
}

/// The key of a ledger's log.
pub struct LogKey {
    pair: Pair,
    /// Admitted once: that takes as long as two signatures.
    public: PublicKey,
}

/// A key of either kind.
#[derive(Debug)]
pub enum AnyKey {
    /// A member's.
    Member(Key),
    /// That of a log.
    Log(LogKey),
}

struct Pair {
    /// Wiped when it goes. The copy that `ring` signs with is not.
    seed: Zeroizing<[u8; 32]>,
    signer: Ed25519KeyPair,
}

/// 32 bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyFileError::NoRandomness)?;
    Ok(bytes)
}

impl Key {
    /// A new key. The label is for people; it is kept in the key file and goes nowhere else.
    pub fn generate(label: &str) -> Result<Self, KeyFileError> {
        Ok(Key { pair: Pair::generate()?, label: one_line(label) })
    }

    /// The key of a seed, for tests that need the same bytes every time.
    pub fn from_seed(seed: [u8; 32], label: &str) -> Self {
        Key { pair: Pair::from_seed(Zeroizing::new(seed)), label: one_line(label) }
    }

    /// Reads a key file. A passphrase for a file that is not protected is an error too: its owner believes that it is.
    pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let (seed, label) = read(path, MEMBER_KEY, passphrase, "passphrase=, or --passphrase-file")?;
        Ok(Key { pair: Pair::from_seed(seed), label })
    }

    /// Writes a new key file, mode 0600, encrypted under the passphrase if one is given.
    pub fn save(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyFileError> {
        write(path, MEMBER_KEY, &self.label, &self.pair.seed, passphrase)
    }

    /// Writes a key file anew under another passphrase, or none: a member's, or that of a log key. The old file stays until the new one
    /// is whole.
    pub fn change_passphrase(
        path: &Path,
        old: Option<&Passphrase>,
        new: Option<&Passphrase>,
    ) -> Result<(), KeyFileError> {
        let role = role_of(path)?;
        let (seed, label) = read(path, role, old, "old=, or --passphrase-file")?;
        rewrite(path, role, &label, &seed, new)
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.pair.public()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message)
    }
}

impl LogKey {
    /// A new key.
    pub fn generate() -> Result<Self, KeyFileError> {
        Ok(LogKey::of(Pair::generate()?))
    }

    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        LogKey::of(Pair::from_seed(Zeroizing::new(seed)))
    }

    fn of(pair: Pair) -> Self {
        let public = PublicKey::admit(&pair.public()).expect("a key made from a seed is of prime order");
        LogKey { pair, public }
    }

    /// Reads a key file, as [`Key::load`] does a member's, for the ledger that it belongs to.
    pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let argument = "log_passphrase= when the ledger is opened, or --log-passphrase-file";
        Ok(LogKey::of(Pair::from_seed(read(path, LOG_KEY, passphrase, argument)?.0)))
    }

    /// Writes a new key file, mode 0600, encrypted under the passphrase if one is given. `origin` is written beside the key for people.
    pub fn save(&self, path: &Path, origin: &str, passphrase: Option<&Passphrase>) -> Result<(), KeyFileError> {
        write(path, LOG_KEY, origin, &self.pair.seed, passphrase)
    }

    /// The public key, in the form the verifier takes it.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message)
    }
}

impl AnyKey {
    /// Reads a key file, of the kind that it says it is; one of another tool says nothing, and is a member's. Of the passphrase the same
    /// holds as for [`Key::load`].
    pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let role = role_of(path)?;
        let (seed, label) = read(path, role, passphrase, "--passphrase-file")?;
        let pair = Pair::from_seed(seed);
        Ok(if role == LOG_KEY { AnyKey::Log(LogKey::of(pair)) } else { AnyKey::Member(Key { pair, label }) })
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Key { pair: Pair::from_seed(self.pair.seed.clone()), label: self.label.clone() }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?}, public={})", self.label, b64(&self.public()))
    }
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogKey(public={})", b64(&self.pair.public()))
    }
}

impl Pair {
    fn generate() -> Result<Self, KeyFileError> {
        Ok(Pair::from_seed(Zeroizing::new(random_bytes()?)))
    }

    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let signer = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).expect("every seed of 32 bytes is a key");
        Pair { seed, signer }
    }

    fn public(&self) -> [u8; 32] {
        self.signer.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

fn one_line(label: &str) -> String {
    label.chars().filter(|c| !c.is_control()).take(128).collect::<String>().replace("-----", "")
}
