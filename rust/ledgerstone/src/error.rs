//! Everything that can go wrong, in the classes that a caller tells apart.

use std::path::Path;

use ledgerstone_verify::VerifyError;

use crate::codes::{self, ErrorClass};
use crate::keys::KeyFileError;
use crate::schema::{SchemaErrors, Semantics, TableError};
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
    /// A schema file, or data or a request that does not have the shape that is asked for.
    #[error("{0}")]
    Schema(Box<Misfit>),
    /// Evidence or stored bytes do not verify.
    #[error("{message}")]
    Verification {
        /// Stable name of the reason.
        code: &'static str,
        /// What was found, for people.
        message: String,
        /// The file of evidence, where one was read.
        file: Option<String>,
    },
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
    /// Evaluating the rules of a module panicked, now or since the ledger was opened: nothing was logged.
    #[error(
        "fault in the module {module}: {why}; nothing was logged. Its records are refused here until the ledger is opened again, all other modules go on; report the fault, and suspend the module with ledger.suspend where it lasts"
    )]
    ModuleFault {
        /// The module.
        module: String,
        /// What the fault said.
        why: String,
    },
    /// Something that must not happen: nothing was logged.
    #[error("fault: {0}; nothing was logged")]
    Fault(String),
}

impl Error {
    /// A schema file, or data or a request that does not fit.
    pub fn schema(code: &'static str, message: impl Into<String>) -> Self {
        Error::Schema(Box::new(Misfit { code, message: message.into(), ..Misfit::default() }))
    }

    /// Evidence or stored bytes that do not verify.
    pub fn verification(code: &'static str, message: impl Into<String>) -> Self {
        Error::Verification { code, message: message.into(), file: None }
    }

    /// Evidence in a file that does not verify.
    pub fn evidence(file: &Path, error: &VerifyError) -> Self {
        let file = file.display().to_string();
        Error::Verification { code: error.kind().code(), message: format!("{file}: {error}"), file: Some(file) }
    }

    /// The same, about a file: its message names it, too.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        let shown = path.display().to_string();
        if let Error::Schema(misfit) = &mut self {
            name_file(&mut misfit.message, &shown);
            misfit.file = Some(shown);
        } else if let Error::Verification { message, file, .. } = &mut self {
            name_file(message, &shown);
            *file = Some(shown);
        }
        self
    }

    /// The same, about a field: its message names it already.
    #[must_use]
    pub(crate) fn about(mut self, field: &str) -> Self {
        if let Error::Schema(misfit) = &mut self {
            misfit.field = Some(field.to_owned());
        }
        self
    }

    /// Stored bytes that are not what was written.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Error::verification(codes::CONTENT_CHANGED, message)
    }

    /// Written under a semantics that this build does not execute.
    pub(crate) fn of_later_semantics(semantics: u64) -> Self {
        let executed = Semantics::executed_in_words();
        let message = format!("the ledger is of semantics {semantics}, and this build executes {executed}");
        Error::verification(codes::UNVERIFIABLE_VERSION, message)
    }

    /// The stable code of what happened: an entry of [`codes::CATALOGUE`], or a module's own.
    pub fn code(&self) -> &str {
        match self {
            Error::Rejected(rejected) | Error::Forbidden(rejected) => &rejected.code,
            Error::Schema(misfit) => misfit.code,
            Error::Verification { code, .. } => code,
            Error::Store(error) => error.code(),
            Error::KeyFile(error) => error.code(),
            Error::Limit { limit, .. } => codes::of_limit(limit),
            Error::Stopped { source, .. } => source.code(),
            Error::Interrupted(_) => codes::INTERRUPTED,
            Error::Fault(_) => codes::FAULT,
            Error::ModuleFault { .. } => codes::MODULE_FAULT,
        }
    }

    /// What to do about it, as the catalogue says; `None` for a module's own code, whose message says so itself.
    pub fn remedy(&self) -> Option<&'static str> {
        codes::entry(self.code()).map(|entry| entry.remedy)
    }

    /// What it is about, as far as it names it.
    pub fn subject(&self) -> Subject {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Error::Rejected(rejected) | Error::Forbidden(rejected) => {
                Subject { row: rejected.row(), field: rejected.field.clone(), ..Subject::default() }
            }
            Error::Schema(misfit) => {
                let Misfit { file, line, field, .. } = (**misfit).clone();
                Subject { file, line, field, ..Subject::default() }
            }
            Error::Verification { file, .. } => Subject { file: file.clone(), ..Subject::default() },
            Error::Store(error) => Subject { file: error.path().map(shown), ..Subject::default() },
            Error::KeyFile(error) => Subject { file: error.path().map(shown), ..Subject::default() },
            Error::Stopped { source, .. } => source.subject(),
            _ => Subject::default(),
        }
    }

    /// The class that it belongs to.
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Rejected(_) => ErrorClass::Rejected,
            Error::Forbidden(_) => ErrorClass::Forbidden,
            Error::Schema(_) => ErrorClass::Schema,
            Error::Verification { .. } => ErrorClass::Verification,
            Error::Store(_) | Error::KeyFile(_) => ErrorClass::Store,
            Error::Limit { .. } => ErrorClass::Limit,
            Error::Stopped { source, .. } => source.class(),
            Error::Interrupted(_) | Error::Fault(_) | Error::ModuleFault { .. } => ErrorClass::Fault,
        }
    }
}

fn name_file(message: &mut String, file: &str) {
    if !message.contains(file) {
        *message = format!("{file}: {message}");
    }
}

/// What an error is about; each is absent where the error is not about one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The file.
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: Option<u64>,
    /// Which of the records handed over, from 0.
    pub row: Option<u64>,
    /// Dotted path of the field or column.
    pub field: Option<String>,
}

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Stable name of the reason.
    pub code: String,
    /// In words.
    pub message: String,
    /// The record type; empty where the call as a whole is refused, whatever its records.
    pub record_type: String,
    /// Which of the records handed over, from 0.
    pub row: u64,
    /// Dotted path of the field that is the reason: `legs[1].amount`, or `legs.amount` where it may be that of any item. Where a rule
    /// looks at several fields, those, in the order of the record, with `, ` between.
    pub field: Option<String>,
    /// Name of the cell, where state is the reason.
    pub cell: Option<String>,
}

impl Rejected {
    /// Which of the records handed over, from 0, where one is the reason.
    pub fn row(&self) -> Option<u64> {
        (!self.record_type.is_empty()).then_some(self.row)
    }

    /// What stands behind the name of the record: `, field amount: finance.insufficient_funds: … (cell …)`.
    pub fn told(&self) -> String {
        let field = self.field.as_ref().map_or(String::new(), |field| {
            let word = if field.contains(", ") { "fields" } else { "field" };
            format!(", {word} {field}")
        });
        let cell = self.cell.as_ref().map_or(String::new(), |cell| format!(" (cell {cell})"));
        format!("{field}: {}: {}{cell}", self.code, self.message)
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.row() {
            Some(row) => write!(f, "{} row {row}{}", self.record_type, self.told()),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

/// What does not have the shape that is asked for. The message names the place; the fields are for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfit {
    /// Stable name of the reason.
    pub code: &'static str,
    /// In words, with file, line and field.
    pub message: String,
    /// The file, where one is the reason.
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: Option<u64>,
    /// Dotted path of the field or column, where one is the reason.
    pub field: Option<String>,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SchemaErrors> for Error {
    fn from(errors: SchemaErrors) -> Self {
        let first = errors.0.first();
        Error::Schema(Box::new(Misfit {
            code: codes::SCHEMA_FILE,
            message: errors.to_string(),
            file: first.map(|error| error.file.clone()),
            line: first.map(|error| error.line as u64),
            field: None,
        }))
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        let field = (!error.column.is_empty()).then_some(error.column);
        Error::Schema(Box::new(Misfit { code: error.code, message: error.message, field, ..Misfit::default() }))
    }
}

/// Result of the engine.
pub type Result<T> = std::result::Result<T, Error>;
