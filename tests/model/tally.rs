//! Counting votes: the newest version of every `note`, by what it says under `kind`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::amount;
use super::interpret::Interpreter;
use super::language::Does;
use super::scope::Scope;
use super::state::Unit;

const ONE: i128 = 10i128.pow(amount::SCALE as u32);

/// The whole part of the root of the whole part.
fn root(weight: i128) -> i128 {
    let mut root = 0;
    while (root + 1) * (root + 1) <= weight / ONE {
        root += 1;
    }
    root * ONE
}

impl Interpreter {
    /// Whether a record claims what is counted.
    pub(super) fn is_counted(&self, unit: &Unit<'_>, scope: &Scope<'_>, does: &Does) -> bool {
        let Does::Tally { weight, method, winner, .. } = does else { panic!("no tally") };
        let votes = unit.records("m.note");
        let is_of_group = |vote: &&Json| !vote["flag"].is_null() && vote["flag"] == scope.data["flag"];
        let mut counts: BTreeMap<&str, i128> = BTreeMap::new();
        for vote in votes.into_iter().filter(is_of_group) {
            let Some(choice) = vote["kind"].as_str() else { continue };
            let weight = weight.map_or(0, |field| match &vote[field] {
                Json::Number(number) => i128::from(number.as_i64().expect("an int")) * ONE,
                Json::String(text) => amount::parse(text),
                _ => 0,
            });
            *counts.entry(choice).or_default() += match *method {
                "plurality" => ONE,
                "weighted" => weight.max(0),
                _ => root(weight.max(0)),
            };
        }
        counts.retain(|_, count| *count != 0);
        let most = counts.values().max();
        let mut best = counts.iter().filter(|(_, count)| Some(*count) == most).map(|(choice, _)| *choice);
        let winner_counted = match (best.next(), best.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        let mut claimed: BTreeMap<&str, i128> = BTreeMap::new();
        for claim in scope.data["counts"].as_array().into_iter().flatten() {
            let votes = claim["votes"].as_str().expect("a decimal");
            if claimed.insert(claim["choice"].as_str().expect("a choice"), amount::parse(votes)).is_some() {
                return false;
            }
        }
        claimed.retain(|_, count| *count != 0);
        claimed == counts && (!winner || scope.data["winner"].as_str() == winner_counted)
    }
}
