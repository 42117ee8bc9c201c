//! `statement`: what moved a balance.

use clap::Args;
use ledgerstone::model::Decimal;
use ledgerstone::{Balance, Moment, StatementRequest};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::rows::show_tidied;
use crate::table::{Table, json_line};
use crate::values::{key_values, parse_moment};

/// Show every record that moved a balance, and the balance after each
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone statement books.ledger finance.account cash --columns id,narrative
  ledgerstone statement books.ledger finance.account cash --by EUR --start 2026-06-01 --end 2026-06-30
  ledgerstone statement books.ledger finance.account cash --json

Start and end belong to the statement; a day is meant whole, in UTC. The balances at both ends go to standard error. What a held record
did stands at its release, and _held_at says where it was held. Records of one transaction that moved the balance by what they looked up
and cannot be told apart have no change; the last of them has the balance after them all. A table leaves out parts that no line moves.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The record type that owns the balance, like finance.account
    record_type: String,
    /// The values of its key
    #[arg(required = true)]
    key: Vec<String>,
    /// The unit, where there are several, like EUR
    #[arg(long, value_name = "VALUE,…", value_delimiter = ',')]
    by: Option<Vec<String>>,
    /// From a moment on: an index, a day or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    start: Option<Moment>,
    /// Up to a moment: an index, a day or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    end: Option<Moment>,
    /// Fields of the records to show
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// At most so many rows [default: 100 for a table, all for --json]
    #[arg(long)]
    limit: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let rows = ledger.statement(&StatementRequest {
            record_type: self.record_type.clone(),
            key: key_values(&record_type, &self.key),
            by: self.by.clone(),
            start: self.start,
            end: self.end,
            columns: self.columns.clone(),
        })?;
        let (opening, closing) = (rows.opening(), rows.closing());
        show_tidied(out, &rows.schema(), rows, self.limit, "movement", leave_out_idle_parts)?;
        if out.is_json() {
            let ends = [("opening", &opening), ("closing", &closing)];
            let ends = ends.map(|(name, balance)| (name.to_owned(), json(balance)));
            eprintln!("{}", json_line(&Json::Object(ends.to_vec())));
        } else {
            eprintln!("opening {}, closing {}", text(&opening), text(&closing));
        }
        Ok(0)
    }
}

/// Parts of the balance that no line shown moves only widen a table; where none moves, all are shown.
fn leave_out_idle_parts(table: &mut Table) {
    let parts = table.titles().iter().filter_map(|title| title.strip_suffix("_change"));
    let moves = |change: &str| Decimal::parse(change).is_none_or(|change| change.mantissa != 0);
    let (moving, idle): (Vec<String>, Vec<String>) = parts.map(str::to_owned).partition(|part| {
        let column = format!("{part}_change");
        table.cells(&column).any(moves)
    });
    if !moving.is_empty() {
        let columns = idle.iter().flat_map(|part| ["change", "balance"].map(|column| format!("{part}_{column}")));
        table.leave_out(&columns.collect::<Vec<_>>());
    }
}

fn json(balance: &Balance) -> Json {
    Json::Object(balance.iter().map(|(part, amount)| (part.clone(), Json::Text(amount.to_string()))).collect())
}

fn text(balance: &Balance) -> String {
    if balance.is_empty() {
        return "none".to_owned();
    }
    balance.iter().map(|(part, amount)| format!("{part} {amount}")).collect::<Vec<_>>().join(", ")
}
