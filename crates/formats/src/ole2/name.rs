//! Names of directory entries: UTF-16 (MS-CFB 2.6.1), and the way the Windows Installer packs two letters into one.

/// Letters of names in installer databases, in the order of their numbers.
const LETTERS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._";
/// Two letters in one: `0x3800 + first + 64 * second`.
const PAIRS: std::ops::Range<u32> = 0x3800..0x4800;
/// One letter: `0x4800 + letter`.
const SINGLES: std::ops::Range<u32> = 0x4800..0x4840;
/// Marks the name of a table of the database.
const TABLE: u32 = 0x4840;

/// The name in UTF-8. `units` are up to 64 bytes of UTF-16LE; a zero ends them.
pub(super) fn decode(units: &[u8]) -> String {
    let (pairs, _) = units.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0);
    let mut name = String::new();
    for letter in char::decode_utf16(units) {
        push(&mut name, letter.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    name
}

fn push(name: &mut String, letter: char) {
    let number = u32::from(letter);
    if PAIRS.contains(&number) {
        name.push(plain(number - PAIRS.start));
        name.push(plain((number - PAIRS.start) >> 6));
    } else if SINGLES.contains(&number) {
        name.push(plain(number - SINGLES.start));
    } else if number == TABLE {
        name.push('!');
    } else {
        name.push(letter);
    }
}

fn plain(number: u32) -> char {
    let index = usize::try_from(number & 63).unwrap_or(0);
    LETTERS.get(index).copied().map_or('?', char::from)
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn names_become_utf8() {
        for (stored, name) in [
            ("Workbook", "Workbook"),
            ("\u{1}Ole10Native", "\u{1}Ole10Native"),
            ("Grün\0rest", "Grün"),
            ("\u{4840}\u{3f7f}\u{4164}\u{422f}\u{4836}", "!_Tables"),
            ("\u{3b0c}\u{4803}", "CC3"),
            ("", ""),
        ] {
            if stored.starts_with('\u{3b0c}') {
                // Pairs are low part first.
                let pair = u32::from('\u{3b0c}') - 0x3800;
                assert_eq!((pair & 63, pair >> 6), (12, 12));
            }
            assert_eq!(decode(&utf16(stored)), name);
        }
        assert_eq!(decode(&[0x00, 0xd8, 0x41, 0x00, 0x42]), "\u{fffd}A");
    }
}
