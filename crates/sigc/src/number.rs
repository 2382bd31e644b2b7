//! Numbers as signatures write them.

use crate::refused::{Parsed, Refused};

/// A decimal number. An empty field is 0, as in ClamAV; values beyond 64 bits are the largest number.
///
/// # Errors
/// When there is anything but digits.
pub(crate) fn decimal(text: &str, what: &str) -> Parsed<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::malformed(format!("{what}: '{text}' is not a number")));
    }
    Ok(leading(text))
}

/// The number that `text` starts with, after blanks; 0 if there is none. So ClamAV reads the levels of hashes.
pub(crate) fn leading(text: &str) -> u64 {
    let digits = text.trim_start().bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0'))))
}

/// A range `a-b` of decimal numbers.
///
/// # Errors
/// When it is not of that form.
pub(crate) fn range(text: &str, what: &str) -> Parsed<(u64, u64)> {
    let (from, to) = text
        .split_once('-')
        .ok_or_else(|| Refused::malformed(format!("{what}: '{text}' is not a range of the form a-b")))?;
    Ok((decimal(from, what)?, decimal(to, what)?))
}

/// The bytes that hexadecimal digits of either case stand for.
///
/// # Errors
/// When a digit is missing or something else stands there.
pub(crate) fn hex(text: &str) -> Parsed<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().map(digit).collect::<Parsed<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Refused::malformed("an odd number of hexadecimal digits"));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The value of one hexadecimal digit.
///
/// # Errors
/// When it is none.
pub(crate) fn digit(byte: u8) -> Parsed<u8> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Refused::malformed(format!("'{}' is not a hexadecimal digit", byte.escape_ascii()))),
    }
}
