//! Looking into Parquet's headers before anything is made of them: Thrift's compact protocol, as far as numbers go.

/// Nesting of structs and lists; those of Parquet have less than ten levels.
const DEPTH: usize = 32;

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The bytes end before it does.
    Short,
    /// It is no such thing.
    Damaged,
}

/// What stands at a path: the ids of the fields that lead there, from the outside in; the items of a list have that of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Number(i64),
    /// The struct ends.
    End,
}

/// Reads one struct, tells of every number in it, and gives its length in bytes.
pub(super) fn read(bytes: &[u8], told: &mut dyn FnMut(&[i16], Found)) -> Result<usize, Unread> {
    let mut reader = Reader { bytes, at: 0, path: Vec::new(), told };
    reader.structure()?;
    Ok(reader.at)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<i16>,
    told: &'a mut dyn FnMut(&[i16], Found),
}

/// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

impl Reader<'_> {
    fn structure(&mut self) -> Result<(), Unread> {
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                (self.told)(&self.path, Found::End);
                return Ok(());
            }
            id = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| Unread::Damaged)?,
                step => id.checked_add(i16::from(step)).ok_or(Unread::Damaged)?,
            };
            if self.path.len() == DEPTH {
                return Err(Unread::Damaged);
            }
            self.path.push(id);
            match head & 0x0f {
                // The type of a field says its value.
                TRUE | FALSE => {}
                kind => self.value(kind)?,
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Unread> {
        match kind {
            TRUE | FALSE | BYTE => self.skip(1),
            I16..=I64 => {
                let number = self.zigzag()?;
                (self.told)(&self.path, Found::Number(number));
                Ok(())
            }
            DOUBLE => self.skip(8),
            BINARY => {
                let length = self.varint()?;
                self.skip(length)
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                (0..self.fits(count)?).try_for_each(|_| self.item(head & 0x0f))
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..self.fits(count)?).try_for_each(|_| {
                    self.item(kinds >> 4)?;
                    self.item(kinds & 0x0f)
                })
            }
            STRUCT => self.structure(),
            UUID => self.skip(16),
            _ => Err(Unread::Damaged),
        }
    }

    /// An item of a list, which may be a list: no path tells how deep those are.
    fn item(&mut self, kind: u8) -> Result<(), Unread> {
        if kind == STRUCT {
            self.structure()
        } else if matches!(kind, LIST | SET | MAP) {
            Err(Unread::Damaged)
        } else {
            self.value(kind)
        }
    }

    /// A number of items, each of at least one byte.
    fn fits(&self, count: u64) -> Result<u64, Unread> {
        if count <= (self.bytes.len() - self.at) as u64 { Ok(count) } else { Err(Unread::Short) }
    }

    fn byte(&mut self) -> Result<u8, Unread> {
        let byte = *self.bytes.get(self.at).ok_or(Unread::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, length: u64) -> Result<(), Unread> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                self.at += length;
                Ok(())
            }
            _ => Err(Unread::Short),
        }
    }

    fn zigzag(&mut self) -> Result<i64, Unread> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self) -> Result<u64, Unread> {
        varint(self.bytes, &mut self.at)
    }
}

/// An unsigned number, seven bits a byte, the lowest first.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Unread> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Unread::Short)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Unread::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Vec<(Vec<i16>, Found)>;

    fn told(bytes: &[u8]) -> Result<(usize, Told), Unread> {
        let mut all = Vec::new();
        read(bytes, &mut |path, found| all.push((path.to_vec(), found))).map(|length| (length, all))
    }

    #[test]
    fn numbers_are_told_with_their_path() {
        // 1: i32 2 · 5: { 1: i32 -1, 2: "ab" } · 21: [{ 1: i64 300 }, {}] · 22: true
        let bytes = [0x15, 4, 0x4c, 0x15, 1, 0x18, 2, b'a', b'b', 0, 0x09, 42, 0x2c, 0x16, 0xd8, 4, 0, 0, 0x11, 0, 99];
        let (length, all) = told(&bytes).unwrap();
        assert_eq!(length, bytes.len() - 1);
        let wanted = [
            (vec![1], Found::Number(2)),
            (vec![5, 1], Found::Number(-1)),
            (vec![5], Found::End),
            (vec![21, 1], Found::Number(300)),
            (vec![21], Found::End),
            (vec![21], Found::End),
            (vec![], Found::End),
        ];
        assert_eq!(all, wanted);
        for cut in 0..length {
            assert_eq!(told(&bytes[..cut]), Err(Unread::Short), "{cut}");
        }
    }

    #[test]
    fn what_lies_about_its_size_is_not_believed() {
        let too_many = [0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert_eq!(told(&too_many), Err(Unread::Short));
        assert_eq!(told(&[0x1c; 100]), Err(Unread::Damaged), "structs in structs");
        assert_eq!(told(&[[0x19, 0x19].as_slice(), &[0x19; 100]].concat()), Err(Unread::Damaged), "lists in lists");
        assert_eq!(told(&[[0x15].as_slice(), &[0xff; 20]].concat()), Err(Unread::Damaged));
        assert_eq!(told(&[0x1e, 0]), Err(Unread::Damaged));
    }
}
