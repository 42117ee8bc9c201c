//! What a ledger tells of itself while it works: rare, notable, and never needed to use it.

use std::fmt;
use std::sync::Arc;

/// Something notable. [`fmt::Display`] gives it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It was opened for reading only, although it was not asked to be.
    OpenedReadOnly {
        /// What is missing.
        why: String,
    },
    /// Opening for writing found a write-ahead log: the last writer did not close it, or readers are there. What it holds is whole
    /// transactions; they are kept, and what was not committed is gone.
    WalFound {
        /// Its length.
        bytes: u64,
    },
    /// The clock stands before the time of the last transaction, which new ones are given instead. Told once, until the clock is right.
    ClockBehind {
        /// How far.
        seconds: u64,
    },
    /// A module came into force.
    ModuleLoaded {
        /// Its name.
        name: String,
        /// Its version.
        version: u64,
        /// The transaction.
        index: u64,
    },
    /// A load ended before its rows did.
    LoadStopped {
        /// The record type.
        record_type: String,
        /// Rows that are done.
        rows: u64,
        /// Transactions that hold them.
        transactions: u64,
        /// The error.
        why: String,
    },
    /// Making a transaction durable took longer than [`SLOW_COMMIT`](crate::limits::SLOW_COMMIT).
    SlowCommit {
        /// The transaction.
        index: u64,
        /// How long.
        millis: u64,
    },
}

impl Event {
    /// A stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Event::OpenedReadOnly { .. } => "opened_read_only",
            Event::WalFound { .. } => "wal_found",
            Event::ClockBehind { .. } => "clock_behind",
            Event::ModuleLoaded { .. } => "module_loaded",
            Event::LoadStopped { .. } => "load_stopped",
            Event::SlowCommit { .. } => "slow_commit",
        }
    }

    /// Whether somebody should look at it; otherwise it is for the record.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Event::ModuleLoaded { .. } | Event::WalFound { .. })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::OpenedReadOnly { why } => write!(f, "opened for reading only: {why}"),
            Event::WalFound { bytes } => write!(
                f,
                "a write-ahead log of {bytes} bytes was found: the last writer did not close the ledger, or somebody reads it; \
                 every transaction that was acknowledged is there"
            ),
            Event::ClockBehind { seconds } => write!(
                f,
                "the clock is {seconds} s behind the last transaction, whose time new ones are given until the clock is right"
            ),
            Event::ModuleLoaded { name, version, index } => {
                write!(f, "module {name}, version {version}, is in force from transaction {index} on")
            }
            Event::LoadStopped { record_type, rows, transactions, why } => {
                write!(f, "a load of {record_type} stopped after {rows} rows in {transactions} transaction(s): {why}")
            }
            Event::SlowCommit { index, millis } => write!(f, "transaction {index} took {millis} ms to become durable"),
        }
    }
}

/// Who is told of events: nobody, or a function. It is called on the thread that works, which may hold the ledger's locks: it must be
/// quick, and must not call the ledger.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Told>>);

/// A function of a ledger's origin and an event.
type Told = dyn Fn(&str, &Event) + Send + Sync;

impl Observer {
    /// A function of the ledger's origin and the event.
    pub fn new(told: impl Fn(&str, &Event) + Send + Sync + 'static) -> Self {
        Observer(Some(Arc::new(told)))
    }

    /// Tells an event, which is made only if somebody listens.
    pub(crate) fn tell(&self, origin: &str, event: impl FnOnce() -> Event) {
        if let Some(told) = &self.0 {
            told(origin, &event());
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer(told)" } else { "Observer(nobody)" })
    }
}
