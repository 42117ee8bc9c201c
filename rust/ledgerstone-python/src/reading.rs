//! What is read: a description that is run each time somebody reads it, on a snapshot of its own.

use std::sync::Mutex;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ledgerstone::model::Value;
use ledgerstone::{HistoryRows, Moment, QueryRequest, QueryRows, Result, StatementRequest, StatementRows};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyCapsule, PyDict};

use crate::door::enter;
use crate::ledger::PyLedger;
use crate::values::to_dicts;
use crate::{arrow, errors, show};

/// Rows that a notebook shows.
const SHOWN_ROWS: usize = 20;

/// What is asked for.
pub(crate) enum Request {
    Query(QueryRequest),
    Statement(StatementRequest),
    History { record_type: String, key: Vec<Value>, as_of: Option<Moment> },
}

/// One reading under way.
pub(crate) enum Rows {
    Query(Box<QueryRows>),
    Statement(Box<StatementRows>),
    History(Box<HistoryRows>),
}

impl Rows {
    fn schema(&self) -> SchemaRef {
        match self {
            Rows::Query(rows) => rows.schema(),
            Rows::Statement(rows) => rows.schema(),
            Rows::History(rows) => rows.schema(),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        match self {
            Rows::Query(rows) => rows.next(),
            Rows::Statement(rows) => rows.next(),
            Rows::History(rows) => rows.next(),
        }
    }
}

/// Rows of a ledger. Reading them runs what was asked for: as an Arrow stream (`polars.DataFrame(rows)`, `pyarrow.table(rows)`), or as
/// dicts. Each reading sees the ledger as it is at that moment, whole, whatever is appended meanwhile.
///
/// >>> history = getfixture("books").history("finance.account", "cash")
/// >>> isinstance(history, Reading), len(history.to_dicts())
/// (True, 2)
#[pyclass(frozen, subclass, name = "Reading", module = "ledgerstone")]
pub(crate) struct PyReading {
    ledger: Py<PyLedger>,
    request: Request,
    schema: SchemaRef,
}

impl PyReading {
    /// Runs the request once without reading, so that what is wrong with it is said here.
    pub(crate) fn new(ledger: &Bound<'_, PyLedger>, request: Request) -> PyResult<Self> {
        let schema = run(ledger, &request)?.schema();
        Ok(PyReading { ledger: ledger.clone().unbind(), request, schema })
    }

    /// Starts a reading.
    pub(crate) fn run(&self, py: Python<'_>) -> PyResult<Rows> {
        run(self.ledger.bind(py), &self.request)
    }

    /// At most so many rows, as dicts.
    fn dicts<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rows = self.run(py)?;
        let mut dicts = Vec::new();
        while dicts.len() < limit
            && let Some(page) = next_page(py, &mut rows, limit - dicts.len())?
        {
            dicts.extend(page);
        }
        Ok(dicts)
    }
}

#[pymethods]
impl PyReading {
    /// The rows as dicts: decimals as Decimal, timestamps as datetime in UTC, fractions as text (`fractions.Fraction` reads it).
    ///
    /// >>> getfixture("books").query("finance.transfer", columns=["id", "amount"]).to_dicts()
    /// [{'id': 't1', 'amount': Decimal('12.5')}]
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.dicts(py, usize::MAX)
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<DictIterator> {
        Ok(DictIterator(Mutex::new((self.run(py)?, Vec::new().into_iter()))))
    }

    /// The Arrow PyCapsule protocol: a stream of batches, read as the consumer asks for them.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer keep to its own types.
        let _ = requested_schema;
        let rows = self.run(py)?;
        arrow::export_stream(py, rows.schema(), rows)
    }

    /// The Arrow PyCapsule protocol: the schema alone.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::export_schema(py, &self.schema)
    }

    fn __reduce__(&self) -> PyResult<()> {
        let message = "a query cannot be pickled: send the rows that it read, or ask again where the ledger is open";
        Err(PyTypeError::new_err(message))
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let columns = names.join(", ");
        match &self.request {
            Request::Query(QueryRequest { record_type, predicates, limit, .. }) => {
                let limit = limit.map_or_else(String::new, |limit| format!(", limit={limit}"));
                format!("Query({record_type:?}, {} conditions, columns=[{columns}]{limit})", predicates.len())
            }
            Request::Statement(StatementRequest { record_type, key, .. }) => {
                format!("Statement({record_type:?}, {}, columns=[{columns}])", key_text(key))
            }
            Request::History { record_type, key, .. } => format!("History({record_type:?}, {})", key_text(key)),
        }
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let rows = self.dicts(py, SHOWN_ROWS)?;
        let more = if rows.len() == SHOWN_ROWS { ", the first rows" } else { "" };
        let title = match &self.request {
            Request::Query(request) => request.record_type.clone(),
            Request::Statement(request) => format!("statement of {} {}", request.record_type, key_text(&request.key)),
            Request::History { record_type, key, .. } => format!("history of {record_type} {}", key_text(key)),
        };
        show::table(py, &format!("{title}{more}"), rows)
    }
}

fn key_text(key: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    key.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The rows of one reading, as dicts, a page at a time.
#[pyclass(frozen, module = "ledgerstone")]
pub(crate) struct DictIterator(Mutex<(Rows, std::vec::IntoIter<Py<PyDict>>)>);

#[pymethods]
impl DictIterator {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
        // Lets the interpreter go while it waits: the holder needs it to finish.
        let mut state = self.0.lock_py_attached(py).map_err(|_| errors::fault("an earlier read panicked"))?;
        let (rows, page) = &mut *state;
        if let Some(dict) = page.next() {
            return Ok(Some(dict));
        }
        let Some(next) = next_page(py, rows, usize::MAX)? else {
            return Ok(None);
        };
        let next: Vec<_> = next.into_iter().map(Bound::unbind).collect();
        *page = next.into_iter();
        Ok(page.next())
    }
}

/// Starts a reading.
fn run(ledger: &Bound<'_, PyLedger>, request: &Request) -> PyResult<Rows> {
    let engine = ledger.get().engine()?;
    enter(ledger.py(), || match request {
        Request::Query(request) => engine.query(request).map(Box::new).map(Rows::Query),
        Request::Statement(request) => engine.statement(request).map(Box::new).map(Rows::Statement),
        Request::History { record_type, key, as_of } => {
            engine.history(record_type, key, *as_of).map(Box::new).map(Rows::History)
        }
    })
}

/// The next rows that there are, at most so many; `None` at the end.
fn next_page<'py>(py: Python<'py>, rows: &mut Rows, limit: usize) -> PyResult<Option<Vec<Bound<'py, PyDict>>>> {
    py.check_signals()?;
    let batch = enter(py, || rows.next().transpose())?;
    batch.map(|batch| to_dicts(py, &batch.slice(0, limit.min(batch.num_rows())))).transpose()
}
