//! The LZSS of SZDD, KWAJ and QBasic, and of LArc's `lz5`: a window of 4096 bytes.
//!
//! A control byte, lowest bit first, tells of eight items: a literal byte, or a match of two bytes, twelve bits of place in
//! the window and four of length less three. There is no end mark: the data end where the input does.

use std::io::{self, BufRead, ErrorKind, Read};

use super::bytewise::fill;

/// Size of the window.
pub(crate) const WINDOW: usize = 4096;

/// Decodes one stream.
pub(crate) struct Lzss<R> {
    input: io::Bytes<R>,
    window: Box<[u8; WINDOW]>,
    /// Where the next byte goes in the window.
    at: usize,
    /// Control bits that are left, below a one that marks their end.
    control: u16,
    /// Place and length of the match at hand.
    copy: (usize, usize),
    /// What went wrong after bytes that were given first.
    failed: Option<io::Error>,
}

impl<R: BufRead> Lzss<R> {
    /// Decodes `input`; the first byte goes to `start` in a window that is full of spaces.
    pub(crate) fn new(input: R, start: usize) -> Lzss<R> {
        Lzss::with_window(input, start, [b' '; WINDOW])
    }

    /// Decodes `input`; the first byte goes to `start` in the window.
    pub(crate) fn with_window(input: R, start: usize, window: [u8; WINDOW]) -> Lzss<R> {
        let window = Box::new(window);
        Lzss { input: input.bytes(), window, at: start % WINDOW, control: 1, copy: (0, 0), failed: None }
    }

    /// The next plain byte; `None` at the end.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        if self.copy.1 == 0 {
            if self.control == 1 {
                let Some(bits) = self.input.next().transpose()? else { return Ok(None) };
                self.control = u16::from(bits) | 0x100;
            }
            let literal = self.control & 1 == 1;
            self.control >>= 1;
            let Some(byte) = self.input.next().transpose()? else { return Ok(None) };
            if literal {
                return Ok(Some(self.put(byte)));
            }
            let high = self.input.next().transpose()?.ok_or(ErrorKind::UnexpectedEof)?;
            self.copy = (usize::from(byte) | usize::from(high & 0xF0) << 4, usize::from(high & 0x0F) + 3);
        }
        let (from, left) = self.copy;
        self.copy = ((from + 1) % WINDOW, left - 1);
        let byte = self.window.get(from).copied().unwrap_or(b' ');
        Ok(Some(self.put(byte)))
    }

    fn put(&mut self, byte: u8) -> u8 {
        if let Some(place) = self.window.get_mut(self.at) {
            *place = byte;
        }
        self.at = (self.at + 1) % WINDOW;
        byte
    }
}

impl<R: BufRead> Read for Lzss<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(packed: &[u8]) -> Vec<u8> {
        let mut got = Vec::new();
        let _ = Lzss::new(packed, WINDOW - 16).read_to_end(&mut got);
        got
    }

    #[test]
    fn matches_reach_into_the_spaces_and_into_themselves() {
        // "a", then three bytes from the place of "a", which the match itself writes on.
        assert_eq!(plain(&[0x01, b'a', 0xF0, 0xF0]), b"aaaa");
        assert_eq!(plain(&[0x00, 0x00, 0x01]), b"    ");
        assert_eq!(plain(&[0xFF, b'b', b'a']), b"ba");
    }

    #[test]
    fn half_a_match_is_an_error() {
        let mut got = Vec::new();
        assert!(Lzss::new(&[0x01, b'a', 0xF0][..], 0).read_to_end(&mut got).is_err());
        assert_eq!(got, b"a");
    }
}
