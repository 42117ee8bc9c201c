//! The one signature rule: the cases on which Ed25519 libraries differ, and agreement with
//! another library on all others.

mod common;

use common::signing;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use ed25519_dalek::Signer;
use ledgerstone_verify::key::IDENTITY;
use ledgerstone_verify::{KeyError, PublicKey};
use proptest::prelude::*;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha512};

const MESSAGE: &[u8] = b"an intent";

fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

fn secret(seed: u64) -> Scalar {
    Scalar::from(seed) * Scalar::from(0x9e37_79b9_7f4a_7c15_u64) + Scalar::from(3u8)
}

/// Signs by the textbook, with `shift` added to R before the challenge is computed.
fn sign(key: Scalar, public: &[u8; 32], nonce: Scalar, shift: EdwardsPoint) -> [u8; 64] {
    let r = (ED25519_BASEPOINT_POINT * nonce + shift).compress().to_bytes();
    let s = nonce + challenge(&r, public, MESSAGE) * key;
    join(&r, &s.to_bytes())
}

fn join(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r);
    signature[32..].copy_from_slice(s);
    signature
}

fn ring_holds(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// [8][S]B = [8]R + [8][k]A, which a cofactored verifier would decide.
fn holds_with_cofactor(public: &[u8; 32], signature: &[u8; 64]) -> bool {
    let r: [u8; 32] = signature[..32].try_into().unwrap();
    let s = Scalar::from_canonical_bytes(signature[32..].try_into().unwrap()).unwrap();
    let point = |bytes| curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress().unwrap();
    let k = challenge(&r, public, MESSAGE);
    let difference = ED25519_BASEPOINT_POINT * s - point(r) - point(*public) * k;
    difference.mul_by_cofactor() == EdwardsPoint::identity()
}

#[test]
fn the_textbook_signer_is_right() {
    let key = secret(1);
    let public = (ED25519_BASEPOINT_POINT * key).compress().to_bytes();
    let signature = sign(key, &public, secret(2), EdwardsPoint::identity());
    PublicKey::admit(&public).unwrap().verify(MESSAGE, &signature).unwrap();
    assert!(ring_holds(&public, MESSAGE, &signature));
}

#[test]
fn torsion_in_r_is_refused() {
    let key = secret(1);
    let public = (ED25519_BASEPOINT_POINT * key).compress().to_bytes();
    let admitted = PublicKey::admit(&public).unwrap();
    for torsion in &EIGHT_TORSION[1..] {
        let signature = sign(key, &public, secret(2), *torsion);
        assert!(holds_with_cofactor(&public, &signature), "or the test is of nothing");
        assert_eq!(admitted.verify(MESSAGE, &signature), Err(KeyError::BadSignature));
        assert!(!ring_holds(&public, MESSAGE, &signature));
    }
}

#[test]
fn r_of_low_order_is_refused() {
    let key = secret(1);
    let public = (ED25519_BASEPOINT_POINT * key).compress().to_bytes();
    let admitted = PublicKey::admit(&public).unwrap();
    // With nonce 0 and no shift the equation holds exactly, and only the rule on R refuses it.
    let signature = sign(key, &public, Scalar::ZERO, EdwardsPoint::identity());
    assert_eq!(signature[..32], IDENTITY);
    assert!(ring_holds(&public, MESSAGE, &signature), "the one form on which the rule is stricter");
    for torsion in EIGHT_TORSION {
        let signature = sign(key, &public, Scalar::ZERO, torsion);
        assert!(holds_with_cofactor(&public, &signature));
        assert_eq!(admitted.verify(MESSAGE, &signature), Err(KeyError::BadSignature));
    }
}

#[test]
fn keys_with_torsion_or_of_low_order_are_not_admitted() {
    let point = ED25519_BASEPOINT_POINT * secret(1);
    for torsion in EIGHT_TORSION {
        let low = PublicKey::admit(&torsion.compress().to_bytes());
        assert_eq!(low, Err(KeyError::LowOrder));
        let mixed = PublicKey::admit(&(point + torsion).compress().to_bytes());
        if torsion == EdwardsPoint::identity() {
            assert!(mixed.is_ok());
        } else {
            assert_eq!(mixed, Err(KeyError::Torsion));
        }
    }
}

#[test]
fn encodings_that_are_not_canonical_are_not_admitted() {
    // y = 1 with the sign bit, where x is 0.
    let mut signed_zero = IDENTITY;
    signed_zero[31] |= 0x80;
    // y of p to p + 18, which the 255 bits can hold, and all of them: above p.
    let mut encodings = vec![signed_zero, [0xff; 32]];
    for above in 0..19 {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed + above;
        bytes[31] = 0x7f;
        encodings.push(bytes);
        bytes[31] = 0xff;
        encodings.push(bytes);
    }
    for bytes in encodings {
        assert_eq!(PublicKey::admit(&bytes), Err(KeyError::NotCanonical), "{bytes:02x?}");
    }
    // Half of all y have no point.
    let refused = (2..100).filter(|y| {
        let mut bytes = [0; 32];
        bytes[0] = *y;
        PublicKey::admit(&bytes) == Err(KeyError::NotCanonical)
    });
    assert!((30..70).contains(&refused.count()));
}

#[test]
fn s_is_below_the_group_order() {
    let signer = signing(1);
    let public = PublicKey::admit(&signer.verifying_key().to_bytes()).unwrap();
    let signature = signer.sign(MESSAGE).to_bytes();
    public.verify(MESSAGE, &signature).unwrap();
    // L, little-endian.
    let order = (-Scalar::ONE).to_bytes();
    let mut carry = 1u16;
    let mut above = signature;
    for (byte, order) in above[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(public.verify(MESSAGE, &above), Err(KeyError::ScalarRange));
    for length in [0, 32, 63, 65] {
        let bytes = vec![0; length];
        assert_eq!(public.verify(MESSAGE, &bytes), Err(KeyError::SignatureLength));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decides_as_another_library_does(
        seed: u8,
        message in proptest::collection::vec(any::<u8>(), 0..80),
        changes in proptest::collection::vec((0usize..64, any::<u8>()), 0..3),
    ) {
        let signer = signing(seed);
        let bytes = signer.verifying_key().to_bytes();
        let public = PublicKey::admit(&bytes).unwrap();
        let mut signature = signer.sign(&message).to_bytes();
        for (at, change) in changes {
            signature[at] ^= change;
        }
        let holds = public.verify(&message, &signature).is_ok();
        prop_assert_eq!(holds, ring_holds(&bytes, &message, &signature));
    }

    #[test]
    fn admission_agrees_with_the_definition(bytes: [u8; 32]) {
        if let Ok(key) = PublicKey::admit(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes);
            let point = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress().unwrap();
            // [L]A = [L − 1]A + A is the identity in the prime-order subgroup only.
            prop_assert_eq!(point * -Scalar::ONE + point, EdwardsPoint::identity());
        }
    }
}
