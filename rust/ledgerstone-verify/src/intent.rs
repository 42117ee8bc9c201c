//! What is signed: an author's intent, and an endorser's word on it (FORMAT.md section 5).

use crate::canon::{Json, ObjectWriter};
use crate::error::VerifyError;
use crate::fields::Fields;
use crate::hash::{Hash, sha3_256};

/// The format that this crate reads and writes.
pub const FORMAT: u64 = 1;

const INTENT_TAG: &[u8] = b"ledgerstone/intent/v1\n";
const ENDORSEMENT_TAG: &[u8] = b"ledgerstone/endorsement/v1\n";
const IDEMPOTENCY_TAG: &[u8] = b"ledgerstone/idempotency/v1\n";

/// Whether a transaction stands or falls as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All records or none.
    Atomic,
    /// Every record stands alone.
    Each,
}

impl Mode {
    /// `atomic` or `each`.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Atomic => "atomic",
            Mode::Each => "each",
        }
    }
}

/// A state of the SHA-256 log tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The root at `size`.
    pub root: Hash,
    /// The number of envelopes, at least 1.
    pub size: u64,
}

/// What the author signs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The member: 32 lower-case hexadecimal digits.
    pub author: String,
    /// The number of records, at least 1.
    pub count: u64,
    /// The ledger time of the envelope is before this.
    pub expires: String,
    /// The SHA3-256 leaf hash of envelope 0; `None` in envelope 0.
    pub genesis: Option<Hash>,
    /// See [`idempotency_digest`].
    pub idempotency: Option<Hash>,
    /// The author's public key. Not admitted yet: a signature check admits it.
    pub key: [u8; 32],
    /// Whether the transaction stands or falls as a whole.
    pub mode: Mode,
    /// The root of the records list.
    pub root: Hash,
    /// A state of the log that the author knew; `None` in envelope 0.
    pub seen: Option<Seen>,
    /// The author's clock: evidence only.
    pub time: String,
}

impl Intent {
    /// The signed message: tag ‖ JCS(intent).
    pub fn message(&self) -> Vec<u8> {
        let mut out = INTENT_TAG.to_vec();
        self.write(&mut out);
        out
    }

    /// SHA3-256 of the signed message.
    pub fn digest(&self) -> Hash {
        sha3_256(&[&self.message()])
    }

    /// The text: JCS(intent).
    pub fn to_text(&self) -> String {
        let mut out = Vec::with_capacity(1024);
        self.write(&mut out);
        // Only strings and ASCII were written.
        String::from_utf8(out).unwrap_or_default()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.text("author", &self.author);
        object.uint("count", self.count);
        object.text("expires", &self.expires);
        object.uint("format", FORMAT);
        if let Some(genesis) = &self.genesis {
            object.b64("genesis", genesis);
        }
        if let Some(idempotency) = &self.idempotency {
            object.b64("idempotency", idempotency);
        }
        object.b64("key", &self.key);
        object.text("mode", self.mode.name());
        object.b64("root", &self.root);
        if let Some(seen) = &self.seen {
            let mut inner = ObjectWriter::new(object.key("seen"));
            inner.b64("root", &seen.root);
            inner.uint("size", seen.size);
            inner.close();
        }
        object.text("time", &self.time);
        object.close();
    }

    pub(crate) fn from_json(json: Json) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "intent")?;
        if fields.uint("format")? != FORMAT {
            return Err(fields.wrong("format", "1"));
        }
        let mode = match fields.text("mode")?.as_str() {
            "atomic" => Mode::Atomic,
            "each" => Mode::Each,
            _ => return Err(fields.wrong("mode", "`atomic` or `each`")),
        };
        let seen = match fields.optional("seen") {
            None => None,
            Some(json) => {
                let mut inner = Fields::of(json, "state seen")?;
                let seen = Seen { root: inner.bytes("root")?, size: inner.uint("size")? };
                inner.finish()?;
                Some(seen)
            }
        };
        let intent = Intent {
            author: member(&mut fields, "author")?,
            count: fields.uint("count")?,
            expires: timestamp(&mut fields, "expires")?,
            genesis: fields.optional_bytes("genesis")?,
            idempotency: fields.optional_bytes("idempotency")?,
            key: fields.bytes("key")?,
            mode,
            root: fields.bytes("root")?,
            seen,
            time: timestamp(&mut fields, "time")?,
        };
        if intent.count == 0 {
            return Err(fields.wrong("count", "at least 1"));
        }
        fields.finish()?;
        Ok(intent)
    }
}

/// What an endorser's signature says beyond the intent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endorsement {
    /// What the endorser means by signing.
    pub meaning: String,
    /// When, by the endorser's clock.
    pub time: String,
}

/// The message that an endorser signs over an intent's digest: tag ‖ JCS.
pub fn endorsement_message(intent: &Hash, member: &str, key: &[u8; 32], endorsement: &Endorsement) -> Vec<u8> {
    let mut out = ENDORSEMENT_TAG.to_vec();
    let mut object = ObjectWriter::new(&mut out);
    object.b64("intent", intent);
    object.b64("key", key);
    object.text("meaning", &endorsement.meaning);
    object.text("member", member);
    object.text("time", &endorsement.time);
    object.close();
    out
}

/// The digest under which an intent keeps a caller's idempotency id: with the transaction's
/// secret, so that the log does not tell the id.
pub fn idempotency_digest(secret: &[u8; 32], id: &str) -> Hash {
    sha3_256(&[IDEMPOTENCY_TAG, secret, id.as_bytes()])
}

pub(crate) fn member(fields: &mut Fields, name: &'static str) -> Result<String, VerifyError> {
    let text = fields.text(name)?;
    if is_member(&text) { Ok(text) } else { Err(fields.wrong(name, "a member: 32 lower-case hexadecimal digits")) }
}

pub(crate) fn timestamp(fields: &mut Fields, name: &'static str) -> Result<String, VerifyError> {
    let text = fields.text(name)?;
    if is_timestamp(&text) { Ok(text) } else { Err(fields.wrong(name, "a timestamp: YYYY-MM-DDThh:mm:ss.ffffffZ")) }
}

/// Whether this is a member's name: 32 lower-case hexadecimal digits.
pub fn is_member(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether this is a timestamp in canonical form: `YYYY-MM-DDThh:mm:ss.ffffffZ`, a day that the
/// calendar has, years 0001 to 9999, no leap second (FORMAT.md section 2).
pub fn is_timestamp(text: &str) -> bool {
    const FORM: &[u8; 27] = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let bytes = text.as_bytes();
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    if bytes.len() != FORM.len() || !bytes.iter().zip(FORM).all(fits) {
        return false;
    }
    let number =
        |from: usize, to: usize| bytes[from..to].iter().fold(0u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day) && number(11, 13) < 24 && number(14, 16) < 60 && number(17, 19) < 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_one_form() {
        for good in [
            "2026-11-22T10:00:00.004217Z",
            "0001-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.999999Z",
            "2024-02-29T00:00:00.000000Z",
            "2000-02-29T00:00:00.000000Z",
        ] {
            assert!(is_timestamp(good), "{good}");
        }
        for bad in [
            "",
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00.004217",
            "2026-11-22T10:00:00.004217z",
            "2026-11-22 10:00:00.004217Z",
            "2026-11-22T10:00:00.0042170Z",
            "2026-11-22T10:00:00.004217+00:00",
            "0000-01-01T00:00:00.000000Z",
            "2026-00-01T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-01-00T00:00:00.000000Z",
            "2026-04-31T00:00:00.000000Z",
            "2023-02-29T00:00:00.000000Z",
            "1900-02-29T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T00:60:00.000000Z",
            "2016-12-31T23:59:60.000000Z",
            "2026-11-22T10:00:00.00421\u{ff11}",
        ] {
            assert!(!is_timestamp(bad), "{bad}");
        }
    }

    #[test]
    fn members_are_lower_case_hexadecimal() {
        assert!(is_member("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d"));
        assert!(!is_member("6F1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d"));
        assert!(!is_member("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7"));
        assert!(!is_member("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7g"));
    }

    // Computed from FORMAT.md with Python's hashlib.
    #[test]
    fn the_idempotency_digest_is_that_of_the_format() {
        let secret = std::array::from_fn(|place| place as u8);
        let digest = idempotency_digest(&secret, "order-7/2");
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "67103c1087aa8f78345f8ab43878facac9934f65c0f82165ccec0484abff341a");
    }
}
