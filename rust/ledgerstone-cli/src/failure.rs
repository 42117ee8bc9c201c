//! What ends a command early: an error on standard error, what to do about it, and an exit code.

use std::fmt::Display;
use std::io;
use std::path::Path;

use ledgerstone::codes::{self, ErrorClass};
use ledgerstone::store::StoreError;
use ledgerstone::{Error, Subject};
use ledgerstone_verify::{Json, VerifyError};

use crate::table::{json_line, number, text};

/// Refused: rejected, forbidden, a schema file with errors, or what was asked for is not there.
pub(crate) const REFUSED: i32 = 1;
/// The command line is wrong.
pub(crate) const USAGE: i32 = 2;
/// Anything else.
pub(crate) const OTHER: i32 = 3;
/// Verdicts, in the order in which the first that holds is given.
pub(crate) const STORAGE_CORRUPT: i32 = 10;
pub(crate) const CONTENT_CHANGED: i32 = 11;
pub(crate) const LINK_BROKEN: i32 = 12;
pub(crate) const TRUNCATED: i32 = 13;
pub(crate) const STATE_DIFFERS: i32 = 14;
pub(crate) const UNVERIFIABLE_VERSION: i32 = 15;
pub(crate) const INCOMPLETE: i32 = 16;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The stable code (`ledgerstone errors` lists them), which decides the exit code.
    code: String,
    /// Empty: nothing is said (whoever read standard output has gone away).
    message: String,
    subject: Box<Subject>,
}

impl Failure {
    /// An error of the catalogue.
    pub(crate) fn new(code: &'static str, message: impl Display) -> Self {
        Failure { code: code.to_owned(), message: message.to_string(), subject: Box::default() }
    }

    /// A word of the command line that is not in its form.
    pub(crate) fn usage(message: impl Display) -> Self {
        Failure::new(codes::BAD_ARGUMENT, message)
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Error::from(StoreError::io(path, error)).into()
    }

    /// Says it, and gives the exit code.
    pub(crate) fn report(&self, as_json: bool) -> i32 {
        let remedy = codes::entry(&self.code).map(|entry| entry.remedy);
        if self.message.is_empty() {
            return 0;
        }
        let exit = exit_of(&self.code);
        if as_json {
            let Subject { file, line, row, field } = &*self.subject;
            let members = [
                ("code", Some(text(&self.code))),
                ("message", Some(text(&self.message))),
                ("help", remedy.map(text)),
                ("file", file.as_ref().map(text)),
                ("line", line.map(number)),
                ("row", row.map(number)),
                ("field", field.as_ref().map(text)),
                ("exit", Some(Json::Int(i64::from(exit)))),
            ];
            let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            eprintln!("{}", json_line(&Json::Object(vec![("error".to_owned(), Json::Object(given.collect()))])));
            return exit;
        }
        // A refusal's words name its code.
        if self.message.contains(&self.code) {
            eprintln!("error: {}", self.message);
        } else {
            eprintln!("error: {} [{}]", self.message, self.code);
        }
        if let Some(remedy) = remedy {
            eprintln!("help: {remedy}");
        }
        exit
    }
}

/// The exit code of an error: one for each code, wherever it is raised.
fn exit_of(code: &str) -> i32 {
    match code {
        codes::BAD_ARGUMENT
        | codes::BAD_CONDITION
        | codes::BAD_ID
        | codes::BAD_MEANING
        | codes::BAD_MEMBER
        | codes::BAD_MOMENT
        | codes::OWN_FILE
        | codes::UNKNOWN_FILE_FORMAT
        | codes::UNKNOWN_MODULE
        | codes::UNKNOWN_TYPE
        | codes::WRONG_KEY_VALUES => USAGE,
        codes::NO_RECORD | codes::RESTORE_REFUSED | codes::SCHEMA_FILE => REFUSED,
        codes::STORAGE_CORRUPT | codes::STORAGE_DAMAGED => STORAGE_CORRUPT,
        codes::CONTENT_CHANGED => CONTENT_CHANGED,
        codes::LINK_BROKEN => LINK_BROKEN,
        codes::TRUNCATED => TRUNCATED,
        codes::STATE_DIFFERS => STATE_DIFFERS,
        codes::UNVERIFIABLE_VERSION => UNVERIFIABLE_VERSION,
        codes::EVIDENCE_INCOMPLETE => INCOMPLETE,
        // A code that the catalogue does not have is a module's, and refuses.
        code => match codes::entry(code).map(|entry| entry.class) {
            None | Some(ErrorClass::Rejected | ErrorClass::Forbidden) => REFUSED,
            Some(_) => OTHER,
        },
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: error.code().to_owned(), message: error.to_string(), subject: Box::new(error.subject()) }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Failure::new(error.kind().code(), error)
    }
}

/// Standard output failed. A reader that has gone away (`| head`) is no error worth a word.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(codes::FILE_FAILED, ""),
            _ => Failure::new(codes::FILE_FAILED, format!("standard output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_exit_code() {
        for (code, exit) in [
            (codes::UNKNOWN_TYPE, USAGE),
            (codes::MISSING_FIELD, REFUSED),
            (codes::FORBIDDEN, REFUSED),
            ("finance.insufficient_funds", REFUSED),
            (codes::NO_LEDGER, OTHER),
            (codes::STORAGE_DAMAGED, STORAGE_CORRUPT),
            (codes::CONTENT_CHANGED, CONTENT_CHANGED),
            (codes::NOT_TRUSTED, OTHER),
        ] {
            assert_eq!(exit_of(code), exit, "{code}");
        }
    }
}
