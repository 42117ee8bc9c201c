//! `create`: makes a ledger.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::Create;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::source_of;
use crate::open::observer;
use crate::output::Output;
use crate::passphrase::{LogKeyFile, Protection};
use crate::table::{number, text};

/// Make a ledger, and beside it the key of its log
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone create books.ledger --origin acme.example/books --key me.pem --module finance

The file must not exist. Keep books.ledger.logkey.pem secret: it signs the ledger's checkpoints.")]
pub(crate) struct Arguments {
    /// The file to make
    path: PathBuf,
    /// The ledger's unique name, like a URL without https://
    #[arg(long)]
    origin: String,
    /// The key file of the first member
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_KEY", hide_env_values = true)]
    key: PathBuf,
    #[command(flatten)]
    protection: Protection,
    /// A module to load at once: a shipped one by name, or a schema file (may be repeated)
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,
    #[command(flatten)]
    log_key: LogKeyFile,
    /// Keep the bytes of records that loads reject, so that audits decide them again and they have receipts
    #[arg(long)]
    record_rejections: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let mut create = Create::new(&self.origin, self.protection.load_key(&self.key)?).observer(observer());
        create = create.record_rejections(self.record_rejections);
        for name in &self.modules {
            let (source, file) = source_of(name)?;
            create = create.module(&source, &file);
        }
        if let Some(path) = self.log_key.path() {
            create = create.log_key(path);
        }
        if let Some(passphrase) = self.log_key.passphrase()? {
            create = create.log_passphrase(passphrase);
        }
        let ledger = create.at(&self.path)?;
        if out.is_json() {
            out.object([
                ("path", text(self.path.display())),
                ("origin", text(ledger.origin())),
                ("size", number(ledger.size()?)),
                ("verifier_keys", Json::List(ledger.verifier_keys()?.iter().map(text).collect())),
            ])?;
            return Ok(0);
        }
        out.line(format!("{}: ledger {}, size {}", self.path.display(), ledger.origin(), ledger.size()?))?;
        out.line("Give these verifier keys to whoever checks its receipts:")?;
        for key in ledger.verifier_keys()? {
            out.line(key)?;
        }
        Ok(0)
    }
}
