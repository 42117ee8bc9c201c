//! Postings: the rows of a chunk by the hash of an indexed field's value (FORMAT.md section 12).

use super::CodecError;
use super::reader::{Reader, pieces};
use crate::limits::CHUNK_ROWS;

/// The postings of one field of one chunk; `hashes` holds one item per row, `None` where the row lacks the field.
///
/// # Panics
/// Where there are more rows than a chunk has (a mistake of the caller).
pub fn encode_postings(hashes: &[Option<u32>]) -> Vec<u8> {
    assert!(hashes.len() <= CHUNK_ROWS, "postings of more rows than a chunk has");
    // Hash above, row below: one sort of plain numbers orders both.
    let mut pairs: Vec<u64> = hashes
        .iter()
        .enumerate()
        .filter_map(|(row, hash)| hash.map(|hash| u64::from(hash) << 16 | row as u64))
        .collect();
    pairs.sort_unstable();
    let groups = || pairs.chunk_by(|left, right| left >> 16 == right >> 16);
    let distinct = groups().count();
    let mut out = Vec::with_capacity(4 + distinct * 6 + pairs.len() * 2);
    out.extend_from_slice(&(distinct as u32).to_le_bytes());
    groups().for_each(|group| out.extend_from_slice(&((group[0] >> 16) as u32).to_le_bytes()));
    groups().for_each(|group| out.extend_from_slice(&(group.len() as u16).to_le_bytes()));
    pairs.iter().for_each(|pair| out.extend_from_slice(&(*pair as u16).to_le_bytes()));
    out
}

/// The rows whose value has this hash, ascending.
pub fn lookup_postings(bytes: &[u8], hash: u32) -> Result<Vec<u16>, CodecError> {
    let mut reader = Reader::new(bytes);
    let distinct = reader.u32()? as usize;
    if distinct > CHUNK_ROWS {
        return Err(CodecError::new("more hashes than a chunk has rows"));
    }
    let (hashes, _) = reader.take_array(distinct, 4)?.as_chunks::<4>();
    let (counts, _) = reader.take_array(distinct, 2)?.as_chunks::<2>();
    if !hashes.is_sorted_by(|left, right| u32::from_le_bytes(*left) < u32::from_le_bytes(*right)) {
        return Err(CodecError::new("hashes do not ascend"));
    }
    let mut total = 0;
    for count in counts {
        if *count == [0, 0] {
            return Err(CodecError::new("a hash without rows"));
        }
        total += usize::from(u16::from_le_bytes(*count));
    }
    let rows = reader.take_array(total, 2)?;
    reader.finish()?;
    let Ok(place) = hashes.binary_search_by_key(&hash, |stored| u32::from_le_bytes(*stored)) else {
        return Ok(Vec::new());
    };
    let count = |at: &[u8; 2]| usize::from(u16::from_le_bytes(*at));
    let skipped: usize = counts[..place].iter().map(count).sum();
    let found: Vec<u16> =
        pieces::<2>(&rows[skipped * 2..]).take(count(&counts[place])).map(|row| u16::from_le_bytes(*row)).collect();
    let ascending = found.is_sorted_by(|left, right| left < right);
    if !ascending || found.last().is_some_and(|last| usize::from(*last) >= CHUNK_ROWS) {
        return Err(CodecError::new("rows do not ascend within the chunk"));
    }
    Ok(found)
}
