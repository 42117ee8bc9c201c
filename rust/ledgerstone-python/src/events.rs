//! Events of the engine as log records of Python, under the name `ledgerstone`. The engine tells them on whichever thread works, with
//! its locks held; they wait here until a call leaves through the door, so that a handler may do what it likes, and nobody waits for the
//! interpreter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ledgerstone::model::{Event, Observer};
use pyo3::prelude::*;

use crate::writing::is_loading;

static IS_WAITING: AtomicBool = AtomicBool::new(false);
static WAITING: Mutex<Vec<(String, Event)>> = Mutex::new(Vec::new());
/// Events that wait at most: a thread may work long before it leaves, but these are rare.
const MOST: usize = 1_000;

/// What ledgers are opened with.
pub(crate) fn observer() -> Observer {
    Observer::new(|origin, event| {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            waiting.push((origin.to_owned(), event.clone()));
        }
        IS_WAITING.store(true, Ordering::Release);
    })
}

/// Hands over what waits; during a load not before its end, when a handler may append to its ledger.
pub(crate) fn hand_over(py: Python<'_>) {
    if is_loading() || !IS_WAITING.swap(false, Ordering::Acquire) {
        return;
    }
    let waiting = std::mem::take(&mut *WAITING.lock().unwrap_or_else(PoisonError::into_inner));
    if let Err(error) = log(py, waiting) {
        // The call has ended by now, and well: what a handler raises is not its outcome.
        error.write_unraisable(py, None);
    }
}

fn log(py: Python<'_>, events: Vec<(String, Event)>) -> PyResult<()> {
    // Where nobody has imported it, nobody listens.
    if !py.import("sys")?.getattr("modules")?.contains("logging")? {
        return Ok(());
    }
    let tell = py.import("ledgerstone._log")?.getattr("tell")?;
    for (origin, event) in events {
        tell.call1((origin, event.name(), event.is_warning(), event.to_string()))?;
    }
    Ok(())
}
