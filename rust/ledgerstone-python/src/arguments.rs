//! Arguments of calls, looked at at the door: what does not fit is said by the name of the argument, in the words of its caller.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict, PyInt, PyString};

/// A dict, such as `like`.
pub(crate) fn dict<'a, 'py>(
    what: &str,
    given: Option<&'a Bound<'py, PyAny>>,
    like: &str,
) -> PyResult<Option<&'a Bound<'py, PyDict>>> {
    let cast = |given: &'a Bound<'py, PyAny>| given.cast::<PyDict>().map_err(|_| misfit(what, "a dict", like, given));
    given.map(cast).transpose()
}

/// A list of names. A text would be read as a list of letters.
pub(crate) fn names(what: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<String>>> {
    let Some(given) = given else { return Ok(None) };
    let wrong = || misfit(what, "a list of names", "[\"id\"]", given);
    if given.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    let names = given.try_iter().map_err(|_| wrong())?;
    names.map(|name| name?.extract::<String>().map_err(|_| wrong())).collect::<PyResult<_>>().map(Some)
}

/// A whole number from 0 on.
pub(crate) fn count(what: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<u64>> {
    let Some(given) = given else { return Ok(None) };
    let number = match given.cast::<PyInt>() {
        Ok(number) => number.as_any().clone(),
        Err(_) if given.hasattr("__index__")? => given.call_method0("__index__")?,
        Err(_) => return Err(misfit(what, "a whole number", "10", given)),
    };
    let wrong = |_| PyValueError::new_err(format!("{what} is a whole number from 0 on, not {number}"));
    number.extract().map(Some).map_err(wrong)
}

/// Threads that may work: at least one.
pub(crate) fn threads(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<usize>> {
    match count("threads", given)? {
        Some(0) => Err(PyValueError::new_err("threads is at least 1; leave it out to use every core")),
        threads => Ok(threads.map(|threads| usize::try_from(threads).unwrap_or(usize::MAX))),
    }
}

/// A span of time above zero.
pub(crate) fn lifetime(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(given) = given else { return Ok(None) };
    if !given.is_instance_of::<PyDelta>() {
        return Err(misfit("lifetime", "a timedelta", "datetime.timedelta(hours=24)", given));
    }
    let lifetime = given.extract::<Duration>().ok().filter(|lifetime| !lifetime.is_zero());
    let wrong = || PyValueError::new_err(format!("lifetime is a time above zero, not {given}"));
    lifetime.map(Some).ok_or_else(wrong)
}

fn misfit(what: &str, kind: &str, like: &str, given: &Bound<'_, PyAny>) -> PyErr {
    match given.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("{what} is {kind}, like {like}, not {name}")),
        Err(error) => error,
    }
}
