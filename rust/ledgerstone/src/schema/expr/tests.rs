//! A table of what expressions mean, rules over whole records, and random expressions against a naive evaluator.

use std::sync::Arc;

use proptest::prelude::*;

mod ends;
mod forms;

use super::*;
use crate::model::{Decimal, Value};
use crate::schema::{RecordType, from_values, parse, stateless_failure};

const TYPE: &str = r#"
[module]
name = "m"
version = 1
[roles.r]
[types.t]
authorise = ["r"]
[types.t.fields]
a = { type = "int" }
b = { type = "int" }
gone = { type = "int" }
x = { type = "decimal", precision = 28, scale = 4 }
y = { type = "decimal", precision = 28, scale = 2 }
s = { type = "text" }
nos = { type = "text" }
yes = { type = "bool" }
f = { type = "fraction" }
t = { type = "timestamp" }
nob = { type = "bool" }
d = { type = "date" }
e = { type = "date" }
p = { type = "text", format = "period" }
raw = { type = "bytes" }
l = { type = "list", item = { type = "int", required = true } }
nol = { type = "list", item = { type = "int", required = true } }
o = { type = "struct", fields = { k = { type = "int" }, m = { type = "list", item = { type = "text", required = true } } } }
noo = { type = "struct", fields = { k = { type = "int" } } }
legs = { type = "list", item = { type = "struct", required = true, fields = { u = { type = "text", required = true }, v = { type = "decimal", precision = 28, scale = 4 } } } }
"#;

/// Constants, roles and one lookup of each kind: `other` of a record, `unit` for each leg.
struct TestScope;

impl Scope for TestScope {
    fn constant(&self, name: &str) -> Result<OwnedScalar, String> {
        match name {
            "limit" => Ok(OwnedScalar::Decimal(Decimal::new(15, 1))),
            "day" => Ok(OwnedScalar::Date(0)),
            _ => Err(format!("unknown constant `{name}`")),
        }
    }

    fn role(&self, name: &str) -> Result<String, String> {
        if name == "clerk" { Ok("m.clerk".to_owned()) } else { Err(format!("unknown role '{name}'")) }
    }

    fn lookup(&self, name: &str) -> Option<(usize, Option<usize>)> {
        let legs = record_type("").fields.iter().position(|field| field.name == "legs");
        match name {
            "other" => Some((0, None)),
            "unit" => Some((1, legs)),
            _ => None,
        }
    }

    fn lookup_names(&self) -> Vec<&str> {
        vec!["other", "unit"]
    }

    fn found(&self, lookup: usize, path: &str) -> Result<(usize, ScalarKind), String> {
        match (lookup, path) {
            (0, "name") => Ok((0, ScalarKind::Text)),
            (_, "price") => Ok((lookup ^ 1, ScalarKind::Decimal)),
            _ => Err(format!("it has no `{path}`")),
        }
    }
}

fn names(rt: &RecordType, each: Option<usize>) -> Names<'_> {
    Names { fields: &rt.fields, each, scope: &TestScope }
}

fn record_type(rules: &str) -> Arc<RecordType> {
    Arc::clone(&parse(&format!("{TYPE}{rules}"), "t.toml").unwrap_or_else(|errors| panic!("{errors}")).types[0])
}

fn object(members: Vec<(&str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn leg(unit: &str, value: Value) -> Value {
    object(vec![("u", text(unit)), ("v", value)])
}

/// a = 7, b = -2, x = 1.5, y = 1.50, s = "straße", d < e; what begins with "no" and `gone` is absent.
fn record() -> Vec<(&'static str, Value)> {
    vec![
        ("a", Value::Int(7)),
        ("b", Value::Int(-2)),
        ("x", Value::Decimal(Decimal::new(15, 1))),
        ("y", Value::Decimal(Decimal::new(150, 2))),
        ("s", text("straße")),
        ("yes", Value::Bool(true)),
        ("f", text("1/3")),
        ("t", text("2026-03-31T12:00:00Z")),
        ("d", text("2026-03-31")),
        ("e", text("2026-04-01")),
        ("p", text("2026-03")),
        ("raw", Value::Bytes(vec![1])),
        ("l", Value::List(vec![Value::Int(1), Value::Int(7)])),
        ("o", object(vec![("k", Value::Int(3)), ("m", Value::List(vec![text("q")]))])),
        ("legs", Value::List(vec![leg("EUR", Value::Int(5)), leg("USD", Value::Null), leg("EUR", Value::Int(-5))])),
    ]
}

/// The canonical JSON of an expression's value for the record alone.
fn value(source: &str, each: Option<usize>, item: Option<usize>) -> String {
    value_in(source, each, item, &Env::NONE)
}

/// The same with inputs and lookups.
fn value_in(source: &str, each: Option<usize>, item: Option<usize>, env: &Env<'_>) -> String {
    let rt = record_type("");
    let checked = from_values(&rt, &[object(record())]);
    assert_eq!(checked.failures, []);
    let rows = Rows::new(&rt, &checked.rows).unwrap();
    let expr = Expr::parse(source, names(&rt, each)).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let mut out = Vec::new();
    expr.eval(&rows, 0, item, env).write_json(&mut out);
    assert_eq!(expr.is_true(&rows, 0, item, env), out == b"true", "{source}");
    String::from_utf8(out).unwrap()
}

/// Expressions over the record at the top, and their value as JSON.
const MEANINGS: &[(&str, &str)] = &[
    ("a", "7"),
    ("a + b * 2", "3"),
    ("(a + b) * 2", "10"),
    ("-a - -b", "-9"),
    ("x + a", "\"8.5\""),
    ("x * y", "\"2.25\""),
    ("x - y", "\"0\""),
    ("-x", "\"-1.5\""),
    ("a + gone", "null"),
    ("-gone", "null"),
    ("a > b", "true"),
    ("x == y", "true"),
    ("x > 1", "true"),
    ("1 < x", "true"),
    ("x == a", "false"),
    ("s == 'straße'", "true"),
    ("s < 't'", "true"),
    ("d < e && d != e", "true"),
    ("raw == raw", "true"),
    ("gone > 0", "false"),
    ("gone <= 0", "false"),
    ("gone == 0", "false"),
    ("gone != 0", "true"),
    ("gone == gone", "true"),
    ("!(gone > 0)", "true"),
    ("nob", "null"),
    ("!nob", "true"),
    ("nob || yes", "true"),
    ("nob && yes", "false"),
    ("not nob and (yes or nob)", "true"),
    ("true || false && false", "true"),
    ("a in [1, 7]", "true"),
    ("a in [1, b]", "false"),
    ("gone in [1, gone]", "false"),
    ("x in [1, y]", "true"),
    ("a in l", "true"),
    ("b in l", "false"),
    ("a in nol", "false"),
    ("gone in l", "false"),
    ("'q' in o.m", "true"),
    ("size(l)", "2"),
    ("size(nol)", "null"),
    ("size(nol) == 0", "false"),
    ("size(s)", "6"),
    ("size(nos)", "null"),
    ("size('ab')", "2"),
    ("size(o.m)", "1"),
    ("has(a)", "true"),
    ("has(gone)", "false"),
    ("has(l) && has(o) && has(o.k)", "true"),
    ("has(nol) || has(noo) || has(noo.k)", "false"),
    ("has(a + gone)", "false"),
    ("noo.k", "null"),
    ("o.k + 1", "4"),
    ("coalesce(gone, b, a)", "-2"),
    ("coalesce(gone, x)", "\"1.5\""),
    ("coalesce(nos, 'z')", "\"z\""),
    ("currency_digits('JPY')", "0"),
    ("has(currency_digits('XAU'))", "false"),
    ("currency_digits(nos)", "null"),
    ("yes == has(a) == true", "true"),
    ("'it\\'s'", "\"it's\""),
    // Overflow: the whole has no value, and is not true whatever stands around it.
    ("9007199254740991 * 9007199254740991 > 0", "null"),
    ("!(9007199254740991 * 9007199254740991 > 0)", "null"),
];

#[test]
fn what_expressions_mean() {
    for (source, expected) in MEANINGS {
        assert_eq!(value(source, None, None), *expected, "{source}");
    }
}

#[test]
fn items_are_seen_by_each() {
    let legs = record_type("").fields.iter().position(|field| field.name == "legs");
    assert_eq!(value("item.u == 'USD' && !has(item.v)", legs, Some(1)), "true");
    assert_eq!(value("item.v + x", legs, Some(2)), "\"-3.5\"");
    assert_eq!(value("item.u", legs, None), "null");
    assert_eq!(value("item * 2", legs.map(|legs| legs - 4), Some(1)), "14");
}

#[test]
fn what_does_not_type_is_refused_at_its_place() {
    let rt = record_type("");
    for (source, offset) in [
        ("a > s", 4),
        ("a + s", 4),
        ("a && yes", 0),
        ("!a", 1),
        ("yes > nob", 0),
        ("a in [1, 's']", 9),
        ("s in l", 5),
        ("a in s", 5),
        ("size(a)", 5),
        ("size(o)", 5),
        ("coalesce(a, s)", 12),
        ("currency_digits(a)", 16),
        ("foo(a)", 0),
        ("zz", 0),
        ("o.z", 0),
        ("l.k", 0),
        ("legs.u", 0),
        ("item.u", 0),
        ("sum(l)", 5),
        ("sum(a, a)", 4),
        ("sum(legs, item.u)", 10),
        ("sum(legs, item.v, item.v)", 18),
        ("count(l, item)", 9),
        ("all(legs, item.zz == 1)", 10),
        ("yes ? a", 7),
        ("a ? a : b", 0),
        ("yes ? a : s", 10),
        ("a % x", 4),
        ("f * f", 0),
        ("f + 1", 0),
        ("decimal('1,5')", 8),
        ("date(s)", 5),
        ("fraction('2/4')", 9),
        ("round(x, 29, 'up')", 9),
        ("round(x, 2, 'upp')", 12),
        ("div(s, 1, 2, 'up')", 4),
        ("min(yes, nob)", 4),
        ("matches(s, s)", 11),
        ("matches(s, '(')", 11),
        ("year(a)", 5),
        ("plus_days(s, 1)", 10),
        ("units(a, 1)", 6),
        ("const.nope", 0),
        ("const", 0),
        ("s in roles", 0),
        ("'nobody' in roles", 0),
        ("other.zz", 0),
        ("unit.price", 0),
        ("apportion(x, legs, item.v, 2)", 13),
        ("a +", 3),
        ("(a", 2),
        ("a b", 2),
        ("", 0),
        ("a.b", 0),
        ("d > '2026-01-01'", 4),
        ("1.5 > x", 0),
        ("\u{e4}", 0),
        ("'abc", 0),
        ("a # b", 2),
        ("a / b", 2),
        ("99999999999999999999", 0),
        ("9007199254740992", 0),
    ] {
        let error = Expr::parse(source, names(&rt, None)).err().unwrap_or_else(|| panic!("{source} parses"));
        assert_eq!(error.offset, offset, "{source}: {error:?}");
    }
}

/// The first stateless reason for the record, with one more rule and some fields replaced.
fn failure(rule: &str, replaced: Vec<(&'static str, Value)>) -> Option<(usize, String, String)> {
    let rt = record_type(&format!("[[types.t.rules]]\n{rule}"));
    let mut members = record();
    members.retain(|(name, _)| replaced.iter().all(|(other, _)| other != name));
    members.extend(replaced);
    let checked = from_values(&rt, &[object(members)]);
    assert_eq!(checked.failures, []);
    let rows = Rows::new(&rt, &checked.rows).unwrap();
    stateless_failure(&rt, &rows, 0).map(|failed| (failed.rule, failed.reason.code.clone(), failed.detail))
}

#[test]
fn stateless_rules() {
    let failed = |code: &str, detail: &str| Some((0, code.to_owned(), detail.to_owned()));
    assert_eq!(failure("require = \"a > 0\"", vec![]), None);
    assert_eq!(failure("require = \"a < 0\"", vec![]), failed("m.requirement", "a < 0"));
    assert_eq!(failure("when = \"nob\"\nrequire = \"a < 0\"", vec![]), None);
    assert_eq!(
        failure("each = \"legs\"\nrequire = \"has(item.v)\"", vec![]),
        failed("m.requirement", "legs[1]: has(item.v)")
    );
    assert_eq!(failure("each = \"legs\"\nwhen = \"item.u == 'EUR'\"\nrequire = \"has(item.v)\"", vec![]), None);
    assert_eq!(
        failure("when = \"9007199254740991 * 9007199254740991 > 0\"\nrequire = \"true\"", vec![])
            .map(|(_, code, _)| code)
            .as_deref(),
        Some("m.requirement")
    );
    let window = "window = \"d\"\nwithin = \"p\"";
    assert_eq!(failure(window, vec![]), None);
    assert_eq!(failure(window, vec![("d", text("2026-04-01"))]), failed("m.outside_window", "d"));
    assert_eq!(failure(window, vec![("d", Value::Null)]), failed("m.outside_window", "d"));
    assert_eq!(failure("window = \"d\"\nnot_before = \"e\"", vec![]), failed("m.outside_window", "d"));
    assert_eq!(failure("window = \"d\"\nnot_after = \"e\"", vec![]), None);
    let conserve = "each = \"legs\"\nconserve = \"item.v\"\nby = [\"item.u\"]";
    assert_eq!(failure(conserve, vec![]), None);
    let uneven = || vec![("legs", Value::List(vec![leg("EUR", Value::Int(1)), leg("USD", Value::Int(-1))]))];
    assert_eq!(failure(conserve, uneven()), failed("m.unbalanced", "item.v sums to 1 for \"EUR\""));
    assert_eq!(failure(&format!("{conserve}\nlow = \"-1\"\nhigh = \"1.00\""), uneven()), None);
    assert_eq!(failure("each = \"legs\"\nconserve = \"item.v\"", uneven()), None);
}

/// An int expression, with brackets everywhere.
#[derive(Debug, Clone)]
enum Tree {
    Literal(i64),
    A,
    B,
    Gone,
    Node(char, Box<Tree>, Box<Tree>),
}

impl Tree {
    fn source(&self) -> String {
        match self {
            Tree::Literal(value) => value.to_string(),
            Tree::A => "a".to_owned(),
            Tree::B => "b".to_owned(),
            Tree::Gone => "gone".to_owned(),
            Tree::Node('?', a, b) => format!("coalesce({}, {})", a.source(), b.source()),
            Tree::Node(operator, a, b) => format!("({} {operator} {})", a.source(), b.source()),
        }
    }

    fn naive(&self) -> Option<i64> {
        match self {
            Tree::Literal(value) => Some(*value),
            Tree::A => Some(7),
            Tree::B => Some(-2),
            Tree::Gone => None,
            Tree::Node('?', a, b) => a.naive().or(b.naive()),
            Tree::Node(operator, a, b) => {
                let (a, b) = (a.naive()?, b.naive()?);
                Some(match operator {
                    '+' => a + b,
                    '-' => a - b,
                    _ => a * b,
                })
            }
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![(0i64..4).prop_map(Tree::Literal), Just(Tree::A), Just(Tree::B), Just(Tree::Gone)];
    leaf.prop_recursive(4, 16, 2, |inner| {
        (proptest::sample::select(vec!['+', '-', '*', '?']), inner.clone(), inner)
            .prop_map(|(operator, a, b)| Tree::Node(operator, Box::new(a), Box::new(b)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_expressions_equal_a_naive_evaluator(left in tree(), right in tree(), operator in proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])) {
        let (a, b) = (left.naive(), right.naive());
        let ordered = |holds: fn(i64, i64) -> bool| a.zip(b).is_some_and(|(a, b)| holds(a, b));
        let expected = match operator {
            "==" => a == b,
            "!=" => a != b,
            "<" => ordered(|a, b| a < b),
            "<=" => ordered(|a, b| a <= b),
            ">" => ordered(|a, b| a > b),
            _ => ordered(|a, b| a >= b),
        };
        prop_assert_eq!(value(&left.source(), None, None), a.map_or("null".to_owned(), |a| a.to_string()));
        prop_assert_eq!(value(&format!("{} {operator} {}", left.source(), right.source()), None, None), expected.to_string());
    }

    #[test]
    fn no_text_makes_the_parser_panic(source in "\\PC{0,40}|[a-z0-9 ().,&|=<>!'+*\\[\\]-]{0,60}") {
        let rt = record_type("");
        let _ = Expr::parse(&source, names(&rt, None));
    }

    #[test]
    fn no_file_makes_the_parser_panic(source in "\\PC{0,60}", at in 0usize..1200, cut in 0usize..40) {
        let _ = parse(&source, "f");
        let (start, end) = (at.min(TYPE.len()), (at + cut).min(TYPE.len()));
        let _ = parse(&format!("{}{source}{}", &TYPE[..start], &TYPE[end..]), "f");
    }
}
