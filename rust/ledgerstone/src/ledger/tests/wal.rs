//! What was committed leaves the WAL again: it does not grow with what is appended.

use super::{account, text, transfer};
use crate::model::Value;
use crate::{Create, Key, Ledger, LoadOptions};

/// The WAL is carried over when a commit leaves it longer than 16 MiB; the last commit comes on top.
const LONGEST: u64 = 24 << 20;

fn books(folder: &tempfile::TempDir) -> Ledger {
    let create = Create::new("test.example/books", Key::from_seed([3; 32], "me"));
    let ledger = create.module(ledgerstone_schemas::FINANCE, "finance.toml").at(&folder.path().join("books.ledger"));
    let ledger = ledger.unwrap();
    for id in ["cash", "sales"] {
        ledger.append("finance.account", account(id), None).unwrap();
    }
    ledger
}

fn numbered(id: &str) -> Value {
    let Value::Object(mut fields) = transfer(1, "x") else { unreachable!() };
    fields[0].1 = text(id);
    Value::Object(fields)
}

fn length(folder: &tempfile::TempDir) -> u64 {
    folder.path().join("books.ledger-wal").metadata().unwrap().len()
}

#[test]
fn single_appends_do_not_lengthen_the_wal_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = books(&folder);
    let mut longest = 0;
    for number in 0..1_500 {
        ledger.append("finance.transfer", numbered(&format!("t{number}")), None).unwrap();
        longest = longest.max(length(&folder));
    }
    assert!(longest > 16 << 20, "{longest}: the test has lost its point");
    assert!(longest < LONGEST, "{longest}");
}

#[test]
fn loads_do_not_lengthen_the_wal_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = books(&folder);
    let mut longest = 0;
    for load in 0..8 {
        let mut pieces = [Ok((0..20_000).map(|number| numbered(&format!("{load}-{number}"))).collect())].into_iter();
        let progress = &mut |_| Ok(());
        let options = LoadOptions { progress: Some(progress), ..LoadOptions::default() };
        let report = ledger.append_values("finance.transfer", &mut pieces, options).unwrap();
        assert_eq!(report.accepted, 20_000);
        longest = longest.max(length(&folder));
    }
    assert!(longest > 16 << 20, "{longest}: the test has lost its point");
    assert!(longest < 2 * LONGEST, "{longest}");
}
