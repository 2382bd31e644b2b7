//! UTF-16 in names and texts, to UTF-8. Halves of pairs become U+FFFD; a byte that is left over at the end is passed.

/// Little-endian text.
pub(crate) fn little(bytes: &[u8]) -> String {
    decode(bytes, u16::from_le_bytes)
}

/// Big-endian text.
pub(crate) fn big(bytes: &[u8]) -> String {
    decode(bytes, u16::from_be_bytes)
}

/// Little-endian text up to its first zero.
pub(crate) fn little_until_zero(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let length = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
    little(units.as_flattened().get(..length * 2).unwrap_or_default())
}

fn decode(bytes: &[u8], order: fn([u8; 2]) -> u16) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let letters = char::decode_utf16(units.iter().map(|unit| order(*unit)));
    letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_both_orders() {
        assert_eq!(little(b"a\0\xAC\x20\x3D\xD8\0\xDEx"), "a€😀");
        assert_eq!(big(b"\0a\x20\xAC\xD8\x3D\xDE\0"), "a€😀");
        assert_eq!(little(b"\0\xD8a\0"), "\u{FFFD}a");
        assert_eq!(little_until_zero(b"a\0b\0\0\0c\0"), "ab");
        assert_eq!(little_until_zero(b"a\0\0"), "a");
    }
}
