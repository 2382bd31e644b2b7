//! lzop files (specification: lzop 1.04, as its manual and sources describe it; LZO1X as the kernel documents it).
//!
//! ```text
//! header (big-endian): 89 "LZO" 00 0D 0A 1A 0A, version (u16), of the library, needed, method, level, flags (u32), filter if asked
//!                      for, mode, time twice, length of the name, name, checksum
//! blocks: plain bytes (u32; 0 ends), bytes, checksums of the plain and of the other, the bytes; stored if both are the same
//! ```
//!
//! Several files behind each other are read as one stream. Checksums of plain bytes are compared and remarked; a header's is not
//! looked at.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};

use crate::Unpack;
use crate::codec::lzo;
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead, remark};

const MAGIC: [u8; 9] = *b"\x89LZO\x00\x0d\x0a\x1a\x0a";
/// Plain bytes of a block; lzop writes 256 KiB, and reads so many.
const LARGEST: u32 = 64 << 20;
/// What blocks take from the start on.
const USUAL: u64 = 1 << 20;

const PLAIN_ADLER: u32 = 0x1;
const PACKED_ADLER: u32 = 0x2;
const EXTRA: u32 = 0x40;
const PLAIN_CRC: u32 = 0x100;
const PACKED_CRC: u32 = 0x200;
const FILTER: u32 = 0x800;

/// Unpacks a file.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let start = input.position();
    if input.peek::<9>() != (MAGIC, 9) {
        return if before == 0 { Err(no_frame()) } else { Ok(Begun::End(start)) };
    }
    input.go_to(start.saturating_add(9));
    let flags = header(&mut input)?;
    if flags & FILTER != 0 {
        return Err(io::Error::new(ErrorKind::Unsupported, "an lzop file with a filter"));
    }
    let again = budget.clone();
    let make = || Ok(Lzop { input, flags, budget: again, block: Vec::new(), at: 0, wrong: false, ended: false });
    Ok(Begun::Frame(Box::new(Fenced::new(budget, USUAL, make)?)))
}

/// The flags; goes behind the header.
fn header(input: &mut SourceRead) -> io::Result<u32> {
    let version = half(input)?;
    half(input)?;
    let newer = version >= 0x0940;
    if newer {
        half(input)?;
    }
    input.read_exact(&mut [0])?;
    if newer {
        input.read_exact(&mut [0])?;
    }
    let flags = word(input)?;
    if flags & FILTER != 0 {
        word(input)?;
    }
    for _ in 0..if newer { 3 } else { 2 } {
        word(input)?;
    }
    let mut length = [0];
    input.read_exact(&mut length)?;
    let [length] = length;
    input.read_exact(vec![0; usize::from(length)].as_mut_slice())?;
    word(input)?;
    if flags & EXTRA != 0 {
        let length = word(input)?;
        input.go_to(input.position().saturating_add(u64::from(length)));
        word(input)?;
    }
    Ok(flags)
}

fn half(input: &mut SourceRead) -> io::Result<u16> {
    let mut bytes = [0; 2];
    input.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

fn word(input: &mut SourceRead) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// A file at work.
struct Lzop {
    input: SourceRead,
    flags: u32,
    budget: Budget,
    /// The plain bytes of the block at hand, and how many were given.
    block: Vec<u8>,
    at: usize,
    /// A checksum did not fit.
    wrong: bool,
    ended: bool,
}

impl Lzop {
    /// The next block; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        let plain = word(&mut self.input)?;
        if plain == 0 {
            return Ok(false);
        }
        let packed = word(&mut self.input)?;
        if plain > LARGEST || packed > plain {
            return Err(io::Error::new(ErrorKind::InvalidData, "a block of an impossible length"));
        }
        let adler = self.flags & PLAIN_ADLER != 0;
        let adler = if adler { Some(word(&mut self.input)?) } else { None };
        let crc = if self.flags & PLAIN_CRC != 0 { Some(word(&mut self.input)?) } else { None };
        if packed < plain {
            for flag in [PACKED_ADLER, PACKED_CRC] {
                if self.flags & flag != 0 {
                    word(&mut self.input)?;
                }
            }
        }
        let more = u64::from(plain).saturating_add(packed.into()).saturating_sub(USUAL / 2);
        let _memory = self.budget.reserve(more).map_err(|_| ErrorKind::OutOfMemory)?;
        let mut data = vec![0; usize::try_from(packed).unwrap_or(0)];
        self.input.read_exact(&mut data)?;
        self.block = if packed < plain {
            let most = usize::try_from(plain).unwrap_or(0);
            let block = lzo::decode(&data, most).filter(|block| block.len() == most);
            block.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a block is broken"))?
        } else {
            data
        };
        self.at = 0;
        self.wrong |= adler.is_some_and(|sum| sum != adler32(&self.block));
        self.wrong |= crc.is_some_and(|sum| sum != crc32fast::hash(&self.block));
        Ok(true)
    }
}

/// Adler-32 (RFC 1950).
pub(crate) fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    // So many bytes may be added before the sums need be reduced.
    let (a, b) = bytes.chunks(5552).fold((1_u32, 0_u32), |sums, chunk| {
        let (a, b) = chunk.iter().fold(sums, |(a, b), byte| (a + u32::from(*byte), a + u32::from(*byte) + b));
        (a % BASE, b % BASE)
    });
    b << 16 | a
}

impl Read for Lzop {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() && !buffer.is_empty() {
            if self.ended {
                return Ok(0);
            }
            if !self.next_block()? {
                self.ended = true;
                return if self.wrong { Err(remark("a checksum of a block is wrong")) } else { Ok(0) };
            }
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

impl Frame for Lzop {
    fn finish(self: Box<Self>) -> SourceRead {
        self.input
    }
}
