//! Receipts, built by hand: what must verify, and that nothing altered does.

mod common;

use common::{AUTHOR, ORIGIN, Sample, member_mutations, mixed, record_text, sign_note, trust, verifier};
use ledgerstone_verify::ExceptionOutcome::Flagged;
use ledgerstone_verify::*;

const CODE: &str = "finance.insufficient_funds";

fn kind(receipt: &Receipt, trust: &[VerifierKey]) -> VerifyErrorKind {
    receipt.verify(trust).expect_err("altered evidence was accepted").kind()
}

#[test]
fn a_receipt_verifies_and_reads_back() {
    let sample = Sample { endorsers: 3, ..Sample::default() };
    let receipt = sample.receipt();
    let verified = receipt.verify(&trust()).unwrap();
    assert_eq!(verified.outcome, Outcome::Accepted);
    assert_eq!((verified.origin.as_str(), verified.author.as_str()), (ORIGIN, AUTHOR));
    assert_eq!((verified.index, verified.size, verified.position), (4, 11, 2));
    assert_eq!(verified.record, record_text(2));
    assert_eq!(verified.endorsements.len(), 3);
    assert!(verified.checked_sha3);
    let text = receipt.to_json();
    assert_eq!(Receipt::parse(text.as_bytes()).unwrap(), receipt);
    let members = ["\"type\"", "\"record\"", "\"envelope\"", "\"sha256\"", "\"sha3-256\""];
    let places = members.map(|member| text.find(member).unwrap());
    assert!(places.is_sorted(), "the members stand in the order of the format");
}

#[test]
fn the_smallest_receipt() {
    let sample = Sample { count: 1, position: 0, index: 0, size: 1, ..Sample::default() };
    let receipt = Receipt { sha3_256: None, ..sample.receipt() };
    let verified = receipt.verify(&trust()).unwrap();
    assert_eq!((verified.index, verified.genesis, verified.checked_sha3), (0, None, false));
    assert_eq!(Receipt::parse(receipt.to_json().as_bytes()).unwrap(), receipt);
}

#[test]
fn every_outcome_at_every_position() {
    for (position, expected) in [
        (0, Outcome::Accepted),
        (1, Outcome::Accepted),
        (2, Outcome::Rejected(CODE.into())),
        (3, Outcome::Accepted),
        (4, Outcome::Accepted),
        (5, Outcome::Held(CODE.into())),
        (6, Outcome::Flagged(CODE.into())),
        (7, Outcome::Accepted),
        (8, Outcome::Accepted),
    ] {
        let receipt = Sample { position, ..mixed() }.receipt();
        assert_eq!(receipt.verify(&trust()).unwrap().outcome, expected, "position {position}");
        assert_eq!(Receipt::parse(receipt.to_json().as_bytes()).unwrap(), receipt);
    }
}

#[test]
fn an_emitted_record_verifies_with_its_cause() {
    let sample = Sample { emitted: 3, ..mixed() };
    let receipt = sample.emitted_receipt(2);
    let verified = receipt.verify(&trust()).unwrap();
    assert_eq!((verified.outcome, verified.cause, verified.position), (Outcome::Accepted, Some(2), 11));
    assert_eq!(verified.record, record_text(102));
    assert_eq!(sample.receipt().verify(&trust()).unwrap().cause, None);
    let text = receipt.to_json();
    assert!(text.contains("\"emitted\":{\"bytes\"") && !text.contains("\"record\":{\"bytes\""), "{text}");
    assert_eq!(Receipt::parse(text.as_bytes()).unwrap(), receipt);
}

#[test]
fn nothing_but_an_emitted_entry_passes_for_one() {
    let sample = Sample { emitted: 3, ..mixed() };
    let receipt = sample.emitted_receipt(1);
    // The entry of one list in the place of the other's.
    let exchanged = Receipt { emitted: false, ..receipt.clone() };
    assert_eq!(kind(&exchanged, &trust()), VerifyErrorKind::ContentChanged);
    let exchanged = Receipt { emitted: true, exceptions: Vec::new(), ..sample.receipt() };
    assert_eq!(kind(&exchanged, &trust()), VerifyErrorKind::ContentChanged);
    // Exceptions name signed records only.
    let excepted = Receipt { exceptions: sample.receipt().exceptions, ..receipt.clone() };
    assert_eq!(kind(&excepted, &trust()), VerifyErrorKind::Malformed);
    for bytes in text_mutations(&receipt.record.bytes) {
        let mut changed = receipt.clone();
        changed.record.bytes = bytes;
        assert_eq!(kind(&changed, &trust()), VerifyErrorKind::ContentChanged);
    }
    for path in path_mutations(&receipt.record.path) {
        let mut changed = receipt.clone();
        changed.record.path = path;
        assert_eq!(kind(&changed, &trust()), VerifyErrorKind::ContentChanged);
    }
    // A log that lists a record whose cause the transaction does not have.
    let salt = receipt.record.salt;
    let entry = Emitted::write(9, record_text(0).as_bytes());
    let mut envelope = sample.envelope();
    envelope.emitted = ListRoot { count: 1, root: Some(entry_leaf(EntryList::Emitted, &salt, &entry)) };
    let mut changed = sample.receipt_over(String::from_utf8(envelope.to_canonical()).unwrap());
    let bytes = String::from_utf8(entry).unwrap();
    changed.record = ProvenEntry { bytes, path: Vec::new(), position: 0, salt };
    (changed.emitted, changed.exceptions) = (true, Vec::new());
    assert_eq!(kind(&changed, &trust()), VerifyErrorKind::Malformed);
}

#[test]
fn exceptions_that_do_not_decide_are_refused() {
    let (entries, _) = mixed().exception_entries();
    // Every choice of at most two entries, in any order, against every position: accepted only
    // where it is true, and the true outcome only from the record's own entry.
    let mut choices: Vec<Vec<ProvenEntry>> = vec![vec![]];
    for a in &entries {
        choices.push(vec![a.clone()]);
        choices.extend(entries.iter().map(|b| vec![a.clone(), b.clone()]));
    }
    for position in 0..9 {
        let honest = Sample { position, ..mixed() }.receipt();
        let outcome = honest.verify(&trust()).unwrap().outcome;
        let mut decided = 0;
        for exceptions in &choices {
            let receipt = Receipt { exceptions: exceptions.clone(), ..honest.clone() };
            match receipt.verify(&trust()) {
                Ok(verified) => {
                    assert_eq!(verified.outcome, outcome, "position {position}");
                    assert_eq!(exceptions, &honest.exceptions);
                    decided += 1;
                }
                Err(error) => assert_eq!(error.kind(), VerifyErrorKind::Incomplete),
            }
        }
        assert_eq!(decided, 1, "position {position}");
    }
    let mut receipt = Sample::default().receipt();
    receipt.exceptions = vec![entries[0].clone()];
    assert_eq!(kind(&receipt, &trust()), VerifyErrorKind::Malformed);
}

#[test]
fn an_exception_of_another_record_does_not_speak_for_this_one() {
    // A log that states an exception at position 2 over the leaf of another record.
    let sample = Sample { exceptions: vec![(2, Flagged)], ..Sample::default() };
    let receipt = sample.receipt();
    let mut exception = Exception::parse(receipt.exceptions[0].bytes.as_bytes()).unwrap();
    exception.leaf = [0; 32];
    let bytes = String::from_utf8(exception.to_canonical()).unwrap();
    let salt = receipt.exceptions[0].salt;
    let mut envelope = sample.envelope();
    envelope.exceptions.root = Some(entry_leaf(EntryList::Exceptions, &salt, bytes.as_bytes()));
    let mut receipt = sample.receipt_over(String::from_utf8(envelope.to_canonical()).unwrap());
    receipt.exceptions[0].bytes = bytes;
    assert_eq!(kind(&receipt, &trust()), VerifyErrorKind::ContentChanged);
}

/// Every text that differs from this one in one character, by one bit of its last byte or by
/// being left out.
fn text_mutations(text: &str) -> impl Iterator<Item = String> + '_ {
    (0..text.len()).flat_map(move |at| {
        let mut left = text.as_bytes().to_vec();
        left.remove(at);
        let flipped = [0x01, 0x02, 0x04, 0x20].map(|bit| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= bit;
            bytes
        });
        flipped.into_iter().chain([left]).filter_map(|bytes| String::from_utf8(bytes).ok())
    })
}

fn path_mutations(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut out = vec![[path, &[[0; 32]]].concat(), [&[[0; 32]], path].concat()];
    for at in 0..path.len() {
        let mut left = path.to_vec();
        left.remove(at);
        out.push(left);
        for byte in 0..32 {
            let mut path = path.to_vec();
            path[at][byte] ^= 1 << (byte % 8);
            out.push(path);
        }
    }
    out
}

#[test]
fn no_altered_entry_verifies() {
    let receipt = mixed().receipt();
    assert_eq!(receipt.exceptions.len(), 1);
    let trust = trust();
    let mut tried = 0;
    let mut refuse = |change: &dyn Fn(&mut Receipt)| {
        let mut changed = receipt.clone();
        change(&mut changed);
        assert_ne!(changed, receipt);
        let kind = kind(&changed, &trust);
        assert_eq!(kind, VerifyErrorKind::ContentChanged);
        tried += 1;
    };
    fn entry(receipt: &mut Receipt, exception: bool) -> &mut ProvenEntry {
        if exception { &mut receipt.exceptions[0] } else { &mut receipt.record }
    }
    for exception in [false, true] {
        let original = entry(&mut receipt.clone(), exception).clone();
        for bytes in text_mutations(&original.bytes) {
            refuse(&|receipt| entry(receipt, exception).bytes = bytes.clone());
        }
        for path in path_mutations(&original.path) {
            refuse(&|receipt| entry(receipt, exception).path = path.clone());
        }
        for byte in 0..16 {
            refuse(&|receipt| entry(receipt, exception).salt[byte] ^= 0x10);
        }
        for position in (0..12).filter(|position| *position != original.position) {
            refuse(&|receipt| entry(receipt, exception).position = position);
        }
        refuse(&|receipt| entry(receipt, exception).position = u64::MAX);
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn no_altered_log_proof_verifies() {
    let receipt = mixed().receipt();
    let trust = trust();
    let mut tried = 0;
    let mut refuse = |change: &dyn Fn(&mut Receipt)| {
        let mut changed = receipt.clone();
        change(&mut changed);
        assert_ne!(changed, receipt);
        kind(&changed, &trust);
        tried += 1;
    };
    for envelope in text_mutations(&receipt.envelope) {
        refuse(&|receipt| receipt.envelope = envelope.clone());
    }
    fn proof(receipt: &mut Receipt, sha3: bool) -> &mut LogProof {
        match &mut receipt.sha3_256 {
            Some(proof) if sha3 => proof,
            _ => &mut receipt.sha256,
        }
    }
    for sha3 in [false, true] {
        let original = proof(&mut receipt.clone(), sha3).clone();
        for checkpoint in text_mutations(&original.checkpoint) {
            // An altered origin of the SHA3-256 part is no longer the part that is trusted; that
            // is refused as well, because the part is there and was to count.
            refuse(&|receipt| proof(receipt, sha3).checkpoint = checkpoint.clone());
        }
        for path in path_mutations(&original.path) {
            refuse(&|receipt| proof(receipt, sha3).path = path.clone());
        }
    }
    assert!(tried > 5000, "{tried}");
}

#[test]
fn trees_are_not_exchanged() {
    let receipt = Sample::default().receipt();
    let sha3 = receipt.sha3_256.clone().unwrap();
    // The SHA3-256 tree in the place of the SHA-256 tree, with its key trusted.
    let exchanged = Receipt { sha256: sha3.clone(), sha3_256: None, ..receipt.clone() };
    assert_eq!(kind(&exchanged, &trust()), VerifyErrorKind::LinkBroken);
    // The name of a SHA3-256 tree never stands for a SHA-256 tree, whoever signed.
    let name = format!("{ORIGIN}/sha3-256");
    let note = SignedNote::parse(&receipt.sha256.checkpoint).unwrap();
    let checkpoint = sign_note(&note.text().replace(ORIGIN, &name), &name, 201);
    let renamed = LogProof { checkpoint, ..receipt.sha256.clone() };
    let renamed = Receipt { sha256: renamed, sha3_256: None, ..receipt.clone() };
    assert_eq!(kind(&renamed, &trust()), VerifyErrorKind::LinkBroken);
    let doubled = Receipt { sha3_256: Some(receipt.sha256.clone()), ..receipt.clone() };
    assert_eq!(kind(&doubled, &trust()), VerifyErrorKind::LinkBroken);
    // The SHA3-256 part of another log, trusted as well.
    let other = "other.example/books/sha3-256";
    let note = SignedNote::parse(&sha3.checkpoint).unwrap();
    let text = note.text().replace(&format!("{ORIGIN}/sha3-256"), other);
    let foreign = LogProof { checkpoint: sign_note(&text, other, 77), ..sha3 };
    let foreign = Receipt { sha3_256: Some(foreign), ..receipt };
    let trust = [trust(), vec![verifier(other, 77)]].concat();
    assert_eq!(kind(&foreign, &trust), VerifyErrorKind::LinkBroken);
}

#[test]
fn trust_is_the_callers() {
    let receipt = Sample::default().receipt();
    let [sha256, sha3] = <[_; 2]>::try_from(trust()).unwrap();
    assert_eq!(kind(&receipt, &[]), VerifyErrorKind::NotTrusted);
    assert_eq!(kind(&receipt, std::slice::from_ref(&sha3)), VerifyErrorKind::NotTrusted);
    // The right name with another key, and the right key under another name.
    assert_eq!(kind(&receipt, &[verifier(ORIGIN, 5)]), VerifyErrorKind::NotTrusted);
    assert_eq!(kind(&receipt, &[verifier("acme.example", 200)]), VerifyErrorKind::NotTrusted);
    // Without its key the SHA3-256 part is not counted; with another key of its name it is refused.
    assert!(!receipt.verify(std::slice::from_ref(&sha256)).unwrap().checked_sha3);
    let wrong = verifier(sha3.name(), 5);
    assert_eq!(kind(&receipt, &[sha256.clone(), wrong]), VerifyErrorKind::NotTrusted);
    // Keys that did not sign do no harm: an older key of the log, and other logs.
    let more = [verifier(ORIGIN, 5), verifier("other.example", 6), sha256, sha3];
    assert!(receipt.verify(&more).unwrap().checked_sha3);
}

#[test]
fn signatures_hold_over_the_intent() {
    let sample = Sample { endorsers: 2, ..Sample::default() };
    let honest = sample.envelope();
    let over = |envelope: &Envelope| sample.receipt_over(String::from_utf8(envelope.to_canonical()).unwrap());
    assert!(over(&honest).verify(&trust()).is_ok());
    let refuse = |what: &str, change: &dyn Fn(&mut Envelope)| {
        let mut envelope = honest.clone();
        change(&mut envelope);
        assert_ne!(envelope, honest, "{what}");
        // The log signs whatever it likes; the author and the endorsers did not.
        assert_eq!(kind(&over(&envelope), &trust()), VerifyErrorKind::LinkBroken, "{what}");
    };
    for place in 0..3 {
        for byte in 0..64 {
            refuse("signature", &|envelope| envelope.signatures[place].sig[byte] ^= 1);
        }
    }
    refuse("meaning", &|e| e.signatures[1].endorsement.as_mut().unwrap().meaning = "read".into());
    refuse("time", &|e| e.signatures[2].endorsement.as_mut().unwrap().time.replace_range(3..4, "5"));
    refuse("member", &|e| e.signatures[2].member.replace_range(0..1, "f"));
    refuse("endorser's key", &|e| e.signatures[1].key = e.signatures[2].key);
    refuse("expires", &|e| e.intent.expires.replace_range(3..4, "7"));
    refuse("mode", &|e| e.intent.mode = Mode::Atomic);
    refuse("genesis", &|e| e.intent.genesis = Some([3; 32]));
    refuse("idempotency", &|e| e.intent.idempotency = None);
    refuse("seen", &|e| e.intent.seen.as_mut().unwrap().size = 1);
    refuse("root", &|e| e.intent.root = [0; 32]);
    refuse("count", &|e| e.intent.count = 6);
    refuse("author", &|e| {
        e.intent.author.replace_range(0..1, "5");
        e.signatures[0].member = e.intent.author.clone();
    });
    // A key that admits forgeries is refused although its signature "holds" in some libraries.
    refuse("weak key", &|e| {
        e.intent.key = ledgerstone_verify::key::IDENTITY;
        e.signatures[0].key = e.intent.key;
        e.signatures[0].sig = [0; 64];
        e.signatures[0].sig[0] = 1;
    });
}

#[test]
fn receipts_hold_exactly_their_members() {
    let mutations = [mixed().receipt(), Sample { emitted: 3, ..mixed() }.emitted_receipt(1)]
        .map(|receipt| member_mutations(&Json::parse(receipt.to_json().as_bytes()).unwrap()));
    for (what, changed) in mutations.into_iter().flatten() {
        let result = Receipt::parse(&changed.canonical());
        let optional = ["without exceptions", "without sha3-256"].contains(&what.as_str());
        // An empty path is a path.
        let path = what.ends_with("wrong path") && result.is_ok();
        assert!(optional || path || result.is_err(), "{what}");
        if let Ok(receipt) = result {
            assert!(what == "without sha3-256" || receipt.verify(&trust()).is_err(), "{what}");
        }
    }
}

#[test]
fn receipts_are_bounded() {
    let mut receipt = Sample::default().receipt();
    receipt.record.path = vec![[0; 32]; 64];
    assert!(Receipt::parse(receipt.to_json().as_bytes()).is_err());
    receipt.record.path.pop();
    assert!(Receipt::parse(receipt.to_json().as_bytes()).is_ok());
    receipt.record.bytes = "x".repeat(4 << 20);
    assert!(Receipt::parse(receipt.to_json().as_bytes()).is_err());
    let mut receipt = mixed().receipt();
    let entry = receipt.exceptions[0].clone();
    receipt.exceptions = vec![entry; 3];
    assert!(Receipt::parse(receipt.to_json().as_bytes()).is_err());
}
