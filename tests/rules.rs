//! Rules as they are executed: guards before arithmetic, sums over a transaction that flag, numbers at the end of their range.

use ledgerstone::model::{Decimal, Value};
use ledgerstone::{Create, Error, Ledger, LoadOptions};
use ledgerstone_tests::{ORIGIN, audited, code_of, key, value};
use serde_json::{Value as Json, json};

const HEAD: &str = "[module]\nname = \"m\"\nversion = 1\n[roles.r]\n";

fn ledger(types: &str) -> Ledger {
    let source = format!("{HEAD}{types}");
    Create::new(ORIGIN, key()).module(&source, "m.toml").in_memory().unwrap_or_else(|error| panic!("{error}"))
}

/// Why the module is refused.
fn refused(types: &str) -> String {
    let source = format!("{HEAD}{types}");
    let made = Create::new(ORIGIN, key()).module(&source, "m.toml").in_memory();
    made.map(|_| "it is not".to_owned()).unwrap_or_else(|error| error.to_string())
}

/// Appends records as one transaction: codes of those that are flagged, by position.
fn append(ledger: &Ledger, records: &[(&str, Json)]) -> Result<Vec<(u32, String)>, Error> {
    let records = records.iter().map(|(kind, data)| (format!("m.{kind}"), value(data))).collect();
    let appended = ledger.append_all(records, None)?;
    Ok(appended.exceptions.into_iter().map(|(place, exception)| (place, exception.reason.code)).collect())
}

const DIVIDED: &str = r#"
[types.share]
authorise = ["r"]
[types.share.fields]
id = { type = "text", max = 8, required = true }
n = { type = "int", required = true }
[types.share.cells.total]
kind = "balance"
parts = ["p"]
scale = 2
opening = { p = "0" }
bounds = []
[[types.share.rules]]
unique = ["id"]
[[types.share.rules]]
when = "n != 0"
balance = "share.total"
at = ["id"]
add = { p = "div(6, n, 2, 'half_even')" }
[[types.share.rules]]
when = "n > 1000 && div(6, n - 1001, 2, 'down') > 1"
balance = "share.total"
at = ["id"]
add = { p = "1" }
"#;

#[test]
fn a_guard_stands_before_what_it_guards() {
    let ledger = ledger(DIVIDED);
    let share = |n: i64| append(&ledger, &[("share", json!({"id": n.to_string(), "n": n}))]);
    assert_eq!(share(3).unwrap(), []);
    assert_eq!(share(0).unwrap(), []);
    let total = ledger.balances("m.share", &[Value::Text("3".to_owned())]).unwrap();
    assert_eq!(total[&Vec::new()]["p"], Decimal::new(2, 0));
    // A guard that has no value itself is a failure.
    let Err(Error::Rejected(why)) = share(1001) else { panic!("it divides by zero") };
    assert_eq!(why.code, "ledger.overflow");
    assert!(why.message.contains("divides by zero"), "{}", why.message);
    audited(&ledger);
}

#[test]
fn a_guard_stands_before_what_is_emitted() {
    let made = "[types.made]\nauthorise = [\"r\"]\n[types.made.fields]\nq = { type = \"decimal\", precision = 9, scale = 2 }\n";
    let emit =
        "[[types.share.rules]]\nwhen = \"n != 0\"\nemit = \"made\"\nset = { q = \"div(6, n, 2, 'half_even')\" }\n";
    let ledger = ledger(&format!("{DIVIDED}{emit}{made}"));
    for (n, emitted) in [(0, 0), (4, 1)] {
        let data = json!({"id": n.to_string(), "n": n});
        assert_eq!(append(&ledger, &[("share", data)]).unwrap(), []);
        let records = ledger.stats().unwrap().records;
        assert_eq!(records.iter().find(|(kind, _)| kind == "m.made").map_or(0, |(_, count)| *count), emitted);
    }
}

/// Two types that count towards one sum.
fn group(first: &str, second: &str) -> String {
    let rule = |kind: &str, sum: &str, more: &str| {
        format!(
            "[types.{kind}]\nauthorise = [\"r\"]\n[types.{kind}.fields]\nn = {{ type = \"int\", required = true }}\n\
             [[types.{kind}.rules]]\nrequire = \"n < 100\"\nseverity = \"flag\"\ncode = \"large\"\n\
             [[types.{kind}.rules]]\nconserve = \"{sum}\"\nover = \"transaction\"\ngroup = \"g\"\ncode = \"{kind}_off\"\n{more}\n"
        )
    };
    rule("give", "n", first) + &rule("take", "-n", second)
}

#[test]
fn a_sum_over_the_transaction_flags_the_first_that_counts() {
    let flag = "severity = \"flag\"";
    let ledger = ledger(&group(flag, flag));
    let (give, take) = (|n: i64| ("give", json!({ "n": n })), |n: i64| ("take", json!({ "n": n })));
    let flagged = |all: &[(u32, &str)]| all.iter().map(|(at, code)| (*at, format!("m.{code}"))).collect::<Vec<_>>();
    assert_eq!(append(&ledger, &[give(3), take(3)]).unwrap(), []);
    assert_eq!(append(&ledger, &[take(3), give(4)]).unwrap(), flagged(&[(0, "take_off")]));
    // What flagged a record first is why, and exceptions are in the order of records.
    assert_eq!(append(&ledger, &[give(100), take(3)]).unwrap(), flagged(&[(0, "large")]));
    assert_eq!(append(&ledger, &[give(3), take(100)]).unwrap(), flagged(&[(0, "give_off"), (1, "large")]));
    let options = LoadOptions::default();
    let rows = [0, 5].map(|n| value(&json!({ "n": n }))).into();
    let report = ledger.append_values("m.give", &mut std::iter::once(Ok(rows)), options).unwrap();
    assert_eq!((report.accepted, report.flagged[0].row, report.flagged[0].code.as_str()), (1, 1, "m.give_off"));
    audited(&ledger);
}

#[test]
fn a_sum_over_the_transaction_has_one_meaning() {
    assert_eq!(append(&ledger(&group("", "")), &[("give", json!({"n": 0}))]).unwrap(), []);
    assert_eq!(append(&ledger(&group("low = \"-1.0\"", "low = \"-1\"")), &[("take", json!({"n": 1}))]).unwrap(), []);
    for (first, second, why) in [
        ("", "low = \"-1\"", "has another \"low\" in an earlier rule"),
        ("high = \"2\"", "high = \"1\"", "has another \"high\" in an earlier rule"),
        ("", "severity = \"flag\"", "has another \"severity\" in an earlier rule"),
        ("severity = \"hold\"", "severity = \"hold\"", "nothing is held any more"),
    ] {
        let found = refused(&group(first, second));
        assert!(found.contains(why), "{first} {second}: {found}");
    }
}

const VOTES: &str = r#"
[types.vote]
authorise = ["r"]
[types.vote.fields]
poll = { type = "text", max = 8, required = true, index = true }
who = { type = "text", max = 8, required = true }
choice = { type = "text", max = 8 }
weight = { type = "int" }
[[types.vote.rules]]
unique = ["poll", "who"]
[types.result]
authorise = ["r"]
[types.result.fields]
poll = { type = "text", max = 8, required = true }
[types.result.fields.counts]
type = "list"
item = { type = "struct", required = true, fields = { choice = { type = "text", required = true }, votes = { type = "int", required = true } } }
[[types.result.rules]]
tally = "vote"
group = { poll = "poll" }
choice = "choice"
weight = "weight"
method = "weighted"
counts = "counts"
"#;

#[test]
fn a_tally_counts_records_that_have_a_key_and_reads_nothing_private() {
    let ledger = ledger(VOTES);
    let vote = |who: &str, n: i64| ("vote", json!({"poll": "p", "who": who, "choice": "yes", "weight": n}));
    let result = |n: i64| ("result", json!({"poll": "p", "counts": [{"choice": "yes", "votes": n}]}));
    assert_eq!(append(&ledger, &[vote("a", 1), vote("b", 2)]).unwrap(), []);
    assert_eq!(code_of(&append(&ledger, &[vote("c", 3), result(3)]).unwrap_err()), "m.tally_mismatch");
    assert_eq!(append(&ledger, &[vote("c", 3), result(6)]).unwrap(), []);
    audited(&ledger);
    let keyed = "m.vote is counted by its key, and not every record of it has one";
    let key = "[[types.vote.rules]]\nunique = [\"poll\", \"who\"]";
    for (from, to, why) in [
        (key, "", keyed),
        (key, "[[types.vote.rules]]\nunique = [\"poll\", \"who\"]\nwhen = \"weight > 0\"", keyed),
        ("who = { type = \"text\", max = 8, required = true }", "who = { type = \"text\", max = 8 }", keyed),
        (
            "choice = { type = \"text\", max = 8 }",
            "choice = { type = \"text\", private = \"who\" }",
            "`choice` is private",
        ),
        ("weight = { type = \"int\" }", "weight = { type = \"int\", private = \"who\" }", "`weight` is private"),
    ] {
        assert!(VOTES.contains(from));
        let found = refused(&VOTES.replacen(from, to, 1));
        assert!(found.contains(why), "{to}: {found}");
    }
}

#[test]
fn a_tally_ends_with_the_first_vote_too_many() {
    let ledger = ledger(VOTES);
    let vote = |number: usize| {
        value(
            &json!({"poll": "p", "who": format!("{number:x}"), "choice": "yes", "weight": i64::from(number.is_multiple_of(2))}),
        )
    };
    let options = LoadOptions::default();
    let mut votes = (0..10).map(|piece| Ok((0..10_000).map(|number| vote(piece * 10_000 + number)).collect()));
    assert_eq!(ledger.append_values("m.vote", &mut votes, options).unwrap().accepted, 100_000);
    let result = ("result", json!({"poll": "p", "counts": [{"choice": "yes", "votes": 50_000}]}));
    assert_eq!(append(&ledger, std::slice::from_ref(&result)).unwrap(), []);
    let one_more = ("vote", json!({"poll": "p", "who": "last", "choice": "no"}));
    assert_eq!(append(&ledger, &[one_more]).unwrap(), []);
    assert_eq!(code_of(&append(&ledger, &[result]).unwrap_err()), "ledger.too_many_votes");
}

const REPLACED: &str = r#"
[types.box]
authorise = ["r"]
[types.box.fields]
id = { type = "text", max = 8, required = true }
[types.box.cells.room]
kind = "balance"
parts = ["p", "q"]
scale = 0
bounds = []
missing = { code = "no_box" }
[[types.box.rules]]
open = "box.room"
at = ["id"]
set = { p = "0" }
[types.burn]
authorise = ["r"]
[types.burn.fields]
id = { type = "text", max = 8, required = true }
[[types.burn.rules]]
close = "box.room"
at = ["id"]
zero = ["q"]
[types.load]
authorise = ["r"]
[types.load.fields]
id = { type = "text", max = 8, required = true }
version = { type = "int", required = true }
at = { type = "text", max = 8, required = true }
[[types.load.rules]]
unique = ["id"]
versioned = "replace"
version = "version"
[[types.load.rules]]
balance = "box.room"
at = ["at"]
add = { p = "1" }
"#;

#[test]
fn what_cannot_be_taken_back_is_refused_for_what_is_in_the_way() {
    let ledger = ledger(REPLACED);
    let load = |version: i64, at: &str| append(&ledger, &[("load", json!({"id": "l", "version": version, "at": at}))]);
    assert_eq!(append(&ledger, &[("box", json!({"id": "a"})), ("box", json!({"id": "b"}))]).unwrap(), []);
    assert_eq!(load(1, "a").unwrap(), []);
    assert_eq!(append(&ledger, &[("burn", json!({"id": "a"}))]).unwrap(), []);
    let Err(Error::Rejected(why)) = load(2, "b") else { panic!("the box a is gone") };
    assert_eq!((why.code.as_str(), why.cell.as_deref()), ("m.no_box", Some(r#"["m.box","room",["a"],[]]"#)));
    audited(&ledger);
}

const ENDS: &str = r#"
[types.end]
authorise = ["r"]
[types.end.fields]
id = { type = "text", max = 8, required = true }
d = { type = "decimal", precision = 28, scale = 1 }
e = { type = "decimal", precision = 28, scale = 1 }
x = { type = "decimal", precision = 28, scale = 28 }
n = { type = "int" }
[types.end.cells.total]
kind = "balance"
parts = ["p", "limit"]
scale = 2
opening = { p = "0", limit = "1" }
bounds = []
[types.end.cells.times]
kind = "count"
low = -9
[[types.end.rules]]
unique = ["id"]
[[types.end.rules]]
when = "has(d)"
balance = "end.total"
at = ["id"]
subtract = { p = "d * e" }
approval = { above = "limit", roles = ["r"], count = 1 }
[[types.end.rules]]
when = "has(n)"
count = "end.times"
at = ["id"]
step = "n * 4096"
[[types.end.rules]]
when = "has(x)"
emit = "made"
set = { y = "x * x" }
[types.made]
authorise = ["r"]
[types.made.fields]
y = { type = "decimal", precision = 28, scale = 2 }
"#;

#[test]
fn numbers_at_the_end_of_their_range_are_refused_and_no_fault() {
    let ledger = ledger(ENDS);
    let end = |data: Json| append(&ledger, &[("end", data)]).unwrap_err();
    let x = "0.0000000000000000000000000001";
    for (data, code) in [
        (json!({"id": "a", "d": "1844674407370955161.6", "e": "-922337203685477580.8"}), "ledger.overflow"),
        (json!({"id": "a", "d": "1844674407370955161.6", "e": "922337203685477580.8"}), "ledger.overflow"),
        (json!({"id": "a", "d": "-184467440737095516.1", "e": "1"}), "m.approval_needed"),
        (json!({"id": "a", "n": i64::MIN / 4096}), "ledger.overflow"),
        (json!({"id": "a", "n": i64::MIN / 4096 - 1}), "ledger.overflow"),
        (json!({"id": "a", "x": x}), "ledger.too_many_digits"),
    ] {
        assert_eq!(code_of(&end(data.clone())), code, "{data}");
    }
    assert_eq!(append(&ledger, &[("end", json!({"id": "a", "x": "0"}))]).unwrap(), []);
    audited(&ledger);
}
