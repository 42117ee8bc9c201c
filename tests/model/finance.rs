//! The finance module's meaning, written by hand.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::amount;
use super::state::{AtEnd, Record, Rules, Unit, Unsigned, cell_name, key_name};

/// The finance module, version 1. `strict` makes it wrong on purpose: an account may not stand exactly on its floor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finance {
    pub(crate) strict: bool,
}

/// Currencies that the tests use, and their digits.
const CURRENCIES: [(&str, i64); 4] = [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3)];
/// Fields that hold decimals.
const DECIMALS: [&str; 3] = ["amount", "floor", "ceiling"];

fn digits(currency: &str) -> Option<i64> {
    CURRENCIES.iter().find(|(known, _)| *known == currency).map(|(_, digits)| *digits)
}

fn text<'a>(data: &'a Json, name: &str) -> &'a str {
    data[name].as_str().unwrap_or("")
}

fn has(data: &Json, name: &str) -> bool {
    data.get(name).is_some_and(|value| !value.is_null())
}

fn money(data: &Json, name: &str) -> i128 {
    amount::parse(text(data, name))
}

fn items<'a>(data: &'a Json, name: &str) -> &'a [Json] {
    data[name].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a date (`2026-03-15`) lies in a calendar month (`2026-03`).
fn is_within(date: &str, period: &str) -> bool {
    date.starts_with(period)
}

/// Decimals in canonical form, absent members left out.
fn canonical(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                let value = match value.as_str() {
                    Some(text) if DECIMALS.contains(&name.as_str()) => json!(amount::canonical(text)),
                    _ => canonical(value),
                };
                kept.insert(name.clone(), value);
            }
            Json::Object(kept)
        }
        Json::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn rule(code: &str) -> Result<(), Unsigned> {
    Err(Unsigned::Rule(format!("finance.{code}")))
}

fn refuse(code: &str) -> Result<(), String> {
    Err(format!("finance.{code}"))
}

fn demand(holds: bool, code: &str) -> Result<(), Unsigned> {
    if holds { Ok(()) } else { rule(code) }
}

fn balance(account: &str, currency: &str) -> String {
    cell_name("finance.account", "balance", &[json!(account)], &[json!(currency)])
}

fn period_cell(data: &Json) -> String {
    let at = [json!(text(data, "book")), json!(text(data, "period"))];
    cell_name("finance.period_close", "status", &at, &[])
}

fn hold_cell(id: &str) -> String {
    cell_name("finance.hold", "status", &[json!(id)], &[])
}

fn is_open(unit: &Unit<'_>, data: &Json) -> bool {
    unit.cell(&period_cell(data)).is_none_or(|cell| cell["state"] == "open")
}

fn check_amount(data: &Json) -> Result<(), Unsigned> {
    demand(money(data, "amount") > 0, "amount_not_positive")?;
    demand(text(data, "debit") != text(data, "credit"), "same_account")
}

fn check_period(data: &Json) -> Result<(), Unsigned> {
    let given = ["book", "period", "date"].map(|name| has(data, name));
    demand(given[0] == given[1] && given[1] == given[2], "period_incomplete")?;
    let inside = !given[1] || is_within(text(data, "date"), text(data, "period"));
    demand(inside, "outside_period")
}

fn check_account(data: &Json) -> Result<(), Unsigned> {
    demand(has(data, "currency") || !items(data, "units").is_empty(), "account_without_unit")?;
    let agrees = |unit: &Json| digits(text(unit, "currency")).is_some() != has(unit, "exponent");
    demand(!has(data, "currency") || agrees(data), "exponent_mismatch")?;
    demand(items(data, "units").iter().all(agrees), "exponent_mismatch")
}

fn check_legs(data: &Json) -> Result<(), Unsigned> {
    demand(items(data, "legs").len() >= 2, "too_few_legs")?;
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for leg in items(data, "legs") {
        *sums.entry(text(leg, "currency")).or_default() += money(leg, "amount");
    }
    demand(sums.values().all(|sum| *sum == 0), "unbalanced")
}

/// What can be wrong with the fields themselves, as far as the tests go there: fields left out, and amounts beyond 12 digits.
fn check_fields(record: &Record) -> Result<(), Unsigned> {
    let required: &[&str] = match record.kind.trim_start_matches("finance.") {
        "transfer" | "hold" => &["id", "debit", "credit", "currency", "amount"],
        "transfer_reversal" => &["reverses", "debit", "credit", "currency", "amount"],
        "hold_post" | "hold_void" => &["hold", "debit", "credit", "currency", "amount"],
        "journal_entry" => &["id", "book", "period", "date", "legs"],
        "reversal" => &["reverses", "book", "period", "date", "legs"],
        "account" => &["id", "kind"],
        _ => &[],
    };
    if required.iter().any(|name| !has(&record.data, name)) {
        return Err(Unsigned::Parse("ledger.missing_field".to_owned()));
    }
    if amount::behind_point(text(&record.data, "amount")) > amount::SCALE {
        return Err(Unsigned::Parse("ledger.too_many_digits".to_owned()));
    }
    Ok(())
}

impl Finance {
    fn bounds(self, unit: &Unit<'_>, cell: &str) -> Result<(), String> {
        let part = |name: &str| unit.part(cell, name).unwrap_or(0);
        let lowest = part("posted") - part("pending_out");
        let slack = i128::from(self.strict);
        if unit.part(cell, "floor").is_some_and(|floor| lowest < floor + slack) {
            return refuse("insufficient_funds");
        }
        let highest = part("posted") + part("pending_in");
        if unit.part(cell, "ceiling").is_some_and(|ceiling| highest > ceiling) {
            return refuse("over_ceiling");
        }
        Ok(())
    }

    fn add(unit: &mut Unit<'_>, cell: &str, part: &str, delta: i128) -> Result<(), String> {
        let Some(exponent) = unit.part(cell, "exponent") else { return refuse("account_not_open") };
        let unit_of_one = 10i128.pow(12);
        if amount::is_finer(delta, (exponent / unit_of_one) as u32) {
            return refuse("too_many_decimals");
        }
        unit.add(cell, part, delta);
        Ok(())
    }

    /// Changes parts of the two balances of a record, the debit's first.
    fn move_money(
        self,
        unit: &mut Unit<'_>,
        data: &Json,
        debit: &[(&str, i128)],
        credit: &[(&str, i128)],
    ) -> Result<(), String> {
        for (side, parts) in [("debit", debit), ("credit", credit)] {
            let cell = balance(text(data, side), text(data, "currency"));
            for (part, sign) in parts {
                Self::add(unit, &cell, part, sign * money(data, "amount"))?;
            }
            self.bounds(unit, &cell)?;
        }
        Ok(())
    }

    fn post(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        self.move_money(unit, data, &[("posted", 1)], &[("posted", -1)])
    }

    fn post_legs(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let mut cells: Vec<String> = Vec::new();
        for leg in items(data, "legs") {
            let cell = balance(text(leg, "account"), text(leg, "currency"));
            Self::add(unit, &cell, "posted", money(leg, "amount"))?;
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells.iter().try_for_each(|cell| self.bounds(unit, cell))
    }

    fn open_unit(self, unit: &mut Unit<'_>, account: &str, data: &Json) -> Result<(), String> {
        let currency = text(data, "currency");
        let cell = balance(account, currency);
        if unit.cell(&cell).is_some() {
            return refuse("unit_twice");
        }
        let exponent = data["exponent"].as_i64().or(digits(currency)).expect("screened");
        let mut parts = json!({"posted": "0", "pending_in": "0", "pending_out": "0"});
        parts["exponent"] = json!(exponent.to_string());
        for limit in ["floor", "ceiling"].into_iter().filter(|limit| has(data, limit)) {
            parts[limit] = data[limit].clone();
        }
        unit.set(&cell, Some(parts));
        self.bounds(unit, &cell)
    }

    fn account(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let id = text(data, "id");
        unit.take(&key_name("finance.account", 0, &[json!(id)]), data, "finance.account_exists")?;
        let declared = |unit: &Unit<'_>, of: &Json| {
            if !has(of, "exponent") || !has(of, "currency") {
                return Ok(());
            }
            let key = key_name("finance.commodity", 0, &[of["currency"].clone()]);
            match unit.holder(&key) {
                None => refuse("unknown_commodity"),
                Some(commodity) if commodity["exponent"] != of["exponent"] => refuse("exponent_mismatch"),
                Some(_) => Ok(()),
            }
        };
        declared(unit, data)?;
        items(data, "units").iter().try_for_each(|of| declared(unit, of))?;
        if has(data, "currency") {
            self.open_unit(unit, id, data)?;
        }
        items(data, "units").iter().try_for_each(|of| self.open_unit(unit, id, of))
    }

    fn close(unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let cell = balance(text(data, "account"), text(data, "currency"));
        if unit.cell(&cell).is_none() {
            return refuse("account_not_open");
        }
        let moving = ["posted", "pending_in", "pending_out"];
        if moving.iter().any(|part| unit.part(&cell, part) != Some(0)) {
            return refuse("account_not_empty");
        }
        unit.set(&cell, None);
        Ok(())
    }

    fn settle(self, unit: &mut Unit<'_>, data: &Json, state: &str) -> Result<(), String> {
        let id = text(data, "hold");
        let cell = hold_cell(id);
        match unit.cell(&cell) {
            None => return refuse("unknown_hold"),
            Some(status) if status["state"] != "pending" => return refuse("hold_not_pending"),
            Some(_) => unit.set(&cell, Some(json!({ "state": state }))),
        }
        let key = key_name("finance.hold", 0, &[json!(id)]);
        let held = unit.holder(&key).expect("a pending hold was appended").clone();
        let repeated = ["debit", "credit", "currency", "amount"];
        if repeated.iter().any(|name| held[name] != data[name]) {
            return refuse("hold_mismatch");
        }
        if state == "voided" {
            return self.move_money(unit, data, &[("pending_in", -1)], &[("pending_out", -1)]);
        }
        if has(data, "period") && !is_open(unit, data) {
            return refuse("period_closed");
        }
        let debit = [("posted", 1), ("pending_in", -1)];
        self.move_money(unit, data, &debit, &[("posted", -1), ("pending_out", -1)])
    }

    /// What is reversed, if it is there and was not reversed before.
    fn reversed(unit: &mut Unit<'_>, data: &Json, kind: &str, of: &str, missing: &str) -> Result<Json, String> {
        let id = data["reverses"].clone();
        let once = key_name(kind, 0, std::slice::from_ref(&id));
        unit.take(&once, data, "finance.already_reversed")?;
        match unit.holder(&key_name(of, 0, &[id])) {
            None => Err(format!("finance.{missing}")),
            Some(found) => Ok(found.clone()),
        }
    }

    fn transfer_reversal(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let (kind, of) = ("finance.transfer_reversal", "finance.transfer");
        let theirs = Self::reversed(unit, data, kind, of, "unknown_transfer")?;
        let swapped = theirs["debit"] == data["credit"] && theirs["credit"] == data["debit"];
        let same = |name: &str| theirs[name] == data[name];
        if !(swapped && same("currency") && same("amount") && same("book")) {
            return refuse("reversal_mismatch");
        }
        if has(data, "period") && !is_open(unit, data) {
            return refuse("period_closed");
        }
        self.post(unit, data)
    }

    fn reversal(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let (kind, of) = ("finance.reversal", "finance.journal_entry");
        let theirs = Self::reversed(unit, data, kind, of, "unknown_entry")?;
        let negated = |(theirs, ours): (&Json, &Json)| {
            theirs["account"] == ours["account"]
                && theirs["currency"] == ours["currency"]
                && money(theirs, "amount") == -money(ours, "amount")
        };
        let (before, now) = (items(&theirs, "legs"), items(data, "legs"));
        let exact = before.len() == now.len() && before.iter().zip(now).all(negated);
        if !exact || theirs["book"] != data["book"] {
            return refuse("reversal_mismatch");
        }
        if !is_open(unit, data) {
            return refuse("period_closed");
        }
        self.post_legs(unit, data)
    }

    fn hold(self, unit: &mut Unit<'_>, data: &Json) -> Result<(), String> {
        let id = text(data, "id");
        unit.take(&key_name("finance.hold", 0, &[json!(id)]), data, "finance.duplicate")?;
        unit.set(&hold_cell(id), Some(json!({"state": "pending"})));
        self.move_money(unit, data, &[("pending_in", 1)], &[("pending_out", 1)])
    }

    fn period(unit: &mut Unit<'_>, data: &Json, close: bool) -> Result<(), String> {
        match (close, is_open(unit, data)) {
            (true, false) => return refuse("period_closed"),
            (false, true) => return refuse("period_open"),
            _ => {}
        }
        let state = if close { "closed" } else { "open" };
        unit.set(&period_cell(data), Some(json!({ "state": state })));
        Ok(())
    }
}

impl Rules for Finance {
    fn version(&self, _: &str) -> u64 {
        1
    }

    fn screen(&self, record: &Record) -> Result<(), Unsigned> {
        check_fields(record)?;
        let data = &canonical(&record.data);
        match record.kind.trim_start_matches("finance.") {
            "commodity" => demand(digits(text(data, "code")).is_none(), "commodity_is_currency"),
            "account" => check_account(data),
            "transfer" => {
                check_amount(data)?;
                check_period(data)
            }
            "hold" => check_amount(data),
            "transfer_reversal" | "hold_post" => check_period(data),
            "journal_entry" => {
                check_legs(data)?;
                check_period(data)
            }
            "reversal" => check_period(data),
            _ => Ok(()),
        }
    }

    fn canonical(&self, record: &Record) -> Json {
        canonical(&record.data)
    }

    fn apply(&self, unit: &mut Unit<'_>, record: &Record) -> Result<(), String> {
        let data = &record.data;
        let kind = record.kind.as_str();
        match kind.trim_start_matches("finance.") {
            "commodity" => unit.take(&key_name(kind, 0, &[data["code"].clone()]), data, "finance.duplicate"),
            "account" => self.account(unit, data),
            "account_close" => Self::close(unit, data),
            "transfer" | "journal_entry" => {
                unit.take(&key_name(kind, 0, &[data["id"].clone()]), data, "finance.duplicate")?;
                if has(data, "period") && !is_open(unit, data) {
                    return refuse("period_closed");
                }
                if kind == "finance.transfer" { self.post(unit, data) } else { self.post_legs(unit, data) }
            }
            "transfer_reversal" => self.transfer_reversal(unit, data),
            "reversal" => self.reversal(unit, data),
            "hold" => self.hold(unit, data),
            "hold_post" => self.settle(unit, data, "posted"),
            "hold_void" => self.settle(unit, data, "voided"),
            "period_close" => Self::period(unit, data, true),
            "period_reopen" => Self::period(unit, data, false),
            other => panic!("the model has no {other}"),
        }
    }

    fn end(&self, _: &Unit<'_>, _: &AtEnd) -> Result<Option<String>, String> {
        Ok(None)
    }
}
