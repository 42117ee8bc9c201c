//! The main path, end to end, in memory and in a file.

use ledgerstone::{AuditOptions, Error, Open, Verdict};
use ledgerstone_tests::{account, audited, books, key, load, text, transfer};
use ledgerstone_verify::Mode;

#[test]
fn a_ledger_takes_proves_and_keeps_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    let first = ledger.append_all(vec![transfer("t1", "cash", "sales", "12.50")], Some("one")).unwrap();
    let again = ledger.append_all(vec![transfer("t1", "cash", "sales", "12.50")], Some("one")).unwrap();
    assert_eq!((first.index, false), (again.index, again.is_new));
    let refused = ledger.append_all(vec![transfer("t2", "sales", "cash", "100")], None).unwrap_err();
    let Error::Rejected(rejected) = refused else { panic!("{refused}") };
    assert_eq!(rejected.code, "finance.insufficient_funds");
    let receipt = ledger.receipt(first.row(0)).unwrap();
    let verified = receipt.verify(&ledger.verifier_keys().unwrap()).unwrap();
    assert_eq!(verified.index, first.index);
    drop(ledger);
    let ledger = Open::default().key(key()).at(&path).unwrap();
    let balances = ledger.balances("finance.account", &[text("cash")]).unwrap();
    assert_eq!(balances[&vec!["EUR".to_owned()]]["posted"].to_string(), "12.5");
    ledger.append_all(vec![transfer("t2", "sales", "cash", "12.50")], None).unwrap();
    assert!(receipt.verify(&ledger.verifier_keys().unwrap()).is_ok());
}

#[test]
fn an_audit_of_what_was_written_is_ok() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    for n in 0..200 {
        let one = transfer(&format!("t{n}"), "cash", "sales", "12.50");
        ledger.append_all(vec![one], Some(&format!("id{n}"))).unwrap();
    }
    let many = (0..10_000).map(|n| transfer(&format!("m{n}"), "cash", "sales", "1").1).collect();
    let report = load(&ledger, "finance.transfer", many, Some("load"), Mode::Each).unwrap();
    assert_eq!(report.accepted, 10_000);
    audited(&ledger);
    let note = ledger.checkpoint().unwrap().note;
    let report = ledger.audit(AuditOptions { against: Some(&note), progress: &mut |_, _| Ok(()) }).unwrap();
    assert_eq!(report.verdict, Verdict::Ok, "{report}");
    println!("{report}");
}
