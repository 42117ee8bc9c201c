//! The ledgerstone engine.
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
pub use error::{Error, Misfit, Rejected, Result};
pub use export::ExportFormat;
pub use keys::{Key, LogKey};
pub use ledger::{
    Appended, Balance, ExportOptions, Ledger, LoadOptions, LoadProgress, LoadReport, Member, ModuleInForce,
    QueryRequest, QueryRows, Sources, StoredRecord,
};
