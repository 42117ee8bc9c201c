//! The history of a key: every record that has it, and every record that moved its cells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit};
use ledgerstone_verify::canon::Json;

use super::Ledger;
use super::moment::Moment;
use super::movement::{Batch, Movements, Target, moved};
use super::read::{by_values, key_json, unique_key_of};
use super::view::View;
use crate::error::{Error, Result};
use crate::model::{CellValue, RowId, Value};
use crate::schema::CellType;

/// Records of one page.
const PAGE: usize = 1_024;

/// The history of a key, page by page: an iterator of record batches over one consistent view.
///
/// Columns: `_index`, `_position`, `_time`, `_author`, `_type`, `_version`, and `changes`: a list of what the record changed, each with
/// `field`, `before` and `after` as text, absent where there was or is nothing. A field of the record itself goes by its name; a cell by
/// its name, its `by` values in brackets and what it holds: `balance[EUR].posted`, `status.state`.
pub struct HistoryRows {
    ledger: Arc<Ledger>,
    view: View,
    movements: Movements,
    cells: Vec<HistoryCell>,
    /// Records with the key that are still to come.
    versions: VecDeque<RowId>,
    /// Data of the newest so far.
    newest: BTreeMap<String, Json>,
    ready: VecDeque<Event>,
    has_movements: bool,
    facts: BTreeMap<u64, (i64, String)>,
    is_done: bool,
}

/// A cell, and what it holds at the place reached.
struct HistoryCell {
    kind: Arc<CellType>,
    label: String,
    value: Option<CellValue>,
    /// The effects of transactions below this index are in the value.
    known_to: u64,
}

/// One record of the history.
struct Event {
    row: RowId,
    record_type: String,
    version: u32,
    changes: Vec<Change>,
}

struct Change {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

impl Ledger {
    /// Starts the history of the records with a key, up to a moment (`None`: now).
    pub fn history(self: &Arc<Self>, type_name: &str, key: &[Value], as_of: Option<Moment>) -> Result<HistoryRows> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let key = key_json(&record_type, key)?;
        let mut versions = view.versions_of_key(&unique_key_of(&record_type, &key), end)?;
        versions.sort_unstable();
        let (mut names, mut cells) = (Vec::new(), Vec::new());
        for kind in &record_type.cells {
            for name in view.cell_names(kind, &key)? {
                let by = by_values(&name).unwrap_or_default().join(", ");
                let label = if by.is_empty() { kind.name.clone() } else { format!("{}[{by}]", kind.name) };
                cells.push(HistoryCell { kind: Arc::clone(kind), label, value: None, known_to: 0 });
                names.push(name);
            }
        }
        let target = Target { cells: record_type.cells.clone(), key, names };
        let movements = Movements::new(&view, target, 0, end)?;
        Ok(HistoryRows {
            ledger: Arc::clone(self),
            has_movements: !cells.is_empty(),
            view,
            movements,
            cells,
            versions: versions.into(),
            newest: BTreeMap::new(),
            ready: VecDeque::new(),
            facts: BTreeMap::new(),
            is_done: false,
        })
    }
}

impl HistoryRows {
    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.has_movements && self.ready.len() < PAGE {
            self.read_window()?;
        }
        while self.ready.len() < PAGE
            && let Some(row) = self.versions.pop_front()
        {
            let event = self.version(row)?;
            self.ready.push_back(event);
        }
        let page: Vec<Event> = self.ready.drain(..PAGE.min(self.ready.len())).collect();
        if page.is_empty() { Ok(None) } else { self.batch(&page).map(Some) }
    }

    /// The next movers, and the records with the key that come before or with them.
    fn read_window(&mut self) -> Result<()> {
        let Some(window) = self.movements.next(&self.ledger, &self.view)? else {
            self.has_movements = false;
            return Ok(());
        };
        for &(number, place) in &window.order {
            let batch = &window.batches[number];
            let row = batch.gathered.rows[place];
            while let Some(earlier) = self.versions.front().copied().filter(|earlier| *earlier < row) {
                self.versions.pop_front();
                let event = self.version(earlier)?;
                self.ready.push_back(event);
            }
            let mut event = if self.versions.front() == Some(&row) {
                self.versions.pop_front();
                self.version(row)?
            } else {
                let (record_type, version) = (batch.record_type.name.clone(), batch.gathered.versions[place]);
                Event { row, record_type, version, changes: Vec::new() }
            };
            let is_version = !event.changes.is_empty();
            event.changes.extend(self.effects(batch, place)?);
            // One that other state might have let move a cell, and did not, is no part of the history.
            if is_version || !event.changes.is_empty() || !batch.is_open(place) {
                self.ready.push_back(event);
            }
        }
        Ok(())
    }

    /// What a record did to the cells. Where other state decided that, what its transaction did to them all is told at the first such
    /// record of it.
    fn effects(&mut self, batch: &Batch, place: usize) -> Result<Vec<Change>> {
        let mut before: BTreeMap<usize, Option<CellValue>> = BTreeMap::new();
        if batch.is_open(place) {
            let end = batch.gathered.rows[place].index + 1;
            for (number, cell) in self.cells.iter_mut().enumerate() {
                let name = &self.movements.target().names[number];
                let value = |size: u64| -> Result<Option<CellValue>> {
                    let stored = self.view.cell_as_of(name, size)?;
                    Ok(stored.and_then(|bytes| cell.kind.parse_value(&bytes)))
                };
                // A release in between moved it too.
                let first = if cell.known_to < end { value(end - 1)? } else { cell.value.clone() };
                let after = value(end)?;
                before.insert(number, first);
                cell.value = after;
                cell.known_to = end;
            }
        }
        for (number, action) in batch.effects(place) {
            let cell = &mut self.cells[number];
            if batch.gathered.rows[place].index < cell.known_to {
                continue;
            }
            before.entry(number).or_insert_with(|| cell.value.clone());
            cell.value = moved(cell.value.take(), action, batch, &cell.kind)?;
        }
        Ok(before.into_iter().flat_map(|(number, before)| self.cells[number].changes(before)).collect())
    }

    /// A record with the key: what it changed of the one before.
    fn version(&mut self, row: RowId) -> Result<Event> {
        let record = self.view.record_bytes(row)?;
        let damaged = || Error::damaged(format!("table chunks: row {row} is no record"));
        let Ok(Json::Object(mut members)) = Json::parse(&record) else { return Err(damaged()) };
        let mut member = |name: &str| {
            let place = members.iter().position(|(known, _)| known == name)?;
            Some(members.swap_remove(place).1)
        };
        let (Some(Json::Object(data)), Some(Json::Text(record_type)), Some(Json::Int(version))) =
            (member("data"), member("type"), member("version"))
        else {
            return Err(damaged());
        };
        let data: BTreeMap<String, Json> = data.into_iter().collect();
        let before = std::mem::replace(&mut self.newest, data);
        let names: BTreeSet<&String> = before.keys().chain(self.newest.keys()).collect();
        let changes = names
            .into_iter()
            .filter(|name| before.get(*name) != self.newest.get(*name))
            .map(|name| Change {
                field: name.clone(),
                before: before.get(name).map(text_of),
                after: self.newest.get(name).map(text_of),
            })
            .collect();
        Ok(Event { row, record_type, version: version as u32, changes })
    }

    fn batch(&mut self, page: &[Event]) -> Result<RecordBatch> {
        let mut facts = Vec::with_capacity(page.len());
        for event in page {
            let index = event.row.index;
            if !self.facts.contains_key(&index) {
                self.facts.clear();
                self.facts.insert(index, self.view.fact(index)?);
            }
            facts.push(self.facts[&index].clone());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(page.iter().map(|event| event.row.index))),
            Arc::new(UInt32Array::from_iter_values(page.iter().map(|event| event.row.position))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(facts.iter().map(|fact| fact.0)).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(facts.iter().map(|fact| &fact.1))),
            Arc::new(StringArray::from_iter_values(page.iter().map(|event| &event.record_type))),
            Arc::new(UInt32Array::from_iter_values(page.iter().map(|event| event.version))),
            changes_column(page),
        ];
        RecordBatch::try_new(schema(), columns).map_err(|error| Error::Fault(error.to_string()))
    }
}

impl Iterator for HistoryRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.is_done {
            return None;
        }
        let batch = self.next_batch();
        self.is_done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl HistoryCell {
    /// What differs from an earlier value.
    fn changes(&self, before: Option<CellValue>) -> Vec<Change> {
        let (before, after) = (self.members(before), self.members(self.value.clone()));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differs = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
        differs
            .map(|name| Change {
                field: format!("{}.{name}", self.label),
                before: before.get(name).map(text_of),
                after: after.get(name).map(text_of),
            })
            .collect()
    }

    fn members(&self, value: Option<CellValue>) -> BTreeMap<String, Json> {
        let bytes = value.map(|value| self.kind.value_bytes(&value)).unwrap_or_default();
        match Json::parse(&bytes) {
            Ok(Json::Object(members)) => members.into_iter().collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// A text as it is, anything else as JSON.
fn text_of(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        other => String::from_utf8_lossy(&other.canonical()).into_owned(),
    }
}

fn change_fields() -> Fields {
    Fields::from(vec![
        ArrowField::new("field", DataType::Utf8, false),
        ArrowField::new("before", DataType::Utf8, true),
        ArrowField::new("after", DataType::Utf8, true),
    ])
}

fn changes_column(page: &[Event]) -> ArrayRef {
    let texts = || Box::new(StringBuilder::new()) as Box<dyn arrow_array::builder::ArrayBuilder>;
    let item = ArrowField::new("item", DataType::Struct(change_fields()), false);
    let mut list =
        ListBuilder::new(StructBuilder::new(change_fields(), vec![texts(), texts(), texts()])).with_field(item);
    for event in page {
        for change in &event.changes {
            let change = [Some(&change.field), change.before.as_ref(), change.after.as_ref()];
            for (place, text) in change.into_iter().enumerate() {
                if let Some(column) = list.values().field_builder::<StringBuilder>(place) {
                    column.append_option(text);
                }
            }
            list.values().append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}

fn schema() -> SchemaRef {
    let item = ArrowField::new("item", DataType::Struct(change_fields()), false);
    Arc::new(Schema::new(vec![
        ArrowField::new("_index", DataType::UInt64, false),
        ArrowField::new("_position", DataType::UInt32, false),
        ArrowField::new("_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ArrowField::new("_author", DataType::Utf8, false),
        ArrowField::new("_type", DataType::Utf8, false),
        ArrowField::new("_version", DataType::UInt32, false),
        ArrowField::new("changes", DataType::List(Arc::new(item)), false),
    ]))
}
