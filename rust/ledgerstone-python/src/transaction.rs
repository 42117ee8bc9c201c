//! Atomic transactions, as a `with` block.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerstone::Key;
use ledgerstone::model::Value;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::ledger::PyLedger;
use crate::values::to_record;
use crate::{facts, held, show};

/// Records that are appended together, all or none.
///
/// >>> ledger = getfixture("books")
/// >>> with ledger.transaction() as tx:
/// ...     tx.append("finance.commodity", {"code": "AAPL", "exponent": 0})
/// >>> tx.result.row()
/// RowId(index=4, position=0)
#[pyclass(frozen, name = "Transaction", module = "ledgerstone")]
pub(crate) struct PyTransaction {
    ledger: Py<PyLedger>,
    id: Option<String>,
    plain: bool,
    endorsers: Vec<Arc<Key>>,
    meaning: String,
    state: Mutex<State>,
}

enum State {
    New,
    Open(Vec<(String, Value)>),
    Done(Option<Py<PyAny>>),
}

#[pymethods]
impl PyTransaction {
    /// Adds a record, within the `with` block. Nothing is checked against the ledger before the block ends.
    fn append(&self, r#type: String, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let record = to_record(record)?;
        match &mut *self.state() {
            State::New => Err(not_begun()),
            State::Open(records) => {
                records.push((r#type, record));
                Ok(())
            }
            State::Done(_) => Err(ended()),
        }
    }

    /// What was appended; None while the block runs, where it raised, and where it was empty.
    #[getter]
    fn result(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &*self.state() {
            State::Done(Some(appended)) => Some(appended.clone_ref(py)),
            _ => None,
        }
    }

    fn __enter__(this: Py<Self>) -> PyResult<Py<Self>> {
        {
            let mut state = this.get().state();
            match &*state {
                State::New => *state = State::Open(Vec::new()),
                State::Open(_) => return Err(PyRuntimeError::new_err("the transaction has begun already")),
                State::Done(_) => return Err(ended()),
            }
        }
        Ok(this)
    }

    #[pyo3(signature = (kind, *_rest))]
    fn __exit__(&self, py: Python<'_>, kind: &Bound<'_, PyAny>, _rest: &Bound<'_, PyTuple>) -> PyResult<()> {
        let records = match std::mem::replace(&mut *self.state(), State::Done(None)) {
            State::Open(records) => records,
            State::New => return Err(not_begun()),
            State::Done(_) => return Err(ended()),
        };
        if !kind.is_none() || records.is_empty() {
            return Ok(());
        }
        let engine = self.ledger.get().writing()?;
        let endorsers = (self.endorsers.as_slice(), self.meaning.as_str());
        let appended = held::append(py, &engine, records, self.id.as_deref(), self.plain, endorsers)?;
        let appended = facts::appended(py, &appended)?.unbind();
        *self.state() = State::Done(Some(appended));
        Ok(())
    }

    fn __repr__(&self) -> String {
        match &*self.state() {
            State::New => "Transaction(not begun)".to_owned(),
            State::Open(records) => format!("Transaction(open, {} records)", records.len()),
            State::Done(Some(appended)) => format!("Transaction({appended})"),
            State::Done(None) => "Transaction(nothing appended)".to_owned(),
        }
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let facts = PyDict::new(py);
        facts.set_item("id", &self.id)?;
        facts.set_item("state", self.__repr__())?;
        show::table(py, "transaction", vec![facts])
    }
}

impl PyTransaction {
    pub(crate) fn new(
        ledger: Py<PyLedger>,
        id: Option<String>,
        plain: bool,
        endorsers: Vec<Arc<Key>>,
        meaning: String,
    ) -> Self {
        PyTransaction { ledger, id, plain, endorsers, meaning, state: Mutex::new(State::New) }
    }

    /// Never held while Python code runs.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_begun() -> PyErr {
    PyRuntimeError::new_err(
        "the transaction has not begun, nothing would be appended: use it as `with ledger.transaction() as tx:`, and append within the block",
    )
}

fn ended() -> PyErr {
    PyRuntimeError::new_err("the transaction has ended: what is appended now belongs to another one")
}
