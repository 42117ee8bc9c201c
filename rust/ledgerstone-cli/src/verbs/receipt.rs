//! `receipt`: the proof of one record.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::files;

use super::get::Which;
use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::text;

/// Write the receipt of a record, which verifies offline
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone receipt books.ledger finance.transfer t1 --output t1.receipt
  ledgerstone receipt books.ledger 7:0 > 7-0.receipt")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    #[command(flatten)]
    which: Which,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let Some(record) = self.which.find(&ledger, None)? else { return Err(self.which.none()) };
        let receipt = ledger.receipt(record.row)?.to_json();
        match &self.output {
            None => out.text(&receipt)?,
            Some(path) => {
                files::replace(path, receipt.as_bytes()).map_err(|error| Failure::file(path, error))?;
                if out.is_json() {
                    out.object([("path", text(path.display())), ("place", text(record.row))])?;
                    return Ok(0);
                }
                out.line(format!("{}: receipt of {}", path.display(), record.row))?;
            }
        }
        Ok(0)
    }
}
