//! The state that one decision works on: the cells and keys its operations name, loaded once, changed in place, undone where a
//! unit falls.
//!
//! Operations are numbered: those of the n-th chunk are n, those that are made during the decision are from [`LATE`] on, and what
//! they name is loaded when they are admitted.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::authority::Authority;
use super::chunks::Chunks;
use super::ops::OpChunk;
use super::prepared::PreparedChunk;
use crate::model::{CellValue, Parts, RowId, State, UniqueKey};
use crate::schema::{CellKind, CellType, Scalar};

/// The number of the first operations that are made during the decision.
const LATE: u32 = 1 << 31;

/// A place of a record within the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

/// How much a unit had done at a moment, so that what it did since can be undone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    undo: usize,
    late: usize,
}

/// Who holds a unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A record of the ledger.
    Stored(RowId),
    /// An earlier record of this batch.
    Batch(Place),
}

/// A key taken in this batch: the `key` of the operations `ops`, by the record at `place`.
struct Taken {
    hash: u64,
    ops: u32,
    key: u32,
    place: Place,
}

/// Operations that were made during the decision.
struct Late {
    ops: Arc<OpChunk>,
    /// The slot of each of their cells.
    slots: Vec<u32>,
}

/// What a unit did, to be undone if it falls.
enum Undo {
    Cell { slot: u32, value: Option<CellValue> },
    Key { ops: u32, key: u32 },
    Superseded { ops: u32, key: u32 },
}

/// A cell of the batch, apart from its value.
struct SlotInfo {
    kind: Arc<CellType>,
    name: Box<[u8]>,
    before: Option<CellValue>,
}

/// The working state.
pub(crate) struct Working {
    /// Which kinds of cells are in force: those that prepared chunks name, while an older version of a type may name others. Parts and
    /// states have the same place in every version.
    authority: Arc<Authority>,
    /// Values now, by slot: the part the decision runs over, kept dense.
    now: Vec<Option<CellValue>>,
    /// Slots that a unit that stands has set, whether or not they differ in the end.
    moved: Vec<bool>,
    info: Vec<SlotInfo>,
    /// For each chunk, the slot of each of its cells.
    slots: Vec<Vec<u32>>,
    late: Vec<Late>,
    /// How many late operations stay when their unit falls.
    late_kept: usize,
    /// Slots by the name of their cell.
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Hashes of keys that the chunks name, ascending: all of the ledger's keys that have them are loaded.
    hashes: Vec<u64>,
    /// The same for keys that late operations name.
    late_hashes: BTreeSet<u64>,
    /// Keys of the ledger whose hash equals one of the batch, and the row that holds each: of versions the newest.
    stored_keys: BTreeMap<u64, Vec<(UniqueKey, RowId)>>,
    taken: HashTable<Taken>,
    /// Keys taken whose record has a newer version in the batch: operations and key.
    superseded: BTreeSet<(u32, u32)>,
    undo: Vec<Undo>,
}

/// Why the working state could not be loaded.
#[derive(Debug)]
pub(crate) enum LoadError<E> {
    /// The state could not be read.
    State(E),
    /// A stored cell does not hold a value of its kind.
    Cell(String),
    /// A record does not have the columns of its type.
    Rows,
}

impl Working {
    /// Loads the cells and keys that the chunks name. They are of the types in force.
    pub(crate) fn load<E>(
        state: &dyn State<Error = E>,
        authority: Arc<Authority>,
        chunks: &[PreparedChunk],
    ) -> Result<Self, LoadError<E>> {
        let mut working = Working {
            authority,
            now: Vec::new(),
            moved: Vec::new(),
            info: Vec::new(),
            slots: Vec::with_capacity(chunks.len()),
            late: Vec::new(),
            late_kept: 0,
            known: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            hashes: Vec::new(),
            late_hashes: BTreeSet::new(),
            stored_keys: BTreeMap::new(),
            taken: HashTable::new(),
            superseded: BTreeSet::new(),
            undo: Vec::new(),
        };
        for chunk in chunks {
            let slots = working.number_cells(&chunk.ops);
            working.slots.push(slots);
        }
        working.load_cells(state)?;
        let mut hashes: Vec<u64> = chunks.iter().flat_map(|chunk| chunk.ops.keys.iter().map(|key| key.hash)).collect();
        working.taken.reserve(hashes.len(), |taken| taken.hash);
        hashes.sort_unstable();
        hashes.dedup();
        working.load_keys(state, &hashes).map_err(LoadError::State)?;
        working.hashes = hashes;
        Ok(working)
    }

    /// Loads what further operations name; their number.
    pub(super) fn admit<E>(&mut self, state: &dyn State<Error = E>, mut ops: OpChunk) -> Result<u32, LoadError<E>> {
        let slots = self.load_more(state, &mut ops)?;
        self.late.push(Late { ops: Arc::new(ops), slots });
        Ok(LATE | (self.late.len() - 1) as u32)
    }

    /// Loads what the operations of one more chunk name, which is the next in number.
    pub(super) fn admit_chunk<E>(
        &mut self,
        state: &dyn State<Error = E>,
        ops: &mut OpChunk,
    ) -> Result<(), LoadError<E>> {
        let slots = self.load_more(state, ops)?;
        self.slots.push(slots);
        Ok(())
    }

    fn load_more<E>(&mut self, state: &dyn State<Error = E>, ops: &mut OpChunk) -> Result<Vec<u32>, LoadError<E>> {
        for used in &mut ops.cells {
            self.in_force(&mut used.kind);
        }
        let slots = self.number_cells(ops);
        self.load_cells(state)?;
        let mut hashes: Vec<u64> = ops.keys.iter().map(|key| key.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.retain(|hash| self.hashes.binary_search(hash).is_err() && !self.late_hashes.contains(hash));
        self.load_keys(state, &hashes).map_err(LoadError::State)?;
        self.late_hashes.extend(hashes);
        Ok(slots)
    }

    /// Puts the kind in force in the place of one that an older version of its type declares.
    fn in_force(&self, kind: &mut Arc<CellType>) {
        let owner = self.authority.record_type(&kind.owner);
        if let Some(now) = owner.and_then(|owner| owner.cells.iter().find(|cell| cell.name == kind.name)) {
            kind.clone_from(now);
        }
    }

    fn number_cells(&mut self, ops: &OpChunk) -> Vec<u32> {
        let mut slots = Vec::with_capacity(ops.cells.len());
        for (cell, used) in ops.cells.iter().enumerate() {
            slots.push(self.number_cell(&used.kind, ops.name(cell as u32)));
        }
        slots
    }

    fn number_cell(&mut self, kind: &Arc<CellType>, name: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(name);
        let info = &self.info;
        if let Some(&known) = self.known.find(hash, |&slot| *info[slot as usize].name == *name) {
            return known;
        }
        let slot = self.info.len() as u32;
        self.info.push(SlotInfo { kind: Arc::clone(kind), name: name.into(), before: None });
        let (info, hasher) = (&self.info, &self.hasher);
        self.known.insert_unique(hash, slot, |&slot| hasher.hash_one(&*info[slot as usize].name));
        slot
    }

    /// Loads the cells that are numbered and not loaded yet.
    fn load_cells<E>(&mut self, state: &dyn State<Error = E>) -> Result<(), LoadError<E>> {
        let new = &mut self.info[self.now.len()..];
        if new.is_empty() {
            return Ok(());
        }
        let names: Vec<&[u8]> = new.iter().map(|info| &*info.name).collect();
        let values = state.cells(&names).map_err(LoadError::State)?;
        for (info, bytes) in new.iter_mut().zip(values) {
            info.before = match bytes {
                None => None,
                Some(bytes) => Some(
                    info.kind
                        .parse_value(&bytes)
                        .ok_or_else(|| LoadError::Cell(String::from_utf8_lossy(&info.name).into_owned()))?,
                ),
            };
            self.now.push(info.before.clone());
        }
        self.moved.resize(self.now.len(), false);
        Ok(())
    }

    fn load_keys<E>(&mut self, state: &dyn State<Error = E>, hashes: &[u64]) -> Result<(), E> {
        if hashes.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        state.rows_by_key_hash(hashes, &mut |hash, row| rows.push((hash, row)))?;
        // In the order of the ledger, so that neighbours are read together.
        rows.sort_unstable_by_key(|(_, row)| *row);
        for (hash, row) in rows {
            for key in state.unique_keys(row)? {
                if state.key_hash(&key.bytes) == hash {
                    let stored = self.stored_keys.entry(hash).or_default();
                    match stored.iter_mut().find(|(known, _)| known.bytes == key.bytes) {
                        Some(known) if known.0.version < key.version => *known = (key, row),
                        Some(_) => {}
                        None => stored.push((key, row)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Operations that were admitted.
    pub(super) fn late(&self, number: u32) -> Arc<OpChunk> {
        Arc::clone(&self.late[(number - LATE) as usize].ops)
    }

    /// The slot of a cell that no operation names, loaded.
    pub(super) fn reach<E>(
        &mut self,
        state: &dyn State<Error = E>,
        kind: &Arc<CellType>,
        name: &[u8],
    ) -> Result<u32, LoadError<E>> {
        let mut kind = Arc::clone(kind);
        self.in_force(&mut kind);
        let slot = self.number_cell(&kind, name);
        self.load_cells(state)?;
        Ok(slot)
    }

    /// Who holds the thing whose key is this text, alone.
    pub(super) fn holder_of<E>(
        &mut self,
        state: &dyn State<Error = E>,
        kind: &Arc<CellType>,
        key: &str,
    ) -> Result<Option<Arc<str>>, LoadError<E>> {
        let mut name = Vec::new();
        kind.write_name(std::iter::once(Scalar::Text(key)), std::iter::empty(), &mut name);
        let slot = self.reach(state, kind, &name)?;
        Ok(match self.value(slot) {
            Some(CellValue::Holder(holder)) => Some(Arc::clone(holder)),
            _ => None,
        })
    }

    /// Loads the keys of the ledger with this hash.
    pub(super) fn reach_key<E>(&mut self, state: &dyn State<Error = E>, hash: u64) -> Result<(), LoadError<E>> {
        if self.hashes.binary_search(&hash).is_err() && self.late_hashes.insert(hash) {
            self.load_keys(state, &[hash]).map_err(LoadError::State)?;
        }
        Ok(())
    }

    /// The operations of a number.
    pub(super) fn operations<'k>(&'k self, chunks: &'k Chunks<'_>, number: u32) -> &'k OpChunk {
        if number < LATE { &chunks[number as usize].ops } else { &self.late[(number - LATE) as usize].ops }
    }

    /// The slot of a cell of the operations of a number.
    pub(super) fn slot(&self, ops: u32, cell: u32) -> u32 {
        let slots = if ops < LATE { &self.slots[ops as usize] } else { &self.late[(ops - LATE) as usize].slots };
        slots[cell as usize]
    }

    /// The value of a slot.
    pub(super) fn value(&self, slot: u32) -> Option<&CellValue> {
        self.now[slot as usize].as_ref()
    }

    /// The parts of a balance; those of its opening where no record touched it.
    pub(super) fn parts(&self, slot: u32) -> Option<Parts> {
        match &self.now[slot as usize] {
            Some(CellValue::Parts(parts)) => Some(*parts),
            Some(_) => None,
            None => match &self.info[slot as usize].kind.kind {
                CellKind::Balance(balance) => balance.opening(),
                _ => None,
            },
        }
    }

    /// The kind of a slot.
    pub(super) fn kind(&self, slot: u32) -> &CellType {
        &self.info[slot as usize].kind
    }

    /// Looks at a slot so that the processor has it when it is needed: a prefetch without `unsafe`.
    pub(super) fn touch(&self, ops: u32, cell: u32) {
        std::hint::black_box(self.now[self.slot(ops, cell) as usize].is_some());
    }

    /// Changes a slot.
    pub(super) fn set(&mut self, slot: u32, value: Option<CellValue>) {
        let before = std::mem::replace(&mut self.now[slot as usize], value);
        self.undo.push(Undo::Cell { slot, value: before });
    }

    /// Who holds a key; of versions the newest.
    pub(super) fn holder(&self, chunks: &Chunks<'_>, ops: &OpChunk, key: u32) -> Option<Holder> {
        self.find(chunks, ops.keys[key as usize].hash, ops.key(key))
    }

    /// Who holds the key of these bytes.
    pub(super) fn find(&self, chunks: &Chunks<'_>, hash: u64, bytes: &[u8]) -> Option<Holder> {
        if let Some(taken) = self.newest_taken(chunks, hash, bytes) {
            return Some(Holder::Batch(taken.place));
        }
        let (_, row) = self.stored_keys.get(&hash)?.iter().find(|(known, _)| known.bytes == bytes)?;
        Some(Holder::Stored(*row))
    }

    fn newest_taken(&self, chunks: &Chunks<'_>, hash: u64, bytes: &[u8]) -> Option<&Taken> {
        self.taken.find(hash, |taken| {
            taken.hash == hash
                && self.operations(chunks, taken.ops).key(taken.key) == bytes
                && (self.superseded.is_empty() || !self.superseded.contains(&(taken.ops, taken.key)))
        })
    }

    /// Takes a key that nobody holds, for the record at a place.
    pub(super) fn take(&mut self, ops: &OpChunk, number: u32, key: u32, place: Place) {
        let hash = ops.keys[key as usize].hash;
        self.taken.insert_unique(hash, Taken { hash, ops: number, key, place }, |taken| taken.hash);
        self.undo.push(Undo::Key { ops: number, key });
    }

    /// Takes a key for the next version of its record.
    pub(super) fn succeed(&mut self, chunks: &Chunks<'_>, ops: &OpChunk, number: u32, key: u32, place: Place) {
        let (hash, bytes) = (ops.keys[key as usize].hash, ops.key(key));
        if let Some(before) = self.newest_taken(chunks, hash, bytes) {
            let (ops, key) = (before.ops, before.key);
            self.superseded.insert((ops, key));
            self.undo.push(Undo::Superseded { ops, key });
        }
        self.take(ops, number, key, place);
    }

    /// The newest records of a type that took its key in this batch.
    pub(super) fn taken_of(&self, chunks: &Chunks<'_>, type_name: &str) -> Vec<Place> {
        let prefix = format!("[\"{type_name}\",0,");
        let is_of_type =
            |taken: &&Taken| self.operations(chunks, taken.ops).key(taken.key).starts_with(prefix.as_bytes());
        let newest = self.taken.iter().filter(|taken| !self.superseded.contains(&(taken.ops, taken.key)));
        newest.filter(is_of_type).map(|taken| taken.place).collect()
    }

    /// This moment of the unit.
    pub(super) fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), late: self.late.len() }
    }

    /// The unit stands.
    pub(super) fn keep(&mut self) {
        let takes_late = |step: &Undo| matches!(step, Undo::Key { ops, .. } if *ops >= LATE);
        if self.late.len() > self.late_kept && self.undo.iter().any(takes_late) {
            self.late_kept = self.late.len();
        }
        self.late.truncate(self.late_kept);
        for step in self.undo.drain(..) {
            if let Undo::Cell { slot, .. } = step {
                self.moved[slot as usize] = true;
            }
        }
    }

    /// The unit falls: everything it did is undone.
    pub(super) fn roll_back(&mut self, chunks: &Chunks<'_>) {
        self.roll_back_to(chunks, Mark { undo: 0, late: self.late_kept });
    }

    /// What the unit did since a moment is undone, newest first.
    pub(super) fn roll_back_to(&mut self, chunks: &Chunks<'_>, mark: Mark) {
        while self.undo.len() > mark.undo
            && let Some(step) = self.undo.pop()
        {
            match step {
                Undo::Cell { slot, value } => self.now[slot as usize] = value,
                Undo::Key { ops, key } => {
                    let hash = self.operations(chunks, ops).keys[key as usize].hash;
                    if let Ok(entry) = self.taken.find_entry(hash, |taken| taken.ops == ops && taken.key == key) {
                        entry.remove();
                    }
                }
                Undo::Superseded { ops, key } => {
                    self.superseded.remove(&(ops, key));
                }
            }
        }
        self.late.truncate(mark.late);
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

    /// The names of the cells that records moved and that are as they were before, in no order.
    pub(crate) fn moved_back(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.info.iter().zip(&self.now).zip(&self.moved);
        slots.filter(|((info, now), moved)| **moved && info.before == **now).map(|((info, _), _)| &*info.name)
    }

    /// The hashes of the keys that stand as taken, and the records that took them.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (u64, Place)> {
        self.taken.iter().map(|taken| (taken.hash, taken.place))
    }
}
