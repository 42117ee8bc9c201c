//! Members' keys.

use std::path::PathBuf;

use ledgerstone::keys::random_bytes;
use ledgerstone::{Key, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::door::enter;

/// A member's Ed25519 key: signs what the member appends. Its private half never becomes a Python object.
///
/// >>> key = Key.generate("controller")
/// >>> key.save(getfixture("tmp_path") / "controller.pem")
/// >>> Key.load(getfixture("tmp_path") / "controller.pem").public == key.public
/// True
#[pyclass(frozen, name = "Key", module = "ledgerstone")]
pub(crate) struct PyKey {
    key: Key,
    source: Source,
}

/// Where the engine's own copy of the key comes from when a ledger takes one.
enum Source {
    Seed([u8; 32]),
    File(PathBuf),
}

#[pymethods]
impl PyKey {
    /// A new key. The label is for people; it is kept in the key file and goes nowhere else.
    #[staticmethod]
    fn generate(py: Python<'_>, label: &str) -> PyResult<Self> {
        enter(py, || {
            let seed = random_bytes()?;
            let key = Key::from_seed(seed, label);
            Ok(PyKey { key, source: Source::Seed(seed) })
        })
    }

    /// Reads a key file: PKCS#8 PEM, as OpenSSL writes it too.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        enter(py, || {
            let path = std::path::absolute(&path).unwrap_or(path);
            let key = Key::load(&path)?;
            Ok(PyKey { key, source: Source::File(path) })
        })
    }

    /// Writes a new key file, PKCS#8 PEM, mode 0600. An existing file is never overwritten.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        enter(py, || Ok(self.key.save(&path)?))
    }

    /// The label.
    #[getter]
    fn label(&self) -> &str {
        self.key.label()
    }

    /// The public key, 32 bytes.
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.public())
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.key)
    }
}

impl PyKey {
    /// A copy for the engine, which keeps its keys.
    pub(crate) fn copy(&self) -> Result<Key> {
        match &self.source {
            Source::Seed(seed) => Ok(Key::from_seed(*seed, self.key.label())),
            Source::File(path) => Ok(Key::load(path)?),
        }
    }
}
