//! The state that one decision works on: the cells and keys its operations name, loaded once, changed in place, undone where a
//! unit falls.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::ops::OpChunk;
use super::prepared::PreparedChunk;
use crate::model::{CellValue, RowId, State};
use crate::schema::CellType;

/// A place of a record within the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

/// Who holds a unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A record of the ledger.
    Stored(RowId),
    /// An earlier record of this batch.
    Batch(Place),
}

/// A key taken in this batch.
struct Taken {
    hash: u64,
    chunk: u32,
    key: u32,
    row: u32,
}

/// What a unit did, to be undone if it falls.
enum Undo {
    Cell { slot: u32, value: Option<CellValue> },
    Key { chunk: u32, key: u32 },
}

/// A cell of the batch, apart from its value.
struct SlotInfo {
    kind: Arc<CellType>,
    name: Box<[u8]>,
    before: Option<CellValue>,
}

/// The working state.
pub(crate) struct Working {
    /// Values now, by slot: the part the decision runs over, kept dense.
    now: Vec<Option<CellValue>>,
    info: Vec<SlotInfo>,
    /// For each chunk, the slot of each of its cells.
    slots: Vec<Vec<u32>>,
    /// Keys of the ledger whose hash equals one of the batch: bytes and row.
    stored_keys: BTreeMap<u64, Vec<(Vec<u8>, RowId)>>,
    taken: HashTable<Taken>,
    undo: Vec<Undo>,
}

/// Why the working state could not be loaded.
#[derive(Debug)]
pub(crate) enum LoadError<E> {
    /// The state could not be read.
    State(E),
    /// A stored cell does not hold a value of its kind.
    Cell(String),
}

impl Working {
    /// Loads the cells and keys that the chunks name.
    pub(crate) fn load<S: State>(
        state: &S,
        chunks: &[PreparedChunk],
        unique_keys: &dyn Fn(RowId) -> Result<Vec<Vec<u8>>, S::Error>,
    ) -> Result<Self, LoadError<S::Error>> {
        let mut working = Working {
            now: Vec::new(),
            info: Vec::new(),
            slots: Vec::with_capacity(chunks.len()),
            stored_keys: BTreeMap::new(),
            taken: HashTable::new(),
            undo: Vec::new(),
        };
        working.number_cells(chunks);
        working.load_cells(state)?;
        working.load_keys(state, chunks, unique_keys).map_err(LoadError::State)?;
        Ok(working)
    }

    fn number_cells(&mut self, chunks: &[PreparedChunk]) {
        let hasher = DefaultHashBuilder::default();
        let mut known: HashTable<u32> = HashTable::new();
        for chunk in chunks {
            let ops = &chunk.ops;
            let mut slots = Vec::with_capacity(ops.cells.len());
            for (cell, used) in ops.cells.iter().enumerate() {
                let name = ops.name(cell as u32);
                let hash = hasher.hash_one(name);
                let info = &self.info;
                let found = known.find(hash, |&slot| *info[slot as usize].name == *name).copied();
                slots.push(found.unwrap_or_else(|| {
                    let slot = self.info.len() as u32;
                    let kind = Arc::clone(&used.kind);
                    self.info.push(SlotInfo { kind, name: name.into(), before: None });
                    let info = &self.info;
                    known.insert_unique(hash, slot, |&slot| hasher.hash_one(&*info[slot as usize].name));
                    slot
                }));
            }
            self.slots.push(slots);
        }
    }

    fn load_cells<S: State>(&mut self, state: &S) -> Result<(), LoadError<S::Error>> {
        let names: Vec<&[u8]> = self.info.iter().map(|info| &*info.name).collect();
        let values = state.cells(&names).map_err(LoadError::State)?;
        for (info, bytes) in self.info.iter_mut().zip(values) {
            info.before = match bytes {
                None => None,
                Some(bytes) => Some(
                    info.kind
                        .parse_value(&bytes)
                        .ok_or_else(|| LoadError::Cell(String::from_utf8_lossy(&info.name).into_owned()))?,
                ),
            };
            self.now.push(info.before);
        }
        Ok(())
    }

    fn load_keys<S: State>(
        &mut self,
        state: &S,
        chunks: &[PreparedChunk],
        unique_keys: &dyn Fn(RowId) -> Result<Vec<Vec<u8>>, S::Error>,
    ) -> Result<(), S::Error> {
        let mut hashes: Vec<u64> = chunks.iter().flat_map(|chunk| chunk.ops.keys.iter().map(|key| key.hash)).collect();
        self.taken.reserve(hashes.len(), |taken| taken.hash);
        hashes.sort_unstable();
        hashes.dedup();
        let mut rows = Vec::new();
        state.rows_by_key_hash(&hashes, &mut |hash, row| rows.push((hash, row)))?;
        // In the order of the ledger, so that neighbours are read together.
        rows.sort_unstable_by_key(|(_, row)| *row);
        for (hash, row) in rows {
            for key in unique_keys(row)? {
                if state.key_hash(&key) == hash {
                    self.stored_keys.entry(hash).or_default().push((key, row));
                }
            }
        }
        Ok(())
    }

    /// The slot of a cell of a chunk.
    pub(super) fn slot(&self, chunk: usize, cell: u32) -> u32 {
        self.slots[chunk][cell as usize]
    }

    /// The value of a slot.
    pub(super) fn value(&self, slot: u32) -> Option<&CellValue> {
        self.now[slot as usize].as_ref()
    }

    /// The kind of a slot.
    pub(super) fn kind(&self, slot: u32) -> &CellType {
        &self.info[slot as usize].kind
    }

    /// Looks at a slot so that the processor has it when it is needed: a prefetch without `unsafe`.
    pub(super) fn touch(&self, chunk: usize, cell: u32) {
        std::hint::black_box(self.now[self.slots[chunk][cell as usize] as usize].is_some());
    }

    /// Changes a slot.
    pub(super) fn set(&mut self, slot: u32, value: Option<CellValue>) {
        let before = std::mem::replace(&mut self.now[slot as usize], value);
        self.undo.push(Undo::Cell { slot, value: before });
    }

    /// Who holds a key.
    pub(super) fn holder(&self, chunks: &[PreparedChunk], ops: &OpChunk, key: u32) -> Option<Holder> {
        let bytes = ops.key(key);
        let hash = ops.keys[key as usize].hash;
        if let Some(stored) = self.stored_keys.get(&hash)
            && let Some((_, row)) = stored.iter().find(|(known, _)| known == bytes)
        {
            return Some(Holder::Stored(*row));
        }
        self.taken
            .find(hash, |taken| taken.hash == hash && chunks[taken.chunk as usize].ops.key(taken.key) == bytes)
            .map(|taken| Holder::Batch(Place { chunk: taken.chunk, row: taken.row }))
    }

    /// Takes a key that nobody holds.
    pub(super) fn take(&mut self, ops: &OpChunk, chunk: u32, key: u32, row: u32) {
        let hash = ops.keys[key as usize].hash;
        self.taken.insert_unique(hash, Taken { hash, chunk, key, row }, |taken| taken.hash);
        self.undo.push(Undo::Key { chunk, key });
    }

    /// The unit stands.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The unit falls: everything it did is undone, newest first.
    pub(super) fn roll_back(&mut self, chunks: &[PreparedChunk]) {
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Cell { slot, value } => self.now[slot as usize] = value,
                Undo::Key { chunk, key } => {
                    let hash = chunks[chunk as usize].ops.keys[key as usize].hash;
                    if let Ok(entry) = self.taken.find_entry(hash, |taken| taken.chunk == chunk && taken.key == key) {
                        entry.remove();
                    }
                }
            }
        }
    }

    /// The cells that changed, with their value afterwards (`null`: removed), sorted by name: (name, value), both JCS.
    pub(crate) fn changed(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut changed: Vec<(Vec<u8>, Vec<u8>)> = self
            .info
            .iter()
            .zip(&self.now)
            .filter(|(info, now)| info.before != **now)
            .map(|(info, now)| {
                let value = now.as_ref().map_or_else(|| b"null".to_vec(), |value| info.kind.value_bytes(value));
                (info.name.to_vec(), value)
            })
            .collect();
        changed.sort_unstable();
        changed
    }

    /// The keys that stand as taken: (hash, chunk, row).
    pub(crate) fn taken(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        self.taken.iter().map(|taken| (taken.hash, taken.chunk, taken.row))
    }
}
