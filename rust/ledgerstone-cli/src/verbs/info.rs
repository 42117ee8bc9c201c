//! `info`: what a ledger is.

use clap::Args;
use ledgerstone::ModuleState;
use ledgerstone_verify::{Json, b64};

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{number, text};

/// Show what a ledger is: origin, roots, verifier keys, modules
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
            let keys = ledger.verifier_keys()?;
            if out.is_json() {
                out.object([("verifier_keys", Json::List(keys.iter().map(text).collect()))])?;
                return Ok(0);
            }
            for key in keys {
                out.line(key)?;
            }
            return Ok(0);
        }
        let checkpoint = ledger.checkpoint()?;
        if out.is_json() {
            let modules = ledger.modules()?.into_iter().map(|module| {
                let members =
                    [("name", text(module.name)), ("version", number(module.version)), ("title", text(module.title))];
                Json::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec())
            });
            out.object([
                ("origin", text(ledger.origin())),
                ("size", number(checkpoint.size)),
                ("root", text(b64(&checkpoint.root))),
                ("root_sha3", text(b64(&checkpoint.root_sha3))),
                ("verifier_keys", Json::List(ledger.verifier_keys()?.iter().map(text).collect())),
                ("members", number(ledger.members()?.len() as u64)),
                ("modules", Json::List(modules.collect())),
            ])?;
            return Ok(0);
        }
        out.line(format!("origin    {}", ledger.origin()))?;
        out.line(format!("size      {} transactions", checkpoint.size))?;
        out.line(format!("root      {} (SHA-256)", b64(&checkpoint.root)))?;
        out.line(format!("          {} (SHA3-256)", b64(&checkpoint.root_sha3)))?;
        for key in ledger.verifier_keys()? {
            out.line(format!("verifier  {key}"))?;
        }
        out.line(format!("members   {}", ledger.members()?.len()))?;
        for module in ledger.modules()? {
            let state = if module.state == ModuleState::Active { "" } else { " (suspended)" };
            out.line(format!("module    {} version {}: {}{state}", module.name, module.version, module.title))?;
        }
        Ok(0)
    }
}
