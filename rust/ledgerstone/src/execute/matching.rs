//! How `match` compares fields of two records: by their canonical form, through one list item by item.

use ledgerstone_verify::canon::Json;

use crate::schema::MatchPair;

/// The `data` object of record bytes.
pub(super) fn data_of(record: &[u8]) -> Option<Json> {
    match Json::parse(record) {
        Ok(Json::Object(members)) => {
            members.into_iter().find(|(name, _)| name == "data").map(|(_, data)| data)
        }
        _ => None,
    }
}

/// Whether a pair of fields agrees.
pub(super) fn agree(pair: &MatchPair, theirs: &Json, ours: &Json) -> bool {
    let theirs = values(theirs, &pair.theirs);
    let ours = values(ours, &pair.ours);
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| match (theirs, ours) {
            (Some(Json::Text(theirs)), Some(Json::Text(ours))) if pair.negated => {
                *ours == negated(theirs)
            }
            (Some(Json::Int(theirs)), Some(Json::Int(ours))) if pair.negated => *ours == -theirs,
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
                Some(Json::List(items)) => {
                    items.iter().map(|item| item.get(name)).collect::<Vec<_>>()
                }
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
        assert!(agree(&pair("legs.a", true), &theirs, &exact));
        assert!(agree(&pair("legs.n", false), &theirs, &exact));
        let short = json(r#"{"legs":[{"a":"-1.5","n":"x"}]}"#);
        assert!(!agree(&pair("legs.a", true), &theirs, &short));
        let turned = json(r#"{"legs":[{"a":"1.5","n":"y"},{"a":"-1.5","n":"x"}]}"#);
        assert!(!agree(&pair("legs.a", true), &theirs, &turned));
    }

    #[test]
    fn absent_fields_agree_with_absent_fields_only() {
        let with = json(r#"{"book":"b"}"#);
        let without = json("{}");
        assert!(agree(&pair("book", false), &without, &without));
        assert!(!agree(&pair("book", false), &with, &without));
        assert!(!agree(&pair("book", true), &without, &without));
    }
}
