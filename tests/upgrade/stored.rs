//! What an upgrade asks of what is stored, and what older records do to cells of a newer version.

use std::sync::Arc;

use ledgerstone::model::Value;
use ledgerstone::{Create, Error, Ledger};
use ledgerstone_tests::{audited, code_of, key, object, record, text};
use ledgerstone_verify::Outcome;

/// Accounts and movements: a movement is versioned, and is held where it is large.
const BOOKS: &str = r#"
[module]
name = "books"
version = 1
[roles.clerk]
[types.account]
authorise = ["clerk"]
[types.account.fields]
id = { type = "text", max = 8, required = true }
[types.account.cells.balance]
kind = "balance"
parts = ["posted"]
scale = 0
[types.account.cells.uses]
kind = "count"
low = 0
high = 9
[types.account.cells.phase]
kind = "lifecycle"
states = ["fresh", "used"]
initial = "fresh"
[types.account.cells.quota]
kind = "balance"
parts = ["left"]
scale = 0
opening = { left = "5" }
[[types.account.rules]]
unique = ["id"]
[[types.account.rules]]
open = "account.balance"
at = ["id"]
set = { posted = "0" }
[types.move]
authorise = ["clerk"]
[types.move.fields]
id = { type = "text", max = 8, required = true }
revision = { type = "int", required = true }
account = { type = "text", max = 8, required = true }
amount = { type = "int", required = true }
[types.move.lookups.phase]
cell = "account.phase"
at = ["account"]
[[types.move.rules]]
unique = ["id"]
versioned = "replace"
version = "revision"
[[types.move.rules]]
require = "abs(amount) < 50"
severity = "hold"
code = "large"
[[types.move.rules]]
require = "phase.state != 'closed'"
[[types.move.rules]]
balance = "account.balance"
at = ["account"]
add = { posted = "amount" }
[[types.move.rules]]
count = "account.uses"
at = ["account"]
step = 1
[types.use]
authorise = ["clerk"]
[types.use.fields]
account = { type = "text", max = 8, required = true }
[[types.use.rules]]
lifecycle = "account.phase"
at = ["account"]
from = ["fresh"]
to = "used"
[[types.use.rules]]
balance = "account.quota"
at = ["account"]
subtract = { left = "1" }
"#;

/// The next version, with replacements.
fn next(replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(BOOKS.replace("version = 1", "version = 2"), |source, (from, to)| {
        assert!(source.contains(from), "{from}");
        source.replacen(from, to, 1)
    })
}

fn books(accounts: &[&str]) -> Arc<Ledger> {
    let ledger = Arc::new(Create::new("acme.example/books", key()).module(BOOKS, "books.toml").in_memory().unwrap());
    if !accounts.is_empty() {
        let open = |id: &&str| record("books.account", &[("id", *id)]);
        ledger.append_all(accounts.iter().map(open).collect(), None).unwrap();
    }
    ledger
}

fn moved(id: &str, revision: i64, account: &str, amount: i64) -> (String, Value) {
    let (revision, amount) = (Value::Int(revision), Value::Int(amount));
    let data = [("id", text(id)), ("revision", revision), ("account", text(account)), ("amount", amount)];
    ("books.move".to_owned(), object(&data))
}

fn load(ledger: &Ledger, source: &str) -> Result<(), Error> {
    ledger.load_module(source, "books.toml", false).map(drop)
}

/// The message of a refused upgrade.
fn refused(ledger: &Ledger, source: &str) -> String {
    let error = load(ledger, source).unwrap_err();
    assert_eq!(code_of(&error), "ledger.module_upgrade", "{error}");
    error.to_string()
}

/// The parts of an account's balance, as text.
fn parts(ledger: &Ledger, account: &str) -> String {
    let balances = ledger.balances("books.account", &[text(account)]).unwrap();
    balances.values().flatten().map(|(part, amount)| format!("{part} {amount}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn parts_keep_their_places_so_an_older_version_is_taken_back_from_its_own() {
    let ledger = books(&["a", "b"]);
    ledger.append_all(vec![moved("m", 1, "a", 10)], None).unwrap();
    let front = refused(&ledger, &next(&[("parts = [\"posted\"]", "parts = [\"pending\", \"posted\"]")]));
    assert!(front.contains("books.account.balance: the part \"posted\" has another place"), "{front}");
    let front = refused(&ledger, &next(&[("states = [\"fresh\"", "states = [\"draft\", \"fresh\"")]));
    assert!(front.contains("books.account.phase: the state \"fresh\" has another place"), "{front}");

    let set = ("set = { posted = \"0\" }", "set = { posted = \"0\", pending = \"0\" }");
    let add = ("add = { posted = \"amount\" }", "add = { posted = \"amount\", pending = \"1\" }");
    load(&ledger, &next(&[("parts = [\"posted\"]", "parts = [\"posted\", \"pending\"]"), set, add])).unwrap();
    ledger.append_all(vec![moved("m", 2, "a", 7)], None).unwrap();
    assert_eq!(parts(&ledger, "a"), "pending 1, posted 7");
    // The next version moves another account: the cell is then known by what the second version did to it alone.
    ledger.append_all(vec![moved("m", 3, "b", 5)], None).unwrap();
    assert_eq!(
        (parts(&ledger, "a").as_str(), parts(&ledger, "b").as_str()),
        ("pending 0, posted 0", "pending 1, posted 5")
    );
    audited(&ledger);
}

#[test]
fn a_record_of_an_older_version_moves_cells_that_a_newer_one_gave_more_parts() {
    let ledger = books(&["a", "b"]);
    let first = ledger
        .append_all(vec![moved("in", 1, "a", 60), moved("out", 1, "a", -60), moved("m", 1, "a", 1)], None)
        .unwrap();
    let add = ("add = { posted = \"amount\" }", "add = { posted = \"amount\", pending = \"amount\" }");
    let states = ("states = [\"fresh\", \"used\"]", "states = [\"fresh\", \"used\", \"worn\"]");
    let to = ("to = \"used\"", "to = \"worn\"");
    let wider = "parts = [\"posted\", \"pending\"]\nbounds = [{ require = \"pending <= posted\", code = \"crowded\" }]";
    load(&ledger, &next(&[("parts = [\"posted\"]", wider), add, states, to])).unwrap();
    ledger.append_all(vec![moved("n", 1, "a", 2), record("books.use", &[("account", "a")])], None).unwrap();
    assert_eq!(parts(&ledger, "a"), "pending 2, posted 3");

    // The held ones know one part and two states, and the cells hold more; the bounds are those in force.
    let crowded = ledger.release(first.row(1), None).unwrap_err();
    assert_eq!(code_of(&crowded), "books.crowded", "{crowded}");
    let released = ledger.release(first.row(0), None).unwrap();
    assert_eq!(released.outcome(0), Outcome::Accepted);
    assert_eq!(parts(&ledger, "a"), "pending 2, posted 63");
    // The version before moved a cell that the new one does not name.
    ledger.append_all(vec![moved("m", 2, "b", 4)], None).unwrap();
    assert_eq!(
        (parts(&ledger, "a").as_str(), parts(&ledger, "b").as_str()),
        ("pending 2, posted 62", "pending 4, posted 4")
    );
    audited(&ledger);
}

#[test]
fn a_new_bound_is_asked_of_the_cells_that_are_there() {
    let ledger = books(&["a", "b", "c"]);
    ledger.append_all(vec![moved("1", 1, "a", 3), moved("2", 1, "b", -20), moved("3", 1, "c", -30)], None).unwrap();
    ledger.append_all(vec![moved("4", 1, "c", 30)], None).unwrap();
    let bound = "parts = [\"posted\"]\nbounds = [{ require = \"posted >= 0\", code = \"overdrawn\" }]";
    let bound = ("parts = [\"posted\"]", bound);
    let error = load(&ledger, &next(&[bound])).unwrap_err();
    let Error::Rejected(rejected) = &error else { panic!("{error}") };
    assert_eq!(rejected.cell.as_deref(), Some("[\"books.account\",\"balance\",[\"b\"],[]]"));
    let message = "books.account.balance: books.overdrawn is new, and [\"books.account\",\"balance\",[\"b\"],[]] breaks it: it holds {\"posted\":\"-20\"}";
    assert!(error.to_string().contains(message), "{error}");
    let both = refused(&ledger, &next(&[bound, ("high = 9", "high = 1")]));
    let count = "books.account.uses: books.count_out_of_range is new, and [\"books.account\",\"uses\",[\"c\"],[]] breaks it: it holds {\"count\":2}";
    assert!(both.contains("[\"b\"]") && both.contains(count), "{both}");

    // What is there keeps these now, and so does what comes.
    ledger.append_all(vec![moved("2", 2, "b", 1)], None).unwrap();
    load(&ledger, &next(&[bound, ("high = 9", "high = 2")])).unwrap();
    let low = ledger.append_all(vec![moved("5", 1, "b", -2)], None).unwrap_err();
    assert_eq!(code_of(&low), "books.overdrawn");
    let often = ledger.append_all(vec![moved("5", 1, "c", 1)], None).unwrap_err();
    assert_eq!(code_of(&often), "books.count_out_of_range");
    audited(&ledger);
}

#[test]
fn openings_and_initial_states_change_where_nothing_is_stored() {
    let opening = ("left = \"5\"", "left = \"1\"");
    let initial = ("initial = \"fresh\"", "initial = \"used\"");
    let used = |account: &str| vec![record("books.use", &[("account", account)])];

    let empty = books(&[]);
    load(&empty, &next(&[opening, ("from = [\"fresh\"]", "from = [\"used\"]"), initial])).unwrap();
    empty.append_all(used("a"), None).unwrap();
    audited(&empty);

    // Accounts are there, and no cell of them was ever set: what they hold would change by itself.
    let ledger = books(&["a"]);
    for (replaced, reason) in [
        (
            opening,
            "books.account.quota: the opening is another one; what no record touched has it, and there are records of books.account",
        ),
        (
            initial,
            "books.account.phase: the initial state is another one; what no record touched is in it, and there are records of books.account",
        ),
    ] {
        let found = refused(&ledger, &next(&[replaced]));
        assert!(found.contains(reason), "{found}");
    }
    ledger.append_all(used("b"), None).unwrap();
    let found = refused(&ledger, &next(&[opening]));
    let reasons = "books.account.quota: the opening is another one; what no record touched has it, and the cell [\"books.account\",\"quota\",[\"b\"],[]] was set";
    assert!(found.contains(reasons), "{found}");
    audited(&ledger);
}

/// A new version is decided on the state before its transaction, so nothing else of it may move that.
#[test]
fn an_upgrade_shares_no_transaction_with_records_of_modules() {
    let ledger = books(&["a"]);
    let source = next(&[]);
    let hash = ledgerstone_verify::hash::sha3_256(&[source.as_bytes()]);
    let module = object(&[
        ("name", text("books")),
        ("version", Value::Int(2)),
        ("source", text(&source)),
        ("hash", Value::Bytes(hash.to_vec())),
    ]);
    let module = ("ledger.module".to_owned(), module);
    for records in [vec![moved("m", 1, "a", 1), module.clone()], vec![module.clone(), moved("m", 1, "a", 1)]] {
        let error = ledger.append_all(records, None).unwrap_err();
        assert_eq!(code_of(&error), "ledger.module_upgrade", "{error}");
        assert!(error.to_string().contains("here is one of books.move"), "{error}");
    }
    ledger.append_all(vec![module], None).unwrap();
    ledger.append_all(vec![moved("m", 1, "a", 1)], None).unwrap();
    audited(&ledger);
}

#[test]
fn what_records_are_followed_by_may_turn_round() {
    const FIRST: &str = r#"
[module]
name = "chain"
version = 1
[roles.clerk]
[types.a]
authorise = ["clerk"]
[types.a.fields]
id = { type = "text", max = 8, required = true }
[types.b]
authorise = ["clerk"]
[types.b.fields]
id = { type = "text", max = 8, required = true }
[[types.a.rules]]
emit = "b"
set = { id = "id" }
"#;
    let turned = FIRST
        .replace("version = 1", "version = 2")
        .replace("types.a.rules", "types.b.rules")
        .replace("emit = \"b\"", "emit = \"a\"");
    let ledger = Arc::new(Create::new("acme.example/chain", key()).module(FIRST, "chain.toml").in_memory().unwrap());
    ledger.append_all(vec![record("chain.a", &[("id", "1")])], None).unwrap();
    ledger.load_module(&turned, "chain.toml", false).unwrap();
    ledger.append_all(vec![record("chain.b", &[("id", "2")])], None).unwrap();
    let round = format!("{turned}[[types.a.rules]]\nemit = \"b\"\nset = {{ id = \"id\" }}\n")
        .replace("version = 2", "version = 3");
    let error = ledger.load_module(&round, "chain.toml", false).unwrap_err();
    assert!(error.to_string().contains("records of chain.b would be made by themselves"), "{error}");
    audited(&ledger);
}

/// The votes of a version that did not index their poll have no postings, and count all the same.
#[test]
fn a_tally_counts_the_records_of_a_version_that_did_not_index_them() {
    const VOTES: &str = r#"
[module]
name = "poll"
version = 1
[roles.clerk]
[types.vote]
authorise = ["clerk"]
[types.vote.fields]
id = { type = "text", max = 8, required = true }
poll = { type = "text", max = 8, required = true }
choice = { type = "text", max = 8, required = true }
[[types.vote.rules]]
unique = ["id"]
"#;
    const RESULT: &str = r#"
[types.result]
authorise = ["clerk"]
[types.result.fields]
poll = { type = "text", max = 8, required = true }
[types.result.fields.counts]
type = "list"
item = { type = "struct", required = true, fields = { choice = { type = "text", max = 8, required = true }, votes = { type = "int", required = true } } }
[[types.result.rules]]
tally = "vote"
group = { poll = "poll" }
choice = "choice"
method = "plurality"
counts = "counts"
"#;
    let indexed = VOTES.replace("version = 1", "version = 2").replace("poll = { ", "poll = { index = true, ");
    let create = Create::new("acme.example/poll", key()).module(VOTES, "poll.toml");
    let ledger = Arc::new(create.in_memory().unwrap());
    let vote = |id: &str, poll: &str| record("poll.vote", &[("id", id), ("poll", poll), ("choice", "yes")]);
    ledger.append_all(vec![vote("1", "p"), vote("2", "q"), vote("3", "p")], None).unwrap();
    ledger.load_module(&format!("{indexed}{RESULT}"), "poll.toml", false).unwrap();
    ledger.append_all(vec![vote("4", "p")], None).unwrap();
    let result = |votes: i64| {
        let counts = Value::List(vec![object(&[("choice", text("yes")), ("votes", Value::Int(votes))])]);
        vec![("poll.result".to_owned(), object(&[("poll", text("p")), ("counts", counts)]))]
    };
    ledger.append_all(result(1), None).unwrap_err();
    ledger.append_all(result(3), None).unwrap();
    audited(&ledger);
}
