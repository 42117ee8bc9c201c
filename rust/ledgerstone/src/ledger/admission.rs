//! Members, their keys and their roles: the records that change them.

use std::sync::{Arc, PoisonError};

use super::records::{author_of, object};
use super::{Appended, Ledger, Submission, Writer};
use crate::error::Result;
use crate::execute::authority::{Authority, GrantState};
use crate::keys::{Key, random_bytes};
use crate::model::Value;

impl Ledger {
    /// Admits a member with its first public key; gives the member's id, which is drawn at random.
    pub fn admit_member(&self, public_key: [u8; 32]) -> Result<String> {
        let member = hex::encode(random_bytes::<16>()?);
        let record = object(vec![("member", Value::Text(member.clone())), ("key", Value::Bytes(public_key.to_vec()))]);
        self.append("ledger.member", record, None)?;
        Ok(member)
    }

    /// Adds a key to a member, beside the others; to the caller, where no member is named. The caller needs no role for himself.
    pub fn add_key(&self, public_key: [u8; 32], member: Option<&str>) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let member = self.member_or_self(&writer, member)?;
        self.append_locked(&mut writer, Submission::of(vec![key_record(&member, public_key, None)]))
    }

    /// Puts a new key in the place of the one that the ledger was opened with, by a record that the old one signs. From here on this
    /// ledger signs with the new one.
    pub fn rotate_key(&self, new: Key) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let old = self.author_key()?;
        let member = author_of(&writer.authority, &old);
        let record = key_record(&member, new.public(), Some(old.public()));
        let appended = self.append_locked(&mut writer, Submission::of(vec![record]))?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(new));
        Ok(appended)
    }

    /// Ends a key: no later transaction is signed with it. What it signed from the ledger time `suspected_since` on (microseconds since
    /// 1970) is from now on called doubtful by audits. The owner needs no role for it.
    pub fn revoke(&self, public_key: [u8; 32], reason: Option<&str>, suspected_since: Option<i64>) -> Result<Appended> {
        let mut record = vec![("key", Value::Bytes(public_key.to_vec()))];
        record.extend(reason.map(|reason| ("reason", Value::Text(reason.to_owned()))));
        record.extend(suspected_since.map(|since| ("suspected_since", Value::Timestamp(since))));
        self.append("ledger.revoke", object(record), None)
    }

    /// Gives a role to a member, from a ledger time and until another (microseconds since 1970), where they are given. A grant with other
    /// limits is withdrawn first, in the same transaction.
    pub fn grant(&self, member: &str, role: &str, from: Option<i64>, until: Option<i64>) -> Result<Appended> {
        let mut writer = self.lock_writer()?;
        let mut records = Vec::new();
        if has_other_limits(&writer.authority, member, role, from, until) {
            records.push(withdrawal(member, role));
        }
        records.push(grant(member, role, from, until));
        self.append_locked(&mut writer, Submission::of(records))
    }

    /// Withdraws a role from a member.
    pub fn withdraw(&self, member: &str, role: &str) -> Result<Appended> {
        self.append_all(vec![withdrawal(member, role)], None)
    }

    fn member_or_self(&self, writer: &Writer, member: Option<&str>) -> Result<String> {
        match member {
            Some(member) => Ok(member.to_owned()),
            None => Ok(author_of(&writer.authority, &*self.author_key()?)),
        }
    }
}

impl Submission<'_> {
    /// Records and nothing else.
    pub(super) fn of(records: Vec<(String, Value)>) -> Self {
        Submission { records, ..Submission::default() }
    }
}

fn has_other_limits(authority: &Authority, member: &str, role: &str, from: Option<i64>, until: Option<i64>) -> bool {
    let differs = |grant: &GrantState| (grant.from, grant.until) != (from, until);
    authority.grant(member, role).is_some_and(differs)
}

fn key_record(member: &str, key: [u8; 32], replaces: Option<[u8; 32]>) -> (String, Value) {
    let mut record = vec![("member", Value::Text(member.to_owned())), ("key", Value::Bytes(key.to_vec()))];
    record.extend(replaces.map(|key| ("replaces", Value::Bytes(key.to_vec()))));
    ("ledger.key".to_owned(), object(record))
}

/// The record that gives a role.
pub(super) fn grant(member: &str, role: &str, from: Option<i64>, until: Option<i64>) -> (String, Value) {
    let mut record = grant_fields(member, role, true);
    record.extend(from.map(|from| ("from", Value::Timestamp(from))));
    record.extend(until.map(|until| ("until", Value::Timestamp(until))));
    ("ledger.grant".to_owned(), object(record))
}

fn withdrawal(member: &str, role: &str) -> (String, Value) {
    ("ledger.grant".to_owned(), object(grant_fields(member, role, false)))
}

fn grant_fields(member: &str, role: &str, granted: bool) -> Vec<(&'static str, Value)> {
    vec![
        ("member", Value::Text(member.to_owned())),
        ("role", Value::Text(role.to_owned())),
        ("granted", Value::Bool(granted)),
    ]
}
