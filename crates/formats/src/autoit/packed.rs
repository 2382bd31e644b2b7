//! How compiled scripts are packed: bytes and repetitions, bit by bit, highest first.
//!
//! ```text
//! "EA05" or "EA06" or "JB00" | plain size 4, big-endian | bits
//! EA06: 1 byte(8)    0 distance(15) length
//! EA05: 0 byte(8)    1 distance(15) length          JB00: 0 byte(8)    1 distance-3 (13) length-3 (4)
//! length: 2 bits from 3 on, or 3 bits from 6 on, or 5 bits from 13 on, or 8 bits from 44, 299, 554 ... on; all bits set: the next
//! ```

use std::io::{self, BufReader, ErrorKind, Read};

use crate::codec::bytewise::fill;

/// Bytes that a repetition may reach back.
const WINDOW: usize = 1 << 15;

/// Plain data.
pub(super) struct Unpacked<R> {
    bits: Bits<BufReader<R>>,
    form: Form,
    window: Box<[u8; WINDOW]>,
    /// How many bytes were made, and how many are to be.
    made: u64,
    size: u64,
    /// Distance and length of the repetition at hand.
    copy: (usize, u64),
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ea05,
    Ea06,
    Jb00,
}

impl<R: Read> Unpacked<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is none, or of a form that is not known.
    pub(super) fn new(mut input: R) -> io::Result<Unpacked<R>> {
        let mut head = [0; 8];
        input.read_exact(&mut head)?;
        let [magic @ .., a, b, c, d] = head;
        let form = match &magic {
            b"EA05" => Form::Ea05,
            b"EA06" => Form::Ea06,
            b"JB00" => Form::Jb00,
            b"JB01" => return Err(io::Error::new(ErrorKind::Unsupported, "the packing of AutoIt 3.0 (JB01)")),
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "it does not begin as packed data do")),
        };
        let bits = Bits { input: BufReader::new(input).bytes(), byte: 0, left: 0 };
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        Ok(Unpacked { bits, form, window: Box::new([0; WINDOW]), made: 0, size, copy: (0, 0), failed: None })
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        if self.made >= self.size {
            return Ok(None);
        }
        if self.copy.1 == 0 {
            if (self.bits.take(1)? == 1) == (self.form == Form::Ea06) {
                let [.., byte] = self.bits.take(8)?.to_be_bytes();
                return Ok(Some(self.put(byte)));
            }
            self.copy = self.repetition()?;
            if self.copy.0 == 0 || u64::try_from(self.copy.0).is_ok_and(|distance| distance > self.made) {
                return Err(io::Error::new(ErrorKind::InvalidData, "a repetition of what was not there"));
            }
        }
        let from = self.place().wrapping_sub(self.copy.0) % WINDOW;
        self.copy.1 -= 1;
        let byte = self.window.get(from).copied().unwrap_or(0);
        Ok(Some(self.put(byte)))
    }

    fn repetition(&mut self) -> io::Result<(usize, u64)> {
        let number = |bits: u32| usize::try_from(bits).unwrap_or(0);
        if self.form == Form::Jb00 {
            let distance = number(self.bits.take(13)?) + 3;
            return Ok((distance, u64::from(self.bits.take(4)?) + 3));
        }
        let distance = number(self.bits.take(15)?);
        Ok((distance, self.length()?))
    }

    fn length(&mut self) -> io::Result<u64> {
        for (base, count) in [(3, 2), (6, 3), (13, 5), (44, 8)] {
            let more = self.bits.take(count)?;
            if more != (1 << count) - 1 {
                return Ok(base + u64::from(more));
            }
        }
        let mut length = 299_u64;
        loop {
            let more = self.bits.take(8)?;
            if more != 255 {
                return Ok(length.saturating_add(u64::from(more)));
            }
            length = length.saturating_add(255);
        }
    }

    fn place(&self) -> usize {
        usize::try_from(self.made).unwrap_or(0) % WINDOW
    }

    fn put(&mut self, byte: u8) -> u8 {
        let place = self.place();
        if let Some(place) = self.window.get_mut(place) {
            *place = byte;
        }
        self.made += 1;
        byte
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut failed = self.failed.take();
        let filled = fill(buffer, &mut failed, || self.next_byte());
        self.failed = failed;
        filled
    }
}

/// Bits, highest first.
struct Bits<R> {
    input: io::Bytes<R>,
    byte: u8,
    left: u32,
}

impl<R: Read> Bits<R> {
    /// The next bits, at most 16, as a number.
    fn take(&mut self, count: u32) -> io::Result<u32> {
        let mut number = 0;
        for _ in 0..count {
            if self.left == 0 {
                self.byte = self.input.next().transpose()?.ok_or(ErrorKind::UnexpectedEof)?;
                self.left = 8;
            }
            self.left -= 1;
            number = number << 1 | u32::from(self.byte >> self.left & 1);
        }
        Ok(number)
    }
}
