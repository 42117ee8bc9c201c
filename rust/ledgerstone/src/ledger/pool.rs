//! The engine's own threads: built when first needed, and again in a forked child.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// A pool of threads that belongs to one ledger.
pub(crate) struct Pool {
    threads: usize,
    built: Mutex<Option<(u32, Arc<ThreadPool>)>>,
}

impl Pool {
    /// A pool of that many threads; 0: one per core.
    pub(crate) fn new(threads: usize) -> Self {
        Pool { threads, built: Mutex::new(None) }
    }

    /// Runs `work` within the pool. A panic becomes a fault.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let pool = self.threads()?;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.install(work)))
            .map_err(|panic| Error::Fault(panic_message(&*panic)))
    }

    /// Runs `work` on every item: within the pool, or right here where there is only one.
    pub(crate) fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R> + Send + Sync,
    ) -> Result<Vec<R>> {
        match items {
            [] => Ok(Vec::new()),
            [only] => Ok(vec![work(only)?]),
            _ => self.run(|| items.par_iter().map(&work).collect())?,
        }
    }

    fn threads(&self) -> Result<Arc<ThreadPool>> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if let Some((owner, pool)) = &*built
            && *owner == process
        {
            return Ok(Arc::clone(pool));
        }
        // Threads do not survive a fork: the pool of the parent is forgotten, not joined.
        if let Some(stale) = built.take() {
            std::mem::forget(stale);
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|number| format!("ledgerstone-{number}"))
            .build()
            .map_err(|error| Error::Fault(format!("threads could not be started: {error}")))?;
        let pool = Arc::new(pool);
        *built = Some((process, Arc::clone(&pool)));
        Ok(pool)
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".to_owned())
}
