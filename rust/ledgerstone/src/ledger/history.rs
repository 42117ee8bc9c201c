//! The history of a key: every record that has it, and every record that moved its cells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit};
use ledgerstone_verify::canon::Json;

use super::Ledger;
use super::effects::{Target, Turn, Turns};
use super::moment::Moment;
use super::movement::{Movements, Window};
use super::read::{by_values, key_json, unique_key_of};
use super::telling::{Teller, Told};
use super::view::View;
use crate::error::{Error, Result};
use crate::model::{CellValue, RowId, Value};
use crate::schema::CellType;

/// Records of one page.
const PAGE: usize = 1_024;

/// The history of a key, page by page: an iterator of record batches over one consistent view.
///
/// Columns: `_index`, `_position`, `_time`, `_author`, `_type`, `_version`, `_held_at` (where such records can be held: the place of one
/// that was; it is told at its release, whose place, time and author these are), and `changes`: a list of what the record changed, each
/// with `field`, `before` and `after` as text, absent where there was or is nothing. A field of the record itself goes by its name; a
/// cell by its name, its `by` values in brackets and what it holds: `balance[EUR].posted`, `status.state`. Where several records of one
/// transaction moved a cell by what they looked up, and cannot be told apart, the last of them tells what they did to it together.
pub struct HistoryRows {
    ledger: Arc<Ledger>,
    view: View,
    movements: Movements,
    cells: Vec<HistoryCell>,
    /// Records with the key that are still to come, in the order in which they took effect.
    versions: VecDeque<Version>,
    can_be_held: bool,
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
}

/// A record with the key.
struct Version {
    turn: Turn,
    /// Where it took effect.
    at: RowId,
    /// Where it stands.
    row: RowId,
}

/// One record of the history.
struct Event {
    /// Where it took effect.
    at: RowId,
    held_at: Option<RowId>,
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
    /// Starts the history of the records with a key, up to a moment (`None`: now). An error where no record ever had it
    /// ([`codes::NO_RECORD`](crate::codes::NO_RECORD)).
    pub fn history(self: &Arc<Self>, type_name: &str, key: &[Value], as_of: Option<Moment>) -> Result<HistoryRows> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let key = key_json(&record_type, key)?;
        view.check_known(&record_type, &key)?;
        let mut versions = Vec::new();
        let mut turns = Turns::new(&view);
        for row in view.versions_of_key(&unique_key_of(&record_type, &key), end)? {
            let at = if view.can_be_held(type_name) { view.took_effect_at(row, end)? } else { row };
            versions.push(Version { turn: turns.of(type_name, at)?, at, row });
        }
        versions.sort_unstable_by_key(|version| version.turn);
        let mut target = Target { key, names: Vec::new(), kinds: Vec::new(), end };
        let mut cells = Vec::new();
        for kind in &record_type.cells {
            for name in view.cell_names(kind, &target.key, end)? {
                let by = by_values(&name).unwrap_or_default().join(", ");
                let label = if by.is_empty() { kind.name.clone() } else { format!("{}[{by}]", kind.name) };
                cells.push(HistoryCell { kind: Arc::clone(kind), label, value: None });
                target.names.push(name);
                target.kinds.push(Arc::clone(kind));
            }
        }
        let movements = Movements::new(&view, target, 0)?;
        let can_be_held = movements.can_be_held() || view.can_be_held(type_name);
        Ok(HistoryRows {
            ledger: Arc::clone(self),
            has_movements: !cells.is_empty(),
            view,
            movements,
            cells,
            versions: versions.into(),
            can_be_held,
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
        schema(self.can_be_held)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.has_movements && self.ready.len() < PAGE {
            self.read_window()?;
        }
        while self.ready.len() < PAGE
            && let Some(version) = self.versions.pop_front()
        {
            let event = self.version(&version)?;
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
        for (index, range) in window.transactions() {
            let movers = &window.order[range.clone()];
            let (changes, told) = self.told(&window, index, movers)?;
            for ((&(number, place), turn), (changes, told)) in
                movers.iter().zip(&window.turns[range]).zip(changes.into_iter().zip(told))
            {
                while let Some(version) = self.next_version(|next| next < *turn) {
                    let event = self.version(&version)?;
                    self.ready.push_back(event);
                }
                let batch = &window.batches[number];
                let mut event = match self.next_version(|next| next == *turn) {
                    Some(version) => self.version(&version)?,
                    None if !told => continue,
                    None => Event {
                        at: batch.happened_at(place),
                        held_at: batch.held_at(place),
                        record_type: batch.record_type.name.clone(),
                        version: batch.gathered.versions[place],
                        changes: Vec::new(),
                    },
                };
                event.changes.extend(changes);
                self.ready.push_back(event);
            }
        }
        Ok(())
    }

    /// The next record with the key, if its turn fits.
    fn next_version(&mut self, fits: impl Fn(Turn) -> bool) -> Option<Version> {
        let is_next = self.versions.front().is_some_and(|version| fits(version.turn));
        if is_next { self.versions.pop_front() } else { None }
    }

    /// What the movers of one transaction changed of the cells, and whether each moved any.
    fn told(
        &mut self,
        window: &Window,
        index: u64,
        movers: &[(usize, usize)],
    ) -> Result<(Vec<Vec<Change>>, Vec<bool>)> {
        let mut changes: Vec<Vec<Change>> = movers.iter().map(|_| Vec::new()).collect();
        let mut moved = vec![false; movers.len()];
        for (number, cell) in self.cells.iter_mut().enumerate() {
            let mut value = cell.value.take();
            let teller = Teller { view: &self.view, target: self.movements.target(), cell: number };
            teller.tell(window, index, movers, &mut value, &mut |mover, told| {
                moved[mover] |= told != Told::Nothing;
                if let Told::Change(before, after) | Told::Together(before, after) = told {
                    changes[mover].extend(cell.changes(before, after));
                }
            })?;
            cell.value = value;
        }
        Ok((changes, moved))
    }

    /// A record with the key: what it changed of the one before.
    fn version(&mut self, version: &Version) -> Result<Event> {
        let Version { at, row, .. } = *version;
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
        let held_at = (at != row).then_some(row);
        Ok(Event { at, held_at, record_type, version: version as u32, changes })
    }

    fn batch(&mut self, page: &[Event]) -> Result<RecordBatch> {
        let mut facts = Vec::with_capacity(page.len());
        for event in page {
            let index = event.at.index;
            if !self.facts.contains_key(&index) {
                self.facts.clear();
                self.facts.insert(index, self.view.fact(index)?);
            }
            facts.push(self.facts[&index].clone());
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(page.iter().map(|event| event.at.index))),
            Arc::new(UInt32Array::from_iter_values(page.iter().map(|event| event.at.position))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(facts.iter().map(|fact| fact.0)).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(facts.iter().map(|fact| &fact.1))),
            Arc::new(StringArray::from_iter_values(page.iter().map(|event| &event.record_type))),
            Arc::new(UInt32Array::from_iter_values(page.iter().map(|event| event.version))),
        ];
        if self.can_be_held {
            let held_at = page.iter().map(|event| event.held_at.map(|row| row.to_string()));
            columns.push(Arc::new(held_at.collect::<StringArray>()));
        }
        columns.push(changes_column(page));
        RecordBatch::try_new(self.schema(), columns).map_err(|error| Error::Fault(error.to_string()))
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
    /// What differs between two values.
    fn changes(&self, before: &Option<CellValue>, after: &Option<CellValue>) -> Vec<Change> {
        let (before, after) = (self.members(before), self.members(after));
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

    fn members(&self, value: &Option<CellValue>) -> BTreeMap<String, Json> {
        let value = value.clone().or_else(|| self.kind.untouched());
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

fn schema(can_be_held: bool) -> SchemaRef {
    let item = ArrowField::new("item", DataType::Struct(change_fields()), false);
    let mut columns = vec![
        ArrowField::new("_index", DataType::UInt64, false),
        ArrowField::new("_position", DataType::UInt32, false),
        ArrowField::new("_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ArrowField::new("_author", DataType::Utf8, false),
        ArrowField::new("_type", DataType::Utf8, false),
        ArrowField::new("_version", DataType::UInt32, false),
    ];
    if can_be_held {
        columns.push(ArrowField::new("_held_at", DataType::Utf8, true));
    }
    columns.push(ArrowField::new("changes", DataType::List(Arc::new(item)), false));
    Arc::new(Schema::new(columns))
}
