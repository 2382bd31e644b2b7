//! Bits of a block: those that are read from their end (RFC 8878 4.1, 4.2), and those of a table's description, read from their start.
//!
//! Blocks stand in a buffer behind [`LEAD`] spare bytes, so eight bytes that end anywhere in a block can be fetched at once. Whoever
//! reads more bits than there are gets those of what stands before, and [`Bits::is_finished`] says no: one question at the end in place
//! of one at each bit.

/// Spare bytes before a block.
pub(super) const LEAD: usize = 8;

/// Eight bytes.
#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Bits that are read from their end, the highest first.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bits, from the highest on.
    word: u64,
    /// How many bits of the buffer stand before the next one that is read.
    left: usize,
    /// As many are left when all are read.
    start: usize,
}

impl<'a> Bits<'a> {
    /// The bits of `bytes[start..end]`, whose last byte holds a mark above the first bit. `None` if it does not. `start` is [`LEAD`]
    /// or more.
    pub(super) fn new(bytes: &'a [u8], start: usize, end: usize) -> Option<Bits<'a>> {
        let last = *bytes.get(start..end)?.last()?;
        let mark = usize::try_from(last.checked_ilog2()?).ok()?;
        let mut bits = Bits { bytes, word: 0, left: (end - 1) * 8 + mark, start: start * 8 };
        bits.refill();
        Some(bits)
    }

    /// Makes sure that the next 57 bits or more are at hand.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let end = self.left.wrapping_add(7) >> 3;
        let fetched = word(self.bytes, end.wrapping_sub(LEAD)).unwrap_or(0);
        self.word = fetched << ((end << 3).wrapping_sub(self.left) & 7);
    }

    /// Up to 63 bits that are at hand.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u64 {
        let value = (self.word >> 1) >> (63_u32.wrapping_sub(count) & 63);
        self.word <<= count & 63;
        self.left = self.left.wrapping_sub((count & 63) as usize);
        value
    }

    /// True if all bits were read, and none more.
    pub(super) fn is_finished(&self) -> bool {
        self.left == self.start
    }

    /// True if more bits were read than there are. Asked after each few bits, where it is asked at all.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.left < self.start
    }
}

/// Bits that are read from their start, the lowest first. Zeros follow the end.
pub(super) struct Forward<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Forward<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Forward<'a> {
        Forward { bytes, at: 0 }
    }

    /// The next bits, 16 of which are meant.
    pub(super) fn peek(&self) -> u32 {
        let byte = |index: usize| u32::from(self.bytes.get(self.at / 8 + index).copied().unwrap_or(0));
        (byte(0) | byte(1) << 8 | byte(2) << 16) >> (self.at % 8)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// How many bytes were begun; `None` if they are more than there are.
    pub(super) fn used(&self) -> Option<usize> {
        Some(self.at.div_ceil(8)).filter(|used| *used <= self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_end_and_are_counted() {
        let mut block = [0; 12];
        // The mark is bit 3 of the last byte; 1, then 10, 0110, 0101 and zeros follow.
        [block[9], block[10], block[11]] = [0, 0b0110_0101, 0b0000_1110];
        let mut bits = Bits::new(&block, 9, 12).unwrap();
        assert_eq!([1, 2, 0, 4, 4].map(|count| bits.take(count)), [1, 2, 0, 6, 5]);
        assert!(!bits.is_finished());
        assert_eq!(bits.take(8), 0);
        assert!(bits.is_finished() && !bits.is_overdrawn());
        bits.take(3);
        assert!(!bits.is_finished() && bits.is_overdrawn());
        assert!(Bits::new(&block, 9, 10).is_none());
    }

    #[test]
    fn forward_bits_come_from_the_start() {
        let mut bits = Forward::new(&[0b1010_0101, 0b11]);
        assert_eq!(bits.peek() & 15, 5);
        bits.skip(4);
        assert_eq!((bits.peek() & 63, bits.used()), (0b11_1010, Some(1)));
        bits.skip(13);
        assert_eq!((bits.peek(), bits.used()), (0, None));
    }
}
