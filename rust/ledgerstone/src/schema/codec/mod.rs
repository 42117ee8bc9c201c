//! Stored bytes: chunks, lists and postings (FORMAT.md sections 10 to 12).
//!
//! Every form is canonical: of all byte strings that could mean the same, the encoder writes one, and the decoder refuses the
//! others. So decoding and encoding again gives the same bytes, and two ledgers can be compared byte by byte. Decoding checks
//! every length before it uses it; stored bytes never panic.

mod columns;
mod gather;
mod integers;
mod postings;
mod reader;
mod strings;
#[cfg(test)]
mod tests;

pub use columns::encode_columns;
pub use gather::{Gather, decode_columns};
pub use postings::{
    Postings, bucket_bits, bucket_of, encode_positions, encode_postings, lookup_postings, read_positions,
};

use crate::limits::{ATOMIC_RECORDS, CHUNK_ROWS};
use reader::{Reader, pieces};

/// Items of one list column of a chunk, all rows together: columns of equal items take no bytes, and without a bound a
/// small file could ask for any amount of memory.
pub const CHUNK_ITEMS: usize = 1 << 24;

/// Positions of one transaction are 24 bits (row ids).
const POSITIONS: u32 = 1 << 24;
const _: () = assert!(ATOMIC_RECORDS <= POSITIONS as usize);

/// Stored bytes are not what FORMAT.md says they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CodecError {
    /// The field concerned, as a dotted path; empty where it is none.
    pub field: String,
    /// What is wrong.
    pub why: &'static str,
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.field.is_empty() {
            write!(formatter, "column {}: ", self.field)?;
        }
        formatter.write_str(self.why)
    }
}

impl CodecError {
    pub(crate) const fn new(why: &'static str) -> Self {
        Self { field: String::new(), why }
    }

    /// The same, one level further out.
    fn within(mut self, name: &str) -> Self {
        self.field = if self.field.is_empty() { name.to_owned() } else { format!("{name}.{}", self.field) };
        self
    }
}

/// How the body of a chunk is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Record bytes, one after another.
    Plain,
    /// One column per field.
    Columns,
}

/// What a chunk says of itself before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// Full name of the record type.
    pub type_name: String,
    /// Version of the module that its rows were appended under.
    pub version: u32,
    /// How many rows.
    pub rows: u32,
    /// Their positions: (first, how many), ascending, each as long as it can be.
    pub runs: Vec<(u32, u32)>,
}

impl ChunkHeader {
    /// The header of the rows at these positions, which ascend.
    pub fn new(type_name: &str, version: u32, positions: impl IntoIterator<Item = u32>) -> ChunkHeader {
        let mut rows = 0;
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for position in positions {
            rows += 1;
            match runs.last_mut() {
                Some((first, count)) if *first + *count == position => *count += 1,
                _ => runs.push((position, 1)),
            }
        }
        ChunkHeader { type_name: type_name.to_owned(), version, rows, runs }
    }

    fn write(&self, encoding: Encoding, out: &mut Vec<u8>) {
        let checked = check_head(&self.type_name, self.rows, self.runs.iter().copied());
        assert_eq!(checked, Ok(()), "a chunk header that could not be read back");
        out.push(match encoding {
            Encoding::Plain => 0,
            Encoding::Columns => 1,
        });
        out.push(self.type_name.len() as u8);
        out.extend_from_slice(self.type_name.as_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
        out.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
        for (first, count) in &self.runs {
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    }
}

/// A stored chunk: what stands before its body is read and checked, the body is not.
#[derive(Clone, Copy, Debug)]
pub struct StoredChunk<'a> {
    /// How its body is encoded.
    pub encoding: Encoding,
    /// Full name of the record type.
    pub type_name: &'a str,
    /// Version of the module that its rows were appended under.
    pub version: u32,
    /// How many rows.
    pub rows: u32,
    runs: &'a [[u8; 8]],
    body: &'a [u8],
}

impl<'a> StoredChunk<'a> {
    /// Reads what stands before the body.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let encoding = match reader.u8()? {
            0 => Encoding::Plain,
            1 => Encoding::Columns,
            _ => return Err(CodecError::new("unknown chunk encoding")),
        };
        let length = reader.u8()?;
        let name = reader.take(usize::from(length))?;
        let type_name = std::str::from_utf8(name).map_err(|_| CodecError::new("the type name is not UTF-8"))?;
        let version = reader.u32()?;
        let rows = reader.u32()?;
        let run_count = reader.u32()? as usize;
        let runs = reader.take_array(run_count, 8)?.as_chunks::<8>().0;
        let chunk = StoredChunk { encoding, type_name, version, rows, runs, body: reader.rest() };
        check_head(type_name, rows, chunk.runs()).map(|()| chunk)
    }

    /// The positions of its rows: (first, how many), ascending, each as long as it can be.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32)> + Clone + 'a {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        self.runs.iter().map(move |run| (number(&run[..4]), number(&run[4..])))
    }

    /// The position of every row, in order.
    pub fn positions(&self) -> impl Iterator<Item = u32> + 'a {
        self.runs().flat_map(|(first, count)| first..first + count)
    }

    /// The position of its last row.
    pub fn last_position(&self) -> u32 {
        self.runs().last().map_or(0, |(first, count)| first + count - 1)
    }

    /// Of some positions, which ascend: adds to `found` those that its rows have, and to `places` which of its rows have them.
    pub fn find(&self, positions: &[u32], found: &mut Vec<u32>, places: &mut Vec<u32>) {
        let (mut rest, mut before) = (positions, 0);
        for (first, count) in self.runs() {
            rest = &rest[rest.partition_point(|position| *position < first)..];
            let (here, behind) = rest.split_at(rest.partition_point(|position| position - first < count));
            found.extend(here);
            places.extend(here.iter().map(|position| before + position - first));
            (rest, before) = (behind, before + count);
        }
    }
}

fn check_head(type_name: &str, rows: u32, runs: impl Iterator<Item = (u32, u32)>) -> Result<(), CodecError> {
    if type_name.is_empty() || type_name.len() > usize::from(u8::MAX) {
        return Err(CodecError::new("the type name has no or more than 255 bytes"));
    }
    if rows == 0 || rows as usize > CHUNK_ROWS {
        return Err(CodecError::new("no rows, or too many"));
    }
    let (mut sum, mut free) = (0_u64, 0_u64);
    for (first, count) in runs {
        if count == 0 || u64::from(first) < free {
            return Err(CodecError::new("runs are empty, touch or do not ascend"));
        }
        sum += u64::from(count);
        // A run that begins right where this one ends would belong to it.
        free = u64::from(first) + u64::from(count) + 1;
    }
    if free > u64::from(POSITIONS) + 1 {
        return Err(CodecError::new("a position does not fit in 24 bits"));
    }
    if sum != u64::from(rows) {
        return Err(CodecError::new("the runs do not add up to the rows"));
    }
    Ok(())
}

/// A chunk of encoding 0.
///
/// # Panics
/// Where the header is not one of `records.len()` rows (a mistake of the caller).
pub fn encode_plain(header: &ChunkHeader, records: &[&[u8]]) -> Vec<u8> {
    assert_eq!(header.rows as usize, records.len(), "rows of the header and of the chunk");
    let total: usize = records.iter().map(|record| record.len()).sum();
    let mut out = Vec::with_capacity(64 + header.runs.len() * 8 + records.len() * 4 + total);
    header.write(Encoding::Plain, &mut out);
    let mut end = 0_u32;
    for record in records {
        end = end.checked_add(record.len() as u32).expect("a plain chunk below 4 GiB");
        out.extend_from_slice(&end.to_le_bytes());
    }
    records.iter().for_each(|record| out.extend_from_slice(record));
    out
}

/// The record bytes of a chunk of encoding 0, in order.
pub fn decode_plain<'a>(chunk: &StoredChunk<'a>) -> Result<Vec<&'a [u8]>, CodecError> {
    if chunk.encoding != Encoding::Plain {
        return Err(CodecError::new("the chunk is not plain"));
    }
    let mut reader = Reader::new(chunk.body);
    let ends = reader.take_array(chunk.rows as usize, 4)?;
    let mut records = Vec::with_capacity(chunk.rows as usize);
    let mut start = 0_u32;
    for end in pieces::<4>(ends) {
        let end = u32::from_le_bytes(*end);
        let length = end.checked_sub(start).ok_or(CodecError::new("record ends descend"))?;
        records.push(reader.take(length as usize)?);
        start = end;
    }
    reader.finish()?;
    Ok(records)
}

/// A stored list of entries (section 11).
pub fn encode_list<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![0; 4];
    let mut count = 0_u32;
    for entry in entries {
        count += 1;
        out.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        out.extend_from_slice(entry);
    }
    out[..4].copy_from_slice(&count.to_le_bytes());
    out
}

/// The entries of a stored list, in order.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    let mut reader = Reader::new(bytes);
    let count = reader.u32()? as usize;
    if count > reader.rest().len() / 4 {
        return Err(CodecError::new("cut short"));
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let length = reader.u32()? as usize;
        entries.push(reader.take(length)?);
    }
    reader.finish()?;
    Ok(entries)
}
