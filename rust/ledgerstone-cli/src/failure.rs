//! What ends a command early: one line on standard error, and an exit code.

use std::fmt::Display;
use std::io;
use std::path::Path;

use ledgerstone::store::StoreError;
use ledgerstone::{Error, codes};
use ledgerstone_verify::{Json, VerifyError, VerifyErrorKind};

use crate::table::json_line;

/// Refused: rejected, forbidden, or a schema file with errors; or what was asked for is not there.
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
    code: i32,
    /// The stable code of the error, where it has one (`ledgerstone errors` lists them).
    name: Option<String>,
    /// Empty: nothing is said (whoever read standard output has gone away).
    message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Failure { code: USAGE, name: None, message: message.to_string() }
    }

    pub(crate) fn other(message: impl Display) -> Self {
        Failure { code: OTHER, name: None, message: message.to_string() }
    }

    pub(crate) fn refused(message: impl Display) -> Self {
        Failure { code: REFUSED, name: None, message: message.to_string() }
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Error::from(StoreError::io(path, error)).into()
    }

    /// Refused, under a stable code.
    pub(crate) fn refused_with(name: &str, message: impl Display) -> Self {
        Failure { code: REFUSED, name: Some(name.to_owned()), message: message.to_string() }
    }

    /// Says it, and gives the exit code.
    pub(crate) fn report(&self, as_json: bool) -> i32 {
        let name = self.name.as_deref();
        if as_json && !self.message.is_empty() {
            let members = [
                ("code", name.map_or(Json::Null, |name| Json::Text(name.to_owned()))),
                ("message", Json::Text(self.message.clone())),
                ("exit", Json::Int(i64::from(self.code))),
            ];
            let error = Json::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec());
            eprintln!("{}", json_line(&Json::Object(vec![("error".to_owned(), error)])));
        } else if !self.message.is_empty() {
            // A refusal's words name its code.
            match name.filter(|name| !self.message.contains(name)) {
                Some(name) => eprintln!("error: {} [{name}]", self.message),
                None => eprintln!("error: {}", self.message),
            }
        }
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: code_of(&error), name: Some(error.code().to_owned()), message: error.to_string() }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let code = match error.kind() {
            VerifyErrorKind::ContentChanged => CONTENT_CHANGED,
            VerifyErrorKind::LinkBroken => LINK_BROKEN,
            VerifyErrorKind::UnverifiableVersion => UNVERIFIABLE_VERSION,
            VerifyErrorKind::Incomplete => INCOMPLETE,
            // Not trusted, malformed: nothing was found out about the log.
            _ => OTHER,
        };
        Failure { code, name: Some(error.kind().code().to_owned()), message: error.to_string() }
    }
}

/// Standard output failed. A reader that has gone away (`| head`) is no error worth a word.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { code: 0, name: None, message: String::new() },
            _ => Failure::other(format!("standard output: {error}")),
        }
    }
}

fn code_of(error: &Error) -> i32 {
    match error {
        Error::Rejected(_) | Error::Forbidden(_) => REFUSED,
        Error::Schema(misfit) if misfit.code == codes::NO_RECORD => REFUSED,
        Error::Stopped { source, .. } => code_of(source),
        _ => OTHER,
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
