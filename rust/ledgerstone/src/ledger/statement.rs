//! The statement of a balance: every record that moved it, by how much, and the balance after it.
//!
//! The opening balance is the cell as it was before the first transaction of the range; what the records do is added up from there; in
//! the end the sum must be the cell as it was after the last, or the statement is refused. What a held record did stands at its release.
//! Where several records of one transaction moved the balance by what they looked up, their shares are not told: they have lines without
//! a change, and the balance after them all stands with the last.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::Decimal128Builder;
use arrow_array::{
    ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
    new_null_array,
};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use arrow_select::interleave::interleave;

use super::effects::{Batch, Target, moved_cell};
use super::moment::Moment;
use super::movement::{Movements, Window};
use super::query::check_distinct;
use super::read::{Balance, balance_cell, by_values, key_json};
use super::telling::{Teller, Told};
use super::view::View;
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::Action;
use crate::limits::DECIMAL_DIGITS;
use crate::model::{CellValue, Decimal, Parts, Value};
use crate::schema::{BalanceType, CellKind, CellType, FieldPath, Primitive, RecordType, Rows, Scalar, lookup_path};

/// Which statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatementRequest {
    /// Full name of the type that owns the balance.
    pub record_type: String,
    /// The key of the record.
    pub key: Vec<Value>,
    /// The unit, where the record has balances in several.
    pub by: Option<Vec<String>>,
    /// From this moment on; `None`: from the beginning.
    pub start: Option<Moment>,
    /// Up to this moment, which belongs to it; `None`: up to now.
    pub end: Option<Moment>,
    /// Fields of the moving records to show beside their movements.
    pub columns: Vec<String>,
}

/// The lines of a statement, page by page: an iterator of record batches over one consistent view.
///
/// Columns: `_index`, `_position`, `_time`, `_type`, `_date` (the effective date: what the type declares as `effective`, the UTC day of the
/// ledger time where it declares or the record has none), `_held_at` (where records that move it can be held: the place of one that was,
/// whose line stands at its release), for each part that records move `<part>_change` and `<part>_balance`, and the fields asked for,
/// absent where a type has no such field. Several movements of one record are one line. Change and balance are absent on the lines of
/// records of one transaction that moved the balance by what they looked up and cannot be told apart; the last of them has the balance
/// after them all.
pub struct StatementRows {
    ledger: Arc<Ledger>,
    view: View,
    movements: Movements,
    schema: SchemaRef,
    /// The parts shown: place and name.
    parts: Vec<(usize, String)>,
    fields: Vec<ArrowField>,
    scale: u8,
    /// The parts of the cell where nothing touched it, if it exists from the start.
    untouched: Option<Parts>,
    opening: Option<CellValue>,
    closing: Option<CellValue>,
    running: Option<CellValue>,
    is_done: bool,
    facts: BTreeMap<u64, i64>,
}

impl Ledger {
    /// Starts the statement of a balance. An error where no record ever had the key ([`codes::NO_RECORD`]).
    pub fn statement(self: &Arc<Self>, request: &StatementRequest) -> Result<StatementRows> {
        let view = self.view()?;
        let (first, end) = view.range(request.start, request.end)?;
        let record_type = view.record_type(&request.record_type)?;
        let cell = balance_cell(&record_type)?;
        let CellKind::Balance(balance) = &cell.kind else {
            return Err(Error::Fault("a balance cell is of another kind".to_owned()));
        };
        let key = key_json(&record_type, &request.key)?;
        view.check_known(&record_type, &key)?;
        let name = one_cell(&view, &record_type, (cell, &key), request.by.as_deref(), end)?;
        let parts = moved_parts(&view, cell, balance);
        let fields = fields_of(&view, cell, &request.columns)?;
        let value = |size: u64| -> Result<Option<CellValue>> {
            let Some(bytes) = view.cell_as_of(&name, size)? else { return Ok(None) };
            let value = cell.parse_value(&bytes);
            value.map(Some).ok_or_else(|| Error::damaged("table cells: a balance is damaged"))
        };
        let (opening, closing) = (value(first)?, value(end)?);
        let target = Target { key, names: vec![name], kinds: vec![Arc::clone(cell)], end };
        let movements = Movements::new(&view, target, first)?;
        Ok(StatementRows {
            ledger: Arc::clone(self),
            schema: schema(&parts, &fields, balance.scale, movements.can_be_held()),
            scale: balance.scale,
            untouched: balance.opening(),
            view,
            movements,
            parts,
            fields,
            running: opening.clone(),
            opening,
            closing,
            is_done: false,
            facts: BTreeMap::new(),
        })
    }
}

/// The lines of a window: number of the batch and place in it, and for each part shown, what changed and the balance after it.
struct Lines {
    order: Vec<(usize, usize)>,
    amounts: Vec<(Decimal128Builder, Decimal128Builder)>,
}

impl StatementRows {
    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The balance before the first line; empty where there was none yet.
    pub fn opening(&self) -> Balance {
        self.balance(&self.opening)
    }

    /// The balance after the last line; empty where there is none any more.
    pub fn closing(&self) -> Balance {
        self.balance(&self.closing)
    }

    fn balance(&self, value: &Option<CellValue>) -> Balance {
        let part = |(place, name): &(usize, String)| {
            let value = part_of(value, self.untouched.as_ref(), *place)?;
            Some((name.clone(), Decimal::new(value, self.scale).normalised()))
        };
        self.parts.iter().filter_map(part).collect()
    }

    fn teller(&self) -> Teller<'_> {
        Teller { view: &self.view, target: self.movements.target(), cell: 0 }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(window) = self.movements.next(&self.ledger, &self.view)? {
            let lines = self.lines(&window)?;
            if !lines.order.is_empty() {
                return self.batch(&window, lines).map(Some);
            }
        }
        if self.running == self.closing { Ok(None) } else { Err(self.teller().does_not_add_up()) }
    }

    fn lines(&mut self, window: &Window) -> Result<Lines> {
        let builder = || Decimal128Builder::with_capacity(window.order.len()).with_data_type(decimal(self.scale));
        let amounts = self.parts.iter().map(|_| (builder(), builder())).collect();
        let mut lines = Lines { order: Vec::with_capacity(window.order.len()), amounts };
        let mut running = self.running.take();
        for (index, range) in window.transactions() {
            let movers = &window.order[range];
            self.teller().tell(window, index, movers, &mut running, &mut |number, told| {
                if told != Told::Nothing {
                    self.line(window, movers[number], told, &mut lines);
                }
            })?;
        }
        self.running = running;
        Ok(lines)
    }

    fn line(&self, window: &Window, (batch, place): (usize, usize), told: Told<'_>, lines: &mut Lines) {
        lines.order.push((batch, place));
        for ((part, _), (change, balance)) in self.parts.iter().zip(&mut lines.amounts) {
            let value = |value| part_of(value, self.untouched.as_ref(), *part);
            match told {
                Told::Change(before, after) => {
                    change.append_value(value(after).unwrap_or_default() - value(before).unwrap_or_default());
                    balance.append_option(value(after));
                }
                Told::Together(_, after) => {
                    change.append_option(added(&window.batches[batch], place, *part));
                    balance.append_option(value(after));
                }
                Told::Unknown | Told::Nothing => {
                    change.append_option(added(&window.batches[batch], place, *part));
                    balance.append_null();
                }
            }
        }
    }

    fn batch(&mut self, window: &Window, lines: Lines) -> Result<RecordBatch> {
        let fault = |error: arrow_schema::ArrowError| Error::Fault(error.to_string());
        let Lines { order, amounts } = lines;
        let rows: Vec<_> = order.iter().map(|&(batch, place)| window.batches[batch].happened_at(place)).collect();
        let mut times = Vec::with_capacity(rows.len());
        for row in &rows {
            times.push(self.time(row.index)?);
        }
        let dates = dates(window, &order, &times)?;
        let names = order.iter().map(|&(batch, _)| &window.batches[batch].record_type.name);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.index))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.position))),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(Date32Array::from(dates)),
        ];
        if self.movements.can_be_held() {
            let held_at = order.iter().map(|&(batch, place)| window.batches[batch].held_at(place));
            columns.push(Arc::new(held_at.map(|row| row.map(|row| row.to_string())).collect::<StringArray>()));
        }
        for (mut change, mut balance) in amounts {
            columns.extend([Arc::new(change.finish()) as ArrayRef, Arc::new(balance.finish())]);
        }
        for field in &self.fields {
            let arrays: Vec<ArrayRef> = window.batches.iter().map(|batch| field_of(batch, field)).collect();
            let arrays: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
            columns.push(interleave(&arrays, &order).map_err(fault)?);
        }
        RecordBatch::try_new(self.schema(), columns).map_err(fault)
    }

    fn time(&mut self, index: u64) -> Result<i64> {
        if let Some(time) = self.facts.get(&index) {
            return Ok(*time);
        }
        let (time, _) = self.view.fact(index)?;
        // Lines come in the order of the ledger: what lies behind is not asked for again.
        self.facts.clear();
        self.facts.insert(index, time);
        Ok(time)
    }
}

impl Iterator for StatementRows {
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

/// A part of the balance; of one that nothing touched, that of its opening.
fn part_of(value: &Option<CellValue>, untouched: Option<&Parts>, part: usize) -> Option<i128> {
    let parts = match value {
        Some(CellValue::Parts(parts)) => Some(parts),
        _ => untouched,
    };
    parts?.part(part)
}

/// What a record added to a part of the balance, where it tells that itself.
fn added(batch: &Batch, place: usize, part: usize) -> Option<i128> {
    let mut sum = 0;
    for (_, action) in batch.effects(place) {
        match action {
            Action::Add { part: own, delta, .. } if usize::from(own) == part => sum += delta,
            Action::Add { .. } => {}
            _ => return None,
        }
    }
    (!batch.is_open(place, 0)).then_some(sum)
}

/// The effective date of each line.
fn dates(window: &Window, order: &[(usize, usize)], times: &[i64]) -> Result<Vec<i32>> {
    let views = window.views()?;
    let paths: Vec<Option<FieldPath>> = views.iter().map(|view| effective_path(view.record_type())).collect();
    let lines = order.iter().zip(times);
    let day = |(&(batch, place), time): (&(usize, usize), &i64)| {
        effective_day(&views[batch], paths[batch].as_ref(), place, *time)
    };
    Ok(lines.map(day).collect())
}

/// The field of a type that says when its records take effect.
pub(crate) fn effective_path(record_type: &RecordType) -> Option<FieldPath> {
    record_type.effective.and_then(|place| lookup_path(record_type, &record_type.fields[place].name))
}

/// The effective date of a record: that in its [`effective_path`], else the UTC day of its ledger time.
pub(crate) fn effective_day(rows: &Rows<'_>, path: Option<&FieldPath>, row: usize, time: i64) -> i32 {
    let day = |micros: i64| micros.div_euclid(clock::DAY_MICROS) as i32;
    match path.map(|path| rows.scalar(path, row, None)) {
        Some(Scalar::Date(days)) => days,
        Some(Scalar::Timestamp(micros)) => day(micros),
        _ => day(time),
    }
}

/// The name of the cell that is meant, of those that there were when the ledger held `end` transactions.
fn one_cell(
    view: &View,
    record_type: &RecordType,
    (cell, key): (&CellType, &[Vec<u8>]),
    by: Option<&[String]>,
    end: u64,
) -> Result<Vec<u8>> {
    let mut names = view.cell_names(cell, key, end)?;
    if names.is_empty() {
        // What came to be later had nothing till then.
        names = view.cell_names(cell, key, view.size)?;
    }
    let units: Vec<Vec<String>> = names.iter().filter_map(|name| by_values(name)).collect();
    let shown = || units.iter().map(|by| by.join(", ")).collect::<Vec<_>>().join("; ");
    let place = match by {
        Some(by) => units.iter().position(|known| known == by),
        None if units.len() == 1 => Some(0),
        None if units.is_empty() => None,
        None => {
            let message = format!("it has balances in several units ({}): name one with by", shown());
            return Err(Error::schema(codes::NO_BALANCE, message));
        }
    };
    place.map(|place| names[place].clone()).ok_or_else(|| {
        let key = key.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>().join(", ");
        match units.is_empty() {
            true => Error::schema(codes::NO_BALANCE, format!("{} {key} has no balance", record_type.name)),
            false => Error::schema(
                codes::NO_BALANCE,
                format!("{} {key} has no balance in that unit; it has {}", record_type.name, shown()),
            ),
        }
    })
}

/// The parts of a balance that records move.
pub(crate) fn moved_parts(view: &View, cell: &CellType, balance: &BalanceType) -> Vec<(usize, String)> {
    let is_moved = |part: usize| {
        view.authority.all_versions().any(|record_type| {
            record_type.rules.iter().any(|rule| match &rule.primitive {
                Primitive::Balance { cell: own, add, set, .. } => {
                    let mut parts = add.iter().map(|(added, _, _)| *added).chain(set.iter().map(|(set, _)| *set));
                    own.is_same(cell) && parts.any(|moved| moved == part)
                }
                _ => false,
            })
        })
    };
    balance.parts.iter().cloned().enumerate().filter(|(part, _)| is_moved(*part)).collect()
}

/// The fields asked for, of the types that move a cell.
fn fields_of(view: &View, cell: &CellType, names: &[String]) -> Result<Vec<ArrowField>> {
    let moves = |record_type: &&Arc<RecordType>| {
        let mut cells = record_type.rules.iter().filter_map(|rule| moved_cell(&rule.primitive));
        cells.any(|moved| moved.cell.is_same(cell))
    };
    let movers: Vec<&Arc<RecordType>> = view.authority.in_force().filter(moves).collect();
    check_distinct(names)?;
    names
        .iter()
        .map(|name| {
            let kinds = movers.iter().filter_map(|record_type| record_type.field(name));
            let mut kinds = kinds.map(|field| crate::schema::check::arrow_field(field).data_type().clone());
            let first = kinds.next().ok_or_else(|| {
                let types: Vec<&str> = movers.iter().map(|record_type| record_type.name.as_str()).collect();
                Error::schema(
                    codes::UNKNOWN_COLUMN,
                    format!("no type that moves this balance has a field {name}; they are {}", types.join(", ")),
                )
            })?;
            if kinds.any(|kind| kind != first) {
                return Err(Error::schema(
                    codes::UNKNOWN_COLUMN,
                    format!("{name} is of one type here and of another there: it is no column"),
                ));
            }
            Ok(ArrowField::new(name, first, true))
        })
        .collect()
}

fn field_of(batch: &Batch, field: &ArrowField) -> ArrayRef {
    let own = batch.gathered.batch.column_by_name(field.name()).filter(|own| own.data_type() == field.data_type());
    own.map_or_else(|| new_null_array(field.data_type(), batch.gathered.rows.len()), Arc::clone)
}

fn decimal(scale: u8) -> DataType {
    // Twice the digits of a decimal never come together: a change is a difference of two of them.
    DataType::Decimal128(DECIMAL_DIGITS + 1, scale as i8)
}

fn schema(parts: &[(usize, String)], fields: &[ArrowField], scale: u8, can_be_held: bool) -> SchemaRef {
    let mut columns = vec![
        ArrowField::new("_index", DataType::UInt64, false),
        ArrowField::new("_position", DataType::UInt32, false),
        ArrowField::new("_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ArrowField::new("_type", DataType::Utf8, false),
        ArrowField::new("_date", DataType::Date32, false),
    ];
    if can_be_held {
        columns.push(ArrowField::new("_held_at", DataType::Utf8, true));
    }
    for (_, part) in parts {
        columns.push(ArrowField::new(format!("{part}_change"), decimal(scale), true));
        columns.push(ArrowField::new(format!("{part}_balance"), decimal(scale), true));
    }
    columns.extend(fields.iter().cloned());
    Arc::new(Schema::new(columns))
}
