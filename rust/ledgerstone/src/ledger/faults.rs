//! Faults of modules: one that panics takes no records until the ledger is opened again, and the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::pool::panic_message;
use crate::error::{Error, Result};
use crate::execute::authority::{Authority, module_of};
use crate::schema::{Primitive, RecordType};

/// The modules that are suspended in this process since a fault, and what it said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<BTreeMap<String, String>>>);

impl Faults {
    /// Runs the rules of a module. A panic is a fault of it.
    pub(crate) fn guard<T>(&self, module: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(self.found(module, panic_message(&*panic))))
    }

    /// Suspends a module: the error says so.
    pub(crate) fn found(&self, module: &str, why: String) -> Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(module.to_owned(), why.clone());
        Error::ModuleFault { module: module.to_owned(), why }
    }

    /// What the fault of a module said, if it had one.
    pub(crate) fn of(&self, module: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(module).cloned()
    }

    /// Fails where a record of that type, or one that follows it, is of a module that is suspended.
    pub(crate) fn check(&self, record_type: &RecordType, authority: &Authority) -> Result<()> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.is_empty() {
            return Ok(());
        }
        let mut reached = BTreeSet::new();
        reach(record_type, authority, &mut reached);
        match faults.iter().find(|(module, _)| reached.contains(*module)) {
            Some((module, why)) => Err(Error::ModuleFault { module: module.clone(), why: why.clone() }),
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
