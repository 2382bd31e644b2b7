//! The characters of a page, one at a time, with character references resolved.
//!
//! A page in UTF-16 gives its low bytes; what is not ASCII there, or in a reference, becomes `?`, since neither URLs nor
//! scripts are recognised by such characters. Of the named references only those that hide a URL's own characters are
//! known (HTML Living Standard 13.5).

use std::io::{BufRead, Read};
use std::sync::Arc;

use dachs_base::{Source, read_vec_at};

use crate::stream::SourceRead;

/// How a page's characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// A byte each: ASCII, UTF-8, and the 8-bit character sets.
    One,
    /// UTF-16LE.
    Little,
    /// UTF-16BE.
    Big,
}

impl Width {
    /// Tells by a byte order mark, or by the zero beside the first character.
    pub(crate) fn of(source: &dyn Source) -> Width {
        match *read_vec_at(source, 0, 2) {
            [0xff, 0xfe] => Width::Little,
            [0xfe, 0xff] => Width::Big,
            [low, 0] if low != 0 => Width::Little,
            [0, high] if high != 0 => Width::Big,
            _ => Width::One,
        }
    }

    /// Bytes of a character.
    pub(crate) fn bytes(self) -> u64 {
        if self == Width::One { 1 } else { 2 }
    }
}

/// A character.
#[derive(Clone, Copy)]
pub(crate) struct Character {
    pub(crate) byte: u8,
    /// True if it was written as a character reference.
    pub(crate) reference: bool,
}

/// Reads characters. A clone starts where the original stands.
pub(crate) struct Characters {
    source: Arc<dyn Source>,
    input: SourceRead,
    width: Width,
}

impl Clone for Characters {
    fn clone(&self) -> Characters {
        Characters::new(&self.source, self.offset(), self.width)
    }
}

impl Iterator for Characters {
    type Item = Character;

    fn next(&mut self) -> Option<Character> {
        let byte = self.unit()?;
        if byte == b'&'
            && let Some(byte) = self.reference()
        {
            return Some(Character { byte, reference: true });
        }
        Some(Character { byte, reference: false })
    }
}

impl Characters {
    /// The characters from offset `start`.
    pub(crate) fn new(source: &Arc<dyn Source>, start: u64, width: Width) -> Characters {
        let mut input = SourceRead::new(Arc::clone(source));
        input.go_to(start);
        Characters { source: Arc::clone(source), input, width }
    }

    /// Where the next character stands.
    pub(crate) fn offset(&self) -> u64 {
        self.input.position()
    }

    /// The next characters as far as they are at hand, if each is a byte; perhaps none.
    pub(crate) fn at_hand(&mut self) -> &[u8] {
        if self.width == Width::One { self.input.fill_buf().unwrap_or(&[]) } else { &[] }
    }

    /// Passes bytes that are at hand.
    pub(crate) fn pass(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// The next character as it is written.
    fn unit(&mut self) -> Option<u8> {
        if self.width == Width::One {
            let byte = *self.input.fill_buf().ok()?.first()?;
            self.input.consume(1);
            return Some(byte);
        }
        let mut pair = [0; 2];
        self.input.read_exact(&mut pair).ok()?;
        let unit = if self.width == Width::Little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
        Some(u8::try_from(unit).unwrap_or(b'?'))
    }

    /// The character that a reference behind `&` means; if there is none, nothing is passed.
    fn reference(&mut self) -> Option<u8> {
        let start = self.offset();
        let found = if self.unit() == Some(b'#') { self.number() } else { self.name(start) };
        if found.is_none() {
            self.input.go_to(start);
        }
        found
    }

    /// 13.2.5.75 and following: digits, with or without a semicolon.
    fn number(&mut self) -> Option<u8> {
        let mut before = self.offset();
        let mut next = self.unit();
        let radix = if matches!(next, Some(b'x' | b'X')) { 16 } else { 10 };
        if radix == 16 {
            before = self.offset();
            next = self.unit();
        }
        let mut value: Option<u32> = None;
        while let Some(digit) = next.and_then(|byte| char::from(byte).to_digit(radix)) {
            value = Some(value.unwrap_or(0).saturating_mul(radix).saturating_add(digit));
            before = self.offset();
            next = self.unit();
        }
        if next != Some(b';') {
            self.input.go_to(before);
        }
        value.map(|value| u8::try_from(value).ok().filter(u8::is_ascii).unwrap_or(b'?'))
    }

    fn name(&mut self, start: u64) -> Option<u8> {
        self.input.go_to(start);
        let mut name = [0; 8];
        for count in 0..name.len() {
            match self.unit()? {
                b';' => return meaning(name.get(..count)?),
                byte if byte.is_ascii_alphanumeric() => *name.get_mut(count)? = byte,
                _ => return None,
            }
        }
        None
    }
}

/// The ASCII characters that have names and matter in URLs and around them.
fn meaning(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"amp" | b"AMP" => b'&',
        b"apos" => b'\'',
        b"bsol" => b'\\',
        b"colon" => b':',
        b"comma" => b',',
        b"equals" => b'=',
        b"gt" | b"GT" => b'>',
        b"lpar" => b'(',
        b"lt" | b"LT" => b'<',
        b"NewLine" => b'\n',
        b"num" => b'#',
        b"percnt" => b'%',
        b"period" => b'.',
        b"plus" => b'+',
        b"quot" | b"QUOT" => b'"',
        b"rpar" => b')',
        b"semi" => b';',
        b"sol" => b'/',
        b"Tab" => b'\t',
        _ => return None,
    })
}
