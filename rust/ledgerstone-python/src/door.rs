//! The one door between Python and the engine. Whatever may block, take a lock or read a file goes through it, so that no call site
//! can forget to let the interpreter go (which would deadlock as soon as another thread waits for it), to answer Ctrl-C, or to map
//! an error.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ledgerstone::{Error, Result};
use pyo3::prelude::*;

use crate::{errors, events};

/// How often long work looks for Ctrl-C: soon enough for a person, too seldom to cost anything.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the engine detached from the interpreter.
pub(crate) fn enter<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    enter_long(py, |_| work())
}

/// As [`enter`], for work that takes long or calls back into Python, both by way of the [`Watch`].
pub(crate) fn enter_long<T: Send>(py: Python<'_>, work: impl FnOnce(&Watch) -> Result<T> + Send) -> PyResult<T> {
    let (done, raised) = py.detach(|| {
        let watch = Watch::new();
        let done = catch_unwind(AssertUnwindSafe(|| work(&watch)));
        (done, watch.raised.into_inner())
    });
    events::hand_over(py);
    let error = match done {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(panic) => return Err(errors::fault(&panic_message(&*panic))),
    };
    Err(match raised {
        Some(exception) => errors::with_progress(py, exception, &error),
        None => errors::raise(py, error),
    })
}

/// What long work asks whether to go on, and calls Python through.
pub(crate) struct Watch {
    looked: Cell<Instant>,
    /// The exception that stopped the work. The engine sees an interruption; the caller gets the exception itself.
    raised: RefCell<Option<PyErr>>,
}

impl Watch {
    fn new() -> Self {
        Watch { looked: Cell::new(Instant::now()), raised: RefCell::new(None) }
    }

    /// Runs signal handlers if it is time; an error means stop.
    pub(crate) fn look(&self) -> Result<()> {
        if self.looked.get().elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.call(|py| py.check_signals())
    }

    /// Runs Python code; what it raises stops the work and comes out of the door as it is.
    pub(crate) fn call<T>(&self, code: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
        self.looked.set(Instant::now());
        Python::attach(code).map_err(|exception| {
            self.raised.replace(Some(exception));
            Error::Interrupted(String::new())
        })
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
