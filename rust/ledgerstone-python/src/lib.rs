//! The Python face of ledgerstone: a table of contents.
//!
//! Thin on purpose: native frozen classes are the API, every call that may block goes through [`door`], errors are mapped in
//! [`errors`] alone, and unsafe code stands in [`arrow`] alone.

mod admission;
mod arguments;
mod arrow;
mod command;
mod dicts;
mod door;
mod errors;
mod events;
mod facts;
mod held;
mod key;
mod ledger;
mod load;
mod opening;
mod past;
mod proposal;
mod query;
mod reading;
mod receipt;
mod schema;
mod show;
mod transaction;
mod upkeep;
mod values;
mod whole;
mod writing;

use pyo3::prelude::*;

/// The native half of ledgerstone.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::command::cli_main;
    #[pymodule_export]
    use crate::errors::errors;
    #[pymodule_export]
    use crate::key::PyKey;
    #[pymodule_export]
    use crate::ledger::PyLedger;
    #[pymodule_export]
    use crate::load::{PyLoadResult, PyRejections};
    #[pymodule_export]
    use crate::opening::{create, open};
    #[pymodule_export]
    use crate::past::{PyHistory, PyStatement};
    #[pymodule_export]
    use crate::proposal::PyProposal;
    #[pymodule_export]
    use crate::query::PyQuery;
    #[pymodule_export]
    use crate::reading::PyReading;
    #[pymodule_export]
    use crate::receipt::{PyReceipt, check_checkpoint, verify};
    #[pymodule_export]
    use crate::schema::{PySchema, check_module, try_module};
    #[pymodule_export]
    use crate::transaction::PyTransaction;

    /// The version of the package.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python tools look for")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
