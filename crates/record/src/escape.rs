//! Bytes that others chose, made fit to be shown to a person.
//!
//! Names of files and members may hold anything but a zero byte: line breaks that forge a line of ours, escape sequences
//! that drive a terminal, controls that reverse the reading direction so that `exe.txt` hides `txt.exe`. [`shown`] leaves
//! ordinary text as it is and writes the rest as `\x1b` (bytes and ASCII controls) or `\u{202e}` (other characters). A
//! backslash becomes `\\`, so that what is shown names exactly one file. JSON needs none of this: it has its own
//! escapes, and carries the exact bytes beside the text ([`crate::json`]).

use std::fmt::Write;

use dachs_base::ObjectPath;

/// The bytes as text that is safe on a terminal and in a log, on one line.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push_character(&mut text, character));
        chunk.invalid().iter().for_each(|byte| push_byte(&mut text, *byte));
    }
    text
}

fn push_character(text: &mut String, character: char) {
    match character {
        '\\' => text.push_str("\\\\"),
        _ if character.is_ascii_control() => push_byte(text, u8::try_from(character).unwrap_or(b'?')),
        _ if is_treacherous(character) => text.extend(character.escape_unicode()),
        _ => text.push(character),
    }
}

fn push_byte(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\x{byte:02x}");
}

/// True for characters that change what is around them, or that nobody sees.
fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction, UAX #9
            | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}'                         // invisible
            | '\u{2028}' | '\u{2029}'                                                              // line breaks
            | '\u{e0000}'..='\u{e007f}') // tags
}

/// Where in the file: `  (in a.zip » eicar.com)`; nothing for the file itself.
#[must_use]
pub fn place(object: &ObjectPath) -> String {
    if object.0.is_empty() {
        return String::new();
    }
    let names: Vec<String> = object.0.iter().map(|name| shown(name.as_bytes())).collect();
    format!("  (in {})", names.join(" » "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        let table: [(&[u8], &str); 9] = [
            (b"plain name.txt", "plain name.txt"),
            ("Grüße/日本".as_bytes(), "Grüße/日本"),
            (b"a\nb\tc", "a\\x0ab\\x09c"),
            (b"\x1b[2Jx", "\\x1b[2Jx"),
            (b"back\\slash", "back\\\\slash"),
            (b"\xff\xfe.exe", "\\xff\\xfe.exe"),
            ("x\u{202e}txt.exe".as_bytes(), "x\\u{202e}txt.exe"),
            ("c1\u{9b}31m".as_bytes(), "c1\\u{9b}31m"),
            (b"\x7f", "\\x7f"),
        ];
        for (bytes, expected) in table {
            assert_eq!(shown(bytes), expected);
        }
    }

    #[test]
    fn every_character_is_shown_harmlessly_and_differently() {
        let mut seen = std::collections::HashSet::new();
        for character in '\0'..=char::MAX {
            let text = shown(character.to_string().as_bytes());
            assert!(!text.chars().any(is_treacherous), "{text:?}");
            assert!(seen.insert(text), "{character:?}");
        }
        for byte in 0x80..=0xff {
            assert!(seen.insert(shown(&[byte])), "{byte:x}");
        }
    }

    #[test]
    fn two_names_never_look_the_same() {
        assert_ne!(shown(b"\x1b"), shown(b"\\x1b"));
        assert_ne!(shown(b"\xff"), shown("\\xff".as_bytes()));
    }
}
