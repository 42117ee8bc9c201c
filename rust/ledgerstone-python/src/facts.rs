//! What is facts and nothing else is a named tuple in Python (`ledgerstone/_facts.py`); this makes them, and reads places back.

use ledgerstone::model::RowId;
use ledgerstone::{Appended, StoredRecord};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::values;

/// An object of a class of `_facts.py`.
pub(crate) fn new<'py>(py: Python<'py>, class: &str, fields: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone._facts")?.getattr(class)?.call1(fields)
}

pub(crate) fn row_id(py: Python<'_>, row: RowId) -> PyResult<Bound<'_, PyAny>> {
    new(py, "RowId", (row.index, row.position))
}

pub(crate) fn appended(py: Python<'_>, appended: Appended) -> PyResult<Bound<'_, PyAny>> {
    new(py, "Appended", (appended.index, appended.count, appended.is_new))
}

pub(crate) fn record(py: Python<'_>, stored: StoredRecord) -> PyResult<Bound<'_, PyAny>> {
    let data = values::to_dicts(py, &stored.batch)?.pop();
    new(py, "Record", (stored.record_type, stored.version, row_id(py, stored.row)?, data))
}

/// The place that a caller means: `(index, position)`, or anything with an `index`, and a `position` unless it is the first.
pub(crate) fn place(at: &Bound<'_, PyAny>) -> PyResult<RowId> {
    if let Ok((index, position)) = at.extract::<(u64, u32)>() {
        return Ok(RowId::new(index, position));
    }
    let part = |name: &str| at.getattr_opt(name).ok().flatten();
    let index = part("index").and_then(|index| index.extract::<u64>().ok());
    let position = part("position").map_or(Ok(0), |position| position.extract::<u32>());
    match (index, position) {
        (Some(index), Ok(position)) => Ok(RowId::new(index, position)),
        _ => Err(PyTypeError::new_err(format!(
            "a record is named by a RowId, (index, position), an Appended or a Record, not {}",
            at.get_type().name()?
        ))),
    }
}
