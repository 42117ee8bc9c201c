//! Intents, signatures and envelopes: what an author signs, and the leaf of the log that holds it
//! (FORMAT.md section 5).
//!
//! An envelope is read strictly: exactly the members named, each in range, and the whole in its
//! one canonical form, so that a text that parses is the text that was hashed.

use crate::canon::{Json, ObjectWriter};
use crate::error::{VerifyError, VerifyErrorKind};
use crate::fields::Fields;
use crate::hash::{Hash, Hasher, Sha3_256, empty_root, leaf_hash, sha3_256};
use crate::intent::{member, timestamp};
use crate::key::PublicKey;

pub use crate::intent::{
    Endorsement, FORMAT, Intent, Mode, Seen, endorsement_message, idempotency_digest, is_member, is_timestamp,
};

/// The semantics whose envelopes this crate can verify.
pub const KNOWN_SEMANTICS: &[u64] = &[0];

/// The leaf data of an envelope, its tag included, is at most this long.
pub const MAX_ENVELOPE_BYTES: usize = 65_535;

/// A transaction has at most this many records.
pub const MAX_RECORDS: u64 = 1 << 20;

/// Rules add at most this many records to a transaction.
pub const MAX_EMITTED: u64 = 1 << 16;

/// An envelope has at most this many endorsements.
pub const MAX_ENDORSEMENTS: usize = 16;

/// The bytes that begin an envelope's leaf data.
pub const ENVELOPE_TAG: &[u8] = b"ledgerstone/envelope/v1\n";

const ALGORITHM: &str = "Ed25519";

/// A signature in an envelope: the author's, or an endorser's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The member: 32 lower-case hexadecimal digits.
    pub member: String,
    /// The member's public key. Not admitted yet: a signature check admits it.
    pub key: [u8; 32],
    /// R ‖ S.
    pub sig: [u8; 64],
    /// `None` for the author.
    pub endorsement: Option<Endorsement>,
}

impl Signature {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.text("alg", ALGORITHM);
        object.b64("key", &self.key);
        if let Some(endorsement) = &self.endorsement {
            object.text("meaning", &endorsement.meaning);
        }
        object.text("member", &self.member);
        object.b64("sig", &self.sig);
        if let Some(endorsement) = &self.endorsement {
            object.text("time", &endorsement.time);
        }
        object.close();
    }

    pub(crate) fn from_json(json: Json, endorser: bool) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "signature")?;
        if fields.text("alg")? != ALGORITHM {
            return Err(fields.wrong("alg", "`Ed25519`"));
        }
        let endorsement = if endorser {
            let meaning = fields.text("meaning")?;
            Some(Endorsement { meaning, time: timestamp(&mut fields, "time")? })
        } else {
            None
        };
        let signature = Signature {
            member: member(&mut fields, "member")?,
            key: fields.bytes("key")?,
            sig: fields.bytes("sig")?,
            endorsement,
        };
        fields.finish()?;
        Ok(signature)
    }
}

/// The number of entries of a list and the root over them; no root where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListRoot {
    /// The number of entries.
    pub count: u64,
    /// The root, `None` exactly where `count` is 0.
    pub root: Option<Hash>,
}

impl ListRoot {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.uint("count", self.count);
        if let Some(root) = &self.root {
            object.b64("root", root);
        }
        object.close();
    }

    fn from_json(json: Json) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "list")?;
        let list = ListRoot { count: fields.uint("count")?, root: fields.optional_bytes("root")? };
        fields.finish()?;
        if (list.count == 0) != list.root.is_none() {
            return Err(VerifyError::malformed("a list has a root exactly where it has entries"));
        }
        Ok(list)
    }
}

/// The leaf of the log: an intent, its signatures, its place, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// Cells that were changed.
    pub cells: ListRoot,
    /// Records that rules added.
    pub emitted: ListRoot,
    /// Records that were not plainly accepted.
    pub exceptions: ListRoot,
    /// The place in the log, from 0.
    pub index: u64,
    /// What the author signed.
    pub intent: Intent,
    /// The root of the SHA3-256 log tree at size = index.
    pub prev: Hash,
    /// The semantics in force.
    pub semantics: u64,
    /// The author's signature, then the endorsers' by member.
    pub signatures: Vec<Signature>,
    /// Ledger time.
    pub time: String,
}

impl Envelope {
    /// Reads an envelope's text. Format and semantics are looked at before anything else, so that
    /// what a later version wrote is [`VerifyErrorKind::UnverifiableVersion`] and never an alarm.
    pub fn parse(text: &[u8]) -> Result<Self, VerifyError> {
        Self::parse_under(text, &|semantics| KNOWN_SEMANTICS.contains(&semantics))
    }

    /// The same, for a reader that says itself which semantics it knows.
    pub fn parse_under(text: &[u8], is_known: &dyn Fn(u64) -> bool) -> Result<Self, VerifyError> {
        let json = Json::parse(text).map_err(|error| VerifyError::malformed(format!("the envelope, {error}")))?;
        check_version(&json, is_known)?;
        if ENVELOPE_TAG.len() + text.len() > MAX_ENVELOPE_BYTES {
            return Err(VerifyError::malformed("the envelope is longer than 65,535 bytes"));
        }
        let envelope = Envelope::from_json(json)?;
        envelope.check()?;
        if envelope.to_canonical() != text {
            return Err(VerifyError::malformed("the envelope is not in canonical form"));
        }
        Ok(envelope)
    }

    /// The text: JCS(envelope).
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        self.write(&mut out);
        out
    }

    /// The leaf data: tag ‖ JCS(envelope). The same in both log trees.
    pub fn leaf_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        out.extend_from_slice(ENVELOPE_TAG);
        self.write(&mut out);
        out
    }

    /// The leaf hash in the log tree of this hash function.
    pub fn leaf<H: Hasher>(&self) -> Hash {
        envelope_leaf::<H>(&self.to_canonical())
    }

    /// Checks every signature: the author's over the intent, the endorsers' over its digest. That
    /// a key is the member's is for the log to say.
    pub fn verify_signatures(&self) -> Result<(), VerifyError> {
        verify_signatures(&self.intent, &self.signatures)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        self.cells.write(object.key("cells"));
        self.emitted.write(object.key("emitted"));
        self.exceptions.write(object.key("exceptions"));
        object.uint("format", FORMAT);
        object.uint("index", self.index);
        self.intent.write(object.key("intent"));
        object.b64("prev", &self.prev);
        object.uint("semantics", self.semantics);
        let out = object.key("signatures");
        out.push(b'[');
        for (place, signature) in self.signatures.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            signature.write(out);
        }
        out.push(b']');
        object.text("time", &self.time);
        object.close();
    }

    fn from_json(json: Json) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "envelope")?;
        fields.uint("format")?;
        let signatures = fields.list("signatures")?;
        if signatures.is_empty() || signatures.len() > 1 + MAX_ENDORSEMENTS {
            return Err(fields.wrong("signatures", "of 1 to 17 signatures"));
        }
        let signatures = signatures.into_iter().enumerate();
        let envelope = Envelope {
            cells: ListRoot::from_json(fields.take("cells")?)?,
            emitted: ListRoot::from_json(fields.take("emitted")?)?,
            exceptions: ListRoot::from_json(fields.take("exceptions")?)?,
            index: fields.uint("index")?,
            intent: Intent::from_json(fields.take("intent")?)?,
            prev: fields.bytes("prev")?,
            semantics: fields.uint("semantics")?,
            signatures: signatures
                .map(|(place, json)| Signature::from_json(json, place > 0))
                .collect::<Result<_, _>>()?,
            time: timestamp(&mut fields, "time")?,
        };
        fields.finish()?;
        Ok(envelope)
    }

    /// What has to hold between members, beyond the form of each.
    fn check(&self) -> Result<(), VerifyError> {
        let first = self.index == 0;
        let require = |holds: bool, rule: &'static str| match holds {
            true => Ok(()),
            false => Err(VerifyError::malformed(format!("in the envelope, {rule}"))),
        };
        let intent = &self.intent;
        require(intent.genesis.is_none() == first, "genesis is left out at index 0 only")?;
        require(intent.seen.is_none() == first, "seen is left out at index 0 only")?;
        let seen_is_past = intent.seen.is_none_or(|seen| (1..=self.index).contains(&seen.size));
        require(seen_is_past, "seen is not a size from 1 to index")?;
        require(!first || self.prev == empty_root::<Sha3_256>(), "prev at index 0 is not SHA3-256(\"\")")?;
        // Timestamps have a fixed width, so their order is that of their text.
        require(self.time < intent.expires, "the ledger time is not before `expires`")?;
        require(intent.count <= MAX_RECORDS, "there are more than 2^20 records")?;
        require(self.exceptions.count <= intent.count, "there are more exceptions than records")?;
        require(self.emitted.count <= MAX_EMITTED, "there are more than 2^16 emitted records")?;
        check_signers(intent, &self.signatures)
    }
}

/// Who signs an intent: its author first, by the key that it names; then at most 16 others, distinct and sorted by member.
pub(crate) fn check_signers(intent: &Intent, signatures: &[Signature]) -> Result<(), VerifyError> {
    let require = |holds: bool, rule: &'static str| match holds {
        true => Ok(()),
        false => Err(VerifyError::malformed(format!("of the signatures, {rule}"))),
    };
    let Some((author, endorsers)) = signatures.split_first() else {
        return require(false, "the author's is missing");
    };
    require(endorsers.len() <= MAX_ENDORSEMENTS, "there are more than 17")?;
    let authors = author.member == intent.author && author.key == intent.key;
    require(authors, "the first is not by the author and key of the intent")?;
    require(endorsers.is_sorted_by(|a, b| a.member < b.member), "endorsers are not distinct and sorted by member")?;
    let others = endorsers.iter().all(|endorser| endorser.member != intent.author);
    require(others, "one is by the author as an endorser")
}

/// The author's signature over the intent, the endorsers' over its digest.
pub(crate) fn verify_signatures(intent: &Intent, signatures: &[Signature]) -> Result<(), VerifyError> {
    let message = intent.message();
    let digest = sha3_256(&[&message]);
    for signature in signatures {
        let checked = PublicKey::admit(&signature.key).and_then(|key| match &signature.endorsement {
            None => key.verify(&message, &signature.sig),
            Some(endorsement) => {
                let (member, key_bytes) = (&signature.member, &signature.key);
                let message = endorsement_message(&digest, member, key_bytes, endorsement);
                key.verify(&message, &signature.sig)
            }
        });
        checked.map_err(|error| VerifyError::link(format!("the signature of member {}: {error}", signature.member)))?;
    }
    Ok(())
}

/// The leaf hash of an envelope's text.
pub(crate) fn envelope_leaf<H: Hasher>(text: &[u8]) -> Hash {
    leaf_hash::<H>(&[ENVELOPE_TAG, text])
}

fn check_version(json: &Json, is_known: &dyn Fn(u64) -> bool) -> Result<(), VerifyError> {
    let is_format: &dyn Fn(u64) -> bool = &|format| format == FORMAT;
    for (name, least, is_known) in [("format", 1, is_format), ("semantics", 0, is_known)] {
        let number = json.get(name).and_then(Json::as_int).and_then(|n| u64::try_from(n).ok());
        match number {
            Some(number) if is_known(number) => {}
            Some(number) if number >= least => {
                let message = format!("the envelope has {name} {number}, unknown to this build");
                return Err(VerifyError::new(VerifyErrorKind::UnverifiableVersion, message));
            }
            _ => {
                return Err(VerifyError::malformed(format!("the envelope has no {name} number")));
            }
        }
    }
    Ok(())
}
