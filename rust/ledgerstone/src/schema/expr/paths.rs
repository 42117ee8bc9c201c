//! The fields that an expression names.

use super::{ExprError, Names};
use crate::schema::columns::{FieldPath, resolve, scalar_kind};
use crate::schema::error::suggestion;
use crate::schema::module::{Field, FieldKind};
use crate::schema::scalar::ScalarKind;

/// Where a dotted name leads.
pub(super) struct Named {
    pub(super) path: FieldPath,
    pub(super) field: Field,
    /// Whether it starts from the item that an aggregate runs over.
    pub(super) bound: bool,
}

/// The place and the declaration of the field that a dotted name leads to, from the record, from the item of a rule, or from the item
/// that the innermost aggregate runs over.
pub(super) fn path_of(
    names: Names<'_>,
    bound: Option<&Field>,
    at: usize,
    parts: &[String],
) -> Result<Named, ExprError> {
    let text = parts.join(".");
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (path, field) = match (words.first(), bound, names.each) {
        (Some(&"item"), Some(item), _) => {
            let (path, field) = inside(item, None, at, &words[1..], text)?;
            return Ok(Named { path, field, bound: true });
        }
        (Some(&"item"), None, Some(list)) => item_path(names.fields, at, list, &words[1..], text)?,
        (Some(&"item"), None, None) => {
            let message = "`item` is known only in a rule with `each`, and in an aggregate";
            return Err(ExprError::new(at, message, "`item`", "a field of the record"));
        }
        _ => match resolve(names.fields, &words) {
            Some((field, steps)) => (path(None, steps, field, text), field.clone()),
            None => return Err(unknown_field(at, &text, names.fields, &words)),
        },
    };
    // Private values are not stored in the clear: nothing that is decided may depend on them.
    let top = path.field();
    if let Some(subject) = names.fields.get(top).and_then(|field| field.private.as_ref()) {
        let message = format!("`{}` is private to `{subject}`: no rule sees it", names.fields[top].name);
        return Err(ExprError::new(at, message, format!("`{}`", path.text), "a field that is not private"));
    }
    Ok(Named { path, field, bound: false })
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
    inside(item, Some(list), at, names, text)
}

/// The item of a list, or a field of it.
fn inside(
    item: &Field,
    list: Option<usize>,
    at: usize,
    names: &[&str],
    text: String,
) -> Result<(FieldPath, Field), ExprError> {
    if names.is_empty() {
        return Ok((path(list, Vec::new(), item, text), item.clone()));
    }
    let inner: &[Field] = if let FieldKind::Struct(inner) = &item.kind { inner } else { &[] };
    match resolve(inner, names) {
        Some((field, steps)) => Ok((path(list, steps, field, text), field.clone())),
        None => Err(unknown_field(at, &text, inner, names)),
    }
}

/// The item of a list, or a field of it, seen from the item.
pub(super) fn item_of(item: &Field, names: &[&str], at: usize) -> Result<FieldPath, ExprError> {
    inside(item, None, at, names, names.join(".")).map(|(path, _)| path)
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
                    format!("`{name}` is a list: a rule with `each = \"{name}\"` and aggregates see its items"),
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

/// The word for the type of a field in a message.
pub(crate) fn word_of(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::List { .. } => "list",
        FieldKind::Struct(_) => "struct",
        other => scalar_kind(other).map_or("", ScalarKind::name),
    }
}
