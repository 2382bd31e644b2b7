//! Verifying with RSA (RFC 8017). Keys are public, so nothing here is secret.

use num_bigint::BigUint;

use crate::der::{INTEGER, SEQUENCE, Values};
use crate::digest::Digest;

/// Longer moduli are refused, in bytes: a certificate may not make us calculate for long.
const LONGEST: usize = 1024;
/// Longer exponents are refused, in bytes.
const LONGEST_EXPONENT: usize = 8;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The modulus, the highest byte first, without zeros before it.
    pub modulus: Vec<u8>,
    /// The exponent, likewise.
    pub exponent: Vec<u8>,
}

impl PublicKey {
    /// Reads an `RSAPublicKey` (RFC 8017 A.1.1).
    pub(crate) fn read(bytes: &[u8]) -> Option<PublicKey> {
        let mut fields = Values::new(bytes).tagged(SEQUENCE)?.values();
        let (modulus, exponent) =
            (trimmed(fields.tagged(INTEGER)?.contents), trimmed(fields.tagged(INTEGER)?.contents));
        Some(PublicKey { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// A key with the exponent 65,537 that nearly all have.
    #[must_use]
    pub fn usual(modulus: &[u8]) -> PublicKey {
        PublicKey { modulus: trimmed(modulus).to_vec(), exponent: vec![1, 0, 1] }
    }

    /// True if this key signed a digest: RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2). `DigestInfo` may be without the empty parameters.
    #[must_use]
    pub fn fits(&self, digest: Digest, value: &[u8], signature: &[u8]) -> bool {
        let length = self.modulus.len();
        let signature = trimmed(signature);
        let sizes = (64..=LONGEST).contains(&length) && (1..=LONGEST_EXPONENT).contains(&self.exponent.len());
        if !sizes || signature.len() > length {
            return false;
        }
        let modulus = BigUint::from_bytes_be(&self.modulus);
        let opened = BigUint::from_bytes_be(signature).modpow(&BigUint::from_bytes_be(&self.exponent), &modulus);
        let opened = opened.to_bytes_be();
        [true, false].into_iter().any(|parameters| padded(&digest_info(digest, value, parameters), length) == opened)
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 9.2), without the zero at its start.
fn padded(info: &[u8], length: usize) -> Vec<u8> {
    let Some(fill) = length.checked_sub(info.len() + 3).filter(|fill| *fill >= 8) else { return Vec::new() };
    [&[1], vec![0xFF; fill].as_slice(), &[0], info].concat()
}

/// `DigestInfo` (RFC 8017 A.2.4). All lengths are below 128.
fn digest_info(digest: Digest, value: &[u8], parameters: bool) -> Vec<u8> {
    let null: &[u8] = if parameters { &[5, 0] } else { &[] };
    let algorithm = tagged(0x30, &[&tagged(6, digest.name()), null].concat());
    tagged(0x30, &[algorithm, tagged(4, value)].concat())
}

fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(contents.len()).unwrap_or(0)], contents].concat()
}

/// A number without zeros before it.
fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
