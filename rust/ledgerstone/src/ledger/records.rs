//! Appending single records, atomic transactions and modules.

use std::sync::Arc;

use ledgerstone_verify::entry::Outcome;
use ledgerstone_verify::envelope::Mode;
use ledgerstone_verify::hash::sha3_256;

use super::append::{Attempt, Committed, Draft};
use super::outcomes::RecordException;
use super::screen::{Input, Screened, screen};
use super::{Ledger, Writer};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::keys::{Key, random_bytes};
use crate::limits::ID_BYTES;
use crate::model::{Event, RowId, Value};

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
        self.append_locked(&mut writer, records, id, None, false)
    }

    /// The same, where private fields may hold values that are stored in the clear. Each such record is flagged `ledger.plain_private`.
    pub fn append_plain(&self, records: Vec<(String, Value)>, id: Option<&str>) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        self.append_locked(&mut writer, records, id, None, true)
    }

    pub(crate) fn append_locked(
        &self,
        writer: &mut Writer,
        records: Vec<(String, Value)>,
        id: Option<&str>,
        author: Option<String>,
        plain: bool,
    ) -> Result<Appended> {
        check_id(id)?;
        let key = self.author_key(writer)?;
        let author = match author {
            Some(author) => author,
            None => author_of(writer, &key),
        };
        let records = self.screen_all(writer, records, plain)?;
        let draft = Draft { mode: Mode::Atomic, records, id: id.map(str::to_owned), key: &key, author };
        match self.transact(writer, &draft)? {
            Attempt::Committed(Committed { index, count, exceptions, is_new }) => {
                Ok(Appended { index, count, is_new, exceptions })
            }
            Attempt::Empty(_) => Err(Error::Fault("an atomic transaction was neither kept nor refused".to_owned())),
        }
    }

    /// Screens records of several types; the first refusal, by phase and then by record, is raised.
    fn screen_all(&self, writer: &Writer, records: Vec<(String, Value)>, plain: bool) -> Result<Vec<Screened>> {
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
            let record_type = writer.record_type(&type_name)?;
            let mut parts = screen(&self.pool, &record_type, &Input::values(values), plain)?;
            for part in &mut parts {
                part.shift(start);
            }
            screened.append(&mut parts);
            start += count;
        }
        let refused = screened.iter().flat_map(|part| &part.refused);
        match refused.min_by_key(|rejected| (rejected.field.is_none(), rejected.row)) {
            Some(first) => Err(Error::Rejected(Box::new(first.clone()))),
            None => Ok(screened),
        }
    }

    /// Loads a module from the text of its schema file, and grants its roles to the caller unless told otherwise.
    pub fn load_module(&self, source: &str, file: &str, grant_roles: bool) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let module = writer.authority.parse_module(source, file)?;
        let key = self.author_key(&writer)?;
        let member = author_of(&writer, &key);
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
            records.extend(module.roles.iter().map(|role| grant(&member, &role.name, true)));
        }
        let appended = self.append_locked(&mut writer, records, None, None, false)?;
        let (name, version, index) = (module.name.clone(), module.version, appended.index);
        self.tell(|| Event::ModuleLoaded { name, version, index });
        Ok(appended)
    }

    /// Admits a member with its first public key; gives the member's id.
    pub fn admit_member(&self, public_key: [u8; 32]) -> Result<String> {
        let member = hex::encode(random_bytes::<16>()?);
        let record = object(vec![("member", Value::Text(member.clone())), ("key", Value::Bytes(public_key.to_vec()))]);
        self.append("ledger.member", record, None)?;
        Ok(member)
    }

    /// Gives a role to a member, or withdraws it.
    pub fn grant(&self, member: &str, role: &str, granted: bool) -> Result<Appended> {
        self.append_all(vec![grant(member, role, granted)], None)
    }

    /// The caller's key; the error names the argument that is missing.
    pub(crate) fn author_key(&self, writer: &Writer) -> Result<Arc<Key>> {
        writer.key.clone().ok_or_else(|| {
            Error::Forbidden(Box::new(Rejected {
                code: codes::NO_KEY.to_owned(),
                message: "every record is signed by its author: open the ledger with key=".to_owned(),
                record_type: "ledger".to_owned(),
                row: 0,
                field: None,
                cell: None,
            }))
        })
    }
}

impl Screened {
    /// Rows handed over are counted from here.
    pub(crate) fn shift(&mut self, start: u32) {
        for row in &mut self.inputs {
            *row += start;
        }
        for rejected in &mut self.refused {
            rejected.row += u64::from(start);
        }
    }
}

/// The member whose active key this is. A key that is no member's signs for a member of that name, which DECIDE refuses.
pub(crate) fn author_of(writer: &Writer, key: &Key) -> String {
    writer.authority.member_of(&key.public()).map_or_else(|| "0".repeat(32), str::to_owned)
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

fn grant(member: &str, role: &str, granted: bool) -> (String, Value) {
    let record = object(vec![
        ("member", Value::Text(member.to_owned())),
        ("role", Value::Text(role.to_owned())),
        ("granted", Value::Bool(granted)),
    ]);
    ("ledger.grant".to_owned(), record)
}
