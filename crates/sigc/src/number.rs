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

/// A number as C's `strtol` reads it with base 0: blanks before it, a sign, hexadecimal behind `0x`, octal behind `0`.
/// An empty text is 0; values beyond 64 bits are the nearest number.
///
/// # Errors
/// When something else stands there.
pub(crate) fn integer(text: &str, what: &str) -> Parsed<i64> {
    let malformed = || Refused::malformed(format!("{what}: '{text}' is not a number"));
    let bare = text.trim_start();
    let (negative, digits) = match bare.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, bare.strip_prefix('+').unwrap_or(bare)),
    };
    let (radix, digits) = match (digits.strip_prefix("0x").or(digits.strip_prefix("0X")), digits.strip_prefix('0')) {
        (Some(digits), _) if !digits.is_empty() => (16, digits),
        (None, Some(digits)) => (8, digits),
        _ => (10, digits),
    };
    let mut value = 0_i64;
    for letter in digits.chars() {
        let digit = i64::from(letter.to_digit(radix).ok_or_else(malformed)?);
        value = value.saturating_mul(i64::from(radix)).saturating_add(if negative { -digit } else { digit });
    }
    Ok(value)
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

/// The values of hexadecimal digits, 16 or more for what is none.
static DIGITS: [u8; 256] = {
    let mut values = [0xFF; 256];
    let digits = *b"0123456789abcdefABCDEF";
    let mut at = 0;
    while at < digits.len() {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "the indices are below the lengths, and those below 22"
        )]
        {
            values[digits[at] as usize] = if at < 16 { at as u8 } else { at as u8 - 6 };
        }
        at += 1;
    }
    values
};

/// The byte that two hexadecimal digits stand for; absent if one of them is none.
pub(crate) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| DIGITS.get(usize::from(digit)).copied().unwrap_or(0xFF);
    let (high, low) = (value(high), value(low));
    (high | low < 16).then_some(high << 4 | low)
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
