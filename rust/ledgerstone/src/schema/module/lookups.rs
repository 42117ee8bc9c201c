//! Lookups: named reads of state that the expressions of a record type may use.

use std::sync::Arc;

use super::CellType;
use crate::schema::expr::Expr;
use crate::schema::scalar::ScalarKind;

/// A named read of state. Its candidates are tried in order until one is there; its keys use the record, constants and inputs,
/// never another lookup.
#[derive(Debug)]
pub struct Lookup {
    /// Name, as expressions write it: `<name>.<field>`.
    pub name: String,
    /// The list over whose items the keys run, as an index into the fields of the type; one read per item.
    pub each: Option<usize>,
    /// What is read.
    pub source: LookupSource,
    /// Where it is looked for. A candidate one of whose values is absent is not there.
    pub candidates: Vec<Candidate>,
    /// What expressions of the type read of it, in the order of first use: the values of a [`Found`](crate::schema::Found).
    pub fields: Vec<LookupField>,
}

/// What a lookup reads.
#[derive(Debug)]
pub enum LookupSource {
    /// The newest version of the record of that type (full name) by its key.
    Record(String),
    /// A cell of this or of a loaded module.
    Cell(Arc<CellType>),
}

/// One place to look: the values of the record's key, or of the cell's name.
#[derive(Debug)]
pub struct Candidate {
    /// Key values.
    pub at: Vec<Expr>,
    /// By values; none for a record.
    pub by: Vec<Expr>,
}

/// A value of what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupField {
    /// A dotted path of the record, or of a cell: the name of a part, `state`, `holder`, `count`, `last`.
    pub name: String,
    /// The kind of its value.
    pub kind: ScalarKind,
}
