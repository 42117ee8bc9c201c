//! `propose`: signs a transaction and appends nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone::model::Value;
use ledgerstone::{Open, ProposeOptions};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::input::malformed;
use crate::open::read_text;
use crate::output::Output;
use crate::passphrase::Protection;
use crate::table::{number, text};
use crate::values::from_json;

/// Sign a transaction into a file, for others to endorse and for anybody with the log key to append
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone propose books.ledger payment.jsonl --type finance.transfer --out payment.proposal --key me.pem
  ledgerstone endorse payment.proposal --member 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d --key other.pem
  ledgerstone append-proposal books.ledger payment.proposal

Without --type a line is {\"type\": \"finance.transfer\", \"data\": {…}}. All records stand or fall together. No log key is needed: a
copy of the ledger will do.")]
pub(crate) struct Arguments {
    /// The ledger's file, or a copy of it
    ledger: PathBuf,
    /// The file of JSON lines; - or nothing: standard input
    records: Option<PathBuf>,
    /// The record type of every line
    #[arg(long = "type", value_name = "TYPE")]
    record_type: Option<String>,
    /// Where the proposal goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The key file of the member who proposes
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_KEY", hide_env_values = true)]
    key: PathBuf,
    #[command(flatten)]
    protection: Protection,
    /// A name for this transaction, by which it is appended once (at most 64 bytes, no /)
    #[arg(long)]
    id: Option<String>,
    /// For how many hours it is good
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=876_000))]
    hours: u32,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let records = self.records()?;
        let key = self.protection.load_key(&self.key)?;
        let ledger = Open::default().key(key).readonly(true).at(&self.ledger)?;
        let lifetime = Some(i64::from(self.hours) * 3_600_000_000);
        let proposal = ledger.propose(records, ProposeOptions { id: self.id.as_deref(), lifetime })?;
        proposal.save(&self.out)?;
        let (count, expires) = (proposal.records().len(), &proposal.intent().expires);
        if out.is_json() {
            out.object([
                ("path", text(self.out.display())),
                ("id", text(proposal.id())),
                ("count", number(count as u64)),
                ("expires", text(expires)),
            ])?;
            return Ok(0);
        }
        out.line(format!("{}: {count} records proposed, good until {expires}", self.out.display()))?;
        Ok(0)
    }

    fn records(&self) -> Result<Vec<(String, Value)>, Failure> {
        let (name, lines) = match self.records.as_deref().filter(|path| *path != Path::new("-")) {
            Some(path) => (path.display().to_string(), read_text(path)?),
            None => ("standard input".to_owned(), std::io::read_to_string(std::io::stdin())?),
        };
        let lines = (1u64..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty());
        let records = lines
            .map(|(number, line)| self.record(line).map_err(|why| Failure::from(malformed(&name, Some(number), why))));
        records.collect()
    }

    /// The record of a line, or what is wrong with it.
    fn record(&self, line: &str) -> Result<(String, Value), String> {
        let json = Json::parse(line.trim().as_bytes()).map_err(|error| format!("no JSON, {error}"))?;
        if let Some(name) = &self.record_type {
            return Ok((name.clone(), from_json(json)));
        }
        match (json.get("type").and_then(Json::as_text), json.get("data")) {
            (Some(name), Some(data)) => Ok((name.to_owned(), from_json(data.clone()))),
            _ => Err("no {\"type\": …, \"data\": {…}}; or name the type of every line with --type".to_owned()),
        }
    }
}
