//! `history`: what became of a key.

use clap::Args;
use ledgerstone::Moment;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::rows::show;
use crate::values::{key_values, parse_moment};

/// Show every record with a key, and every record that moved its cells
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone history books.ledger finance.account cash
  ledgerstone history books.ledger finance.hold h1 --json

Each line says where the record stands, when and by whom it was appended, and what it changed: fields of the record itself, and what
its cells held before and after. What a held record did is told at its release, and _held_at says where it was held.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The record type, like finance.account
    record_type: String,
    /// The values of its key
    #[arg(required = true)]
    key: Vec<String>,
    /// Up to a moment: an index, a day (its end, UTC) or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    as_of: Option<Moment>,
    /// At most so many rows [default: 100 for a table, all for --json]
    #[arg(long)]
    limit: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let key = key_values(&record_type, &self.key);
        let rows = ledger.history(&self.record_type, &key, self.as_of)?;
        show(out, &rows.schema(), rows, self.limit, "record")?;
        Ok(0)
    }
}
