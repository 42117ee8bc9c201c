//! What became of stored records, for those who read them: outcomes, releases, causes.

use std::collections::{BTreeMap, BTreeSet};

use ledgerstone_verify::entry::{Exception, ExceptionOutcome, Outcome};

use super::append::stored_exceptions;
use super::view::View;
use crate::error::{Error, Rejected, Result};
use crate::model::RowId;
use crate::schema::codec::decode_list;
use crate::schema::{Primitive, RecordType, Rule, Severity};
use crate::store::{Table, number_key};

/// A record of an append that was not plainly accepted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordException {
    /// What became of it: a held or flagged record is in the ledger, a rejected one is not.
    pub outcome: ExceptionOutcome,
    /// Why.
    pub reason: Rejected,
}

impl RecordException {
    /// The outcome with its code.
    pub fn to_outcome(&self) -> Outcome {
        let code = self.reason.code.clone();
        match self.outcome {
            ExceptionOutcome::Flagged => Outcome::Flagged(code),
            ExceptionOutcome::Held => Outcome::Held(code),
            ExceptionOutcome::Rejected => Outcome::Rejected(code),
        }
    }
}

/// What became of a stored record. The text of all but accepted is the code, the stable name of the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its effects applied.
    Accepted,
    /// Its effects applied, and somebody should look at it.
    Flagged(String),
    /// It waits for its release, without effects.
    Held(String),
    /// It was held, and is released: its effects applied then.
    Released(String),
}

impl Standing {
    /// `accepted`, `flagged`, `held` or `released`.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Accepted => "accepted",
            Standing::Flagged(_) => "flagged",
            Standing::Held(_) => "held",
            Standing::Released(_) => "released",
        }
    }

    /// The code; an accepted record has none.
    pub fn code(&self) -> Option<&str> {
        match self {
            Standing::Accepted => None,
            Standing::Flagged(code) | Standing::Held(code) | Standing::Released(code) => Some(code),
        }
    }
}

impl View {
    /// What had become of stored rows, which ascend, when the ledger held `end` transactions.
    pub(crate) fn standings(&self, rows: &[RowId], end: u64) -> Result<Vec<Standing>> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let exceptions = self.kept_exceptions(first.index, last.index)?;
        rows.iter()
            .map(|row| match exceptions.get(row) {
                None => Ok(Standing::Accepted),
                Some((ExceptionOutcome::Held, code)) if self.released_at(*row, end)?.is_some() => {
                    Ok(Standing::Released(code.clone()))
                }
                Some((ExceptionOutcome::Held, code)) => Ok(Standing::Held(code.clone())),
                Some((_, code)) => Ok(Standing::Flagged(code.clone())),
            })
            .collect()
    }

    /// What had become of one stored row when the ledger held `end` transactions.
    pub(crate) fn standing(&self, row: RowId, end: u64) -> Result<Standing> {
        Ok(self.standings(&[row], end)?.pop().unwrap_or(Standing::Accepted))
    }

    /// Which of these rows were held where they stand, whether or not they were released since.
    pub(crate) fn were_held(&self, rows: &[RowId]) -> Result<Vec<bool>> {
        let mut held = Vec::with_capacity(rows.len());
        for same in rows.chunk_by(|left, right| left.index == right.index) {
            let exceptions = stored_exceptions(self, same[0].index)?;
            let stays = exceptions.iter().filter(|exception| exception.outcome == ExceptionOutcome::Held);
            let positions: BTreeSet<u64> = stays.map(|exception| exception.position).collect();
            held.extend(same.iter().map(|row| positions.contains(&u64::from(row.position))));
        }
        Ok(held)
    }

    /// Held and flagged records of the transactions from `first` to `last`.
    fn kept_exceptions(&self, first: u64, last: u64) -> Result<BTreeMap<RowId, (ExceptionOutcome, String)>> {
        let mut kept = BTreeMap::new();
        let mut damaged = None;
        let (from, to) = (number_key(first), number_key(last + 1));
        self.snapshot.scan(Table::Exceptions, &from, Some(&to), &mut |key, stored| {
            match exceptions_of(key, stored) {
                Ok((index, exceptions)) => {
                    let stays = |exception: &Exception| exception.outcome != ExceptionOutcome::Rejected;
                    kept.extend(exceptions.into_iter().filter(stays).map(|exception| {
                        let row = RowId::new(index, exception.position as u32);
                        (row, (exception.outcome, exception.code))
                    }));
                }
                Err(error) => damaged = Some(error),
            }
            damaged.is_none()
        })?;
        damaged.map_or(Ok(kept), Err)
    }

    /// The transaction that released a held record, if that is below `end`. A release is final: its cell is set once.
    pub(crate) fn released_at(&self, row: RowId, end: u64) -> Result<Option<u64>> {
        let release = self.cell_with_index(&release_cell(row))?;
        Ok(release.map(|(index, _)| index).filter(|index| *index < end))
    }

    /// The position of the signed record that caused an emitted one; `None` where the author signed the record himself.
    pub(crate) fn cause(&self, row: RowId) -> Result<Option<u32>> {
        self.causes(row.index)?.of(row.position)
    }

    /// Which records of a transaction were emitted, and what caused each.
    pub(crate) fn causes(&self, index: u64) -> Result<Causes> {
        let last = number_key(RowId::new(index + 1, 0).number() - 1);
        let none = Causes { index, first: u32::MAX, causes: Vec::new() };
        let Some((key, causes)) = self.snapshot.last_at(Table::Emitted, &last)? else { return Ok(none) };
        let first = RowId::from_number(u64::from_be_bytes(key.try_into().unwrap_or_default()));
        Ok(if first.index == index { Causes { index, first: first.position, causes } } else { none })
    }
}

/// The emitted records of a transaction: the row of the table `emitted`.
pub(crate) struct Causes {
    pub(crate) index: u64,
    /// Position of the first.
    first: u32,
    /// For each, u32le position of the signed record that caused it.
    causes: Vec<u8>,
}

impl Causes {
    /// The position of the signed record that caused the one at a position; `None` where its author signed it himself.
    pub(crate) fn of(&self, position: u32) -> Result<Option<u32>> {
        let Some(place) = position.checked_sub(self.first) else { return Ok(None) };
        let cause = self.causes.as_chunks::<4>().0.get(place as usize).map(|bytes| u32::from_le_bytes(*bytes));
        let damaged = || Error::damaged(format!("table emitted: the row of transaction {} is too short", self.index));
        cause.map(Some).ok_or_else(damaged)
    }
}

impl View {
    /// Whether a record of a type, in any version, can be held.
    pub(crate) fn can_be_held(&self, type_name: &str) -> bool {
        self.authority.versions_of(type_name).any(|version| version.can_be_held())
    }

    /// What had become of rows of one type, which ascend, at a size: where none of them can be an exception, nothing is read.
    pub(crate) fn standings_of(&self, type_name: &str, rows: &[RowId], end: u64) -> Result<Vec<Standing>> {
        if self.authority.versions_of(type_name).any(|version| version.can_be_an_exception()) {
            self.standings(rows, end)
        } else {
            Ok(vec![Standing::Accepted; rows.len()])
        }
    }
}

impl RecordType {
    /// Whether a record of it can be held.
    pub(crate) fn can_be_held(&self) -> bool {
        self.rules.iter().any(|rule| rule.severity == Severity::Hold)
    }

    /// Whether a record of it takes back what the version before it did.
    pub(crate) fn replaces(&self) -> bool {
        let is_replaced = |rule: &Rule| matches!(&rule.primitive, Primitive::Unique { versioned: Some(versioned), .. } if versioned.replace);
        self.rules.iter().any(is_replaced)
    }

    /// Whether a record of it that stands can be something else than plainly accepted.
    pub(crate) fn can_be_an_exception(&self) -> bool {
        let follows = |primitive: &Primitive| matches!(primitive, Primitive::Emit { .. });
        self.name == "ledger.release"
            || self.has_private_fields()
            || self.rules.iter().any(|rule| rule.severity != Severity::Reject || follows(&rule.primitive))
    }
}

/// The name of the cell that says that a held record was released.
pub(crate) fn release_cell(row: RowId) -> Vec<u8> {
    format!("[\"ledger.release\",\"status\",[{},{}],[]]", row.index, row.position).into_bytes()
}

/// A row of the table `exceptions`.
fn exceptions_of(key: &[u8], stored: &[u8]) -> Result<(u64, Vec<Exception>)> {
    let index = u64::from_be_bytes(key.try_into().unwrap_or_default());
    let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("table exceptions, index {index}: {why}"));
    let entries = decode_list(stored).map_err(|error| damaged(&error))?;
    let exceptions = entries.into_iter().map(|bytes| Exception::parse(bytes).map_err(|error| damaged(&error)));
    Ok((index, exceptions.collect::<Result<_>>()?))
}
