//! The definition of what a ledger accepts: units in order, records in order, operations in order, one thread.
//!
//! A unit is what stands or falls alone: the whole transaction in mode `atomic`, one record in mode `each`, with the records that
//! follow them. A unit that falls leaves no trace. Its reason is the first operation that fails, and operations follow the order of
//! records and rules, so it is the least (record, rule); bounds that are looked at when the unit ends come after all of these, in the
//! same order. A record that is held leaves no trace in state either, and fells nothing: its unit goes on without it. Any other strategy must
//! give the same verdicts and the same working state.

use ledgerstone_verify::entry::ExceptionOutcome;
use ledgerstone_verify::envelope::Mode;

use super::chunks::Chunks;
use super::emit::has_followers;
use super::fate::{Exceptional, Fate};
use super::ops::Rejection;
use super::prepared::PreparedChunk;
use super::steps::Unit;
use super::sums::{Deferred, unmet};
use super::working::{LoadError, Mark, Place, Working};
use super::{Decide, Decision, Gate};
use crate::model::State;
use crate::schema::{Rows, Severity};

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
    ) -> Result<Decision, LoadError<E>> {
        let chunks = Chunks::new(chunks);
        let (at_end, standing, exceptions) = (Vec::new(), Vec::new(), Vec::new());
        let mut deciding = Deciding { chunks: &chunks, working, gate, state, at_end, rows: None, standing, exceptions };
        match mode {
            Mode::Each => deciding.each()?,
            Mode::Atomic => deciding.atomic()?,
        }
        let Deciding { standing, exceptions, .. } = deciding;
        let mut made = chunks.into_made();
        standing.into_iter().for_each(|number| made[number as usize].stands = true);
        Ok(Decision { exceptions, made })
    }
}

/// A decision under way.
pub(super) struct Deciding<'a, 'c, E> {
    pub(super) chunks: &'c Chunks<'c>,
    pub(super) working: &'a mut Working,
    pub(super) gate: &'a mut dyn Gate,
    pub(super) state: &'a dyn State<Error = E>,
    pub(super) at_end: Vec<Deferred>,
    /// Typed access to the chunk that was evaluated last.
    rows: Option<(u32, Rows<'c>)>,
    /// Records that were made and stand so far, by number.
    pub(super) standing: Vec<u32>,
    exceptions: Vec<Exceptional>,
}

/// What a unit had done at a moment.
struct Moment {
    working: Mark,
    at_end: usize,
    standing: usize,
}

impl<'c, E> Deciding<'_, 'c, E> {
    /// Every record is a unit.
    fn each(&mut self) -> Result<(), LoadError<E>> {
        for (number, chunk) in self.chunks.prepared.iter().enumerate() {
            let has_followers = has_followers(&chunk.record_type);
            for row in 0..chunk.len() {
                touch_ahead(self.working, number, chunk, row + AHEAD);
                self.at_end.clear();
                let standing = self.standing.len();
                let fate = match self.gate.authorise(chunk, row) {
                    Err(rejection) => Fate::Rejected(rejection),
                    Ok(()) => self.record(place(number, row), has_followers)?,
                };
                let fate = match fate {
                    Fate::Accepted | Fate::Flagged(_) => self.ended(fate),
                    other => other,
                };
                match &fate {
                    Fate::Accepted | Fate::Flagged(_) => {
                        self.working.keep();
                        self.gate.accepted(chunk, row);
                    }
                    Fate::Held(_) | Fate::Rejected(_) => {
                        self.working.roll_back(self.chunks);
                        self.standing.truncate(standing);
                    }
                }
                self.note(number, row, fate);
            }
        }
        Ok(())
    }

    /// The whole transaction is one unit. If a record fells it, that record is the only exception.
    fn atomic(&mut self) -> Result<(), LoadError<E>> {
        for (number, chunk) in self.chunks.prepared.iter().enumerate() {
            let has_followers = has_followers(&chunk.record_type);
            for row in 0..chunk.len() {
                touch_ahead(self.working, number, chunk, row + AHEAD);
                if let Err(rejection) = self.gate.authorise(chunk, row) {
                    self.fell(number, row, rejection);
                    return Ok(());
                }
                let before = self.moment();
                let fate = self.record(place(number, row), has_followers)?;
                match &fate {
                    Fate::Accepted | Fate::Flagged(_) => self.gate.accepted(chunk, row),
                    Fate::Held(_) => self.go_back(&before),
                    Fate::Rejected(rejection) => {
                        let forbidden = first_forbidden(self.chunks.prepared, self.gate, number, row + 1);
                        let (number, row, rejection) = forbidden.unwrap_or_else(|| (number, row, rejection.clone()));
                        self.fell(number, row, rejection);
                        return Ok(());
                    }
                }
                self.note(number, row, fate);
            }
        }
        match self.end() {
            Ok(flagged) => {
                self.working.keep();
                flagged.into_iter().for_each(|(at, why)| self.flag(at, why));
            }
            Err((at, rejection)) => self.fell(at.chunk as usize, at.row as usize, rejection),
        }
        Ok(())
    }

    /// One signed record, and what follows it.
    fn record(&mut self, place: Place, has_followers: bool) -> Result<Fate, LoadError<E>> {
        let chunk = &self.chunks[place.chunk as usize];
        if let Some(rejection) = self.not_alone(chunk) {
            return Ok(Fate::Rejected(rejection));
        }
        match self.gate.check(chunk, place.row as usize) {
            Err(rejection) => return Ok(Fate::Rejected(rejection)),
            Ok(None) => {}
            Ok(Some(upgrade)) => {
                if let Some(rejection) = self.unfit(&upgrade)? {
                    return Ok(Fate::Rejected(rejection));
                }
            }
        }
        let fate = self.unit().record(place)?;
        if has_followers { self.follow(place, fate) } else { Ok(fate) }
    }

    /// What runs the operations of the next record.
    pub(super) fn unit(&mut self) -> Unit<'_, 'c, E> {
        Unit::new(self.chunks, self.working, self.state, &*self.gate, &mut self.at_end, &mut self.rows)
    }

    /// What the end of the unit asks for and does not find: the signed records that it flags and why, or the first that it fells.
    fn end(&self) -> Result<Vec<(Place, Rejection)>, (Place, Rejection)> {
        let mut flagged = Vec::new();
        for (place, severity, rejection) in unmet(self.chunks, self.working, &self.at_end) {
            let signed = self.chunks.cause(place);
            let rejection = match self.chunks.name_of_made(place) {
                Some(other) => rejection.of_other(&other),
                None => rejection,
            };
            if severity != Severity::Flag {
                return Err((signed, rejection));
            }
            flagged.push((signed, rejection));
        }
        Ok(flagged)
    }

    /// What becomes of a record that is a unit, when the unit ends. What flagged it first is why.
    fn ended(&self, fate: Fate) -> Fate {
        match (fate, self.end()) {
            (_, Err((_, why))) => Fate::Rejected(why),
            (Fate::Accepted, Ok(flagged)) => {
                flagged.into_iter().next().map_or(Fate::Accepted, |(_, why)| Fate::Flagged(why))
            }
            (fate, Ok(_)) => fate,
        }
    }

    /// Flags a record of the transaction when it ends, unless it is flagged already.
    fn flag(&mut self, at: Place, rejection: Rejection) {
        let (chunk, row) = (at.chunk as usize, at.row as usize);
        let place = self.exceptions.binary_search_by_key(&(chunk, row), |known| (known.chunk, known.row));
        if let Err(place) = place {
            let outcome = ExceptionOutcome::Flagged;
            self.exceptions.insert(place, Exceptional { chunk, row, outcome, rejection });
        }
    }

    fn moment(&self) -> Moment {
        Moment { working: self.working.mark(), at_end: self.at_end.len(), standing: self.standing.len() }
    }

    fn go_back(&mut self, moment: &Moment) {
        self.working.roll_back_to(self.chunks, moment.working);
        self.at_end.truncate(moment.at_end);
        self.standing.truncate(moment.standing);
    }

    /// The unit of the whole transaction falls.
    fn fell(&mut self, number: usize, row: usize, rejection: Rejection) {
        self.working.roll_back(self.chunks);
        self.standing.clear();
        self.exceptions.clear();
        self.note(number, row, Fate::Rejected(rejection));
    }

    fn note(&mut self, chunk: usize, row: usize, fate: Fate) {
        if let Some((outcome, rejection)) = fate.exception() {
            self.exceptions.push(Exceptional { chunk, row, outcome, rejection });
        }
    }
}

/// A lack of permission comes before any reason of state, at whatever record: the first from this place on. The records between count
/// as accepted, because they may grant what later ones need.
fn first_forbidden(
    chunks: &[PreparedChunk],
    gate: &mut dyn Gate,
    from: usize,
    row: usize,
) -> Option<(usize, usize, Rejection)> {
    for (number, chunk) in chunks.iter().enumerate().skip(from) {
        let first = if number == from { row } else { 0 };
        for row in first..chunk.len() {
            if let Err(rejection) = gate.authorise(chunk, row) {
                return Some((number, row, rejection));
            }
            gate.accepted(chunk, row);
        }
    }
    None
}

fn place(chunk: usize, row: usize) -> Place {
    Place { chunk: chunk as u32, row: row as u32 }
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
