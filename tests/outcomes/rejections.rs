//! Ledgers that keep the records which they reject.

use ledgerstone::model::RowId;
use ledgerstone::{AuditOptions, Open, Verdict};
use ledgerstone_tests::{account, audited, books, key, load, transfer};
use ledgerstone_verify::{Mode, Outcome};
use rusqlite::{Connection, params};

#[test]
fn kept_rejections_are_decided_again_and_have_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = books().record_rejections(true).at(&path).unwrap();
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    let rows = (0..200).map(|n| match n % 10 {
        3 => transfer(&format!("m{n}"), "nobody", "sales", "1").1,
        7 => transfer(&format!("m{}", n - 1), "cash", "sales", "1").1,
        _ => transfer(&format!("m{n}"), "cash", "sales", "1").1,
    });
    let report = load(&ledger, "finance.transfer", rows.collect(), Some("year"), Mode::Each).unwrap();
    assert_eq!((report.accepted, report.rejections_total), (160, 40));
    let index = report.parts[0].index;
    for (position, code) in [(3, "finance.account_not_open"), (7, "finance.duplicate")] {
        let receipt = ledger.receipt(RowId::new(index, position)).unwrap();
        let verified = receipt.verify(&ledger.verifier_keys().unwrap()).unwrap();
        assert!(matches!(&verified.outcome, Outcome::Rejected(found) if found == code), "{:?}", verified.outcome);
    }
    // A rejected record is evidence, and no answer.
    assert_eq!(ledger.stats().unwrap().records.iter().find(|(name, _)| name == "finance.transfer").unwrap().1, 160);
    let report = audited(&ledger);
    assert_eq!(report.counts.claimed_rejections, 0);
    drop(ledger);

    let row = |position: u32| RowId::new(index, position).number() as i64;
    let changed = |number: usize, sql: &str, position: u32| {
        let copy = folder.path().join(format!("{number}.ledger"));
        std::fs::copy(&path, &copy).unwrap();
        assert_eq!(Connection::open(&copy).unwrap().execute(sql, params![row(position)]).unwrap(), 1, "{sql}");
        let ledger = Open::default().key(key()).readonly(true).at(&copy).unwrap();
        ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap()
    };
    for (number, (sql, position, message)) in [
        ("DELETE FROM rejections WHERE key = ?", 3, "the rejected record is not there"),
        (
            "INSERT INTO rejections SELECT key + 1, value FROM rejections WHERE key = ?",
            3,
            "no record was rejected here",
        ),
        (
            "UPDATE rejections SET value = CAST(replace(value, '\"m3\"', '\"m9\"') AS BLOB) WHERE key = ?",
            3,
            "is not the one that was rejected",
        ),
        ("UPDATE rejections SET value = x'00' WHERE key = ?", 3, "it is no record of a known type"),
    ]
    .into_iter()
    .enumerate()
    {
        let report = changed(number, sql, position);
        assert_eq!(report.verdict, Verdict::ContentChanged, "{sql}: {report}");
        let finding = &report.findings[0];
        assert!(finding.table == "rejections" && finding.message.contains(message), "{sql}: {report}");
    }
}
