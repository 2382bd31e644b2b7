//! PKZIP's shrink (APPNOTE 5.1): LZW with codes of 9 to 13 bits, the lowest bit first, and a table that is cleared in part.
//!
//! Code 256 is followed by another: 1 makes codes longer, 2 frees all codes that no other code builds on. Freed codes are
//! given out again from the lowest on, so a string may come to build on a code that means something else by then; that is how
//! the format is.

use std::io::{self, BufRead, ErrorKind, Read};

use super::bytewise::fill;

/// Codes there are.
const CODES: usize = 1 << 13;
const CONTROL: u16 = 256;
const LONGEST: u32 = 13;
/// A code that means nothing; one that is a byte.
const FREE: u16 = u16::MAX;
const ROOT: u16 = u16::MAX - 1;
/// The tables, a string and the input's buffer.
pub(super) const MEMORY: u64 = 96 * 1024;

/// Decodes one stream.
pub(super) struct Shrink<R> {
    input: io::Bytes<R>,
    held: u32,
    count: u32,
    width: u32,
    /// What each code builds on, and the byte it adds.
    table: Vec<(u16, u8)>,
    /// The code before.
    last: Option<u16>,
    /// No code below is free.
    lowest: usize,
    /// A string, last byte first.
    string: Vec<u8>,
    /// Plain bytes still to be made.
    left: u64,
    failed: Option<io::Error>,
}

impl<R: BufRead> Shrink<R> {
    /// Decodes `length` plain bytes.
    pub(super) fn new(input: R, length: u64) -> Shrink<R> {
        let bytes = (0..=255).map(|byte| (ROOT, byte));
        let mut table: Vec<(u16, u8)> = bytes.collect();
        table.resize(CODES, (FREE, 0));
        let lowest = usize::from(CONTROL) + 1;
        let (string, input) = (Vec::new(), input.bytes());
        Shrink { input, held: 0, count: 0, width: 9, table, last: None, lowest, string, left: length, failed: None }
    }

    /// The next number of the stream.
    fn number(&mut self) -> io::Result<u16> {
        while self.count < self.width {
            let byte = self.input.next().ok_or(ErrorKind::UnexpectedEof)??;
            self.held |= u32::from(byte) << self.count;
            self.count += 8;
        }
        let number = self.held & ((1 << self.width) - 1);
        self.held >>= self.width;
        self.count -= self.width;
        u16::try_from(number).map_err(|_| broken())
    }

    /// The next code that stands for a string.
    fn code(&mut self) -> io::Result<u16> {
        loop {
            match self.number()? {
                CONTROL => match self.number()? {
                    1 if self.width < LONGEST => self.width += 1,
                    2 => self.clear(),
                    _ => return Err(broken()),
                },
                code => return Ok(code),
            }
        }
    }

    /// Frees the codes that no other builds on.
    fn clear(&mut self) {
        let mut needed = vec![false; CODES];
        for (before, _) in self.table.iter().skip(usize::from(CONTROL) + 1) {
            if let Some(place) = needed.get_mut(usize::from(*before)) {
                *place = true;
            }
        }
        let codes = self.table.iter_mut().zip(needed).skip(usize::from(CONTROL) + 1);
        codes.filter(|(_, needed)| !needed).for_each(|(entry, _)| *entry = (FREE, 0));
        self.lowest = usize::from(CONTROL) + 1;
    }

    fn entry(&self, code: u16) -> (u16, u8) {
        self.table.get(usize::from(code)).copied().unwrap_or((FREE, 0))
    }

    /// Takes the next code and lays its string down.
    fn next_string(&mut self) -> io::Result<()> {
        let code = self.code()?;
        let Some(last) = self.last.replace(code) else {
            let (before, byte) = self.entry(code);
            self.string.push(byte);
            return if before == ROOT { Ok(()) } else { Err(broken()) };
        };
        let unknown = self.entry(code).0 == FREE;
        if unknown {
            // The string before and its own first byte, which comes last and is not known yet.
            self.string.push(0);
        }
        let mut at = if unknown { last } else { code };
        while at != ROOT {
            let (before, byte) = self.entry(at);
            if before == FREE || self.string.len() > CODES {
                self.string.clear();
                return Err(broken());
            }
            self.string.push(byte);
            at = before;
        }
        let first = self.string.last().copied().unwrap_or(0);
        if let Some(end) = self.string.first_mut().filter(|_| unknown) {
            *end = first;
        }
        self.add(last, first);
        Ok(())
    }

    /// Gives the lowest free code to a string and one byte more.
    fn add(&mut self, before: u16, byte: u8) {
        let free = self.table.iter().skip(self.lowest).position(|(before, _)| *before == FREE);
        self.lowest = free.map_or(CODES, |place| self.lowest + place);
        if let Some(place) = self.table.get_mut(self.lowest) {
            *place = (before, byte);
        }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.string.is_empty() {
            self.next_string()?;
        }
        self.left -= 1;
        Ok(self.string.pop())
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a shrunk stream has an undefined code")
}

impl<R: BufRead> Read for Shrink<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}
