//! `balance`: the balances of one record.

use clap::Args;
use ledgerstone::{Moment, codes};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, json_line};
use crate::values::{key_values, parse_day_word, parse_moment};

/// Show the balances of an account, or of any record that has them
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone balance books.ledger finance.account cash
  ledgerstone balance books.ledger finance.account cash --as-of 2026-06-30T18:00:00Z
  ledgerstone balance books.ledger finance.account cash --on 2026-06-30

--as-of is the balance as the ledger had it then; --on is what the records count up to that effective date, whenever they were
appended. It is an answer of this file, not a proof.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The record type, like finance.account
    record_type: String,
    /// The values of its key
    #[arg(required = true)]
    key: Vec<String>,
    /// The balance at a moment: an index, a day (its end, UTC) or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    as_of: Option<Moment>,
    /// The balance by effective date
    #[arg(long, value_name = "DAY", value_parser = parse_day_word)]
    on: Option<i32>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let key = key_values(&record_type, &self.key);
        let balances = match (self.on, self.as_of) {
            (Some(day), as_of) => ledger.balances_on(&self.record_type, &key, day, as_of)?,
            (None, Some(moment)) => ledger.as_of(moment).balances(&self.record_type, &key)?,
            (None, None) => ledger.balances(&self.record_type, &key)?,
        };
        if balances.is_empty() {
            let message = format!("{} {} has no balance", self.record_type, self.key.join(" "));
            return Err(Failure::new(codes::NO_RECORD, message));
        }
        let objects = balances.iter().map(|(by, parts)| {
            let parts = parts.iter().map(|(part, value)| (part.clone(), Json::Text(value.to_string())));
            (by.join(", "), Json::Object(parts.collect()))
        });
        if out.is_json() {
            out.line(json_line(&Json::Object(objects.collect())))?;
            return Ok(0);
        }
        let mut parts: Vec<&str> = balances.values().flat_map(|parts| parts.keys().map(String::as_str)).collect();
        parts.sort_unstable();
        parts.dedup();
        let mut table = Table::new(["by"].into_iter().chain(parts));
        for (by, parts) in objects {
            let Json::Object(mut members) = parts else { continue };
            members.push(("by".to_owned(), Json::Text(by)));
            table.push_object(&Json::Object(members));
        }
        out.text(&table.render())?;
        Ok(0)
    }
}
