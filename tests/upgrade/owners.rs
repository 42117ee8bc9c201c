//! Whose the name of a module is.

use std::path::Path;
use std::sync::Arc;

use ledgerstone::model::Value;
use ledgerstone::{Create, Error, Key, Ledger, Open};
use ledgerstone_tests::{audited, code_of, key, object, text};

use super::ONE;

/// The record that loads a version of `ONE`.
fn version(number: i64) -> (String, Value) {
    let source = ONE.replace("version = 1", &format!("version = {number}"));
    let hash = ledgerstone_verify::hash::sha3_256(&[source.as_bytes()]);
    let data = [
        ("name", text("stock")),
        ("version", Value::Int(number)),
        ("source", text(&source)),
        ("hash", Value::Bytes(hash.to_vec())),
    ];
    ("ledger.module".to_owned(), object(&data))
}

fn open(path: &Path, key: &Arc<Key>) -> Arc<Ledger> {
    Arc::new(Open::default().key((**key).clone()).at(path).unwrap())
}

#[test]
fn a_later_version_is_loaded_or_endorsed_by_who_loaded_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.ledger");
    let (first, second) = (Arc::new(key()), Arc::new(Key::from_seed([30; 32], "second")));
    let ledger = Create::new("acme.example/shop", key()).module(ONE, "stock.toml").at(&path).unwrap();
    let owner = ledger.own_member().unwrap().unwrap();
    let member = ledger.admit_member(second.public()).unwrap();
    ledger.grant(&member, "ledger.admin", None, None).unwrap();
    drop(ledger);

    let ledger = open(&path, &second);
    let error = ledger.append_all(vec![version(2)], None).unwrap_err();
    assert_eq!(code_of(&error), "ledger.forbidden");
    assert!(error.to_string().contains(&format!("the module stock belongs to member {owner}")), "{error}");
    ledger.append_endorsed(vec![version(2)], None, false, &[Arc::clone(&first)], "approved").unwrap();
    assert_eq!(code_of(&ledger.append_all(vec![version(3)], None).unwrap_err()), "ledger.forbidden");
    audited(&ledger);
    drop(ledger);

    // The owner loads alone; when no key of his is active, any administrator does.
    let ledger = open(&path, &first);
    ledger.append_all(vec![version(3)], None).unwrap();
    ledger.revoke(first.public(), None, None).unwrap();
    drop(ledger);
    let ledger = open(&path, &second);
    ledger.append_all(vec![version(4)], None).unwrap();
    audited(&ledger);
}

#[test]
fn the_name_of_a_shipped_module_is_its_own() {
    let create = || Create::new("acme.example/shop", key());
    let taken = ONE.replace("name = \"stock\"", "name = \"finance\"");
    let Err(error) = create().module(&taken, "mine.toml").in_memory() else { panic!("the name was taken") };
    assert!(matches!(error, Error::Schema(_)), "{error}");
    let expected =
        "mine.toml:3:1: the module name \"finance\" is reserved: a module that ships with ledgerstone has it";
    assert!(error.to_string().contains(expected), "{error}");
    create().module(ledgerstone_schemas::FINANCE, "mine.toml").in_memory().unwrap();
}
