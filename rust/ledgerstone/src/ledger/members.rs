//! Who and what is in force: members with their keys and roles, and modules.

use std::sync::Arc;

use ledgerstone_verify::canon::Json;

use super::Ledger;
use super::view::unknown_type;
use crate::error::{Error, Result};
use crate::model::RowId;
use crate::query::segments;
use crate::schema::RecordType;

/// An admitted identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Public keys, and whether each is active.
    pub keys: Vec<([u8; 32], bool)>,
    /// Full names of the roles held.
    pub roles: Vec<String>,
}

/// A module in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInForce {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u64,
    /// One line for people.
    pub title: String,
    /// Full names of its record types.
    pub types: Vec<String>,
    /// Full names and purposes of its roles.
    pub roles: Vec<(String, String)>,
    /// Whether it takes records.
    pub state: ModuleState,
}

/// Whether a module takes records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleState {
    /// It does.
    Active,
    /// A record suspended it: nobody's records are taken until another resumes it.
    Suspended,
    /// Its rules panicked since the ledger was opened: it takes no records here until it is opened again. What the fault said.
    Faulted(String),
}

impl ModuleState {
    /// `active`, `suspended` or `faulted`.
    pub fn name(&self) -> &'static str {
        match self {
            ModuleState::Active => "active",
            ModuleState::Suspended => "suspended",
            ModuleState::Faulted(_) => "faulted",
        }
    }
}

/// A version of a module that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleLoaded {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u64,
    /// Where the record that loaded it stands.
    pub row: RowId,
    /// Id of the member who loaded it.
    pub author: String,
    /// The text of the schema file.
    pub source: String,
}

impl Ledger {
    /// The members, in the order of their ids.
    pub fn members(&self) -> Result<Vec<Member>> {
        let authority = self.view()?.authority;
        let keys_of = |id: &str| {
            let own = authority.keys().filter(|(_, state)| state.member == id);
            own.map(|(key, state)| (*key, state.active)).collect()
        };
        let member = |id: &str| Member {
            id: id.to_owned(),
            keys: keys_of(id),
            roles: authority.roles_of(id).map(str::to_owned).collect(),
        };
        Ok(authority.members().map(member).collect())
    }

    /// The modules in force, by name.
    pub fn modules(&self) -> Result<Vec<ModuleInForce>> {
        let authority = self.view()?.authority;
        let modules = authority.modules().map(|module| ModuleInForce {
            name: module.name.clone(),
            version: module.version,
            title: module.title.clone(),
            types: module.types.iter().map(|declared| declared.name.clone()).collect(),
            roles: module.roles.iter().map(|role| (role.name.clone(), role.doc.clone())).collect(),
            state: match self.faults.of(&module.name) {
                Some(why) => ModuleState::Faulted(why),
                None if authority.is_suspended(&module.name) => ModuleState::Suspended,
                None => ModuleState::Active,
            },
        });
        Ok(modules.collect())
    }

    /// Every version of every module that was loaded, in the order of the ledger.
    pub fn module_history(&self) -> Result<Vec<ModuleLoaded>> {
        let view = self.view()?;
        let mut history = Vec::new();
        for (first, _) in segments(&*view.snapshot, "ledger.module", RowId::new(0, 0))? {
            let chunk = view.read(|reader| reader.chunk(first))?;
            for row in chunk.rows {
                let record =
                    Json::parse(&view.record_bytes(row)?).map_err(|error| Error::damaged(error.to_string()))?;
                let text = |name: &str| {
                    let value = record.get("data").and_then(|data| data.get(name));
                    value.and_then(Json::as_text).unwrap_or_default().to_owned()
                };
                let version = record.get("data").and_then(|data| data.get("version")).and_then(Json::as_int);
                history.push(ModuleLoaded {
                    name: text("name"),
                    version: version.unwrap_or_default() as u64,
                    row,
                    author: view.envelope(row.index)?.envelope.intent.author.clone(),
                    source: text("source"),
                });
            }
        }
        Ok(history)
    }

    /// A record type in the version in force: its fields, cells and rules. [`Error::Schema`](crate::Error::Schema) where there is none
    /// of that name, with the one that was probably meant.
    pub fn record_type(&self, name: &str) -> Result<Arc<RecordType>> {
        let authority = self.view()?.authority;
        authority.record_type(name).cloned().ok_or_else(|| unknown_type(&authority, name))
    }

    /// The member whose key the ledger was opened with, if it is one.
    pub fn own_member(&self) -> Result<Option<String>> {
        let writer = self.lock_writer()?;
        let key = writer.key.as_ref();
        Ok(key.and_then(|key| writer.authority.member_of(&key.public())).map(str::to_owned))
    }
}
