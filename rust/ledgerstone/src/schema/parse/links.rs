//! What a rule says about other types: cells by name, references, matches.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shape;
use super::rules::Draft;
use super::table::Text;
use crate::schema::columns::{FieldPath, lookup_field};
use crate::schema::error::suggestion;
use crate::schema::expr::{Expr, Names};
use crate::schema::module::{CellType, Field, FieldKind, MatchPair, Primitive, RecordType};
use crate::schema::scalar::ScalarKind;

/// Finds record types of modules loaded before, by full name.
pub(super) type Loaded<'r> = &'r dyn Fn(&str) -> Option<Arc<RecordType>>;

/// Kinds of the key and by values of each cell, as its first use in the file has them.
pub(super) type CellUses = BTreeMap<(String, String), (Vec<ScalarKind>, Vec<ScalarKind>)>;

/// A record type that a rule refers to.
struct Target {
    name: String,
    fields: Vec<Field>,
    /// Kinds of its key; `None` where it has none.
    key: Option<Vec<ScalarKind>>,
}

impl<'t> Draft<'_, 't> {
    /// The cell that a key names as `<type>.<cell>`.
    pub(super) fn cell(&self, key: &str) -> Option<(Text, &Arc<CellType>)> {
        let text = self.table.text(key)?;
        let cells = || {
            self.shapes
                .iter()
                .flat_map(|shape| shape.cells.iter().map(move |cell| (format!("{}.{}", shape.short, cell.name), cell)))
        };
        let found = cells().find(|(name, _)| *name == text.value).map(|(_, cell)| cell);
        if found.is_none() {
            let names: Vec<String> = cells().map(|(name, _)| name).collect();
            let message =
                format!("unknown cell \"{}\"{}", text.value, suggestion(&text.value, names.iter().map(String::as_str)));
            self.reader.source.fault(
                text.span.start,
                message,
                format!("\"{}\"", text.value),
                "<type>.<cell> of this module",
            );
        }
        found.map(|cell| (text, cell))
    }

    /// The `at` and `by` of a cell: of the kinds that every other rule gives it.
    pub(super) fn cell_name(&self, cell: &CellType) -> Option<(Vec<Expr>, Vec<Expr>)> {
        let at = self.exprs("at");
        let by = if self.table.has("by") { self.exprs("by") } else { Some(Vec::new()) };
        let (at, by) = (at?, by?);
        let kinds = |exprs: &[Expr]| exprs.iter().map(Expr::kind).collect::<Vec<_>>();
        let mut uses = self.reader.uses.borrow_mut();
        let first = uses.entry((cell.owner.clone(), cell.name.clone())).or_insert_with(|| (kinds(&at), kinds(&by)));
        for (key, found, expected) in [("at", kinds(&at), &first.0), ("by", kinds(&by), &first.1)] {
            if found != *expected {
                let message = format!("{}.{} is named by other values in an earlier rule", cell.owner, cell.name);
                self.reader.source.fault(self.table.place(key), message, listed(&found), listed(expected));
            }
        }
        Some((at, by))
    }

    pub(super) fn reference(&self) -> Option<Primitive> {
        let target = self.target("ref")?;
        let at = self.key_of(&target)?;
        Some(Primitive::Ref { targets: vec![target.name], at, external: false })
    }

    pub(super) fn matching(&self) -> Option<Primitive> {
        let target = self.target("match")?;
        let at = self.key_of(&target);
        let mut pairs = self.pairs("equal", &target, false);
        pairs.extend(self.pairs("negated", &target, true));
        if !self.table.has("equal") && !self.table.has("negated") {
            self.table.fault("`match` needs \"equal\" or \"negated\": pairs of fields, theirs = \"ours\"");
        }
        let missing = self.missing();
        Some(Primitive::Match { target: target.name, at: at?, pairs, missing })
    }

    fn target(&self, key: &str) -> Option<Target> {
        let text = self.table.text(key)?;
        let full = if text.value.contains('.') { text.value.clone() } else { self.reader.full(&text.value) };
        if let Some(shape) = self.shapes.iter().find(|shape| shape.name == full) {
            return Some(Target { name: full, fields: shape.fields.clone(), key: declared_key(shape) });
        }
        if let Some(loaded) = (self.loaded)(&full) {
            let key = loaded.key().map(|key| key.iter().map(Expr::kind).collect());
            return Some(Target { name: full, fields: loaded.fields.clone(), key });
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
    fn key_of(&self, target: &Target) -> Option<Vec<Expr>> {
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

/// Kinds of the first `unique` of a type whose rules are not read yet; faults in it are noted where it is read.
fn declared_key(shape: &Shape<'_>) -> Option<Vec<ScalarKind>> {
    let table = shape.table.tables("rules").into_iter().find(|rule| rule.has("unique"))?;
    let names = Names { fields: &shape.fields, each: None };
    table.texts_quietly("unique").iter().map(|text| Expr::parse(text, names).ok().map(|expr| expr.kind())).collect()
}

fn listed(kinds: &[ScalarKind]) -> String {
    if kinds.is_empty() {
        return "none".to_owned();
    }
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}
