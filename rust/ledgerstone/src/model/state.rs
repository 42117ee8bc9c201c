//! How the validator reads state, whoever keeps it.

use super::RowId;

/// The state of a ledger at one moment, as far as rules look at it.
pub trait State {
    /// What reading can fail with.
    type Error;

    /// For each cell name, in any order: the JCS bytes of its value, `None` where the cell does not exist.
    fn cells(&self, names: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Self::Error>;

    /// For each hash, ascending and distinct: every row whose unique key has it. A hash is no proof: the caller confirms
    /// on the record itself.
    fn rows_by_key_hash(&self, hashes: &[u64], visit: &mut dyn FnMut(u64, RowId)) -> Result<(), Self::Error>;

    /// The record bytes of a row (FORMAT.md section 2).
    fn record(&self, row: RowId) -> Result<Vec<u8>, Self::Error>;

    /// The hash of a unique key's bytes under this state's secret.
    fn key_hash(&self, key: &[u8]) -> u64;
}
