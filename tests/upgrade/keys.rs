//! A `unique` rule that a later version adds: stored records keep it, or the version is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerstone::model::{RowId, Value};
use ledgerstone::{Create, Error, Ledger, Open, Verdict};
use ledgerstone_tests::{Rng, audited, code_of, key, load, object, text};
use ledgerstone_verify::{Mode, Outcome};
use rusqlite::Connection;

/// Notes without any key: large ones are held.
const NOTES: &str = r#"
[module]
name = "notes"
version = 1
[roles.clerk]
[types.note]
authorise = ["clerk"]
[types.note.fields]
id = { type = "text", max = 16 }
mail = { type = "text", max = 16 }
number = { type = "int", required = true }
tags = { type = "list", item = { type = "text", max = 8, required = true } }
[[types.note.rules]]
require = "number < 1000"
severity = "hold"
code = "large"
"#;

/// A later version, with rules added.
fn version(number: u64, rules: &[&str]) -> String {
    let added: String = rules.iter().map(|rule| format!("[[types.note.rules]]\n{rule}\n")).collect();
    format!("{}{added}", NOTES.replace("version = 1", &format!("version = {number}")))
}

fn notes() -> Arc<Ledger> {
    Arc::new(Create::new("acme.example/notes", key()).module(NOTES, "notes.toml").in_memory().unwrap())
}

/// A note; an empty text is left out.
fn data(id: &str, mail: &str, number: i64, tags: &[&str]) -> Value {
    let mut members = vec![("number", Value::Int(number))];
    members.extend(
        [("id", id), ("mail", mail)]
            .into_iter()
            .filter(|(_, given)| !given.is_empty())
            .map(|(name, given)| (name, text(given))),
    );
    members.push(("tags", Value::List(tags.iter().map(|tag| text(tag)).collect())));
    object(&members)
}

fn note(id: &str, mail: &str, number: i64, tags: &[&str]) -> (String, Value) {
    ("notes.note".to_owned(), data(id, mail, number, tags))
}

fn upgrade(ledger: &Ledger, source: &str) -> Result<(), Error> {
    ledger.load_module(source, "notes.toml", false).map(drop)
}

/// The message of a refused upgrade.
fn refused(ledger: &Ledger, source: &str) -> String {
    let error = upgrade(ledger, source).unwrap_err();
    assert_eq!(code_of(&error), "ledger.module_upgrade", "{error}");
    error.to_string()
}

fn code(ledger: &Ledger, records: Vec<(String, Value)>) -> String {
    code_of(&ledger.append_all(records, None).unwrap_err()).to_owned()
}

#[test]
fn stored_records_take_the_keys_of_a_rule_that_they_keep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.ledger");
    let create = Create::new("acme.example/notes", key()).module(NOTES, "notes.toml");
    let ledger = Arc::new(create.at(&path).unwrap());
    ledger.append_all(vec![note("a", "", 1, &["x", "y"]), note("", "m", 2, &[])], None).unwrap();
    let many = (0..300).map(|n| data(&format!("n{n}"), "", n, &[])).collect();
    load(&ledger, "notes.note", many, None, Mode::Each).unwrap();
    ledger.append_all(vec![note("", "", 4, &["z"])], None).unwrap();
    let rules = [
        "unique = [\"id\"]",
        "unique = [\"mail\"]\ncode = \"mail_known\"",
        "unique = [\"item\"]\neach = \"tags\"\nwhen = \"number > 1\"",
    ];
    upgrade(&ledger, &version(2, &rules)).unwrap();

    for known in ["a", "n0", "n299"] {
        assert_eq!(code(&ledger, vec![note(known, "", 9, &[])]), "notes.duplicate");
        // The first rule is the key of the record from now on.
        assert_eq!(ledger.get("notes.note", &[text(known)]).unwrap().unwrap().version, 1);
    }
    assert_eq!(code(&ledger, vec![note("b", "m", 9, &[])]), "notes.mail_known");
    assert_eq!(code(&ledger, vec![note("b", "", 9, &["z"])]), "notes.duplicate");
    // Where a rule does not apply, or a value is absent, there is no key.
    ledger.append_all(vec![note("b", "k", 9, &["x"]), note("", "", 9, &[]), note("", "", 9, &[])], None).unwrap();
    audited(&ledger);
    drop(ledger);

    let ledger = Arc::new(Open::default().key(key()).at(&path).unwrap());
    assert_eq!(code(&ledger, vec![note("n7", "", 9, &[])]), "notes.duplicate");
    upgrade(&ledger, &version(3, &[&rules[..], &["unique = [\"number\", \"id\"]\ncode = \"pair\""]].concat())).unwrap();
    assert_eq!(code(&ledger, vec![note("b", "", 9, &[])]), "notes.duplicate");
    assert_eq!(ledger.get("notes.note", &[text("n7")]).unwrap().unwrap().version, 1);
    audited(&ledger);
}

#[test]
fn the_least_record_that_breaks_a_new_rule_is_named() {
    let ledger = notes();
    let first = ledger.append_all(vec![note("a", "m", 1, &["x"]), note("b", "n", 2, &["y"])], None).unwrap();
    let second = ledger.append_all(vec![note("c", "m", 3, &["z"]), note("a", "o", 4, &["x"])], None).unwrap();
    let third = ledger.append_all(vec![note("b", "", 5, &["t", "t"])], None).unwrap();
    let (a, b, c) = (first.row(0), second.row(0), third.row(0));
    let found = refused(&ledger, &version(2, &["unique = [\"id\"]"]));
    let message = format!(
        "notes.note: the unique rule (id) is new, and records {a} and {} both have the key [\"a\"]",
        second.row(1)
    );
    assert!(found.contains(&message), "{found}");
    let found = refused(&ledger, &version(2, &["unique = [\"number\"]", "unique = [\"mail\", \"'x'\"]"]));
    let message = format!(
        "notes.note: the unique rule (mail, 'x') is new, and records {a} and {b} both have the key [\"m\",\"x\"]"
    );
    assert!(found.contains(&message) && !found.contains("(number)"), "{found}");
    let found = refused(
        &ledger,
        &version(2, &["unique = [\"number\"]", "unique = [\"item\"]\neach = \"tags\"\nwhen = \"number > 3\""]),
    );
    assert!(found.contains(&format!("record {c} has the key [\"t\"] twice")), "{found}");
    audited(&ledger);
}

#[test]
fn a_held_record_takes_its_keys_when_it_is_released() {
    let ledger = notes();
    let held = ledger
        .append_all(vec![note("a", "", 2000, &[]), note("b", "", 2001, &[]), note("c", "", 2002, &[])], None)
        .unwrap();
    ledger.release(held.row(2), None).unwrap();
    ledger.append_all(vec![note("a", "", 1, &[])], None).unwrap();
    let again = ledger.append_all(vec![note("c", "", 2, &[])], None).unwrap();
    // What is held and waits has no key; what was released has one.
    let unique = version(2, &["unique = [\"id\"]"]);
    let found = refused(&ledger, &unique);
    assert!(
        found.contains(&format!("records {} and {} both have the key [\"c\"]", held.row(2), again.row(0))),
        "{found}"
    );

    let ledger = notes();
    let held = ledger.append_all(vec![note("a", "", 2000, &[]), note("b", "", 2001, &[])], None).unwrap();
    ledger.append_all(vec![note("a", "", 1, &[])], None).unwrap();
    upgrade(&ledger, &unique).unwrap();
    assert_eq!(code_of(&ledger.release(held.row(0), None).unwrap_err()), "notes.duplicate");
    assert_eq!(ledger.release(held.row(1), None).unwrap().outcome(0), Outcome::Accepted);
    assert_eq!(code(&ledger, vec![note("b", "", 3, &[])]), "notes.duplicate");
    assert_eq!(ledger.get("notes.note", &[text("b")]).unwrap().unwrap().row, held.row(1));
    audited(&ledger);
}

#[test]
fn stored_records_are_versions_where_they_follow_each_other() {
    let append = version(2, &["unique = [\"id\"]\nversioned = \"append\"\nversion = \"number\""]);
    let ledger = notes();
    let rows =
        ledger.append_all(vec![note("a", "", 3, &[]), note("b", "", 1, &[]), note("a", "", 4, &[])], None).unwrap();
    let replace = refused(&ledger, &append.replace("\"append\"", "\"replace\""));
    assert!(
        replace.contains(&format!("records {} and {} both have the key [\"a\"]", rows.row(0), rows.row(2))),
        "{replace}"
    );
    upgrade(&ledger, &append).unwrap();
    assert_eq!(code(&ledger, vec![note("a", "", 4, &[])]), "notes.stale_version");
    ledger.append_all(vec![note("a", "", 5, &[]), note("b", "", 2, &[])], None).unwrap();
    audited(&ledger);

    let ledger = notes();
    let rows = ledger.append_all(vec![note("a", "", 3, &[]), note("a", "", 5, &[])], None).unwrap();
    let found = refused(&ledger, &append);
    let message =
        format!("record {} with the key [\"a\"] is not the next version of record {}", rows.row(1), rows.row(0));
    assert!(found.contains(&message), "{found}");
}

#[test]
fn a_held_record_that_is_the_next_version_takes_its_key_when_it_is_released() {
    let append = version(2, &["unique = [\"id\"]\nversioned = \"append\"\nversion = \"number\""]);
    let notes_of = |id: &str| [note(id, "", 999, &[]), note(id, "", 1000, &[]), note(id, "", 1001, &[])];
    let records = || [notes_of("a"), notes_of("b")].concat().into_iter().chain([note("c", "", 1003, &[])]).collect();
    let ledger = notes();
    let rows = ledger.append_all(records(), None).unwrap();
    upgrade(&ledger, &append).unwrap();
    let release = |position: u32| ledger.release(rows.row(position), None).map(|released| released.outcome(0));
    let early = release(2).unwrap_err();
    assert_eq!(code_of(&early), "notes.stale_version", "{early}");
    assert_eq!((release(1).unwrap(), release(2).unwrap()), (Outcome::Accepted, Outcome::Accepted));
    // The first version may have any number.
    assert_eq!(release(6).unwrap(), Outcome::Accepted);
    // The version before may be released by the same transaction.
    let index = Value::Int(rows.index as i64);
    let released = |position: i64| {
        ("ledger.release".to_owned(), object(&[("index", index.clone()), ("position", Value::Int(position))]))
    };
    assert_eq!(code(&ledger, vec![released(5), released(4)]), "notes.stale_version");
    ledger.append_all(vec![released(4), released(5)], None).unwrap();
    for (id, position) in [("a", 2), ("b", 5), ("c", 6)] {
        assert_eq!(ledger.get("notes.note", &[text(id)]).unwrap().unwrap().row, rows.row(position));
    }
    audited(&ledger);

    // One that replaces would take back what the one before did, which it was not held for.
    let ledger = notes();
    let rows = ledger.append_all(vec![note("a", "", 999, &[]), note("a", "", 1000, &[]), note("b", "", 1, &[])], None);
    let held = rows.unwrap().row(1);
    upgrade(&ledger, &append.replace("\"append\"", "\"replace\"")).unwrap();
    let refused = ledger.release(held, None).unwrap_err();
    assert_eq!(code_of(&refused), "notes.stale_version", "{refused}");
    assert!(refused.to_string().contains("held before the key was versioned replaces no other"), "{refused}");
    audited(&ledger);
}

/// What of the keys of stored records is changed is found.
#[test]
fn an_audit_compares_the_keys_that_stored_records_took() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.ledger");
    let create = Create::new("acme.example/notes", key()).module(NOTES, "notes.toml");
    let ledger = create.at(&path).unwrap();
    let appended = ledger.append_all(vec![note("a", "", 1, &[]), note("b", "", 2, &[])], None).unwrap();
    upgrade(&ledger, &version(2, &["unique = [\"id\"]"])).unwrap();
    drop(ledger);
    let taken = |row: RowId| format!("substr(key, 9) = x'{:016x}'", row.number());
    for (number, change) in [
        format!("DELETE FROM unique_keys WHERE {}", taken(appended.row(1))),
        format!("UPDATE unique_keys SET key = CAST(x'0102030405060708' || substr(key, 9) AS BLOB) WHERE {}", taken(appended.row(0))),
        format!(
            "INSERT INTO unique_keys SELECT CAST(x'0102030405060708' || substr(key, 9) AS BLOB), value FROM unique_keys WHERE {}",
            taken(appended.row(0))
        ),
    ]
    .iter()
    .enumerate()
    {
        let copy = folder.path().join(format!("{number}.ledger"));
        std::fs::copy(&path, &copy).unwrap();
        let changed = Connection::open(&copy).unwrap().execute(change, []).unwrap();
        assert_eq!(changed, 1, "{change}");
        let ledger = Open::default().readonly(true).at(&copy).unwrap();
        let options = ledgerstone::AuditOptions { against: None, progress: &mut |_, _| Ok(()) };
        let report = ledger.audit(options).unwrap();
        assert_eq!(report.verdict, Verdict::StateDiffers, "{change}: {report:?}");
        assert!(report.findings.iter().all(|finding| finding.table == "unique_keys"), "{report:?}");
    }
}

/// Whether random records keep a rule, and which are the first that do not, by the plainest reading of it.
#[test]
fn random_records_keep_a_new_rule_or_break_it_where_they_should() {
    let mut rng = Rng::new(7);
    let (mut passed, mut broke) = (0, 0);
    for _ in 0..60 {
        let ledger = notes();
        let ids = 1 + rng.below(40);
        let mut holders: BTreeMap<String, RowId> = BTreeMap::new();
        let mut broken = None;
        let mut waiting = Vec::new();
        for _ in 0..1 + rng.below(6) {
            let mut random = || {
                let id = if rng.below(5) == 0 { String::new() } else { rng.below(ids).to_string() };
                (id, if rng.below(4) == 0 { 5000 } else { rng.below(9) as i64 })
            };
            let records: Vec<(String, i64)> = (0..4).map(|_| random()).collect();
            let appended = ledger
                .append_all(records.iter().map(|(id, number)| note(id, "", *number, &[])).collect(), None)
                .unwrap();
            waiting.extend((0..).zip(&records).map(|(place, (id, number))| (appended.row(place), id.clone(), *number)));
        }
        for (row, id, number) in waiting {
            let stands = number < 1000 || rng.below(2) == 0;
            if number >= 1000 && stands {
                ledger.release(row, None).unwrap();
            }
            if stands && !id.is_empty() {
                match holders.get(&id) {
                    Some(before) => broken = broken.or(Some((*before, row))),
                    None => drop(holders.insert(id, row)),
                }
            }
        }
        let source = version(2, &["unique = [\"id\"]"]);
        match broken {
            None => {
                passed += 1;
                upgrade(&ledger, &source).unwrap();
                for (id, row) in holders {
                    assert_eq!(code(&ledger, vec![note(&id, "", 1, &[])]), "notes.duplicate");
                    assert_eq!(ledger.get("notes.note", &[text(&id)]).unwrap().unwrap().row, row);
                }
            }
            Some((before, row)) => {
                broke += 1;
                let found = refused(&ledger, &source);
                assert!(found.contains(&format!("records {before} and {row} both have the key")), "{found}");
            }
        }
        audited(&ledger);
    }
    assert!(passed > 5 && broke > 5, "{passed} {broke}");
}
