//! Values on their way out: Arrow rows as JSON, and tables for a terminal.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use ledgerstone::model::Decimal;
use ledgerstone_verify::canon::write_string;
use ledgerstone_verify::{Json, b64};

/// Characters of a column of a table, unless it is shown whole.
const COLUMN_CHARS: usize = 48;

/// The rows of a batch as JSON objects, absent fields left out.
pub(crate) fn objects(batch: &RecordBatch) -> Vec<Json> {
    let schema = batch.schema();
    (0..batch.num_rows())
        .map(|row| {
            let members = schema.fields().iter().zip(batch.columns());
            Json::Object(
                members
                    .filter(|(_, column)| column.is_valid(row))
                    .map(|(field, column)| (field.name().clone(), value(column, row)))
                    .collect(),
            )
        })
        .collect()
}

/// A number as JSON.
pub(crate) fn number(number: u64) -> Json {
    Json::Int(number as i64)
}

/// Text as JSON.
pub(crate) fn text(text: impl std::fmt::Display) -> Json {
    Json::Text(text.to_string())
}

/// JSON on one line, members in the order of the schema.
pub(crate) fn json_line(json: &Json) -> String {
    let mut out = Vec::new();
    write_json(json, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn write_json(json: &Json, out: &mut Vec<u8>) {
    let (open, close, members): (u8, u8, Vec<(Option<&str>, &Json)>) = match json {
        Json::List(items) => (b'[', b']', items.iter().map(|item| (None, item)).collect()),
        Json::Object(members) => {
            (b'{', b'}', members.iter().map(|(name, value)| (Some(name.as_str()), value)).collect())
        }
        other => return other.write(out),
    };
    out.push(open);
    for (place, (name, value)) in members.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if let Some(name) = name {
            write_string(out, name);
            out.push(b':');
        }
        write_json(value, out);
    }
    out.push(close);
}

/// One value; decimals, dates and bytes are strings, as in record bytes.
fn value(column: &ArrayRef, row: usize) -> Json {
    if column.is_null(row) {
        return Json::Null;
    }
    match column.data_type() {
        DataType::Boolean => Json::Bool(column.as_boolean().value(row)),
        DataType::Int64 => Json::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => Json::Int(i64::from(column.as_primitive::<UInt32Type>().value(row))),
        DataType::UInt64 => Json::Int(column.as_primitive::<UInt64Type>().value(row) as i64),
        DataType::Utf8 => Json::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Json::Text(b64(column.as_binary::<i32>().value(row))),
        DataType::Decimal128(_, scale) => {
            let mantissa = column.as_primitive::<Decimal128Type>().value(row);
            Json::Text(Decimal::new(mantissa, u8::try_from(*scale).unwrap_or(0)).to_string())
        }
        DataType::Date32 => Json::Text(date(column.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(..) => Json::Text(instant(column.as_primitive::<TimestampMicrosecondType>().value(row))),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Json::List((0..items.len()).map(|item| value(&items, item)).collect())
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let members = fields.iter().zip(columns).filter(|(_, column)| column.is_valid(row));
            Json::Object(members.map(|(field, column)| (field.name().clone(), value(column, row))).collect())
        }
        other => Json::Text(format!("<{other}>")),
    }
}

/// A day as record bytes have it.
pub(crate) fn date(days: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    let span = jiff::Span::new().try_days(days);
    span.and_then(|span| epoch.checked_add(span)).map_or_else(|_| format!("<day {days}>"), |date| date.to_string())
}

/// An instant as record bytes have it.
pub(crate) fn instant(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| format!("<microsecond {micros}>"), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// A table of text: titles, and rows of as many cells.
pub(crate) struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Characters of a column; longer text is cut.
    width: usize,
}

impl Table {
    pub(crate) fn new<'t>(titles: impl IntoIterator<Item = &'t str>) -> Self {
        Table { titles: titles.into_iter().map(str::to_owned).collect(), rows: Vec::new(), width: COLUMN_CHARS }
    }

    /// The same, and no text is cut.
    pub(crate) fn whole(self) -> Self {
        Table { width: usize::MAX, ..self }
    }

    pub(crate) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a JSON object, a cell for each title.
    pub(crate) fn push_object(&mut self, object: &Json) {
        let cells = self.titles.iter().map(|title| match object.get(title) {
            None | Some(Json::Null) => String::new(),
            Some(Json::Text(text)) => text.clone(),
            Some(other) => json_line(other),
        });
        let cells = cells.collect();
        self.rows.push(cells);
    }

    /// The titles.
    pub(crate) fn titles(&self) -> &[String] {
        &self.titles
    }

    /// The cells below a title.
    pub(crate) fn cells(&self, title: &str) -> impl Iterator<Item = &str> {
        let place = self.titles.iter().position(|known| known == title);
        self.rows.iter().filter_map(move |row| row.get(place?)).map(String::as_str)
    }

    /// Leaves out columns.
    pub(crate) fn leave_out(&mut self, titles: &[String]) {
        let kept: Vec<bool> = self.titles.iter().map(|title| !titles.contains(title)).collect();
        for cells in self.rows.iter_mut().chain([&mut self.titles]) {
            let mut kept = kept.iter();
            cells.retain(|_| kept.next().is_some_and(|kept| *kept));
        }
    }

    /// The table with aligned columns: numbers at their point, text to the left. Control characters are replaced.
    pub(crate) fn render(&self) -> String {
        let columns: Vec<Vec<String>> = (0..self.titles.len()).map(|place| self.column(place)).collect();
        let mut out = String::new();
        for line in 0..=self.rows.len() {
            let mut text = String::new();
            for column in &columns {
                text.push_str(&column[line]);
                text.push_str("  ");
            }
            out.push_str(text.trim_end());
            out.push('\n');
            if line == 0 {
                let widths = columns.iter().map(|column| "-".repeat(column[0].chars().count()));
                out.push_str(&widths.collect::<Vec<_>>().join("  "));
                out.push('\n');
            }
        }
        out
    }

    /// The title and cells of a column, all of one width.
    fn column(&self, place: usize) -> Vec<String> {
        let cells: Vec<String> =
            self.rows.iter().map(|row| cut(row.get(place).map_or("", String::as_str), self.width)).collect();
        let is_number =
            cells.iter().any(|cell| !cell.is_empty()) && cells.iter().all(|cell| cell.is_empty() || is_number(cell));
        let cells = if is_number { at_point(cells) } else { cells };
        let title = self.titles[place].clone();
        let width = cells.iter().chain([&title]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let pad = |text: &String| {
            let space = " ".repeat(width - text.chars().count());
            if is_number { format!("{space}{text}") } else { format!("{text}{space}") }
        };
        [&title].into_iter().chain(&cells).map(pad).collect()
    }
}

fn cut(text: &str, width: usize) -> String {
    let clean = |letter: char| if letter.is_control() { '\u{b7}' } else { letter };
    let mut cut: String = text.chars().take(width).map(clean).collect();
    if text.chars().nth(width).is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

fn is_number(text: &str) -> bool {
    Decimal::parse(text).is_some()
}

/// Fills numbers up on the right, so that their points stand below each other.
fn at_point(cells: Vec<String>) -> Vec<String> {
    let tail = |cell: &str| cell.find('.').map_or(0, |point| cell.len() - point);
    let longest = cells.iter().map(|cell| tail(cell)).max().unwrap_or(0);
    cells.into_iter().map(|cell| format!("{cell}{}", " ".repeat(longest - tail(&cell)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_at_their_point() {
        let mut table = Table::new(["id", "amount"]);
        table.push(vec!["a".into(), "12.5".into()]);
        table.push(vec!["long\tid".into(), "-100".into()]);
        assert_eq!(table.render(), "id       amount\n-------  ------\na          12.5\nlong·id  -100\n");
    }

    #[test]
    fn dates_and_instants_are_those_of_record_bytes() {
        assert_eq!((date(0), date(-719_162)), ("1970-01-01".to_owned(), "0001-01-01".to_owned()));
        assert_eq!(instant(1_000_001), "1970-01-01T00:00:01.000001Z");
    }
}
