//! Every kind of cell and every primitive over it, in small modules: what is accepted, the code of what is not, and that an audit
//! replays it all.

use ledgerstone::model::Value;
use ledgerstone::{AuditOptions, Create, Ledger, Verdict};
use ledgerstone_tests::{ORIGIN, code_of, key};
use serde_json::{Value as Json, json};

const HEAD: &str = "[module]\nname = \"m\"\nversion = 1\n[roles.clerk]\n";

/// A ledger with a module of these types.
fn ledger(types: &str) -> Ledger {
    let source = format!("{HEAD}{types}");
    Create::new(ORIGIN, key()).module(&source, "m.toml").in_memory().unwrap_or_else(|error| panic!("{error}"))
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Int(value.as_i64().unwrap()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), value(member))).collect())
        }
    }
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

fn audit(ledger: &Ledger) {
    let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap();
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report:?}");
}

const BALLOTS: &str = r#"
[types.voter]
authorise = ["clerk"]
[types.voter.fields]
id = { type = "text", max = 8, required = true }
[types.voter.cells.issued]
kind = "count"
high = 2
[[types.voter.rules]]
unique = ["id"]

[types.ballot]
authorise = ["clerk"]
[types.ballot.fields]
voter = { type = "text", max = 8, required = true }
copies = { type = "int", min = -9, max = 9, required = true }
[[types.ballot.rules]]
count = "voter.issued"
at = ["voter"]
step = "copies"
"#;

#[test]
fn a_count_stays_within_its_bounds() {
    let ledger = ledger(BALLOTS);
    let ballot = |copies: i64| ("ballot", json!({"voter": "v", "copies": copies}));
    assert_eq!(append(&ledger, &[ballot(1), ballot(1)]), Ok(()));
    assert_eq!(append(&ledger, &[ballot(1)]), refused("count_out_of_range"));
    assert_eq!(append(&ledger, &[ballot(-2)]), Ok(()));
    assert_eq!(append(&ledger, &[ballot(-1)]), refused("count_out_of_range"));
    audit(&ledger);
}

const CUSTODY: &str = r#"
[types.item]
authorise = ["clerk"]
[types.item.fields]
id = { type = "text", max = 8, required = true }
[types.item.cells.place]
kind = "holder"
[types.item.cells.parent]
kind = "holder"
[[types.item.rules]]
unique = ["id"]
[[types.item.rules]]
holder = "item.place"
at = ["id"]
to = "author"

[types.move]
authorise = ["clerk"]
[types.move.fields]
piece = { type = "text", max = 8, required = true }
from = { type = "text", max = 40 }
to = { type = "text", max = 40 }
[[types.move.rules]]
when = "has(to)"
holder = "item.place"
at = ["piece"]
from = "coalesce(from, author)"
to = "to"
[[types.move.rules]]
when = "!has(to)"
holder = "item.place"
at = ["piece"]
any = true
release = true
roles = ["keeper"]
forbidden = { code = "keepers_only", message = "only a keeper lets go" }

[types.pack]
authorise = ["clerk"]
[types.pack.fields]
piece = { type = "text", max = 8, required = true }
into = { type = "text", max = 8, required = true }
[[types.pack.rules]]
acyclic = "item.parent"
at = ["piece"]
to = "into"
depth = 2
[[types.pack.rules]]
holder = "item.parent"
at = ["piece"]
to = "into"
"#;

#[test]
fn only_its_holder_passes_a_thing_on() {
    let ledger = ledger(&format!("[roles.keeper]\n{CUSTODY}"));
    let go = |from: Json, to: Json| one(&ledger, "move", json!({"piece": "i", "from": from, "to": to}));
    assert_eq!(go(Json::Null, json!("x")), refused("not_held"));
    assert_eq!(one(&ledger, "item", json!({"id": "i"})), Ok(()));
    assert_eq!(go(Json::Null, json!("x")), Ok(()));
    assert_eq!(go(json!("y"), json!("z")), refused("not_holder"));
    assert_eq!(go(json!("x"), json!("y")), Ok(()));
    let me = ledger.members().unwrap()[0].id.clone();
    ledger.grant(&me, "m.keeper", false).unwrap();
    assert_eq!(go(Json::Null, Json::Null), refused("keepers_only"));
    ledger.grant(&me, "m.keeper", true).unwrap();
    assert_eq!(go(Json::Null, Json::Null), Ok(()));
    assert_eq!(go(json!("y"), json!("z")), refused("not_held"));
    audit(&ledger);
}

#[test]
fn nothing_is_packed_into_itself() {
    let ledger = ledger(&format!("[roles.keeper]\n{CUSTODY}"));
    let pack = |item: &str, into: &str| one(&ledger, "pack", json!({"piece": item, "into": into}));
    assert_eq!(pack("a", "a"), refused("cycle"));
    assert_eq!((pack("a", "b"), pack("b", "c")), (Ok(()), Ok(())));
    assert_eq!(pack("c", "a"), refused("cycle"));
    assert_eq!(pack("z", "a"), Ok(()), "a, then b and c: two steps");
    assert_eq!(pack("y", "z"), refused("cycle"), "three steps are more than the rule follows");
    audit(&ledger);
}

const METER: &str = r#"
[types.meter]
authorise = ["clerk"]
[types.meter.fields]
id = { type = "text", max = 8, required = true }
[types.meter.cells.number]
kind = "sequence"
order = "gapless"
[types.meter.cells.span]
kind = "sequence"
order = "strict"
of = "date"
[[types.meter.rules]]
unique = ["id"]

[types.reading]
authorise = ["clerk"]
[types.reading.fields]
number = { type = "int", min = 0, max = 99, required = true }
first = { type = "date", required = true }
last = { type = "date", required = true }
[[types.reading.rules]]
sequence = "meter.number"
at = ["'main'"]
value = "number"
[[types.reading.rules]]
sequence = "meter.span"
at = ["'main'"]
from = "first"
to = "last"
code = "overlap"

[types.replacement]
authorise = ["clerk"]
[types.replacement.fields]
number = { type = "int", min = 0, max = 99, required = true }
[[types.replacement.rules]]
sequence = "meter.number"
at = ["'main'"]
value = "number"
reset = true
"#;

#[test]
fn a_sequence_has_no_gap_and_intervals_no_overlap() {
    let ledger = ledger(METER);
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
    audit(&ledger);
}

const BUDGET: &str = r#"
[types.budget]
authorise = ["clerk"]
[types.budget.fields]
id = { type = "text", max = 8, required = true }
[types.budget.cells.left]
kind = "balance"
parts = ["spent", "limit", "big"]
scale = 2
opening = { spent = "0", big = "50" }
bounds = [{ require = "limit >= spent", code = "over_budget" }]
[[types.budget.rules]]
unique = ["id"]

[types.limit]
authorise = ["clerk"]
[types.limit.fields]
budget = { type = "text", max = 8, required = true }
limit = { type = "decimal", precision = 9, scale = 2 }
[[types.limit.rules]]
balance = "budget.left"
at = ["budget"]
set = { limit = "limit" }

[types.expense]
authorise = ["clerk"]
[types.expense.fields]
id = { type = "text", max = 8, required = true }
version = { type = "int", min = 0, max = 99, required = true }
budget = { type = "text", max = 8, required = true }
amount = { type = "decimal", precision = 9, scale = 2, required = true }
[[types.expense.rules]]
unique = ["id"]
versioned = "replace"
version = "version"
[[types.expense.rules]]
balance = "budget.left"
at = ["budget"]
add = { spent = "amount" }
approval = { above = "big", roles = ["clerk"], count = 1, code = "needs_approval" }
"#;

#[test]
fn a_version_replaces_the_effects_of_the_one_before() {
    let ledger = ledger(BUDGET);
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
    audit(&ledger);
}

const SHARES: &str = r#"
[types.holding]
authorise = ["clerk"]
[types.holding.fields]
parcel = { type = "text", max = 8, required = true }
share = { type = "fraction", required = true }
[[types.holding.rules]]
conserve = "share"
over = "transaction"
group = "parcel"
by = ["parcel"]
low = "1"
high = "1"
code = "not_whole"
"#;

#[test]
fn shares_of_a_transaction_make_a_whole() {
    let ledger = ledger(SHARES);
    let share = |parcel: &str, share: &str| ("holding", json!({"parcel": parcel, "share": share}));
    assert_eq!(append(&ledger, &[share("p", "1/3"), share("q", "1/1"), share("p", "2/3")]), Ok(()));
    assert_eq!(append(&ledger, &[share("q", "1/1"), share("p", "1/3"), share("p", "1/3")]), refused("not_whole"));
    audit(&ledger);
}

const CONSENT: &str = r#"
[types.consent]
authorise = ["clerk"]
[types.consent.fields]
patient = { type = "text", max = 8, required = true }
to = { type = "text", max = 40, required = true }
version = { type = "int", min = 0, max = 99, required = true }
given = { type = "bool", required = true }
[[types.consent.rules]]
unique = ["patient", "to"]
versioned = "append"
version = "version"

[types.dispense]
authorise = ["clerk"]
[types.dispense.fields]
patient = { type = "text", max = 8, required = true }
[types.dispense.lookups.consent]
record = "consent"
at = ["patient", "author"]
or = [{ at = ["patient", "'anybody'"] }]
[[types.dispense.rules]]
require = "consent.given"
code = "no_consent"
"#;

#[test]
fn the_most_specific_consent_decides() {
    let ledger = ledger(CONSENT);
    let me = ledger.members().unwrap()[0].id.clone();
    let consent = |to: &str, version: i64, given: bool| {
        ("consent", json!({"patient": "p", "to": to, "version": version, "given": given}))
    };
    let dispense = ("dispense", json!({"patient": "p"}));
    assert_eq!(append(&ledger, &[dispense.clone()]), refused("no_consent"));
    assert_eq!(append(&ledger, &[dispense.clone(), consent("anybody", 1, true)]), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent("anybody", 1, true), dispense.clone()]), Ok(()));
    assert_eq!(append(&ledger, &[consent(&me, 1, false), dispense.clone()]), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent(&me, 1, false)]), Ok(()));
    assert_eq!(append(&ledger, &[dispense.clone()]), refused("no_consent"));
    assert_eq!(append(&ledger, &[consent(&me, 2, true), dispense]), Ok(()), "the newest version decides");
    audit(&ledger);
}

const VOTES: &str = r#"
[types.vote]
authorise = ["clerk"]
[types.vote.fields]
proposal = { type = "text", max = 8, required = true, index = true }
voter = { type = "text", max = 8, required = true }
version = { type = "int", min = 0, max = 99, required = true }
choice = { type = "text", max = 8, required = true }
[[types.vote.rules]]
unique = ["proposal", "voter"]
versioned = "append"
version = "version"

[types.result]
authorise = ["clerk"]
[types.result.fields]
proposal = { type = "text", max = 8, required = true }
counts = { type = "list", max = 8, required = true, item = { type = "struct", required = true, fields = { choice = { type = "text", max = 8, required = true }, votes = { type = "int", min = 0, max = 9999, required = true } } } }
winner = { type = "text", max = 8 }
[[types.result.rules]]
tally = "vote"
group = { proposal = "proposal" }
choice = "choice"
method = "plurality"
counts = "counts"
winner = "winner"
"#;

#[test]
fn a_result_is_what_the_votes_say() {
    let ledger = ledger(VOTES);
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
    audit(&ledger);
}
