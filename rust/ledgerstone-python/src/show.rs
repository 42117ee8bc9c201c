//! How things show themselves: progress and tables, by way of `ledgerstone/_show.py`.

use ledgerstone::Result;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::door::Watch;

/// Who is told how far long work is, if anybody.
pub(crate) struct Progress(Option<Py<PyAny>>);

impl Progress {
    /// From an argument `progress=`.
    pub(crate) fn new(py: Python<'_>, what: &str, choice: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let told = show(py, "reporter")?.call1((what, choice))?;
        Ok(Progress((!told.is_none()).then(|| told.unbind())))
    }

    /// Tells how far the work is, and looks for Ctrl-C.
    pub(crate) fn tell(&self, watch: &Watch, counts: &[(&str, u64)]) -> Result<()> {
        watch.look()?;
        let Some(told) = &self.0 else {
            return Ok(());
        };
        watch.call(|py| {
            let progress = PyDict::new(py);
            for (name, count) in counts {
                progress.set_item(name, count)?;
            }
            told.call1(py, (progress,)).map(drop)
        })
    }

    /// Ends the line, where it is ours.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.as_ref().map_or(Ok(()), |told| show(py, "finish")?.call1((told,)).map(drop))
    }
}

/// Rows as an HTML table.
pub(crate) fn table(py: Python<'_>, caption: &str, rows: Vec<Bound<'_, PyDict>>) -> PyResult<String> {
    show(py, "table")?.call1((caption, rows))?.extract()
}

fn show<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone._show")?.getattr(name)
}
