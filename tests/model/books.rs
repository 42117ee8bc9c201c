//! Random calls on the finance module: accounts that are there or not, duplicates, overdrafts, amounts with too many digits,
//! closed periods, one hot account.

use serde_json::{Value as Json, json};

use super::choices::Choices;
use super::engine::Call;
use super::ledger::Mode;
use super::state::Record;

/// The record types that are played.
pub(crate) const TYPES: [&str; 12] = [
    "commodity",
    "account",
    "account_close",
    "transfer",
    "transfer_reversal",
    "journal_entry",
    "reversal",
    "hold",
    "hold_post",
    "hold_void",
    "period_close",
    "period_reopen",
];
const ACCOUNTS: [&str; 7] = ["hot", "a", "b", "c", "full", "many", "nobody"];
const AMOUNTS: [&str; 9] = ["1", "12.50", "100", "0.01", "3.000", "0.005", "250", "0", "-1"];
const PERIODS: [(&str, &str); 4] =
    [("2026-03", "2026-03-15"), ("2026-02", "2026-02-01"), ("2026-12", "2026-12-31"), ("2026-03", "2026-04-01")];

fn record(kind: &str, data: Json) -> Record {
    Record { kind: format!("finance.{kind}"), data }
}

/// The accounts that most cases begin with.
fn opening() -> Vec<Record> {
    let units = json!([
        {"currency": "EUR", "floor": "-50"},
        {"currency": "JPY", "ceiling": "1000"},
        {"currency": "bytes", "exponent": 0},
    ]);
    vec![
        record("commodity", json!({"code": "bytes", "exponent": 0})),
        record("account", json!({"id": "hot", "kind": "asset", "currency": "EUR"})),
        record("account", json!({"id": "a", "kind": "asset", "currency": "EUR", "floor": "0"})),
        record("account", json!({"id": "b", "kind": "expense", "currency": "EUR", "floor": "-100.00"})),
        record("account", json!({"id": "c", "kind": "income", "currency": "JPY"})),
        record("account", json!({"id": "full", "kind": "liability", "currency": "EUR", "ceiling": "100"})),
        record("account", json!({"id": "many", "kind": "equity", "units": units})),
    ]
}

fn with_period(choices: &mut Choices, data: &mut Json) {
    let (period, date) = choices.one(&PERIODS);
    data["book"] = json!(choices.one(&["main", "side"]));
    data["period"] = json!(period);
    if choices.percent(95) {
        data["date"] = json!(date);
    }
}

/// What moves between two accounts; the same number gives the same movement, so that a later record can repeat it.
fn movement(number: usize) -> Json {
    let debit = ["hot", "a", "hot", "b", "full"][number % 5];
    let credit = ["a", "hot", "b", "hot", "many"][number % 5];
    let amount = ["1", "12.50", "30", "0.25"][number % 4];
    json!({"debit": debit, "credit": credit, "currency": "EUR", "amount": amount})
}

fn transfer(choices: &mut Choices) -> Record {
    let number = choices.below(24);
    let mut data = movement(number);
    data["id"] = json!(format!("t{number}"));
    if choices.percent(50) {
        data["debit"] = json!(choices.one(&ACCOUNTS));
        data["credit"] = json!(choices.one(&ACCOUNTS));
        data["amount"] = json!(choices.one(&AMOUNTS));
        data["currency"] = json!(choices.one(&["EUR", "EUR", "EUR", "JPY", "bytes", "USD"]));
    }
    if choices.percent(30) {
        with_period(choices, &mut data);
    }
    if choices.percent(3) {
        data["amount"] = json!("0.0000000000001");
    }
    if choices.percent(3) {
        data["debit"] = Json::Null;
    }
    record("transfer", data)
}

fn hold(choices: &mut Choices) -> Record {
    let number = choices.below(10);
    let mut data = movement(number);
    data["id"] = json!(format!("h{number}"));
    if choices.percent(15) {
        data["amount"] = json!(choices.one(&AMOUNTS));
    }
    record("hold", data)
}

fn settle(choices: &mut Choices) -> Record {
    let number = choices.below(11);
    let mut data = movement(number);
    data["hold"] = json!(format!("h{number}"));
    if choices.percent(10) {
        data["amount"] = json!(choices.one(&AMOUNTS));
    }
    let kind = choices.one(&["hold_post", "hold_post", "hold_void"]);
    if kind == "hold_post" && choices.percent(20) {
        with_period(choices, &mut data);
    }
    record(kind, data)
}

fn undo(choices: &mut Choices) -> Record {
    let number = choices.below(25);
    let mut data = movement(number);
    let (debit, credit) = (data["credit"].clone(), data["debit"].clone());
    data["debit"] = debit;
    data["credit"] = credit;
    data["reverses"] = json!(format!("t{number}"));
    if choices.percent(10) {
        data["amount"] = json!(choices.one(&AMOUNTS));
    }
    record("transfer_reversal", data)
}

/// The legs of an entry by its number, `sign` times.
fn legs(number: usize, sign: i64) -> Json {
    let leg = |account: &str, currency: &str, amount: i64| json!({"account": account, "currency": currency, "amount": (amount * sign).to_string()});
    let big = [5, 60, 20][number % 3];
    match number % 4 {
        0 => json!([leg("hot", "EUR", big), leg("a", "EUR", -big)]),
        1 => json!([leg("a", "EUR", 2 * big), leg("hot", "EUR", -big), leg("b", "EUR", -big)]),
        2 => json!([leg("many", "EUR", big), leg("hot", "EUR", -big), leg("c", "JPY", 7), leg("many", "JPY", -7)]),
        _ => json!([leg("a", "EUR", -big), leg("a", "EUR", big), leg("full", "EUR", big), leg("nobody", "EUR", -big)]),
    }
}

fn entry(choices: &mut Choices) -> Record {
    let number = choices.below(12);
    let mut data = json!({"id": format!("j{number}"), "legs": legs(number, 1)});
    with_period(choices, &mut data);
    if choices.percent(10) {
        data["legs"][0]["amount"] = json!(choices.one(&AMOUNTS));
    }
    if choices.percent(4) {
        data["legs"] = json!([]);
    }
    record("journal_entry", data)
}

fn reversal(choices: &mut Choices) -> Record {
    let number = choices.below(13);
    let mut data = json!({"reverses": format!("j{number}"), "legs": legs(number, -1)});
    with_period(choices, &mut data);
    if choices.percent(10) {
        data["legs"] = legs(number + 1, -1);
    }
    record("reversal", data)
}

fn period(choices: &mut Choices) -> Record {
    let (period, _) = choices.one(&PERIODS);
    let mut data = json!({"book": choices.one(&["main", "side"]), "period": period});
    if choices.percent(60) {
        return record("period_close", data);
    }
    data["reason"] = json!("late invoice");
    record("period_reopen", data)
}

fn account(choices: &mut Choices) -> Record {
    let mut data = json!({"id": choices.one(&["x", "y", "a"]), "kind": "asset"});
    if choices.percent(80) {
        data["currency"] = json!(choices.one(&["EUR", "bytes", "AAPL", "KWD"]));
    }
    if choices.percent(40) {
        data["exponent"] = json!(choices.one(&[0, 6]));
    }
    if choices.percent(30) {
        data["floor"] = json!(choices.one(&["0", "1", "-5"]));
    }
    if choices.percent(30) {
        let currencies = [choices.one(&["EUR", "JPY"]), choices.one(&["EUR", "USD"])];
        data["units"] = currencies.map(|currency| json!({ "currency": currency })).into_iter().collect();
    }
    record("account", data)
}

fn other(choices: &mut Choices) -> Record {
    match choices.below(4) {
        0 => account(choices),
        1 => record("commodity", json!({"code": choices.one(&["AAPL", "EUR", "bytes"]), "exponent": 6})),
        2 => {
            let currency = choices.one(&["EUR", "JPY"]);
            record("account_close", json!({"account": choices.one(&ACCOUNTS), "currency": currency}))
        }
        _ => period(choices),
    }
}

/// The calls of a case.
pub(crate) fn calls(choices: &mut Choices) -> Vec<Call> {
    let makers = [transfer, hold, settle, undo, entry, reversal, period, account, other];
    let mut calls = Vec::new();
    if choices.percent(95) {
        calls.push(Call { mode: Mode::Atomic, rows: opening(), id: None, endorsers: Vec::new() });
    }
    for number in 0..2 + choices.below(7) {
        let id = choices.percent(30).then(|| format!("call{}", choices.below(3)));
        if choices.percent(10) && !calls.is_empty() {
            // A retry, or the id with other records.
            let again = choices.below(calls.len());
            let earlier: &Call = &calls[again];
            calls.push(earlier.clone());
            continue;
        }
        let maker = if number < 2 { transfer } else { choices.one(&makers) };
        if choices.percent(60) {
            let mut rows: Vec<Record> = (0..1 + choices.below(24)).map(|_| maker(choices)).collect();
            // One type per load.
            let kind = rows[0].kind.clone();
            rows.retain(|row| row.kind == kind);
            let mode = if choices.percent(85) { Mode::Each } else { Mode::Atomic };
            calls.push(Call { mode, rows, id, endorsers: Vec::new() });
        } else {
            let rows = (0..1 + choices.below(4)).map(|_| choices.one(&makers)(choices)).collect();
            calls.push(Call { mode: Mode::Atomic, rows, id, endorsers: Vec::new() });
        }
    }
    calls
}
