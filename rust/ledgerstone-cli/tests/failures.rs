//! What goes wrong says so: the code, what to do, and one exit code for one mistake.

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::{Folder, transfer};
use serde_json::Value;

/// The error that a run ends with under `--json`.
fn error(folder: &Folder, line: &str) -> (i32, Value) {
    let run = folder.run(&format!("{line} --json"));
    let last = run.err.lines().last().unwrap_or_default();
    let said: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{line}: {}", run.err));
    assert_eq!(said["error"]["exit"], run.code, "{line}");
    (run.code, said["error"].clone())
}

#[test]
fn every_mistake_has_its_code_and_one_exit_code() {
    let folder = Folder::with_books();
    folder.write("new.jsonl", b"{}\n");
    folder.write("lines.jsonl", b"[1]\n");
    folder.write("words", b"\n");
    for (line, code, exit) in [
        ("append books.ledger finance.transfr new.jsonl --key me.pem", "ledger.unknown_type", 2),
        ("query books.ledger finance.transfr", "ledger.unknown_type", 2),
        ("query books.ledger transfers", "ledger.unknown_type", 2),
        ("query books.ledger finance.transfer --join debit=finance.acount", "ledger.unknown_type", 2),
        ("export books.ledger x.parquet --type finance.transfr", "ledger.unknown_type", 2),
        ("schema show nope", "ledger.unknown_module", 2),
        ("load books.ledger nope --key me.pem", "ledger.unknown_module", 2),
        ("schema show loans --ledger books.ledger", "ledger.module_not_loaded", 1),
        ("export books.ledger x.csv", "ledger.unknown_file_format", 2),
        ("append books.ledger finance.transfer me.pem --key me.pem", "ledger.unknown_file_format", 2),
        ("query books.ledger finance.transfer --where amount~1", "ledger.bad_condition", 2),
        ("query books.ledger finance.transfer --where amunt=1", "ledger.bad_condition", 2),
        ("query books.ledger finance.transfer --after 7", "ledger.bad_argument", 2),
        ("query books.ledger finance.transfer --as-of soon", "ledger.bad_argument", 2),
        ("query books.ledger finance.transfer --colums id", "ledger.bad_argument", 2),
        ("get books.ledger t9", "ledger.bad_argument", 2),
        ("get books.ledger finance.transfer t9", "ledger.no_record", 1),
        ("receipt books.ledger finance.transfer t9", "ledger.no_record", 1),
        ("get books.ledger 3:9", "ledger.no_record", 1),
        ("grant books.ledger 00 finance.bookkeeper --from soon --key me.pem", "ledger.bad_argument", 2),
        ("verify lines.jsonl --trust nowhere", "ledger.bad_argument", 2),
        ("verify lines.jsonl --trust words", "malformed", 3),
        ("propose books.ledger lines.jsonl --out p --key me.pem", "ledger.input_malformed", 3),
        ("keys show me.pem --passphrase-file words", "ledger.bad_passphrase", 3),
        ("schema check lines.jsonl", "ledger.schema_file", 1),
        ("restore books.ledger new.ledger", "ledger.restore_refused", 1),
    ] {
        let (exited, said) = error(&folder, line);
        assert_eq!((said["code"].as_str(), exited), (Some(code), exit), "{line}: {said}");
        let entry = ledgerstone::codes::entry(code).unwrap();
        assert_eq!(said["help"], entry.remedy, "{line}");
        // For people the same: the code in the words or behind them, and the remedy on a line of its own.
        if !["ledger.bad_argument"].contains(&code) {
            let told = folder.run(line).err;
            assert!(told.contains(code), "{line}: {told}");
            assert!(told.ends_with(&format!("\nhelp: {}\n", entry.remedy)), "{line}: {told}");
        }
    }
}

#[test]
fn an_error_names_its_file_line_row_and_field_for_programs() {
    let folder = Folder::with_books();
    folder.write("lines.jsonl", b"\n[1]\n");
    let (_, said) = error(&folder, "propose books.ledger lines.jsonl --out p --key me.pem");
    assert_eq!((&said["file"], &said["line"]), (&"lines.jsonl".into(), &2.into()));
    folder.write("bad.jsonl", transfer("x", "cash", "sales", "1").replace("\"1\"", "true").as_bytes());
    let (_, said) = error(&folder, "append books.ledger finance.transfer bad.jsonl --key me.pem --atomic");
    assert_eq!((&said["row"], &said["field"]), (&0.into(), &"amount".into()), "{said}");
    folder.write("junk.receipt", b"junk");
    let (code, said) = error(&folder, "verify junk.receipt --ledger books.ledger");
    assert_eq!((code, &said["file"], &said["code"]), (3, &"junk.receipt".into(), &"malformed".into()));
    // A refusal of the call is no refusal of its first row.
    std::fs::remove_file(folder.path().join("books.ledger.logkey.pem")).unwrap();
    let told = folder.append("finance.transfer", "", "").err;
    assert!(told.starts_with("error: books.ledger: its log key is needed"), "{told}");
}

#[test]
fn an_audit_of_a_ledger_that_does_not_open_ends_with_its_verdict() {
    let folder = Folder::with_books();
    let path = folder.path().join("books.ledger");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..8_192]).unwrap();
    let (code, said) = error(&folder, "audit books.ledger");
    assert_eq!((code, &said["code"]), (10, &"ledger.storage_damaged".into()), "{said}");
    let file = said["file"].as_str().unwrap();
    assert!(file.ends_with("books.ledger") && said["message"].as_str().unwrap().contains(file), "{said}");
    let told = folder.run("audit books.ledger");
    assert_eq!(told.code, 10);
    assert!(told.err.contains("[ledger.storage_damaged]\nhelp: go on with a backup that verifies"), "{}", told.err);
    assert_eq!(folder.run("query books.ledger finance.transfer").code, 10, "the same wherever it is found");
}

#[test]
fn integers_that_json_does_not_keep_are_refused_as_integers() {
    let folder = Folder::with_books();
    let commodity = |exponent: &str| format!("{{\"code\":\"AAPL\",\"exponent\":{exponent}}}\n");
    for exponent in ["9007199254740993", "-99999999999999999999"] {
        let run = folder.append("finance.commodity", &commodity(exponent), "--atomic");
        assert!(run.err.contains("field exponent: ledger.out_of_range"), "{}", run.err);
    }
    assert!(folder.append("finance.commodity", &commodity("2.0"), "").err.contains("ledger.wrong_type"));
    // As money it is exact.
    let large = transfer("large", "cash", "sales", "1").replace("\"1\"", "9007199254740993");
    let run = folder.append("finance.transfer", &large, "");
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(folder.json("get books.ledger finance.transfer large", 0)[0]["data"]["amount"], "9007199254740993");
}
