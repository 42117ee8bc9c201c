//! What each record of a transaction did to a cell, as far as it can be told.
//!
//! Most records tell it themselves. What one did that looked things up is known only as what is left between the cell before the
//! transaction and after it: of a single one exactly, of several together.

use super::effects::{Batch, Target, moved};
use super::movement::Window;
use super::view::View;
use crate::error::{Error, Result};
use crate::execute::Action;
use crate::model::CellValue;
use crate::query::moving_transactions;
use crate::schema::CellType;

/// What a record did to a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told<'v> {
    /// Nothing.
    Nothing,
    /// This, alone: before and after.
    Change(&'v Option<CellValue>, &'v Option<CellValue>),
    /// It moved the cell, or may have: how is told with the last of these in its transaction, for them all.
    Unknown,
    /// This, together with those before it that are unknown.
    Together(&'v Option<CellValue>, &'v Option<CellValue>),
}

/// Takes what was told of a mover, by its place among those of its transaction.
pub(crate) type Listener<'l> = &'l mut dyn FnMut(usize, Told<'_>);

/// A cell whose movers are told.
pub(crate) struct Teller<'t> {
    pub(crate) view: &'t View,
    pub(crate) target: &'t Target,
    /// Which cell of the target.
    pub(crate) cell: usize,
}

impl Teller<'_> {
    /// Tells what the movers of one transaction, in their order, did to the cell; `value` is what it held before, and holds after them.
    pub(crate) fn tell(
        &self,
        window: &Window,
        index: u64,
        movers: &[(usize, usize)],
        value: &mut Option<CellValue>,
        listener: Listener<'_>,
    ) -> Result<()> {
        let open = movers.iter().position(|mover| self.is_open(window, mover)).unwrap_or(movers.len());
        if open < movers.len() && self.stored(index)? != *value {
            return Err(self.does_not_add_up());
        }
        for (number, mover) in movers.iter().enumerate().take(open) {
            self.step(window, (number, mover), value, listener)?;
        }
        if open < movers.len() { self.tell_open(window, index, (movers, open), value, listener) } else { Ok(()) }
    }

    /// The same, of those from the first on that looked things up.
    fn tell_open(
        &self,
        window: &Window,
        index: u64,
        (movers, open): (&[(usize, usize)], usize),
        value: &mut Option<CellValue>,
        listener: Listener<'_>,
    ) -> Result<()> {
        let (rest, others) = (&movers[open..], &movers[open + 1..]);
        let after = self.stored(index + 1)?;
        let is_only = !others.iter().any(|mover| self.is_open(window, mover));
        if let Some(left) = if is_only { self.before(window, others, &after)? } else { None } {
            let is_nothing = left == *value && self.effects(window, &movers[open]).next().is_none();
            listener(open, if is_nothing { Told::Nothing } else { Told::Change(value, &left) });
            *value = left;
            for (number, mover) in movers.iter().enumerate().skip(open + 1) {
                self.step(window, (number, mover), value, listener)?;
            }
            return Ok(());
        }
        let does = |mover: &(usize, usize)| self.effects(window, mover).next().is_some();
        let moved = |mover: &(usize, usize)| does(mover) || self.is_open(window, mover);
        let is_untouched = *value == after && !rest.iter().any(does) && !self.was_moved(index)?;
        let last = rest.iter().rposition(moved).map(|place| open + place);
        for (number, mover) in movers.iter().enumerate().skip(open) {
            listener(
                number,
                match last {
                    _ if is_untouched || !moved(mover) => Told::Nothing,
                    Some(last) if last == number => Told::Together(value, &after),
                    _ => Told::Unknown,
                },
            );
        }
        *value = after;
        Ok(())
    }

    /// That the records which moved the cell do not make what is stored of it.
    pub(crate) fn does_not_add_up(&self) -> Error {
        Error::damaged(format!(
            "the records that moved {} do not add up to its value: audit the ledger",
            String::from_utf8_lossy(&self.target.names[self.cell])
        ))
    }

    fn kind(&self) -> &CellType {
        &self.target.kinds[self.cell]
    }

    /// The cell when the ledger held `end` transactions.
    fn stored(&self, end: u64) -> Result<Option<CellValue>> {
        let stored = self.view.cell_as_of(&self.target.names[self.cell], end)?;
        let damaged = || Error::damaged("table cells: a value is damaged");
        stored.map(|bytes| self.kind().parse_value(&bytes).ok_or_else(damaged)).transpose()
    }

    fn effects<'w>(
        &self,
        window: &'w Window,
        &(number, place): &(usize, usize),
    ) -> impl Iterator<Item = (&'w Batch, Action)> + use<'w> {
        let (batch, cell) = (&window.batches[number], self.cell);
        batch.effects(place).filter(move |(known, _)| *known == cell).map(move |(_, action)| (batch, action))
    }

    fn is_open(&self, window: &Window, &(number, place): &(usize, usize)) -> bool {
        window.batches[number].is_open(place, self.cell)
    }

    /// Tells what a record did that says it itself.
    fn step(
        &self,
        window: &Window,
        (number, mover): (usize, &(usize, usize)),
        value: &mut Option<CellValue>,
        listener: Listener<'_>,
    ) -> Result<()> {
        let mut before = None;
        for (batch, action) in self.effects(window, mover) {
            before.get_or_insert_with(|| value.clone());
            *value = moved(value.take(), action, &batch.ops, self.kind())?;
        }
        listener(number, before.as_ref().map_or(Told::Nothing, |before| Told::Change(before, value)));
        Ok(())
    }

    /// The cell before records that leave it as `after`, where what they did can be taken back.
    fn before(
        &self,
        window: &Window,
        movers: &[(usize, usize)],
        after: &Option<CellValue>,
    ) -> Result<Option<Option<CellValue>>> {
        let mut value = after.clone();
        for (batch, action) in movers.iter().flat_map(|mover| self.effects(window, mover)) {
            let Some(undone) = action.undone() else { return Ok(None) };
            value = moved(value, undone, &batch.ops, self.kind())?;
        }
        Ok(Some(value))
    }

    /// Whether a transaction moved the cell, or another of the same hash.
    fn was_moved(&self, index: u64) -> Result<bool> {
        let hash = self.view.secret.hash(&self.target.names[self.cell]);
        Ok(!moving_transactions(&*self.view.snapshot, hash, index, index + 1, 1)?.is_empty())
    }
}
