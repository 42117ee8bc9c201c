//! Members, keys, roles, modules, and permission.

use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};
use ledgerstone::codes;
use ledgerstone::model::{RowId, Value};
use ledgerstone::{Key, Ledger, Open, Sources};
use ledgerstone_schemas::FINANCE;
use ledgerstone_tests::{START_MICROS, books, key, object, text, transfer};
use ledgerstone_verify::checkpoint::log_key_message;
use ledgerstone_verify::hash::sha3_256;

use crate::records::{ready, refused};
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::MEMBER_EXISTS, "row 0, field member", || {
        let ledger = ready();
        let member = ledger.admit_member(public(8)).unwrap();
        builtin(&ledger, "member", &[("member", text(&member)), ("key", bytes(&public(9)))])
    }),
    (codes::UNKNOWN_MEMBER, "row 0, field member", || {
        builtin(&ready(), "key", &[("member", text(STRANGER)), ("key", bytes(&public(9)))])
    }),
    (codes::KEY_USED, "row 0, field key", || {
        builtin(&ready(), "member", &[("member", text(STRANGER)), ("key", bytes(&key().public()))])
    }),
    (codes::UNKNOWN_KEY, "row 0, field key", || builtin(&ready(), "revoke", &[("key", bytes(&public(9)))])),
    (codes::KEY_REVOKED, "row 0, field key", || {
        let ledger = ready();
        ledger.admit_member(public(8)).unwrap();
        ledger.append("ledger.revoke", object(&[("key", bytes(&public(8)))]), None).unwrap();
        builtin(&ledger, "revoke", &[("key", bytes(&public(8)))])
    }),
    (codes::WEAK_KEY, "row 0, field key", || {
        builtin(&ready(), "member", &[("member", text(STRANGER)), ("key", bytes(&[0; 32]))])
    }),
    (codes::ALREADY_GRANTED, "row 0, field member, role", || grant("finance.bookkeeper", true)),
    (codes::NOT_GRANTED, "row 0, field member, role", || {
        let ledger = ready();
        let member = ledger.admit_member(public(8)).unwrap();
        ledger.withdraw(&member, "finance.bookkeeper").unwrap_err().into()
    }),
    (codes::EMPTY_GRANT, "row 0, field from, until", || limits(true, 7, 7)),
    (codes::LIMITED_WITHDRAWAL, "row 0, field granted, from, until", || limits(false, 7, 8)),
    (codes::FOREIGN_KEY, "row 0, field replaces", || {
        let ledger = ready();
        let own = ledger.own_member().unwrap().unwrap();
        ledger.admit_member(public(8)).unwrap();
        let members = [("member", text(&own)), ("key", bytes(&public(9))), ("replaces", bytes(&public(8)))];
        builtin(&ledger, "key", &members)
    }),
    (codes::LAST_ADMIN, "row 0", || ready().revoke(key().public(), None, None).unwrap_err().into()),
    (codes::LOG_KEY_USED, "row 0, field new", || log_key(1, 1, 1)),
    (codes::LOG_KEY_MISMATCH, "row 0, field old", || log_key(2, 3, 2)),
    (codes::LOG_KEY_SIGNATURE, "row 0, field old_signature", || log_key(1, 2, 2)),
    // Rightly signed, but the ledger could not sign its next checkpoint.
    (codes::LOG_KEY_ABSENT, "", || log_key(1, 2, 1)),
    (codes::UNKNOWN_ROLE, "row 0, field role", || grant("finance.boss", true)),
    (codes::MODULE_EXISTS, "row 0, field name, version", || {
        ready().load_module(FINANCE, "finance.toml", true).unwrap_err().into()
    }),
    (codes::MODULE_HASH, "row 0, field hash", || module("finance", FINANCE, b"another")),
    (codes::MODULE_INVALID, "row 0, field source", || module("loans", "no schema", b"no schema")),
    (codes::MODULE_MISMATCH, "row 0, field name", || module("loans", FINANCE, FINANCE.as_bytes())),
    (codes::MODULE_UPGRADE, "row 0, field source", || {
        // A text that is narrower than before.
        let later = FINANCE.replacen("version = 1", "version = 2", 1).replacen("max = 128", "max = 8", 1);
        ready().load_module(&later, "finance.toml", false).unwrap_err().into()
    }),
    (codes::FORBIDDEN, "row 0", || {
        with_file(|path| {
            books().at(path).unwrap().admit_member(public(8)).unwrap();
            appended(&Open::default().key(Key::from_seed([8; 32], "clerk")).at(path).unwrap())
        })
    }),
    (codes::REVOKED_KEY, "row 0", || {
        with_file(|path| {
            let ledger = books().at(path).unwrap();
            ledger.admit_member(public(8)).unwrap();
            ledger.append("ledger.revoke", object(&[("key", bytes(&public(8)))]), None).unwrap();
            drop(ledger);
            appended(&Open::default().key(Key::from_seed([8; 32], "clerk")).at(path).unwrap())
        })
    }),
    (codes::NOT_ADMITTED, "row 0", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            appended(&Open::default().key(Key::from_seed([8; 32], "stranger")).at(path).unwrap())
        })
    }),
    (codes::NO_KEY, "", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            appended(&Open::default().at(path).unwrap())
        })
    }),
    (codes::READ_ONLY, "", || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            appended(&Open::default().key(key()).readonly(true).at(path).unwrap())
        })
    }),
];

const STRANGER: &str = "abababababababababababababababab";

fn public(seed: u8) -> [u8; 32] {
    Key::from_seed([seed; 32], "").public()
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn builtin(ledger: &Ledger, kind: &str, members: &[(&str, Value)]) -> Provoked {
    refused(ledger, (format!("ledger.{kind}"), object(members))).into()
}

fn grant(role: &str, granted: bool) -> Provoked {
    let ledger = ready();
    let member = ledger.own_member().unwrap().unwrap();
    builtin(&ledger, "grant", &[("member", text(&member)), ("role", text(role)), ("granted", Value::Bool(granted))])
}

fn limits(granted: bool, from: i64, until: i64) -> Provoked {
    let ledger = ready();
    let member = ledger.own_member().unwrap().unwrap();
    let limits = [("from", Value::Timestamp(from)), ("until", Value::Timestamp(until))];
    let grant = [("member", text(&member)), ("role", text("finance.bookkeeper")), ("granted", Value::Bool(granted))];
    builtin(&ledger, "grant", &[grant.as_slice(), &limits].concat())
}

/// A record that rotates the log key, which is that of seed 1, from one seed's to another's; `signer` signs for the old one.
fn log_key(old: u8, new: u8, signer: u8) -> Provoked {
    let sources = Sources::fixed(|| START_MICROS, || [1; 32]);
    let ledger = books().sources(sources).in_memory().unwrap();
    let receipt = ledger.receipt(RowId::new(1, 0)).unwrap();
    let genesis = receipt.verify(&ledger.verifier_keys().unwrap()).unwrap().genesis.unwrap();
    let pair = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
    let message = log_key_message(&genesis, &public(old), &public(new));
    let sign = |seed: u8| bytes(&pair(seed).sign(&message).to_bytes());
    let keys = [("old", bytes(&public(old))), ("new", bytes(&public(new)))];
    let signatures = [("old_signature", sign(signer)), ("new_signature", sign(new))];
    builtin(&ledger, "log_key", &[keys, signatures].concat())
}

fn module(name: &str, source: &str, hashed: &[u8]) -> Provoked {
    let hash = sha3_256(&[hashed]);
    let members = [("name", text(name)), ("version", Value::Int(1)), ("hash", bytes(&hash)), ("source", text(source))];
    let ledger = ready();
    builtin(&ledger, "module", &members)
}

/// Runs on the path of a ledger to be.
pub(crate) fn with_file<T>(run: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("books.ledger"))
}

fn appended(ledger: &Ledger) -> Provoked {
    refused(ledger, transfer("t1", "cash", "sales", "1")).into()
}
