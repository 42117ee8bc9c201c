//! `query`: records of a type, under conditions.

use clap::Args;
use ledgerstone::query::OrderBy;
use ledgerstone::{Join, Moment, QueryRequest};

use crate::failure::Failure;
use crate::modules::record_type;
use crate::open::Reading;
use crate::output::Output;
use crate::rows::{TABLE_ROWS, show};
use crate::values::{parse_condition, parse_moment, parse_place};

/// Show records of a type
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone query books.ledger finance.transfer --where debit=cash --where 'amount>=100' --columns id,amount
  ledgerstone query books.ledger finance.account --where 'kind in asset,liability' --json
  ledgerstone query books.ledger finance.transfer --join debit=finance.account --columns id,debit.name,amount,_time
  ledgerstone query books.ledger finance.transfer --order-by=-amount,id --limit 10 --as-of 2026-06-30

Conditions: = != < <= > >= ^= (begins with), 'field in a,b', 'field between low,high', 'field is absent'; all must hold.
The columns _index, _position, _time, _author and _version say where a record stands, when and by whom it was appended,
_outcome and _code what became of it and why, _cause the position of the signed record that it follows. Conditions and the
order can name them too, and fields of joined records: --where '_time>=2026-06-01T00:00:00Z' --order-by=-_index. An order
that begins with -_index or -_time is read from the end: the latest ten records cost ten.")]
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
    /// Show fields of the record that a field names, as field.name (may be repeated)
    #[arg(long = "join", value_name = "FIELD=TYPE")]
    joins: Vec<String>,
    /// The order: fields, from large to small with a - before
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', allow_hyphen_values = true)]
    order_by: Vec<String>,
    /// Go on after the record at this place, index:position: the last row of the page before
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    /// Leave out so many rows
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// At most so many rows [default: 100 for a table, all for --json]
    #[arg(long)]
    limit: Option<u64>,
    /// Show records that are held as well
    #[arg(long)]
    held: bool,
    /// The ledger as it was: an index, a day (its end, UTC) or a time
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    as_of: Option<Moment>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let predicates =
            self.conditions.iter().map(|text| parse_condition(&record_type, text)).collect::<Result<_, _>>()?;
        let after = self.after.as_ref().map(|place| {
            parse_place(place)
                .ok_or_else(|| Failure::usage(format!("{place:?} is no place; write index:position, like 7:0")))
        });
        // One row more than is shown tells whether there are more.
        let limit = if out.is_json() { self.limit } else { Some(self.limit.unwrap_or(TABLE_ROWS).saturating_add(1)) };
        let request = QueryRequest {
            record_type: self.record_type.clone(),
            predicates,
            columns: self.columns.clone(),
            joins: self.joins.iter().map(|text| parse_join(text)).collect::<Result<_, _>>()?,
            order_by: self.order_by.iter().map(|text| order_by(text)).collect(),
            after: after.transpose()?,
            offset: self.offset,
            held: self.held,
            limit,
            as_of: self.as_of,
        };
        let rows = ledger.query(&request)?;
        show(out, &rows.schema(), rows, self.limit, "record")?;
        Ok(0)
    }
}

fn order_by(text: &str) -> OrderBy {
    match text.strip_prefix('-') {
        Some(field) => OrderBy { field: field.to_owned(), is_descending: true },
        None => OrderBy { field: text.to_owned(), is_descending: false },
    }
}

fn parse_join(text: &str) -> Result<Join, Failure> {
    let (field, record_type) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("{text:?} is no join; write field=type, like debit=finance.account")))?;
    Ok(Join { field: field.to_owned(), record_type: record_type.to_owned() })
}
