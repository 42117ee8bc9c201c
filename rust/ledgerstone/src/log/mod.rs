//! The log: two Merkle trees over the same envelopes, their checkpoints, and proofs out of what is stored.

mod checkpoint;
mod prove;
mod tree;

pub use checkpoint::Checkpoints;
pub(crate) use checkpoint::{ORIGIN_SUFFIX_SHA3, verifier_keys};
pub(crate) use prove::{Nodes, inclusion_path};
pub(crate) use tree::{LogTrees, NewNodes, RecordTree, node_key, record_nodes_node};
