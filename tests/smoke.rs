//! The main path, end to end, in memory and in a file.

use ledgerstone::model::Value;
use ledgerstone::{AuditOptions, Create, Error, Key, LoadOptions, Open, Verdict};
use ledgerstone_verify::Mode;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn account(id: &str, floor: Option<&str>) -> (String, Value) {
    let mut members = vec![("id", text(id)), ("kind", text("asset")), ("currency", text("EUR"))];
    members.extend(floor.map(|floor| ("floor", text(floor))));
    ("finance.account".to_owned(), object(&members))
}

fn transfer(id: &str, debit: &str, credit: &str, amount: &str) -> (String, Value) {
    let members = [
        ("id", text(id)),
        ("debit", text(debit)),
        ("credit", text(credit)),
        ("currency", text("EUR")),
        ("amount", text(amount)),
    ];
    ("finance.transfer".to_owned(), object(&members))
}

#[test]
fn a_ledger_takes_proves_and_keeps_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let seed = [7; 32];
    let create = Create::new("acme.example/books", Key::from_seed(seed, "me"));
    let ledger = create.module(ledgerstone_schemas::FINANCE, "finance.toml").at(&path).unwrap();
    ledger.append_all(vec![account("cash", Some("0")), account("sales", None)], None).unwrap();
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
    let ledger = Open::default().key(Key::from_seed(seed, "me")).at(&path).unwrap();
    let balances = ledger.balances("finance.account", &[text("cash")]).unwrap();
    assert_eq!(balances[&vec!["EUR".to_owned()]]["posted"].to_string(), "12.5");
    ledger.append_all(vec![transfer("t2", "sales", "cash", "12.50")], None).unwrap();
    assert!(receipt.verify(&ledger.verifier_keys().unwrap()).is_ok());
}

#[test]
fn an_audit_of_what_was_written_is_ok() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let create = Create::new("acme.example/books", Key::from_seed([7; 32], "me"));
    let ledger = create.module(ledgerstone_schemas::FINANCE, "finance.toml").at(&path).unwrap();
    ledger.append_all(vec![account("cash", Some("0")), account("sales", None)], None).unwrap();
    for n in 0..200 {
        let one = transfer(&format!("t{n}"), "cash", "sales", "12.50");
        ledger.append_all(vec![one], Some(&format!("id{n}"))).unwrap();
    }
    let many = (0..10_000).map(|n| transfer(&format!("m{n}"), "cash", "sales", "1").1).collect();
    let mut progress = |_| Ok(());
    let options =
        LoadOptions { id: Some("load"), mode: Mode::Each, plain: false, progress: &mut progress, exceptions: None };
    let report = ledger.append_values("finance.transfer", &mut std::iter::once(Ok(many)), options).unwrap();
    assert_eq!(report.accepted, 10_000);
    let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap();
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report}");
    let note = ledger.checkpoint().unwrap().note;
    let report = ledger.audit(AuditOptions { against: Some(&note), progress: &mut |_, _| Ok(()) }).unwrap();
    assert_eq!(report.verdict, Verdict::Ok, "{report}");
    println!("{report}");
}
