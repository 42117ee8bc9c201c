//! Modules are data: reading schema files, and everything that a record type decides about a record on its own.
//!
//! ```text
//! schema file --parse--> Module            Arrow table / dicts --check--> typed columns
//!                          |                                                   |
//!                          +--- Expr, Format, rules ---> stateless_failure <--Rows--> canonical record bytes
//! ```
//!
//! Nothing here reads a ledger, a clock or a random number: the result is a function of the schema and the rows alone.

mod amount;
mod cell_bytes;
mod cell_reasons;
pub mod check;
pub mod codec;
pub mod columns;
mod compat;
mod decimal_text;
mod describe;
pub mod error;
pub mod expr;
pub mod format;
pub mod module;
mod named;
pub mod parse;
mod private;
pub mod record;
pub mod scalar;
mod semantics;
pub mod stateless;
mod time;
mod widen;

pub(crate) use amount::Amount;
pub(crate) use check::Checker;
pub use check::{Checked, arrow_schema, from_arrow, from_values};
pub use columns::{FieldPath, Rows, field_at, lookup_path, path_values};
pub(crate) use columns::{column_scalars, resolve, scalar_kind};
pub use compat::{AddedKey, Compatibility, Demand, Incompatibility, compat};
pub use error::{RecordError, RowFailure, SchemaError, SchemaErrors, TableError};
pub use expr::{Endorser, Env, Expr, Found, Inputs, Needs};
pub use format::Format;
pub use module::{
    Allowed, Approval, BalanceType, Bound, Candidate, CellKey, CellKind, CellType, CountType, EmitField, Endorse,
    Field, FieldKind, HolderFrom, HolderTo, HolderType, LifecycleType, Lookup, LookupField, LookupSource, MatchPair,
    Module, Primitive, Reason, RecordType, Role, Rule, SequenceOrder, SequenceStep, SequenceType, Severity, Tally,
    TallyMethod, Versioned,
};
pub(crate) use named::Aspect;
pub use parse::{parse, parse_builtin, parse_with};
pub use record::from_record_bytes;
pub(crate) use record::named_type;
pub use scalar::{OwnedScalar, Scalar, ScalarKind};
pub(crate) use semantics::OF_NEW_LEDGERS;
pub use semantics::Semantics;
#[cfg(test)]
pub(crate) use semantics::injected;
pub(crate) use stateless::rule_failure;
pub use stateless::{StatelessFailure, stateless_failure};
pub(crate) use time::{parse_instant, write_instant};
pub(crate) use widen::widened;
