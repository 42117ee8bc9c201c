//! Members' keys.

use std::path::PathBuf;

use ledgerstone::{Key, Passphrase};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::door::enter;
use crate::show;

/// A member's Ed25519 key: signs what the member appends. Its private half never becomes a Python object.
///
/// >>> key = Key.generate("controller")
/// >>> key.save(getfixture("tmp_path") / "controller.pem")
/// >>> Key.load(getfixture("tmp_path") / "controller.pem").public == key.public
/// True
/// >>> key.save(getfixture("tmp_path") / "protected.pem", passphrase="first")
/// >>> Key.change_passphrase(getfixture("tmp_path") / "protected.pem", old="first", new="correct horse")
/// >>> Key.load(getfixture("tmp_path") / "protected.pem", passphrase="correct horse").label
/// 'controller'
#[pyclass(frozen, name = "Key", module = "ledgerstone")]
pub(crate) struct PyKey(pub(crate) Key);

#[pymethods]
impl PyKey {
    /// A new key. The label is for people; it is kept in the key file and goes nowhere else.
    #[staticmethod]
    fn generate(py: Python<'_>, label: &str) -> PyResult<Self> {
        enter(py, || Ok(PyKey(Key::generate(label)?)))
    }

    /// Reads a key file: PKCS#8 PEM, as OpenSSL writes it too. `passphrase` opens a protected one.
    #[staticmethod]
    #[pyo3(signature = (path, *, passphrase=None))]
    fn load(py: Python<'_>, path: PathBuf, passphrase: Option<String>) -> PyResult<Self> {
        enter(py, || Ok(PyKey(Key::load(&path, words(passphrase)?.as_ref())?)))
    }

    /// Writes a new key file, PKCS#8 PEM, mode 0600, encrypted under the passphrase if one is given. An existing file is never
    /// overwritten.
    #[pyo3(signature = (path, *, passphrase=None))]
    fn save(&self, py: Python<'_>, path: PathBuf, passphrase: Option<String>) -> PyResult<()> {
        enter(py, || Ok(self.0.save(&path, words(passphrase)?.as_ref())?))
    }

    /// Writes a key file anew under another passphrase, or none: a member's, or that of a log key. The old file stays until the new one
    /// is whole.
    #[staticmethod]
    #[pyo3(signature = (path, *, old=None, new=None))]
    fn change_passphrase(py: Python<'_>, path: PathBuf, old: Option<String>, new: Option<String>) -> PyResult<()> {
        enter(py, || Ok(Key::change_passphrase(&path, words(old)?.as_ref(), words(new)?.as_ref())?))
    }

    /// The label.
    #[getter]
    fn label(&self) -> &str {
        self.0.label()
    }

    /// The public key, 32 bytes.
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.public())
    }

    fn __reduce__(&self) -> PyResult<()> {
        let message =
            "a key cannot be pickled, its private half does not leave it: save it to a file, and load it there";
        Err(PyTypeError::new_err(message))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let facts = PyDict::new(py);
        facts.set_item("label", self.label())?;
        facts.set_item("public", ledgerstone_verify::b64(&self.0.public()))?;
        show::table(py, "key", vec![facts])
    }
}

/// A passphrase as the engine takes it.
pub(crate) fn words(passphrase: Option<String>) -> ledgerstone::Result<Option<Passphrase>> {
    Ok(passphrase.map(Passphrase::new).transpose()?)
}
