//! What a schema file declares, parsed and checked: the nouns of the language (design: modules are data).

mod cells;
mod endorse;
mod lookups;
mod rules;

use std::sync::Arc;

pub use cells::{
    BalanceType, Bound, CellKey, CellKind, CellType, CountType, HolderType, LifecycleType, SequenceOrder, SequenceType,
};
pub use endorse::Endorse;
pub use lookups::{Candidate, Lookup, LookupField, LookupSource};
pub use rules::{
    Allowed, Approval, EmitField, HolderFrom, HolderTo, MatchPair, Primitive, Rule, SequenceStep, Severity, Tally,
    TallyMethod, Versioned,
};

use super::expr::Expr;
use super::format::Format;
use super::scalar::OwnedScalar;

/// A module: one schema file, parsed and found consistent.
#[derive(Debug)]
pub struct Module {
    /// Name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// Version, from 1 (the built-in module: the semantics number).
    pub version: u64,
    /// One line for people.
    pub title: String,
    /// Roles, in the order declared.
    pub roles: Vec<Role>,
    /// Named values, in the order declared: `const.<name>` of expressions.
    pub constants: Vec<(String, OwnedScalar)>,
    /// Record types, in the order declared.
    pub types: Vec<Arc<RecordType>>,
    /// The text of the file.
    pub source: String,
}

/// A role: a named permission. Its full name is `<module>.<name>`.
#[derive(Debug, Clone)]
pub struct Role {
    /// Full name, `finance.controller`.
    pub name: String,
    /// What the role is for.
    pub doc: String,
}

/// A record type: a named, versioned shape and its rules.
#[derive(Debug)]
pub struct RecordType {
    /// Full name, `finance.transfer`.
    pub name: String,
    /// Version of the module that declares it.
    pub version: u64,
    /// What a record of it means.
    pub doc: String,
    /// Fields, in the order declared (the order of stored columns).
    pub fields: Vec<Field>,
    /// Cells that records of this type own, in the order declared.
    pub cells: Vec<Arc<CellType>>,
    /// Rules, in the order declared: the order of reasons.
    pub rules: Vec<Rule>,
    /// Named reads of state that its expressions may use, in the order declared. Their place is that of
    /// the values found, when an expression is evaluated.
    pub lookups: Vec<Lookup>,
    /// Full names of the roles that may append it; any one suffices.
    pub authorise: Vec<String>,
    /// Endorsements that a record of it may need, in the order declared.
    pub endorse: Vec<Endorse>,
    /// Full names of the roles that may read it. Declared and shown; enforced where records are private.
    pub read: Vec<String>,
    /// Full names of the roles that may release a held record of it; those of `authorise` where the file says nothing.
    pub release: Vec<String>,
    /// Full names of types of other modules that may emit records of it.
    pub accepts: Vec<String>,
    /// The field, a date or timestamp, that says when a record counts; `None`: when it was appended.
    pub effective: Option<usize>,
}

/// A named, typed place of a record.
#[derive(Debug, Clone)]
pub struct Field {
    /// Name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// Type and bounds.
    pub kind: FieldKind,
    /// Whether it must be present.
    pub required: bool,
    /// Whether equal values are found by postings (top-level scalar fields only).
    pub index: bool,
    /// What it means.
    pub doc: String,
    /// The field that names the person whose data this is: its value is not to be stored in the clear.
    pub private: Option<String>,
}

/// The type of a field, with its bounds.
#[derive(Debug, Clone)]
pub enum FieldKind {
    /// Text of at most `max` bytes of UTF-8, in a named format where one is given.
    Text {
        /// Bound in bytes.
        max: usize,
        /// Check digits and the like.
        format: Option<Format>,
    },
    /// One of these words.
    Enum(Vec<String>),
    /// A truth value.
    Bool,
    /// An integer within these bounds, both included.
    Int {
        /// Lower bound.
        min: i64,
        /// Upper bound.
        max: i64,
    },
    /// A decimal of at most `precision` digits, `scale` of them behind the point.
    Decimal {
        /// Digits in all, 1 to 28.
        precision: u8,
        /// Digits behind the point, 0 to `precision`.
        scale: u8,
    },
    /// An exact fraction, as text `n/d`: reduced, `d` > 0, both within ±(2^53−1).
    Fraction,
    /// A calendar date.
    Date,
    /// An instant, microseconds, UTC.
    Timestamp,
    /// Bytes, at least `min` and at most `max`.
    Bytes {
        /// Least length in bytes: that of a digest, 0 where a file declares the field.
        min: usize,
        /// Bound in bytes.
        max: usize,
    },
    /// A UUID, as lower-case text with hyphens.
    Uuid,
    /// A list of at most `max` items, each present.
    List {
        /// The items.
        item: Box<Field>,
        /// Bound.
        max: usize,
    },
    /// Named fields.
    Struct(Vec<Field>),
}

/// The stable code of a rejection, full (`finance.insufficient_funds`), and the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Full code.
    pub code: String,
    /// Message.
    pub message: String,
}

impl RecordType {
    /// A type of these fields, and nothing else.
    pub(crate) fn of_fields(name: &str, version: u64, fields: Vec<Field>) -> Self {
        RecordType {
            name: name.to_owned(),
            version,
            doc: String::new(),
            fields,
            cells: Vec::new(),
            rules: Vec::new(),
            lookups: Vec::new(),
            authorise: Vec::new(),
            endorse: Vec::new(),
            read: Vec::new(),
            release: Vec::new(),
            accepts: Vec::new(),
            effective: None,
        }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The values that identify a record of this type: those of its first `unique` rule.
    pub fn key(&self) -> Option<&[Expr]> {
        self.rules.iter().find_map(|rule| match &rule.primitive {
            Primitive::Unique { values, .. } => Some(values.as_slice()),
            _ => None,
        })
    }

    /// Whether every record that has the values of the key has the key: its rule has no `when`.
    pub fn key_is_total(&self) -> bool {
        let first = self.rules.iter().find(|rule| matches!(rule.primitive, Primitive::Unique { .. }));
        first.is_some_and(|rule| rule.when.is_none())
    }

    /// How records with a known key are its versions, if they are.
    pub fn versioned(&self) -> Option<Versioned> {
        self.rules.iter().find_map(|rule| match &rule.primitive {
            Primitive::Unique { versioned, .. } => *versioned,
            _ => None,
        })
    }

    /// Steps that a rule of the type takes for one record, at most: those of its expressions, for every item it runs over.
    pub fn cost(&self, rule: &Rule) -> u64 {
        let items = match rule.each.and_then(|list| self.fields.get(list)).map(|field| &field.kind) {
            Some(FieldKind::List { max, .. }) => *max as u64,
            _ => 1,
        };
        rule.expressions().fold(0u64, |cost, expr| cost.saturating_add(expr.cost())).saturating_mul(items)
    }

    /// Whether every rule is local.
    pub fn is_local(&self) -> bool {
        self.rules.iter().all(Rule::is_local)
    }
}

impl FieldKind {
    /// Whether it is a list or a struct.
    pub fn is_nested(&self) -> bool {
        matches!(self, FieldKind::List { .. } | FieldKind::Struct(_))
    }
}

impl Module {
    /// The record type of that full name.
    pub fn record_type(&self, name: &str) -> Option<&Arc<RecordType>> {
        self.types.iter().find(|declared| declared.name == name)
    }
}
