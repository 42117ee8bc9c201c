//! Random calls on a random module.

use serde_json::{Map, Value as Json, json};

use super::choices::Choices;
use super::engine::{Call, ENDORSERS};
use super::language::{Does, Field, Kind, Module, Type};
use super::ledger::Mode;
use super::state::Record;

const IDS: [&str; 6] = ["i0", "i1", "i2", "i3", "i4", "i5"];
const DECIMALS: [&str; 9] = ["1", "0.5", "-2", "3.25", "10", "0", "-0.50", "0.001", "7.125"];
const FRACTIONS: [&str; 8] = ["1/2", "1/3", "1/6", "2/3", "-1/3", "0/1", "1/1", "-1/2"];
const DATES: [&str; 3] = ["2026-01-01", "2026-06-15", "2027-02-28"];

fn value(choices: &mut Choices, kind: &Kind) -> Json {
    match kind {
        Kind::Text(_) => json!(choices.one(&IDS)),
        Kind::Int(..) => json!(choices.below(8) as i64 - 2),
        Kind::Decimal(scale) => loop {
            let text = choices.one(&DECIMALS);
            if super::amount::behind_point(text) <= *scale || choices.percent(5) {
                break json!(text);
            }
        },
        Kind::Fraction if choices.percent(2) => json!("2/4"),
        Kind::Fraction => json!(choices.one(&FRACTIONS)),
        Kind::Enum(values) => json!(choices.one(values)),
        Kind::Date => json!(choices.one(&DATES)),
        Kind::Bool => json!(choices.percent(50)),
        Kind::List(max, fields) => {
            let length = choices.below(max + 1);
            Json::Array((0..length).map(|_| data(choices, fields)).collect())
        }
    }
}

fn data(choices: &mut Choices, fields: &[Field]) -> Json {
    let mut members = Map::new();
    for field in fields {
        // Few versions of few records, so that some follow each other.
        if field.name == "version" {
            members.insert("version".to_owned(), json!(choices.below(4)));
        } else if field.name == "id" && fields.iter().any(|field| field.name == "version") {
            members.insert("id".to_owned(), json!(choices.one(&IDS[..2])));
        } else if field.name == "votes" {
            // So few votes that a claim is right now and then.
            members.insert("votes".to_owned(), json!(choices.one(&["1", "2", "0", "3.25", "5"])));
        } else if choices.percent(if field.required { 99 } else { 70 }) {
            members.insert(field.name.to_owned(), value(choices, &field.kind));
        }
    }
    Json::Object(members)
}

fn record(choices: &mut Choices, of: &Type) -> Record {
    let mut data = data(choices, &of.fields);
    let has = |name: &str| of.fields.iter().any(|field| field.name == name);
    match choices.below(100) {
        99 => data["surprise"] = json!("?"),
        98 if has("number") => data["number"] = json!(10),
        97 if has("kind") => data["kind"] = json!("z"),
        96 if !has("counts") => data[of.fields[0].name] = json!("i00"),
        _ => {}
    }
    Record { kind: format!("m.{}", of.name), data }
}

/// Some of those who may endorse, in any order; one of them twice now and then.
fn endorsers(choices: &mut Choices) -> Vec<usize> {
    let mut endorsers = Vec::new();
    for _ in 0..1 + choices.below(3) {
        let number = if choices.percent(5) { ENDORSERS - 1 } else { choices.below(ENDORSERS - 1) };
        if !endorsers.contains(&number) || choices.percent(5) {
            endorsers.push(number);
        }
    }
    endorsers
}

/// Calls on a module.
pub(crate) fn calls(choices: &mut Choices, module: &Module) -> Vec<Call> {
    let [thing, motion, ending, note, _, result] = &module.types[..] else { panic!("six types") };
    let things = (0..3 + choices.below(6)).map(|_| record(choices, thing)).collect();
    let mut calls = vec![Call { mode: Mode::Each, rows: things, id: None, endorsers: Vec::new() }];
    let asks = |of: &Type| of.rules.iter().any(|rule| matches!(rule.does, Does::Balance { approval: Some(_), .. }));
    let is_asked = module.types.iter().any(asks);
    for _ in 0..1 + choices.below(6) {
        // What nobody endorsed is refused: where a rule asks for it, some records come alone and endorsed.
        if is_asked && choices.percent(50) {
            let of = choices.one(&module.types.iter().filter(|of| asks(of)).collect::<Vec<_>>());
            let rows = vec![record(choices, of)];
            calls.push(Call { mode: Mode::Atomic, rows, id: None, endorsers: endorsers(choices) });
            continue;
        }
        let id = choices.percent(20).then(|| format!("call{}", choices.below(2)));
        let of = choices.one(&[motion, motion, motion, thing, ending, note, note, result]);
        let length = 1 + choices.below(16);
        let mode = if choices.percent(65) { Mode::Each } else { Mode::Atomic };
        let rows = if mode == Mode::Each {
            (0..length).map(|_| record(choices, of)).collect()
        } else {
            (0..1 + length / 4)
                .map(|_| {
                    let of = choices.one(&[motion, motion, thing, ending, note, note, result]);
                    record(choices, of)
                })
                .collect()
        };
        let is_endorsed = mode == Mode::Atomic && id.is_none() && choices.percent(60);
        let endorsers = if is_endorsed { endorsers(choices) } else { Vec::new() };
        calls.push(Call { mode, rows, id, endorsers });
    }
    calls
}
