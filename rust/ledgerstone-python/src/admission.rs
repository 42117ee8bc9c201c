//! The methods of a ledger that are about members, their keys and roles, and who signs.

use std::path::PathBuf;
use std::sync::Arc;

use ledgerstone::{Error, Rejected, codes};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::door::enter;
use crate::key::PyKey;
use crate::ledger::PyLedger;
use crate::proposal::{self, Proposed, PyProposal};
use crate::receipt::{self, PyReceipt};
use crate::transaction::PyTransaction;
use crate::values::to_micros;
use crate::{arguments, errors, facts};

#[pymethods]
impl PyLedger {
    /// A transaction: all its records or none, appended where the `with` block ends without an exception. `endorsers` are keys of other
    /// members who sign it too, and `meaning` says what they mean by it.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> with ledger.transaction() as tx:
    /// ...     tx.append("finance.commodity", {"code": "AAPL", "exponent": 0})
    /// ...     tx.append("finance.commodity", {"code": "MSFT", "exponent": 0})
    /// >>> tx.result.index, tx.result.count
    /// (4, 2)
    /// >>> auditor = Key.generate("auditor")
    /// >>> _ = ledger.admit(auditor.public)
    /// >>> with ledger.transaction(endorsers=[auditor], meaning="seen") as tx:
    /// ...     tx.append("finance.commodity", {"code": "GOOG", "exponent": 0})
    #[pyo3(
        signature = (*, id=None, plain=false, endorsers=Vec::new(), meaning="approved".to_owned()),
        text_signature = "($self, *, id=None, plain=False, endorsers=(), meaning='approved')"
    )]
    fn transaction(
        this: Py<Self>,
        id: Option<String>,
        plain: bool,
        endorsers: Vec<Bound<'_, PyKey>>,
        meaning: String,
    ) -> PyTransaction {
        let endorsers = endorsers.iter().map(|key| Arc::new(key.get().0.clone())).collect();
        PyTransaction::new(this, id, plain, endorsers, meaning)
    }

    /// Signs a transaction and appends nothing: other members endorse the proposal elsewhere, and it is appended later. `records` are
    /// pairs of type and record; `path` is where it is saved. It is good for 24 hours unless `lifetime` says otherwise.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> proposal = ledger.propose([("finance.commodity", {"code": "AAPL", "exponent": 0})], id="apple")
    /// >>> ledger.append_proposal(proposal).index
    /// 4
    #[pyo3(signature = (records, path=None, *, id=None, lifetime=None))]
    fn propose(
        &self,
        py: Python<'_>,
        records: Vec<(String, Bound<'_, PyAny>)>,
        path: Option<PathBuf>,
        id: Option<&str>,
        lifetime: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyProposal> {
        let lifetime = arguments::lifetime(lifetime)?;
        proposal::propose(py, &*self.engine()?, &records, path.as_deref(), id, lifetime)
    }

    /// Appends a proposal, or the file that holds one, as its author and endorsers signed it. Doing so again gives the same transaction.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> path = getfixture("tmp_path") / "apple.proposal"
    /// >>> _ = ledger.propose([("finance.commodity", {"code": "AAPL", "exponent": 0})], path)
    /// >>> ledger.append_proposal(path).is_new, ledger.append_proposal(path).is_new
    /// (True, False)
    fn append_proposal<'py>(&self, py: Python<'py>, proposal: Proposed<'py>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let appended = proposal::with(proposal, py, |proposal| enter(py, || engine.append_proposal(proposal)))?;
        facts::appended(py, &appended)
    }

    /// Verifies a receipt of this ledger under its own keys, and says which of the signatures are doubtful.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.verify(ledger.receipt((3, 0))).doubts
    /// []
    fn verify<'py>(&self, py: Python<'py>, receipt: &Bound<'py, PyReceipt>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.engine()?;
        let receipt = &receipt.get().0;
        let keys = enter(py, || engine.verifier_keys())?;
        let proven = receipt::verifying(py, || receipt.verify(&keys))?;
        let doubts = enter(py, || engine.doubts(receipt))?;
        receipt::verified(py, proven, Some(&doubts))
    }

    /// The members, with the history of their keys and grants.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> [member.roles for member in ledger.members()]
    /// [['finance.approver', 'finance.bookkeeper', 'finance.controller', 'ledger.admin']]
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let engine = self.engine()?;
        let members = enter(py, || engine.members())?;
        members.into_iter().map(|member| facts::member(py, member)).collect()
    }

    /// Admits a member with its public key, 32 bytes; gives the member's id.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> len(ledger.admit(Key.generate("clerk").public))
    /// 32
    fn admit(&self, py: Python<'_>, public_key: &Bound<'_, PyBytes>) -> PyResult<String> {
        let engine = self.writing()?;
        let key = public(public_key, "ledger.member")?;
        enter(py, || engine.admit_member(key))
    }

    /// Adds a public key, 32 bytes, to a member, beside the others; to the caller's own, where no member is named.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.add_key(Key.generate("laptop").public).is_new
    /// True
    #[pyo3(signature = (public_key, *, member=None))]
    fn add_key<'py>(
        &self,
        py: Python<'py>,
        public_key: &Bound<'py, PyBytes>,
        member: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let key = public(public_key, "ledger.key")?;
        facts::appended(py, &enter(py, || engine.add_key(key, member))?)
    }

    /// Puts a new key in the place of the one that the ledger was opened with, which signs for it. From then on this ledger signs with the
    /// new one; save it first.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> new = Key.generate("controller")
    /// >>> new.save(getfixture("tmp_path") / "new.pem")
    /// >>> _ = ledger.rotate_key(new)
    /// >>> [key.is_active for key in ledger.members()[0].history]
    /// [False, True]
    fn rotate_key<'py>(&self, py: Python<'py>, key: &Bound<'py, PyKey>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let key = key.get().0.clone();
        facts::appended(py, &enter(py, || engine.rotate_key(key))?)
    }

    /// Ends a key: no later transaction is signed with it. What it signed from `suspected_since` on, a datetime, audits call doubtful.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> laptop = Key.generate("laptop")
    /// >>> _ = ledger.add_key(laptop.public)
    /// >>> ledger.revoke(laptop.public, reason="lost").is_new
    /// True
    #[pyo3(signature = (public_key, *, reason=None, suspected_since=None))]
    fn revoke<'py>(
        &self,
        py: Python<'py>,
        public_key: &Bound<'py, PyBytes>,
        reason: Option<&str>,
        suspected_since: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let (key, since) = (public(public_key, "ledger.revoke")?, to_micros(suspected_since)?);
        facts::appended(py, &enter(py, || engine.revoke(key, reason, since))?)
    }

    /// Puts a new log key in the place of the one in force, by a record that both sign. Its file takes the place of the old one, and is
    /// protected as that was. Where the passphrase was changed since the ledger was opened, open it again first.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> old = ledger.receipt((3, 0))
    /// >>> _ = ledger.rotate_log_key()
    /// >>> old.verify(ledger.verifier_keys).outcome, len(ledger.log_keys())
    /// ('accepted', 2)
    fn rotate_log_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        facts::appended(py, &enter(py, || engine.rotate_log_key())?)
    }

    /// The log keys, the newest last: verifier keys, and the part of the log that each signs for.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> ledger.log_keys()[0].since, ledger.log_keys()[0].until
    /// (0, None)
    fn log_keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let engine = self.engine()?;
        let periods = enter(py, || engine.log_keys())?;
        periods.iter().map(|period| facts::log_key(py, period)).collect()
    }

    /// Gives a role to a member, from one ledger time until another (datetimes), where they are given.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> member = ledger.admit(Key.generate("clerk").public)
    /// >>> ledger.grant(member, "finance.bookkeeper").is_new
    /// True
    #[pyo3(signature = (member, role, *, since=None, until=None))]
    fn grant<'py>(
        &self,
        py: Python<'py>,
        member: &str,
        role: &str,
        since: Option<&Bound<'py, PyAny>>,
        until: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        let (since, until) = (to_micros(since)?, to_micros(until)?);
        facts::appended(py, &enter(py, || engine.grant(member, role, since, until))?)
    }

    /// Withdraws a role from a member.
    ///
    /// >>> ledger = getfixture("books")
    /// >>> member = ledger.admit(Key.generate("clerk").public)
    /// >>> _ = ledger.grant(member, "finance.bookkeeper")
    /// >>> ledger.withdraw(member, "finance.bookkeeper").is_new
    /// True
    fn withdraw<'py>(&self, py: Python<'py>, member: &str, role: &str) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.writing()?;
        facts::appended(py, &enter(py, || engine.withdraw(member, role))?)
    }
}

/// A public key, for a record of this type.
fn public(key: &Bound<'_, PyBytes>, record_type: &str) -> PyResult<[u8; 32]> {
    let bytes = key.as_bytes();
    bytes.try_into().map_err(|_| {
        let rejected = Rejected {
            code: codes::WEAK_KEY.to_owned(),
            message: format!("a public key has 32 bytes, this one {}", bytes.len()),
            record_type: record_type.to_owned(),
            row: 0,
            field: Some("key".to_owned()),
            cell: None,
        };
        errors::raise(key.py(), Error::Rejected(Box::new(rejected)))
    })
}
