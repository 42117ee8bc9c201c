//! Plays calls on the engine and on the model, and compares after each: fates with codes per row, envelopes byte for byte (and so
//! every root in them), both log roots, balances, and in a file the whole table of cells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ledgerstone::model::{RowId, Value};
use ledgerstone::{AuditOptions, Create, Error, Key, Ledger, Verdict};
use ledgerstone_tests::{ORIGIN, Tape, key, load, value};
use ledgerstone_verify::hash::sha3_256;
use serde_json::{Value as Json, json};

use super::hash::b64;
use super::ledger::{Author, Decided, Endorsement, Fate, Given, Mode, Model};
use super::state::{Changes, Record, Rules, cell_name};

/// One call on a ledger: a load of one type, or an atomic transaction of any.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) mode: Mode,
    pub(crate) rows: Vec<Record>,
    pub(crate) id: Option<String>,
    /// Who endorses it, of [`ENDORSERS`]; only where it is a transaction, without an id.
    pub(crate) endorsers: Vec<usize>,
}

/// Members who may endorse, beside the author: two who hold the role, one who does not, and one who holds it and whose key is revoked.
pub(crate) const ENDORSERS: usize = 4;
const HOLDERS: [bool; ENDORSERS] = [true, true, false, true];
const REVOKED: usize = 3;

fn endorser_key(number: usize) -> Arc<Key> {
    Arc::new(Key::from_seed([100 + number as u8; 32], "endorser"))
}

/// A member's id; in another order than the numbers.
fn endorser(number: usize) -> String {
    hex::encode([(7 * number + 5) as u8 % 16 * 16; 16])
}

/// What an endorser means.
fn meaning(endorsers: &[usize]) -> String {
    format!("seen by {endorsers:?}")
}

/// A module as the ledger loads it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) version: u64,
    pub(crate) text: String,
    pub(crate) roles: &'static [&'static str],
}

/// An earlier transaction with an id.
struct Earlier {
    index: u64,
    mode: Mode,
    records: Vec<String>,
    fate: Fate,
}

struct Play<'a, R> {
    ledger: Ledger,
    model: Model<R>,
    tape: Tape,
    file: Option<&'a Path>,
    ids: BTreeMap<String, Earlier>,
    codes: BTreeSet<String>,
}

/// What the engine answered: the index and whether it is new, where something is logged.
type Answer = (Fate, Option<u64>);

/// What a whole play came to, the same for every thread count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) size: u64,
    pub(crate) roots: [[u8; 32]; 2],
    /// Every code that refused a row, and every outcome there was.
    pub(crate) codes: BTreeSet<String>,
}

/// Plays the calls; what differs first is the error.
pub(crate) fn play<R: Rules>(
    rules: R,
    source: &Source,
    calls: &[Call],
    threads: usize,
    file: Option<&Path>,
) -> Result<End, String> {
    let tape = Tape::default();
    let create = Create::new(ORIGIN, key()).module(&source.text, "m.toml").threads(threads).sources(tape.sources());
    let made = match file {
        Some(path) => create.at(path),
        None => create.in_memory(),
    };
    let ledger = made.map_err(|error| format!("the module does not load: {error}\n{}", source.text))?;
    let model = Model::new(rules, Author::default());
    let mut play = Play { ledger, model, tape, file, ids: BTreeMap::new(), codes: BTreeSet::new() };
    play.beginning(source)?;
    play.admissions(source)?;
    for (number, call) in calls.iter().enumerate() {
        play.call(call).map_err(|why| format!("call {number}, {threads} threads: {why}\n{call:?}"))?;
    }
    play.cells()?;
    play.audit()?;
    let checkpoint = play.ledger.checkpoint().map_err(|error| error.to_string())?;
    Ok(End { size: checkpoint.size, roots: [checkpoint.root, checkpoint.root_sha3], codes: play.codes })
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, model: T, engine: T) -> Result<(), String> {
    if model == engine { Ok(()) } else { Err(format!("{what}: the model says\n{model:?}\nthe engine\n{engine:?}")) }
}

fn status(owner: &str, at: &[Json]) -> String {
    cell_name(owner, "status", at, &[])
}

impl<R: Rules> Play<'_, R> {
    /// The genesis and the module's transaction, which `create` makes.
    fn beginning(&mut self, source: &Source) -> Result<(), String> {
        let draws = self.tape.draws.lock().unwrap().clone();
        let times = self.tape.times.lock().unwrap().clone();
        // The log key of a file comes from the system.
        let [member, _, random, first, second] = draws[usize::from(self.file.is_none())..][..5] else {
            return Err(format!("five draws were expected: {draws:?}"));
        };
        let member = hex::encode(&member[..16]);
        let public = b64(&key().public());
        self.model.author = Author { member: member.clone(), key: key().public() };
        let log_keys = self.ledger.verifier_keys().map_err(|error| error.to_string())?;
        let log_keys: Vec<String> = log_keys.iter().map(ToString::to_string).collect();
        let genesis = json!({
            "format": 1, "semantics": 0, "origin": ORIGIN, "log_keys": log_keys, "member": member, "key": public,
            "options": {"max_clock_step": 31_622_400, "record_rejections": false}, "random": b64(&random),
        });
        let granted = |role: &str| status("ledger.grant", &[json!(member), json!(role)]);
        let mut changes: Changes = Default::default();
        changes.0.insert(status("ledger.key", &[json!(public)]), Some(json!({"state": "active"})));
        changes.0.insert(granted("ledger.admin"), Some(json!({"state": "granted"})));
        let records = vec![("ledger.genesis".to_owned(), genesis)];
        let given = Given { secret: first, times: (times[0], times[1]), id: None, endorsements: Vec::new() };
        self.builtin(0, records, changes, given)?;
        let hash = b64(&sha3_256(&[source.text.as_bytes()]));
        let module = json!({"name": source.name, "version": source.version, "hash": hash, "source": source.text});
        let mut records = vec![("ledger.module".to_owned(), module)];
        let mut changes: Changes = Default::default();
        for role in source.roles {
            let role = format!("{}.{role}", source.name);
            changes.0.insert(granted(&role), Some(json!({"state": "granted"})));
            records.push(("ledger.grant".to_owned(), json!({"member": member, "role": role, "granted": true})));
        }
        let given = Given { secret: second, times: (times[2], times[3]), id: None, endorsements: Vec::new() };
        self.builtin(1, records, changes, given)
    }

    /// Admits those who may endorse what the module asks to have endorsed.
    fn admissions(&mut self, source: &Source) -> Result<(), String> {
        let [role] = source.roles else { return Ok(()) };
        let role = format!("{}.{role}", source.name);
        let (mut records, mut changes): (Vec<(String, Json)>, Changes) = Default::default();
        for (number, is_holder) in HOLDERS.into_iter().enumerate() {
            let (member, public) = (endorser(number), b64(&endorser_key(number).public()));
            records.push(("ledger.member".to_owned(), json!({"member": member, "key": public})));
            changes.0.insert(status("ledger.key", &[json!(public)]), Some(json!({"state": "active"})));
            if is_holder {
                let granted = status("ledger.grant", &[json!(member), json!(role)]);
                changes.0.insert(granted, Some(json!({"state": "granted"})));
                records.push(("ledger.grant".to_owned(), json!({"member": member, "role": role, "granted": true})));
            }
        }
        self.appended(2, records, changes)?;
        let public = json!(b64(&endorser_key(REVOKED).public()));
        let mut changes: Changes = Default::default();
        changes.0.insert(status("ledger.key", std::slice::from_ref(&public)), Some(json!({"state": "revoked"})));
        self.appended(3, vec![("ledger.revoke".to_owned(), json!({"key": public}))], changes)
    }

    /// A transaction of the built-in module, appended and compared.
    fn appended(&mut self, index: u64, records: Vec<(String, Json)>, changes: Changes) -> Result<(), String> {
        let rows = records.iter().map(|(kind, data)| (kind.clone(), value(data))).collect();
        self.ledger.append_all(rows, None).map_err(|error| error.to_string())?;
        let given = self.given(None, &[]);
        self.builtin(index, records, changes, given)
    }

    /// Why these cannot endorse, whatever they endorse.
    fn refused_endorsers(&self, endorsers: &[usize]) -> Option<&'static str> {
        let twice = endorsers.iter().enumerate().any(|(place, number)| endorsers[..place].contains(number));
        match endorsers.contains(&REVOKED) {
            true => Some("ledger.revoked_key"),
            false => twice.then_some("ledger.endorsed_twice"),
        }
    }

    /// What the sources gave for the newest transaction.
    fn given<'i>(&self, id: Option<&'i str>, endorsers: &[usize]) -> Given<'i> {
        let times = self.tape.times.lock().unwrap();
        let [.., third, second, last] = times[..] else { panic!("three readings") };
        let mut endorsements: Vec<Endorsement> = endorsers
            .iter()
            .map(|number| Endorsement {
                member: endorser(*number),
                key: endorser_key(*number).public(),
                meaning: meaning(endorsers),
                time: third,
            })
            .collect();
        endorsements.sort_by(|a, b| a.member.cmp(&b.member));
        Given { secret: self.tape.last_draw(), times: (second, last), id, endorsements }
    }

    fn builtin(
        &mut self,
        index: u64,
        records: Vec<(String, Json)>,
        changes: Changes,
        given: Given<'_>,
    ) -> Result<(), String> {
        let decided = Decided::builtin(&self.model, records, changes);
        self.compare_logged(index, 0, Mode::Atomic, decided, given)
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        let is_mixed = call.rows.iter().any(|row| row.kind != call.rows[0].kind);
        let as_load = !is_mixed && (call.mode == Mode::Each || call.rows.len().is_multiple_of(2));
        let as_load = as_load && call.endorsers.is_empty();
        let full_id = call.id.as_ref().map(|id| if as_load { format!("{id}/0") } else { id.clone() });
        let refused = self.refused_endorsers(&call.endorsers);
        let approvers = call.endorsers.iter().filter(|number| HOLDERS[**number]).count();
        self.model.endorsers = (call.endorsers.len(), approvers);
        let decided = match refused {
            Some(code) => self.model.refused(code),
            None => self.model.decide(call.mode, &call.rows),
        };
        let records = self.model.signed_bytes(&call.rows);
        let (fate, index) = self.answer(call, as_load)?;
        self.codes.extend(fate.codes().map(str::to_owned));
        self.codes.extend(decided.outcomes().map(str::to_owned));
        if let Some(id) = &full_id
            && let Some(earlier) = self.ids.get(id)
        {
            // What is refused before it is signed was not what the earlier one holds.
            if decided.signed && earlier.mode == call.mode && earlier.records == records {
                same("retry", (earlier.fate.clone(), Some(earlier.index)), (fate, index))?;
            } else {
                same("reused id", Fate::Refused(0, "ledger.id_reused".to_owned()), fate)?;
            }
            return self.roots();
        }
        same("fate", decided.fate.clone(), fate.clone())?;
        if !matches!(fate, Fate::Logged(_)) {
            return self.roots();
        }
        same("index", Some(self.model.size() as u64), index)?;
        let index = index.unwrap_or_default();
        if let Some(id) = &full_id {
            self.ids.insert(id.clone(), Earlier { index, mode: call.mode, records, fate });
        }
        let position = decided.first_accepted();
        let given = self.given(full_id.as_deref(), &call.endorsers);
        self.compare_logged(index, position, call.mode, decided, given)?;
        self.roots()
    }

    /// Makes the call on the engine.
    fn answer(&self, call: &Call, as_load: bool) -> Result<Answer, String> {
        let refused = |error: Error| match error {
            Error::Rejected(why) | Error::Forbidden(why) => Ok((Fate::Refused(why.row as usize, why.code), None)),
            other => Err(format!("an error: {other}")),
        };
        let id = call.id.as_deref();
        if !as_load {
            let rows = call.rows.iter().map(|row| (row.kind.clone(), value(&row.data))).collect();
            let keys: Vec<Arc<Key>> = call.endorsers.iter().map(|number| endorser_key(*number)).collect();
            return match self.ledger.append_endorsed(rows, id, false, &keys, &meaning(&call.endorsers)) {
                Ok(appended) => Ok((Fate::Logged(Vec::new()), Some(appended.index))),
                Err(error) => refused(error),
            };
        }
        let values = call.rows.iter().map(|row| value(&row.data)).collect();
        match load(&self.ledger, &call.rows[0].kind, values, id, call.mode) {
            Err(error) => refused(error),
            Ok(report) => {
                let refused: Vec<(usize, String)> =
                    report.rejections.iter().map(|why| (why.row as usize, why.code.clone())).collect();
                let others = report.flagged.len() + report.held.len();
                let total = report.accepted as usize + others + refused.len();
                same("rows", (call.rows.len(), call.rows.len() as u64), (total, report.rows))?;
                Ok(match report.transactions().next() {
                    Some(index) => (Fate::Logged(refused), Some(index)),
                    None => (Fate::Nothing(refused), None),
                })
            }
        }
    }

    fn compare_logged(
        &mut self,
        index: u64,
        position: u32,
        mode: Mode,
        decided: Decided,
        given: Given<'_>,
    ) -> Result<(), String> {
        let receipt = self.ledger.receipt(RowId::new(index, position)).map_err(|error| error.to_string())?;
        let keys = self.ledger.verifier_keys().map_err(|error| error.to_string())?;
        let verified = receipt.verify(&keys).map_err(|error| error.to_string())?;
        same("receipt", (index, u64::from(position)), (verified.index, verified.position))?;
        let engine: Json = serde_json::from_str(&receipt.envelope).map_err(|error| error.to_string())?;
        let signatures = engine["signatures"].as_array().into_iter().flatten();
        let signatures: Vec<&str> = signatures.map(|by| by["sig"].as_str().unwrap_or("")).collect();
        let envelope = self.model.log(mode, decided, given, &signatures);
        same("envelope", envelope, receipt.envelope)
    }

    fn roots(&self) -> Result<(), String> {
        let checkpoint = self.ledger.checkpoint().map_err(|error| error.to_string())?;
        same("size", self.model.size() as u64, checkpoint.size)?;
        same("roots", self.model.roots(), [checkpoint.root, checkpoint.root_sha3])
    }

    /// The audit replays what was decided, from what is stored alone.
    fn audit(&self) -> Result<(), String> {
        let report = self.ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) });
        let report = report.map_err(|error| error.to_string())?;
        if report.verdict == Verdict::OkUpToSize { Ok(()) } else { Err(format!("the audit says {report:?}")) }
    }

    /// All cells of a file; of a ledger in memory, the balances of every account.
    fn cells(&self) -> Result<(), String> {
        let cells = &self.model.state.cells;
        if let Some(path) = self.file {
            let stored = stored_cells(path).map_err(|error| error.to_string())?;
            // A cell that was removed keeps its row, without a value.
            let value = |name: &String| cells.get(name).cloned().unwrap_or(Json::Null);
            let expected = self.model.changed_at.iter().map(|(name, at)| (name.clone(), (*at, value(name))));
            return same("table cells", expected.collect(), stored);
        }
        for (name, value) in cells {
            let name: Json = serde_json::from_str(name).expect("a cell name");
            // No record has a key without a value, though a cell may be named by one.
            if (name[1] != "balance" && name[1] != "bal") || name[2][0].is_null() {
                continue;
            }
            let owner = name[0].as_str().unwrap_or("");
            let id = Value::Text(name[2][0].as_str().unwrap_or("").to_owned());
            let balances = self.ledger.balances(owner, &[id]).map_err(|error| error.to_string())?;
            let text = |by: &Json| by.as_str().map_or_else(|| by.to_string(), str::to_owned);
            let by: Vec<String> = name[3].as_array().into_iter().flatten().map(text).collect();
            let parts = balances.get(&by).map(|parts| {
                Json::Object(parts.iter().map(|(part, amount)| (part.clone(), json!(amount.to_string()))).collect())
            });
            same("balance", Some(value.clone()), parts)?;
        }
        Ok(())
    }
}

fn stored_cells(path: &Path) -> rusqlite::Result<BTreeMap<String, (u64, Json)>> {
    let file = rusqlite::Connection::open(path)?;
    let mut query = file.prepare("SELECT key, value FROM cells")?;
    let rows = query.query_map([], |row| {
        let (name, stored): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (index, value) = stored.split_at(8);
        let value = serde_json::from_slice(value).expect("a value is JSON");
        let index = u64::from_be_bytes(index.try_into().expect("8 bytes"));
        Ok((String::from_utf8(name).expect("a name is text"), (index, value)))
    })?;
    rows.collect()
}
