//! Text strings (ISO 32000-1 7.9.2.2).

use crate::utf16;

/// The text in UTF-8 if a byte order mark says what it is, else the bytes as they are: PDFDocEncoding is ASCII where
/// scripts are concerned.
pub(super) fn plain(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.as_slice() {
        [0xFE, 0xFF, rest @ ..] => utf16::big(rest).into_bytes(),
        [0xFF, 0xFE, rest @ ..] => utf16::little(rest).into_bytes(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.to_vec(),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn marks_decide() {
        let table: [(&[u8], &[u8]); 5] = [
            (b"abc", b"abc"),
            (b"\xFE\xFF\0a\x20\xAC\xD8\x3D\xDE\x00", "a€😀".as_bytes()),
            (b"\xFF\xFEa\0b\0c", b"ab"),
            (b"\xEF\xBB\xBFa", b"a"),
            (b"\xFE\xFF\xD8\x00\0a", "\u{FFFD}a".as_bytes()),
        ];
        for (bytes, expected) in table {
            assert_eq!(plain(bytes.to_vec()), expected);
        }
    }
}
