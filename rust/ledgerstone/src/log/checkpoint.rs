//! Checkpoints: the two signed notes of one state (FORMAT.md section 7).

use ledgerstone_verify::checkpoint::Checkpoint;
use ledgerstone_verify::error::NoteError;
use ledgerstone_verify::hash::Hash;
use ledgerstone_verify::key::PublicKey;
use ledgerstone_verify::note::{SignedNote, VerifierKey, key_id};

use super::tree::LogTrees;
use crate::keys::LogKey;

/// What the SHA3-256 origin adds to the origin.
pub(crate) const ORIGIN_SUFFIX_SHA3: &str = "/sha3-256";

/// A state of the log, signed: one note per tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// Number of transactions.
    pub size: u64,
    /// Root of the SHA-256 tree.
    pub root: Hash,
    /// Root of the SHA3-256 tree.
    pub root_sha3: Hash,
    /// The C2SP checkpoint under the origin.
    pub note: String,
    /// The checkpoint of the SHA3-256 tree, under `<origin>/sha3-256`.
    pub note_sha3: String,
}

impl Checkpoints {
    /// Signs the state of the trees, by each of the keys.
    pub(crate) fn sign(origin: &str, trees: &LogTrees, keys: &[&LogKey]) -> Result<Self, NoteError> {
        let (size, root, root_sha3) = (trees.size(), trees.sha256.root(), trees.sha3.root());
        Ok(Checkpoints {
            size,
            root,
            root_sha3,
            note: signed(origin, size, root, keys)?,
            note_sha3: signed(&format!("{origin}{ORIGIN_SUFFIX_SHA3}"), size, root_sha3, keys)?,
        })
    }

    /// As stored in the table `meta`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = (self.note.len() as u32).to_le_bytes();
        [length.as_slice(), self.note.as_bytes(), self.note_sha3.as_bytes()].concat()
    }

    /// Reads what [`Checkpoints::to_bytes`] wrote. Signatures are not looked at.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (note, note_sha3) = rest.split_at_checked(length)?;
        let (note, note_sha3) = (str::from_utf8(note).ok()?, str::from_utf8(note_sha3).ok()?);
        let body = |note: &str| Checkpoint::parse(SignedNote::parse(note).ok()?.text()).ok();
        let (sha256, sha3) = (body(note)?, body(note_sha3)?);
        (sha256.size == sha3.size).then(|| Checkpoints {
            size: sha256.size,
            root: sha256.root,
            root_sha3: sha3.root,
            note: note.to_owned(),
            note_sha3: note_sha3.to_owned(),
        })
    }
}

/// The keys by which the two notes are verified: the origin's, and that of its SHA3-256 tree.
pub(crate) fn verifier_keys(origin: &str, key: PublicKey) -> Result<[VerifierKey; 2], NoteError> {
    Ok([VerifierKey::new(origin, key)?, VerifierKey::new(format!("{origin}{ORIGIN_SUFFIX_SHA3}"), key)?])
}

fn signed(origin: &str, size: u64, root: Hash, keys: &[&LogKey]) -> Result<String, NoteError> {
    let text = Checkpoint { origin: origin.to_owned(), size, root }.to_text();
    let mut note = SignedNote::unsigned(text)?;
    for key in keys {
        let signature = key.sign(note.text().as_bytes());
        note = note.with_signature(origin, key_id(origin, &key.public()), &signature)?;
    }
    Ok(note.to_string())
}
