//! Zstandard (RFC 8878): the decoder of one frame.
//!
//! ```text
//! frame       magic 4 | header | blocks | checksum 4, if the header says so
//! block       last 1 bit, kind 2 bits, size 21 bits | size bytes: plain, one byte for all, or packed
//! packed      literals (literals.rs, huffman.rs) | sequences (sequences.rs, fse.rs)
//! ```
//!
//! A block is read whole into a buffer, its literals decoded into another, and its sequences carried out in the window
//! ([`Window`]), from which the plain bytes are handed out before the next block begins. All of it is safe Rust; what makes it as fast as it is:
//!
//! * tables have fixed lengths and are asked with masked numbers, so there is nothing to check;
//! * bits are fetched eight bytes at a time, without a question for the start of the stream: those before it are readable, and the
//!   count is compared at the end;
//! * four streams of literals are decoded in turn;
//! * literals and repetitions are copied in pieces of 16 bytes, which may write over their end.
//!
//! Damage ends the frame, and the bytes before it are given, down to the last sequence that made sense. Blocks and their plain bytes are of
//! 128 KiB at most (3.1.1.2.4); a smaller bound that follows from a smaller window is not asked for, nor must a distance be within the window
//! while the bytes are there. Dictionaries are not supported ([`Header::dictionary`]).
//!
//! Tried, and no faster: nothing yet.

mod bits;
mod fse;
mod huffman;
mod literals;
mod sequences;

use std::hash::Hasher as _;
use std::io::{self, ErrorKind, Read};

use dachs_base::{Reader, Short};
use twox_hash::XxHash64;

use self::bits::LEAD;
use self::literals::Literals;
use self::sequences::Sequences;
use super::window::{self, Space, Steps, Window};
use crate::stream::remark;

/// 3.1.1: magic of a frame.
pub(crate) const MAGIC: u32 = 0xfd2f_b528;
/// 3.1.2: magic of a skippable frame, the last four bits being free.
pub(crate) const SKIPPABLE: u32 = 0x184d_2a50;
/// What a decoder needs besides the history: tables, a block, its literals, and room for the next block.
pub(crate) const FIXED: u64 = 1 << 20;
/// 3.1.1.2.4: the most bytes of a block, plain or packed.
const BLOCK: usize = 128 * 1024;

/// What a frame's header says (3.1.1.1).
pub(crate) struct Header {
    /// How far back a repetition may reach.
    pub(crate) window: u64,
    /// Length of the plain bytes, if it is told.
    pub(crate) length: Option<u64>,
    /// True if a dictionary is needed.
    pub(crate) dictionary: bool,
    /// Length of the header, with its magic.
    pub(crate) size: usize,
    checked: bool,
    reserved: bool,
}

impl Header {
    /// Reads the first bytes of a frame.
    ///
    /// # Errors
    /// If they are too few.
    pub(crate) fn read(head: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(head, "zstd frame header");
        reader.skip(4)?;
        let descriptor = reader.u8()?;
        let single = descriptor & 0x20 != 0;
        let window = if single { 0 } else { window_size(reader.u8()?) };
        let dictionary = match descriptor & 3 {
            0 => 0,
            1 => u32::from(reader.u8()?),
            2 => u32::from(reader.u16_le()?),
            _ => reader.u32_le()?,
        };
        let length = match descriptor >> 6 {
            0 if single => Some(u64::from(reader.u8()?)),
            0 => None,
            1 => Some(u64::from(reader.u16_le()?) + 256),
            2 => Some(u64::from(reader.u32_le()?)),
            _ => Some(reader.u64_le()?),
        };
        let window = if single { length.unwrap_or(0) } else { window };
        let size = head.len().saturating_sub(reader.left());
        let (checked, reserved) = (descriptor & 4 != 0, descriptor & 8 != 0);
        Ok(Header { window, length, dictionary: dictionary != 0, size, checked, reserved })
    }

    /// The memory that the history of this frame takes.
    pub(crate) fn history(&self) -> u64 {
        self.window.min(self.length.unwrap_or(u64::MAX))
    }
}

/// 3.1.1.1.2: exponent and mantissa.
fn window_size(byte: u8) -> u64 {
    let base = 1_u64 << (10 + u32::from(byte >> 3));
    base + base / 8 * u64::from(byte & 7)
}

/// A frame at work.
pub(crate) struct Zstd<R> {
    input: R,
    header: Header,
    window: Window,
    /// [`LEAD`] spare bytes, the block, and as many again.
    block: Vec<u8>,
    literals: Literals,
    sequences: Sequences,
    checksum: XxHash64,
    /// Plain bytes decoded so far.
    made: u64,
}

impl<R: Read> Zstd<R> {
    /// Decodes the frame with this header, behind which `input` stands. [`FIXED`] bytes and [`Header::history`] are needed, the latter as far
    /// as bytes are given.
    ///
    /// # Errors
    /// If the header says that something is needed which there is not, or cannot be.
    pub(crate) fn new(input: R, header: Header) -> io::Result<Zstd<R>> {
        if header.dictionary {
            return Err(io::Error::new(ErrorKind::Unsupported, "a zstd frame that needs a dictionary"));
        }
        if header.reserved {
            return Err(invalid("a reserved bit of a zstd frame is set"));
        }
        let history = usize::try_from(header.history()).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        let window = Window::new(history, BLOCK);
        let block = vec![0; LEAD + BLOCK + LEAD];
        let (literals, sequences) = (Literals::new(), Sequences::new());
        let checksum = XxHash64::with_seed(0);
        Ok(Zstd { input, header, window, block, literals, sequences, checksum, made: 0 })
    }

    /// The input behind the frame.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// 3.1.1.2: one block. True if it is the last one.
    fn block(&mut self) -> io::Result<bool> {
        self.window.make_room();
        let mut head = [0; 3];
        self.input.read_exact(&mut head)?;
        let [a, b, c] = head;
        let number = u32::from_le_bytes([a, b, c, 0]);
        let size = usize::try_from(number >> 3).unwrap_or(usize::MAX);
        let kind = number >> 1 & 3;
        if size > BLOCK || kind == 3 {
            return Err(invalid("a zstd block that cannot be"));
        }
        let mut space = self.window.space();
        let result = match kind {
            0 => plain(&mut self.input, size, &mut space),
            1 => run(&mut self.input, size, &mut space),
            _ => match self.input.read_exact(self.block.get_mut(LEAD..LEAD + size).unwrap_or_default()) {
                Ok(()) => packed(&self.block, LEAD + size, &mut self.literals, &mut self.sequences, &mut space),
                Err(error) => Err(error),
            },
        };
        let at = space.at;
        self.window.written(at);
        result.map(|()| number & 1 == 1)
    }

    /// What stands behind the last block, and what the header said.
    fn end(&mut self) -> io::Result<()> {
        if self.header.checked {
            let mut sum = [0; 4];
            self.input.read_exact(&mut sum)?;
            let [a, b, c, d, ..] = self.checksum.finish().to_le_bytes();
            if sum != [a, b, c, d] {
                return Err(remark("the zstd checksum is wrong"));
            }
        }
        match self.header.length {
            Some(length) if self.made < length => Err(invalid("the zstd frame is shorter than stated")),
            Some(length) if self.made > length => Err(remark("the zstd frame is longer than stated")),
            _ => Ok(()),
        }
    }
}

/// A block of plain bytes, as many as there are.
fn plain(input: &mut impl Read, size: usize, space: &mut Space<'_>) -> io::Result<()> {
    let end = space.at + size;
    while space.at < end {
        let place = space.bytes.get_mut(space.at..end).unwrap_or_default();
        match input.read(place) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(got) => space.at += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A block of one byte, so many times.
fn run(input: &mut impl Read, size: usize, space: &mut Space<'_>) -> io::Result<()> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    space.bytes.get_mut(space.at..space.at + size).unwrap_or_default().fill(byte[0]);
    space.at += size;
    Ok(())
}

/// A packed block (3.1.1.3): the bytes from [`LEAD`] to `end`.
fn packed(
    bytes: &[u8],
    end: usize,
    literals: &mut Literals,
    sequences: &mut Sequences,
    space: &mut Space<'_>,
) -> io::Result<()> {
    let block = bytes.get(..end).unwrap_or(&[]);
    let start = literals.read(block, LEAD).ok_or_else(|| invalid("the literals of a zstd block are broken"))?;
    let done = sequences.run(block, start, end, literals, space);
    done.ok_or_else(|| invalid("the sequences of a zstd block are broken"))
}

impl<R: Read> Steps for Zstd<R> {
    fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    /// Decodes the next block; behind the last one, finds out how the frame ends.
    fn step(&mut self) -> io::Result<bool> {
        let last = self.block();
        let made = self.window.waiting();
        self.made = self.made.saturating_add(u64::try_from(made.len()).unwrap_or(u64::MAX));
        if self.header.checked {
            self.checksum.write(made);
        }
        let last = last?;
        if last {
            self.end()?;
        }
        Ok(last)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        window::read(self, buffer)
    }
}

fn invalid(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests;
