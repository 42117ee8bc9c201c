//! Retries: the transaction that has the id at hand already, and the types that its records were prepared for.
//!
//! Whether a call is the same as an earlier one must not depend on what was loaded since: its records are prepared for the versions of
//! the stored transaction, under its secret, and then compared with what was signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::append::idempotency_key;
use super::view::{StoredEnvelope, View, record_type_of};
use super::{Ledger, Writer};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::Authority;
use crate::model::RowId;
use crate::schema::RecordType;
use crate::store::Table;

/// Finds the type for which records of that full name are prepared.
pub(super) type TypeOf<'a> = &'a dyn Fn(&str) -> Result<Arc<RecordType>>;

/// A stored transaction with the id at hand.
pub(crate) struct Earlier {
    pub(super) index: u64,
    pub(super) id: String,
    pub(super) stored: StoredEnvelope,
    /// Types of its signed records, in the versions that these are of.
    types: BTreeMap<String, Arc<RecordType>>,
}

impl Ledger {
    /// The transaction that has this id of this member, if there is an id and one has it.
    pub(super) fn earlier(&self, writer: &Writer, author: &str, id: Option<&str>) -> Result<Option<Earlier>> {
        match id {
            Some(id) => Earlier::find(&self.writer_view(writer)?, author, id),
            None => Ok(None),
        }
    }
}

impl Earlier {
    /// The transaction that has this id of this member, if one has it.
    pub(super) fn find(view: &View, author: &str, id: &str) -> Result<Option<Self>> {
        let Some(found) = view.snapshot.get(Table::Idempotency, &idempotency_key(author, id)?)? else {
            return Ok(None);
        };
        let index = found.as_slice().try_into().map(u64::from_be_bytes);
        let index = index.map_err(|_| Error::damaged(format!("table idempotency: the row of {id} is damaged")))?;
        let stored = view.envelope(index)?;
        let signed = RowId::new(index, 0)..RowId::new(index, stored.envelope.intent.count as u32);
        let types = view.read(|reader| reader.types_among(signed))?;
        let types = types.into_iter().map(|declared| (declared.name.clone(), declared)).collect();
        Ok(Some(Earlier { index, id: id.to_owned(), stored, types }))
    }

    /// The refusal of other records than its own.
    pub(super) fn reused(&self, type_name: &str) -> Error {
        let (index, id) = (self.index, &self.id);
        Error::Rejected(Box::new(Rejected {
            code: codes::ID_REUSED.to_owned(),
            message: format!("transaction {index} has the id {id} and other records; choose another id"),
            record_type: type_name.to_owned(),
            row: 0,
            field: None,
            cell: None,
        }))
    }
}

/// The type for which records of that name are prepared: as the earlier transaction has it, where there is one; as it is in force
/// otherwise.
pub(super) fn type_for(authority: &Authority, earlier: Option<&Earlier>, name: &str) -> Result<Arc<RecordType>> {
    match earlier.and_then(|earlier| earlier.types.get(name)) {
        Some(stored) => Ok(Arc::clone(stored)),
        None => record_type_of(authority, name),
    }
}

/// Records of an all-or-none call that were screened. What is refused now was not what the earlier transaction holds.
pub(super) fn same_as<T>(earlier: Option<&Earlier>, screened: Result<T>) -> Result<T> {
    screened.map_err(|error| match (earlier, error) {
        (Some(earlier), Error::Rejected(rejected)) => earlier.reused(&rejected.record_type),
        (_, error) => error,
    })
}
