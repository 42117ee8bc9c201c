//! Upkeep of a ledger: backups and numbers.

use std::path::Path;

use ledgerstone::{BackupOptions, BackupProgress, Ledger};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::door::{enter, enter_long};
use crate::facts;
use crate::show::Progress;

/// Copies a ledger that is in use, and audits the copy.
pub(crate) fn backup<'py>(
    py: Python<'py>,
    ledger: &Ledger,
    path: &Path,
    audit: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let progress = Progress::new(py, "backup", progress)?;
    let made = enter_long(py, |watch| {
        let mut tell = |done| match done {
            BackupProgress::Copied(done, of) => progress.tell(watch, &[("pages", done), ("of", of)]),
            BackupProgress::Audited(done, of) => progress.tell(watch, &[("transactions", done), ("of", of)]),
        };
        ledger.backup(path, BackupOptions { audit, progress: &mut tell })
    });
    progress.close(py)?;
    let made = made?;
    facts::new(py, "Backup", (made.size, made.bytes, made.checkpoint))
}

/// Numbers about a ledger.
pub(crate) fn stats<'py>(py: Python<'py>, ledger: &Ledger) -> PyResult<Bound<'py, PyDict>> {
    let stats = enter(py, || ledger.stats())?;
    let numbers = PyDict::new(py);
    numbers.set_item("transactions", stats.transactions)?;
    numbers.set_item("time", stats.time)?;
    numbers.set_item("members", stats.members)?;
    numbers.set_item("modules", stats.modules.into_py_dict(py)?)?;
    numbers.set_item("semantics", stats.semantics)?;
    numbers.set_item("code_tables", stats.code_tables)?;
    numbers.set_item("records", stats.records.into_py_dict(py)?)?;
    numbers.set_item("bytes", stats.bytes.into_py_dict(py)?)?;
    numbers.set_item("checkpoint", stats.checkpoint)?;
    Ok(numbers)
}
