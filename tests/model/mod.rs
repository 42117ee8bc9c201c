//! A naive model ledger. It shares nothing with the engine but the hash functions: records are JSON maps, amounts are integers,
//! trees are a recursion, state is a map of text.

pub(crate) mod amount;
pub(crate) mod books;
pub(crate) mod calls;
pub(crate) mod choices;
mod effects;
pub(crate) mod engine;
pub(crate) mod finance;
pub(crate) mod grammar;
pub(crate) mod hash;
pub(crate) mod interpret;
pub(crate) mod language;
pub(crate) mod ledger;
mod ratio;
mod scope;
pub(crate) mod state;
mod tally;
mod text;
