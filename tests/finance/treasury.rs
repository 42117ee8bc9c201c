//! Payments, trades, statements, numbered books and limits: what is there to offend against, and one offence for each of their codes.

use ledgerstone::model::Value;
use ledgerstone::{Error, Ledger};
use ledgerstone_tests::{code_of, object, text, texts};
use ledgerstone_verify::entry::Outcome;

use super::{Record, finance, legs, movement, posted, prepared, refusal};

const SHARE: &str = "US0378331005";
const ACCOUNTS: [(&str, &str); 4] =
    [("buyer_custody", "depot"), ("seller_custody", "street"), ("buyer_cash", "cash"), ("seller_cash", "sales")];
const TERMS: [(&str, &str); 4] = [("instrument", SHARE), ("quantity", "2"), ("currency", "EUR"), ("amount", "5")];

/// A record of texts, in which some members are other than these.
fn but(kind: &str, members: &[&[(&str, &str)]], more: &[(&str, &str)]) -> Record {
    let mut all: Vec<(&str, &str)> = members.concat();
    for (name, value) in more {
        all.retain(|(known, _)| known != name);
        all.push((name, value));
    }
    (format!("finance.{kind}"), texts(&all))
}

fn payment(id: &str, more: &[(&str, &str)]) -> Record {
    let names = [("id", id), ("debtor", "Acme"), ("creditor", "Mill")];
    movement("payment", &[names.as_slice(), more].concat())
}

fn status(payment: &str, status: &str, more: &[(&str, &str)]) -> Record {
    movement("payment_status", &[&[("payment", payment), ("status", status)], more].concat())
}

fn back(payment: &str) -> Record {
    movement("payment_return", &[("payment", payment), ("debit", "sales"), ("credit", "cash")])
}

fn file(message: &str, count: i64, control_sum: &str) -> Record {
    let line = |id, amount| texts(&[("end_to_end", id), ("amount", amount)]);
    let members = [
        ("message", text(message)),
        ("count", Value::Int(count)),
        ("control_sum", text(control_sum)),
        ("payments", Value::List(vec![line("E1", "2"), line("E2", "3")])),
    ];
    ("finance.payment_file".to_owned(), object(&members))
}

fn filed(id: &str, message: &str) -> Record {
    let (kind, Value::Object(mut data)) = payment(id, &[("message", message), ("end_to_end", id)]) else {
        unreachable!()
    };
    if message.is_empty() {
        data.retain(|(name, _)| name != "message");
    }
    data.push(("is_filed".to_owned(), Value::Bool(true)));
    (kind, Value::Object(data))
}

fn trade(id: &str, more: &[(&str, &str)]) -> Record {
    let dealt = [
        ("id", id),
        ("side", "buy"),
        ("price", "2.5"),
        ("trade_date", "2026-03-02"),
        ("settle_date", "2026-03-04"),
        ("counterparty", "5493001KJTIIGC8Y1R12"),
    ];
    but("trade", &[&dealt, &TERMS, &ACCOUNTS], more)
}

fn matched(trade: &str, more: &[(&str, &str)]) -> Record {
    but("trade_match", &[&[("trade", trade), ("settle_date", "2026-03-04")], &TERMS], more)
}

fn affirmed(trade: &str) -> Record {
    but("trade_affirmation", &[&[("trade", trade)]], &[])
}

fn settled(trade: &str, more: &[(&str, &str)]) -> Record {
    but("trade_settlement", &[&[("trade", trade)], &TERMS, &ACCOUNTS], more)
}

fn ended(kind: &str, trade: &str) -> Record {
    but(kind, &[&[("trade", trade), ("reason", "why")]], &[])
}

fn statement(id: &str, closing: &str, to: &str) -> Record {
    let entry = |amount, status| texts(&[("amount", amount), ("status", status)]);
    let entries = vec![entry("10", "BOOK"), entry("-3", "BOOK"), entry("99", "PDNG")];
    let given = [("id", id), ("account", "cash"), ("currency", "EUR"), ("from", "2026-03-01"), ("to", to)];
    let mut members: Vec<(&str, Value)> = given.iter().map(|(name, value)| (*name, text(value))).collect();
    members.extend([("opening", text("1")), ("closing", text(closing)), ("entries", Value::List(entries))]);
    ("finance.statement".to_owned(), object(&members))
}

fn entry(id: &str, book: &str, number: Option<i64>) -> Record {
    let (kind, Value::Object(mut data)) =
        legs("journal_entry", &[("id", id), ("book", book)], &[("cash", "1"), ("sales", "-1")])
    else {
        unreachable!()
    };
    data.extend(number.map(|number| ("number".to_owned(), Value::Int(number))));
    (kind, Value::Object(data))
}

/// What is there to offend against.
pub(crate) fn prepared_records() -> Vec<Record> {
    let limited = [("id", "limited"), ("kind", "asset"), ("currency", "EUR"), ("approval", "4")];
    let depot = |id| finance("account", &[("id", id), ("kind", "asset"), ("currency", SHARE), ("exponent", "0")]);
    vec![
        finance("commodity", &[("code", SHARE), ("exponent", "0")]),
        finance("account", &limited),
        depot("depot"),
        depot("street"),
        finance("book", &[("book", "law")]),
        entry("n1", "law", Some(1)),
        file("M1", 2, "5"),
        filed("p0", "M1"),
        payment("p1", &[("message", "M0"), ("end_to_end", "E1"), ("uetr", "0b0e8e4c-5b1f-4a3e-8f0a-1d2c3b4a5f6e")]),
        payment("p2", &[]),
        status("p2", "ACSC", &[]),
        payment("p3", &[]),
        status("p3", "ACCP", &[]),
        trade("d1", &[]),
        trade("d2", &[]),
        matched("d2", &[]),
        trade("d3", &[]),
        matched("d3", &[]),
        affirmed("d3"),
        trade("d4", &[]),
        ended("trade_cancel", "d4"),
    ]
}

/// One offence for each code that is declared for these types alone.
pub(crate) fn offences() -> Vec<(&'static str, Record)> {
    vec![
        ("approval_needed", movement("transfer", &[("id", "x"), ("credit", "limited")])),
        ("number_gap", entry("x", "law", Some(3))),
        ("number_missing", entry("x", "law", None)),
        ("book_numbered", finance("book", &[("book", "law")])),
        ("file_not_accepted", filed("x", "M9")),
        ("file_not_named", filed("x", "")),
        ("paid_before", payment("x", &[("message", "M0"), ("end_to_end", "E1")])),
        ("unknown_payment", status("x", "ACSC", &[])),
        ("payment_mismatch", status("p1", "ACSC", &[("amount", "4")])),
        ("payment_final", status("p2", "RJCT", &[])),
        ("payment_not_pending", status("p3", "ACCP", &[])),
        ("payment_not_settled", back("p1")),
        ("settles_before_trade", trade("x", &[("settle_date", "2026-03-01")])),
        ("unknown_trade", affirmed("x")),
        ("trade_unmatched", matched("d1", &[("quantity", "3")])),
        ("trade_not_new", matched("d2", &[])),
        ("trade_not_matched", affirmed("d1")),
        ("trade_not_affirmed", ended("trade_failure", "d2")),
        ("trade_final", ended("trade_cancel", "d4")),
        ("settlement_mismatch", settled("d3", &[("seller_cash", "full")])),
        ("statement_ends_early", statement("x", "8", "2026-02-28")),
    ]
}

/// One record for each code that holds or flags.
pub(crate) fn remarks() -> Vec<(&'static str, &'static str, Record)> {
    vec![
        ("held", "count_differs", file("M2", 3, "5")),
        ("held", "control_sum_differs", file("M3", 2, "6")),
        ("held", "statement_does_not_add_up", statement("s1", "9", "2026-03-31")),
        ("flagged", "statement_differs", statement("s2", "8", "2026-03-31")),
        ("flagged", "amount_not_quantity_times_price", trade("d9", &[("price", "2.4")])),
    ]
}

/// What became of a record that was appended.
pub(crate) fn outcome(ledger: &Ledger, record: Record) -> Outcome {
    let appended = ledger.append_all(vec![record], None).unwrap();
    ledger.receipt(appended.row(0)).unwrap().verify(&ledger.verifier_keys().unwrap()).unwrap().outcome
}

fn refused(ledger: &Ledger, record: Record) -> String {
    match refusal(ledger, record) {
        error @ (Error::Rejected(_) | Error::Forbidden(_)) => code_of(&error).to_owned(),
        error => panic!("{error}"),
    }
}

#[test]
fn a_payment_reserves_then_settles_or_lets_go_and_comes_back_once() {
    let ledger = prepared();
    let parts = |account: &str| {
        ["posted", "pending_in", "pending_out"].map(|part| posted(&ledger, account, part).parse::<i64>().unwrap())
    };
    let (cash, sales) = (parts("cash"), parts("sales"));
    assert_eq!(refused(&ledger, back("p3")), "finance.payment_not_settled");
    ledger.append_all(vec![status("p1", "PDNG", &[])], None).unwrap();
    ledger.append_all(vec![status("p1", "RJCT", &[])], None).unwrap();
    assert_eq!(parts("cash"), [cash[0], cash[1] - 5, cash[2]]);
    assert_eq!(parts("sales"), [sales[0], sales[1], sales[2] - 5]);
    ledger.append_all(vec![status("p3", "ACSC", &[])], None).unwrap();
    assert_eq!(parts("cash"), [cash[0] + 5, cash[1] - 10, cash[2]]);
    ledger.append_all(vec![back("p3")], None).unwrap();
    assert_eq!(parts("cash"), [cash[0], cash[1] - 10, cash[2]]);
    assert_eq!(refused(&ledger, back("p3")), "finance.payment_not_settled");
    for last in ["PDNG", "ACSC", "RJCT"] {
        assert_eq!(refused(&ledger, status("p3", last, &[])), "finance.payment_final");
    }
}

#[test]
fn payments_of_a_held_file_wait_for_its_release() {
    let ledger = prepared();
    let held = ledger.append_all(vec![file("M5", 3, "5")], None).unwrap();
    assert_eq!(refused(&ledger, filed("q1", "M5")), "finance.file_not_accepted");
    let release = [
        ("index", Value::Int(held.index as i64)),
        ("position", Value::Int(0)),
        ("reason", text("the bank counted a blank line")),
    ];
    ledger.append("ledger.release", object(&release), None).unwrap();
    ledger.append_all(vec![filed("q1", "M5")], None).unwrap();
}

#[test]
fn both_legs_of_a_trade_change_hands_or_none_does() {
    let ledger = prepared();
    let of = |account: &str, unit: &str| {
        let balances = ledger.balances("finance.account", &[text(account)]).unwrap();
        balances[&vec![unit.to_owned()]]["posted"].to_string()
    };
    let before = of("cash", "EUR").parse::<i64>().unwrap();
    for (wrong, code) in [("d1", "trade_not_affirmed"), ("d9", "unknown_trade")] {
        assert_eq!(refused(&ledger, settled(wrong, &[])), format!("finance.{code}"));
    }
    ledger.append_all(vec![ended("trade_failure", "d3")], None).unwrap();
    ledger.append_all(vec![settled("d3", &[])], None).unwrap();
    assert_eq!([of("depot", SHARE), of("street", SHARE)], ["2", "-2"]);
    assert_eq!(of("cash", "EUR"), (before - 5).to_string());
    assert_eq!(refused(&ledger, settled("d3", &[])), "finance.trade_not_affirmed");
    // No cash, no security.
    let big = [("quantity", "1000"), ("amount", "2500")];
    ledger.append_all(vec![trade("d8", &big), matched("d8", &big), affirmed("d8")], None).unwrap();
    assert_eq!(refused(&ledger, settled("d8", &big)), "finance.insufficient_funds");
    assert_eq!(of("depot", SHARE), "2");
}

#[test]
fn a_numbered_book_has_no_gap_over_entries_and_reversals() {
    let ledger = prepared();
    let reversal = |number: i64| {
        let members = [("reverses", "n1"), ("book", "law")];
        let (kind, Value::Object(mut data)) = legs("reversal", &members, &[("cash", "-1"), ("sales", "1")]) else {
            unreachable!()
        };
        data.push(("number".to_owned(), Value::Int(number)));
        (kind, Value::Object(data))
    };
    assert_eq!(refused(&ledger, reversal(1)), "finance.number_gap");
    ledger.append_all(vec![reversal(2), entry("n3", "law", Some(3))], None).unwrap();
    assert_eq!(refused(&ledger, entry("n5", "law", Some(5))), "finance.number_gap");
    // Other books may be numbered or not, each by itself.
    ledger.append_all(vec![entry("f1", "free", None), entry("f2", "free", Some(1))], None).unwrap();
}
