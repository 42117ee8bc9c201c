//! Single records and cells: by key or place, as they are or as they were.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use ledgerstone_verify::canon::{Json, write_string};

use super::Ledger;
use super::moment::Moment;
use super::outcomes::Standing;
use super::view::View;
use crate::codes;
use crate::error::{Error, Result};
use crate::limits::CELL_RUN_ENTRIES;
use crate::model::{Decimal, RowId, Value};
use crate::query::{history_key, moving_transactions, value_json};
use crate::schema::codec::decode_list;
use crate::schema::{CellKind, CellType, Primitive, RecordType};
use crate::store::{Table, number_key};

/// One record, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// Where it stands.
    pub row: RowId,
    /// Full name of its type.
    pub record_type: String,
    /// Version of the module that checked it.
    pub version: u64,
    /// What became of it.
    pub standing: Standing,
    /// The position of the signed record of its transaction that caused it; `None` where its author signed it himself.
    pub cause: Option<u32>,
    /// Its data, in the type's Arrow schema: one row.
    pub batch: RecordBatch,
}

/// The parts of a balance.
pub type Balance = BTreeMap<String, Decimal>;

/// One cell of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct CellState {
    /// Its name within the type, `balance`.
    pub cell: String,
    /// The values that tell it from the others of that name: the currency of a balance.
    pub by: Vec<String>,
    /// What it holds, by name: the parts of a balance, the `state` of a lifecycle.
    pub value: Vec<(String, Value)>,
}

/// The ledger as it was at a moment.
#[derive(Clone, Copy)]
pub struct Past<'l> {
    ledger: &'l Ledger,
    moment: Moment,
}

impl Ledger {
    /// The ledger as it was at a moment.
    pub fn as_of(&self, moment: Moment) -> Past<'_> {
        Past { ledger: self, moment }
    }

    /// The newest record with this key (the values of the type's first `unique` rule).
    pub fn get(&self, type_name: &str, key: &[Value]) -> Result<Option<StoredRecord>> {
        self.record_of_key(type_name, key, None)
    }

    /// The balances of the record with this key: for each combination of `by` values, the parts. An answer, not a proof. An error where no
    /// record ever had the key ([`codes::NO_RECORD`]).
    pub fn balances(&self, type_name: &str, key: &[Value]) -> Result<BTreeMap<Vec<String>, Balance>> {
        self.balances_of_key(type_name, key, None)
    }

    /// Every cell of the record with this key, by name and `by` values. An answer, not a proof. An error where no record ever had the key
    /// ([`codes::NO_RECORD`]).
    pub fn state(&self, type_name: &str, key: &[Value]) -> Result<Vec<CellState>> {
        self.cells_of_key(type_name, key, None)
    }

    fn record_of_key(&self, type_name: &str, key: &[Value], as_of: Option<Moment>) -> Result<Option<StoredRecord>> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let bytes = unique_key_of(&record_type, &key_json(&record_type, key)?);
        view.versions_of_key(&bytes, end)?.last().map(|row| stored_record(&view, *row, end)).transpose()
    }

    /// The record at a place.
    pub fn record(&self, row: RowId) -> Result<StoredRecord> {
        let view = self.view()?;
        view.check_index(row.index)?;
        let found = view.read(|reader| reader.locate(row))?;
        found.ok_or_else(|| Error::schema(codes::NO_RECORD, format!("there is no stored record {row}")))?;
        stored_record(&view, row, view.size)
    }

    fn balances_of_key(
        &self,
        type_name: &str,
        key: &[Value],
        as_of: Option<Moment>,
    ) -> Result<BTreeMap<Vec<String>, Balance>> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let cell = balance_cell(&record_type)?;
        let values = key_json(&record_type, key)?;
        view.check_known(&record_type, &values)?;
        let mut balances = BTreeMap::new();
        for (name, value) in view.cells_as_of(cell, &values, end)? {
            let state = cell_state(cell, &name, &value)?;
            let parts = state.value.into_iter().filter_map(|(part, value)| match value {
                Value::Decimal(amount) => Some((part, amount)),
                _ => None,
            });
            balances.insert(state.by, parts.collect());
        }
        Ok(balances)
    }

    fn cells_of_key(&self, type_name: &str, key: &[Value], as_of: Option<Moment>) -> Result<Vec<CellState>> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let values = key_json(&record_type, key)?;
        view.check_known(&record_type, &values)?;
        let mut states = Vec::new();
        for cell in &record_type.cells {
            for (name, value) in view.cells_as_of(cell, &values, end)? {
                states.push(cell_state(cell, &name, &value)?);
            }
        }
        Ok(states)
    }
}

impl Past<'_> {
    /// As [`Ledger::get`].
    pub fn get(&self, type_name: &str, key: &[Value]) -> Result<Option<StoredRecord>> {
        self.ledger.record_of_key(type_name, key, Some(self.moment))
    }

    /// As [`Ledger::balances`].
    pub fn balances(&self, type_name: &str, key: &[Value]) -> Result<BTreeMap<Vec<String>, Balance>> {
        self.ledger.balances_of_key(type_name, key, Some(self.moment))
    }

    /// As [`Ledger::state`].
    pub fn state(&self, type_name: &str, key: &[Value]) -> Result<Vec<CellState>> {
        self.ledger.cells_of_key(type_name, key, Some(self.moment))
    }
}

impl View {
    /// Refuses a key that names nothing: no record ever had it, and no cell. What came to be after the moment that is asked about is known
    /// all the same: it had nothing then.
    pub(crate) fn check_known(&self, record_type: &RecordType, key: &[Vec<u8>]) -> Result<()> {
        for cell in &record_type.cells {
            if self.has_cell(cell, key)? {
                return Ok(());
            }
        }
        if !self.versions_of_key(&unique_key_of(record_type, key), self.size)?.is_empty() {
            return Ok(());
        }
        let shown: Vec<_> = key.iter().map(|value| String::from_utf8_lossy(value)).collect();
        let message = format!("there is no record of {} with the key {}", record_type.name, shown.join(", "));
        Err(Error::schema(codes::NO_RECORD, message))
    }

    /// Whether a record with this key ever had a cell of one kind.
    fn has_cell(&self, cell: &CellType, key: &[Vec<u8>]) -> Result<bool> {
        let prefix = cell_prefix(cell, key);
        let end = [prefix.as_slice(), &[0xff]].concat();
        let mut has = false;
        self.snapshot.scan(Table::Cells, &prefix, Some(&end), &mut |_, _| {
            has = true;
            false
        })?;
        Ok(has)
    }

    /// The names of the cells of one kind that a record with this key had when the ledger held `end` transactions: those that were moved
    /// till then, and the one that exists from the start, if it has no `by` values and the record is there.
    pub(crate) fn cell_names(&self, cell: &CellType, key: &[Vec<u8>], end: u64) -> Result<Vec<Vec<u8>>> {
        let prefix = cell_prefix(cell, key);
        let last = [prefix.as_slice(), &[0xff]].concat();
        let mut found = Vec::new();
        self.snapshot.scan(Table::Cells, &prefix, Some(&last), &mut |name, _| {
            found.push(name.to_vec());
            true
        })?;
        let mut names = Vec::with_capacity(found.len());
        for name in found {
            if end == self.size || !moving_transactions(&*self.snapshot, self.secret.hash(&name), 0, end, 1)?.is_empty()
            {
                names.push(name);
            }
        }
        if names.is_empty() && cell.untouched().is_some() && cell.key().is_some_and(|key| key.by.is_empty()) {
            let owner = unique_key(&cell.owner, key);
            if !self.versions_of_key(&owner, end)?.is_empty() {
                names.push([prefix.as_slice(), b"]]"].concat());
            }
        }
        Ok(names)
    }

    /// The cells of one kind of the record with this key when the ledger held `end` transactions: name and value.
    fn cells_as_of(&self, cell: &CellType, key: &[Vec<u8>], end: u64) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut cells = Vec::new();
        for name in self.cell_names(cell, key, end)? {
            let untouched = || cell.untouched().map(|value| cell.value_bytes(&value));
            if let Some(value) = self.cell_as_of(&name, end)?.or_else(untouched) {
                cells.push((name, value));
            }
        }
        Ok(cells)
    }

    /// The value of a cell when the ledger held `end` transactions.
    pub(crate) fn cell_as_of(&self, name: &[u8], end: u64) -> Result<Option<Vec<u8>>> {
        match self.cell_with_index(name)? {
            None => return Ok(None),
            Some((index, value)) if index < end => return Ok(existing(value)),
            Some(_) => {}
        }
        let hash = self.secret.hash(name);
        let mut below = end;
        while let Some(last) = below.checked_sub(1) {
            let found = self.snapshot.last_at(Table::CellHistory, &history_key(hash, last))?;
            let Some((key, places)) = found.filter(|(key, _)| key.starts_with(&hash.to_be_bytes())) else {
                return Ok(None);
            };
            let damaged = || Error::damaged("table cell_history: a row is damaged".to_owned());
            let index = key.get(8..).and_then(|index| index.try_into().ok()).map(u64::from_be_bytes);
            below = index.ok_or_else(damaged)?;
            for place in places.as_chunks::<4>().0 {
                if let Some(value) = self.changed_cell(below, u32::from_le_bytes(*place), name)? {
                    return Ok(existing(value));
                }
            }
        }
        Ok(None)
    }

    /// The value that a transaction gave a cell, if the entry at this place of its list is of that cell.
    fn changed_cell(&self, index: u64, place: u32, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let damaged = |why: &str| Error::damaged(format!("table cell_runs, index {index}: {why}"));
        let (run, within) = (place as usize / CELL_RUN_ENTRIES, place as usize % CELL_RUN_ENTRIES);
        let stored = self.snapshot.get(Table::CellRuns, &number_key(RowId::new(index, run as u32).number()))?;
        let stored = stored.ok_or_else(|| damaged("a row of cell_history names it, and it is not there"))?;
        let entries = decode_list(&stored).map_err(|error| damaged(&error.to_string()))?;
        let entry =
            entries.get(within).ok_or_else(|| damaged("it has fewer entries than a row of cell_history says"))?;
        let value = entry.strip_prefix(b"{\"cell\":").and_then(|rest| rest.strip_prefix(name));
        let value = value.and_then(|rest| rest.strip_prefix(b",\"value\":")?.strip_suffix(b"}"));
        Ok(value.map(<[u8]>::to_vec))
    }
}

/// A removed cell has the value `null`.
fn existing(value: Vec<u8>) -> Option<Vec<u8>> {
    (value != b"null").then_some(value)
}

/// The balance that records of a type have.
pub(crate) fn balance_cell(record_type: &RecordType) -> Result<&std::sync::Arc<CellType>> {
    let cell = record_type.cells.iter().find(|cell| matches!(cell.kind, CellKind::Balance(_)));
    cell.ok_or_else(|| {
        let moved = record_type.rules.iter().find_map(|rule| match &rule.primitive {
            Primitive::Balance { cell, .. } => Some(format!("; its records move that of {}", cell.owner)),
            _ => None,
        });
        let message = format!("{} has no balance{}", record_type.name, moved.unwrap_or_default());
        Error::schema(codes::NO_BALANCE, message)
    })
}

/// Whether a field alone is the key of a type, for every record that has it.
pub(crate) fn is_key(record_type: &RecordType, field: &str) -> bool {
    record_type.key_is_total() && record_type.key().is_some_and(|key| matches!(key, [only] if only.source() == field))
}

/// Whether postings cover a field in every version of its type that has it.
pub(crate) fn is_indexed(view: &View, record_type: &RecordType, field: &str) -> bool {
    let is_indexed = |version: &RecordType| version.field(field).is_none_or(|field| field.index);
    is_indexed(record_type)
        && record_type.field(field).is_some()
        && view.authority.versions_of(&record_type.name).all(|version| is_indexed(version))
}

/// The record of a row, and what had become of it when the ledger held `end` transactions.
pub(crate) fn stored_record(view: &View, row: RowId, end: u64) -> Result<StoredRecord> {
    view.with_row(row, |chunk, place| {
        Ok(StoredRecord {
            row,
            record_type: chunk.record_type.name.clone(),
            version: chunk.record_type.version,
            standing: view.standing(row, end)?,
            cause: view.cause(row)?,
            batch: chunk.batch.slice(place, 1),
        })
    })
}

/// The canonical JSON of key values, typed as the fields of the type's key.
pub(crate) fn key_json(record_type: &RecordType, values: &[Value]) -> Result<Vec<Vec<u8>>> {
    let name = &record_type.name;
    let key =
        record_type.key().ok_or_else(|| Error::schema(codes::WRONG_KEY_VALUES, format!("{name} has no unique key")))?;
    let fields: Vec<&str> = key.iter().map(|value| value.source()).collect();
    if fields.len() != values.len() {
        let wanted = fields.join(", ");
        let message = format!("the key of {name} is ({wanted}): {} value(s) given", values.len());
        return Err(Error::schema(codes::WRONG_KEY_VALUES, message).about(&wanted));
    }
    fields
        .iter()
        .zip(values)
        .map(|(field, value)| {
            let field = record_type.field(field).ok_or_else(|| {
                Error::schema(
                    codes::WRONG_KEY_VALUES,
                    format!("the key of {name} is computed ({field}): query it instead"),
                )
            })?;
            value_json(field, value).map_err(|why| Error::schema(codes::BAD_CONDITION, why).about(&field.name))
        })
        .collect()
}

/// The bytes of a type's key (FORMAT.md section 12).
pub(crate) fn unique_key_of(record_type: &RecordType, values: &[Vec<u8>]) -> Vec<u8> {
    unique_key(&record_type.name, values)
}

fn unique_key(type_name: &str, values: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("[\"{type_name}\",0,[").into_bytes();
    bytes.extend_from_slice(&values.join(&b','));
    bytes.extend_from_slice(b"]]");
    bytes
}

/// The name of the cells of one kind of a record with this key, up to their `by` values.
pub(crate) fn cell_prefix(cell: &CellType, key: &[Vec<u8>]) -> Vec<u8> {
    let mut prefix = b"[".to_vec();
    write_string(&mut prefix, &cell.owner);
    prefix.push(b',');
    write_string(&mut prefix, &cell.name);
    prefix.extend_from_slice(b",[");
    prefix.extend_from_slice(&key.join(&b','));
    prefix.extend_from_slice(b"],[");
    prefix
}

/// What a stored cell says.
pub(crate) fn cell_state(cell: &CellType, name: &[u8], value: &[u8]) -> Result<CellState> {
    let damaged = || Error::damaged(format!("table cells: {} is damaged", String::from_utf8_lossy(name)));
    let by = by_values(name).ok_or_else(damaged)?;
    let Ok(Json::Object(members)) = Json::parse(value) else { return Err(damaged()) };
    let is_balance = matches!(cell.kind, CellKind::Balance(_));
    let value = members.into_iter().map(|(name, value)| {
        let value = match value {
            Json::Text(text) if is_balance => Decimal::parse(&text).map(Value::Decimal),
            Json::Text(text) => Some(Value::Text(text)),
            Json::Int(number) => Some(Value::Int(number)),
            Json::Bool(is) => Some(Value::Bool(is)),
            _ => None,
        };
        value.map(|value| (name, value)).ok_or_else(damaged)
    });
    Ok(CellState { cell: cell.name.clone(), by, value: value.collect::<Result<_>>()? })
}

/// The `by` values in the name of a cell.
pub(crate) fn by_values(name: &[u8]) -> Option<Vec<String>> {
    let Json::List(mut parts) = Json::parse(name).ok()? else { return None };
    let Json::List(by) = parts.pop().filter(|_| parts.len() == 3)? else { return None };
    let text = |value: Json| match value {
        Json::Text(text) => text,
        other => String::from_utf8_lossy(&other.canonical()).into_owned(),
    };
    Some(by.into_iter().map(text).collect())
}
