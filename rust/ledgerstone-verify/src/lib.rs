//! Verify what a ledgerstone ledger hands out: receipts, checkpoints, proofs.
//!
//! This crate is for whoever has the evidence and not the ledger. It does no I/O, starts no
//! threads, has no unsafe code, and every function that reads foreign bytes is total: it ends, in
//! time and memory bounded by its input, with a value or an error. `docs/FORMAT.md` is its whole
//! specification; the names of sections in these pages are of that file.
//!
//! # A receipt
//!
//! A receipt proves one record and what became of it. Two things are given: the receipt, and the
//! verifier key of the log, which has to come by another way than the receipt.
//!
//! ```
//! use ledgerstone_verify::{Outcome, Receipt, VerifierKey, VerifyError, VerifyErrorKind};
//!
//! fn check(receipt: &[u8], log: &VerifierKey) -> Result<(), VerifyError> {
//!     let proven = Receipt::parse(receipt)?.verify(std::slice::from_ref(log))?;
//!     println!("{} at {}, by {}", proven.record, proven.time, proven.author);
//!     match proven.outcome {
//!         Outcome::Accepted => println!("accepted"),
//!         // The log holds the record, and says that it had no effect.
//!         Outcome::Rejected(code) => println!("rejected: {code}"),
//!         other => println!("{other}"),
//!     }
//!     Ok(())
//! }
//!
//! # let log = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
//! let log: VerifierKey = log.parse().unwrap();
//! let error = check(b"{}", &log).unwrap_err();
//! assert_eq!(error.kind(), VerifyErrorKind::Malformed);
//! ```
//!
//! # A checkpoint
//!
//! The log under `<origin>` is byte for byte a C2SP transparency log, so its checkpoints and
//! proofs, and those of other such logs, verify with the same functions:
//!
//! ```
//! use ledgerstone_verify::hash::leaf_hash;
//! use ledgerstone_verify::merkle::verify_inclusion;
//! use ledgerstone_verify::{Sha256, VerifierKey, verify_checkpoint};
//!
//! let log = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
//! let log: VerifierKey = log.parse()?;
//! let note = "example.com/log/testdata\n\
//!     2\n\
//!     T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=\n\
//!     \n\
//!     \u{2014} example.com/log/testdata \
//!     M9e0llH4NKmlf0u7C8tkJioQOmi7l5ELqljXgKRg6R3G5JJ7vx7emDWo5fpqKuA/Dk/jRrI6il+7QCVirNhyUAWGoAk=\n";
//! let checkpoint = verify_checkpoint(note, &log)?;
//! assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/log/testdata", 2));
//!
//! // The second of two entries is "two": its path is the leaf hash of the first.
//! let (one, two) = (leaf_hash::<Sha256>(&[b"one"]), leaf_hash::<Sha256>(&[b"two"]));
//! verify_inclusion::<Sha256>(&two, 1, checkpoint.size, &[one], &checkpoint.root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What stands where
//!
//! | module | holds |
//! | --- | --- |
//! | [`hash`] | SHA-256, SHA3-256 and SHAKE256, and the [`Hasher`] that trees are generic over |
//! | [`canon`] | strict JSON, its canonical form, base64 |
//! | [`key`] | public keys and the one signature rule |
//! | [`merkle`] | roots, paths, proofs, and the frontier of a growing tree |
//! | [`note`], [`checkpoint`] | signed notes, verifier keys, the state of a log |
//! | [`entry`] | entries of a transaction's lists, salts, exceptions and outcomes |
//! | [`envelope`] | intents, signatures, envelopes |
//! | [`proposal`] | transactions signed elsewhere, on their way to be endorsed and appended |
//! | [`receipt`] | receipts, and their verification in five steps |
//! | [`error`] | what can be wrong |

#![forbid(unsafe_code)]

pub mod canon;
pub mod checkpoint;
pub mod entry;
pub mod envelope;
pub mod error;
mod fields;
pub mod hash;
mod intent;
pub mod key;
pub mod merkle;
pub mod note;
pub mod proposal;
pub mod receipt;

pub use canon::{Json, b64, parse_canonical, unb64};
pub use checkpoint::{Checkpoint, log_key_message, verify_checkpoint};
pub use entry::{Emitted, EntryList, Exception, ExceptionOutcome, Outcome, Salts, entry_leaf};
pub use envelope::{
    Endorsement, Envelope, Intent, ListRoot, Mode, Seen, Signature, endorsement_message, idempotency_digest,
    is_timestamp,
};
pub use error::{CanonError, KeyError, NoteError, ProofError, VerifyError, VerifyErrorKind};
pub use hash::{Hash, Hasher, Sha3_256, Sha256};
pub use key::PublicKey;
pub use merkle::Frontier;
pub use note::{NoteSignature, SignedNote, VerifierKey, key_id};
pub use proposal::Proposal;
pub use receipt::{LogProof, ProvenEntry, Receipt, Verified};
