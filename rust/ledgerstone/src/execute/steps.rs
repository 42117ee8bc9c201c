//! Running the operations of a record, in their order: the first that fails, of the rules that reject, is why the record does.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerstone_verify::canon::Json;

use super::Gate;
use super::cells::{self, From, To};
use super::chunks::Chunks;
use super::fate::{Failures, Fate};
use super::matching::{agree, data_of};
use super::ops::{Action, Failure, HeldBy, Op, OpChunk, Rejection};
use super::plan::{Scope, lower_effects, lower_rule};
use super::sums::{Deferred, unmet};
use super::working::{Holder, LoadError, Place, Working};
use crate::model::State;
use crate::schema::{
    Aspect, Env, Found, MatchPair, Primitive, RecordType, Rows, Rule, from_record_bytes, rule_failure,
};

/// A unit under way.
pub(super) struct Unit<'u, 'c, E> {
    pub(super) chunks: &'c Chunks<'c>,
    pub(super) working: &'u mut Working,
    /// What the working state was loaded from.
    pub(super) state: &'u dyn State<Error = E>,
    /// Who appends, and which types there were.
    pub(super) gate: &'u dyn Gate,
    pub(super) at_end: &'u mut Vec<Deferred>,
    /// Typed access to the chunk that was evaluated last.
    pub(super) rows: &'u mut Option<(u32, Rows<'c>)>,
    /// Bounds that are looked at when the record is done, where it took back what an earlier version did.
    pub(super) replacing: Option<Vec<Deferred>>,
    /// What failed so far, of the rules that do not reject.
    pub(super) failures: Failures,
}

/// What an operation comes to, where state could be read.
pub(super) type Verdict<E> = Result<Result<(), Failure>, LoadError<E>>;

impl<'u, 'c, E> Unit<'u, 'c, E> {
    /// A unit, or the next record of one.
    pub(super) fn new(
        chunks: &'c Chunks<'c>,
        working: &'u mut Working,
        state: &'u dyn State<Error = E>,
        gate: &'u dyn Gate,
        at_end: &'u mut Vec<Deferred>,
        rows: &'u mut Option<(u32, Rows<'c>)>,
    ) -> Self {
        Unit { chunks, working, state, gate, at_end, rows, replacing: None, failures: Failures::default() }
    }

    /// Runs the operations of a record.
    pub(super) fn record(&mut self, place: Place) -> Result<Fate, LoadError<E>> {
        let chunk = &self.chunks[place.chunk as usize];
        let mut failed = self.run(place, place.chunk, &chunk.ops, chunk.ops.of_row(place.row as usize))?;
        if let Some(checks) = self.replacing.take()
            && failed.is_none()
        {
            failed = unmet(self.chunks, self.working, &checks).next().map(|(.., rejection)| rejection);
        }
        Ok(failed.map_or_else(|| std::mem::take(&mut self.failures).fate(), Fate::Rejected))
    }

    /// Runs operations of the record at `place`; `number` is that of the operations they are some of.
    fn run(
        &mut self,
        place: Place,
        number: u32,
        ops: &OpChunk,
        some: &[Op],
    ) -> Result<Option<Rejection>, LoadError<E>> {
        let record_type = &self.chunks[place.chunk as usize].record_type;
        for &op in some {
            let failed = match op.action {
                Action::Evaluate => self.evaluate(place, op)?,
                Action::TakeBack { key } => self.take_back(place, ops, op, key)?,
                _ => {
                    let failure = self.operation(place, number, ops, op)?.err();
                    failure.map(|failure| Rejection::of(record_type, ops, op, failure))
                }
            };
            if let Some(rejection) = failed
                && let Some(rejects) = self.failures.add(op.severity(record_type), rejection)
            {
                return Ok(Some(rejects));
            }
        }
        Ok(None)
    }

    /// Evaluates a rule with inputs and lookups, and runs the operations that it then stands for.
    fn evaluate(&mut self, place: Place, op: Op) -> Result<Option<Rejection>, LoadError<E>> {
        let (chunk, row) = (&self.chunks[place.chunk as usize], place.row as usize);
        let rule = &chunk.record_type.rules[usize::from(op.rule)];
        let rows = match self.rows.take() {
            Some((number, rows)) if number == place.chunk => rows,
            _ => Rows::new(&chunk.record_type, &chunk.batch).map_err(|_| LoadError::Rows)?,
        };
        let inputs = if rule.is_dynamic() { Some(self.gate.inputs()) } else { None };
        let without = Env { inputs: inputs.as_deref(), found: &[] };
        let found = self.found(Scope { rows: &rows, row, item: None, env: &without }, rule)?;
        let env = Env { found: &found, ..without };
        let failed = if rule.is_of_record() {
            rule_failure(rule, &rows, row, &env).map(|failed| {
                let field = chunk.record_type.named(rule, Aspect::Demand, failed.item);
                Rejection { field, ..Rejection::because(rule.reason.clone()) }
            })
        } else {
            let state = self.state;
            let ops = lower_rule(&rows, op.rule, row, &|key| state.key_hash(key), &env);
            let number = self.working.admit(self.state, ops)?;
            let ops = self.working.late(number);
            self.run(place, number, &ops, &ops.ops)?
        };
        *self.rows = Some((place.chunk, rows));
        Ok(failed)
    }

    /// What the lookups that a rule needs find.
    pub(super) fn found(&mut self, whole: Scope<'_, '_>, rule: &Rule) -> Result<Vec<Found>, LoadError<E>> {
        if rule.needs().lookups { self.look_up(whole, rule.each) } else { Ok(Vec::new()) }
    }

    /// Runs one operation.
    fn operation(&mut self, place: Place, number: u32, ops: &OpChunk, op: Op) -> Verdict<E> {
        let slot = op.action.cell().map(|cell| self.working.slot(number, cell));
        Ok(match (op.action, slot) {
            (Action::Take { key }, _) => self.take(place, number, ops, key),
            (Action::Version { key, version }, _) => {
                let record_type = &self.chunks[place.chunk as usize].record_type;
                self.version(place, record_type, (number, ops), op, (key, version))?
            }
            (Action::Exists { key, keys }, _) => self.exists(ops, key..key + keys),
            (Action::Match { key }, _) => self.compare(place, ops, op, key)?,
            (Action::Open { parts, .. }, Some(slot)) => cells::open(self.working, slot, ops.opened[parts as usize]),
            (Action::Approve { amount, .. }, Some(slot)) => self.approve(place, op, slot, amount),
            (Action::Add { cell, part, check, delta }, Some(slot)) => {
                let check = check && !self.checks_later(place, number, op, cell);
                cells::add(self.working, slot, part, delta, check)
            }
            (Action::Assign { part, value, .. }, Some(slot)) => cells::assign(self.working, slot, part, Some(value)),
            (Action::Clear { part, .. }, Some(slot)) => cells::assign(self.working, slot, part, None),
            (Action::Check { cell }, Some(slot)) => {
                if self.checks_later(place, number, op, cell) {
                    Ok(())
                } else {
                    cells::check(self.working, slot)
                }
            }
            (Action::CheckAtEnd { .. } | Action::Contribute { .. }, _) => {
                self.at_end.push(Deferred { place, ops: number, op });
                Ok(())
            }
            (Action::Close { zero, .. }, Some(slot)) => cells::close(self.working, slot, zero),
            (Action::Allow, _) => self.allow(place, op),
            (Action::Step { from, to, .. }, Some(slot)) => cells::step(self.working, slot, from, to),
            (Action::Count { cell, step }, Some(slot)) => {
                let check = !self.checks_later(place, number, op, cell);
                cells::count(self.working, slot, step, check)
            }
            (Action::Hold { from, to, .. }, Some(slot)) => hold(self.working, slot, ops, from, to),
            (Action::Advance { to, .. }, Some(slot)) => cells::advance(self.working, slot, ops.advances[to as usize]),
            (Action::Follow { at, to }, _) => self.follow(place, op, ops.text(at), ops.text(to))?,
            (Action::Tally { group }, _) => self.tally(place, op, &ops.groups[group as usize])?,
            (Action::TooPrecise { .. }, _) => Err(Failure::TooPrecise),
            (Action::Overflow, _) => Err(Failure::Overflow),
            (Action::Absent | Action::Evaluate | Action::TakeBack { .. } | Action::Fails | Action::HoldsPrivate, _) => {
                Err(Failure::Rule)
            }
            (_, None) => Err(Failure::Missing),
        })
    }

    fn rule(&self, place: Place, op: Op) -> &Rule {
        &self.chunks[place.chunk as usize].record_type.rules[usize::from(op.rule)]
    }

    /// Where the record replaces a version, a bound is looked at when the record is done.
    fn checks_later(&mut self, place: Place, number: u32, op: Op, cell: u32) -> bool {
        let Some(checks) = &mut self.replacing else { return false };
        checks.push(Deferred { place, ops: number, op: Op { action: Action::Check { cell }, ..op } });
        true
    }

    pub(super) fn take(&mut self, place: Place, number: u32, ops: &OpChunk, key: u32) -> Result<(), Failure> {
        if self.working.holder(self.chunks, ops, key).is_some() {
            return Err(Failure::Rule);
        }
        self.working.take(ops, number, key, place);
        Ok(())
    }

    fn exists(&self, ops: &OpChunk, mut keys: std::ops::Range<u32>) -> Result<(), Failure> {
        let found = keys.any(|key| self.working.holder(self.chunks, ops, key).is_some());
        if found { Ok(()) } else { Err(Failure::Rule) }
    }

    /// The first version may have any number, each later one the next. `record_type` is the one whose rule the operation is of.
    pub(super) fn version(
        &mut self,
        place: Place,
        record_type: &RecordType,
        (number, ops): (u32, &OpChunk),
        op: Op,
        (key, version): (u32, Option<i64>),
    ) -> Verdict<E> {
        let Some(version) = version else { return Ok(Err(Failure::Rule)) };
        if let Some(newest) = self.working.holder(self.chunks, ops, key) {
            let before = self.version_of(record_type, op, newest)?;
            if before.and_then(|before| before.checked_add(1)) != Some(version) {
                return Ok(Err(Failure::Rule));
            }
        }
        self.working.succeed(self.chunks, ops, number, key, place);
        Ok(Ok(()))
    }

    /// The version that a record of the same type says it is.
    fn version_of(&self, record_type: &RecordType, op: Op, holder: Holder) -> Result<Option<i64>, LoadError<E>> {
        let primitive = &record_type.rules[usize::from(op.rule)].primitive;
        let Primitive::Unique { versioned: Some(versioned), .. } = primitive else { return Ok(None) };
        let field = &record_type.fields[versioned.version].name;
        let data = data_of(&self.record_of(holder)?);
        Ok(data.and_then(|data| data.get(field).and_then(Json::as_int)))
    }

    /// Takes back what the newest version did to balances and counts. Where that cannot be, the reason is that of the cell.
    fn take_back(&mut self, place: Place, ops: &OpChunk, op: Op, key: u32) -> Result<Option<Rejection>, LoadError<E>> {
        let Some(newest) = self.working.holder(self.chunks, ops, key) else { return Ok(None) };
        let state = self.state;
        let key_hash = |key: &[u8]| state.key_hash(key);
        let earlier = match newest {
            Holder::Batch(at) => {
                let chunk = &self.chunks[at.chunk as usize];
                let rows = Rows::new(&chunk.record_type, &chunk.batch).map_err(|_| LoadError::Rows)?;
                lower_effects(&rows, at.row as usize, &key_hash)
            }
            Holder::Stored(row) => {
                let bytes = state.record(row).map_err(LoadError::State)?;
                let record = Json::parse(&bytes).map_err(|_| LoadError::Rows)?;
                let name = record.get("type").and_then(Json::as_text).unwrap_or_default();
                let version = record.get("version").and_then(Json::as_int).unwrap_or_default();
                let record_type = self.gate.record_type(name, version as u64).ok_or(LoadError::Rows)?;
                let batch = from_record_bytes(&record_type, &[bytes.as_slice()]).map_err(|_| LoadError::Rows)?;
                let rows = Rows::new(&record_type, &batch).map_err(|_| LoadError::Rows)?;
                lower_effects(&rows, 0, &key_hash)
            }
        };
        let number = self.working.admit(state, earlier)?;
        let earlier = self.working.late(number);
        let mut checks = Vec::new();
        for done in &earlier.ops {
            let Some(cell) = done.action.cell() else { continue };
            let slot = self.working.slot(number, cell);
            // What it looked at then is looked at again, when both are done.
            let again = |action| Deferred { place, ops: number, op: Op { action, ..op } };
            let undone = match done.action {
                Action::Add { part, delta, check, .. } => {
                    checks.extend(check.then(|| again(Action::Check { cell })));
                    cells::take_back(self.working, slot, part, delta)
                }
                Action::Count { step, .. } => {
                    checks.push(again(Action::Check { cell }));
                    match step.checked_neg() {
                        Some(back) => cells::count(self.working, slot, back, false),
                        None => Err(Failure::Overflow),
                    }
                }
                Action::Check { .. } => {
                    checks.push(again(Action::Check { cell }));
                    Ok(())
                }
                Action::CheckAtEnd { .. } => {
                    self.at_end.push(again(Action::CheckAtEnd { cell }));
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(failure) = undone {
                let record_type = &self.chunks[place.chunk as usize].record_type;
                let undoing = Op { action: done.action, ..op };
                return Ok(Some(Rejection::of(record_type, &earlier, undoing, failure)));
            }
        }
        self.replacing = Some(checks);
        Ok(None)
    }

    /// The bytes of a record that holds a key.
    pub(super) fn record_of(&self, holder: Holder) -> Result<Vec<u8>, LoadError<E>> {
        match holder {
            Holder::Stored(row) => self.state.record(row).map_err(LoadError::State),
            Holder::Batch(at) => Ok(self.chunks[at.chunk as usize].bytes.row(at.row as usize).to_vec()),
        }
    }

    fn compare(&self, place: Place, ops: &OpChunk, op: Op, key: u32) -> Verdict<E> {
        let chunk = &self.chunks[place.chunk as usize];
        let rule = self.rule(place, op);
        let Primitive::Match { pairs, .. } = &rule.primitive else {
            return Ok(Err(Failure::Rule));
        };
        let list = rule.each.map_or("", |list| &chunk.record_type.fields[list].name);
        let Some(holder) = self.working.holder(self.chunks, ops, key) else { return Ok(Err(Failure::Missing)) };
        let theirs = self.record_of(holder)?;
        let ours = chunk.bytes.row(place.row as usize);
        let item = op.item.map(|item| (list, item as usize));
        Ok(differs(pairs, &theirs, ours, item).map_or(Ok(()), |pair| Err(Failure::Differs(pair as u16))))
    }

    /// The author holds one of the roles that may make the move.
    fn allow(&self, place: Place, op: Op) -> Result<(), Failure> {
        let allowed = self.rule(place, op).allowed();
        let inputs = self.gate.inputs();
        let may = allowed.is_none_or(|allowed| allowed.roles.iter().any(|role| inputs.roles.contains(role)));
        if may { Ok(()) } else { Err(Failure::Forbidden) }
    }

    /// Enough endorsers hold one of the roles, where the amount is above the part.
    fn approve(&self, place: Place, op: Op, slot: u32, amount: u128) -> Result<(), Failure> {
        let Primitive::Balance { approval: Some(approval), .. } = &self.rule(place, op).primitive else {
            return Ok(());
        };
        if !cells::is_above(self.working, slot, approval.above, amount) {
            return Ok(());
        }
        let holds_one = |roles: &BTreeSet<String>| approval.roles.iter().any(|role| roles.contains(role));
        let inputs = self.gate.inputs();
        let found = inputs.endorsers.iter().filter(|endorser| holds_one(&endorser.roles)).count();
        if found >= approval.count as usize { Ok(()) } else { Err(Failure::Unapproved) }
    }

    /// Follows holders from `to`: they end within the rule's depth, and do not meet `at`.
    fn follow(&mut self, place: Place, op: Op, at: &str, to: &str) -> Verdict<E> {
        let chunks = self.chunks;
        let rule = &chunks[place.chunk as usize].record_type.rules[usize::from(op.rule)];
        let Primitive::Acyclic { cell, depth, .. } = &rule.primitive else { return Ok(Err(Failure::Rule)) };
        let mut met: Arc<str> = Arc::from(to);
        for _ in 0..=*depth {
            if &*met == at {
                break;
            }
            match self.working.holder_of(self.state, cell, &met)? {
                None => return Ok(Ok(())),
                Some(next) => met = next,
            }
        }
        Ok(Err(Failure::Rule))
    }
}

fn hold(working: &mut Working, slot: u32, ops: &OpChunk, from: HeldBy, to: HeldBy) -> Result<(), Failure> {
    let from = match from {
        HeldBy::Nobody => From::Nobody,
        HeldBy::Whoever => From::Anybody,
        HeldBy::This(text) => From::This(ops.text(text)),
    };
    let to = match to {
        HeldBy::Nobody => To::Released,
        HeldBy::Whoever => To::Same,
        HeldBy::This(text) => To::This(ops.text(text)),
    };
    cells::hold(working, slot, from, to)
}

/// The first pair that does not agree.
fn differs(pairs: &[MatchPair], theirs: &[u8], ours: &[u8], item: Option<(&str, usize)>) -> Option<usize> {
    match (data_of(theirs), data_of(ours)) {
        (Some(theirs), Some(ours)) => pairs.iter().position(|pair| !agree(pair, &theirs, &ours, item)),
        _ => Some(0),
    }
}
