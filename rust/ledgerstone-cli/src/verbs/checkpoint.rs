//! `checkpoint`: the newest signed state of the log.

use clap::{Args, ValueEnum};
use ledgerstone_verify::b64;

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{number, text};

/// Print the newest checkpoint, a signed note
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone checkpoint books.ledger > books-$(date +%F).checkpoint

Keep it outside the ledger: `audit --checkpoint` finds a ledger that was cut short or rolled back only against one.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// Over which tree
    #[arg(long, value_enum, default_value_t = Tree::Sha256)]
    tree: Tree,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tree {
    Sha256,
    #[value(name = "sha3-256")]
    Sha3,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let checkpoint = ledger.checkpoint()?;
        if out.is_json() {
            out.object([
                ("origin", text(ledger.origin())),
                ("size", number(checkpoint.size)),
                ("root", text(b64(&checkpoint.root))),
                ("root_sha3", text(b64(&checkpoint.root_sha3))),
                ("note", text(checkpoint.note)),
                ("note_sha3", text(checkpoint.note_sha3)),
            ])?;
            return Ok(0);
        }
        out.text(match self.tree {
            Tree::Sha256 => &checkpoint.note,
            Tree::Sha3 => &checkpoint.note_sha3,
        })?;
        Ok(0)
    }
}
