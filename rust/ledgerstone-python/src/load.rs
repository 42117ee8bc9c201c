//! Bulk loads: from Arrow streams or iterables of dicts, and what became of the rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader, StringArray};
use ledgerstone::model::RowId;
use ledgerstone::{Endorsed, Key, Ledger, LoadOptions, LoadPart, LoadProgress, LoadReport, Rejected, codes};
use ledgerstone_verify::{ExceptionOutcome, Mode};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyIterator, PyList, PyString};

use crate::dicts::Dicts;
use crate::door::enter_long;
use crate::show::{self, Progress};
use crate::{arrow, errors, facts, held, values};

/// Rows that a notebook shows.
const SHOWN_ROWS: usize = 20;

/// What `append_many` takes.
enum Data {
    Tables(Box<dyn RecordBatchReader + Send>),
    /// A reader that is a Python iterator of batches: read as that, so that what it raises is not lost in a C error message.
    Batches(Py<PyIterator>),
    Rows(Py<PyIterator>),
}

/// An iterable of dicts. What can be iterated and is none of them says what to hand over instead.
fn rows<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    let instead = if data.cast::<PyDict>().is_ok() {
        "a dict is one record: append takes it, append_many a list of them, or a table"
    } else if data.cast::<PyString>().is_ok() || data.hasattr("__fspath__")? {
        "append_many takes records and not the name of a file: read it first, into a table or a list of dicts"
    } else if data.hasattr("collect_schema")? {
        "a lazy frame has no rows yet: collect() it first"
    } else {
        return data.try_iter();
    };
    Err(PyTypeError::new_err(instead))
}

/// Loads `data` as records of one type.
pub(crate) fn append_many(
    py: Python<'_>,
    ledger: &Ledger,
    type_name: &str,
    data: &Bound<'_, PyAny>,
    id: Option<&str>,
    how: How<'_>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyLoadResult> {
    let data = if data.hasattr("__arrow_c_stream__")? && data.hasattr("__next__")? {
        Data::Batches(data.try_iter()?.unbind())
    } else {
        match arrow::import(data)? {
            Some(reader) => Data::Tables(reader),
            None => Data::Rows(rows(data)?.unbind()),
        }
    };
    let progress = Progress::new(py, type_name, progress)?;
    let loaded = enter_long(py, |watch| {
        let mut tell = |done: ledgerstone::LoadProgress| {
            let counts = [
                ("rows", done.rows),
                ("accepted", done.accepted),
                ("flagged", done.flagged),
                ("held", done.held),
                ("rejected", done.rejected),
            ];
            progress.tell(watch, &counts)
        };
        let options = how.options(id, &mut tell);
        match data {
            Data::Tables(reader) => {
                // A stream of no batches has columns all the same.
                let columns = RecordBatch::new_empty(reader.schema());
                let mut tables = std::iter::once(Ok(columns)).chain(reader).map(|table| {
                    watch.look()?;
                    table.or_else(|error| {
                        let message = format!("the Arrow data handed over failed: {error}");
                        watch.call(|_| Err(errors::data(message)))
                    })
                });
                ledger.append_tables(type_name, &mut tables, options)
            }
            Data::Batches(batches) => {
                let next = || {
                    watch.look()?;
                    watch.call(|py| {
                        let next = batches.bind(py).clone().next();
                        next.map(|batch| arrow::import_array(&batch?)).transpose()
                    })
                };
                let mut tables = std::iter::from_fn(|| next().transpose());
                ledger.append_tables(type_name, &mut tables, options)
            }
            Data::Rows(rows) => {
                let mut rows = Dicts::new(&*ledger.record_type(type_name)?, rows);
                let mut pieces = std::iter::from_fn(|| rows.piece(watch).transpose());
                ledger.append_rows(type_name, &mut pieces, options)
            }
        }
    });
    progress.close(py)?;
    let loaded = loaded?;
    if how.plain {
        let flagged = loaded.flagged.iter().filter(|why| why.code == codes::PLAIN_PRIVATE).count();
        held::warn(py, flagged as u64)?;
    }
    Ok(PyLoadResult(Arc::new(loaded)))
}

/// How to load.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    mode: Mode,
    plain: bool,
    endorsed: Option<Endorsed<'a>>,
}

impl<'a> How<'a> {
    /// Reads the keywords; who endorses, and what they mean.
    pub(crate) fn new(mode: &str, plain: bool, (by, meaning): (&'a [Arc<Key>], &'a str)) -> PyResult<Self> {
        let mode = match mode {
            "each" => Mode::Each,
            "atomic" => Mode::Atomic,
            other => {
                let message = format!("mode is \"each\" or \"atomic\", not {other:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        let endorsed = (!by.is_empty()).then_some(Endorsed { by, meaning });
        Ok(How { mode, plain, endorsed })
    }

    fn options(
        self,
        id: Option<&'a str>,
        progress: &'a mut dyn FnMut(LoadProgress) -> ledgerstone::Result<()>,
    ) -> LoadOptions<'a> {
        let How { mode, plain, endorsed } = self;
        LoadOptions { id, mode, plain, endorsed, progress: Some(progress), ..LoadOptions::default() }
    }
}

/// A [`LoadPart`] as it is pickled.
type Part = (u64, u64, u64, Vec<u32>);
/// What `pickle` keeps of a report's numbers: rows, accepted, flagged, held, refused, and where the first stands.
type Counts = (u64, u64, u64, u64, u64, Option<(u64, u32)>);

/// A refusal as it is pickled: the dict that shows it.
#[derive(Clone, FromPyObject)]
#[pyo3(from_item_all)]
struct Refusal {
    row: u64,
    outcome: String,
    code: String,
    message: String,
    field: Option<String>,
    cell: Option<String>,
    #[pyo3(item("type"))]
    record_type: String,
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        let Refusal { row, code, message, field, cell, record_type, .. } = refusal;
        Rejected { code, message, record_type, row, field, cell }
    }
}

/// What became of the rows of a load.
///
/// >>> ledger = getfixture("books")
/// >>> ledger.append_many("finance.commodity", [{"code": "AAPL", "exponent": 0}])
/// LoadResult(rows=1, accepted=1, rejections=0, transactions=1)
#[pyclass(frozen, eq, name = "LoadResult", module = "ledgerstone")]
#[derive(PartialEq)]
pub(crate) struct PyLoadResult(Arc<LoadReport>);

#[pymethods]
impl PyLoadResult {
    /// Rows handed over.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Records plainly accepted.
    #[getter]
    fn accepted(&self) -> u64 {
        self.0.accepted
    }

    /// Records accepted and flagged: their effects apply, and somebody should look at them.
    #[getter]
    fn flagged(&self) -> u64 {
        self.0.flagged_total
    }

    /// Records that are held: in the ledger, without effects until they are released.
    #[getter]
    fn held(&self) -> u64 {
        self.0.held_total
    }

    /// How many rows were refused.
    #[getter]
    fn rejected(&self) -> u64 {
        self.0.rejections_total
    }

    /// The rows that were refused, and why. Of rows that were not plainly accepted the first 100,000 are kept, so that no input fills the
    /// memory.
    #[getter]
    fn rejections(&self) -> PyRejections {
        PyRejections { report: Arc::clone(&self.0), all: false }
    }

    /// Every row that was not plainly accepted, and why: those that were flagged, held and refused.
    #[getter]
    fn exceptions(&self) -> PyRejections {
        PyRejections { report: Arc::clone(&self.0), all: true }
    }

    /// Indexes of the transactions that hold the rows, in order.
    #[getter]
    fn transactions(&self) -> Vec<u64> {
        self.0.transactions().collect()
    }

    /// The place of the first accepted record; None where there is none.
    #[getter]
    fn first<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.first.map(|row| facts::row_id(py, row)).transpose()
    }

    /// The place of the record of a row handed over, counted from 0; None where the row was refused before it was signed.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> result = ledger.append_many("finance.commodity", [{"code": 1, "exponent": 0}, {"code": "AAPL", "exponent": 0}])
    /// >>> result.row(0), result.row(1)
    /// (None, RowId(index=4, position=0))
    fn row<'py>(&self, py: Python<'py>, row: u64) -> PyResult<Option<Bound<'py, PyAny>>> {
        let row = self.0.row(row);
        row.map(|row| facts::row_id(py, row)).transpose()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let part = |part: &LoadPart| (part.index, part.first, part.rows, part.unsigned.clone());
        let parts: Vec<Part> = self.0.parts.iter().map(part).collect();
        let all = self.exceptions();
        let LoadReport { rows, accepted, flagged_total, held_total, rejections_total, first, .. } = &*self.0;
        let first = first.map(|row| (row.index, row.position));
        let counts = (rows, accepted, flagged_total, held_total, rejections_total, first);
        let state = (counts, parts, all.dicts(py, 0, all.__len__())?);
        let restore = py.get_type::<Self>().getattr("_restore")?;
        (restore, state).into_bound_py_any(py)
    }

    /// What `pickle` has kept.
    #[staticmethod]
    fn _restore(counts: Counts, parts: Vec<Part>, exceptions: Vec<Refusal>) -> Self {
        let (rows, accepted, flagged_total, held_total, rejections_total, first) = counts;
        let first = first.map(|(index, position)| RowId::new(index, position));
        let parts = parts.into_iter();
        let parts = parts.map(|(index, first, rows, unsigned)| LoadPart { index, first, rows, unsigned }).collect();
        let of = |outcome: &str| {
            let of_outcome = exceptions.iter().filter(|refusal| refusal.outcome == outcome);
            of_outcome.cloned().map(Rejected::from).collect()
        };
        let (flagged, held, rejections) = (of("flagged"), of("held"), of("rejected"));
        PyLoadResult(Arc::new(LoadReport {
            rows,
            accepted,
            flagged,
            held,
            rejections,
            flagged_total,
            held_total,
            rejections_total,
            parts,
            first,
        }))
    }

    fn __repr__(&self) -> String {
        let LoadReport { rows, accepted, flagged_total, held_total, rejections_total, parts, .. } = &*self.0;
        let mut marked = String::new();
        for (name, count) in [("flagged", flagged_total), ("held", held_total)] {
            if *count > 0 {
                marked.push_str(&format!(", {name}={count}"));
            }
        }
        let transactions = parts.len();
        format!(
            "LoadResult(rows={rows}, accepted={accepted}{marked}, rejections={rejections_total}, transactions={transactions})"
        )
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        self.exceptions().html(py, &self.__repr__())
    }
}

/// The rows of a load that were refused, or all that were not plainly accepted: a sequence of dicts, and an Arrow table.
///
/// >>> ledger = getfixture("books")
/// >>> result = ledger.append_many("finance.commodity", [{"code": "AAPL", "exponent": 0.5}])
/// >>> [(one["row"], one["field"], one["code"]) for one in result.rejections]
/// [(0, 'exponent', 'ledger.wrong_type')]
#[pyclass(frozen, sequence, name = "Rejections", module = "ledgerstone")]
pub(crate) struct PyRejections {
    report: Arc<LoadReport>,
    /// Whether flagged and held rows are among them.
    all: bool,
}

#[pymethods]
impl PyRejections {
    fn __len__(&self) -> usize {
        let LoadReport { flagged, held, rejections, .. } = &*self.report;
        if self.all { flagged.len() + held.len() + rejections.len() } else { rejections.len() }
    }

    fn __getitem__<'py>(&self, py: Python<'py>, place: isize) -> PyResult<Bound<'py, PyDict>> {
        let from_start = if place < 0 { place + self.__len__() as isize } else { place };
        let place = usize::try_from(from_start).ok().filter(|place| *place < self.__len__());
        let place = place.ok_or_else(|| PyIndexError::new_err("there is no such rejection"))?;
        Ok(self.dicts(py, place, 1)?.swap_remove(0))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.dicts(py, 0, self.__len__())?)?.try_iter()
    }

    /// The Arrow PyCapsule protocol: `row`, `outcome`, `code`, `message`, `field`, `cell`, `type`.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batch = self.batch(0, self.__len__())?;
        arrow::export_stream(py, batch.schema(), std::iter::once(Ok(batch)))
    }

    /// The Arrow PyCapsule protocol: the schema alone.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::export_schema(py, &self.batch(0, 0)?.schema())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let name = if self.all { "exceptions" } else { "rejections" };
        let of_result = py.import("operator")?.call_method1("attrgetter", (name,))?;
        (of_result, (PyLoadResult(Arc::clone(&self.report)),)).into_bound_py_any(py)
    }

    fn __repr__(&self) -> String {
        match self.rows().first() {
            Some((_, first)) => format!("Rejections({} rows, the first: {first})", self.__len__()),
            None => "Rejections(0 rows)".to_owned(),
        }
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let what = if self.all { "not plainly accepted" } else { "refused" };
        self.html(py, &format!("{} rows {what}", self.__len__()))
    }
}

impl PyRejections {
    fn rows(&self) -> Vec<(ExceptionOutcome, &Rejected)> {
        if self.all {
            return self.report.exceptions();
        }
        self.report.rejections.iter().map(|why| (ExceptionOutcome::Rejected, why)).collect()
    }

    fn html(&self, py: Python<'_>, caption: &str) -> PyResult<String> {
        let rows = self.dicts(py, 0, SHOWN_ROWS.min(self.__len__()))?;
        show::table(py, caption, rows)
    }

    fn dicts<'py>(&self, py: Python<'py>, from: usize, count: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        values::to_dicts(py, &self.batch(from, count)?)
    }

    fn batch(&self, from: usize, count: usize) -> PyResult<RecordBatch> {
        let all = self.rows();
        let rejections = &all[from..from + count];
        let texts = |of: &dyn Fn(&ledgerstone::Rejected) -> Option<String>| -> ArrayRef {
            Arc::new(rejections.iter().map(|(_, one)| of(one)).collect::<StringArray>())
        };
        let rows: Int64Array = rejections.iter().map(|(_, one)| Some(one.row as i64)).collect();
        let outcomes: StringArray = rejections.iter().map(|(outcome, _)| Some(outcome.name())).collect();
        let columns: [(&str, ArrayRef, bool); 7] = [
            ("row", Arc::new(rows), false),
            ("outcome", Arc::new(outcomes), false),
            ("code", texts(&|one| Some(one.code.clone())), false),
            ("message", texts(&|one| Some(one.message.clone())), false),
            ("field", texts(&|one| one.field.clone()), true),
            ("cell", texts(&|one| one.cell.clone()), true),
            ("type", texts(&|one| Some(one.record_type.clone())), false),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| errors::fault(&error.to_string()))
    }
}
