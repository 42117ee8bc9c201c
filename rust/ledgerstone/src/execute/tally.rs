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

/// Which votes are counted: their fields, and the JSON of the value that each has.
type Group<'g> = [(&'g str, &'g [u8])];

/// The votes that were found so far.
struct Ballots<'g> {
    tally: &'g Tally,
    group: &'g Group<'g>,
    counted: Vec<Ballot>,
}

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
        let mut ballots = Ballots { tally, group: &group, counted: Vec::new() };
        self.stored_votes(&mut ballots)?;
        for vote in self.working.taken_of(chunks, &tally.target) {
            ballots.counted.extend(ballot(tally, &group, &self.record_of(Holder::Batch(vote))?));
        }
        if ballots.are_too_many() {
            return Ok(Err(Failure::TooMany));
        }
        let Some(outcome) = count(tally.method, &ballots.counted) else { return Ok(Err(Failure::Overflow)) };
        let ours = data_of(chunk.bytes.row(place.row as usize)).unwrap_or(Json::Null);
        Ok(if is_claimed(tally, &chunk.record_type, &ours, &outcome) { Ok(()) } else { Err(Failure::Rule) })
    }

    /// Takes the rows of the ledger that hold their key. It ends with the first ballot that is one too many, so that what it keeps in
    /// memory is bounded by the ballots that a tally may count.
    fn stored_votes(&mut self, ballots: &mut Ballots<'_>) -> Result<(), LoadError<E>> {
        let (state, tally, group) = (self.state, ballots.tally, ballots.group);
        let Some((field, value)) = group.first() else { return Ok(()) };
        let mut failed = None;
        let mut visit = |row| match self.stored_vote(row, tally, group) {
            Ok(vote) => {
                ballots.counted.extend(vote);
                !ballots.are_too_many()
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        state.rows_with(&tally.target, field, value, &mut visit).map_err(LoadError::State)?;
        failed.map_or(Ok(()), Err)
    }

    /// The ballot of a row that is of the group and holds its key: no version was put after it, and a held record has none.
    fn stored_vote(&mut self, row: RowId, tally: &Tally, group: &Group<'_>) -> Result<Option<Ballot>, LoadError<E>> {
        let Some(ballot) = ballot(tally, group, &self.record_of(Holder::Stored(row))?) else { return Ok(None) };
        let keys = self.state.unique_keys(row).map_err(LoadError::State)?;
        let Some(key) = keys.iter().find(|key| key.is_first(&tally.target)) else { return Ok(None) };
        let hash = self.state.key_hash(&key.bytes);
        self.working.reach_key(self.state, hash)?;
        let is_newest = self.working.find(self.chunks, hash, &key.bytes) == Some(Holder::Stored(row));
        Ok(is_newest.then_some(ballot))
    }
}

impl Ballots<'_> {
    fn are_too_many(&self) -> bool {
        self.counted.len() > TALLY_RECORDS
    }
}

/// The ballot that a record of the votes' type is; `None` where it is not of the group.
fn ballot(tally: &Tally, group: &Group<'_>, record: &[u8]) -> Option<Ballot> {
    let data = data_of(record)?;
    let is_of_group = |(field, value): &(&str, &[u8])| data.get(field).is_some_and(|it| it.canonical() == *value);
    if !group.iter().all(is_of_group) {
        return None;
    }
    let text = |json: &Json| json.as_text().map(str::to_owned);
    let choices = match data.get(&tally.choice) {
        Some(Json::List(choices)) => choices.iter().filter_map(text).collect(),
        other => other.and_then(text).into_iter().collect(),
    };
    Some(Ballot { choices, weight: tally.weight.as_ref().and_then(|field| number(data.get(field)?)) })
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
