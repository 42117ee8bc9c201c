//! Errors of the engine as Python exceptions: the only place where one becomes the other. The classes are defined in Python
//! (`ledgerstone/exceptions.py`), where they are documented and can be pickled.

use std::path::Path;

use ledgerstone::keys::KeyFileError;
use ledgerstone::store::StoreError as EngineStoreError;
use ledgerstone::{Error, Rejected};
use ledgerstone_verify::VerifyError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

mod python {
    pyo3::import_exception!(ledgerstone.exceptions, FaultError);
    pyo3::import_exception!(ledgerstone.exceptions, ForbiddenError);
    pyo3::import_exception!(ledgerstone.exceptions, LedgerError);
    pyo3::import_exception!(ledgerstone.exceptions, LimitError);
    pyo3::import_exception!(ledgerstone.exceptions, RejectedError);
    pyo3::import_exception!(ledgerstone.exceptions, SchemaError);
    pyo3::import_exception!(ledgerstone.exceptions, StoreError);
    pyo3::import_exception!(ledgerstone.exceptions, VerificationError);
}
use python::*;

/// The exception of an error.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Rejected(rejected) => RejectedError::new_err(fields(text, *rejected)),
        Error::Forbidden(rejected) => ForbiddenError::new_err(fields(text, *rejected)),
        Error::Schema(_) => SchemaError::new_err(text),
        Error::Verification(_) => VerificationError::new_err(text),
        Error::Store(error) => StoreError::new_err((text, store_path(&error).map(shown))),
        Error::KeyFile(error) => StoreError::new_err((text, key_path(&error).map(shown))),
        Error::Limit { value, limit, bound, .. } => LimitError::new_err((text, limit, value, bound)),
        Error::Interrupted(_) => PyKeyboardInterrupt::new_err(()),
        Error::Fault(_) => FaultError::new_err(text),
        Error::Stopped { source, rows, transactions } => after(py, raise(py, *source), rows, transactions),
    }
}

/// The exception that stopped the engine from outside, with a note of what the engine had done before.
pub(crate) fn with_progress(py: Python<'_>, exception: PyErr, error: &Error) -> PyErr {
    match error {
        Error::Stopped { rows, transactions, .. } => after(py, exception, *rows, *transactions),
        _ => exception,
    }
}

/// The exception of a failed verification.
pub(crate) fn unverified(error: &VerifyError) -> PyErr {
    VerificationError::new_err((error.to_string(), error.kind().code()))
}

pub(crate) fn schema(message: impl Into<String>) -> PyErr {
    SchemaError::new_err(message.into())
}

pub(crate) fn fault(message: &str) -> PyErr {
    FaultError::new_err(format!("fault: {message}; nothing was logged"))
}

pub(crate) fn in_another_process() -> PyErr {
    FaultError::new_err("the ledger was opened in another process; open it again in this one")
}

pub(crate) fn store(message: &str, path: Option<&Path>) -> PyErr {
    StoreError::new_err((message.to_owned(), path.map(shown)))
}

/// What the data handed over did wrong, where it did not raise a Python exception.
pub(crate) fn data(message: String) -> PyErr {
    LedgerError::new_err(message)
}

/// An error of the operating system at a file.
pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
    let path = path.to_owned();
    Error::Store(EngineStoreError::Io { path, source })
}

fn after(py: Python<'_>, exception: PyErr, rows: u64, transactions: u64) -> PyErr {
    let done = format!("{rows} rows before that are done, in {transactions} transaction(s)");
    noted(py, exception, format!("{done}; a load with an id= goes on from there when it is repeated"))
}

/// Adds a note to an exception.
pub(crate) fn noted(py: Python<'_>, exception: PyErr, note: String) -> PyErr {
    // A note is a comfort: the exception counts.
    let _ = exception.value(py).call_method1("add_note", (note,));
    exception
}

type RejectedFields = (String, String, String, String, u64, Option<String>, Option<String>);

fn fields(text: String, rejected: Rejected) -> RejectedFields {
    let Rejected { code, message, record_type, row, field, cell } = rejected;
    (text, code, message, record_type, row, field, cell)
}

fn store_path(error: &EngineStoreError) -> Option<&Path> {
    match error {
        EngineStoreError::Missing(path) | EngineStoreError::Exists(path) => Some(path),
        EngineStoreError::NotALedger { path, .. }
        | EngineStoreError::NewerFormat { path, .. }
        | EngineStoreError::Locked { path, .. }
        | EngineStoreError::Io { path, .. } => Some(path),
        _ => None,
    }
}

fn key_path(error: &KeyFileError) -> Option<&Path> {
    match error {
        KeyFileError::Missing(path) | KeyFileError::Exists(path) => Some(path),
        KeyFileError::Io { path, .. } | KeyFileError::NotAKey { path, .. } => Some(path),
        KeyFileError::NoRandomness => None,
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
