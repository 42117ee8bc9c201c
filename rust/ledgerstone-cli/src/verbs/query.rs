//! `query`: records of a type, under conditions.

use clap::Args;
use ledgerstone::QueryRequest;

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, json_line, objects};
use crate::values::parse_condition;

/// Rows of a table where no `--limit` is given.
const TABLE_ROWS: u64 = 100;

/// Show records of a type
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone query books.ledger finance.transfer --where debit=cash --where 'amount>=100' --columns id,amount
  ledgerstone query books.ledger finance.account --where 'kind in asset,liability' --json

Conditions: = < <= > >= ^= (begins with), 'field in a,b', 'field between low,high', 'field is absent'; all must hold.
The columns _index and _position say where a record stands, _outcome and _code what became of it and why,
_cause the position of the signed record that it follows.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// The record type, like finance.transfer
    record_type: String,
    /// A condition (may be repeated)
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// The columns to show, in this order
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// At most so many rows [default: 100 for a table, all for --json]
    #[arg(long)]
    limit: Option<u64>,
    /// Show records that are held as well
    #[arg(long)]
    held: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let predicates =
            self.conditions.iter().map(|text| parse_condition(&record_type, text)).collect::<Result<_, _>>()?;
        // One row more than is shown tells whether there are more.
        let limit = if self.json { self.limit } else { Some(self.limit.unwrap_or(TABLE_ROWS).saturating_add(1)) };
        let (record_type, columns) = (self.record_type.clone(), self.columns.clone());
        let request = QueryRequest { record_type, predicates, columns, limit, held: self.held };
        let rows = ledger.query(&request)?;
        let schema = rows.schema();
        let mut table = Table::new(schema.fields().iter().map(|field| field.name().as_str()));
        let shown = self.limit.unwrap_or(TABLE_ROWS) as usize;
        let mut has_more = false;
        for batch in rows {
            for object in objects(&batch?) {
                if self.json {
                    out.line(json_line(&object))?;
                } else if table.len() < shown {
                    table.push_object(&object);
                } else {
                    has_more = true;
                }
            }
        }
        if !self.json {
            out.text(&table.render())?;
            let more = if has_more { "the first " } else { "" };
            eprintln!(
                "{more}{} record(s){}",
                table.len(),
                if has_more { "; --limit shows more, --json all" } else { "" }
            );
        }
        Ok(0)
    }
}
