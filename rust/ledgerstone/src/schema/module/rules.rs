//! Rules: what a record type demands of its records, and what they do.

use std::sync::Arc;

use super::{CellType, Reason};
use crate::schema::columns::Rows;
use crate::schema::expr::{Env, Expr, Needs};

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
    /// What a failure does to the record.
    pub severity: Severity,
    /// What its expressions need besides the record.
    pub(crate) needs: Needs,
}

/// What the failure of a rule does to the record. Rules with effects reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// It is rejected.
    #[default]
    Reject,
    /// It is stored without effects, until a release re-runs its rules.
    Hold,
    /// It is stored, its effects apply, and its outcome says so.
    Flag,
}

/// The primitives of this version of the language.
// Rules are few and live as long as their module: boxing the larger variants would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Primitive {
    /// An expression that must be true: `require`.
    Require(Expr),
    /// Per group, the sum is within the bounds (both included): `conserve`.
    Conserve {
        /// The name of the group whose sums run over the unit; `None`: over the items of the record alone.
        group: Option<String>,
        /// The summand: an int, a decimal or a fraction.
        sum: Expr,
        /// Grouping key.
        by: Vec<Expr>,
        /// Lower bound.
        low: crate::model::Decimal,
        /// Upper bound.
        high: crate::model::Decimal,
    },
    /// A date or timestamp within bounds: `window`.
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
    Unique {
        /// The values of the key.
        values: Vec<Expr>,
        /// Whether a record with a known key is its next version; only on the first `unique`.
        versioned: Option<Versioned>,
    },
    /// A record of one of these types with this key exists: `ref`.
    Ref {
        /// Full names of the types it may be of, tried in this order.
        targets: Vec<String>,
        /// Values of the target's first unique key.
        at: Vec<Expr>,
        /// Whether the link is only declared: existence is not checked.
        external: bool,
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
    /// Adds to or assigns parts of a balance cell, then checks its bounds: `balance`.
    Balance {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// (part, summand, negated).
        add: Vec<(usize, Expr, bool)>,
        /// (part, value), assigned after the summands are added.
        set: Vec<(usize, Expr)>,
        /// Whether bounds are checked at the end of the unit rather than after the rule.
        at_end: bool,
        /// Above which amount endorsers are needed.
        approval: Option<Approval>,
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
        /// Who may do it, where not everybody may.
        allowed: Option<Allowed>,
    },
    /// Steps a count cell: `count`.
    Count {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// The step, an int.
        step: Expr,
    },
    /// Looks at who holds something, and may pass it on: `holder`.
    Holder {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// Who must hold it now.
        from: HolderFrom,
        /// Who holds it afterwards.
        to: HolderTo,
        /// Who may do it, where not everybody may.
        allowed: Option<Allowed>,
    },
    /// A value follows the last one of a sequence: `sequence`.
    Sequence {
        /// The cell.
        cell: Arc<CellType>,
        /// Key values.
        at: Vec<Expr>,
        /// By values.
        by: Vec<Expr>,
        /// The value or the interval.
        step: SequenceStep,
    },
    /// Following the holders from `to` never meets `at`: `acyclic`. General.
    Acyclic {
        /// A holder cell whose key is one text: the parent of that child.
        cell: Arc<CellType>,
        /// The child.
        at: Expr,
        /// Its parent-to-be.
        to: Expr,
        /// How many steps are followed; more is a failure.
        depth: u32,
    },
    /// Makes a record of another type, caused by this one: `emit`.
    Emit {
        /// Full name of the type made.
        target: String,
        /// Its fields.
        set: Vec<EmitField>,
    },
    /// The record's counts are those of the records of a group: `tally`. General.
    Tally(Box<Tally>),
}

/// How records with a known key are its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versioned {
    /// Whether the effects of the version before are reversed before the new ones apply.
    pub replace: bool,
    /// The int field that numbers versions, as an index into the fields of the type.
    pub version: usize,
}

/// Above which amount a balance rule needs endorsers.
#[derive(Debug)]
pub struct Approval {
    /// The part that says it; where it is absent, no amount needs them.
    pub above: usize,
    /// Full names of roles, one of which each of them holds.
    pub roles: Vec<String>,
    /// How many.
    pub count: u32,
    /// Why it fails.
    pub reason: Reason,
}

/// Who may make a move.
#[derive(Debug)]
pub struct Allowed {
    /// Full names of roles, one of which the author holds.
    pub roles: Vec<String>,
    /// Why it fails.
    pub reason: Reason,
}

/// Who must hold a holder cell now.
// A rule holds one of these.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum HolderFrom {
    /// Nobody yet.
    Nobody,
    /// Whoever does; somebody does.
    Anybody,
    /// This text.
    Value(Expr),
}

/// Who holds a holder cell afterwards.
// A rule holds one of these.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum HolderTo {
    /// Whoever did.
    Same,
    /// Nobody: the cell is removed.
    Released,
    /// This text.
    Value(Expr),
}

/// What follows the last value of a sequence.
// A rule holds one of these.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum SequenceStep {
    /// One value, in the order of the cell; it is the last one from now on.
    Value(Expr),
    /// An interval that begins at the last value or later and is not empty; `to` is the last one from now on.
    Range {
        /// Where it begins.
        from: Expr,
        /// Where it ends.
        to: Expr,
    },
    /// The last one from now on, whatever was before.
    Reset(Expr),
}

/// A field of an emitted record.
#[derive(Debug)]
pub struct EmitField {
    /// Dotted path of names in the target.
    pub field: String,
    /// One expression: its value. Several: their texts, joined.
    pub value: Vec<Expr>,
}

/// How votes are counted, and what the record claims of it.
#[derive(Debug)]
pub struct Tally {
    /// Full name of the type of the votes.
    pub target: String,
    /// Which votes: (their indexed field, our value).
    pub group: Vec<(String, Expr)>,
    /// Their text field; a list of texts, where a vote is for several choices (approval, ranked, copeland).
    pub choice: String,
    /// Their number field, if votes have a weight.
    pub weight: Option<String>,
    /// How they are counted.
    pub method: TallyMethod,
    /// Our list of `{choice, votes}`, as an index into the fields of the type.
    pub counts: usize,
    /// Our text field that names the winner, if the record claims one.
    pub winner: Option<usize>,
}

/// How votes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TallyMethod {
    /// One vote, one choice.
    Plurality,
    /// One vote for each choice approved.
    Approval,
    /// The sum of weights.
    Weighted,
    /// The sum of the integer square roots of weights.
    Quadratic,
    /// Instant runoff.
    Ranked,
    /// Pairwise victories less defeats.
    Copeland,
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
    /// Whether it is decided by a record and inputs alone: it names no cell, no key, no other record of the unit.
    fn is_of_record(&self) -> bool {
        matches!(self, Primitive::Require(_) | Primitive::Window { .. } | Primitive::Conserve { group: None, .. })
    }

    /// Whether it touches only single cells and keys whose names and operands come from the record.
    fn is_local(&self) -> bool {
        !matches!(
            self,
            Primitive::Match { .. }
                | Primitive::Unique { versioned: Some(_), .. }
                | Primitive::Acyclic { .. }
                | Primitive::Emit { .. }
                | Primitive::Tally(_)
        )
    }

    /// Every expression, in the order in which it is evaluated.
    fn expressions(&self) -> Vec<&Expr> {
        match self {
            Primitive::Require(condition) => vec![condition],
            Primitive::Conserve { sum, by, .. } => std::iter::once(sum).chain(by).collect(),
            Primitive::Window { field, within, not_before, not_after } => {
                std::iter::once(field).chain(within).chain(not_before).chain(not_after).collect()
            }
            Primitive::Unique { values, .. } => values.iter().collect(),
            Primitive::Ref { at, .. } | Primitive::Match { at, .. } | Primitive::Lifecycle { at, .. } => {
                at.iter().collect()
            }
            Primitive::Close { at, by, .. } => at.iter().chain(by).collect(),
            Primitive::Open { at, by, set, .. } => {
                at.iter().chain(by).chain(set.iter().map(|(_, value)| value)).collect()
            }
            Primitive::Balance { at, by, add, set, .. } => {
                let summands = add.iter().map(|(_, summand, _)| summand);
                at.iter().chain(by).chain(summands).chain(set.iter().map(|(_, value)| value)).collect()
            }
            Primitive::Count { at, by, step, .. } => at.iter().chain(by).chain([step]).collect(),
            Primitive::Holder { at, by, from, to, .. } => {
                at.iter().chain(by).chain(from.value()).chain(to.value()).collect()
            }
            Primitive::Sequence { at, by, step, .. } => at.iter().chain(by).chain(step.values()).collect(),
            Primitive::Acyclic { at, to, .. } => vec![at, to],
            Primitive::Emit { set, .. } => set.iter().flat_map(|field| &field.value).collect(),
            Primitive::Tally(tally) => tally.group.iter().map(|(_, value)| value).collect(),
        }
    }
}

impl HolderFrom {
    fn value(&self) -> Option<&Expr> {
        if let HolderFrom::Value(value) = self { Some(value) } else { None }
    }
}

impl HolderTo {
    fn value(&self) -> Option<&Expr> {
        if let HolderTo::Value(value) = self { Some(value) } else { None }
    }
}

impl SequenceStep {
    pub(crate) fn values(&self) -> Vec<&Expr> {
        match self {
            SequenceStep::Value(value) | SequenceStep::Reset(value) => vec![value],
            SequenceStep::Range { from, to } => vec![from, to],
        }
    }
}

impl Rule {
    /// A rule of these parts.
    pub(crate) fn new(
        primitive: Primitive,
        each: Option<usize>,
        when: Option<Expr>,
        reason: Reason,
        severity: Severity,
    ) -> Self {
        let mut rule = Rule { primitive, each, when, reason, severity, needs: Needs::default() };
        rule.needs = rule.expressions().fold(Needs::default(), |needs, expr| needs.and(expr.needs()));
        rule
    }

    /// Every expression, `when` first.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.when.iter().chain(self.operands())
    }

    /// Every expression but `when`.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &Expr> {
        self.primitive.expressions().into_iter()
    }

    /// Whether its `when` is true; `None` where that has no value.
    pub(crate) fn applies(&self, rows: &Rows<'_>, row: usize, item: Option<usize>, env: &Env<'_>) -> Option<bool> {
        let Some(when) = &self.when else { return Some(true) };
        if when.is_true(rows, row, item, env) {
            return Some(true);
        }
        (!when.overflows(rows, row, item, env)).then_some(false)
    }

    /// What its expressions need besides the record. Roles that it demands of authors and endorsers are not counted: they are
    /// looked at where the rule is decided.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Whether it needs nothing but the record: `require`, `window` and `conserve` within the record, without inputs and lookups.
    pub fn is_stateless(&self) -> bool {
        self.primitive.is_of_record() && self.needs == Needs::default()
    }

    /// Whether it is decided by the record and inputs alone, and has no operation on state: what [`stateless_failure`] and its
    /// like evaluate, before signing or, where it [`is_dynamic`](Rule::is_dynamic) or does not reject, in DECIDE.
    ///
    /// [`stateless_failure`]: crate::schema::stateless_failure
    pub(crate) fn is_of_record(&self) -> bool {
        self.primitive.is_of_record()
    }

    /// Whether its expressions have values only where the record is decided: they need inputs or lookups.
    pub fn is_dynamic(&self) -> bool {
        self.needs != Needs::default()
    }

    /// Whether it touches only single cells and keys whose names and operands come from the record and the inputs (`local`);
    /// otherwise it is `general`.
    pub fn is_local(&self) -> bool {
        self.primitive.is_local() && !self.needs.lookups
    }
}
