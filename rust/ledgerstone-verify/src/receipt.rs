//! Receipts: everything that proves one record and its outcome, offline and alone
//! (FORMAT.md section 8).

use crate::canon::{Json, ObjectWriter, b64, parse_canonical, write_string};
use crate::checkpoint::{Checkpoint, verify_parsed};
use crate::entry::{Emitted, EntryList, Exception, ExceptionOutcome, Outcome, entry_leaf};
use crate::envelope::{Envelope, Intent, ListRoot, Mode, Signature, envelope_leaf};
use crate::error::{VerifyError, VerifyErrorKind};
use crate::fields::Fields;
use crate::hash::{Hash, Hasher, Sha3_256, Sha256};
use crate::merkle::verify_inclusion;
use crate::note::{SignedNote, VerifierKey};

/// A receipt is at most this long: 4 MiB.
pub const MAX_RECEIPT_BYTES: usize = 4 << 20;

/// A path has at most this many hashes.
pub const MAX_PATH: usize = 63;

/// What the name of a log's SHA3-256 tree ends in.
pub const SHA3_256_SUFFIX: &str = "/sha3-256";

const TYPE_PREFIX: &str = "ledgerstone/receipt/v";
const TYPE: &str = "ledgerstone/receipt/v1";

/// An entry of a list, with what proves that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The bytes of the entry, which are text.
    pub bytes: String,
    /// The inclusion path in the list's tree, nearest the leaf first.
    pub path: Vec<Hash>,
    /// The entry's place in its list.
    pub position: u64,
    /// The entry's salt.
    pub salt: [u8; 16],
}

/// The envelope's place in a log tree, and the signed state of that tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The checkpoint, a signed note.
    pub checkpoint: String,
    /// The inclusion path in the log tree, nearest the leaf first.
    pub path: Vec<Hash>,
}

/// A receipt, as it was read; nothing is proven until [`Receipt::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record, in the tree of its intent; or, where it is `emitted`, its entry in the list of emitted records.
    pub record: ProvenEntry,
    /// Whether a rule made the record, and not its author.
    pub emitted: bool,
    /// The text of the envelope.
    pub envelope: String,
    /// The record's own exception, or its neighbours'; empty where the envelope has none.
    pub exceptions: Vec<ProvenEntry>,
    /// The envelope in the SHA-256 tree.
    pub sha256: LogProof,
    /// The envelope in the SHA3-256 tree.
    pub sha3_256: Option<LogProof>,
}

/// What a receipt proved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The log.
    pub origin: String,
    /// The size of the log at the checkpoint.
    pub size: u64,
    /// The root of the SHA-256 tree at that size.
    pub root: Hash,
    /// The genesis hash that the author named, which tells ledgers of one origin apart; `None`
    /// in envelope 0 itself.
    pub genesis: Option<Hash>,
    /// The transaction's place in the log.
    pub index: u64,
    /// The record's place in the transaction; emitted records stand behind those that were signed.
    pub position: u64,
    /// The position of the signed record that caused this one; `None` where it was signed itself.
    pub cause: Option<u64>,
    /// The member who signed. That the key is this member's rests on the log.
    pub author: String,
    /// The key that signed.
    pub key: [u8; 32],
    /// Ledger time of the transaction.
    pub time: String,
    /// The endorsers' signatures, all of which hold.
    pub endorsements: Vec<Signature>,
    /// The record, exactly as it was hashed.
    pub record: String,
    /// What became of the record.
    pub outcome: Outcome,
    /// Whether the SHA3-256 tree was checked too: the receipt has that part, and its key is
    /// trusted.
    pub checked_sha3: bool,
}

impl Receipt {
    /// Reads a receipt. Nothing is verified, but its form and bounds hold afterwards.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(VerifyError::malformed("the receipt is longer than 4 MiB"));
        }
        let json = Json::parse(bytes).map_err(|error| VerifyError::malformed(format!("the receipt, {error}")))?;
        let mut fields = Fields::of(json, "receipt")?;
        check_type(&fields.text("type")?)?;
        let exceptions = match fields.optional("exceptions") {
            None => Vec::new(),
            Some(Json::List(items)) if (1..=2).contains(&items.len()) => {
                items.into_iter().map(ProvenEntry::from_json).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(fields.wrong("exceptions", "an array of one or two entries")),
        };
        let emitted = fields.optional("emitted");
        let receipt = Receipt {
            emitted: emitted.is_some(),
            record: ProvenEntry::from_json(emitted.map_or_else(|| fields.take("record"), Ok)?)?,
            envelope: fields.text("envelope")?,
            exceptions,
            sha256: LogProof::from_json(fields.take("sha256")?)?,
            sha3_256: fields.optional("sha3-256").map(LogProof::from_json).transpose()?,
        };
        fields.finish()?;
        Ok(receipt)
    }

    /// The receipt as JSON, one member a line, as FORMAT.md shows it.
    pub fn to_json(&self) -> String {
        let name = if self.emitted { "emitted" } else { "record" };
        let mut out = format!("{{\"type\":\"{TYPE}\",\n \"{name}\":").into_bytes();
        self.record.write(&mut out);
        out.extend_from_slice(b",\n \"envelope\":");
        write_string(&mut out, &self.envelope);
        for (place, entry) in self.exceptions.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b",\n \"exceptions\":[" } else { b",\n  " });
            entry.write(&mut out);
        }
        if !self.exceptions.is_empty() {
            out.push(b']');
        }
        out.extend_from_slice(b",\n \"sha256\":");
        self.sha256.write(&mut out);
        if let Some(proof) = &self.sha3_256 {
            out.extend_from_slice(b",\n \"sha3-256\":");
            proof.write(&mut out);
        }
        out.extend_from_slice(b"}\n");
        // Only strings and ASCII were written.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Verifies the receipt, by the five steps of FORMAT.md section 8, under the caller's keys:
    /// the verifier key of the log's origin, and that of `<origin>/sha3-256` if that part is to
    /// count. Returns what was proven, the outcome above all: a record can be in the log as
    /// rejected.
    pub fn verify(&self, trust: &[VerifierKey]) -> Result<Verified, VerifyError> {
        // The version first: what this build cannot read is not verified, whatever else may be wrong.
        let envelope = Envelope::parse(self.envelope.as_bytes())?;
        // 1. The checkpoint is signed by the trusted key of its origin.
        let checkpoint = self.sha256.trusted_checkpoint(trust)?;
        if checkpoint.origin.ends_with(SHA3_256_SUFFIX) {
            let message = format!("`sha256` holds a checkpoint of {}", checkpoint.origin);
            return Err(VerifyError::link(message));
        }
        // 2. The envelope is in the tree of the checkpoint.
        self.check_in_log::<Sha256>(&self.sha256, &checkpoint, envelope.index)?;
        let checked_sha3 = self.check_sha3(trust, &checkpoint.origin, envelope.index)?;
        // 3. The author and every endorser signed the intent.
        envelope.verify_signatures()?;
        // 4. and 5. The record is in its list, and what became of it.
        let proven = match self.emitted {
            false => self.signed_record(&envelope)?,
            true => self.emitted_record(&envelope)?,
        };
        Ok(Verified {
            origin: checkpoint.origin,
            size: checkpoint.size,
            root: checkpoint.root,
            genesis: envelope.intent.genesis,
            index: envelope.index,
            position: proven.position,
            cause: proven.cause,
            author: envelope.intent.author,
            key: envelope.intent.key,
            time: envelope.time,
            endorsements: envelope.signatures.into_iter().skip(1).collect(),
            record: proven.record,
            outcome: proven.outcome,
            checked_sha3,
        })
    }

    /// Steps 4 and 5 for a record that was signed.
    fn signed_record(&self, envelope: &Envelope) -> Result<ProvenRecord, VerifyError> {
        let intent = &envelope.intent;
        let records = ListRoot { count: intent.count, root: Some(intent.root) };
        let leaf = self.record.check_in_list(EntryList::Records, &records)?;
        let json = parse_canonical(self.record.bytes.as_bytes());
        check_record(json.map_err(|error| VerifyError::malformed(format!("the record: {error}")))?)?;
        let outcome = self.outcome(intent, &envelope.exceptions, &leaf)?;
        Ok(ProvenRecord { position: self.record.position, cause: None, record: self.record.bytes.clone(), outcome })
    }

    /// Steps 4 and 5 for a record that a rule made: what stands in the list was accepted.
    fn emitted_record(&self, envelope: &Envelope) -> Result<ProvenRecord, VerifyError> {
        if !self.exceptions.is_empty() {
            return Err(VerifyError::malformed("an emitted record is in no exception"));
        }
        self.record.check_in_list(EntryList::Emitted, &envelope.emitted)?;
        let entry = Emitted::parse(self.record.bytes.as_bytes())?;
        check_record(entry.record.clone())?;
        if entry.cause >= envelope.intent.count {
            return Err(VerifyError::malformed("the cause is a record that the transaction does not have"));
        }
        Ok(ProvenRecord {
            position: envelope.intent.count.saturating_add(self.record.position),
            cause: Some(entry.cause),
            record: String::from_utf8(entry.record.canonical()).unwrap_or_default(),
            outcome: Outcome::Accepted,
        })
    }

    fn check_in_log<H: Hasher>(
        &self,
        proof: &LogProof,
        checkpoint: &Checkpoint,
        index: u64,
    ) -> Result<(), VerifyError> {
        let leaf = envelope_leaf::<H>(self.envelope.as_bytes());
        verify_inclusion::<H>(&leaf, index, checkpoint.size, &proof.path, &checkpoint.root).map_err(|error| {
            let origin = &checkpoint.origin;
            VerifyError::link(format!("the envelope is not in the log {origin}: {error}"))
        })
    }

    /// Checks the SHA3-256 part where there is one and a trusted key has its name.
    fn check_sha3(&self, trust: &[VerifierKey], origin: &str, index: u64) -> Result<bool, VerifyError> {
        let name = format!("{origin}{SHA3_256_SUFFIX}");
        let Some(proof) = &self.sha3_256 else {
            return Ok(false);
        };
        if !trust.iter().any(|key| key.name() == name) {
            return Ok(false);
        }
        let checkpoint = proof.trusted_checkpoint(trust)?;
        if checkpoint.origin != name {
            let message = format!("`sha3-256` holds a checkpoint of {}", checkpoint.origin);
            return Err(VerifyError::link(message));
        }
        self.check_in_log::<Sha3_256>(proof, &checkpoint, index)?;
        Ok(true)
    }

    /// Step 5. The exceptions list is sorted by position, so a record is accepted exactly where
    /// the entries on both sides of its position are next to each other.
    fn outcome(&self, intent: &Intent, list: &ListRoot, record_leaf: &Hash) -> Result<Outcome, VerifyError> {
        let position = self.record.position;
        let undecided = || {
            let message = "the exceptions given neither name the record nor enclose it";
            Err(VerifyError::new(VerifyErrorKind::Incomplete, message))
        };
        if list.count == 0 && !self.exceptions.is_empty() {
            return Err(VerifyError::malformed("exceptions are given where the envelope has none"));
        }
        let mut given = Vec::with_capacity(self.exceptions.len());
        for entry in &self.exceptions {
            entry.check_in_list(EntryList::Exceptions, list)?;
            let exception = Exception::parse(entry.bytes.as_bytes())?;
            if exception.position >= intent.count {
                return Err(VerifyError::malformed("an exception names a record that the transaction does not have"));
            }
            if intent.mode == Mode::Atomic && exception.outcome == ExceptionOutcome::Rejected {
                return Err(VerifyError::malformed("an atomic transaction has a rejected record"));
            }
            given.push((entry.position, exception));
        }
        match given.as_slice() {
            [] if list.count == 0 => Ok(Outcome::Accepted),
            [(_, own)] if own.position == position => {
                if own.leaf != *record_leaf {
                    return Err(VerifyError::new(
                        VerifyErrorKind::ContentChanged,
                        "the exception at the record's position is of another record",
                    ));
                }
                Ok(own.to_outcome())
            }
            [(0, first)] if position < first.position => Ok(Outcome::Accepted),
            [(place, last)] if place + 1 == list.count && last.position < position => Ok(Outcome::Accepted),
            [(left, before), (right, after)]
                if left + 1 == *right && before.position < position && position < after.position =>
            {
                Ok(Outcome::Accepted)
            }
            _ => undecided(),
        }
    }
}

/// What the two kinds of receipt prove alike.
struct ProvenRecord {
    position: u64,
    cause: Option<u64>,
    record: String,
    outcome: Outcome,
}

impl ProvenEntry {
    /// Checks that the entry is in the tree of this list, and returns its leaf hash.
    fn check_in_list(&self, list: EntryList, root: &ListRoot) -> Result<Hash, VerifyError> {
        let name = match list {
            EntryList::Records => "record",
            EntryList::Emitted => "emitted record",
            _ => "exception",
        };
        let leaf = entry_leaf(list, &self.salt, self.bytes.as_bytes());
        let root_hash = root.root.unwrap_or_default();
        verify_inclusion::<Sha3_256>(&leaf, self.position, root.count, &self.path, &root_hash).map_err(|error| {
            let message = format!("the {name} is not what the envelope stands over: {error}");
            VerifyError::new(VerifyErrorKind::ContentChanged, message)
        })?;
        Ok(leaf)
    }

    fn from_json(json: Json) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "entry")?;
        let entry = ProvenEntry {
            bytes: fields.text("bytes")?,
            path: path(&mut fields)?,
            position: fields.uint("position")?,
            salt: fields.bytes("salt")?,
        };
        fields.finish()?;
        Ok(entry)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.text("bytes", &self.bytes);
        write_path(object.key("path"), &self.path);
        object.uint("position", self.position);
        object.b64("salt", &self.salt);
        object.close();
    }
}

impl LogProof {
    /// The checkpoint, once a trusted key has signed it whose name is its origin.
    fn trusted_checkpoint(&self, trust: &[VerifierKey]) -> Result<Checkpoint, VerifyError> {
        let note = SignedNote::parse(&self.checkpoint)?;
        let origin = note.text().split('\n').next().unwrap_or_default();
        let keys: Vec<_> = trust.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.is_empty() {
            let message = format!("no trusted key is named {origin:?}");
            return Err(VerifyError::new(VerifyErrorKind::NotTrusted, message));
        }
        verify_parsed(&note, &keys)
    }

    fn from_json(json: Json) -> Result<Self, VerifyError> {
        let mut fields = Fields::of(json, "log proof")?;
        let proof = LogProof { checkpoint: fields.text("checkpoint")?, path: path(&mut fields)? };
        fields.finish()?;
        Ok(proof)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.text("checkpoint", &self.checkpoint);
        write_path(object.key("path"), &self.path);
        object.close();
    }
}

/// The form of a record: `data`, `type` and `version` and nothing else (FORMAT.md section 2).
pub(crate) fn check_record(record: Json) -> Result<(), VerifyError> {
    let mut fields = Fields::of(record, "record")?;
    if !matches!(fields.take("data")?, Json::Object(_)) {
        return Err(fields.wrong("data", "an object"));
    }
    fields.text("type")?;
    fields.uint("version")?;
    fields.finish()
}

fn check_type(found: &str) -> Result<(), VerifyError> {
    if found == TYPE {
        return Ok(());
    }
    let later = found.strip_prefix(TYPE_PREFIX).is_some_and(|v| v.parse::<u32>().is_ok());
    let kind = if later { VerifyErrorKind::UnverifiableVersion } else { VerifyErrorKind::Malformed };
    Err(VerifyError::new(kind, format!("the receipt is of type {found:?}, not {TYPE:?}")))
}

fn path(fields: &mut Fields) -> Result<Vec<Hash>, VerifyError> {
    let items = fields.list("path")?;
    if items.len() > MAX_PATH {
        return Err(fields.wrong("path", "of at most 63 hashes"));
    }
    let hash = |item: &Json| item.as_text().and_then(|text| crate::canon::unb64_array(text).ok());
    items.iter().map(|item| hash(item).ok_or_else(|| fields.wrong("path", "of base64 hashes"))).collect()
}

fn write_path(out: &mut Vec<u8>, path: &[Hash]) {
    out.push(b'[');
    for (place, hash) in path.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(out, &b64(hash));
    }
    out.push(b']');
}
