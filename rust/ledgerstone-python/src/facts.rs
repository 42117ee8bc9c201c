//! What is facts and nothing else is a named tuple in Python (`ledgerstone/_facts.py`); this makes them, and reads places back.

use ledgerstone::model::RowId;
use ledgerstone::{Appended, Member, ModuleInForce, StoredRecord};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict};

use crate::values;

/// An object of a class of `_facts.py`.
pub(crate) fn new<'py>(py: Python<'py>, class: &str, fields: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone._facts")?.getattr(class)?.call1(fields)
}

/// As [`new`], where the fields are too many for their order to speak.
pub(crate) fn named<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone._facts")?.getattr(class)?.call((), Some(fields))
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

pub(crate) fn member(py: Python<'_>, member: Member) -> PyResult<Bound<'_, PyAny>> {
    let keys = |active| {
        let keys = member.keys.iter().filter(move |(_, is_active)| *is_active == active);
        keys.map(|(key, _)| PyBytes::new(py, key)).collect::<Vec<_>>()
    };
    new(py, "Member", (&member.id, keys(true), keys(false), &member.roles))
}

pub(crate) fn module(py: Python<'_>, module: ModuleInForce) -> PyResult<Bound<'_, PyAny>> {
    let roles = module.roles.into_py_dict(py)?;
    new(py, "Module", (module.name, module.version, module.title, module.types, roles))
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
