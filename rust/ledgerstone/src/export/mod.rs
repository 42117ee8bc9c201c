//! The audit trail as a table: every record with who signed it, when, where it stands, its leaf hash and its outcome, written to
//! Arrow IPC or Parquet as it is read.

mod sink;
mod trail;

pub use sink::ExportFormat;
pub(crate) use sink::Sink;
pub(crate) use trail::{TrailRow, TransactionFacts, trail_batch, trail_schema};
