//! `release`: gives a held record its effects.

use clap::Args;

use crate::failure::Failure;
use crate::open::Writing;
use crate::output::Output;
use crate::table::text;
use crate::values::parse_place;

/// Release a held record: its rules run again, those that hold excepted, and its effects happen now
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone held books.ledger
  ledgerstone release books.ledger 17:0 --reason 'looked at with the supplier' --key me.pem

Who may is said by the record's type. Ends with exit code 1 where a rule rejects the record by now.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// The record's place, index:position, as `held` shows it
    place: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let Some(row) = parse_place(&self.place) else {
            return Err(Failure::usage(format!(
                "{:?} is no place of a record; write index:position, like 17:0",
                self.place
            )));
        };
        let appended = self.ledger.open()?.release(row, self.reason.as_deref())?;
        out.done(&format!("record {row} released"), appended.index, [("released", text(row))])?;
        Ok(0)
    }
}
