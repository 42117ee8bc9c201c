//! What a new version of a module asks of what is stored.
//!
//! It is decided on the state before its transaction. So that this is all there is, nothing else of the transaction makes or moves
//! anything: its other records are of the module `ledger`, and release nothing.

use super::authority::{RELEASE, SEMANTICS};
use super::gate::{is_builtin, refusal};
use super::keys::Repeated;
use super::ops::Rejection;
use super::prepared::PreparedChunk;
use super::serial::Deciding;
use super::working::LoadError;
use crate::codes;
use crate::model::State;
use crate::schema::{CellType, Demand, Reason};

/// A new version of a module, which fits the version in force as far as the two say alone.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) module: String,
    pub(crate) demands: Vec<Demand>,
}

/// What is stored and does not fit.
struct Unmet {
    cell: Option<String>,
    message: String,
}

impl<E> Deciding<'_, '_, E> {
    /// What is prepared under a semantics is decided under it, so the record that raises it is alone: why it is not.
    pub(super) fn not_alone(&self, chunk: &PreparedChunk) -> Option<Rejection> {
        let count: usize = self.chunks.prepared.iter().map(PreparedChunk::len).sum();
        (chunk.record_type.name == SEMANTICS && count > 1).then(|| {
            let message = format!("{SEMANTICS} is the only record of its transaction, and here are {count}");
            refusal(codes::SEMANTICS_ALONE, message)
        })
    }

    /// Why what is stored does not let a new version of a module follow: every demand that it does not meet, each with the first cell
    /// in the order of names. `None` where it may follow.
    pub(super) fn unfit(&self, upgrade: &Upgrade) -> Result<Option<Rejection>, LoadError<E>> {
        let mut types = self.chunks.prepared.iter().map(|chunk| &chunk.record_type);
        if let Some(other) = types.find(|declared| !is_builtin(declared) || declared.name == RELEASE) {
            let message = format!(
                "a new version of {} comes in a transaction without records of modules and without releases, and here is one of {}: append it before or after",
                upgrade.module, other.name
            );
            return Ok(Some(refusal(codes::MODULE_UPGRADE, message)));
        }
        let mut unmet = Vec::new();
        for demand in &upgrade.demands {
            unmet.extend(self.unmet_by(demand)?);
        }
        let cell = unmet.iter_mut().find_map(|unmet| unmet.cell.take());
        let messages: Vec<String> = unmet.into_iter().map(|unmet| unmet.message).collect();
        let reason = Reason { code: codes::MODULE_UPGRADE.to_owned(), message: messages.join("; ") };
        Ok((!reason.message.is_empty()).then_some(Rejection { reason, field: Some("source".to_owned()), cell }))
    }

    fn unmet_by(&self, demand: &Demand) -> Result<Option<Unmet>, LoadError<E>> {
        match demand {
            Demand::Bounds { cell, bounds } => first_broken(self.state, cell, bounds),
            Demand::Unused { cell, reason } => in_use(self.state, cell, reason),
            Demand::Keys(added) => {
                let types = |name: &str, version: u64| self.gate.record_type(name, version);
                let repeated = Repeated::first(self.state, &types, added)?;
                Ok(repeated.map(|repeated| Unmet { cell: None, message: repeated.message(added) }))
            }
        }
    }
}

/// Whether a cell of a kind was ever set, or a record of the type that owns it is stored.
fn in_use<E>(state: &dyn State<Error = E>, cell: &CellType, reason: &str) -> Result<Option<Unmet>, LoadError<E>> {
    let (place, owner) = (format!("{}.{}", cell.owner, cell.name), &cell.owner);
    if let Some(touched) = first_set(state, cell)? {
        let message = format!("{place}: {reason}, and the cell {touched} was set");
        return Ok(Some(Unmet { cell: Some(touched), message }));
    }
    let has_records = state.has_records(owner).map_err(LoadError::State)?;
    let message = || format!("{place}: {reason}, and there are records of {owner}");
    Ok(has_records.then(|| Unmet { cell: None, message: message() }))
}

/// The first cell that does not keep new bounds.
fn first_broken<E>(
    state: &dyn State<Error = E>,
    cell: &CellType,
    bounds: &[usize],
) -> Result<Option<Unmet>, LoadError<E>> {
    let mut found = Ok(None);
    let mut visit = |name: &[u8], stored: Option<&[u8]>| {
        let Some(stored) = stored else { return true };
        let name = String::from_utf8_lossy(name).into_owned();
        let Some(value) = cell.parse_value(stored) else {
            found = Err(LoadError::Cell(name));
            return false;
        };
        let Some(broken) = cell.broken(bounds, &value) else { return true };
        let (place, holds) = (format!("{}.{}", cell.owner, cell.name), String::from_utf8_lossy(stored));
        let message = format!("{place}: {} is new, and {name} breaks it: it holds {holds}", broken.code);
        found = Ok(Some(Unmet { cell: Some(name), message }));
        false
    };
    state.cells_from(&cell.name_prefix(), &mut visit).map_err(LoadError::State)?;
    found
}

/// The first cell of a kind that was ever set.
fn first_set<E>(state: &dyn State<Error = E>, cell: &CellType) -> Result<Option<String>, LoadError<E>> {
    let mut found = None;
    let mut visit = |name: &[u8], _: Option<&[u8]>| {
        found = Some(String::from_utf8_lossy(name).into_owned());
        false
    };
    state.cells_from(&cell.name_prefix(), &mut visit).map_err(LoadError::State)?;
    Ok(found)
}
