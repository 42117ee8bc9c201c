//! A module goes on in a new version: what is refused, what old records are under it, and what still verifies.

#[path = "upgrade/keys.rs"]
mod keys;
#[path = "upgrade/owners.rs"]
mod owners;
#[path = "upgrade/retries.rs"]
mod retries;
#[path = "upgrade/stored.rs"]
mod stored;

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use ledgerstone::model::Value;
use ledgerstone::{Create, Ledger, LoadOptions, Open, QueryRequest};
use ledgerstone_tests::{audited, code_of, key, object, record, text};

const ONE: &str = r#"
[module]
name = "stock"
version = 1
[roles.clerk]
[types.item]
authorise = ["clerk"]
[types.item.fields]
id = { type = "text", max = 8, required = true }
kind = { type = "enum", values = ["a", "b"], index = true }
price = { type = "decimal", precision = 6, scale = 2 }
[types.item.cells.on_hand]
kind = "balance"
parts = ["units"]
scale = 0
bounds = [{ require = "units >= 0", code = "not_in_stock" }]
[[types.item.rules]]
unique = ["id"]
[[types.item.rules]]
open = "item.on_hand"
at = ["id"]
set = { units = "5" }
[types.move]
authorise = ["clerk"]
[types.move.fields]
sku = { type = "text", max = 8, required = true }
units = { type = "int", required = true }
[[types.move.rules]]
ref = "item"
at = ["sku"]
[[types.move.rules]]
balance = "item.on_hand"
at = ["sku"]
add = { units = "units" }
"#;

/// A module that refers to the other one.
const SALES: &str = r#"
[module]
name = "sales"
version = 1
[roles.seller]
[types.sale]
authorise = ["seller"]
[types.sale.fields]
sku = { type = "text", max = 8, required = true }
[[types.sale.rules]]
ref = "stock.item"
at = ["sku"]
"#;

/// Version 2: a wider price, another value of `kind`, new optional fields, a rule that old records would not pass, and a new type.
fn two() -> String {
    let new = ONE
        .replace("version = 1", "version = 2")
        .replace("[\"a\", \"b\"]", "[\"c\", \"a\", \"b\"]")
        .replace("precision = 6, scale = 2", "precision = 9, scale = 3")
        .replace("price =", "colour = { type = \"text\", index = true }\nprice =")
        .replace(
            "set = { units = \"5\" }",
            "set = { units = \"5\" }\n[[types.item.rules]]\nrequire = \"has(colour)\"\ncode = \"no_colour\"",
        );
    format!("{new}[types.note]\nauthorise = [\"clerk\"]\n[types.note.fields]\nwords = {{ type = \"text\" }}\n")
}

/// A shop with this version of its stock.
fn create(stock: &str) -> Create {
    Create::new("acme.example/shop", key()).module(stock, "stock.toml").module(SALES, "sales.toml")
}

fn shop() -> Arc<Ledger> {
    Arc::new(create(ONE).in_memory().unwrap())
}

fn item(id: &str, more: &[(&str, &str)]) -> (String, Value) {
    let members: Vec<(&str, &str)> = [("id", id)].iter().chain(more).copied().collect();
    record("stock.item", &members)
}

fn moved(item: &str, units: i64) -> (String, Value) {
    ("stock.move".to_owned(), object(&[("sku", text(item)), ("units", Value::Int(units))]))
}

#[test]
fn old_records_go_on_under_new_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.ledger");
    let ledger = Arc::new(create(ONE).at(&path).unwrap());
    let old =
        ledger.append_all(vec![item("bolt", &[("kind", "a"), ("price", "1.25")]), item("nut", &[])], None).unwrap();
    let receipt = ledger.receipt(old.row(0)).unwrap();
    ledger.load_module(&two(), "stock.toml", false).unwrap();

    // New rules and fields hold from now on; cells, keys and references go on.
    let refused = ledger.append_all(vec![item("gear", &[])], None).unwrap_err();
    assert_eq!(code_of(&refused), "stock.no_colour");
    ledger.append_all(vec![item("gear", &[("colour", "red"), ("kind", "c"), ("price", "0.125")])], None).unwrap();
    assert_eq!(
        code_of(&ledger.append_all(vec![item("bolt", &[("colour", "red")])], None).unwrap_err()),
        "stock.duplicate"
    );
    ledger.append_all(vec![moved("bolt", -5), record("sales.sale", &[("sku", "nut")])], None).unwrap();
    assert_eq!(code_of(&ledger.append_all(vec![moved("bolt", -1)], None).unwrap_err()), "stock.not_in_stock");
    ledger.append_all(vec![record("stock.note", &[("words", "hello")])], None).unwrap();

    // One query gives both versions in the newest columns; a record by key is as it was stored.
    let request = QueryRequest { record_type: "stock.item".to_owned(), ..QueryRequest::default() };
    let batches: Vec<_> = ledger.query(&request).unwrap().map(Result::unwrap).collect();
    let rows: Vec<(String, Option<String>, Option<i128>)> = batches
        .iter()
        .flat_map(|batch| {
            let column = |name: &str| batch.column_by_name(name).unwrap();
            let (ids, colours) = (column("id").as_string::<i32>(), column("colour").as_string::<i32>());
            let prices = column("price").as_primitive::<Decimal128Type>();
            (0..batch.num_rows())
                .map(|row| {
                    let colour = colours.is_valid(row).then(|| colours.value(row).to_owned());
                    (ids.value(row).to_owned(), colour, prices.is_valid(row).then(|| prices.value(row)))
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let expected = [
        ("bolt".to_owned(), None, Some(1250)),
        ("nut".to_owned(), None, None),
        ("gear".to_owned(), Some("red".to_owned()), Some(125)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(ledger.get("stock.item", &[text("bolt")]).unwrap().unwrap().version, 1);
    assert_eq!(ledger.get("stock.item", &[text("gear")]).unwrap().unwrap().version, 2);
    let history: Vec<(String, u64)> =
        ledger.module_history().unwrap().into_iter().map(|loaded| (loaded.name, loaded.version)).collect();
    assert_eq!(history, [("stock".to_owned(), 1), ("sales".to_owned(), 1), ("stock".to_owned(), 2)]);

    // What was proved before is proved now, and a reader of the file sees the same.
    audited(&ledger);
    assert!(receipt.verify(&ledger.verifier_keys().unwrap()).is_ok());
    drop(ledger);
    let ledger = Arc::new(Open::default().key(key()).at(&path).unwrap());
    audited(&ledger);
    assert!(ledger.receipt(old.row(0)).unwrap().verify(&ledger.verifier_keys().unwrap()).is_ok());
    ledger.append_all(vec![moved("nut", 1)], None).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let ledger = shop();
    ledger.append_all(vec![item("bolt", &[])], None).unwrap();
    let two = |from: &str, to: &str| {
        assert!(ONE.contains(from), "{from}");
        ONE.replace("version = 1", "version = 2").replacen(from, to, 1)
    };
    for (source, reason) in [
        (two("max = 8", "max = 7"), "stock.item.id: max is narrowed from 8 to 7"),
        (
            two("\nkind =", "\nnew = { type = \"bool\", required = true }\nkind ="),
            "stock.item.new: a new field is optional",
        ),
        (
            two("units >= 0", "units <= 0"),
            "stock.item.on_hand: stock.not_in_stock is new, and [\"stock.item\",\"on_hand\",[\"bolt\"],[]] breaks it",
        ),
        (two("unique = [\"id\"]", "unique = [\"kind\"]"), "stock.item: the unique rule (id) is changed"),
    ] {
        let error = ledger.load_module(&source, "stock.toml", false).unwrap_err();
        assert_eq!(code_of(&error), "ledger.module_upgrade", "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    // Version 3 without version 2 is fine, and there is no way back.
    ledger.load_module(&ONE.replace("version = 1", "version = 3"), "stock.toml", false).unwrap();
    let back = ledger.load_module(&ONE.replace("version = 1", "version = 2"), "stock.toml", false).unwrap_err();
    assert!(back.to_string().contains("version 2 is not above version 3"), "{back}");
    audited(&ledger);
}

#[test]
fn a_load_goes_on_in_the_version_that_is_loaded_meanwhile() {
    let ledger = shop();
    let other = Arc::clone(&ledger);
    let rows = |ids: &[&str]| {
        let value = |id: &&str| object(&[("id", text(id)), ("colour", text("red"))]);
        Ok(ids.iter().map(value).collect::<Vec<Value>>())
    };
    // The second piece is asked for after the type was looked up: its version has no `colour` yet, the next one has.
    let mut pieces = std::iter::once_with(|| {
        other.load_module(&two(), "stock.toml", false).unwrap();
        rows(&["x", "y"])
    });
    let mut progress = |_| Ok(());
    let options = LoadOptions { progress: Some(&mut progress), ..LoadOptions::default() };
    let report = ledger.append_values("stock.item", &mut pieces, options).unwrap();
    assert_eq!((report.rows, report.accepted), (2, 2), "{report:?}");
    let request = QueryRequest {
        record_type: "stock.item".to_owned(),
        columns: Some(vec!["_index".to_owned(), "colour".to_owned()]),
        ..QueryRequest::default()
    };
    let found: usize = ledger.query(&request).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(found, 2);
    audited(&ledger);
}
