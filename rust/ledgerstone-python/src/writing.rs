//! What is appended to a ledger: records one by one and in loads, what is held, and modules.

use std::cell::RefCell;
use std::sync::Arc;

use ledgerstone::{Key, Ledger, codes};
use pyo3::prelude::*;

use crate::door::enter;
use crate::key::PyKey;
use crate::ledger::PyLedger;
use crate::load::{self, PyLoadResult};
use crate::opening::module_source;
use crate::values::to_record;
use crate::{errors, events, facts, held};

thread_local! {
    /// Ledgers that this thread is loading: the data handed over must not append to them.
    static LOADING: RefCell<Vec<*const Ledger>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread is loading a ledger.
pub(crate) fn is_loading() -> bool {
    LOADING.with_borrow(|loading| !loading.is_empty())
}

impl PyLedger {
    /// The engine, for a call that takes the writer's lock.
    pub(crate) fn writing(&self) -> PyResult<Arc<Ledger>> {
        let engine = self.engine()?;
        let loading = LOADING.with_borrow(|loading| loading.contains(&Arc::as_ptr(&engine)));
        if loading {
            let message =
                "the ledger is being loaded by this very call: the data handed over to append_many cannot append to it";
            return Err(errors::store(codes::BUSY, message, Some(&self.path)));
        }
        Ok(engine)
    }
}

fn keys(given: &[Bound<'_, PyKey>]) -> Vec<Arc<Key>> {
    given.iter().map(|key| Arc::new(key.get().0.clone())).collect()
}

#[pymethods]
impl PyLedger {
    /// Appends one record, durably. With an `id` the call can be repeated: the same id and record give the same transaction.
    /// With `plain`, private fields may hold values, which are stored in the clear.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.append("finance.commodity", {"code": "AAPL", "exponent": 0}, id="first")
    /// Appended(index=4, count=1, is_new=True)
    /// >>> ledger.append("finance.commodity", {"code": "AAPL", "exponent": 0}, id="first")
    /// Appended(index=4, count=1, is_new=False)
    #[pyo3(
        signature = (r#type, record, *, id=None, plain=false, endorsers=Vec::new(), meaning="approved"),
        text_signature = "($self, type, record, *, id=None, plain=False, endorsers=(), meaning='approved')"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn append<'py>(
        &self,
        py: Python<'py>,
        r#type: &str,
        record: &Bound<'py, PyAny>,
        id: Option<&str>,
        plain: bool,
        endorsers: Vec<Bound<'_, PyKey>>,
        meaning: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let records = vec![(r#type.to_owned(), to_record(record)?)];
        let endorsers = keys(&endorsers);
        facts::appended(py, &held::append(py, &engine, records, id, plain, (&endorsers, meaning))?)
    }

    /// Records that are held and wait for their release, of one type or of all.
    ///
    /// >>> getfixture("books").held()
    /// []
    #[pyo3(signature = (r#type=None, *, limit=1000))]
    fn held<'py>(&self, py: Python<'py>, r#type: Option<&str>, limit: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let engine = self.engine()?;
        let held = enter(py, || engine.held(r#type, limit))?;
        held.into_iter().map(|record| facts::held(py, record)).collect()
    }

    /// Releases a held record: its rules run again, those that hold excepted, and its effects happen now.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> try:
    /// ...     ledger.release((1, 0), "looked at")
    /// ... except RejectedError as error:
    /// ...     print(error.code)
    /// ledger.not_held
    #[pyo3(signature = (at, reason=None))]
    fn release<'py>(
        &self,
        py: Python<'py>,
        at: &Bound<'py, PyAny>,
        reason: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let row = facts::place(at)?;
        facts::appended(py, &enter(py, || engine.release(row, reason))?)
    }

    /// Suspends a module: its records are rejected until it is resumed.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.suspend("finance", "a wrong rate table").count
    /// 1
    /// >>> {module.name: module.state for module in ledger.modules()}["finance"]
    /// 'suspended'
    #[pyo3(signature = (module, reason=None))]
    fn suspend<'py>(&self, py: Python<'py>, module: &str, reason: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        facts::appended(py, &enter(py, || engine.suspend(module, reason))?)
    }

    /// Resumes a suspended module.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.suspend("finance").outcome, ledger.resume("finance").outcome
    /// ('accepted', 'accepted')
    #[pyo3(signature = (module, reason=None))]
    fn resume<'py>(&self, py: Python<'py>, module: &str, reason: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        facts::appended(py, &enter(py, || engine.resume(module, reason))?)
    }

    /// Appends any number of records of one type: an Arrow table or stream (pyarrow, polars, pandas, duckdb, …), or an iterable of
    /// dicts. In mode "each" every row stands or falls alone, in mode "atomic" all do together. With an `id` a load that was stopped
    /// goes on where it was when the call is repeated. `endorsers` are keys of other members, who endorse each of its transactions.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> result = ledger.append_many("finance.commodity", [{"code": "AAPL", "exponent": 0}, {"code": "AAPL", "exponent": 0}])
    /// >>> result.accepted, result.rejections[0]["code"]
    /// (1, 'finance.duplicate')
    #[pyo3(
        signature = (
            r#type, data, *, id=None, mode="each", plain=false, endorsers=Vec::new(), meaning="approved", progress=None
        ),
        text_signature = "($self, type, data, *, id=None, mode='each', plain=False, endorsers=(), meaning='approved', progress=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn append_many(
        &self,
        py: Python<'_>,
        r#type: &str,
        data: &Bound<'_, PyAny>,
        id: Option<&str>,
        mode: &str,
        plain: bool,
        endorsers: Vec<Bound<'_, PyKey>>,
        meaning: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyLoadResult> {
        let engine = self.writing()?;
        let endorsers = keys(&endorsers);
        let how = load::How::new(mode, plain, (&endorsers, meaning))?;
        LOADING.with_borrow_mut(|loading| loading.push(Arc::as_ptr(&engine)));
        let loaded = load::append_many(py, &engine, r#type, data, id, how, progress);
        LOADING.with_borrow_mut(|loading| loading.pop());
        events::hand_over(py);
        loaded
    }

    /// Loads a module: the name of a shipped one, or the path of a schema file. Its roles are granted to the caller.
    ///
    /// >>> key, path = Key.generate("me"), getfixture("tmp_path") / "new.ledger"
    /// >>> ledger = create(path, origin="acme.example/new", key=key)
    /// >>> ledger.load_module("finance").index
    /// 1
    #[pyo3(signature = (name_or_path, *, grant_roles=true))]
    fn load_module<'py>(
        &self,
        py: Python<'py>,
        name_or_path: &Bound<'py, PyAny>,
        grant_roles: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let (source, file) = module_source(name_or_path)?;
        facts::appended(py, &enter(py, || engine.load_module(&source, &file, grant_roles))?)
    }
}
