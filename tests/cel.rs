//! Expressions mean what CEL says: random expressions and records, evaluated by the engine and by the `cel` crate. Where CEL has a value,
//! the engine has the same one. Where CEL has none because something is absent, ours go on (absent is a value; docs/SCHEMA.md section 5
//! lists the differences). Arithmetic overflows in both or in neither. `LEDGERSTONE_CASES=n` sets the number of cases of each kind.

#[path = "cel/tree.rs"]
mod tree;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, ExecutionError, extensions};
use ledgerstone::model::Value;
use ledgerstone::schema::{Env, Expr, OwnedScalar, Primitive, RecordType, Rows, Scalar, from_values, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tree::{Language, Tree, word};

/// Cases of each kind, unless told otherwise.
const CASES: u32 = 1_500;

fn runner() -> TestRunner {
    let cases = std::env::var("LEDGERSTONE_CASES").ok().and_then(|given| given.parse().ok()).unwrap_or(CASES);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

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
s = { type = "text" }
t = { type = "text" }
p = { type = "bool" }
q = { type = "bool" }
x = { type = "bytes" }
y = { type = "bytes" }
l = { type = "list", max = 4, item = { type = "int", required = true } }
o = { type = "struct", fields = { k = { type = "int" } } }
legs = { type = "list", max = 4, item = { type = "struct", required = true, fields = { u = { type = "text", required = true }, n = { type = "int" }, m = { type = "list", max = 4, required = true, item = { type = "int", required = true } } } } }
[[types.t.rules]]
"#;

/// A record of that type: most fields are there.
fn record() -> impl Strategy<Value = Value> {
    let int = || (-9i64..=9).prop_map(Value::Int);
    let text = || word().prop_map(Value::Text);
    let numbers = || vec(int(), 0..4).prop_map(Value::List);
    let leg =
        (text(), maybe(int()), numbers()).prop_map(|(u, n, m)| object([("u", Some(u)), ("n", n), ("m", Some(m))]));
    let bytes = || maybe(vec(any::<u8>(), 0..2).prop_map(Value::Bytes));
    let scalars = (maybe(int()), maybe(int()), maybe(text()), maybe(text()), truth(), truth(), bytes(), bytes());
    let nested = (
        maybe(numbers()),
        maybe(maybe(int()).prop_map(|k| object([("k", k)]))),
        maybe(vec(leg, 0..4).prop_map(Value::List)),
    );
    (scalars, nested).prop_map(|((a, b, s, t, p, q, x, y), (l, o, legs))| {
        let members = [("a", a), ("b", b), ("s", s), ("t", t), ("p", p), ("q", q), ("x", x), ("y", y)];
        object(members.into_iter().chain([("l", l), ("o", o), ("legs", legs)]))
    })
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    proptest::option::weighted(0.9, value)
}

fn truth() -> impl Strategy<Value = Option<Value>> {
    maybe(any::<bool>().prop_map(Value::Bool))
}

fn object<'n>(members: impl IntoIterator<Item = (&'n str, Option<Value>)>) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

/// The value of an expression in the engine; an error where its arithmetic overflows.
fn ours(source: &str, record: &Value) -> Result<OwnedScalar, ()> {
    let quoted: String = source
        .chars()
        .flat_map(|c| match c {
            '\\' | '"' => vec!['\\', c],
            other => vec![other],
        })
        .collect();
    let module = parse(&format!("{TYPE}unique = [\"{quoted}\"]"), "t.toml");
    let rt: Arc<RecordType> = Arc::clone(&module.unwrap_or_else(|errors| panic!("{source}: {errors}")).types[0]);
    let Primitive::Unique { values, .. } = &rt.rules[0].primitive else { panic!("the rule is unique") };
    let expr: &Expr = &values[0];
    let checked = from_values(&rt, std::slice::from_ref(record));
    assert_eq!(checked.failures, [], "{record:?}");
    let rows = Rows::new(&rt, &checked.rows).expect("rows of the type");
    if expr.overflows(&rows, 0, None, &Env::NONE) {
        return Err(());
    }
    Ok(owned(&expr.eval(&rows, 0, None, &Env::NONE)))
}

fn owned(scalar: &Scalar<'_>) -> OwnedScalar {
    match scalar {
        Scalar::Absent => OwnedScalar::Absent,
        Scalar::Bool(value) => OwnedScalar::Bool(*value),
        Scalar::Int(value) => OwnedScalar::Int(*value),
        Scalar::Text(text) => OwnedScalar::Text((*text).to_owned()),
        other => panic!("no expression here has the value {other:?}"),
    }
}

/// The value of an expression in CEL, the record under the name `r`.
fn theirs(source: &str, record: &Value) -> Result<OwnedScalar, ExecutionError> {
    let mut env = cel::Env::stdlib();
    env.add_extension(extensions::math).expect("the extension is new");
    let program = env.compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut context = Context::with_env(Arc::new(env));
    context.add_variable_from_value("r", cel_value(record));
    program.execute(&context).map(|value| match value {
        cel::Value::Bool(value) => OwnedScalar::Bool(value),
        cel::Value::Int(value) => OwnedScalar::Int(value),
        cel::Value::String(text) => OwnedScalar::Text(text.to_string()),
        other => panic!("{source} has the value {other:?}"),
    })
}

fn cel_value(value: &Value) -> cel::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => cel::Value::Bytes(Arc::new(bytes.clone())),
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(cel_value).collect())),
        Value::Object(members) => {
            let members: HashMap<String, cel::Value> =
                members.iter().map(|(name, value)| (name.clone(), cel_value(value))).collect();
            members.into()
        }
        other => panic!("no record here holds {other:?}"),
    }
}

/// Both values.
type Both = (Result<OwnedScalar, ()>, Result<OwnedScalar, ExecutionError>);

fn both(tree: &Tree, record: &Value) -> Both {
    let (source, cel) = (tree.source(Language::Ledgerstone), tree.source(Language::Cel(record)));
    (ours(&source, record), theirs(&cel, record))
}

#[test]
fn where_cel_has_a_value_it_is_ours() {
    let (cases, values, truths) = (Cell::new(0), Cell::new(0), Cell::new([0; 2]));
    let step = |count: &Cell<u32>| count.set(count.get() + 1);
    let outcome = runner().run(&(tree::expressions(), record()), |(tree, record)| {
        let (ours, theirs) = both(&tree, &record);
        let shown = || format!("{}\n{}", tree.source(Language::Ledgerstone), tree.source(Language::Cel(&record)));
        step(&cases);
        match theirs {
            Ok(value) => {
                step(&values);
                if let OwnedScalar::Bool(truth) = value {
                    let mut seen = truths.get();
                    seen[usize::from(truth)] += 1;
                    truths.set(seen);
                }
                prop_assert_eq!(ours, Ok(value), "{}", shown());
            }
            // A field that is absent; the least and the greatest of nothing.
            Err(ExecutionError::NoSuchKey(_)) => prop_assert!(ours.is_ok(), "{}", shown()),
            Err(ExecutionError::FunctionError { message, .. }) if message.contains("must not be empty") => {
                prop_assert!(ours.is_ok(), "{}", shown());
            }
            Err(error) => prop_assert!(false, "{error:?}\n{}", shown()),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // Most cases say something, and both ways.
    let [no, yes] = truths.get();
    assert!(values.get() > cases.get() / 2, "CEL had {} values in {} cases", values.get(), cases.get());
    assert!(no > cases.get() / 8 && yes > cases.get() / 8, "{no} were false and {yes} true of {}", cases.get());
}

#[test]
fn arithmetic_overflows_in_both_or_in_neither() {
    let whole = || prop_oneof![(-9i64..=9), (-9_007_199_254_740_991i64..=9_007_199_254_740_991)];
    let (overflows, values) = (Cell::new(0u32), Cell::new(0u32));
    let outcome = runner().run(&(tree::arithmetic(), whole(), whole()), |(tree, a, b)| {
        let record = object([("a", Some(Value::Int(a))), ("b", Some(Value::Int(b)))]);
        let (ours, theirs) = both(&tree, &record);
        let count = if ours.is_ok() { &values } else { &overflows };
        count.set(count.get() + 1);
        let is_arithmetic = |error: &ExecutionError| {
            let text = error.to_string();
            ["verflow", "by zero"].iter().any(|word| text.contains(word))
        };
        prop_assert!(theirs.as_ref().err().is_none_or(is_arithmetic), "{theirs:?}");
        prop_assert_eq!(ours, theirs.map_err(|_| ()), "{}", tree.source(Language::Ledgerstone));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let least = (overflows.get() + values.get()) / 8;
    assert!(overflows.get() > least && values.get() > least, "{} overflow, {} do not", overflows.get(), values.get());
}
