//! Unix `compress` (`.Z`): LZW with codes of 9 to 16 bits (T. Welch, "A Technique for High-Performance Data
//! Compression", 1984; POSIX.1-2024 `compress`; ncompress `compress(1)`).
//!
//! Codes come in groups of eight of the same width; a change of width drops what is left of a group. The format has no
//! checksum and no end mark, so a stream that is cut off cannot be told from a whole one.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};

use crate::Unpack;
use crate::codec::bytewise::fill;
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

/// The tables, and the longest string of a code.
const MEMORY: u64 = 512 * 1024;
/// The code that empties the table.
const CLEAR: u16 = 256;

/// Unpacks a `compress` stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    if before > 0 {
        return Ok(Begun::End(input.position()));
    }
    let mut header = [0; 3];
    input.read_exact(&mut header)?;
    let [0x1f, 0x9d, flags] = header else { return Err(no_frame()) };
    let most = u32::from(flags & 0x1f);
    if !(9..=16).contains(&most) {
        return Err(io::Error::new(ErrorKind::Unsupported, "a compress stream with codes of another width"));
    }
    let lzw = Fenced::new(budget, MEMORY, || Ok(Lzw::new(input, most, flags & 0x80 != 0)))?;
    Ok(Begun::Frame(Box::new(lzw)))
}

struct Lzw {
    input: SourceRead,
    codes: Codes,
    /// Bits of the widest code.
    most: u32,
    clears: bool,
    /// For each code from 256 on: the code of all but its last byte, and that byte.
    table: Vec<(u16, u8)>,
    before: Option<u16>,
    /// First byte of the last string.
    first: u8,
    /// Bytes to be given, the last first.
    waiting: Vec<u8>,
    /// What went wrong after bytes that were given first.
    failed: Option<io::Error>,
}

impl Lzw {
    fn new(input: SourceRead, most: u32, clears: bool) -> Lzw {
        let table = if clears { vec![(0, 0)] } else { Vec::new() };
        let codes = Codes { width: 9, group: Vec::new(), at: 0 };
        Lzw { input, codes, most, clears, table, before: None, first: 0, waiting: Vec::new(), failed: None }
    }

    /// The next byte; `None` at the end.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        while self.waiting.is_empty() {
            if !self.step()? {
                return Ok(None);
            }
        }
        Ok(self.waiting.pop())
    }

    /// The code that the table's next entry will have.
    fn free(&self) -> usize {
        self.table.len() + 256
    }

    /// Puts the string of the next code into `waiting`; false at the end.
    fn step(&mut self) -> io::Result<bool> {
        if self.free() >= 1 << self.codes.width && self.codes.width < self.most {
            self.codes.widen(self.codes.width + 1);
        }
        let Some(code) = self.codes.next(&mut self.input) else { return Ok(false) };
        if code == CLEAR && self.clears {
            self.table.truncate(1);
            self.before = None;
            self.codes.widen(9);
            return Ok(true);
        }
        self.string(code)?;
        if let Some(before) = self.before.filter(|_| self.free() < 1 << self.most) {
            self.table.push((before, self.first));
        }
        self.before = Some(code);
        Ok(true)
    }

    fn string(&mut self, code: u16) -> io::Result<()> {
        let mut at = code;
        if usize::from(code) >= self.free() {
            at = self.before.filter(|_| usize::from(code) == self.free()).ok_or_else(broken)?;
            self.waiting.push(self.first);
        }
        while let Some(index) = usize::from(at).checked_sub(256) {
            let (before, last) = self.table.get(index).copied().ok_or_else(broken)?;
            self.waiting.push(last);
            // Entries point to earlier ones; the unused entry of the clear code points to 0.
            at = before;
        }
        self.first = u8::try_from(at).map_err(|_| broken())?;
        self.waiting.push(self.first);
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an LZW code that was not defined")
}

/// Codes in groups of eight.
struct Codes {
    width: u32,
    group: Vec<u8>,
    /// Bits of the group that were used.
    at: u32,
}

impl Codes {
    fn widen(&mut self, width: u32) {
        self.width = width;
        self.group.clear();
        self.at = 0;
    }

    fn next(&mut self, input: &mut SourceRead) -> Option<u16> {
        if !self.fits() {
            self.at = 0;
            self.group.resize(usize::try_from(self.width).ok()?, 0);
            let got = input.read_fully(&mut self.group);
            self.group.truncate(got);
        }
        self.fits().then(|| self.take())
    }

    fn fits(&self) -> bool {
        u32::try_from(self.group.len()).is_ok_and(|bytes| self.at + self.width <= bytes * 8)
    }

    /// Codes start with their lowest bit in the lowest free bit.
    fn take(&mut self) -> u16 {
        let mut code = 0;
        for bit in 0..self.width {
            let at = usize::try_from(self.at + bit).unwrap_or(0);
            let byte = self.group.get(at / 8).copied().unwrap_or(0);
            code |= u16::from(byte >> (at % 8) & 1) << bit;
        }
        self.at += self.width;
        code
    }
}

impl Read for Lzw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

impl Frame for Lzw {
    fn finish(self: Box<Self>) -> SourceRead {
        self.input
    }
}
