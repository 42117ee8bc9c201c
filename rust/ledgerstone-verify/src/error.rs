//! Errors: one narrow type for each kind of work, and [`VerifyError`] over them.
//!
//! Nothing here prints or panics. A caller that has to decide looks at [`VerifyError::kind`],
//! whose names are stable; the message is for people and may change.

use std::error::Error;
use std::fmt;

/// What a failed verification means. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// A record or an entry is not what was hashed when it was signed.
    ContentChanged,
    /// A root or a signature does not follow from what it is said to stand over.
    LinkBroken,
    /// Written under a format or semantics that this build does not know. Not an alarm.
    UnverifiableVersion,
    /// No key that the caller trusts stands behind the evidence.
    NotTrusted,
    /// The evidence is sound as far as it goes, and does not decide the question.
    Incomplete,
    /// Not in the form that the format asks for.
    Malformed,
}

impl VerifyErrorKind {
    /// The stable name: `content_changed`, `link_broken` and so on.
    pub fn code(self) -> &'static str {
        match self {
            VerifyErrorKind::ContentChanged => "content_changed",
            VerifyErrorKind::LinkBroken => "link_broken",
            VerifyErrorKind::UnverifiableVersion => "unverifiable_version",
            VerifyErrorKind::NotTrusted => "not_trusted",
            VerifyErrorKind::Incomplete => "incomplete",
            VerifyErrorKind::Malformed => "malformed",
        }
    }
}

impl fmt::Display for VerifyErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VerifyErrorKind::ContentChanged => "content changed",
            VerifyErrorKind::LinkBroken => "link broken",
            VerifyErrorKind::UnverifiableVersion => "unverifiable version",
            VerifyErrorKind::NotTrusted => "not trusted",
            VerifyErrorKind::Incomplete => "incomplete",
            VerifyErrorKind::Malformed => "malformed",
        })
    }
}

/// Why evidence was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    message: String,
}

impl VerifyError {
    /// An error of this kind, with a message for people.
    pub fn new(kind: VerifyErrorKind, message: impl Into<String>) -> Self {
        VerifyError { kind, message: message.into() }
    }

    /// What the failure means; stable.
    pub fn kind(&self) -> VerifyErrorKind {
        self.kind
    }

    /// What was found, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        VerifyError::new(VerifyErrorKind::Malformed, message)
    }

    pub(crate) fn link(message: impl Into<String>) -> Self {
        VerifyError::new(VerifyErrorKind::LinkBroken, message)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl Error for VerifyError {}

impl From<NoteError> for VerifyError {
    fn from(error: NoteError) -> Self {
        let kind = match error {
            NoteError::BadSignature(_) => VerifyErrorKind::LinkBroken,
            NoteError::NoTrustedSignature => VerifyErrorKind::NotTrusted,
            _ => VerifyErrorKind::Malformed,
        };
        VerifyError::new(kind, error.to_string())
    }
}

/// Text that is not strict JSON, not canonical, or not strict base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonError {
    offset: usize,
    message: String,
}

impl CanonError {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        CanonError { offset, message: message.into() }
    }

    /// The byte at which the text is wrong, from 0.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What was found there, for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for CanonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.message)
    }
}

impl Error for CanonError {}

/// Why a public key is not admitted, or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyError {
    /// The 32 bytes are not the canonical encoding of a point.
    NotCanonical,
    /// The key is the identity or another point of low order.
    LowOrder,
    /// The key has a component outside the subgroup of prime order.
    Torsion,
    /// A signature is 64 bytes.
    SignatureLength,
    /// S is not below the group order.
    ScalarRange,
    /// The signature does not hold over this message under this key.
    BadSignature,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::NotCanonical => "the key is not the canonical encoding of a point",
            KeyError::LowOrder => "the key is a point of low order",
            KeyError::Torsion => "the key is not in the prime-order subgroup",
            KeyError::SignatureLength => "the signature is not 64 bytes long",
            KeyError::ScalarRange => "the signature's S is not below the group order",
            KeyError::BadSignature => "the signature does not hold",
        })
    }
}

impl Error for KeyError {}

/// Why a proof does not hold, or a tree was asked for what it cannot give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofError {
    /// The index is not below the size.
    IndexOutOfRange,
    /// The first size is zero or above the second.
    SizeOrder,
    /// The path is longer or shorter than the tree's shape asks for.
    PathLength,
    /// The path leads to another root.
    RootMismatch,
    /// A subtree was pushed where its level does not divide the size, or past the last size.
    Unaligned,
    /// The number of hashes is not the number of perfect subtrees of the size.
    FrontierParts,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProofError::IndexOutOfRange => "the index is not below the size of the tree",
            ProofError::SizeOrder => "the first size is zero or above the second",
            ProofError::PathLength => "the path does not have the length of this tree's proofs",
            ProofError::RootMismatch => "the path leads to another root",
            ProofError::Unaligned => "the subtree does not start at a multiple of its size",
            ProofError::FrontierParts => "the number of hashes does not fit the size",
        })
    }
}

impl Error for ProofError {}

/// Why a signed note or a verifier key was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a signed note, a checkpoint or a verifier key; the text says what is wrong.
    Malformed(&'static str),
    /// The verifier key's public key is refused.
    Key(KeyError),
    /// More signature lines than a note may have.
    TooManySignatures,
    /// A line that claims a trusted key, by this name, does not hold.
    BadSignature(String),
    /// No line is by a trusted key.
    NoTrustedSignature,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoteError::Malformed(what) => f.write_str(what),
            NoteError::Key(error) => error.fmt(f),
            NoteError::TooManySignatures => f.write_str("the note has too many signature lines"),
            NoteError::BadSignature(name) => {
                write!(f, "the note's signature by {name} does not hold")
            }
            NoteError::NoTrustedSignature => f.write_str("the note is not signed by a trusted key"),
        }
    }
}

impl Error for NoteError {}
