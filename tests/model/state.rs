//! The model's state: plain maps, and a unit that stands or falls over them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::amount;
use super::hash::jcs;
use super::ratio::Ratio;

/// A record as it is handed over: full type name, data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: String,
    pub(crate) data: Json,
}

/// Why a record may not be signed: by itself it is not one of its type, or breaks a rule that looks at nothing else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unsigned {
    Parse(String),
    Rule(String),
}

impl Unsigned {
    pub(crate) fn code(&self) -> &str {
        match self {
            Unsigned::Parse(code) | Unsigned::Rule(code) => code,
        }
    }
}

/// A module's meaning.
pub(crate) trait Rules {
    /// The module's version, which records carry.
    fn version(&self, kind: &str) -> u64;
    /// What the record says on its own.
    fn screen(&self, record: &Record) -> Result<(), Unsigned>;
    /// The data as the log holds it.
    fn canonical(&self, record: &Record) -> Json;
    /// Does what a record does, or says why not; the unit is then thrown away.
    fn apply(&self, unit: &mut Unit<'_>, record: &Record) -> Result<(), String>;
    /// The records that rules make of a record that stands so far, each fit to be signed; or why one of them is not.
    fn followers(&self, _: &Unit<'_>, _: &Record) -> Result<Vec<Record>, String> {
        Ok(Vec::new())
    }
    /// What is looked at when a unit ends: one thing of it. A code where it flags the record, or fells the unit.
    fn end(&self, unit: &Unit<'_>, last: &AtEnd) -> Result<Option<String>, String>;
}

/// Cells by their encoded name, and records by type, rule number and unique values.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) cells: BTreeMap<String, Json>,
    pub(crate) keys: BTreeMap<String, Json>,
}

/// A unit under way: what it changed, over the state it began with.
#[derive(Clone)]
pub(crate) struct Unit<'s> {
    state: &'s State,
    cells: BTreeMap<String, Option<Json>>,
    keys: BTreeMap<String, Json>,
    /// Who appends.
    pub(crate) signers: Signers<'s>,
    /// Whether an amount stands because it was endorsed.
    pub(crate) approved: bool,
    /// What is looked at in the end, in order.
    pub(crate) at_end: Vec<AtEnd>,
    /// What counts towards sums over the unit, in order.
    pub(crate) contributions: Vec<Contribution>,
    /// Cells whose bounds are looked at when the record is done, where it replaces an earlier version.
    pub(crate) later: Option<Vec<String>>,
    /// Severity and code of the record's rules that failed and do not reject, in order.
    pub(crate) failures: Vec<(&'static str, String)>,
}

/// What becomes of a record that is not rejected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    Accepted,
    Flagged(String),
    Held(String),
}

/// Something that is looked at when a unit ends.
#[derive(Clone, Debug)]
pub(crate) enum AtEnd {
    /// The bounds of a cell.
    Bounds(String),
    /// The sum that this contribution counts towards.
    Sum(usize),
}

/// What counts towards a sum over the unit.
#[derive(Clone, Debug)]
pub(crate) struct Contribution {
    pub(crate) group: String,
    pub(crate) amount: Ratio,
    pub(crate) within: (i64, i64),
    pub(crate) code: String,
    /// Whether a sum out of its bounds flags the record that counts first, and fells nothing.
    pub(crate) flags: bool,
}

/// Who signs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signers<'s> {
    /// The author's id.
    pub(crate) author: &'s str,
    /// How many endorse, and how many of them hold the role.
    pub(crate) endorsers: usize,
    pub(crate) approvers: usize,
}

/// What a unit changed.
pub(crate) type Changes = (BTreeMap<String, Option<Json>>, BTreeMap<String, Json>);

impl<'s> Unit<'s> {
    pub(crate) fn new(state: &'s State, signers: Signers<'s>) -> Self {
        Unit {
            state,
            cells: BTreeMap::new(),
            keys: BTreeMap::new(),
            signers,
            approved: false,
            at_end: Vec::new(),
            contributions: Vec::new(),
            later: None,
            failures: Vec::new(),
        }
    }

    /// What becomes of the record whose rules have been looked at; the next one starts without failures.
    pub(crate) fn standing(&mut self) -> Standing {
        let failures = std::mem::take(&mut self.failures);
        let first = |severity: &str| failures.iter().find(|(of, _)| *of == severity).map(|(_, code)| code.clone());
        match (first("hold"), first("flag")) {
            (Some(code), _) => Standing::Held(code),
            (None, Some(code)) => Standing::Flagged(code),
            (None, None) => Standing::Accepted,
        }
    }

    pub(crate) fn changes(self) -> Changes {
        (self.cells, self.keys)
    }

    pub(crate) fn cell(&self, name: &str) -> Option<Json> {
        match self.cells.get(name) {
            Some(changed) => changed.clone(),
            None => self.state.cells.get(name).cloned(),
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<Json>) {
        self.cells.insert(name.to_owned(), value);
    }

    /// The record that holds a unique key.
    pub(crate) fn holder(&self, key: &str) -> Option<&Json> {
        self.keys.get(key).or_else(|| self.state.keys.get(key))
    }

    /// The newest version of every record of a type that has a key.
    pub(crate) fn records(&self, kind: &str) -> Vec<&Json> {
        let prefix = format!("[\"{kind}\",0,");
        let mut all: BTreeMap<&String, &Json> = self.state.keys.iter().collect();
        all.extend(&self.keys);
        all.into_iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(_, data)| data).collect()
    }

    /// Puts the next version of a record in the place of the one before.
    pub(crate) fn succeed(&mut self, key: &str, data: &Json) {
        self.keys.insert(key.to_owned(), data.clone());
    }

    /// Takes a unique key for a record, or says that it is taken.
    pub(crate) fn take(&mut self, key: &str, data: &Json, code: &str) -> Result<(), String> {
        if self.holder(key).is_some() {
            return Err(code.to_owned());
        }
        self.keys.insert(key.to_owned(), data.clone());
        Ok(())
    }

    /// A part of a balance; `None` where it has no value.
    pub(crate) fn part(&self, cell: &str, part: &str) -> Option<i128> {
        self.cell(cell)?.get(part)?.as_str().map(amount::parse)
    }

    /// Adds to a part of a balance that exists; a part without a value counts as nothing.
    pub(crate) fn add(&mut self, cell: &str, part: &str, delta: i128) {
        let mut value = self.cell(cell).expect("the balance exists");
        let sum = self.part(cell, part).unwrap_or(0) + delta;
        value[part] = json!(amount::show(sum));
        self.set(cell, Some(value));
    }
}

impl State {
    pub(crate) fn keep(&mut self, (cells, keys): Changes) {
        for (name, value) in cells {
            match value {
                Some(value) => self.cells.insert(name, value),
                None => self.cells.remove(&name),
            };
        }
        self.keys.extend(keys);
    }
}

/// The name of a cell.
pub(crate) fn cell_name(owner: &str, cell: &str, at: &[Json], by: &[Json]) -> String {
    jcs(&json!([owner, cell, at, by]))
}

/// The name of a unique key.
pub(crate) fn key_name(kind: &str, number: usize, values: &[Json]) -> String {
    jcs(&json!([kind, number, values]))
}
