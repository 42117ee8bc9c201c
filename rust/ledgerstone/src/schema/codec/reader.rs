//! A cursor over stored bytes that checks every length.

use super::CodecError;

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(CodecError::new("cut short"))?;
        self.rest = tail;
        Ok(head)
    }

    /// `count` pieces of `width` bytes.
    pub(super) fn take_array(&mut self, count: usize, width: usize) -> Result<&'a [u8], CodecError> {
        self.take(count.checked_mul(width).ok_or(CodecError::new("cut short"))?)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(CodecError::new("cut short"))?;
        self.rest = tail;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CodecError> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CodecError> {
        self.chunk().map(u32::from_le_bytes)
    }

    pub(super) fn i128(&mut self) -> Result<i128, CodecError> {
        self.chunk().map(i128::from_le_bytes)
    }

    /// A bitmap of `count` bits; the unused ones are zero.
    pub(super) fn bitmap(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let bytes = self.take(count.div_ceil(8))?;
        match bytes.last() {
            Some(last) if !count.is_multiple_of(8) && last >> (count % 8) != 0 => {
                Err(CodecError::new("unused bits of a bitmap are set"))
            }
            _ => Ok(bytes),
        }
    }

    /// Every byte was read.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::new("bytes after the end")) }
    }
}

/// Little-endian pieces of a slice whose length is a multiple of `N`.
pub(super) fn pieces<const N: usize>(bytes: &[u8]) -> impl ExactSizeIterator<Item = &[u8; N]> + Clone {
    bytes.as_chunks::<N>().0.iter()
}
