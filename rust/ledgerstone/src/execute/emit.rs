//! Records that DECIDE makes: those that `emit` rules add, and held ones that are released.
//!
//! They follow a signed record, once all its own rules have passed, and fall with it. Emitted records follow level by level: those that
//! the signed record makes, in the order of its rules and their items, then those that each of these makes. They pass every rule of
//! their type but `authorise`: what permits them is that their type accepts the emitter, which was checked when it was loaded.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ledgerstone_verify::canon::Json;

use super::authority::RELEASE;
use super::fate::{Failures, Fate};
use super::gate::refusal;
use super::matching::data_of;
use super::ops::{Rejection, no_value};
use super::plan::Scope;
use super::prepared::{PreparedChunk, RecordBytes, stateless_refusals};
use super::serial::Deciding;
use super::steps::Unit;
use super::working::{LoadError, Place};
use crate::codes;
use crate::limits::{EMIT_DEPTH, EMITTED_PER_RECORD, EMITTED_RECORDS};
use crate::model::{Decimal, RowId, Value};
use crate::schema::{
    Aspect, EmitField, Env, Expr, Primitive, RecordType, Rows, Rule, Scalar, from_record_bytes, from_values, named_type,
};

/// A record that DECIDE made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The record, as a chunk of its own.
    pub(crate) chunk: PreparedChunk,
    /// The signed record that it follows.
    pub(crate) cause: Place,
    pub(crate) origin: Origin,
    /// Whether it stands: its unit did not fall.
    pub(crate) stands: bool,
}

/// Where a record that DECIDE made comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A rule emitted it.
    Emitted,
    /// It stands in the ledger at this row, where it was held.
    Released(RowId),
}

/// What is to be made: a row of a type.
struct Draft {
    record_type: Arc<RecordType>,
    batch: RecordBatch,
    bytes: RecordBytes,
}

/// What is to be made, or why the record that asks for it is rejected, where state could be read.
type Drafts<T, E> = Result<Result<T, Rejection>, LoadError<E>>;

impl Made {
    /// Whether it is one of the emitted list.
    pub(crate) fn is_emitted(&self) -> bool {
        self.stands && self.origin == Origin::Emitted
    }

    /// What the reason of a refusal calls it.
    pub(super) fn name(&self) -> String {
        match self.origin {
            Origin::Emitted => follower(&self.chunk.record_type.name),
            Origin::Released(row) => format!("the held record {row}"),
        }
    }

    /// Its canonical bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.chunk.bytes.row(0)
    }
}

/// Whether records of a type may be followed by others.
pub(crate) fn has_followers(record_type: &RecordType) -> bool {
    record_type.name == RELEASE || record_type.rules.iter().any(|rule| matches!(rule.primitive, Primitive::Emit { .. }))
}

/// The row that a record of the type [`RELEASE`] names.
pub(crate) fn released(record: &[u8]) -> RowId {
    let data = data_of(record).unwrap_or(Json::Null);
    let number = |name: &str| data.get(name).and_then(Json::as_int).unwrap_or_default();
    RowId::new(number("index").unsigned_abs(), number("position").unsigned_abs() as u32)
}

impl<E> Deciding<'_, '_, E> {
    /// Makes what follows a signed record that stands so far. Where one of those fails, or is held, the signed record is rejected for its
    /// reason; where one is flagged, the signed record is.
    pub(super) fn follow(&mut self, cause: Place, fate: Fate) -> Result<Fate, LoadError<E>> {
        let mut flagged = match fate {
            Fate::Accepted => None,
            Fate::Flagged(why) => Some(why),
            other => return Ok(other),
        };
        let mut queue = VecDeque::from([(cause, 0)]);
        let mut count = 0;
        if self.chunks[cause.chunk as usize].record_type.name == RELEASE {
            let (draft, row) = match self.held(cause)? {
                Ok(held) => held,
                Err(rejection) => return Ok(Fate::Rejected(rejection)),
            };
            match self.make(draft, cause, Origin::Released(row))? {
                (_, Fate::Rejected(why) | Fate::Held(why)) => return Ok(Fate::Rejected(why)),
                (place, fate) => {
                    queue.push_back((place, 0));
                    flagged = flagged.or(fate.flag());
                }
            }
        }
        while let Some((from, depth)) = queue.pop_front() {
            let drafts = match self.unit().drafts(from)? {
                Ok(drafts) => drafts,
                Err(rejection) => return Ok(Fate::Rejected(rejection)),
            };
            count += drafts.len();
            if !drafts.is_empty() && (depth == EMIT_DEPTH || count > EMITTED_PER_RECORD) {
                return Ok(Fate::Rejected(too_many()));
            }
            for draft in drafts {
                match self.make(draft, cause, Origin::Emitted)? {
                    (_, Fate::Rejected(why) | Fate::Held(why)) => return Ok(Fate::Rejected(why)),
                    (place, fate) => {
                        queue.push_back((place, depth + 1));
                        flagged = flagged.or(fate.flag());
                    }
                }
            }
        }
        Ok(flagged.map_or(Fate::Accepted, Fate::Flagged))
    }

    /// Makes one record and runs its operations.
    fn make(&mut self, draft: Draft, cause: Place, origin: Origin) -> Result<(Place, Fate), LoadError<E>> {
        if self.chunks.made_count() >= EMITTED_RECORDS {
            return Ok((cause, Fate::Rejected(too_many())));
        }
        if let Err(rejection) = self.gate.may_follow(&draft.record_type) {
            return Ok((cause, Fate::Rejected(rejection)));
        }
        let state = self.state;
        let Draft { record_type, batch, bytes } = draft;
        let chunk = PreparedChunk::made(record_type, batch, bytes, &|key| state.key_hash(key));
        let mut chunk = chunk.map_err(|_| LoadError::Rows)?;
        self.working.admit_chunk(state, &mut chunk.ops)?;
        let number = self.chunks.add(Made { chunk, cause, origin, stands: false });
        self.standing.push(number);
        let place = self.chunks.place_of_made(number);
        let mut unit = self.unit();
        if origin != Origin::Emitted {
            unit.failures = Failures::of_released();
        }
        let mut fate = unit.record(place)?;
        if matches!(fate, Fate::Accepted | Fate::Flagged(_))
            && origin != Origin::Emitted
            && let Some(rejection) = self.unit().take_added(place)?
        {
            fate = Fate::Rejected(rejection);
        }
        let name = self.chunks.name_of_made(place).unwrap_or_default();
        Ok((place, fate.of_other(&name)))
    }

    /// The held record that a release names.
    fn held(&self, release: Place) -> Drafts<(Draft, RowId), E> {
        let chunk = &self.chunks[release.chunk as usize];
        let row = released(chunk.bytes.row(release.row as usize));
        let not_held = || {
            let message = format!("there is no held record {row}");
            Ok(Err(refusal(codes::NOT_HELD, message).about("index, position")))
        };
        if !self.state.is_held(row).map_err(LoadError::State)? {
            return not_held();
        }
        let bytes = self.state.record(row).map_err(LoadError::State)?;
        let Some(record_type) = self.type_of(&bytes) else { return not_held() };
        if let Err(rejection) = self.gate.may_release(&record_type) {
            return Ok(Err(rejection));
        }
        let batch = from_record_bytes(&record_type, &[&bytes]).map_err(|_| LoadError::Rows)?;
        let bytes = RecordBytes { ends: vec![bytes.len()], bytes };
        Ok(Ok((Draft { record_type, batch, bytes }, row)))
    }

    fn type_of(&self, record: &[u8]) -> Option<Arc<RecordType>> {
        let (name, version) = named_type(record)?;
        self.gate.record_type(&name, version)
    }
}

impl<E> Unit<'_, '_, E> {
    /// What the `emit` rules of a record make.
    fn drafts(&mut self, from: Place) -> Drafts<Vec<Draft>, E> {
        let chunk = &self.chunks[from.chunk as usize];
        let emits = |rule: &&Rule| matches!(rule.primitive, Primitive::Emit { .. });
        if !chunk.record_type.rules.iter().any(|rule| emits(&rule)) {
            return Ok(Ok(Vec::new()));
        }
        let rows = Rows::new(&chunk.record_type, &chunk.batch).map_err(|_| LoadError::Rows)?;
        let inputs = self.gate.inputs();
        let without = Env { inputs: Some(&inputs), found: &[] };
        let whole = Scope { rows: &rows, row: from.row as usize, item: None, env: &without };
        let mut drafts = Vec::new();
        for rule in chunk.record_type.rules.iter().filter(emits) {
            let Primitive::Emit { target, set } = &rule.primitive else { continue };
            let found = self.found(whole, rule)?;
            let env = Env { found: &found, ..without };
            let values = match values(rule, set, Scope { env: &env, ..whole }) {
                Ok(values) => values,
                Err(rejection) => return Ok(Err(rejection)),
            };
            for value in values {
                let made = self
                    .gate
                    .in_force(target)
                    .ok_or_else(|| refusal(codes::UNKNOWN_TYPE, format!("no module in force declares {target}")));
                match made.and_then(|target| draft(target, value)) {
                    Ok(draft) => drafts.push(draft),
                    Err(rejection) => return Ok(Err(rejection)),
                }
            }
        }
        Ok(Ok(drafts))
    }
}

impl Fate {
    fn flag(self) -> Option<Rejection> {
        if let Fate::Flagged(why) = self { Some(why) } else { None }
    }
}

/// The records that an `emit` rule makes of a row, as values: one for each item it applies to.
fn values(rule: &Rule, set: &[EmitField], whole: Scope<'_, '_>) -> Result<Vec<Value>, Rejection> {
    let Scope { rows, row, env, .. } = whole;
    let items = rule.each.map_or_else(|| vec![None], |list| rows.list_range(list, row).map(Some).collect());
    let mut made = Vec::new();
    for item in items {
        match rule.applies(rows, row, item, env) {
            Some(false) => continue,
            Some(true) if !rule.operands().any(|operand| operand.overflows(rows, row, item, env)) => {}
            _ => {
                let place = rule.each.zip(item).map(|(list, item)| item - rows.list_range(list, row).start);
                let field = rows.record_type().named(rule, Aspect::Value, place);
                return Err(Rejection { field, ..Rejection::because(no_value()) });
            }
        }
        let mut members = Vec::new();
        for field in set {
            put(&mut members, &field.field, value(&field.value, Scope { item, ..whole }));
        }
        made.push(Value::Object(members));
    }
    Ok(made)
}

/// The value of one expression, or the texts of several, joined; absent where one of them is.
fn value(expressions: &[Expr], scope: Scope<'_, '_>) -> Value {
    let Scope { rows, row, item, env } = scope;
    if let [only] = expressions {
        return match only.eval(rows, row, item, env) {
            Scalar::Absent => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Decimal(mantissa, scale) => Value::Decimal(Decimal::new(mantissa, scale)),
            Scalar::Text(text) => Value::Text(text.to_owned()),
            Scalar::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Scalar::Fraction(fraction) => Value::Text(fraction.to_string()),
            Scalar::Date(days) => Value::Date(days),
            Scalar::Timestamp(micros) => Value::Timestamp(micros),
        };
    }
    let mut joined = String::new();
    for expression in expressions {
        match expression.eval(rows, row, item, env) {
            Scalar::Absent => return Value::Null,
            Scalar::Text(text) => joined.push_str(text),
            other => {
                let mut json = Vec::new();
                other.write_json(&mut json);
                joined.push_str(String::from_utf8_lossy(&json).trim_matches('"'));
            }
        }
    }
    Value::Text(joined)
}

/// Puts a value at a dotted path of an object.
fn put(members: &mut Vec<(String, Value)>, path: &str, value: Value) {
    let Some((name, rest)) = path.split_once('.') else {
        return members.push((path.to_owned(), value));
    };
    if matches!(value, Value::Null) {
        return;
    }
    let place = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        members.push((name.to_owned(), Value::Object(Vec::new())));
        members.len() - 1
    });
    if let (_, Value::Object(inner)) = &mut members[place] {
        put(inner, rest, value);
    }
}

/// A record of a type, checked as one that somebody hands over.
fn draft(record_type: Arc<RecordType>, value: Value) -> Result<Draft, Rejection> {
    let checked = from_values(&record_type, &[value]);
    if let Some(failure) = checked.failures.first() {
        let message = format!("field {}: {}", failure.field, failure.message);
        return Err(refusal(failure.code, message).of_other(&follower(&record_type.name)));
    }
    let rows = Rows::new(&record_type, &checked.rows).map_err(|error| refusal(codes::WRONG_TYPE, error.to_string()))?;
    let bytes = RecordBytes::write(&rows);
    if let Some(refused) = stateless_refusals(&record_type, &rows, &bytes).pop() {
        return Err(Rejection::because(refused.reason).of_other(&follower(&record_type.name)));
    }
    Ok(Draft { bytes, batch: checked.rows, record_type })
}

fn follower(name: &str) -> String {
    format!("{name} that follows")
}

fn too_many() -> Rejection {
    let message = format!(
        "one record is followed by at most {EMITTED_PER_RECORD} others, {EMIT_DEPTH} levels deep, and all of a transaction by {EMITTED_RECORDS}"
    );
    refusal(codes::EMIT_BOUNDS, message)
}
