//! Signing keys and their files: Ed25519, PKCS#8 PEM, mode 0600.
//!
//! A [`Key`] belongs to a member and signs intents and endorsements; a [`LogKey`] belongs to a ledger and signs checkpoints.
//! They are different types and different files, so that neither can be used for the other.

use std::fs;
use std::path::{Path, PathBuf};

use ledgerstone_verify::canon::{b64, unb64};
use ledgerstone_verify::key::PublicKey;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::{codes, files};

/// DER of a PKCS#8 v1 Ed25519 private key (RFC 8410 section 7), up to its seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
const MEMBER_KEY: &str = "ledgerstone member key";
const LOG_KEY: &str = "ledgerstone log key";

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
            KeyFileError::NoRandomness => codes::NO_RANDOMNESS,
        }
    }

    /// The file, where one is the reason.
    pub fn path(&self) -> Option<&Path> {
        match self {
            KeyFileError::Missing(path) | KeyFileError::Exists(path) | KeyFileError::DiskFull(path) => Some(path),
            KeyFileError::Io { path, .. } | KeyFileError::NotAKey { path, .. } => Some(path),
            KeyFileError::NoRandomness => None,
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

struct Pair {
    seed: [u8; 32],
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
        Key { pair: Pair::from_seed(seed), label: one_line(label) }
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let (pair, label) = Pair::load(path, MEMBER_KEY)?;
        Ok(Key { pair, label })
    }

    /// Writes a new key file, mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        self.pair.save(path, MEMBER_KEY, &self.label)
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
        LogKey::of(Pair::from_seed(seed))
    }

    fn of(pair: Pair) -> Self {
        let public = PublicKey::admit(&pair.public()).expect("a key made from a seed is of prime order");
        LogKey { pair, public }
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Ok(LogKey::of(Pair::load(path, LOG_KEY)?.0))
    }

    /// Writes a new key file, mode 0600. `origin` is written beside the key for people.
    pub fn save(&self, path: &Path, origin: &str) -> Result<(), KeyFileError> {
        self.pair.save(path, LOG_KEY, origin)
    }

    /// The public key, in the form the verifier takes it.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message)
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Key { pair: Pair::from_seed(self.pair.seed), label: self.label.clone() }
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
        Ok(Pair::from_seed(random_bytes()?))
    }

    fn from_seed(seed: [u8; 32]) -> Self {
        let signer = Ed25519KeyPair::from_seed_unchecked(&seed).expect("every seed of 32 bytes is a key");
        Pair { seed, signer }
    }

    fn public(&self) -> [u8; 32] {
        self.signer.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    fn load(path: &Path, role: &str) -> Result<(Self, String), KeyFileError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
            std::io::ErrorKind::InvalidData => not_a_key(path, "it is not text"),
            _ => KeyFileError::Io { path: path.to_owned(), source },
        })?;
        let (head, rest) =
            text.split_once(PEM_BEGIN).ok_or_else(|| not_a_key(path, "it holds no PKCS#8 PEM private key"))?;
        let (body, _) = rest.split_once(PEM_END).ok_or_else(|| not_a_key(path, "its PEM block has no end"))?;
        for known in [MEMBER_KEY, LOG_KEY] {
            if head.starts_with(known) && known != role {
                return Err(not_a_key(path, &format!("it is a {known}, a {role} is needed")));
            }
        }
        let label = head.strip_prefix(role).and_then(|rest| rest.strip_prefix(": ")).unwrap_or("").trim();
        let der = unb64(&body.split_whitespace().collect::<String>())
            .map_err(|_| not_a_key(path, "its PEM block is not base64"))?;
        let seed = seed_of(&der).ok_or_else(|| {
            not_a_key(path, "it is not an unencrypted Ed25519 private key (openssl genpkey -algorithm ed25519)")
        })?;
        Ok((Pair::from_seed(seed), label.to_owned()))
    }

    fn save(&self, path: &Path, role: &str, label: &str) -> Result<(), KeyFileError> {
        let der = [PKCS8_PREFIX.as_slice(), &self.seed].concat();
        let text = format!("{role}: {label}\n{PEM_BEGIN}\n{}\n{PEM_END}\n", b64(&der));
        files::write_new(path, text.as_bytes()).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
            _ if files::is_full(&source) => KeyFileError::DiskFull(path.to_owned()),
            _ => KeyFileError::Io { path: path.to_owned(), source },
        })
    }
}

/// The seed in the DER of a private key: PKCS#8 v1, or v2 with the public key behind (RFC 5958).
fn seed_of(der: &[u8]) -> Option<[u8; 32]> {
    if let Some(seed) = der.strip_prefix(&PKCS8_PREFIX) {
        return seed.try_into().ok();
    }
    let (head, rest) = der.split_at_checked(PKCS8_PREFIX.len())?;
    let is_v2 = head[0] == 0x30 && head[2..5] == [0x02, 0x01, 0x01] && head[5..] == PKCS8_PREFIX[5..];
    let seed: [u8; 32] = rest.get(..32)?.try_into().ok()?;
    let public = Pair::from_seed(seed).public();
    (is_v2 && der.ends_with(&public)).then_some(seed)
}

fn not_a_key(path: &Path, why: &str) -> KeyFileError {
    KeyFileError::NotAKey { path: path.to_owned(), why: why.to_owned() }
}

fn one_line(label: &str) -> String {
    label.chars().filter(|c| !c.is_control()).take(128).collect::<String>().replace("-----", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("me.pem");
        let key = Key::generate("controller").unwrap();
        key.save(&path).unwrap();
        let loaded = Key::load(&path).unwrap();
        assert_eq!((loaded.public(), loaded.label()), (key.public(), "controller"));
        assert!(matches!(key.save(&path), Err(KeyFileError::Exists(_))));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_log_key_is_no_member_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.pem");
        LogKey::generate().unwrap().save(&path, "acme.example/books").unwrap();
        let error = Key::load(&path).unwrap_err().to_string();
        assert!(error.contains("it is a ledgerstone log key"), "{error}");
        assert!(LogKey::load(&path).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        assert!(matches!(Key::load(&path), Err(KeyFileError::Missing(_))));
        for text in ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Key::load(&path), Err(KeyFileError::NotAKey { .. })), "{text}");
        }
    }
}
