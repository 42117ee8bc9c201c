//! Proposals: transactions that are signed in one place, endorsed in others, and appended later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledgerstone::{Ledger, Proposal, ProposeOptions};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};

use crate::door::enter;
use crate::key::PyKey;
use crate::receipt::verifying;
use crate::values::to_record;
use crate::{facts, show};

/// A transaction that its author has signed, on its way to be endorsed and appended. `Proposal(text)` reads what `to_json` wrote.
///
/// What can be read holds together: the records are those that were signed, and every signature in it holds.
///
/// >>> ledger = getfixture("books")
/// >>> path = getfixture("tmp_path") / "apple.proposal"
/// >>> _ = ledger.propose([("finance.commodity", {"code": "AAPL", "exponent": 0})], path, id="apple")
/// >>> auditor = Key.generate("auditor")
/// >>> member = ledger.admit(auditor.public)
/// >>> Proposal.load(path).endorse(auditor, member=member, meaning="seen").save(path)
/// >>> proposal = Proposal.load(path)
/// >>> proposal.id, proposal.records[0]["data"], [by.meaning for by in proposal.endorsements]
/// ('apple', {'code': 'AAPL', 'exponent': 0}, ['seen'])
/// >>> Proposal(proposal.to_json()) == proposal == proposal.merge(proposal)
/// True
/// >>> ledger.append_proposal(proposal).is_new
/// True
#[pyclass(frozen, eq, name = "Proposal", module = "ledgerstone")]
#[derive(PartialEq)]
pub(crate) struct PyProposal(pub(crate) Proposal);

#[pymethods]
impl PyProposal {
    #[new]
    fn new(py: Python<'_>, text: &str) -> PyResult<Self> {
        verifying(py, || Proposal::parse(text.as_bytes())).map(PyProposal)
    }

    /// Reads a proposal file; raises VerificationError where it does not hold together.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        enter(py, || Proposal::load(&path)).map(PyProposal)
    }

    /// Writes the proposal to a file, over what was there.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        enter(py, || self.0.save(&path))
    }

    /// The proposal as JSON text.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// The proposal, endorsed by a member: needs no ledger. The meaning, and the time of this machine's clock, are signed with it.
    #[pyo3(signature = (key, *, member, meaning="approved"))]
    fn endorse(&self, py: Python<'_>, key: &Bound<'_, PyKey>, member: &str, meaning: &str) -> PyResult<Self> {
        let key = &key.get().0;
        enter(py, || self.0.endorse(key, member, meaning)).map(PyProposal)
    }

    /// This proposal with the endorsements of another copy of it.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<Self> {
        let other = &other.get().0;
        enter(py, || self.0.merge(other)).map(PyProposal)
    }

    /// Name of the log that it is for.
    #[getter]
    fn origin(&self) -> &str {
        self.0.origin()
    }

    /// The idempotency id.
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    /// The member who proposes.
    #[getter]
    fn author(&self) -> &str {
        &self.0.intent().author
    }

    /// When it was signed, by the author's clock.
    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, &self.0.intent().time)
    }

    /// Ledger time at which it can be appended no more.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, &self.0.intent().expires)
    }

    /// The records, as dicts with `type`, `version` and `data`: decimals, dates and timestamps are strings.
    #[getter]
    fn records<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let json = py.import("json")?;
        self.0.records().iter().map(|record| json.call_method1("loads", (record,))).collect()
    }

    /// Who has endorsed it, with which key, what they mean by it, and when, by member.
    #[getter]
    fn endorsements<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let one = |by: &ledgerstone_verify::Signature| {
            let (meaning, time) = by.endorsement.as_ref().map_or(("", ""), |word| (&word.meaning, &word.time));
            facts::new(py, "Endorsement", (&by.member, PyBytes::new(py, &by.key), meaning, datetime(py, time)?))
        };
        self.0.endorsements().iter().map(one).collect()
    }

    fn __getnewargs__(&self) -> (String,) {
        (self.0.to_json(),)
    }

    fn __repr__(&self) -> String {
        let (records, endorsed) = (self.0.records().len(), self.0.endorsements().len());
        format!("Proposal({:?}, {records} record(s), endorsed by {endorsed}, id={:?})", self.0.origin(), self.0.id())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let rows = self.records(py)?.into_iter().map(|record| {
            let row = PyDict::new(py);
            row.set_item("type", record.get_item("type")?)?;
            row.update(record.get_item("data")?.cast::<PyMapping>()?)?;
            PyResult::Ok(row)
        });
        show::table(py, &self.__repr__(), rows.collect::<PyResult<Vec<_>>>()?)
    }
}

/// A proposal, or the file that holds one.
#[derive(FromPyObject)]
pub(crate) enum Proposed<'py> {
    Proposal(Bound<'py, PyProposal>),
    File(PathBuf),
}

/// Does something with a proposal.
pub(crate) fn with<T>(
    proposed: Proposed<'_>,
    py: Python<'_>,
    what: impl FnOnce(&Proposal) -> PyResult<T>,
) -> PyResult<T> {
    match proposed {
        Proposed::Proposal(proposal) => what(&proposal.get().0),
        Proposed::File(path) => what(&PyProposal::load(py, path)?.0),
    }
}

/// Proposes records, and saves the proposal where a path is given.
pub(crate) fn propose(
    py: Python<'_>,
    ledger: &Ledger,
    records: &[(String, Bound<'_, PyAny>)],
    path: Option<&Path>,
    id: Option<&str>,
    lifetime: Option<Duration>,
) -> PyResult<PyProposal> {
    let records = records.iter().map(|(name, record)| Ok((name.clone(), to_record(record)?)));
    let records = records.collect::<PyResult<Vec<_>>>()?;
    let lifetime = lifetime.map(|lifetime| i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX));
    enter(py, || {
        let proposal = ledger.propose(records, ProposeOptions { id, lifetime })?;
        if let Some(path) = path {
            proposal.save(path)?;
        }
        Ok(PyProposal(proposal))
    })
}

fn datetime<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("datetime")?.getattr("datetime")?.call_method1("fromisoformat", (text,))
}
