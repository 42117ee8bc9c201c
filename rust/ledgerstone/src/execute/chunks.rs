//! The chunks of a transaction: those that PREPARE made, and those that DECIDE adds, one record each.

use std::cell::{Cell, OnceCell};
use std::ops::Index;

use super::emit::Made;
use super::prepared::PreparedChunk;
use super::working::Place;

/// Segments of a growing list: the n-th holds 2^n things.
const SEGMENTS: usize = 17;

/// The chunks of a transaction, by number: those that were prepared, then those that were made.
pub(super) struct Chunks<'p> {
    pub(super) prepared: &'p [PreparedChunk],
    made: Growing<Made>,
}

/// Things that are added and never moved, so that what looks at one may go on looking while others are added.
struct Growing<T> {
    segments: [OnceCell<Box<[OnceCell<T>]>>; SEGMENTS],
    count: Cell<usize>,
}

impl<'p> Chunks<'p> {
    /// The prepared chunks, and none made.
    pub(super) fn new(prepared: &'p [PreparedChunk]) -> Self {
        Chunks { prepared, made: Growing { segments: [const { OnceCell::new() }; SEGMENTS], count: Cell::new(0) } }
    }

    /// Adds a record that was made; its number among these. It is full at 2^17 − 1, more than a transaction may make.
    pub(super) fn add(&self, made: Made) -> u32 {
        self.made.push(made) as u32
    }

    /// Number of records made, those that fell included.
    pub(super) fn made_count(&self) -> usize {
        self.made.count.get()
    }

    /// The place of the n-th record that was made.
    pub(super) fn place_of_made(&self, number: u32) -> Place {
        Place { chunk: self.prepared.len() as u32 + number, row: 0 }
    }

    /// The signed record that the one at a place follows: itself, where it was signed.
    pub(super) fn cause(&self, place: Place) -> Place {
        self.made_at(place).map_or(place, |made| made.cause)
    }

    /// What the reason of a refusal calls a record that was made; `None` for a signed one.
    pub(super) fn name_of_made(&self, place: Place) -> Option<String> {
        self.made_at(place).map(Made::name)
    }

    fn made_at(&self, place: Place) -> Option<&Made> {
        (place.chunk as usize).checked_sub(self.prepared.len()).and_then(|number| self.made.get(number))
    }

    /// The records made, in order.
    pub(super) fn into_made(self) -> Vec<Made> {
        let cells = self.made.segments.into_iter().filter_map(OnceCell::into_inner).flatten();
        cells.filter_map(OnceCell::into_inner).collect()
    }
}

impl Index<usize> for Chunks<'_> {
    type Output = PreparedChunk;

    fn index(&self, number: usize) -> &PreparedChunk {
        match number.checked_sub(self.prepared.len()).and_then(|number| self.made.get(number)) {
            Some(made) => &made.chunk,
            None => &self.prepared[number],
        }
    }
}

impl<T> Growing<T> {
    fn push(&self, thing: T) -> usize {
        let number = self.count.get();
        let (segment, place) = Self::at(number);
        let cells = self.segments[segment].get_or_init(|| (0..1 << segment).map(|_| OnceCell::new()).collect());
        // The place is empty: the count only rises.
        let _ = cells[place].set(thing);
        self.count.set(number + 1);
        number
    }

    fn get(&self, number: usize) -> Option<&T> {
        let (segment, place) = Self::at(number);
        self.segments.get(segment)?.get()?.get(place)?.get()
    }

    fn at(number: usize) -> (usize, usize) {
        let segment = (number + 1).ilog2();
        (segment as usize, number + 1 - (1 << segment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_stays_where_it_is() {
        let growing: Growing<String> = Growing { segments: [const { OnceCell::new() }; SEGMENTS], count: Cell::new(0) };
        assert!(growing.get(0).is_none());
        let first = {
            growing.push("0".to_owned());
            growing.get(0).unwrap()
        };
        for number in 1..1000 {
            assert_eq!(growing.push(number.to_string()), number);
        }
        assert_eq!(first, "0");
        assert!((0..1000).all(|number| growing.get(number).is_some_and(|thing| *thing == number.to_string())));
        assert!(growing.get(1000).is_none());
    }
}
