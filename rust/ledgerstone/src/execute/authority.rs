//! Who may do what: members, keys, grants and modules in force, built from the records of the module `ledger` in their order.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledgerstone_verify::canon::{Json, unb64, unb64_array};
use ledgerstone_verify::hash::sha3_256;
use ledgerstone_verify::key::PublicKey;

use super::{Gate, PreparedChunk, Rejection};
use crate::codes;
use crate::schema::{Inputs, Module, Primitive, Reason, RecordType, compat, parse_builtin, parse_with};

/// The role that the first member holds.
pub(crate) const ADMIN: &str = "ledger.admin";
/// The module that is part of the engine.
const BUILTIN: &str = "ledger";
/// The type of the records that release held ones.
pub(crate) const RELEASE: &str = "ledger.release";
/// The type of the first record.
pub(crate) const GENESIS: &str = "ledger.genesis";

/// A member's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyState {
    pub(crate) member: String,
    pub(crate) active: bool,
}

/// Members, keys, grants and modules in force.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    modules: BTreeMap<String, Arc<Module>>,
    /// Every type of every version that was ever in force.
    versions: BTreeMap<(String, u64), Arc<RecordType>>,
    in_force: BTreeMap<String, Arc<RecordType>>,
    roles: BTreeSet<String>,
    members: BTreeSet<String>,
    keys: BTreeMap<[u8; 32], KeyState>,
    grants: BTreeSet<(String, String)>,
    /// Modules that are suspended by a record.
    suspended: BTreeSet<String>,
}

impl Authority {
    /// Before the genesis: the built-in module, and nobody.
    pub(crate) fn new() -> Self {
        let builtin = parse_builtin(ledgerstone_schemas::LEDGER).expect("the built-in module parses (tested)");
        let mut authority = Authority {
            modules: BTreeMap::new(),
            versions: BTreeMap::new(),
            in_force: BTreeMap::new(),
            roles: BTreeSet::new(),
            members: BTreeSet::new(),
            keys: BTreeMap::new(),
            grants: BTreeSet::new(),
            suspended: BTreeSet::new(),
        };
        authority.put_in_force(builtin);
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

    /// Every version of a type that was ever in force.
    pub(crate) fn versions_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a RecordType> {
        let from = (name.to_owned(), 0);
        self.versions.range(from..).take_while(move |((known, _), _)| known == name).map(|(_, declared)| &**declared)
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

    /// The member whose key this is, if it is active.
    pub(crate) fn member_of(&self, key: &[u8; 32]) -> Option<&str> {
        self.keys.get(key).filter(|state| state.active).map(|state| state.member.as_str())
    }

    /// Roles that a member holds.
    pub(crate) fn roles_of<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a str> {
        self.grants.iter().filter(move |(holder, _)| holder == member).map(|(_, role)| role.as_str())
    }

    /// Parses a schema file against the modules in force.
    pub(crate) fn parse_module(&self, source: &str, file: &str) -> Result<Module, crate::schema::SchemaErrors> {
        parse_with(source, file, &|name| self.in_force.get(name).cloned())
    }

    fn holds(&self, member: &str, role: &str) -> bool {
        self.grants.contains(&(member.to_owned(), role.to_owned()))
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

    /// What rules cannot say of a record of the module `ledger`.
    fn check(&self, type_name: &str, data: &Json) -> Result<(), Rejection> {
        match type_name {
            "ledger.member" => admissible(data),
            "ledger.key" => {
                self.known_member(data)?;
                admissible(data)
            }
            "ledger.grant" => {
                self.known_member(data)?;
                let role = text(data, "role");
                if self.roles.contains(role) {
                    return Ok(());
                }
                Err(refusal(codes::UNKNOWN_ROLE, format!("no module in force declares a role {role}")))
            }
            "ledger.module" => self.check_module(data),
            "ledger.suspend" | "ledger.resume" => self.known_module(data),
            _ => Ok(()),
        }
    }

    /// A module that can be suspended: a loaded one.
    fn known_module(&self, data: &Json) -> Result<(), Rejection> {
        let module = text(data, "module");
        if module != "ledger" && self.modules.contains_key(module) {
            return Ok(());
        }
        Err(refusal(codes::MODULE_NOT_LOADED, format!("no module {module} was loaded")))
    }

    /// Whether a module is suspended by a record.
    pub(crate) fn is_suspended(&self, module: &str) -> bool {
        self.suspended.contains(module)
    }

    fn not_suspended(&self, record_type: &RecordType) -> Result<(), Rejection> {
        let module = module_of(&record_type.name);
        if !self.is_suspended(module) {
            return Ok(());
        }
        let message = format!("the module {module} is suspended; a holder of {ADMIN} resumes it with ledger.resume");
        Err(refusal(codes::MODULE_SUSPENDED, message))
    }

    fn known_member(&self, data: &Json) -> Result<(), Rejection> {
        let member = text(data, "member");
        if self.members.contains(member) {
            return Ok(());
        }
        Err(refusal(codes::UNKNOWN_MEMBER, format!("{member} is not a member of this ledger")))
    }

    fn check_module(&self, data: &Json) -> Result<(), Rejection> {
        let (name, source) = (text(data, "name"), text(data, "source"));
        if unb64(text(data, "hash")).ok().as_deref() != Some(&sha3_256(&[source.as_bytes()])) {
            return Err(refusal(codes::MODULE_HASH, "the hash is not that of the source".to_owned()));
        }
        let module = self
            .parse_module(source, &format!("{name}.toml"))
            .map_err(|errors| refusal(codes::MODULE_INVALID, errors.to_string()))?;
        let version = data.get("version").and_then(Json::as_int);
        if module.name != name || i64::try_from(module.version).ok() != version {
            let found = format!("the file declares {} version {}", module.name, module.version);
            return Err(refusal(codes::MODULE_MISMATCH, found));
        }
        self.check_upgrade(module)
    }

    /// Whether a module may follow the version in force, if there is one: it fits it, and the modules that refer to it still read.
    fn check_upgrade(&self, module: Module) -> Result<(), Rejection> {
        let Some(in_force) = self.modules.get(&module.name) else { return Ok(()) };
        // The same version again is the business of the rules: the key of the record is taken.
        if in_force.version == module.version {
            return Ok(());
        }
        let reasons: Vec<String> = compat(in_force, &module).iter().map(ToString::to_string).collect();
        if !reasons.is_empty() {
            return Err(refusal(codes::MODULE_UPGRADE, reasons.join("; ")));
        }
        let name = module.name.clone();
        let mut after = self.clone();
        after.declare(module);
        for other in self.modules.values().filter(|other| other.name != name && other.name != BUILTIN) {
            if let Err(errors) = after.parse_module(&other.source, &format!("{}.toml", other.name)) {
                let message = format!("{}, which refers to it, would not read any more: {errors}", other.name);
                return Err(refusal(codes::MODULE_UPGRADE, message));
            }
        }
        Ok(())
    }

    /// What a record of the module `ledger` that stands does to authority. Other records do nothing.
    pub(crate) fn apply(&mut self, type_name: &str, data: &Json) {
        match type_name {
            GENESIS => {
                self.admit(data);
                self.grants.insert((text(data, "member").to_owned(), ADMIN.to_owned()));
            }
            "ledger.member" | "ledger.key" => self.admit(data),
            "ledger.revoke" => {
                if let Some(state) = key_of(data).and_then(|key| self.keys.get_mut(&key)) {
                    state.active = false;
                }
            }
            "ledger.grant" => {
                let grant = (text(data, "member").to_owned(), text(data, "role").to_owned());
                if matches!(data.get("granted"), Some(Json::Bool(true))) {
                    self.grants.insert(grant);
                } else {
                    self.grants.remove(&grant);
                }
            }
            "ledger.module" => {
                let file = format!("{}.toml", text(data, "name"));
                if let Ok(module) = self.parse_module(text(data, "source"), &file) {
                    self.put_in_force(module);
                }
            }
            "ledger.suspend" => drop(self.suspended.insert(text(data, "module").to_owned())),
            "ledger.resume" => drop(self.suspended.remove(text(data, "module"))),
            _ => {}
        }
    }

    fn admit(&mut self, data: &Json) {
        let member = text(data, "member").to_owned();
        if let Some(key) = key_of(data) {
            self.keys.insert(key, KeyState { member: member.clone(), active: true });
        }
        self.members.insert(member);
    }
}

/// The gate of one transaction: what its author may append. Changes of authority act from the next record on.
pub(crate) struct AuthorityGate {
    pub(crate) authority: Arc<Authority>,
    author: String,
    is_genesis: bool,
    ledger_time: i64,
    /// What rules see, until authority changes.
    inputs: OnceCell<Arc<Inputs>>,
    /// The chunk asked about last, by its first position, and the answer: it is the same for every row.
    answered: Option<(u32, Result<(), Rejection>)>,
    /// The type of the record at hand where a rule made it; otherwise it is that of the chunk asked about last.
    follows: Cell<Option<Arc<RecordType>>>,
}

impl AuthorityGate {
    /// The gate of a transaction by `author` at a ledger time (microseconds since 1970); `is_genesis` for index 0.
    pub(crate) fn new(authority: Arc<Authority>, author: &str, is_genesis: bool, ledger_time: i64) -> Self {
        let author = author.to_owned();
        AuthorityGate {
            authority,
            author,
            is_genesis,
            ledger_time,
            inputs: OnceCell::new(),
            answered: None,
            follows: Cell::new(None),
        }
    }

    fn ask(&self, record_type: &RecordType) -> Result<(), Rejection> {
        if (record_type.name == GENESIS) != self.is_genesis {
            let message = "ledger.genesis is the first record of a ledger, and its only one".to_owned();
            return Err(refusal(codes::FORBIDDEN, message));
        }
        self.authority.not_suspended(record_type)?;
        // Who may release a record is the business of the record that is held.
        let roles = &record_type.authorise;
        if self.is_genesis
            || record_type.name == RELEASE
            || roles.iter().any(|role| self.authority.holds(&self.author, role))
        {
            return Ok(());
        }
        let message = format!(
            "member {} may not append {}; the role {} allows it, which a holder of {ADMIN} can grant",
            self.author,
            record_type.name,
            roles.join(" or "),
        );
        Err(refusal(codes::FORBIDDEN, message))
    }
}

impl AuthorityGate {
    /// Loading a module whose records are followed by those of another takes a role that may append these: the author's or an endorser's.
    fn may_emit(&self, data: &Json) -> Result<(), Rejection> {
        let Ok(module) = self.authority.parse_module(text(data, "source"), text(data, "name")) else { return Ok(()) };
        let inputs = self.inputs();
        let rules = module.types.iter().flat_map(|declared| &declared.rules);
        let targets = rules.filter_map(|rule| match &rule.primitive {
            Primitive::Emit { target, .. } if module_of(target) != module.name => self.authority.record_type(target),
            _ => None,
        });
        for target in targets {
            let endorsers = inputs.endorsers.iter().map(|endorser| &endorser.roles);
            let mut holders = std::iter::once(&inputs.roles).chain(endorsers);
            if !holders.any(|roles| target.authorise.iter().any(|role| roles.contains(role))) {
                let (name, roles) = (&module.name, target.authorise.join(" or "));
                let message = format!(
                    "records of {name} are followed by {}: a holder of {roles} has to load the module, or to endorse it",
                    target.name
                );
                return Err(refusal(codes::FORBIDDEN, message));
            }
        }
        Ok(())
    }

    /// The module whose rules look at the record at hand.
    pub(crate) fn module_at_hand(&self, chunks: &[PreparedChunk]) -> String {
        let made = self.follows.take();
        let asked = self.answered.as_ref().map(|(first, _)| *first);
        let chunk = chunks.iter().find(|chunk| chunk.positions.first().copied() == asked).or(chunks.first());
        let record_type = made.as_ref().or(chunk.map(|chunk| &chunk.record_type));
        record_type.map_or("ledger", |record_type| module_of(&record_type.name)).to_owned()
    }
}

impl Gate for AuthorityGate {
    fn authorise(&mut self, chunk: &PreparedChunk) -> Result<(), Rejection> {
        *self.follows.get_mut() = None;
        if let Some((first, answer)) = &self.answered
            && Some(first) == chunk.positions.first()
        {
            return answer.clone();
        }
        let answer = self.ask(&chunk.record_type);
        self.answered = chunk.positions.first().map(|first| (*first, answer.clone()));
        answer
    }

    fn check(&mut self, chunk: &PreparedChunk, row: usize) -> Result<(), Rejection> {
        if !is_builtin(&chunk.record_type) {
            return Ok(());
        }
        let data = super::matching::data_of(chunk.bytes.row(row)).unwrap_or(Json::Null);
        if self.is_genesis && (text(&data, "member") != self.author || !self.authority.members.is_empty()) {
            let message = "the first record is the only one, and names its author as the first member".to_owned();
            return Err(refusal(codes::FORBIDDEN, message));
        }
        self.authority.check(&chunk.record_type.name, &data)?;
        if chunk.record_type.name == "ledger.module" { self.may_emit(&data) } else { Ok(()) }
    }

    fn inputs(&self) -> Arc<Inputs> {
        let made = self.inputs.get_or_init(|| {
            Arc::new(Inputs {
                author: self.author.clone(),
                roles: self.authority.roles_of(&self.author).map(str::to_owned).collect(),
                endorsers: Vec::new(),
                ledger_time: self.ledger_time,
            })
        });
        Arc::clone(made)
    }

    fn record_type(&self, name: &str, version: u64) -> Option<Arc<RecordType>> {
        self.authority.version(name, version).cloned()
    }

    fn accepted(&mut self, chunk: &PreparedChunk, row: usize) {
        if is_builtin(&chunk.record_type)
            && let Some(data) = super::matching::data_of(chunk.bytes.row(row))
        {
            Arc::make_mut(&mut self.authority).apply(&chunk.record_type.name, &data);
            self.answered = None;
            self.inputs.take();
        }
    }

    fn in_force(&self, name: &str) -> Option<Arc<RecordType>> {
        self.authority.record_type(name).cloned()
    }

    fn may_follow(&self, record_type: &Arc<RecordType>) -> Result<(), Rejection> {
        self.follows.set(Some(Arc::clone(record_type)));
        self.authority.not_suspended(record_type)
    }

    fn may_release(&self, record_type: &RecordType) -> Result<(), Rejection> {
        // The version in force says who may; the one that held the record says what is checked.
        let in_force = self.authority.record_type(&record_type.name);
        let roles = in_force.map_or(&record_type.release, |in_force| &in_force.release);
        if roles.iter().any(|role| self.authority.holds(&self.author, role)) {
            return Ok(());
        }
        let (author, name) = (&self.author, &record_type.name);
        let message = format!("member {author} may not release {name}; the role {} allows it", roles.join(" or "));
        Err(refusal(codes::FORBIDDEN, message))
    }
}

/// The module of a type's full name.
pub(crate) fn module_of(type_name: &str) -> &str {
    type_name.split_once('.').map_or(type_name, |(module, _)| module)
}

fn is_builtin(record_type: &RecordType) -> bool {
    record_type.name.starts_with("ledger.")
}

fn refusal(code: &str, message: String) -> Rejection {
    Rejection { reason: Reason { code: code.to_owned(), message }, cell: None }
}

fn text<'a>(data: &'a Json, name: &str) -> &'a str {
    data.get(name).and_then(Json::as_text).unwrap_or("")
}

fn key_of(data: &Json) -> Option<[u8; 32]> {
    unb64_array(text(data, "key")).ok()
}

fn admissible(data: &Json) -> Result<(), Rejection> {
    let admitted = key_of(data).map(|key| PublicKey::admit(&key));
    match admitted {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(refusal(codes::WEAK_KEY, format!("{} {error}", text(data, "key")))),
        None => {
            let found = unb64(text(data, "key")).map_or(0, |bytes| bytes.len());
            let message = format!("a public key has 32 bytes, this one {found}");
            Err(refusal(codes::WEAK_KEY, message))
        }
    }
}
