//! Bulk loads: any number of records of one type, cut into transactions, resumable.

use std::sync::Arc;

use arrow_select::concat::concat_batches;
use ledgerstone_verify::envelope::Mode;

use super::Ledger;
use super::append::{Draft, Outcome};
use super::records::{author_of, check_id};
use super::screen::{Input, Screened, screen};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::limits::{ATOMIC_RECORDS, CUT_ROWS};
use crate::model::{RowId, Value};
use crate::schema::RecordType;

/// How far a load is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows handed over that are done with: in the ledger, or refused.
    pub rows: u64,
    /// Records accepted.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
}

/// How to load.
pub struct LoadOptions<'a> {
    /// Makes the load repeatable and resumable: its n-th transaction has the id `<id>/n`.
    pub id: Option<&'a str>,
    /// Whether every record stands alone (the default), or all together.
    pub mode: Mode,
    /// Told after each transaction; an error stops the load.
    pub progress: &'a mut dyn FnMut(LoadProgress) -> Result<()>,
}

/// What became of the rows of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows handed over.
    pub rows: u64,
    /// Records accepted.
    pub accepted: u64,
    /// Rows refused, in order.
    pub rejections: Vec<Rejected>,
    parts: Vec<Part>,
}

/// One transaction of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    index: u64,
    /// First row handed over, and how many.
    first: u64,
    rows: u64,
    /// Rows of the part (from 0) that were refused before signing, ascending.
    unsigned: Vec<u32>,
}

impl LoadReport {
    /// Indexes of the transactions, in order.
    pub fn transactions(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().map(|part| part.index)
    }

    /// Where the record of a row handed over stands; `None` where it was refused before signing or its transaction was not appended.
    pub fn row(&self, row: u64) -> Option<RowId> {
        let part = self.parts.iter().find(|part| (part.first..part.first + part.rows).contains(&row))?;
        let place = (row - part.first) as u32;
        match part.unsigned.binary_search(&place) {
            Ok(_) => None,
            Err(before) => Some(RowId::new(part.index, place - before as u32)),
        }
    }

    /// Where the first accepted record stands.
    pub fn first(&self) -> Option<RowId> {
        let mut refused = self.rejections.iter().map(|rejected| rejected.row).peekable();
        (0..self.rows).find_map(|row| {
            let is_refused = refused.next_if_eq(&row).is_some();
            if is_refused { None } else { self.row(row) }
        })
    }
}

/// Rows gathered for one transaction.
#[derive(Default)]
struct Cut {
    inputs: Vec<Input>,
    rows: usize,
}

/// One load under way. The writer is locked for each transaction, not for the whole load: the caller's iterator and progress callback
/// run without it, and other threads append in between.
struct Load<'a, 'o> {
    ledger: &'a Ledger,
    record_type: Arc<RecordType>,
    options: LoadOptions<'o>,
    report: LoadReport,
}

impl Ledger {
    /// Appends records of one type from tables, each at most a few million rows; together any number.
    pub fn append_tables(
        &self,
        type_name: &str,
        tables: &mut dyn Iterator<Item = Result<arrow_array::RecordBatch>>,
        options: LoadOptions<'_>,
    ) -> Result<LoadReport> {
        self.load(type_name, &mut tables.map(|table| table.map(Input::Table)), options)
    }

    /// Appends records of one type from named values, a piece at a time.
    pub fn append_values(
        &self,
        type_name: &str,
        pieces: &mut dyn Iterator<Item = Result<Vec<Value>>>,
        options: LoadOptions<'_>,
    ) -> Result<LoadReport> {
        self.load(type_name, &mut pieces.map(|piece| piece.map(Input::Values)), options)
    }

    fn load(
        &self,
        type_name: &str,
        inputs: &mut dyn Iterator<Item = Result<Input>>,
        options: LoadOptions<'_>,
    ) -> Result<LoadReport> {
        check_id(options.id)?;
        let record_type = self.lock_writer()?.record_type(type_name)?;
        let mut load = Load { ledger: self, record_type, options, report: LoadReport::default() };
        match load.run(inputs) {
            Ok(()) => Ok(load.report),
            Err(error) if load.report.parts.is_empty() => Err(error),
            Err(error) => Err(Error::Stopped {
                source: Box::new(error),
                rows: load.report.parts.last().map_or(0, |part| part.first + part.rows),
                transactions: load.report.parts.len() as u64,
            }),
        }
    }
}

impl Load<'_, '_> {
    fn run(&mut self, inputs: &mut dyn Iterator<Item = Result<Input>>) -> Result<()> {
        let mut cut = Cut::default();
        let limit = match self.options.mode {
            Mode::Each => CUT_ROWS,
            Mode::Atomic => ATOMIC_RECORDS + 1,
        };
        for input in inputs {
            let input = input?;
            let mut start = 0;
            while start < input.len() {
                let length = (limit - cut.rows).min(input.len() - start);
                cut.inputs.push(input.slice(start, length));
                cut.rows += length;
                start += length;
                if cut.rows == limit {
                    self.transaction(std::mem::take(&mut cut))?;
                }
            }
        }
        if cut.rows > 0 { self.transaction(cut) } else { Ok(()) }
    }

    fn transaction(&mut self, cut: Cut) -> Result<()> {
        let (first, rows) = (self.report.rows, cut.rows as u64);
        let records = self.screen(cut)?;
        let mut rejections: Vec<Rejected> =
            records.iter().flat_map(|screened| screened.refused.iter().cloned()).collect();
        if self.options.mode == Mode::Atomic
            && let Some(rejected) = rejections.iter().min_by_key(|rejected| (rejected.field.is_none(), rejected.row))
        {
            return Err(Error::Rejected(Box::new(rejected.clone())));
        }
        let unsigned: Vec<u32> = rejections.iter().map(|rejected| rejected.row as u32).collect();
        let signed = rows - unsigned.len() as u64;
        let number = first / CUT_ROWS as u64;
        let id = self.options.id.map(|id| format!("{id}/{number}"));
        let outcome = if signed == 0 { Outcome::Empty(Vec::new()) } else { self.append(records, id)? };
        let refused = match outcome {
            Outcome::Committed(committed) => {
                self.report.parts.push(Part { index: committed.index, first, rows, unsigned });
                committed.refused
            }
            Outcome::Empty(refused) => refused,
        };
        rejections.extend(refused.into_iter().map(|(_, rejected)| rejected));
        rejections.sort_by_key(|rejected| rejected.row);
        self.report.accepted += rows - rejections.len() as u64;
        self.report.rejections.extend(rejections.into_iter().map(|mut rejected| {
            rejected.row += first;
            rejected
        }));
        self.report.rows += rows;
        (self.options.progress)(LoadProgress {
            rows: self.report.rows,
            accepted: self.report.accepted,
            rejected: self.report.rejections.len() as u64,
        })
    }

    fn append(&self, records: Vec<Screened>, id: Option<String>) -> Result<Outcome> {
        let mut writer = self.ledger.lock_writer()?;
        if !Arc::ptr_eq(&writer.record_type(&self.record_type.name)?, &self.record_type) {
            let name = &self.record_type.name;
            return Err(Error::schema(
                codes::TYPE_CHANGED,
                format!("another version of {name} was loaded meanwhile: repeat the call"),
            ));
        }
        let key = self.ledger.author_key(&writer)?;
        let author = author_of(&writer, &key);
        let draft = Draft { mode: self.options.mode, records, id, key: &key, author };
        self.ledger.transact(&mut writer, &draft)
    }

    fn screen(&self, cut: Cut) -> Result<Vec<Screened>> {
        let mut start = 0;
        let mut records = Vec::new();
        for input in joined(cut.inputs)? {
            let mut parts = screen(&self.ledger.pool, &self.record_type, &input)?;
            for part in &mut parts {
                part.shift(start);
            }
            records.append(&mut parts);
            start += input.len() as u32;
        }
        Ok(records)
    }
}

/// The records of a cut as one table or one list: how the caller cut its batches is of no consequence.
fn joined(mut inputs: Vec<Input>) -> Result<Vec<Input>> {
    if inputs.len() < 2 {
        return Ok(inputs);
    }
    let mut tables = Vec::new();
    let mut values = Vec::new();
    for input in inputs.drain(..) {
        match input {
            Input::Table(table) => tables.push(table),
            Input::Values(more) => values.extend(more),
        }
    }
    if let Some(first) = tables.first() {
        let table = concat_batches(&first.schema(), &tables).map_err(|error| {
            Error::schema(codes::UNEVEN_TABLES, format!("the tables of one load have one schema: {error}"))
        })?;
        inputs.push(Input::Table(table));
    }
    if !values.is_empty() {
        inputs.push(Input::Values(values));
    }
    Ok(inputs)
}
