//! How the validator reads state, whoever keeps it.

use arrow_array::RecordBatch;

use super::RowId;

/// A unique key of a stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its bytes (FORMAT.md section 12).
    pub bytes: Vec<u8>,
    /// The version that the row is, where records with this key are versions of one.
    pub version: Option<i64>,
}

impl UniqueKey {
    /// Whether it is the key of a record of that type: of its first `unique` rule.
    pub(crate) fn is_first(&self, type_name: &str) -> bool {
        self.bytes
            .strip_prefix(b"[\"")
            .and_then(|rest| rest.strip_prefix(type_name.as_bytes()))
            .is_some_and(|rest| rest.starts_with(b"\",0,"))
    }
}

/// Told of a cell: its name, and the JCS bytes of its value, `None` where it does not exist any more. Says whether to go on.
pub type CellVisitor<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> bool + 'a;

/// Told of stored records of one type: the version of their module, their columns, and where each stands.
pub type RecordsVisitor<'a> = dyn FnMut(u64, &RecordBatch, &[RowId]) + 'a;

/// The state of a ledger at one moment, as far as rules look at it.
pub trait State {
    /// What reading can fail with.
    type Error;

    /// For each cell name, in any order: the JCS bytes of its value, `None` where the cell does not exist.
    fn cells(&self, names: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Self::Error>;

    /// Visits the cells that were ever set and whose names begin with `prefix`, in ascending order of the bytes of their names.
    fn cells_from(&self, prefix: &[u8], visit: &mut CellVisitor<'_>) -> Result<(), Self::Error>;

    /// Whether a record of a type is stored, one without effect included.
    fn has_records(&self, type_name: &str) -> Result<bool, Self::Error>;

    /// Visits the records of a type that have had their effects, in the order of the ledger: held ones count once they are released.
    fn records_of(&self, type_name: &str, visit: &mut RecordsVisitor<'_>) -> Result<(), Self::Error>;

    /// For each hash, ascending and distinct: every row whose unique key has it. A hash is no proof: the caller confirms
    /// on the record itself.
    fn rows_by_key_hash(&self, hashes: &[u64], visit: &mut dyn FnMut(u64, RowId)) -> Result<(), Self::Error>;

    /// The record bytes of a row (FORMAT.md section 2).
    fn record(&self, row: RowId) -> Result<Vec<u8>, Self::Error>;

    /// Every unique key of a row.
    fn unique_keys(&self, row: RowId) -> Result<Vec<UniqueKey>, Self::Error>;

    /// Every row of a type in which a top-level indexed field has this value, as JSON; rows without effect included. `visit` says
    /// whether to go on.
    fn rows_with(
        &self,
        type_name: &str,
        field: &str,
        value: &[u8],
        visit: &mut dyn FnMut(RowId) -> bool,
    ) -> Result<(), Self::Error>;

    /// Whether the record at a row was held when its transaction was decided. That it was not released since is for a rule to see.
    fn is_held(&self, row: RowId) -> Result<bool, Self::Error>;

    /// The hash of a unique key's bytes under this state's secret.
    fn key_hash(&self, key: &[u8]) -> u64;
}
