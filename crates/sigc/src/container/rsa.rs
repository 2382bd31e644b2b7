//! The two RSA signatures of containers. Only verifying is needed, with public keys, so nothing here is secret.
//!
//! Numbers are written in 64 digits, `a-z A-Z 0-9 + /`, the least significant first.
//!
//! * The header's: 1024 bits, no padding at all: the number signed is the MD5 itself.
//! * The list of members': 2047 bits, EMSA-PSS (RFC 8017, 9.1.2) with SHA-256, MGF1 with SHA-256, and 32 bytes of salt.

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

/// A public key: exponent and modulus, the latter in decimal digits.
struct Key {
    exponent: u32,
    modulus: &'static str,
}

const HEADER: Key = Key {
    exponent: 100_001_027,
    modulus: "118640995551645342603070001658453189751527774412027743746599405743243142607464144767361060640655844749760788890022283424922762488917565551002467771109669598189410434699034532232228621591089508178591428456220796841621637175567590476666928698770143328137383952820383197532047771780196576957695822641224262693037",
};

const INFO: Key = Key {
    exponent: 100_002_049,
    modulus: "11088894983048545473659556106627194923928941791795047620591658697413581043322715912172496806525381055880964520618400224333320534660299233983755341740679502866829909679955734391392668378361221524205396631090105151641270857277080310734320951653700508941717419168723942507890702904702707587451621691050754307850383399865346487203798464178537392211402786481359824461197231102895415093770394216666324484593935762408468516826633192140826667923494822045805347809932848454845886971706424360558667862775876072059437703365380209101697738577515476935085469455279994113145977994084618328482151013142393373316337519977244732747977",
};

/// The length of SHA-256, and of the salt.
const DIGEST: usize = 32;

/// The length of an encoded message for the key of 2047 bits.
const ENCODED: usize = 256;

/// The bits of its first byte that are in use. RFC 8017 leaves one bit less than the key has; the signers use all 2047,
/// as the genuine container of version 268 shows, whose message has its highest bit set.
const TOP: u8 = 0x7f;

/// Does the header's signature fit this MD5?
pub(crate) fn header_fits(digest: &[u8; 16], signature: &str) -> bool {
    HEADER.open(signature).is_some_and(|opened| opened == BigUint::from_bytes_be(digest))
}

/// Does the signature of a list of members fit its text?
pub(crate) fn info_fits(text: &[u8], signature: &str) -> bool {
    INFO.open(signature).is_some_and(|opened| pss_fits(&Sha256::digest(text).into(), &opened))
}

impl Key {
    /// The number that was signed, if the signature is one at all.
    fn open(&self, signature: &str) -> Option<BigUint> {
        let modulus: BigUint = self.modulus.parse().ok()?;
        let number = number(signature)?;
        (number < modulus).then(|| number.modpow(&BigUint::from(self.exponent), &modulus))
    }
}

/// Reads a number of at most 400 digits.
fn number(text: &str) -> Option<BigUint> {
    const DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    let values = text.bytes().map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let values: Option<Vec<u8>> = values.map(|value| value.and_then(|value| u8::try_from(value).ok())).collect();
    let values = values.filter(|values| (1..=400).contains(&values.len()))?;
    BigUint::from_radix_le(&values, 64)
}

/// EMSA-PSS-VERIFY, RFC 8017, 9.1.2.
fn pss_fits(digest: &[u8; DIGEST], opened: &BigUint) -> bool {
    let bytes = opened.to_bytes_be();
    let Some(missing) = ENCODED.checked_sub(bytes.len()) else { return false };
    let encoded = [vec![0; missing], bytes].concat();
    let Some((masked, rest)) = encoded.split_at_checked(ENCODED - DIGEST - 1) else { return false };
    let Some((hash, [0xbc])) = rest.split_at_checked(DIGEST) else { return false };
    if masked.first().is_none_or(|first| first & !TOP != 0) {
        return false;
    }
    let mut block: Vec<u8> = masked.iter().zip(mask(hash)).map(|(byte, mask)| byte ^ mask).collect();
    if let Some(first) = block.first_mut() {
        *first &= TOP;
    }
    let Some((padding, salt)) = block.split_last_chunk::<DIGEST>() else { return false };
    let Some((1, zeros)) = padding.split_last() else { return false };
    let signed: [u8; DIGEST] =
        Sha256::new().chain_update([0; 8]).chain_update(digest).chain_update(salt).finalize().into();
    zeros.iter().all(|byte| *byte == 0) && signed.as_slice() == hash
}

/// MGF1 with SHA-256, RFC 8017, B.2.1: bytes without end.
fn mask(seed: &[u8]) -> impl Iterator<Item = u8> {
    (0_u32..).flat_map(move |counter| {
        let block: [u8; DIGEST] =
            Sha256::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize().into();
        block
    })
}
