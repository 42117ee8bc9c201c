//! Opening ledgers and keys for a verb.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use ledgerstone::model::Observer;
use ledgerstone::{Ledger, Open, codes};

use crate::failure::Failure;
use crate::passphrase::{LogKeyFile, Protection};

/// What a verb needs that only reads.
#[derive(Args, Debug)]
pub(crate) struct Reading {
    /// The ledger's file
    pub(crate) ledger: PathBuf,
}

/// What a verb needs that appends.
#[derive(Args, Debug)]
pub(crate) struct Writing {
    /// The ledger's file
    pub(crate) ledger: PathBuf,
    /// The key file of the member who signs
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_KEY", hide_env_values = true)]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) protection: Protection,
    #[command(flatten)]
    pub(crate) log_key: LogKeyFile,
    #[command(flatten)]
    pub(crate) clock: Clock,
}

/// What a verb that appends is told of the clock.
#[derive(Args, Debug)]
pub(crate) struct Clock {
    /// Append even if the last transaction is more than 366 days ago; see first that the clock is right
    #[arg(long)]
    accept_clock_step: bool,
}

/// Whether events are told.
static IS_VERBOSE: AtomicBool = AtomicBool::new(false);

/// Events are told from now on.
pub(crate) fn be_verbose() {
    IS_VERBOSE.store(true, Ordering::Relaxed);
}

/// Tells events on standard error, with --verbose.
pub(crate) fn observer() -> Observer {
    if !IS_VERBOSE.load(Ordering::Relaxed) {
        return Observer::default();
    }
    Observer::new(|origin, event| {
        let level = if event.is_warning() { "warning" } else { "info" };
        eprintln!("{level}: {origin}: {event}");
    })
}

impl Reading {
    pub(crate) fn open(&self) -> Result<Arc<Ledger>, Failure> {
        Ok(Arc::new(Open::default().observer(observer()).readonly(true).at(&self.ledger)?))
    }
}

impl Writing {
    pub(crate) fn open(&self) -> Result<Arc<Ledger>, Failure> {
        let open = self.clock.accepting(Open::default().observer(observer()).key(self.protection.load_key(&self.key)?));
        writable(open, &self.ledger, &self.log_key)
    }
}

impl Clock {
    pub(crate) fn accepting(&self, open: Open) -> Open {
        open.accept_clock_step(self.accept_clock_step)
    }
}

/// Opens a ledger to append, which takes its log key.
pub(crate) fn writable(open: Open, ledger: &Path, log_key: &LogKeyFile) -> Result<Arc<Ledger>, Failure> {
    let open = match log_key.path() {
        Some(path) => open.log_key(path),
        None => open,
    };
    let open = match log_key.passphrase_for(ledger)? {
        Some(passphrase) => open.log_passphrase(passphrase),
        None => open,
    };
    let opened = open.at(ledger)?;
    match opened.readonly_reason() {
        None => Ok(Arc::new(opened)),
        Some(_) => Err(Failure::new(
            codes::READ_ONLY,
            format!(
                "{}: its log key is needed to append, and {}.logkey.pem is not there; name it with --log-key",
                ledger.display(),
                ledger.display()
            ),
        )),
    }
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))
}
