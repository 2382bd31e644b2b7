//! Bits, the highest of each byte first, or the lowest.

use std::io::{self, BufRead, ErrorKind};

/// Takes bits from bytes. Zeros stand behind the end, but they may only be looked at.
pub(super) struct Bits {
    input: Box<dyn BufRead + Send>,
    /// The bits that were read and not taken, at the low end.
    held: u64,
    count: u32,
    /// How many of them stand behind the end.
    beyond: u32,
    lowest_first: bool,
}

impl Bits {
    pub(super) fn new(input: impl BufRead + Send + 'static) -> Bits {
        Bits { input: Box::new(input), held: 0, count: 0, beyond: 0, lowest_first: false }
    }

    /// Bits whose order in each byte is turned around. A number comes with its bits in the order of the stream.
    pub(super) fn lowest_first(input: impl BufRead + Send + 'static) -> Bits {
        Bits { lowest_first: true, ..Bits::new(input) }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.count <= 32 {
            let byte = self.input.fill_buf()?.first().copied();
            match byte {
                Some(_) => self.input.consume(1),
                None => self.beyond += 8,
            }
            let byte = byte.unwrap_or(0);
            let byte = if self.lowest_first { byte.reverse_bits() } else { byte };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
        Ok(())
    }

    /// The next 16 bits.
    pub(super) fn peek(&mut self) -> io::Result<u16> {
        if self.count < 16 {
            self.fill()?;
        }
        Ok(u16::try_from(self.held >> (self.count - 16) & 0xFFFF).unwrap_or(0))
    }

    /// Passes up to 16 bits.
    pub(super) fn skip(&mut self, count: u32) -> io::Result<()> {
        if self.count < count {
            self.fill()?;
        }
        self.count -= count;
        if self.count < self.beyond { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Up to 16 bits.
    pub(super) fn take(&mut self, count: u32) -> io::Result<u16> {
        let bits = u32::from(self.peek()?) >> (16 - count.min(16));
        self.skip(count)?;
        Ok(u16::try_from(bits).unwrap_or(0))
    }

    /// Eight bits.
    pub(super) fn byte(&mut self) -> io::Result<u8> {
        self.take(8).map(|bits| u8::try_from(bits).unwrap_or(0))
    }
}
