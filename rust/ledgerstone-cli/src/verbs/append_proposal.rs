//! `append-proposal`: appends what was proposed and endorsed.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::{Open, Proposal};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::open::{Clock, writable};
use crate::output::Output;
use crate::passphrase::LogKeyFile;
use crate::table::number;

/// Append a proposal, as its author and endorsers signed it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone append-proposal books.ledger payment.proposal
  ledgerstone append-proposal books.ledger from-anna.proposal from-ben.proposal

Copies of one proposal that were endorsed side by side are put together. Doing it again gives the same transaction.")]
pub(crate) struct Arguments {
    /// The ledger's file
    ledger: PathBuf,
    /// The proposal's file, or copies of it
    #[arg(required = true)]
    proposals: Vec<PathBuf>,
    #[command(flatten)]
    log_key: LogKeyFile,
    #[command(flatten)]
    clock: Clock,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let (first, copies) =
            self.proposals.split_first().ok_or_else(|| Failure::usage("a proposal's file is needed"))?;
        let merged = copies.iter().try_fold(Proposal::load(first)?, |merged, path| {
            merged.merge(&Proposal::load(path)?).map_err(|error| error.in_file(path))
        });
        let proposal = merged?;
        let ledger = writable(self.clock.accepting(Open::default()), &self.ledger, &self.log_key)?;
        let appended = ledger.append_proposal(&proposal)?;
        if out.is_json() {
            out.object([
                ("count", number(u64::from(appended.count))),
                ("index", number(appended.index)),
                ("new", Json::Bool(appended.is_new)),
            ])?;
            return Ok(0);
        }
        let before = if appended.is_new { "" } else { ", as before" };
        out.line(format!("{} records accepted, transaction {}{before}", appended.count, appended.index))?;
        Ok(0)
    }
}
