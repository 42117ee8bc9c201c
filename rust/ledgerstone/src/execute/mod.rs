//! Deterministic validation: what a transaction does, and whether it may.
//!
//! A transaction passes through four stages: PREPARE, DECIDE, HASH, COMMIT. This layer is the first two.
//!
//! PREPARE ([`prepared`], [`plan`]) looks at each record alone: its canonical bytes, its leaf hash, the rules that need nothing but
//! the record, and the operations it stands for on named cells and keys. It depends on no order, so it runs on all cores, in
//! chunks.
//!
//! DECIDE ([`Decide`]) runs the operations against the state, and says which units stand. Its definition is [`serial`]: units in
//! order, one thread. What a unit touches is known before it runs, so the cells are loaded once into a dense table
//! ([`working`]), and the decision itself is a walk over that table ([`steps`]): nothing is looked up by name, nothing is executed
//! speculatively. What a rule finds out that it needs only when its turn comes is loaded then. Any other strategy has to give the same verdicts, bit for bit; none of threads, chunk borders, hash seeds or
//! clocks can reach a verdict, because the walk sees only the order of records and the values of cells.
//!
//! Who may append ([`authority`]) is state as well, and is asked record by record, in the same order ([`gate`]).

pub(crate) mod authority;
mod ballots;
mod cells;
mod chunks;
mod emit;
mod fate;
mod gate;
mod keys;
mod lookup;
mod matching;
mod ops;
mod plan;
mod prepared;
mod primitives;
mod serial;
mod steps;
mod sums;
mod tally;
mod upgrade;
mod working;

use std::sync::Arc;

use ledgerstone_verify::entry::ExceptionOutcome;
use ledgerstone_verify::envelope::Mode;

pub(crate) use emit::{Made, Origin, has_followers, released};
pub(crate) use fate::Exceptional;
pub(crate) use gate::{AuthorityGate, Context, Probe};
pub(crate) use keys::{KeyEntry, KeyPasses, keys_under};
pub(crate) use ops::{Action, Advance, HeldBy, OpChunk, Rejection};
pub(crate) use plan::{Scope, lower, lower_effects};
pub(crate) use prepared::{PreparedChunk, RecordBytes, stateless_refusals};
pub(crate) use serial::InOrder;
pub(crate) use upgrade::Upgrade;
pub(crate) use working::{LoadError, Place, Working};

use crate::model::{RowId, State};
use crate::schema::{AddedKey, Inputs, RecordType};

/// What DECIDE came to.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// Records that were not plainly accepted, in order. In mode `atomic` a rejected one stands alone: it felled the transaction.
    pub(crate) exceptions: Vec<Exceptional>,
    /// Records that were made, in order, those that fell included.
    pub(crate) made: Vec<Made>,
}

impl Decision {
    /// Records that rules added, in the order of the emitted list.
    pub(crate) fn emitted(&self) -> impl Iterator<Item = &Made> {
        self.made.iter().filter(|made| made.is_emitted())
    }

    /// Records that were refused.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = &Exceptional> {
        self.exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Rejected)
    }

    /// Where each of the records that were made stands: emitted ones behind the `count` that were signed; `None` of those that fell.
    pub(crate) fn made_rows(&self, index: u64, count: u32) -> Vec<Option<RowId>> {
        let mut places = count..;
        let mut row = |made: &Made| match made.origin {
            Origin::Released(row) => made.stands.then_some(row),
            Origin::Emitted if made.stands => places.next().map(|position| RowId::new(index, position)),
            Origin::Emitted => None,
        };
        self.made.iter().map(&mut row).collect()
    }
}

/// Asked before the operations of a record run: may its author append it, and what only the engine can check.
pub(crate) trait Gate {
    /// Whether the author may append the record now, and enough others have endorsed it.
    fn authorise(&mut self, chunk: &PreparedChunk, row: usize) -> Result<(), Rejection>;

    /// What only the engine can check of a record. A new version of a module then has to fit what is stored.
    fn check(&mut self, chunk: &PreparedChunk, row: usize) -> Result<Option<Upgrade>, Rejection>;

    /// What rules see besides records and state, at this place of the transaction.
    fn inputs(&self) -> Arc<Inputs>;

    /// The type of that full name in a version that was in force at some time.
    fn record_type(&self, name: &str, version: u64) -> Option<Arc<RecordType>>;

    /// The `unique` rules that later versions of a type have added, up to the one in force now.
    fn added_keys(&self, record_type: &RecordType) -> Vec<AddedKey>;

    /// The type of that full name, in the version in force now.
    fn in_force(&self, name: &str) -> Option<Arc<RecordType>>;

    /// The record's operations passed too.
    fn accepted(&mut self, chunk: &PreparedChunk, row: usize);

    /// Whether records of a type may be made by rules now: its module is not suspended.
    fn may_follow(&self, record_type: &Arc<RecordType>) -> Result<(), Rejection>;

    /// Whether the author may release a held record of a type.
    fn may_release(&self, record_type: &RecordType) -> Result<(), Rejection>;
}

/// A strategy of deciding. All strategies give the same verdicts and leave the same working state.
pub(crate) trait Decide {
    /// Decides every unit. `state` is what the working state was loaded from, for what turns out to be needed on the way.
    fn decide<E>(
        &self,
        mode: Mode,
        chunks: &[PreparedChunk],
        working: &mut Working,
        gate: &mut dyn Gate,
        state: &dyn State<Error = E>,
    ) -> Result<Decision, LoadError<E>>;
}
