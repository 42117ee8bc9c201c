//! `grant`: gives a role to a member, or withdraws it.

use clap::Args;

use crate::failure::Failure;
use crate::open::Writing;
use crate::output::Output;

/// Give a role to a member, or withdraw it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone grant books.ledger 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d finance.bookkeeper --key me.pem
  ledgerstone grant books.ledger 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d finance.bookkeeper --withdraw --key me.pem")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// The member's id, as `members` shows it
    member: String,
    /// The role, like finance.bookkeeper
    role: String,
    /// Withdraw it instead
    #[arg(long)]
    withdraw: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let appended = self.ledger.open()?.grant(&self.member, &self.role, !self.withdraw)?;
        let done = if self.withdraw { "withdrawn from" } else { "granted to" };
        out.line(format!("{} {done} {}, transaction {}", self.role, self.member, appended.index))?;
        Ok(0)
    }
}
