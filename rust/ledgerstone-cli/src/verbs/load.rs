//! `load`: loads a module into a ledger.

use clap::Args;

use crate::failure::Failure;
use crate::modules::source_of;
use crate::open::Writing;
use crate::output::Output;
use crate::table::text;

/// Load a module, or a later version of it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone load books.ledger finance --key me.pem
  ledgerstone load books.ledger loans.toml --key me.pem --no-grant")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// A module shipped with ledgerstone by name, or a schema file
    module: String,
    /// Do not give the module's roles to the member who loads it
    #[arg(long)]
    no_grant: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let (source, file) = source_of(&self.module)?;
        let appended = self.ledger.open()?.load_module(&source, &file, !self.no_grant)?;
        out.done(&format!("module {} loaded", self.module), appended.index, [("module", text(&self.module))])?;
        Ok(0)
    }
}
