//! Character references.
//!
//! A numeric one needs no semicolon, but only with one is its character put in lower case. The value is kept in 16 bits.
//! Named ones need the semicolon, and are told by upper and lower case. What is beyond Latin-1 is written as `&#x263a;`,
//! a full stop of another script as `.`, and unknown names as they stand.

use super::entities;

/// Names that mean something are not longer.
const LONGEST: usize = 8;
/// What looks like a name ends after so many bytes.
const MOST: u32 = 1014;

/// A reference being read.
#[derive(Clone)]
pub(super) enum Reference {
    /// Behind `&`.
    Begun,
    /// Behind `&#`.
    Number(u64),
    /// Behind `&#x`.
    Hexadecimal(u64),
    /// In a name: its bytes, and how many there are.
    Name([u8; LONGEST], usize),
    /// In a name that is too long to mean anything, after so many bytes.
    Long(u32),
}

/// What a byte does to a reference.
pub(super) enum Grown {
    /// It belongs to it.
    Waits,
    /// It belongs to it, and this much of it is known.
    Writes(Vec<u8>),
    /// It ends it, and is used up. The text takes the place of the reference.
    Ends(Vec<u8>),
    /// It was complete before the byte. The text takes its place.
    Before(Vec<u8>),
}

impl Reference {
    /// Takes the next byte of the page.
    pub(super) fn grow(&mut self, byte: u8) -> Grown {
        match self {
            Reference::Begun => self.begin(byte),
            Reference::Number(0) | Reference::Hexadecimal(0) if matches!(byte, b'x' | b'X') => {
                self.becomes(Reference::Hexadecimal(0))
            }
            Reference::Number(value) => number(value, byte, 10),
            Reference::Hexadecimal(value) => number(value, byte, 16),
            Reference::Name(bytes, count) => {
                let (bytes, count) = (*bytes, *count);
                self.name(bytes, count, byte)
            }
            Reference::Long(count) => match byte {
                b';' => Grown::Ends(vec![b';']),
                _ if is_name(byte) && *count < MOST => {
                    *count += 1;
                    Grown::Writes(vec![byte.to_ascii_lowercase()])
                }
                _ => Grown::Before(Vec::new()),
            },
        }
    }

    /// What there is of it at the end of the page.
    pub(super) fn rest(&self) -> Vec<u8> {
        match self {
            Reference::Name(bytes, count) => raw(bytes, *count),
            _ => Vec::new(),
        }
    }

    fn becomes(&mut self, next: Reference) -> Grown {
        *self = next;
        Grown::Waits
    }

    fn begin(&mut self, byte: u8) -> Grown {
        match byte {
            b'#' => self.becomes(Reference::Number(0)),
            _ => self.name([0; LONGEST], 0, byte),
        }
    }

    fn name(&mut self, mut bytes: [u8; LONGEST], count: usize, byte: u8) -> Grown {
        if byte == b';' {
            let name = bytes.get(..count).unwrap_or(&[]);
            return Grown::Ends(
                entities::meaning(name).map_or_else(|| [raw(&bytes, count), vec![b';']].concat(), text),
            );
        }
        if !is_name(byte) {
            return Grown::Before(raw(&bytes, count));
        }
        let Some(place) = bytes.get_mut(count) else {
            *self = Reference::Long(0);
            return Grown::Writes([raw(&bytes, count), vec![byte.to_ascii_lowercase()]].concat());
        };
        *place = byte;
        self.becomes(Reference::Name(bytes, count + 1))
    }
}

/// What names are made of.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_')
}

/// A name that means nothing, as it is written.
fn raw(bytes: &[u8], count: usize) -> Vec<u8> {
    let name = bytes.get(..count).unwrap_or(&[]);
    [b"&", name].concat().to_ascii_lowercase()
}

fn number(value: &mut u64, byte: u8, radix: u32) -> Grown {
    if byte == b';' {
        return Grown::Ends(closed(*value));
    }
    match char::from(byte).to_digit(radix) {
        Some(digit) => {
            *value = value.wrapping_mul(u64::from(radix)).wrapping_add(u64::from(digit));
            Grown::Waits
        }
        None => Grown::Before(vec![value.to_le_bytes()[0]]),
    }
}

/// The character of a numeric reference with its semicolon.
fn closed(value: u64) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(byte) if byte < 255 => vec![byte.to_ascii_lowercase()],
        _ => text(u32::try_from(value & 0xffff).unwrap_or(0)),
    }
}

/// A character of this number.
fn text(value: u32) -> Vec<u8> {
    match (u8::try_from(value), value) {
        (Ok(0), _) => Vec::new(),
        (Ok(byte), _) if byte < 255 => vec![byte],
        (_, 0x3002 | 0xff0e) => vec![b'.'],
        _ => format!("&#x{value:04x};").into_bytes(),
    }
}
