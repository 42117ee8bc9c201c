//! Appending with private fields in the clear, and the warning that says so.

use std::sync::Arc;

use ledgerstone::model::Value;
use ledgerstone::{Appended, Key, Ledger, codes};
use pyo3::prelude::*;

use crate::door::enter;

/// Appends records, all or none, endorsed by these keys with this meaning. Where private fields were stored in the clear, Python warns.
pub(crate) fn append(
    py: Python<'_>,
    engine: &Ledger,
    records: Vec<(String, Value)>,
    id: Option<&str>,
    plain: bool,
    endorsers: (&[Arc<Key>], &str),
) -> PyResult<Appended> {
    let appended = enter(py, || match endorsers {
        ([], _) if plain => engine.append_plain(records, id),
        ([], _) => engine.append_all(records, id),
        (keys, meaning) => engine.append_endorsed(records, id, plain, keys, meaning),
    })?;
    let count =
        appended.exceptions.iter().filter(|(_, exception)| exception.reason.code == codes::PLAIN_PRIVATE).count();
    warn(py, count as u64)?;
    Ok(appended)
}

/// Warns that so many records hold private fields in the clear.
pub(crate) fn warn(py: Python<'_>, count: u64) -> PyResult<()> {
    if count == 0 {
        return Ok(());
    }
    let message = format!("{count} record(s) hold private fields in the clear, for as long as the ledger lives");
    let category = py.import("ledgerstone.exceptions")?.getattr("PlainPrivateWarning")?;
    py.import("warnings")?.call_method1("warn", (message, category))?;
    Ok(())
}
