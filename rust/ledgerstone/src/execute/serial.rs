//! The definition of what a ledger accepts: units in order, records in order, operations in order, one thread.
//!
//! A unit is what stands or falls alone: the whole transaction in mode `atomic`, one record in mode `each`. A unit that falls leaves
//! no trace. Its reason is the first operation that fails, and operations follow the order of records and rules, so it is the
//! least (record, rule); bounds that are looked at when the unit ends come after all of these, in the same order. Any other strategy must give the same verdicts and the same working state.

use ledgerstone_verify::envelope::Mode;

use super::matching::{agree, data_of};
use super::ops::{Action, Failure, Op, OpChunk, Rejection, lifecycle_state};
use super::prepared::PreparedChunk;
use super::working::{Holder, Working};
use super::{Decide, Gate, Refused};
use crate::model::{CellValue, RowId};
use crate::schema::{BalanceType, Bound, CellKind, CellType, MatchPair, Primitive};

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
        record: &dyn Fn(RowId) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<Refused>, E> {
        match mode {
            Mode::Each => each(chunks, working, gate, record),
            Mode::Atomic => Ok(atomic(chunks, working, gate, record)?.into_iter().collect()),
        }
    }
}

/// Every record is a unit.
fn each<E>(
    chunks: &[PreparedChunk],
    working: &mut Working,
    gate: &mut dyn Gate,
    record: &dyn Fn(RowId) -> Result<Vec<u8>, E>,
) -> Result<Vec<Refused>, E> {
    let mut refused = Vec::new();
    let mut at_end = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        for row in 0..chunk.len() {
            touch_ahead(working, number, chunk, row + AHEAD);
            at_end.clear();
            let mut unit = Unit { chunks, working, record, at_end: &mut at_end };
            let outcome = match gate.authorise(chunk).and_then(|()| gate.check(chunk, row)) {
                Err(rejection) => Some(rejection),
                Ok(()) => unit.record(number, row)?.or_else(|| unit.end()),
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
    record: &dyn Fn(RowId) -> Result<Vec<u8>, E>,
) -> Result<Option<Refused>, E> {
    let mut at_end = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        for row in 0..chunk.len() {
            touch_ahead(working, number, chunk, row + AHEAD);
            let refused = |rejection| Refused { chunk: number, row, rejection };
            if let Err(rejection) = gate.authorise(chunk) {
                working.roll_back(chunks);
                return Ok(Some(refused(rejection)));
            }
            let mut unit = Unit { chunks, working, record, at_end: &mut at_end };
            let outcome = match gate.check(chunk, row) {
                Err(rejection) => Some(rejection),
                Ok(()) => unit.record(number, row)?,
            };
            if let Some(rejection) = outcome {
                working.roll_back(chunks);
                return Ok(Some(first_forbidden(chunks, gate, number, row + 1).unwrap_or_else(|| refused(rejection))));
            }
            gate.accepted(chunk, row);
        }
    }
    let unbounded = first_unbounded(chunks, working, &at_end);
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

/// A bound that is looked at when its unit ends.
#[derive(Clone, Copy)]
struct Deferred {
    chunk: usize,
    row: usize,
    op: Op,
    cell: u32,
}

struct Unit<'a, E> {
    chunks: &'a [PreparedChunk],
    working: &'a mut Working,
    record: &'a dyn Fn(RowId) -> Result<Vec<u8>, E>,
    at_end: &'a mut Vec<Deferred>,
}

fn touch_ahead(working: &Working, number: usize, chunk: &PreparedChunk, row: usize) {
    if row < chunk.len() {
        for op in chunk.ops.of_row(row) {
            if let Some(cell) = op.action.cell() {
                working.touch(number, cell);
            }
        }
    }
}

/// The first deferred bound that does not hold.
fn first_unbounded(chunks: &[PreparedChunk], working: &Working, deferred: &[Deferred]) -> Option<Refused> {
    deferred.iter().find_map(|check| {
        let chunk = &chunks[check.chunk];
        let failure = check_bounds(working, working.slot(check.chunk, check.cell)).err()?;
        let rejection = Rejection::of(&chunk.record_type, &chunk.ops, check.op, failure);
        Some(Refused { chunk: check.chunk, row: check.row, rejection })
    })
}

impl<E> Unit<'_, E> {
    /// Runs the operations of a record; the rejection where one fails.
    fn record(&mut self, number: usize, row: usize) -> Result<Option<Rejection>, E> {
        let chunk = &self.chunks[number];
        for &op in chunk.ops.of_row(row) {
            if let Err(failure) = self.operation(number, chunk, row, op)? {
                return Ok(Some(Rejection::of(&chunk.record_type, &chunk.ops, op, failure)));
            }
        }
        Ok(None)
    }

    /// The unit of one record ends.
    fn end(&mut self) -> Option<Rejection> {
        first_unbounded(self.chunks, self.working, self.at_end).map(|refused| refused.rejection)
    }

    fn operation(
        &mut self,
        number: usize,
        chunk: &PreparedChunk,
        row: usize,
        op: Op,
    ) -> Result<Result<(), Failure>, E> {
        let ops = &chunk.ops;
        let slot = op.action.cell().map(|cell| self.working.slot(number, cell));
        Ok(match (op.action, slot) {
            (Action::Take { key }, _) => self.take(number, ops, key, row),
            (Action::Exists { key }, _) => match self.working.holder(self.chunks, ops, key) {
                Some(_) => Ok(()),
                None => Err(Failure::Rule),
            },
            (Action::Match { key, item }, _) => self.compare(chunk, row, op, key, item)?,
            (Action::Open { parts, .. }, Some(slot)) => open(self.working, slot, ops.opened[parts as usize]),
            (Action::Add { part, check, delta, .. }, Some(slot)) => add(self.working, slot, part, delta, check),
            (Action::Check { .. }, Some(slot)) => check_bounds(self.working, slot),
            (Action::CheckAtEnd { cell }, _) => {
                self.at_end.push(Deferred { chunk: number, row, op, cell });
                Ok(())
            }
            (Action::Close { zero, .. }, Some(slot)) => close(self.working, slot, zero),
            (Action::Step { from, to, .. }, Some(slot)) => step(self.working, slot, from, to),
            (Action::TooPrecise { .. }, _) => Err(Failure::TooPrecise),
            (Action::Overflow, _) => Err(Failure::Overflow),
            (_, None) => Err(Failure::Missing),
        })
    }

    fn take(&mut self, number: usize, ops: &OpChunk, key: u32, row: usize) -> Result<(), Failure> {
        if self.working.holder(self.chunks, ops, key).is_some() {
            return Err(Failure::Rule);
        }
        self.working.take(ops, number as u32, key, row as u32);
        Ok(())
    }

    fn compare(
        &self,
        chunk: &PreparedChunk,
        row: usize,
        op: Op,
        key: u32,
        item: Option<u32>,
    ) -> Result<Result<(), Failure>, E> {
        let rule = &chunk.record_type.rules[usize::from(op.rule)];
        let Primitive::Match { pairs, .. } = &rule.primitive else {
            return Ok(Err(Failure::Rule));
        };
        let list = rule.each.map_or("", |list| &chunk.record_type.fields[list].name);
        let stored;
        let theirs = match self.working.holder(self.chunks, &chunk.ops, key) {
            None => return Ok(Err(Failure::Missing)),
            Some(Holder::Stored(at)) => {
                stored = (self.record)(at)?;
                stored.as_slice()
            }
            Some(Holder::Batch(at)) => self.chunks[at.chunk as usize].bytes.row(at.row as usize),
        };
        let ours = chunk.bytes.row(row);
        let agrees = pairs_agree(pairs, theirs, ours, item.map(|item| (list, item as usize)));
        Ok(if agrees { Ok(()) } else { Err(Failure::Rule) })
    }
}

fn pairs_agree(pairs: &[MatchPair], theirs: &[u8], ours: &[u8], item: Option<(&str, usize)>) -> bool {
    match (data_of(theirs), data_of(ours)) {
        (Some(theirs), Some(ours)) => pairs.iter().all(|pair| agree(pair, &theirs, &ours, item)),
        _ => false,
    }
}

fn balance_type(kind: &CellType) -> Result<&BalanceType, Failure> {
    match &kind.kind {
        CellKind::Balance(balance) => Ok(balance),
        _ => Err(Failure::Missing),
    }
}

fn open(working: &mut Working, slot: u32, parts: crate::model::Parts) -> Result<(), Failure> {
    if working.value(slot).is_some() {
        return Err(Failure::Rule);
    }
    if !parts.is_within_digits() {
        return Err(Failure::Overflow);
    }
    working.set(slot, Some(CellValue::Parts(parts)));
    check_bounds(working, slot)
}

fn add(working: &mut Working, slot: u32, part: u8, delta: i128, check: bool) -> Result<(), Failure> {
    let Some(CellValue::Parts(parts)) = working.value(slot) else {
        return Err(Failure::Missing);
    };
    let mut parts = *parts;
    let balance = balance_type(working.kind(slot))?;
    if let Some(digits) = balance.digits
        && let Some(digits) = parts.part(digits)
        && has_more_digits(delta, balance.scale, digits)
    {
        return Err(Failure::TooPrecise);
    }
    parts.add(usize::from(part), delta).ok_or(Failure::Overflow)?;
    let verdict = if check { bounds_hold(&balance.bounds, &parts) } else { Ok(()) };
    working.set(slot, Some(CellValue::Parts(parts)));
    verdict
}

/// Whether an amount at `scale` needs more digits behind the point than the cell's `digits` part (itself at `scale`) says.
fn has_more_digits(amount: i128, scale: u8, digits: i128) -> bool {
    let unit_of_one = 10i128.pow(u32::from(scale));
    let digits = (digits / unit_of_one).clamp(0, i128::from(scale)) as u32;
    let unit = 10i128.pow(u32::from(scale) - digits);
    match (i64::try_from(amount), i64::try_from(unit)) {
        (Ok(amount), Ok(unit)) => amount % unit != 0,
        _ => amount % unit != 0,
    }
}

fn close(working: &mut Working, slot: u32, zero: u8) -> Result<(), Failure> {
    let Some(CellValue::Parts(parts)) = working.value(slot) else {
        return Err(Failure::Missing);
    };
    let is_zero = |part: usize| zero & (1 << part) == 0 || parts.part(part).unwrap_or(0) == 0;
    if !(0..crate::limits::PARTS).all(is_zero) {
        return Err(Failure::Rule);
    }
    working.set(slot, None);
    Ok(())
}

fn step(working: &mut Working, slot: u32, from: u64, to: Option<u8>) -> Result<(), Failure> {
    let CellKind::Lifecycle(lifecycle) = &working.kind(slot).kind else {
        return Err(Failure::Missing);
    };
    let stored = match working.value(slot) {
        Some(CellValue::State(state)) => Some(*state),
        _ => None,
    };
    match lifecycle_state(lifecycle, stored) {
        None if from == 0 => {}
        None => return Err(Failure::Missing),
        Some(state) if from & (1 << state) == 0 => return Err(Failure::Rule),
        Some(_) => {}
    }
    if let Some(to) = to {
        working.set(slot, Some(CellValue::State(to)));
    }
    Ok(())
}

fn check_bounds(working: &Working, slot: u32) -> Result<(), Failure> {
    let Some(CellValue::Parts(parts)) = working.value(slot) else {
        return Err(Failure::Missing);
    };
    bounds_hold(&balance_type(working.kind(slot))?.bounds, parts)
}

fn bounds_hold(bounds: &[Bound], parts: &crate::model::Parts) -> Result<(), Failure> {
    for (number, bound) in bounds.iter().enumerate() {
        let mut sum = Some(0i128);
        for &(part, coefficient) in &bound.terms {
            let Some(value) = parts.part(part) else {
                sum = Some(0);
                break;
            };
            sum = sum.and_then(|sum| sum.checked_add(value.checked_mul(i128::from(coefficient))?));
        }
        match sum {
            None => return Err(Failure::Overflow),
            Some(sum) if sum < 0 => return Err(Failure::Bound(number as u8)),
            Some(_) => {}
        }
    }
    Ok(())
}
