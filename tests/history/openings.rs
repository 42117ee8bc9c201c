//! Balances that exist from the start, before and after something touches them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use ledgerstone::model::Value;
use ledgerstone::{Moment, StatementRequest, codes};
use ledgerstone_tests::{books, object, text, texts};

use super::wallet::told;

/// Rooms that nobody needs to open: their balance exists from the start.
const ROOMS: &str = r#"
[module]
name = "rooms"
version = 1
title = "Rooms"

[roles.porter]
doc = "Books"

[types.room]
authorise = ["porter"]
[types.room.fields]
id = { type = "text", required = true }
[types.room.cells.beds]
kind = "balance"
parts = ["free"]
scale = 0
opening = { free = "10" }
[[types.room.rules]]
unique = ["id"]

[types.booking]
authorise = ["porter"]
effective = "day"
[types.booking.fields]
room = { type = "text", required = true }
beds = { type = "int", required = true }
day  = { type = "date", required = true }
[[types.booking.rules]]
balance = "room.beds"
at = ["room"]
subtract = { free = "beds" }
"#;

#[test]
fn a_balance_that_nothing_touched_is_its_opening() {
    let ledger = Arc::new(books().module(ROOMS, "rooms.toml").in_memory().unwrap());
    let room = "rooms.room";
    let free = |balance: &ledgerstone::Balance| balance["free"].to_string();
    let (key, none) = ([text("1")], Vec::<String>::new());
    assert_eq!(ledger.balances(room, &key).unwrap_err().code(), codes::NO_RECORD, "there is no such room");
    let first = ledger.append(room, texts(&[("id", "1")]), None).unwrap().index;
    assert_eq!(free(&ledger.balances(room, &key).unwrap()[&none]), "10");
    assert_eq!(ledger.state(room, &key).unwrap().len(), 1);
    assert_eq!(free(&ledger.balances_on(room, &key, 0, None).unwrap()[&none]), "10");
    let booking = object(&[("room", text("1")), ("beds", Value::Int(3)), ("day", Value::Date(20_500))]);
    ledger.append("rooms.booking", booking, None).unwrap();
    assert_eq!(free(&ledger.balances(room, &key).unwrap()[&none]), "7");
    assert_eq!(free(&ledger.as_of(Moment::Index(first)).balances(room, &key).unwrap()[&none]), "10");
    assert_eq!(free(&ledger.balances_on(room, &key, 20_499, None).unwrap()[&none]), "10");
    assert_eq!(free(&ledger.balances_on(room, &key, 20_500, None).unwrap()[&none]), "7");
    let request = StatementRequest { record_type: room.to_owned(), key: key.to_vec(), ..StatementRequest::default() };
    let lines = ledger.statement(&request).unwrap();
    assert_eq!((free(&lines.opening()), free(&lines.closing())), ("10".to_owned(), "7".to_owned()));
    let batches: Vec<RecordBatch> = lines.map(Result::unwrap).collect();
    let change = batches[0].column_by_name("free_change").unwrap().as_primitive::<Decimal128Type>();
    assert_eq!((batches[0].num_rows(), change.value(0)), (1, -3));
    let mut seen = Vec::new();
    told("", ledger.history(room, &key, None).unwrap(), &mut seen);
    assert!(seen[1].contains("\"10\"") && seen[1].contains("\"7\""), "{seen:?}");
}
