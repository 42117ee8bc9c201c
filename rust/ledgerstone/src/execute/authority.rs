//! Who may do what: members, keys, grants, log keys and modules in force, built from the records of the module `ledger` in their order.

mod checks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerstone_verify::canon::{Json, unb64_array};
use ledgerstone_verify::note::VerifierKey;

use crate::schema::{
    AddedKey, Module, OF_NEW_LEDGERS, RecordType, Semantics, parse_builtin, parse_instant, parse_with,
};

/// The role that the first member holds.
pub(crate) const ADMIN: &str = "ledger.admin";
/// The module that is part of the engine.
const BUILTIN: &str = "ledger";
/// The type of the records that release held ones.
pub(crate) const RELEASE: &str = "ledger.release";
/// The type of the record that raises the semantics.
pub(crate) const SEMANTICS: &str = "ledger.semantics";
/// The type of the first record.
pub(crate) const GENESIS: &str = "ledger.genesis";

/// A member's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyState {
    pub(crate) member: String,
    /// Index of the transaction that admitted it.
    pub(crate) added: u64,
    /// `None` while it is active.
    pub(crate) revoked: Option<Revocation>,
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// Index of the transaction that ended it.
    pub(crate) index: u64,
    pub(crate) reason: Option<String>,
    /// Ledger time, in microseconds, from which what it signed is doubtful.
    pub(crate) suspected_since: Option<i64>,
}

/// A role given to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantState {
    /// Index of the transaction that gave it.
    pub(crate) index: u64,
    /// Ledger time, in microseconds, from which it holds.
    pub(crate) from: Option<i64>,
    /// Ledger time, in microseconds, at which it ends.
    pub(crate) until: Option<i64>,
}

/// Members, keys, grants, log keys and modules in force.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    /// The semantics in force, which this build need not execute: what follows is unknown then.
    semantics: u64,
    modules: BTreeMap<String, Arc<Module>>,
    /// Every type of every version that was ever in force.
    versions: BTreeMap<(String, u64), Arc<RecordType>>,
    in_force: BTreeMap<String, Arc<RecordType>>,
    roles: BTreeSet<String>,
    members: BTreeSet<String>,
    keys: BTreeMap<[u8; 32], KeyState>,
    /// By member and role.
    grants: BTreeMap<(String, String), GrantState>,
    /// Public log keys, the newest last, and the index of the transaction that put each in force.
    log_keys: Vec<(u64, [u8; 32])>,
    /// Modules that are suspended by a record.
    suspended: BTreeSet<String>,
    /// The member who loaded the first version of a module, by its name.
    owners: BTreeMap<String, String>,
}

impl GrantState {
    /// Whether it holds at a ledger time.
    pub(crate) fn holds_at(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Whether it holds at a ledger time and at all later ones.
    fn is_for_good(&self, time: i64) -> bool {
        self.until.is_none() && self.holds_at(time)
    }
}

impl Authority {
    /// Before the genesis: the built-in module, and nobody. The semantics is that of new ledgers.
    pub(crate) fn new() -> Self {
        Self::of(OF_NEW_LEDGERS)
    }

    /// Before the genesis of a ledger that is made under a semantics.
    pub(crate) fn of(semantics: u64) -> Self {
        let mut authority = Authority {
            semantics,
            modules: BTreeMap::new(),
            versions: BTreeMap::new(),
            in_force: BTreeMap::new(),
            roles: BTreeSet::new(),
            members: BTreeSet::new(),
            keys: BTreeMap::new(),
            grants: BTreeMap::new(),
            log_keys: Vec::new(),
            suspended: BTreeSet::new(),
            owners: BTreeMap::new(),
        };
        authority.raise(semantics);
        authority
    }

    /// The type of that full name, in the version in force.
    pub(crate) fn record_type(&self, name: &str) -> Option<&Arc<RecordType>> {
        self.in_force.get(name)
    }

    /// The type of that full name in a version that was in force at some time.
    pub(crate) fn version(&self, name: &str, version: u64) -> Option<&Arc<RecordType>> {
        self.versions.get(&(name.to_owned(), version))
    }

    /// The types in force, by name.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Arc<RecordType>> {
        self.in_force.values()
    }

    /// Every version of every type that was in force at some time, by name and version.
    pub(crate) fn all_versions(&self) -> impl Iterator<Item = &Arc<RecordType>> {
        self.versions.values()
    }

    /// The versions of a type that were in force at some time.
    pub(crate) fn versions_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<RecordType>> {
        let from = (name.to_owned(), 0);
        self.versions.range(from..).take_while(move |((known, _), _)| known == name).map(|(_, declared)| declared)
    }

    /// The `unique` rules that later versions of a type have added to those of one of its versions: each as the version that added it
    /// has it, by which the records of that version have its keys.
    pub(crate) fn added_keys(&self, declared: &RecordType) -> Vec<AddedKey> {
        let mut added = Vec::new();
        if self.record_type(&declared.name).is_none_or(|now| now.version == declared.version) {
            return added;
        }
        let mut before = declared;
        for later in self.versions_of(&declared.name).filter(|later| later.version > declared.version) {
            added.extend(AddedKey::between(before, later));
            before = later;
        }
        added
    }

    /// The `unique` rules that were added since an earlier authority, to types that it had in force.
    pub(crate) fn added_since(&self, earlier: &Authority) -> Vec<AddedKey> {
        earlier.in_force().flat_map(|declared| self.added_keys(declared)).collect()
    }

    /// Modules in force, by name.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Arc<Module>> {
        self.modules.values()
    }

    /// Members, in the order of their ids.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Keys and whose they are.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&[u8; 32], &KeyState)> {
        self.keys.iter()
    }

    /// What is known of a key.
    pub(crate) fn key(&self, key: &[u8; 32]) -> Option<&KeyState> {
        self.keys.get(key)
    }

    /// The member whose key this is, if it is active.
    pub(crate) fn member_of(&self, key: &[u8; 32]) -> Option<&str> {
        self.keys.get(key).filter(|state| state.revoked.is_none()).map(|state| state.member.as_str())
    }

    /// The ledger time from which what a key signed is doubtful, if its revocation says one.
    pub(crate) fn suspected_since(&self, key: &[u8; 32]) -> Option<i64> {
        self.keys.get(key)?.revoked.as_ref()?.suspected_since
    }

    /// Roles given to a member, whether or not they hold now.
    pub(crate) fn grants_of<'a>(&'a self, member: &'a str) -> impl Iterator<Item = (&'a str, &'a GrantState)> {
        let own = self.grants.iter().filter(move |((holder, _), _)| holder == member);
        own.map(|((_, role), grant)| (role.as_str(), grant))
    }

    /// Whether a member holds a role at a ledger time.
    pub(crate) fn holds(&self, member: &str, role: &str, time: i64) -> bool {
        self.grant(member, role).is_some_and(|grant| grant.holds_at(time))
    }

    /// A role given to a member.
    pub(crate) fn grant(&self, member: &str, role: &str) -> Option<&GrantState> {
        self.grants.get(&(member.to_owned(), role.to_owned()))
    }

    /// Public log keys, the newest last, and the index of the transaction that put each in force.
    pub(crate) fn log_keys(&self) -> &[(u64, [u8; 32])] {
        &self.log_keys
    }

    /// The semantics in force.
    pub(crate) fn semantics(&self) -> u64 {
        self.semantics
    }

    /// The log key in force; `None` before the genesis.
    pub(crate) fn log_key(&self) -> Option<[u8; 32]> {
        self.log_keys.last().map(|(_, key)| *key)
    }

    /// Whether a module is suspended by a record.
    pub(crate) fn is_suspended(&self, module: &str) -> bool {
        self.suspended.contains(module)
    }

    /// A member loaded a module: its name is his, unless it is somebody's.
    pub(crate) fn claim(&mut self, module: &str, member: &str) {
        self.owners.entry(module.to_owned()).or_insert_with(|| member.to_owned());
    }

    /// The member who loaded the first version of a module, as long as he has an active key.
    pub(crate) fn owner(&self, module: &str) -> Option<&str> {
        let owner = self.owners.get(module)?;
        self.keys.values().any(|key| key.revoked.is_none() && key.member == *owner).then_some(owner)
    }

    /// Parses a schema file against the modules in force.
    pub(crate) fn parse_module(&self, source: &str, file: &str) -> Result<Module, crate::schema::SchemaErrors> {
        parse_with(source, file, &|name| self.in_force.get(name).cloned())
    }

    /// Puts a module in force. Others are read again where it follows another version of itself: they may refer to its types.
    fn put_in_force(&mut self, module: Module) {
        let name = module.name.clone();
        let follows = self.modules.contains_key(&name);
        self.declare(module);
        if !follows {
            return;
        }
        let others: Vec<Arc<Module>> = self.modules.values().cloned().collect();
        for other in others.iter().filter(|other| other.name != name && other.name != BUILTIN) {
            if let Ok(read) = self.parse_module(&other.source, &format!("{}.toml", other.name)) {
                self.declare(read);
            }
        }
    }

    fn declare(&mut self, module: Module) {
        for declared in &module.types {
            self.versions.insert((declared.name.clone(), declared.version), Arc::clone(declared));
            self.in_force.insert(declared.name.clone(), Arc::clone(declared));
        }
        self.roles.extend(module.roles.iter().map(|role| role.name.clone()));
        self.modules.insert(module.name.clone(), Arc::new(module));
    }

    /// What a record of the module `ledger` that stands does to authority, as part of the transaction at `index`. Other records do
    /// nothing.
    pub(crate) fn apply(&mut self, type_name: &str, data: &Json, index: u64) {
        match type_name {
            GENESIS => self.begin(data),
            "ledger.member" | "ledger.key" => {
                self.admit(data, index);
                self.revoke(bytes_of(data, "replaces"), Revocation { index, reason: None, suspected_since: None });
            }
            "ledger.revoke" => {
                let reason = data.get("reason").and_then(Json::as_text).map(str::to_owned);
                let suspected_since = instant(data, "suspected_since");
                self.revoke(bytes_of(data, "key"), Revocation { index, reason, suspected_since });
            }
            "ledger.grant" => {
                let place = (text(data, "member").to_owned(), text(data, "role").to_owned());
                if is_true(data, "granted") {
                    let (from, until) = (instant(data, "from"), instant(data, "until"));
                    self.grants.insert(place, GrantState { index, from, until });
                } else {
                    self.grants.remove(&place);
                }
            }
            "ledger.module" => {
                let file = format!("{}.toml", text(data, "name"));
                if let Ok(module) = self.parse_module(text(data, "source"), &file) {
                    self.put_in_force(module);
                }
            }
            "ledger.log_key" => self.log_keys.extend(bytes_of(data, "new").map(|key| (index, key))),
            SEMANTICS => self.raise(number(data, "semantics")),
            "ledger.suspend" => drop(self.suspended.insert(text(data, "module").to_owned())),
            "ledger.resume" => drop(self.suspended.remove(text(data, "module"))),
            _ => {}
        }
    }

    fn raise(&mut self, semantics: u64) {
        self.semantics = semantics;
        if let Some(semantics) = Semantics::of(semantics) {
            self.declare(parse_builtin(&(semantics.builtin)()).expect("the built-in module parses (tested)"));
        }
    }

    fn begin(&mut self, data: &Json) {
        self.admit(data, 0);
        let first = (text(data, "member").to_owned(), ADMIN.to_owned());
        self.grants.insert(first, GrantState { index: 0, from: None, until: None });
        let log_key =
            data.get("log_keys").and_then(Json::as_list).and_then(|keys| keys.first()).and_then(Json::as_text);
        let log_key = log_key.and_then(|key| VerifierKey::parse(key).ok());
        self.log_keys.extend(log_key.map(|key| (0, key.key().to_bytes())));
    }

    fn admit(&mut self, data: &Json, index: u64) {
        let member = text(data, "member").to_owned();
        if let Some(key) = bytes_of(data, "key") {
            self.keys.insert(key, KeyState { member: member.clone(), added: index, revoked: None });
        }
        self.members.insert(member);
    }

    fn revoke(&mut self, key: Option<[u8; 32]>, revocation: Revocation) {
        if let Some(state) = key.and_then(|key| self.keys.get_mut(&key)) {
            state.revoked = Some(revocation);
        }
    }
}

/// The module of a type's full name.
pub(crate) fn module_of(type_name: &str) -> &str {
    type_name.split_once('.').map_or(type_name, |(module, _)| module)
}

fn text<'a>(data: &'a Json, name: &str) -> &'a str {
    data.get(name).and_then(Json::as_text).unwrap_or("")
}

/// A number of a record of the module `ledger`; the greatest of all where there is none.
pub(super) fn number(data: &Json, name: &str) -> u64 {
    data.get(name).and_then(Json::as_int).and_then(|number| u64::try_from(number).ok()).unwrap_or(u64::MAX)
}

fn is_true(data: &Json, name: &str) -> bool {
    matches!(data.get(name), Some(Json::Bool(true)))
}

fn bytes_of<const N: usize>(data: &Json, name: &str) -> Option<[u8; N]> {
    unb64_array(text(data, name)).ok()
}

fn instant(data: &Json, name: &str) -> Option<i64> {
    parse_instant(data.get(name)?.as_text()?).ok()
}
