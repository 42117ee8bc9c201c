//! A fault logs nothing, loses nothing, and leaves the ledger fit for use.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use ledgerstone::model::{Event, Observer, Value};
use ledgerstone::{Create, Error, Key, LoadOptions, Open, Sources};
use ledgerstone_tests::audited;

fn commodity(code: &str) -> Value {
    let members = [("code", Value::Text(code.to_owned())), ("exponent", Value::Int(0))];
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

#[test]
fn a_panic_in_the_middle_of_an_append_logs_nothing() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let clock = AtomicI64::new(1_700_000_000_000_000);
    let switch = Arc::clone(&is_broken);
    let sources = Sources::fixed(
        move || clock.fetch_add(1, Ordering::Relaxed),
        move || if switch.load(Ordering::Relaxed) { panic!("injected") } else { [9; 32] },
    );
    let ledger = Create::new("test.example/faults", Key::from_seed([1; 32], "me"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .sources(sources)
        .in_memory()
        .unwrap();
    let size = ledger.size().unwrap();
    is_broken.store(true, Ordering::Relaxed);
    let error = ledger.append("finance.commodity", commodity("AAPL"), Some("one")).unwrap_err();
    assert!(matches!(&error, Error::Fault(why) if why == "injected"), "{error}");
    assert_eq!(ledger.size().unwrap(), size);
    is_broken.store(false, Ordering::Relaxed);
    let appended = ledger.append("finance.commodity", commodity("AAPL"), Some("one")).unwrap();
    assert!(appended.is_new);
    audited(&ledger);
}

#[test]
fn a_load_whose_progress_appends_does_not_wait_for_itself() {
    let ledger = Create::new("test.example/loads", Key::from_seed([1; 32], "me"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .in_memory()
        .unwrap();
    let mut progress = |_| ledger.append("finance.commodity", commodity("WITHIN"), None).map(|_| ());
    let options = LoadOptions { progress: Some(&mut progress), ..LoadOptions::default() };
    let mut pieces = ["A", "B", "C"].into_iter().map(|code| Ok(vec![commodity(code)]));
    let report = ledger.append_values("finance.commodity", &mut pieces, options).unwrap();
    assert_eq!((report.accepted, report.rows), (3, 3));
    assert!(ledger.get("finance.commodity", &[Value::Text("WITHIN".to_owned())]).unwrap().is_some());
}

#[test]
fn what_is_notable_is_told_once() {
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
    let hand = Arc::clone(&clock);
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let ledger = Create::new("test.example/events", Key::from_seed([1; 32], "me"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .sources(Sources::fixed(move || hand.load(Ordering::Relaxed), || [9; 32]))
        .observer(Observer::new(move |origin, event| notes.lock().unwrap().push((origin.to_owned(), event.clone()))))
        .in_memory()
        .unwrap();
    let news = || -> Vec<Event> {
        let told = std::mem::take(&mut *told.lock().unwrap());
        assert!(told.iter().all(|(origin, _)| origin == "test.example/events"));
        told.into_iter().map(|(_, event)| event).collect()
    };
    assert_eq!(news(), [Event::ModuleLoaded { name: "finance".to_owned(), version: 1, index: 1 }]);
    // A clock that falls behind is told when it does, not with every record.
    let codes = ["A", "B", "C", "D"].map(|code| move || commodity(code));
    clock.fetch_sub(60_000_000, Ordering::Relaxed);
    ledger.append("finance.commodity", codes[0](), None).unwrap();
    assert_eq!(news(), [Event::ClockBehind { seconds: 60 }]);
    ledger.append("finance.commodity", codes[1](), None).unwrap();
    assert_eq!(news(), []);
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    ledger.append("finance.commodity", codes[2](), None).unwrap();
    clock.fetch_sub(2_000_000, Ordering::Relaxed);
    ledger.append("finance.commodity", codes[3](), None).unwrap();
    assert_eq!(news(), [Event::ClockBehind { seconds: 2 }]);
    // A load says where it stopped.
    let mut pieces = [Ok(vec![commodity("E")]), Err(Error::Interrupted(String::new()))].into_iter();
    let options = LoadOptions::default();
    ledger.append_values("finance.commodity", &mut pieces, options).unwrap_err();
    let [Event::LoadStopped { record_type, rows: 0, transactions: 0, .. }] = &news()[..] else { panic!() };
    assert_eq!(record_type, "finance.commodity");
}

#[test]
fn a_clock_that_leaps_is_refused_and_one_that_runs_backwards_is_held() {
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
    let hand = Arc::clone(&clock);
    let sources = Sources::fixed(move || hand.load(Ordering::Relaxed), || [9; 32]);
    let ledger = Create::new("test.example/clock", Key::from_seed([1; 32], "me"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .sources(sources)
        .in_memory()
        .unwrap();
    clock.fetch_sub(3_600_000_000, Ordering::Relaxed);
    ledger.append("finance.commodity", commodity("A"), None).unwrap();
    clock.fetch_add(400 * 86_400_000_000, Ordering::Relaxed);
    let error = ledger.append("finance.commodity", commodity("B"), None).unwrap_err();
    assert!(matches!(error, Error::Limit { limit: "max_clock_step", .. }), "{error}");
    audited(&ledger);
}

#[test]
fn a_ledger_that_rested_is_appended_to_again_where_the_step_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock.ledger");
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
    let sources = || {
        let hand = Arc::clone(&clock);
        Sources::fixed(move || hand.load(Ordering::Relaxed), || [9; 32])
    };
    let me = || Key::from_seed([1; 32], "me");
    let create = Create::new("test.example/clock", me()).module(ledgerstone_schemas::FINANCE, "finance.toml");
    drop(create.sources(sources()).at(&path).unwrap());
    let years = 3 * 366 * 86_400_000_000;
    clock.fetch_add(years, Ordering::Relaxed);
    let ledger = Open::default().key(me()).sources(sources()).at(&path).unwrap();
    let error = ledger.append("finance.commodity", commodity("A"), None).unwrap_err();
    assert_eq!(error.code(), "ledger.max_clock_step", "{error}");
    drop(ledger);

    let ledger = Open::default().key(me()).sources(sources()).accept_clock_step(true).at(&path).unwrap();
    // A refusal uses nothing up.
    ledger.append("finance.commodity", Value::Null, None).unwrap_err();
    ledger.append("finance.commodity", commodity("A"), None).unwrap();
    // It was one step that was accepted.
    clock.fetch_add(years, Ordering::Relaxed);
    let error = ledger.append("finance.commodity", commodity("B"), None).unwrap_err();
    assert_eq!(error.code(), "ledger.max_clock_step", "{error}");
    audited(&ledger);
}
