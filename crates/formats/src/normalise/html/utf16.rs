//! UTF-16 as UTF-8, for pages written in it.
//!
//! A byte order mark is dropped; halves of pairs that stand alone become U+FFFD.

use std::io::{self, Read};

/// Reads UTF-16 and gives UTF-8.
pub(in crate::normalise) struct Utf16<R> {
    reader: R,
    little: bool,
    text: Vec<u8>,
    given: usize,
    /// The first half of a pair.
    half: Option<u16>,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    /// Reads `reader`, whose units have their low byte first if `little`.
    pub(in crate::normalise) fn new(reader: R, little: bool) -> Utf16<R> {
        Utf16 { reader, little, text: Vec::new(), given: 0, half: None, ended: false }
    }

    fn advance(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        let mut bytes = Vec::with_capacity(4096);
        self.reader.by_ref().take(4096).read_to_end(&mut bytes)?;
        self.ended = bytes.is_empty();
        let little = self.little;
        let units = bytes.as_chunks::<2>().0.iter();
        let unit = |pair: &[u8; 2]| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
        let mut units: Vec<u16> = self.half.take().into_iter().chain(units.map(unit)).collect();
        if !self.ended {
            self.half = units.pop_if(|last| matches!(last, 0xd800..0xdc00));
        }
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            if character != '\u{feff}' {
                self.text.extend(character.encode_utf8(&mut [0; 4]).bytes());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut waiting = self.text.get(self.given..).unwrap_or(&[]);
            let got = waiting.read(buffer)?;
            self.given += got;
            if got > 0 || buffer.is_empty() || self.ended {
                return Ok(got);
            }
            self.advance()?;
        }
    }
}
