//! The ledger as it was, and how it came to be what it is: moments, statements, histories, cells.

use ledgerstone::model::Value;
use ledgerstone::{Balance, CellState, Ledger, Moment, StatementRequest, codes, parse_day};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::door::enter;
use crate::ledger::PyLedger;
use crate::reading::{PyReading, Request, Rows};
use crate::receipt::Texts;
use crate::values::{to_decimal, to_value};
use crate::{errors, facts};

/// The statement of a balance: every record that moved it, by how much, and the balance after it. Read it as an Arrow stream or as dicts.
///
/// >>> ledger = getfixture("books")
/// >>> ledger.statement("finance.account", "cash").closing["posted"]
/// Decimal('12.5')
#[pyclass(frozen, extends = PyReading, name = "Statement", module = "ledgerstone")]
pub(crate) struct PyStatement;

impl PyStatement {
    pub(crate) fn new<'py>(ledger: &Bound<'py, PyLedger>, request: StatementRequest) -> PyResult<Bound<'py, Self>> {
        let reading = PyReading::new(ledger, Request::Statement(request))?;
        Bound::new(ledger.py(), PyClassInitializer::from(reading).add_subclass(PyStatement))
    }

    fn ends<'py>(
        this: &Bound<'py, Self>,
        of: fn(&ledgerstone::StatementRows) -> Balance,
    ) -> PyResult<Bound<'py, PyDict>> {
        match this.as_super().get().run(this.py())? {
            Rows::Statement(rows) => balance_dict(this.py(), of(&rows)),
            _ => Err(errors::fault("a statement that is none")),
        }
    }
}

#[pymethods]
impl PyStatement {
    /// The balance before the first line: the parts that records move; empty where there was none.
    #[getter]
    fn opening<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        Self::ends(this, ledgerstone::StatementRows::opening)
    }

    /// The balance after the last line.
    #[getter]
    fn closing<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        Self::ends(this, ledgerstone::StatementRows::closing)
    }
}

/// The history of a key: every record that has it, and every record that moved its cells. Read it as an Arrow stream or as dicts.
///
/// >>> ledger = getfixture("books")
/// >>> ledger.history("finance.account", "cash").to_dicts()[1]["changes"]
/// [{'field': 'balance[EUR].posted', 'before': '0', 'after': '12.5'}]
#[pyclass(frozen, extends = PyReading, name = "History", module = "ledgerstone")]
pub(crate) struct PyHistory;

impl PyHistory {
    pub(crate) fn new<'py>(ledger: &Bound<'py, PyLedger>, request: Request) -> PyResult<Bound<'py, Self>> {
        let reading = PyReading::new(ledger, request)?;
        Bound::new(ledger.py(), PyClassInitializer::from(reading).add_subclass(PyHistory))
    }
}

/// The newest record with a key, now or at a moment.
pub(crate) fn get<'py>(
    py: Python<'py>,
    engine: &Ledger,
    record_type: &str,
    key: &Bound<'py, PyTuple>,
    as_of: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (key, as_of) = (key_values(key)?, moment(as_of)?);
    let found = enter(py, || match as_of {
        None => engine.get(record_type, &key),
        Some(moment) => engine.as_of(moment).get(record_type, &key),
    })?;
    found.map(|stored| facts::record(py, stored)).transpose()
}

/// Balances by unit, or those of one; now, at a moment, or by effective date.
pub(crate) fn balance<'py>(
    py: Python<'py>,
    engine: &Ledger,
    record_type: &str,
    (key, by): (&Bound<'py, PyTuple>, Option<Texts>),
    on: Option<&Bound<'py, PyAny>>,
    as_of: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let (key, as_of) = (key_values(key)?, moment(as_of)?);
    let on = on.map(day).transpose()?;
    let mut balances = enter(py, || match (on, as_of) {
        (Some(day), as_of) => engine.balances_on(record_type, &key, day, as_of),
        (None, Some(moment)) => engine.as_of(moment).balances(record_type, &key),
        (None, None) => engine.balances(record_type, &key),
    })?;
    if let Some(by) = by {
        let balance = balances.remove(&by.into_vec());
        return balance.map(|parts| balance_dict(py, parts)).transpose();
    }
    let dict = PyDict::new(py);
    for (by, parts) in balances {
        set_by(py, &dict, by, balance_dict(py, parts)?)?;
    }
    Ok(Some(dict))
}

/// The cells of a record, now or at a moment.
pub(crate) fn state<'py>(
    py: Python<'py>,
    engine: &Ledger,
    record_type: &str,
    key: &Bound<'py, PyTuple>,
    as_of: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (key, as_of) = (key_values(key)?, moment(as_of)?);
    let cells = enter(py, || match as_of {
        None => engine.state(record_type, &key),
        Some(moment) => engine.as_of(moment).state(record_type, &key),
    })?;
    state_dict(py, cells)
}

/// The values of a key.
pub(crate) fn key_values(key: &Bound<'_, PyTuple>) -> PyResult<Vec<Value>> {
    if key.is_empty() {
        let message = "the key is missing: the values of the type's first unique rule";
        return Err(PyTypeError::new_err(message));
    }
    key.iter().map(|value| to_value(&value)).collect()
}

/// An index, a datetime with a time zone, a date, or a text that says one of them.
pub(crate) fn moment(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Moment>> {
    let Some(given) = given else { return Ok(None) };
    let value = to_value(given)?;
    let found = match &value {
        Value::Int(index) => u64::try_from(*index).map(Moment::Index).ok(),
        Value::Timestamp(micros) => Some(Moment::Time(*micros)),
        Value::Date(day) => Some(Moment::Day(*day)),
        Value::Text(text) => return Moment::parse(text).map(Some).map_err(|error| errors::raise(given.py(), error)),
        Value::Unfit(unfit) => return Err(errors::schema(codes::BAD_MOMENT, unfit.message.as_str())),
        _ => None,
    };
    found.map(Some).ok_or_else(|| {
        errors::schema(
            codes::BAD_MOMENT,
            format!("a moment is an index, a datetime, a date, or a text of one of them, not {}", value.kind()),
        )
    })
}

/// A date, or a text that says one.
fn day(given: &Bound<'_, PyAny>) -> PyResult<i32> {
    match to_value(given)? {
        Value::Date(day) => Ok(day),
        Value::Text(text) => parse_day(&text).map_err(|error| errors::raise(given.py(), error)),
        Value::Unfit(unfit) => Err(errors::schema(codes::BAD_MOMENT, unfit.message)),
        other => Err(errors::schema(
            codes::BAD_MOMENT,
            format!("an effective date is a date or a text like 2026-06-30, not {}", other.kind()),
        )),
    }
}

/// The parts of a balance.
fn balance_dict(py: Python<'_>, parts: Balance) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (part, value) in parts {
        dict.set_item(part, to_decimal(py, value)?)?;
    }
    Ok(dict)
}

/// Cells by name; those with `by` values by them, below the name.
fn state_dict(py: Python<'_>, cells: Vec<CellState>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for CellState { cell, by, value } in cells {
        let held = PyDict::new(py);
        for (name, value) in value {
            held.set_item(name, cell_value(py, value)?)?;
        }
        if by.is_empty() {
            dict.set_item(cell, held)?;
            continue;
        }
        let units = match dict.get_item(&cell)? {
            Some(units) => units.cast_into::<PyDict>()?,
            None => PyDict::new(py),
        };
        set_by(py, &units, by, held)?;
        dict.set_item(cell, units)?;
    }
    Ok(dict)
}

/// Sets what one combination of `by` values leads to: a single one stands for itself.
fn set_by<'py>(py: Python<'py>, dict: &Bound<'py, PyDict>, by: Vec<String>, value: Bound<'py, PyDict>) -> PyResult<()> {
    match by.as_slice() {
        [one] => dict.set_item(one, value),
        _ => dict.set_item(PyTuple::new(py, by)?, value),
    }
}

fn cell_value(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Decimal(amount) => to_decimal(py, amount)?,
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Bool(is) => pyo3::types::PyBool::new(py, is).to_owned().into_any(),
        Value::Text(text) => text.into_pyobject(py)?.into_any(),
        other => return Err(errors::fault(&format!("a cell holds {}", other.kind()))),
    })
}
