//! What record types declare, and modules that are tried before any ledger takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerstone::schema::{RecordType, arrow_schema};
use ledgerstone::{CellNow, Trial, Tried, may_follow, read_module};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

use crate::door::enter;
use crate::opening::module_source;
use crate::values::{from_value, to_record};
use crate::{arrow, facts, show};

/// A record type in the version in force: fields, cells, rules. An Arrow schema where one is asked for: `pyarrow.schema(schema)`.
///
/// >>> ledger = getfixture("books")
/// >>> schema = ledger.schema("finance.commodity")
/// >>> [field["name"] for field in schema.fields]
/// ['code', 'exponent', 'name']
/// >>> schema.to_dict()["key"]
/// ['code']
#[pyclass(frozen, name = "Schema", module = "ledgerstone")]
pub(crate) struct PySchema(pub(crate) Arc<RecordType>);

#[pymethods]
impl PySchema {
    /// Full name of the record type.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.name
    }

    /// Version of its module.
    #[getter]
    fn version(&self) -> u64 {
        self.0.version
    }

    /// What a record of it means.
    #[getter]
    fn doc(&self) -> &str {
        &self.0.doc
    }

    /// The fields in declared order: dicts of `name`, `type`, `required`, `index` and `doc`.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, "fields")
    }

    /// The cells that records of it own: dicts of `name`, `kind` and `parts`.
    #[getter]
    fn cells<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, "cells")
    }

    /// The rules in declared order: dicts of `rule`, `each`, `when`, `reach` ("local" or "general"), `severity`, `code` and `message`.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, "rules")
    }

    /// All of it as a dict: `type`, `version`, `doc`, `authorise`, `reach`, `key`, `fields`, `cells` and `rules`.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_value(py, &self.0.describe())
    }

    /// The Arrow PyCapsule protocol: the columns of a table of such records.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::export_schema(py, &arrow_schema(&self.0))
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> = self.0.fields.iter().map(|field| field.name.as_str()).collect();
        format!("Schema({:?}, version={}, fields=[{}])", self.0.name, self.0.version, names.join(", "))
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let caption = format!("{}, version {}: {}", self.0.name, self.0.version, self.0.doc);
        let fields = show::table(py, &caption, self.part(py, "fields")?.extract()?)?;
        Ok(fields + &show::table(py, "rules", self.part(py, "rules")?.extract()?)?)
    }
}

impl PySchema {
    fn part<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.to_dict(py)?.get_item(name)
    }
}

/// Tries a module before any ledger takes it: what would become of records, and what state they would leave. Nothing is written.
///
/// `name_or_path` is the name of a shipped module or the path of a schema file, `modules` are others that it needs. `records` are pairs
/// of type and dict, or a dict from types to lists of dicts; each is a transaction of its own, by a member who holds every role.
///
/// >>> trial = try_module("finance", [("finance.account", {"id": "cash", "kind": "asset", "currency": "EUR"}),
/// ...                                ("finance.account", {"id": "cash", "kind": "asset", "currency": "USD"})])
/// >>> [(tried.outcome, tried.code) for tried in trial.records]
/// [('accepted', None), ('rejected', 'finance.account_exists')]
/// >>> trial.cells[0].key, trial.cells[0].value["posted"]
/// (('cash',), Decimal('0'))
#[pyfunction]
#[pyo3(
    signature = (name_or_path, records, *, modules=Vec::new()),
    text_signature = "(name_or_path, records, *, modules=())"
)]
pub(crate) fn try_module<'py>(
    py: Python<'py>,
    name_or_path: &Bound<'py, PyAny>,
    records: &Bound<'py, PyAny>,
    modules: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut sources = modules.iter().map(module_source).collect::<PyResult<Vec<_>>>()?;
    sources.push(module_source(name_or_path)?);
    let records = pairs(records)?;
    let trial = enter(py, || Trial::run(&sources, records))?;
    let records = trial.records.iter().map(|record| tried(py, record)).collect::<PyResult<Vec<_>>>()?;
    let cells = trial.cells.iter().map(|cell| cell_now(py, cell)).collect::<PyResult<Vec<_>>>()?;
    facts::new(py, "Trial", (records, cells))
}

/// Reads a schema file that no ledger has loaded, and gives what it declares: see the stub.
///
/// >>> checked = check_module("finance")
/// >>> checked.name, checked.version, [schema.type for schema in checked.schemas][0]
/// ('finance', 1, 'finance.account')
/// >>> check_module("finance", follows="finance").demands
/// []
#[pyfunction]
#[pyo3(
    signature = (name_or_path, *, modules=Vec::new(), follows=None),
    text_signature = "(name_or_path, *, modules=(), follows=None)"
)]
pub(crate) fn check_module<'py>(
    py: Python<'py>,
    name_or_path: &Bound<'py, PyAny>,
    modules: Vec<Bound<'py, PyAny>>,
    follows: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let others = modules.iter().map(module_source).collect::<PyResult<Vec<_>>>()?;
    let (source, file) = module_source(name_or_path)?;
    let before = follows.map(module_source).transpose()?;
    let (module, demands) = enter(py, || {
        let module = read_module(&source, &file, &others)?;
        let before = before.map(|(source, file)| read_module(&source, &file, &others)).transpose()?;
        let demands = before.map(|before| may_follow(&before, &module)).transpose()?.unwrap_or_default();
        Ok((module, demands))
    })?;
    let roles: BTreeMap<String, String> = module.roles.into_iter().map(|role| (role.name, role.doc)).collect();
    let schemas: Vec<PySchema> = module.types.into_iter().map(PySchema).collect();
    let demands: Vec<String> = demands.iter().map(ToString::to_string).collect();
    facts::new(py, "CheckedModule", (module.name, module.version, module.title, schemas, roles, demands, module.source))
}

fn pairs(records: &Bound<'_, PyAny>) -> PyResult<Vec<(String, ledgerstone::model::Value)>> {
    let mut pairs = Vec::new();
    if let Ok(by_type) = records.cast::<PyDict>() {
        for (record_type, rows) in by_type {
            let record_type: String = record_type.extract()?;
            for row in rows.try_iter()? {
                pairs.push((record_type.clone(), to_record(&row?)?));
            }
        }
        return Ok(pairs);
    }
    for pair in records.try_iter()? {
        let Ok((record_type, record)) = pair?.extract::<(String, Bound<'_, PyAny>)>() else {
            let message = "records are pairs of a type and a dict, or a dict from types to lists of dicts";
            return Err(PyTypeError::new_err(message));
        };
        pairs.push((record_type, to_record(&record)?));
    }
    Ok(pairs)
}

fn tried<'py>(py: Python<'py>, tried: &Tried) -> PyResult<Bound<'py, PyAny>> {
    let (outcome, refused) = match &tried.exception {
        None => ("accepted", None),
        Some(exception) => (exception.outcome.name(), Some(&exception.reason)),
    };
    let (code, message) = refused.map(|refused| (&refused.code, &refused.message)).unzip();
    let (field, cell) = refused.map(|refused| (&refused.field, &refused.cell)).unzip();
    facts::new(py, "Tried", (&tried.record_type, outcome, code, message, field, cell))
}

fn cell_now<'py>(py: Python<'py>, cell: &CellNow) -> PyResult<Bound<'py, PyAny>> {
    let tuple = |values: &[ledgerstone::model::Value]| {
        let values = values.iter().map(|value| from_value(py, value)).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)
    };
    let value = PyDict::new(py);
    for (name, part) in &cell.value {
        value.set_item(name, from_value(py, part)?)?;
    }
    facts::new(py, "Cell", (&cell.record_type, &cell.name, tuple(&cell.key)?, tuple(&cell.by)?, value))
}
