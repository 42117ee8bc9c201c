//! The command `ledgerstone`: the verbs of the engine, for a terminal and for scripts.
//!
//! It is a library so that the Python wheel ships the same command as the binary does. One file a verb, under `verbs`; each of
//! them declares its arguments and runs them. Results go to standard output, everything else to standard error.
//!
//! # Exit codes
//!
//! | code | meaning |
//! | --: | --- |
//! | 0 | done; for `audit` also "ok up to size n" (no checkpoint from outside was given) |
//! | 1 | refused: a record was rejected, its author may not do this, a schema file has errors, or what was asked for is not there |
//! | 2 | the command line is wrong: a word of it, or a type, module, condition or format that does not exist |
//! | 3 | anything else: a file that is missing or in use, no space, input that is no JSON |
//! | 10 | storage corrupt |
//! | 11 | content changed |
//! | 12 | link broken: a root or a signature does not follow |
//! | 13 | truncated or rolled back, against a checkpoint that left the file |
//! | 14 | state differs from replay |
//! | 15 | unverifiable version: not an alarm, a newer build is needed |
//! | 16 | incomplete: something was not read |
//!
//! ```
//! let arguments = ["ledgerstone", "schema", "show", "finance"].map(str::to_owned);
//! assert_eq!(ledgerstone_cli::main(&arguments), 0);
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod failure;
mod input;
mod modules;
mod open;
mod output;
mod passphrase;
mod progress;
#[cfg(test)]
mod reference;
mod rejections;
mod rows;
mod table;
mod values;
mod verbs;

pub use arguments::main;
