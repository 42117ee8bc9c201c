//! Strings: plain, by dictionary, or as UUIDs; whichever the values themselves decide (FORMAT.md section 10).

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::CodecError;
use super::integers::{self, Packed, reserve, reserve_in};
use super::reader::Reader;

const PLAIN: u8 = 0;
const DICTIONARY: u8 = 1;
const UUIDS: u8 = 2;

/// Distinct values of a dictionary.
const DICTIONARY_ENTRIES: usize = 65_536;

/// Strings one after another: value i is `data[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy)]
pub(super) struct Strings<'a> {
    pub(super) offsets: &'a [i32],
    pub(super) data: &'a [u8],
}

impl<'a> Strings<'a> {
    fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + 'a {
        let data = self.data;
        self.offsets.windows(2).map(move |pair| &data[pair[0] as usize..pair[1] as usize])
    }

    fn get(&self, index: usize) -> &'a [u8] {
        &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// All the bytes, where there is a value.
    fn bytes(&self) -> &'a [u8] {
        match (self.offsets.first(), self.offsets.last()) {
            (Some(first), Some(last)) => &self.data[*first as usize..*last as usize],
            _ => &[],
        }
    }

    fn lengths(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize)
    }
}

/// How strings are written.
enum Form {
    Plain,
    Dictionary {
        /// Per distinct value: where it appears first.
        firsts: Vec<u32>,
        /// Per value: which distinct one.
        indexes: Vec<i64>,
    },
    /// Their bytes.
    Uuids(Vec<u8>),
}

/// Writes `values`.
pub(super) fn put(out: &mut Vec<u8>, values: Strings<'_>) {
    match choose(values) {
        Form::Plain => {
            out.push(PLAIN);
            put_plain(out, values.lengths(), values.bytes());
        }
        Form::Dictionary { firsts, indexes } => {
            out.push(DICTIONARY);
            out.extend_from_slice(&(firsts.len() as u32).to_le_bytes());
            let entries = firsts.iter().map(|first| values.get(*first as usize));
            let lengths = entries.clone().map(<[u8]>::len);
            put_plain(out, lengths, &entries.collect::<Vec<_>>().concat());
            integers::put_i64(out, &indexes);
        }
        Form::Uuids(bytes) => {
            out.push(UUIDS);
            out.extend_from_slice(&bytes);
        }
    }
}

fn put_plain(out: &mut Vec<u8>, lengths: impl Iterator<Item = usize>, bytes: &[u8]) {
    integers::put_i64(out, &lengths.map(|length| length as i64).collect::<Vec<_>>());
    out.extend_from_slice(bytes);
}

/// The one form that these values take.
fn choose(values: Strings<'_>) -> Form {
    let count = values.len();
    if count == 0 {
        return Form::Plain;
    }
    if let Some(bytes) = uuids(values) {
        return Form::Uuids(bytes);
    }
    let (least, greatest) = spread(values.lengths());
    let plain_size = integers::size_of(count, greatest - least) + values.bytes().len();
    let hasher = DefaultHashBuilder::default();
    let hashes: Vec<u64> = values.iter().map(|value| hasher.hash_one(value)).collect();
    if distinct_enough(values, &hashes, plain_size) {
        return Form::Plain;
    }
    let Some((firsts, indexes)) = dictionary(values, &hashes) else {
        return Form::Plain;
    };
    let entries = firsts.iter().map(|first| values.get(*first as usize).len());
    if dictionary_size(entries, count) < plain_size { Form::Dictionary { firsts, indexes } } else { Form::Plain }
}

/// Bytes of form 1 after its form byte, given the lengths of its entries.
fn dictionary_size(entries: impl Iterator<Item = usize> + Clone, count: usize) -> usize {
    let distinct = entries.clone().count();
    let (least, greatest) = spread(entries.clone());
    4 + integers::size_of(distinct, greatest - least)
        + entries.sum::<usize>()
        + integers::size_of(count, distinct.saturating_sub(1) as u128)
}

/// Whether a dictionary is certain not to be smaller. A value whose hash meets an unset bit is new, so the values that do are
/// a lower bound of the distinct ones: for identifiers and the like that is proof, at a fraction of a dictionary's price.
fn distinct_enough(values: Strings<'_>, hashes: &[u64], plain_size: usize) -> bool {
    let bits = (hashes.len() * 16).next_power_of_two().max(64);
    let mut seen = vec![0_u64; bits / 64];
    let (mut distinct, mut bytes) = (0_usize, 0_usize);
    for (hash, length) in hashes.iter().zip(values.lengths()) {
        let bit = *hash as usize & (bits - 1);
        let word = &mut seen[bit / 64];
        let new = (*word >> (bit % 64) & 1) as usize ^ 1;
        *word |= 1 << (bit % 64);
        distinct += new;
        bytes += new * length;
    }
    let indexes = integers::size_of(values.len(), distinct.saturating_sub(1) as u128);
    distinct > DICTIONARY_ENTRIES || 4 + integers::HEAD + bytes + indexes >= plain_size
}

/// Where each distinct value appears first, and which one each value is; `None` where they are too many.
fn dictionary(values: Strings<'_>, hashes: &[u64]) -> Option<(Vec<u32>, Vec<i64>)> {
    let mut firsts: Vec<u32> = Vec::new();
    let mut indexes = Vec::with_capacity(values.len());
    let mut table: HashTable<u32> = HashTable::new();
    for (place, (value, hash)) in values.iter().zip(hashes).enumerate() {
        let same = |entry: &u32| values.get(firsts[*entry as usize] as usize) == value;
        let index = match table.find(*hash, same) {
            Some(entry) => *entry,
            None => {
                let entry = firsts.len() as u32;
                if firsts.len() == DICTIONARY_ENTRIES {
                    return None;
                }
                firsts.push(place as u32);
                table.insert_unique(*hash, entry, |entry| hashes[firsts[*entry as usize] as usize]);
                entry
            }
        };
        indexes.push(i64::from(index));
    }
    Some((firsts, indexes))
}

fn spread(lengths: impl Iterator<Item = usize> + Clone) -> (u128, u128) {
    (lengths.clone().min().unwrap_or(0) as u128, lengths.max().unwrap_or(0) as u128)
}

/// Appends `count` strings, or those at these places: where each ends, and the bytes. What they hold (UTF-8) is the caller's to check.
pub(super) fn append(
    reader: &mut Reader<'_>,
    count: usize,
    taken: Option<&[u32]>,
    offsets: &mut Vec<i32>,
    data: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match (reader.u8()?, taken) {
        (PLAIN, None) => {
            let (ends, bytes) = read_plain(reader, count)?;
            if !matches!(choose(Strings { offsets: &ends, data: bytes }), Form::Plain) {
                return Err(CodecError::new("strings are stored plain that have a shorter form"));
            }
            let start = offset(data.len())?;
            offset(data.len() + bytes.len())?;
            reserve_in(data, bytes.len())?;
            data.extend_from_slice(bytes);
            offsets.extend(ends[1..].iter().map(|end| start + end));
            Ok(())
        }
        (PLAIN, Some(places)) => {
            let lengths = Packed::read(reader, count)?;
            let bytes = reader.take(lengths.sum()?)?;
            let (mut start, mut at) = (0, 0);
            for &place in places {
                let place = place as usize;
                start += lengths.length_between(at, place)?;
                at = place;
                let length = lengths.length_between(place, place + 1)?;
                push(offsets, data, &bytes[start..start + length])?;
            }
            Ok(())
        }
        (DICTIONARY, None) => append_dictionary(reader, count, offsets, data),
        (DICTIONARY, Some(places)) => {
            let distinct = reader.u32()? as usize;
            let lengths = Packed::read(reader, distinct)?;
            let bytes = reader.take(lengths.sum()?)?;
            let indexes = Packed::read(reader, count)?;
            for &place in places {
                let entry = indexes.at_within(place as usize, 0, distinct as i128 - 1)? as usize;
                let start = lengths.length_between(0, entry)?;
                let length = lengths.length_between(entry, entry + 1)?;
                push(offsets, data, &bytes[start..start + length])?;
            }
            Ok(())
        }
        (UUIDS, _) if count > 0 => {
            let stored = reader.take_array(count, 16)?.as_chunks::<16>().0;
            match taken {
                None => stored.iter().try_for_each(|bytes| push(offsets, data, &format_uuid(bytes))),
                Some(places) => {
                    places.iter().try_for_each(|place| push(offsets, data, &format_uuid(&stored[*place as usize])))
                }
            }
        }
        _ => Err(CodecError::new("strings of an unknown form")),
    }
}

fn push(offsets: &mut Vec<i32>, data: &mut Vec<u8>, value: &[u8]) -> Result<(), CodecError> {
    let end = offset(data.len() + value.len())?;
    data.extend_from_slice(value);
    offsets.push(end);
    Ok(())
}

fn offset(length: usize) -> Result<i32, CodecError> {
    i32::try_from(length).map_err(|_| CodecError::new("more than 2 GiB of strings"))
}

fn read_plain<'a>(reader: &mut Reader<'a>, count: usize) -> Result<(Vec<i32>, &'a [u8]), CodecError> {
    let lengths = Packed::read(reader, count)?.i64s(0, i32::MAX.into())?;
    let mut offsets = reserve(count + 1)?;
    let mut end = 0_i64;
    offsets.push(0);
    offsets.extend(lengths.iter().map(|length| {
        end = end.saturating_add(*length);
        end as i32
    }));
    let end = offset(usize::try_from(end).unwrap_or(usize::MAX))?;
    Ok((offsets, reader.take(end as usize)?))
}

fn append_dictionary(
    reader: &mut Reader<'_>,
    count: usize,
    offsets: &mut Vec<i32>,
    data: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let distinct = reader.u32()? as usize;
    if distinct == 0 || distinct > DICTIONARY_ENTRIES.min(count) {
        return Err(CodecError::new("a dictionary with no or too many entries"));
    }
    let (entry_offsets, bytes) = read_plain(reader, distinct)?;
    let entries = Strings { offsets: &entry_offsets, data: bytes };
    let indexes = Packed::read(reader, count)?.i64s(0, distinct as i64 - 1)?;
    reserve_in(offsets, count)?;
    let start = data.len();
    let (mut next, mut end) = (0, start as i64);
    for &index in &indexes {
        if index > next {
            return Err(CodecError::new("dictionary entries are not in order of appearance"));
        }
        next += i64::from(index == next);
        let index = index as usize;
        end += i64::from(entry_offsets[index + 1] - entry_offsets[index]);
        offsets.push(end as i32);
    }
    let total = offset(usize::try_from(end).unwrap_or(usize::MAX))? as usize - start;
    check_dictionary(entries, next as usize, count, total)?;
    reserve_in(data, total)?;
    indexes.iter().for_each(|index| data.extend_from_slice(entries.get(*index as usize)));
    Ok(())
}

/// Refuses a dictionary that the encoder would not have written.
fn check_dictionary(entries: Strings<'_>, used: usize, count: usize, total: usize) -> Result<(), CodecError> {
    let hasher = DefaultHashBuilder::default();
    let hashes: Vec<u64> = entries.iter().map(|value| hasher.hash_one(value)).collect();
    let distinct = dictionary(entries, &hashes).map_or(0, |(firsts, _)| firsts.len());
    if distinct != entries.len() || used != entries.len() {
        return Err(CodecError::new("dictionary entries are repeated or not used"));
    }
    let (least, greatest) = spread(entries.lengths());
    let plain_size = integers::size_of(count, greatest - least) + total;
    if dictionary_size(entries.lengths(), count) >= plain_size || uuids(entries).is_some() {
        return Err(CodecError::new("strings have a dictionary that have a shorter form"));
    }
    Ok(())
}

/// Steps over `count` strings, checking lengths only.
pub(super) fn skip(reader: &mut Reader<'_>, count: usize) -> Result<(), CodecError> {
    let skip_plain = |reader: &mut Reader<'_>, count| {
        let bytes = Packed::read(reader, count)?.sum()?;
        reader.take(bytes).map(drop)
    };
    match reader.u8()? {
        PLAIN => skip_plain(reader, count),
        DICTIONARY => {
            let distinct = reader.u32()? as usize;
            skip_plain(reader, distinct)?;
            Packed::read(reader, count).map(drop)
        }
        UUIDS => reader.take_array(count, 16).map(drop),
        _ => Err(CodecError::new("strings of an unknown form")),
    }
}

/// Where the sixteen pairs of digits stand in a UUID's text.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The value of a lower-case hexadecimal digit; 0xff for anything else.
const DIGITS: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// The bytes of all values, where every one is a UUID.
fn uuids(values: Strings<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for text in values.iter() {
        bytes.extend_from_slice(&parse_uuid(text)?);
    }
    Some(bytes)
}

/// The bytes of a UUID in lower-case text with hyphens.
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if text[8] != b'-' || text[13] != b'-' || text[18] != b'-' || text[23] != b'-' {
        return None;
    }
    let mut bytes = [0; 16];
    let mut wrong = 0;
    for (byte, at) in bytes.iter_mut().zip(PAIRS) {
        let (high, low) = (DIGITS[usize::from(text[at])], DIGITS[usize::from(text[at + 1])]);
        wrong |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    (wrong < 16).then_some(bytes)
}

fn format_uuid(bytes: &[u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    for (byte, at) in bytes.iter().zip(PAIRS) {
        text[at] = b"0123456789abcdef"[usize::from(byte >> 4)];
        text[at + 1] = b"0123456789abcdef"[usize::from(byte & 0x0f)];
    }
    text
}
