//! What becomes of records and modules: private fields, records that follow others, suspension, held records, faults.

use ledgerstone::codes;
use ledgerstone::model::{RowId, Value};
use ledgerstone::{Create, Error, Ledger, LoadOptions, RecordException, Sources};
use ledgerstone_tests::{ORIGIN, key, object, text};

use crate::Provocation;
use crate::records::refused;

pub(crate) const ALL: &[Provocation] = &[
    (codes::PRIVATE_FIELD, "row 0, field email", || refused(&orders(), customer()).into()),
    (codes::PLAIN_PRIVATE, "row 0", || {
        let ledger = orders();
        let (mut told, mut progress) = (None, |_| Ok(()));
        let mut exceptions = |exception: &RecordException| {
            told = Some(exception.reason.clone());
            Ok(())
        };
        let options = LoadOptions {
            plain: true,
            progress: Some(&mut progress),
            exceptions: Some(&mut exceptions),
            ..LoadOptions::default()
        };
        let (kind, data) = customer();
        ledger.append_values(&kind, &mut std::iter::once(Ok(vec![data])), options).unwrap();
        Error::Rejected(Box::new(told.unwrap())).into()
    }),
    (codes::EMIT_BOUNDS, "row 0", || {
        let lines = (0..65).map(|line| text(&format!("line-{line}"))).collect();
        let batch = object(&[("id", text("b")), ("lines", Value::List(lines))]);
        let ledger = Create::new(ORIGIN, key()).module(BATCH, "batch.toml").in_memory().unwrap();
        refused(&ledger, ("batch.batch".to_owned(), batch)).into()
    }),
    (codes::MODULE_NOT_LOADED, "row 0, field module", || orders().suspend("loans", None).unwrap_err().into()),
    (codes::MODULE_SUSPENDED, "row 0", || {
        let ledger = orders();
        ledger.suspend("orders", None).unwrap();
        refused(&ledger, order("o", 1)).into()
    }),
    (codes::ALREADY_SUSPENDED, "row 0, field module", || {
        let ledger = orders();
        ledger.suspend("orders", None).unwrap();
        ledger.suspend("orders", None).unwrap_err().into()
    }),
    (codes::SEMANTICS_NOT_RAISED, "row 0", || refused(&orders(), raise(0)).into()),
    (codes::SEMANTICS_UNKNOWN, "row 0", || refused(&orders(), raise(1 << 40)).into()),
    (codes::SEMANTICS_ALONE, "row 0", || orders().append_all(vec![raise(1), order("o", 1)], None).unwrap_err().into()),
    (codes::NOT_SUSPENDED, "row 0, field module", || orders().resume("orders", None).unwrap_err().into()),
    (codes::NOT_HELD, "row 0, field index, position", || orders().release(RowId::new(1, 0), None).unwrap_err().into()),
    (codes::ALREADY_RELEASED, "row 0, field index, position", || {
        let ledger = orders();
        let row = ledger.append_all(vec![order("large", 200)], None).unwrap().row(0);
        ledger.release(row, None).unwrap();
        ledger.release(row, None).unwrap_err().into()
    }),
    (codes::MODULE_FAULT, "", || {
        let sources = Sources::system().before_rules(|module| assert!(module != "orders", "injected"));
        let create = Create::new(ORIGIN, key()).module(ORDERS, "outcomes.toml").sources(sources);
        create.in_memory().unwrap().append_all(vec![order("o", 1)], None).unwrap_err().into()
    }),
];

const ORDERS: &str = include_str!("../outcomes.toml");

/// A batch of lines, each of which is followed by a record.
const BATCH: &str = r#"
[module]
name = "batch"
version = 1
title = "Batches"

[roles.clerk]
doc = "Sends batches"

[types.batch]
authorise = ["clerk"]
[types.batch.fields]
id = { type = "text", required = true }
lines = { type = "list", item = { type = "text", required = true } }
[[types.batch.rules]]
each = "lines"
emit = "line"
set = { id = "item" }
code = "no_line"

[types.line]
authorise = ["clerk"]
[types.line.fields]
id = { type = "text", required = true }
"#;

fn orders() -> Ledger {
    Create::new(ORIGIN, key()).module(ORDERS, "outcomes.toml").in_memory().unwrap()
}

fn order(id: &str, pieces: i64) -> (String, Value) {
    ("orders.order".to_owned(), object(&[("id", text(id)), ("customer", text("ann")), ("pieces", Value::Int(pieces))]))
}

fn raise(semantics: i64) -> (String, Value) {
    ("ledger.semantics".to_owned(), object(&[("semantics", Value::Int(semantics))]))
}

fn customer() -> (String, Value) {
    ("orders.customer".to_owned(), object(&[("id", text("ann")), ("email", text("ann@acme.example"))]))
}
