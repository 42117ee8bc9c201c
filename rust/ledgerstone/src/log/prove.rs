//! Inclusion paths out of stored nodes (RFC 9162 section 2.1.3).

use ledgerstone_verify::hash::{Hash, Hasher, node_hash};

/// Where the hashes of complete nodes come from.
pub(crate) trait Nodes {
    /// What reading can fail with.
    type Error;

    /// The node at `place` of `level`; level 0 is the leaves.
    fn node(&mut self, level: u32, place: u64) -> Result<Hash, Self::Error>;
}

/// The path of leaf `index` in a tree of `size` leaves, nearest the leaf first. `index` is below `size`.
pub(crate) fn inclusion_path<H: Hasher, N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(subtree::<H, N>(nodes, middle, high)?);
            high = middle;
        } else {
            path.push(subtree::<H, N>(nodes, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The root over leaves `low..high`, a range that RFC 9162 splits off.
fn subtree<H: Hasher, N: Nodes>(nodes: &mut N, low: u64, high: u64) -> Result<Hash, N::Error> {
    let width = high - low;
    if width.is_power_of_two() {
        let level = width.ilog2();
        return nodes.node(level, low >> level);
    }
    let middle = low + split(width);
    let left = subtree::<H, N>(nodes, low, middle)?;
    let right = subtree::<H, N>(nodes, middle, high)?;
    Ok(node_hash::<H>(&left, &right))
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use ledgerstone_verify::hash::{Sha3_256, leaf_hash};
    use ledgerstone_verify::merkle;

    use super::*;

    struct Naive<'a>(&'a [Hash]);

    impl Nodes for Naive<'_> {
        type Error = std::convert::Infallible;

        fn node(&mut self, level: u32, place: u64) -> Result<Hash, Self::Error> {
            let start = (place << level) as usize;
            Ok(merkle::root::<Sha3_256>(&self.0[start..start + (1 << level)]))
        }
    }

    #[test]
    fn paths_are_those_of_the_recursion() {
        let leaves: Vec<Hash> = (0..40u8).map(|n| leaf_hash::<Sha3_256>(&[&[n]])).collect();
        for size in 1..=leaves.len() {
            for index in 0..size {
                let Ok(path) = inclusion_path::<Sha3_256, _>(&mut Naive(&leaves[..size]), index as u64, size as u64);
                assert_eq!(path, merkle::inclusion_path::<Sha3_256>(&leaves[..size], index));
            }
        }
    }
}
