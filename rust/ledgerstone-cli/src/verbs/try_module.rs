//! `schema try`: what a module would make of records, without a ledger.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone::model::Value;
use ledgerstone::{CellNow, RecordException, Trial, Tried};
use ledgerstone_verify::{ExceptionOutcome, Json};

use crate::failure::{Failure, REFUSED};
use crate::input::malformed;
use crate::modules::source_of;
use crate::open::read_text;
use crate::output::Output;
use crate::table::{number, text};
use crate::values::{from_json, named_words, to_json, words};

/// Bytes of a file of records: a trial is for examples, kept in memory.
const FILE_BYTES: usize = 64 << 20;

/// Try records against a module; nothing is written
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  echo '{\"type\":\"finance.account\",\"data\":{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}}' |
      ledgerstone schema try finance
  ledgerstone schema try loans.toml examples.jsonl --module finance

Each line is a record, {\"type\": …, \"data\": {…}}; each is a transaction of its own, by a member who holds every role.
Prints what became of each, and the cells that are left. Exit code 1 where a record was refused.")]
pub(crate) struct Arguments {
    /// The schema file, or the name of a module shipped with ledgerstone
    module: String,
    /// The file of JSON lines; - or nothing: standard input
    records: Option<PathBuf>,
    /// Another module that it needs; may be given several times
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let named = self.modules.iter().chain([&self.module]);
        let modules = named.map(|name| source_of(name)).collect::<Result<Vec<_>, _>>()?;
        let trial = Trial::run(&modules, self.records()?)?;
        if out.is_json() {
            return as_json(out, &trial);
        }
        for (number, tried) in trial.records.iter().enumerate() {
            match &tried.exception {
                None => out.line(format!("{number} {}: accepted", tried.record_type))?,
                Some(RecordException { outcome, reason: refused }) => {
                    let outcome = outcome.name();
                    out.line(format!("{number} {}: {outcome}{}", tried.record_type, refused.told()))?;
                }
            }
        }
        for cell in &trial.cells {
            out.line(cell_line(cell))?;
        }
        Ok(exit_code(&trial))
    }

    fn records(&self) -> Result<Vec<(String, Value)>, Failure> {
        let (text, name) = match self.records.as_deref().filter(|path| *path != Path::new("-")) {
            Some(path) => (read_text(path)?, path.display().to_string()),
            None => {
                let mut text = String::new();
                std::io::stdin().take(FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
                (text, "standard input".to_owned())
            }
        };
        if text.len() > FILE_BYTES {
            return Err(malformed(&name, None, format!("a trial takes at most {FILE_BYTES} bytes of records")).into());
        }
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(number, line)| {
                let what = "a record is one JSON object {\"type\": …, \"data\": {…}}";
                record(line).ok_or_else(|| malformed(&name, Some(number as u64 + 1), what).into())
            })
            .collect()
    }
}

/// The record of a line.
fn record(line: &str) -> Option<(String, Value)> {
    let Ok(Json::Object(members)) = Json::parse(line.trim().as_bytes()) else { return None };
    let [first, second] = <[(String, Json); 2]>::try_from(members).ok()?;
    let (data, record_type) = if first.0 == "data" { (first, second) } else { (second, first) };
    match (data.0.as_str(), record_type) {
        ("data", (name, Json::Text(record_type))) if name == "type" => Some((record_type, from_json(data.1))),
        _ => None,
    }
}

/// One where a record was refused.
fn exit_code(trial: &Trial) -> i32 {
    let is_refused = |tried: &Tried| {
        tried.exception.as_ref().is_some_and(|exception| exception.outcome == ExceptionOutcome::Rejected)
    };
    if trial.records.iter().any(is_refused) { REFUSED } else { 0 }
}

/// An object for each record, then one for each cell.
fn as_json(out: &mut Output, trial: &Trial) -> Result<i32, Failure> {
    for (place, tried) in trial.records.iter().enumerate() {
        let reason = tried.exception.as_ref().map(|exception| &exception.reason);
        out.some([
            ("record", Some(number(place as u64))),
            ("type", Some(text(&tried.record_type))),
            ("outcome", Some(text(tried.exception.as_ref().map_or("accepted", |exception| exception.outcome.name())))),
            ("code", reason.map(|reason| text(&reason.code))),
            ("message", reason.map(|reason| text(&reason.message))),
            ("field", reason.and_then(|reason| reason.field.as_ref()).map(text)),
            ("cell", reason.and_then(|reason| reason.cell.as_ref()).map(text)),
        ])?;
    }
    for cell in &trial.cells {
        out.object([
            ("cell", text(&cell.name)),
            ("type", text(&cell.record_type)),
            ("key", Json::List(cell.key.iter().map(to_json).collect())),
            ("by", Json::List(cell.by.iter().map(to_json).collect())),
            ("value", to_json(&Value::Object(cell.value.clone()))),
        ])?;
    }
    Ok(exit_code(trial))
}

fn cell_line(cell: &CellNow) -> String {
    let list = |values: &[Value]| values.iter().map(words).collect::<Vec<_>>().join(", ");
    let by = if cell.by.is_empty() { String::new() } else { format!(" in {}", list(&cell.by)) };
    format!("{} {} of {}{by}: {}", cell.record_type, cell.name, list(&cell.key), named_words(&cell.value))
}
