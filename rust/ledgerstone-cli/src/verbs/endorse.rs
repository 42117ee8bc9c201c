//! `endorse`: shows a proposal, and signs it.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::Proposal;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase::Protection;
use crate::table::text;

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
        let mut proposal = Proposal::load(&self.proposal)?;
        if !out.is_json() {
            show(out, &proposal)?;
        }
        if let (Some(member), Some(key)) = (&self.member, &self.key) {
            let key = self.protection.load_key(key)?;
            proposal = proposal.endorse(&key, member, &self.meaning)?;
            proposal.save(&self.proposal)?;
            if !out.is_json() {
                out.line(format!("endorsed  by {member}: {:?}", self.meaning))?;
            }
        }
        if out.is_json() {
            as_json(out, &proposal)?;
        }
        Ok(0)
    }
}

fn as_json(out: &mut Output, proposal: &Proposal) -> Result<(), Failure> {
    let intent = proposal.intent();
    // Records are JSON that was checked when the proposal was read.
    let records = proposal.records().iter().map(|record| Json::parse(record.as_bytes()).unwrap_or(Json::Null));
    let endorsements = proposal.endorsements().iter().map(|by| {
        let word = by.endorsement.as_ref();
        let members = [
            ("member", text(&by.member)),
            ("meaning", word.map_or(Json::Null, |word| text(&word.meaning))),
            ("time", word.map_or(Json::Null, |word| text(&word.time))),
        ];
        Json::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec())
    });
    out.object([
        ("origin", text(proposal.origin())),
        ("id", text(proposal.id())),
        ("author", text(&intent.author)),
        ("time", text(&intent.time)),
        ("expires", text(&intent.expires)),
        ("records", Json::List(records.collect())),
        ("endorsements", Json::List(endorsements.collect())),
    ])?;
    Ok(())
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
