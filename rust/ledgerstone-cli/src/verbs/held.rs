//! `held`: records that wait for their release.

use clap::Args;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, json_line, objects};

/// List records that are held: in the ledger, without effects until somebody releases them
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone held books.ledger
  ledgerstone held books.ledger claims.claim --json

`release` releases one, by its place.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// Only of this record type
    record_type: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let held = self.ledger.open()?.held(self.record_type.as_deref(), self.limit)?;
        let mut table = Table::new(["place", "type", "code", "data"]);
        for record in &held {
            let data = objects(&record.batch).pop().unwrap_or(Json::Null);
            if out.is_json() {
                let text = |text: String| Json::Text(text);
                out.line(json_line(&Json::Object(vec![
                    ("place".to_owned(), text(record.row.to_string())),
                    ("type".to_owned(), text(record.record_type.clone())),
                    ("code".to_owned(), text(record.code.clone())),
                    ("data".to_owned(), data),
                ])))?;
            } else {
                let (place, kind, code) = (record.row.to_string(), record.record_type.clone(), record.code.clone());
                table.push(vec![place, kind, code, json_line(&data)]);
            }
        }
        if !out.is_json() {
            out.text(&table.render())?;
            eprintln!("{} record(s) held", held.len());
        }
        Ok(0)
    }
}
