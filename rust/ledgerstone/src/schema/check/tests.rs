//! Both ways in give the same columns and the same reasons; what does not fit is refused; what fits goes there and back.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array,
    Float64Array, Int8Array, Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch, StringArray,
    StringViewArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, i256};

use super::*;
use crate::model::{Decimal, Unfit, Value};
use crate::schema::error::{
    BAD_FORMAT, BAD_TEXT, MISSING_FIELD, NOT_EXACT, OUT_OF_RANGE, TOO_LONG, TOO_MANY_DIGITS, UNKNOWN_FIELD, WRONG_TYPE,
};
use crate::schema::{Rows, from_record_bytes, parse};

mod flat;
mod round_trip;

const WIDE: &str = r#"
[module]
name = "m"
version = 7
[roles.r]
[types.t]
authorise = ["r"]
[types.t.fields]
text = { type = "text", max = 8, required = true }
word = { type = "enum", values = ["red", "green"] }
flag = { type = "bool" }
n    = { type = "int", min = -5, max = 1000 }
big  = { type = "int" }
x    = { type = "decimal", precision = 10, scale = 4 }
day  = { type = "date" }
at   = { type = "timestamp" }
raw  = { type = "bytes", max = 4 }
id   = { type = "uuid" }
lei  = { type = "text", format = "lei" }
tags = { type = "list", max = 3, item = { type = "text", max = 4, required = true } }
opt  = { type = "struct", fields = { a = { type = "int", required = true }, b = { type = "text" } } }
legs = { type = "list", item = { type = "struct", required = true, fields = { y = { type = "decimal", precision = 8, scale = 2, required = true }, z = { type = "list", item = { type = "int", required = true } } } } }
"#;

fn wide() -> Arc<RecordType> {
    Arc::clone(&parse(WIDE, "wide.toml").unwrap_or_else(|errors| panic!("{errors}")).types[0])
}

fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What a face could not read as a value.
fn unfit() -> Value {
    Value::Unfit(Box::new(Unfit { code: NOT_EXACT, message: "a nanosecond too many".to_owned() }))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn reasons(checked: &Checked) -> Vec<(usize, &str, &str)> {
    checked.failures.iter().map(|failure| (failure.row, failure.field.as_str(), failure.code)).collect()
}

fn lines(rt: &RecordType, rows: &RecordBatch) -> Vec<String> {
    let rows = Rows::new(rt, rows).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write_record(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..rows.len()).map(line).collect()
}

#[test]
fn a_record_with_everything_in_it() {
    let rt = wide();
    let record = object(&[
        ("text", text("a\"b")),
        ("word", text("red")),
        ("flag", Value::Bool(true)),
        ("n", Value::Int(-5)),
        ("big", Value::Int(9_007_199_254_740_991)),
        ("x", Value::Decimal(Decimal::new(-12_500, 3))),
        ("day", text("2026-02-28")),
        ("at", text("2026-11-22T12:00:00.5+02:00")),
        ("raw", Value::Bytes(vec![0, 255])),
        ("id", text("6f1c0d6a-5f0e-4b7a-9c3d-2e1f0a9b8c7d")),
        ("lei", text("529900T8BM49AURSDO55")),
        ("tags", Value::List(vec![])),
        ("opt", object(&[("a", Value::Int(1)), ("b", Value::Null)])),
        (
            "legs",
            Value::List(vec![object(&[("y", Value::Int(3)), ("z", Value::List(vec![Value::Int(1), Value::Int(2)]))])]),
        ),
    ]);
    let checked = from_values(&rt, &[record]);
    assert_eq!(checked.failures, []);
    let expected = r#"{"data":{"at":"2026-11-22T10:00:00.500000Z","big":9007199254740991,"day":"2026-02-28","flag":true,"id":"6f1c0d6a-5f0e-4b7a-9c3d-2e1f0a9b8c7d","legs":[{"y":"3","z":[1,2]}],"lei":"529900T8BM49AURSDO55","n":-5,"opt":{"a":1},"raw":"AP8=","tags":[],"text":"a\"b","word":"red","x":"-12.5"},"type":"m.t","version":7}"#;
    assert_eq!(lines(&rt, &checked.rows), [expected.replace("a\"b", "a\\\"b")]);
}

#[test]
fn reasons_of_single_values() {
    let rt = wide();
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
    for (field, value, code) in [
        ("text", Value::Null, MISSING_FIELD),
        ("text", text("123456789"), TOO_LONG),
        ("text", text("a\0b"), BAD_TEXT),
        ("text", Value::Int(1), WRONG_TYPE),
        ("word", text("blue"), BAD_FORMAT),
        ("flag", Value::Int(1), WRONG_TYPE),
        ("n", Value::Int(-6), OUT_OF_RANGE),
        ("n", Value::Float(1.0), WRONG_TYPE),
        ("n", Value::Bool(true), WRONG_TYPE),
        ("big", Value::Int(9_007_199_254_740_992), OUT_OF_RANGE),
        ("big", Value::BigInt("99999999999999999999".to_owned()), OUT_OF_RANGE),
        ("x", Value::Float(1.5), WRONG_TYPE),
        ("x", decimal("0.00001"), TOO_MANY_DIGITS),
        ("x", decimal("1000000"), OUT_OF_RANGE),
        ("x", text("1e3"), BAD_FORMAT),
        ("day", text("2026-02-29"), BAD_FORMAT),
        ("day", Value::Timestamp(0), WRONG_TYPE),
        ("day", Value::Date(i32::MAX), OUT_OF_RANGE),
        ("at", text("2026-11-22T12:00:00"), BAD_FORMAT),
        ("at", text("2026-11-22T12:00:00.0000001Z"), NOT_EXACT),
        ("at", Value::Timestamp(i64::MIN), OUT_OF_RANGE),
        ("raw", Value::Bytes(vec![0; 5]), TOO_LONG),
        ("raw", text("AP8"), BAD_FORMAT),
        ("id", text("6F1C0D6A-5F0E-4B7A-9C3D-2E1F0A9B8C7D"), BAD_FORMAT),
        ("lei", text("529900T8BM49AURSDO56"), BAD_FORMAT),
        ("tags", text("a"), WRONG_TYPE),
        ("tags", Value::List(vec![text("a"); 4]), TOO_LONG),
        ("opt", Value::List(vec![]), WRONG_TYPE),
        ("n", unfit(), NOT_EXACT),
        ("raw", unfit(), NOT_EXACT),
        ("opt", unfit(), NOT_EXACT),
    ] {
        let mut members = vec![(field, value.clone())];
        if field != "text" {
            members.insert(0, ("text", text("ok")));
        }
        assert_eq!(reasons(&from_values(&rt, &[object(&members)])), [(0, field, code)], "{field} {value:?}");
    }
}

#[test]
fn the_first_reason_in_declared_order_is_told_with_its_path() {
    let rt = wide();
    let leg = |y: Value, z: Value| object(&[("y", y), ("z", z)]);
    let rows = [
        object(&[("raw", Value::Int(1)), ("n", Value::Int(5000)), ("text", text("ok"))]),
        object(&[("text", text("ok"))]),
        object(&[
            ("text", text("ok")),
            (
                "legs",
                Value::List(vec![
                    leg(Value::Int(1), Value::Null),
                    leg(Value::Int(1), Value::List(vec![text("x")])),
                    leg(Value::Null, Value::Null),
                ]),
            ),
        ]),
        object(&[("text", text("ok")), ("tags", Value::List(vec![text("a"), Value::Null]))]),
        object(&[("text", text("ok")), ("opt", object(&[("c", Value::Int(1)), ("a", Value::Int(1))]))]),
        Value::Int(3),
        object(&[("text", text("ok")), ("txt", Value::Null)]),
    ];
    let checked = from_values(&rt, &rows);
    assert_eq!(
        reasons(&checked),
        [
            (0, "n", OUT_OF_RANGE),
            (2, "legs[1].z[0]", WRONG_TYPE),
            (3, "tags[1]", MISSING_FIELD),
            (4, "opt.c", UNKNOWN_FIELD),
            (5, "", WRONG_TYPE),
            (6, "txt", UNKNOWN_FIELD),
        ]
    );
    assert_eq!(checked.failures[5].message, "there is no field \"txt\", did you mean \"text\"?");
    assert_eq!(checked.rows.num_rows(), 7);
    assert_eq!(lines(&rt, &checked.rows)[1], r#"{"data":{"text":"ok"},"type":"m.t","version":7}"#);
}

#[test]
fn floats_and_naive_timestamps_are_refused_with_what_fits() {
    let rt = wide();
    let error = |name: &str, array: ArrayRef| {
        from_arrow(&rt, &batch(vec![("text", texts(&["a"])), (name, array)])).unwrap_err().message
    };
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert_eq!(
        error("x", Arc::clone(&float)),
        "column \"x\" is Float64; a decimal field takes no floating point: cast the column to decimal or to string"
    );
    assert_eq!(
        error("n", Arc::clone(&float)),
        "column \"n\" is Float64; an int field takes no floating point: cast the column to an integer type"
    );
    assert!(error("at", Arc::new(TimestampMicrosecondArray::from(vec![0]))).contains("say which time zone"));
    assert!(error("day", Arc::new(TimestampMicrosecondArray::from(vec![0]))).contains("cast the column to date"));
    assert!(
        error("wrd", texts(&["red"])).starts_with("m.t has no field \"wrd\", did you mean \"word\"? It has text, ")
    );
    assert!(error("9", texts(&["red"])).starts_with("m.t has no field \"9\"; it has text, "));
    assert_eq!(
        from_arrow(&rt, &batch(vec![("n", Arc::new(Int8Array::from(vec![1])))])).unwrap_err().message,
        "the required column \"text\" is missing; it takes text"
    );
    let inner: ArrayRef =
        Arc::new(StructArray::from(vec![(Arc::new(ArrowField::new("a", DataType::Float64, true)), float)]));
    assert_eq!(
        error("opt", inner),
        "column \"opt.a\" is Float64; an int field takes no floating point: cast the column to an integer type"
    );
}

/// What one column of a table gives: the JSON of its values, or the reasons.
fn column(name: &str, array: ArrayRef) -> (Vec<String>, Vec<(usize, &'static str)>) {
    let rt = wide();
    let rows = array.len();
    let table = batch(vec![("text", texts(&vec!["t"; rows])), (name, array)]);
    let checked = from_arrow(&rt, &table).unwrap_or_else(|error| panic!("{error}"));
    let (prefix, suffix) = (r#"{"data":{"#, r#""text":"t"},"type":"m.t","version":7}"#);
    let value = |line: String| {
        let data = line
            .strip_prefix(prefix)
            .unwrap()
            .replace(suffix, "")
            .replace(r#","text":"t"},"type":"m.t","version":7}"#, "");
        data.replace(&format!("\"{name}\":"), "")
            .replace(r#""text":"t","#, "")
            .trim_matches(',')
            .replace(r#"},"type":"m.t","version":7}"#, "")
    };
    (
        lines(&rt, &checked.rows).into_iter().map(value).collect(),
        checked.failures.iter().map(|failure| (failure.row, failure.code)).collect(),
    )
}

#[test]
fn arrow_types_that_fit() {
    let day = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<String>>();
    let mut words: StringDictionaryBuilder<Int32Type> = StringDictionaryBuilder::new();
    words.append_value("red");
    words.append_null();
    assert_eq!(column("word", Arc::new(words.finish())), (day(&["\"red\"", ""]), vec![]));
    assert_eq!(column("lei", Arc::new(LargeStringArray::from(vec![None, Some("x")]))).1, [(1, BAD_FORMAT)]);
    assert_eq!(column("word", Arc::new(StringViewArray::from(vec!["green", "blue"]))).1, [(1, BAD_FORMAT)]);
    assert_eq!(column("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))), (day(&["true", ""]), vec![]));
    assert_eq!(column("flag", Arc::new(NullArray::new(2))), (day(&["", ""]), vec![]));
    assert_eq!(column("n", Arc::new(Int8Array::from(vec![-5, -6]))).1, [(1, OUT_OF_RANGE)]);
    assert_eq!(column("n", Arc::new(Int8Array::from(vec![-5, 7]))).0, ["-5", "7"]);
    assert_eq!(column("big", Arc::new(UInt64Array::from(vec![7, u64::MAX]))).1, [(1, OUT_OF_RANGE)]);
    assert_eq!(column("day", Arc::new(Date32Array::from(vec![0, -1]))).0, ["\"1970-01-01\"", "\"1969-12-31\""]);
    assert_eq!(column("day", Arc::new(Date64Array::from(vec![86_400_000, 1]))).1, [(1, NOT_EXACT)]);
    assert_eq!(column("day", texts(&["2026-02-28", "2026-02-29"])).1, [(1, BAD_FORMAT)]);
    assert_eq!(
        column("at", Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("+02:00"))).0,
        ["\"1970-01-01T00:00:00.001000Z\""]
    );
    assert_eq!(
        column("at", Arc::new(TimestampNanosecondArray::from(vec![1000, 1]).with_timezone("UTC"))).1,
        [(1, NOT_EXACT)]
    );
    assert_eq!(column("at", texts(&["1970-01-01T01:00:00+01:00"])).0, ["\"1970-01-01T00:00:00.000000Z\""]);
    assert_eq!(column("raw", Arc::new(BinaryArray::from(vec![b"ab".as_slice(), b"abcde"]))).1, [(1, TOO_LONG)]);
}

#[test]
fn decimals_of_any_exact_kind() {
    let of = |values: Vec<i128>, scale: i8| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, scale).unwrap())
    };
    assert_eq!(column("x", of(vec![15_000, 0], 4)).0, ["\"1.5\"", "\"0\""]);
    assert_eq!(column("x", of(vec![10_000_000_000], 4)).1, [(0, OUT_OF_RANGE)]);
    assert_eq!(column("x", of(vec![15, 150_000_000], 2)).1, [(1, OUT_OF_RANGE)]);
    assert_eq!(column("x", of(vec![1_500_000, 1], 6)).1, [(1, TOO_MANY_DIGITS)]);
    assert_eq!(column("x", of(vec![3], -2)).0, ["\"300\""]);
    let wide: ArrayRef =
        Arc::new(Decimal256Array::from(vec![i256::from_i128(25), i256::MAX]).with_precision_and_scale(76, 1).unwrap());
    assert_eq!(column("x", wide), (vec!["\"2.5\"".to_owned(), "\"0\"".to_owned()], vec![(1, OUT_OF_RANGE)]));
    assert_eq!(column("x", Arc::new(Int64Array::from(vec![Some(-7), None]))).0, ["\"-7\"", ""]);
    assert_eq!(column("x", Arc::new(UInt64Array::from(vec![u64::MAX]))).1, [(0, OUT_OF_RANGE)]);
    assert_eq!(column("x", texts(&["1.50", "x"])).1, [(1, BAD_FORMAT)]);
}

#[test]
fn lists_and_structs_sliced_and_with_gaps() {
    let rt = wide();
    let mut tags = ListBuilder::new(arrow_array::builder::StringBuilder::new());
    for list in [vec!["skip"], vec!["a", "b"], vec![], vec!["toolong"], vec!["c"]] {
        list.iter().for_each(|tag| tags.values().append_value(tag));
        tags.append(true);
    }
    let whole = batch(vec![("text", texts(&["0", "1", "2", "3", "4"])), ("tags", Arc::new(tags.finish()))]);
    let checked = from_arrow(&rt, &whole.slice(1, 4)).unwrap();
    assert_eq!(reasons(&checked), [(2, "tags[0]", TOO_LONG)]);
    assert!(lines(&rt, &checked.rows)[0].contains(r#""tags":["a","b"],"text":"1""#));
    assert!(lines(&rt, &checked.rows)[3].contains(r#""tags":["c"],"text":"4""#));

    // A null list over items that would fail: they are nobody's.
    let items: ArrayRef = texts(&["bad item", "ok"]);
    let field = Arc::new(ArrowField::new("item", DataType::Utf8, true));
    let gap = ListArray::new(
        field,
        OffsetBuffer::new(vec![0, 1, 2].into()),
        items,
        Some(NullBuffer::from(vec![false, true])),
    );
    let checked = from_arrow(&rt, &batch(vec![("text", texts(&["0", "1"])), ("tags", Arc::new(gap))])).unwrap();
    assert_eq!(reasons(&checked), []);
    assert_eq!(lines(&rt, &checked.rows)[0], r#"{"data":{"text":"0"},"type":"m.t","version":7}"#);
    assert!(lines(&rt, &checked.rows)[1].contains(r#""tags":["ok"]"#));

    // A null struct over a missing member; a present one without its required member.
    let member: ArrayRef = Arc::new(Int64Array::from(vec![None, None, Some(1)]));
    let fields = vec![ArrowField::new("a", DataType::Int64, true)].into();
    let opt = StructArray::new(fields, vec![member], Some(NullBuffer::from(vec![false, true, true])));
    let checked = from_arrow(&rt, &batch(vec![("text", texts(&["0", "1", "2"])), ("opt", Arc::new(opt))])).unwrap();
    assert_eq!(reasons(&checked), [(1, "opt.a", MISSING_FIELD)]);
    assert!(lines(&rt, &checked.rows)[2].contains(r#""opt":{"a":1}"#));
}

#[test]
fn right_columns_are_taken_over_without_a_copy() {
    let rt = wide();
    let given = texts(&["a", "b"]);
    let checked = from_arrow(&rt, &batch(vec![("text", Arc::clone(&given))])).unwrap();
    assert_eq!(checked.rows.column(0).to_data().buffers()[1].as_ptr(), given.to_data().buffers()[1].as_ptr());
}

#[test]
fn record_bytes_are_read_strictly() {
    let rt = wide();
    let good = br#"{"data":{"text":"a","x":"1.5"},"type":"m.t","version":7}"#.as_slice();
    assert_eq!(from_record_bytes(&rt, &[good, good]).unwrap().num_rows(), 2);
    for bad in [
        r#"{"data":{"text":"a","x":"1.50"},"type":"m.t","version":7}"#,
        r#"{"data":{"x":"1.5","text":"a"},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a","x":"1.5"},"type":"m.t","version":8}"#,
        r#"{"data":{"text":"a","x":"1.5"},"type":"m.u","version":7}"#,
        r#"{"data":{"text":"a","x":1.5},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a","y":1},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a","flag":null},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a","text":"a"},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a"},"extra":1,"type":"m.t","version":7}"#,
        r#"{"data":{"text":"\u0061"},"type":"m.t","version":7}"#,
        r#"{"data":{"text":"a"},"type":"m.t","version":7} "#,
        r#"{"type":"m.t","version":7}"#,
        r#"[]"#,
        "",
    ] {
        let error = from_record_bytes(&rt, &[good, bad.as_bytes()]).unwrap_err();
        assert_eq!(error.position, 1, "{bad}");
    }
}

#[test]
fn a_text_that_does_not_match_is_shown_with_its_pattern() {
    let source = "[module]\nname = \"m\"\nversion = 1\n[roles.r]\n[types.t]\nauthorise = [\"r\"]\n[types.t.fields]\n\
        code = { type = \"text\", pattern = \"[A-Z][0-9]+\" }\n";
    let module = parse(source, "t.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let checked = from_values(&module.types[0], &[object(&[("code", text("a7"))])]);
    assert_eq!(checked.failures[0].message, "\"a7\" does not match the pattern [A-Z][0-9]+");
}
