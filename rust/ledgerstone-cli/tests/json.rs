//! Under `--json` every verb prints JSON and nothing else, and ends with the exit code that docs/CLI.md says.

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use std::collections::BTreeSet;

use common::{Folder, Run, transfer};
use serde_json::Value;

/// For each verb a line that is done, and one that is not, with its exit code.
const VERBS: &[(&str, &str, &str, i32)] = &[
    ("keys generate", "spare.pem --label spare", "me.pem", 3),
    ("keys show", "me.pem", "none.pem", 3),
    ("keys passwd", "locked.pem --new-passphrase-file words.txt", "none.pem --remove", 3),
    (
        "create",
        "new.ledger --origin acme.example/new --key me.pem",
        "books.ledger --origin acme.example/x --key me.pem",
        3,
    ),
    ("load", "books.ledger club.toml --key me.pem", "books.ledger nope --key me.pem", 2),
    (
        "append",
        "books.ledger finance.transfer more.jsonl --key me.pem",
        "books.ledger finance.transfer bad.jsonl --key me.pem",
        1,
    ),
    ("query", "books.ledger finance.transfer", "books.ledger finance.transfer --where amunt=1", 2),
    ("get", "books.ledger finance.transfer t1", "books.ledger finance.transfer t9", 1),
    ("balance", "books.ledger finance.account cash", "books.ledger finance.transfer t1", 3),
    ("state", "books.ledger finance.account cash", "books.ledger finance.account a b", 2),
    ("history", "books.ledger finance.account cash", "books.ledger finance.account nobody", 1),
    ("statement", "books.ledger finance.account cash", "books.ledger finance.account cash --start soon", 2),
    ("held", "books.ledger", "none.ledger", 3),
    ("release", "club.ledger 2:0 --key me.pem", "club.ledger 1:0 --key me.pem", 1),
    ("members", "books.ledger", "none.ledger", 3),
    ("members", "books.ledger --admit KEY --key me.pem", "books.ledger --admit KEY --key me.pem", 1),
    (
        "grant",
        "books.ledger MEMBER finance.bookkeeper --key me.pem",
        "books.ledger anna finance.bookkeeper --key me.pem",
        1,
    ),
    ("keys add", "books.ledger KEY2 --key me.pem", "books.ledger KEY2 --key me.pem", 1),
    ("keys rotate", "club.ledger new.pem --key me.pem", "club.ledger none.pem --key me.pem", 3),
    ("keys revoke", "books.ledger KEY2 --key me.pem", "books.ledger KEY2 --key me.pem", 1),
    ("keys rotate-log", "club.ledger --key new.pem", "club.ledger --key none.pem", 3),
    (
        "propose",
        "books.ledger one.jsonl --type finance.transfer --out one.proposal --key me.pem",
        "books.ledger bad.txt --out x.proposal --key me.pem",
        3,
    ),
    ("endorse", "one.proposal", "one.jsonl", 3),
    ("append-proposal", "books.ledger one.proposal", "books.ledger none.proposal", 3),
    ("checkpoint", "books.ledger", "none.ledger", 3),
    (
        "receipt",
        "books.ledger finance.transfer t1 --output t1.receipt",
        "books.ledger finance.transfer t9 --output t9.receipt",
        1,
    ),
    ("verify", "t1.receipt --trust trust.txt", "one.jsonl --trust trust.txt", 3),
    ("audit", "books.ledger", "none.ledger", 3),
    ("export", "books.ledger trail.parquet", "books.ledger trail.xlsx", 2),
    ("schema check", "club.toml", "broken.toml", 1),
    ("schema try", "club.toml visit.jsonl", "club.toml bad.txt", 3),
    ("schema show", "finance", "nope", 2),
    ("schema history", "books.ledger", "none.ledger", 3),
    ("schema diff", "club.toml club-2.toml", "club.toml finance", 1),
    ("schema json", "", "extra", 2),
    ("suspend", "books.ledger finance --key me.pem", "books.ledger finance --key me.pem", 1),
    ("resume", "books.ledger finance --key me.pem", "books.ledger finance --key me.pem", 1),
    ("info", "books.ledger", "none.ledger", 3),
    ("stats", "books.ledger", "none.ledger", 3),
    ("backup", "books.ledger copy.ledger", "books.ledger copy.ledger", 3),
    ("errors", "", "nothing.like_it", 2),
    ("completion", "bash", "tcsh-like", 2),
];

const CLUB: &str = r#"
[module]
name = "club"
version = 1
[roles.clerk]
[types.visit]
authorise = ["clerk"]
[types.visit.fields]
id = { type = "text", max = 8, required = true }
guests = { type = "int", required = true }
[[types.visit.rules]]
unique = ["id"]
[[types.visit.rules]]
require = "guests < 10"
severity = "hold"
"#;

fn files(folder: &Folder) {
    folder.write("words.txt", b"correct horse\n");
    folder.write("club.toml", CLUB.as_bytes());
    folder.write("club-2.toml", CLUB.replace("version = 1", "version = 2").as_bytes());
    folder.write("broken.toml", b"[module]\n");
    folder.write("bad.txt", b"no record\n");
    folder.write("visit.jsonl", b"{\"type\":\"club.visit\",\"data\":{\"id\":\"a\",\"guests\":2}}\n");
    folder.write("more.jsonl", transfer("t4", "cash", "sales", "1").as_bytes());
    folder.write(
        "bad.jsonl",
        [transfer("t5", "cash", "sales", "-1"), transfer("t6", "cash", "sales", "x")].concat().as_bytes(),
    );
    folder.write("one.jsonl", transfer("t7", "cash", "sales", "1").as_bytes());
    for name in ["locked", "new", "other", "second"] {
        assert_eq!(folder.run(&format!("keys generate {name}.pem")).code, 0);
    }
    assert_eq!(folder.run("create club.ledger --origin acme.example/club --key me.pem --module club.toml").code, 0);
    let held = folder.run_with("append club.ledger club.visit --key me.pem", "{\"id\":\"a\",\"guests\":20}\n");
    assert_eq!(held.code, 0, "{}", held.err);
    let trust = folder.json("info books.ledger --json", 0)[0]["verifier_keys"].clone();
    let keys: Vec<&str> = trust.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    folder.write("trust.txt", keys.join("\n").as_bytes());
}

/// Every line of a text is an object.
fn objects(what: &str, text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{what} printed {line:?}"));
    let lines: Vec<Value> = text.lines().map(parse).collect();
    assert!(lines.iter().all(Value::is_object), "{what}: {text}");
    lines
}

#[test]
fn every_verb_prints_json_and_nothing_else() {
    let folder = Folder::with_books();
    files(&folder);
    let public =
        |file: &str| folder.json(&format!("keys show {file} --json"), 0)[0]["public"].as_str().unwrap().to_owned();
    let (key, key2) = (public("other.pem"), public("second.pem"));
    let mut member = String::new();
    for (verb, done, failed, exit) in VERBS {
        let run = |words: &str| -> Run {
            let words = words.replace("KEY2", &key2).replace("KEY", &key).replace("MEMBER", &member);
            folder.run(&format!("{verb} {words} --json"))
        };
        let succeeded = run(done);
        assert_eq!(succeeded.code, 0, "{verb} {done}: {}", succeeded.err);
        // What is told besides is JSON too: the ends of a statement.
        objects(verb, &succeeded.err);
        let shown = match *verb {
            "schema json" => vec![serde_json::from_str(&succeeded.out).unwrap()],
            verb => objects(verb, &succeeded.out),
        };
        assert!(!shown.is_empty() || *verb == "held", "{verb} {done} says nothing");
        let refused = run(failed);
        assert_eq!(refused.code, *exit, "{verb} {failed}: {}{}", refused.out, refused.err);
        objects(verb, &refused.out);
        let said = objects(verb, &refused.err);
        let last = said.last().unwrap_or_else(|| panic!("{verb} {failed} does not say why"));
        if *verb == "append" {
            // The rows are told, and the report is the result.
            assert_eq!((said.len(), last["field"].as_str()), (2, Some("amount")), "{}", refused.err);
        } else {
            assert_eq!(last["error"]["exit"], *exit, "{verb} {failed}: {last}");
            assert!(refused.out.is_empty(), "{verb} {failed}: {}", refused.out);
        }
        if let ("members", Some(admitted)) = (*verb, shown.first().and_then(|shown| shown["member"].as_str())) {
            member = admitted.to_owned();
        }
    }
}

#[test]
fn no_verb_is_left_out() {
    let reference = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CLI.md")).unwrap();
    let listed: BTreeSet<&str> = reference.lines().filter_map(|line| line.strip_prefix("## ledgerstone ")).collect();
    // `restore` is refused whatever it is given.
    let tried: BTreeSet<&str> = VERBS.iter().map(|(verb, ..)| *verb).chain(["restore"]).collect();
    assert_eq!(tried, listed);
}
