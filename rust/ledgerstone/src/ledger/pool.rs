//! The engine's own threads: built when first needed, and again in a forked child.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

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
        catch_unwind(AssertUnwindSafe(|| pool.install(work))).map_err(|panic| Error::Fault(panic_message(&*panic)))
    }

    /// Runs `work` on every item: within the pool, or right here where there is only one.
    pub(crate) fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R> + Send + Sync,
    ) -> Result<Vec<R>> {
        match items {
            [] => Ok(Vec::new()),
            [only] => {
                let worked = catch_unwind(AssertUnwindSafe(|| work(only)));
                Ok(vec![worked.map_err(|panic| Error::Fault(panic_message(&*panic)))??])
            }
            _ => self.run(|| items.par_iter().map(&work).collect())?,
        }
    }

    /// Starts `work` within the pool, and goes on meanwhile.
    pub(crate) fn start<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<Started<R>> {
        let (done, result) = mpsc::sync_channel(1);
        self.threads()?.spawn(move || {
            let worked = catch_unwind(AssertUnwindSafe(work));
            // Nobody waits for it where the load was stopped meanwhile.
            let _ = done.send(worked.unwrap_or_else(|panic| Err(Error::Fault(panic_message(&*panic)))));
        });
        Ok(Started(result))
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

/// Work that goes on within the pool.
pub(crate) struct Started<R>(mpsc::Receiver<Result<R>>);

impl<R> Started<R> {
    /// What it gives, as soon as it is done. Not to be called within the pool.
    pub(crate) fn wait(self) -> Result<R> {
        self.0.recv().unwrap_or_else(|_| Err(Error::Fault("a thread of the engine ended".to_owned())))
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
