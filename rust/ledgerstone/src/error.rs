//! Everything that can go wrong, in the classes that a caller tells apart.

use crate::keys::KeyFileError;
use crate::schema::{SchemaErrors, TableError};
use crate::store::StoreError;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record or transaction was refused by a rule: an expected outcome.
    #[error("{0}")]
    Rejected(Box<Rejected>),
    /// Its author may not do this.
    #[error("{0}")]
    Forbidden(Box<Rejected>),
    /// A schema file, or a table that does not fit its record type.
    #[error("{0}")]
    Schema(String),
    /// Evidence or stored bytes do not verify.
    #[error("{0}")]
    Verification(String),
    /// The store or a file failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A key file.
    #[error("{0}")]
    KeyFile(#[from] KeyFileError),
    /// A value over a bound.
    #[error("{what} is {value}; the limit {limit} is {bound}")]
    Limit {
        /// What was measured.
        what: String,
        /// Its value.
        value: u64,
        /// Name of the bound.
        limit: &'static str,
        /// The bound.
        bound: u64,
    },
    /// A load stopped midway; what was committed stays.
    #[error(
        "{source}; {rows} rows before that are done, in {transactions} transactions: a load with an id goes on from there when the same call is repeated"
    )]
    Stopped {
        /// Why.
        source: Box<Error>,
        /// Rows done with.
        rows: u64,
        /// Transactions committed.
        transactions: u64,
    },
    /// The caller asked to stop.
    #[error("interrupted{0}")]
    Interrupted(String),
    /// Something that must not happen: nothing was logged.
    #[error("fault: {0}; nothing was logged")]
    Fault(String),
}

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Stable name of the reason.
    pub code: String,
    /// In words.
    pub message: String,
    /// The record type.
    pub record_type: String,
    /// Which of the records handed over, from 0.
    pub row: u64,
    /// Dotted path of the field, where one field is the reason.
    pub field: Option<String>,
    /// Name of the cell, where state is the reason.
    pub cell: Option<String>,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} row {}", self.record_type, self.row)?;
        if let Some(field) = &self.field {
            write!(f, ", field {field}")?;
        }
        write!(f, ": {}: {}", self.code, self.message)?;
        match &self.cell {
            Some(cell) => write!(f, " (cell {cell})"),
            None => Ok(()),
        }
    }
}

impl From<SchemaErrors> for Error {
    fn from(errors: SchemaErrors) -> Self {
        Error::Schema(errors.to_string())
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Error::Schema(error.to_string())
    }
}

/// Result of the engine.
pub type Result<T> = std::result::Result<T, Error>;
