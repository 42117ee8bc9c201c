//! Published vectors that nobody on this project wrote.

mod common;

use std::fs;

use common::{data, unhex};
use ledgerstone_verify::hash::{empty_root, leaf_hash};
use ledgerstone_verify::merkle::{consistency_path, inclusion_path, root, verify_consistency, verify_inclusion};
use ledgerstone_verify::*;
use serde_json::Value;

/// Some vectors give hashes of a wrong length, which are refused where they are read, and some a
/// text instead, where any hash will do.
fn hash(value: &Value) -> Option<Hash> {
    let bytes = unb64(value.as_str()?).ok()?;
    if bytes.starts_with(b"don't care") {
        return Some(Sha256::digest(&[&bytes]));
    }
    bytes.try_into().ok()
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |items| items.iter().map(hash).collect())
}

fn merkle_vectors(file: &str, verify: impl Fn(&Value) -> Option<bool>) {
    let Some(path) = data(file) else { return };
    let text = fs::read_to_string(path).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let holds = verify(&case["vector"]).unwrap_or(false);
        assert_eq!(holds, !case["vector"]["wantErr"].as_bool().unwrap(), "{}", case["path"]);
        if holds { accepted += 1 } else { refused += 1 }
    }
    println!("{file}: {accepted} accepted, {refused} refused");
    assert_eq!(accepted + refused, 98);
    assert!(accepted >= 6 && refused >= 80, "{accepted} accepted, {refused} refused");
}

#[test]
fn inclusion_proofs_and_their_mutations() {
    merkle_vectors("crypto/merkle_inclusion.jsonl", |v| {
        let (index, size) = (v["leafIdx"].as_u64()?, v["treeSize"].as_u64()?);
        let (leaf, root, path) = (hash(&v["leafHash"])?, hash(&v["root"])?, hashes(&v["proof"])?);
        Some(verify_inclusion::<Sha256>(&leaf, index, size, &path, &root).is_ok())
    });
}

#[test]
fn consistency_proofs_and_their_mutations() {
    merkle_vectors("crypto/merkle_consistency.jsonl", |v| {
        let (size1, size2) = (v["size1"].as_u64()?, v["size2"].as_u64()?);
        let (root1, root2) = (hash(&v["root1"])?, hash(&v["root2"])?);
        let path = hashes(&v["proof"])?;
        Some(verify_consistency::<Sha256>(size1, &root1, size2, &root2, &path).is_ok())
    });
}

fn rfc6962<H: Hasher>(leaves: &[Vec<u8>], suite: &Value) {
    let hex = |value: &Value| -> Hash { unhex(value.as_str().unwrap()).try_into().unwrap() };
    let path = |case: &Value| -> Vec<Hash> { case["path"].as_array().unwrap().iter().map(hex).collect() };
    let roots: Vec<Hash> = suite["roots"].as_array().unwrap().iter().map(hex).collect();
    let leaves: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash::<H>(&[leaf])).collect();
    assert_eq!(roots.len(), leaves.len() + 1);
    for (size, expected) in roots.iter().enumerate() {
        assert_eq!(root::<H>(&leaves[..size]), *expected, "root of {size}");
    }
    let inclusion = suite["inclusion"].as_array().unwrap();
    let consistency = suite["consistency"].as_array().unwrap();
    assert_eq!((inclusion.len(), consistency.len()), (36, 28));
    for case in inclusion {
        let index = case["index"].as_u64().unwrap() as usize;
        let size = case["size"].as_u64().unwrap() as usize;
        assert_eq!(inclusion_path::<H>(&leaves[..size], index), path(case), "{index} in {size}");
        let (leaf, path) = (&leaves[index], path(case));
        verify_inclusion::<H>(leaf, index as u64, size as u64, &path, &roots[size]).unwrap();
    }
    for case in consistency {
        let size1 = case["size1"].as_u64().unwrap() as usize;
        let size2 = case["size2"].as_u64().unwrap() as usize;
        assert_eq!(consistency_path::<H>(&leaves[..size2], size1), path(case), "{size1} {size2}");
        let (root1, root2) = (&roots[size1], &roots[size2]);
        verify_consistency::<H>(size1 as u64, root1, size2 as u64, root2, &path(case)).unwrap();
    }
}

#[test]
fn roots_and_proofs_in_both_hashes() {
    let Some(file) = data("crypto/rfc6962_proofs_sha256_sha3_256.json") else {
        return;
    };
    let vectors: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let leaves = vectors["leaves_hex"].as_array().unwrap();
    let leaves: Vec<Vec<u8>> = leaves.iter().map(|leaf| unhex(leaf.as_str().unwrap())).collect();
    rfc6962::<Sha256>(&leaves, &vectors["sha256"]);
    rfc6962::<Sha3_256>(&leaves, &vectors["sha3_256"]);
}

#[test]
fn canonical_json() {
    let Some(dir) = data("crypto/jcs") else {
        return;
    };
    let mut count = 0;
    for entry in fs::read_dir(dir.join("input")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let input = fs::read(dir.join("input").join(&name)).unwrap();
        let hex = dir.join("outhex").join(name.replace(".json", ".txt"));
        let expected = unhex(&fs::read_to_string(hex).unwrap());
        let written = Json::parse(&input).unwrap().canonical();
        assert_eq!(written, expected, "{name}");
        assert_eq!(Json::parse(&written).unwrap().canonical(), expected, "{name}, again");
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn wycheproof_ed25519() {
    let Some(file) = data("crypto/wycheproof_ed25519_test.json") else {
        return;
    };
    let vectors: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = unhex(group["publicKey"]["pk"].as_str().unwrap()).try_into().unwrap();
        let key = PublicKey::admit(&key).unwrap();
        for case in group["tests"].as_array().unwrap() {
            let message = unhex(case["msg"].as_str().unwrap());
            let signature = unhex(case["sig"].as_str().unwrap());
            let holds = key.verify(&message, &signature).is_ok();
            match case["result"].as_str().unwrap() {
                "valid" => {
                    assert!(holds, "{case}");
                    valid += 1;
                }
                "invalid" => {
                    assert!(!holds, "{case}");
                    invalid += 1;
                }
                other => panic!("unknown result {other}"),
            }
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

/// A complete log that another implementation wrote: entries, 16 checkpoints, and their key.
#[test]
fn a_log_of_another_implementation() {
    let Some(dir) = data("crypto/tlog_testdata") else {
        return;
    };
    let key = fs::read_to_string(dir.join("vkey.txt")).unwrap();
    let key: VerifierKey = key.trim_end().parse().unwrap();
    assert_eq!(key.to_string(), fs::read_to_string(dir.join("vkey.txt")).unwrap().trim_end());
    let tile = fs::read(dir.join("log/tile/entries/000.p/15")).unwrap();
    let leaves = tile_leaves(&tile);
    assert_eq!(leaves.len(), 15);
    let mut frontier = Frontier::<Sha256>::new();
    let mut checkpoints = Vec::new();
    for size in 0..=15 {
        let note = fs::read_to_string(dir.join(format!("log/checkpoint.{size}"))).unwrap();
        let checkpoint = verify_checkpoint(&note, &key).unwrap();
        assert_eq!(checkpoint.size, size as u64);
        assert_eq!(checkpoint.root, root::<Sha256>(&leaves[..size]), "root of {size}");
        assert_eq!(checkpoint.root, frontier.root(), "frontier of {size}");
        assert_eq!(SignedNote::parse(&note).unwrap().to_string(), note);
        frontier.push(*leaves.get(size).unwrap_or(&[0; 32]));
        checkpoints.push(checkpoint);
    }
    assert_eq!(checkpoints[0].root, empty_root::<Sha256>());
    for (new, checkpoint) in checkpoints.iter().enumerate() {
        for (old, before) in checkpoints.iter().enumerate().take(new + 1).skip(1) {
            let path = consistency_path::<Sha256>(&leaves[..new], old);
            verify_consistency::<Sha256>(before.size, &before.root, checkpoint.size, &checkpoint.root, &path).unwrap();
        }
    }
}

/// A tile of entries: each a u16be length, and that many bytes (C2SP tlog-tiles).
fn tile_leaves(mut tile: &[u8]) -> Vec<Hash> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(leaf_hash::<Sha256>(&[entry]));
        tile = rest;
    }
    assert!(tile.is_empty());
    leaves
}
