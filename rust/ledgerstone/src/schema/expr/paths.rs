//! The fields that an expression names.

use super::{ExprError, Names};
use crate::schema::columns::{FieldPath, resolve, scalar_kind};
use crate::schema::error::suggestion;
use crate::schema::module::{Field, FieldKind};
use crate::schema::scalar::ScalarKind;

/// The place and the declaration of the field that a dotted name leads to, from the record or from the item of a rule.
pub(super) fn path_of(names: Names<'_>, at: usize, parts: &[String]) -> Result<(FieldPath, Field), ExprError> {
    let text = parts.join(".");
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (words.first(), names.each) {
        (Some(&"item"), Some(list)) => item_path(names.fields, at, list, &words[1..], text),
        (Some(&"item"), None) => {
            let message = "`item` is known only in a rule with `each`";
            Err(ExprError::new(at, message, "`item`", "a field of the record"))
        }
        _ => match resolve(names.fields, &words) {
            Some((field, steps)) => Ok((path(None, steps, field, text), field.clone())),
            None => Err(unknown_field(at, &text, names.fields, &words)),
        },
    }
}

fn item_path(
    fields: &[Field],
    at: usize,
    list: usize,
    names: &[&str],
    text: String,
) -> Result<(FieldPath, Field), ExprError> {
    let Some(FieldKind::List { item, .. }) = fields.get(list).map(|field| &field.kind) else {
        return Err(ExprError::new(at, "`each` names no list", "", "a list field"));
    };
    if names.is_empty() {
        return Ok((path(Some(list), Vec::new(), item, text), item.as_ref().clone()));
    }
    let inner: &[Field] = if let FieldKind::Struct(inner) = &item.kind { inner } else { &[] };
    match resolve(inner, names) {
        Some((field, steps)) => Ok((path(Some(list), steps, field, text), field.clone())),
        None => Err(unknown_field(at, &text, inner, names)),
    }
}

fn path(list: Option<usize>, steps: Vec<usize>, field: &Field, text: String) -> FieldPath {
    FieldPath { list, steps, kind: scalar_kind(&field.kind), text }
}

fn unknown_field(at: usize, text: &str, fields: &[Field], names: &[&str]) -> ExprError {
    // The names that would have fitted where the path stops being known.
    let (mut fields, mut word) = (fields, names.first().copied().unwrap_or_default());
    for (name, next) in names.iter().zip(names.iter().skip(1)) {
        match fields.iter().find(|field| field.name == *name).map(|field| &field.kind) {
            Some(FieldKind::Struct(inner)) => (fields, word) = (inner, next),
            Some(FieldKind::List { .. }) => {
                return ExprError::new(
                    at,
                    format!("`{name}` is a list: a rule with `each = \"{name}\"` sees its items"),
                    format!("`{text}`"),
                    "",
                );
            }
            _ => break,
        }
    }
    let message = format!("unknown field `{text}`{}", suggestion(word, fields.iter().map(|field| field.name.as_str())));
    ExprError::new(at, message, format!("`{text}`"), "")
}

/// The same, owned.
pub(super) fn word(kind: &FieldKind) -> String {
    word_of(kind).to_owned()
}

/// The word for the type of a field in a message.
pub(crate) fn word_of(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::List { .. } => "list",
        FieldKind::Struct(_) => "struct",
        other => scalar_kind(other).map_or("", ScalarKind::name),
    }
}
