//! Stored chunks kept as they are, to be decoded side by side.

use std::ops::Range;

use super::gather::{Gathered, Gathering, Wanted};
use super::read::{ReadError, Types, damaged};
use crate::model::RowId;
use crate::schema::codec::StoredChunk;

/// Chunks of one type that are read together. Their bytes lie one after another: of a place of its own for each of thousands, making and
/// giving back would be a good part of reading it.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    positions: Vec<u32>,
}

#[derive(Debug)]
struct Piece {
    /// Its last row.
    last: RowId,
    /// Where its bytes lie.
    bytes: Range<usize>,
    /// Where the positions of the rows that are wanted lie; `None`: all rows are.
    wanted: Option<Range<usize>>,
}

impl Pieces {
    /// Adds a chunk, of which all rows are wanted, or those at these positions.
    pub(crate) fn push(&mut self, last: RowId, bytes: &[u8], positions: Option<&[u32]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let wanted = positions.map(|positions| {
            let start = self.positions.len();
            self.positions.extend_from_slice(positions);
            start..self.positions.len()
        });
        self.pieces.push(Piece { last, bytes: start..self.bytes.len(), wanted });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Decodes what is wanted, in the order of the pieces.
    pub(crate) fn gather(&self, wanted: &Wanted, types: Types<'_>) -> Result<Gathered, ReadError> {
        let mut gathering = Gathering::new(wanted.clone());
        for Piece { last, bytes, wanted } in &self.pieces {
            let positions = wanted.clone().map(|range| &self.positions[range]);
            gathering.push(*last, &read_head(*last, &self.bytes[bytes.clone()])?, positions, types)?;
        }
        gathering.finish()
    }
}

/// A chunk, by the key of its last row.
pub(crate) fn read_head(last: RowId, bytes: &[u8]) -> Result<StoredChunk<'_>, ReadError> {
    StoredChunk::read(bytes).map_err(|error| damaged(last, &error.to_string()))
}
