//! A record type in plain values, for faces that show it.

use std::fmt;

use super::module::{CellKind, Field, FieldKind, Primitive, RecordType, Rule, Severity};
use crate::model::Value;

impl RecordType {
    /// What it declares, as an object: `type`, `version`, `doc`, `authorise`, `reach` (`local` where every rule is), `key`, and the
    /// lists `fields`, `cells` and `rules`. Fields within structs and lists stand behind their own, named by their paths.
    pub fn describe(&self) -> Value {
        let mut fields = Vec::new();
        self.fields.iter().for_each(|field| describe_field("", field, &mut fields));
        let key = self.key().map(|key| key.iter().map(|value| text(value.source())).collect());
        object(vec![
            ("type", text(&self.name)),
            ("version", Value::Int(self.version as i64)),
            ("doc", text(&self.doc)),
            ("authorise", Value::List(self.authorise.iter().map(|role| text(role)).collect())),
            ("reach", text(reach(self.is_local()))),
            ("key", key.map_or(Value::Null, Value::List)),
            ("fields", Value::List(fields)),
            ("cells", Value::List(self.cells.iter().map(|cell| describe_cell(&cell.name, &cell.kind)).collect())),
            ("rules", Value::List(self.rules.iter().map(|rule| self.describe_rule(rule)).collect())),
        ])
    }

    fn describe_rule(&self, rule: &Rule) -> Value {
        let severity = match rule.severity {
            Severity::Reject => "reject",
            Severity::Hold => "hold",
            Severity::Flag => "flag",
        };
        object(vec![
            ("rule", text(rule.primitive.name())),
            ("each", rule.each.map_or(Value::Null, |list| text(&self.fields[list].name))),
            ("when", rule.when.as_ref().map_or(Value::Null, |when| text(when.source()))),
            ("reach", text(reach(rule.is_local()))),
            ("severity", text(severity)),
            ("code", text(&rule.reason.code)),
            ("message", text(&rule.reason.message)),
        ])
    }
}

impl Primitive {
    /// The word for it in a schema file.
    pub fn name(&self) -> &'static str {
        match self {
            Primitive::Require(_) => "require",
            Primitive::Conserve { .. } => "conserve",
            Primitive::Window { .. } => "window",
            Primitive::Unique { .. } => "unique",
            Primitive::Ref { .. } => "ref",
            Primitive::Match { .. } => "match",
            Primitive::Open { .. } => "open",
            Primitive::Balance { .. } => "balance",
            Primitive::Close { .. } => "close",
            Primitive::Lifecycle { .. } => "lifecycle",
            Primitive::Count { .. } => "count",
            Primitive::Holder { .. } => "holder",
            Primitive::Sequence { .. } => "sequence",
            Primitive::Acyclic { .. } => "acyclic",
            Primitive::Emit { .. } => "emit",
            Primitive::Tally(_) => "tally",
        }
    }
}

impl fmt::Display for FieldKind {
    /// In short: `text(max 36)`, `decimal(18,2)`, `list of struct`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldKind::Text { format: Some(format), .. } => f.write_str(format.name()),
            FieldKind::Text { max, .. } => write!(f, "text(max {max})"),
            FieldKind::Enum(words) => f.write_str(&words.join("|")),
            FieldKind::Bool => f.write_str("bool"),
            FieldKind::Int { .. } => f.write_str("int"),
            FieldKind::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            FieldKind::Fraction => f.write_str("fraction"),
            FieldKind::Date => f.write_str("date"),
            FieldKind::Timestamp => f.write_str("timestamp"),
            FieldKind::Bytes { min, max } if min == max => write!(f, "bytes({max})"),
            FieldKind::Bytes { max, .. } => write!(f, "bytes(max {max})"),
            FieldKind::Uuid => f.write_str("uuid"),
            FieldKind::List { item, .. } => write!(f, "list of {}", item.kind),
            FieldKind::Struct(_) => f.write_str("struct"),
        }
    }
}

fn describe_field(prefix: &str, field: &Field, out: &mut Vec<Value>) {
    let name = format!("{prefix}{}", field.name);
    out.push(object(vec![
        ("name", text(&name)),
        ("type", text(&field.kind.to_string())),
        ("required", Value::Bool(field.required)),
        ("index", Value::Bool(field.index)),
        ("doc", text(&field.doc)),
    ]));
    let inner = match &field.kind {
        FieldKind::Struct(fields) => fields.as_slice(),
        FieldKind::List { item, .. } => match &item.kind {
            FieldKind::Struct(fields) => fields.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    inner.iter().for_each(|inner| describe_field(&format!("{name}."), inner, out));
}

fn describe_cell(name: &str, kind: &CellKind) -> Value {
    let words = |words: &[String]| Value::List(words.iter().map(|word| text(word)).collect());
    let (kind, parts) = match kind {
        CellKind::Balance(balance) => ("balance", words(&balance.parts)),
        CellKind::Count(_) => ("count", Value::Null),
        CellKind::Lifecycle(lifecycle) => ("lifecycle", words(&lifecycle.states)),
        CellKind::Holder(_) => ("holder", Value::Null),
        CellKind::Sequence(_) => ("sequence", Value::Null),
    };
    object(vec![("name", text(name)), ("kind", text(kind)), ("parts", parts)])
}

fn reach(is_local: bool) -> &'static str {
    if is_local { "local" } else { "general" }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn object(members: Vec<(&str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
