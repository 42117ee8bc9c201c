//! `checkpoint`: the newest signed state of the log.

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;

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
        let checkpoint = self.ledger.open()?.checkpoint()?;
        out.text(match self.tree {
            Tree::Sha256 => &checkpoint.note,
            Tree::Sha3 => &checkpoint.note_sha3,
        })?;
        Ok(0)
    }
}
