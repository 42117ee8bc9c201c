//! What rules cannot say of a record of the module `ledger`.

use ledgerstone_verify::canon::{Json, unb64};
use ledgerstone_verify::checkpoint::log_key_message;
use ledgerstone_verify::hash::sha3_256;
use ledgerstone_verify::key::PublicKey;

use super::{ADMIN, Authority, BUILTIN, SEMANTICS, bytes_of, is_true, module_of, number, text};
use crate::codes;
use crate::execute::gate::{Context, refusal};
use crate::execute::{Rejection, Upgrade};
use crate::schema::{Compatibility, Module, RecordType, Semantics, compat};

impl Authority {
    /// The first thing that is wrong with a record of the module `ledger`, given what it is decided with. A module is checked by
    /// [`Authority::check_module`].
    pub(in crate::execute) fn check(&self, type_name: &str, data: &Json, context: &Context) -> Result<(), Rejection> {
        match type_name {
            "ledger.member" => admissible(data, "key"),
            "ledger.key" => {
                self.known_member(data)?;
                admissible(data, "key")?;
                self.own_key(data)
            }
            "ledger.revoke" => {
                let key = bytes_of(data, "key");
                self.leaves_an_admin(context.time, &|_, own| Some(*own) != key)
            }
            "ledger.grant" => self.check_grant(data, context.time),
            "ledger.suspend" | "ledger.resume" => self.known_module(data),
            "ledger.log_key" => self.check_log_key(data, context),
            SEMANTICS => self.check_semantics(number(data, "semantics")),
            _ => Ok(()),
        }
    }

    /// Whether a record is about the keys of this member alone, so that he needs no role for it.
    pub(in crate::execute) fn is_about_own_key(&self, type_name: &str, data: &Json, member: &str) -> bool {
        match type_name {
            "ledger.key" => text(data, "member") == member,
            "ledger.revoke" => {
                bytes_of(data, "key").and_then(|key| self.key(&key)).is_some_and(|state| state.member == member)
            }
            _ => false,
        }
    }

    /// A module that can be suspended: a loaded one.
    fn known_module(&self, data: &Json) -> Result<(), Rejection> {
        let module = text(data, "module");
        if module != "ledger" && self.modules.contains_key(module) {
            return Ok(());
        }
        Err(refusal(codes::MODULE_NOT_LOADED, format!("no module {module} was loaded")).about("module"))
    }

    pub(in crate::execute) fn not_suspended(&self, record_type: &RecordType) -> Result<(), Rejection> {
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
        Err(refusal(codes::UNKNOWN_MEMBER, format!("{member} is not a member of this ledger")).about("member"))
    }

    /// A key takes the place of one of the same member. That the other is active is the business of the rules.
    fn own_key(&self, data: &Json) -> Result<(), Rejection> {
        let replaced = bytes_of(data, "replaces").and_then(|key| self.key(&key));
        match replaced {
            Some(state) if state.member != text(data, "member") => {
                let message = format!(
                    "the key to be replaced is one of {}: a key takes the place of one of the same member",
                    state.member
                );
                Err(refusal(codes::FOREIGN_KEY, message).about("replaces"))
            }
            _ => Ok(()),
        }
    }

    fn check_grant(&self, data: &Json, time: i64) -> Result<(), Rejection> {
        self.known_member(data)?;
        let (member, role) = (text(data, "member"), text(data, "role"));
        if !self.roles.contains(role) {
            let message = format!("no module in force declares a role {role}");
            return Err(refusal(codes::UNKNOWN_ROLE, message).about("role"));
        }
        if role == ADMIN && !is_true(data, "granted") {
            return self.leaves_an_admin(time, &|holder, _| holder != member);
        }
        Ok(())
    }

    /// Somebody can administer the ledger for good: a holder of `ledger.admin` at this ledger time and without an end, with an active
    /// key, of those that `remains` says are left. Nobody could ever make another.
    fn leaves_an_admin(&self, time: i64, remains: &dyn Fn(&str, &[u8; 32]) -> bool) -> Result<(), Rejection> {
        let is_admin = |member: &str| self.grant(member, ADMIN).is_some_and(|grant| grant.is_for_good(time));
        let is_left = self
            .keys()
            .any(|(key, state)| state.revoked.is_none() && is_admin(&state.member) && remains(&state.member, key));
        // Where nobody is now, this record takes nobody away.
        if is_left || !self.keys().any(|(_, state)| state.revoked.is_none() && is_admin(&state.member)) {
            return Ok(());
        }
        let message = format!(
            "no member with an active key would hold {ADMIN} now and without an end, and nobody could ever grant it again: add a key or grant the role to another first"
        );
        Err(refusal(codes::LAST_ADMIN, message))
    }

    /// The first thing that is wrong with a module, or what it asks of what is stored where it is a new version of one.
    pub(in crate::execute) fn check_module(&self, data: &Json) -> Result<Option<Upgrade>, Rejection> {
        let (name, source) = (text(data, "name"), text(data, "source"));
        if unb64(text(data, "hash")).ok().as_deref() != Some(&sha3_256(&[source.as_bytes()])) {
            return Err(refusal(codes::MODULE_HASH, "the hash is not that of the source".to_owned()).about("hash"));
        }
        let module = self
            .parse_module(source, &format!("{name}.toml"))
            .map_err(|errors| refusal(codes::MODULE_INVALID, errors.to_string()).about("source"))?;
        let version = data.get("version").and_then(Json::as_int);
        if module.name != name || i64::try_from(module.version).ok() != version {
            let found = format!("the file declares {} version {}", module.name, module.version);
            let field = if module.name == name { "version" } else { "name" };
            return Err(refusal(codes::MODULE_MISMATCH, found).about(field));
        }
        self.check_upgrade(module)
    }

    /// Whether a module may follow the version in force, if there is one: it fits it, and the modules that refer to it still read.
    fn check_upgrade(&self, module: Module) -> Result<Option<Upgrade>, Rejection> {
        let Some(in_force) = self.modules.get(&module.name) else { return Ok(None) };
        // The same version again is the business of the rules: the key of the record is taken.
        if in_force.version == module.version {
            return Ok(None);
        }
        let Compatibility { reasons, demands } = compat(in_force, &module);
        if !reasons.is_empty() {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            return Err(refusal(codes::MODULE_UPGRADE, reasons.join("; ")).about("source"));
        }
        let name = module.name.clone();
        let mut after = self.clone();
        after.declare(module);
        for other in self.modules.values().filter(|other| other.name != name && other.name != BUILTIN) {
            if let Err(errors) = after.parse_module(&other.source, &format!("{}.toml", other.name)) {
                let message = format!("{}, which refers to it, would not read any more: {errors}", other.name);
                return Err(refusal(codes::MODULE_UPGRADE, message).about("source"));
            }
        }
        Ok(Some(Upgrade { module: name, demands }))
    }

    /// The semantics rises, to one that this build executes.
    fn check_semantics(&self, raised: u64) -> Result<(), Rejection> {
        let in_force = self.semantics();
        if raised <= in_force {
            let message = format!(
                "the ledger is of semantics {in_force} already, and a record raises it: {raised} is not higher"
            );
            return Err(refusal(codes::SEMANTICS_NOT_RAISED, message));
        }
        if !Semantics::is_executed(raised) {
            let message = format!(
                "this build executes semantics {}, not {raised}; the ledger stays at {in_force}",
                Semantics::executed_in_words()
            );
            return Err(refusal(codes::SEMANTICS_UNKNOWN, message));
        }
        Ok(())
    }

    /// The new log key takes the place of the one in force, and both sign for it (FORMAT.md section 6).
    fn check_log_key(&self, data: &Json, context: &Context) -> Result<(), Rejection> {
        admissible(data, "new")?;
        let keys = bytes_of(data, "old").zip(bytes_of(data, "new"));
        let (Some((old, new)), Some(genesis)) = (keys, context.genesis) else {
            return Err(refusal(codes::LOG_KEY_MISMATCH, "a log key has 32 bytes".to_owned()).about("old"));
        };
        if self.log_key() != Some(old) {
            let message = "`old` is not the log key in force".to_owned();
            return Err(refusal(codes::LOG_KEY_MISMATCH, message).about("old"));
        }
        if self.log_keys.iter().any(|(_, known)| *known == new) {
            return Err(refusal(codes::LOG_KEY_USED, "this key was the log key before".to_owned()).about("new"));
        }
        let message = log_key_message(&genesis, &old, &new);
        for (key, name) in [(old, "old_signature"), (new, "new_signature")] {
            let signature = unb64(text(data, name)).unwrap_or_default();
            let checked = PublicKey::admit(&key).and_then(|key| key.verify(&message, &signature));
            checked.map_err(|error| refusal(codes::LOG_KEY_SIGNATURE, error.to_string()).about(name))?;
        }
        Ok(())
    }
}

fn admissible(data: &Json, name: &str) -> Result<(), Rejection> {
    let admitted = bytes_of(data, name).map(|key| PublicKey::admit(&key));
    match admitted {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(refusal(codes::WEAK_KEY, format!("{} {error}", text(data, name))).about(name)),
        None => {
            let found = unb64(text(data, name)).map_or(0, |bytes| bytes.len());
            let message = format!("a public key has 32 bytes, this one {found}");
            Err(refusal(codes::WEAK_KEY, message).about(name))
        }
    }
}
