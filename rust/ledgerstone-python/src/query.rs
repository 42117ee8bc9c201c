//! Queries: what is asked for, out of the arguments of a call.

use ledgerstone::model::Value;
use ledgerstone::query::{Comparison, OrderBy, Predicate};
use ledgerstone::{Join, QueryRequest, codes};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::arguments::{dict, names};
use crate::errors;
use crate::ledger::PyLedger;
use crate::reading::{PyReading, Request};
use crate::values::to_value;

/// A query. Reading it runs it: as an Arrow stream (`polars.DataFrame(query)`, `pyarrow.table(query)`), or as dicts.
/// Each reading sees the ledger as it is at that moment, whole, whatever is appended meanwhile.
///
/// >>> ledger = getfixture("books")
/// >>> query = ledger.query("finance.account", columns=["id", "kind"])
/// >>> query.to_dicts()
/// [{'id': 'cash', 'kind': 'asset'}, {'id': 'sales', 'kind': 'income'}]
#[pyclass(frozen, extends = PyReading, name = "Query", module = "ledgerstone")]
pub(crate) struct PyQuery;

impl PyQuery {
    /// Runs the request once without reading, so that what is wrong with it is said here.
    pub(crate) fn new<'py>(ledger: &Bound<'py, PyLedger>, request: QueryRequest) -> PyResult<Bound<'py, Self>> {
        let reading = PyReading::new(ledger, Request::Query(request))?;
        Bound::new(ledger.py(), PyClassInitializer::from(reading).add_subclass(PyQuery))
    }
}

/// An `order_by=`: fields, each from large to small where a `-` stands before it.
pub(crate) fn order(order: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<OrderBy>> {
    let Some(order) = order else { return Ok(Vec::new()) };
    let names: Vec<String> = match order.cast::<PyString>() {
        Ok(name) => vec![name.to_str()?.to_owned()],
        Err(_) => names("order_by", Some(order))?.unwrap_or_default(),
    };
    let names = names.iter().map(|name| match name.strip_prefix('-') {
        Some(field) => OrderBy { field: field.to_owned(), is_descending: true },
        None => OrderBy { field: name.clone(), is_descending: false },
    });
    Ok(names.collect())
}

/// A `columns=`: at least one name, or every field.
pub(crate) fn columns_of(columns: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<String>>> {
    let columns = names("columns", columns)?;
    if columns.as_ref().is_some_and(Vec::is_empty) {
        return Err(PyValueError::new_err("columns names no column; leave it out for every field"));
    }
    Ok(columns)
}

/// A `join=`: `{field: record type}`.
pub(crate) fn joins(join: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Join>> {
    let join = dict("join", join, "{\"debit\": \"finance.account\"}")?;
    let pairs = join.into_iter().flat_map(|join| join.iter());
    pairs.map(|(field, named)| Ok(Join { field: field.extract()?, record_type: named.extract()? })).collect()
}

/// The conditions of a `where=`: `{field: value}`, or `{field: {operator: value}}`.
pub(crate) fn predicates(conditions: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Predicate>> {
    let mut predicates = Vec::new();
    let Some(conditions) = dict("where", conditions, "{\"debit\": \"cash\"}")? else {
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
        "!=" => Comparison::NotEqual,
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
                format!("there is no operator {other:?}; there are ==, !=, <, <=, >, >=, in, between, starts-with"),
            ));
        }
    })
}

fn operands(comparison: Comparison, operand: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
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
