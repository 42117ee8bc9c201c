//! Lists of numbers packed as differences: how many there are they say themselves, and a few bytes can stand for any number of equal ones.

use super::thrift::varint;

/// Whether each of the first so many lists has at most so many numbers, as far as they can be read.
pub(super) fn hold(bytes: &[u8], lists: usize, most: u64) -> bool {
    let mut at = 0;
    for _ in 0..lists {
        // Whoever reads what cannot be read here will say so.
        let Some(list) = List::begin(bytes, at) else { return true };
        if list.count > most {
            return false;
        }
        let Some(end) = list.end(bytes) else { return true };
        at = end;
    }
    true
}

/// The head of a list.
struct List {
    /// How many numbers it has.
    count: u64,
    /// Parts of a block, and numbers of a part.
    parts: u64,
    in_part: u64,
    /// Where its blocks begin.
    at: usize,
}

impl List {
    fn begin(bytes: &[u8], mut at: usize) -> Option<Self> {
        let number = |at: &mut usize| varint(bytes, at).ok();
        let (block, parts, count) = (number(&mut at)?, number(&mut at)?, number(&mut at)?);
        let _first = number(&mut at)?;
        Some(List { count, parts, in_part: block.checked_div(parts)?, at })
    }

    /// Where it ends.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut left) = (self.at, self.count.saturating_sub(1));
        while left > 0 {
            let _least = varint(bytes, &mut at).ok()?;
            let widths = bytes.get(at..at.checked_add(usize::try_from(self.parts).ok()?)?)?;
            at += widths.len();
            for width in widths {
                if left == 0 {
                    break;
                }
                let length = self.in_part.checked_mul(u64::from(*width))? / 8;
                at = at.checked_add(usize::try_from(length).ok()?)?;
                left = left.saturating_sub(self.in_part.max(1));
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lists, of 3 and of 2 numbers: blocks of 128 in 4 parts, the first of width 2.
    const LISTS: [u8; 31] = [
        128, 1, 4, 3, 0, 2, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, // three numbers: 8 bytes of 32 widths of 2
        128, 1, 4, 2, 0, 2, 0, 0, 0, 0, // two numbers, of no width
        99, 99, 99,
    ];

    #[test]
    fn lists_say_how_many_they_are_and_where_they_end() {
        let ends = |at| List::begin(&LISTS, at).map(|list| (list.count, list.end(&LISTS)));
        assert_eq!(ends(0), Some((3, Some(18))));
        assert_eq!(ends(18), Some((2, Some(28))));
        assert!(hold(&LISTS, 2, 3));
        assert!(!hold(&LISTS, 2, 2));
        assert!(!hold(&LISTS[18..], 1, 1));
        assert!(hold(&LISTS[..20], 2, 3), "what is cut off is for others to say");
        assert!(!hold(&[128, 1, 4, 255, 255, 255, 255, 7, 0], 1, 1_000));
        assert!(List::begin(&[0, 0, 9, 0, 0], 0).is_none(), "no parts");
    }
}
