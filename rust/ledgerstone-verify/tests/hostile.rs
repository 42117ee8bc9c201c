//! Bytes from nowhere, and evidence cut and spliced: no panic, and nothing else is proven.

mod common;

use common::{mixed, trust};
use ledgerstone_verify::*;
use proptest::prelude::*;

/// Reads and verifies, and gives what was proven only if it differs from the original.
fn proves_something_else(text: &[u8], original: &Verified) -> Option<Verified> {
    let verified = Receipt::parse(text).ok()?.verify(&trust()).ok()?;
    (verified != *original).then_some(verified)
}

#[test]
fn no_flipped_byte_of_the_file_proves_something_else() {
    let receipt = mixed().receipt();
    let original = receipt.verify(&trust()).unwrap();
    let text = receipt.to_json().into_bytes();
    for at in 0..text.len() {
        for bit in [0x01, 0x08, 0x20, 0x80] {
            let mut changed = text.clone();
            changed[at] ^= bit;
            assert_eq!(proves_something_else(&changed, &original), None, "byte {at}");
        }
        assert_eq!(proves_something_else(&text[..at], &original), None, "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Receipt::parse(&bytes).is_err());
        prop_assert!(Envelope::parse(&bytes).is_err());
        prop_assert!(Exception::parse(&bytes).is_err());
        let _ = Json::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(SignedNote::parse(&text).is_err());
        prop_assert!(Checkpoint::parse(&text).is_err());
        prop_assert!(VerifierKey::parse(&text).is_err());
        let _ = (unb64(&text), is_timestamp(&text));
    }

    #[test]
    fn text_of_json_characters_ends(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\untrfalsd ]{0,120}") {
        if let Ok(json) = Json::parse(text.as_bytes()) {
            let written = json.canonical();
            prop_assert_eq!(Json::parse(&written).unwrap().canonical(), written);
        }
    }

    #[test]
    fn spliced_receipts_prove_nothing_else(
        cuts in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0usize..40, any::<u8>()),
            1..4,
        ),
    ) {
        let receipt = mixed().receipt();
        let original = receipt.verify(&trust()).unwrap();
        let mut text = receipt.to_json().into_bytes();
        let mut note = receipt.sha256.checkpoint.into_bytes();
        let mut envelope = receipt.envelope.into_bytes();
        for bytes in [&mut text, &mut note, &mut envelope] {
            for (at, length, byte) in &cuts {
                let at = at.index(bytes.len());
                let end = (at + length).min(bytes.len());
                match length % 3 {
                    0 => { bytes.drain(at..end); }
                    1 => { let copy = bytes[at..end].to_vec(); bytes.splice(at..at, copy); }
                    _ => bytes[at] = *byte,
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
        prop_assert_eq!(proves_something_else(&text, &original), None);
        let _ = Envelope::parse(&envelope);
        if let Ok(note) = SignedNote::parse(&String::from_utf8_lossy(&note)) {
            let _ = note.verify(&trust());
            let again = SignedNote::parse(&note.to_string());
            prop_assert_eq!(again, Ok(note));
        }
    }
}
