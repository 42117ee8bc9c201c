//! Checkpoints: a log's origin, size and root (C2SP tlog-checkpoint, v1).

use std::fmt;

use crate::canon::{ObjectWriter, b64, unb64_array};
use crate::error::{NoteError, VerifyError};
use crate::hash::Hash;
use crate::note::{SignedNote, VerifierKey};

/// The state of a log tree, as a signed note states it in three lines. Extension lines, which
/// C2SP allows, are refused: this format has none (FORMAT.md section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, one line.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root of the tree at that size.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note: origin, size in decimal, base64 root.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("not a checkpoint: three lines, origin, size, root");
        let mut lines = text.split('\n');
        let parts = [(); 4].map(|()| lines.next());
        let ([Some(origin), Some(size), Some(root), Some("")], None) = (parts, lines.next()) else {
            return Err(malformed);
        };
        if origin.is_empty() {
            return Err(malformed);
        }
        let size = parse_size(size).ok_or(NoteError::Malformed("the size is not in decimal"))?;
        let root = unb64_array(root).map_err(|_| NoteError::Malformed("the root is not base64 of 32 bytes"))?;
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }

    /// The text, as it is signed.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, b64(&self.root))
    }
}

/// The bytes that begin what two log keys sign where one takes the place of the other. No note begins so that is a checkpoint: its
/// second line would be a size.
const LOG_KEY_TAG: &[u8] = b"ledgerstone/log-key/v1\n";

/// The message that the log key in force and its successor both sign (FORMAT.md section 6): tag ‖ JCS of genesis hash and both
/// public keys.
pub fn log_key_message(genesis: &Hash, old: &[u8; 32], new: &[u8; 32]) -> Vec<u8> {
    let mut out = LOG_KEY_TAG.to_vec();
    let mut object = ObjectWriter::new(&mut out);
    object.b64("genesis", genesis);
    object.b64("new", new);
    object.b64("old", old);
    object.close();
    out
}

/// Reads a signed checkpoint that the given key must have signed, under its own name as origin.
pub fn verify_checkpoint(note: &str, key: &VerifierKey) -> Result<Checkpoint, VerifyError> {
    let note = SignedNote::parse(note)?;
    verify_parsed(&note, std::slice::from_ref(key))
}

/// As [`verify_checkpoint`], with several keys: the origin must be the name of each that signed.
pub(crate) fn verify_parsed(note: &SignedNote, keys: &[VerifierKey]) -> Result<Checkpoint, VerifyError> {
    let signers = note.verify(keys)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    match signers.iter().find(|key| key.name() != checkpoint.origin) {
        None => Ok(checkpoint),
        Some(key) => Err(VerifyError::link(format!(
            "the checkpoint of {} is signed by {}, which is the key of another log",
            checkpoint.origin,
            key.name()
        ))),
    }
}

/// Decimal without sign or leading zeros, so that a size has one text.
fn parse_size(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_has_one_text() {
        let checkpoint = Checkpoint { origin: "example.com/log".into(), size: u64::MAX, root: [3; 32] };
        let text = checkpoint.to_text();
        assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
        let root = b64(&[3; 32]);
        for bad in [
            String::new(),
            "\n\n\n".into(),
            format!("o\n1\n{root}"),
            format!("o\n1\n{root}\nextension\n"),
            format!("o\n1\n{root}\n\n"),
            format!("\n1\n{root}\n"),
            format!("o\n01\n{root}\n"),
            format!("o\n\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n-1\n{root}\n"),
            format!("o\n1 \n{root}\n"),
            format!("o\n18446744073709551616\n{root}\n"),
            format!("o\n1\n{root}=\n"),
            format!("o\n1\n{}\n", b64(&[3; 31])),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
