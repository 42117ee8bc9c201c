//! Ledgers: making, opening, and everything that is asked of an open one.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ledgerstone::model::Value;
use ledgerstone::{Balance, Create, Ledger, Open, QueryRequest, Result};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::door::enter;
use crate::key::PyKey;
use crate::load::{self, PyLoadResult};
use crate::query::{PyQuery, predicates};
use crate::receipt::{PyCheckpoint, PyReceipt};
use crate::records::{PyAppended, PyRecord, place};
use crate::values::{to_decimal, to_record, to_value};
use crate::{errors, show};

/// An open ledger. Its methods may be called from any thread.
///
/// >>> me = Key.generate("controller")
/// >>> path = getfixture("tmp_path") / "books.ledger"
/// >>> with create(path, origin="acme.example/books", key=me, modules=["finance"]) as ledger:
/// ...     account = {"id": "cash", "currency": "EUR", "kind": "asset"}
/// ...     ledger.append("finance.account", account)
/// Appended(index=2, count=1, is_new=True)
/// >>> open(path, readonly=True).get("finance.account", "cash")["kind"]
/// 'asset'
#[pyclass(frozen, name = "Ledger", module = "ledgerstone")]
pub(crate) struct PyLedger {
    /// `None` once it is closed.
    engine: RwLock<Option<Arc<Ledger>>>,
    origin: String,
    path: PathBuf,
    is_readonly: bool,
    /// The process that opened it: storage and threads do not survive a fork.
    process: u32,
}

thread_local! {
    /// Ledgers that this thread is loading: the data handed over must not append to them.
    static LOADING: RefCell<Vec<*const Ledger>> = const { RefCell::new(Vec::new()) };
}

impl PyLedger {
    fn new(engine: Ledger, path: PathBuf) -> Self {
        PyLedger {
            origin: engine.origin().to_owned(),
            path,
            is_readonly: engine.readonly_reason().is_some(),
            process: std::process::id(),
            engine: RwLock::new(Some(Arc::new(engine))),
        }
    }

    /// The engine, if the ledger is open, and in this process.
    pub(crate) fn engine(&self) -> PyResult<Arc<Ledger>> {
        if self.process != std::process::id() {
            return Err(errors::in_another_process());
        }
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.as_ref().map(Arc::clone);
        engine.ok_or_else(|| errors::store("the ledger is closed", Some(&self.path)))
    }

    /// The engine, for a call that takes the writer's lock.
    fn writing(&self) -> PyResult<Arc<Ledger>> {
        let engine = self.engine()?;
        let loading = LOADING.with_borrow(|loading| loading.contains(&Arc::as_ptr(&engine)));
        if loading {
            let message = "the ledger is being loaded by this very call: the data handed over to append_many cannot append to it";
            return Err(errors::store(message, Some(&self.path)));
        }
        Ok(engine)
    }

    fn take(&self) -> Option<Arc<Ledger>> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        engine.take()
    }
}

impl Drop for PyLedger {
    fn drop(&mut self) {
        // A forked child must not close files that its parent has open: SQLite would think that it is the last reader.
        if self.process != std::process::id() {
            std::mem::forget(self.take());
        }
    }
}

/// Makes a ledger at a path where nothing is yet. The key is that of its first member; the log key goes to `<path>.logkey.pem` unless
/// `log_key` names another place. `modules` are names of shipped modules ("finance"), or paths of schema files.
#[pyfunction]
#[pyo3(signature = (path, *, origin, key, modules=Vec::new(), log_key=None, threads=None))]
pub(crate) fn create(
    py: Python<'_>,
    path: PathBuf,
    origin: &str,
    key: &Bound<'_, PyKey>,
    modules: Vec<Bound<'_, PyAny>>,
    log_key: Option<PathBuf>,
    threads: Option<usize>,
) -> PyResult<PyLedger> {
    let modules: Vec<ModuleName> = modules
        .iter()
        .map(ModuleName::new)
        .collect::<PyResult<_>>()?;
    let key = key.get();
    let engine = enter(py, || {
        let mut create = Create::new(origin, key.copy()?).threads(threads.unwrap_or_default());
        for module in &modules {
            let (source, file) = module.read()?;
            create = create.module(&source, &file);
        }
        if let Some(log_key) = &log_key {
            create = create.log_key(log_key);
        }
        create.at(&path)
    })?;
    Ok(PyLedger::new(engine, path))
}

/// Opens the ledger at a path. `key` is the member's that will append. Without its log key a ledger is opened for reading only.
#[pyfunction]
#[pyo3(signature = (path, *, key=None, log_key=None, readonly=false, threads=None))]
pub(crate) fn open(
    py: Python<'_>,
    path: PathBuf,
    key: Option<&Bound<'_, PyKey>>,
    log_key: Option<PathBuf>,
    readonly: bool,
    threads: Option<usize>,
) -> PyResult<PyLedger> {
    let key = key.map(Bound::get);
    let engine = enter(py, || {
        let mut open = Open::default()
            .readonly(readonly)
            .threads(threads.unwrap_or_default());
        if let Some(key) = key {
            open = open.key(key.copy()?);
        }
        if let Some(log_key) = &log_key {
            open = open.log_key(log_key);
        }
        open.at(&path)
    })?;
    Ok(PyLedger::new(engine, path))
}

#[pymethods]
impl PyLedger {
    /// Appends one record, durably. With an `id` the call can be repeated: the same id and record give the same transaction.
    #[pyo3(signature = (r#type, record, *, id=None))]
    fn append(
        &self,
        py: Python<'_>,
        r#type: &str,
        record: &Bound<'_, PyAny>,
        id: Option<&str>,
    ) -> PyResult<PyAppended> {
        let engine = self.writing()?;
        let record = to_record(record)?;
        enter(py, || engine.append(r#type, record, id)).map(PyAppended)
    }

    /// A transaction: all its records or none, appended where the `with` block ends without an exception.
    #[pyo3(signature = (*, id=None))]
    fn transaction(this: Py<Self>, id: Option<String>) -> PyTransaction {
        PyTransaction {
            ledger: this,
            id,
            state: Mutex::new(State::Open(Vec::new())),
        }
    }

    /// Appends any number of records of one type: an Arrow table or stream (pyarrow, polars, pandas, duckdb, …), or an iterable of
    /// dicts. In mode "each" every row stands or falls alone, in mode "atomic" all do together. With an `id` a load that was stopped
    /// goes on where it was when the call is repeated.
    #[pyo3(signature = (r#type, data, *, id=None, mode="each", progress=None))]
    fn append_many(
        &self,
        py: Python<'_>,
        r#type: &str,
        data: &Bound<'_, PyAny>,
        id: Option<&str>,
        mode: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyLoadResult> {
        let engine = self.writing()?;
        LOADING.with_borrow_mut(|loading| loading.push(Arc::as_ptr(&engine)));
        let loaded = load::append_many(py, &engine, r#type, data, id, mode, progress);
        LOADING.with_borrow_mut(|loading| loading.pop());
        loaded
    }

    /// Loads a module: the name of a shipped one, or the path of a schema file. Its roles are granted to the caller.
    #[pyo3(signature = (name_or_path, *, grant_roles=true))]
    fn load_module(
        &self,
        py: Python<'_>,
        name_or_path: &Bound<'_, PyAny>,
        grant_roles: bool,
    ) -> PyResult<PyAppended> {
        let engine = self.writing()?;
        let module = ModuleName::new(name_or_path)?;
        let appended = enter(py, || {
            let (source, file) = module.read()?;
            engine.load_module(&source, &file, grant_roles)
        });
        appended.map(PyAppended)
    }

    /// A query of the records of one type. `where` maps fields to a value, None (absent), a list (one of them), or
    /// operators: `{"amount": {">=": 10, "<": 20}}`. `_index` and `_position` among the columns say where a record stands.
    #[pyo3(signature = (r#type, *, r#where=None, columns=None, limit=None))]
    fn query(
        this: &Bound<'_, Self>,
        r#type: String,
        r#where: Option<&Bound<'_, PyDict>>,
        columns: Option<Vec<String>>,
        limit: Option<u64>,
    ) -> PyResult<PyQuery> {
        let request = QueryRequest {
            record_type: r#type,
            predicates: predicates(r#where)?,
            columns,
            limit,
        };
        PyQuery::new(this, request)
    }

    /// The newest record with this key; None where there is none.
    #[pyo3(signature = (r#type, *key))]
    fn get(
        &self,
        py: Python<'_>,
        r#type: &str,
        key: &Bound<'_, PyTuple>,
    ) -> PyResult<Option<PyRecord>> {
        let engine = self.engine()?;
        let key = key_values(key)?;
        let found = enter(py, || engine.get(r#type, &key))?;
        found.map(|stored| PyRecord::new(py, stored)).transpose()
    }

    /// The balances of the record with this key, now: for each unit its parts, `{"EUR": {"posted": Decimal("12.5"), …}}`; empty where
    /// there is none. With `by`, the parts of that unit, or None. An answer, not a proof.
    #[pyo3(signature = (r#type, *key, by=None))]
    fn balance<'py>(
        &self,
        py: Python<'py>,
        r#type: &str,
        key: &Bound<'py, PyTuple>,
        by: Option<By>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let engine = self.engine()?;
        let key = key_values(key)?;
        let mut balances = enter(py, || engine.balances(r#type, &key))?;
        if let Some(by) = by {
            let balance = balances.remove(&by.values());
            return balance.map(|parts| balance_dict(py, parts)).transpose();
        }
        let dict = PyDict::new(py);
        for (by, parts) in balances {
            let parts = balance_dict(py, parts)?;
            match by.as_slice() {
                [one] => dict.set_item(one, parts)?,
                _ => dict.set_item(PyTuple::new(py, by)?, parts)?,
            }
        }
        Ok(Some(dict))
    }

    /// The newest durable checkpoint.
    fn checkpoint(&self, py: Python<'_>) -> PyResult<PyCheckpoint> {
        let engine = self.engine()?;
        let newest = enter(py, || engine.checkpoint())?;
        Ok(PyCheckpoint {
            origin: self.origin.clone(),
            size: newest.size,
            root: newest.root,
            note: newest.note,
            note_sha3: Some(newest.note_sha3),
        })
    }

    /// The receipt of a record: of a RowId, of a Record, or of the first record of what `append` gave.
    fn receipt(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<PyReceipt> {
        let engine = self.engine()?;
        let row = place(at)?;
        enter(py, || engine.receipt(row)).map(PyReceipt)
    }

    /// Admits a member with its public key, 32 bytes; gives the member's id.
    fn admit(&self, py: Python<'_>, public_key: &Bound<'_, PyBytes>) -> PyResult<String> {
        let engine = self.writing()?;
        let key = public_key.as_bytes().try_into();
        let key = key.map_err(|_| errors::schema("a public key has 32 bytes"))?;
        enter(py, || engine.admit_member(key))
    }

    /// Gives a role to a member.
    fn grant(&self, py: Python<'_>, member: &str, role: &str) -> PyResult<PyAppended> {
        let engine = self.writing()?;
        enter(py, || engine.grant(member, role, true)).map(PyAppended)
    }

    /// Withdraws a role from a member.
    fn withdraw(&self, py: Python<'_>, member: &str, role: &str) -> PyResult<PyAppended> {
        let engine = self.writing()?;
        enter(py, || engine.grant(member, role, false)).map(PyAppended)
    }

    /// The keys by which its receipts and checkpoints are verified: hand them to whoever shall verify, by a way that is trusted.
    #[getter]
    fn verifier_keys(&self) -> PyResult<Vec<String>> {
        let engine = self.engine()?;
        Ok(engine
            .verifier_keys()
            .iter()
            .map(ToString::to_string)
            .collect())
    }

    /// The ledger's unique name.
    #[getter]
    fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of transactions.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        let engine = self.engine()?;
        enter(py, || engine.size())
    }

    /// The file.
    #[getter]
    fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can only be read.
    #[getter]
    fn readonly(&self) -> bool {
        self.is_readonly
    }

    /// Lets go of the file, as soon as calls and streams under way are done. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            return Err(errors::in_another_process());
        }
        let engine = self.take();
        enter(py, || {
            drop(engine);
            Ok(())
        })
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = match self.size(py) {
            Ok(size) => format!("size={size}"),
            Err(_) => "closed".to_owned(),
        };
        let readonly = if self.is_readonly { ", readonly" } else { "" };
        format!(
            "Ledger({:?}, {state}, path={:?}{readonly})",
            self.origin, self.path
        )
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let facts = [
            ("origin", self.origin.clone()),
            ("transactions", self.size(py)?.to_string()),
            ("path", self.path.display().to_string()),
            (
                "open for",
                if self.is_readonly {
                    "reading"
                } else {
                    "writing"
                }
                .to_owned(),
            ),
        ];
        show::facts(py, "ledger", &facts)
    }
}

/// Records that are appended together, all or none.
#[pyclass(frozen, name = "Transaction", module = "ledgerstone")]
pub(crate) struct PyTransaction {
    ledger: Py<PyLedger>,
    id: Option<String>,
    state: Mutex<State>,
}

enum State {
    Open(Vec<(String, Value)>),
    Done(Option<Py<PyAppended>>),
}

#[pymethods]
impl PyTransaction {
    /// Adds a record. Nothing is checked against the ledger before the block ends.
    fn append(&self, r#type: String, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let record = to_record(record)?;
        match &mut *self.state() {
            State::Open(records) => records.push((r#type, record)),
            State::Done(_) => return Err(PyRuntimeError::new_err("the transaction has ended")),
        }
        Ok(())
    }

    /// What was appended; None while the block runs, and where it raised.
    #[getter]
    fn result(&self, py: Python<'_>) -> Option<Py<PyAppended>> {
        match &*self.state() {
            State::Done(Some(appended)) => Some(appended.clone_ref(py)),
            _ => None,
        }
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let ended = std::mem::replace(&mut *self.state(), State::Done(None));
        let State::Open(records) = ended else {
            return Err(PyRuntimeError::new_err("the transaction has ended"));
        };
        if !kind.is_none() || records.is_empty() {
            return Ok(());
        }
        let engine = self.ledger.get().writing()?;
        let appended = enter(py, || engine.append_all(records, self.id.as_deref()))?;
        *self.state() = State::Done(Some(Py::new(py, PyAppended(appended))?));
        Ok(())
    }

    fn __repr__(&self) -> String {
        match &*self.state() {
            State::Open(records) => format!("Transaction({} records, open)", records.len()),
            State::Done(Some(appended)) => format!("Transaction(index={})", appended.get().0.index),
            State::Done(None) => "Transaction(nothing appended)".to_owned(),
        }
    }
}

impl PyTransaction {
    /// Never held while Python code runs.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A module that a caller names.
enum ModuleName {
    Shipped(&'static str, &'static str),
    File(PathBuf),
}

impl ModuleName {
    fn new(named: &Bound<'_, PyAny>) -> PyResult<Self> {
        let shipped = ledgerstone_schemas::SHIPPED;
        let Ok(name) = named.extract::<&str>() else {
            return Ok(ModuleName::File(named.extract()?));
        };
        if let Some((name, source)) = shipped.iter().find(|(known, _)| *known == name) {
            return Ok(ModuleName::Shipped(name, source));
        }
        if !name.contains(['.', '/', '\\']) {
            let names: Vec<&str> = shipped.iter().map(|(name, _)| *name).collect();
            return Err(errors::schema(format!(
                "there is no shipped module {name:?}: there is {}; a schema file is named by its path",
                names.join(", ")
            )));
        }
        Ok(ModuleName::File(PathBuf::from(name)))
    }

    /// The text of the schema file, and its name for errors.
    fn read(&self) -> Result<(String, String)> {
        match self {
            ModuleName::Shipped(name, source) => Ok(((*source).to_owned(), format!("{name}.toml"))),
            ModuleName::File(path) => {
                let source = std::fs::read_to_string(path);
                let source = source.map_err(|error| errors::io(path, error))?;
                Ok((source, path.display().to_string()))
            }
        }
    }
}

/// The unit of a balance: one value, or several where its cell has several.
#[derive(FromPyObject)]
enum By {
    One(String),
    Several(Vec<String>),
}

impl By {
    fn values(self) -> Vec<String> {
        match self {
            By::One(value) => vec![value],
            By::Several(values) => values,
        }
    }
}

fn key_values(key: &Bound<'_, PyTuple>) -> PyResult<Vec<Value>> {
    if key.is_empty() {
        let message = "the key is missing: the values of the type's first unique rule";
        return Err(PyTypeError::new_err(message));
    }
    key.iter().map(|value| to_value(&value)).collect()
}

fn balance_dict(py: Python<'_>, parts: Balance) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (part, value) in parts {
        dict.set_item(part, to_decimal(py, value)?)?;
    }
    Ok(dict)
}
