//! quoted-printable (RFC 2045 6.7), and the "Q" encoding of names (RFC 2047 4.2), which writes blanks as underscores.
//!
//! What is no escape stays as it is. Blanks at the end of a line stay too.

use std::io;

use super::turn::Turn;

/// Blanks behind an equals sign that are waited for; with more, it is no soft line break.
const BLANKS: usize = 1024;

/// A decoder.
#[derive(Default)]
pub(crate) struct Quoted {
    /// What was read since an equals sign, that one included.
    held: Vec<u8>,
    underscores: bool,
}

impl Quoted {
    /// The "Q" encoding.
    pub(crate) fn of_names() -> Quoted {
        Quoted { held: Vec::new(), underscores: true }
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.held);
        self.held.clear();
    }

    fn plain(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'=' => self.held.push(b'='),
            b'_' if self.underscores => out.push(b' '),
            _ => out.push(byte),
        }
    }

    /// A byte behind an equals sign.
    fn escaped(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), byte) {
            ([b'='], b'=') | (_, b'\n') if self.held.last() != Some(&b'\r') || byte == b'\n' => {
                if byte == b'=' {
                    out.push(b'=');
                }
                self.held.clear();
            }
            ([.., b'\r'], _) => {
                self.held.clear();
                self.plain(byte, out);
            }
            ([b'='], _) if byte.is_ascii_hexdigit() => self.held.push(byte),
            ([b'=', high], _) if byte.is_ascii_hexdigit() && high.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(byte));
                self.held.clear();
            }
            ([b'=', rest @ ..], b' ' | b'\t' | b'\r') if rest.iter().all(is_blank) && rest.len() < BLANKS => {
                self.held.push(byte);
            }
            _ => {
                self.release(out);
                self.plain(byte, out);
            }
        }
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0)
}

impl Turn for Quoted {
    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        for byte in input {
            if self.held.is_empty() {
                self.plain(*byte, out);
            } else {
                self.escaped(*byte, out);
            }
        }
        true
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.held.as_slice() != b"=" && self.held.last() != Some(&b'\r') {
            self.release(out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::turn::decode_all;

    #[test]
    fn escapes_and_soft_breaks() {
        let table = [
            ("a=3Db", "a=b"),
            ("a=3db=41", "a=bA"),
            ("soft=\r\nbreak=\nand=  \t\r\nend=", "softbreakandend"),
            ("bro=ken =x=4", "bro=ken =x=4"),
            ("==3D", "=3D"),
            ("=4=41", "=4A"),
            ("=\rx", "x"),
            ("= x", "= x"),
            ("a_b", "a_b"),
        ];
        for (text, expected) in table {
            assert_eq!(String::from_utf8_lossy(&decode_all(Quoted::default(), text.as_bytes())), expected, "{text:?}");
        }
        assert_eq!(decode_all(Quoted::of_names(), b"a_=5Fb"), b"a _b");
    }
}
