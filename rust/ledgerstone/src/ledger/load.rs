//! Bulk loads: any number of records of one type, cut into transactions, resumable.
//!
//! Three things go on at once: the caller's thread reads rows (a Python caller holds its interpreter for that, and for nothing else),
//! the pool screens the chunks that are read, and one more thread decides and commits the transaction before. Never more than one
//! transaction is read ahead. What is done with a transaction, and told of it, is in the order of the rows all the same.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use arrow_schema::{DataType, SchemaRef};
use ledgerstone_verify::entry::ExceptionOutcome;
use ledgerstone_verify::envelope::Mode;

use super::Ledger;
use super::cut::{cut_rows, fitting, over_atomic};
use super::earlier::{Earlier, type_for};
use super::outcomes::RecordException;
use super::part::{Done, Part};
use super::pool::panic_message;
use super::records::{author_of, check_id};
use super::screen::Input;
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::keys::Key;
use crate::limits::{ATOMIC_BYTES, ATOMIC_RECORDS, CUT_BYTES, EXCEPTIONS_KEPT};
use crate::model::{Event, FlatRows, RowId, Value};
use crate::schema::{RecordType, from_arrow};

/// How far a load is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows handed over that are done with: in the ledger, or refused.
    pub rows: u64,
    /// Records plainly accepted.
    pub accepted: u64,
    /// Records accepted and flagged.
    pub flagged: u64,
    /// Records in the ledger that wait for their release.
    pub held: u64,
    /// Records refused.
    pub rejected: u64,
}

/// Who is told how far a load is.
pub type ToldOfProgress<'a> = &'a mut dyn FnMut(LoadProgress) -> Result<()>;

/// Who is told of every row of a load that was not plainly accepted.
pub type ToldOfExceptions<'a> = &'a mut dyn FnMut(&RecordException) -> Result<()>;

/// Members who endorse a transaction, whose keys are at hand.
#[derive(Clone, Copy, Debug)]
pub struct Endorsed<'a> {
    /// Their keys.
    pub by: &'a [Arc<Key>],
    /// What they mean by signing.
    pub meaning: &'a str,
}

/// How to load.
pub struct LoadOptions<'a> {
    /// Makes the load repeatable and resumable: its n-th transaction has the id `<id>/n`.
    pub id: Option<&'a str>,
    /// Whether every record stands alone (the default), or all together.
    pub mode: Mode,
    /// Whether private fields may hold values, which are stored in the clear; such a record is flagged `ledger.plain_private`.
    pub plain: bool,
    /// Who endorses each of its transactions.
    pub endorsed: Option<Endorsed<'a>>,
    /// Told after each transaction; an error stops the load.
    pub progress: Option<ToldOfProgress<'a>>,
    /// Told of every row that was not plainly accepted, in order, once its transaction is decided; an error stops the load.
    pub exceptions: Option<ToldOfExceptions<'a>>,
}

impl Default for LoadOptions<'_> {
    /// Every record stands alone; nobody is told.
    fn default() -> Self {
        LoadOptions { id: None, mode: Mode::Each, plain: false, endorsed: None, progress: None, exceptions: None }
    }
}

/// What became of the rows of a load. Of rows that were not plainly accepted it keeps the first [`EXCEPTIONS_KEPT`], and counts all;
/// [`LoadOptions::exceptions`] is told of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows handed over.
    pub rows: u64,
    /// Records plainly accepted.
    pub accepted: u64,
    /// Rows accepted and flagged, in order, and why.
    pub flagged: Vec<Rejected>,
    /// Rows that wait in the ledger for their release, in order, and why.
    pub held: Vec<Rejected>,
    /// Rows refused, in order.
    pub rejections: Vec<Rejected>,
    /// How many were flagged in all.
    pub flagged_total: u64,
    /// How many are held in all.
    pub held_total: u64,
    /// How many were refused in all.
    pub rejections_total: u64,
    /// The transactions, in order.
    pub parts: Vec<LoadPart>,
    /// Where the first record stands that was not refused.
    pub first: Option<RowId>,
}

/// One transaction of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPart {
    /// Its index.
    pub index: u64,
    /// The first row handed over that it is about.
    pub first: u64,
    /// How many.
    pub rows: u64,
    /// Which of them, from 0, were refused before signing, ascending: the others stand in it, in order.
    pub unsigned: Vec<u32>,
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

    /// Every row that was not plainly accepted, in order.
    pub fn exceptions(&self) -> Vec<(ExceptionOutcome, &Rejected)> {
        let mut all: Vec<(ExceptionOutcome, &Rejected)> = Vec::new();
        for (outcome, rows) in [
            (ExceptionOutcome::Flagged, &self.flagged),
            (ExceptionOutcome::Held, &self.held),
            (ExceptionOutcome::Rejected, &self.rejections),
        ] {
            all.extend(rows.iter().map(|why| (outcome, why)));
        }
        all.sort_by_key(|(_, why)| why.row);
        all
    }

    /// Counts a row that was not plainly accepted, and keeps it if it is one of the first.
    fn note(&mut self, exception: RecordException) {
        let kept = self.flagged.len() + self.held.len() + self.rejections.len();
        let (list, total) = match exception.outcome {
            ExceptionOutcome::Flagged => (&mut self.flagged, &mut self.flagged_total),
            ExceptionOutcome::Held => (&mut self.held, &mut self.held_total),
            ExceptionOutcome::Rejected => (&mut self.rejections, &mut self.rejections_total),
        };
        *total += 1;
        if kept < EXCEPTIONS_KEPT {
            list.push(exception.reason);
        }
    }

    /// Notes the first record of the newest part that was not refused, if it is the first of all.
    fn note_first(&mut self, exceptions: &[RecordException]) {
        if self.first.is_none()
            && let Some(part) = self.parts.last()
        {
            let is_refused = |row: &u64| {
                let found = exceptions.binary_search_by_key(row, |exception| exception.reason.row);
                found.is_ok_and(|place| exceptions[place].outcome == ExceptionOutcome::Rejected)
            };
            let stands = (part.first..part.first + part.rows).find(|row| !is_refused(row));
            self.first = stands.and_then(|row| self.row(row));
        }
    }
}

/// What the caller hands over, cut as it is needed.
struct Reader<'i> {
    inputs: &'i mut dyn Iterator<Item = Result<Input>>,
    record_type: Arc<RecordType>,
    rest: Option<Input>,
    /// The schema of the first table: all have the same, so that it is of no consequence how they are cut.
    shape: Option<SchemaRef>,
    is_at_end: bool,
}

/// One load under way. The writer is locked for each transaction, not for the whole load: the caller's iterator and progress callback
/// run without it, and other threads append in between.
struct Load<'a, 'o> {
    ledger: &'a Ledger,
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
        self.load(type_name, &mut pieces.map(|piece| piece.map(Input::values)), options)
    }

    /// Appends records of one type from flat rows, a piece at a time.
    pub fn append_rows(
        &self,
        type_name: &str,
        pieces: &mut dyn Iterator<Item = Result<FlatRows>>,
        options: LoadOptions<'_>,
    ) -> Result<LoadReport> {
        self.load(type_name, &mut pieces.map(|piece| piece.map(Input::rows)), options)
    }

    fn load(
        &self,
        type_name: &str,
        inputs: &mut dyn Iterator<Item = Result<Input>>,
        options: LoadOptions<'_>,
    ) -> Result<LoadReport> {
        check_id(options.id)?;
        let record_type = self.lock_writer()?.record_type(type_name)?;
        let mut load = Load { ledger: self, options, report: LoadReport::default() };
        let Err(error) = load.run(record_type, inputs) else { return Ok(load.report) };
        let rows = load.report.parts.last().map_or(0, |part| part.first + part.rows);
        let transactions = load.report.parts.len() as u64;
        // A refusal of all is an outcome, which the caller is told anyway.
        if !matches!(error, Error::Rejected(_) | Error::Forbidden(_)) {
            let record_type = type_name.to_owned();
            self.tell(|| Event::LoadStopped { record_type, rows, transactions, why: error.to_string() });
        }
        match transactions {
            0 => Err(error),
            _ => Err(Error::Stopped { source: Box::new(error), rows, transactions }),
        }
    }
}

impl Load<'_, '_> {
    fn run(&mut self, record_type: Arc<RecordType>, inputs: &mut dyn Iterator<Item = Result<Input>>) -> Result<()> {
        let mut reader = Reader { inputs, record_type, rest: None, shape: None, is_at_end: false };
        let (ledger, mode, endorsed) = (self.ledger, self.options.mode, self.options.endorsed);
        std::thread::scope(|threads| {
            let (mut first, mut number) = (0, 0);
            let mut before: Option<ScopedJoinHandle<'_, Result<Done>>> = None;
            loop {
                let read = self.read(&mut reader, first, number);
                if let Some(before) = before.take() {
                    let done = before.join().unwrap_or_else(|panic| Err(Error::Fault(panic_message(&*panic))));
                    self.finish(done?)?;
                }
                let part = read?;
                if part.rows == 0 {
                    return Ok(());
                }
                first += part.rows as u64;
                number += 1;
                let append = move || ledger.append_part(part, endorsed);
                // An atomic load is one transaction: more rows would be too many.
                if reader.is_at_end || mode == Mode::Atomic {
                    return self.finish(append()?);
                }
                let thread = std::thread::Builder::new().name("ledgerstone-load".to_owned());
                let started = thread.spawn_scoped(threads, append);
                before =
                    Some(started.map_err(|error| Error::Fault(format!("a thread could not be started: {error}")))?);
            }
        })
    }

    /// Reads the rows of the transaction with this number; none where there are no more.
    fn read(&self, reader: &mut Reader<'_>, first: u64, number: u64) -> Result<Part> {
        let id = self.options.id.map(|id| format!("{id}/{number}"));
        let mode = self.options.mode;
        let record_type = self.type_of_part(&reader.record_type.name, id.as_deref())?;
        let (rows, bytes) = match mode {
            Mode::Each => (cut_rows(&record_type), CUT_BYTES),
            Mode::Atomic => (ATOMIC_RECORDS + 1, ATOMIC_BYTES),
        };
        let mut part = Part::new(first, record_type, mode, self.options.plain, id);
        let mut size = 0;
        while part.rows < rows {
            let most = (rows - part.rows).min(part.room());
            // A row that is larger than a cut is a cut of its own, and will be refused for its size.
            let alone = part.rows == 0 && mode == Mode::Each;
            let Some((input, taken)) = reader.next(most, bytes - size, alone)? else { break };
            size += taken;
            part.push(input, (&self.ledger.pool, &self.ledger.faults))?;
        }
        match mode {
            Mode::Atomic if !reader.is_at_end => Err(over_atomic(part.rows)),
            _ => Ok(part),
        }
    }

    /// The type for which the rows of the next transaction are prepared: the version that is in force may be another one by now, and
    /// where the transaction is stored already, its own counts.
    fn type_of_part(&self, name: &str, id: Option<&str>) -> Result<Arc<RecordType>> {
        let view = self.ledger.view()?;
        let earlier = match id {
            Some(id) => Earlier::find(&view, &author_of(&view.authority, &*self.ledger.author_key()?), id)?,
            None => None,
        };
        type_for(&view.authority, earlier.as_ref(), name)
    }

    /// Reports a transaction that is done.
    fn finish(&mut self, done: Done) -> Result<()> {
        self.report.rows += done.rows;
        self.report.accepted += done.rows - done.exceptions.len() as u64;
        self.report.parts.extend(done.part);
        self.report.note_first(&done.exceptions);
        for exception in done.exceptions {
            if let Some(told) = &mut self.options.exceptions {
                told(&exception)?;
            }
            self.report.note(exception);
        }
        let Some(told) = &mut self.options.progress else { return Ok(()) };
        told(LoadProgress {
            rows: self.report.rows,
            accepted: self.report.accepted,
            flagged: self.report.flagged_total,
            held: self.report.held_total,
            rejected: self.report.rejections_total,
        })
    }
}

impl Reader<'_> {
    /// The next rows, at most so many and of at most so many bytes (one row whatever it has, where it is `alone`), and their bytes; `None`
    /// at the end, and where the next row does not fit.
    fn next(&mut self, most: usize, bytes: usize, alone: bool) -> Result<Option<(Input, usize)>> {
        while !self.is_at_end {
            let input = match self.rest.take() {
                Some(rest) => rest,
                None => match self.inputs.next() {
                    Some(input) => self.even(input?)?,
                    None => {
                        self.is_at_end = true;
                        break;
                    }
                },
            };
            let length = input.len();
            if length == 0 {
                continue;
            }
            let (taken, size) = match fitting(&input, length.min(most), bytes) {
                (0, _) if alone => (1, bytes),
                fitting => fitting,
            };
            if taken < length {
                self.rest = Some(input.slice(taken, length - taken));
            }
            return Ok((taken > 0).then(|| (input.slice(0, taken), size)));
        }
        Ok(None)
    }

    /// The input, unless it is a table of another shape than the first: tables are joined column by column.
    fn even(&mut self, input: Input) -> Result<Input> {
        if let Input::Table(table) = &input {
            if table.num_rows() == 0 {
                // No row will say what is wrong with its columns.
                from_arrow(&self.record_type, table)?;
            }
            let shape = self.shape.get_or_insert_with(|| table.schema());
            let columns = |schema: &SchemaRef| -> Vec<(String, DataType)> {
                schema.fields().iter().map(|column| (column.name().clone(), column.data_type().clone())).collect()
            };
            if !Arc::ptr_eq(shape, table.schema_ref()) && columns(shape) != columns(table.schema_ref()) {
                return Err(Error::schema(
                    codes::UNEVEN_TABLES,
                    format!(
                        "the tables of one load have the same columns in the same order; the first had {}, this one has {}",
                        shown(shape),
                        shown(table.schema_ref())
                    ),
                ));
            }
        }
        Ok(input)
    }
}

fn shown(schema: &SchemaRef) -> String {
    let columns = schema.fields().iter().map(|column| format!("{} {}", column.name(), column.data_type()));
    columns.collect::<Vec<_>>().join(", ")
}
