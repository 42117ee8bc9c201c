//! What the lookups of a record find: state at the moment its rule's turn comes, earlier records of the transaction included.

use ledgerstone_verify::canon::Json;

use super::matching::data_of;
use super::plan::{Scope, write_key};
use super::steps::Unit;
use super::working::LoadError;
use crate::model::CellValue;
use crate::schema::{Candidate, CellKind, CellType, Expr, Found, Lookup, LookupField, LookupSource, OwnedScalar};

/// The values of what was found, in the order of the lookup's fields; `None` where nothing is there.
type Values = Option<Vec<OwnedScalar>>;

impl<E> Unit<'_, '_, E> {
    /// What the lookups of the type find for a row; those over another list than the rule's find nothing.
    pub(super) fn look_up(&mut self, whole: Scope<'_, '_>, each: Option<usize>) -> Result<Vec<Found>, LoadError<E>> {
        let mut all = Vec::new();
        for lookup in &whole.rows.record_type().lookups {
            let mut found = Found::default();
            match lookup.each {
                None => found.0.push(self.look(lookup, whole)?),
                Some(list) if each == Some(list) => {
                    for item in whole.rows.list_range(list, whole.row) {
                        found.0.push(self.look(lookup, Scope { item: Some(item), ..whole })?);
                    }
                }
                Some(_) => {}
            }
            all.push(found);
        }
        Ok(all)
    }

    /// The first candidate that is there.
    fn look(&mut self, lookup: &Lookup, scope: Scope<'_, '_>) -> Result<Values, LoadError<E>> {
        for candidate in &lookup.candidates {
            let found = match &lookup.source {
                LookupSource::Record(target) => {
                    let mut key = Vec::new();
                    if !write_key(target, 0, &candidate.at, scope, &mut key) {
                        continue;
                    }
                    self.record_values(&key, &lookup.fields)?
                }
                LookupSource::Cell(cell) => {
                    let Some(name) = cell_name(cell, candidate, scope) else { continue };
                    let slot = self.working.reach(self.state, cell, &name)?;
                    values_of(self.working.kind(slot), self.working.value(slot), &lookup.fields)
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn record_values(&mut self, key: &[u8], fields: &[LookupField]) -> Result<Values, LoadError<E>> {
        let hash = self.state.key_hash(key);
        self.working.reach_key(self.state, hash)?;
        let Some(holder) = self.working.find(self.chunks, hash, key) else { return Ok(None) };
        let data = data_of(&self.record_of(holder)?).unwrap_or(Json::Null);
        let value = |field: &LookupField| {
            let at = field.name.split('.').try_fold(&data, |at, name| at.get(name));
            OwnedScalar::from_json(field.kind, at)
        };
        Ok(Some(fields.iter().map(value).collect()))
    }
}

/// The name of a candidate's cell; `None` where one of its values is absent.
fn cell_name(cell: &CellType, candidate: &Candidate, scope: Scope<'_, '_>) -> Option<Vec<u8>> {
    let values = |of: &'_ [Expr]| of.iter().map(|value| OwnedScalar::from(scope.value(value))).collect::<Vec<_>>();
    let (at, by) = (values(&candidate.at), values(&candidate.by));
    if at.iter().chain(&by).any(|value| value.as_scalar().is_absent()) {
        return None;
    }
    let mut name = Vec::new();
    cell.write_name(at.iter().map(OwnedScalar::as_scalar), by.iter().map(OwnedScalar::as_scalar), &mut name);
    Some(name)
}

/// What a cell holds: one that no record touched has its initial state or opening, and a count is never absent.
fn values_of(cell: &CellType, value: Option<&CellValue>, fields: &[LookupField]) -> Values {
    let one = |value: OwnedScalar| Some(fields.iter().map(|_| value.clone()).collect());
    match (&cell.kind, value) {
        (CellKind::Balance(balance), value) => {
            let opening = balance.opening();
            let parts = match value {
                Some(CellValue::Parts(parts)) => parts,
                _ => opening.as_ref()?,
            };
            let part = |field: &LookupField| {
                let place = balance.parts.iter().position(|part| *part == field.name)?;
                Some(OwnedScalar::Decimal(balance.decimal(parts.part(place)?)))
            };
            Some(fields.iter().map(|field| part(field).unwrap_or(OwnedScalar::Absent)).collect())
        }
        (CellKind::Count(_), Some(CellValue::Count(count))) => one(OwnedScalar::Int(*count)),
        (CellKind::Count(_), _) => one(OwnedScalar::Int(0)),
        (CellKind::Lifecycle(lifecycle), value) => {
            let stored = if let Some(CellValue::State(state)) = value { Some(*state) } else { None };
            let state = stored.or(lifecycle.initial)?;
            one(OwnedScalar::Text(lifecycle.states[usize::from(state)].clone()))
        }
        (CellKind::Holder(_), Some(CellValue::Holder(holder))) => one(OwnedScalar::Text(holder.to_string())),
        (CellKind::Sequence(_), Some(CellValue::Last(last))) => one(last.scalar().into()),
        (CellKind::Holder(_) | CellKind::Sequence(_), _) => None,
    }
}
