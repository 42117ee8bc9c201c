//! A ledger, open: the joiner that knows every part.

mod added;
mod admission;
mod append;
mod backup;
mod backward;
mod beside;
mod clock;
mod commit;
mod cut;
mod derive;
mod earlier;
mod effective;
mod effects;
mod emitted;
mod endorse;
mod export;
mod faults;
mod held;
mod history;
mod join;
mod load;
mod log_key;
mod members;
mod module_file;
mod moment;
mod movement;
mod outcomes;
mod part;
mod pool;
mod proposal;
mod query;
mod read;
mod receipt;
mod records;
mod screen;
mod sources;
mod statement;
mod stats;
mod telling;
#[cfg(test)]
mod tests;
mod trial;
mod view;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub use backup::{Backup, BackupOptions, BackupProgress};
pub use export::ExportOptions;
pub use held::HeldRecord;
pub use history::HistoryRows;
pub use join::Join;
pub use load::{Endorsed, LoadOptions, LoadPart, LoadProgress, LoadReport, ToldOfExceptions, ToldOfProgress};
pub use log_key::LogKeyPeriod;
pub use members::{Doubt, Grant, Member, MemberKey, ModuleInForce, ModuleLoaded, ModuleState, Revoked};
pub use module_file::{may_follow, read_module};
pub use moment::{Moment, parse_day};
pub use outcomes::{RecordException, Standing};
pub use proposal::{Proposal, ProposeOptions};
pub use query::{QueryRequest, QueryRows};
pub use read::{Balance, CellState, Past, StoredRecord};
pub use records::Appended;
pub use sources::Sources;
pub use statement::{StatementRequest, StatementRows};
pub use stats::Stats;
pub use trial::{CellNow, Trial, Tried};

pub(crate) use append::unread;
pub(crate) use clock::parse as parse_time;
pub(crate) use commit::{EntriesList, cell_entry, taken_keys};
pub(crate) use derive::{KeptRows, cell_rows, transaction_rows};
pub(crate) use emitted::emitted;
pub(crate) use faults::Faults;
pub(crate) use log_key::{LogKeyFile, load_log_key, log_key_periods};
pub(crate) use members::doubts;
pub(crate) use outcomes::release_cell;
pub(crate) use pool::Pool;
pub(crate) use records::{Submission, object};
pub(crate) use view::{FileSecret, View, first_semantics, genesis_data};
pub(crate) use writer::Writer;

use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::keys::Key;
use crate::log::Checkpoints;
use crate::model::Observer;
use crate::store::{Snapshot, Store, StoreError, Table};

/// An open ledger. Every method takes `&self` and may be called from any thread.
pub struct Ledger {
    pub(crate) path: Option<PathBuf>,
    pub(crate) origin: String,
    /// The key of the member who appends, if one was given.
    pub(crate) key: RwLock<Option<Arc<Key>>>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) secret: FileSecret,
    /// Whether the bytes of rejected records are kept.
    pub(crate) keeps_rejections: bool,
    pub(crate) pool: Pool,
    pub(crate) sources: Sources,
    pub(crate) observer: Observer,
    /// The writer's state; where the ledger is open for reading only, the reason.
    pub(crate) writer: std::result::Result<Mutex<Writer>, &'static str>,
    /// Modules that faulted since it was opened.
    pub(crate) faults: Faults,
    /// Newest authority known, and the size at which it held.
    pub(crate) known: RwLock<(u64, Arc<Authority>)>,
}

impl Ledger {
    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The ledger's unique name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it can only be read, and why.
    pub fn readonly_reason(&self) -> Option<&'static str> {
        self.writer.as_ref().err().copied()
    }

    /// Number of transactions.
    pub fn size(&self) -> Result<u64> {
        Ok(self.store.snapshot()?.size()?)
    }

    /// The newest durable checkpoint.
    pub fn checkpoint(&self) -> Result<Checkpoints> {
        stored_checkpoint(&*self.store.snapshot()?)
    }

    /// A consistent view of now. A ledger of a semantics that this build does not execute gives no answers: they might be wrong.
    pub(crate) fn view(&self) -> Result<View> {
        let view = self.view_of_any_semantics()?;
        view.check_semantics()?;
        Ok(view)
    }

    /// A consistent view of now, for an audit, which says itself what it cannot verify.
    pub(crate) fn view_of_any_semantics(&self) -> Result<View> {
        let snapshot = self.store.snapshot()?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let known = if known.0 <= snapshot.size()? { known } else { (0, Arc::new(Authority::new())) };
        let view = View::new(snapshot, self.secret, known)?;
        let mut newest = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if view.size > newest.0 {
            *newest = (view.size, Arc::clone(&view.authority));
        }
        drop(newest);
        Ok(view)
    }

    /// The view that the next transaction is decided on.
    pub(crate) fn writer_view(&self, writer: &Writer) -> Result<View> {
        let snapshot = self.store.snapshot()?;
        let expected = writer.trees.size();
        let view = View::new(snapshot, self.secret, (expected, Arc::clone(&writer.authority)))?;
        if view.size != expected {
            return Err(StoreError::StaleHead { expected, found: view.size }.into());
        }
        Ok(view)
    }

    /// Makes a commit's authority known to readers.
    pub(crate) fn publish(&self, writer: &Writer) {
        if let Ok(mut known) = self.known.write() {
            *known = (writer.trees.size(), Arc::clone(&writer.authority));
        }
    }

    /// The writer's state, for as long as one transaction takes.
    pub(crate) fn lock_writer(&self) -> Result<MutexGuard<'_, Writer>> {
        match &self.writer {
            // A panic cannot have left it half changed: it changes in one step, after the commit.
            Ok(writer) => Ok(writer.lock().unwrap_or_else(PoisonError::into_inner)),
            Err(why) => Err(Error::Forbidden(Box::new(crate::error::Rejected {
                code: codes::READ_ONLY.to_owned(),
                message: format!("{} is open for reading only: {why}", self.origin),
                record_type: String::new(),
                row: 0,
                field: None,
                cell: None,
            }))),
        }
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.size().map_or_else(|_| "?".to_owned(), |size| size.to_string());
        write!(f, "Ledger({:?}, size={size})", self.origin)
    }
}

/// The checkpoint of the state that a snapshot shows.
pub(crate) fn stored_checkpoint(snapshot: &dyn Snapshot) -> Result<Checkpoints> {
    let stored = snapshot.get(Table::Meta, b"checkpoint")?;
    stored
        .as_deref()
        .and_then(Checkpoints::from_bytes)
        .ok_or_else(|| Error::damaged("table meta: the checkpoint is damaged"))
}
