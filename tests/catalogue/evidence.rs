//! Evidence that does not verify.

use std::path::Path;

use ledgerstone::{AuditOptions, Error, Key, LogKey, Open, Proposal, codes};
use ledgerstone_tests::{books, key, load, transfer};
use ledgerstone_verify::{Mode, Receipt, VerifierKey, VerifyError, verify_checkpoint};
use rusqlite::Connection;

use crate::members::with_file;
use crate::records::ready;
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::CONTENT_CHANGED, "", || altered("\\\"amount\\\":\\\"7\\\"", "\\\"amount\\\":\\\"8\\\"")),
    (codes::LINK_BROKEN, "", || {
        let ledger = ready();
        let note = ledger.checkpoint().unwrap().note.replacen("\n3\n", "\n4\n", 1);
        unverified(verify_checkpoint(&note, &ledger.verifier_keys().unwrap()[0]).unwrap_err())
    }),
    (codes::NOT_TRUSTED, "", || {
        let other = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
        let note = ready().checkpoint().unwrap().note;
        unverified(verify_checkpoint(&note, &VerifierKey::parse(other).unwrap()).unwrap_err())
    }),
    (codes::UNVERIFIABLE_VERSION, "", || altered("/v1\"", "/v2\"")),
    (codes::EVIDENCE_INCOMPLETE, "", || {
        let ledger = ready();
        let rows = [("t1", "7"), ("t2", "-1"), ("t3", "7")].map(|(id, amount)| transfer(id, "cash", "sales", amount).1);
        let overdraft = transfer("t4", "sales", "cash", "999").1;
        let rows = rows.into_iter().chain([overdraft]).collect();
        let report = load(&ledger, "finance.transfer", rows, None, Mode::Each).unwrap();
        let mut receipt = ledger.receipt(report.row(0).unwrap()).unwrap();
        receipt.exceptions.clear();
        unverified(receipt.verify(&ledger.verifier_keys().unwrap()).unwrap_err())
    }),
    (codes::EVIDENCE_MALFORMED, "file books.ledger", || {
        with_file(|path| {
            std::fs::write(path, "hello").unwrap();
            Proposal::load(path).unwrap_err().into()
        })
    }),
    (codes::STORAGE_CORRUPT, "", || {
        audited(|path| {
            let file = Connection::open(path).unwrap();
            let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'cells'";
            let page: u32 = file.query_row(page, [], |row| row.get(0)).unwrap();
            drop(file);
            let mut bytes = std::fs::read(path).unwrap();
            bytes[(page as usize - 1) * 4_096..page as usize * 4_096].fill(0xa5);
            std::fs::write(path, bytes).unwrap();
            None
        })
    }),
    (codes::STATE_DIFFERS, "", || {
        audited(|path| {
            let file = Connection::open(path).unwrap();
            file.execute("DELETE FROM unique_keys WHERE key = (SELECT max(key) FROM unique_keys)", []).unwrap();
            None
        })
    }),
    (codes::TRUNCATED, "", || {
        audited(|path| {
            let older = path.with_extension("older");
            std::fs::copy(path, &older).unwrap();
            let ledger = Open::default().key(key()).at(path).unwrap();
            ledger.admit_member(Key::from_seed([9; 32], "").public()).unwrap();
            let newer = ledger.checkpoint().unwrap().note;
            drop(ledger);
            std::fs::copy(&older, path).unwrap();
            Some(newer)
        })
    }),
    (codes::WRONG_LOG_KEY, "file books.pem", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            let other = path.with_extension("pem");
            LogKey::generate().unwrap().save(&other, "another", None).unwrap();
            Open::default().key(key()).log_key(&other).at(path).unwrap_err().into()
        })
    }),
];

fn altered(from: &str, to: &str) -> Provoked {
    let ledger = ready();
    let appended = ledger.append_all(vec![transfer("t1", "cash", "sales", "7")], None).unwrap();
    let text = ledger.receipt(appended.row(0)).unwrap().to_json();
    assert!(text.contains(from), "{from} is not in {text}");
    let verified = Receipt::parse(text.replacen(from, to, 1).as_bytes())
        .and_then(|receipt| receipt.verify(&ledger.verifier_keys().unwrap()).map(|_| ()));
    unverified(verified.unwrap_err())
}

/// What the audit of a ledger says after somebody has changed its file; against a checkpoint, where that gives one.
fn audited(change: fn(&Path) -> Option<String>) -> Provoked {
    with_file(|path| {
        drop(books().at(path).unwrap());
        let against = change(path);
        let ledger = Open::default().readonly(true).at(path).unwrap();
        let options = AuditOptions { against: against.as_deref(), progress: &mut |_, _| Ok(()) };
        let report = ledger.audit(options).unwrap();
        Error::verification(report.verdict.code().unwrap(), report.to_string()).into()
    })
}

fn unverified(error: VerifyError) -> Provoked {
    Error::verification(error.kind().code(), error.to_string()).into()
}
