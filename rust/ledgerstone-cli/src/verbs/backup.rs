//! `backup`: a copy of a ledger that is in use.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::{BackupOptions, BackupProgress};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::progress::Progress;
use crate::table::{number, text};

/// Copy a ledger that is in use, and audit the copy
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone backup books.ledger /mnt/backup/books-$(date +%F).ledger

The copy is of one moment, whatever is appended meanwhile; it has its name only when it is whole and verified. Nothing is overwritten.
The log key is not copied: keep books.ledger.logkey.pem apart, or nobody can append to a copy that has to take the ledger's place.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The file to make, which must not exist
    output: PathBuf,
    /// Do not audit the copy
    #[arg(long)]
    no_audit: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let (pages, transactions) = (Progress::new("pages copied", None), Progress::new("transactions audited", None));
        let mut tell = |done| {
            match done {
                BackupProgress::Copied(done, _) => pages.set(done),
                BackupProgress::Audited(done, _) => transactions.set(done),
            }
            Ok(())
        };
        let backup = ledger.backup(&self.output, BackupOptions { audit: !self.no_audit, progress: &mut tell })?;
        drop((pages, transactions));
        if out.is_json() {
            out.object([
                ("path", text(self.output.display())),
                ("size", number(backup.size)),
                ("bytes", number(backup.bytes)),
                ("audited", Json::Bool(!self.no_audit)),
                ("checkpoint", text(backup.checkpoint)),
            ])?;
            return Ok(0);
        }
        let checked = if self.no_audit { "not audited" } else { "audited" };
        out.line(format!(
            "{}: {} transactions, {} bytes, {checked}",
            self.output.display(),
            backup.size,
            backup.bytes
        ))?;
        eprintln!("the log key is not in it: keep {}.logkey.pem apart", self.ledger.ledger.display());
        Ok(0)
    }
}
