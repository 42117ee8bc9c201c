//! Reading records back: by row, by key, by predicates over fields, as Arrow.

mod filter;
mod read;
mod scan;

pub use filter::{Comparison, Predicate};
pub(crate) use filter::{Filter, value_json};
pub(crate) use read::{ChunkRows, ReadError, Reader, Types, chunk_key, decode};
pub(crate) use scan::{Page, Scan, segment_prefix, segments};
