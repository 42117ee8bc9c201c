//! The first half of PREPARE: from what a caller hands over to rows that may be signed, and the reasons of those that may not.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::pool::Pool;
use crate::error::{Error, Rejected, Result};
use crate::execute::{RecordBytes, stateless_refusals};
use crate::limits::CHUNK_ROWS;
use crate::model::Value;
use crate::schema::{Checked, RecordType, Rows, from_arrow, from_values};

/// Records of one type as a caller hands them over.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An Arrow table.
    Table(RecordBatch),
    /// Named values, one object per record.
    Values(Vec<Value>),
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
    pub(crate) refused: Vec<Rejected>,
}

impl Input {
    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        match self {
            Input::Table(batch) => batch.num_rows(),
            Input::Values(values) => values.len(),
        }
    }

    /// Some of the records.
    pub(crate) fn slice(&self, start: usize, length: usize) -> Input {
        match self {
            Input::Table(batch) => Input::Table(batch.slice(start, length)),
            Input::Values(values) => Input::Values(values[start..start + length].to_vec()),
        }
    }
}

/// Screens records of one type, in chunks, in parallel.
pub(crate) fn screen(pool: &Pool, record_type: &Arc<RecordType>, input: &Input) -> Result<Vec<Screened>> {
    if input.len() <= CHUNK_ROWS {
        return Ok(vec![screen_chunk(record_type, input, 0)?]);
    }
    let starts: Vec<usize> = (0..input.len()).step_by(CHUNK_ROWS).collect();
    pool.each(&starts, |&start| {
        let length = CHUNK_ROWS.min(input.len() - start);
        screen_chunk(record_type, &input.slice(start, length), start as u32)
    })
}

fn screen_chunk(record_type: &Arc<RecordType>, input: &Input, start: u32) -> Result<Screened> {
    let checked = match input {
        Input::Table(batch) => from_arrow(record_type, batch)?,
        Input::Values(values) => from_values(record_type, values),
    };
    let Checked { rows: batch, failures } = checked;
    let mut keep = vec![true; batch.num_rows()];
    let mut refused = Vec::new();
    for failure in failures {
        keep[failure.row] = false;
        refused.push(Rejected {
            code: failure.code.to_owned(),
            message: failure.message,
            record_type: record_type.name.clone(),
            row: u64::from(start) + failure.row as u64,
            field: Some(failure.field),
            cell: None,
        });
    }
    let view = Rows::new(record_type, &batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    for refusal in stateless_refusals(record_type, &view, &bytes) {
        if std::mem::replace(&mut keep[refusal.row], false) {
            refused.push(Rejected {
                code: refusal.reason.code,
                message: joined(refusal.reason.message, &refusal.detail),
                record_type: record_type.name.clone(),
                row: u64::from(start) + refusal.row as u64,
                field: None,
                cell: None,
            });
        }
    }
    refused.sort_by_key(|rejected| rejected.row);
    let inputs = (0u32..).zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| start + row).collect();
    let (batch, bytes) = if refused.is_empty() { (batch, bytes) } else { kept(&batch, &bytes, &keep)? };
    Ok(Screened { record_type: Arc::clone(record_type), batch, bytes: Arc::new(bytes), inputs, refused })
}

fn kept(batch: &RecordBatch, bytes: &RecordBytes, keep: &[bool]) -> Result<(RecordBatch, RecordBytes)> {
    let mask = BooleanArray::from(keep.to_vec());
    let batch = filter_record_batch(batch, &mask).map_err(|error| Error::Fault(error.to_string()))?;
    Ok((batch, bytes.retain(keep)))
}

fn joined(message: String, detail: &str) -> String {
    if detail.is_empty() { message } else { format!("{message} ({detail})") }
}
