//! Growing the log trees, and the tree of one transaction's records.

use ledgerstone_verify::hash::{Hash, Sha3_256, Sha256, leaf_hash, node_hash};
use ledgerstone_verify::merkle::{self, Frontier};
use rayon::prelude::*;

use crate::limits::NODE_LEVEL;

/// Leaves under one node of the lowest stored level.
const BLOCK: usize = 1 << NODE_LEVEL;

/// The two trees of a log, as far as they are needed to append.
#[derive(Clone)]
pub(crate) struct LogTrees {
    pub(crate) sha256: Frontier<Sha256>,
    pub(crate) sha3: Frontier<Sha3_256>,
}

/// Complete nodes that an append made, of level 6 and up: (level, place, SHA-256, SHA3-256).
pub(crate) type NewNodes = Vec<(u32, u64, Hash, Hash)>;

impl LogTrees {
    /// Trees of no leaves.
    pub(crate) fn new() -> Self {
        LogTrees { sha256: Frontier::new(), sha3: Frontier::new() }
    }

    /// Number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.sha256.size()
    }

    /// Appends the leaf of an envelope, given its leaf data.
    pub(crate) fn push(&mut self, leaf_data: &[&[u8]]) -> NewNodes {
        let mut sha256 = Vec::new();
        self.sha256.push_visiting(leaf_hash::<Sha256>(leaf_data), &mut |level, hash| sha256.push((level, hash)));
        let mut sha3 = Vec::new();
        self.sha3.push_visiting(leaf_hash::<Sha3_256>(leaf_data), &mut |level, hash| sha3.push((level, hash)));
        let size = self.size();
        sha256
            .into_iter()
            .zip(sha3)
            .filter(|((level, _), _)| *level >= NODE_LEVEL)
            .map(|((level, sha256), (_, sha3))| (level, (size >> level) - 1, sha256, sha3))
            .collect()
    }
}

/// The key of a stored node of the log (FORMAT.md section 9).
pub(crate) fn node_key(level: u32, place: u64) -> u64 {
    u64::from(level) << 56 | place
}

/// The tree over the records of a transaction.
pub(crate) struct RecordTree {
    pub(crate) root: Hash,
    /// Levels 6 and up, as stored: complete nodes of each level, left to right. Empty below 64 leaves.
    pub(crate) nodes: Vec<u8>,
}

impl RecordTree {
    /// Hashes the tree.
    pub(crate) fn new(leaves: &[Hash]) -> Self {
        let blocks = leaves.chunks_exact(BLOCK).map(merkle::root::<Sha3_256>).collect();
        RecordTree::over_blocks(blocks, leaves)
    }

    /// The same on all threads of the pool it is called within.
    pub(crate) fn in_parallel(leaves: &[Hash]) -> Self {
        let blocks = leaves.par_chunks_exact(BLOCK).map(merkle::root::<Sha3_256>).collect();
        RecordTree::over_blocks(blocks, leaves)
    }

    /// `blocks`: the complete nodes of level 6.
    fn over_blocks(blocks: Vec<Hash>, leaves: &[Hash]) -> Self {
        let mut frontier = Frontier::<Sha3_256>::new();
        for &hash in &blocks {
            frontier.push_subtree(NODE_LEVEL, hash).expect("blocks are aligned");
        }
        for &leaf in &leaves[blocks.len() * BLOCK..] {
            frontier.push(leaf);
        }
        let mut nodes = Vec::new();
        let mut level = blocks;
        while !level.is_empty() {
            nodes.extend(level.iter().flatten());
            level = level.chunks_exact(2).map(|pair| node_hash::<Sha3_256>(&pair[0], &pair[1])).collect();
        }
        RecordTree { root: frontier.root(), nodes }
    }
}

/// A node of level 6 or up out of the stored nodes of a records tree of `count` leaves.
pub(crate) fn record_nodes_node(nodes: &[u8], count: u64, level: u32, place: u64) -> Option<Hash> {
    let before: u64 = (NODE_LEVEL..level).map(|level| count >> level).sum();
    let start = usize::try_from(before + place).ok()?.checked_mul(32)?;
    nodes.get(start..start.checked_add(32)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_records_tree_has_the_root_of_the_plain_recursion() {
        for count in [0, 1, 2, 63, 64, 65, 127, 128, 129, 200, 1000, 4096] {
            let leaves: Vec<Hash> = (0..count as u32).map(|n| leaf_hash::<Sha3_256>(&[&n.to_be_bytes()])).collect();
            let tree = RecordTree::new(&leaves);
            assert_eq!(tree.root, merkle::root::<Sha3_256>(&leaves), "{count} leaves");
            let parallel = RecordTree::in_parallel(&leaves);
            assert_eq!((parallel.root, &parallel.nodes), (tree.root, &tree.nodes), "{count} leaves");
            if count >= 128 {
                let node = record_nodes_node(&tree.nodes, count as u64, 7, 0).unwrap();
                assert_eq!(node, merkle::root::<Sha3_256>(&leaves[..128]), "{count} leaves");
            }
        }
    }

    #[test]
    fn every_complete_node_of_the_log_is_reported_once() {
        let mut trees = LogTrees::new();
        let mut leaves = Vec::new();
        let mut seen = Vec::new();
        for n in 0..300u32 {
            leaves.push(leaf_hash::<Sha256>(&[&n.to_be_bytes()]));
            for (level, place, sha256, _) in trees.push(&[&n.to_be_bytes()]) {
                let start = (place as usize) << level;
                assert_eq!(sha256, merkle::root::<Sha256>(&leaves[start..start + (1 << level)]));
                seen.push((level, place));
            }
        }
        let expected = (6..=8).flat_map(|level| (0..300u64 >> level).map(move |place| (level, place)));
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(expected));
    }
}
