//! Trees and canonical JSON against models: naive recursion, and another implementation.

use ledgerstone_verify::hash::{empty_root, node_hash};
use ledgerstone_verify::merkle::{consistency_path, inclusion_path, root, verify_consistency, verify_inclusion};
use ledgerstone_verify::*;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH, word for word (RFC 6962 section 2.1).
fn naive_root<H: Hasher>(d: &[Hash]) -> Hash {
    match d {
        [] => empty_root::<H>(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = d.split_at(split(d.len()));
            node_hash::<H>(&naive_root::<H>(left), &naive_root::<H>(right))
        }
    }
}

/// PATH, word for word (RFC 6962 section 2.1.1).
fn naive_path<H: Hasher>(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return vec![];
    }
    let (left, right) = d.split_at(split(d.len()));
    let (mut path, other) = match m.checked_sub(left.len()) {
        None => (naive_path::<H>(m, left), right),
        Some(m) => (naive_path::<H>(m, right), left),
    };
    path.push(naive_root::<H>(other));
    path
}

/// SUBPROOF, word for word (RFC 6962 section 2.1.2).
fn naive_subproof<H: Hasher>(m: usize, d: &[Hash], whole: bool) -> Vec<Hash> {
    if m == d.len() {
        return if whole { vec![] } else { vec![naive_root::<H>(d)] };
    }
    let (left, right) = d.split_at(split(d.len()));
    let (mut path, other) = if m <= left.len() {
        (naive_subproof::<H>(m, left, whole), right)
    } else {
        (naive_subproof::<H>(m - left.len(), right, false), left)
    };
    path.push(naive_root::<H>(other));
    path
}

fn leaves(count: usize, seed: u8) -> Vec<Hash> {
    (0..count).map(|i| hash::sha256(&[&[seed], &i.to_be_bytes()])).collect()
}

#[test]
fn every_proof_of_every_small_tree() {
    for count in 0..=34 {
        let all = leaves(count, 1);
        let whole = root::<Sha3_256>(&all);
        assert_eq!(whole, naive_root::<Sha3_256>(&all));
        assert_eq!(inclusion_path::<Sha3_256>(&all, count), Vec::<Hash>::new());
        for index in 0..count {
            let path = inclusion_path::<Sha3_256>(&all, index);
            assert_eq!(path, naive_path::<Sha3_256>(index, &all), "{index} of {count}");
            // At no other place of this tree. (Its size is not in the root: some paths hold in the
            // tree of another size, which is why whoever signs a root signs the size as well.)
            for place in 0..=count as u64 {
                let (leaf, size) = (&all[index], count as u64);
                let holds = verify_inclusion::<Sha3_256>(leaf, place, size, &path, &whole);
                assert_eq!(holds.is_ok(), place == index as u64, "{index} of {count} as {place}");
            }
        }
        for old in 1..=count {
            let path = consistency_path::<Sha3_256>(&all, old);
            assert_eq!(path, naive_subproof::<Sha3_256>(old, &all, true), "{old} to {count}");
            let before = root::<Sha3_256>(&all[..old]);
            let (size1, size2) = (old as u64, count as u64);
            verify_consistency::<Sha3_256>(size1, &before, size2, &whole, &path).unwrap();
        }
        for old in [0, count, count + 1] {
            assert_eq!(consistency_path::<Sha3_256>(&all, old), Vec::<Hash>::new());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_of_larger_trees(
        count in 1usize..600,
        a: prop::sample::Index,
        b: prop::sample::Index,
    ) {
        let all = leaves(count, 2);
        let whole = root::<Sha256>(&all);
        prop_assert_eq!(whole, naive_root::<Sha256>(&all));
        let (index, old) = (a.index(count), 1 + b.index(count));
        let path = inclusion_path::<Sha256>(&all, index);
        prop_assert_eq!(&path, &naive_path::<Sha256>(index, &all));
        let (place, size) = (index as u64, count as u64);
        prop_assert!(verify_inclusion::<Sha256>(&all[index], place, size, &path, &whole).is_ok());
        let before = naive_root::<Sha256>(&all[..old]);
        let path = consistency_path::<Sha256>(&all, old);
        prop_assert_eq!(&path, &naive_subproof::<Sha256>(old, &all, true));
        let (size1, size2) = (old as u64, count as u64);
        let proof = verify_consistency::<Sha256>(size1, &before, size2, &whole, &path);
        prop_assert!(proof.is_ok());
        // No path proves that the log began with another tree, or ended as one.
        let other = leaves(1, 3)[0];
        prop_assert!(verify_consistency::<Sha256>(size1, &other, size2, &whole, &path).is_err());
        prop_assert!(verify_consistency::<Sha256>(size1, &before, size2, &other, &path).is_err());
        for changed in 0..path.len() {
            let mut path = path.clone();
            path[changed][7] ^= 1;
            let proof = verify_consistency::<Sha256>(size1, &before, size2, &whole, &path);
            prop_assert!(proof.is_err());
        }
    }

    #[test]
    fn a_frontier_grows_by_leaves_and_by_subtrees(steps in vec(0u32..6, 0..24)) {
        let all = leaves(24 * 32, 4);
        let mut frontier = Frontier::<Sha256>::new();
        for level in steps {
            let (from, count) = (frontier.size() as usize, 1usize << level);
            let hash = naive_root::<Sha256>(&all[from..from + count]);
            if level == 0 {
                frontier.push(hash);
            } else if from % count == 0 {
                frontier.push_subtree(level, hash).unwrap();
            } else {
                prop_assert_eq!(frontier.push_subtree(level, hash), Err(ProofError::Unaligned));
                continue;
            }
            let size = from + count;
            prop_assert_eq!(frontier.size(), size as u64);
            prop_assert_eq!(frontier.root(), naive_root::<Sha256>(&all[..size]));
            let hashes = frontier.hashes().to_vec();
            prop_assert_eq!(&Frontier::from_parts(size as u64, hashes).unwrap(), &frontier);
        }
    }

    #[test]
    fn hostile_proofs_end(
        index: u64, size: u64, size2: u64,
        path in vec(any::<[u8; 32]>(), 0..70),
    ) {
        let leaf = [0; 32];
        prop_assert!(verify_inclusion::<Sha256>(&leaf, index, size, &path, &leaf).is_err());
        if size != size2 {
            let proof = verify_consistency::<Sha256>(size, &leaf, size2, &leaf, &path);
            prop_assert!(proof.is_err());
        }
    }

    #[test]
    fn canonical_json_is_that_of_another_implementation(value in json()) {
        let text = serde_json::to_vec_pretty(&value).unwrap();
        let ours = Json::parse(&text).unwrap().canonical();
        let theirs = serde_jcs::to_vec(&value).unwrap();
        prop_assert_eq!(String::from_utf8(ours.clone()), String::from_utf8(theirs));
        let again = Json::parse(&ours).unwrap();
        prop_assert_eq!(again.canonical(), ours);
    }

    #[test]
    fn escaped_strings_read_as_plain_ones(text: String) {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let json = Json::parse(format!("\"{escaped}\"").as_bytes()).unwrap();
        prop_assert_eq!(json.as_text(), Some(text.as_str()));
    }

    #[test]
    fn floats_read_back(
        value in prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            // Quarters below 2^53, where two shortest decimals can be as near.
            (1u64 << 50..1 << 53).prop_map(|n| n as f64 / 4.0),
            (-1074i32..1024).prop_map(|n| 2f64.powi(n)),
        ],
    ) {
        if value.is_finite() {
            let written = String::from_utf8(Json::Float(value).canonical()).unwrap();
            prop_assert_eq!(written.parse::<f64>().unwrap(), value);
            let theirs = serde_jcs::to_string(&value).unwrap();
            prop_assert_eq!(written, theirs);
        }
    }
}

#[test]
fn frontiers_are_bounded() {
    assert_eq!(Frontier::<Sha256>::from_parts(3, vec![[0; 32]]), Err(ProofError::FrontierParts));
    let full = u64::MAX.count_ones() as usize;
    let many = vec![[0; 32]; full];
    assert_eq!(Frontier::<Sha256>::from_parts(u64::MAX, many), Err(ProofError::FrontierParts));
    let mut frontier = Frontier::<Sha256>::new();
    for level in [64, 65, u32::MAX] {
        assert_eq!(frontier.push_subtree(level, [0; 32]), Err(ProofError::Unaligned));
    }
    frontier.push_subtree(63, [0; 32]).unwrap();
    assert_eq!(frontier.push_subtree(63, [0; 32]), Err(ProofError::Unaligned));
    assert_eq!(frontier.push_subtree(0, [0; 32]), Err(ProofError::Unaligned));
    assert_eq!(frontier.clone().root(), [0; 32]);
}

/// Any JSON but integers beyond 2^53, which implementations round.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-canon::MAX_INT..=canon::MAX_INT).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((".{0,3}", inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
