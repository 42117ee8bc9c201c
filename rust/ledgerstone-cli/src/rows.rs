//! Rows of the engine on their way out: a table for people, or one JSON object a line.

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Table, json_line, objects};

/// Rows of a table where no `--limit` is given.
pub(crate) const TABLE_ROWS: u64 = 100;

/// Shows rows. A table has at most `limit` of them, or [`TABLE_ROWS`]; JSON lines all that there are.
pub(crate) fn show(
    out: &mut Output,
    schema: &Schema,
    rows: impl Iterator<Item = ledgerstone::Result<RecordBatch>>,
    limit: Option<u64>,
    what: &str,
) -> Result<(), Failure> {
    let json = out.is_json();
    let mut table = Table::new(schema.fields().iter().map(|field| field.name().as_str()));
    let shown = limit.unwrap_or(if json { u64::MAX } else { TABLE_ROWS });
    let (mut count, mut has_more) = (0, false);
    'rows: for batch in rows {
        for object in objects(&batch?) {
            has_more = count == shown;
            if has_more {
                break 'rows;
            }
            count += 1;
            if json {
                out.line(json_line(&object))?;
            } else {
                table.push_object(&object);
            }
        }
    }
    if !json {
        out.text(&table.render())?;
        let more = if has_more { "the first " } else { "" };
        eprintln!("{more}{count} {what}(s){}", if has_more { "; --limit shows more, --json all" } else { "" });
    }
    Ok(())
}
