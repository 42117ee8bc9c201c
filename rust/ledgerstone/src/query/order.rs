//! Rows in the order of some of their columns, ties in the order of the ledger.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_ord::ord::make_comparator;
use arrow_ord::sort::{SortColumn, lexsort_to_indices};
use arrow_schema::{ArrowError, SortOptions};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;

use super::filter::{column_at, located, unknown_field};
use super::gather::{Gathered, Wanted};
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::schema::RecordType;

/// What rows are ordered by: a field, dotted where it stands in a struct, or another column of a query: `_time`, `debit.kind`. Absent values come first, and last where it descends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// The field.
    pub field: String,
    /// From large to small.
    pub is_descending: bool,
}

/// An order, checked against a record type.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    keys: Vec<(Vec<usize>, bool)>,
}

/// Rows that are being put in order.
#[derive(Debug)]
pub(crate) struct Sorting {
    order: Order,
    /// Only the first so many are of interest.
    limit: usize,
    /// The row after which they begin: its keys, and its place.
    after: Option<(Vec<ArrayRef>, RowId)>,
    pages: Vec<Gathered>,
    rows: usize,
}

impl Order {
    /// Checks an order; the message says what does not fit.
    pub(crate) fn new(record_type: &RecordType, order: &[OrderBy]) -> Result<Self, String> {
        let keys = order.iter().map(|OrderBy { field: name, is_descending }| {
            let (field, steps) = located(record_type, name).ok_or_else(|| unknown_field(record_type, name))?;
            if field.kind.is_nested() {
                return Err(format!("{name} is a list or a struct: rows are ordered by single values"));
            }
            Ok((steps, *is_descending))
        });
        Ok(Order { keys: keys.collect::<Result<_, _>>()? })
    }

    /// Whether rows come as they stand.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Positions of the fields that it looks at.
    pub(crate) fn fields(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().filter_map(|(steps, _)| steps.first().copied())
    }

    fn columns(&self, page: &Gathered, wanted: &Wanted) -> Result<Vec<ArrayRef>, ArrowError> {
        self.keys.iter().map(|(steps, _)| column_at(&page.batch, wanted, steps)).collect()
    }

    fn options(&self) -> impl Iterator<Item = SortOptions> {
        self.keys.iter().map(|(_, descending)| SortOptions { descending: *descending, nulls_first: !*descending })
    }
}

impl Sorting {
    /// `limit`: only the first so many; `after`: those that come after this row, which is given with its columns.
    pub(crate) fn new(
        order: Order,
        limit: usize,
        after: Option<&Gathered>,
        wanted: &Wanted,
    ) -> Result<Self, ArrowError> {
        let after = match after {
            Some(row) => Some(order.columns(row, wanted)?).zip(row.rows.first().copied()),
            None => None,
        };
        Ok(Sorting { order, limit, after, pages: Vec::new(), rows: 0 })
    }

    /// Adds rows; gives the bytes that are held.
    pub(crate) fn add(&mut self, page: Gathered, wanted: &Wanted) -> Result<usize, ArrowError> {
        let page = self.beyond(page, wanted)?;
        self.rows += page.rows.len();
        self.pages.push(page);
        if self.rows > CHUNK_ROWS && self.rows / 2 > self.limit {
            let first = self.sorted(wanted)?;
            self.rows = first.rows.len();
            self.pages.push(first);
        }
        Ok(self.pages.iter().map(|page| page.batch.get_array_memory_size()).sum())
    }

    /// The rows in order.
    pub(crate) fn finish(mut self, wanted: &Wanted) -> Result<Gathered, ArrowError> {
        self.sorted(wanted)
    }

    /// The rows that come after the given one.
    fn beyond(&self, page: Gathered, wanted: &Wanted) -> Result<Gathered, ArrowError> {
        let Some((keys, place)) = &self.after else { return Ok(page) };
        let columns = self.order.columns(&page, wanted)?;
        let compare = columns.iter().zip(keys).zip(self.order.options());
        let compare = compare.map(|((own, key), options)| make_comparator(own, key, options));
        let compare = compare.collect::<Result<Vec<_>, _>>()?;
        let is_beyond = |row: usize| {
            let keys = compare.iter().map(|compare| compare(row, 0)).find(|ordering| ordering.is_ne());
            keys.unwrap_or_else(|| page.rows[row].cmp(place)) == Ordering::Greater
        };
        let kept: Vec<bool> = (0..page.rows.len()).map(is_beyond).collect();
        page.retain(&kept)
    }

    fn sorted(&mut self, wanted: &Wanted) -> Result<Gathered, ArrowError> {
        let pages = std::mem::take(&mut self.pages);
        let batch = concat_batches(&wanted.schema, pages.iter().map(|page| &page.batch))?;
        let rows: Vec<RowId> = pages.iter().flat_map(|page| page.rows.iter().copied()).collect();
        let versions = pages.into_iter().flat_map(|page| page.versions).collect();
        let whole = Gathered { batch, rows, versions };
        let columns = self.order.columns(&whole, wanted)?.into_iter().zip(self.order.options());
        let mut columns: Vec<SortColumn> =
            columns.map(|(values, options)| SortColumn { values, options: Some(options) }).collect();
        let places: ArrayRef = Arc::new(UInt64Array::from_iter_values(whole.rows.iter().map(|row| row.number())));
        columns.push(SortColumn { values: places, options: None });
        whole.take(&lexsort_to_indices(&columns, Some(self.limit))?)
    }
}

impl Gathered {
    /// Only the rows of which `kept` says so.
    pub(crate) fn retain(self, kept: &[bool]) -> Result<Gathered, ArrowError> {
        if kept.iter().all(|kept| *kept) {
            return Ok(self);
        }
        let mut mask = kept.iter();
        let batch: RecordBatch = filter_record_batch(&self.batch, &kept.to_vec().into())?;
        let rows = self.rows.into_iter().filter(|_| mask.next() == Some(&true)).collect();
        let mut mask = kept.iter();
        let versions = self.versions.into_iter().filter(|_| mask.next() == Some(&true)).collect();
        Ok(Gathered { batch, rows, versions })
    }

    /// These rows.
    fn take(&self, places: &UInt32Array) -> Result<Gathered, ArrowError> {
        Ok(Gathered {
            batch: take_record_batch(&self.batch, places)?,
            rows: places.values().iter().map(|&place| self.rows[place as usize]).collect(),
            versions: places.values().iter().map(|&place| self.versions[place as usize]).collect(),
        })
    }

    /// Rows from `start` on, at most `length`.
    pub(crate) fn slice(&self, start: usize, length: usize) -> Gathered {
        let length = length.min(self.rows.len() - start);
        Gathered {
            batch: self.batch.slice(start, length),
            rows: self.rows[start..start + length].to_vec(),
            versions: self.versions[start..start + length].to_vec(),
        }
    }
}
