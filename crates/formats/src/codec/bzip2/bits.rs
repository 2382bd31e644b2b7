//! Bits of a stream, the highest of a byte first, fetched eight bytes at a time.
//!
//! Zeros count as input behind the end, so that nothing need be asked between two bits; [`Bits::is_overdrawn`] tells afterwards.

use std::io::{self, ErrorKind, Read};

/// Bytes that are read at once.
const INPUT: usize = 32 * 1024;
/// A group of symbols takes no more bytes than this, with the word that is fetched ahead.
pub(super) const GROUP_BYTES: usize = 160;

/// The input as bits.
pub(super) struct Bits<R> {
    source: R,
    bytes: Vec<u8>,
    filled: usize,
    ended: bool,
    pub(super) cursor: Cursor,
}

/// Where reading is. It stands in registers while a group of symbols is decoded.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// The next byte to be fetched.
    at: usize,
    /// The next bits from the highest on.
    word: u64,
    /// How many of them are there.
    count: u32,
}

impl Cursor {
    /// Makes sure that 56 bits are at hand.
    #[inline(always)]
    pub(super) fn refill(&mut self, bytes: &[u8]) {
        let next = bytes.get(self.at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_be_bytes);
        self.word |= next >> (self.count & 63);
        self.at = self.at.wrapping_add((63_u32.wrapping_sub(self.count) >> 3 & 7) as usize);
        self.count |= 56;
    }

    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The next `count` bits, 1 to 32, which stay.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.word >> (64_u32.wrapping_sub(count) & 63) & 0xffff_ffff) as u32
    }

    /// Leaves bits that are at hand behind.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.word <<= count & 63;
        self.count = self.count.wrapping_sub(count);
    }
}

impl<R: Read> Bits<R> {
    pub(super) fn new(source: R) -> Bits<R> {
        let cursor = Cursor { at: 0, word: 0, count: 0 };
        Bits { source, bytes: vec![0; INPUT + GROUP_BYTES], filled: 0, ended: false, cursor }
    }

    /// Makes sure that [`GROUP_BYTES`] can be fetched.
    #[inline(always)]
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        if self.filled.saturating_sub(self.cursor.at) < GROUP_BYTES && !self.ended { self.read() } else { Ok(()) }
    }

    fn read(&mut self) -> io::Result<()> {
        let start = self.cursor.at.min(self.filled);
        self.bytes.copy_within(start..self.filled, 0);
        self.filled -= start;
        self.cursor.at -= start;
        while self.filled < GROUP_BYTES && !self.ended {
            match self.source.read(self.bytes.get_mut(self.filled..INPUT).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(got) => self.filled += got,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.ended {
            self.bytes.get_mut(self.filled..).unwrap_or_default().fill(0);
        }
        Ok(())
    }

    /// The bytes, and the cursor in them.
    pub(super) fn parts(&mut self) -> (&[u8], &mut Cursor) {
        (&self.bytes, &mut self.cursor)
    }

    /// The next `count` bits, 1 to 32, as a number.
    pub(super) fn take(&mut self, count: u32) -> io::Result<u32> {
        self.prepare()?;
        self.cursor.refill(&self.bytes);
        let value = self.cursor.peek(count);
        self.cursor.skip(count);
        if self.is_overdrawn() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(value) }
    }

    /// The next `count` bits, 1 to 32, which stay; zeros behind the end.
    pub(super) fn look(&mut self, count: u32) -> io::Result<u32> {
        self.prepare()?;
        self.cursor.refill(&self.bytes);
        Ok(self.cursor.peek(count))
    }

    /// True if more bits were used than there are.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.ended && self.cursor.at.saturating_mul(8) > self.filled.saturating_mul(8).saturating_add(self.count())
    }

    fn count(&self) -> usize {
        (self.cursor.count & 63) as usize
    }

    /// Goes on at the next whole byte.
    pub(super) fn align(&mut self) {
        self.cursor.skip(self.cursor.count & 7);
    }

    /// True if no byte is left. Asked at a whole byte.
    pub(super) fn is_empty(&mut self) -> io::Result<bool> {
        self.prepare()?;
        Ok(self.ended && self.unused() == 0)
    }

    /// Bytes that were read and not used. Asked at a whole byte.
    pub(super) fn unused(&self) -> usize {
        self.filled.saturating_add(self.count() / 8).saturating_sub(self.cursor.at)
    }

    pub(super) fn into_source(self) -> R {
        self.source
    }
}
