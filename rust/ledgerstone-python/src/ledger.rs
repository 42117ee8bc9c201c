//! Open ledgers, and everything that is asked of one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ledgerstone::{Ledger, QueryRequest, StatementRequest, codes};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::arguments::{count, names};
use crate::door::enter;
use crate::past::{self, PyHistory, PyStatement, key_values, moment};
use crate::query::{PyQuery, columns_of, joins, order, predicates};
use crate::reading::Request;
use crate::receipt::{PyReceipt, Texts};
use crate::schema::PySchema;
use crate::{errors, facts, show, upkeep, whole};

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
    pub(crate) path: PathBuf,
    is_readonly: bool,
    /// The process that opened it: storage and threads do not survive a fork.
    process: u32,
}

impl PyLedger {
    pub(crate) fn new(engine: Ledger, path: PathBuf) -> Self {
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
        engine.ok_or_else(|| errors::store(codes::CLOSED, "the ledger is closed", Some(&self.path)))
    }

    fn take(&self) -> Option<Arc<Ledger>> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        engine.take()
    }
}

impl Drop for PyLedger {
    fn drop(&mut self) {
        let engine = self.take();
        if self.process == std::process::id() {
            // Closing writes: other threads go on meanwhile.
            Python::try_attach(|py| py.detach(|| drop(engine)));
        } else {
            // A forked child must not close files that its parent has open: SQLite would think that it is the last reader.
            std::mem::forget(engine);
        }
    }
}

#[pymethods]
impl PyLedger {
    /// A query of the records of one type: conditions, columns, joins, an order, pages, and the ledger as it was. Conditions and the order
    /// may name every column that can be shown: fields, `_index`, `_position`, `_time`, `_author`, `_version`, `_outcome`, `_code`, `_cause`,
    /// and fields of joined records (`debit.kind`).
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.query("finance.transfer", where={"amount": {">=": 10}}, columns=["id", "amount", "_index"]).to_dicts()
    /// [{'id': 't1', 'amount': Decimal('12.5'), '_index': 3}]
    #[pyo3(
        signature = (
            r#type, *, r#where=None, columns=None, join=None, order_by=None, after=None, offset=None, limit=None, held=false, as_of=None
        ),
        text_signature = "($self, type, *, where=None, columns=None, join=None, order_by=None, after=None, offset=0, limit=None, held=False, as_of=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords of one Python call")]
    fn query<'py>(
        this: &Bound<'py, Self>,
        r#type: String,
        r#where: Option<&Bound<'py, PyAny>>,
        columns: Option<&Bound<'py, PyAny>>,
        join: Option<&Bound<'py, PyAny>>,
        order_by: Option<&Bound<'py, PyAny>>,
        after: Option<&Bound<'py, PyAny>>,
        offset: Option<&Bound<'py, PyAny>>,
        limit: Option<&Bound<'py, PyAny>>,
        held: bool,
        as_of: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyQuery>> {
        let request = QueryRequest {
            record_type: r#type,
            predicates: predicates(r#where)?,
            columns: columns_of(columns)?,
            joins: joins(join)?,
            order_by: order(order_by)?,
            after: after.map(facts::place).transpose()?,
            offset: count("offset", offset)?.unwrap_or(0),
            held,
            limit: count("limit", limit)?,
            as_of: moment(as_of)?,
        };
        PyQuery::new(this, request)
    }

    /// The newest record with this key; None where there is none. `as_of` is an index, a datetime, a date or a text of one of them.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.get("finance.transfer", "t1")["amount"]
    /// Decimal('12.5')
    /// >>> ledger.get("finance.transfer", "t2") is None
    /// True
    #[pyo3(signature = (r#type, *key, as_of=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        r#type: &str,
        key: &Bound<'py, PyTuple>,
        as_of: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        past::get(py, &*self.engine()?, r#type, key, as_of)
    }

    /// The balances of the record with this key: for each unit its parts, `{"EUR": {"posted": Decimal("12.5"), …}}`; empty where
    /// there is none. With `by`, the parts of that unit, or None. As of a moment: as it was then. On an effective date: what the records
    /// count up to that day, those parts that can be summed so. An answer, not a proof. Where no record ever had the key: SchemaError,
    /// `ledger.no_record`.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.balance("finance.account", "cash", by="EUR")["posted"]
    /// Decimal('12.5')
    #[pyo3(signature = (r#type, *key, by=None, on=None, as_of=None))]
    fn balance<'py>(
        &self,
        py: Python<'py>,
        r#type: &str,
        key: &Bound<'py, PyTuple>,
        by: Option<Texts>,
        on: Option<&Bound<'py, PyAny>>,
        as_of: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        past::balance(py, &*self.engine()?, r#type, (key, by), on, as_of)
    }

    /// The cells of the record with this key, by name: what each holds, below its `by` values where it has some. Where no record ever had
    /// the key: SchemaError, `ledger.no_record`.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.state("finance.account", "cash")["balance"]["EUR"]["posted"]
    /// Decimal('12.5')
    #[pyo3(signature = (r#type, *key, as_of=None))]
    fn state<'py>(
        &self,
        py: Python<'py>,
        r#type: &str,
        key: &Bound<'py, PyTuple>,
        as_of: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        past::state(py, &*self.engine()?, r#type, key, as_of)
    }

    /// The history of a key: every record that has it, and every record that moved its cells, with author, time and what it changed. Where
    /// no record ever had the key: SchemaError, `ledger.no_record`.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> [row["_type"] for row in ledger.history("finance.account", "cash")]
    /// ['finance.account', 'finance.transfer']
    #[pyo3(signature = (r#type, *key, as_of=None))]
    fn history<'py>(
        this: &Bound<'py, Self>,
        r#type: String,
        key: &Bound<'py, PyTuple>,
        as_of: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyHistory>> {
        let request = Request::History { record_type: r#type, key: key_values(key)?, as_of: moment(as_of)? };
        PyHistory::new(this, request)
    }

    /// The statement of a balance: every record that moved it from `start` on up to `end`, both included, with the change and the balance
    /// after it. `by` names the unit where there are several, `columns` fields of the records to show. Where no record ever had the key:
    /// SchemaError, `ledger.no_record`.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> statement = ledger.statement("finance.account", "cash", columns=["id"])
    /// >>> [(line["id"], line["posted_balance"]) for line in statement]
    /// [('cash', Decimal('0')), ('t1', Decimal('12.5'))]
    #[pyo3(signature = (r#type, *key, by=None, start=None, end=None, columns=None))]
    fn statement<'py>(
        this: &Bound<'py, Self>,
        r#type: String,
        key: &Bound<'py, PyTuple>,
        by: Option<Texts>,
        start: Option<&Bound<'py, PyAny>>,
        end: Option<&Bound<'py, PyAny>>,
        columns: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyStatement>> {
        let request = StatementRequest {
            record_type: r#type,
            key: key_values(key)?,
            by: by.map(Texts::into_vec),
            start: moment(start)?,
            end: moment(end)?,
            columns: names("columns", columns)?.unwrap_or_default(),
        };
        PyStatement::new(this, request)
    }

    /// The newest durable checkpoint.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.checkpoint().note.splitlines()[:2]
    /// ['acme.example/books', '4']
    fn checkpoint<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.engine()?;
        let newest = enter(py, || engine.checkpoint())?;
        let root = PyBytes::new(py, &newest.root);
        facts::new(py, "Checkpoint", (&self.origin, newest.size, root, newest.note, newest.note_sha3))
    }

    /// The receipt of a record: of a RowId, of a Record, or of the first record of what `append` gave.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.receipt(ledger.get("finance.transfer", "t1")).verify(ledger.verifier_keys).outcome
    /// 'accepted'
    fn receipt(&self, py: Python<'_>, at: &Bound<'_, PyAny>) -> PyResult<PyReceipt> {
        let engine = self.engine()?;
        let row = facts::place(at)?;
        enter(py, || engine.receipt(row)).map(PyReceipt)
    }

    /// Re-reads every stored row, checks every signature and tree, replays every decision, and says what is wrong. `against` is a
    /// checkpoint that left the file, or its note: without one, truncation cannot be seen.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> kept = ledger.checkpoint()
    /// >>> ledger.audit(against=kept).verdict, ledger.audit(against=kept.note).verdict
    /// ('ok', 'ok')
    #[pyo3(signature = (*, against=None, progress=None))]
    fn audit<'py>(
        &self,
        py: Python<'py>,
        against: Option<&Bound<'py, PyAny>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        whole::audit(py, &*self.engine()?, against, progress)
    }

    /// Copies the ledger to a file that must not exist, while others read and append, and audits the copy. The log key is not copied.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.backup(getfixture("tmp_path") / "copy.ledger").size == ledger.size
    /// True
    #[pyo3(signature = (path, *, audit=true, progress=None))]
    fn backup<'py>(
        &self,
        py: Python<'py>,
        path: PathBuf,
        audit: bool,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        upkeep::backup(py, &*self.engine()?, &path, audit, progress)
    }

    /// Numbers: transactions, records by type, bytes by table, members, modules, semantics, and the newest checkpoint.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.stats()["transactions"] == ledger.size
    /// True
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        upkeep::stats(py, &*self.engine()?)
    }

    /// Writes the audit trail to a `.parquet` or `.arrow` file: of one type, its fields as columns, or of everything. Gives the number
    /// of rows. A file that exists is refused, unless `overwrite`: then it is replaced once the new one is whole.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.export(getfixture("tmp_path") / "trail.parquet", type="finance.account")
    /// 2
    #[pyo3(signature = (path, *, r#type=None, overwrite=false, progress=None))]
    fn export(
        &self,
        py: Python<'_>,
        path: PathBuf,
        r#type: Option<&str>,
        overwrite: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        whole::export(py, &*self.engine()?, &path, r#type, overwrite, progress)
    }

    /// The modules in force.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> [(module.name, module.version) for module in ledger.modules()]
    /// [('finance', 1), ('ledger', 0)]
    fn modules<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let engine = self.engine()?;
        let modules = enter(py, || engine.modules())?;
        modules.into_iter().map(|module| facts::module(py, module)).collect()
    }

    /// Every version of every module that was loaded, in the order of the ledger.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> [(loaded.name, loaded.version, loaded.row) for loaded in ledger.module_history()]
    /// [('finance', 1, RowId(index=1, position=0))]
    fn module_history<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let engine = self.engine()?;
        let history = enter(py, || engine.module_history())?;
        history.into_iter().map(|loaded| facts::module_loaded(py, loaded)).collect()
    }

    /// Full names of the record types of the modules in force.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> "finance.transfer" in ledger.types()
    /// True
    fn types(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let engine = self.engine()?;
        let modules = enter(py, || engine.modules())?;
        Ok(modules.into_iter().flat_map(|module| module.types).collect())
    }

    /// What a record type declares, in the version in force: fields, cells, rules.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> [field["name"] for field in ledger.schema("finance.commodity").fields]
    /// ['code', 'exponent', 'name']
    fn schema(&self, py: Python<'_>, r#type: &str) -> PyResult<PySchema> {
        let engine = self.engine()?;
        enter(py, || engine.record_type(r#type)).map(PySchema)
    }

    /// The keys by which its receipts and checkpoints are verified, the newest first: hand them to whoever shall verify, by a way that is
    /// trusted. Behind those in force stand earlier log keys, so that old receipts stay verifiable: leave out one that may have leaked.
    #[getter]
    fn verifier_keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let engine = self.engine()?;
        let keys = enter(py, || engine.verifier_keys())?;
        Ok(keys.iter().map(ToString::to_string).collect())
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
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.close()
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

    fn __reduce__(&self) -> PyResult<()> {
        let message =
            "a ledger cannot be pickled, nor used in another process: open it there by its path, with readonly=True";
        Err(PyTypeError::new_err(message))
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = match self.size(py) {
            Ok(size) => format!("size={size}"),
            Err(_) => "closed".to_owned(),
        };
        let readonly = if self.is_readonly { ", readonly" } else { "" };
        format!("Ledger({:?}, {state}, path={:?}{readonly})", self.origin, self.path)
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let facts = PyDict::new(py);
        facts.set_item("origin", &self.origin)?;
        match self.size(py) {
            Ok(size) => facts.set_item("transactions", size)?,
            Err(_) => facts.set_item("transactions", "closed")?,
        }
        facts.set_item("path", &self.path)?;
        facts.set_item("open for", if self.is_readonly { "reading" } else { "writing" })?;
        show::table(py, "ledger", vec![facts])
    }
}
