//! The nouns of the engine: values, cells, transactions, commits, and the trait by which state is read. No I/O.

pub mod value;

pub use value::{Decimal, Value};
