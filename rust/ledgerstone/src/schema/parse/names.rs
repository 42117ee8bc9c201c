//! What expressions of a record type may name: constants, roles, lookups.

use std::cell::RefCell;

use super::links::Target;
use super::lookups::LookupDraft;
use crate::schema::columns::resolve;
use crate::schema::error::suggestion;
use crate::schema::expr::Scope;
use crate::schema::module::{CellKind, CellType, LookupField, Role};
use crate::schema::scalar::{OwnedScalar, ScalarKind};

/// The names of a module, and the lookups of one of its types.
pub(super) struct TypeScope<'r> {
    pub(super) module: &'r str,
    pub(super) constants: &'r [(String, OwnedScalar)],
    pub(super) roles: &'r [Role],
    pub(super) lookups: &'r [LookupDraft],
}

/// What a lookup reads, as far as its fields are named.
pub(super) enum LookupShape {
    Record(Target),
    Cell(std::sync::Arc<CellType>),
}

/// The fields of a lookup that expressions named so far.
pub(super) type NamedFields = RefCell<Vec<LookupField>>;

impl Scope for TypeScope<'_> {
    fn constant(&self, name: &str) -> Result<OwnedScalar, String> {
        match self.constants.iter().find(|(known, _)| known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => {
                let near = suggestion(name, self.constants.iter().map(|(known, _)| known.as_str()));
                Err(format!("unknown constant `{name}`{near}"))
            }
        }
    }

    fn role(&self, name: &str) -> Result<String, String> {
        let full = if name.contains('.') { name.to_owned() } else { format!("{}.{name}", self.module) };
        let own = full.strip_prefix(self.module).is_some_and(|rest| rest.starts_with('.'));
        if own && !self.roles.iter().any(|role| role.name == full) {
            let known = self.roles.iter().filter_map(|role| role.name.split_once('.').map(|(_, short)| short));
            return Err(format!("unknown role '{name}'{}", suggestion(name, known)));
        }
        Ok(full)
    }

    fn lookup(&self, name: &str) -> Option<(usize, Option<usize>)> {
        self.lookups.iter().position(|lookup| lookup.name == name).map(|place| (place, self.lookups[place].each))
    }

    fn lookup_names(&self) -> Vec<&str> {
        self.lookups.iter().map(|lookup| lookup.name.as_str()).collect()
    }

    fn found(&self, lookup: usize, path: &str) -> Result<(usize, ScalarKind), String> {
        let lookup = &self.lookups[lookup];
        let kind = lookup.kind_of(path)?;
        let mut fields = lookup.fields.borrow_mut();
        let place = fields.iter().position(|field| field.name == path).unwrap_or_else(|| {
            fields.push(LookupField { name: path.to_owned(), kind });
            fields.len() - 1
        });
        Ok((place, kind))
    }
}

impl LookupDraft {
    /// The kind of a field of what is looked up.
    fn kind_of(&self, path: &str) -> Result<ScalarKind, String> {
        match &self.shape {
            LookupShape::Record(target) => {
                let words: Vec<&str> = path.split('.').collect();
                if target.is_private(path) {
                    return Err(format!("`{path}` of {} is private: no rule sees it", target.name));
                }
                let kind = resolve(&target.fields, &words)
                    .and_then(|(field, _)| crate::schema::columns::scalar_kind(&field.kind));
                kind.ok_or_else(|| {
                    let names = target.fields.iter().map(|field| field.name.as_str());
                    format!("{} has no scalar field `{path}`{}", target.name, suggestion(path, names))
                })
            }
            LookupShape::Cell(cell) => {
                let known = cell_fields(cell);
                known.iter().find(|(name, _)| *name == path).map(|(_, kind)| *kind).ok_or_else(|| {
                    let near = suggestion(path, known.iter().map(|(name, _)| *name));
                    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                    format!("{}.{} has no `{path}`{near}; it has {}", cell.owner, cell.name, names.join(", "))
                })
            }
        }
    }
}

/// What can be read of a cell.
fn cell_fields(cell: &CellType) -> Vec<(&str, ScalarKind)> {
    match &cell.kind {
        CellKind::Balance(balance) => balance.parts.iter().map(|part| (part.as_str(), ScalarKind::Decimal)).collect(),
        CellKind::Count(_) => vec![("count", ScalarKind::Int)],
        CellKind::Lifecycle(_) => vec![("state", ScalarKind::Text)],
        CellKind::Holder(_) => vec![("holder", ScalarKind::Text)],
        CellKind::Sequence(sequence) => vec![("last", sequence.kind)],
    }
}
