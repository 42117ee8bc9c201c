//! The engine equals a naive model, written from the schema language's meaning and FORMAT.md: for random finance calls and for
//! random modules, fates with codes per row, envelopes byte for byte, both log roots, balances and cells agree, in memory and in a
//! file, for 1, 2, 4 and 8 threads. `LEDGERSTONE_CASES=n` sets the number of cases (of each of the two kinds).
//!
//! Every run draws other cases, because the engine is not the same for long and ever the same cases would find ever the same mistakes. A
//! failure says its seed; `LEDGERSTONE_SEED` repeats it.
//! The test is tested too: a model with one bound off by one is caught.

#[path = "model/mod.rs"]
mod model;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use ledgerstone_tests::Rng;
use model::books;
use model::calls;
use model::choices::Choices;
use model::engine::{Call, End, Source, play};
use model::finance::Finance;
use model::grammar;
use model::interpret::Interpreter;
use model::ledger::Mode;
use model::state::{Record, Rules};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::json;

const THREADS: [usize; 4] = [1, 2, 4, 8];
/// Cases of each kind, unless told otherwise.
const CASES: u32 = 1_050;
/// One case in so many is played with every thread count, and one in a file.
const ALL_THREADS_EVERY: u32 = 8;
const FILE_EVERY: u32 = 16;

fn cases() -> u32 {
    std::env::var("LEDGERSTONE_CASES").ok().and_then(|given| given.parse().ok()).unwrap_or(CASES)
}

fn finance_source() -> Source {
    let text = ledgerstone_schemas::FINANCE.to_owned();
    Source { name: "finance", version: 1, text, roles: &["controller", "bookkeeper", "approver"] }
}

fn random_module(choices: &mut Choices) -> (Interpreter, Source) {
    let module = grammar::module(choices);
    let source = Source { name: "m", version: module.version, text: module.toml(), roles: &["clerk"] };
    (Interpreter { module, strict: false }, source)
}

/// Plays a case: with every thread count and in a file now and then, otherwise with one thread count.
fn play_case<R: Rules + Clone>(rules: &R, source: &Source, calls: &[Call], number: u32) -> Result<(), String> {
    let threads: &[usize] = match number % ALL_THREADS_EVERY {
        0 => &THREADS,
        other => &THREADS[other as usize % THREADS.len()..][..1],
    };
    let mut ends: Vec<End> = Vec::new();
    for &threads in threads {
        ends.push(play(rules.clone(), source, calls, threads, None)?);
    }
    if ends.iter().any(|end| *end != ends[0]) {
        return Err(format!("thread counts differ: {ends:?}"));
    }
    if number % FILE_EVERY == 1 {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("books.ledger");
        play(rules.clone(), source, calls, threads[0], Some(&path))?;
    }
    Ok(())
}

/// The seed of the run: what it is told, or another one every time.
fn seed() -> u64 {
    let told = std::env::var("LEDGERSTONE_SEED").ok();
    let told = told.map(|given| given.parse().expect("LEDGERSTONE_SEED is a number"));
    told.unwrap_or_else(|| RandomState::new().hash_one("seed"))
}

/// Runs `case` for many lists of numbers, smaller ones where one fails.
fn run(case: impl Fn(Choices, u32) -> Result<(), String>) {
    let seed = seed();
    let mut drawn = Rng::new(seed);
    let bytes: Vec<u8> = (0..4).flat_map(|_| drawn.next().to_le_bytes()).collect();
    let config = Config { cases: cases(), failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let (number, failed) = (Cell::new(0), Cell::new(None));
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&proptest::collection::vec(any::<u16>(), 0..900), |numbers| {
        number.set(number.get() + 1);
        // A panic of the engine or the model is a failure of the case, too.
        failed.set(failed.get().or(Some(number.get())));
        case(Choices::new(numbers), number.get()).map_err(TestCaseError::fail)?;
        if failed.get() == Some(number.get()) {
            failed.set(None);
        }
        Ok(())
    });
    let repeat = format!("LEDGERSTONE_SEED={seed} repeats it; it was case {}", failed.get().unwrap_or_default());
    match outcome {
        Ok(()) => {}
        // The numbers themselves say nothing to a reader.
        Err(TestError::Fail(why, numbers)) => panic!("{why}\n(from {} numbers; {repeat})", numbers.len()),
        Err(TestError::Abort(why)) => panic!("{why}\n({repeat})"),
    }
    assert!(number.get() >= cases());
}

#[test]
fn finance_equals_the_model() {
    let source = finance_source();
    run(|mut choices, number| {
        let calls = books::calls(&mut choices);
        play_case(&Finance::default(), &source, &calls, number)
    });
}

#[test]
fn random_modules_equal_their_interpretation() {
    run(|mut choices, number| {
        let (rules, source) = random_module(&mut choices);
        let calls = calls::calls(&mut choices, &rules.module);
        let played = play_case(&rules, &source, &calls, number);
        played.map_err(|why| format!("{why}\n{}", source.text))
    });
}

/// Rows enough for several chunks, so that threads share the work: hot accounts, an overdraft every so often.
fn large_load(rows: usize) -> Vec<Call> {
    let record = |kind: &str, data| Record { kind: format!("finance.{kind}"), data };
    let account = |id: &str, floor: &str| {
        record("account", json!({"id": id, "kind": "asset", "currency": "EUR", "floor": floor}))
    };
    let mut rng = Rng::new(11);
    let names = ["hot", "warm", "cold", "hot", "nobody"];
    let transfer = |number: usize| {
        let id = if rng.below(50) == 0 { rng.below(rows as u64) } else { number as u64 };
        let (debit, credit) = (names[rng.below(5) as usize], names[rng.below(4) as usize]);
        let amount = format!("{}.{:03}", rng.below(40), rng.below(12) * 10 + u64::from(rng.below(40) == 0));
        record(
            "transfer",
            json!({"id": format!("t{id}"), "debit": debit, "credit": credit, "currency": "EUR", "amount": amount}),
        )
    };
    let rows = (0..rows).map(transfer).collect();
    vec![
        Call {
            mode: Mode::Atomic,
            rows: vec![account("hot", "-500"), account("warm", "-50"), account("cold", "-1")],
            id: None,
            endorsers: Vec::new(),
        },
        Call { mode: Mode::Each, rows, id: Some("large".to_owned()), endorsers: Vec::new() },
    ]
}

#[test]
fn a_load_of_many_chunks_equals_the_model_on_every_thread_count() {
    let (source, calls) = (finance_source(), large_load(20_000));
    let ends = THREADS.map(|threads| play(Finance::default(), &source, &calls, threads, None).unwrap());
    assert!(ends.iter().all(|end| *end == ends[0] && end.size == 4), "{ends:?}");
}

/// Every code of a number of random cases.
fn codes(of: u32, case: impl Fn(&mut Choices) -> BTreeSet<String>) -> BTreeSet<String> {
    let mut rng = Rng::new(4);
    let case = |_| case(&mut Choices::new((0..900).map(|_| rng.next() as u16).collect()));
    (0..of).flat_map(case).collect()
}

/// Random cases that never get to a rule prove nothing of it.
#[test]
fn random_finance_calls_meet_every_code() {
    let source = finance_source();
    let met = codes(250, |choices| {
        let calls = books::calls(choices);
        play(Finance::default(), &source, &calls, 1, None).unwrap().codes
    });
    // What the model does not play has its tests in tests/finance: other record types, endorsement, numbered books.
    let played = |section: &&str| books::TYPES.contains(&section.split([']', '.']).next().unwrap_or_default());
    let declared = source.text.split("[types.").filter(played).flat_map(str::lines);
    let declared = declared.filter_map(|line| line.split("code = \"").nth(1)).filter_map(|rest| rest.split('"').next());
    let unplayed = ["approval_needed", "number_gap", "number_missing"];
    let declared = declared.filter(|code| !unplayed.contains(code)).map(|code| format!("finance.{code}"));
    let never: Vec<String> = declared.filter(|code| !met.contains(code)).collect();
    assert_eq!(never, Vec::<String>::new(), "met: {met:?}");
}

#[test]
fn random_modules_meet_every_kind_of_refusal() {
    let met = codes(250, |choices| {
        let (rules, source) = random_module(choices);
        let calls = calls::calls(choices, &rules.module);
        play(rules, &source, &calls, 1, None).unwrap().codes
    });
    let defaults = [
        "requirement",
        "duplicate",
        "unknown_reference",
        "mismatch",
        "already_open",
        "not_open",
        "not_empty",
        "wrong_state",
        "unbalanced",
        "outside_window",
        "too_many_decimals",
        "count_out_of_range",
        "not_holder",
        "not_held",
        "out_of_sequence",
        "cycle",
        "stale_version",
        "move_not_allowed",
        "approval_needed",
        "tally_mismatch",
        "bound0",
        "bound1",
        "code0",
        "code4",
    ];
    let parse = [
        "missing_field",
        "unknown_field",
        "too_long",
        "out_of_range",
        "bad_format",
        "too_many_digits",
        "id_reused",
        "revoked_key",
        "endorsed_twice",
        "overflow",
    ];
    let expected = defaults.map(|code| format!("m.{code}")).into_iter();
    let expected = expected.chain(parse.map(|code| format!("ledger.{code}")));
    let expected = expected.chain(["held", "flagged", "emitted", "approved"].map(str::to_owned));
    let never: Vec<String> = expected.filter(|code| !met.contains(code)).collect();
    assert_eq!(never, Vec::<String>::new(), "met: {met:?}");
}

/// How many random cases it takes until a wrong model is caught, where the right one agrees; `None` if it is not.
fn caught(limit: u32, case: impl Fn(&mut Choices, bool) -> Result<(), String>) -> Option<u32> {
    let mut rng = Rng::new(3);
    (1..=limit).find(|_| {
        let numbers = Choices::new((0..900).map(|_| rng.next() as u16).collect());
        case(&mut numbers.clone(), false).unwrap();
        case(&mut numbers.clone(), true).is_err()
    })
}

#[test]
fn a_finance_model_with_a_bound_off_by_one_is_caught() {
    let source = finance_source();
    let found = caught(50, |choices, strict| {
        let calls = books::calls(choices);
        play(Finance { strict }, &source, &calls, 1, None).map(|_| ())
    });
    assert!(found.is_some(), "50 cases did not show that the model is wrong");
}

#[test]
fn an_interpreter_with_a_bound_off_by_one_is_caught() {
    let found = caught(100, |choices, strict| {
        let (rules, source) = random_module(choices);
        let calls = calls::calls(choices, &rules.module);
        play(Interpreter { strict, ..rules }, &source, &calls, 1, None).map(|_| ())
    });
    assert!(found.is_some(), "100 cases did not show that the interpreter is wrong");
}

#[test]
fn a_model_with_another_module_version_is_caught() {
    let calls = books::calls(&mut Choices::new(vec![5; 300]));
    let right = finance_source();
    let wrong = Source { version: 2, ..finance_source() };
    assert!(play(Finance::default(), &right, &calls, 1, None).is_ok());
    assert!(play(Finance::default(), &wrong, &calls, 1, None).is_err());
}
