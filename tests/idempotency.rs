//! Ids: the same call again gives the same transaction, an id with other records is refused, and a load that was stopped goes on
//! where it stopped, without a row twice or missing.

use ledgerstone::model::Value;
use ledgerstone::{Error, Ledger, LoadOptions, LoadReport, Open};
use ledgerstone_tests::{account, audited, books, code_of, key, load, text, transfer};
use ledgerstone_verify::Mode;

/// Rows of one transaction of a load (`CUT_ROWS`).
const CUT: usize = ledgerstone::limits::CUT_ROWS;

fn opened() -> Ledger {
    let ledger = books().in_memory().unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    ledger
}

fn one(id: &str, amount: &str) -> Vec<(String, Value)> {
    vec![transfer(id, "cash", "sales", amount)]
}

#[test]
fn the_same_call_gives_the_same_transaction() {
    let ledger = opened();
    let first = ledger.append_all(one("t1", "5"), Some("pay-1")).unwrap();
    ledger.append_all(one("t2", "5"), None).unwrap();
    let size = ledger.size().unwrap();
    // 5.00 is 5: the canonical records are the same.
    let again = ledger.append_all(one("t1", "5.00"), Some("pay-1")).unwrap();
    assert_eq!((first.index, first.count, first.is_new), (again.index, again.count, true));
    assert!(!again.is_new);
    assert_eq!(ledger.size().unwrap(), size);
}

#[test]
fn an_id_with_other_records_is_refused() {
    let ledger = opened();
    ledger.append_all(one("t1", "5"), Some("pay-1")).unwrap();
    let size = ledger.size().unwrap();
    for (other, id) in [(one("t1", "6"), "pay-1"), ([one("t1", "5"), one("t2", "5")].concat(), "pay-1")] {
        let error = ledger.append_all(other, Some(id)).unwrap_err();
        assert_eq!(code_of(&error), "ledger.id_reused");
        assert!(error.to_string().contains("pay-1"), "{error}");
    }
    let each = load(&ledger, "finance.transfer", vec![one("t3", "1").remove(0).1], Some("load"), Mode::Each);
    each.unwrap();
    let atomic = load(&ledger, "finance.transfer", vec![one("t3", "1").remove(0).1], Some("load"), Mode::Atomic);
    assert_eq!(code_of(&atomic.unwrap_err()), "ledger.id_reused", "the mode is part of what was signed");
    assert_eq!(ledger.size().unwrap(), size + 1);
}

#[test]
fn a_refusal_does_not_use_up_its_id() {
    let ledger = opened();
    let overdraft = vec![transfer("t1", "sales", "cash", "5")];
    assert!(ledger.append_all(overdraft.clone(), Some("pay-1")).is_err());
    ledger.append_all(one("t0", "5"), None).unwrap();
    assert!(ledger.append_all(overdraft, Some("pay-1")).unwrap().is_new);
}

#[test]
fn ids_are_bounded_and_hold_no_slash() {
    let ledger = opened();
    assert!(ledger.append_all(one("t1", "5"), Some(&"x".repeat(64))).is_ok());
    assert!(matches!(
        ledger.append_all(one("t2", "5"), Some(&"x".repeat(65))),
        Err(Error::Limit { limit: "ID_BYTES", .. })
    ));
    for wrong in ["", "load/0"] {
        assert!(matches!(ledger.append_all(one("t2", "5"), Some(wrong)), Err(Error::Schema(_))), "{wrong:?}");
    }
}

/// Rows of a load of three transactions; every thousandth is refused by state, every 1,500th before it is signed.
fn rows(from: usize, count: usize) -> Vec<Value> {
    let row = |n: usize| match n {
        _ if n % 1_500 == 7 => transfer(&format!("m{n}"), "cash", "sales", "0"),
        _ if n % 1_000 == 5 => transfer(&format!("m{n}"), "nobody", "sales", "1"),
        _ => transfer(&format!("m{n}"), "cash", "sales", "1"),
    };
    (from..from + count).map(|n| row(n).1).collect()
}

/// Loads `total` rows in pieces of 100,000; stops after `stop` transactions.
fn load_rows(ledger: &Ledger, total: usize, stop: Option<u64>) -> Result<LoadReport, Error> {
    let mut pieces = (0..total).step_by(100_000).map(|from| Ok(rows(from, 100_000.min(total - from))));
    let mut done = 0;
    let mut progress = |_| {
        done += 1;
        if stop == Some(done) { Err(Error::Interrupted(" by the test".to_owned())) } else { Ok(()) }
    };
    let options = LoadOptions { id: Some("year"), progress: Some(&mut progress), ..LoadOptions::default() };
    ledger.append_values("finance.transfer", &mut pieces, options)
}

#[test]
fn a_stopped_load_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    let size = ledger.size().unwrap();
    let total = 2 * CUT + 1_000;
    let stopped = load_rows(&ledger, total, Some(1)).unwrap_err();
    let Error::Stopped { rows, transactions, .. } = &stopped else { panic!("{stopped}") };
    assert_eq!((*rows, *transactions, ledger.size().unwrap()), (CUT as u64, 1, size + 1));
    drop(ledger);

    let ledger = Open::default().key(key()).at(&path).unwrap();
    let report = load_rows(&ledger, total, None).unwrap();
    assert_eq!(report.transactions().collect::<Vec<_>>(), [size, size + 1, size + 2]);
    let refused_of = |test: fn(usize) -> bool| (0..total).filter(|n| test(*n)).count();
    let refused = refused_of(|n| n % 1_500 == 7 || n % 1_000 == 5);
    assert_eq!((report.rows, report.rejections.len()), (total as u64, refused));
    assert_eq!(report.accepted, (total - refused) as u64);
    assert!(report.rejections.is_sorted_by_key(|rejected| rejected.row));
    let balance = &ledger.balances("finance.account", &[text("cash")]).unwrap()[&vec!["EUR".to_owned()]];
    assert_eq!(balance["posted"].to_string(), report.accepted.to_string(), "every accepted row counts once");

    // Once more: nothing new, the same report.
    let again = load_rows(&ledger, total, None).unwrap();
    let places = |report: &LoadReport| [0, 5, 7, CUT as u64, total as u64 - 1].map(|row| report.row(row));
    assert_eq!((again.accepted, places(&again)), (report.accepted, places(&report)));
    let coded = |report: &LoadReport| -> Vec<(u64, String)> {
        report.rejections.iter().map(|rejected| (rejected.row, rejected.code.clone())).collect()
    };
    assert_eq!(coded(&again), coded(&report));
    assert_eq!(ledger.size().unwrap(), size + 3);
    for row in [1, CUT as u64 + 1, total as u64 - 1] {
        let place = report.row(row).unwrap();
        let receipt = ledger.receipt(place).unwrap();
        assert!(receipt.record.bytes.contains(&format!("\"m{row}\"")), "row {row} stands at {place}");
    }
    audited(&ledger);
}
