//! Rows of the engine on their way out: a table for people, or one JSON object a line.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Table, json_line, objects};

/// The lines of a table that show a row: one, or one for each of its changes, `field: before → after`.
fn lines_of(row: Json) -> Vec<Json> {
    let Json::Object(members) = row else { return vec![row] };
    let (mut members, changes): (Vec<_>, Vec<_>) = members.into_iter().partition(|(name, _)| name != CHANGES);
    let changes: Vec<Json> = match changes.into_iter().next() {
        Some((_, Json::List(changes))) => changes.iter().map(|change| Json::Text(change_words(change))).collect(),
        _ => Vec::new(),
    };
    let mut lines = Vec::new();
    for change in changes {
        members.push((CHANGES.to_owned(), change));
        lines.push(Json::Object(std::mem::take(&mut members)));
    }
    if lines.is_empty() { vec![Json::Object(members)] } else { lines }
}

fn change_words(change: &Json) -> String {
    let word = |name: &str| change.get(name).and_then(Json::as_text).unwrap_or("nothing");
    format!("{}: {} → {}", word("field"), word("before"), word("after"))
}

/// The column of a history that lists what each record changed.
const CHANGES: &str = "changes";

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
    show_tidied(out, schema, rows, limit, what, |_| {})
}

/// The same; a table is tidied before it is shown.
pub(crate) fn show_tidied(
    out: &mut Output,
    schema: &Schema,
    rows: impl Iterator<Item = ledgerstone::Result<RecordBatch>>,
    limit: Option<u64>,
    what: &str,
    tidy: impl FnOnce(&mut Table),
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
                lines_of(object).iter().for_each(|line| table.push_object(line));
            }
        }
    }
    if !json {
        tidy(&mut table);
        out.text(&table.render())?;
        let more = if has_more { "the first " } else { "" };
        eprintln!("{more}{count} {what}(s){}", if has_more { "; --limit shows more, --json all" } else { "" });
    }
    Ok(())
}
