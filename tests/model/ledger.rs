//! The model ledger: transactions, envelopes and both log trees, from FORMAT.md.

use std::collections::BTreeMap;

use ledgerstone_verify::hash::{Hash, sha3_256};
use serde_json::{Value as Json, json};

use super::hash::{LOG_TREES, List, b64, entry, jcs, list_json, root};
use super::state::{Changes, Record, Rules, Signers, Standing, State, Unit, Unsigned};

/// A transaction's two modes.
pub(crate) type Mode = ledgerstone_verify::Mode;

/// What the model does not decide: the sources' bytes and times.
#[derive(Clone, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) secret: [u8; 32],
    /// Ledger time, then the author's, in microseconds.
    pub(crate) times: (i64, i64),
    pub(crate) id: Option<&'a str>,
    /// By member.
    pub(crate) endorsements: Vec<Endorsement>,
}

/// One more signature, and what is meant by it.
#[derive(Clone, Debug)]
pub(crate) struct Endorsement {
    pub(crate) member: String,
    pub(crate) key: [u8; 32],
    pub(crate) meaning: String,
    /// The endorser's time, in microseconds.
    pub(crate) time: i64,
}

/// What becomes of the rows of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// In the log, with the rows refused and why.
    Logged(Vec<(usize, String)>),
    /// Nothing is logged: every row is refused.
    Nothing(Vec<(usize, String)>),
    /// An atomic transaction is refused, by this row.
    Refused(usize, String),
}

impl Fate {
    /// The codes that refused rows.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        let (rows, one) = match self {
            Fate::Logged(refused) | Fate::Nothing(refused) => (refused.as_slice(), None),
            Fate::Refused(_, code) => (&[][..], Some(code)),
        };
        rows.iter().map(|(_, code)| code).chain(one).map(String::as_str)
    }
}

/// Decided, not yet logged.
pub(crate) struct Decided {
    pub(crate) fate: Fate,
    /// Whether it came as far as a signature (a secret was drawn).
    pub(crate) signed: bool,
    after: State,
    /// Record bytes of the signed rows, and for each of them outcome and code if it was not plainly accepted.
    signed_records: Vec<(String, Option<Exception>)>,
    /// Position of the cause, and record bytes, of each record that rules made.
    emitted: Vec<(usize, String)>,
    /// Whether an amount stands because it was endorsed.
    approved: bool,
}

/// Outcome and code.
type Exception = (&'static str, String);

fn is_rejected(exception: &Option<Exception>) -> bool {
    matches!(exception, Some(("rejected", _)))
}

fn exception(standing: Standing) -> Option<Exception> {
    match standing {
        Standing::Accepted => None,
        Standing::Flagged(code) => Some(("flagged", code)),
        Standing::Held(code) => Some(("held", code)),
    }
}

impl Decided {
    /// A transaction of the built-in module, all of it accepted.
    pub(crate) fn builtin<R: Rules>(model: &Model<R>, records: Vec<(String, Json)>, changes: Changes) -> Self {
        let mut after = model.state.clone();
        after.keep(changes);
        let bytes = |(kind, data): (String, Json)| (jcs(&json!({"data": data, "type": kind, "version": 0})), None);
        let signed_records = records.into_iter().map(bytes).collect();
        Decided {
            fate: Fate::Logged(Vec::new()),
            signed: true,
            after,
            signed_records,
            emitted: Vec::new(),
            approved: false,
        }
    }

    /// The outcomes of records that were not plainly accepted.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &'static str> {
        let exceptions = self.signed_records.iter().filter_map(|(_, exception)| exception.as_ref());
        let others = [(!self.emitted.is_empty()).then_some("emitted"), self.approved.then_some("approved")];
        exceptions.map(|(outcome, _)| *outcome).chain(others.into_iter().flatten())
    }

    /// Position of the first record that stands.
    pub(crate) fn first_accepted(&self) -> u32 {
        let place = self.signed_records.iter().position(|(_, exception)| !is_rejected(exception));
        place.unwrap_or(0) as u32
    }
}

/// Who signs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Author {
    pub(crate) member: String,
    pub(crate) key: [u8; 32],
}

/// The model ledger.
pub(crate) struct Model<R> {
    pub(crate) rules: R,
    pub(crate) state: State,
    pub(crate) author: Author,
    /// How many endorse the transaction at hand, and how many of them hold the role.
    pub(crate) endorsers: (usize, usize),
    /// Index of the last change of each cell.
    pub(crate) changed_at: BTreeMap<String, u64>,
    /// Leaf data of every envelope.
    leaves: Vec<Vec<u8>>,
    last_time: i64,
}

impl<R: Rules> Model<R> {
    pub(crate) fn new(rules: R, author: Author) -> Self {
        let changed_at = BTreeMap::new();
        Model {
            rules,
            state: State::default(),
            author,
            endorsers: (0, 0),
            changed_at,
            leaves: Vec::new(),
            last_time: i64::MIN,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.leaves.len()
    }

    /// The roots of both log trees.
    pub(crate) fn roots(&self) -> [Hash; 2] {
        LOG_TREES.map(|hash| root(hash, &self.leaves))
    }

    /// Decides rows of one call, in their order.
    pub(crate) fn decide(&self, mode: Mode, rows: &[Record]) -> Decided {
        match mode {
            Mode::Each => self.decide_each(rows),
            Mode::Atomic => self.decide_atomic(rows),
        }
    }

    fn signers(&self) -> Signers<'_> {
        let (endorsers, approvers) = self.endorsers;
        Signers { author: &self.author.member, endorsers, approvers }
    }

    fn decide_each(&self, rows: &[Record]) -> Decided {
        let mut after = self.state.clone();
        let mut refused = Vec::new();
        let (mut signed_records, mut emitted) = (Vec::new(), Vec::new());
        for (row, record) in rows.iter().enumerate() {
            if let Err(unsigned) = self.rules.screen(record) {
                refused.push((row, unsigned.code().to_owned()));
                continue;
            }
            let record = self.canonical(record);
            let mut unit = Unit::new(&after, self.signers());
            let verdict = self.stand(&mut unit, &record).and_then(|(standing, followers)| match standing {
                held @ Standing::Held(_) => Ok((held, followers)),
                other => match (other, self.end(&unit).map_err(|(_, code)| code)?.into_iter().next()) {
                    (Standing::Accepted, Some((_, code))) => Ok((Standing::Flagged(code), followers)),
                    (other, _) => Ok((other, followers)),
                },
            });
            let exception = match verdict {
                Ok((standing, followers)) => {
                    let cause = signed_records.len();
                    emitted.extend(followers.iter().map(|follower| (cause, self.bytes(follower))));
                    exception(standing)
                }
                Err(code) => {
                    refused.push((row, code.clone()));
                    Some(("rejected", code))
                }
            };
            if matches!(exception, None | Some(("flagged", _))) {
                let changes = unit.changes();
                after.keep(changes);
            }
            signed_records.push((self.bytes(&record), exception));
        }
        let stands = signed_records.iter().any(|(_, exception)| !is_rejected(exception));
        let fate = if stands { Fate::Logged(refused) } else { Fate::Nothing(refused) };
        Decided { fate, signed: !signed_records.is_empty(), after, signed_records, emitted, approved: false }
    }

    fn decide_atomic(&self, rows: &[Record]) -> Decided {
        let screened: Vec<(usize, Unsigned)> =
            rows.iter().enumerate().filter_map(|(row, record)| Some((row, self.rules.screen(record).err()?))).collect();
        let is_parse = |unsigned: &Unsigned| matches!(unsigned, Unsigned::Parse(_));
        if let Some((row, unsigned)) = screened.iter().min_by_key(|(row, why)| (!is_parse(why), *row)) {
            return self.felled(*row, unsigned.code(), false);
        }
        let mut unit = Unit::new(&self.state, self.signers());
        let (mut signed_records, mut emitted) = (Vec::new(), Vec::new());
        // Who asked for a bound at the end, so that the least record is named.
        let mut asked: Vec<usize> = Vec::new();
        for (row, record) in rows.iter().enumerate() {
            let record = self.canonical(record);
            let before = unit.clone();
            let (standing, followers) = match self.stand(&mut unit, &record) {
                Ok(stands) => stands,
                Err(code) => return self.felled(row, &code, true),
            };
            emitted.extend(followers.iter().map(|follower| (row, self.bytes(follower))));
            if let Standing::Held(_) = standing {
                unit = before;
            }
            asked.resize(unit.at_end.len(), row);
            signed_records.push((self.bytes(&record), exception(standing)));
        }
        match self.end(&unit) {
            Err((last, code)) => return self.felled(asked[last], &code, true),
            // What flagged a record first is why.
            Ok(flagged) => {
                for (last, code) in flagged {
                    signed_records[asked[last]].1.get_or_insert(("flagged", code));
                }
            }
        }
        let approved = unit.approved;
        let changes = unit.changes();
        let mut after = self.state.clone();
        after.keep(changes);
        Decided { fate: Fate::Logged(Vec::new()), signed: true, after, signed_records, emitted, approved }
    }

    /// Does what a record does, and what the records do that follow it: what becomes of it, and these. It falls with one of them, and is
    /// flagged with one of them.
    fn stand(&self, unit: &mut Unit<'_>, record: &Record) -> Result<(Standing, Vec<Record>), String> {
        self.rules.apply(unit, record)?;
        let mut standing = unit.standing();
        if let Standing::Held(_) = standing {
            return Ok((standing, Vec::new()));
        }
        let followers = self.rules.followers(unit, record)?;
        for follower in &followers {
            self.rules.apply(unit, follower)?;
            match unit.standing() {
                Standing::Held(code) => return Err(code),
                Standing::Flagged(code) if standing == Standing::Accepted => standing = Standing::Flagged(code),
                Standing::Flagged(_) | Standing::Accepted => {}
            }
        }
        Ok((standing, followers))
    }

    /// What is looked at when a unit ends, by number: what flags a record, or the first that fells the unit.
    fn end(&self, unit: &Unit<'_>) -> Result<Vec<(usize, String)>, (usize, String)> {
        let mut flagged = Vec::new();
        for (number, last) in unit.at_end.iter().enumerate() {
            let code = self.rules.end(unit, last).map_err(|code| (number, code))?;
            flagged.extend(code.map(|code| (number, code)));
        }
        Ok(flagged)
    }

    /// Refused before any row is looked at.
    pub(crate) fn refused(&self, code: &str) -> Decided {
        self.felled(0, code, false)
    }

    fn felled(&self, row: usize, code: &str, signed: bool) -> Decided {
        let after = State::default();
        let (signed_records, emitted) = (Vec::new(), Vec::new());
        Decided { fate: Fate::Refused(row, code.to_owned()), signed, after, signed_records, emitted, approved: false }
    }

    /// The bytes of the rows that would be signed.
    pub(crate) fn signed_bytes(&self, rows: &[Record]) -> Vec<String> {
        let signed = rows.iter().filter(|record| self.rules.screen(record).is_ok());
        signed.map(|record| self.bytes(&self.canonical(record))).collect()
    }

    fn canonical(&self, record: &Record) -> Record {
        Record { kind: record.kind.clone(), data: self.rules.canonical(record) }
    }

    fn bytes(&self, record: &Record) -> String {
        let version = self.rules.version(&record.kind);
        jcs(&json!({"data": record.data, "type": record.kind, "version": version}))
    }

    /// Logs what was decided; the envelope, into which the signatures are put, the author's first.
    pub(crate) fn log(&mut self, mode: Mode, decided: Decided, given: Given<'_>, signed: &[&str]) -> String {
        let Decided { after, signed_records, emitted, .. } = decided;
        let index = self.leaves.len() as u64;
        let bytes: Vec<String> = signed_records.iter().map(|(bytes, _)| bytes.clone()).collect();
        let exceptions: Vec<String> = signed_records
            .iter()
            .enumerate()
            .filter_map(|(place, (bytes, exception))| {
                let leaf = sha3_256(&[&[0], &entry(List::Records, &given.secret, place, bytes)]);
                let (outcome, code) = exception.as_ref()?;
                Some(jcs(&json!({"code": code, "leaf": b64(&leaf), "outcome": outcome, "position": place})))
            })
            .collect();
        let emitted: Vec<String> = emitted
            .iter()
            .map(|(cause, record)| {
                let record: Json = serde_json::from_str(record).expect("record bytes are JSON");
                jcs(&json!({"cause": cause, "record": record}))
            })
            .collect();
        let cells = self.changed_cells(&after, index);
        let (genesis, seen) = self.past();
        let time = given.times.0.max(self.last_time);
        let mut intent = json!({
            "author": self.author.member,
            "count": bytes.len(),
            "expires": timestamp(given.times.1.max(time) + 86_400_000_000),
            "format": 1,
            "key": b64(&self.author.key),
            "mode": if mode == Mode::Each { "each" } else { "atomic" },
            "root": list_json(List::Records, &given.secret, &bytes)["root"],
            "time": timestamp(given.times.1),
        });
        for (name, value) in [("genesis", genesis), ("seen", seen)] {
            if let Some(value) = value {
                intent[name] = value;
            }
        }
        if let Some(id) = given.id {
            let tag = b"ledgerstone/idempotency/v1\n";
            intent["idempotency"] = json!(b64(&sha3_256(&[tag, &given.secret, id.as_bytes()])));
        }
        let signature = |key: &[u8; 32], member: &str, place: usize| {
            let sig = signed.get(place).copied().unwrap_or_default();
            json!({"alg": "Ed25519", "key": b64(key), "member": member, "sig": sig})
        };
        let mut signatures = vec![signature(&self.author.key, &self.author.member, 0)];
        for (place, by) in given.endorsements.iter().enumerate() {
            let mut endorsed = signature(&by.key, &by.member, 1 + place);
            endorsed["meaning"] = json!(by.meaning);
            endorsed["time"] = json!(timestamp(by.time));
            signatures.push(endorsed);
        }
        let envelope = jcs(&json!({
            "cells": list_json(List::Cells, &given.secret, &cells),
            "emitted": list_json(List::Emitted, &given.secret, &emitted),
            "exceptions": list_json(List::Exceptions, &given.secret, &exceptions),
            "format": 1,
            "index": index,
            "intent": intent,
            "prev": b64(&root(sha3_256, &self.leaves)),
            "semantics": 0,
            "signatures": signatures,
            "time": timestamp(time),
        }));
        self.leaves.push([b"ledgerstone/envelope/v1\n", envelope.as_bytes()].concat());
        self.state = after;
        self.last_time = time;
        envelope
    }

    /// The entries of the cells list.
    fn changed_cells(&mut self, after: &State, index: u64) -> Vec<String> {
        let mut names: Vec<&String> = self.state.cells.keys().chain(after.cells.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.state.cells.get(*name) != after.cells.get(*name));
        let mut entries = Vec::new();
        for name in names {
            self.changed_at.insert(name.clone(), index);
            let cell: Json = serde_json::from_str(name).expect("a cell name is JSON");
            entries.push(jcs(&json!({"cell": cell, "value": after.cells.get(name)})));
        }
        entries
    }

    /// Genesis hash, and the state that an author knows.
    fn past(&self) -> (Option<Json>, Option<Json>) {
        let Some(first) = self.leaves.first() else { return (None, None) };
        let genesis = sha3_256(&[&[0], first]);
        let known = root(LOG_TREES[0], &self.leaves);
        (Some(json!(b64(&genesis))), Some(json!({"root": b64(&known), "size": self.leaves.len()})))
    }
}

/// The text of an instant that is within some days of 2026-01-01.
fn timestamp(micros: i64) -> String {
    let past = micros - ledgerstone_tests::START_MICROS;
    let (day, past) = (past / 86_400_000_000, past % 86_400_000_000);
    let (seconds, micros) = (past / 1_000_000, past % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-01-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", day + 1)
}
