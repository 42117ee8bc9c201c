//! Making and opening ledgers, and the modules that a caller names.

use std::path::PathBuf;

use ledgerstone::{Create, Open, codes};
use ledgerstone_schemas::SHIPPED;
use pyo3::prelude::*;

use crate::door::enter;
use crate::key::{PyKey, words};
use crate::ledger::PyLedger;
use crate::{arguments, errors, events};

/// Makes a ledger at a path where nothing is yet. The key is that of its first member; the log key goes to `<path>.logkey.pem` unless
/// `log_key` names another place; `log_passphrase` protects its file. `modules` are names of shipped modules ("finance"), or paths of schema files. With `record_rejections`
/// the bytes of records that loads reject are kept, for ever: audits decide them again, and they have receipts.
///
/// >>> key, path = Key.generate("controller"), getfixture("tmp_path") / "books.ledger"
/// >>> with create(path, origin="acme.example/books", key=key, modules=["finance"]) as ledger:
/// ...     ledger.size
/// 2
#[pyfunction]
#[pyo3(
    signature = (path, *, origin, key, modules=Vec::new(), log_key=None, log_passphrase=None, record_rejections=false, threads=None),
    text_signature = "(path, *, origin, key, modules=(), log_key=None, log_passphrase=None, record_rejections=False, threads=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one Python call")]
pub(crate) fn create(
    py: Python<'_>,
    path: PathBuf,
    origin: &str,
    key: &Bound<'_, PyKey>,
    modules: Vec<Bound<'_, PyAny>>,
    log_key: Option<PathBuf>,
    log_passphrase: Option<String>,
    record_rejections: bool,
    threads: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyLedger> {
    let modules = modules.iter().map(module_source).collect::<PyResult<Vec<_>>>()?;
    let key = key.get();
    let threads = arguments::threads(threads)?;
    let engine = enter(py, || {
        let mut create = Create::new(origin, key.0.clone()).observer(events::observer());
        create = create.record_rejections(record_rejections).threads(threads.unwrap_or_default());
        for (source, file) in &modules {
            create = create.module(source, file);
        }
        if let Some(log_key) = &log_key {
            create = create.log_key(log_key);
        }
        if let Some(passphrase) = words(log_passphrase)? {
            create = create.log_passphrase(passphrase);
        }
        create.at(&path)
    })?;
    Ok(PyLedger::new(engine, path))
}

/// Opens the ledger at a path. `key` is the member's that will append. Without its log key a ledger is opened for reading only;
/// `log_passphrase` opens the log key's file where it is protected.
/// `accept_clock_step` takes the first transaction however long after the last one it is; without it, a step of more than a year is
/// refused, as one wrong clock would bind all later transactions.
///
/// >>> path = getfixture("books").path
/// >>> with open(path, readonly=True) as ledger:
/// ...     ledger.size
/// 4
#[pyfunction]
#[pyo3(
    signature = (path, *, key=None, log_key=None, log_passphrase=None, readonly=false, accept_clock_step=false, threads=None)
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one Python call")]
pub(crate) fn open(
    py: Python<'_>,
    path: PathBuf,
    key: Option<&Bound<'_, PyKey>>,
    log_key: Option<PathBuf>,
    log_passphrase: Option<String>,
    readonly: bool,
    accept_clock_step: bool,
    threads: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyLedger> {
    let key = key.map(Bound::get);
    let threads = arguments::threads(threads)?;
    let engine = enter(py, || {
        let mut open = Open::default().observer(events::observer()).readonly(readonly);
        open = open.accept_clock_step(accept_clock_step).threads(threads.unwrap_or_default());
        if let Some(key) = key {
            open = open.key(key.0.clone());
        }
        if let Some(log_key) = &log_key {
            open = open.log_key(log_key);
        }
        if let Some(passphrase) = words(log_passphrase)? {
            open = open.log_passphrase(passphrase);
        }
        open.at(&path)
    })?;
    Ok(PyLedger::new(engine, path))
}

/// The text of the schema file that a caller names, and its name for errors.
pub(crate) fn module_source(named: &Bound<'_, PyAny>) -> PyResult<(String, String)> {
    let name = named.extract::<String>().unwrap_or_default();
    if let Some((name, source)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(((*source).to_owned(), format!("{name}.toml")));
    }
    if !name.is_empty() && !name.contains(['.', '/', '\\']) {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        return Err(errors::schema(
            codes::UNKNOWN_MODULE,
            format!(
                "there is no shipped module {name:?}, only {}; a schema file is named by its path",
                names.join(", ")
            ),
        ));
    }
    let path: PathBuf = named.extract()?;
    let source = enter(named.py(), || std::fs::read_to_string(&path).map_err(|error| errors::io(&path, error)))?;
    Ok((source, path.display().to_string()))
}
