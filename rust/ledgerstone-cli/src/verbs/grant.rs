//! `grant`: gives a role to a member, or withdraws it.

use clap::Args;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::open::Writing;
use crate::output::Output;
use crate::table::text;
use crate::values::parse_time;

/// Give a role to a member, or withdraw it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone grant books.ledger 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d finance.bookkeeper --key me.pem
  ledgerstone grant books.ledger 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d finance.bookkeeper --until 2026-12-31T23:59:59Z --key me.pem
  ledgerstone grant books.ledger 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d finance.bookkeeper --withdraw --key me.pem

Times are ledger times: a grant begins and ends by the time of the transaction that needs it.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// The member's id, as `members` shows it
    member: String,
    /// The role, like finance.bookkeeper
    role: String,
    /// When it begins (RFC 3339) [default: at once]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// When it ends (RFC 3339) [default: it does not]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Withdraw it instead
    #[arg(long, conflicts_with_all = ["from", "until"])]
    withdraw: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let time = |text: &Option<String>| text.as_deref().map(parse_time).transpose();
        let (from, until) = (time(&self.from)?, time(&self.until)?);
        let ledger = self.ledger.open()?;
        let appended = if self.withdraw {
            ledger.withdraw(&self.member, &self.role)?
        } else {
            ledger.grant(&self.member, &self.role, from, until)?
        };
        let done = if self.withdraw { "withdrawn from" } else { "granted to" };
        let members =
            [("member", text(&self.member)), ("role", text(&self.role)), ("granted", Json::Bool(!self.withdraw))];
        out.done(&format!("{} {done} {}", self.role, self.member), appended.index, members)?;
        Ok(0)
    }
}
