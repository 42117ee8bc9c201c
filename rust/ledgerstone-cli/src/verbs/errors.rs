//! `errors`: the catalogue of error codes.

use clap::Args;
use ledgerstone::codes::CATALOGUE;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Table, json_line};

/// List every error code, what it means and what to do
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone errors
  ledgerstone errors disk_full
  ledgerstone errors --json

Codes of a module are declared in its schema file: `schema show finance` lists those of finance.")]
pub(crate) struct Arguments {
    /// Only codes that hold this text
    text: Option<String>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let wanted = self.text.as_deref().unwrap_or_default();
        let found: Vec<_> = CATALOGUE.iter().filter(|entry| entry.code.contains(wanted)).collect();
        if found.is_empty() {
            return Err(Failure::usage(format!(
                "no code of ledgerstone holds {wanted:?}; those of a module are in its file: schema show finance"
            )));
        }
        let mut table = Table::new(["code", "error", "meaning", "remedy"]).whole();
        for entry in found {
            let members = [
                ("code", entry.code),
                ("error", entry.class.name()),
                ("meaning", entry.summary),
                ("remedy", entry.remedy),
            ];
            let members = members.map(|(name, text)| (name.to_owned(), Json::Text(text.to_owned())));
            let object = Json::Object(members.to_vec());
            if out.is_json() {
                out.line(json_line(&object))?;
            } else {
                table.push_object(&object);
            }
        }
        if !out.is_json() {
            out.text(&table.render())?;
        }
        Ok(0)
    }
}
