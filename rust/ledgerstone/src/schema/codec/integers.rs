//! Integers: a base, a width, and what each value lies above the base.

use super::CodecError;
use super::reader::{Reader, pieces};

/// Bytes before the values.
pub(super) const HEAD: usize = 17;
const TOO_LARGE: &str = "too large for this machine's memory";

/// The narrowest width whose unsigned integers reach `range`.
pub(super) const fn width_for(range: u128) -> usize {
    match range {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        0x1_0000_0000..=0xffff_ffff_ffff_ffff => 8,
        _ => 16,
    }
}

/// Bytes that integers take whose greatest lies `range` above the least.
pub(super) fn size_of(count: usize, range: u128) -> usize {
    HEAD + count * width_for(range)
}

fn put_head(out: &mut Vec<u8>, base: i128, width: usize) {
    out.extend_from_slice(&base.to_le_bytes());
    out.push(width as u8);
}

/// Writes `values`.
pub(super) fn put_i64(out: &mut Vec<u8>, values: &[i64]) {
    let base = values.iter().copied().min().unwrap_or(0);
    let max = values.iter().copied().max().unwrap_or(0);
    let width = width_for(max.abs_diff(base).into());
    put_head(out, base.into(), width);
    let deltas = values.iter().map(|value| value.wrapping_sub(base));
    match width {
        0 => {}
        1 => out.extend(deltas.map(|delta| delta as u8)),
        2 => put_pieces(out, deltas.map(|delta| (delta as u16).to_le_bytes())),
        4 => put_pieces(out, deltas.map(|delta| (delta as u32).to_le_bytes())),
        _ => put_pieces(out, deltas.map(i64::to_le_bytes)),
    }
}

/// Writes `values`.
pub(super) fn put_i128(out: &mut Vec<u8>, values: &[i128]) {
    // Nearly all amounts fit in 64 bits, where the work is a fraction.
    let narrow: Option<Vec<i64>> = values.iter().map(|value| i64::try_from(*value).ok()).collect();
    if let Some(narrow) = narrow {
        return put_i64(out, &narrow);
    }
    let base = values.iter().copied().min().unwrap_or(0);
    let max = values.iter().copied().max().unwrap_or(0);
    let width = width_for(max.abs_diff(base));
    put_head(out, base, width);
    for value in values {
        out.extend_from_slice(&value.wrapping_sub(base).to_le_bytes()[..width]);
    }
}

fn put_pieces<const N: usize>(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = [u8; N]>) {
    let start = out.len();
    out.resize(start + values.len() * N, 0);
    for (place, value) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *place = value;
    }
}

/// Integers as they are stored: lengths checked, values not yet looked at.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    base: i128,
    width: usize,
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Packed<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, count: usize) -> Result<Self, CodecError> {
        let base = reader.i128()?;
        let width = usize::from(reader.u8()?);
        if !matches!(width, 0 | 1 | 2 | 4 | 8 | 16) {
            return Err(CodecError::new("integers of an unknown width"));
        }
        Ok(Packed { base, width, bytes: reader.take_array(count, width)?, count })
    }

    /// Least and greatest value, both within the bounds; refuses what the encoder would not have written.
    fn extremes(&self, low: i128, high: i128) -> Result<(i128, i128), CodecError> {
        if self.count == 0 {
            return if self.base == 0 && self.width == 0 {
                Ok((0, 0))
            } else {
                Err(CodecError::new("no integers, yet a base or a width"))
            };
        }
        let (least, greatest) = match self.width {
            0 => (0, 0),
            1 => spread(self.bytes.iter().copied()),
            2 => spread(pieces(self.bytes).map(|piece| u16::from_le_bytes(*piece))),
            4 => spread(pieces(self.bytes).map(|piece| u32::from_le_bytes(*piece))),
            8 => spread(pieces(self.bytes).map(|piece| u64::from_le_bytes(*piece))),
            _ => spread(pieces(self.bytes).map(|piece| u128::from_le_bytes(*piece))),
        };
        if least != 0 || width_for(greatest) != self.width {
            return Err(CodecError::new("integers are not packed as they should be"));
        }
        match self.base.checked_add_unsigned(greatest) {
            Some(max) if self.base >= low && max <= high => Ok((self.base, max)),
            _ => Err(CodecError::new("an integer is out of range")),
        }
    }

    /// The values, each within the bounds.
    pub(super) fn i64s(&self, low: i64, high: i64) -> Result<Vec<i64>, CodecError> {
        let mut out = Vec::new();
        self.append_i64s(low, high, None, &mut out)?;
        Ok(out)
    }

    /// Appends the values, or those at these places, each within the bounds.
    pub(super) fn append_i64s(
        &self,
        low: i64,
        high: i64,
        taken: Option<&[u32]>,
        out: &mut Vec<i64>,
    ) -> Result<(), CodecError> {
        if let Some(places) = taken {
            let mut values = places.iter().map(|place| self.at_within(*place as usize, low.into(), high.into()));
            return values.try_for_each(|value| value.map(|value| out.push(value as i64)));
        }
        self.extremes(low.into(), high.into())?;
        // In range, hence base and every sum fit.
        let base = self.base as i64;
        let bytes = self.bytes;
        reserve_in(out, self.count)?;
        match self.width {
            0 => out.resize(out.len() + self.count, base),
            1 => out.extend(bytes.iter().map(|delta| base + i64::from(*delta))),
            2 => out.extend(pieces(bytes).map(|p| base + i64::from(u16::from_le_bytes(*p)))),
            4 => out.extend(pieces(bytes).map(|p| base + i64::from(u32::from_le_bytes(*p)))),
            _ => out.extend(pieces(bytes).map(|p| base.wrapping_add(i64::from_le_bytes(*p)))),
        }
        Ok(())
    }

    /// Appends the values, or those at these places, each within the bounds.
    pub(super) fn append_i128s(
        &self,
        low: i128,
        high: i128,
        taken: Option<&[u32]>,
        out: &mut Vec<i128>,
    ) -> Result<(), CodecError> {
        if let Some(places) = taken {
            let mut values = places.iter().map(|place| self.at_within(*place as usize, low, high));
            return values.try_for_each(|value| value.map(|value| out.push(value)));
        }
        self.extremes(low, high)?;
        let (base, bytes) = (self.base, self.bytes);
        reserve_in(out, self.count)?;
        match self.width {
            0 => out.resize(out.len() + self.count, base),
            1 => out.extend(bytes.iter().map(|delta| base + i128::from(*delta))),
            2 => out.extend(pieces(bytes).map(|p| base + i128::from(u16::from_le_bytes(*p)))),
            4 => out.extend(pieces(bytes).map(|p| base + i128::from(u32::from_le_bytes(*p)))),
            8 => out.extend(pieces(bytes).map(|p| base + i128::from(u64::from_le_bytes(*p)))),
            _ => out.extend(pieces(bytes).map(|p| base.wrapping_add(i128::from_le_bytes(*p)))),
        }
        Ok(())
    }

    /// One value, within the bounds; how the others are packed is not looked at.
    pub(super) fn at_within(&self, place: usize, low: i128, high: i128) -> Result<i128, CodecError> {
        let bytes = self.bytes;
        let delta: Option<u128> = match self.width {
            0 => (place < self.count).then_some(0),
            1 => bytes.get(place).map(|byte| u128::from(*byte)),
            2 => bytes.as_chunks().0.get(place).map(|piece| u16::from_le_bytes(*piece).into()),
            4 => bytes.as_chunks().0.get(place).map(|piece| u32::from_le_bytes(*piece).into()),
            8 => bytes.as_chunks().0.get(place).map(|piece| u64::from_le_bytes(*piece).into()),
            _ => bytes.as_chunks().0.get(place).map(|piece| u128::from_le_bytes(*piece)),
        };
        let value = self.base.checked_add_unsigned(delta.ok_or(CodecError::new("cut short"))?);
        value.filter(|value| (low..=high).contains(value)).ok_or(CodecError::new("an integer is out of range"))
    }

    /// The sum of the lengths at places `from` to `to`, the end excluded.
    pub(super) fn length_between(&self, from: usize, to: usize) -> Result<usize, CodecError> {
        let part = Packed {
            bytes: self.bytes.get(from * self.width..to * self.width).ok_or(CodecError::new("cut short"))?,
            count: to - from,
            ..*self
        };
        part.sum()
    }

    /// The sum of lengths, without any other check: enough to step over what they measure.
    pub(super) fn sum(&self) -> Result<usize, CodecError> {
        let deltas: u128 = match self.width {
            0 => 0,
            1 => self.bytes.iter().map(|delta| u128::from(*delta)).sum(),
            2 => pieces(self.bytes).map(|p| u128::from(u16::from_le_bytes(*p))).sum(),
            4 => pieces(self.bytes).map(|p| u128::from(u32::from_le_bytes(*p))).sum(),
            8 => pieces(self.bytes).map(|p| u128::from(u64::from_le_bytes(*p))).sum(),
            _ => return Err(CodecError::new("a length is out of range")),
        };
        u128::try_from(self.base)
            .ok()
            .and_then(|base| base.checked_mul(self.count as u128))
            .and_then(|sum| sum.checked_add(deltas))
            .and_then(|sum| usize::try_from(sum).ok())
            .ok_or(CodecError::new("a length is out of range"))
    }
}

fn spread<T: Ord + Copy + Into<u128>>(values: impl Iterator<Item = T> + Clone) -> (u128, u128) {
    let least = values.clone().min().map_or(0, Into::into);
    (least, values.max().map_or(0, Into::into))
}

/// An empty vector with room for `count`; lack of memory is an error like any other.
pub(super) fn reserve<T>(count: usize) -> Result<Vec<T>, CodecError> {
    let mut out = Vec::new();
    out.try_reserve_exact(count).map_err(|_| CodecError::new(TOO_LARGE))?;
    Ok(out)
}

/// Room for `count` more.
pub(super) fn reserve_in<T>(out: &mut Vec<T>, count: usize) -> Result<(), CodecError> {
    out.try_reserve(count).map_err(|_| CodecError::new(TOO_LARGE))
}
