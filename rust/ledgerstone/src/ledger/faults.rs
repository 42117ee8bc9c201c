//! Faults of modules: one that panics takes no records until the ledger is opened again, and the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerstone_verify::canon::Json;

use super::Ledger;
use super::append::Draft;
use super::pool::panic_message;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::execute::authority::{Authority, RELEASE, module_of};
use crate::execute::{Probe, released};
use crate::model::State;
use crate::schema::{Primitive, RecordType};

/// The modules that are suspended in this process since a fault, and what it said.
#[derive(Clone)]
pub(crate) struct Faults {
    found: Arc<Mutex<BTreeMap<String, String>>>,
    /// Called before rules look at records.
    probe: Option<Probe>,
}

impl Faults {
    /// No module has one yet.
    pub(crate) fn new(probe: Option<Probe>) -> Self {
        Faults { found: Arc::default(), probe }
    }

    /// Runs the rules of a module, unless it is suspended. A panic is a fault of it.
    pub(crate) fn guard<T>(&self, module: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(why) = self.of(module) {
            return Err(Error::ModuleFault { module: module.to_owned(), why });
        }
        let work = std::panic::AssertUnwindSafe(|| {
            self.probe.iter().for_each(|probe| probe(module));
            work()
        });
        std::panic::catch_unwind(work).unwrap_or_else(|panic| Err(self.found(module, panic_message(&*panic))))
    }

    /// Suspends a module: the error says so.
    pub(crate) fn found(&self, module: &str, why: String) -> Error {
        self.all().insert(module.to_owned(), why.clone());
        Error::ModuleFault { module: module.to_owned(), why }
    }

    /// What the fault of a module said, if it had one.
    pub(crate) fn of(&self, module: &str) -> Option<String> {
        self.all().get(module).cloned()
    }

    /// Fails where a record of that type, or one that follows it, is of a module that is suspended.
    fn check(&self, record_type: &RecordType, authority: &Authority) -> Result<()> {
        let mut reached = BTreeSet::new();
        reach(record_type, authority, &mut reached);
        match self.all().iter().find(|(module, _)| reached.contains(*module)) {
            Some((module, why)) => Err(Error::ModuleFault { module: module.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Fails where the rules of a suspended module would look at a draft: at its records, at what follows them, or at a held record that
    /// one of them releases.
    pub(super) fn check_faults(&self, writer: &Writer, draft: &Draft<'_>) -> Result<()> {
        if self.faults.all().is_empty() {
            return Ok(());
        }
        for screened in &draft.records {
            self.faults.check(&screened.record_type, &writer.authority)?;
            if screened.record_type.name == RELEASE {
                for row in 0..screened.inputs.len() {
                    self.check_released(writer, screened.bytes.row(row))?;
                }
            }
        }
        Ok(())
    }

    /// A release that names no held record is for DECIDE to refuse.
    fn check_released(&self, writer: &Writer, release: &[u8]) -> Result<()> {
        let (view, row) = (self.writer_view(writer)?, released(release));
        if !view.is_held(row)? {
            return Ok(());
        }
        let record = Json::parse(&view.record(row)?).unwrap_or(Json::Null);
        let name = record.get("type").and_then(Json::as_text).unwrap_or_default();
        let version = record.get("version").and_then(Json::as_int).unwrap_or_default();
        match writer.authority.version(name, version.unsigned_abs()) {
            Some(held) => self.faults.check(held, &writer.authority),
            None => Ok(()),
        }
    }
}

/// The modules of the types that a record of this one may be followed by. The graph has no cycle: that is checked when a module is
/// loaded.
fn reach(record_type: &RecordType, authority: &Authority, reached: &mut BTreeSet<String>) {
    reached.insert(module_of(&record_type.name).to_owned());
    for rule in &record_type.rules {
        if let Primitive::Emit { target, .. } = &rule.primitive
            && let Some(target) = authority.record_type(target)
        {
            reach(&Arc::clone(target), authority, reached);
        }
    }
}
