//! What a schema file declares, parsed and checked: the nouns of the language (design: modules are data).

use std::sync::Arc;

use super::expr::Expr;
use super::format::Format;

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
    /// Full names of the roles that may append it; any one suffices.
    pub authorise: Vec<String>,
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
    /// A calendar date.
    Date,
    /// An instant, microseconds, UTC.
    Timestamp,
    /// Bytes, at most `max`.
    Bytes {
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

/// A kind of cell that a record type owns. Its full name is `<type>` and `name`.
#[derive(Debug)]
pub struct CellType {
    /// Full name of the owning type, `finance.account`.
    pub owner: String,
    /// Name within the type, `balance`.
    pub name: String,
    /// What it holds.
    pub kind: CellKind,
}

/// What a cell holds.
#[derive(Debug)]
pub enum CellKind {
    /// Decimal parts under linear bounds; opened before it is used.
    Balance(BalanceType),
    /// A state out of a closed set.
    Lifecycle(LifecycleType),
}

/// A balance cell: named decimal parts, all at one scale, and the bounds over them.
#[derive(Debug)]
pub struct BalanceType {
    /// Names of the parts, in the order declared.
    pub parts: Vec<String>,
    /// Digits behind the point that every part can hold.
    pub scale: u8,
    /// Bounds, in the order declared.
    pub bounds: Vec<Bound>,
    /// The part that says how many digits behind the point an operand may have in this cell, if any.
    pub digits: Option<usize>,
    /// Code where the cell was never opened.
    pub missing: Reason,
    /// Code where an operand has more digits than `digits` allows.
    pub too_precise: Reason,
}

/// `sum of coefficient × part >= 0`; holds where a part it names is absent.
#[derive(Debug, Clone)]
pub struct Bound {
    /// (index of the part, coefficient), sorted by part.
    pub terms: Vec<(usize, i64)>,
    /// Why it matters.
    pub reason: Reason,
}

/// A lifecycle: states, the one a cell is in before any record moved it (if that is allowed), and the moves.
#[derive(Debug)]
pub struct LifecycleType {
    /// State names.
    pub states: Vec<String>,
    /// State of a cell that no record has touched; `None`: it must be opened by a move `from = []`.
    pub initial: Option<u8>,
    /// Code where the cell does not exist.
    pub missing: Reason,
}

/// The stable code of a rejection, full (`finance.insufficient_funds`), and the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Full code.
    pub code: String,
    /// Message.
    pub message: String,
}

/// One rule of a record type.
#[derive(Debug)]
pub struct Rule {
    /// What it demands or does.
    pub primitive: Primitive,
    /// The list field whose items it runs over, as an index into the fields of the type.
    pub each: Option<usize>,
    /// The rule is skipped where this is not true.
    pub when: Option<Expr>,
    /// The reason given when it fails (balance rules: see also the cell's own).
    pub reason: Reason,
}

/// The primitives of this version of the language.
// Rules are few and live as long as their module: boxing the larger variants would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Primitive {
    /// An expression that must be true: `require`. Stateless.
    Require(Expr),
    /// Per group, the sum over the items is within the bounds (both included): `conserve`. Stateless.
    Conserve {
        /// The summand, a decimal.
        sum: Expr,
        /// Grouping key.
        by: Vec<Expr>,
        /// Lower bound.
        low: crate::model::Decimal,
        /// Upper bound.
        high: crate::model::Decimal,
    },
    /// A date or timestamp within bounds: `window`. Stateless.
    Window {
        /// The field looked at.
        field: Expr,
        /// The calendar period (text of format `period`) it falls in.
        within: Option<Expr>,
        /// Not before this.
        not_before: Option<Expr>,
        /// Not after this.
        not_after: Option<Expr>,
    },
    /// These values were not seen together before in a record of this type; skipped where one is absent: `unique`.
    Unique(Vec<Expr>),
    /// A record of that type with this key exists: `ref`.
    Ref {
        /// Full name of the referenced type.
        target: String,
        /// Values of the target's first unique key.
        at: Vec<Expr>,
    },
    /// Fields equal those of a referenced record: `match`. General.
    Match {
        /// Full name of the referenced type.
        target: String,
        /// Values of the target's first unique key.
        at: Vec<Expr>,
        /// (path in the referenced record, path in this one, negated). A path `legs.amount` through a list is compared item by item.
        pairs: Vec<MatchPair>,
        /// Code where no such record exists.
        missing: Reason,
    },
    /// Opens a balance cell with these parts: `open`.
    Open {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values, by values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// (part, value); parts not named are absent.
        set: Vec<(usize, Expr)>,
    },
    /// Adds to parts of a balance cell, then checks its bounds: `balance`.
    Balance {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// (part, summand, negated).
        add: Vec<(usize, Expr, bool)>,
        /// Whether bounds are checked at the end of the unit rather than after the rule.
        at_end: bool,
    },
    /// Removes a balance cell, all of whose `zero` parts must be zero: `close`.
    Close {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// Parts that must be zero.
        zero: Vec<usize>,
    },
    /// A lifecycle cell is in one of `from`; `to` moves it: `lifecycle`.
    Lifecycle {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// States allowed, as a bit set; empty: the cell must not exist yet.
        from: u64,
        /// State afterwards; `None`: it only looks.
        to: Option<u8>,
    },
}

/// One pair of fields that `match` compares.
#[derive(Debug, Clone)]
pub struct MatchPair {
    /// Dotted path in the referenced record.
    pub theirs: String,
    /// Dotted path in this record.
    pub ours: String,
    /// Whether ours is theirs, negated.
    pub negated: bool,
}

impl Primitive {
    /// Whether the rule needs nothing but the record.
    pub fn is_stateless(&self) -> bool {
        matches!(self, Primitive::Require(_) | Primitive::Conserve { .. } | Primitive::Window { .. })
    }

    /// Whether it touches only single cells whose names and operands come from the record (design: `local`); otherwise it is `general`.
    pub fn is_local(&self) -> bool {
        !matches!(self, Primitive::Match { .. })
    }
}

impl Rule {
    /// Every expression of a stateful rule, `when` first.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let (keys, summands): (Vec<&[Expr]>, Vec<&Expr>) = match &self.primitive {
            Primitive::Unique(at) | Primitive::Ref { at, .. } | Primitive::Match { at, .. } => (vec![at], Vec::new()),
            Primitive::Lifecycle { at, .. } => (vec![at], Vec::new()),
            Primitive::Close { at, by, .. } => (vec![at, by], Vec::new()),
            Primitive::Open { at, by, set, .. } => (vec![at, by], set.iter().map(|(_, value)| value).collect()),
            Primitive::Balance { at, by, add, .. } => {
                (vec![at, by], add.iter().map(|(_, summand, _)| summand).collect())
            }
            Primitive::Require(_) | Primitive::Conserve { .. } | Primitive::Window { .. } => (Vec::new(), Vec::new()),
        };
        self.when.iter().chain(keys.into_iter().flatten()).chain(summands)
    }
}

impl RecordType {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The values that identify a record of this type: those of its first `unique` rule.
    pub fn key(&self) -> Option<&[Expr]> {
        self.rules.iter().find_map(|rule| match &rule.primitive {
            Primitive::Unique(values) => Some(values.as_slice()),
            _ => None,
        })
    }

    /// Whether every record that has the values of the key has the key: its rule has no `when`.
    pub fn key_is_total(&self) -> bool {
        let first = self.rules.iter().find(|rule| matches!(rule.primitive, Primitive::Unique(_)));
        first.is_some_and(|rule| rule.when.is_none())
    }

    /// Whether every rule is local.
    pub fn is_local(&self) -> bool {
        self.rules.iter().all(|rule| rule.primitive.is_local())
    }
}

impl Module {
    /// The record type of that full name.
    pub fn record_type(&self, name: &str) -> Option<&Arc<RecordType>> {
        self.types.iter().find(|declared| declared.name == name)
    }
}
