//! `state`: every cell of one record.

use clap::Args;
use ledgerstone::Moment;
use ledgerstone::model::Value;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, text};
use crate::values::{key_values, named_words, parse_moment, to_json};

/// Show what a record's cells hold: balances, counts, states, holders, sequences
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone state books.ledger finance.account cash
  ledgerstone state books.ledger finance.account cash --as-of 2026-06-30 --json

It is an answer of this file, not a proof.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The record type, like finance.account
    record_type: String,
    /// The values of its key
    #[arg(required = true)]
    key: Vec<String>,
    /// At a moment: an index, a day (its end, UTC) or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    as_of: Option<Moment>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let key = key_values(&record_type, &self.key);
        let cells = match self.as_of {
            None => ledger.state(&self.record_type, &key)?,
            Some(moment) => ledger.as_of(moment).state(&self.record_type, &key)?,
        };
        let mut table = Table::new(["cell", "by", "value"]).whole();
        for cell in cells {
            if out.is_json() {
                out.object([
                    ("cell", text(&cell.cell)),
                    ("by", Json::List(cell.by.iter().map(text).collect())),
                    ("value", to_json(&Value::Object(cell.value))),
                ])?;
            } else {
                table.push(vec![cell.cell, cell.by.join(", "), named_words(&cell.value)]);
            }
        }
        if !out.is_json() {
            out.text(&table.render())?;
        }
        Ok(0)
    }
}
