//! Values gathered into pieces, whatever the format they are read from.

use ledgerstone::Error;
use ledgerstone::model::Value;

use super::{PIECE_BYTES, PIECE_ROWS};

/// A format that gives one value after another.
pub(super) trait Values {
    /// The next value, and the bytes of input that it took; `None` at the end.
    fn next_value(&mut self) -> Result<Option<(Value, u64)>, Error>;
}

/// The values of a file, a piece at a time. They end at the first error.
pub(super) struct Pieces<V> {
    values: V,
    ended: bool,
}

impl<V: Values> Pieces<V> {
    pub(super) fn new(values: V) -> Self {
        Pieces { values, ended: false }
    }
}

impl<V: Values> Iterator for Pieces<V> {
    type Item = Result<Vec<Value>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        while !self.ended && piece.len() < PIECE_ROWS && bytes < PIECE_BYTES {
            match self.values.next_value() {
                Ok(Some((value, length))) => {
                    piece.push(value);
                    bytes += length;
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        (!piece.is_empty()).then_some(Ok(piece))
    }
}
