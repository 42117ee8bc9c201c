//! Records that are refused on their own, whatever the ledger holds.

use ledgerstone::codes;
use ledgerstone::model::Value;
use ledgerstone::{Create, Error, Ledger};
use ledgerstone_tests::{ORIGIN, account, books, key, object, text, transfer};

use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::MISSING_FIELD, "row 0, field exponent", || commodity(&[("code", text("AAPL"))])),
    (codes::UNKNOWN_FIELD, "row 0, field colour", || {
        commodity(&[("code", text("AAPL")), ("exponent", Value::Int(0)), ("colour", text("red"))])
    }),
    (codes::WRONG_TYPE, "row 0, field amount", || amount(Value::Float(12.5))),
    (codes::OUT_OF_RANGE, "row 0, field exponent", || {
        commodity(&[("code", text("AAPL")), ("exponent", Value::Int(99))])
    }),
    (codes::TOO_LONG, "row 0, field code", || {
        commodity(&[("code", text(&"A".repeat(100_000))), ("exponent", Value::Int(0))])
    }),
    (codes::BAD_FORMAT, "row 0, field amount", || amount(text("twelve"))),
    (codes::TOO_MANY_DIGITS, "row 0, field amount", || amount(text("0.0000000000001"))),
    (codes::BAD_TEXT, "row 0, field code", || commodity(&[("code", text("A\0B")), ("exponent", Value::Int(0))])),
    (codes::NOT_EXACT, "row 0, field at", || note(&[("at", text("2026-01-01T00:00:00.1234567Z"))])),
    (codes::RECORD_TOO_LARGE, "row 0", || note(&[("lines", Value::List(vec![text(&"x".repeat(65_536)); 17]))])),
    (codes::OVERFLOW, "row 0, field amount", overflow),
    (codes::ID_REUSED, "row 0", || {
        let ledger = ready();
        ledger.append_all(vec![transfer("t1", "cash", "sales", "1")], Some("day-1")).unwrap();
        ledger.append_all(vec![transfer("t2", "cash", "sales", "1")], Some("day-1")).unwrap_err().into()
    }),
];

/// A ledger with two accounts.
pub(crate) fn ready() -> Ledger {
    let ledger = books().in_memory().unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    ledger
}

/// A refusal leaves nothing behind.
pub(crate) fn refused(ledger: &Ledger, record: (String, Value)) -> Error {
    let size = ledger.size().unwrap();
    let error = ledger.append_all(vec![record], None).unwrap_err();
    assert_eq!(ledger.size().unwrap(), size);
    error
}

fn commodity(members: &[(&str, Value)]) -> Provoked {
    refused(&ready(), ("finance.commodity".to_owned(), object(members))).into()
}

fn amount(amount: Value) -> Provoked {
    let (name, Value::Object(mut members)) = transfer("t1", "cash", "sales", "1") else { unreachable!() };
    members.retain(|(name, _)| name != "amount");
    members.push(("amount".to_owned(), amount));
    refused(&ready(), (name, Value::Object(members))).into()
}

fn note(members: &[(&str, Value)]) -> Provoked {
    let source = "[module]\nname = \"notes\"\nversion = 1\ntitle = \"Notes\"\n[roles.writer]\ndoc = \"Writes\"\n\
        [types.note]\ndoc = \"A note\"\nauthorise = [\"writer\"]\n[types.note.fields]\nat = { type = \"timestamp\" }\n\
        lines = { type = \"list\", item = { type = \"text\", max = 65536, required = true } }\n";
    let ledger = Create::new(ORIGIN, key()).module(source, "notes.toml").in_memory().unwrap();
    refused(&ledger, ("notes.note".to_owned(), object(members))).into()
}

fn overflow() -> Provoked {
    let ledger = ready();
    let huge = "9999999999999999";
    ledger.append_all(vec![transfer("t1", "cash", "sales", huge)], None).unwrap();
    refused(&ledger, transfer("t2", "cash", "sales", huge)).into()
}
