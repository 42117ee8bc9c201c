//! What an expression sees besides the record: inputs of the decision, and what lookups found.

use std::collections::BTreeSet;

use crate::schema::scalar::{OwnedScalar, Scalar};

/// What an expression needs besides the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The author, his roles, endorsers, ledger time.
    pub inputs: bool,
    /// What lookups found.
    pub lookups: bool,
}

impl Needs {
    /// What either needs.
    #[must_use]
    pub(crate) fn and(self, other: Needs) -> Needs {
        Needs { inputs: self.inputs || other.inputs, lookups: self.lookups || other.lookups }
    }
}

/// What the decision of a record starts from, apart from state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// Member id of the author.
    pub author: String,
    /// Full names of the roles the author holds at the record's place.
    pub roles: BTreeSet<String>,
    /// Members who endorse the transaction.
    pub endorsers: Vec<Endorser>,
    /// Ledger time of the transaction, microseconds since 1970.
    pub ledger_time: i64,
}

/// A member who endorses a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorser {
    /// Member id.
    pub member: String,
    /// Full names of the roles it holds at the record's place.
    pub roles: BTreeSet<String>,
}

/// What one lookup of the type found for a record: for each item of its list (one, where it runs over none) the values of its
/// [`fields`](crate::schema::Lookup::fields); `None` where nothing is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(pub Vec<Option<Vec<OwnedScalar>>>);

/// What an expression sees besides the record. What is not given is absent.
#[derive(Debug, Clone, Copy)]
pub struct Env<'e> {
    /// Inputs of the decision.
    pub inputs: Option<&'e Inputs>,
    /// What the lookups of the type found, in the order in which it declares them.
    pub found: &'e [Found],
}

impl Env<'_> {
    /// Nothing but the record.
    pub const NONE: Env<'static> = Env { inputs: None, found: &[] };
}

impl<'e> Env<'e> {
    /// A value that a lookup found; `item` counts from the first item of its list.
    pub(super) fn found(&self, lookup: usize, item: usize, field: usize) -> Scalar<'e> {
        let found: &'e [Found] = self.found;
        let values = found.get(lookup).and_then(|found| found.0.get(item)).and_then(Option::as_ref);
        values.and_then(|values| values.get(field)).map_or(Scalar::Absent, OwnedScalar::as_scalar)
    }
}
