//! Queries beside a plain reading: order and pages, indexed values, fields of the records that others name.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, RecordBatch};
use ledgerstone::model::RowId;
use ledgerstone::query::{Comparison, OrderBy, Predicate};
use ledgerstone::{Join, Ledger, QueryRequest};
use ledgerstone_tests::{books, record, text, transfer};

use super::{ACCOUNT, ACCOUNTS, Moved, TRANSFER, place, script};

fn ids(ledger: &Arc<Ledger>, request: &QueryRequest) -> Vec<(String, RowId)> {
    let columns = ["id", "_index", "_position"].map(str::to_owned).to_vec();
    let request = QueryRequest { columns: Some(columns), ..request.clone() };
    let mut found = Vec::new();
    for batch in ledger.query(&request).unwrap() {
        let batch = batch.unwrap();
        let ids = batch.column(0).as_string::<i32>();
        found.extend((0..batch.num_rows()).map(|row| (ids.value(row).to_owned(), place(&batch, row))));
    }
    found
}

#[test]
fn pages_are_the_whole_in_any_order() {
    let script = script(6, 60);
    let by = |field: &str, is_descending| OrderBy { field: field.to_owned(), is_descending };
    let only = |field: &str, value: &str| Predicate {
        field: field.to_owned(),
        comparison: Comparison::Equal,
        values: vec![text(value)],
    };
    let query = QueryRequest { record_type: TRANSFER.to_owned(), ..QueryRequest::default() };
    for order_by in [
        vec![],
        vec![by("date", false)],
        vec![by("amount", true), by("debit", false)],
        vec![by("book", true)],
        vec![by("_index", true)],
        vec![by("_time", true), by("amount", true)],
    ] {
        for predicates in [vec![], vec![only("debit", "cash")], vec![only("debit", "cash"), only("credit", "bank")]] {
            let request = QueryRequest { order_by: order_by.clone(), predicates, ..query.clone() };
            let whole = ids(&script.ledger, &request);
            assert!(whole.len() > 10);
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let page = ids(&script.ledger, &QueryRequest { after, limit: Some(7), ..request.clone() });
                let Some((_, last)) = page.last() else { break };
                after = Some(*last);
                paged.extend(page);
            }
            assert_eq!(paged, whole);
            let middle = ids(&script.ledger, &QueryRequest { offset: 5, limit: Some(4), ..request.clone() });
            assert_eq!(middle, whole[5..9]);
        }
    }
    let ordered = ids(&script.ledger, &QueryRequest { order_by: vec![by("id", true)], ..query.clone() });
    let mut sorted = ids(&script.ledger, &query);
    sorted.sort_by(|left, right| right.cmp(left));
    assert_eq!(ordered, sorted);
    let nowhere = QueryRequest { order_by: vec![by("id", true)], after: Some(RowId::new(0, 0)), ..query.clone() };
    assert!(script.ledger.query(&nowhere).err().unwrap().to_string().contains("to go on after"));
    let nested =
        QueryRequest { order_by: vec![by("legs", false)], record_type: "finance.journal_entry".to_owned(), ..query };
    assert!(script.ledger.query(&nested).err().unwrap().to_string().contains("single values"));
}

#[test]
fn an_indexed_value_finds_what_a_scan_finds() {
    let script = script(7, 60);
    for id in ACCOUNTS {
        let request = QueryRequest {
            record_type: TRANSFER.to_owned(),
            predicates: vec![Predicate {
                field: "debit".to_owned(),
                comparison: Comparison::In,
                values: vec![text(id), text("nobody")],
            }],
            ..QueryRequest::default()
        };
        let found = ids(&script.ledger, &request).len();
        let posted = |moved: &&Moved| moved.account == id && moved.change > 0 && moved.part == "posted";
        let transfers = ids(&script.ledger, &QueryRequest { predicates: Vec::new(), ..request.clone() });
        let places: std::collections::BTreeSet<RowId> = transfers.into_iter().map(|(_, row)| row).collect();
        let expected = script.moved.iter().filter(posted).filter(|moved| places.contains(&moved.row)).count();
        assert_eq!(found, expected, "{id}");
    }
}

#[test]
fn joined_records_stand_beside() {
    let ledger = Arc::new(books().in_memory().unwrap());
    let named =
        |id: &str, name: &str| record(ACCOUNT, &[("id", id), ("kind", "asset"), ("currency", "EUR"), ("name", name)]);
    ledger.append_all(vec![named("cash", "The till"), named("bank", "")], None).unwrap();
    ledger.append_all(vec![transfer("t1", "cash", "bank", "1"), transfer("t2", "bank", "cash", "2")], None).unwrap();
    let request = QueryRequest {
        record_type: TRANSFER.to_owned(),
        joins: vec![Join { field: "debit".to_owned(), record_type: ACCOUNT.to_owned() }],
        columns: Some(["id", "debit.name", "debit.kind", "_version", "_author"].map(str::to_owned).to_vec()),
        ..QueryRequest::default()
    };
    let batches: Vec<RecordBatch> = ledger.query(&request).unwrap().map(Result::unwrap).collect();
    let names = batches[0].column(1).as_string::<i32>();
    assert_eq!((names.value(0), names.is_null(1)), ("The till", true));
    assert_eq!(batches[0].column(2).as_string::<i32>().value(1), "asset");
    assert_eq!(batches[0].column(3).as_primitive::<UInt32Type>().value(0), 1);
    assert_eq!(batches[0].column(4).as_string::<i32>().value(0), ledger.own_member().unwrap().unwrap());
    let whole = QueryRequest { columns: None, ..request.clone() };
    let names: Vec<String> =
        ledger.query(&whole).unwrap().schema().fields().iter().map(|field| field.name().clone()).collect();
    assert!(names.contains(&"debit.name".to_owned()) && !names.contains(&"debit.id".to_owned()), "{names:?}");
    let odd = QueryRequest {
        joins: vec![Join { field: "amount".to_owned(), record_type: ACCOUNT.to_owned() }],
        ..request.clone()
    };
    assert!(ledger.query(&odd).err().unwrap().to_string().contains("does not hold values like"));
}
