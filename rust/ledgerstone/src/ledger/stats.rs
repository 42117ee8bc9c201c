//! Numbers about a ledger.

use super::{Ledger, stored_checkpoint};
use crate::error::Result;
use crate::query::stored_rows;
use crate::schema::Semantics;

/// Numbers about a ledger, of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Number of transactions.
    pub transactions: u64,
    /// Ledger time of the newest one, canonical text.
    pub time: String,
    /// Stored records by full name of their type, types without records left out, by name.
    pub records: Vec<(String, u64)>,
    /// Bytes by table of the file (FORMAT.md section 9), the free space in their pages included.
    pub bytes: Vec<(&'static str, u64)>,
    /// Number of members.
    pub members: u64,
    /// Modules in force, and their versions.
    pub modules: Vec<(String, u64)>,
    /// The semantics in force.
    pub semantics: u64,
    /// The dated code tables of that semantics, `iso4217@2026-01`, by name.
    pub code_tables: Vec<&'static str>,
    /// The newest checkpoint, a signed note.
    pub checkpoint: String,
}

impl Ledger {
    /// Numbers about the ledger. Bytes by table are counted page by page, which reads the whole file once.
    pub fn stats(&self) -> Result<Stats> {
        let view = self.view()?;
        let authority = &view.authority;
        let mut records = Vec::new();
        for declared in authority.modules().flat_map(|module| &module.types) {
            let count = stored_rows(&*view.snapshot, &declared.name)?;
            if count > 0 {
                records.push((declared.name.clone(), count));
            }
        }
        records.sort_unstable();
        let bytes = view.snapshot.bytes_by_table()?;
        Ok(Stats {
            transactions: view.size,
            time: view.envelope(view.size - 1)?.envelope.time,
            records,
            bytes: bytes.into_iter().map(|(table, bytes)| (table.name(), bytes)).collect(),
            members: authority.members().count() as u64,
            modules: authority.modules().map(|module| (module.name.clone(), module.version)).collect(),
            semantics: authority.semantics(),
            code_tables: Semantics::of(authority.semantics()).map_or(&[][..], |it| it.code_tables).to_vec(),
            checkpoint: stored_checkpoint(&*view.snapshot)?.note,
        })
    }
}
