//! The fields of a record type.

use super::table::{Entry, Table, Text};
use super::{Reader, check_name};
use crate::limits;
use crate::schema::columns::scalar_kind;
use crate::schema::error::suggestion;
use crate::schema::expr::RESERVED;
use crate::schema::format::Format;
use crate::schema::module::{Field, FieldKind};
use crate::schema::scalar::ScalarKind;

/// The types of fields, in the order messages list them.
pub(super) const TYPES: [&str; 13] = [
    "text",
    "enum",
    "bool",
    "int",
    "decimal",
    "fraction",
    "date",
    "timestamp",
    "bytes",
    "uuid",
    "list",
    "struct",
    "document",
];
/// Bytes of the digest of a document: a SHA3-256 (FIPS 202), nothing shorter and nothing longer.
const DIGEST_BYTES: usize = 32;
/// Characters of the media type and the name of a document.
const DOCUMENT_TEXT: usize = 255;

/// How many fields were read, over all depths.
struct Count(usize);

impl<'t> Reader<'t> {
    pub(super) fn fields_of_type(&self, table: &Table<'t>) -> Vec<Field> {
        let Some(declared) = table.table("fields") else {
            table.fault("a record type needs fields: [types.<name>.fields]");
            return Vec::new();
        };
        let mut count = Count(0);
        let fields = self.fields(&declared, 1, &mut count);
        self.check_subjects(table, &fields);
        if count.0 > limits::FIELDS {
            declared.source.fault(
                declared.at,
                "the record type has too many fields",
                count.0.to_string(),
                format!("at most {}", limits::FIELDS),
            );
        }
        fields
    }

    fn fields(&self, declared: &Table<'t>, depth: usize, count: &mut Count) -> Vec<Field> {
        let entries = declared.entries();
        if entries.is_empty() {
            declared.fault("there are no fields");
        }
        entries.iter().filter_map(|entry| self.named_field(entry, depth, count)).collect()
    }

    fn named_field(&self, entry: &Entry<'t>, depth: usize, count: &mut Count) -> Option<Field> {
        check_name(self.source, "a field", entry.name, entry.at);
        if RESERVED.contains(&entry.name) {
            self.source.fault(
                entry.at,
                format!("\"{}\" is a word of the expression language", entry.name),
                "",
                "another name",
            );
        }
        let table = entry.table(self.source)?;
        self.field(entry.name, &table, depth, count)
    }

    fn field(&self, name: &str, table: &Table<'t>, depth: usize, count: &mut Count) -> Option<Field> {
        count.0 += 1;
        let declared = table.required_text("a field", "type")?;
        if !TYPES.contains(&declared.value.as_str()) {
            let message = format!("unknown type \"{}\"{}", declared.value, suggestion(&declared.value, TYPES));
            self.source.fault(
                declared.span.start,
                message,
                format!("\"{}\"", declared.value),
                format!("one of {}", TYPES.join(", ")),
            );
            return None;
        }
        let own: &[&str] = match declared.value.as_str() {
            "text" => &["max", "format", "pattern"],
            "enum" => &["values"],
            "int" => &["min", "max"],
            "decimal" => &["precision", "scale"],
            "bytes" => &["max"],
            "list" => &["max", "item"],
            "struct" => &["fields"],
            _ => &[],
        };
        let known: Vec<&str> = ["type", "required", "index", "doc", "private"].iter().chain(own).copied().collect();
        table.known(&format!("a field of type {}", declared.value), &known);
        let kind = self.kind(&declared, table, depth, count)?;
        let index = table.bool("index");
        if index && (depth > 1 || matches!(kind, FieldKind::List { .. } | FieldKind::Struct(_))) {
            table.fault_at("index", "only a scalar field of the record itself is indexed");
        }
        Some(Field {
            name: name.to_owned(),
            kind,
            required: table.bool("required"),
            index,
            doc: table.text_or_empty("doc"),
            private: self.private(table, depth),
        })
    }

    /// The field whose value names the person that the data of this one is about.
    fn private(&self, table: &Table<'t>, depth: usize) -> Option<String> {
        let subject = table.text("private")?;
        if depth > 1 {
            table.fault_at("private", "only a field of the record itself is private");
        }
        Some(subject.value)
    }

    /// The subjects of private fields: text fields of the record, always there, in the clear.
    pub(super) fn check_subjects(&self, table: &Table<'t>, fields: &[Field]) {
        let declared = table.table("fields");
        for field in fields.iter().filter(|field| field.private.is_some()) {
            let subject = field.private.as_deref().unwrap_or_default();
            let found = fields.iter().find(|other| other.name == subject);
            let fits = found.is_some_and(|found| {
                found.required && found.private.is_none() && scalar_kind(&found.kind) == Some(ScalarKind::Text)
            });
            if !fits && let Some(entry) = declared.as_ref().and_then(|declared| declared.table(&field.name)) {
                let names = fields.iter().map(|field| field.name.as_str());
                let near = if found.is_some() { String::new() } else { suggestion(subject, names) };
                let message = format!("\"private\" names the field that says whose data it is{near}");
                let found = format!("\"{subject}\"");
                self.source.fault(entry.place("private"), message, found, "a required text field that is not private");
            }
        }
    }

    fn kind(&self, declared: &Text, table: &Table<'t>, depth: usize, count: &mut Count) -> Option<FieldKind> {
        let nested = matches!(declared.value.as_str(), "list" | "struct" | "document");
        if nested && depth > limits::FIELD_DEPTH {
            self.source.fault(
                declared.span.start,
                "lists and structs are nested too deep",
                "",
                format!("at most {} levels", limits::FIELD_DEPTH),
            );
            return None;
        }
        let max =
            |default: usize, limit: usize| table.int("max", 1, limit as i64).map_or(default, |(max, _)| max as usize);
        Some(match declared.value.as_str() {
            "text" => {
                FieldKind::Text { max: max(limits::FIELD_BYTES, limits::RECORD_BYTES), format: self.format(table) }
            }
            "enum" => FieldKind::Enum(self.words(table)?),
            "bool" => FieldKind::Bool,
            "int" => self.int_kind(table),
            "decimal" => self.decimal_kind(table)?,
            "fraction" => FieldKind::Fraction,
            "document" => {
                let fields = document_fields();
                count.0 += fields.len();
                FieldKind::Struct(fields)
            }
            "date" => FieldKind::Date,
            "timestamp" => FieldKind::Timestamp,
            "bytes" => FieldKind::Bytes { min: 0, max: max(limits::FIELD_BYTES, limits::RECORD_BYTES) },
            "uuid" => FieldKind::Uuid,
            "list" => {
                let Some(item) = table.table("item") else {
                    if !table.has("item") {
                        table.fault("a list needs \"item\": the type of its items");
                    }
                    return None;
                };
                let item = self.field("item", &item, depth + 1, count)?;
                if !item.required {
                    table.fault_at("item", "the items of a list are always present: write required = true");
                }
                let max = max(limits::LIST_ITEMS, limits::LIST_ITEMS_MAX);
                FieldKind::List { item: Box::new(item), max }
            }
            _ => {
                let Some(inner) = table.table("fields") else {
                    if !table.has("fields") {
                        table.fault("a struct needs \"fields\"");
                    }
                    return None;
                };
                FieldKind::Struct(self.fields(&inner, depth + 1, count))
            }
        })
    }

    fn format(&self, table: &Table<'t>) -> Option<Format> {
        let (format, pattern) = (table.text("format"), table.text("pattern"));
        if let (Some(_), Some(pattern)) = (&format, &pattern) {
            self.source.fault(pattern.span.start, "a text has a format or a pattern, not both", "", "");
        }
        if let Some(format) = format {
            let found = Format::parse(&format.value);
            if found.is_none() {
                let names: Vec<&str> = Format::names().collect();
                let message =
                    format!("unknown format \"{}\"{}", format.value, suggestion(&format.value, names.iter().copied()));
                self.source.fault(
                    format.span.start,
                    message,
                    format!("\"{}\"", format.value),
                    format!("one of {}", names.join(", ")),
                );
            }
            return found;
        }
        let pattern = pattern?;
        Format::pattern(&pattern.value)
            .map_err(|error| {
                let reason = error.lines().last().unwrap_or_default().to_owned();
                self.source.fault(pattern.span.start, format!("not a pattern: {reason}"), "", "");
            })
            .ok()
    }

    fn words(&self, table: &Table<'t>) -> Option<Vec<String>> {
        let Some(values) = table.texts("values") else {
            table.fault("an enum needs \"values\"");
            return None;
        };
        if values.is_empty() {
            table.fault_at("values", "an enum has at least one value");
        }
        let mut words: Vec<String> = Vec::new();
        for value in values {
            if value.value.is_empty() || value.value.contains('\0') || value.value.len() > 128 {
                self.source.fault(value.span.start, "a value of an enum is 1 to 128 bytes, without U+0000", "", "");
            }
            if words.contains(&value.value) {
                self.source.fault(value.span.start, format!("the value \"{}\" stands here twice", value.value), "", "");
            }
            words.push(value.value);
        }
        Some(words)
    }

    fn int_kind(&self, table: &Table<'t>) -> FieldKind {
        let bound = |key: &str, default: i64| {
            table.int(key, -limits::INT_MAX, limits::INT_MAX).map_or(default, |(bound, _)| bound)
        };
        let (min, max) = (bound("min", -limits::INT_MAX), bound("max", limits::INT_MAX));
        if min > max {
            table.fault_at("max", format!("max {max} is below min {min}"));
        }
        FieldKind::Int { min, max }
    }

    fn decimal_kind(&self, table: &Table<'t>) -> Option<FieldKind> {
        for key in ["precision", "scale"] {
            if !table.has(key) {
                table.fault(format!("a decimal needs \"{key}\""));
            }
        }
        let digits = i64::from(limits::DECIMAL_DIGITS);
        let precision = table.int("precision", 1, digits);
        let scale = table.int("scale", 0, digits);
        let ((precision, _), (scale, _)) = (precision?, scale?);
        if scale > precision {
            table.fault_at("scale", format!("scale {scale} is above precision {precision}"));
        }
        Some(FieldKind::Decimal { precision: precision as u8, scale: scale as u8 })
    }
}

/// What a field of type document holds: its bytes live elsewhere.
fn document_fields() -> Vec<Field> {
    let field = |name: &str, kind: FieldKind, required: bool, doc: &str| Field {
        name: name.to_owned(),
        kind,
        required,
        index: false,
        doc: doc.to_owned(),
        private: None,
    };
    let text = || FieldKind::Text { max: DOCUMENT_TEXT, format: None };
    vec![
        field("digest", FieldKind::Bytes { min: DIGEST_BYTES, max: DIGEST_BYTES }, true, "SHA3-256 of the bytes"),
        field("size", FieldKind::Int { min: 0, max: limits::INT_MAX }, true, "Number of bytes"),
        field("media_type", text(), false, "Media type (RFC 6838)"),
        field("name", text(), false, "Name of the file"),
    ]
}
