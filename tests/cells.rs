//! Every kind of cell and every primitive over it, in one small module: what is accepted, the code of what is not, and that an audit
//! replays it all.

use ledgerstone::model::Value;
use ledgerstone::{Create, Ledger};
use ledgerstone_tests::{ORIGIN, audited, code_of, key, value};
use serde_json::{Value as Json, json};

/// A module that has them all.
const MODULE: &str = include_str!("fixtures/cells.toml");

fn ledger() -> Ledger {
    Create::new(ORIGIN, key()).module(MODULE, "cells.toml").in_memory().unwrap_or_else(|error| panic!("{error}"))
}

/// Appends records as one transaction; the code where it is refused.
fn append(ledger: &Ledger, records: &[(&str, Json)]) -> Result<(), String> {
    let records = records.iter().map(|(kind, data)| (format!("m.{kind}"), value(data))).collect();
    ledger.append_all(records, None).map(|_| ()).map_err(|error| code_of(&error).to_owned())
}

fn one(ledger: &Ledger, kind: &str, data: Json) -> Result<(), String> {
    append(ledger, &[(kind, data)])
}

fn refused(code: &str) -> Result<(), String> {
    Err(format!("m.{code}"))
}

#[test]
fn a_count_stays_within_its_bounds() {
    let ledger = ledger();
    let ballot = |copies: i64| ("ballot", json!({"voter": "v", "copies": copies}));
    assert_eq!(append(&ledger, &[ballot(1), ballot(1)]), Ok(()));
    assert_eq!(append(&ledger, &[ballot(1)]), refused("count_out_of_range"));
    assert_eq!(append(&ledger, &[ballot(-2)]), Ok(()));
    assert_eq!(append(&ledger, &[ballot(-1)]), refused("count_out_of_range"));
    audited(&ledger);
}

#[test]
fn only_its_holder_passes_a_thing_on() {
    let ledger = ledger();
    let go = |from: Json, to: Json| one(&ledger, "move", json!({"piece": "i", "from": from, "to": to}));
    assert_eq!(go(Json::Null, json!("x")), refused("not_held"));
    assert_eq!(one(&ledger, "item", json!({"id": "i"})), Ok(()));
    assert_eq!(go(Json::Null, json!("x")), Ok(()));
    assert_eq!(go(json!("y"), json!("z")), refused("not_holder"));
    assert_eq!(go(json!("x"), json!("y")), Ok(()));
    let me = ledger.members().unwrap()[0].id.clone();
    ledger.withdraw(&me, "m.keeper").unwrap();
    assert_eq!(go(Json::Null, Json::Null), refused("keepers_only"));
    ledger.grant(&me, "m.keeper", None, None).unwrap();
    assert_eq!(go(Json::Null, Json::Null), Ok(()));
    assert_eq!(go(json!("y"), json!("z")), refused("not_held"));
    audited(&ledger);
}

#[test]
fn nothing_is_packed_into_itself() {
    let ledger = ledger();
    let pack = |item: &str, into: &str| one(&ledger, "pack", json!({"piece": item, "into": into}));
    assert_eq!(pack("a", "a"), refused("cycle"));
    assert_eq!((pack("a", "b"), pack("b", "c")), (Ok(()), Ok(())));
    assert_eq!(pack("c", "a"), refused("cycle"));
    assert_eq!(pack("z", "a"), Ok(()), "a, then b and c: two steps");
    assert_eq!(pack("y", "z"), refused("cycle"), "three steps are more than the rule follows");
    audited(&ledger);
}

#[test]
fn a_sequence_has_no_gap_and_intervals_no_overlap() {
    let ledger = ledger();
    let read = |number: i64, first: &str, last: &str| {
        one(&ledger, "reading", json!({"number": number, "first": first, "last": last}))
    };
    assert_eq!(read(2, "2026-01-01", "2026-01-02"), refused("out_of_sequence"));
    assert_eq!(read(1, "2026-01-01", "2026-02-01"), Ok(()));
    assert_eq!(read(2, "2026-01-31", "2026-03-01"), refused("overlap"));
    assert_eq!(read(2, "2026-02-01", "2026-02-01"), refused("overlap"), "an interval is not empty");
    assert_eq!(read(2, "2026-02-01", "2026-03-01"), Ok(()));
    assert_eq!(one(&ledger, "replacement", json!({"number": 40})), Ok(()));
    assert_eq!(read(3, "2026-03-01", "2026-04-01"), refused("out_of_sequence"));
    assert_eq!(read(41, "2026-03-01", "2026-04-01"), Ok(()));
    audited(&ledger);
}

#[test]
fn a_version_replaces_the_effects_of_the_one_before() {
    let ledger = ledger();
    let expense = |id: &str, version: i64, budget: &str, amount: &str| {
        ("expense", json!({"id": id, "version": version, "budget": budget, "amount": amount}))
    };
    let limit = |limit: Json| one(&ledger, "limit", json!({"budget": "b", "limit": limit}));
    assert_eq!(limit(json!("60")), Ok(()));
    assert_eq!(append(&ledger, &[expense("e", 1, "b", "40")]), Ok(()));
    assert_eq!(append(&ledger, &[expense("e", 3, "b", "1")]), refused("stale_version"));
    assert_eq!(append(&ledger, &[expense("e", 2, "b", "50")]), Ok(()), "40 is taken back before 50 is added");
    assert_eq!(append(&ledger, &[expense("f", 1, "b", "20")]), refused("over_budget"));
    assert_eq!(append(&ledger, &[expense("e", 3, "c", "50"), expense("f", 1, "b", "50")]), Ok(()));
    assert_eq!(append(&ledger, &[expense("f", 2, "b", "5"), expense("f", 3, "b", "45")]), Ok(()), "in one transaction");
    assert_eq!(append(&ledger, &[expense("g", 1, "c", "50.01")]), refused("needs_approval"));
    assert_eq!(limit(json!("44.99")), refused("over_budget"));
    assert_eq!(limit(Json::Null), Ok(()), "no limit");
    let spent = |budget: &str| {
        let balances = ledger.balances("m.budget", &[Value::Text(budget.to_owned())]).unwrap();
        balances[&Vec::new()]["spent"].to_string()
    };
    assert_eq!((spent("b"), spent("c")), ("45".to_owned(), "50".to_owned()));
    let newest = ledger.get("m.expense", &[Value::Text("f".to_owned())]).unwrap().unwrap();
    assert_eq!(newest.row.position, 1);
    audited(&ledger);
}

#[test]
fn shares_of_a_transaction_make_a_whole() {
    let ledger = ledger();
    let share = |parcel: &str, share: &str| ("holding", json!({"parcel": parcel, "share": share}));
    assert_eq!(append(&ledger, &[share("p", "1/3"), share("q", "1/1"), share("p", "2/3")]), Ok(()));
    assert_eq!(append(&ledger, &[share("q", "1/1"), share("p", "1/3"), share("p", "1/3")]), refused("not_whole"));
    audited(&ledger);
}

#[test]
fn the_most_specific_consent_decides() {
    let ledger = ledger();
    let me = ledger.members().unwrap()[0].id.clone();
    let consent = |to: &str, version: i64, given: bool| {
        ("consent", json!({"patient": "p", "to": to, "version": version, "given": given}))
    };
    let dispense = ("dispense", json!({"patient": "p"}));
    assert_eq!(append(&ledger, std::slice::from_ref(&dispense)), refused("no_consent"));
    assert_eq!(append(&ledger, &[dispense.clone(), consent("anybody", 1, true)]), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent("anybody", 1, true), dispense.clone()]), Ok(()));
    assert_eq!(append(&ledger, &[consent(&me, 1, false), dispense.clone()]), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent(&me, 1, false)]), Ok(()));
    assert_eq!(append(&ledger, std::slice::from_ref(&dispense)), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent(&me, 2, true), dispense]), Ok(()), "the newest version decides");
    audited(&ledger);
}

#[test]
fn a_result_is_what_the_votes_say() {
    let ledger = ledger();
    let vote = |voter: &str, version: i64, choice: &str| {
        ("vote", json!({"proposal": "p", "voter": voter, "version": version, "choice": choice}))
    };
    let result = |counts: &[(&str, i64)], winner: Option<&str>| {
        let counts: Vec<Json> =
            counts.iter().map(|(choice, votes)| json!({"choice": choice, "votes": votes})).collect();
        ("result", json!({"proposal": "p", "counts": counts, "winner": winner}))
    };
    assert_eq!(append(&ledger, &[result(&[], None)]), Ok(()));
    assert_eq!(append(&ledger, &[vote("a", 1, "yes"), vote("b", 1, "no")]), Ok(()));
    assert_eq!(append(&ledger, &[result(&[("yes", 1), ("no", 1)], None)]), Ok(()), "a tie has no winner");
    assert_eq!(append(&ledger, &[result(&[("yes", 1), ("no", 1)], Some("yes"))]), refused("tally_mismatch"));
    let other = ("vote", json!({"proposal": "q", "voter": "c", "version": 1, "choice": "no"}));
    assert_eq!(append(&ledger, &[other, vote("a", 2, "no"), result(&[("no", 2), ("yes", 0)], Some("no"))]), Ok(()));
    assert_eq!(append(&ledger, &[result(&[("no", 3)], Some("no"))]), refused("tally_mismatch"));
    assert_eq!(append(&ledger, &[result(&[("no", 2)], Some("no")), vote("c", 1, "yes")]), Ok(()));
    audited(&ledger);
}
