//! `get`: one record, by its key or its place.

use std::sync::Arc;

use clap::Args;
use ledgerstone::{Ledger, Moment, StoredRecord, codes};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{json_line, objects};
use crate::values::{key_values, parse_moment, parse_place};

/// Show one record, by its key or its place
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone get books.ledger finance.transfer t1
  ledgerstone get books.ledger 7:0
  ledgerstone get books.ledger finance.account cash --as-of 2026-06-30

Ends with exit code 1 where there is no such record.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    #[command(flatten)]
    which: Which,
    /// The newest at a moment: an index, a day (its end, UTC) or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    as_of: Option<Moment>,
}

/// Which record is meant.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// A record type and the values of its key; or a place, index:position
    #[arg(required = true, value_names = ["TYPE", "KEY"], num_args = 1..)]
    words: Vec<String>,
}

impl Which {
    /// The record, if there is one: the newest, or the newest at a moment.
    pub(crate) fn find(&self, ledger: &Arc<Ledger>, as_of: Option<Moment>) -> Result<Option<StoredRecord>, Failure> {
        match self.words.as_slice() {
            [] => Ok(None),
            [place] => match parse_place(place) {
                Some(row) => Ok(Some(ledger.record(row)?)),
                None => Err(Failure::usage(format!(
                    "{place:?} is no place of a record; write index:position, like 7:0, or a type and a key, like finance.transfer t1"
                ))),
            },
            [name, key @ ..] => {
                let record_type = record_type(ledger, name)?;
                let key = key_values(&record_type, key);
                Ok(match as_of {
                    None => ledger.get(name, &key)?,
                    Some(moment) => ledger.as_of(moment).get(name, &key)?,
                })
            }
        }
    }

    /// Says that there is none.
    pub(crate) fn none(&self) -> Failure {
        Failure::new(codes::NO_RECORD, format!("no record {}", self.words.join(" ")))
    }
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let Some(record) = self.which.find(&ledger, self.as_of)? else { return Err(self.which.none()) };
        let data = objects(&record.batch).pop().unwrap_or(Json::Null);
        let text = |text: String| Json::Text(text);
        out.line(json_line(&Json::Object(vec![
            ("place".to_owned(), text(record.row.to_string())),
            ("type".to_owned(), text(record.record_type)),
            ("version".to_owned(), Json::Int(record.version as i64)),
            ("outcome".to_owned(), text(record.standing.name().to_owned())),
            ("code".to_owned(), record.standing.code().map_or(Json::Null, |code| text(code.to_owned()))),
            ("cause".to_owned(), record.cause.map_or(Json::Null, |cause| Json::Int(i64::from(cause)))),
            ("data".to_owned(), data),
        ])))?;
        Ok(0)
    }
}
