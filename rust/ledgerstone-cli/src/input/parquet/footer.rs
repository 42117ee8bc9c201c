//! The footer of a file: what it would make of its bytes is looked at before it is read.

use std::fs::File;

use ledgerstone::Error;
use ledgerstone::limits::{INPUT_COLUMNS, INPUT_DEPTH, INPUT_HEAD_BYTES};
use parquet::file::reader::{ChunkReader, Length};

use super::super::{head_too_long, malformed};
use super::thrift::{self, Found};

/// The last bytes of a file: the length of the footer, and this.
const MAGIC: &[u8] = b"PAR1";
const TAIL_BYTES: u64 = 8;

/// The list of schema elements in the footer, and how many children one has.
const SCHEMA: &[i16] = &[2];
const CHILDREN: &[i16] = &[2, 5];

/// Whether the footer is no longer, the schema no deeper and no wider than a record type can ask for.
pub(super) fn check(name: &str, file: &File) -> Result<(), Error> {
    let read = |start: u64, length: u64| {
        file.get_bytes(start, length as usize).map_err(|error| malformed(name, None, format!("Parquet error: {error}")))
    };
    let length = file.len();
    let Some(before) = length.checked_sub(TAIL_BYTES) else { return Err(malformed(name, None, "no Parquet file")) };
    let tail = read(before, TAIL_BYTES)?;
    let (size, magic) = tail.split_at(4);
    if magic != MAGIC {
        return Err(malformed(name, None, "no Parquet file, or one that is encrypted"));
    }
    let size = size.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    if size > before {
        let what = format!("the footer is said to have {size} bytes, and the file has {length}");
        return Err(malformed(name, None, what));
    }
    if size > INPUT_HEAD_BYTES {
        return Err(head_too_long(format!("{name}: the size of its footer in bytes"), size));
    }
    let mut shape = Shape::default();
    let walked = thrift::read(&read(before - size, size)?, &mut |path, found| shape.tell(path, found));
    let Shape { deepest, columns, .. } = shape;
    if deepest > INPUT_DEPTH {
        let what = format!("{name}: how deep its columns are nested");
        return Err(Error::Limit { what, value: deepest, limit: "INPUT_DEPTH", bound: INPUT_DEPTH });
    }
    if columns > INPUT_COLUMNS {
        let what = format!("{name}: the number of its columns");
        return Err(Error::Limit { what, value: columns, limit: "INPUT_COLUMNS", bound: INPUT_COLUMNS });
    }
    walked.map(drop).map_err(|_| malformed(name, None, "the footer is damaged"))
}

/// The tree of the schema, as its elements come: each says how many of the next ones are its children.
#[derive(Default)]
struct Shape {
    /// Children that are still to come, of the elements around the next one.
    open: Vec<i64>,
    children: i64,
    deepest: u64,
    columns: u64,
}

impl Shape {
    fn tell(&mut self, path: &[i16], found: Found) {
        match found {
            Found::Number(children) if path == CHILDREN => self.children = children,
            Found::End if path == SCHEMA => self.element(),
            _ => {}
        }
    }

    fn element(&mut self) {
        let children = std::mem::take(&mut self.children);
        while self.open.last().is_some_and(|left| *left <= 0) {
            self.open.pop();
        }
        if let Some(left) = self.open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            self.open.push(children);
            self.deepest = self.deepest.max(self.open.len() as u64);
        } else {
            self.columns += 1;
        }
    }
}
