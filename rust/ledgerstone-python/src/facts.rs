//! What is facts and nothing else is a named tuple in Python (`_facts.py` and `_modules.py` of the package); this makes them, and reads places back.

use ledgerstone::model::RowId;
use ledgerstone::{
    Appended, Doubt, HeldRecord, LogKeyPeriod, Member, MemberKey, ModuleInForce, ModuleLoaded, StoredRecord,
};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict};

use crate::values;

/// An object of one of those classes.
pub(crate) fn new<'py>(py: Python<'py>, class: &str, fields: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone")?.getattr(class)?.call1(fields)
}

/// As [`new`], where the fields are too many for their order to speak.
pub(crate) fn named<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone")?.getattr(class)?.call((), Some(fields))
}

pub(crate) fn row_id(py: Python<'_>, row: RowId) -> PyResult<Bound<'_, PyAny>> {
    new(py, "RowId", (row.index, row.position))
}

pub(crate) fn appended<'py>(py: Python<'py>, appended: &Appended) -> PyResult<Bound<'py, PyAny>> {
    let exceptions = PyDict::new(py);
    for (position, exception) in &appended.exceptions {
        let outcome = exception.to_outcome();
        let reason = &exception.reason;
        exceptions.set_item(position, new(py, "Outcome", (outcome.name(), &reason.code, &reason.message))?)?;
    }
    new(py, "Appended", (appended.index, appended.count, appended.is_new, exceptions))
}

/// A held record, with the code of the reason.
pub(crate) fn held(py: Python<'_>, held: HeldRecord) -> PyResult<Bound<'_, PyAny>> {
    let data = values::to_dicts(py, &held.batch)?.pop();
    let row = row_id(py, held.row)?;
    new(py, "Record", (held.record_type, held.version, row, data, "held", held.code))
}

pub(crate) fn record(py: Python<'_>, stored: StoredRecord) -> PyResult<Bound<'_, PyAny>> {
    let data = values::to_dicts(py, &stored.batch)?.pop();
    let row = row_id(py, stored.row)?;
    let (outcome, code) = (stored.standing.name(), stored.standing.code());
    new(py, "Record", (stored.record_type, stored.version, row, data, outcome, code, stored.cause))
}

pub(crate) fn member(py: Python<'_>, member: Member) -> PyResult<Bound<'_, PyAny>> {
    let keys = |active| {
        let keys = member.keys.iter().filter(move |key| key.revoked.is_none() == active);
        keys.map(|key| PyBytes::new(py, &key.public)).collect::<Vec<_>>()
    };
    let history = member.keys.iter().map(|key| member_key(py, key)).collect::<PyResult<Vec<_>>>()?;
    let grants = member
        .grants
        .iter()
        .map(|grant| new(py, "Grant", (&grant.role, grant.index, time(py, grant.from)?, time(py, grant.until)?)));
    let grants = grants.collect::<PyResult<Vec<_>>>()?;
    new(py, "Member", (&member.id, keys(true), keys(false), &member.roles, history, grants))
}

fn member_key<'py>(py: Python<'py>, key: &MemberKey) -> PyResult<Bound<'py, PyAny>> {
    let public = PyBytes::new(py, &key.public);
    match &key.revoked {
        None => new(py, "MemberKey", (public, key.added)),
        Some(end) => {
            let since = time(py, end.suspected_since)?;
            new(py, "MemberKey", (public, key.added, end.index, &end.reason, since, end.doubtful))
        }
    }
}

pub(crate) fn doubt<'py>(py: Python<'py>, doubt: &Doubt) -> PyResult<Bound<'py, PyAny>> {
    let since = time(py, Some(doubt.suspected_since))?;
    new(py, "Doubt", (&doubt.member, PyBytes::new(py, &doubt.key), since, doubt.revoked))
}

pub(crate) fn log_key<'py>(py: Python<'py>, period: &LogKeyPeriod) -> PyResult<Bound<'py, PyAny>> {
    let keys: Vec<String> = period.verifier_keys.iter().map(ToString::to_string).collect();
    new(py, "LogKey", (keys, period.since, period.until))
}

fn time(py: Python<'_>, micros: Option<i64>) -> PyResult<Option<Bound<'_, PyAny>>> {
    micros.map(|micros| values::instant(py, micros)).transpose()
}

pub(crate) fn module_loaded(py: Python<'_>, loaded: ModuleLoaded) -> PyResult<Bound<'_, PyAny>> {
    let row = row_id(py, loaded.row)?;
    new(py, "ModuleLoaded", (loaded.name, loaded.version, row, loaded.author, loaded.source))
}

pub(crate) fn module(py: Python<'_>, module: ModuleInForce) -> PyResult<Bound<'_, PyAny>> {
    let roles = module.roles.into_py_dict(py)?;
    let state = module.state.name();
    new(py, "Module", (module.name, module.version, module.title, module.types, roles, state))
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
