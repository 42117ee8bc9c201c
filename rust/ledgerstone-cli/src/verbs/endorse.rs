//! `endorse`: shows a proposal, and signs it.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::Proposal;

use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase::Protection;

/// Show a proposal, and endorse it with a member's key; needs no ledger
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone endorse payment.proposal
  ledgerstone endorse payment.proposal --member 6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d --key other.pem --meaning reviewed

Without --member it is only shown. What is meant by signing, and the time of this machine's clock, are signed with it.")]
pub(crate) struct Arguments {
    /// The proposal's file; the endorsement is added to it
    proposal: PathBuf,
    /// The id of the member who endorses, as `members` shows it
    #[arg(long, value_name = "MEMBER", requires = "key")]
    member: Option<String>,
    /// The key file of the member who endorses
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
    #[command(flatten)]
    protection: Protection,
    /// What the member means by signing
    #[arg(long, default_value = "approved")]
    meaning: String,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let proposal = Proposal::load(&self.proposal)?;
        show(out, &proposal)?;
        if let (Some(member), Some(key)) = (&self.member, &self.key) {
            let key = self.protection.load_key(key)?;
            let endorsed = proposal.endorse(&key, member, &self.meaning)?;
            endorsed.save(&self.proposal)?;
            out.line(format!("endorsed  by {member}: {:?}", self.meaning))?;
        }
        Ok(0)
    }
}

fn show(out: &mut Output, proposal: &Proposal) -> Result<(), Failure> {
    let intent = proposal.intent();
    for record in proposal.records() {
        out.line(record)?;
    }
    out.line(format!("for       {}", proposal.origin()))?;
    out.line(format!("author    {} at {} by his clock", intent.author, intent.time))?;
    out.line(format!("good      until {}", intent.expires))?;
    out.line(format!("id        {}", proposal.id()))?;
    for by in proposal.endorsements() {
        let (meaning, time) = by.endorsement.as_ref().map_or(("", ""), |word| (&word.meaning, &word.time));
        out.line(format!("endorsed  by {}: {meaning:?} at {time}", by.member))?;
    }
    Ok(())
}
