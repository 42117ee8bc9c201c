//! Entries of a transaction's four lists, their salts, and what an exception says.
//!
//! An entry's leaf data is tag ‖ salt ‖ bytes (FORMAT.md section 4). The salt keeps a proof of one
//! entry from being a dictionary of its neighbours.

use std::fmt;

use crate::canon::{Json, ObjectWriter, parse_canonical};
use crate::error::VerifyError;
use crate::fields::Fields;
use crate::hash::{Hash, Sha3_256, leaf_hash, shake256_128};

/// The lists of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EntryList {
    /// Every record that the author signed, in order.
    Records = 0,
    /// Every record that was not plainly accepted, by position.
    Exceptions = 1,
    /// Records that rules added.
    Emitted = 2,
    /// Cells that the transaction changed, with their value afterwards.
    Cells = 3,
}

impl EntryList {
    /// The bytes that begin the leaf data of this list's entries.
    pub fn tag(self) -> &'static [u8] {
        match self {
            EntryList::Records => b"ledgerstone/record/v1\n",
            EntryList::Exceptions => b"ledgerstone/exception/v1\n",
            EntryList::Emitted => b"ledgerstone/emitted/v1\n",
            EntryList::Cells => b"ledgerstone/cell/v1\n",
        }
    }
}

/// The leaf hash of an entry: the SHA3-256 leaf hash of tag ‖ salt ‖ bytes.
pub fn entry_leaf(list: EntryList, salt: &[u8; 16], bytes: &[u8]) -> Hash {
    leaf_hash::<Sha3_256>(&[list.tag(), salt, bytes])
}

const SALT_TAG: &[u8] = b"ledgerstone/salt/v1\n";

/// One SHAKE256 output gives this many salts.
const SALTS_A_BLOCK: u64 = 8;

/// The salts of one list of one transaction, from the transaction's secret. Asking in order costs
/// one SHAKE256 for eight salts.
#[derive(Clone)]
pub struct Salts {
    secret: [u8; 32],
    list: EntryList,
    block: Option<(u64, [u8; 128])>,
}

impl Salts {
    /// The salts of this list under this secret.
    pub fn new(secret: [u8; 32], list: EntryList) -> Self {
        Salts { secret, list, block: None }
    }

    /// The salt of the entry at place `i` of the list.
    pub fn salt(&mut self, i: u64) -> [u8; 16] {
        let number = i / SALTS_A_BLOCK;
        let block = match self.block {
            Some((cached, block)) if cached == number => block,
            _ => {
                let list = [self.list as u8];
                let block = shake256_128(&[SALT_TAG, &self.secret, &list, &number.to_be_bytes()]);
                self.block = Some((number, block));
                block
            }
        };
        let (salts, _) = block.as_chunks::<16>();
        salts[(i % SALTS_A_BLOCK) as usize]
    }
}

// By hand, because the secret must not reach a log file.
impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salts").field("list", &self.list).finish_non_exhaustive()
    }
}

/// What became of a record. The text is the code, the stable name of the reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Stored, effects applied.
    Accepted,
    /// Stored, effects applied, and marked.
    Flagged(String),
    /// Stored and hashed, without effects until it is released.
    Held(String),
    /// Refused.
    Rejected(String),
}

impl Outcome {
    /// `accepted`, `flagged`, `held` or `rejected`.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Flagged(_) => "flagged",
            Outcome::Held(_) => "held",
            Outcome::Rejected(_) => "rejected",
        }
    }

    /// The code; an accepted record has none.
    pub fn code(&self) -> Option<&str> {
        match self {
            Outcome::Accepted => None,
            Outcome::Flagged(code) | Outcome::Held(code) | Outcome::Rejected(code) => Some(code),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.code() {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

/// The outcomes that an exception can state: all but accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExceptionOutcome {
    /// See [`Outcome::Flagged`].
    Flagged,
    /// See [`Outcome::Held`].
    Held,
    /// See [`Outcome::Rejected`].
    Rejected,
}

impl ExceptionOutcome {
    /// `flagged`, `held` or `rejected`.
    pub fn name(self) -> &'static str {
        match self {
            ExceptionOutcome::Flagged => "flagged",
            ExceptionOutcome::Held => "held",
            ExceptionOutcome::Rejected => "rejected",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        use ExceptionOutcome::{Flagged, Held, Rejected};
        [Flagged, Held, Rejected].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// An entry of the exceptions list: a record that was not plainly accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exception {
    /// The record's place in the records list.
    pub position: u64,
    /// The leaf hash of the record's entry.
    pub leaf: Hash,
    /// What became of it.
    pub outcome: ExceptionOutcome,
    /// The stable name of the reason, `finance.insufficient_funds`.
    pub code: String,
}

impl Exception {
    /// The bytes of the entry, JCS.
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("code", &self.code);
        object.b64("leaf", &self.leaf);
        object.text("outcome", self.outcome.name());
        object.uint("position", self.position);
        object.close();
        out
    }

    /// Reads the bytes of an entry; only the canonical form is accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        let json = Json::parse(bytes).map_err(|error| VerifyError::malformed(format!("an exception: {error}")))?;
        let mut fields = Fields::of(json, "exception")?;
        let outcome = fields.text("outcome")?;
        let exception = Exception {
            position: fields.uint("position")?,
            leaf: fields.bytes("leaf")?,
            outcome: ExceptionOutcome::parse(&outcome)
                .ok_or_else(|| fields.wrong("outcome", "`rejected`, `held` or `flagged`"))?,
            code: fields.text("code")?,
        };
        if !is_code(&exception.code) {
            return Err(fields.wrong("code", "of the form `module.name`"));
        }
        fields.finish()?;
        if exception.to_canonical() != bytes {
            return Err(VerifyError::malformed("an exception is not in canonical form"));
        }
        Ok(exception)
    }

    /// The outcome with its code.
    pub fn to_outcome(&self) -> Outcome {
        let code = self.code.clone();
        match self.outcome {
            ExceptionOutcome::Flagged => Outcome::Flagged(code),
            ExceptionOutcome::Held => Outcome::Held(code),
            ExceptionOutcome::Rejected => Outcome::Rejected(code),
        }
    }
}

/// An entry of the emitted list: a record that a rule made, and the signed record that caused it.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// The position of the signed record that it follows, be it through other emitted records.
    pub cause: u64,
    /// The record: `data`, `type` and `version`.
    pub record: Json,
}

impl Emitted {
    /// The bytes of the entry, JCS, of a record given by its canonical bytes.
    pub fn write(cause: u64, record: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(record.len() + 32);
        let mut object = ObjectWriter::new(&mut out);
        object.uint("cause", cause);
        object.key("record").extend_from_slice(record);
        object.close();
        out
    }

    /// Reads the bytes of an entry; only the canonical form is accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        let json =
            parse_canonical(bytes).map_err(|error| VerifyError::malformed(format!("an emitted record: {error}")))?;
        let mut fields = Fields::of(json, "emitted record")?;
        let emitted = Emitted { cause: fields.uint("cause")?, record: fields.take("record")? };
        fields.finish()?;
        Ok(emitted)
    }
}

/// Whether a text is `<module>.<name>`, each `[a-z][a-z0-9_]*`, at most 128 bytes in all.
fn is_code(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.len() <= 128 && text.split_once('.').is_some_and(|(module, name)| is_name(module) && is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn secret() -> [u8; 32] {
        std::array::from_fn(|place| place as u8)
    }

    // The expected values were computed from FORMAT.md with Python's hashlib.
    #[test]
    fn salts_are_those_of_the_format() {
        use EntryList::{Cells, Exceptions, Records};
        let known = [
            (Records, 0, "44f91c2c7d03e82afe9cfe298e88ebb2"),
            (Records, 7, "9e3423031254e8f33520d8602097debb"),
            (Exceptions, 8, "1d4dcfb3d9a868fe7917e049d9db40af"),
            (Cells, 21, "391eed8a152bc2ae61ecfa74cdc29794"),
        ];
        for (list, place, salt) in known {
            assert_eq!(hex(&Salts::new(secret(), list).salt(place)), salt);
        }
    }

    #[test]
    fn the_cached_block_does_not_change_a_salt() {
        let mut salts = Salts::new(secret(), EntryList::Records);
        for place in [0, 1, 8, 7, 23, 16, 1, u64::MAX, 0] {
            let fresh = Salts::new(secret(), EntryList::Records).salt(place);
            assert_eq!(salts.salt(place), fresh, "salt {place}");
        }
        assert!(!format!("{salts:?}").contains("31"), "the secret is not shown");
    }

    #[test]
    fn an_entry_leaf_is_that_of_the_format() {
        let salt = std::array::from_fn(|place| place as u8);
        assert_eq!(
            hex(&entry_leaf(EntryList::Records, &salt, br#"{"a":1}"#)),
            "ca3babdba66141f966d720aacdb85ef5c68e7f55318745ac3a25a15b8d60496f"
        );
    }

    #[test]
    fn emitted_entries_are_read_strictly() {
        let record = br#"{"data":{"id":"a"},"type":"m.t","version":1}"#;
        let bytes = Emitted::write(3, record);
        let text = r#"{"cause":3,"record":{"data":{"id":"a"},"type":"m.t","version":1}}"#;
        assert_eq!(String::from_utf8_lossy(&bytes), text);
        let emitted = Emitted::parse(&bytes).unwrap();
        assert_eq!((emitted.cause, emitted.record.canonical()), (3, record.to_vec()));
        for (from, to) in [
            ("3", "-1"),
            ("3", "\"3\""),
            ("}}", "},\"why\":1}"),
            ("{\"cause\":3,", "{"),
            (",\"record\"", ", \"record\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(Emitted::parse(changed.as_bytes()).is_err(), "{changed}");
        }
    }

    #[test]
    fn exceptions_are_read_strictly() {
        let exception =
            Exception { position: 12, leaf: [7; 32], outcome: ExceptionOutcome::Held, code: "finance.limit".into() };
        let bytes = exception.to_canonical();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "{\"code\":\"finance.limit\",\"leaf\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\",\
             \"outcome\":\"held\",\"position\":12}"
        );
        assert_eq!(Exception::parse(&bytes).unwrap(), exception);
        assert_eq!(exception.to_outcome().to_string(), "held (finance.limit)");
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("held", "accepted"),
            ("12}", "-1}"),
            ("12}", "12 }"),
            ("12}", "12.0}"),
            ("12}", "12,\"why\":1}"),
            ("Bwc=", "Bwd="),
            ("\"code\":\"finance.limit\",", ""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(Exception::parse(changed.as_bytes()).is_err(), "{changed}");
        }
    }
}
