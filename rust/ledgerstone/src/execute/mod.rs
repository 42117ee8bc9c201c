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
//! ([`working`]), and the decision itself is a walk over that table: nothing is looked up by name, nothing is executed
//! speculatively. Any other strategy has to give the same verdicts, bit for bit; none of threads, chunk borders, hash seeds or
//! clocks can reach a verdict, because the walk sees only the order of records and the values of cells.
//!
//! Who may append ([`authority`]) is state as well, and is asked record by record, in the same order.

pub(crate) mod authority;
mod matching;
mod ops;
mod plan;
mod prepared;
mod serial;
mod working;

use ledgerstone_verify::envelope::Mode;

pub(crate) use ops::Rejection;
pub(crate) use plan::{not_executed, write_key};
pub(crate) use prepared::{PreparedChunk, RecordBytes, stateless_refusals};
pub(crate) use serial::InOrder;
pub(crate) use working::{LoadError, Working};

use crate::model::RowId;

/// A record that DECIDE refused, as the n-th row of a chunk of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) chunk: usize,
    pub(crate) row: usize,
    pub(crate) rejection: Rejection,
}

/// Asked before the operations of a record run: may its author append it, and what only the engine can check.
pub(crate) trait Gate {
    /// Whether the author may append records of the chunk's type now.
    fn authorise(&mut self, chunk: &PreparedChunk) -> Result<(), Rejection>;

    /// What only the engine can check of a record.
    fn check(&mut self, chunk: &PreparedChunk, row: usize) -> Result<(), Rejection>;

    /// The record's operations passed too.
    fn accepted(&mut self, chunk: &PreparedChunk, row: usize);
}

/// A strategy of deciding. All strategies give the same verdicts and leave the same working state.
pub(crate) trait Decide {
    /// Decides every unit. In mode `each` the refused records, in order; in mode `atomic` nothing, or the one record that felled the
    /// transaction. `record` reads the bytes of a stored record.
    fn decide<E>(
        &self,
        mode: Mode,
        chunks: &[PreparedChunk],
        working: &mut Working,
        gate: &mut dyn Gate,
        record: &dyn Fn(RowId) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<Refused>, E>;
}
