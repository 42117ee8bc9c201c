//! What fits goes there and back, by every way in; and how fast.

use proptest::prelude::*;

use super::*;

fn any_record() -> impl Strategy<Value = Value> {
    let scalars = (
        "[a-z\"\\\\\n\u{1f}é]{0,3}",
        proptest::option::of("red|green"),
        any::<Option<bool>>(),
        proptest::option::of(-5i64..=1000),
        proptest::option::of(-9_007_199_254_740_991i64..=9_007_199_254_740_991),
        proptest::option::of(-9_999_999_999i128..=9_999_999_999),
        proptest::option::of(-719_162i32..=2_932_896),
        proptest::option::of(-62_135_596_800_000_000i64..=253_402_300_799_999_999),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=4)),
    );
    let leg = (-9_999_999i128..=9_999_999, proptest::option::of(proptest::collection::vec(0i64..9, 0..3)));
    let nested = (
        proptest::option::of(proptest::collection::vec("[a-z]{0,4}", 0..=3)),
        proptest::option::of((0i64..9, proptest::option::of("[a-z]{1,3}"))),
        proptest::option::of(proptest::collection::vec(leg, 0..4)),
    );
    (scalars, nested).prop_map(|((t, word, flag, n, big, x, day, at, raw), (tags, opt, legs))| {
        let some = |value: Option<Value>| value.unwrap_or(Value::Null);
        let ints = |values: Vec<i64>| Value::List(values.into_iter().map(Value::Int).collect());
        let leg = |(y, z): (i128, Option<Vec<i64>>)| {
            object(&[("y", Value::Decimal(Decimal::new(y, 2))), ("z", some(z.map(ints)))])
        };
        object(&[
            ("text", Value::Text(t)),
            ("word", some(word.map(Value::Text))),
            ("flag", some(flag.map(Value::Bool))),
            ("n", some(n.map(Value::Int))),
            ("big", some(big.map(Value::Int))),
            ("x", some(x.map(|x| Value::Decimal(Decimal::new(x, 4))))),
            ("day", some(day.map(Value::Date))),
            ("at", some(at.map(Value::Timestamp))),
            ("raw", some(raw.map(Value::Bytes))),
            ("tags", some(tags.map(|tags| Value::List(tags.into_iter().map(Value::Text).collect())))),
            ("opt", some(opt.map(|(a, b)| object(&[("a", Value::Int(a)), ("b", some(b.map(Value::Text)))])))),
            ("legs", some(legs.map(|legs| Value::List(legs.into_iter().map(leg).collect())))),
        ])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_arrow_and_bytes_tell_the_same(records in proptest::collection::vec(any_record(), 0..8), cut in 0usize..8) {
        let rt = wide();
        let checked = from_values(&rt, &records);
        prop_assert_eq!(&checked.failures, &[]);
        let expected = lines(&rt, &checked.rows);
        // JCS, by somebody else's writer.
        for line in &expected {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(&serde_jcs::to_string(&json).unwrap(), line);
        }
        // Through bytes.
        let bytes: Vec<&[u8]> = expected.iter().map(|line| line.as_bytes()).collect();
        let read = from_record_bytes(&rt, &bytes).unwrap();
        prop_assert_eq!(&lines(&rt, &read), &expected);
        // Through Arrow, whole and sliced.
        let again = from_arrow(&rt, &checked.rows).unwrap();
        prop_assert_eq!(&again.failures, &[]);
        prop_assert_eq!(&lines(&rt, &again.rows), &expected);
        let cut = cut.min(records.len());
        let part = from_arrow(&rt, &checked.rows.slice(cut, records.len() - cut)).unwrap();
        prop_assert_eq!(&lines(&rt, &part.rows), &expected[cut..]);
    }
}
