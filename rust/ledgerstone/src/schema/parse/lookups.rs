//! The lookups of a record type.

use super::links::Loaded;
use super::names::{LookupShape, NamedFields};
use super::rules::Draft;
use super::table::Table;
use super::{Reader, Shape, check_name};
use crate::limits;
use crate::schema::expr::{Expr, RESERVED};
use crate::schema::module::{Candidate, Lookup, LookupSource};

/// A lookup, while expressions that use it are read.
pub(super) struct LookupDraft {
    pub(super) name: String,
    pub(super) each: Option<usize>,
    pub(super) shape: LookupShape,
    candidates: Vec<Candidate>,
    pub(super) fields: NamedFields,
}

impl LookupDraft {
    /// The lookup, when every expression of the type is read.
    pub(super) fn finished(self) -> Lookup {
        Lookup {
            name: self.name,
            each: self.each,
            source: match self.shape {
                LookupShape::Record(target) => LookupSource::Record(target.name),
                LookupShape::Cell(cell) => LookupSource::Cell(cell),
            },
            candidates: self.candidates,
            fields: self.fields.into_inner(),
        }
    }
}

impl<'t> Reader<'t> {
    pub(super) fn lookups(&self, shape: &Shape<'t>, shapes: &[Shape<'t>], loaded: Loaded<'_>) -> Vec<LookupDraft> {
        let mut drafts: Vec<LookupDraft> = Vec::new();
        let mut candidates = 0;
        for entry in shape.table.table("lookups").map_or_else(Vec::new, |lookups| lookups.entries()) {
            check_name(self.source, "a lookup", entry.name, entry.at);
            let taken = RESERVED.contains(&entry.name) || shape.fields.iter().any(|field| field.name == entry.name);
            if taken {
                let message = format!("\"{}\" already means something else in expressions of this type", entry.name);
                self.source.fault(entry.at, message, "", "another name");
            }
            let Some(table) = entry.table(self.source) else { continue };
            table.known("a lookup", &["record", "cell", "at", "by", "or", "each", "doc"]);
            let draft = self.lookup(entry.name, table, shape, shapes, loaded);
            candidates += draft.as_ref().map_or(0, |draft| draft.candidates.len());
            drafts.extend(draft);
        }
        if candidates > limits::LOOKUPS {
            self.source.fault(
                shape.table.place("lookups"),
                "the record type has too many lookups, their candidates counted",
                candidates.to_string(),
                format!("at most {}", limits::LOOKUPS),
            );
        }
        drafts
    }

    fn lookup(
        &self,
        name: &str,
        table: Table<'t>,
        shape: &Shape<'t>,
        shapes: &[Shape<'t>],
        loaded: Loaded<'_>,
    ) -> Option<LookupDraft> {
        let each = match table.text("each") {
            None => None,
            Some(list) => Some(self.list(&list, shape)?),
        };
        // A key uses no lookup: it is read before any of them.
        let draft = Draft { reader: self, table, shape, shapes, loaded, each, lookups: &[] };
        let source = match (table.has("record"), table.has("cell")) {
            (true, false) => LookupShape::Record(draft.target(&draft.table.text("record")?)?),
            (false, true) => {
                let text = table.text("cell")?;
                LookupShape::Cell(draft.any_cell(&text)?)
            }
            _ => {
                table.fault("a lookup reads one thing: \"record\" or \"cell\"");
                return None;
            }
        };
        let mut candidates: Vec<Option<Candidate>> = vec![draft.candidate(&source)];
        for table in table.tables("or") {
            table.known("a candidate", &["at", "by"]);
            candidates.push(Draft { table, ..draft }.candidate(&source));
        }
        let candidates: Option<Vec<Candidate>> = candidates.into_iter().collect();
        Some(LookupDraft {
            name: name.to_owned(),
            each,
            shape: source,
            candidates: candidates?,
            fields: NamedFields::default(),
        })
    }
}

impl Draft<'_, '_> {
    fn candidate(&self, source: &LookupShape) -> Option<Candidate> {
        match source {
            LookupShape::Record(target) => {
                if self.table.has("by") {
                    self.table.fault_at("by", "a record is looked up by its key: \"at\"");
                }
                Some(Candidate { at: self.key_of(target)?, by: Vec::<Expr>::new() })
            }
            LookupShape::Cell(cell) => self.cell_name(cell).map(|(at, by)| Candidate { at, by }),
        }
    }
}
