//! Hashing, written from FORMAT.md sections 2 to 5: the tree recursion, salts, entries, lists.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_verify::hash::{Hash, sha3_256, sha256, shake256_128};
use serde_json::{Value as Json, json};

/// A hash function over parts.
pub(crate) type Function = fn(&[&[u8]]) -> Hash;

/// The two functions of the log's trees.
pub(crate) const LOG_TREES: [Function; 2] = [sha256, sha3_256];

/// The root of a tree, by the recursion of RFC 9162 section 2.1, over leaf data.
pub(crate) fn root(hash: Function, leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => hash(&[]),
        [leaf] => hash(&[&[0], leaf]),
        _ => {
            let mut split = 1;
            while split * 2 < leaves.len() {
                split *= 2;
            }
            hash(&[&[1], &root(hash, &leaves[..split]), &root(hash, &leaves[split..])])
        }
    }
}

/// Padded standard base64.
pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// RFC 8785.
pub(crate) fn jcs(value: &Json) -> String {
    serde_jcs::to_string(value).expect("plain JSON")
}

/// Lists of a transaction.
#[derive(Clone, Copy)]
pub(crate) enum List {
    Records = 0,
    Exceptions = 1,
    Emitted = 2,
    Cells = 3,
}

/// The leaf data of an entry: tag, salt, bytes.
pub(crate) fn entry(list: List, secret: &[u8; 32], place: usize, bytes: &str) -> Vec<u8> {
    let tag = match list {
        List::Records => "ledgerstone/record/v1\n",
        List::Exceptions => "ledgerstone/exception/v1\n",
        List::Emitted => "ledgerstone/emitted/v1\n",
        List::Cells => "ledgerstone/cell/v1\n",
    };
    let group = (place as u64 / 8).to_be_bytes();
    let salts = shake256_128(&[b"ledgerstone/salt/v1\n", secret, &[list as u8], &group]);
    let salt = &salts[16 * (place % 8)..16 * (place % 8) + 16];
    [tag.as_bytes(), salt, bytes.as_bytes()].concat()
}

/// The leaf data of all entries of a list.
pub(crate) fn entries(list: List, secret: &[u8; 32], all: &[String]) -> Vec<Vec<u8>> {
    all.iter().enumerate().map(|(place, bytes)| entry(list, secret, place, bytes)).collect()
}

/// How a list stands in an envelope.
pub(crate) fn list_json(list: List, secret: &[u8; 32], all: &[String]) -> Json {
    if all.is_empty() {
        return json!({"count": 0});
    }
    json!({"count": all.len(), "root": b64(&root(sha3_256, &entries(list, secret, all)))})
}
