//! Appending single records, atomic transactions and modules.

use std::sync::{Arc, PoisonError};

use ledgerstone_schemas::SHIPPED;
use ledgerstone_verify::entry::Outcome;
use ledgerstone_verify::envelope::Mode;
use ledgerstone_verify::hash::sha3_256;

use super::admission::grant;
use super::append::{Attempt, Committed, Draft};
use super::earlier::{TypeOf, same_as, type_for};
use super::endorse::Signing;
use super::load::Endorsed;
use super::outcomes::RecordException;
use super::screen::{Input, Screened, first_refusal, screen};
use super::{Ledger, Writer};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::Authority;
use crate::keys::{Key, LogKey};
use crate::limits::ID_BYTES;
use crate::model::{Event, RowId, Value};
use crate::schema::{Module, SchemaError, SchemaErrors};

/// A transaction that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index.
    pub index: u64,
    /// Number of its records; their positions are 0 to `count` − 1.
    pub count: u32,
    /// Whether this call appended it; otherwise an earlier call with the same id did.
    pub is_new: bool,
    /// Its records that were held or flagged, by position.
    pub exceptions: Vec<(u32, RecordException)>,
}

/// What is handed over to be appended, all or none.
#[derive(Default)]
pub(crate) struct Submission<'a> {
    pub(crate) records: Vec<(String, Value)>,
    pub(crate) id: Option<&'a str>,
    /// Whether private fields may be stored in the clear.
    pub(crate) plain: bool,
    /// The author, where his key is not admitted yet; otherwise the member whose key it is.
    pub(crate) author: Option<String>,
    /// Keys of those who endorse.
    pub(crate) endorsers: &'a [Arc<Key>],
    /// What they mean by it.
    pub(crate) meaning: &'a str,
    /// The log key from this transaction on, where it rotates.
    pub(crate) new_log_key: Option<Arc<LogKey>>,
}

impl Appended {
    /// The place of its n-th record.
    pub fn row(&self, position: u32) -> RowId {
        RowId::new(self.index, position)
    }

    /// What became of its n-th record.
    pub fn outcome(&self, position: u32) -> Outcome {
        let own = self.exceptions.iter().find(|(place, _)| *place == position);
        own.map_or(Outcome::Accepted, |(_, exception)| exception.to_outcome())
    }
}

impl Ledger {
    /// Appends one record. `id` makes the call repeatable: the same id and record give the same transaction.
    pub fn append(&self, type_name: &str, record: Value, id: Option<&str>) -> Result<Appended> {
        self.append_all(vec![(type_name.to_owned(), record)], id)
    }

    /// Appends records, all or none, in this order.
    pub fn append_all(&self, records: Vec<(String, Value)>, id: Option<&str>) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        self.append_locked(&mut writer, Submission { records, id, ..Submission::default() })
    }

    /// The same, where private fields may hold values that are stored in the clear. Each such record is flagged `ledger.plain_private`.
    pub fn append_plain(&self, records: Vec<(String, Value)>, id: Option<&str>) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        self.append_locked(&mut writer, Submission { records, id, plain: true, ..Submission::default() })
    }

    /// The same, endorsed by other members whose keys are at hand; `meaning` says what they mean by signing, `plain` is as for
    /// [`Ledger::append_plain`].
    pub fn append_endorsed(
        &self,
        records: Vec<(String, Value)>,
        id: Option<&str>,
        plain: bool,
        endorsers: &[Arc<Key>],
        meaning: &str,
    ) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        self.append_locked(&mut writer, Submission { records, id, plain, endorsers, meaning, ..Submission::default() })
    }

    pub(crate) fn append_locked(&self, writer: &mut Writer, submission: Submission<'_>) -> Result<Appended> {
        let Submission { records, id, plain, author, endorsers, meaning, new_log_key } = submission;
        check_id(id)?;
        let key = self.author_key()?;
        let author = author.unwrap_or_else(|| author_of(&writer.authority, &key));
        let earlier = self.earlier(writer, &author, id)?;
        let endorsed = Endorsed { by: endorsers, meaning };
        let endorsers = self.endorsers(&writer.authority, &author, endorsed, earlier.as_ref())?;
        let type_of = |name: &str| type_for(&writer.authority, earlier.as_ref(), name);
        let records = same_as(earlier.as_ref(), self.screen_all(&type_of, records, plain))?;
        let signing = Signing::Keys { author: &key, endorsers };
        let id = id.map(str::to_owned);
        let draft = Draft { mode: Mode::Atomic, records, id, earlier, author, signing, new_log_key };
        self.append_draft(writer, &draft)
    }

    pub(super) fn append_draft(&self, writer: &mut Writer, draft: &Draft<'_>) -> Result<Appended> {
        match self.transact(writer, draft)? {
            Attempt::Committed(Committed { index, count, exceptions, is_new }) => {
                Ok(Appended { index, count, is_new, exceptions })
            }
            Attempt::Empty(_) => Err(Error::Fault("an atomic transaction was neither kept nor refused".to_owned())),
        }
    }

    /// Screens records of several types, which `type_of` finds; the first refusal, by phase and then by record, is raised.
    pub(super) fn screen_all(
        &self,
        type_of: TypeOf<'_>,
        records: Vec<(String, Value)>,
        plain: bool,
    ) -> Result<Vec<Screened>> {
        if records.is_empty() {
            return Err(Error::schema(codes::EMPTY_TRANSACTION, "a transaction holds at least one record"));
        }
        let mut screened = Vec::new();
        let mut start = 0u32;
        let mut records = records.into_iter().peekable();
        while let Some((type_name, first)) = records.next() {
            let mut values = vec![first];
            while let Some((_, value)) = records.next_if(|(next, _)| *next == type_name) {
                values.push(value);
            }
            let count = values.len() as u32;
            let record_type = type_of(&type_name)?;
            let mut parts = screen((&self.pool, &self.faults), &record_type, &Input::values(values), plain)?;
            for part in &mut parts {
                part.shift(start);
            }
            screened.append(&mut parts);
            start += count;
        }
        match first_refusal(screened.iter().flat_map(|part| &part.refused)) {
            Some(first) => Err(Error::Rejected(Box::new(first.clone()))),
            None => Ok(screened),
        }
    }

    /// Loads a module from the text of its schema file, and grants its roles to the caller unless told otherwise; of a later version only
    /// those that the version in force does not declare.
    pub fn load_module(&self, source: &str, file: &str, grant_roles: bool) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let module = writer.authority.parse_module(source, file)?;
        check_reserved(&writer.authority, &module, file)?;
        let member = author_of(&writer.authority, &*self.author_key()?);
        let text = |text: &str| Value::Text(text.to_owned());
        let mut records = vec![(
            "ledger.module".to_owned(),
            object(vec![
                ("name", text(&module.name)),
                ("version", Value::Int(module.version as i64)),
                ("hash", Value::Bytes(sha3_256(&[source.as_bytes()]).to_vec())),
                ("source", text(source)),
            ]),
        )];
        if grant_roles {
            let in_force = writer.authority.modules().find(|in_force| in_force.name == module.name);
            let is_new = |name: &str| in_force.is_none_or(|before| before.roles.iter().all(|role| role.name != name));
            let new = module.roles.iter().filter(|role| is_new(&role.name));
            records.extend(new.map(|role| grant(&member, &role.name, None, None)));
        }
        let appended = self.append_locked(&mut writer, Submission::of(records))?;
        let (name, version, index) = (module.name.clone(), module.version, appended.index);
        self.tell(|| Event::ModuleLoaded { name, version, index });
        Ok(appended)
    }

    /// The caller's key; the error names the argument that is missing.
    pub(crate) fn author_key(&self) -> Result<Arc<Key>> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner).clone();
        key.ok_or_else(|| {
            Error::Forbidden(Box::new(Rejected {
                code: codes::NO_KEY.to_owned(),
                message: "every record is signed by its author: open the ledger with key=".to_owned(),
                record_type: String::new(),
                row: 0,
                field: None,
                cell: None,
            }))
        })
    }
}

/// The name of a module that ships with ledgerstone is that module's: no other takes it first. A check before signing, as another build
/// ships other versions; what follows it is its owner's business.
fn check_reserved(authority: &Authority, module: &Module, file: &str) -> Result<()> {
    let is_another = SHIPPED.iter().any(|(name, source)| *name == module.name && *source != module.source);
    if !is_another || authority.modules().any(|loaded| loaded.name == module.name) {
        return Ok(());
    }
    let quoted = format!("\"{}\"", module.name);
    let line = module.source.lines().position(|line| line.trim_start().starts_with("name") && line.contains(&quoted));
    Err(Error::from(SchemaErrors(vec![SchemaError {
        file: file.to_owned(),
        line: line.unwrap_or_default() + 1,
        column: 1,
        message: format!("the module name {quoted} is reserved: a module that ships with ledgerstone has it"),
        found: "another file".to_owned(),
        expected: format!("another name, or the shipped module, which is loaded by its name: {}", module.name),
    }])))
}

impl Screened {
    /// Rows handed over are counted from here.
    pub(crate) fn shift(&mut self, start: u32) {
        for row in &mut self.inputs {
            *row += start;
        }
        for refused in &mut self.refused {
            refused.reason.row += u64::from(start);
        }
    }
}

/// The member whose active key this is. A key that is no member's signs for a member of that name, which DECIDE refuses.
pub(crate) fn author_of(authority: &Authority, key: &Key) -> String {
    authority.member_of(&key.public()).map_or_else(|| "0".repeat(32), str::to_owned)
}

/// An id is the caller's to choose: 1 to 64 bytes, no `/`, which numbers the parts of a load.
pub(crate) fn check_id(id: Option<&str>) -> Result<()> {
    match id {
        Some(id) if id.len() > ID_BYTES => Err(Error::Limit {
            what: "the length of an id in bytes".to_owned(),
            value: id.len() as u64,
            limit: "ID_BYTES",
            bound: ID_BYTES as u64,
        }),
        Some(id) if id.is_empty() || id.contains('/') => Err(Error::schema(
            codes::BAD_ID,
            format!("the id {id:?} is empty or holds a `/`, which numbers the parts of a load"),
        )),
        _ => Ok(()),
    }
}

/// An object of named values.
pub(crate) fn object(members: Vec<(&str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
