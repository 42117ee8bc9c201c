//! Reading records back: by row, by key, by predicates over fields, as Arrow.

mod filter;
mod gather;
mod lookup;
mod order;
mod pieces;
mod read;
mod scan;
mod segments;

pub use filter::{Comparison, Predicate};
pub(crate) use filter::{Filter, column_at, located, unknown_field, value_json};
pub(crate) use gather::{Gathered, Gathering, Wanted};
pub(crate) use lookup::{Lookup, Positions, history_key, moving_transactions, posting_prefix};
pub use order::OrderBy;
pub(crate) use order::{Order, Sorting};
pub(crate) use pieces::read_head;
pub(crate) use read::{ChunkRows, ReadError, Reader, Types, decode, record_type_of, row_key};
pub(crate) use scan::{Scan, Source, read_rows};
pub(crate) use segments::{Segments, has_segments, newest_segment, segment_prefix, segment_rows, stored_rows};
