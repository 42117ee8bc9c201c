//! Queries: a description that is run each time somebody reads it, on a snapshot of its own.

use std::sync::Mutex;

use arrow_schema::SchemaRef;
use ledgerstone::query::{Comparison, Predicate};
use ledgerstone::{QueryRequest, QueryRows, codes};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyCapsule, PyDict, PyList, PyTuple};

use crate::door::enter;
use crate::ledger::PyLedger;
use crate::values::{to_dicts, to_value};
use crate::{arrow, errors, show};

/// Rows that a notebook shows.
const SHOWN_ROWS: u64 = 20;

/// A query. Reading it runs it: as an Arrow stream (`polars.DataFrame(query)`, `pyarrow.table(query)`), or as dicts.
/// Each reading sees the ledger as it is at that moment, whole, whatever is appended meanwhile.
///
/// >>> ledger = getfixture("books")
/// >>> query = ledger.query("finance.account", columns=["id", "kind"])
/// >>> query.to_dicts()
/// [{'id': 'cash', 'kind': 'asset'}, {'id': 'sales', 'kind': 'income'}]
#[pyclass(frozen, name = "Query", module = "ledgerstone")]
pub(crate) struct PyQuery {
    ledger: Py<PyLedger>,
    request: QueryRequest,
    schema: SchemaRef,
}

impl PyQuery {
    /// Runs the request once without reading, so that what is wrong with it is said here.
    pub(crate) fn new(ledger: &Bound<'_, PyLedger>, request: QueryRequest) -> PyResult<Self> {
        let schema = run(ledger, &request)?.schema();
        Ok(PyQuery { ledger: ledger.clone().unbind(), request, schema })
    }

    fn dicts<'py>(&self, py: Python<'py>, request: &QueryRequest) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rows = run(self.ledger.bind(py), request)?;
        let mut dicts = Vec::new();
        while let Some(page) = next_page(py, &mut rows)? {
            dicts.extend(page);
        }
        Ok(dicts)
    }
}

#[pymethods]
impl PyQuery {
    /// The rows as dicts: decimals as Decimal, timestamps as datetime in UTC.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.dicts(py, &self.request)
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<DictIterator> {
        let rows = run(self.ledger.bind(py), &self.request)?;
        Ok(DictIterator(Mutex::new((rows, Vec::new().into_iter()))))
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
        let rows = run(self.ledger.bind(py), &self.request)?;
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
        let QueryRequest { record_type, limit, .. } = &self.request;
        let limit = limit.map_or_else(String::new, |limit| format!(", limit={limit}"));
        let terms = self.request.predicates.len();
        format!("Query({record_type:?}, {terms} conditions, columns=[{}]{limit})", names.join(", "))
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let limit = self.request.limit.unwrap_or(u64::MAX).min(SHOWN_ROWS);
        let first = QueryRequest { limit: Some(limit), ..self.request.clone() };
        let rows = self.dicts(py, &first)?;
        let more = if rows.len() as u64 == SHOWN_ROWS { ", the first rows" } else { "" };
        show::table(py, &format!("{}{more}", self.request.record_type), rows)
    }
}

/// The rows of one reading, as dicts, a page at a time.
#[pyclass(frozen, module = "ledgerstone")]
pub(crate) struct DictIterator(Mutex<(QueryRows, std::vec::IntoIter<Py<PyDict>>)>);

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
        let Some(next) = next_page(py, rows)? else {
            return Ok(None);
        };
        let next: Vec<_> = next.into_iter().map(Bound::unbind).collect();
        *page = next.into_iter();
        Ok(page.next())
    }
}

/// Starts a reading.
fn run(ledger: &Bound<'_, PyLedger>, request: &QueryRequest) -> PyResult<QueryRows> {
    let engine = ledger.get().engine()?;
    enter(ledger.py(), || engine.query(request))
}

/// The next rows that there are; `None` at the end.
fn next_page<'py>(py: Python<'py>, rows: &mut QueryRows) -> PyResult<Option<Vec<Bound<'py, PyDict>>>> {
    py.check_signals()?;
    let batch = enter(py, || rows.next().transpose())?;
    batch.map(|batch| to_dicts(py, &batch)).transpose()
}

/// The conditions of a `where=`: `{field: value}`, or `{field: {operator: value}}`.
pub(crate) fn predicates(conditions: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<Predicate>> {
    let mut predicates = Vec::new();
    let Some(conditions) = conditions else {
        return Ok(predicates);
    };
    for (field, condition) in conditions {
        let field: String = field.extract()?;
        let mut add = |comparison, values| {
            predicates.push(Predicate { field: field.clone(), comparison, values });
        };
        if let Ok(operators) = condition.cast::<PyDict>() {
            for (operator, operand) in operators {
                let comparison = comparison(operator.extract()?)?;
                add(comparison, operands(comparison, &operand)?);
            }
        } else if is_list(&condition) {
            add(Comparison::In, operands(Comparison::In, &condition)?);
        } else {
            add(Comparison::Equal, vec![to_value(&condition)?]);
        }
    }
    Ok(predicates)
}

fn comparison(operator: &str) -> PyResult<Comparison> {
    Ok(match operator {
        "==" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::More,
        ">=" => Comparison::AtLeast,
        "in" => Comparison::In,
        "between" => Comparison::Between,
        "starts-with" => Comparison::StartsWith,
        other => {
            return Err(errors::schema(
                codes::BAD_CONDITION,
                format!("there is no operator {other:?}; there are ==, <, <=, >, >=, in, between, starts-with"),
            ));
        }
    })
}

fn operands(comparison: Comparison, operand: &Bound<'_, PyAny>) -> PyResult<Vec<ledgerstone::model::Value>> {
    if !matches!(comparison, Comparison::In | Comparison::Between) {
        return Ok(vec![to_value(operand)?]);
    }
    if !is_list(operand) {
        let message = "the operators in and between take a list";
        return Err(errors::schema(codes::BAD_CONDITION, message));
    }
    operand.try_iter()?.map(|value| to_value(&value?)).collect()
}

fn is_list(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>()
}
