//! The verbs, one file each: arguments, an example, and what is done.

pub(crate) mod append;
pub(crate) mod append_proposal;
pub(crate) mod audit;
pub(crate) mod balance;
pub(crate) mod checkpoint;
pub(crate) mod create;
pub(crate) mod endorse;
pub(crate) mod errors;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod grant;
pub(crate) mod held;
pub(crate) mod info;
pub(crate) mod keys;
pub(crate) mod load;
pub(crate) mod members;
pub(crate) mod propose;
pub(crate) mod query;
pub(crate) mod receipt;
pub(crate) mod release;
pub(crate) mod schema;
pub(crate) mod suspend;
pub(crate) mod try_module;
pub(crate) mod verify;
