//! Golden roots: fixed scripts under fixed sources give, at every size, the two roots checked in under `fixtures/golden`. A change of a
//! hashed byte shows there first. `LEDGERSTONE_BLESS=1` writes the files anew; until the first release that needs a stated reason,
//! afterwards never.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use ledgerstone::model::{RowId, Value};
use ledgerstone::{Create, Error, Key, Ledger};
use ledgerstone_tests::{
    ORIGIN, Rng, Tape, account, audited, books, code_of, key, load, object, record, text, texts, transfer, value,
};
use ledgerstone_verify::Mode;
use serde_json::{Value as Json, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/golden");
const CELLS: &str = include_str!("fixtures/cells.toml");
const OUTCOMES: &str = include_str!("outcomes.toml");

/// The script under way: the ledger, and the lines it made.
struct Script {
    ledger: Ledger,
    lines: String,
    number: usize,
}

impl Script {
    fn new(create: Create) -> Self {
        let ledger = create.threads(2).sources(Tape::default().sources()).in_memory().unwrap();
        let head =
            "# <size> <SHA-256 root> <SHA3-256 root>, or the code of an atomic refusal, or the codes of a load\n";
        let mut script = Script { ledger, lines: head.to_owned(), number: 0 };
        script.state();
        script
    }

    fn state(&mut self) {
        let checkpoint = self.ledger.checkpoint().unwrap();
        let (root, root_sha3) = (hex::encode(checkpoint.root), hex::encode(checkpoint.root_sha3));
        writeln!(self.lines, "{} {root} {root_sha3}", checkpoint.size).unwrap();
    }

    /// The names of everything that became of records, and `emitted` where one follows another.
    fn standings(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for index in 0..self.ledger.size().unwrap() {
            // A rejected one is no record of the ledger; none of these transactions has more places.
            let rows = (0..16).filter_map(|position| self.ledger.record(RowId::new(index, position)).ok());
            for stored in rows {
                let name = format!("{:?}", stored.standing);
                names.insert(name.split('(').next().unwrap_or_default().to_owned());
                names.extend(stored.cause.map(|_| "emitted".to_owned()));
            }
        }
        names
    }

    /// An atomic transaction; every third carries an id.
    fn all(&mut self, records: Vec<(String, Value)>) {
        self.number += 1;
        let id = self.number.is_multiple_of(3).then(|| format!("script-{}", self.number));
        match self.ledger.append_all(records, id.as_deref()) {
            Ok(appended) => {
                assert!(appended.is_new);
                self.state();
            }
            Err(error @ (Error::Rejected(_) | Error::Forbidden(_))) => {
                writeln!(self.lines, "- {}", code_of(&error)).unwrap()
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn one(&mut self, kind: &str, members: &[(&str, &str)]) {
        self.all(vec![record(&format!("finance.{kind}"), members)]);
    }

    fn load(&mut self, kind: &str, values: Vec<Value>, id: &str) {
        let report = load(&self.ledger, kind, values, Some(id), Mode::Each).unwrap();
        for refused in &report.rejections {
            writeln!(self.lines, "- row {} {}", refused.row, refused.code).unwrap();
        }
        self.state();
    }
}

fn legs(id: (&str, &str), period: (&str, &str), legs: &[(&str, &str)]) -> Vec<(&'static str, Value)> {
    let leg =
        |(account, amount): &(&str, &str)| texts(&[("account", account), ("currency", "EUR"), ("amount", amount)]);
    let key = if id.0 == "id" { "id" } else { "reverses" };
    vec![
        (key, text(id.1)),
        ("book", text("main")),
        ("period", text(period.0)),
        ("date", text(period.1)),
        ("legs", Value::List(legs.iter().map(leg).collect())),
    ]
}

fn chart(script: &mut Script) {
    let commodity = |code: &str, exponent| object(&[("code", text(code)), ("exponent", Value::Int(exponent))]);
    script.all(vec![
        ("finance.commodity".to_owned(), commodity("bytes", 0)),
        ("finance.commodity".to_owned(), commodity("AAPL", 6)),
    ]);
    script.all(vec![("finance.commodity".to_owned(), commodity("EUR", 2))]);
    script.all(vec![account("cash", "0"), account("sales", ""), account("costs", "-100.50")]);
    let unit = |currency: &str, exponent: Option<i64>| {
        let mut members = vec![("currency", text(currency))];
        members.extend(exponent.map(|exponent| ("exponent", Value::Int(exponent))));
        object(&members)
    };
    let units = Value::List(vec![unit("EUR", None), unit("bytes", Some(0)), unit("AAPL", Some(6))]);
    let members = [("id", text("many")), ("name", text("Größe “x” 🏦")), ("kind", text("equity")), ("units", units)];
    script.all(vec![("finance.account".to_owned(), object(&members))]);
    script.one("account", &[("id", "full"), ("kind", "liability"), ("currency", "EUR"), ("ceiling", "1000")]);
    script.one("account", &[("id", "cash"), ("kind", "asset"), ("currency", "USD")]);
}

fn transfers(script: &mut Script) {
    for number in 0..26 {
        let (debit, credit) = if number % 4 == 3 { ("sales", "cash") } else { ("cash", "sales") };
        let amount = ["12.50", "0.01", "1000", "3.005", "7"][number % 5];
        script.all(vec![transfer(&format!("t{}", number % 24), debit, credit, amount)]);
    }
    let dated = |id: &'static str, period: &'static str, date: &'static str| {
        [
            ("id", id),
            ("debit", "cash"),
            ("credit", "sales"),
            ("currency", "EUR"),
            ("amount", "5"),
            ("book", "main"),
            ("period", period),
            ("date", date),
        ]
    };
    script.one("transfer", &dated("d1", "2026-03", "2026-03-31"));
    script.one("transfer", &dated("d2", "2026-Q2", "2026-03-31"));
    script.one("transfer", &dated("d3", "2026", "2026-12-31"));
    script.one(
        "transfer_reversal",
        &[("reverses", "t0"), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", "12.5")],
    );
    script.one(
        "transfer_reversal",
        &[("reverses", "t0"), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", "12.5")],
    );
    script.one(
        "transfer_reversal",
        &[("reverses", "t1"), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", "1")],
    );
}

fn holds(script: &mut Script) {
    let hold = |key: &'static str, id: &'static str, amount: &'static str| {
        [(key, id), ("debit", "sales"), ("credit", "cash"), ("currency", "EUR"), ("amount", amount)]
    };
    for id in ["h1", "h2", "h3", "h1"] {
        script.one("hold", &hold("id", id, "2.50"));
    }
    script.one("hold_post", &hold("hold", "h1", "2.5"));
    script.one("hold_post", &hold("hold", "h1", "2.5"));
    script.one("hold_void", &hold("hold", "h2", "2.50"));
    script.one("hold_void", &hold("hold", "h3", "2"));
    script.one("hold_void", &hold("hold", "h4", "2"));
}

fn entries(script: &mut Script) {
    let entry = |script: &mut Script, kind: &str, members: Vec<(&'static str, Value)>| {
        script.all(vec![(format!("finance.{kind}"), object(&members))]);
    };
    let march = ("2026-03", "2026-03-05");
    for number in 0..6 {
        let id = format!("j{number}");
        let third = if number == 4 { "-7" } else { "-6" };
        entry(script, "journal_entry", legs(("id", &id), march, &[("cash", "10"), ("sales", "-4"), ("costs", third)]));
    }
    entry(script, "reversal", legs(("reverses", "j0"), march, &[("cash", "-10"), ("sales", "4"), ("costs", "6")]));
    entry(script, "reversal", legs(("reverses", "j1"), march, &[("cash", "-10"), ("sales", "4"), ("costs", "5")]));
    let march = [("book", "main"), ("period", "2026-03")];
    script.one("period_close", &march);
    entry(script, "journal_entry", legs(("id", "j9"), ("2026-03", "2026-03-06"), &[("cash", "1"), ("sales", "-1")]));
    script.one("period_reopen", &[march[0], march[1], ("reason", "late invoice")]);
    entry(script, "journal_entry", legs(("id", "j9"), ("2026-03", "2026-03-06"), &[("cash", "1"), ("sales", "-1")]));
    script.one("account_close", &[("account", "full"), ("currency", "EUR"), ("reason", "unused")]);
    script.one("account_close", &[("account", "cash"), ("currency", "EUR")]);
}

fn loads(script: &mut Script) {
    let mut rng = Rng::new(1);
    let mut row = |number: usize| {
        let (debit, credit) = if rng.below(3) == 0 { ("sales", "cash") } else { ("cash", "sales") };
        let amount = format!("{}.{:02}", rng.below(300), rng.below(100));
        transfer(&format!("m{}", number - usize::from(number % 37 == 36)), debit, credit, &amount).1
    };
    let rows = (0..300).map(&mut row).collect();
    script.load("finance.transfer", rows, "load-300");
    let few = (300..320).map(row).collect();
    script.load("finance.transfer", few, "load-20");
    script.one(
        "transfer",
        &[("id", "last"), ("debit", "cash"), ("credit", "sales"), ("currency", "EUR"), ("amount", "1")],
    );
}

#[test]
fn the_roots_are_those_checked_in() {
    let mut script = Script::new(books());
    chart(&mut script);
    transfers(&mut script);
    holds(&mut script);
    entries(&mut script);
    loads(&mut script);
    assert!(script.ledger.size().unwrap() > 40 && script.number >= 60, "{} calls", script.number);
    compare("finance", &script.lines);
}

/// Every kind of cell, versions that add up and versions that replace, shares, lookups, a tally.
#[test]
fn the_roots_of_every_kind_of_cell_are_those_checked_in() {
    let mut script = Script::new(Create::new(ORIGIN, key()).module(CELLS, "cells.toml"));
    let mut all = |records: &[(&str, Json)]| {
        script.all(records.iter().map(|(kind, data)| (format!("m.{kind}"), value(data))).collect());
    };
    for copies in [1, 1, 1, -2, -1] {
        all(&[("ballot", json!({"voter": "v", "copies": copies}))]);
    }
    all(&[("item", json!({"id": "i"})), ("item", json!({"id": "j"}))]);
    for (from, to) in
        [(Json::Null, json!("x")), (json!("y"), json!("z")), (json!("x"), json!("é")), (Json::Null, Json::Null)]
    {
        all(&[("move", json!({"piece": "i", "from": from, "to": to}))]);
    }
    for (piece, into) in [("a", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("z", "a"), ("y", "z")] {
        all(&[("pack", json!({"piece": piece, "into": into}))]);
    }
    for (number, first, last) in
        [(2, "01-01", "01-02"), (1, "01-01", "02-01"), (2, "01-31", "03-01"), (2, "02-01", "03-01")]
    {
        all(&[(
            "reading",
            json!({"number": number, "first": format!("2026-{first}"), "last": format!("2026-{last}")}),
        )]);
    }
    all(&[("replacement", json!({"number": 40}))]);
    all(&[("limit", json!({"budget": "b", "limit": "60"}))]);
    for (version, budget, amount) in [(1, "b", "40"), (3, "b", "1"), (2, "b", "50"), (3, "c", "60"), (3, "c", "12.50")]
    {
        all(&[("expense", json!({"id": "e", "version": version, "budget": budget, "amount": amount}))]);
    }
    all(&[("limit", json!({"budget": "b"}))]);
    let share = |parcel: &str, share: &str| ("holding", json!({"parcel": parcel, "share": share}));
    all(&[share("p", "1/3"), share("q", "1/1"), share("p", "2/3")]);
    all(&[share("p", "1/3"), share("p", "1/3")]);
    let consent = |version: i64, given: bool| {
        ("consent", json!({"patient": "p", "to": "anybody", "version": version, "given": given}))
    };
    let dispense = || ("dispense", json!({"patient": "p"}));
    all(&[dispense()]);
    all(&[consent(1, true), dispense()]);
    all(&[consent(2, false), dispense()]);
    for (voter, version, choice) in [("a", 1, "yes"), ("b", 1, "no"), ("a", 2, "no"), ("c", 1, "yes")] {
        all(&[("vote", json!({"proposal": "p", "voter": voter, "version": version, "choice": choice}))]);
    }
    for (no, winner) in [(2, "yes"), (2, "no")] {
        let counts = json!([{"choice": "no", "votes": no}, {"choice": "yes", "votes": 1}]);
        all(&[("result", json!({"proposal": "p", "counts": counts, "winner": winner}))]);
    }
    assert!(script.ledger.size().unwrap() > 20, "{} calls", script.number);
    compare("cells", &script.lines);
}

/// Records that are held, flagged, released, rejected and kept, that follow others, and a transaction that is endorsed.
#[test]
fn the_roots_of_every_outcome_are_those_checked_in() {
    let create = Create::new(ORIGIN, key()).module(OUTCOMES, "outcomes.toml").record_rejections(true);
    let mut script = Script::new(create);
    let mut all = |records: &[(&str, Json)]| {
        script.all(records.iter().map(|(kind, data)| ((*kind).to_owned(), value(data))).collect());
    };
    let order = |id: &str, pieces: i64| {
        ("orders.order", json!({"id": id, "customer": "ann", "pieces": pieces, "express": pieces % 2 == 0}))
    };
    let release = |index: u64, position: u32| {
        ("ledger.release", json!({"index": index, "position": position, "reason": "looked at"}))
    };
    // Flagged, because nobody knows the customer; plain, flagged twice over, held, and all of them at once.
    all(&[order("early", 3)]);
    all(&[("orders.customer", json!({"id": "ann"}))]);
    for (id, pieces) in [("plain", 3), ("express", 4), ("unlucky", 13), ("odd", 50), ("held", 200), ("none", 0)] {
        all(&[order(id, pieces)]);
    }
    all(&[order("a", 1), order("b", 13), order("c", 300), order("d", 2)]);
    // What falls with what follows it: no box, no truck.
    for pieces in [77, 60] {
        all(&[order("fallen", pieces)]);
    }
    for (index, position) in [(8, 0), (8, 0), (9, 2), (9, 3)] {
        all(&[release(index, position)]);
    }
    all(&[order("e", 111), release(9, 2)]);
    let mixed: Vec<Json> = [(1, "l1"), (77, "l2"), (13, "l3"), (500, "l4"), (1, "l1"), (6, "l5")]
        .map(|(pieces, id)| order(id, pieces).1)
        .to_vec();
    script.load("orders.order", mixed.iter().map(value).collect(), "mixed");
    let (member, second) = ("0123456789abcdef0123456789abcdef", Arc::new(Key::from_seed([8; 32], "second")));
    script.all(vec![("ledger.member".to_owned(), {
        object(&[("member", text(member)), ("key", Value::Bytes(second.public().to_vec()))])
    })]);
    let (kind, data) = order("endorsed", 5);
    let records = vec![(kind.to_owned(), value(&data))];
    script.ledger.append_endorsed(records, None, false, &[second], "counted twice").unwrap();
    script.state();

    audited(&script.ledger);
    let standings = script.standings();
    for standing in ["Accepted", "Flagged", "Held", "Released", "emitted"] {
        assert!(standings.contains(standing), "nothing is {standing}: {standings:?}");
    }
    assert!(script.lines.contains("- row "), "the load has rejected records, whose bytes are kept");
    compare("outcomes", &script.lines);
}

/// Compares with the file that is checked in, or writes it.
fn compare(name: &str, lines: &str) {
    let file = format!("{FOLDER}/{name}-semantics0.txt");
    if std::env::var_os("LEDGERSTONE_BLESS").is_some() {
        std::fs::write(&file, lines).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    for (number, (golden, now)) in golden.lines().zip(lines.lines()).enumerate() {
        assert_eq!(golden, now, "line {} of {file}", number + 1);
    }
    assert_eq!(golden.lines().count(), lines.lines().count());
}
