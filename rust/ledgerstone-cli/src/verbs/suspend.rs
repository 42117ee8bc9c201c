//! `suspend` and `resume`: whether a module takes records.

use clap::Args;

use crate::failure::Failure;
use crate::open::Writing;
use crate::output::Output;
use crate::table::text;

/// Suspend a module: its records are rejected until it is resumed
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone suspend books.ledger finance --reason 'a wrong rate table' --key me.pem")]
pub(crate) struct Suspend {
    #[command(flatten)]
    which: Which,
}

/// Resume a suspended module
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone resume books.ledger finance --reason 'the rates are right again' --key me.pem")]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// Which module, and why.
#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    ledger: Writing,
    /// The module
    module: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

impl Suspend {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let Which { ledger, module, reason } = &self.which;
        let appended = ledger.open()?.suspend(module, reason.as_deref())?;
        out.done(&format!("{module} suspended"), appended.index, [("suspended", text(module))])?;
        Ok(0)
    }
}

impl Resume {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let Which { ledger, module, reason } = &self.which;
        let appended = ledger.open()?.resume(module, reason.as_deref())?;
        out.done(&format!("{module} resumed"), appended.index, [("resumed", text(module))])?;
        Ok(0)
    }
}
