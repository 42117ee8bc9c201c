//! `tally`: the votes of a group, counted, against what the record claims of them.

use std::collections::BTreeMap;

use ledgerstone_verify::canon::Json;

use super::ballots::{Ballot, Outcome, count};
use super::matching::data_of;
use super::ops::{Failure, Op};
use super::steps::{Unit, Verdict};
use super::working::{Holder, LoadError, Place};
use crate::limits::TALLY_RECORDS;
use crate::model::{Decimal, RowId};
use crate::schema::{Primitive, RecordType, Tally};

impl<E> Unit<'_, '_, E> {
    /// Counts the newest version of every vote of the group that stands before the record.
    pub(super) fn tally(&mut self, place: Place, op: Op, values: &[Vec<u8>]) -> Verdict<E> {
        let chunks = self.chunks;
        let chunk = &chunks[place.chunk as usize];
        let Primitive::Tally(tally) = &chunk.record_type.rules[usize::from(op.rule)].primitive else {
            return Ok(Err(Failure::Rule));
        };
        let group: Vec<(&str, &[u8])> =
            tally.group.iter().zip(values).map(|((field, _), value)| (field.as_str(), value.as_slice())).collect();
        let mut votes = self.stored_votes(tally, &group)?;
        votes.extend(self.working.taken_of(chunks, &tally.target).into_iter().map(Holder::Batch));
        let mut ballots = Vec::new();
        for vote in votes {
            let data = data_of(&self.record_of(vote)?).unwrap_or(Json::Null);
            let is_of_group =
                |(field, value): &(&str, &[u8])| data.get(field).is_some_and(|it| it.canonical() == *value);
            if group.iter().all(is_of_group) {
                ballots.push(ballot(tally, &data));
            }
            if ballots.len() > TALLY_RECORDS {
                return Ok(Err(Failure::TooMany));
            }
        }
        let Some(outcome) = count(tally.method, &ballots) else { return Ok(Err(Failure::Overflow)) };
        let ours = data_of(chunk.bytes.row(place.row as usize)).unwrap_or(Json::Null);
        Ok(if is_claimed(tally, &chunk.record_type, &ours, &outcome) { Ok(()) } else { Err(Failure::Rule) })
    }

    /// Rows of the ledger that hold their key: no version was put after them, and a held record has none.
    fn stored_votes(&mut self, tally: &Tally, group: &[(&str, &[u8])]) -> Result<Vec<Holder>, LoadError<E>> {
        let mut rows: Vec<RowId> = Vec::new();
        if let Some((field, value)) = group.first() {
            let visit = &mut |row| rows.push(row);
            self.state.rows_with(&tally.target, field, value, visit).map_err(LoadError::State)?;
        }
        let mut votes = Vec::new();
        for row in rows {
            let keys = self.state.unique_keys(row).map_err(LoadError::State)?;
            let Some(key) = keys.iter().find(|key| key.is_first(&tally.target)) else { continue };
            let hash = self.state.key_hash(&key.bytes);
            self.working.reach_key(self.state, hash)?;
            if self.working.find(self.chunks, hash, &key.bytes) == Some(Holder::Stored(row)) {
                votes.push(Holder::Stored(row));
            }
        }
        Ok(votes)
    }
}

fn ballot(tally: &Tally, data: &Json) -> Ballot {
    let text = |json: &Json| json.as_text().map(str::to_owned);
    let choices = match data.get(&tally.choice) {
        Some(Json::List(choices)) => choices.iter().filter_map(text).collect(),
        other => other.and_then(text).into_iter().collect(),
    };
    Ballot { choices, weight: tally.weight.as_ref().and_then(|field| number(data.get(field)?)) }
}

fn number(json: &Json) -> Option<Decimal> {
    match json {
        Json::Int(value) => Some(Decimal::new(i128::from(*value), 0)),
        Json::Text(text) => Decimal::parse(text),
        _ => None,
    }
}

/// Whether the record claims what was counted: every choice once, in any order; those without a vote may be left out.
fn is_claimed(tally: &Tally, record_type: &RecordType, ours: &Json, outcome: &Outcome) -> bool {
    let field = |place: usize| ours.get(&record_type.fields[place].name);
    let claims = field(tally.counts).and_then(Json::as_list).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for claim in claims {
        let (Some(choice), Some(votes)) =
            (claim.get("choice").and_then(Json::as_text), claim.get("votes").and_then(number))
        else {
            return false;
        };
        if counts.insert(choice.to_owned(), votes.normalised()).is_some() {
            return false;
        }
    }
    counts.retain(|_, votes| votes.mantissa != 0);
    let winner = tally.winner.map(|place| field(place).and_then(Json::as_text));
    counts == outcome.counts && winner.is_none_or(|winner| winner == outcome.winner.as_deref())
}
