//! Public keys and the one signature rule.
//!
//! Libraries differ on Ed25519 signatures that no honest signer makes: keys and points with a
//! component of low order, encodings that are not canonical, equations multiplied by the
//! cofactor. A log whose signatures hold in one library and not in another proves nothing, so the
//! rule is stated whole (FORMAT.md section 5) and decided here in one place.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::error::KeyError;

/// An Ed25519 public key (RFC 8032) that was admitted: the canonical encoding of a point of the
/// prime-order subgroup, not the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Checks a key once, so that every later signature has one meaning in every library.
    pub fn admit(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotCanonical)?;
        // Decompression reads y modulo p and forgives the sign of zero; only the encoding that
        // comes back is canonical.
        if point.compress().to_bytes() != *bytes {
            return Err(KeyError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(KeyError::LowOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(PublicKey(*bytes))
    }

    /// Decides the signature rule: R is the canonical encoding of a point and not of low order,
    /// S < L, and `[S]B = R + [k]A` exactly, with k = SHA-512(R ‖ A ‖ message) mod L.
    ///
    /// Under an admitted key this is what ring and OpenSSL decide, but for one signature form:
    /// R = the identity ([`IDENTITY`]), which satisfies their equation and is refused here.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let bytes: &[u8; 64] = signature.try_into().map_err(|_| KeyError::SignatureLength)?;
        let mut s = [0; 32];
        s.copy_from_slice(&bytes[32..]);
        // Checked here as well, because a build feature of the library can relax its own check.
        if bool::from(Scalar::from_canonical_bytes(s).is_none()) {
            return Err(KeyError::ScalarRange);
        }
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::NotCanonical)?;
        // Strict means: R decodes and is not of low order, and the R that the equation gives,
        // encoded, is the very bytes in the signature; so a non-canonical R never passes.
        key.verify_strict(message, &Signature::from_bytes(bytes)).map_err(|_| KeyError::BadSignature)
    }

    /// The 32 bytes of the key.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The 32 bytes of the key, borrowed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The encoding of the identity. Under an admitted key it is the only R of low order that can
/// satisfy the equation, so a verifier built on another library refuses R = these bytes and
/// decides as [`PublicKey::verify`] does.
pub const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
