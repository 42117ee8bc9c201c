//! Queries: records as Arrow, one record by key, balances.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use ledgerstone_verify::canon::{Json, write_string};

use super::Ledger;
use super::outcomes::Standing;
use super::view::{View, damage};
use crate::codes;
use crate::error::{Error, Result};
use crate::model::{CellValue, Decimal, RowId, Value};
use crate::query::{Comparison, Filter, Page, Predicate, Scan, segment_prefix, segments, value_json};
use crate::schema::codec::lookup_postings;
use crate::schema::{CellKind, CellType, RecordType, arrow_schema};
use crate::store::Table;

/// Pseudo-columns of a query: where a record stands, what became of it and why, and the signed record that an emitted one follows.
const INDEX_COLUMN: &str = "_index";
const POSITION_COLUMN: &str = "_position";
const OUTCOME_COLUMN: &str = "_outcome";
const CODE_COLUMN: &str = "_code";
const CAUSE_COLUMN: &str = "_cause";

/// What to query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryRequest {
    /// Full name of the record type.
    pub record_type: String,
    /// Conditions, all of which hold.
    pub predicates: Vec<Predicate>,
    /// Columns, in this order; `None`: every field. `_index` and `_position` say where a record stands, `_outcome` and `_code` what
    /// became of it and why, `_cause` the position of the signed record that an emitted one follows.
    pub columns: Option<Vec<String>>,
    /// Whether held records show that are not released: they have had no effect.
    pub held: bool,
    /// At most so many rows.
    pub limit: Option<u64>,
}

/// The rows of a query, in the order of the ledger, page by page: an iterator of record batches over one consistent view.
pub struct QueryRows {
    ledger: Arc<Ledger>,
    view: View,
    scan: Scan,
    record_type: Arc<RecordType>,
    /// Whether records that are held have to be found, and left out.
    hides_held: bool,
    schema: SchemaRef,
    columns: Vec<Column>,
    left: u64,
    pages: std::vec::IntoIter<Page>,
}

#[derive(Clone, Copy)]
enum Column {
    Field(usize),
    Index,
    Position,
    Outcome,
    Code,
    Cause,
}

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

impl Ledger {
    /// Starts a query.
    pub fn query(self: &Arc<Self>, request: &QueryRequest) -> Result<QueryRows> {
        let view = self.view()?;
        let record_type = view.record_type(&request.record_type)?;
        let filter =
            Filter::new(&record_type, &request.predicates).map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        let (schema, columns) = projection(&record_type, request.columns.as_deref())?;
        let chunks = candidates(&view, &record_type, request)?;
        let hides_held = !request.held && view.can_be_held(&record_type.name);
        Ok(QueryRows {
            ledger: Arc::clone(self),
            view,
            hides_held,
            scan: Scan::new(chunks, Arc::clone(&record_type), filter),
            record_type,
            schema,
            columns,
            left: request.limit.unwrap_or(u64::MAX),
            pages: Vec::new().into_iter(),
        })
    }

    /// The record with this key (the values of the type's first `unique` rule).
    pub fn get(&self, type_name: &str, key: &[Value]) -> Result<Option<StoredRecord>> {
        let view = self.view()?;
        let record_type = view.record_type(type_name)?;
        let bytes = unique_key_bytes(&record_type, key)?;
        view.row_by_key(&bytes)?.map(|row| stored_record(&view, row)).transpose()
    }

    /// The record at a place.
    pub fn record(&self, row: RowId) -> Result<StoredRecord> {
        let view = self.view()?;
        view.check_index(row.index)?;
        let found = view.read(|reader| reader.locate(row))?;
        found.ok_or_else(|| Error::schema(codes::NO_RECORD, format!("there is no stored record {row}")))?;
        stored_record(&view, row)
    }

    /// The balances of the record with this key, now: for each combination of `by` values, the parts. An answer, not a proof.
    pub fn balances(&self, type_name: &str, key: &[Value]) -> Result<BTreeMap<Vec<String>, Balance>> {
        let view = self.view()?;
        let record_type = view.record_type(type_name)?;
        let cell = record_type
            .cells
            .iter()
            .find(|cell| matches!(cell.kind, CellKind::Balance(_)))
            .ok_or_else(|| Error::schema(codes::NO_BALANCE, format!("{type_name} has no balance")))?;
        let values = key_json(&record_type, key)?;
        let mut prefix = cell_prefix(cell);
        prefix.extend_from_slice(&values.join(&b','));
        prefix.extend_from_slice(b"],[");
        let mut end = prefix.clone();
        end.push(0xff);
        let mut found = Vec::new();
        view.snapshot.scan(Table::Cells, &prefix, Some(&end), &mut |name, stored| {
            found.push((name.to_vec(), stored.get(8..).unwrap_or_default().to_vec()));
            true
        })?;
        found.into_iter().map(|(name, value)| balance(cell, &name, &value)).collect()
    }
}

impl QueryRows {
    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_page(&mut self) -> Result<Option<Page>> {
        loop {
            if let Some(page) = self.pages.next() {
                return Ok(Some(page));
            }
            let (scan, view) = (&mut self.scan, &self.view);
            let authority = Arc::clone(&view.authority);
            let types = move |name: &str, version: u64| authority.version(name, version).cloned();
            let read = read_wave(&self.ledger, scan, view, &types)?;
            match read {
                Some(pages) => self.pages = pages.into_iter(),
                None => return Ok(None),
            }
        }
    }

    /// The page without the records that are held.
    fn visible(&self, page: Page) -> Result<Page> {
        if !self.hides_held {
            return Ok(page);
        }
        let standings = self.view.standings(&page.rows)?;
        let shows: Vec<bool> = standings.iter().map(|standing| !matches!(standing, Standing::Held(_))).collect();
        if shows.iter().all(|shows| *shows) {
            return Ok(page);
        }
        let rows = page.rows.iter().zip(&shows).filter(|(_, shows)| **shows).map(|(row, _)| *row).collect();
        let batch = filter_record_batch(&page.batch, &BooleanArray::from(shows));
        Ok(Page { batch: batch.map_err(|error| Error::Fault(error.to_string()))?, rows })
    }

    fn project(&self, page: &Page) -> Result<RecordBatch> {
        let told = |column: &Column| matches!(column, Column::Outcome | Column::Code);
        let standings = if self.columns.iter().any(told) {
            self.view.standings_of(&self.record_type.name, &page.rows)?
        } else {
            Vec::new()
        };
        let column = |column: &Column| -> Result<ArrayRef> {
            Ok(match column {
                Column::Field(place) => Arc::clone(page.batch.column(*place)),
                Column::Index => Arc::new(UInt64Array::from_iter_values(page.rows.iter().map(|row| row.index))),
                Column::Position => Arc::new(UInt32Array::from_iter_values(page.rows.iter().map(|row| row.position))),
                Column::Outcome => Arc::new(StringArray::from_iter_values(standings.iter().map(Standing::name))),
                Column::Code => Arc::new(standings.iter().map(Standing::code).collect::<StringArray>()),
                Column::Cause => {
                    let causes = page.rows.iter().map(|row| self.view.cause(*row));
                    Arc::new(causes.collect::<Result<UInt32Array>>()?)
                }
            })
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(self.schema(), columns).map_err(|error| Error::Fault(error.to_string()))
    }
}

impl Iterator for QueryRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        while self.left > 0 {
            let page = match self.next_page() {
                Ok(Some(page)) => self.visible(page),
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            };
            let rows = page.batch.num_rows() as u64;
            if rows == 0 {
                continue;
            }
            let take = rows.min(self.left);
            self.left -= take;
            return Some(self.project(&page).map(|batch| batch.slice(0, take as usize)));
        }
        None
    }
}

fn read_wave(
    ledger: &Ledger,
    scan: &mut Scan,
    view: &View,
    types: crate::query::Types<'_>,
) -> Result<Option<Vec<Page>>> {
    // Reading from the snapshot stays on this thread, decoding goes to the pool.
    let wave = scan.read_wave(&*view.snapshot).map_err(damage)?;
    match wave {
        None => Ok(None),
        Some(wave) => {
            let filter = scan.filter();
            ledger.pool.run(|| wave.decode(types, filter))?.map(Some).map_err(damage)
        }
    }
}

/// The chunks that can hold a row for which every predicate holds.
fn candidates(view: &View, record_type: &RecordType, request: &QueryRequest) -> Result<Vec<(RowId, u32)>> {
    let mut chunks = segments(&*view.snapshot, &record_type.name, RowId::new(0, 0))?;
    for predicate in request.predicates.iter().filter(|predicate| predicate.comparison == Comparison::Equal) {
        let Some(field) = record_type.field(&predicate.field) else { continue };
        let (Some(value), false) = (predicate.values.first(), predicate.values == [Value::Null]) else { continue };
        let json = value_json(field, value).map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        // A held record has no key.
        if is_key(record_type, &field.name) && !request.held {
            let bytes = unique_key_of(record_type, &[json]);
            let row = view.row_by_key(&bytes)?;
            let last = row.map(|row| chunks.partition_point(|(first, _)| *first <= row));
            return Ok(last.and_then(|last| chunks.get(last.checked_sub(1)?).copied()).into_iter().collect());
        }
        if field.index {
            let hash = view.secret.hash(&json) as u32;
            let mut kept = Vec::new();
            for (first, rows) in chunks {
                if may_hold(view, record_type, &field.name, first, hash)? {
                    kept.push((first, rows));
                }
            }
            chunks = kept;
        }
    }
    Ok(chunks)
}

fn may_hold(view: &View, record_type: &RecordType, field: &str, first: RowId, hash: u32) -> Result<bool> {
    let number = first.number().to_be_bytes();
    let key = [segment_prefix(&record_type.name).as_slice(), field.as_bytes(), &[0], &number].concat();
    match view.snapshot.get(Table::Postings, &key)? {
        // Small chunks have no postings.
        None => Ok(true),
        Some(postings) => lookup_postings(&postings, hash)
            .map(|rows| !rows.is_empty())
            .map_err(|error| Error::damaged(format!("table postings, chunk {first}, field {field}: {error}"))),
    }
}

/// Whether a value of this field names at most one record: versions of one share their key.
fn is_key(record_type: &RecordType, field: &str) -> bool {
    record_type.key_is_total()
        && record_type.versioned().is_none()
        && record_type.key().is_some_and(|key| matches!(key, [only] if only.source() == field))
}

fn projection(record_type: &RecordType, columns: Option<&[String]>) -> Result<(SchemaRef, Vec<Column>)> {
    let whole = arrow_schema(record_type);
    let Some(names) = columns else {
        let columns = (0..whole.fields().len()).map(Column::Field).collect();
        return Ok((whole, columns));
    };
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for name in names {
        let (field, column) = match name.as_str() {
            INDEX_COLUMN => (Arc::new(ArrowField::new(name, DataType::UInt64, false)), Column::Index),
            POSITION_COLUMN => (Arc::new(ArrowField::new(name, DataType::UInt32, false)), Column::Position),
            OUTCOME_COLUMN => (Arc::new(ArrowField::new(name, DataType::Utf8, false)), Column::Outcome),
            CODE_COLUMN => (Arc::new(ArrowField::new(name, DataType::Utf8, true)), Column::Code),
            CAUSE_COLUMN => (Arc::new(ArrowField::new(name, DataType::UInt32, true)), Column::Cause),
            _ => {
                let place = whole.index_of(name).map_err(|_| {
                    let known: Vec<&str> = whole.fields().iter().map(|field| field.name().as_str()).collect();
                    Error::schema(codes::UNKNOWN_COLUMN, format!(
                        "{} has no field {name}; its fields are {}, and {INDEX_COLUMN}, {POSITION_COLUMN}, {OUTCOME_COLUMN}, {CODE_COLUMN} and {CAUSE_COLUMN} say where a record stands and what became of it",
                        record_type.name,
                        known.join(", "),
                    ))
                })?;
                (Arc::clone(&whole.fields()[place]), Column::Field(place))
            }
        };
        fields.push(field);
        columns.push(column);
    }
    Ok((Arc::new(Schema::new(fields)), columns))
}

fn stored_record(view: &View, row: RowId) -> Result<StoredRecord> {
    view.with_row(row, |chunk, place| {
        Ok(StoredRecord {
            row,
            record_type: chunk.record_type.name.clone(),
            version: chunk.record_type.version,
            standing: view.standing(row)?,
            cause: view.cause(row)?,
            batch: chunk.batch.slice(place, 1),
        })
    })
}

/// The canonical JSON of key values, typed as the fields of the type's key.
fn key_json(record_type: &RecordType, values: &[Value]) -> Result<Vec<Vec<u8>>> {
    let name = &record_type.name;
    let key =
        record_type.key().ok_or_else(|| Error::schema(codes::WRONG_KEY_VALUES, format!("{name} has no unique key")))?;
    let fields: Vec<&str> = key.iter().map(|value| value.source()).collect();
    if fields.len() != values.len() {
        let wanted = fields.join(", ");
        return Err(Error::schema(
            codes::WRONG_KEY_VALUES,
            format!("the key of {name} is ({wanted}): {} value(s) given", values.len()),
        ));
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
            value_json(field, value).map_err(|why| Error::schema(codes::BAD_CONDITION, why))
        })
        .collect()
}

fn unique_key_bytes(record_type: &RecordType, values: &[Value]) -> Result<Vec<u8>> {
    Ok(unique_key_of(record_type, &key_json(record_type, values)?))
}

fn unique_key_of(record_type: &RecordType, values: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("[\"{}\",0,[", record_type.name).into_bytes();
    bytes.extend_from_slice(&values.join(&b','));
    bytes.extend_from_slice(b"]]");
    bytes
}

/// The name of a cell up to its key values.
fn cell_prefix(cell: &CellType) -> Vec<u8> {
    let mut prefix = b"[".to_vec();
    write_string(&mut prefix, &cell.owner);
    prefix.push(b',');
    write_string(&mut prefix, &cell.name);
    prefix.extend_from_slice(b",[");
    prefix
}

fn balance(cell: &CellType, name: &[u8], value: &[u8]) -> Result<(Vec<String>, Balance)> {
    let damaged = || Error::damaged(format!("table cells: {} is damaged", String::from_utf8_lossy(name)));
    let by = match Json::parse(name).map_err(|_| damaged())? {
        Json::List(mut parts) if parts.len() == 4 => match parts.pop() {
            Some(Json::List(by)) => by
                .iter()
                .map(|value| match value {
                    Json::Text(text) => text.clone(),
                    other => String::from_utf8_lossy(&other.canonical()).into_owned(),
                })
                .collect(),
            _ => return Err(damaged()),
        },
        _ => return Err(damaged()),
    };
    let (CellKind::Balance(balance), Some(CellValue::Parts(parts))) = (&cell.kind, cell.parse_value(value)) else {
        return Err(damaged());
    };
    let parts =
        balance.parts.iter().enumerate().filter_map(|(place, name)| {
            Some((name.clone(), Decimal::new(parts.part(place)?, balance.scale).normalised()))
        });
    Ok((by, parts.collect()))
}
