//! How `match` compares fields of two records: by their canonical form, through one list item by item.

use ledgerstone_verify::canon::Json;

use crate::schema::MatchPair;

/// The `data` object of record bytes.
pub(super) fn data_of(record: &[u8]) -> Option<Json> {
    match Json::parse(record) {
        Ok(Json::Object(members)) => members.into_iter().find(|(name, _)| name == "data").map(|(_, data)| data),
        _ => None,
    }
}

/// Whether a pair of fields agrees. `item`: the list and the place that `item` means in an `each` rule.
pub(super) fn agree(pair: &MatchPair, theirs: &Json, ours: &Json, item: Option<(&str, usize)>) -> bool {
    let theirs = values(theirs, &pair.theirs);
    let ours = match (item, pair.ours.strip_prefix("item")) {
        (Some((list, place)), Some(path)) if path.is_empty() || path.starts_with('.') => {
            match ours.get(list).and_then(Json::as_list).and_then(|items| items.get(place)) {
                Some(item) if path.is_empty() => vec![Some(item)],
                Some(item) => values(item, &path[1..]),
                None => vec![None],
            }
        }
        _ => values(ours, &pair.ours),
    };
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| match (theirs, ours) {
            (Some(Json::Text(theirs)), Some(Json::Text(ours))) if pair.negated => *ours == negated(theirs),
            (Some(Json::Int(theirs)), Some(Json::Int(ours))) if pair.negated => ours.checked_neg() == Some(*theirs),
            (theirs, ours) => !pair.negated && theirs == ours,
        })
}

/// A canonical decimal with its sign turned.
fn negated(decimal: &str) -> String {
    match decimal.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None if decimal == "0" => decimal.to_owned(),
        None => format!("-{decimal}"),
    }
}

/// The values a dotted path leads to: one, or one for each item of the list it passes through.
fn values<'a>(data: &'a Json, path: &str) -> Vec<Option<&'a Json>> {
    let mut at = vec![Some(data)];
    for name in path.split('.') {
        at = at
            .into_iter()
            .flat_map(|value| match value {
                Some(Json::List(items)) => items.iter().map(|item| item.get(name)).collect::<Vec<_>>(),
                Some(value) => vec![value.get(name)],
                None => vec![None],
            })
            .collect();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(path: &str, negated: bool) -> MatchPair {
        MatchPair { theirs: path.to_owned(), ours: path.to_owned(), negated }
    }

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn lists_are_compared_item_by_item() {
        let theirs = json(r#"{"legs":[{"a":"1.5","n":"x"},{"a":"-1.5","n":"y"}]}"#);
        let exact = json(r#"{"legs":[{"a":"-1.5","n":"x"},{"a":"1.5","n":"y"}]}"#);
        assert!(agree(&pair("legs.a", true), &theirs, &exact, None));
        assert!(agree(&pair("legs.n", false), &theirs, &exact, None));
        let short = json(r#"{"legs":[{"a":"-1.5","n":"x"}]}"#);
        assert!(!agree(&pair("legs.a", true), &theirs, &short, None));
        let turned = json(r#"{"legs":[{"a":"1.5","n":"y"},{"a":"-1.5","n":"x"}]}"#);
        assert!(!agree(&pair("legs.a", true), &theirs, &turned, None));
    }

    #[test]
    fn an_item_stands_for_itself() {
        let pair = MatchPair { theirs: "exponent".to_owned(), ours: "item.exponent".to_owned(), negated: false };
        let theirs = json(r#"{"exponent":3}"#);
        let ours = json(r#"{"exponent":9,"units":[{"exponent":2},{"exponent":3}]}"#);
        assert!(!agree(&pair, &theirs, &ours, Some(("units", 0))));
        assert!(agree(&pair, &theirs, &ours, Some(("units", 1))));
        assert!(!agree(&pair, &theirs, &ours, Some(("units", 2))));
    }

    #[test]
    fn absent_fields_agree_with_absent_fields_only() {
        let with = json(r#"{"book":"b"}"#);
        let without = json("{}");
        assert!(agree(&pair("book", false), &without, &without, None));
        assert!(!agree(&pair("book", false), &with, &without, None));
        assert!(!agree(&pair("book", true), &without, &without, None));
    }
}
