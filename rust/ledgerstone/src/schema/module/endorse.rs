//! Endorsement policies: who else signs.

use super::Reason;
use crate::schema::columns::Rows;
use crate::schema::expr::{Env, Expr};

/// An endorsement policy: so many other members, each holding one of these roles, have signed the transaction too.
#[derive(Debug)]
pub struct Endorse {
    /// Needed where this is true of the record alone, or overflows; `None`: always.
    pub when: Option<Expr>,
    /// Full names of the roles; an endorser holds any one of them.
    pub roles: Vec<String>,
    /// How many distinct members, the author not among them: 1 to 16.
    pub count: usize,
    /// The reason given where fewer did.
    pub reason: Reason,
}

impl Endorse {
    /// Whether a record needs it. Where that cannot be computed, it does.
    pub(crate) fn applies(&self, rows: &Rows<'_>, row: usize) -> bool {
        let holds =
            |when: &Expr| when.is_true(rows, row, None, &Env::NONE) || when.overflows(rows, row, None, &Env::NONE);
        self.when.as_ref().is_none_or(holds)
    }
}
