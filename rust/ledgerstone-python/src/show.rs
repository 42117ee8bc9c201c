//! How things show themselves: progress and tables, by way of `ledgerstone/_show.py`.

use ledgerstone::Result;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::door::Watch;

/// Who is told how far long work is.
pub(crate) struct Progress {
    told: Option<Py<PyAny>>,
    /// The reporter is ours, and ends its line.
    is_own: bool,
}

impl Progress {
    /// From an argument `progress=`: a callable; `False`: nobody; nothing: whoever looks at a terminal or a notebook.
    pub(crate) fn new(py: Python<'_>, what: &str, choice: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let (told, is_own) = match choice {
            Some(choice) if choice.is_callable() => (choice.clone(), false),
            Some(choice) if !choice.is_instance_of::<PyBool>() => {
                return Err(PyTypeError::new_err("progress is a callable, True, False or None"));
            }
            Some(choice) if !choice.is_truthy()? => (py.None().into_bound(py), false),
            _ => (show(py, "reporter")?.call1((what,))?, true),
        };
        let told = (!told.is_none()).then(|| told.unbind());
        Ok(Progress { told, is_own })
    }

    /// Tells how far the work is, and looks for Ctrl-C.
    pub(crate) fn tell(&self, watch: &Watch, counts: &[(&str, u64)]) -> Result<()> {
        watch.look()?;
        let Some(told) = &self.told else {
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

    /// Ends the line.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        match &self.told {
            Some(told) if self.is_own => told.call_method0(py, "close").map(drop),
            _ => Ok(()),
        }
    }
}

/// Rows as an HTML table.
pub(crate) fn table(py: Python<'_>, caption: &str, rows: Vec<Bound<'_, PyDict>>) -> PyResult<String> {
    show(py, "table")?.call1((caption, rows))?.extract()
}

fn show<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("ledgerstone._show")?.getattr(name)
}
