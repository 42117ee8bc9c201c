//! The nouns of the engine: values, cells, rows, and the trait by which state is read. No I/O.

mod cell;
mod event;
mod flat;
mod fraction;
mod state;
mod value;

pub use cell::{CellValue, Ordinal, Parts, RowId};
pub use event::{Event, Observer};
pub use flat::FlatRows;
pub use fraction::Fraction;
pub use state::{CellVisitor, RecordsVisitor, State, UniqueKey};
pub use value::{Decimal, Unfit, VALUE_BYTES, Value, ValueRef};
