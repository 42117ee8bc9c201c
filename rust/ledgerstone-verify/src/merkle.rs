//! Merkle trees and their proofs (RFC 9162 section 2.1, which is RFC 6962 section 2.1).
//!
//! Generic over the hash; leaves are given as leaf hashes ([`crate::hash::leaf_hash`]). The
//! verifying functions are total: any sizes, any path, no recursion, time linear in the path.

use std::fmt;
use std::marker::PhantomData;

use crate::error::ProofError;
use crate::hash::{Hash, Hasher, empty_root, node_hash};

/// The root of the tree over these leaf hashes (RFC 9162 section 2.1.1).
pub fn root<H: Hasher>(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::<H>::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The inclusion path of the leaf at `index`, nearest the leaf first (RFC 9162 section 2.1.3.1).
/// Empty where `index` is not below the number of leaves.
pub fn inclusion_path<H: Hasher>(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let mut path = Vec::new();
    let (mut subtree, mut index) = (leaves, index);
    if index >= subtree.len() {
        return path;
    }
    // From the root down, so the path is found in reverse.
    while subtree.len() > 1 {
        let (left, right) = subtree.split_at(split(subtree.len()));
        if index < left.len() {
            path.push(root::<H>(right));
            subtree = left;
        } else {
            path.push(root::<H>(left));
            index -= left.len();
            subtree = right;
        }
    }
    path.reverse();
    path
}

/// The consistency path from the first `size1` leaves to all of them (RFC 9162 section 2.1.4.1).
/// Empty where `size1` is zero, all the leaves, or more.
pub fn consistency_path<H: Hasher>(leaves: &[Hash], size1: usize) -> Vec<Hash> {
    let mut path = Vec::new();
    if size1 == 0 || size1 >= leaves.len() {
        return path;
    }
    let (mut subtree, mut size1) = (leaves, size1);
    // While the old tree is a whole subtree at the left edge of the new one, its root is known to
    // the verifier and left out.
    let mut old_root_known = true;
    while size1 < subtree.len() {
        let (left, right) = subtree.split_at(split(subtree.len()));
        if size1 <= left.len() {
            path.push(root::<H>(right));
            subtree = left;
        } else {
            path.push(root::<H>(left));
            size1 -= left.len();
            subtree = right;
            old_root_known = false;
        }
    }
    if !old_root_known {
        path.push(root::<H>(subtree));
    }
    path.reverse();
    path
}

/// The largest power of two below `n`, for n of at least 2.
fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion<H: Hasher>(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash::<H>(sibling, &hash);
            // The last node of a level may be the only child and rise unhashed.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash::<H>(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::PathLength);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the tree of `size1` leaves is the beginning of the tree of `size2`
/// (RFC 9162 section 2.1.4.2). Nothing is proven from an empty tree: `size1` is at least 1.
pub fn verify_consistency<H: Hasher>(
    size1: u64,
    root1: &Hash,
    size2: u64,
    root2: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if size1 == 0 || size1 > size2 {
        return Err(ProofError::SizeOrder);
    }
    if size1 == size2 {
        return match path {
            [] if root1 == root2 => Ok(()),
            [] => Err(ProofError::RootMismatch),
            _ => Err(ProofError::PathLength),
        };
    }
    // Where the old tree is one perfect subtree, the path leaves its root out.
    let (first, path) =
        if size1.is_power_of_two() { (root1, path) } else { path.split_first().ok_or(ProofError::PathLength)? };
    let (mut node, mut last) = (size1 - 1, size2 - 1);
    let shift = node.trailing_ones();
    node >>= shift;
    last >>= shift;
    let (mut old, mut new) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathLength);
        }
        if node & 1 == 1 || node == last {
            old = node_hash::<H>(sibling, &old);
            new = node_hash::<H>(sibling, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash::<H>(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::PathLength);
    }
    if old == *root1 && new == *root2 { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The size up to which a [`Frontier`] takes whole subtrees: 2^63, where paths have 63 hashes.
const MAX_SIZE: u64 = 1 << 63;

/// The right edge of a growing tree: the roots of its perfect subtrees, largest first. Enough to
/// append and to know the root, in 32 bytes for each bit of the size that is set.
pub struct Frontier<H> {
    size: u64,
    hashes: Vec<Hash>,
    hasher: PhantomData<fn() -> H>,
}

impl<H: Hasher> Frontier<H> {
    /// The frontier of the tree without leaves.
    pub fn new() -> Self {
        Frontier { size: 0, hashes: Vec::new(), hasher: PhantomData }
    }

    /// A frontier from what [`Frontier::size`] and [`Frontier::hashes`] gave.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, ProofError> {
        if size > MAX_SIZE || hashes.len() != size.count_ones() as usize {
            return Err(ProofError::FrontierParts);
        }
        Ok(Frontier { size, hashes, hasher: PhantomData })
    }

    /// Appends one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_visiting(leaf, &mut |_, _| {});
    }

    /// Appends one leaf, and shows every perfect subtree that it completes: (level, root), the leaf itself first.
    pub fn push_visiting(&mut self, leaf: Hash, visit: &mut dyn FnMut(u32, Hash)) {
        self.merge(self.size, leaf, visit);
        // From at most MAX_SIZE one by one, the number never comes near its end.
        self.size += 1;
    }

    /// Appends a perfect subtree of 2^`level` leaves by its root. The size must be a multiple of
    /// 2^`level`, because only then is it a subtree of the whole.
    pub fn push_subtree(&mut self, level: u32, hash: Hash) -> Result<(), ProofError> {
        let leaves = 1u64.checked_shl(level).ok_or(ProofError::Unaligned)?;
        if self.size & (leaves - 1) != 0 {
            return Err(ProofError::Unaligned);
        }
        if self.size > MAX_SIZE || leaves > MAX_SIZE - self.size {
            return Err(ProofError::Unaligned);
        }
        self.merge(self.size >> level, hash, &mut |_, _| {});
        self.size += leaves;
        Ok(())
    }

    /// Joins `hash` with the subtrees of its own height before it; `place` is the number of
    /// subtrees of that height, and each trailing one bit is such a neighbour.
    fn merge(&mut self, place: u64, mut hash: Hash, visit: &mut dyn FnMut(u32, Hash)) {
        visit(0, hash);
        for height in 1..=place.trailing_ones() {
            match self.hashes.pop() {
                Some(left) => hash = node_hash::<H>(&left, &hash),
                None => break,
            }
            visit(height, hash);
        }
        self.hashes.push(hash);
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest (leftmost) first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.hashes.iter().rev();
        match subtrees.next() {
            Some(last) => subtrees.fold(*last, |right, left| node_hash::<H>(left, &right)),
            None => empty_root::<H>(),
        }
    }
}

// By hand, because a derive would ask the same of the hash function, which is only a name here.
impl<H> Clone for Frontier<H> {
    fn clone(&self) -> Self {
        Frontier { size: self.size, hashes: self.hashes.clone(), hasher: PhantomData }
    }
}

impl<H: Hasher> Default for Frontier<H> {
    fn default() -> Self {
        Frontier::new()
    }
}

impl<H> PartialEq for Frontier<H> {
    fn eq(&self, other: &Self) -> bool {
        self.size == other.size && self.hashes == other.hashes
    }
}

impl<H> Eq for Frontier<H> {}

impl<H> fmt::Debug for Frontier<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frontier").field("size", &self.size).finish_non_exhaustive()
    }
}
