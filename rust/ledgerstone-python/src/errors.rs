//! Errors of the engine as Python exceptions: the only place where one becomes the other. The classes are defined in Python
//! (`ledgerstone/exceptions.py`), where they are documented and can be pickled.

use std::path::Path;

use ledgerstone::store::StoreError as EngineStoreError;
use ledgerstone::{Error, ErrorCode, Misfit, Rejected, codes};
use ledgerstone_verify::VerifyError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

mod python {
    pyo3::import_exception!(ledgerstone.exceptions, FaultError);
    pyo3::import_exception!(ledgerstone.exceptions, ForbiddenError);
    pyo3::import_exception!(ledgerstone.exceptions, LimitError);
    pyo3::import_exception!(ledgerstone.exceptions, RejectedError);
    pyo3::import_exception!(ledgerstone.exceptions, SchemaError);
    pyo3::import_exception!(ledgerstone.exceptions, StoreError);
    pyo3::import_exception!(ledgerstone.exceptions, VerificationError);
}
use python::*;

use crate::facts;

/// The catalogue of errors.
///
/// >>> [entry.remedy for entry in errors() if entry.code == "ledger.missing_field"]
/// ['give the field a value']
#[pyfunction]
pub(crate) fn errors(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let of =
        |entry: &ErrorCode| facts::new(py, "ErrorCode", (entry.code, entry.class.name(), entry.summary, entry.remedy));
    codes::CATALOGUE.iter().map(of).collect()
}

/// The exception of an error.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    let text = error.to_string();
    let code = error.code().to_owned();
    match error {
        Error::Rejected(rejected) => RejectedError::new_err(fields(text, *rejected)),
        Error::Forbidden(rejected) => ForbiddenError::new_err(fields(text, *rejected)),
        Error::Schema(misfit) => {
            let Misfit { code, file, line, field, .. } = *misfit;
            SchemaError::new_err((text, code, file, line, field))
        }
        Error::Verification { code, file, .. } => VerificationError::new_err((text, code, file)),
        Error::Store(error) => StoreError::new_err((text, error.path().map(shown), error.code())),
        Error::KeyFile(error) => StoreError::new_err((text, error.path().map(shown), error.code())),
        Error::Limit { value, limit, bound, .. } => LimitError::new_err((text, limit, value, bound, code)),
        Error::Interrupted(_) => PyKeyboardInterrupt::new_err(()),
        Error::Fault(_) => FaultError::new_err((text, code)),
        Error::ModuleFault { module, .. } => FaultError::new_err((text, code, module)),
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

pub(crate) fn schema(code: &'static str, message: impl Into<String>) -> PyErr {
    SchemaError::new_err((message.into(), code))
}

pub(crate) fn fault(message: &str) -> PyErr {
    FaultError::new_err((format!("fault: {message}; nothing was logged"), codes::FAULT))
}

pub(crate) fn in_another_process() -> PyErr {
    let message = "the ledger was opened in another process; open it again in this one";
    FaultError::new_err((message, codes::FORKED))
}

pub(crate) fn store(code: &'static str, message: &str, path: Option<&Path>) -> PyErr {
    StoreError::new_err((message.to_owned(), path.map(shown), code))
}

/// What the data handed over did wrong, where it did not raise a Python exception.
pub(crate) fn data(message: String) -> PyErr {
    SchemaError::new_err((message, codes::INPUT_FAILED))
}

/// An error of the operating system at a file.
pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Store(EngineStoreError::io(path, source))
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

fn shown(path: &Path) -> String {
    path.display().to_string()
}
