//! The hash functions, and the two ways in which a tree uses them.
//!
//! Every tree and digest hashes through [`Hasher`], so that a caller with a faster
//! implementation can supply it without changing what is hashed.

use sha2::Digest;
use shake::{ExtendableOutput, Update, XofReader};

/// The 32 bytes of a SHA-256 or SHA3-256 digest.
pub type Hash = [u8; 32];

/// A hash function of 32 bytes, over the concatenation of `parts`.
pub trait Hasher {
    /// The digest of the parts, one after the other, with nothing between them.
    fn digest(parts: &[&[u8]]) -> Hash;
}

/// SHA-256 (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256;

impl Hasher for Sha256 {
    fn digest(parts: &[&[u8]]) -> Hash {
        let mut state = sha2::Sha256::new();
        for part in parts {
            Digest::update(&mut state, part);
        }
        state.finalize().into()
    }
}

/// SHA3-256 (FIPS 202).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha3_256;

impl Hasher for Sha3_256 {
    fn digest(parts: &[&[u8]]) -> Hash {
        let mut state = sha3::Sha3_256::new();
        for part in parts {
            Digest::update(&mut state, part);
        }
        state.finalize().into()
    }
}

/// SHA-256 of the parts, concatenated.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts)
}

/// SHA3-256 of the parts, concatenated.
pub fn sha3_256(parts: &[&[u8]]) -> Hash {
    Sha3_256::digest(parts)
}

/// The first 128 bytes of SHAKE256 (FIPS 202) of the parts, concatenated.
pub fn shake256_128(parts: &[&[u8]]) -> [u8; 128] {
    let mut state = shake::Shake256::default();
    for part in parts {
        state.update(part);
    }
    let mut output = [0; 128];
    state.finalize_xof().read(&mut output);
    output
}

/// Leaf data comes in at most this many parts without touching the heap.
const LEAF_PARTS: usize = 7;

/// The hash of a leaf: H(0x00 ‖ data) (RFC 9162 section 2.1.1).
pub fn leaf_hash<H: Hasher>(data: &[&[u8]]) -> Hash {
    let mut parts: [&[u8]; LEAF_PARTS + 1] = [&[]; LEAF_PARTS + 1];
    parts[0] = &[0x00];
    match parts.get_mut(1..=data.len()) {
        Some(rest) => {
            rest.copy_from_slice(data);
            H::digest(&parts[..=data.len()])
        }
        None => H::digest(&[&[0x00], data.concat().as_slice()]),
    }
}

/// The hash of an inner node: H(0x01 ‖ left ‖ right) (RFC 9162 section 2.1.1).
pub fn node_hash<H: Hasher>(left: &Hash, right: &Hash) -> Hash {
    H::digest(&[&[0x01], left, right])
}

/// The root of the tree without leaves: H("") (RFC 9162 section 2.1.1).
pub fn empty_root<H: Hasher>() -> Hash {
    H::digest(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn known_digests() {
        // FIPS 180-4 and FIPS 202 example values.
        assert_eq!(
            hex(&sha256(&[b"a", b"", b"bc"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex(&sha3_256(&[b"ab", b"c"])), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
        assert_eq!(hex(&shake256_128(&[])[..32]), "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f");
    }

    #[test]
    fn a_leaf_of_many_parts_is_the_leaf_of_their_concatenation() {
        let bytes: Vec<u8> = (0..20).collect();
        let whole = leaf_hash::<Sha3_256>(&[&bytes]);
        for size in 1..=20 {
            let parts: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(leaf_hash::<Sha3_256>(&parts), whole, "{} parts", parts.len());
        }
        assert_eq!(leaf_hash::<Sha256>(&[]), sha256(&[&[0]]));
    }
}
