//! Work over the whole ledger: audit and export.

use std::path::Path;

use ledgerstone::{AuditOptions, AuditReport, ExportOptions, Ledger};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::door::enter_long;
use crate::facts;
use crate::show::Progress;

/// Audits a ledger; the report is a named tuple.
pub(crate) fn audit<'py>(
    py: Python<'py>,
    ledger: &Ledger,
    against: Option<&Bound<'py, PyAny>>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let against = against.map(note_of).transpose()?;
    let progress = Progress::new(py, "audit", progress)?;
    let audited = enter_long(py, |watch| {
        let mut tell = |done, of| progress.tell(watch, &[("transactions", done), ("of", of)]);
        ledger.audit(AuditOptions { against: against.as_deref(), progress: &mut tell })
    });
    progress.close(py)?;
    report(py, &audited?)
}

/// The note of a checkpoint, or the note itself.
fn note_of(against: &Bound<'_, PyAny>) -> PyResult<String> {
    let note = against.getattr_opt("note")?;
    note.as_ref().unwrap_or(against).extract().map_err(|_| {
        let name = against.get_type().name().map_or_else(|_| String::new(), |name| name.to_string());
        PyTypeError::new_err(format!("against is a Checkpoint or its note, not {name}"))
    })
}

/// Writes the audit trail to a file; gives the number of rows.
pub(crate) fn export(
    py: Python<'_>,
    ledger: &Ledger,
    path: &Path,
    record_type: Option<&str>,
    overwrite: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<u64> {
    let progress = Progress::new(py, "export", progress)?;
    let exported = enter_long(py, |watch| {
        let mut tell = |rows| progress.tell(watch, &[("rows", rows)]);
        ledger.export(path, ExportOptions { record_type, format: None, overwrite, progress: &mut tell })
    });
    progress.close(py)?;
    exported
}

fn report<'py>(py: Python<'py>, report: &AuditReport) -> PyResult<Bound<'py, PyAny>> {
    let finding = |one: &ledgerstone::Finding| {
        facts::new(py, "Finding", (one.verdict.name(), one.table, one.index, one.positions, &one.message))
    };
    let counts = &report.counts;
    let fields = PyDict::new(py);
    fields.set_item("origin", &report.origin)?;
    fields.set_item("size", report.size)?;
    fields.set_item("verdict", report.verdict.name())?;
    fields.set_item("ok", report.verdict.is_ok())?;
    fields.set_item("integrity", report.integrity.name())?;
    fields.set_item("completeness", report.completeness.name())?;
    fields.set_item("transactions", counts.transactions)?;
    fields.set_item("records", counts.records)?;
    fields.set_item("claimed_rejections", counts.claimed_rejections)?;
    fields.set_item("signatures", counts.signatures)?;
    fields.set_item("cells", counts.cells)?;
    fields.set_item("unique_keys", counts.unique_keys)?;
    fields.set_item("postings", counts.postings)?;
    fields.set_item("nodes", counts.nodes)?;
    fields.set_item("bytes", counts.bytes)?;
    fields.set_item("doubtful_transactions", counts.doubtful_transactions)?;
    fields.set_item("doubtful_records", counts.doubtful_records)?;
    fields.set_item("first_doubtful", counts.first_doubtful)?;
    fields.set_item("findings", report.findings.iter().map(finding).collect::<PyResult<Vec<_>>>()?)?;
    fields.set_item("findings_total", report.findings_total)?;
    fields.set_item("text", report.to_string().trim_end())?;
    facts::named(py, "AuditReport", &fields)
}
