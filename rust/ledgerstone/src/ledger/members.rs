//! Who and what is in force: members with the history of their keys and grants, modules; and what is doubtful.

use std::sync::Arc;

use ledgerstone_verify::canon::Json;
use ledgerstone_verify::envelope::Signature;
use ledgerstone_verify::receipt::Receipt;

use super::view::record_type_of;
use super::{Ledger, View, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::{Authority, KeyState};
use crate::model::RowId;
use crate::query::Segments;
use crate::schema::RecordType;

/// An admitted identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its keys, active and revoked, in the order in which they were added.
    pub keys: Vec<MemberKey>,
    /// Full names of the roles that it holds at the ledger time of the newest transaction.
    pub roles: Vec<String>,
    /// Every role that it was given and that was not withdrawn, by name.
    pub grants: Vec<Grant>,
}

/// A key of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKey {
    /// The public key.
    pub public: [u8; 32],
    /// Index of the transaction that added it.
    pub added: u64,
    /// `None` while it is active.
    pub revoked: Option<Revoked>,
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Index of the transaction that ended it.
    pub index: u64,
    /// Why, in the words of who did.
    pub reason: Option<String>,
    /// Ledger time, in microseconds since 1970, from which what the key signed is doubtful.
    pub suspected_since: Option<i64>,
    /// Transactions that it signed from then on.
    pub doubtful: u64,
}

/// A role given to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Full name of the role.
    pub role: String,
    /// Index of the transaction that gave it.
    pub index: u64,
    /// Ledger time, in microseconds since 1970, from which it holds; `None`: from its transaction on.
    pub from: Option<i64>,
    /// Ledger time, in microseconds since 1970, at which it ends; `None`: it does not.
    pub until: Option<i64>,
}

/// A signature that holds, by a key that is under suspicion for the time in which it signed. Evidence, and no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The member whose key it is.
    pub member: String,
    /// The public key.
    pub key: [u8; 32],
    /// Ledger time, in microseconds since 1970, from which what the key signed is doubtful.
    pub suspected_since: i64,
    /// Index of the transaction that revoked it.
    pub revoked: u64,
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
        let view = self.view()?;
        let time = clock::parse(&view.envelope(view.size - 1)?.envelope.time)?;
        view.authority.members().map(|id| member(&view, id, time)).collect()
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
        for run in Segments::new("ledger.module", 0, view.size).all(&*view.snapshot)? {
            let chunks = view.read(|reader| reader.run("ledger.module", run))?;
            for row in chunks.into_iter().flat_map(|chunk| chunk.rows) {
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
        record_type_of(&self.view()?.authority, name)
    }

    /// The member whose key the ledger was opened with, if it is one.
    pub fn own_member(&self) -> Result<Option<String>> {
        let Ok(key) = self.author_key() else { return Ok(None) };
        Ok(self.view()?.authority.member_of(&key.public()).map(str::to_owned))
    }

    /// What this ledger says of a receipt beyond what it proves: the signatures of its transaction that are doubtful. An error where the
    /// receipt is not of this ledger. The receipt itself is verified by [`Receipt::verify`].
    pub fn doubts(&self, receipt: &Receipt) -> Result<Vec<Doubt>> {
        let view = self.view()?;
        let index = ledgerstone_verify::Envelope::parse(receipt.envelope.as_bytes())
            .map_err(|error| Error::verification(error.kind().code(), error.to_string()))?
            .index;
        let stored = if index < view.size { Some(view.envelope(index)?) } else { None };
        let stored = stored.filter(|stored| stored.text == receipt.envelope.as_bytes()).ok_or_else(|| {
            let message = format!("the ledger holds another transaction {index} than the receipt, or none");
            Error::verification(codes::LINK_BROKEN, message)
        })?;
        let time = clock::parse(&stored.envelope.time)?;
        Ok(doubts(&view.authority, &stored.envelope.signatures, time))
    }
}

/// The doubtful ones among the signatures of a transaction of that ledger time.
pub(crate) fn doubts(authority: &Authority, signatures: &[Signature], time: i64) -> Vec<Doubt> {
    let doubt = |by: &Signature| {
        let end = authority.key(&by.key)?.revoked.as_ref()?;
        let suspected_since = end.suspected_since.filter(|since| *since <= time)?;
        Some(Doubt { member: by.member.clone(), key: by.key, suspected_since, revoked: end.index })
    };
    signatures.iter().filter_map(doubt).collect()
}

fn member(view: &View, id: &str, time: i64) -> Result<Member> {
    let mut own: Vec<(&[u8; 32], &KeyState)> = view.authority.keys().filter(|(_, state)| state.member == id).collect();
    own.sort_by_key(|(key, state)| (state.added, **key));
    let keys = own.into_iter().map(|(key, state)| member_key(view, key, state)).collect::<Result<_>>()?;
    let grants = view.authority.grants_of(id).map(|(role, grant)| {
        let held = grant.holds_at(time);
        let grant = Grant { role: role.to_owned(), index: grant.index, from: grant.from, until: grant.until };
        (held, grant)
    });
    let grants: Vec<(bool, Grant)> = grants.collect();
    Ok(Member {
        id: id.to_owned(),
        keys,
        roles: grants.iter().filter(|(held, _)| *held).map(|(_, grant)| grant.role.clone()).collect(),
        grants: grants.into_iter().map(|(_, grant)| grant).collect(),
    })
}

fn member_key(view: &View, key: &[u8; 32], state: &KeyState) -> Result<MemberKey> {
    let revoked = match &state.revoked {
        None => None,
        Some(end) => Some(Revoked {
            index: end.index,
            reason: end.reason.clone(),
            suspected_since: end.suspected_since,
            doubtful: match end.suspected_since {
                None => 0,
                Some(since) => signed_since(view, key, since, end.index)?,
            },
        }),
    };
    Ok(MemberKey { public: *key, added: state.added, revoked })
}

/// How many transactions a key signed from a ledger time on, up to the index that revoked it. Ledger time never decreases, so they are
/// read from there backwards.
fn signed_since(view: &View, key: &[u8; 32], since: i64, last: u64) -> Result<u64> {
    let mut count = 0;
    for index in (0..=last.min(view.size - 1)).rev() {
        let envelope = view.envelope(index)?.envelope;
        if clock::parse(&envelope.time)? < since {
            break;
        }
        count += u64::from(envelope.signatures.iter().any(|by| by.key == *key));
    }
    Ok(count)
}
