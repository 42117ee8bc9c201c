//! Evidence that leaves the ledger: receipts and checkpoints, and their verification, which needs no ledger.

use std::path::PathBuf;

use ledgerstone::{Doubt, Error, files};
use ledgerstone_verify::{
    Checkpoint, Envelope, Receipt, SignedNote, Verified, VerifierKey, VerifyError, VerifyErrorKind, verify_checkpoint,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::door::enter;
use crate::{errors, facts, show};

/// The proof of one record and of what became of it: verifies offline, alone. `Receipt(text)` reads what `to_json` wrote.
///
/// >>> ledger = getfixture("books")
/// >>> receipt, file = ledger.receipt((3, 0)), getfixture("tmp_path") / "sale.receipt"
/// >>> receipt.save(file)
/// >>> Receipt.load(file) == Receipt(receipt.to_json()) == receipt
/// True
/// >>> receipt.verify(ledger.verifier_keys).data["amount"]
/// '12.5'
#[pyclass(frozen, eq, name = "Receipt", module = "ledgerstone")]
#[derive(PartialEq)]
pub(crate) struct PyReceipt(pub(crate) Receipt);

#[pymethods]
impl PyReceipt {
    #[new]
    fn new(py: Python<'_>, text: &str) -> PyResult<Self> {
        verifying(py, || Receipt::parse(text.as_bytes())).map(PyReceipt)
    }

    /// Reads a receipt file. Nothing is verified yet.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        enter(py, || {
            let bytes = std::fs::read(&path).map_err(|error| errors::io(&path, error))?;
            Receipt::parse(&bytes).map_err(|error| Error::evidence(&path, &error))
        })
        .map(PyReceipt)
    }

    /// Writes the receipt to a file, over what was there.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        enter(py, || files::replace(&path, self.0.to_json().as_bytes()).map_err(|error| errors::io(&path, error)))
    }

    /// The receipt as JSON text.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// Verifies it under the keys that the caller trusts; raises VerificationError.
    fn verify<'py>(&self, py: Python<'py>, trust: Texts) -> PyResult<Bound<'py, PyAny>> {
        let keys = verifier_keys(trust)?;
        verified(py, verifying(py, || self.0.verify(&keys))?, None)
    }

    fn __getnewargs__(&self) -> (String,) {
        (self.0.to_json(),)
    }

    fn __repr__(&self) -> String {
        let name = if self.0.emitted { "emitted" } else { "position" };
        let place = self.0.record.position;
        match Envelope::parse(self.0.envelope.as_bytes()) {
            Ok(envelope) => format!("Receipt(index={}, {name}={place}, not verified)", envelope.index),
            Err(_) => format!("Receipt({name}={place}, not verified)"),
        }
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let facts = PyDict::new(py);
        facts.set_item("record", &self.0.record.bytes)?;
        show::table(py, &self.__repr__(), vec![facts])
    }
}

/// One text or several, as a caller hands them over.
#[derive(FromPyObject)]
pub(crate) enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts,
        }
    }
}

/// A receipt, or the file that holds one.
#[derive(FromPyObject)]
pub(crate) enum Evidence<'py> {
    Receipt(Bound<'py, PyReceipt>),
    File(PathBuf),
}

/// Verifies a receipt, or the file that holds one, offline. Raises VerificationError.
///
/// `trust` is the log's verifier key, or several (`ledger.verifier_keys`), which have to come by another way than the receipt.
///
/// >>> ledger = getfixture("books")
/// >>> verify(ledger.receipt((3, 0)), trust=ledger.verifier_keys).outcome
/// 'accepted'
#[pyfunction]
#[pyo3(signature = (receipt, *, trust))]
pub(crate) fn verify<'py>(py: Python<'py>, receipt: Evidence<'py>, trust: Texts) -> PyResult<Bound<'py, PyAny>> {
    match receipt {
        Evidence::Receipt(receipt) => receipt.get().verify(py, trust),
        Evidence::File(path) => {
            let (receipt, keys) = (PyReceipt::load(py, path.clone())?, verifier_keys(trust)?);
            let proven = enter(py, || receipt.0.verify(&keys).map_err(|error| Error::evidence(&path, &error)))?;
            verified(py, proven, None)
        }
    }
}

/// Verifies a signed checkpoint under the key that has its origin's name. Raises VerificationError.
///
/// >>> ledger = getfixture("books")
/// >>> verify_checkpoint(ledger.checkpoint().note, trust=ledger.verifier_keys).size
/// 4
#[pyfunction(name = "verify_checkpoint")]
pub(crate) fn check_checkpoint<'py>(py: Python<'py>, note: &str, trust: Texts) -> PyResult<Bound<'py, PyAny>> {
    let keys = verifier_keys(trust)?;
    let proven = verifying(py, || trusted_checkpoint(note, &keys))?;
    facts::new(py, "Checkpoint", (proven.origin, proven.size, PyBytes::new(py, &proven.root), note))
}

fn trusted_checkpoint(note: &str, keys: &[VerifierKey]) -> Result<Checkpoint, VerifyError> {
    let parsed = SignedNote::parse(note)?;
    let origin = parsed.text().split('\n').next().unwrap_or_default();
    let mut proven = None;
    for key in keys.iter().filter(|key| key.name() == origin) {
        match verify_checkpoint(note, key) {
            Ok(checkpoint) => proven = Some(checkpoint),
            // Another key of that name may have signed; a signature that does not hold refuses the note.
            Err(error) if error.kind() == VerifyErrorKind::NotTrusted => {}
            Err(error) => return Err(error),
        }
    }
    let untrusted = || format!("no trusted key signed this checkpoint of {origin:?}");
    proven.ok_or_else(|| VerifyError::new(VerifyErrorKind::NotTrusted, untrusted()))
}

/// What a receipt proved; `doubts` is what the ledger says of its signatures, where it was asked.
pub(crate) fn verified<'py>(
    py: Python<'py>,
    proven: Verified,
    doubts: Option<&[Doubt]>,
) -> PyResult<Bound<'py, PyAny>> {
    let data = py.import("json")?.call_method1("loads", (&proven.record,))?.get_item("data")?;
    let time = py.import("datetime")?.getattr("datetime")?.call_method1("fromisoformat", (&proven.time,))?;
    let fields = PyDict::new(py);
    fields.set_item("outcome", proven.outcome.name())?;
    fields.set_item("code", proven.outcome.code())?;
    fields.set_item("record", &proven.record)?;
    fields.set_item("data", data)?;
    fields.set_item("origin", &proven.origin)?;
    fields.set_item("size", proven.size)?;
    fields.set_item("root", PyBytes::new(py, &proven.root))?;
    fields.set_item("index", proven.index)?;
    fields.set_item("position", proven.position)?;
    fields.set_item("cause", proven.cause)?;
    fields.set_item("time", time)?;
    fields.set_item("author", &proven.author)?;
    fields.set_item("key", PyBytes::new(py, &proven.key))?;
    fields.set_item("checked_sha3", proven.checked_sha3)?;
    let doubts = doubts.map(|doubts| doubts.iter().map(|doubt| facts::doubt(py, doubt)).collect::<PyResult<Vec<_>>>());
    fields.set_item("doubts", doubts.transpose()?)?;
    facts::named(py, "Verified", &fields)
}

/// Verification blocks on nothing, but it computes: other threads go on meanwhile.
pub(crate) fn verifying<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, VerifyError> + Send) -> PyResult<T> {
    py.detach(work).map_err(|error| errors::unverified(&error))
}

fn verifier_keys(trust: Texts) -> PyResult<Vec<VerifierKey>> {
    let key = |text: &String| VerifierKey::parse(text.trim()).map_err(|error| errors::unverified(&error.into()));
    trust.into_vec().iter().map(key).collect()
}
