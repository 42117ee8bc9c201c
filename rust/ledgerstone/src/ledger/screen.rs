//! The first half of PREPARE: from what a caller hands over to rows that may be signed, and the reasons of those that may not.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;

use super::faults::Faults;
use super::pool::Pool;
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::module_of;
use crate::execute::{RecordBytes, stateless_refusals};
use crate::limits::CHUNK_ROWS;
use crate::model::{FlatRows, Value};
use crate::schema::{Checked, Checker, RecordType, Rows, from_arrow};

/// Records of one type as a caller hands them over. Cutting one copies no record.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An Arrow table.
    Table(RecordBatch),
    /// Named values, one object per record.
    Values(Arc<Vec<Value>>, Range<usize>),
    /// Named values, kept flat.
    Rows(Arc<FlatRows>, Range<usize>),
}

/// Rows of one type that passed every check a record can be given on its own.
#[derive(Debug)]
pub(crate) struct Screened {
    pub(crate) record_type: Arc<RecordType>,
    pub(crate) batch: RecordBatch,
    pub(crate) bytes: Arc<RecordBytes>,
    /// For each row, which of the rows handed over it was.
    pub(crate) inputs: Vec<u32>,
    /// Rows that were refused before signing.
    pub(crate) refused: Vec<Refused>,
}

/// A row that was refused before signing.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// Whether its values fit their fields, and a rule or its size is the reason.
    fits: bool,
    pub(crate) reason: Rejected,
}

/// Why an all-or-none call is refused: values come before rules, then the first record counts.
pub(crate) fn first_refusal<'r>(refused: impl Iterator<Item = &'r Refused>) -> Option<&'r Rejected> {
    refused.min_by_key(|refused| (refused.fits, refused.reason.row)).map(|refused| &refused.reason)
}

impl Input {
    /// Records given as objects.
    pub(crate) fn values(values: Vec<Value>) -> Self {
        let all = 0..values.len();
        Input::Values(Arc::new(values), all)
    }

    /// Records given as flat rows.
    pub(crate) fn rows(rows: FlatRows) -> Self {
        let all = 0..rows.len();
        Input::Rows(Arc::new(rows), all)
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        match self {
            Input::Table(batch) => batch.num_rows(),
            Input::Values(_, range) | Input::Rows(_, range) => range.len(),
        }
    }

    /// Some of the records.
    pub(crate) fn slice(&self, start: usize, length: usize) -> Input {
        let within = |range: &Range<usize>| range.start + start..range.start + start + length;
        match self {
            Input::Table(batch) => Input::Table(batch.slice(start, length)),
            Input::Values(values, range) => Input::Values(Arc::clone(values), within(range)),
            Input::Rows(rows, range) => Input::Rows(Arc::clone(rows), within(range)),
        }
    }
}

/// Screens records of one type, in chunks, in parallel. `plain`: private fields may hold values.
pub(crate) fn screen(
    (pool, faults): (&Pool, &Faults),
    record_type: &Arc<RecordType>,
    input: &Input,
    plain: bool,
) -> Result<Vec<Screened>> {
    let starts: Vec<usize> = (0..input.len()).step_by(CHUNK_ROWS).collect();
    pool.each(&starts, |&start| {
        let length = CHUNK_ROWS.min(input.len() - start);
        screen_chunk(faults, record_type, &[input.slice(start, length)], start as u32, plain)
    })
}

/// Screens the records of one chunk, of which the first was handed over as the `start`-th. A panic is a fault of their module.
pub(crate) fn screen_chunk(
    faults: &Faults,
    record_type: &Arc<RecordType>,
    inputs: &[Input],
    start: u32,
    plain: bool,
) -> Result<Screened> {
    faults.guard(module_of(&record_type.name), || screened(record_type, inputs, start, plain))
}

fn screened(record_type: &Arc<RecordType>, inputs: &[Input], start: u32, plain: bool) -> Result<Screened> {
    let checked = checked(record_type, inputs)?;
    let Checked { rows: batch, failures } = checked;
    let mut keep = vec![true; batch.num_rows()];
    let mut refused = Vec::new();
    for failure in failures {
        keep[failure.row] = false;
        let reason = Rejected {
            code: failure.code.to_owned(),
            message: failure.message,
            record_type: record_type.name.clone(),
            row: u64::from(start) + failure.row as u64,
            field: Some(failure.field),
            cell: None,
        };
        refused.push(Refused { fits: false, reason });
    }
    let view = Rows::new(record_type, &batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    if record_type.has_private_fields() && !plain {
        for (row, keep) in keep.iter_mut().enumerate() {
            if let Some(field) = view.private_value(row)
                && std::mem::replace(keep, false)
            {
                let reason = private_refusal(record_type, u64::from(start) + row as u64, field);
                refused.push(Refused { fits: false, reason });
            }
        }
    }
    for refusal in stateless_refusals(record_type, &view, &bytes) {
        if std::mem::replace(&mut keep[refusal.row], false) {
            let reason = Rejected {
                code: refusal.reason.code,
                message: joined(refusal.reason.message, &refusal.detail),
                record_type: record_type.name.clone(),
                row: u64::from(start) + refusal.row as u64,
                field: refusal.field,
                cell: None,
            };
            refused.push(Refused { fits: true, reason });
        }
    }
    refused.sort_by_key(|refused| refused.reason.row);
    let inputs = (0u32..).zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| start + row).collect();
    let (batch, bytes) = if refused.is_empty() { (batch, bytes) } else { kept(&batch, &bytes, &keep)? };
    Ok(Screened { record_type: Arc::clone(record_type), batch, bytes: Arc::new(bytes), inputs, refused })
}

/// The records of a chunk in typed columns: how the caller cut them is of no consequence.
fn checked(record_type: &RecordType, inputs: &[Input]) -> Result<Checked> {
    if let [Input::Table(only)] = inputs {
        return Ok(from_arrow(record_type, only)?);
    }
    let mut tables = Vec::new();
    let mut checker = Checker::new(record_type);
    for input in inputs {
        match input {
            Input::Table(table) => tables.push(table),
            Input::Values(values, range) => checker.values(&values[range.clone()]),
            Input::Rows(rows, range) => {
                checker.flat(rows, range.clone());
            }
        }
    }
    match tables.first() {
        None => Ok(checker.finish()),
        Some(first) => {
            let table = concat_batches(first.schema_ref(), tables.iter().copied());
            Ok(from_arrow(record_type, &table.map_err(|error| Error::Fault(error.to_string()))?)?)
        }
    }
}

fn private_refusal(record_type: &RecordType, row: u64, field: &str) -> Rejected {
    let message =
        format!("{field} is private, and nothing encrypts it yet: leave it out, or say that it may stand in the clear");
    Rejected {
        code: codes::PRIVATE_FIELD.to_owned(),
        message,
        record_type: record_type.name.clone(),
        row,
        field: Some(field.to_owned()),
        cell: None,
    }
}

fn kept(batch: &RecordBatch, bytes: &RecordBytes, keep: &[bool]) -> Result<(RecordBatch, RecordBytes)> {
    let mask = BooleanArray::from(keep.to_vec());
    let batch = filter_record_batch(batch, &mask).map_err(|error| Error::Fault(error.to_string()))?;
    Ok((batch, bytes.retain(keep)))
}

fn joined(message: String, detail: &str) -> String {
    if detail.is_empty() { message } else { format!("{message} ({detail})") }
}
