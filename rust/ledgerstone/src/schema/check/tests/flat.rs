//! Rows kept flat give the columns and the reasons that the same rows give as objects.

use proptest::prelude::*;

use super::*;
use crate::model::FlatRows;

/// Values of every kind; each field takes some of them and refuses others.
fn any_value() -> impl Strategy<Value = Value> {
    let texts = vec!["", "red", "a\0b", "123456789", "-12.50", "1e3", "2026-02-28", "2026-11-22T12:00:00Z", "AP8="];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-10i64..2000).prop_map(Value::Int),
        Just(Value::BigInt("99999999999999999999".to_owned())),
        Just(Value::Float(1.5)),
        (any::<i32>(), 0u8..6).prop_map(|(mantissa, scale)| Value::Decimal(Decimal::new(mantissa.into(), scale))),
        proptest::sample::select(texts).prop_map(text),
        proptest::collection::vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
        Just(Value::Date(20_000)),
        Just(Value::Timestamp(1)),
        Just(unfit()),
    ];
    let list = proptest::collection::vec(scalar.clone(), 0..3).prop_map(Value::List);
    let members = ("a|b|y|z|c", scalar.clone());
    let one = proptest::collection::vec(members, 0..3).prop_map(Value::Object);
    prop_oneof![8 => scalar, 1 => list, 1 => one]
}

/// A row: some of the fields, in any order; sometimes a name that is none, sometimes no object at all.
fn any_row() -> impl Strategy<Value = Value> {
    let mut names: Vec<String> = wide().fields.iter().map(|field| field.name.clone()).collect();
    names.push("txt".to_owned());
    let names = proptest::sample::subsequence(names, 0..=15).prop_shuffle();
    let row = names.prop_flat_map(|names| {
        let values = proptest::collection::vec(any_value(), names.len());
        values.prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect()))
    });
    prop_oneof![9 => row, 1 => any_value()]
}

/// The row as a face pushes it: flat where every name is a field, as it is otherwise.
fn push(rows: &mut FlatRows, row: &Value) {
    let names = rows.names().to_vec();
    match row {
        Value::Object(members) if members.iter().all(|(name, _)| names.contains(name)) => {
            for name in &names {
                match members.iter().find(|(given, _)| given == name).map(|(_, value)| value) {
                    None | Some(Value::Null) => rows.push_null(),
                    Some(Value::Bool(value)) => rows.push_bool(*value),
                    Some(Value::Int(value)) => rows.push_int(*value),
                    Some(Value::Text(text)) => rows.push_text(text),
                    Some(other) => rows.push_value(other.clone()),
                }
            }
            rows.end_row();
        }
        other => rows.end_row_as(other.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn flat_rows_and_objects_tell_the_same(rows in proptest::collection::vec(any_row(), 0..12), cut in 0usize..12) {
        let rt = wide();
        let mut flat = FlatRows::new(rt.fields.iter().map(|field| field.name.clone()).collect());
        rows.iter().for_each(|row| push(&mut flat, row));
        let expected = from_values(&rt, &rows);
        let cut = cut.min(rows.len());
        let mut checker = Checker::new(&rt);
        checker.flat(&flat, 0..cut);
        checker.flat(&flat, cut..rows.len());
        let checked = checker.finish();
        prop_assert_eq!(&checked.failures, &expected.failures);
        prop_assert_eq!(checked.rows, expected.rows);
    }
}
