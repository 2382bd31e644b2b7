//! What encrypted archives and documents share: passwords to try, keys made of them, and ciphers as streams.
//!
//! ```text
//! Passwords --one at a time--> key (derive, charged to the budget) --right?--> cipher (block, rc4) --> plain bytes
//! ```
//!
//! Whoever made an object chose its salts and how often its key is digested, so nothing here happens before it was
//! charged: [`dachs_base::Budget::charge_rounds`] counts compressions of a digest over all passwords and objects of a file.
//! When they are used up, that is told, and what is still closed stays told as encrypted.
//!
//! A password counts as right only if the plain bytes say so by a checksum or an authentication code. So no wrong one
//! makes garbage of a member that another one opens.

pub(crate) mod block;
pub(crate) mod derive;
mod passwords;
pub(crate) mod rc4;
mod words;

pub use passwords::Passwords;
pub use words::MailWords;

use std::io::{ErrorKind, Read};

use dachs_base::{Anomaly, Budget, LimitReached};

use crate::codec::Decoder;

/// What is said of bytes that no password opened.
pub(crate) const CLOSED: &str = "it is encrypted, and no password opened it";

/// A digest or cipher works on blocks of so many bytes, which is what a round stands for.
pub(crate) const ROUND: u64 = 64;

/// What a trial showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// The bytes come out as they should.
    Right,
    /// They do not.
    Wrong,
}

/// Reads a stream to its end, at most `length` bytes, and compares them with what is said of them.
///
/// # Errors
/// When a limit was reached before the end.
pub(crate) fn try_stream(
    opened: std::io::Result<Decoder>,
    length: u64,
    crc32: Option<u32>,
    budget: &Budget,
) -> Result<Trial, LimitReached> {
    let Ok(mut decoder) = opened else { return Ok(Trial::Wrong) };
    let (mut left, mut hasher, mut buffer) = (length, crc32fast::Hasher::new(), vec![0; 32 * 1024]);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        budget.charge_bytes(u64::try_from(wanted).unwrap_or(0))?;
        match decoder.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return Ok(Trial::Wrong),
            Ok(got) => {
                hasher.update(buffer.get(..got).unwrap_or_default());
                left = left.saturating_sub(u64::try_from(got).unwrap_or(0));
            }
        }
    }
    let right = crc32.is_none_or(|crc| crc == hasher.finalize());
    Ok(if right { Trial::Right } else { Trial::Wrong })
}

/// The anomaly of an object that stays closed: the limit that ended the trials, or that no password opened it.
pub(crate) fn closed() -> Anomaly {
    Anomaly::encrypted(CLOSED)
}

/// A password in 16-bit characters, the lower byte first. What is no UTF-8 counts byte by byte.
pub(crate) fn wide(password: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(password) {
        Ok(text) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Err(_) => password.iter().flat_map(|byte| [*byte, 0]).collect(),
    }
}
