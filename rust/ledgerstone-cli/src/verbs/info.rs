//! `info`: what a ledger is and holds.

use std::sync::Arc;

use clap::Args;
use ledgerstone::{Ledger, ModuleState, QueryRequest};
use ledgerstone_verify::b64;

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::Table;

/// Show what a ledger is and holds
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone info books.ledger
  ledgerstone info books.ledger --verifier-keys > acme.keys")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// Only the keys by which its receipts are verified, one a line
    #[arg(long)]
    verifier_keys: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        if self.verifier_keys {
            for key in ledger.verifier_keys()? {
                out.line(key)?;
            }
            return Ok(0);
        }
        let checkpoint = ledger.checkpoint()?;
        let bytes =
            std::fs::metadata(&self.ledger.ledger).map_err(|error| Failure::file(&self.ledger.ledger, error))?.len();
        out.line(format!("origin    {}", ledger.origin()))?;
        out.line(format!("size      {} transactions, {bytes} bytes", checkpoint.size))?;
        out.line(format!("root      {} (SHA-256)", b64(&checkpoint.root)))?;
        out.line(format!("          {} (SHA3-256)", b64(&checkpoint.root_sha3)))?;
        for key in ledger.verifier_keys()? {
            out.line(format!("verifier  {key}"))?;
        }
        out.line(format!("members   {}", ledger.members()?.len()))?;
        let mut table = Table::new(["type", "records"]);
        for module in ledger.modules()? {
            let state = if module.state == ModuleState::Active { "" } else { " (suspended)" };
            out.line(format!("module    {} version {}: {}{state}", module.name, module.version, module.title))?;
            for name in module.types {
                let count = records(&ledger, &name)?;
                if count > 0 {
                    table.push(vec![name, count.to_string()]);
                }
            }
        }
        out.line("")?;
        out.text(&table.render())?;
        Ok(0)
    }
}

/// Number of stored records of a type.
fn records(ledger: &Arc<Ledger>, name: &str) -> Result<usize, Failure> {
    let columns = Some(vec!["_position".to_owned()]);
    let request = QueryRequest { record_type: name.to_owned(), columns, ..QueryRequest::default() };
    let mut count = 0;
    for batch in ledger.query(&request)? {
        count += batch?.num_rows();
    }
    Ok(count)
}
