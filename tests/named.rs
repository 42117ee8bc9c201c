//! What the error of a failed rule names: the field, or the fields, that the rule looked at, and of a list the item where one is known.

use ledgerstone::model::Value;
use ledgerstone::{Create, Error, Ledger, Rejected};
use ledgerstone_schemas::FINANCE;
use ledgerstone_tests::{ORIGIN, account, audited, key, load, object, text, value};
use ledgerstone_verify::Mode;
use serde_json::{Value as Json, json};

const CELLS: &str = include_str!("fixtures/cells.toml");

/// Rules over lists, and of the record alone.
const LISTS: &str = r#"
[module]
name = "m"
version = 1
[roles.r]
[types.lot]
authorise = ["r"]
[types.lot.fields]
id = { type = "text", max = 8, required = true }
unit = { type = "text", max = 8 }
[types.lot.cells.left]
kind = "balance"
parts = ["p"]
scale = 1
bounds = [{ require = "p >= 0", code = "too_few" }]
[types.lot.cells.state]
kind = "lifecycle"
states = ["free", "sold"]
initial = "free"
[[types.lot.rules]]
unique = ["id"]
[[types.lot.rules]]
open = "lot.left"
at = ["id"]
set = { p = "10" }
[types.box]
authorise = ["r"]
[types.box.fields]
id = { type = "text", max = 8, required = true }
size = { type = "struct", fields = { high = { type = "int" }, wide = { type = "int" } } }
seen = { type = "date" }
note = { type = "text", max = 8 }
tags = { type = "list", max = 4, item = { type = "text", max = 8, required = true } }
rows = { type = "list", max = 4, item = { type = "struct", required = true, fields = { lot = { type = "text", max = 8, required = true }, n = { type = "decimal", precision = 9, scale = 3, required = true }, unit = { type = "text", max = 8 } } } }
[types.box.lookups.found]
record = "lot"
at = ["note"]
[[types.box.rules]]
require = "!has(size) || size.wide + size.high < 10"
code = "too_large"
[[types.box.rules]]
require = "!exists(tags, item == 'bad')"
code = "bad_tag"
[[types.box.rules]]
each = "tags"
require = "item != id"
code = "own_tag"
[[types.box.rules]]
require = "size(rows) != 3"
code = "three"
[[types.box.rules]]
require = "sum(rows, item.n, item.unit == 'kg') < 100"
code = "heavy"
[[types.box.rules]]
each = "rows"
require = "item.n != 7"
severity = "flag"
code = "seven"
[[types.box.rules]]
window = "seen"
not_before = "date('2026-01-01')"
code = "too_early"
[[types.box.rules]]
when = "has(note)"
require = "has(found.id)"
code = "unknown_note"
[[types.box.rules]]
require = "author != 'nobody' && id != 'mine'"
code = "mine"
[[types.box.rules]]
require = "'m.r' in roles && id != 'x'"
code = "x"
[[types.box.rules]]
each = "rows"
ref = "lot"
at = ["item.lot"]
code = "no_lot"
[[types.box.rules]]
each = "rows"
when = "has(item.unit) && item.unit != 'kg'"
match = "lot"
at = ["item.lot"]
equal = { unit = "item.unit" }
code = "other_unit"
[[types.box.rules]]
each = "rows"
balance = "lot.left"
at = ["item.lot"]
subtract = { p = "item.n" }
[[types.box.rules]]
when = "id == 'sold'"
each = "rows"
lifecycle = "lot.state"
at = ["item.lot"]
from = ["sold"]
code = "not_sold"
[[types.box.rules]]
when = "id == 'div'"
each = "rows"
balance = "lot.left"
at = ["item.lot"]
add = { p = "div(1, item.n - 1, 1, 'down')" }
[[types.box.rules]]
require = "author == 'nobody' || 'm.r' in roles"
code = "by_author"
"#;

fn made(source: &str) -> Ledger {
    Create::new(ORIGIN, key()).module(source, "m.toml").in_memory().unwrap_or_else(|error| panic!("{error}"))
}

fn appended(ledger: &Ledger, records: &[(&str, Json)]) -> Result<(), Error> {
    let records = records.iter().map(|(kind, data)| (format!("m.{kind}"), value(data))).collect();
    ledger.append_all(records, None).map(|_| ())
}

fn why(result: Result<(), Error>) -> Rejected {
    match result {
        Err(Error::Rejected(rejected) | Error::Forbidden(rejected)) => *rejected,
        other => panic!("{other:?}"),
    }
}

/// The code without the module, and the field.
fn named(ledger: &Ledger, kind: &str, data: Json) -> (String, String) {
    let why = why(appended(ledger, &[(kind, data)]));
    (why.code.split_once('.').unwrap().1.to_owned(), why.field.unwrap_or_default())
}

#[test]
fn a_rule_names_its_field_and_the_item() {
    let ledger = made(LISTS);
    appended(&ledger, &[("lot", json!({"id": "a", "unit": "g"})), ("lot", json!({"id": "b"}))]).unwrap();
    let row = |lot: &str, n: &str| json!({"lot": lot, "n": n});
    let cases = [
        (json!({"id": "1", "size": {"high": 5, "wide": 5}}), "too_large", "size.high, size.wide"),
        (json!({"id": "1", "tags": ["ok", "bad"]}), "bad_tag", "tags"),
        (json!({"id": "1", "tags": ["ok", "1"]}), "own_tag", "id, tags[1]"),
        (json!({"id": "1", "rows": [row("a", "1"), row("a", "1"), row("a", "1")]}), "three", "rows"),
        (json!({"id": "1", "rows": [{"lot": "a", "n": "100", "unit": "kg"}]}), "heavy", "rows.n, rows.unit"),
        (json!({"id": "1", "seen": "2025-12-31"}), "too_early", "seen"),
        (json!({"id": "1", "seen": "2026-01-01", "note": "zz"}), "unknown_note", "note"),
        (json!({"id": "mine", "seen": "2026-01-01"}), "mine", "id"),
        (json!({"id": "1", "rows": [row("a", "1"), row("zz", "1")]}), "no_lot", "rows[1].lot"),
        (
            json!({"id": "1", "rows": [row("b", "1"), {"lot": "a", "n": "1", "unit": "l"}]}),
            "other_unit",
            "rows[1].unit",
        ),
        (json!({"id": "1", "rows": [row("b", "1"), row("a", "0.001")]}), "too_many_decimals", "rows[1].n"),
        (json!({"id": "1", "rows": [row("b", "1"), row("a", "11")]}), "too_few", "rows[1].n"),
        (json!({"id": "sold", "rows": [row("b", "1"), row("a", "2")]}), "not_sold", "rows[0].lot"),
        (json!({"id": "div", "rows": [row("b", "2"), row("a", "1")]}), "overflow", "rows[1].n"),
    ];
    for (mut data, code, field) in cases {
        data["seen"] = data.get("seen").cloned().unwrap_or(json!("2026-01-01"));
        let (found, names) = named(&ledger, "box", data.clone());
        assert_eq!((found.as_str(), names.as_str()), (code, field), "{data}");
    }
    audited(&ledger);
}

#[test]
fn every_primitive_over_cells_names_what_it_is_about() {
    let ledger = made(CELLS);
    let given = [
        ("voter", json!({"id": "v"})),
        ("item", json!({"id": "i"})),
        ("meter", json!({"id": "main"})),
        ("budget", json!({"id": "b"})),
        ("limit", json!({"budget": "b", "limit": "60"})),
        ("reading", json!({"number": 1, "first": "2026-01-01", "last": "2026-02-01"})),
        ("expense", json!({"id": "e", "version": 1, "budget": "b", "amount": "1"})),
        ("pack", json!({"piece": "x", "into": "y"})),
        ("vote", json!({"proposal": "p", "voter": "v", "version": 1, "choice": "yes"})),
    ];
    appended(&ledger, &given).unwrap();
    let cases = [
        ("voter", json!({"id": "v"}), "duplicate", "id"),
        ("ballot", json!({"voter": "v", "copies": 3}), "count_out_of_range", "copies"),
        ("move", json!({"piece": "i", "from": "z", "to": "y"}), "not_holder", "from"),
        ("move", json!({"piece": "j", "from": "z", "to": "y"}), "not_held", "piece"),
        ("pack", json!({"piece": "y", "into": "x"}), "cycle", "into"),
        ("reading", json!({"number": 3, "first": "2026-02-01", "last": "2026-03-01"}), "out_of_sequence", "number"),
        ("reading", json!({"number": 2, "first": "2026-01-01", "last": "2026-03-01"}), "overlap", "first, last"),
        ("expense", json!({"id": "e", "version": 3, "budget": "b", "amount": "1"}), "stale_version", "version"),
        ("expense", json!({"id": "f", "version": 1, "budget": "b", "amount": "61"}), "needs_approval", "amount"),
        ("limit", json!({"budget": "b", "limit": "0.50"}), "over_budget", "limit"),
        ("holding", json!({"parcel": "q", "share": "1/3"}), "not_whole", "share"),
        ("dispense", json!({"patient": "q"}), "no_consent", "patient"),
        ("result", json!({"proposal": "p", "counts": [], "winner": "no"}), "tally_mismatch", "counts, winner"),
    ];
    for (kind, data, code, field) in cases {
        let (found, names) = named(&ledger, kind, data.clone());
        assert_eq!((found.as_str(), names.as_str()), (code, field), "{kind} {data}");
    }
    // Who may not do something is refused for himself, not for a field.
    let me = ledger.members().unwrap()[0].id.clone();
    ledger.withdraw(&me, "m.keeper").unwrap();
    let (code, names) = named(&ledger, "move", json!({"piece": "i"}));
    assert_eq!((code.as_str(), names.as_str()), ("keepers_only", ""));
    audited(&ledger);
}

#[test]
fn what_is_flagged_and_what_is_loaded_names_it_too() {
    let ledger = made(LISTS);
    appended(&ledger, &[("lot", json!({"id": "a"}))]).unwrap();
    let boxed = |id: &str, n: &str| json!({"id": id, "seen": "2026-01-01", "rows": [{"lot": "a", "n": n}]});
    let rows = [boxed("1", "1"), boxed("2", "7"), boxed("3", "9")].iter().map(value).collect();
    let report = load(&ledger, "m.box", rows, None, Mode::Each).unwrap();
    let told = report.exceptions();
    let told: Vec<_> = told.iter().map(|(_, why)| (why.row, why.code.as_str(), why.field.as_deref())).collect();
    assert_eq!(told, [(1, "m.seven", Some("rows[0].n")), (2, "m.too_few", Some("rows[0].n"))]);
    audited(&ledger);
}

#[test]
fn transfers_name_the_account_or_the_amount() {
    let ledger = Create::new(ORIGIN, key()).module(FINANCE, "finance.toml").in_memory().unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "0")], None).unwrap();
    let transfer = |debit: &str, amount: &str| {
        let fields = [("id", "t"), ("debit", debit), ("credit", "sales"), ("currency", "EUR"), ("amount", amount)];
        let members = fields.map(|(name, value)| (name, text(value)));
        why(ledger.append("finance.transfer", object(&members), None).map(|_| ()))
    };
    for (debit, amount, code, field) in [
        ("nobody", "1", "finance.account_not_open", "debit, currency"),
        ("cash", "1", "finance.insufficient_funds", "amount"),
        ("cash", "1.001", "finance.too_many_decimals", "amount"),
        ("sales", "1", "finance.same_account", "debit, credit"),
        ("cash", "-1", "finance.amount_not_positive", "amount"),
    ] {
        let why = transfer(debit, amount);
        assert_eq!((why.code.as_str(), why.field.as_deref()), (code, Some(field)));
        assert!(why.to_string().contains(field), "{why}");
    }
    let legs = ["1", "2"].map(|amount| value(&json!({"account": "cash", "currency": "EUR", "amount": amount})));
    let entry = [("id", "e"), ("book", "main"), ("period", "2026-03"), ("date", "2026-03-14")];
    let entry = entry.map(|(name, value)| (name, text(value)));
    let entry = object(&[&entry[..], &[("legs", Value::List(legs.to_vec()))]].concat());
    let why = why(ledger.append("finance.journal_entry", entry, None).map(|_| ()));
    assert_eq!((why.code.as_str(), why.field.as_deref()), ("finance.unbalanced", Some("legs.amount")));
}

/// Its first followers are refused by a rule, the second by the form of a field.
const FOLLOWED: &str = r#"
[module]
name = "m"
version = 1
[roles.r]
[types.order]
authorise = ["r"]
[types.order.fields]
n = { type = "int", required = true }
[[types.order.rules]]
when = "n > 9"
require = "n < 90"
severity = "hold"
[[types.order.rules]]
emit = "slip"
set = { pieces = "n" }
[types.slip]
authorise = ["r"]
[types.slip.fields]
pieces = { type = "int", max = 60, required = true }
[[types.slip.rules]]
require = "pieces != 5"
code = "five"
"#;

#[test]
fn what_follows_a_record_has_other_fields_than_it() {
    let ledger = made(FOLLOWED);
    for (n, code, says) in [(5, "m.five", "m.slip that follows: "), (61, "ledger.out_of_range", "field pieces: ")] {
        let why = why(appended(&ledger, &[("order", json!({"n": n}))]));
        assert_eq!((why.code.as_str(), why.field.as_deref()), (code, None));
        assert!(why.message.contains(says), "{why}");
    }
    let held = ledger.append("m.order", value(&json!({"n": 95})), None).unwrap();
    let why = why(ledger.release(held.row(0), None).map(|_| ()));
    assert_eq!((why.code.as_str(), why.field.as_deref()), ("ledger.out_of_range", None));
    assert!(why.message.contains("m.slip that follows"), "{why}");
    audited(&ledger);
}
