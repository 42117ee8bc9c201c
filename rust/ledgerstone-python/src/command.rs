//! The command `ledgerstone`, as the wheel installs it.

use pyo3::prelude::*;

/// Runs the command `ledgerstone` with these arguments, the program's name first; gives its exit code.
#[pyfunction]
pub(crate) fn cli_main(py: Python<'_>, arguments: Vec<String>) -> i32 {
    py.detach(|| ledgerstone_cli::main(&arguments))
}
