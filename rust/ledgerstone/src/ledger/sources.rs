//! Where time and randomness come from. They reach the log as data (times, secrets), never a verdict.

use std::sync::Arc;

use crate::error::Result;
use crate::execute::Probe;
use crate::keys::random_bytes;

/// The clock and the random bytes of a ledger.
pub struct Sources {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    random: Box<dyn Fn() -> Result<[u8; 32]> + Send + Sync>,
    rules: Option<Probe>,
}

impl Sources {
    /// The system clock, and random bytes of the operating system.
    pub fn system() -> Self {
        Sources { now: Box::new(super::clock::now), random: Box::new(|| Ok(random_bytes()?)), rules: None }
    }

    /// Others, for tests that need the same bytes every time. A ledger whose secrets can be guessed keeps no secret.
    pub fn fixed(
        now: impl Fn() -> i64 + Send + Sync + 'static,
        random: impl Fn() -> [u8; 32] + Send + Sync + 'static,
    ) -> Self {
        Sources { now: Box::new(now), random: Box::new(move || Ok(random())), rules: None }
    }

    /// Calls `probe` with the name of a module before its rules look at records, in every stage that they do: for tests of what a fault
    /// of a module does.
    #[must_use]
    pub fn before_rules(mut self, probe: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.rules = Some(Arc::new(probe));
        self
    }

    /// What is called before rules look at records, if anything is.
    pub(crate) fn probe(&self) -> Option<Probe> {
        self.rules.clone()
    }

    pub(crate) fn now(&self) -> i64 {
        (self.now)()
    }

    pub(crate) fn random(&self) -> Result<[u8; 32]> {
        (self.random)()
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}
