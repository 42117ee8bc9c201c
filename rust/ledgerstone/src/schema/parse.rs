//! Reading schema files: TOML in, a [`Module`] or every fault of the file out.
//!
//! A file is read in three passes, so that types and cells may be named before they are declared: shapes (roles, fields,
//! cells), then rules, then what one type says about another.

mod bounds;
mod cells;
mod constants;
mod effects;
mod emits;
mod endorse;
mod fields;
mod linear;
mod links;
mod lookups;
mod names;
mod rules;
mod table;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeTable;

use super::error::{SchemaErrors, suggestion};
use super::module::{CellType, Endorse, Field, FieldKind, Lookup, Module, Primitive, RecordType, Role, Rule};
use super::scalar::OwnedScalar;
use crate::limits;
use links::Loaded;
use lookups::LookupDraft;
use table::{Source, Table};

/// The name of the built-in module.
const BUILTIN: &str = "ledger";

/// Reads a module that refers to no other. `file` is the name that errors show.
pub fn parse(source: &str, file: &str) -> Result<Module, SchemaErrors> {
    parse_with(source, file, &|_| None)
}

/// Reads a module; `loaded` finds record types of modules loaded before it by full name.
pub fn parse_with(
    source: &str,
    file: &str,
    loaded: &dyn Fn(&str) -> Option<Arc<RecordType>>,
) -> Result<Module, SchemaErrors> {
    Reader::read(source, file, loaded, false)
}

/// Reads the built-in module `ledger`, whose name and version 0 are reserved.
pub fn parse_builtin(source: &str) -> Result<Module, SchemaErrors> {
    Reader::read(source, "ledger.toml", &|_| None, true)
}

/// Keys of the file.
const ROOT_KEYS: [&str; 4] = ["module", "constants", "roles", "types"];
/// Keys of a record type.
const TYPE_KEYS: [&str; 11] =
    ["doc", "authorise", "endorse", "read", "release", "accepts", "effective", "fields", "cells", "lookups", "rules"];

/// A record type whose rules are not read yet.
struct Shape<'t> {
    /// Name within the module.
    short: String,
    /// Full name.
    name: String,
    table: Table<'t>,
    fields: Vec<Field>,
    cells: Vec<Arc<CellType>>,
    authorise: Vec<String>,
    read: Vec<String>,
    release: Vec<String>,
    accepts: Vec<String>,
    effective: Option<usize>,
}

/// For each group of sums over the transaction: whether it sums fractions, and the kinds of its by values.
type Groups = BTreeMap<String, bounds::SumGroup>;

struct Reader<'t> {
    source: &'t Source<'t>,
    module: String,
    version: u64,
    constants: Vec<(String, OwnedScalar)>,
    roles: Vec<Role>,
    groups: RefCell<Groups>,
    /// (type that emits, type emitted, place in the file).
    emits: RefCell<Vec<(String, String, usize)>>,
}

impl<'t> Reader<'t> {
    fn read(text: &str, file: &str, loaded: Loaded<'_>, builtin: bool) -> Result<Module, SchemaErrors> {
        let source = Source::new(text, file);
        if text.len() > limits::SCHEMA_BYTES {
            source.fault(
                0,
                "the file is too large",
                format!("{} bytes", text.len()),
                format!("at most {}", limits::SCHEMA_BYTES),
            );
            return Err(source.faults().unwrap_or(SchemaErrors(Vec::new())));
        }
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            source.fault(error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()), "", "");
        }
        // A file that is not TOML is not read further: what is missing from it may only not have been understood.
        if let Some(faults) = source.faults() {
            return Err(faults);
        }
        let module = Self::module(Table::new(&source, root.get_ref(), 0), loaded, builtin);
        match (source.faults(), module) {
            (None, Some(module)) => Ok(Module { source: text.to_owned(), ..module }),
            (faults, _) => Err(faults.unwrap_or(SchemaErrors(Vec::new()))),
        }
    }

    fn module(root: Table<'_>, loaded: Loaded<'_>, builtin: bool) -> Option<Module> {
        root.known("the file", &ROOT_KEYS);
        let Some(header) = root.table("module") else {
            root.fault("the file needs a table [module]");
            return None;
        };
        header.known("[module]", &["name", "version", "title", "doc"]);
        let name = header.required_text("[module]", "name");
        if !header.has("version") {
            header.fault("[module] needs \"version\"");
        }
        let low = if builtin { 0 } else { 1 };
        let version = header.int("version", low, limits::INT_MAX).map_or(0, |(version, _)| version as u64);
        let title = header.text_or_empty("title");
        if let Some(name) = &name {
            check_name(root.source, "a module", &name.value, name.span.start + 1);
            if name.value == BUILTIN && !builtin {
                root.source.fault(
                    name.span.start,
                    "the module name \"ledger\" is reserved",
                    "\"ledger\"",
                    "another name",
                );
            }
        }
        let mut reader = Reader {
            source: root.source,
            module: name.map_or_else(String::new, |name| name.value),
            version,
            constants: Vec::new(),
            roles: Vec::new(),
            groups: RefCell::default(),
            emits: RefCell::default(),
        };
        // The version that is loaded of this very module says nothing about the file.
        let own = reader.full("");
        let others = |name: &str| if name.starts_with(&own) { None } else { loaded(name) };
        let loaded: Loaded<'_> = &others;
        reader.constants = reader.constants(root);
        reader.roles = reader.roles(root);
        let shapes = reader.shapes(root);
        let bodies: Vec<(Vec<Rule>, Vec<Lookup>)> =
            shapes.iter().map(|shape| reader.body(shape, &shapes, loaded)).collect();
        reader.check_emits(loaded);
        let endorse: Vec<Vec<Endorse>> = shapes.iter().map(|shape| reader.endorse(shape, &shapes, loaded)).collect();
        let types = shapes.into_iter().zip(bodies).zip(endorse);
        let types = types.map(|((shape, body), endorse)| Arc::new(reader.record_type(shape, body, endorse))).collect();
        let Reader { module, constants, roles, .. } = reader;
        Some(Module { name: module, version, title, roles, constants, types, source: String::new() })
    }

    /// The rules of a type, and the lookups that they read.
    fn body(&self, shape: &Shape<'t>, shapes: &[Shape<'t>], loaded: Loaded<'_>) -> (Vec<Rule>, Vec<Lookup>) {
        let lookups = self.lookups(shape, shapes, loaded);
        let rules = self.rules(shape, shapes, loaded, &lookups);
        (rules, lookups.into_iter().map(LookupDraft::finished).collect())
    }

    /// Notes that a type emits records of another.
    fn note_emit(&self, from: &str, to: &str, at: usize) {
        self.emits.borrow_mut().push((from.to_owned(), to.to_owned(), at));
    }

    /// Notes an emit that may follow itself, or that is followed by too many others.
    fn check_emits(&self, loaded: Loaded<'_>) {
        let emits = self.emits.borrow();
        for (from, to, at) in emits.iter() {
            let mut reached: Vec<(String, usize)> = vec![(to.clone(), 1)];
            while let Some((name, depth)) = reached.pop() {
                if name == *from {
                    self.source.fault(*at, format!("records of {from} would be made by themselves"), "", "");
                    break;
                }
                if depth > limits::EMIT_DEPTH {
                    let message = format!("records made by {from} make others, too many times over");
                    self.source.fault(*at, message, "", format!("at most {} times", limits::EMIT_DEPTH));
                    break;
                }
                let own = emits.iter().filter(|(source, ..)| *source == name).map(|(_, target, _)| target.clone());
                reached.extend(own.map(|target| (target, depth + 1)));
                for rule in loaded(&name).iter().flat_map(|declared| &declared.rules) {
                    if let Primitive::Emit { target, .. } = &rule.primitive {
                        reached.push((target.clone(), depth + 1));
                    }
                }
            }
        }
    }

    fn record_type(
        &self,
        shape: Shape<'_>,
        (rules, lookups): (Vec<Rule>, Vec<Lookup>),
        endorse: Vec<Endorse>,
    ) -> RecordType {
        RecordType {
            doc: shape.table.text_or_empty("doc"),
            cells: shape.cells,
            rules,
            lookups,
            authorise: shape.authorise,
            read: shape.read,
            release: shape.release,
            accepts: shape.accepts,
            endorse,
            effective: shape.effective,
            ..RecordType::of_fields(&shape.name, self.version, shape.fields)
        }
    }

    fn roles(&self, root: Table<'_>) -> Vec<Role> {
        let mut roles = Vec::new();
        for entry in root.table("roles").map_or_else(Vec::new, |table| table.entries()) {
            check_name(root.source, "a role", entry.name, entry.at);
            if let Some(table) = entry.table(root.source) {
                table.known("a role", &["doc"]);
                roles.push(Role { name: self.full(entry.name), doc: table.text_or_empty("doc") });
            }
        }
        roles
    }

    fn shapes(&self, root: Table<'t>) -> Vec<Shape<'t>> {
        let entries = root.table("types").map_or_else(Vec::new, |table| table.entries());
        if entries.is_empty() {
            root.fault("the module declares no record type: [types.<name>]");
        }
        let mut shapes = Vec::new();
        for entry in entries {
            check_name(self.source, "a record type", entry.name, entry.at);
            let Some(table) = entry.table(self.source) else {
                continue;
            };
            table.known("a record type", &TYPE_KEYS);
            let name = self.full(entry.name);
            let fields = self.fields_of_type(&table);
            let cells = self.cells(&table, &name);
            let authorise = self.role_names(&table, "authorise").unwrap_or_else(|| {
                table.fault("a record type needs \"authorise\": the roles that may append it");
                Vec::new()
            });
            let read = self.role_names(&table, "read").unwrap_or_default();
            let release = self.role_names(&table, "release").unwrap_or_else(|| authorise.clone());
            let accepts = self.accepts(&table);
            let effective = self.effective(&table, &fields);
            let short = entry.name.to_owned();
            shapes.push(Shape { short, name, table, fields, cells, authorise, read, release, accepts, effective });
        }
        shapes
    }

    /// The field that says when a record counts.
    fn effective(&self, table: &Table<'_>, fields: &[Field]) -> Option<usize> {
        let name = table.text("effective")?;
        let place = fields.iter().position(|field| field.name == name.value);
        let found = place.filter(|&place| matches!(fields[place].kind, FieldKind::Date | FieldKind::Timestamp));
        if found.is_none() {
            let known = fields.iter().map(|field| field.name.as_str());
            let message = match place {
                Some(_) => format!("the field \"{}\" is no date and no timestamp", name.value),
                None => format!("unknown field \"{}\"{}", name.value, suggestion(&name.value, known)),
            };
            let quoted = format!("\"{}\"", name.value);
            self.source.fault(name.span.start, message, quoted, "a field of the type, a date or a timestamp");
        }
        found
    }

    /// The types of other modules that may emit records of this one.
    fn accepts(&self, table: &Table<'_>) -> Vec<String> {
        let texts = table.texts("accepts").unwrap_or_default();
        for text in &texts {
            if !text.value.split('.').all(is_name) || text.value.split('.').count() != 2 {
                let found = format!("\"{}\"", text.value);
                self.source.fault(
                    text.span.start,
                    "a type of another module is named in full",
                    found,
                    "<module>.<type>",
                );
            }
        }
        texts.into_iter().map(|text| text.value).collect()
    }

    /// The full names of the roles that a key lists; `None` where it is left out.
    fn role_names(&self, table: &Table<'_>, key: &str) -> Option<Vec<String>> {
        let names = table.texts(key)?;
        let roles = &self.roles;
        let mut granted: Vec<String> = Vec::new();
        for name in names {
            let full = if name.value.contains('.') { name.value.clone() } else { self.full(&name.value) };
            let own = full.strip_prefix(&self.module).is_some_and(|rest| rest.starts_with('.'));
            if own && !roles.iter().any(|role| role.name == full) {
                let known = roles.iter().filter_map(|role| role.name.split_once('.').map(|(_, short)| short));
                let message = format!("unknown role \"{}\"{}", name.value, suggestion(&name.value, known));
                self.source.fault(
                    name.span.start,
                    message,
                    format!("\"{}\"", name.value),
                    "a role declared in this file as [roles.<name>]",
                );
            } else if granted.contains(&full) {
                self.source.fault(name.span.start, format!("the role \"{}\" stands here twice", name.value), "", "");
            } else if !full.split('.').all(is_name) || full.split('.').count() != 2 {
                self.source.fault(
                    name.span.start,
                    "a role is named <role> or <module>.<role>",
                    format!("\"{}\"", name.value),
                    "",
                );
            }
            granted.push(full);
        }
        Some(granted)
    }

    /// `<module>.<short>`.
    fn full(&self, short: &str) -> String {
        format!("{}.{short}", self.module)
    }
}

/// Whether a text is `[a-z][a-z0-9_]*` of at most 63 bytes.
fn is_name(name: &str) -> bool {
    // A code is two names and a point, at most 128 bytes (FORMAT.md section 5).
    name.len() <= 63
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Notes a name that is none.
fn check_name(source: &Source<'_>, what: &str, name: &str, at: usize) {
    if !is_name(name) {
        source.fault(at, format!("not a name for {what}"), format!("\"{name}\""), "[a-z][a-z0-9_]*, at most 63 bytes");
    }
}

#[cfg(test)]
mod tests;
