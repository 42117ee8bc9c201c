//! A tamper-evident, permissioned, typed ledger that is a library: one file, no server.
//!
//! A ledger is a list of transactions that only grows, and the state that follows from it. Modules, which are text files, declare record
//! types and their rules; every record is signed by its author, decided by the rules, and hashed into a Merkle log. A [receipt] proves one
//! record to somebody who has neither the ledger nor this engine: the crate `ledgerstone-verify` is enough.
//!
//! ```
//! use ledgerstone::model::Value;
//! use ledgerstone::{AuditOptions, Create, Error, Key, Verdict};
//!
//! let module = r#"
//!     [module]
//!     name = "tools"
//!     version = 1
//!     title = "Who has which tool"
//!
//!     [roles.keeper]
//!     doc = "Lends tools"
//!
//!     [types.tool]
//!     authorise = ["keeper"]
//!     [types.tool.fields]
//!     number = { type = "text", max = 16, required = true }
//!     name = { type = "text", max = 64, required = true }
//!     [[types.tool.rules]]
//!     unique = ["number"]
//!     code = "tool_exists"
//!     message = "a tool has this number"
//! "#;
//! let tool = |number: &str, name: &str| {
//!     let text = |text: &str| Value::Text(text.to_owned());
//!     Value::Object(vec![("number".to_owned(), text(number)), ("name".to_owned(), text(name))])
//! };
//!
//! // `at(path)` makes a file, and `Open` opens it again; this one ends with the process.
//! let key = Key::generate("keeper")?;
//! let ledger = Create::new("tools.example/shed", key).module(module, "tools.toml").in_memory()?;
//! let drill = ledger.append("tools.tool", tool("7", "drill"), None)?;
//!
//! // A refusal names its reason by a stable code, and leaves nothing.
//! let Err(Error::Rejected(refused)) = ledger.append("tools.tool", tool("7", "saw"), None) else { panic!() };
//! assert_eq!(refused.code, "tools.tool_exists");
//!
//! // Proof needs the receipt and the log's public keys; an audit stands behind everything else.
//! let verified = ledger.receipt(drill.row(0))?.verify(&ledger.verifier_keys()?)?;
//! assert_eq!(verified.index, drill.index);
//! let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) })?;
//! assert_eq!(report.verdict, Verdict::OkUpToSize);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Create`] makes a ledger and [`Open`] opens one: two verbs, so that a mistyped name makes nothing. [`Ledger`] has the rest: append,
//! query, prove, audit, export. Loads of any size take Arrow batches ([`Ledger::append_tables`]) or values ([`Ledger::append_values`]).
//! How modules are written is in `docs/SCHEMA.md`, every byte that is hashed or stored in `docs/FORMAT.md`.
//!
//! [receipt]: Ledger::receipt

pub mod codes;
pub mod files;
pub mod limits;

mod audit;
mod builder;
mod error;
mod execute;
mod export;
pub mod keys;
mod ledger;
pub mod log;
pub mod model;
pub mod query;
pub mod schema;
pub mod store;

pub use audit::{AuditOptions, AuditReport, Counts, Finding, Verdict};
pub use builder::{Create, Open};
pub use codes::{ErrorClass, ErrorCode};
pub use error::{Error, Misfit, Rejected, Result, Subject};
pub use export::ExportFormat;
pub use keys::{Key, LogKey, Passphrase};
pub use ledger::{
    Appended, Backup, BackupOptions, BackupProgress, Balance, CellNow, CellState, Doubt, Endorsed, ExportOptions,
    Grant, HeldRecord, HistoryRows, Join, Ledger, LoadOptions, LoadPart, LoadProgress, LoadReport, LogKeyPeriod,
    Member, MemberKey, ModuleInForce, ModuleLoaded, ModuleState, Moment, Past, Proposal, ProposeOptions, QueryRequest,
    QueryRows, RecordException, Revoked, Sources, Standing, StatementRequest, StatementRows, Stats, StoredRecord,
    ToldOfExceptions, ToldOfProgress, Trial, Tried, may_follow, parse_day, read_module,
};
