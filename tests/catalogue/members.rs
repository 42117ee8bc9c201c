//! Members, keys, roles, modules, and permission.

use std::path::Path;

use ledgerstone::codes;
use ledgerstone::model::Value;
use ledgerstone::{Key, Ledger, Open};
use ledgerstone_schemas::FINANCE;
use ledgerstone_tests::{books, key, object, text, transfer};
use ledgerstone_verify::hash::sha3_256;

use crate::records::{ready, refused};
use crate::{Provocation, Provoked};

pub(crate) const ALL: &[Provocation] = &[
    (codes::MEMBER_EXISTS, || {
        let ledger = ready();
        let member = ledger.admit_member(public(8)).unwrap();
        builtin(&ledger, "member", &[("member", text(&member)), ("key", bytes(&public(9)))])
    }),
    (codes::UNKNOWN_MEMBER, || builtin(&ready(), "key", &[("member", text(STRANGER)), ("key", bytes(&public(9)))])),
    (codes::KEY_USED, || builtin(&ready(), "member", &[("member", text(STRANGER)), ("key", bytes(&key().public()))])),
    (codes::UNKNOWN_KEY, || builtin(&ready(), "revoke", &[("key", bytes(&public(9)))])),
    (codes::KEY_REVOKED, || {
        let ledger = ready();
        ledger.admit_member(public(8)).unwrap();
        ledger.append("ledger.revoke", object(&[("key", bytes(&public(8)))]), None).unwrap();
        builtin(&ledger, "revoke", &[("key", bytes(&public(8)))])
    }),
    (codes::WEAK_KEY, || builtin(&ready(), "member", &[("member", text(STRANGER)), ("key", bytes(&[0; 32]))])),
    (codes::ALREADY_GRANTED, || grant("finance.bookkeeper", true)),
    (codes::NOT_GRANTED, || {
        let ledger = ready();
        let member = ledger.admit_member(public(8)).unwrap();
        ledger.withdraw(&member, "finance.bookkeeper").unwrap_err().into()
    }),
    (codes::UNKNOWN_ROLE, || grant("finance.boss", true)),
    (codes::MODULE_EXISTS, || ready().load_module(FINANCE, "finance.toml", true).unwrap_err().into()),
    (codes::MODULE_HASH, || module("finance", FINANCE, b"another")),
    (codes::MODULE_INVALID, || module("loans", "no schema", b"no schema")),
    (codes::MODULE_MISMATCH, || module("loans", FINANCE, FINANCE.as_bytes())),
    (codes::MODULE_UPGRADE, || {
        // A text that is narrower than before.
        let later = FINANCE.replacen("version = 1", "version = 2", 1).replacen("max = 128", "max = 8", 1);
        ready().load_module(&later, "finance.toml", false).unwrap_err().into()
    }),
    (codes::FORBIDDEN, || {
        with_file(|path| {
            books().at(path).unwrap().admit_member(public(8)).unwrap();
            appended(&Open::default().key(Key::from_seed([8; 32], "clerk")).at(path).unwrap())
        })
    }),
    (codes::REVOKED_KEY, || {
        with_file(|path| {
            let ledger = books().at(path).unwrap();
            ledger.admit_member(public(8)).unwrap();
            ledger.append("ledger.revoke", object(&[("key", bytes(&public(8)))]), None).unwrap();
            drop(ledger);
            appended(&Open::default().key(Key::from_seed([8; 32], "clerk")).at(path).unwrap())
        })
    }),
    (codes::NOT_ADMITTED, || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            appended(&Open::default().key(Key::from_seed([8; 32], "stranger")).at(path).unwrap())
        })
    }),
    (codes::NO_KEY, || {
        with_file(|path| {
            drop(books().at(path).unwrap());
            appended(&Open::default().at(path).unwrap())
        })
    }),
    (codes::READ_ONLY, || {
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
