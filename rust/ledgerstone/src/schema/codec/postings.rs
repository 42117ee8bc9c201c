//! Postings: the records of a transaction by the hash of an indexed field's value (FORMAT.md section 12).

use super::CodecError;
use super::reader::{Reader, pieces};
use crate::limits::{BUCKET_POSTINGS, SMALL_CHUNK_ROWS};

/// Bytes of a position.
const WIDTH: usize = 3;

/// The postings of one field of one transaction: (hash, position), ascending, each once.
pub type Postings = Vec<(u32, u32)>;

/// Into how many buckets, 2^bits, so many postings of a transaction are cut by the leading bits of their hashes; `None`: they are few,
/// and each hash has a row of its own.
pub fn bucket_bits(postings: usize) -> Option<u8> {
    if postings < SMALL_CHUNK_ROWS {
        return None;
    }
    Some(postings.div_ceil(BUCKET_POSTINGS).next_power_of_two().trailing_zeros().min(16) as u8)
}

/// The bucket of a hash.
pub fn bucket_of(hash: u32, bits: u8) -> u16 {
    (u64::from(hash) >> (32 - u32::from(bits))) as u16
}

/// One bucket: its postings ascend, each once.
pub fn encode_postings(postings: &[(u32, u32)]) -> Vec<u8> {
    let groups = || postings.chunk_by(|left, right| left.0 == right.0);
    let distinct = groups().count();
    let mut out = Vec::with_capacity(4 + distinct * 8 + postings.len() * WIDTH);
    out.extend_from_slice(&(distinct as u32).to_le_bytes());
    groups().for_each(|group| out.extend_from_slice(&group[0].0.to_le_bytes()));
    groups().for_each(|group| out.extend_from_slice(&(group.len() as u32).to_le_bytes()));
    out.extend(encode_positions(postings.iter().map(|(_, position)| *position)));
    out
}

/// Positions, three bytes each.
pub fn encode_positions(positions: impl Iterator<Item = u32>) -> Vec<u8> {
    positions.flat_map(|position| position.to_le_bytes().into_iter().take(WIDTH)).collect()
}

/// The positions of the records whose value has this hash, ascending.
pub fn lookup_postings(bytes: &[u8], hash: u32) -> Result<Vec<u32>, CodecError> {
    let mut reader = Reader::new(bytes);
    let distinct = reader.u32()? as usize;
    let (hashes, _) = reader.take_array(distinct, 4)?.as_chunks::<4>();
    let (counts, _) = reader.take_array(distinct, 4)?.as_chunks::<4>();
    let count = |at: &[u8; 4]| u32::from_le_bytes(*at) as usize;
    let total: usize = counts.iter().map(count).sum();
    let positions = reader.take_array(total, WIDTH)?;
    reader.finish()?;
    let Ok(place) = hashes.binary_search_by_key(&hash, |stored| u32::from_le_bytes(*stored)) else {
        return Ok(Vec::new());
    };
    let skipped: usize = counts[..place].iter().map(count).sum();
    read_positions(&positions[skipped * WIDTH..(skipped + count(&counts[place])) * WIDTH])
}

/// Positions as [`encode_positions`] writes them: at least one, ascending.
pub fn read_positions(bytes: &[u8]) -> Result<Vec<u32>, CodecError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(WIDTH) {
        return Err(CodecError::new("no positions, or half of one"));
    }
    let positions: Vec<u32> = pieces::<WIDTH>(bytes).map(|&[a, b, c]| u32::from_le_bytes([a, b, c, 0])).collect();
    if positions.is_sorted_by(|left, right| left < right) {
        Ok(positions)
    } else {
        Err(CodecError::new("positions do not ascend"))
    }
}
