//! Records whose effects other records decide: held and released, replaced by later versions, emitted, looked up. What the ledger says as
//! of every index is what it said when it held that much; statements and dated sums are those of a naive reader of the script.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use ledgerstone::model::{Decimal, RowId, Value};
use ledgerstone::query::{Comparison, Predicate};
use ledgerstone::{Join, Ledger, Moment, QueryRequest, StatementRequest, codes};
use ledgerstone_tests::{Rng, Tape, audited, books, load, object, text, texts};
use ledgerstone_verify::Mode;

use super::so_far;

const WALLET: &str = include_str!("wallet.toml");
const BONUS: &str = include_str!("bonus.toml");
const CARDS: [&str; 2] = ["a", "b"];
/// Of a bonus that adds nothing, nobody can say that it moved the balance.
const RATES: [i64; 3] = [3, 5, 0];
const TYPES: [&str; 2] = ["wallet.gain", "wallet.note"];

/// A line of the statement of a card, as a naive reader expects it: change and balance of the points where they can be told.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    at: RowId,
    held_at: Option<RowId>,
    change: Option<i64>,
    balance: Option<i64>,
    limit: Option<i64>,
}

/// What a record of points says.
#[derive(Clone, Copy)]
struct Said {
    card: usize,
    points: i64,
    day: i32,
}

#[derive(Clone)]
struct Waiting {
    row: RowId,
    /// The note that it corrects or makes; `None`: a gain.
    note: Option<usize>,
    said: Said,
}

struct Script {
    ledger: Arc<Ledger>,
    rng: Rng,
    has_bonus: bool,
    /// Whether the ledger is looked at after every step.
    looks: bool,
    number: usize,
    seen: Vec<(u64, Vec<String>)>,
    /// For each card: its lines, and what they add up to.
    lines: [Vec<Line>; 2],
    points: [i64; 2],
    limits: [i64; 2],
    /// What counts on which day: index, card, day, points.
    dated: Vec<(u64, Said)>,
    waiting: Vec<Waiting>,
    /// Notes that stand: number of the version, and what it says.
    notes: Vec<(i64, Option<Said>)>,
    is_suspended: bool,
}

impl Script {
    fn new(seed: u64, has_bonus: bool, looks: bool) -> Self {
        let module = if has_bonus { [WALLET, BONUS].concat() } else { WALLET.to_owned() };
        let create = books().module(&module, "wallet.toml").threads(2).sources(Tape::default().sources());
        let ledger = Arc::new(create.in_memory().unwrap());
        let mut script = Script {
            ledger,
            rng: Rng::new(seed),
            has_bonus,
            looks,
            number: 0,
            seen: Vec::new(),
            lines: [Vec::new(), Vec::new()],
            points: [0; 2],
            limits: [5; 2],
            dated: Vec::new(),
            waiting: Vec::new(),
            notes: Vec::new(),
            is_suspended: false,
        };
        script.look();
        for (card, id) in CARDS.iter().enumerate() {
            let row = script.append("wallet.card", texts(&[("id", id)])).unwrap();
            script.line(row, None, card, Some(0));
            script.look();
        }
        if has_bonus {
            for (number, points) in RATES.iter().enumerate() {
                let rate = object(&[("id", text(&format!("r{number}"))), ("points", Value::Int(*points))]);
                script.append("wallet.rate", rate).unwrap();
            }
        }
        script
    }

    fn append(&self, record_type: &str, data: Value) -> Option<RowId> {
        self.ledger.append(record_type, data, None).ok().map(|appended| appended.row(0))
    }

    fn look(&mut self) {
        if self.looks {
            let size = self.ledger.size().unwrap();
            self.seen.push((size, look(&self.ledger, None, self.has_bonus)));
        }
    }

    /// Adds a line; `None`: the change is not told.
    fn line(&mut self, at: RowId, held_at: Option<RowId>, card: usize, change: Option<i64>) {
        self.points[card] += change.unwrap_or(0);
        let balance = change.map(|_| self.points[card]);
        self.lines[card].push(Line { at, held_at, change, balance, limit: Some(self.limits[card]) });
    }

    fn said(&mut self, limit: u64) -> Said {
        let (card, points) = (self.rng.below(2) as usize, self.rng.below(limit) as i64);
        Said { card, points, day: 20_500 + self.rng.below(20) as i32 }
    }

    fn id(&mut self) -> String {
        self.number += 1;
        format!("g{}", self.number)
    }

    fn step(&mut self) {
        if self.is_suspended {
            assert!(self.append("wallet.gain", gain("never", Said { card: 0, points: 1, day: 0 })).is_none());
            self.ledger.resume("wallet", None).unwrap();
            self.is_suspended = false;
            return self.look();
        }
        match self.rng.below(10) {
            0 => self.one_gain(),
            1..3 => self.release(),
            3 => self.new_notes(),
            4..6 => self.correct(),
            6 => self.gifts(),
            7 => self.limit(),
            8 if self.has_bonus => self.bonuses(),
            8 => self.one_gain(),
            _ => {
                self.ledger.suspend("wallet", Some("somebody looks")).unwrap();
                self.is_suspended = true;
            }
        }
        self.look();
    }

    fn one_gain(&mut self) {
        let (id, said) = (self.id(), self.said(200));
        let row = self.append("wallet.gain", gain(&id, said)).unwrap();
        self.stands_or_waits(row, None, said);
    }

    fn stands_or_waits(&mut self, row: RowId, note: Option<usize>, said: Said) {
        if said.points < 100 {
            self.takes_effect(row, None, note, said);
        } else {
            self.waiting.push(Waiting { row, note, said });
        }
    }

    fn takes_effect(&mut self, at: RowId, held_at: Option<RowId>, note: Option<usize>, said: Said) {
        let mut changes: BTreeMap<usize, i64> = BTreeMap::from([(said.card, said.points)]);
        if let Some((version, newest)) = note.map(|note| &mut self.notes[note]) {
            *version += 1;
            if let Some(before) = newest.replace(said) {
                *changes.entry(before.card).or_default() -= before.points;
                self.dated.push((at.index, Said { points: -before.points, ..before }));
            }
        }
        self.dated.push((at.index, said));
        for (card, change) in changes {
            self.line(at, held_at, card, Some(change));
        }
    }

    fn release(&mut self) {
        if self.waiting.is_empty() {
            return self.one_gain();
        }
        let place = self.rng.below(self.waiting.len() as u64) as usize;
        let Waiting { row, note, said } = self.waiting.remove(place);
        let released = self.ledger.release(row, None).unwrap();
        self.takes_effect(released.row(0), Some(row), note, said);
    }

    /// Three notes in one load.
    fn new_notes(&mut self) {
        let said: Vec<Said> = (0..3).map(|_| self.said(150)).collect();
        let first = self.notes.len();
        let values = said.iter().enumerate().map(|(nth, said)| note(first + nth, 1, *said)).collect();
        let report = load(&self.ledger, "wallet.note", values, None, Mode::Each).unwrap();
        for (nth, said) in said.into_iter().enumerate() {
            self.notes.push((0, None));
            self.stands_or_waits(report.row(nth as u64).unwrap(), Some(first + nth), said);
        }
    }

    /// Corrections of two notes in one transaction, the second twice.
    fn correct(&mut self) {
        let is_free = |number: &usize| self.waiting.iter().all(|waiting| waiting.note != Some(*number));
        let free: Vec<usize> = (0..self.notes.len()).filter(is_free).collect();
        let (Some(first), Some(last)) = (free.first(), free.last()) else { return self.new_notes() };
        let mut corrected = vec![(*last, 1), (*last, 2)];
        if first != last {
            corrected.insert(0, (*first, 1));
        }
        let mut records = Vec::new();
        let mut said = Vec::new();
        for (nth, (number, step)) in corrected.iter().enumerate() {
            // Only the last may be held: a later version needs the one before.
            let one = self.said(if nth + 1 == corrected.len() { 150 } else { 100 });
            records.push(("wallet.note".to_owned(), note(*number, self.notes[*number].0 + step, one)));
            said.push(one);
        }
        let appended = self.ledger.append_all(records, None).unwrap();
        for (nth, ((number, _), said)) in corrected.into_iter().zip(said).enumerate() {
            self.stands_or_waits(appended.row(nth as u32), Some(number), said);
        }
    }

    /// Two gifts with a gain between: what the first makes comes before the gain, though it stands behind it.
    fn gifts(&mut self) {
        let said: Vec<Said> = (0..3).map(|_| self.said(100)).collect();
        let names: Vec<String> = (0..3).map(|_| self.id()).collect();
        let records = (0..3).map(|nth| {
            let name = if nth == 1 { "wallet.gain" } else { "wallet.gift" };
            (name.to_owned(), gain(&names[nth], said[nth]))
        });
        let index = self.ledger.append_all(records.collect(), None).unwrap().index;
        for (position, said) in [3, 1, 4].into_iter().zip(said) {
            self.takes_effect(RowId::new(index, position), None, None, said);
        }
    }

    fn limit(&mut self) {
        let card = self.rng.below(2) as usize;
        self.limits[card] = self.rng.below(100) as i64;
        let members =
            [("card", text(CARDS[card])), ("limit", Value::Int(self.limits[card])), ("day", Value::Date(20_500))];
        let row = self.append("wallet.limit", object(&members)).unwrap();
        self.line(row, None, card, Some(0));
    }

    /// A gain, one bonus or two, and a gain, on one card: of one bonus the share is known, of two it is not.
    fn bonuses(&mut self) {
        let card = self.rng.below(2) as usize;
        let said = [self.said(100), self.said(100)].map(|said| Said { card, ..said });
        let rates: Vec<usize> = (0..1 + self.rng.below(2)).map(|_| self.rng.below(3) as usize).collect();
        let bonus =
            |rate: &usize| ("wallet.bonus".to_owned(), texts(&[("card", CARDS[card]), ("rate", &format!("r{rate}"))]));
        let mut records = vec![("wallet.gain".to_owned(), gain(&self.id(), said[0]))];
        records.extend(rates.iter().map(bonus));
        records.push(("wallet.gain".to_owned(), gain(&self.id(), said[1])));
        let appended = self.ledger.append_all(records, None).unwrap();
        let last = rates.len() as u32 + 1;
        self.takes_effect(appended.row(0), None, None, said[0]);
        if let [only] = rates.as_slice() {
            if RATES[*only] != 0 {
                self.line(appended.row(1), None, card, Some(RATES[*only]));
            }
            return self.takes_effect(appended.row(2), None, None, said[1]);
        }
        for (nth, rate) in rates.iter().enumerate() {
            self.line(appended.row(nth as u32 + 1), None, card, None);
            self.lines[card].last_mut().unwrap().limit = None;
            self.points[card] += RATES[*rate];
        }
        self.takes_effect(appended.row(last), None, None, said[1]);
    }
}

fn gain(id: &str, said: Said) -> Value {
    let Said { card, points, day } = said;
    object(&[("id", text(id)), ("card", text(CARDS[card])), ("points", Value::Int(points)), ("day", Value::Date(day))])
}

fn note(number: usize, version: i64, said: Said) -> Value {
    let Value::Object(mut members) = gain(&format!("n{number}"), said) else { unreachable!() };
    members.push(("version".to_owned(), Value::Int(version)));
    Value::Object(members)
}

/// One value as text.
fn shown(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "-".to_owned();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value(row).to_string(),
        _ => format!("{:?}", column.slice(row, 1)),
    }
}

/// The rows of batches as text, each after a name.
pub(super) fn told(
    name: &str,
    batches: impl Iterator<Item = ledgerstone::Result<RecordBatch>>,
    into: &mut Vec<String>,
) {
    for batch in batches {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let texts: Vec<String> = batch.columns().iter().map(|column| shown(column, row)).collect();
            into.push(format!("{name}: {}", texts.join(" | ")));
        }
    }
}

/// The history of a key; that of one that no record has yet is empty.
fn told_history(ledger: &Arc<Ledger>, (record_type, id): (&str, &str), moment: Option<Moment>, into: &mut Vec<String>) {
    match ledger.history(record_type, &[text(id)], moment) {
        Ok(rows) => told(&format!("history of {id}"), rows, into),
        Err(error) => assert_eq!(error.code(), codes::NO_RECORD),
    }
}

/// Everything that can be asked, at a moment or now.
fn look(ledger: &Arc<Ledger>, moment: Option<Moment>, has_bonus: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let columns = ["id", "_index", "_position", "_outcome", "_code", "_cause", "_author", "points"];
    for record_type in TYPES {
        let request = QueryRequest {
            record_type: record_type.to_owned(),
            columns: Some(columns.map(str::to_owned).to_vec()),
            as_of: moment,
            ..QueryRequest::default()
        };
        let only = |field: &str, value: &str| Predicate {
            field: field.to_owned(),
            comparison: Comparison::Equal,
            values: vec![text(value)],
        };
        for held in [false, true] {
            for predicates in
                [vec![], vec![only("id", if record_type == TYPES[0] { "g1" } else { "n0" })], vec![only("card", "a")]]
            {
                let name = format!("{record_type} {held} {predicates:?}");
                let request = QueryRequest { held, predicates, ..request.clone() };
                told(&name, ledger.query(&request).unwrap(), &mut seen);
            }
        }
        for id in ["g1", "g2", "n0", "n1"] {
            let record = match moment {
                None => ledger.get(record_type, &[text(id)]).unwrap(),
                Some(moment) => ledger.as_of(moment).get(record_type, &[text(id)]).unwrap(),
            };
            let record = record.map(|record| (record.row, record.standing, record.cause));
            seen.push(format!("{record_type} {id}: {record:?}"));
            told_history(ledger, (record_type, id), moment, &mut seen);
        }
    }
    for id in CARDS {
        let key = [text(id)];
        told_history(ledger, ("wallet.card", id), moment, &mut seen);
        let balances = match moment {
            None => so_far(ledger.balances("wallet.card", &key)),
            Some(moment) => so_far(ledger.as_of(moment).balances("wallet.card", &key)),
        };
        seen.push(format!("{id}: {balances:?}"));
        match ledger.statement(&StatementRequest { end: moment, ..statement(id) }) {
            Err(error) => {
                assert!([codes::NO_RECORD, codes::NO_BALANCE].contains(&error.code()), "{error}");
                seen.push("{} to {}".to_owned());
            }
            Ok(lines) => {
                seen.push(format!("{:?} to {:?}", lines.opening(), lines.closing()));
                told(&format!("statement of {id}"), lines, &mut seen);
            }
        }
        for day in [20_505, 20_530] {
            match ledger.balances_on("wallet.card", &key, day, moment) {
                Err(error) if error.code() == codes::NO_RECORD => seen.push(format!("{id} on {day}: {{}}")),
                Err(error) => assert!(has_bonus && error.code() == codes::NO_EFFECTIVE_DATE, "{error}"),
                Ok(balances) => seen.push(format!("{id} on {day}: {balances:?}")),
            }
        }
    }
    seen
}

fn statement(id: &str) -> StatementRequest {
    StatementRequest {
        record_type: "wallet.card".to_owned(),
        key: vec![text(id)],
        columns: vec!["points".to_owned()],
        ..StatementRequest::default()
    }
}

fn script(seed: u64, has_bonus: bool, looks: bool, steps: usize) -> Script {
    let mut script = Script::new(seed, has_bonus, looks);
    (0..steps).for_each(|_| script.step());
    script
}

#[test]
fn as_of_every_index_is_what_was_seen_whatever_became_of_held_records() {
    for seed in 0..3 {
        let script = script(seed, seed > 0, true, 25);
        let has = |text: &str| script.seen.iter().any(|(_, seen)| seen.iter().any(|line| line.contains(text)));
        assert!(has("| held |") && has("| released |"));
        for (size, seen) in &script.seen {
            let again = look(&script.ledger, Some(Moment::Index(size - 1)), script.has_bonus);
            for (again, seen) in again.iter().zip(seen) {
                assert_eq!(again, seen, "seed {seed}, size {size}");
            }
            assert_eq!(again.len(), seen.len(), "seed {seed}, size {size}");
        }
        audited(&script.ledger);
    }
}

#[test]
fn statements_tell_what_each_record_did_and_add_up() {
    for seed in 0..4 {
        let script = script(seed, true, false, 70);
        let size = script.ledger.size().unwrap();
        let mut rng = Rng::new(seed);
        for (card, id) in CARDS.iter().enumerate() {
            for first in [0].into_iter().chain((0..6).map(|_| rng.below(size))).collect::<Vec<_>>() {
                let request = StatementRequest { start: Some(Moment::Index(first)), ..statement(id) };
                let mut lines = Vec::new();
                for batch in script.ledger.statement(&request).unwrap() {
                    lines.extend(lines_of(&batch.unwrap()));
                }
                let expected = script.lines[card].iter().filter(|line| line.at.index >= first);
                assert_eq!(lines, expected.cloned().collect::<Vec<_>>(), "seed {seed}, {id} from {first}");
            }
        }
    }
}

fn lines_of(batch: &RecordBatch) -> Vec<Line> {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let amount = |name: &str, row: usize| {
        let column = column(name).as_primitive::<Decimal128Type>();
        column.is_valid(row).then(|| column.value(row) as i64)
    };
    (0..batch.num_rows())
        .map(|row| Line {
            at: super::place(batch, row),
            held_at: Some(column("_held_at").as_string::<i32>()).filter(|held| held.is_valid(row)).map(|held| {
                let (index, position) = held.value(row).split_once(':').unwrap();
                RowId::new(index.parse().unwrap(), position.parse().unwrap())
            }),
            change: amount("points_change", row),
            balance: amount("points_balance", row),
            limit: amount("limit_balance", row),
        })
        .collect()
}

#[test]
fn dated_sums_count_versions_on_their_own_day_and_held_records_once_released() {
    for seed in 0..4 {
        let script = script(seed, false, false, 70);
        let size = script.ledger.size().unwrap();
        for (card, id) in CARDS.iter().enumerate() {
            for day in [20_499, 20_503, 20_511, 20_530] {
                for end in [size / 2, size - 1] {
                    let counts = |(index, said): &&(u64, Said)| *index <= end && said.card == card && said.day <= day;
                    let expected: i64 = script.dated.iter().filter(counts).map(|(_, said)| said.points).sum();
                    let on = script.ledger.balances_on("wallet.card", &[text(id)], day, Some(Moment::Index(end)));
                    let on = on.unwrap().remove(&Vec::new()).unwrap();
                    // The limit is assigned: it has no sum.
                    assert_eq!(on.keys().collect::<Vec<_>>(), ["points"], "{id}");
                    assert_eq!(on["points"], Decimal::new(i128::from(expected), 0).normalised(), "{seed} {id} {day}");
                }
            }
        }
    }
}

#[test]
fn a_history_tells_a_released_record_at_its_release() {
    let script = Script::new(1, true, false);
    let said = Said { card: 0, points: 500, day: 20_500 };
    let row = script.append("wallet.gain", gain("large", said)).unwrap();
    script.append("wallet.gain", gain("small", Said { points: 5, ..said })).unwrap();
    let release = script.ledger.release(row, None).unwrap().row(0);
    let last = script.append("wallet.gain", gain("more", Said { points: 7, ..said })).unwrap();
    let mut seen = Vec::new();
    told("", script.ledger.history("wallet.card", &[text("a")], None).unwrap(), &mut seen);
    assert_eq!(seen.len(), 4, "{seen:#?}");
    let of = |at: RowId| seen.iter().find(|line| line.starts_with(&format!(": {} | {} |", at.index, at.position)));
    assert!(of(row).is_none(), "nothing happened where it was held");
    let line = of(release).unwrap();
    assert!(line.contains("| wallet.gain | 1 | ") && line.contains(&format!("| {row} |")), "{line}");
    assert!(line.contains("\"5\"") && line.contains("\"505\""), "{line}");
    assert!(of(last).unwrap().contains("\"505\"") && of(last).unwrap().contains("\"512\""));
    // So does that of the record itself.
    let mut own = Vec::new();
    told("", script.ledger.history("wallet.gain", &[text("large")], None).unwrap(), &mut own);
    assert_eq!(own.len(), 1);
    assert!(own[0].starts_with(&format!(": {} | {} |", release.index, release.position)), "{own:?}");
    let before = Some(Moment::Index(release.index - 1));
    assert_eq!(script.ledger.history("wallet.gain", &[text("large")], before).unwrap().count(), 0);
}

#[test]
fn a_join_finds_a_released_record_from_its_release_on() {
    let script = Script::new(1, true, false);
    let said = Said { card: 0, points: 500, day: 20_500 };
    let row = script.append("wallet.gain", gain("large", said)).unwrap();
    script.append("wallet.gift", gain("large", Said { points: 1, ..said })).unwrap();
    let release = script.ledger.release(row, None).unwrap().index;
    for (index, is_there) in [(release - 1, false), (release, true)] {
        let request = QueryRequest {
            record_type: "wallet.gift".to_owned(),
            joins: vec![Join { field: "id".to_owned(), record_type: "wallet.gain".to_owned() }],
            columns: Some(vec!["id.points".to_owned()]),
            as_of: Some(Moment::Index(index)),
            ..QueryRequest::default()
        };
        let mut seen = Vec::new();
        told("", script.ledger.query(&request).unwrap(), &mut seen);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].contains("500"), is_there, "{seen:?}");
    }
}
