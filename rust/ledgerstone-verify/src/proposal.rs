//! Proposals: a transaction that its author has signed, on its way to be endorsed and appended (FORMAT.md section 13).
//!
//! A proposal is read whole or not at all: once it is parsed, its records are those that its author signed, and every signature in
//! it holds. What only the ledger can say (whose keys they are, whether the intent is still good) is left to it.

use crate::canon::{Json, b64, parse_canonical, write_string};
use crate::entry::{EntryList, Salts, entry_leaf};
use crate::envelope::{Intent, MAX_RECORDS, Mode, Signature, check_signers, idempotency_digest, verify_signatures};
use crate::error::{VerifyError, VerifyErrorKind};
use crate::fields::Fields;
use crate::hash::Sha3_256;
use crate::intent::{Endorsement, endorsement_message};
use crate::merkle;
use crate::receipt::check_record;

/// A proposal is at most this long: 64 MiB.
pub const MAX_PROPOSAL_BYTES: usize = 64 << 20;

const TYPE_PREFIX: &str = "ledgerstone/proposal/v";
const TYPE: &str = "ledgerstone/proposal/v1";

/// A transaction, signed and not yet appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The log that it is for, for people: what binds it is the genesis hash in the intent.
    pub origin: String,
    /// The author's idempotency id: appending it twice is appending it once.
    pub id: String,
    /// What the author signed.
    pub intent: Intent,
    /// The transaction's secret, from which salts come.
    pub secret: [u8; 32],
    /// Record bytes, in order.
    pub records: Vec<String>,
    /// The author's signature, then the endorsers' by member.
    pub signatures: Vec<Signature>,
}

impl Proposal {
    /// Reads a proposal, and checks everything that can be checked without the ledger.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() > MAX_PROPOSAL_BYTES {
            return Err(VerifyError::malformed("the proposal is longer than 64 MiB"));
        }
        let json = Json::parse(bytes).map_err(|error| VerifyError::malformed(format!("the proposal, {error}")))?;
        let mut fields = Fields::of(json, "proposal")?;
        check_type(&fields.text("type")?)?;
        let intent = fields.text("intent")?;
        let records = fields.list("records")?;
        let signatures = fields.list("signatures")?.into_iter().enumerate();
        let proposal = Proposal {
            origin: fields.text("origin")?,
            id: fields.text("id")?,
            intent: parse_intent(&intent)?,
            secret: fields.bytes("secret")?,
            records: records.into_iter().map(record_text).collect::<Result<_, _>>()?,
            signatures: signatures
                .map(|(place, json)| Signature::from_json(json, place > 0))
                .collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        proposal.check()?;
        Ok(proposal)
    }

    /// The proposal as JSON, one member a line, as FORMAT.md shows it.
    pub fn to_json(&self) -> String {
        let mut out = format!("{{\"type\":\"{TYPE}\",\n \"origin\":").into_bytes();
        write_string(&mut out, &self.origin);
        out.extend_from_slice(b",\n \"id\":");
        write_string(&mut out, &self.id);
        out.extend_from_slice(b",\n \"intent\":");
        write_string(&mut out, &self.intent.to_text());
        out.extend_from_slice(b",\n \"secret\":");
        write_string(&mut out, &b64(&self.secret));
        out.extend_from_slice(b",\n \"records\":[");
        for (place, record) in self.records.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b"\n  " } else { b",\n  " });
            write_string(&mut out, record);
        }
        out.extend_from_slice(b"],\n \"signatures\":[");
        for (place, signature) in self.signatures.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b"\n  " } else { b",\n  " });
            signature.write(&mut out);
        }
        out.extend_from_slice(b"]}\n");
        // Only strings and ASCII were written.
        String::from_utf8(out).unwrap_or_default()
    }

    /// The endorsers' signatures, by member.
    pub fn endorsements(&self) -> &[Signature] {
        self.signatures.get(1..).unwrap_or_default()
    }

    /// The message that an endorser signs: meaning and time are in it.
    pub fn endorsement_message(&self, member: &str, key: &[u8; 32], endorsement: &Endorsement) -> Vec<u8> {
        endorsement_message(&self.intent.digest(), member, key, endorsement)
    }

    /// The proposal with one more endorsement, in its place. One that is there already stays alone; another by the same member is
    /// refused, as is one whose signature does not hold.
    pub fn with_endorsement(mut self, signature: Signature) -> Result<Self, VerifyError> {
        if self.endorsements().contains(&signature) {
            return Ok(self);
        }
        self.signatures.push(signature);
        if let Some((_, endorsers)) = self.signatures.split_first_mut() {
            endorsers.sort_by(|a, b| a.member.cmp(&b.member));
        }
        check_signers(&self.intent, &self.signatures)?;
        verify_signatures(&self.intent, &self.signatures)?;
        Ok(self)
    }

    fn check(&self) -> Result<(), VerifyError> {
        let require = |holds: bool, rule: &'static str| match holds {
            true => Ok(()),
            false => Err(VerifyError::malformed(format!("in the proposal, {rule}"))),
        };
        let intent = &self.intent;
        require(intent.genesis.is_some() && intent.seen.is_some(), "the intent names no ledger")?;
        require(intent.seen.is_some_and(|seen| seen.size >= 1), "seen is not a size from 1 on")?;
        require(intent.mode == Mode::Atomic, "the mode is not `atomic`")?;
        require(intent.count <= MAX_RECORDS, "there are more than 2^20 records")?;
        require(intent.count == self.records.len() as u64, "`count` is not the number of records")?;
        let digest = idempotency_digest(&self.secret, &self.id);
        require(intent.idempotency == Some(digest), "the id is not the one that was signed")?;
        for record in &self.records {
            let record = parse_canonical(record.as_bytes());
            check_record(record.map_err(|error| VerifyError::malformed(format!("a record, {error}")))?)?;
        }
        let mut salts = Salts::new(self.secret, EntryList::Records);
        let leaves: Vec<_> = (0u64..)
            .zip(&self.records)
            .map(|(position, record)| entry_leaf(EntryList::Records, &salts.salt(position), record.as_bytes()))
            .collect();
        if merkle::root::<Sha3_256>(&leaves) != intent.root {
            let message = "the records of the proposal are not those that were signed";
            return Err(VerifyError::new(VerifyErrorKind::ContentChanged, message));
        }
        check_signers(intent, &self.signatures)?;
        verify_signatures(intent, &self.signatures)
    }
}

/// The intent's text is the text that was signed.
fn parse_intent(text: &str) -> Result<Intent, VerifyError> {
    let json = Json::parse(text.as_bytes()).map_err(|error| VerifyError::malformed(format!("the intent, {error}")))?;
    let intent = Intent::from_json(json)?;
    if intent.to_text() != text {
        return Err(VerifyError::malformed("the intent is not in canonical form"));
    }
    Ok(intent)
}

fn record_text(json: Json) -> Result<String, VerifyError> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(VerifyError::malformed("a record of the proposal is not a string of its bytes")),
    }
}

fn check_type(found: &str) -> Result<(), VerifyError> {
    if found == TYPE {
        return Ok(());
    }
    let later = found.strip_prefix(TYPE_PREFIX).is_some_and(|v| v.parse::<u32>().is_ok());
    let kind = if later { VerifyErrorKind::UnverifiableVersion } else { VerifyErrorKind::Malformed };
    Err(VerifyError::new(kind, format!("the proposal is of type {found:?}, not {TYPE:?}")))
}
