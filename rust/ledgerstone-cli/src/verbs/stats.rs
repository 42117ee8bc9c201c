//! `stats`: numbers about a ledger.

use clap::Args;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, number, text};

/// Show numbers: transactions, records by type, bytes by table
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone stats books.ledger
  ledgerstone stats books.ledger --json

Bytes by table are counted page by page, which reads the file once.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let stats = self.ledger.open()?.stats()?;
        let object = |members: Vec<(&str, u64)>| {
            Json::Object(members.into_iter().map(|(name, count)| (name.to_owned(), number(count))).collect())
        };
        let records: Vec<(&str, u64)> = stats.records.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let total: u64 = stats.bytes.iter().map(|(_, bytes)| bytes).sum();
        if out.is_json() {
            let modules = stats.modules.iter().map(|(name, version)| (name.as_str(), *version)).collect();
            out.object([
                ("transactions", number(stats.transactions)),
                ("time", text(stats.time)),
                ("members", number(stats.members)),
                ("modules", object(modules)),
                ("semantics", number(stats.semantics)),
                ("code_tables", Json::List(stats.code_tables.iter().map(text).collect())),
                ("records", object(records)),
                ("bytes", object(stats.bytes)),
                ("bytes_total", number(total)),
                ("checkpoint", text(stats.checkpoint)),
            ])?;
            return Ok(0);
        }
        out.line(format!("transactions  {}, the newest of {}", stats.transactions, stats.time))?;
        out.line(format!("members       {}", stats.members))?;
        for (name, version) in &stats.modules {
            out.line(format!("module        {name} version {version}"))?;
        }
        out.line(format!("semantics     {}, with {}", stats.semantics, stats.code_tables.join(", ")))?;
        for (title, rows) in
            [("records", records), ("bytes", stats.bytes.into_iter().filter(|(_, n)| *n > 0).collect())]
        {
            let mut table = Table::new([if title == "records" { "type" } else { "table" }, title]);
            rows.into_iter().for_each(|(name, count)| table.push(vec![name.to_owned(), count.to_string()]));
            out.line("")?;
            out.text(&table.render())?;
        }
        out.line("")?;
        out.text(&stats.checkpoint)?;
        Ok(0)
    }
}
