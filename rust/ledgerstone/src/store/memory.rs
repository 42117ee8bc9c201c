//! The store in memory: for tests, and for ledgers that need not outlive their process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::contract::{check_put, replaces};
use super::{Hop, Pieces, Put, Row, Snapshot, Store, StoreError, Table};

type Rows = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

/// All tables; a table that a snapshot holds is copied when it is next written (keys and values are shared even then).
#[derive(Clone, Default)]
struct Tables([Arc<Rows>; Table::ALL.len()]);

impl Tables {
    fn rows(&self, table: Table) -> &Rows {
        &self.0[table as usize]
    }

    fn size(&self) -> u64 {
        let last = self.rows(Table::Envelopes).last_key_value();
        last.and_then(|(key, _)| Some(u64::from_be_bytes(key[..].try_into().ok()?) + 1)).unwrap_or(0)
    }
}

/// A store that lives as long as its process.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn commit_with(&self, expected_size: u64, mut puts: Vec<Put>, more: &mut Pieces<'_>) -> Result<(), StoreError> {
        for piece in more {
            puts.extend(piece?);
        }
        puts.iter().try_for_each(check_put)?;
        puts.sort_by(|left, right| (left.table, &left.key).cmp(&(right.table, &right.key)));
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tables.size();
        if found != expected_size {
            return Err(StoreError::StaleHead { expected: expected_size, found });
        }
        let taken = puts.iter().enumerate().find(|(place, put)| {
            let twice = puts.get(place + 1).is_some_and(|next| (next.table, &next.key) == (put.table, &put.key));
            !replaces(put.table) && (twice || tables.rows(put.table).contains_key(&put.key[..]))
        });
        if let Some((_, put)) = taken {
            return Err(StoreError::Conflict { table: put.table.name() });
        }
        for put in puts {
            Arc::make_mut(&mut tables.0[put.table as usize]).insert(put.key.into(), put.value.into());
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Snapshot for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows(table).get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let rows = self.rows(table).range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        for (key, value) in rows {
            if to.is_some_and(|to| **key >= *to) || !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn hop(&self, table: Table, from: &[u8], visit: &mut Hop<'_>) -> Result<(), StoreError> {
        let mut next = Some(from.to_vec());
        while let Some(from) = next {
            let mut rows = self.rows(table).range::<[u8], _>((Bound::Included(from.as_slice()), Bound::Unbounded));
            next = rows.next().and_then(|(key, value)| visit(key, value));
        }
        Ok(())
    }

    fn last_at(&self, table: Table, at: &[u8]) -> Result<Option<Row>, StoreError> {
        let rows = self.rows(table).range::<[u8], _>((Bound::Unbounded, Bound::Included(at)));
        Ok(rows.last().map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn probe(&self, table: Table, prefixes: &[[u8; 8]], visit: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        for prefix in prefixes {
            let from = Bound::Included(&prefix[..]);
            let rows = self.rows(table).range::<[u8], _>((from, Bound::Unbounded));
            rows.map(|(key, _)| key).take_while(|key| key.starts_with(prefix)).for_each(|key| visit(key));
        }
        Ok(())
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(Tables::size(self))
    }

    fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn copy_to(&self, path: &Path, _go_on: &mut dyn FnMut(u64, u64) -> bool) -> Result<bool, StoreError> {
        let why = "a ledger in memory has no file to copy";
        Err(StoreError::Engine(format!("{}: {why}", path.display())))
    }

    fn bytes_by_table(&self) -> Result<Vec<(Table, u64)>, StoreError> {
        let bytes = |table: Table| self.rows(table).iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Ok(Table::ALL.into_iter().map(|table| (table, bytes(table))).collect())
    }
}
