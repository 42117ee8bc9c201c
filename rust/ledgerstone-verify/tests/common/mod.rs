//! What several tests share: the published vectors, and a small log built by hand.
#![allow(dead_code, unreachable_pub)] // Each test uses some of it.

use std::path::PathBuf;

use ed25519_dalek::{Signer, SigningKey};
use ledgerstone_verify::canon::Json;
use ledgerstone_verify::envelope::ENVELOPE_TAG;
use ledgerstone_verify::hash::leaf_hash;
use ledgerstone_verify::merkle::{inclusion_path, root};
use ledgerstone_verify::*;

/// The directory of the published vectors. Without it a test says so and passes, except where CI
/// runs it.
pub fn data(path: &str) -> Option<PathBuf> {
    let base = match std::env::var_os("LEDGERSTONE_DATA") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let path = base.join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs the vectors: {} is absent", path.display());
    println!("skipped: {} is absent; set LEDGERSTONE_DATA", path.display());
    None
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub const ORIGIN: &str = "acme.example/books";
pub const AUTHOR: &str = "6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d";

pub fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn verifier(name: &str, seed: u8) -> VerifierKey {
    let key = PublicKey::admit(&signing(seed).verifying_key().to_bytes()).unwrap();
    VerifierKey::new(name, key).unwrap()
}

/// The keys of the sample log: SHA-256 origin first.
pub fn trust() -> Vec<VerifierKey> {
    vec![verifier(ORIGIN, 200), verifier(&format!("{ORIGIN}/sha3-256"), 201)]
}

/// What a sample transaction is to be.
#[derive(Clone)]
pub struct Sample {
    pub count: u64,
    pub position: u64,
    /// Positions that were not plainly accepted.
    pub exceptions: Vec<(u64, ExceptionOutcome)>,
    /// Number of records that rules added; the n-th follows the n-th signed one.
    pub emitted: u64,
    pub endorsers: u8,
    pub index: u64,
    pub size: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Sample { count: 5, position: 2, exceptions: vec![], emitted: 0, endorsers: 0, index: 4, size: 11 }
    }
}

/// Nine records, of which one was rejected, one held and one flagged.
pub fn mixed() -> Sample {
    let exceptions = vec![(2, ExceptionOutcome::Rejected), (5, ExceptionOutcome::Held), (6, ExceptionOutcome::Flagged)];
    Sample { count: 9, exceptions, endorsers: 2, ..Sample::default() }
}

pub fn record_text(position: u64) -> String {
    format!(
        "{{\"data\":{{\"amount\":\"{position}.5\",\"note\":\"caf\u{e9} \\\"{position}\\\"\"}},\
         \"type\":\"finance.transfer\",\"version\":1}}"
    )
}

fn entries(sample: &Sample) -> (Vec<ProvenEntry>, Hash) {
    let mut salts = Salts::new([9; 32], EntryList::Records);
    let texts = (0..sample.count).map(|i| (record_text(i), salts.salt(i))).collect();
    prove(EntryList::Records, texts)
}

fn prove(list: EntryList, texts: Vec<(String, [u8; 16])>) -> (Vec<ProvenEntry>, Hash) {
    let leaves: Vec<Hash> = texts.iter().map(|(text, salt)| entry_leaf(list, salt, text.as_bytes())).collect();
    let entries = texts.into_iter().enumerate().map(|(place, (bytes, salt))| ProvenEntry {
        bytes,
        salt,
        position: place as u64,
        path: inclusion_path::<Sha3_256>(&leaves, place),
    });
    (entries.collect(), root::<Sha3_256>(&leaves))
}

impl Sample {
    /// All entries of the exceptions list, proven, and the list's root.
    pub fn exception_entries(&self) -> (Vec<ProvenEntry>, ListRoot) {
        let (records, _) = entries(self);
        let mut salts = Salts::new([9; 32], EntryList::Exceptions);
        let texts = self.exceptions.iter().enumerate().map(|(place, (position, outcome))| {
            let record = &records[*position as usize];
            let exception = Exception {
                position: *position,
                leaf: entry_leaf(EntryList::Records, &record.salt, record.bytes.as_bytes()),
                outcome: *outcome,
                code: "finance.insufficient_funds".into(),
            };
            let text = String::from_utf8(exception.to_canonical()).unwrap();
            (text, salts.salt(place as u64))
        });
        let count = self.exceptions.len() as u64;
        let (proven, hash) = prove(EntryList::Exceptions, texts.collect());
        (proven, ListRoot { count, root: (count > 0).then_some(hash) })
    }

    /// All entries of the emitted list, proven, and the list's root.
    pub fn emitted_entries(&self) -> (Vec<ProvenEntry>, ListRoot) {
        let mut salts = Salts::new([9; 32], EntryList::Emitted);
        let text = |n: u64| String::from_utf8(Emitted::write(n, record_text(100 + n).as_bytes())).unwrap();
        let (proven, hash) = prove(EntryList::Emitted, (0..self.emitted).map(|n| (text(n), salts.salt(n))).collect());
        (proven, ListRoot { count: self.emitted, root: (self.emitted > 0).then_some(hash) })
    }

    /// The receipt of an emitted record.
    pub fn emitted_receipt(&self, place: usize) -> Receipt {
        let record = self.emitted_entries().0.swap_remove(place);
        Receipt { record, emitted: true, exceptions: Vec::new(), ..self.receipt() }
    }

    pub fn envelope(&self) -> Envelope {
        let author = signing(1);
        let intent = Intent {
            author: AUTHOR.into(),
            count: self.count,
            expires: "2026-11-23T10:00:00.000000Z".into(),
            genesis: (self.index > 0).then_some([1; 32]),
            idempotency: Some(idempotency_digest(&[9; 32], "order-7")),
            key: author.verifying_key().to_bytes(),
            mode: Mode::Each,
            root: entries(self).1,
            seen: (self.index > 0).then_some(Seen { root: [2; 32], size: self.index }),
            time: "2026-11-22T10:00:00.000000Z".into(),
        };
        let mut signatures = vec![Signature {
            member: AUTHOR.into(),
            key: intent.key,
            sig: author.sign(&intent.message()).to_bytes(),
            endorsement: None,
        }];
        for number in 0..self.endorsers {
            let secret = signing(100 + number);
            let (key, member) = (secret.verifying_key().to_bytes(), format!("{number:032x}"));
            let time = "2026-11-22T10:00:00.000001Z".into();
            let endorsement = Endorsement { meaning: "four eyes".into(), time };
            let message = endorsement_message(&intent.digest(), &member, &key, &endorsement);
            let sig = secret.sign(&message).to_bytes();
            signatures.push(Signature { member, key, sig, endorsement: Some(endorsement) });
        }
        let prev = if self.index == 0 { hash::empty_root::<Sha3_256>() } else { [4; 32] };
        Envelope {
            cells: ListRoot { count: 2, root: Some([5; 32]) },
            emitted: self.emitted_entries().1,
            exceptions: self.exception_entries().1,
            index: self.index,
            intent,
            prev,
            semantics: 0,
            signatures,
            time: "2026-11-22T10:00:00.004217Z".into(),
        }
    }

    /// A receipt with both trees; its exceptions are those that decide the outcome.
    pub fn receipt(&self) -> Receipt {
        let envelope = String::from_utf8(self.envelope().to_canonical()).unwrap();
        self.receipt_over(envelope)
    }

    /// A receipt over an envelope text that may be anything.
    pub fn receipt_over(&self, envelope: String) -> Receipt {
        let names = [ORIGIN.to_owned(), format!("{ORIGIN}/sha3-256")];
        let record = entries(self).0.swap_remove(self.position as usize);
        let exceptions = self.exception_entries().0;
        let places: Vec<u64> = self.exceptions.iter().map(|(position, _)| *position).collect();
        let exceptions = match places.binary_search(&self.position) {
            Ok(own) => vec![exceptions[own].clone()],
            Err(after) => {
                let around = after.saturating_sub(1)..(after + 1).min(exceptions.len());
                exceptions[around].to_vec()
            }
        };
        Receipt {
            sha256: log_proof::<Sha256>(self, &envelope, &names[0], 200),
            sha3_256: Some(log_proof::<Sha3_256>(self, &envelope, &names[1], 201)),
            record,
            emitted: false,
            envelope,
            exceptions,
        }
    }
}

fn log_proof<H: Hasher>(sample: &Sample, envelope: &str, name: &str, seed: u8) -> LogProof {
    let mut leaves: Vec<Hash> = (0..sample.size).map(|i| leaf_hash::<H>(&[&[i as u8]])).collect();
    let index = sample.index as usize;
    leaves[index] = leaf_hash::<H>(&[ENVELOPE_TAG, envelope.as_bytes()]);
    let state = Checkpoint { origin: name.to_owned(), size: sample.size, root: root::<H>(&leaves) };
    let checkpoint = sign_note(&state.to_text(), name, seed);
    LogProof { checkpoint, path: inclusion_path::<H>(&leaves, index) }
}

pub fn sign_note(text: &str, name: &str, seed: u8) -> String {
    let signature = signing(seed).sign(text.as_bytes()).to_bytes();
    let note = SignedNote::unsigned(text).unwrap();
    note.with_signature(name, verifier(name, seed).id(), &signature).unwrap().to_string()
}

/// Every value that comes of leaving one member out of one object, or adding one to it.
pub fn member_mutations(json: &Json) -> Vec<(String, Json)> {
    let mut out = Vec::new();
    match json {
        Json::Object(members) => {
            let mut added = members.clone();
            added.push(("zz".into(), Json::Int(1)));
            out.push(("added".into(), Json::Object(added)));
            for (place, (key, value)) in members.iter().enumerate() {
                let mut left = members.clone();
                left.remove(place);
                out.push((format!("without {key}"), Json::Object(left)));
                for wrong in [Json::Null, Json::Bool(true), Json::List(vec![]), Json::Int(-1)] {
                    let mut changed = members.clone();
                    changed[place].1 = wrong;
                    out.push((format!("wrong {key}"), Json::Object(changed)));
                }
                for (what, inner) in member_mutations(value) {
                    let mut changed = members.clone();
                    changed[place].1 = inner;
                    out.push((format!("{key}: {what}"), Json::Object(changed)));
                }
            }
        }
        Json::List(items) => {
            for (place, item) in items.iter().enumerate() {
                for (what, inner) in member_mutations(item) {
                    let mut changed = items.clone();
                    changed[place] = inner;
                    out.push((format!("{place}: {what}"), Json::List(changed)));
                }
            }
        }
        _ => {}
    }
    out
}
