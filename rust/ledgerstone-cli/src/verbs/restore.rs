//! `restore`: refused, with the reason.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::codes;

use crate::failure::Failure;
use crate::output::Output;

/// Refused: a ledger does not go on from a backup yet
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone audit books-2026-10-31.ledger --checkpoint newest.checkpoint

A ledger that went on from a backup would sign a second history under the name of the first, and whoever holds a newer checkpoint or
receipt would be right to call it rolled back. It needs a restart under an origin of its own that names what it forked from, which does
not exist yet. Until then a backup is read and audited where it is.")]
pub(crate) struct Arguments {
    /// The backup
    backup: PathBuf,
    /// Where the ledger would go
    ledger: PathBuf,
}

impl Arguments {
    pub(crate) fn run(&self, _out: &mut Output) -> Result<i32, Failure> {
        let backup = self.backup.display();
        let what =
            if self.backup.exists() { "it can be opened, queried and audited there" } else { "there is no such file" };
        Err(Failure::new(
            codes::RESTORE_REFUSED,
            format!(
                "{}: a ledger does not go on from a backup: it would sign a second history under the first one's name; {backup}: {what}",
                self.ledger.display()
            ),
        ))
    }
}
