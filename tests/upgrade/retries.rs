//! What happens to calls when a module is upgraded between them, or while they run: a retry is compared under the versions of the
//! transaction that it repeats, a load goes on in the version that counts, and a record of another version than the one in force does
//! not stand.

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use ledgerstone::limits::{CHUNK_ROWS, FOLLOWED_CUT_ROWS};
use ledgerstone::model::{FlatRows, Value};
use ledgerstone::{Error, Ledger, LoadOptions, LoadReport, ProposeOptions};
use ledgerstone_tests::{audited, code_of, object, record, text};
use ledgerstone_verify::hash::sha3_256;

use super::create;

const ONE: &str = r#"
[module]
name = "stock"
version = 1
[roles.clerk]
[types.item]
authorise = ["clerk"]
[types.item.fields]
id = { type = "text", max = 8, required = true }
kind = { type = "enum", values = ["a", "b"] }
[[types.item.rules]]
unique = ["id"]
[types.order]
authorise = ["clerk"]
[types.order.fields]
id = { type = "text", max = 8, required = true }
express = { type = "bool" }
[[types.order.rules]]
emit = "item"
when = "express"
set = { id = "id" }
code = "no_item"
"#;

/// Version 2: another value of `kind`, a new field, and a rule that old records would not pass.
fn two() -> String {
    ONE.replace("version = 1", "version = 2").replace("[\"a\", \"b\"]", "[\"c\", \"a\", \"b\"]").replacen(
        "[[types.item.rules]]",
        "colour = { type = \"text\" }\n[[types.item.rules]]\nrequire = \"has(colour)\"\ncode = \"no_colour\"\n[[types.item.rules]]",
        1,
    )
}

fn shop() -> Arc<Ledger> {
    Arc::new(create(ONE).in_memory().unwrap())
}

fn upgrade(ledger: &Ledger, source: &str) {
    ledger.load_module(source, "stock.toml", false).unwrap();
}

fn item(id: &str) -> (String, Value) {
    record("stock.item", &[("id", id)])
}

fn coloured(id: &str) -> (String, Value) {
    record("stock.item", &[("id", id), ("colour", "red")])
}

fn options<'a>(
    id: Option<&'a str>,
    progress: &'a mut dyn FnMut(ledgerstone::LoadProgress) -> Result<(), Error>,
) -> LoadOptions<'a> {
    LoadOptions { id, progress: Some(progress), ..LoadOptions::default() }
}

/// Rows of items as a face pushes them, with the fields that it knows.
fn flat(names: &[&str], ids: &[&str]) -> FlatRows {
    let mut rows = FlatRows::new(names.iter().map(|name| (*name).to_owned()).collect());
    for id in ids {
        rows.push_text(id);
        rows.end_row();
    }
    rows
}

fn load_flat(ledger: &Ledger, rows: FlatRows) -> Result<LoadReport, Error> {
    ledger.append_rows("stock.item", &mut std::iter::once(Ok(rows)), options(Some("flat"), &mut |_| Ok(())))
}

fn load_table(ledger: &Ledger, ids: &[&str]) -> Result<LoadReport, Error> {
    let column = Arc::new(StringArray::from(ids.to_vec())) as _;
    let table = RecordBatch::try_from_iter([("id", column)]).unwrap();
    ledger.append_tables("stock.item", &mut std::iter::once(Ok(table)), options(Some("table"), &mut |_| Ok(())))
}

#[test]
fn a_retry_after_an_upgrade_is_the_same_transaction() {
    let ledger = shop();
    let single = vec![item("bolt"), item("nut")];
    let appended = ledger.append_all(single.clone(), Some("single")).unwrap();
    let proposal = ledger.propose(vec![item("gear")], ProposeOptions { id: Some("signed"), lifetime: None }).unwrap();
    let late = ledger.propose(vec![item("late")], ProposeOptions::default()).unwrap();
    let proposed = ledger.append_proposal(&proposal).unwrap();
    let by_rows = load_flat(&ledger, flat(&["id", "kind"], &["f1", "f2"])).unwrap();
    let by_table = load_table(&ledger, &["t1", "t2"]).unwrap();
    upgrade(&ledger, &two());
    let size = ledger.size().unwrap();

    let again = ledger.append_all(single, Some("single")).unwrap();
    assert_eq!((again.index, again.is_new), (appended.index, false));
    for _ in 0..2 {
        let again = ledger.append_proposal(&proposal).unwrap();
        assert_eq!((again.index, again.is_new), (proposed.index, false));
    }
    // Pushed with the fields of before and with those of now.
    for names in [&["id", "kind"][..], &["id", "kind", "colour"]] {
        assert_eq!(load_flat(&ledger, flat(names, &["f1", "f2"])).unwrap(), by_rows);
    }
    assert_eq!(load_table(&ledger, &["t1", "t2"]).unwrap(), by_table);

    // Other records are other records, in whichever version they would be right.
    for other in
        [vec![item("bolt")], vec![coloured("bolt"), coloured("nut")], vec![item("bolt"), item("much too long")]]
    {
        assert_eq!(code_of(&ledger.append_all(other, Some("single")).unwrap_err()), "ledger.id_reused");
    }
    assert_eq!(code_of(&load_table(&ledger, &["t1", "t3"]).unwrap_err()), "ledger.id_reused");
    assert_eq!(code_of(&load_table(&ledger, &["much too long"]).unwrap_err()), "ledger.id_reused");
    // What was not appended before is of the version in force, or it is refused.
    assert_eq!(code_of(&ledger.append_proposal(&late).unwrap_err()), "ledger.module_version");
    assert_eq!(code_of(&ledger.append_all(vec![item("new")], Some("new")).unwrap_err()), "stock.no_colour");
    assert_eq!(ledger.size().unwrap(), size);
    assert!(ledger.append_all(vec![coloured("new")], Some("new")).unwrap().is_new);
    audited(&ledger);
}

/// Loads orders, in transactions of `FOLLOWED_CUT_ROWS`; before the piece at `stop` is read, `meanwhile` is done.
fn load_orders(
    ledger: &Ledger,
    stop: usize,
    meanwhile: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<LoadReport, Error> {
    let mut pieces = (0..6).map(|piece| {
        if piece == stop {
            meanwhile()?;
        }
        let order = |row: usize| {
            let express = if row.is_multiple_of(100) { Value::Bool(true) } else { Value::Null };
            object(&[("id", text(&format!("o{piece}-{row}"))), ("express", express)])
        };
        Ok((0..FOLLOWED_CUT_ROWS / 2).map(order).collect())
    });
    ledger.append_values("stock.order", &mut pieces, options(Some("orders"), &mut |_| Ok(())))
}

#[test]
fn a_load_that_was_stopped_goes_on_after_an_upgrade_where_it_was() {
    let ledger = shop();
    let stopped = load_orders(&ledger, 4, &mut || Err(Error::Interrupted(String::new()))).unwrap_err();
    let Error::Stopped { transactions: 2, .. } = stopped else { panic!("{stopped}") };
    // In the next version nothing follows an order, so that transactions are cut elsewhere.
    let (start, end) = (ONE.find("[[types.order.rules]]").unwrap(), ONE.len());
    let next = [&ONE[..start], &ONE[end..]].concat().replace("version = 1", "version = 2");
    upgrade(&ledger, &next);
    let size = ledger.size().unwrap();
    let report = load_orders(&ledger, 6, &mut || Ok(())).unwrap();
    assert_eq!((report.rows, report.accepted, report.parts.len()), (3_072, 3_072, 3));
    assert_eq!(ledger.size().unwrap(), size + 1);
    assert_eq!(load_orders(&ledger, 6, &mut || Ok(())).unwrap(), report);
    audited(&ledger);
}

#[test]
fn a_load_stops_where_its_transactions_would_be_cut_at_other_places() {
    let ledger = shop();
    let plain = ONE.replace("version = 1", "version = 2");
    let (start, end) = (plain.find("[[types.order.rules]]").unwrap(), plain.len());
    let next = [&plain[..start], &plain[end..]].concat();
    // The first transaction is being read when nothing follows an order any more.
    let error = load_orders(&ledger, 1, &mut || {
        upgrade(&ledger, &next);
        Ok(())
    });
    assert_eq!(error.unwrap_err().code(), "ledger.type_changed");
    assert_eq!(load_orders(&ledger, 6, &mut || Ok(())).unwrap().accepted, 3_072);
}

/// Loads more than a chunk of items, every third with a colour; before the last row is read, `meanwhile` is done.
fn load_items(ledger: &Ledger, meanwhile: &mut dyn FnMut()) -> LoadReport {
    let value = |row: usize| match row % 3 {
        0 => coloured(&format!("{row}")).1,
        _ => item(&format!("{row}")).1,
    };
    let mut pieces = [0..CHUNK_ROWS, CHUNK_ROWS..CHUNK_ROWS + 1].into_iter().map(|rows| {
        if rows.start > 0 {
            meanwhile();
        }
        Ok(rows.map(value).collect())
    });
    ledger.append_values("stock.item", &mut pieces, options(Some("items"), &mut |_| Ok(()))).unwrap()
}

#[test]
fn rows_that_were_screened_before_an_upgrade_are_screened_again() {
    let ledger = shop();
    // The first piece is a whole chunk, which is screened at once.
    let report = load_items(&ledger, &mut || upgrade(&ledger, &two()));
    let refused = |row: u64| !row.is_multiple_of(3);
    assert_eq!(report.rejections_total, (0..=CHUNK_ROWS as u64).filter(|row| refused(*row)).count() as u64);
    let mut reasons = report.rejections.iter().map(|why| (why.row, why.code.as_str()));
    assert!(reasons.all(|(row, code)| refused(row) && code == "stock.no_colour"), "{:?}", report.rejections.last());
    assert_eq!(ledger.record(report.row(3).unwrap()).unwrap().version, 2);
    assert_eq!(load_items(&ledger, &mut || ()), report);
    audited(&ledger);
}

#[test]
fn rows_of_which_none_was_refused_are_screened_again_from_their_columns() {
    let ledger = shop();
    let next = ONE.replace("version = 1", "version = 2").replace("[\"a\", \"b\"]", "[\"c\", \"a\", \"b\"]");
    let load = |meanwhile: &mut dyn FnMut()| {
        let value = |row: usize| record("stock.item", &[("id", &format!("{row}")), ("kind", "b")]).1;
        let mut pieces = [0..CHUNK_ROWS, CHUNK_ROWS..CHUNK_ROWS + 1].into_iter().map(|rows| {
            if rows.start > 0 {
                meanwhile();
            }
            Ok(rows.map(value).collect())
        });
        ledger.append_values("stock.item", &mut pieces, options(Some("items"), &mut |_| Ok(()))).unwrap()
    };
    let report = load(&mut || upgrade(&ledger, &next));
    assert_eq!((report.accepted, report.rejections_total), (CHUNK_ROWS as u64 + 1, 0));
    assert_eq!(ledger.record(report.row(3).unwrap()).unwrap().version, 2);
    assert_eq!(load(&mut || ()), report);
    audited(&ledger);
}

#[test]
fn a_load_does_not_mind_the_upgrade_of_another_module() {
    let ledger = shop();
    ledger.append_all(vec![item("bolt")], None).unwrap();
    let mut pieces = [CHUNK_ROWS, 1].into_iter().map(|rows| {
        if rows == 1 {
            upgrade(&ledger, &two());
        }
        Ok(vec![record("sales.sale", &[("sku", "bolt")]).1; rows])
    });
    let report = ledger.append_values("sales.sale", &mut pieces, options(None, &mut |_| Ok(()))).unwrap();
    assert_eq!((report.rows, report.accepted), (CHUNK_ROWS as u64 + 1, CHUNK_ROWS as u64 + 1));
    audited(&ledger);
}

#[test]
fn a_new_version_and_records_of_its_module_are_no_transaction() {
    let ledger = shop();
    let next = ONE.replace("version = 1", "version = 2");
    let module = object(&[
        ("name", text("stock")),
        ("version", Value::Int(2)),
        ("hash", Value::Bytes(sha3_256(&[next.as_bytes()]).to_vec())),
        ("source", text(&next)),
    ]);
    let both = vec![("ledger.module".to_owned(), module), item("bolt")];
    let proposal = ledger.propose(both.clone(), ProposeOptions::default()).unwrap();
    assert_eq!(code_of(&ledger.append_proposal(&proposal).unwrap_err()), "ledger.module_upgrade");
    for records in [both.clone(), both.into_iter().rev().collect()] {
        assert_eq!(code_of(&ledger.append_all(records, None).unwrap_err()), "ledger.module_upgrade");
    }
}
