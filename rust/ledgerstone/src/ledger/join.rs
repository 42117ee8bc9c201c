//! Records that other records name: found by their keys, many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, Field as ArrowField, Schema, SchemaRef};
use arrow_select::take::take_record_batch;

use super::Ledger;
use super::effects::moved_cell;
use super::read::unique_key_of;
use super::view::{View, damage};
use crate::codes;
use crate::error::{Error, Result};
use crate::model::{RowId, State};
use crate::query::{Gathered, Gathering, Positions, Wanted, column_at, read_head, read_rows, unknown_field};
use crate::schema::{Expr, Field, Primitive, RecordType, Scalar, column_scalars, scalar_kind};

/// Fields of the record that a field names, beside those of the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The field that holds the key.
    pub field: String,
    /// Full name of the type whose key it is.
    pub record_type: String,
}

/// A join, checked against both record types.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) field: String,
    /// Position of the field.
    pub(crate) place: usize,
    pub(crate) target: Wanted,
}

impl Joined {
    pub(crate) fn new(view: &View, record_type: &RecordType, join: &Join) -> Result<Self> {
        let Join { field: name, record_type: target } = join;
        let place = record_type.fields.iter().position(|field| field.name == *name);
        let place = place.ok_or_else(|| Error::schema(codes::UNKNOWN_COLUMN, unknown_field(record_type, name)))?;
        let target = view.record_type(target)?;
        let declared = declared_targets(record_type, name);
        if !declared.is_empty() && !declared.contains(target.name.as_str()) {
            let declared = declared.into_iter().collect::<Vec<_>>().join(" or ");
            let message = format!("{name} of {} names a {declared}, not a {}", record_type.name, target.name);
            return Err(Error::schema(codes::BAD_CONDITION, message));
        }
        let key = match target.key() {
            Some([only]) if target.key_is_total() => target.field(only.source()),
            _ => None,
        };
        let key = key.ok_or_else(|| {
            Error::schema(
                codes::BAD_CONDITION,
                format!("{} has no key of a single field: it cannot be joined", target.name),
            )
        })?;
        let own = &record_type.fields[place];
        if own.kind.is_nested() || scalar_kind(&own.kind) != scalar_kind(&key.kind) {
            return Err(Error::schema(
                codes::BAD_CONDITION,
                format!("{name} of {} does not hold values like {} of {}", record_type.name, key.name, target.name),
            ));
        }
        Ok(Joined { field: name.clone(), place, target: Wanted::all(&target) })
    }

    /// The column of a field of the named record: `debit.name`.
    pub(crate) fn column(&self, place: usize) -> ArrowField {
        let column = self.target.schema.field(place);
        ArrowField::new(format!("{}.{}", self.field, column.name()), column.data_type().clone(), true)
    }

    /// The named record of each row, as it was below an index; absent where there is none.
    pub(crate) fn columns(
        &self,
        ledger: &Ledger,
        view: &View,
        page: &Gathered,
        wanted: &Wanted,
        end: u64,
    ) -> Result<RecordBatch> {
        let fault = |error: ArrowError| Error::Fault(error.to_string());
        let column = column_at(&page.batch, wanted, &[self.place]).map_err(fault)?;
        let keys = keys_of(&self.target.record_type, &column, &wanted.record_type.fields[self.place]);
        let distinct: BTreeSet<&Vec<u8>> = keys.iter().flatten().collect();
        let found = view.rows_by_keys(&distinct.into_iter().cloned().collect::<Vec<_>>(), end)?;
        let rows: BTreeSet<RowId> = found.values().copied().collect();
        let rows: Vec<RowId> = rows.into_iter().collect();
        if rows.is_empty() {
            let columns = self.target.schema.fields().iter().map(|field| new_null_array(field.data_type(), keys.len()));
            let columns = columns.collect::<Vec<_>>();
            return RecordBatch::try_new(nullable(&self.target.schema), columns).map_err(fault);
        }
        let records = ledger.records(view, &rows, &self.target)?;
        let place = |key: &Vec<u8>| found.get(key).and_then(|row| records.rows.binary_search(row).ok());
        let places: UInt32Array =
            keys.iter().map(|key| key.as_ref().and_then(place).map(|place| place as u32)).collect();
        let batch = records.batch.with_schema(nullable(&self.target.schema)).map_err(fault)?;
        take_record_batch(&batch, &places).map_err(fault)
    }
}

/// The other types whose key a field holds, by what the rules of its own do with it: look for a record, or move a cell. Empty where none
/// says so; a field that is a key itself may hold that of any other type.
fn declared_targets<'t>(record_type: &'t RecordType, field: &str) -> BTreeSet<&'t str> {
    let is_field = |at: &[Expr]| matches!(at, [only] if only.source() == field);
    let mut found = BTreeSet::new();
    for rule in &record_type.rules {
        match &rule.primitive {
            Primitive::Ref { targets, at, .. } if is_field(at) => found.extend(targets.iter().map(String::as_str)),
            Primitive::Match { target, at, .. } if is_field(at) => {
                found.insert(target.as_str());
            }
            primitive => {
                let moved = moved_cell(primitive).filter(|moved| is_field(moved.at));
                found.extend(moved.map(|moved| moved.cell.owner.as_str()));
            }
        }
    }
    if found.contains(record_type.name.as_str()) { BTreeSet::new() } else { found }
}

/// The same columns, each of which may be absent.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The bytes of the key that each value is.
fn keys_of(target: &RecordType, column: &ArrayRef, field: &Field) -> Vec<Option<Vec<u8>>> {
    let values = column_scalars(field, column);
    let mut json = Vec::new();
    values
        .into_iter()
        .map(|value| {
            if matches!(value, Scalar::Absent) {
                return None;
            }
            json.clear();
            value.write_json(&mut json);
            Some(unique_key_of(target, std::slice::from_ref(&json)))
        })
        .collect()
}

impl View {
    /// The newest row of each of these keys when the ledger held `end` transactions; keys that no record had are left out.
    pub(crate) fn rows_by_keys(&self, keys: &[Vec<u8>], end: u64) -> Result<BTreeMap<Vec<u8>, RowId>> {
        let mut hashes: Vec<u64> = keys.iter().map(|key| self.secret.hash(key)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut rows = BTreeSet::new();
        self.rows_by_key_hash(&hashes, &mut |_, row| {
            rows.insert(row);
        })?;
        let wanted: BTreeSet<&Vec<u8>> = keys.iter().collect();
        let mut found: BTreeMap<Vec<u8>, (Option<i64>, RowId)> = BTreeMap::new();
        // In the order of the ledger: neighbours are read together.
        for row in rows {
            if !self.has_its_keys(row, end)? {
                continue;
            }
            for key in self.unique_keys(row)? {
                if wanted.contains(&key.bytes) {
                    let newest = found.entry(key.bytes).or_insert((key.version, row));
                    *newest = (*newest).max((key.version, row));
                }
            }
        }
        Ok(found.into_iter().map(|(key, (_, row))| (key, row)).collect())
    }

    /// Whether the row of a stored key had it when the ledger held `end` transactions: one that was held takes its key at its release.
    fn has_its_keys(&self, row: RowId, end: u64) -> Result<bool> {
        if row.index >= end {
            return Ok(false);
        }
        let can_be_held = self.with_row(row, |chunk, _| Ok(self.can_be_held(&chunk.record_type.name)))?;
        Ok(!can_be_held || !self.is_held(row)? || self.released_at(row, end)?.is_some())
    }

    /// Every row that had a key when the ledger held `end` transactions, in the order of versions.
    pub(crate) fn versions_of_key(&self, key: &[u8], end: u64) -> Result<Vec<RowId>> {
        Ok(self.numbered_versions(key, end)?.into_iter().map(|(_, row)| row).collect())
    }

    /// The same, with the number of each version.
    pub(crate) fn numbered_versions(&self, key: &[u8], end: u64) -> Result<Vec<(Option<i64>, RowId)>> {
        let mut rows = Vec::new();
        self.rows_by_key_hash(&[self.secret.hash(key)], &mut |_, row| rows.push(row))?;
        rows.sort_unstable();
        let mut own = Vec::new();
        for row in rows {
            if !self.has_its_keys(row, end)? {
                continue;
            }
            if let Some(known) = self.unique_keys(row)?.into_iter().find(|known| known.bytes == key) {
                own.push((known.version, row));
            }
        }
        own.sort_unstable();
        Ok(own)
    }
}

impl Ledger {
    /// Records at these places, which ascend: in the columns wanted.
    pub(crate) fn records(&self, view: &View, rows: &[RowId], wanted: &Wanted) -> Result<Gathered> {
        let authority = &*view.authority;
        let types = |name: &str, version: u64| authority.version(name, version).cloned();
        let mut gathering = Gathering::new(wanted.clone());
        for same in rows.chunk_by(|left, right| left.index == right.index) {
            let positions = same.iter().map(|row| row.position).collect();
            let found = Positions { index: same[0].index, positions };
            read_rows(&*view.snapshot, found, usize::MAX, |last, bytes, positions| {
                gathering.push(last, &read_head(last, bytes)?, Some(positions), &types)
            })
            .map_err(damage)?;
        }
        gathering.finish().map_err(damage)
    }
}
