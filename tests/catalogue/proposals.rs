//! Proposals, and those who endorse.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledgerstone::codes;
use ledgerstone::{Key, Ledger, Open, Proposal, ProposeOptions, Sources};
use ledgerstone_tests::{START_MICROS, books, key, signed_elsewhere, transfer};

use crate::members::with_file;
use crate::records::ready;
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::BAD_MEANING, "", || endorse(OTHER, " ")),
    (codes::MEANING_BYTES_LIMIT, "", || endorse(OTHER, &"m".repeat(1_025))),
    (codes::BAD_MEMBER, "", || endorse("anna", "approved")),
    (codes::SELF_ENDORSEMENT, "", || {
        let proposal = propose(&ready(), "t1");
        proposal.endorse(&key(), &proposal.intent().author, "approved").unwrap_err().into()
    }),
    (codes::ENDORSED_TWICE, "", || {
        let endorsed = propose(&ready(), "t1").endorse(&other(), OTHER, "approved").unwrap();
        endorsed.endorse(&other(), OTHER, "again").unwrap_err().into()
    }),
    (codes::ENDORSERS_LIMIT, "", || {
        let keys: Vec<Arc<Key>> = (100..117).map(|seed| Arc::new(Key::from_seed([seed; 32], ""))).collect();
        let records = vec![transfer("t1", "cash", "sales", "1")];
        ready().append_endorsed(records, None, false, &keys, "approved").unwrap_err().into()
    }),
    (codes::ENVELOPE_BYTES_LIMIT, "", || {
        let ledger = ready();
        let keys: Vec<Arc<Key>> = (100..116).map(|seed| Arc::new(Key::from_seed([seed; 32], ""))).collect();
        keys.iter().for_each(|key| drop(ledger.admit_member(key.public()).unwrap()));
        // Six bytes each, as JSON writes them.
        let meaning = "\u{1}".repeat(1_024);
        let records = vec![transfer("t1", "cash", "sales", "1")];
        ledger.append_endorsed(records, None, false, &keys, &meaning).unwrap_err().into()
    }),
    (codes::OTHER_PROPOSAL, "", || {
        let ledger = ready();
        propose(&ledger, "t1").merge(&propose(&ledger, "t2")).unwrap_err().into()
    }),
    (codes::OTHER_LEDGER, "", || ready().append_proposal(&propose(&ready(), "t1")).unwrap_err().into()),
    (codes::INTENT_EXPIRED, "", || {
        let clock = Arc::new(AtomicI64::new(START_MICROS));
        let now = Arc::clone(&clock);
        let sources = Sources::fixed(move || now.load(Ordering::Relaxed), || [9; 32]);
        let ledger = books().sources(sources).in_memory().unwrap();
        let options = ProposeOptions { id: Some("late"), lifetime: Some(1_000_000) };
        let proposal = ledger.propose(vec![transfer("t1", "cash", "sales", "1")], options).unwrap();
        clock.fetch_add(2_000_000, Ordering::Relaxed);
        ledger.append_proposal(&proposal).unwrap_err().into()
    }),
    (codes::UNKNOWN_PAST, "", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            let backup = path.with_extension("backup");
            std::fs::copy(path, &backup).unwrap();
            let opened = || Open::default().key(key()).at(path).unwrap();
            let ledger = opened();
            ledger.admit_member(other().public()).unwrap();
            let proposal = propose(&ledger, "t1");
            drop(ledger);
            std::fs::copy(&backup, path).unwrap();
            opened().append_proposal(&proposal).unwrap_err().into()
        })
    }),
    (codes::MODULE_VERSION, "row 0", || changed("\"version\":1", "\"version\":2")),
    (codes::NOT_CANONICAL, "row 0", || changed("\"amount\":\"1\"", "\"amount\":\"1.00\"")),
];

const OTHER: &str = "abababababababababababababababab";

fn other() -> Key {
    Key::from_seed([8; 32], "other")
}

fn propose(ledger: &Ledger, id: &str) -> Proposal {
    ledger.propose(vec![transfer(id, "cash", "sales", "1")], ProposeOptions::default()).unwrap()
}

fn endorse(member: &str, meaning: &str) -> Provoked {
    propose(&ready(), "t1").endorse(&other(), member, meaning).unwrap_err().into()
}

/// A proposal with a record that its author signed otherwise than its type writes it.
fn changed(from: &str, to: &str) -> Provoked {
    let ledger = ready();
    let proposal = propose(&ledger, "t1");
    let record = proposal.records()[0].replacen(from, to, 1);
    assert_ne!(record, proposal.records()[0]);
    ledger.append_proposal(&signed_elsewhere(&proposal, &[&record])).unwrap_err().into()
}
