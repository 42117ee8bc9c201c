//! The finance module and the built-in module, code by code: one record provokes each code that the two files declare, and holds,
//! reversals, periods, commodities, closing an account and roles do what they say.

#[path = "finance/treasury.rs"]
mod treasury;

use std::collections::BTreeSet;
use std::path::Path;

use ledgerstone::model::Value;
use ledgerstone::{Error, Key, Ledger, Open};
use ledgerstone_tests::{account, books, code_of, key, object, record, text, texts, transfer};

type Record = (String, Value);

/// A record of an account that lists several units.
fn units(id: &str, units: &[&[(&str, &str)]]) -> Record {
    let units = units.iter().map(|unit| with_exponent(unit)).collect();
    let members = [("id", text(id)), ("kind", text("equity")), ("units", Value::List(units))];
    ("finance.account".to_owned(), object(&members))
}

/// An object of texts; the member `exponent` is an int.
fn with_exponent(members: &[(&str, &str)]) -> Value {
    let value = |name: &str, value: &str| match name {
        "exponent" => Value::Int(value.parse().unwrap()),
        _ => text(value),
    };
    Value::Object(members.iter().map(|(name, given)| ((*name).to_owned(), value(name, given))).collect())
}

fn finance(kind: &str, members: &[(&str, &str)]) -> Record {
    (format!("finance.{kind}"), with_exponent(members))
}

/// `kind` of the movement 5 EUR from `sales` to `cash`, and more members.
fn movement(kind: &str, more: &[(&str, &str)]) -> Record {
    let mut members = vec![("debit", "cash"), ("credit", "sales"), ("currency", "EUR"), ("amount", "5")];
    for (name, value) in more {
        members.retain(|(known, _)| known != name);
        members.push((name, value));
    }
    finance(kind, &members)
}

fn legs(kind: &str, members: &[(&str, &str)], legs: &[(&str, &str)]) -> Record {
    let leg =
        |(account, amount): &(&str, &str)| texts(&[("account", account), ("currency", "EUR"), ("amount", amount)]);
    let Value::Object(mut data) = texts(members) else { unreachable!() };
    for (name, value) in [("book", "main"), ("period", "2026-03"), ("date", "2026-03-05")] {
        if !data.iter().any(|(known, _)| known == name) {
            data.push((name.to_owned(), text(value)));
        }
    }
    data.push(("legs".to_owned(), Value::List(legs.iter().map(leg).collect())));
    (format!("finance.{kind}"), Value::Object(data))
}

const PERIOD: [(&str, &str); 3] = [("book", "main"), ("period", "2026-02"), ("date", "2026-02-03")];

/// A ledger with something to offend against.
fn prepared() -> Ledger {
    let ledger = books().in_memory().unwrap();
    let records = vec![
        finance("commodity", &[("code", "bytes"), ("exponent", "0")]),
        account("cash", "0"),
        account("sales", ""),
        finance("account", &[("id", "full"), ("kind", "asset"), ("currency", "EUR"), ("ceiling", "100")]),
        movement("transfer", &[("id", "t1")]),
        movement("transfer", &[("id", "t2")]),
        movement("transfer_reversal", &[("reverses", "t2"), ("debit", "sales"), ("credit", "cash")]),
        movement("hold", &[("id", "h1")]),
        movement("hold", &[("id", "h2")]),
        movement("hold_post", &[("hold", "h2")]),
        legs("journal_entry", &[("id", "j1")], &[("cash", "5"), ("sales", "-5")]),
        finance("period_close", &PERIOD[..2]),
    ];
    ledger.append_all(records, None).unwrap();
    ledger.append_all(treasury::prepared_records(), None).unwrap();
    ledger
}

/// One offence for each code of the finance module.
fn offences() -> Vec<(&'static str, Record)> {
    let posted = [("book", "main"), ("period", "2026-03"), ("date", "2026-03-05")];
    let late = [posted[0], posted[1], ("date", "2026-04-01"), ("id", "x")];
    let share = [("id", "x"), ("kind", "asset"), ("currency", "AAPL"), ("exponent", "6")];
    let closed = [PERIOD[0], PERIOD[1], PERIOD[2], ("id", "x")];
    vec![
        ("commodity_is_currency", finance("commodity", &[("code", "EUR"), ("exponent", "2")])),
        ("duplicate", movement("transfer", &[("id", "t1")])),
        ("account_exists", account("cash", "")),
        ("account_without_unit", finance("account", &[("id", "x"), ("kind", "asset")])),
        (
            "exponent_mismatch",
            finance("account", &[("id", "x"), ("kind", "asset"), ("currency", "bytes"), ("exponent", "3")]),
        ),
        ("unknown_commodity", finance("account", &share)),
        ("unit_twice", units("x", &[&[("currency", "EUR")], &[("currency", "EUR")]])),
        ("account_not_open", movement("transfer", &[("id", "x"), ("debit", "nobody")])),
        ("too_many_decimals", movement("transfer", &[("id", "x"), ("amount", "0.001")])),
        (
            "insufficient_funds",
            movement("transfer", &[("id", "x"), ("credit", "cash"), ("debit", "sales"), ("amount", "1000")]),
        ),
        ("over_ceiling", movement("transfer", &[("id", "x"), ("debit", "full"), ("amount", "100.01")])),
        ("account_not_empty", finance("account_close", &[("account", "sales"), ("currency", "EUR")])),
        ("amount_not_positive", movement("transfer", &[("id", "x"), ("amount", "0")])),
        ("same_account", movement("transfer", &[("id", "x"), ("credit", "cash")])),
        ("period_incomplete", movement("transfer", &[("id", "x"), ("book", "main")])),
        ("outside_period", movement("transfer", &late)),
        ("period_closed", movement("transfer", &closed)),
        (
            "already_reversed",
            movement("transfer_reversal", &[("reverses", "t2"), ("debit", "sales"), ("credit", "cash")]),
        ),
        ("unknown_transfer", movement("transfer_reversal", &[("reverses", "t9")])),
        ("reversal_mismatch", movement("transfer_reversal", &[("reverses", "t1")])),
        ("too_few_legs", legs("journal_entry", &[("id", "x")], &[("cash", "0")])),
        ("unbalanced", legs("journal_entry", &[("id", "x")], &[("cash", "5"), ("sales", "-4.99")])),
        ("unknown_entry", legs("reversal", &[("reverses", "j9")], &[("cash", "-5"), ("sales", "5")])),
        ("unknown_hold", movement("hold_post", &[("hold", "h9")])),
        ("hold_not_pending", movement("hold_void", &[("hold", "h2")])),
        ("hold_mismatch", movement("hold_post", &[("hold", "h1"), ("amount", "4")])),
        ("period_open", finance("period_reopen", &[("book", "main"), ("period", "2026-03"), ("reason", "why")])),
    ]
}

/// Every code that a schema file names.
fn declared(source: &str) -> BTreeSet<String> {
    let codes = source.lines().filter_map(|line| line.split_once("code = \"")?.1.split('"').next());
    codes.map(str::to_owned).collect()
}

fn refusal(ledger: &Ledger, record: Record) -> Error {
    let size = ledger.size().unwrap();
    let error = ledger.append_all(vec![record], None).unwrap_err();
    assert_eq!(ledger.size().unwrap(), size, "a refusal leaves nothing");
    error
}

#[test]
fn every_code_of_finance_is_provoked_once() {
    let ledger = prepared();
    let mut provoked = BTreeSet::new();
    for (code, record) in offences().into_iter().chain(treasury::offences()) {
        let error = refusal(&ledger, record);
        assert_eq!(code_of(&error), format!("finance.{code}"), "{error}");
        assert!(provoked.insert(code.to_owned()), "{code} twice");
    }
    for (outcome, code, record) in treasury::remarks() {
        let found = treasury::outcome(&ledger, record);
        assert_eq!((found.name(), found.code()), (outcome, Some(format!("finance.{code}").as_str())));
        assert!(provoked.insert(code.to_owned()), "{code} twice");
    }
    assert_eq!(provoked, declared(ledgerstone_schemas::FINANCE));
}

#[test]
fn every_code_of_the_builtin_module_is_provoked_once() {
    let ledger = books().in_memory().unwrap();
    let (mine, other) = (key().public(), Key::from_seed([8; 32], "other").public());
    let member = ledger.admit_member(other).unwrap();
    let stranger = "ab".repeat(16);
    let bytes = |of: [u8; 32]| Value::Bytes(of.to_vec());
    let admit = |member: &str, of: [u8; 32]| object(&[("member", text(member)), ("key", bytes(of))]);
    let grant = |role: &str, granted: bool| {
        object(&[("member", text(&member)), ("role", text(role)), ("granted", Value::Bool(granted))])
    };
    let limited = |granted: bool, from: i64, until: i64| {
        let limits = [("from", Value::Timestamp(from)), ("until", Value::Timestamp(until))];
        let Value::Object(members) = grant("finance.controller", granted) else { unreachable!() };
        Value::Object(members.into_iter().chain(limits.map(|(name, value)| (name.to_owned(), value))).collect())
    };
    let log_key = ledger.log_keys().unwrap()[0].verifier_keys[0].key().to_bytes();
    let log_keys = object(&[
        ("old", bytes(log_key)),
        ("new", bytes(log_key)),
        ("old_signature", Value::Bytes(vec![0; 64])),
        ("new_signature", Value::Bytes(vec![0; 64])),
    ]);
    let revoke = |of: [u8; 32]| object(&[("key", bytes(of))]);
    let fresh = Key::from_seed([9; 32], "fresh").public();
    ledger.grant(&member, "finance.bookkeeper", None, None).unwrap();
    ledger.append("ledger.key", admit(&member, fresh), None).unwrap();
    ledger.append("ledger.revoke", revoke(fresh), None).unwrap();
    let unused = Key::from_seed([10; 32], "unused").public();
    let mut provoked = BTreeSet::new();
    for (code, kind, data) in [
        ("member_exists", "member", admit(&member, unused)),
        ("key_used", "member", admit(&stranger, mine)),
        ("unknown_key", "revoke", revoke(unused)),
        ("key_revoked", "revoke", revoke(fresh)),
        ("already_granted", "grant", grant("finance.bookkeeper", true)),
        ("not_granted", "grant", grant("finance.controller", false)),
        ("limited_withdrawal", "grant", limited(false, 1, 2)),
        ("empty_grant", "grant", limited(true, 2, 2)),
        ("log_key_used", "log_key", log_keys),
    ] {
        let error = refusal(&ledger, (format!("ledger.{kind}"), data));
        assert_eq!(code_of(&error), format!("ledger.{code}"), "{error}");
        assert!(provoked.insert(code.to_owned()), "{code} twice");
    }
    let error = ledger.load_module(ledgerstone_schemas::FINANCE, "finance.toml", true).unwrap_err();
    assert_eq!(code_of(&error), "ledger.module_exists");
    provoked.insert("module_exists".to_owned());
    // A field that becomes narrower does not fit.
    let later =
        ledgerstone_schemas::FINANCE.replacen("version = 1", "version = 2", 1).replacen("max = 1000", "max = 999", 1);
    assert_eq!(code_of(&ledger.load_module(&later, "finance.toml", true).unwrap_err()), "ledger.module_upgrade");
    for (code, refused) in [
        ("not_suspended", ledger.resume("finance", None)),
        ("already_suspended", ledger.suspend("finance", None).and_then(|_| ledger.suspend("finance", None))),
    ] {
        assert_eq!(code_of(&refused.unwrap_err()), format!("ledger.{code}"));
        provoked.insert(code.to_owned());
    }
    ledger.resume("finance", None).unwrap();
    // Nothing of finance is held: `outcomes.rs` releases a record twice.
    provoked.insert("already_released".to_owned());
    assert_eq!(provoked, declared(ledgerstone_schemas::LEDGER));
    for (code, kind, data) in [
        ("unknown_role", "grant", grant("finance.boss", true)),
        ("unknown_member", "key", admit(&stranger, unused)),
        ("weak_key", "member", admit(&stranger, [0; 32])),
    ] {
        let error = refusal(&ledger, (format!("ledger.{kind}"), data));
        assert_eq!(code_of(&error), format!("ledger.{code}"), "{error}");
    }
}

fn posted(ledger: &Ledger, account: &str, part: &str) -> String {
    let balances = ledger.balances("finance.account", &[text(account)]).unwrap();
    balances[&vec!["EUR".to_owned()]][part].to_string()
}

#[test]
fn holds_count_in_the_bound_and_settle_once() {
    let ledger = books().in_memory().unwrap();
    let hold = |id: &str, amount: &str| {
        movement("hold", &[("id", id), ("debit", "sales"), ("credit", "cash"), ("amount", amount)])
    };
    let settle = |kind: &str, id: &str, amount: &str| {
        movement(kind, &[("hold", id), ("debit", "sales"), ("credit", "cash"), ("amount", amount)])
    };
    let first = vec![account("cash", "0"), account("sales", ""), transfer("t1", "cash", "sales", "100")];
    ledger.append_all(first, None).unwrap();
    ledger.append_all(vec![hold("h1", "60")], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, hold("h2", "40.01"))), "finance.insufficient_funds");
    assert_eq!(code_of(&refusal(&ledger, transfer("t2", "sales", "cash", "40.01"))), "finance.insufficient_funds");
    ledger.append_all(vec![hold("h2", "40")], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, settle("hold_post", "h1", "59"))), "finance.hold_mismatch");
    ledger.append_all(vec![settle("hold_post", "h1", "60")], None).unwrap();
    for again in [settle("hold_post", "h1", "60"), settle("hold_void", "h1", "60")] {
        assert_eq!(code_of(&refusal(&ledger, again)), "finance.hold_not_pending");
    }
    ledger.append_all(vec![settle("hold_void", "h2", "40")], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, settle("hold_post", "h2", "40"))), "finance.hold_not_pending");
    assert_eq!(
        (posted(&ledger, "cash", "posted"), posted(&ledger, "cash", "pending_out")),
        ("40".to_owned(), "0".to_owned())
    );
    assert_eq!(posted(&ledger, "sales", "pending_in"), "0");
}

#[test]
fn a_reversal_negates_every_leg_exactly_and_once() {
    let ledger = prepared();
    let before = posted(&ledger, "cash", "posted");
    for wrong in [
        legs("reversal", &[("reverses", "j1")], &[("cash", "5"), ("sales", "-5")]),
        legs("reversal", &[("reverses", "j1")], &[("sales", "5"), ("cash", "-5")]),
        legs("reversal", &[("reverses", "j1")], &[("cash", "-5")]),
        legs("reversal", &[("reverses", "j1"), ("book", "side")], &[("cash", "-5"), ("sales", "5")]),
    ] {
        assert_eq!(code_of(&refusal(&ledger, wrong)), "finance.reversal_mismatch");
    }
    let right = || legs("reversal", &[("reverses", "j1")], &[("cash", "-5.00"), ("sales", "5")]);
    ledger.append_all(vec![right()], None).unwrap();
    assert_eq!((before.as_str(), posted(&ledger, "cash", "posted").as_str()), ("21", "16"));
    assert_eq!(code_of(&refusal(&ledger, right())), "finance.already_reversed");
}

#[test]
fn a_period_closes_and_opens_again() {
    let ledger = prepared();
    let entry = |id: &str, book: &str| {
        let members = [("id", id), ("book", book), ("period", "2026-02"), ("date", "2026-02-28")];
        legs("journal_entry", &members, &[("cash", "1"), ("sales", "-1")])
    };
    assert_eq!(code_of(&refusal(&ledger, entry("j2", "main"))), "finance.period_closed");
    assert_eq!(code_of(&refusal(&ledger, finance("period_close", &PERIOD[..2]))), "finance.period_closed");
    ledger.append_all(vec![entry("j3", "side")], None).unwrap();
    let reopen = finance("period_reopen", &[PERIOD[0], PERIOD[1], ("reason", "late invoice")]);
    ledger.append_all(vec![reopen, entry("j2", "main")], None).unwrap();
    ledger.append_all(vec![finance("period_close", &PERIOD[..2])], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, entry("j4", "main"))), "finance.period_closed");
}

#[test]
fn units_are_bytes_or_shares_with_their_own_digits() {
    let ledger = books().in_memory().unwrap();
    let several: [&[(&str, &str)]; 3] = [
        &[("currency", "bytes"), ("exponent", "0")],
        &[("currency", "AAPL"), ("exponent", "6")],
        &[("currency", "EUR"), ("floor", "0")],
    ];
    let records = vec![
        finance("commodity", &[("code", "bytes"), ("exponent", "0")]),
        finance("commodity", &[("code", "AAPL"), ("exponent", "6"), ("name", "Apple Inc.")]),
        units("mine", &several),
        units("market", &several[..2]),
    ];
    ledger.append_all(records, None).unwrap();
    let moved = |id: &str, currency: &str, amount: &str| {
        let members = [("id", id), ("debit", "mine"), ("credit", "market"), ("currency", currency), ("amount", amount)];
        record("finance.transfer", &members)
    };
    ledger.append_all(vec![moved("t1", "bytes", "4096"), moved("t2", "AAPL", "0.000001")], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, moved("t3", "bytes", "0.5"))), "finance.too_many_decimals");
    assert_eq!(code_of(&refusal(&ledger, moved("t3", "AAPL", "0.0000001"))), "finance.too_many_decimals");
    assert_eq!(code_of(&refusal(&ledger, moved("t3", "EUR", "1"))), "finance.account_not_open");
    let balances = ledger.balances("finance.account", &[text("mine")]).unwrap();
    let shown = |unit: &str| balances[&vec![unit.to_owned()]]["posted"].to_string();
    assert_eq!([shown("AAPL"), shown("EUR"), shown("bytes")], ["0.000001", "0", "4096"]);
}

#[test]
fn an_account_closes_when_it_is_empty_and_stays_closed() {
    let ledger = prepared();
    let close = || finance("account_close", &[("account", "full"), ("currency", "EUR")]);
    let fill = |id: &str| movement("transfer", &[("id", id), ("debit", "full")]);
    ledger.append_all(vec![fill("t5")], None).unwrap();
    assert_eq!(code_of(&refusal(&ledger, close())), "finance.account_not_empty");
    ledger.append_all(vec![movement("transfer", &[("id", "t6"), ("credit", "full")])], None).unwrap();
    ledger.append_all(vec![close()], None).unwrap();
    assert!(ledger.balances("finance.account", &[text("full")]).unwrap().is_empty());
    assert_eq!(code_of(&refusal(&ledger, close())), "finance.account_not_open");
    assert_eq!(code_of(&refusal(&ledger, fill("t7"))), "finance.account_not_open");
}

fn as_member(path: &Path, seed: u8) -> Ledger {
    Open::default().key(Key::from_seed([seed; 32], "second")).at(path).unwrap()
}

fn as_first(path: &Path) -> Ledger {
    Open::default().key(key()).at(path).unwrap()
}

#[test]
fn a_member_does_what_its_roles_allow_while_its_key_is_active() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let public = Key::from_seed([8; 32], "second").public();
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    let member = ledger.admit_member(public).unwrap();
    drop(ledger);

    let one = |id: &str| vec![transfer(id, "cash", "sales", "1")];
    let ledger = as_member(&path, 8);
    let Error::Forbidden(refused) = ledger.append_all(one("t1"), None).unwrap_err() else { panic!("not forbidden") };
    assert_eq!(refused.code, "ledger.forbidden");
    for word in [member.as_str(), "finance.transfer", "finance.bookkeeper", "finance.controller", "ledger.admin"] {
        assert!(refused.message.contains(word), "{word} in {}", refused.message);
    }
    drop(ledger);

    let ledger = as_first(&path);
    ledger.grant(&member, "finance.bookkeeper", None, None).unwrap();
    drop(ledger);
    let ledger = as_member(&path, 8);
    ledger.append_all(one("t1"), None).unwrap();
    let error = ledger.append_all(vec![account("x", "")], None).unwrap_err();
    assert_eq!(code_of(&error), "ledger.forbidden", "a bookkeeper opens no accounts");
    drop(ledger);

    let ledger = as_first(&path);
    ledger.append("ledger.revoke", object(&[("key", Value::Bytes(public.to_vec()))]), None).unwrap();
    drop(ledger);
    let ledger = as_member(&path, 8);
    let error = ledger.append_all(one("t2"), None).unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error}");
    assert_eq!(code_of(&error), "ledger.revoked_key");
    drop(ledger);

    // Another key of the same member works; a withdrawn role no longer does.
    let ledger = as_first(&path);
    let fresh = Value::Bytes(Key::from_seed([9; 32], "fresh").public().to_vec());
    ledger.append("ledger.key", object(&[("member", text(&member)), ("key", fresh)]), None).unwrap();
    drop(ledger);
    let ledger = as_member(&path, 9);
    ledger.append_all(one("t2"), None).unwrap();
    drop(ledger);
    let ledger = as_first(&path);
    ledger.withdraw(&member, "finance.bookkeeper").unwrap();
    drop(ledger);
    let ledger = as_member(&path, 9);
    assert_eq!(code_of(&ledger.append_all(one("t3"), None).unwrap_err()), "ledger.forbidden");
}

#[test]
fn a_lack_of_permission_comes_before_any_reason_of_state() {
    // The reason is the least (phase, record, rule), and `authorise` is the phase before state.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    let member = ledger.admit_member(Key::from_seed([8; 32], "second").public()).unwrap();
    ledger.grant(&member, "finance.bookkeeper", None, None).unwrap();
    drop(ledger);
    let ledger = as_member(&path, 8);
    let records = vec![transfer("t1", "sales", "cash", "1"), account("x", "")];
    let error = ledger.append_all(records, None).unwrap_err();
    assert_eq!(code_of(&error), "ledger.forbidden", "{error}");
}
