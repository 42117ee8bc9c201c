//! Proposals: transactions that are signed here, endorsed elsewhere, and appended later.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ledgerstone_verify::canon::Json;
use ledgerstone_verify::envelope::{ENVELOPE_TAG, Endorsement, Intent, Mode, Signature, is_member};
use ledgerstone_verify::hash::{Sha3_256, leaf_hash};
use ledgerstone_verify::proposal::MAX_PROPOSAL_BYTES;

use super::append::{Draft, Place};
use super::earlier::{TypeOf, same_as, type_for};
use super::endorse::{Signing, check_meaning, forbidden};
use super::receipt::root_at;
use super::records::{author_of, check_id};
use super::screen::Screened;
use super::{Appended, Ledger, View, Writer, clock, stored_checkpoint};
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::module_of;
use crate::execute::{RecordBytes, stateless_refusals};
use crate::keys::{Key, random_bytes};
use crate::limits::{CHUNK_ROWS, INTENT_LIFETIME_MICROS};
use crate::model::Value;
use crate::schema::{RecordType, Rows, from_record_bytes};
use crate::store::StoreError;
use crate::{codes, files};

/// A transaction that its author has signed, and that is not appended yet. Whoever has it can read and endorse it without the ledger.
///
/// A value of this type holds together: its records are those that were signed, and every signature in it holds. Whose the keys are,
/// and whether the intent is still good, is for the ledger to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal(ledgerstone_verify::Proposal);

/// How to propose.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProposeOptions<'a> {
    /// The idempotency id; one is drawn where none is given.
    pub id: Option<&'a str>,
    /// Microseconds for which the proposal is good; 24 hours unless told otherwise.
    pub lifetime: Option<i64>,
}

impl Proposal {
    /// Reads the text that [`Proposal::to_json`] writes.
    pub fn parse(text: &[u8]) -> std::result::Result<Self, ledgerstone_verify::VerifyError> {
        ledgerstone_verify::Proposal::parse(text).map(Proposal)
    }

    /// Reads a proposal file.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = |source| Error::from(StoreError::io(path, source));
        let mut text = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_PROPOSAL_BYTES as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        Proposal::parse(&text).map_err(|error| Error::evidence(path, &error))
    }

    /// Writes a proposal file, over what was there.
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(files::replace(path, self.to_json().as_bytes()).map_err(|source| StoreError::io(path, source))?)
    }

    /// The proposal as JSON text (FORMAT.md section 13).
    pub fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// The proposal, endorsed by a member: `meaning` and the time of this machine's clock are in the signed bytes.
    pub fn endorse(&self, key: &Key, member: &str, meaning: &str) -> Result<Self> {
        check_meaning(meaning)?;
        if !is_member(member) {
            let message = format!("{member:?} is no member: an id has 32 hexadecimal digits, as `members` shows them");
            return Err(Error::schema(codes::BAD_MEMBER, message));
        }
        if member == self.0.intent.author {
            let message = format!("{member} is the author: nobody endorses what he signs himself");
            return Err(forbidden(codes::SELF_ENDORSEMENT, message, ""));
        }
        if self.0.endorsements().iter().any(|by| by.member == member) {
            let message = format!("{member} has endorsed this proposal already");
            return Err(forbidden(codes::ENDORSED_TWICE, message, ""));
        }
        let endorsement = Endorsement { meaning: meaning.to_owned(), time: clock::text(clock::now())? };
        let message = self.0.endorsement_message(member, &key.public(), &endorsement);
        self.with(Signature {
            member: member.to_owned(),
            key: key.public(),
            sig: key.sign(&message),
            endorsement: Some(endorsement),
        })
    }

    /// This proposal with the endorsements of another copy of it.
    pub fn merge(&self, other: &Proposal) -> Result<Self> {
        if self.0.intent != other.0.intent {
            return Err(Error::verification(codes::OTHER_PROPOSAL, "these are proposals of two transactions"));
        }
        other.0.endorsements().iter().try_fold(self.clone(), |merged, by| merged.with(by.clone()))
    }

    fn with(&self, endorsement: Signature) -> Result<Self> {
        let endorsed = self.0.clone().with_endorsement(endorsement);
        endorsed.map(Proposal).map_err(|error| Error::verification(error.kind().code(), error.to_string()))
    }

    /// The log that it is for.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The author's idempotency id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What the author signed.
    pub fn intent(&self) -> &Intent {
        &self.0.intent
    }

    /// Record bytes, in order.
    pub fn records(&self) -> &[String] {
        &self.0.records
    }

    /// The endorsers' signatures, by member.
    pub fn endorsements(&self) -> &[Signature] {
        self.0.endorsements()
    }
}

impl Ledger {
    /// Signs a transaction, all its records or none, and appends nothing. Checked is what needs the records alone; the rest when it is
    /// appended. No log key is needed: a reading copy of the ledger will do.
    pub fn propose(&self, records: Vec<(String, Value)>, options: ProposeOptions<'_>) -> Result<Proposal> {
        check_id(options.id)?;
        let key = self.author_key()?;
        let view = self.view()?;
        let author = author_of(&view.authority, &key);
        if view.authority.member_of(&key.public()).is_none() {
            return Err(self.unknown_key(&view.authority, &key.public(), &format!("{key:?}"), ""));
        }
        let records = self.screen_all(&|name| view.record_type(name), records, false)?;
        let id = match options.id {
            Some(id) => id.to_owned(),
            None => format!("proposal-{}", hex::encode(random_bytes::<16>()?)),
        };
        let signing = Signing::Keys { author: &key, endorsers: Vec::new() };
        let (mode, given) = (Mode::Atomic, Some(id.clone()));
        let draft = Draft { mode, records, id: given, earlier: None, author, signing, new_log_key: None };
        let secret = self.sources.random()?;
        let prepared = self.prepare(&draft, secret)?;
        let seen = stored_checkpoint(&*view.snapshot)?;
        let place = Place {
            genesis: Some(leaf_hash::<Sha3_256>(&[ENVELOPE_TAG, &view.envelope(0)?.text])),
            seen: Some(&seen),
            time: clock::parse(&view.envelope(view.size - 1)?.envelope.time)?,
            lifetime: options.lifetime.unwrap_or(INTENT_LIFETIME_MICROS),
        };
        let intent = self.intent(&draft, key.public(), &prepared, &place)?;
        let signatures = draft.signing.signatures(&intent);
        let records = draft.records.iter().flat_map(|part| (0..part.inputs.len()).map(|row| part.bytes.row(row)));
        let records = records.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
        let origin = self.origin.clone();
        Ok(Proposal(ledgerstone_verify::Proposal { origin, id, intent, secret, records, signatures }))
    }

    /// Appends a proposal, as its author and endorsers signed it. Appending it again gives the same transaction.
    pub fn append_proposal(&self, proposal: &Proposal) -> Result<Appended> {
        let proposal = &proposal.0;
        check_id(Some(&proposal.id))?;
        let mut writer = self.lock_writer()?;
        if proposal.intent.genesis != writer.genesis {
            let message = format!("the proposal is for another ledger ({}) than this one", proposal.origin);
            return Err(refused(codes::OTHER_LEDGER, message, 0, ""));
        }
        let earlier = self.earlier(&writer, &proposal.intent.author, Some(&proposal.id))?;
        let type_of = |name: &str| type_for(&writer.authority, earlier.as_ref(), name);
        let draft = Draft {
            mode: Mode::Atomic,
            records: same_as(earlier.as_ref(), self.proposed(&type_of, &proposal.records))?,
            id: Some(proposal.id.clone()),
            earlier,
            author: proposal.intent.author.clone(),
            signing: Signing::Done(proposal),
            new_log_key: None,
        };
        self.append_draft(&mut writer, &draft)
    }

    /// Records that were signed elsewhere as rows; refused whole where one is not exactly what its type writes.
    fn proposed(&self, type_of: TypeOf<'_>, records: &[String]) -> Result<Vec<Screened>> {
        let types = records.iter().enumerate().map(|(position, record)| named_type(type_of, position, record));
        let types: Vec<Arc<RecordType>> = types.collect::<Result<_>>()?;
        let mut screened = Vec::new();
        let mut start = 0;
        while start < records.len() {
            let same = types[start..].iter().take(CHUNK_ROWS).take_while(|other| Arc::ptr_eq(other, &types[start]));
            let end = start + same.count();
            let record_type = &types[start];
            let rows = || rows_of(record_type, &records[start..end], start);
            screened.push(self.faults.guard(module_of(&record_type.name), rows)?);
            start = end;
        }
        Ok(screened)
    }

    /// What was signed elsewhere is good here and now.
    pub(super) fn check_place(&self, view: &View, writer: &Writer, intent: &Intent, time: i64) -> Result<()> {
        let now = clock::text(time)?;
        if now >= intent.expires {
            let message =
                format!("the proposal expired at {}, and ledger time is {now}: propose it again", intent.expires);
            return Err(refused(codes::INTENT_EXPIRED, message, 0, ""));
        }
        let is_past = match intent.seen {
            Some(seen) => seen.size <= writer.trees.size() && root_at(view, seen.size)? == seen.root,
            None => false,
        };
        if is_past {
            return Ok(());
        }
        let message = "its author has seen a state that is not in this log's past: the ledger is another copy, or was rolled back";
        Err(refused(codes::UNKNOWN_PAST, message.to_owned(), 0, ""))
    }
}

/// The type of a record, in the version that it names, which has to be the one that is asked for.
fn named_type(type_of: TypeOf<'_>, position: usize, record: &str) -> Result<Arc<RecordType>> {
    let record = Json::parse(record.as_bytes())
        .map_err(|error| Error::verification(codes::EVIDENCE_MALFORMED, error.to_string()))?;
    let name = record.get("type").and_then(Json::as_text).unwrap_or_default();
    let version = record.get("version").and_then(Json::as_int).unwrap_or(-1);
    let record_type = type_of(name)?;
    if i64::try_from(record_type.version) == Ok(version) {
        return Ok(record_type);
    }
    let message =
        format!("it is of version {version}, and version {} is in force: propose it again", record_type.version);
    Err(refused(codes::MODULE_VERSION, message, position, name))
}

fn rows_of(record_type: &Arc<RecordType>, records: &[String], start: usize) -> Result<Screened> {
    let name = &record_type.name;
    let rows: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    let batch = from_record_bytes(record_type, &rows)
        .map_err(|error| refused(codes::NOT_CANONICAL, error.message, start + error.position, name))?;
    let view = Rows::new(record_type, &batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    if let Some(first) = stateless_refusals(record_type, &view, &bytes).into_iter().next() {
        let why = refusal(&first.reason.code, first.reason.message, start + first.row, name);
        return Err(Error::Rejected(Box::new(Rejected { field: first.field, ..why })));
    }
    let inputs = (start as u32..(start + records.len()) as u32).collect();
    Ok(Screened { record_type: Arc::clone(record_type), batch, bytes: Arc::new(bytes), inputs, refused: Vec::new() })
}

fn refused(code: &str, message: String, position: usize, record_type: &str) -> Error {
    Error::Rejected(Box::new(refusal(code, message, position, record_type)))
}

fn refusal(code: &str, message: String, position: usize, record_type: &str) -> Rejected {
    Rejected {
        code: code.to_owned(),
        message,
        record_type: record_type.to_owned(),
        row: position as u64,
        field: None,
        cell: None,
    }
}
