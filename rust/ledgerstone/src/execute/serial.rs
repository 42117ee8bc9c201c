//! The definition of what a ledger accepts: units in order, records in order, operations in order, one thread.
//!
//! A unit is what stands or falls alone: the whole transaction in mode `atomic`, one record in mode `each`. A unit that falls leaves
//! no trace. Its reason is the first operation that fails, and operations follow the order of records and rules, so it is the
//! least (record, rule); bounds that are looked at when the unit ends come after all of these, in the same order. Any other strategy must give the same verdicts and the same working state.

use ledgerstone_verify::envelope::Mode;

use super::prepared::PreparedChunk;
use super::steps::Unit;
use super::sums::first_unmet;
use super::working::{LoadError, Working};
use super::{Decide, Gate, Refused};
use crate::model::State;

/// How many rows ahead cells are touched, so that memory is there when the row's turn comes.
const AHEAD: usize = 8;

/// The in-order decision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InOrder;

impl Decide for InOrder {
    fn decide<E>(
        &self,
        mode: Mode,
        chunks: &[PreparedChunk],
        working: &mut Working,
        gate: &mut dyn Gate,
        state: &dyn State<Error = E>,
    ) -> Result<Vec<Refused>, LoadError<E>> {
        match mode {
            Mode::Each => each(chunks, working, gate, state),
            Mode::Atomic => Ok(atomic(chunks, working, gate, state)?.into_iter().collect()),
        }
    }
}

/// Every record is a unit.
fn each<E>(
    chunks: &[PreparedChunk],
    working: &mut Working,
    gate: &mut dyn Gate,
    state: &dyn State<Error = E>,
) -> Result<Vec<Refused>, LoadError<E>> {
    let mut refused = Vec::new();
    let mut at_end = Vec::new();
    let mut rows = None;
    for (number, chunk) in chunks.iter().enumerate() {
        for row in 0..chunk.len() {
            touch_ahead(working, number, chunk, row + AHEAD);
            at_end.clear();
            let outcome = match gate.authorise(chunk).and_then(|()| gate.check(chunk, row)) {
                Err(rejection) => Some(rejection),
                Ok(()) => {
                    let mut unit = Unit::new(chunks, working, state, gate, &mut at_end, &mut rows);
                    unit.record(number, row)?.or_else(|| unit.end())
                }
            };
            match outcome {
                None => {
                    working.keep();
                    gate.accepted(chunk, row);
                }
                Some(rejection) => {
                    working.roll_back(chunks);
                    refused.push(Refused { chunk: number, row, rejection });
                }
            }
        }
    }
    Ok(refused)
}

/// The whole transaction is one unit; the record that fells it, if one does.
fn atomic<E>(
    chunks: &[PreparedChunk],
    working: &mut Working,
    gate: &mut dyn Gate,
    state: &dyn State<Error = E>,
) -> Result<Option<Refused>, LoadError<E>> {
    let mut at_end = Vec::new();
    let mut rows = None;
    for (number, chunk) in chunks.iter().enumerate() {
        for row in 0..chunk.len() {
            touch_ahead(working, number, chunk, row + AHEAD);
            let refused = |rejection| Refused { chunk: number, row, rejection };
            if let Err(rejection) = gate.authorise(chunk) {
                working.roll_back(chunks);
                return Ok(Some(refused(rejection)));
            }
            let outcome = match gate.check(chunk, row) {
                Err(rejection) => Some(rejection),
                Ok(()) => Unit::new(chunks, working, state, gate, &mut at_end, &mut rows).record(number, row)?,
            };
            if let Some(rejection) = outcome {
                working.roll_back(chunks);
                return Ok(Some(first_forbidden(chunks, gate, number, row + 1).unwrap_or_else(|| refused(rejection))));
            }
            gate.accepted(chunk, row);
        }
    }
    let unbounded = first_unmet(chunks, working, &at_end);
    match &unbounded {
        None => working.keep(),
        Some(_) => working.roll_back(chunks),
    }
    Ok(unbounded)
}

/// A lack of permission comes before any reason of state, at whatever record: the first from this place on. The records between count
/// as accepted, because they may grant what later ones need.
fn first_forbidden(chunks: &[PreparedChunk], gate: &mut dyn Gate, from: usize, row: usize) -> Option<Refused> {
    for (number, chunk) in chunks.iter().enumerate().skip(from) {
        let first = if number == from { row } else { 0 };
        for row in first..chunk.len() {
            if let Err(rejection) = gate.authorise(chunk) {
                return Some(Refused { chunk: number, row, rejection });
            }
            gate.accepted(chunk, row);
        }
    }
    None
}

fn touch_ahead(working: &Working, number: usize, chunk: &PreparedChunk, row: usize) {
    if row < chunk.len() {
        for op in chunk.ops.of_row(row) {
            if let Some(cell) = op.action.cell() {
                working.touch(number as u32, cell);
            }
        }
    }
}
