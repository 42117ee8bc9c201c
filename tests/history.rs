//! Time and history against naive models: the ledger as of every index is what the ledger was at that index; statements add up line by
//! line; effective dates sum as a loop over the records does. Queries are apart, and so are records whose effects other records decide.

#[path = "history/latest.rs"]
mod latest;
#[path = "history/openings.rs"]
mod openings;
#[path = "history/queries.rs"]
mod queries;
#[path = "history/wallet.rs"]
mod wallet;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use ledgerstone::model::{Decimal, RowId, Value};
use ledgerstone::{Balance, CellState, Ledger, Moment, QueryRequest, StatementRequest, StoredRecord, codes};
use ledgerstone_tests::{
    Rng, START_MICROS, Tape, account, audited, books, load, object, record, text, texts, transfer,
};
use ledgerstone_verify::Mode;

const ACCOUNTS: [&str; 5] = ["cash", "sales", "bank", "costs", "till"];
const TRANSFER: &str = "finance.transfer";
const ACCOUNT: &str = "finance.account";

type Balances = BTreeMap<Vec<String>, Balance>;

/// One movement of an account, as a naive reader of the script keeps it.
#[derive(Clone, Debug)]
struct Moved {
    row: RowId,
    account: &'static str,
    part: &'static str,
    /// In hundredths.
    change: i128,
    day: i32,
}

/// Everything that could be asked of the ledger at one size.
#[derive(Debug, PartialEq)]
struct Seen {
    balances: Vec<Balances>,
    states: Vec<Vec<CellState>>,
    records: Vec<Option<StoredRecord>>,
    transfers: usize,
}

/// A ledger, what it looked like at every size, and every movement.
struct Script {
    ledger: Arc<Ledger>,
    rng: Rng,
    seen: Vec<(u64, Seen)>,
    moved: Vec<Moved>,
    holds: Vec<(String, usize, usize, u64)>,
    number: usize,
}

fn day(text: &str) -> i32 {
    ledgerstone::parse_day(text).unwrap()
}

/// The answer, or nothing where no record has the key yet: of the past the same is asked when one has.
fn so_far<T: Default>(answer: ledgerstone::Result<T>) -> T {
    answer.unwrap_or_else(|error| {
        assert_eq!(error.code(), codes::NO_RECORD);
        T::default()
    })
}

fn look(ledger: &Arc<Ledger>, moment: Option<Moment>) -> Seen {
    let account = |id: &&str| vec![text(id)];
    let records = ["cash", "late"].map(|id| match moment {
        None => ledger.get(ACCOUNT, &[text(id)]).unwrap(),
        Some(moment) => ledger.as_of(moment).get(ACCOUNT, &[text(id)]).unwrap(),
    });
    let request = QueryRequest { record_type: TRANSFER.to_owned(), as_of: moment, ..QueryRequest::default() };
    Seen {
        balances: ACCOUNTS
            .iter()
            .chain(&["late"])
            .map(|id| match moment {
                None => so_far(ledger.balances(ACCOUNT, &account(id))),
                Some(moment) => so_far(ledger.as_of(moment).balances(ACCOUNT, &account(id))),
            })
            .collect(),
        states: (0..40)
            .map(|number| {
                let key = [text(&format!("h{number}"))];
                match moment {
                    None => so_far(ledger.state("finance.hold", &key)),
                    Some(moment) => so_far(ledger.as_of(moment).state("finance.hold", &key)),
                }
            })
            .collect(),
        records: records.to_vec(),
        transfers: ledger.query(&request).unwrap().map(|batch| batch.unwrap().num_rows()).sum(),
    }
}

impl Script {
    fn new(seed: u64) -> Self {
        let ledger = Arc::new(books().threads(2).sources(Tape::default().sources()).in_memory().unwrap());
        ledger.append_all(ACCOUNTS.iter().map(|id| account(id, "")).collect(), None).unwrap();
        let mut script =
            Script { ledger, rng: Rng::new(seed), seen: Vec::new(), moved: Vec::new(), holds: Vec::new(), number: 0 };
        script.look();
        script
    }

    fn look(&mut self) {
        let size = self.ledger.size().unwrap();
        self.seen.push((size, look(&self.ledger, None)));
    }

    fn pair(&mut self) -> (usize, usize) {
        let debit = self.rng.below(5) as usize;
        (debit, (debit + 1 + self.rng.below(4) as usize) % 5)
    }

    fn step(&mut self) {
        match self.rng.below(8) {
            0..3 => self.single(),
            3 => self.bulk(),
            4 => self.entry(),
            5 => self.hold(),
            6 => self.post(),
            _ => self.there_and_back(),
        }
        self.look();
    }

    fn moved(&mut self, row: RowId, account: usize, part: &'static str, change: i128, day: i32) {
        self.moved.push(Moved { row, account: ACCOUNTS[account], part, change, day });
    }

    /// The day on which everything is appended.
    fn today() -> i32 {
        START_MICROS.div_euclid(86_400_000_000) as i32
    }

    fn transfer(&mut self, dated: bool) -> (Value, usize, usize, i128, i32) {
        self.number += 1;
        let (debit, credit) = self.pair();
        let (cents, of_month) = (i128::from(1 + self.rng.below(9_999)), 1 + self.rng.below(28));
        let (id, amount) = (format!("t{}", self.number), Decimal::new(cents, 2).to_string());
        let date = format!("2026-03-{of_month:02}");
        let mut members = vec![
            ("id", id.as_str()),
            ("debit", ACCOUNTS[debit]),
            ("credit", ACCOUNTS[credit]),
            ("currency", "EUR"),
            ("amount", &amount),
        ];
        if dated {
            members.extend([("book", "main"), ("period", "2026-03"), ("date", date.as_str())]);
        }
        let counts = if dated { day(&date) } else { Self::today() };
        (texts(&members), debit, credit, cents, counts)
    }

    fn single(&mut self) {
        let (value, debit, credit, cents, day) = self.transfer(self.number.is_multiple_of(2));
        let row = self.ledger.append(TRANSFER, value, None).unwrap().row(0);
        self.moved(row, debit, "posted", cents, day);
        self.moved(row, credit, "posted", -cents, day);
    }

    /// A load with so many rows that chunks are cut and postings fall into buckets, and some rows that are refused.
    fn bulk(&mut self) {
        let mut rows: Vec<_> = (0..300).map(|_| self.transfer(true)).collect();
        for row in rows.iter_mut().step_by(17) {
            let Value::Object(members) = &mut row.0 else { unreachable!() };
            members[2].1 = text("nobody");
        }
        let values = rows.iter().map(|row| row.0.clone()).collect();
        let report = load(&self.ledger, TRANSFER, values, None, Mode::Each).unwrap();
        assert_eq!(report.rejections.len(), 18);
        for (place, (_, debit, credit, cents, day)) in rows.into_iter().enumerate().filter(|(place, _)| place % 17 != 0)
        {
            let row = report.row(place as u64).unwrap();
            self.moved(row, debit, "posted", cents, day);
            self.moved(row, credit, "posted", -cents, day);
        }
    }

    /// A journal entry, whose accounts are no indexed fields; one account stands in two legs.
    fn entry(&mut self) {
        self.number += 1;
        let (one, other) = self.pair();
        let leg = |account: usize, amount: &str| {
            texts(&[("account", ACCOUNTS[account]), ("currency", "EUR"), ("amount", amount)])
        };
        let members = object(&[
            ("id", text(&format!("e{}", self.number))),
            ("book", text("main")),
            ("period", text("2026-02")),
            ("date", text("2026-02-14")),
            ("legs", Value::List(vec![leg(one, "3"), leg(other, "-5"), leg(one, "2")])),
        ]);
        let row = self.ledger.append("finance.journal_entry", members, None).unwrap().row(0);
        self.moved(row, one, "posted", 500, day("2026-02-14"));
        self.moved(row, other, "posted", -500, day("2026-02-14"));
    }

    fn hold(&mut self) {
        let (debit, credit) = self.pair();
        let id = format!("h{}", self.holds.len());
        let members = [
            ("id", id.as_str()),
            ("debit", ACCOUNTS[debit]),
            ("credit", ACCOUNTS[credit]),
            ("currency", "EUR"),
            ("amount", "7"),
        ];
        let appended = self.ledger.append_all(vec![record("finance.hold", &members)], None).unwrap();
        self.moved(appended.row(0), debit, "pending_in", 700, 0);
        self.moved(appended.row(0), credit, "pending_out", 700, 0);
        self.holds.push((id, debit, credit, appended.index));
    }

    fn post(&mut self) {
        let Some((id, debit, credit, _)) = self.holds.last().cloned() else { return self.single() };
        let members = [
            ("hold", id.as_str()),
            ("debit", ACCOUNTS[debit]),
            ("credit", ACCOUNTS[credit]),
            ("currency", "EUR"),
            ("amount", "7"),
        ];
        match self.ledger.append_all(vec![record("finance.hold_post", &members)], None) {
            Err(_) => self.single(),
            Ok(appended) => {
                let row = appended.row(0);
                self.moved(row, debit, "posted", 700, Self::today());
                self.moved(row, debit, "pending_in", -700, 0);
                self.moved(row, credit, "posted", -700, Self::today());
                self.moved(row, credit, "pending_out", -700, 0);
            }
        }
    }

    /// Two journal entries in one transaction that leave every cell as it was: they are movements all the same. And an account that opens
    /// and closes.
    fn there_and_back(&mut self) {
        self.number += 1;
        let (one, other) = self.pair();
        let entry = |id: String, amounts: [&str; 2]| {
            let leg = |(account, amount): (usize, &str)| {
                texts(&[("account", ACCOUNTS[account]), ("currency", "EUR"), ("amount", amount)])
            };
            let legs = [one, other].into_iter().zip(amounts).map(leg).collect();
            let members = [("id", text(&id)), ("book", text("main")), ("period", text("2026-02"))];
            let more = [("date", text("2026-02-15")), ("legs", Value::List(legs))];
            ("finance.journal_entry".to_owned(), object(&[members.as_slice(), &more].concat()))
        };
        let records = vec![
            entry(format!("there{}", self.number), ["4", "-4"]),
            entry(format!("back{}", self.number), ["-4", "4"]),
        ];
        let appended = self.ledger.append_all(records, None).unwrap();
        for (position, sign) in [(0, 1), (1, -1)] {
            self.moved(appended.row(position), one, "posted", sign * 400, day("2026-02-15"));
            self.moved(appended.row(position), other, "posted", -sign * 400, day("2026-02-15"));
        }
        self.look();
        if self.ledger.get(ACCOUNT, &[text("late")]).unwrap().is_none() {
            self.ledger.append_all(vec![account("late", "")], None).unwrap();
            self.look();
            let close = record("finance.account_close", &[("account", "late"), ("currency", "EUR")]);
            self.ledger.append_all(vec![close], None).unwrap();
        }
    }
}

fn script(seed: u64, steps: usize) -> Script {
    let mut script = Script::new(seed);
    (0..steps).for_each(|_| script.step());
    script
}

fn amount(batch: &RecordBatch, column: &str, row: usize) -> Option<Decimal> {
    let column = batch.column_by_name(column).unwrap().as_primitive::<Decimal128Type>();
    column.is_valid(row).then(|| Decimal::new(column.value(row), 12).normalised())
}

fn place(batch: &RecordBatch, row: usize) -> RowId {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let index = column("_index").as_primitive::<UInt64Type>().value(row);
    RowId::new(index, column("_position").as_primitive::<UInt32Type>().value(row))
}

fn statement(id: &str) -> StatementRequest {
    StatementRequest { record_type: ACCOUNT.to_owned(), key: vec![text(id)], ..StatementRequest::default() }
}

fn cents(cents: i128) -> Decimal {
    Decimal::new(cents, 2).normalised()
}

#[test]
fn as_of_every_index_is_what_the_ledger_was() {
    for seed in 0..3 {
        let script = script(seed, 40);
        for (size, seen) in &script.seen {
            assert_eq!(look(&script.ledger, Some(Moment::Index(size - 1))), *seen, "seed {seed}, size {size}");
            let time = script.ledger.time_of(size - 1).unwrap();
            assert_eq!(look(&script.ledger, Some(Moment::Time(time))), *seen, "seed {seed}, size {size} by time");
        }
        let before = look(&script.ledger, Some(Moment::Time(START_MICROS - 1)));
        assert!(before.balances.iter().all(BTreeMap::is_empty) && before.transfers == 0);
        audited(&script.ledger);
    }
}

#[test]
fn a_moment_that_is_not_there_is_refused_and_texts_are_read() {
    let script = script(9, 3);
    let size = script.ledger.size().unwrap();
    let error = script.ledger.as_of(Moment::Index(size)).balances(ACCOUNT, &[text("cash")]).unwrap_err();
    assert!(error.to_string().contains(&format!("there is no transaction {size}")), "{error}");
    assert_eq!(Moment::parse("17").unwrap(), Moment::Index(17));
    assert_eq!(Moment::parse("2026-06-30").unwrap(), Moment::Day(20_634));
    assert_eq!(Moment::parse("1970-01-01T01:00:00+01:00").unwrap(), Moment::Time(0));
    assert!(Moment::parse("yesterday").unwrap_err().to_string().contains("2026-06-30"));
    let whole = look(&script.ledger, None);
    assert_eq!(look(&script.ledger, Some(Moment::Day(Script::today()))), whole);
}

#[test]
fn statements_have_every_movement_and_add_up() {
    let script = script(4, 60);
    let size = script.ledger.size().unwrap();
    let mut rng = Rng::new(1);
    for id in ACCOUNTS {
        let bounds = [(None, None)].into_iter().chain((0..12).map(|_| {
            let first = rng.below(size);
            (Some(first), Some(first + rng.below(size - first)))
        }));
        for (first, last) in bounds.collect::<Vec<_>>() {
            let request = StatementRequest {
                start: first.map(Moment::Index),
                end: last.map(Moment::Index),
                columns: vec!["id".to_owned()],
                ..statement(id)
            };
            let rows = script.ledger.statement(&request).unwrap();
            let (opening, closing) = (rows.opening(), rows.closing());
            let mut expected: BTreeMap<RowId, BTreeMap<&str, i128>> = BTreeMap::new();
            let range = first.unwrap_or(0)..=last.unwrap_or(u64::MAX);
            for moved in script.moved.iter().filter(|moved| moved.account == id && range.contains(&moved.row.index)) {
                *expected.entry(moved.row).or_default().entry(moved.part).or_default() += moved.change;
            }
            let mut running: BTreeMap<&str, i128> = BTreeMap::new();
            for part in ["posted", "pending_in", "pending_out"] {
                let before = script.moved.iter().filter(|moved| moved.account == id && moved.part == part);
                let before = before.filter(|moved| first.is_some_and(|first| moved.row.index < first));
                running.insert(part, before.map(|moved| moved.change).sum());
                if first.is_some_and(|first| first > 2) {
                    assert_eq!(opening[part], cents(running[part]), "{id} {part}");
                }
            }
            let mut lines = expected.into_iter();
            for batch in rows {
                let batch = batch.unwrap();
                for line in 0..batch.num_rows() {
                    if batch.column_by_name("_type").unwrap().as_string::<i32>().value(line) == ACCOUNT {
                        continue;
                    }
                    let (row, changes) = lines.next().expect("a line too many");
                    assert_eq!(place(&batch, line), row, "{id}");
                    for part in ["posted", "pending_in", "pending_out"] {
                        let change = changes.get(part).copied().unwrap_or(0);
                        *running.get_mut(part).unwrap() += change;
                        assert_eq!(amount(&batch, &format!("{part}_change"), line).unwrap(), cents(change), "{row}");
                        assert_eq!(
                            amount(&batch, &format!("{part}_balance"), line).unwrap(),
                            cents(running[part]),
                            "{row}"
                        );
                    }
                }
            }
            assert!(lines.next().is_none(), "{id}: a movement is missing");
            let last = Moment::Index(last.unwrap_or(size - 1));
            let balance = &script.ledger.as_of(last).balances(ACCOUNT, &[text(id)]).unwrap();
            if let Some(balance) = balance.get(&vec!["EUR".to_owned()]) {
                assert!(closing.iter().all(|(part, value)| balance[part] == *value));
                assert_eq!(closing.len(), 3);
            }
        }
    }
}

#[test]
fn balances_on_a_day_sum_by_effective_date() {
    let script = script(5, 60);
    for id in ACCOUNTS {
        for text_of in
            ["2025-12-31", "2026-01-01", "2026-02-14", "2026-02-28", "2026-03-01", "2026-03-15", "2026-03-31"]
        {
            let counted = |moved: &&Moved| moved.account == id && moved.part == "posted" && moved.day <= day(text_of);
            let expected: i128 = script.moved.iter().filter(counted).map(|moved| moved.change).sum();
            let balances = script.ledger.balances_on(ACCOUNT, &[text(id)], day(text_of), None).unwrap();
            // Holds have no date: what is pending cannot be summed by one.
            let only: Vec<(&String, &Decimal)> = balances[&vec!["EUR".to_owned()]].iter().collect();
            assert_eq!(only, [(&"posted".to_owned(), &cents(expected))], "{id} on {text_of}");
        }
    }
    let half = script.ledger.size().unwrap() / 2;
    let counted = |moved: &&Moved| moved.account == "cash" && moved.part == "posted" && moved.row.index <= half;
    let expected: i128 = script.moved.iter().filter(counted).map(|moved| moved.change).sum();
    let on = script.ledger.balances_on(ACCOUNT, &[text("cash")], day("9999-12-31"), Some(Moment::Index(half))).unwrap();
    assert_eq!(on[&vec!["EUR".to_owned()]]["posted"], cents(expected));
}

/// A module whose movements have no date and no index.
const POINTS: &str = r#"
[module]
name = "points"
version = 1
title = "Points"

[roles.keeper]
doc = "Keeps points"

[types.card]
authorise = ["keeper"]
[types.card.fields]
id = { type = "text", required = true }
[types.card.cells.balance]
kind = "balance"
parts = ["points"]
scale = 0
missing = { code = "no_card", message = "no such card" }
too_precise = { code = "whole", message = "whole points" }
[[types.card.rules]]
unique = ["id"]
[[types.card.rules]]
open = "card.balance"
at = ["id"]
set = { points = "0" }
code = "twice"
message = "open already"

[types.gain]
authorise = ["keeper"]
[types.gain.fields]
card = { type = "text", required = true }
points = { type = "int", required = true }
[[types.gain.rules]]
balance = "card.balance"
at = ["card"]
add = { points = "points" }
"#;

#[test]
fn a_balance_without_dated_movements_is_refused_by_date() {
    let ledger = Arc::new(books().module(POINTS, "points.toml").in_memory().unwrap());
    ledger.append("points.card", texts(&[("id", "a")]), None).unwrap();
    for points in 1..=3 {
        ledger.append("points.gain", object(&[("card", text("a")), ("points", Value::Int(points))]), None).unwrap();
    }
    let error = ledger.balances_on("points.card", &[text("a")], 0, None).unwrap_err();
    assert_eq!(error.code(), codes::NO_EFFECTIVE_DATE);
    let error = error.to_string();
    assert!(error.contains("points.gain has no effective date") && error.contains("as_of"), "{error}");
    // No field of the movers is indexed: they are found by the transactions that moved the cell.
    let request = StatementRequest {
        record_type: "points.card".to_owned(),
        key: vec![text("a")],
        columns: vec!["points".to_owned()],
        ..StatementRequest::default()
    };
    let mut points = Vec::new();
    for batch in ledger.statement(&request).unwrap() {
        let batch = batch.unwrap();
        let column = batch.column_by_name("points").unwrap().as_primitive::<Int64Type>();
        points.extend((0..batch.num_rows()).map(|row| column.is_valid(row).then(|| column.value(row))));
    }
    assert_eq!(points, [None, Some(1), Some(2), Some(3)]);
}

#[test]
fn histories_tell_what_each_record_changed() {
    let ledger = Arc::new(books().sources(Tape::default().sources()).in_memory().unwrap());
    ledger.append_all(vec![account("cash", "0"), account("sales", "")], None).unwrap();
    ledger.append_all(vec![transfer("t1", "cash", "sales", "5")], None).unwrap();
    let hold = [("id", "h1"), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", "2")];
    ledger.append_all(vec![record("finance.hold", &hold)], None).unwrap();
    let void = [("hold", "h1"), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", "2")];
    ledger.append_all(vec![record("finance.hold_void", &void)], None).unwrap();
    let told = |record_type: &str, key: &str| {
        let mut told = Vec::new();
        for batch in ledger.history(record_type, &[text(key)], None).unwrap() {
            let batch = batch.unwrap();
            let types = batch.column_by_name("_type").unwrap().as_string::<i32>();
            let changes = batch.column_by_name("changes").unwrap().as_list::<i32>();
            for row in 0..batch.num_rows() {
                let of_row = changes.value(row);
                let of_row = of_row.as_struct();
                let texts = |place: usize| of_row.column(place).as_string::<i32>();
                let shown = (0..of_row.len()).map(|change| {
                    let text = |place: usize| {
                        let column = texts(place);
                        if column.is_valid(change) { column.value(change) } else { "-" }
                    };
                    format!("{}: {} > {}", text(0), text(1), text(2))
                });
                told.push(format!("{}: {}", types.value(row), shown.collect::<Vec<_>>().join(", ")));
            }
        }
        told
    };
    assert_eq!(
        told("finance.account", "cash"),
        [
            "finance.account: currency: - > EUR, floor: - > 0, id: - > cash, kind: - > asset, \
             balance[EUR].exponent: - > 2, balance[EUR].floor: - > 0, balance[EUR].pending_in: - > 0, \
             balance[EUR].pending_out: - > 0, balance[EUR].posted: - > 0",
            "finance.transfer: balance[EUR].posted: 0 > 5",
            "finance.hold: balance[EUR].pending_out: 0 > 2",
            "finance.hold_void: balance[EUR].pending_out: 2 > 0",
        ]
    );
    assert_eq!(
        told("finance.hold", "h1"),
        [
            "finance.hold: amount: - > 2, credit: - > cash, currency: - > EUR, debit: - > sales, id: - > h1, \
             status.state: - > pending",
            "finance.hold_void: status.state: pending > voided",
        ]
    );
    assert_eq!(told("finance.transfer", "t1").len(), 1);
    let none = ledger.history("finance.transfer", &[text("none")], None);
    assert_eq!(none.err().map(|error| error.code().to_owned()).as_deref(), Some(codes::NO_RECORD));
}

#[test]
fn a_statement_names_what_is_missing() {
    let script = script(8, 10);
    let refused = |request: StatementRequest| script.ledger.statement(&request).err().unwrap().to_string();
    assert!(refused(statement("nobody")).contains("there is no record of finance.account with the key \"nobody\""));
    let by = StatementRequest { by: Some(vec!["USD".to_owned()]), ..statement("cash") };
    assert!(refused(by).contains("it has EUR"));
    let columns = StatementRequest { columns: vec!["nothing".to_owned()], ..statement("cash") };
    assert!(refused(columns).contains("finance.transfer"));
    let dates = script.ledger.statement(&statement("cash")).unwrap().map(|batch| {
        let batch = batch.unwrap();
        batch.column_by_name("_date").unwrap().as_primitive::<Date32Type>().null_count()
    });
    assert_eq!(dates.sum::<usize>(), 0);
}
