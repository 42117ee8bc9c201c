//! Queries whose order begins with the newest transactions: they are read from the end of the ledger, some whole transactions at a time,
//! so that the latest ten records cost ten records, however many there are.

use super::query::{QueryRequest, source};
use super::view::View;
use crate::error::Result;
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::query::{Gathered, Order, OrderBy, Source, newest_segment, segment_rows};
use crate::schema::RecordType;

/// Rows that are looked at together at first, at most: as many as are asked for, and each step looks at twice as many.
const FIRST_SPAN: u64 = 1 << 12;
/// The same at last: some pages, which are decoded side by side.
const LAST_SPAN: u64 = 4 * CHUNK_ROWS as u64;

/// What is left of such a query.
pub(super) struct Backward {
    request: QueryRequest,
    pub(super) order: Order,
    /// The row that a page comes after, with its columns.
    pub(super) cursor: Option<Gathered>,
    /// Whether transactions of one ledger time belong together.
    by_time: bool,
    /// Whether the order within a transaction is that of the ledger.
    is_plain: bool,
    /// Whether postings say where records stand.
    is_looked_up: bool,
    first: u64,
    /// Transactions from here on are done with.
    end: u64,
    /// Rows of the next step, about, and transactions at most.
    span: u64,
}

/// Transactions whose records come next.
pub(super) struct Window {
    pub(super) source: Source,
    /// Whether its records are wanted as they stand.
    pub(super) is_in_order: bool,
    /// The row of it after which they begin, where they are.
    pub(super) after: Option<RowId>,
}

impl Backward {
    /// Of a query over the transactions of a range; `None` where its order does not begin with the newest ones, or where its records are
    /// known one by one.
    pub(super) fn new(
        view: &View,
        request: &QueryRequest,
        order: &Order,
        cursor: Option<&Gathered>,
        source: &Source,
        (first, mut end): (u64, u64),
    ) -> Result<Option<Self>> {
        let falls = |by: &OrderBy, name: &str| by.is_descending && by.field == name;
        let Some((leading, then)) = request.order_by.split_first() else { return Ok(None) };
        let by_time = falls(leading, "_time");
        if matches!(source, Source::Rows(_)) || !(by_time || falls(leading, "_index")) {
            return Ok(None);
        }
        if let Some(after) = request.after {
            view.check_index(after.index)?;
            let last = if by_time { view.first_after(view.fact(after.index)?.0)? } else { after.index + 1 };
            end = end.min(last);
        }
        let wanted = request.limit.unwrap_or(u64::MAX).saturating_add(request.offset);
        Ok(Some(Backward {
            request: request.clone(),
            order: order.clone(),
            cursor: cursor.cloned(),
            by_time,
            is_plain: match then {
                [] => true,
                [position] => position.field == "_position" && !position.is_descending,
                _ => false,
            },
            is_looked_up: matches!(source, Source::Found(_)),
            first,
            end,
            span: wanted.clamp(1, FIRST_SPAN),
        }))
    }

    /// The next transactions.
    pub(super) fn next(&mut self, view: &View, record_type: &RecordType) -> Result<Option<Window>> {
        let Some((first, end)) = self.range(view, &record_type.name)? else { return Ok(None) };
        let is_in_order = self.is_plain && end - first == 1;
        Ok(Some(Window {
            source: source(view, record_type, &self.request, (first, end))?,
            is_in_order,
            after: self.request.after.filter(|after| is_in_order && after.index == first),
        }))
    }

    fn range(&mut self, view: &View, type_name: &str) -> Result<Option<(u64, u64)>> {
        let snapshot = &*view.snapshot;
        let Some((newest, rows)) = newest_segment(snapshot, type_name, self.end)? else { return Ok(None) };
        if newest < self.first {
            return Ok(None);
        }
        let end = newest + 1;
        let mut first = end.saturating_sub(self.span).max(self.first);
        if !self.is_looked_up {
            // A large transaction stands alone: of its first rows nobody has to read the others.
            let mut left = self.span.saturating_sub(u64::from(rows));
            let mut before = segment_rows(snapshot, type_name, first, newest)?;
            first = newest;
            while let Some((index, rows)) = before.pop().filter(|(_, rows)| u64::from(*rows) <= left) {
                left -= u64::from(rows);
                first = index;
            }
        }
        let most = if self.is_looked_up { u64::MAX } else { LAST_SPAN };
        self.span = self.span.saturating_mul(2).min(most);
        if self.by_time && first > self.first {
            let time = view.fact(first)?.0;
            if view.fact(first - 1)?.0 == time {
                first = view.first_after(time - 1)?.max(self.first);
            }
        }
        self.end = first;
        Ok(Some((first, end)))
    }
}
