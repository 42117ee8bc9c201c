//! What becomes of records: held, flagged, released, followed by others; modules that are suspended, and modules that fault. All of it
//! survives an audit, and a receipt proves it.

#[path = "outcomes/rejections.rs"]
mod rejections;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use ledgerstone::model::{RowId, Value};
use ledgerstone::{Create, Error, Key, Ledger, LoadOptions, ModuleState, QueryRequest, Sources, Standing};
use ledgerstone_tests::{SEED, START_MICROS, audited, code_of, key, load, object, text};
use ledgerstone_verify::{Mode, Outcome};

const ORDERS: &str = include_str!("outcomes.toml");

fn orders() -> Ledger {
    Create::new("acme.example/orders", key()).module(ORDERS, "outcomes.toml").in_memory().unwrap()
}

fn order(id: &str, pieces: i64) -> (String, Value) {
    ("orders.order".to_owned(), object(&[("id", text(id)), ("customer", text("ann")), ("pieces", Value::Int(pieces))]))
}

fn express(id: &str, pieces: i64) -> (String, Value) {
    let members =
        [("id", text(id)), ("customer", text("ann")), ("pieces", Value::Int(pieces)), ("express", Value::Bool(true))];
    ("orders.order".to_owned(), object(&members))
}

fn customer(ledger: &Ledger) {
    ledger.append("orders.customer", object(&[("id", text("ann"))]), None).unwrap();
}

fn one(ledger: &Ledger, record: (String, Value)) -> Result<(RowId, Outcome), Error> {
    let appended = ledger.append_all(vec![record], None)?;
    Ok((appended.row(0), appended.outcome(0)))
}

fn query(ledger: &Arc<Ledger>, kind: &str, held: bool) -> Vec<(String, String, Option<String>, Option<u32>)> {
    let columns = ["id", "_outcome", "_code", "_cause"].map(str::to_owned).to_vec();
    let request =
        QueryRequest { record_type: kind.to_owned(), columns: Some(columns), held, ..QueryRequest::default() };
    let batches: Vec<RecordBatch> = ledger.query(&request).unwrap().collect::<Result<_, _>>().unwrap();
    let texts = |batch: &RecordBatch, column: usize, row: usize| {
        let column = batch.column(column).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let causes = batch.column(3).as_primitive::<arrow_array::types::UInt32Type>();
            let cause = causes.is_valid(row).then(|| causes.value(row));
            rows.push((texts(batch, 0, row).unwrap(), texts(batch, 1, row).unwrap(), texts(batch, 2, row), cause));
        }
    }
    rows
}

fn verified(ledger: &Ledger, row: RowId) -> ledgerstone_verify::Verified {
    ledger.receipt(row).unwrap().verify(&ledger.verifier_keys().unwrap()).unwrap()
}

#[test]
fn a_held_record_has_no_effect_before_its_release() {
    let ledger = Arc::new(orders());
    customer(&ledger);
    let (row, outcome) = one(&ledger, order("large", 200)).unwrap();
    assert_eq!(outcome, Outcome::Held("orders.large".to_owned()));
    assert_eq!(verified(&ledger, row).outcome, outcome);
    // No key, no count, nothing that follows it; hidden unless asked for.
    assert!(ledger.get("orders.order", &[text("large")]).unwrap().is_none());
    assert!(query(&ledger, "orders.order", false).is_empty());
    assert!(query(&ledger, "orders.delivery", true).is_empty());
    let shown = query(&ledger, "orders.order", true);
    assert_eq!(shown, [("large".to_owned(), "held".to_owned(), Some("orders.large".to_owned()), None)]);
    assert_eq!(ledger.held(None, 10).unwrap().iter().map(|held| held.row).collect::<Vec<_>>(), [row]);
    audited(&ledger);

    let released = ledger.release(row, Some("the boss called")).unwrap();
    assert_eq!(released.outcome(0), Outcome::Accepted);
    assert_eq!(ledger.get("orders.order", &[text("large")]).unwrap().unwrap().row, row);
    assert_eq!(ledger.record(row).unwrap().standing, Standing::Released("orders.large".to_owned()));
    let shown = query(&ledger, "orders.order", false);
    assert_eq!(shown, [("large".to_owned(), "released".to_owned(), Some("orders.large".to_owned()), None)]);
    // What follows it follows the release, at its place.
    let followed = query(&ledger, "orders.delivery", false);
    assert_eq!(followed, [("d-large".to_owned(), "accepted".to_owned(), None, Some(0))]);
    assert!(ledger.held(Some("orders.order"), 10).unwrap().is_empty());
    let again = ledger.release(row, None).unwrap_err();
    assert_eq!(code_of(&again), "ledger.already_released");
    let nothing = ledger.release(released.row(0), None).unwrap_err();
    assert_eq!(code_of(&nothing), "ledger.not_held");
    // The receipt of the held record says what the log says of it; its release is a record of its own.
    assert_eq!(verified(&ledger, row).outcome, outcome);
    audited(&ledger);
}

#[test]
fn what_a_suspect_key_signed_is_doubtful_where_it_is_stored() {
    let clock = Arc::new(AtomicI64::new(START_MICROS));
    let hand = Arc::clone(&clock);
    let sources = Sources::fixed(move || hand.load(Ordering::Relaxed), || [9; 32]);
    let create = Create::new("acme.example/orders", key()).module(ORDERS, "outcomes.toml").sources(sources);
    let ledger = create.in_memory().unwrap();
    customer(&ledger);
    clock.fetch_add(1_000_000, Ordering::Relaxed);
    let rows = [("plain", 1), ("flagged", 13), ("held", 200), ("plain", 2)].map(|(id, pieces)| order(id, pieces).1);
    let report = load(&ledger, "orders.order", rows.to_vec(), None, Mode::Each).unwrap();
    assert_eq!((report.accepted, report.flagged_total, report.held_total, report.rejections_total), (1, 1, 1, 1));
    ledger.add_key(Key::from_seed([9; 32], "spare").public(), None).unwrap();
    ledger.revoke(key().public(), Some("stolen"), Some(START_MICROS + 1_000_000)).unwrap();
    let report = audited(&ledger);
    // Three of the load, and the two that end the key.
    assert_eq!((report.counts.doubtful_transactions, report.counts.doubtful_records), (3, 5), "{report}");
}

#[test]
fn a_release_is_rejected_by_what_rejects_the_record_by_then() {
    let ledger = orders();
    customer(&ledger);
    let (row, _) = one(&ledger, order("o", 150)).unwrap();
    one(&ledger, order("o", 1)).unwrap();
    let taken = ledger.release(row, None).unwrap_err();
    assert_eq!(code_of(&taken), "orders.order_exists");
    // So does what would follow it: a delivery has at most 5000 pieces.
    let (row, _) = one(&ledger, order("much", 6000)).unwrap();
    let much = ledger.release(row, None).unwrap_err();
    assert_eq!(code_of(&much), "ledger.out_of_range");
    // A rule that rejects outweighs one that holds.
    let twice = one(&ledger, order("o", 150)).unwrap_err();
    assert_eq!(code_of(&twice), "orders.order_exists");
    audited(&ledger);
}

#[test]
fn who_may_release_is_said_by_the_type() {
    let ledger = orders();
    let own = ledger.own_member().unwrap().unwrap();
    let (row, _) = one(&ledger, order("o", 150)).unwrap();
    ledger.withdraw(&own, "orders.manager").unwrap();
    let refused = ledger.release(row, None).unwrap_err();
    assert!(matches!(&refused, Error::Forbidden(why) if why.message.contains("orders.manager")), "{refused}");
    ledger.grant(&own, "orders.manager", None, None).unwrap();
    ledger.release(row, None).unwrap();
    audited(&ledger);
}

#[test]
fn flags_leave_effects_alone() {
    let ledger = orders();
    let (row, outcome) = one(&ledger, order("o", 13)).unwrap();
    // The first flag in the order of rules.
    assert_eq!(outcome, Outcome::Flagged("orders.unlucky".to_owned()));
    assert_eq!(verified(&ledger, row).outcome, outcome);
    assert!(ledger.get("orders.order", &[text("o")]).unwrap().is_some());
    let (_, outcome) = one(&ledger, order("p", 14)).unwrap();
    assert_eq!(outcome, Outcome::Flagged("orders.unknown_customer".to_owned()));
    customer(&ledger);
    // A flag of what follows is a flag of its cause; a hold of it, and a refusal, reject its cause.
    assert_eq!(one(&ledger, order("q", 50)).unwrap().1, Outcome::Flagged("orders.odd_box".to_owned()));
    assert_eq!(code_of(&one(&ledger, order("r", 60)).unwrap_err()), "orders.no_truck");
    assert_eq!(code_of(&one(&ledger, order("s", 77)).unwrap_err()), "orders.no_box");
    assert!(ledger.get("orders.order", &[text("s")]).unwrap().is_none());
    audited(&ledger);
}

#[test]
fn an_atomic_transaction_goes_on_without_what_is_held() {
    let ledger = orders();
    customer(&ledger);
    let appended = ledger.append_all(vec![order("a", 1), order("b", 500), order("c", 2)], Some("three")).unwrap();
    let outcomes: Vec<Outcome> = (0..3).map(|position| appended.outcome(position)).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Held("orders.large".to_owned()), Outcome::Accepted]);
    let again = ledger.append_all(vec![order("a", 1), order("b", 500), order("c", 2)], Some("three")).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.outcome(1), outcomes[1]);
    // A record that needs the held one falls, and fells the transaction.
    let twice = ledger.append_all(vec![order("d", 500), order("d", 1), order("d", 2)], None).unwrap_err();
    assert_eq!(code_of(&twice), "orders.order_exists");
    let held = ledger.held(None, 10).unwrap();
    assert_eq!(held.len(), 1);
    audited(&ledger);
}

#[test]
fn what_follows_stands_behind_what_was_signed() {
    let ledger = Arc::new(orders());
    customer(&ledger);
    let appended = ledger.append_all(vec![express("a", 1), order("b", 2), express("c", 3)], None).unwrap();
    assert_eq!(appended.count, 3);
    let row = |position| ledger.record(RowId::new(appended.index, position)).unwrap();
    let made: Vec<(String, Option<u32>)> = (3..8).map(|n| (row(n).record_type, row(n).cause)).collect();
    let expected = [("delivery", 0), ("slip", 0), ("delivery", 1), ("delivery", 2), ("slip", 2)];
    let expected = expected.map(|(kind, cause)| (format!("orders.{kind}"), Some(cause)));
    assert_eq!(made, expected);
    assert_eq!(query(&ledger, "orders.slip", false)[1].0, "s-x-c");
    for position in 0..8 {
        let proven = verified(&ledger, RowId::new(appended.index, position));
        assert_eq!((proven.position, proven.outcome), (u64::from(position), Outcome::Accepted));
        assert_eq!(proven.cause.is_some(), position >= 3);
    }
    assert!(ledger.receipt(RowId::new(appended.index, 8)).is_err());
    // An emitted record takes its key: a second one with it fells its cause.
    let delivery = object(&[("id", text("d-e")), ("pieces", Value::Int(1))]);
    ledger.append("orders.delivery", delivery, None).unwrap();
    assert_eq!(code_of(&one(&ledger, order("e", 1)).unwrap_err()), "orders.delivered");
    audited(&ledger);
}

#[test]
fn a_load_says_what_was_held_and_flagged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.ledger");
    let ledger = Arc::new(Create::new("acme.example/orders", key()).module(ORDERS, "outcomes.toml").at(&path).unwrap());
    customer(&ledger);
    let pieces = |n: i64| match n % 100 {
        7 => 150,
        8 => 13,
        9 => 0,
        10 => 60,
        _ => 1,
    };
    let rows: Vec<Value> = (0..3000).map(|n| order(&format!("o{n}"), pieces(n)).1).collect();
    let report = load(&ledger, "orders.order", rows.clone(), Some("orders"), Mode::Each).unwrap();
    let counted = report.accepted as usize + report.flagged.len() + report.held.len() + report.rejections.len();
    assert_eq!(counted, 3000);
    assert_eq!((report.held.len(), report.flagged.len()), (30, 30));
    assert!(report.held.iter().all(|held| held.row % 100 == 7 && held.code == "orders.large"));
    assert!(report.transactions().count() > 1, "what is followed by others is cut smaller");
    let exceptions = report.exceptions();
    assert!(exceptions.is_sorted_by_key(|(_, why)| why.row));
    let again = load(&ledger, "orders.order", rows, Some("orders"), Mode::Each).unwrap();
    assert_eq!((again.accepted, again.held.len(), again.flagged.len()), (report.accepted, 30, 30));
    let row = report.row(report.held[3].row).unwrap();
    assert_eq!(verified(&ledger, row).outcome, Outcome::Held("orders.large".to_owned()));
    let exported = folder.path().join("trail.arrow");
    let options =
        ledgerstone::ExportOptions { record_type: None, format: None, overwrite: false, progress: &mut |_| Ok(()) };
    assert!(ledger.export(&exported, options).unwrap() > 3000);
    drop(ledger);
    let opened = ledgerstone::Open::default().key(key()).at(&path).unwrap();
    opened.release(row, None).unwrap();
    audited(&opened);
}

#[test]
fn a_private_field_holds_nothing_unless_it_may() {
    let ledger = orders();
    let ann = || ("orders.customer".to_owned(), object(&[("id", text("ann")), ("email", text("ann@acme.example"))]));
    let refused = ledger.append_all(vec![ann()], None).unwrap_err();
    assert_eq!(code_of(&refused), "ledger.private_field");
    let plain = ledger.append_plain(vec![ann()], None).unwrap();
    assert_eq!(plain.outcome(0), Outcome::Flagged("ledger.plain_private".to_owned()));
    assert_eq!(verified(&ledger, plain.row(0)).outcome, plain.outcome(0));
    audited(&ledger);
}

#[test]
fn a_suspended_module_takes_no_records() {
    let ledger = orders();
    customer(&ledger);
    ledger.suspend("orders", Some("a wrong price")).unwrap();
    assert_eq!(code_of(&one(&ledger, order("a", 1)).unwrap_err()), "ledger.module_suspended");
    let state =
        |ledger: &Ledger| ledger.modules().unwrap().into_iter().find(|module| module.name == "orders").unwrap().state;
    assert_eq!(state(&ledger), ModuleState::Suspended);
    assert_eq!(code_of(&ledger.suspend("orders", None).unwrap_err()), "ledger.already_suspended");
    assert_eq!(code_of(&ledger.suspend("ledger", None).unwrap_err()), "ledger.module_not_loaded");
    ledger.resume("orders", None).unwrap();
    assert_eq!(state(&ledger), ModuleState::Active);
    one(&ledger, order("a", 1)).unwrap();
    audited(&ledger);
}

const STOCK: &str = r#"
[module]
name = "stock"
version = 1
title = "Stock"
[roles.keeper]
doc = "Keeps stock"
[types.outgoing]
doc = "Goes out"
authorise = ["keeper"]
accepts = ["sales.sale"]
[types.outgoing.fields]
id = { type = "text", max = 32, required = true }
"#;

const SALES: &str = r#"
[module]
name = "sales"
version = 1
title = "Sales"
[roles.seller]
doc = "Sells"
[types.sale]
doc = "A sale, which stock follows"
authorise = ["seller"]
[types.sale.fields]
id = { type = "text", max = 32, required = true }
[[types.sale.rules]]
emit = "stock.outgoing"
set = { id = "id" }
"#;

#[test]
fn another_modules_type_is_emitted_into_by_leave_of_who_owns_it() {
    let ledger = Arc::new(Create::new("acme.example/sales", key()).module(STOCK, "stock.toml").in_memory().unwrap());
    let own = ledger.own_member().unwrap().unwrap();
    ledger.withdraw(&own, "stock.keeper").unwrap();
    let refused = ledger.load_module(SALES, "sales.toml", true).unwrap_err();
    assert!(matches!(&refused, Error::Forbidden(why) if why.message.contains("stock.keeper")), "{refused}");
    ledger.grant(&own, "stock.keeper", None, None).unwrap();
    ledger.load_module(SALES, "sales.toml", true).unwrap();
    // From then on a seller needs no role of the stock.
    ledger.withdraw(&own, "stock.keeper").unwrap();
    let sale = |id: &str| ("sales.sale".to_owned(), object(&[("id", text(id))]));
    one(&ledger, sale("a")).unwrap();
    assert_eq!(query(&ledger, "stock.outgoing", false), [("a".to_owned(), "accepted".to_owned(), None, Some(0))]);
    // What follows a record stands under the rules of its own module.
    ledger.suspend("stock", None).unwrap();
    assert_eq!(code_of(&one(&ledger, sale("b")).unwrap_err()), "ledger.module_suspended");
    audited(&ledger);
}

/// Sources under which the rules of a module panic when they look at records the n-th time, n being what the number is set to.
fn fused(module: &'static str) -> (Arc<AtomicI64>, Sources) {
    let fuse = Arc::new(AtomicI64::new(-1));
    let burning = Arc::clone(&fuse);
    let probe = move |looks: &str| assert!(looks != module || burning.fetch_sub(1, Ordering::Relaxed) != 0, "injected");
    (fuse, Sources::system().before_rules(probe))
}

fn faulted<T: std::fmt::Debug>(result: Result<T, Error>, of: &str) {
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::ModuleFault { module, why } if module == of && why == "injected"), "{error}");
    assert_eq!(error.code(), "ledger.module_fault");
}

/// The n-th look of the rules of `orders` at an order panics: they look when it is screened, prepared and decided.
fn faults_alone(nth: i64, append: impl Fn(&Ledger) -> Result<u64, Error>) {
    let (fuse, sources) = fused("orders");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.ledger");
    let create = Create::new("acme.example/orders", key()).sources(sources);
    let create = create.module(ORDERS, "outcomes.toml").module(ledgerstone_schemas::FINANCE, "finance.toml");
    let ledger = create.at(&path).unwrap();
    let size = ledger.size().unwrap();
    fuse.store(nth, Ordering::Relaxed);
    faulted(append(&ledger), "orders");
    assert!(fuse.load(Ordering::Relaxed) < 0, "it did not look so often");
    assert_eq!(ledger.size().unwrap(), size);
    // Here it stays suspended; the others go on.
    faulted(append(&ledger), "orders");
    let commodity = object(&[("code", text("AAPL")), ("exponent", Value::Int(0))]);
    ledger.append("finance.commodity", commodity, None).unwrap();
    let orders = ledger.modules().unwrap().into_iter().find(|module| module.name == "orders").unwrap();
    assert_eq!(orders.state, ModuleState::Faulted("injected".to_owned()));
    drop(ledger);
    let opened = ledgerstone::Open::default().key(ledgerstone::Key::from_seed(SEED, "me")).at(&path).unwrap();
    assert_eq!(append(&opened).unwrap(), size + 1);
    audited(&opened);
}

#[test]
fn a_module_that_faults_is_alone_in_it() {
    for nth in 0..3 {
        faults_alone(nth, |ledger| Ok(ledger.append_all(vec![order("a", 1)], Some("one"))?.index));
        faults_alone(nth, |ledger| {
            let mut pieces = [1, 2].map(|pieces| Ok(vec![order(&pieces.to_string(), pieces).1])).into_iter();
            let options = LoadOptions::default();
            let report = ledger.append_values("orders.order", &mut pieces, options)?;
            Ok(report.transactions().next().unwrap())
        });
    }
}

#[test]
fn whole_chunks_of_a_load_fault_as_the_rest() {
    let (fuse, sources) = fused("orders");
    let create = Create::new("acme.example/orders", key()).sources(sources).module(ORDERS, "outcomes.toml");
    let ledger = create.threads(2).in_memory().unwrap();
    let size = ledger.size().unwrap();
    fuse.store(1, Ordering::Relaxed);
    let rows = (0..40_000).map(|number| order(&number.to_string(), 1).1).collect();
    faulted(load(&ledger, "orders.order", rows, None, Mode::Each), "orders");
    assert_eq!(ledger.size().unwrap(), size);
}

#[test]
fn a_record_that_follows_faults_alone() {
    let (fuse, sources) = fused("stock");
    let create = Create::new("acme.example/sales", key()).sources(sources);
    let ledger = create.module(STOCK, "stock.toml").module(SALES, "sales.toml").in_memory().unwrap();
    let size = ledger.size().unwrap();
    let sale = |id: &str| ("sales.sale".to_owned(), object(&[("id", text(id))]));
    fuse.store(0, Ordering::Relaxed);
    faulted(one(&ledger, sale("a")), "stock");
    faulted(one(&ledger, sale("a")), "stock");
    assert_eq!(ledger.size().unwrap(), size);
    let state = |name: &str| ledger.modules().unwrap().into_iter().find(|module| module.name == name).unwrap().state;
    assert_eq!((state("stock"), state("sales")), (ModuleState::Faulted("injected".to_owned()), ModuleState::Active));
    audited(&ledger);
}

#[test]
fn a_fault_stops_the_release_of_records_of_its_module() {
    let (fuse, sources) = fused("orders");
    let create = Create::new("acme.example/orders", key()).sources(sources);
    let ledger = create.module(ORDERS, "outcomes.toml").in_memory().unwrap();
    let (row, outcome) = one(&ledger, order("large", 200)).unwrap();
    assert_eq!(outcome, Outcome::Held("orders.large".to_owned()));
    let size = ledger.size().unwrap();
    // The release runs its rules, and fails with them.
    fuse.store(0, Ordering::Relaxed);
    faulted(ledger.release(row, None), "orders");
    // And is not tried again.
    faulted(ledger.release(row, None), "orders");
    assert!(fuse.load(Ordering::Relaxed) == -1, "its rules looked at the record");
    let nothing = ledger.release(RowId::new(0, 0), None).unwrap_err();
    assert_eq!((code_of(&nothing), ledger.size().unwrap()), ("ledger.not_held", size));
    audited(&ledger);
}
