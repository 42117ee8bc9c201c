//! What a rule says about other types: cells by name, references, matches.

use std::sync::Arc;

use super::Shape;
use super::names::TypeScope;
use super::rules::Draft;
use super::table::Text;
use crate::schema::columns::{FieldPath, lookup_field};
use crate::schema::error::suggestion;
use crate::schema::expr::{Expr, Names};
use crate::schema::module::{CellKey, CellType, Field, FieldKind, MatchPair, Primitive, RecordType};
use crate::schema::scalar::ScalarKind;

/// Finds record types of modules loaded before, by full name.
pub(super) type Loaded<'r> = &'r dyn Fn(&str) -> Option<Arc<RecordType>>;

/// A record type that a rule refers to.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    /// Kinds of its key; `None` where it has none.
    key: Option<Vec<ScalarKind>>,
    /// Whether each of its records has that key.
    pub(super) is_keyed: bool,
    /// Types of other modules that may emit into it.
    pub(super) accepts: Vec<String>,
}

impl Target {
    /// Whether the field at a dotted path is private, or in one that is.
    pub(super) fn is_private(&self, path: &str) -> bool {
        is_private(&self.fields, path)
    }
}

/// Whether the field at a dotted path is private, or in one that is.
fn is_private(fields: &[Field], path: &str) -> bool {
    let first = path.split('.').next().unwrap_or_default();
    fields.iter().any(|field| field.name == first && field.private.is_some())
}

impl<'t> Draft<'_, 't> {
    /// The cell of this module that a text names as `<type>.<cell>`.
    pub(super) fn own_cell(&self, text: &Text) -> Option<Arc<CellType>> {
        let found = self.declared_cell(&text.value);
        if found.is_none() {
            self.unknown_cell(text, "<type>.<cell> of this module");
        }
        found
    }

    /// The cell of this module, or of a loaded one, that a text names as `<type>.<cell>` or `<module>.<type>.<cell>`.
    pub(super) fn any_cell(&self, text: &Text) -> Option<Arc<CellType>> {
        let foreign = || {
            let (owner, name) = text.value.rsplit_once('.')?;
            let owner = (self.loaded)(owner)?;
            owner.cells.iter().find(|cell| cell.name == name).map(Arc::clone)
        };
        let found = self.declared_cell(&text.value).or_else(foreign);
        if found.is_none() {
            self.unknown_cell(text, "<type>.<cell> of this module, or <module>.<type>.<cell> of a loaded one");
        }
        found
    }

    fn cells(&self) -> impl Iterator<Item = (String, &Arc<CellType>)> {
        let named = |shape: &'_ Shape<'t>| shape.short.clone();
        self.shapes.iter().flat_map(move |shape| {
            let short = named(shape);
            shape.cells.iter().map(move |cell| (format!("{short}.{}", cell.name), cell))
        })
    }

    fn declared_cell(&self, name: &str) -> Option<Arc<CellType>> {
        self.cells().find(|(known, _)| known == name).map(|(_, cell)| Arc::clone(cell))
    }

    fn unknown_cell(&self, text: &Text, expected: &str) {
        let names: Vec<String> = self.cells().map(|(name, _)| name).collect();
        let message =
            format!("unknown cell \"{}\"{}", text.value, suggestion(&text.value, names.iter().map(String::as_str)));
        self.reader.source.fault(text.span.start, message, format!("\"{}\"", text.value), expected);
    }

    /// The `at` and `by` of a cell: of the kinds that every other rule gives it.
    pub(super) fn cell_name(&self, cell: &CellType) -> Option<(Vec<Expr>, Vec<Expr>)> {
        let at = self.exprs("at");
        let by = if self.table.has("by") { self.exprs("by") } else { Some(Vec::new()) };
        let (at, by) = (at?, by?);
        let kinds = |exprs: &[Expr]| exprs.iter().map(Expr::kind).collect::<Vec<_>>();
        let first = cell.key.get_or_init(|| CellKey { at: kinds(&at), by: kinds(&by) });
        for (key, found, expected) in [("at", kinds(&at), &first.at), ("by", kinds(&by), &first.by)] {
            if found != *expected {
                let message = format!("{}.{} is named by other values in an earlier rule", cell.owner, cell.name);
                self.reader.source.fault(self.table.place(key), message, listed(&found), listed(expected));
            }
        }
        Some((at, by))
    }

    pub(super) fn reference(&self) -> Option<Primitive> {
        let texts = self.table.text_or_texts("ref");
        if texts.is_empty() {
            self.table.fault_at("ref", "\"ref\" names a record type, or several");
        }
        let external = self.table.bool("external");
        let mut targets = Vec::new();
        for text in &texts {
            match self.target(text) {
                Some(target) => targets.push(target),
                None => return None,
            }
        }
        let mut at = None;
        for target in &targets {
            at = self.key_of(target);
        }
        Some(Primitive::Ref { targets: targets.into_iter().map(|target| target.name).collect(), at: at?, external })
    }

    pub(super) fn matching(&self) -> Option<Primitive> {
        let target = self.target(&self.table.text("match")?)?;
        let at = self.key_of(&target);
        let mut pairs = self.pairs("equal", &target, false);
        pairs.extend(self.pairs("negated", &target, true));
        if !self.table.has("equal") && !self.table.has("negated") {
            self.table.fault("`match` needs \"equal\" or \"negated\": pairs of fields, theirs = \"ours\"");
        }
        let missing = self.missing();
        Some(Primitive::Match { target: target.name, at: at?, pairs, missing })
    }

    /// The record type that a text names: of this module by its short or full name, of a loaded one by its full name.
    pub(super) fn target(&self, text: &Text) -> Option<Target> {
        let full = if text.value.contains('.') { text.value.clone() } else { self.reader.full(&text.value) };
        if let Some(shape) = self.shapes.iter().find(|shape| shape.name == full) {
            let key = declared_key(shape, &self.scope());
            let is_keyed =
                key.as_ref().is_some_and(|(values, is_always)| *is_always && are_required(&shape.fields, values));
            let key = key.map(|(values, _)| values.iter().map(Expr::kind).collect());
            let (fields, accepts) = (shape.fields.clone(), shape.accepts.clone());
            return Some(Target { name: full, fields, key, is_keyed, accepts });
        }
        if let Some(loaded) = (self.loaded)(&full) {
            let rule = loaded.rules.iter().find(|rule| matches!(rule.primitive, Primitive::Unique { .. }));
            let is_always = rule.is_some_and(|rule| rule.when.is_none());
            let is_keyed = is_always && loaded.key().is_some_and(|key| are_required(&loaded.fields, key));
            let key = loaded.key().map(|key| key.iter().map(Expr::kind).collect());
            let (fields, accepts) = (loaded.fields.clone(), loaded.accepts.clone());
            return Some(Target { name: full, fields, key, is_keyed, accepts });
        }
        let message = format!(
            "unknown record type \"{}\"{}",
            text.value,
            suggestion(&text.value, self.shapes.iter().map(|shape| shape.short.as_str()))
        );
        self.reader.source.fault(
            text.span.start,
            message,
            format!("\"{}\"", text.value),
            "a type of this module, or <module>.<type> of a loaded one",
        );
        None
    }

    /// The `at` of a reference: of the kinds of the target's key.
    pub(super) fn key_of(&self, target: &Target) -> Option<Vec<Expr>> {
        let at = self.exprs("at")?;
        match &target.key {
            None => self.table.fault_at("at", format!("{} has no key: no rule with `unique`", target.name)),
            Some(key) => {
                let kinds: Vec<ScalarKind> = at.iter().map(Expr::kind).collect();
                if kinds != *key {
                    let message = format!("\"at\" does not fit the key of {}", target.name);
                    self.reader.source.fault(self.table.place("at"), message, listed(&kinds), listed(key));
                }
            }
        }
        Some(at)
    }

    fn pairs(&self, key: &str, target: &Target, negated: bool) -> Vec<MatchPair> {
        let entries = self.table.table(key).map_or_else(Vec::new, |table| table.entries());
        if entries.is_empty() && self.table.has(key) {
            self.table.fault_at(key, format!("\"{key}\" is empty"));
        }
        let mut pairs = Vec::new();
        for entry in entries {
            let Some(ours) = entry.text(self.reader.source) else {
                continue;
            };
            let theirs = place(lookup_field(&target.fields, entry.name));
            if theirs.is_none() {
                let names = target.fields.iter().map(|field| field.name.as_str());
                let message = format!("{} has no field `{}`{}", target.name, entry.name, suggestion(entry.name, names));
                self.reader.source.fault(entry.at, message, format!("\"{}\"", entry.name), "");
            }
            let list = self.each.map(|list| self.shape.fields[list].name.as_str());
            let own = ours.value.strip_prefix("item").and(list).unwrap_or(&ours.value);
            for (place, path, private) in [
                (entry.at, entry.name, target.is_private(entry.name)),
                (ours.span.start, ours.value.as_str(), is_private(&self.shape.fields, own)),
            ] {
                if private {
                    let message = format!("`{path}` is private: no rule sees it");
                    self.reader.source.fault(place, message, format!("\"{path}\""), "a field that is not private");
                }
            }
            let mine = self.own_place(&ours);
            if let (Some(theirs), Some(mine)) = (theirs, mine) {
                self.check_pair(&ours, theirs, mine, negated);
            }
            pairs.push(MatchPair { theirs: entry.name.to_owned(), ours: ours.value, negated });
        }
        pairs
    }

    /// Notes a pair whose fields never match.
    fn check_pair(&self, ours: &Text, theirs: Place, mine: Place, negated: bool) {
        // Values are compared in their canonical form, in which an int is never a decimal.
        if theirs.kind != mine.kind || theirs.many != mine.many {
            self.reader.source.fault(ours.span.start, "the two fields are never equal", mine.shown(), theirs.shown());
        } else if negated && !mine.kind.is_number() {
            self.reader.source.fault(ours.span.start, "only numbers are negated", mine.shown(), "int or decimal");
        }
    }

    /// The place of a path in this record, or in the item of the rule.
    fn own_place(&self, ours: &Text) -> Option<Place> {
        let fields = &self.shape.fields;
        let found = match (self.each, ours.value.strip_prefix("item")) {
            (Some(list), Some(rest)) if rest.is_empty() || rest.starts_with('.') => {
                match (&fields[list].kind, rest.strip_prefix('.')) {
                    (FieldKind::List { item, .. }, None) => {
                        crate::schema::columns::scalar_kind(&item.kind).map(|kind| Place { kind, many: false })
                    }
                    (_, Some(rest)) => place(lookup_field(fields, &format!("{}.{rest}", fields[list].name)))
                        .map(|place| Place { many: false, ..place }),
                    _ => None,
                }
            }
            _ => place(lookup_field(fields, &ours.value)),
        };
        if found.is_none() {
            let message = format!(
                "unknown field `{}`{}",
                ours.value,
                suggestion(&ours.value, fields.iter().map(|field| field.name.as_str()))
            );
            self.reader.source.fault(
                ours.span.start,
                message,
                format!("\"{}\"", ours.value),
                "a scalar field of this record",
            );
        }
        found
    }
}

/// What stands at a path of a match: one value, or one per item.
#[derive(Clone, Copy)]
struct Place {
    kind: ScalarKind,
    many: bool,
}

impl Place {
    fn shown(self) -> String {
        if self.many { format!("{} per item", self.kind.name()) } else { self.kind.name().to_owned() }
    }
}

fn place(found: Option<(FieldPath, &Field)>) -> Option<Place> {
    let (path, field) = found?;
    if let FieldKind::List { item, .. } = &field.kind {
        // A list of scalars, as a whole.
        return crate::schema::columns::scalar_kind(&item.kind)
            .filter(|_| !path.is_item())
            .map(|kind| Place { kind, many: true });
    }
    path.kind().map(|kind| Place { kind, many: path.is_item() })
}

/// The first `unique` of a type whose rules are not read yet, and whether it is without `when`; faults in it are noted where it is read.
fn declared_key(shape: &Shape<'_>, scope: &TypeScope<'_>) -> Option<(Vec<Expr>, bool)> {
    let table = shape.table.tables("rules").into_iter().find(|rule| rule.has("unique"))?;
    let names = Names { fields: &shape.fields, each: None, scope };
    let values: Option<Vec<Expr>> =
        table.texts_quietly("unique").iter().map(|text| Expr::parse(text, names).ok()).collect();
    Some((values?, !table.has("when")))
}

/// Whether each of the values is a field that is never absent.
fn are_required(fields: &[Field], values: &[Expr]) -> bool {
    values.iter().all(|value| value.as_field().is_some_and(|path| is_required(fields, path.as_str())))
}

fn is_required(fields: &[Field], dotted: &str) -> bool {
    let (first, rest) = dotted.split_once('.').map_or((dotted, None), |(first, rest)| (first, Some(rest)));
    let field = fields.iter().find(|field| field.name == first && field.required);
    field.is_some_and(|field| match (rest, &field.kind) {
        (None, _) => true,
        (Some(rest), FieldKind::Struct(inner)) => is_required(inner, rest),
        (Some(_), _) => false,
    })
}

/// Kinds in a message.
pub(super) fn listed(kinds: &[ScalarKind]) -> String {
    if kinds.is_empty() {
        return "none".to_owned();
    }
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}
