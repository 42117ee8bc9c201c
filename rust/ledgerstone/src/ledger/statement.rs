//! The statement of a balance: every record that moved it, by how much, and the balance after it.
//!
//! The opening balance is the cell as it was before the first transaction of the range; what the records do is added up from there; in
//! the end the sum must be the cell as it was after the last, or the statement is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::Decimal128Builder;
use arrow_array::{
    ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
    new_null_array,
};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use arrow_select::interleave::interleave;

use super::moment::Moment;
use super::movement::{Batch, Movements, Target, Window, check_summable, moved, moved_cell};
use super::read::{Balance, balance_cell, by_values, key_json};
use super::view::View;
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::limits::DECIMAL_DIGITS;
use crate::model::{CellValue, Decimal, Parts, Value};
use crate::schema::{BalanceType, CellKind, CellType, Primitive, RecordType, Rows, Scalar, lookup_path};

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
/// ledger time where it declares or the record has none), for each part that records move `<part>_change` and `<part>_balance`, and the
/// fields asked for, absent where a type has no such field. Several movements of one record are one line.
pub struct StatementRows {
    ledger: Arc<Ledger>,
    view: View,
    movements: Movements,
    schema: SchemaRef,
    /// The parts shown: place and name.
    parts: Vec<(usize, String)>,
    fields: Vec<ArrowField>,
    scale: u8,
    cell: Arc<CellType>,
    opening: Option<Parts>,
    closing: Option<Parts>,
    running: Option<Parts>,
    is_done: bool,
    facts: BTreeMap<u64, i64>,
}

impl Ledger {
    /// Starts the statement of a balance.
    pub fn statement(self: &Arc<Self>, request: &StatementRequest) -> Result<StatementRows> {
        let view = self.view()?;
        let (first, end) = view.range(request.start, request.end)?;
        let record_type = view.record_type(&request.record_type)?;
        let cell = balance_cell(&record_type)?;
        let CellKind::Balance(balance) = &cell.kind else {
            return Err(Error::Fault("a balance cell is of another kind".to_owned()));
        };
        check_summable(&view, cell)?;
        let key = key_json(&record_type, &request.key)?;
        let name = one_cell(&view, &record_type, cell, &key, request.by.as_deref())?;
        let parts = moved_parts(&view, cell, balance);
        let fields = fields_of(&view, cell, &request.columns)?;
        let value = |size: u64| -> Result<Option<Parts>> {
            let Some(bytes) = view.cell_as_of(&name, size)? else { return Ok(None) };
            let parts = cell.parse_value(&bytes).and_then(parts_of);
            parts.map(Some).ok_or_else(|| Error::damaged("table cells: a balance is damaged"))
        };
        let (opening, closing) = (value(first)?, value(end)?);
        let target = Target { cells: vec![Arc::clone(cell)], key, names: vec![name] };
        let movements = Movements::new(&view, target, first, end)?;
        Ok(StatementRows {
            ledger: Arc::clone(self),
            schema: schema(&parts, &fields, balance.scale),
            scale: balance.scale,
            cell: Arc::clone(cell),
            view,
            movements,
            parts,
            fields,
            opening,
            closing,
            running: opening,
            is_done: false,
            facts: BTreeMap::new(),
        })
    }
}

impl StatementRows {
    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The balance before the first line; empty where there was none yet.
    pub fn opening(&self) -> Balance {
        self.balance(self.opening)
    }

    /// The balance after the last line; empty where there is none any more.
    pub fn closing(&self) -> Balance {
        self.balance(self.closing)
    }

    fn balance(&self, parts: Option<Parts>) -> Balance {
        let part = |(place, name): &(usize, String)| {
            let value = parts?.part(*place)?;
            Some((name.clone(), Decimal::new(value, self.scale).normalised()))
        };
        self.parts.iter().filter_map(part).collect()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(window) = self.movements.next(&self.ledger, &self.view)? else {
            return if self.running == self.closing {
                Ok(None)
            } else {
                Err(Error::damaged(format!(
                    "the records that moved {} do not add up to its balance: audit the ledger",
                    String::from_utf8_lossy(&self.movements.target().names[0])
                )))
            };
        };
        self.lines(&window).map(Some)
    }

    fn lines(&mut self, window: &Window) -> Result<RecordBatch> {
        let fault = |error: arrow_schema::ArrowError| Error::Fault(error.to_string());
        let rows: Vec<_> =
            window.order.iter().map(|&(batch, place)| window.batches[batch].gathered.rows[place]).collect();
        let mut times = Vec::with_capacity(rows.len());
        for row in &rows {
            times.push(self.time(row.index)?);
        }
        let dates = dates(window, &times)?;
        let names = window.order.iter().map(|&(batch, _)| &window.batches[batch].record_type.name);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.index))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.position))),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(Date32Array::from(dates)),
        ];
        columns.extend(self.amounts(window)?);
        for field in &self.fields {
            let arrays: Vec<ArrayRef> = window.batches.iter().map(|batch| field_of(batch, field)).collect();
            let arrays: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
            columns.push(interleave(&arrays, &window.order).map_err(fault)?);
        }
        RecordBatch::try_new(self.schema(), columns).map_err(fault)
    }

    /// For each part shown, what each record changed, and the balance after it.
    fn amounts(&mut self, window: &Window) -> Result<Vec<ArrayRef>> {
        let builder = || Decimal128Builder::new().with_data_type(decimal(self.scale));
        let mut columns: Vec<(Decimal128Builder, Decimal128Builder)> =
            self.parts.iter().map(|_| (builder(), builder())).collect();
        for &(number, place) in &window.order {
            let batch = &window.batches[number];
            let before = self.running;
            for (_, action) in batch.effects(place) {
                let value = moved(self.running.map(CellValue::Parts), action, batch, &self.cell)?;
                self.running = value.and_then(parts_of);
            }
            for ((part, _), (change, balance)) in self.parts.iter().zip(&mut columns) {
                let value = |parts: Option<Parts>| parts.and_then(|parts| parts.part(*part));
                change.append_value(value(self.running).unwrap_or(0) - value(before).unwrap_or(0));
                balance.append_option(value(self.running));
            }
        }
        let finished = columns.into_iter().flat_map(|(mut change, mut balance)| -> [ArrayRef; 2] {
            [Arc::new(change.finish()), Arc::new(balance.finish())]
        });
        Ok(finished.collect())
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

fn parts_of(value: CellValue) -> Option<Parts> {
    if let CellValue::Parts(parts) = value { Some(parts) } else { None }
}

/// The effective date of each line.
fn dates(window: &Window, times: &[i64]) -> Result<Vec<i32>> {
    let views = window.views()?;
    let lines = window.order.iter().zip(times);
    Ok(lines.map(|(&(batch, place), time)| effective_day(&views[batch], place, *time)).collect())
}

/// The effective date of a record: its field that the type declares, else the UTC day of its ledger time.
pub(crate) fn effective_day(rows: &Rows<'_>, row: usize, time: i64) -> i32 {
    let record_type = rows.record_type();
    let field = record_type.effective.and_then(|place| lookup_path(record_type, &record_type.fields[place].name));
    let day = |micros: i64| micros.div_euclid(clock::DAY_MICROS) as i32;
    match field.map(|path| rows.scalar(&path, row, None)) {
        Some(Scalar::Date(days)) => days,
        Some(Scalar::Timestamp(micros)) => day(micros),
        _ => day(time),
    }
}

/// The name of the cell that is meant.
fn one_cell(
    view: &View,
    record_type: &RecordType,
    cell: &CellType,
    key: &[Vec<u8>],
    by: Option<&[String]>,
) -> Result<Vec<u8>> {
    let names = view.cell_names(cell, key)?;
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
        cells.any(|(moved, _)| moved.is_same(cell))
    };
    let movers: Vec<&Arc<RecordType>> = view.authority.in_force().filter(moves).collect();
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

fn schema(parts: &[(usize, String)], fields: &[ArrowField], scale: u8) -> SchemaRef {
    let mut columns = vec![
        ArrowField::new("_index", DataType::UInt64, false),
        ArrowField::new("_position", DataType::UInt32, false),
        ArrowField::new("_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ArrowField::new("_type", DataType::Utf8, false),
        ArrowField::new("_date", DataType::Date32, false),
    ];
    for (_, part) in parts {
        columns.push(ArrowField::new(format!("{part}_change"), decimal(scale), false));
        columns.push(ArrowField::new(format!("{part}_balance"), decimal(scale), true));
    }
    columns.extend(fields.iter().cloned());
    Arc::new(Schema::new(columns))
}
