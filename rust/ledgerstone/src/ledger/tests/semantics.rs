//! A raise of the semantics, to one that only these tests have; and a ledger of one that this build lacks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{account, audit, next_version, transfer};
use crate::model::{RowId, Value};
use crate::schema::injected::KNOWS_TWO;
use crate::{Create, Key, Ledger, Open, QueryRequest, Verdict};

fn key() -> Key {
    Key::from_seed([3; 32], "me")
}

fn books(path: &Path) -> Ledger {
    let create = Create::new("test.example/books", key()).module(ledgerstone_schemas::FINANCE, "finance.toml");
    let ledger = create.at(path).unwrap();
    for id in ["cash", "sales"] {
        ledger.append("finance.account", account(id), None).unwrap();
    }
    ledger
}

fn raise(ledger: &Ledger, semantics: i64) -> crate::Result<u64> {
    let data = Value::Object(vec![("semantics".to_owned(), Value::Int(semantics))]);
    ledger.append("ledger.semantics", data, None).map(|appended| appended.index)
}

fn semantics_at(ledger: &Ledger, index: u64) -> u64 {
    ledger.view().unwrap().envelope(index).unwrap().envelope.semantics
}

#[test]
fn records_after_a_raise_are_of_the_new_semantics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books(&path);
    ledger.admit_member(Key::from_seed([4; 32], "other").public()).unwrap();
    let raised = raise(&ledger, 1).unwrap();
    assert_eq!(raise(&ledger, 1).unwrap_err().code(), "ledger.semantics_not_raised");
    ledger.admit_member(Key::from_seed([5; 32], "third").public()).unwrap();
    let transferred = ledger.append("finance.transfer", transfer(5, "x"), None).unwrap();
    ledger.load_module(&next_version().0, "finance.toml", false).unwrap();
    // The key that was admitted before is known, and its cell goes on.
    let known = ledger.admit_member(Key::from_seed([4; 32], "other").public()).unwrap_err();
    assert_eq!(known.code(), "ledger.key_used");

    for ledger in [&ledger, &Open::default().readonly(true).at(&path).unwrap()] {
        assert_eq!(
            [raised - 1, raised, raised + 1, transferred.index].map(|index| semantics_at(ledger, index)),
            [0, 0, 1, 1]
        );
        // The version of a record of the module `ledger` is the semantics.
        let bytes = |index| ledger.view().unwrap().record_bytes(RowId::new(index, 0)).unwrap();
        assert!(bytes(raised).ends_with(br#""type":"ledger.semantics","version":0}"#));
        assert!(bytes(raised + 1).ends_with(br#""type":"ledger.member","version":1}"#));
        assert_eq!(ledger.stats().unwrap().semantics, 1);
        assert_eq!(audit(ledger).verdict, Verdict::OkUpToSize, "{}", audit(ledger));
    }
    drop(ledger);
    let ledger = Open::default().key(key()).at(&path).unwrap();
    ledger.append("finance.transfer", transfer(5, "y"), None).unwrap_err();
    raise(&ledger, 0).unwrap_err();
    assert_eq!(audit(&ledger).verdict, Verdict::OkUpToSize);
}

/// An alarm would be false, and an answer might be wrong.
#[test]
fn what_a_later_build_wrote_is_unverifiable_and_no_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    KNOWS_TWO.store(true, Ordering::SeqCst);
    let ledger = books(&path);
    let before = ledger.checkpoint().unwrap().note;
    raise(&ledger, 2).unwrap();
    // Nothing of it may be taken for damage: types of the module `ledger`, of later modules, another log key.
    ledger.admit_member(Key::from_seed([5; 32], "third").public()).unwrap();
    ledger.load_module(&next_version().0, "finance.toml", false).unwrap();
    ledger.append("finance.transfer", transfer(5, "x"), None).unwrap();
    ledger.rotate_log_key().unwrap();
    let receipt = ledger.receipt(RowId::new(ledger.size().unwrap() - 2, 0)).unwrap();
    let keys = ledger.verifier_keys().unwrap();
    drop(ledger);

    KNOWS_TWO.store(false, Ordering::SeqCst);
    let code = "unverifiable_version";
    assert_eq!(Open::default().key(key()).at(&path).unwrap_err().code(), code);
    let ledger = Arc::new(Open::default().readonly(true).at(&path).unwrap());
    let report = audit(&ledger);
    assert_eq!(report.verdict, Verdict::UnverifiableVersion, "{report}");
    assert!(
        report
            .findings
            .iter()
            .all(|found| [Verdict::UnverifiableVersion, Verdict::Incomplete].contains(&found.verdict)),
        "{report}"
    );
    let options = crate::AuditOptions { against: Some(&before), progress: &mut |_, _| Ok(()) };
    assert_eq!(ledger.audit(options).unwrap().verdict, Verdict::UnverifiableVersion);
    let request = QueryRequest { record_type: "finance.transfer".to_owned(), ..QueryRequest::default() };
    assert_eq!(ledger.query(&request).err().map(|error| error.code().to_owned()).as_deref(), Some(code));
    assert_eq!(ledger.stats().unwrap_err().code(), code);
    assert_eq!(receipt.verify(&keys).unwrap_err().kind().code(), code);

    KNOWS_TWO.store(true, Ordering::SeqCst);
    let options = crate::AuditOptions { against: Some(&before), progress: &mut |_, _| Ok(()) };
    assert_eq!(Open::default().readonly(true).at(&path).unwrap().audit(options).unwrap().verdict, Verdict::Ok);
    KNOWS_TWO.store(false, Ordering::SeqCst);
}
