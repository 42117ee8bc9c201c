//! The gate of one transaction: who appends, who endorsed it, when, and what they may.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerstone_verify::canon::Json;
use ledgerstone_verify::hash::Hash;

use super::authority::{ADMIN, Authority, GENESIS, RELEASE, module_of};
use super::matching::data_of;
use super::{Gate, PreparedChunk, Rejection, Upgrade};
use crate::codes;
use crate::schema::{AddedKey, Endorse, Endorser, Inputs, Primitive, Reason, RecordType, write_instant};

/// Called with the name of a module before its rules look at records.
pub(crate) type Probe = Arc<dyn Fn(&str) + Send + Sync>;

/// What a transaction is decided with, beside its records and the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// The member who signed it.
    pub(crate) author: String,
    /// The members who endorsed it, sorted.
    pub(crate) endorsers: Vec<String>,
    /// Its ledger time, in microseconds since 1970-01-01T00:00:00Z.
    pub(crate) time: i64,
    /// Its place in the log.
    pub(crate) index: u64,
    /// The genesis hash; `None` at index 0.
    pub(crate) genesis: Option<Hash>,
}

/// The gate of one transaction. Changes of authority act from the next record on.
pub(crate) struct AuthorityGate {
    pub(crate) authority: Arc<Authority>,
    context: Context,
    /// What rules see, until authority changes.
    inputs: OnceCell<Arc<Inputs>>,
    /// The chunk asked about last, by its first position, and the answer, where it is the same for every row.
    answered: Option<(u32, Result<(), Rejection>)>,
    /// The chunk of the record at hand, by its first position.
    at_hand: Option<u32>,
    /// The type of the record at hand where a rule made it.
    follows: Cell<Option<Arc<RecordType>>>,
    probe: Option<Probe>,
}

impl AuthorityGate {
    /// The gate of a transaction, before its first record.
    pub(crate) fn new(authority: Arc<Authority>, context: Context) -> Self {
        let (inputs, follows) = (OnceCell::new(), Cell::new(None));
        AuthorityGate { authority, context, inputs, answered: None, at_hand: None, follows, probe: None }
    }

    /// Calls `probe` where the rules of another type begin to look at records.
    pub(crate) fn probed(self, probe: Option<Probe>) -> Self {
        AuthorityGate { probe, ..self }
    }

    fn rules(&self, record_type: &RecordType) {
        if let Some(probe) = &self.probe {
            probe(module_of(&record_type.name));
        }
    }

    fn is_genesis(&self) -> bool {
        self.context.index == 0
    }

    /// Whether the author holds a role that the type asks for.
    fn ask(&self, record_type: &RecordType) -> Result<(), Rejection> {
        if (record_type.name == GENESIS) != self.is_genesis() {
            let message = "ledger.genesis is the first record of a ledger, and its only one".to_owned();
            return Err(refusal(codes::FORBIDDEN, message));
        }
        self.is_in_force(record_type)?;
        self.authority.not_suspended(record_type)?;
        let (roles, author, time) = (&record_type.authorise, &self.context.author, self.context.time);
        // Who may release a record is the business of the record that is held.
        let is_release = record_type.name == RELEASE;
        if self.is_genesis() || is_release || roles.iter().any(|role| self.authority.holds(author, role, time)) {
            return Ok(());
        }
        let message = match roles.iter().find_map(|role| self.out_of_time(role)) {
            Some(why) => format!("member {author} may not append {}: {why}", record_type.name),
            None => format!(
                "member {author} may not append {}; the role {} allows it, which a holder of {ADMIN} can grant",
                record_type.name,
                roles.join(" or "),
            ),
        };
        Err(refusal(codes::FORBIDDEN, message))
    }

    /// Whether a record is of the version of its module that is in force where it stands.
    fn is_in_force(&self, record_type: &RecordType) -> Result<(), Rejection> {
        let RecordType { name, version, .. } = record_type;
        let message = match self.authority.record_type(name) {
            Some(in_force) if in_force.version == *version => return Ok(()),
            Some(in_force) => {
                format!("it is of version {version}, and where it stands version {} is in force", in_force.version)
            }
            None => format!("it is of version {version}, and where it stands no version is in force"),
        };
        Err(refusal(codes::MODULE_VERSION, message))
    }

    /// Why a role that was granted to the author does not hold now.
    fn out_of_time(&self, role: &str) -> Option<String> {
        let grant = self.authority.grant(&self.context.author, role)?;
        let now = shown(self.context.time);
        match (grant.from, grant.until) {
            (Some(from), _) if self.context.time < from => {
                Some(format!("the grant of {role} begins at {}, and ledger time is {now}", shown(from)))
            }
            (_, Some(until)) => {
                Some(format!("the grant of {role} ended at {}, and ledger time is {now}", shown(until)))
            }
            _ => None,
        }
    }

    /// Full names of the roles that a member holds now.
    fn roles_of(&self, member: &str) -> BTreeSet<String> {
        let held = self.authority.grants_of(member).filter(|(_, grant)| grant.holds_at(self.context.time));
        held.map(|(role, _)| role.to_owned()).collect()
    }

    /// How many of the endorsers hold one of these roles now. The author is none of them.
    fn endorsed_by(&self, roles: &[String]) -> usize {
        let endorsers = &self.inputs().endorsers;
        endorsers.iter().filter(|endorser| roles.iter().any(|role| endorser.roles.contains(role))).count()
    }

    /// Whether a record is about the author's own keys, for which he needs no role.
    fn is_own_business(&self, chunk: &PreparedChunk, row: usize) -> bool {
        let type_name = &chunk.record_type.name;
        matches!(type_name.as_str(), "ledger.key" | "ledger.revoke")
            && data_of(chunk.bytes.row(row))
                .is_some_and(|data| self.authority.is_about_own_key(type_name, &data, &self.context.author))
    }

    /// What a policy of the type still asks for.
    fn missing(&self, policy: &Endorse) -> Result<(), Rejection> {
        let found = self.endorsed_by(&policy.roles);
        if found >= policy.count {
            return Ok(());
        }
        let missing = policy.count - found;
        let plural = if missing == 1 { "" } else { "s" };
        let reason = Reason {
            code: policy.reason.code.clone(),
            message: format!(
                "{}: {missing} more endorsement{plural} by holders of {} (of {} needed; the author does not count)",
                policy.reason.message,
                policy.roles.join(" or "),
                policy.count
            ),
        };
        Err(Rejection::because(reason))
    }

    /// Loading a module whose records are followed by those of another takes a role that may append these: the author's or an endorser's.
    fn may_emit(&self, data: &Json) -> Result<(), Rejection> {
        let text = |name: &str| data.get(name).and_then(Json::as_text).unwrap_or("");
        let Ok(module) = self.authority.parse_module(text("source"), text("name")) else { return Ok(()) };
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

    /// The name of a module belongs to who loaded it first: he loads its next version, or endorses it.
    fn may_replace(&self, module: &str) -> Result<(), Rejection> {
        let Context { author, endorsers, .. } = &self.context;
        let Some(owner) = self.authority.owner(module).filter(|owner| author != owner) else { return Ok(()) };
        if endorsers.iter().any(|endorser| endorser == owner) {
            return Ok(());
        }
        let message = format!(
            "the module {module} belongs to member {owner}, who loaded it first: he has to load its next version, or to endorse it"
        );
        Err(refusal(codes::FORBIDDEN, message))
    }

    /// The module whose rules look at the record at hand.
    pub(crate) fn module_at_hand(&self, chunks: &[PreparedChunk]) -> String {
        let made = self.follows.take();
        let chunk = chunks.iter().find(|chunk| chunk.positions.first().copied() == self.at_hand).or(chunks.first());
        let record_type = made.as_ref().or(chunk.map(|chunk| &chunk.record_type));
        record_type.map_or("ledger", |record_type| module_of(&record_type.name)).to_owned()
    }

    fn permitted(&mut self, chunk: &PreparedChunk, row: usize) -> Result<(), Rejection> {
        if let Some((first, answer)) = &self.answered
            && Some(first) == chunk.positions.first()
        {
            return answer.clone();
        }
        if self.is_own_business(chunk, row) {
            return Ok(());
        }
        let answer = self.ask(&chunk.record_type);
        if answer.is_ok() || !is_builtin(&chunk.record_type) {
            self.answered = chunk.positions.first().map(|first| (*first, answer.clone()));
        }
        answer
    }
}

impl Gate for AuthorityGate {
    fn inputs(&self) -> Arc<Inputs> {
        let made = self.inputs.get_or_init(|| {
            let endorser = |member: &String| Endorser { member: member.clone(), roles: self.roles_of(member) };
            Arc::new(Inputs {
                author: self.context.author.clone(),
                roles: self.roles_of(&self.context.author),
                endorsers: self.context.endorsers.iter().map(endorser).collect(),
                ledger_time: self.context.time,
            })
        });
        Arc::clone(made)
    }

    fn record_type(&self, name: &str, version: u64) -> Option<Arc<RecordType>> {
        self.authority.version(name, version).cloned()
    }

    fn authorise(&mut self, chunk: &PreparedChunk, row: usize) -> Result<(), Rejection> {
        *self.follows.get_mut() = None;
        let first = chunk.positions.first().copied();
        if self.at_hand != first {
            self.at_hand = first;
            self.rules(&chunk.record_type);
        }
        self.permitted(chunk, row)?;
        chunk.endorsements(row).try_for_each(|policy| self.missing(policy))
    }

    fn check(&mut self, chunk: &PreparedChunk, row: usize) -> Result<Option<Upgrade>, Rejection> {
        if !is_builtin(&chunk.record_type) {
            return Ok(None);
        }
        let data = data_of(chunk.bytes.row(row)).unwrap_or(Json::Null);
        let is_author = data.get("member").and_then(Json::as_text) == Some(&self.context.author);
        if self.is_genesis() && (!is_author || self.authority.members().next().is_some()) {
            let message = "the first record is the only one, and names its author as the first member".to_owned();
            return Err(refusal(codes::FORBIDDEN, message));
        }
        if chunk.record_type.name == "ledger.module" {
            let upgrade = self.authority.check_module(&data)?;
            upgrade.iter().try_for_each(|upgrade| self.may_replace(&upgrade.module))?;
            return self.may_emit(&data).map(|()| upgrade);
        }
        self.authority.check(&chunk.record_type.name, &data, &self.context).map(|()| None)
    }

    fn added_keys(&self, record_type: &RecordType) -> Vec<AddedKey> {
        self.authority.added_keys(record_type)
    }

    fn in_force(&self, name: &str) -> Option<Arc<RecordType>> {
        self.authority.record_type(name).cloned()
    }

    fn may_follow(&self, record_type: &Arc<RecordType>) -> Result<(), Rejection> {
        self.follows.set(Some(Arc::clone(record_type)));
        self.rules(record_type);
        self.authority.not_suspended(record_type)
    }

    fn may_release(&self, record_type: &RecordType) -> Result<(), Rejection> {
        // The version in force says who may; the one that held the record says what is checked.
        let in_force = self.authority.record_type(&record_type.name);
        let roles = in_force.map_or(&record_type.release, |in_force| &in_force.release);
        let (author, time) = (&self.context.author, self.context.time);
        if roles.iter().any(|role| self.authority.holds(author, role, time)) {
            return Ok(());
        }
        let name = &record_type.name;
        let message = format!("member {author} may not release {name}; the role {} allows it", roles.join(" or "));
        Err(refusal(codes::FORBIDDEN, message))
    }

    fn accepted(&mut self, chunk: &PreparedChunk, row: usize) {
        if is_builtin(&chunk.record_type)
            && let Some(data) = data_of(chunk.bytes.row(row))
        {
            let authority = Arc::make_mut(&mut self.authority);
            authority.apply(&chunk.record_type.name, &data, self.context.index);
            if chunk.record_type.name == "ledger.module" {
                authority.claim(data.get("name").and_then(Json::as_text).unwrap_or_default(), &self.context.author);
            }
            self.answered = None;
            self.inputs.take();
        }
    }
}

/// Whether a type is one of the module `ledger`.
pub(super) fn is_builtin(record_type: &RecordType) -> bool {
    record_type.name.starts_with("ledger.")
}

fn shown(time: i64) -> String {
    let mut text = Vec::new();
    write_instant(time, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The refusal of a record that the engine itself gives the reason of.
pub(in crate::execute) fn refusal(code: &str, message: String) -> Rejection {
    Rejection::because(Reason { code: code.to_owned(), message })
}
