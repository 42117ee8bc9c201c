//! Which line of a file a record began in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Lines by rows, as far as they may still be asked for. Shared by whoever reads and whoever reports.
#[derive(Clone, Default)]
pub(crate) struct Lines(Rc<RefCell<Marks>>);

#[derive(Default)]
struct Marks {
    /// Row and line, only where the line is not one more than the one before.
    marks: VecDeque<(u64, u64)>,
    rows: u64,
    last_line: u64,
}

impl Lines {
    /// The next row begins in this line.
    pub(crate) fn push(&self, line: u64) {
        let mut marks = self.0.borrow_mut();
        let row = marks.rows;
        if marks.marks.is_empty() || line != marks.last_line + 1 {
            marks.marks.push_back((row, line));
        }
        marks.last_line = line;
        marks.rows += 1;
    }

    /// The line of a row; `None` where the file has no lines.
    pub(crate) fn of(&self, row: u64) -> Option<u64> {
        let marks = self.0.borrow();
        let after = marks.marks.partition_point(|(first, _)| *first <= row);
        let (first, line) = *marks.marks.get(after.checked_sub(1)?)?;
        Some(line + (row - first))
    }

    /// Rows before this one are done with.
    pub(crate) fn forget(&self, row: u64) {
        let mut marks = self.0.borrow_mut();
        while marks.marks.get(1).is_some_and(|(first, _)| *first <= row) {
            marks.marks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known_as_long_as_they_may_be_asked_for() {
        let lines = Lines::default();
        assert_eq!(lines.of(0), None);
        for line in [2, 3, 4, 7, 8, 20] {
            lines.push(line);
        }
        assert_eq!([0, 1, 2, 3, 4, 5].map(|row| lines.of(row).unwrap()), [2, 3, 4, 7, 8, 20]);
        lines.forget(4);
        assert_eq!([3, 4, 5].map(|row| lines.of(row).unwrap()), [7, 8, 20]);
    }
}
