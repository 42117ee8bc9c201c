//! What the functions, aggregates, inputs and lookups mean.

use super::*;

/// Expressions over the record of the tests, and their value as JSON.
const FORMS: &[(&str, &str)] = &[
    ("yes ? a : b", "7"),
    ("nob ? a : b", "-2"),
    ("yes ? a : x", "\"7\""),
    ("yes ? 1 : nob ? 2 : 3", "1"),
    ("a % 4", "3"),
    ("b % 4", "-2"),
    ("a % 0", "null"),
    ("yes ? 1 : a % 0", "1"),
    ("decimal('1.50') == x", "true"),
    ("date('2026-03-31') == d", "true"),
    ("timestamp('2026-03-31T14:00:00+02:00') == t", "true"),
    ("fraction('1/3') == f", "true"),
    ("f + fraction('1/6')", "\"1/2\""),
    ("f - fraction('1/3')", "\"0/1\""),
    ("-f < f && f < fraction('1/2')", "true"),
    ("numerator(f) + denominator(f)", "4"),
    ("units(f, 9)", "3"),
    ("units(f, 10)", "null"),
    ("const.limit == x", "true"),
    ("const.day < d", "true"),
    ("min(a, b, 3)", "-2"),
    ("max(a, x)", "\"7\""),
    ("max(a, gone)", "null"),
    ("min(d, e) == d", "true"),
    ("abs(b)", "2"),
    ("abs(-x)", "\"1.5\""),
    ("abs(-f)", "\"1/3\""),
    ("round(x, 0, 'half_even')", "\"2\""),
    ("round(decimal('2.5'), 0, 'half_even')", "\"2\""),
    ("div(a, 3, 2, 'half_up')", "\"2.33\""),
    ("div(x, gone, 2, 'half_up')", "null"),
    ("has(div(a, 0, 2, 'down'))", "null"),
    ("starts_with(s, 'str') && ends_with(s, 'e') && contains(s, 'aß')", "true"),
    ("matches(s, '^s.*e$') && matches(s, 'aß') && !matches(s, '^t')", "true"),
    ("starts_with(nos, 's')", "null"),
    ("year(d) * 10000 + month(d) * 100 + day(d)", "20260331"),
    ("date(t) == d", "true"),
    ("plus_days(d, 1) == e", "true"),
    ("plus_days(t, -1) == timestamp('2026-03-30T12:00:00Z')", "true"),
    ("plus_months(d, -1) == date('2026-02-28')", "true"),
    ("plus_months(date('2023-12-31'), 2) == date('2024-02-29')", "true"),
    ("plus_months(d, 999999999)", "null"),
    ("plus_seconds(t, 3600) == timestamp('2026-03-31T13:00:00Z')", "true"),
    ("plus_days(d, 99999999)", "null"),
    ("days_between(d, e)", "1"),
    ("days_between(e, d)", "-1"),
    ("seconds_between(t, plus_days(t, 1))", "86400"),
    ("sum(l, item)", "8"),
    ("sum(l, item * item)", "50"),
    ("sum(nol, item)", "0"),
    ("sum(legs, item.v)", "\"0\""),
    ("sum(legs, item.v, item.u == 'EUR' && item.v > 0)", "\"5\""),
    ("min(l, item)", "1"),
    ("max(l, item)", "7"),
    ("min(nol, item)", "null"),
    ("max(legs, item.v)", "\"5\""),
    ("count(legs, has(item.v))", "2"),
    ("count(legs, has(item.v), item.u == 'EUR')", "2"),
    ("count(nol, true)", "0"),
    ("all(l, item > 0)", "true"),
    ("all(l, item > 1)", "false"),
    ("all(nol, false)", "true"),
    ("all(legs, has(item.v), item.u == 'EUR')", "true"),
    ("exists(legs, item.u == 'USD')", "true"),
    ("exists(nol, true)", "false"),
    ("sum(l, item * 9007199254740991 * 9007199254740991)", "null"),
    ("'EUR' in legs.u", "true"),
    ("'JPY' in legs.u", "false"),
    ("size(o.m) == count(o.m, item == 'q')", "true"),
    ("exists(l, exists(legs, size(item.u) > 3)) || exists(l, item == a)", "true"),
    ("author", "null"),
    ("'clerk' in roles", "null"),
    ("other.name", "null"),
    ("has(other.name)", "false"),
];

#[test]
fn what_the_forms_mean() {
    for (source, expected) in FORMS {
        assert_eq!(value(source, None, None), *expected, "{source}");
    }
}

fn legs() -> Option<usize> {
    record_type("").fields.iter().position(|field| field.name == "legs")
}

#[test]
fn inputs_are_those_of_the_decision() {
    let roles = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let endorser = |member: &str, names: &[&str]| Endorser { member: member.to_owned(), roles: roles(names) };
    let inputs = Inputs {
        author: "aa".to_owned(),
        roles: roles(&["m.clerk"]),
        endorsers: vec![endorser("bb", &["m.clerk", "m.x"]), endorser("cc", &[])],
        ledger_time: 5,
    };
    let env = Env { inputs: Some(&inputs), found: &[] };
    for (source, expected) in [
        ("author", "\"aa\""),
        ("'clerk' in roles", "true"),
        ("endorsers", "2"),
        ("endorsed_by('clerk')", "1"),
        ("ledger_time < t", "true"),
        ("author == s ? 1 : 2", "2"),
    ] {
        assert_eq!(value_in(source, None, None, &env), expected, "{source}");
    }
}

#[test]
fn lookups_are_seen_where_they_were_looked_up() {
    let price = |amount: i128| Some(vec![OwnedScalar::Decimal(Decimal::new(amount, 0))]);
    let other = Found(vec![Some(vec![OwnedScalar::Text("n".to_owned()), OwnedScalar::Decimal(Decimal::new(9, 0))])]);
    let found = [other, Found(vec![price(2), None, price(3)])];
    let env = Env { inputs: None, found: &found };
    assert_eq!(value_in("other.name", None, None, &env), "\"n\"");
    assert_eq!(value_in("other.price + a", None, None, &env), "\"16\"");
    assert_eq!(value_in("unit.price * item.v", legs(), Some(0), &env), "\"10\"");
    assert_eq!(value_in("unit.price", legs(), Some(1), &env), "null");
    assert_eq!(value_in("sum(legs, unit.price)", None, None, &env), "\"5\"");
    assert_eq!(value_in("sum(legs, unit.price * item.v)", None, None, &env), "\"-5\"");
}

#[test]
fn an_item_gets_its_share() {
    let share =
        |total: &str, item| value(&format!("apportion({total}, legs, coalesce(item.v, 2) + 6, 2)"), legs(), Some(item));
    // Weights 11, 8, 1.
    assert_eq!(
        ["10", "0", "-0 - 10"].map(|total| [0, 1, 2].map(|item| share(total, item)).join(" ")),
        ["\"5.5\" \"4\" \"0.5\"", "\"0\" \"0\" \"0\"", "\"-5.5\" \"-4\" \"-0.5\"",]
    );
    assert_eq!(value("apportion(x, legs, item.v, 2)", legs(), Some(0)), "null");
    assert_eq!(value("apportion(decimal('0.001'), legs, 1, 2)", legs(), Some(0)), "null");
    assert_eq!(value("apportion(1, legs, 1, 2)", legs(), Some(0)), "\"0.34\"");
}

#[test]
fn needs_and_cost_are_known_from_the_text() {
    let rt = record_type("");
    let parsed =
        |source: &str| Expr::parse(source, names(&rt, None)).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    for (source, inputs, lookups, cost) in [
        ("a + 1 > b", false, false, 5),
        ("author == s", true, false, 3),
        ("has(other.price)", false, true, 2),
        ("sum(l, item) > endorsers", true, false, 1024 + 3),
        ("sum(l, item, item > 1)", false, false, 4 * 1024 + 1),
        ("exists(l, exists(legs, item.u == s))", false, false, (3 * 1024 + 1) * 1024 + 1),
    ] {
        let expr = parsed(source);
        assert_eq!((expr.needs(), expr.cost()), (Needs { inputs, lookups }, cost), "{source}");
    }
}

/// Days of a calendar that is counted one day after the other.
fn naive_plus_months(day: i32, months: i64) -> i32 {
    use crate::schema::time::{civil_from_days, days_from_civil};
    let (mut year, mut month, of_month) = civil_from_days(day);
    for _ in 0..months {
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    (1..=of_month).rev().find_map(|of_month| days_from_civil(year, month, of_month)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn months_are_counted_one_by_one(day in -20_000i32..40_000, months in 0i64..60) {
        let mut start = Vec::new();
        crate::schema::time::write_date(day, &mut start);
        let start = String::from_utf8(start).unwrap();
        let mut end = Vec::new();
        crate::schema::time::write_date(naive_plus_months(day, months), &mut end);
        let end = String::from_utf8(end).unwrap();
        prop_assert_eq!(value(&format!("plus_months(date('{start}'), {months})"), None, None), format!("\"{end}\""));
    }

    #[test]
    fn aggregates_are_folds(numbers in proptest::collection::vec(-50i64..50, 0..8), least in -50i64..50) {
        let rt = record_type("");
        let list = Value::List(numbers.iter().map(|number| Value::Int(*number)).collect());
        let checked = from_values(&rt, &[object(vec![("l", list), ("a", Value::Int(least))])]);
        let rows = Rows::new(&rt, &checked.rows).unwrap();
        let eval = |source: &str| {
            let expr = Expr::parse(source, names(&rt, None)).unwrap();
            let mut out = Vec::new();
            expr.eval(&rows, 0, None, &Env::NONE).write_json(&mut out);
            String::from_utf8(out).unwrap()
        };
        let kept: Vec<i64> = numbers.iter().copied().filter(|number| *number >= least).collect();
        let shown = |value: Option<i64>| value.map_or("null".to_owned(), |value| value.to_string());
        prop_assert_eq!(eval("sum(l, item * 2, item >= a)"), (kept.iter().sum::<i64>() * 2).to_string());
        prop_assert_eq!(eval("min(l, item, item >= a)"), shown(kept.iter().min().copied()));
        prop_assert_eq!(eval("max(l, item, item >= a)"), shown(kept.iter().max().copied()));
        prop_assert_eq!(eval("count(l, item >= a)"), kept.len().to_string());
        prop_assert_eq!(eval("all(l, item >= a)"), (kept.len() == numbers.len()).to_string());
        prop_assert_eq!(eval("exists(l, item >= a)"), (!kept.is_empty()).to_string());
    }
}
