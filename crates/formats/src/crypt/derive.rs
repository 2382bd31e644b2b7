//! Keys from passwords: PBKDF2 (RFC 8018 5.2) with HMAC (RFC 2104), and what it costs.

use dachs_base::{Budget, LimitReached};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::ROUND;

/// PBKDF2 with HMAC-SHA-1: `length` bytes of key.
///
/// # Errors
/// When that costs too much.
pub(crate) fn pbkdf2_sha1(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length: usize,
    budget: &Budget,
) -> Result<Vec<u8>, LimitReached> {
    let blocks = u64::try_from(length.div_ceil(20)).unwrap_or(u64::MAX);
    budget.charge_rounds(u64::from(iterations).saturating_mul(2).saturating_mul(blocks))?;
    let mut key = Vec::new();
    let Ok(keyed) = Hmac::<Sha1>::new_from_slice(password) else { return Ok(key) };
    for number in (1..=u32::MAX).take(length.div_ceil(20)) {
        let mut last: [u8; 20] = finish(&keyed, &[salt, &number.to_be_bytes()]);
        let mut sum = last;
        for _ in 1..iterations {
            last = finish(&keyed, &[&last]);
            sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
        }
        key.extend_from_slice(&sum);
    }
    key.truncate(length);
    Ok(key)
}

fn finish(keyed: &Hmac<Sha1>, parts: &[&[u8]]) -> [u8; 20] {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// How many rounds a digest of so many bytes takes.
pub(crate) fn rounds(bytes: u64) -> u64 {
    (bytes / ROUND).saturating_add(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use dachs_base::{Limits, NoClock};

    /// RFC 6070.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let budget = Budget::new(Limits::default(), NoClock);
        let hex = |key: Vec<u8>| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (password, salt, iterations, length, key) in [
            ("password", "salt", 1, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
            ("password", "salt", 4096, 20, "4b007901b765489abead49d926f721d065a429c1"),
            (
                "passwordPASSWORDpassword",
                "saltSALTsaltSALTsaltSALTsaltSALTsalt",
                4096,
                25,
                "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
            ),
        ] {
            let made = pbkdf2_sha1(password.as_bytes(), salt.as_bytes(), iterations, length, &budget).unwrap();
            assert_eq!(hex(made), key);
        }
        let poor = Budget::new(Limits { rounds: 1000, ..Limits::default() }, NoClock);
        assert!(pbkdf2_sha1(b"x", b"y", u32::MAX, 20, &poor).is_err());
    }
}
