//! `export`: the audit trail as a table.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ledgerstone::{Error, ExportFormat, ExportOptions, codes};

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::progress::Progress;
use crate::table::{number, text};

/// Write the audit trail to Parquet or Arrow IPC
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone export books.ledger transfers.parquet --type finance.transfer
  ledgerstone export books.ledger everything.arrow

Nothing is overwritten without --overwrite. Beside the fields stand author, times, place, module version, leaf hash and outcome.
Without --type every record is written, its fields as one JSON text.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The file to write, ending in .parquet or .arrow
    output: PathBuf,
    /// Only records of this type, their fields as columns
    #[arg(long = "type", value_name = "TYPE")]
    record_type: Option<String>,
    /// Replace the file if it exists
    #[arg(long)]
    overwrite: bool,
    /// The file format [default: by the file's ending]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Parquet,
    Arrow,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let format = match self.format {
            Some(Format::Parquet) => Some(ExportFormat::Parquet),
            Some(Format::Arrow) => Some(ExportFormat::Arrow),
            None => ExportFormat::of_path(&self.output),
        };
        let Some(format) = format else {
            let message = "an export ends in .parquet or .arrow; otherwise name its --format";
            return Err(Error::schema(codes::UNKNOWN_FILE_FORMAT, message).in_file(&self.output).into());
        };
        let ledger = self.ledger.open()?;
        let progress = Progress::new("rows", None);
        let mut tell = |done| {
            progress.set(done);
            Ok(())
        };
        let record_type = self.record_type.as_deref();
        let (format, overwrite) = (Some(format), self.overwrite);
        let rows =
            ledger.export(&self.output, ExportOptions { record_type, format, overwrite, progress: &mut tell })?;
        drop(progress);
        if out.is_json() {
            out.object([("path", text(self.output.display())), ("rows", number(rows))])?;
            return Ok(0);
        }
        out.line(format!("{}: {rows} rows", self.output.display()))?;
        Ok(0)
    }
}
