//! gzip (RFC 1952): one or more members, each DEFLATE data with a header and a checksum.
//!
//! A wrong checksum or length is a remark, because all bytes were read by then, and the next member follows. Header
//! checksums are not compared, reserved flags not looked at.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};
use flate2::{Decompress, FlushDecompress, Status};

use crate::Unpack;
use crate::stream::coded::{Codec, Coded, Next, Ran};
use crate::stream::frames::{self, Begun, no_frame};
use crate::stream::{Fenced, SourceRead, remark};

/// The state of the decoder, its window of 32 KiB, and the input's buffer.
const MEMORY: u64 = 128 * 1024;
/// The longest name that is read; longer ones are cut by [`Name`].
const LONGEST_NAME: u64 = 1024;

/// RFC 1952 2.3.1: flags of the header.
const FHCRC: u8 = 0x02;
const FEXTRA: u8 = 0x04;
const FNAME: u8 = 0x08;
const FCOMMENT: u8 = 0x10;

/// Unpacks a gzip stream: its content, called as the first header says.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let name = header(&mut SourceRead::new(Arc::clone(source))).ok().flatten();
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| b"content".to_vec());
    frames::open(source, budget, Name::new(&name), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let start = input.position();
    match input.peek::<3>() {
        ([0x1f, 0x8b, 8], 3) => {}
        ([0x1f, 0x8b, _], 3) if before == 0 => return Err(io::ErrorKind::Unsupported.into()),
        _ if before == 0 => return Err(no_frame()),
        _ => return Ok(Begun::End(start)),
    }
    header(&mut input)?;
    let codec = Deflate { inflate: Decompress::new(false), crc: crc32fast::Hasher::new() };
    let member = Fenced::new(budget, MEMORY, || Ok(Coded::new(input, codec)))?;
    Ok(Begun::Frame(Box::new(member)))
}

/// Reads a header (RFC 1952 2.3) and gives the name in it.
fn header(input: &mut SourceRead) -> io::Result<Option<Vec<u8>>> {
    let mut fixed = [0; 10];
    input.read_exact(&mut fixed)?;
    let [_, _, _, flags, ..] = fixed;
    if flags & FEXTRA != 0 {
        let mut length = [0; 2];
        input.read_exact(&mut length)?;
        skip(input, u64::from(u16::from_le_bytes(length)))?;
    }
    let name = if flags & FNAME != 0 { Some(text(input)?) } else { None };
    if flags & FCOMMENT != 0 {
        text(input)?;
    }
    if flags & FHCRC != 0 {
        skip(input, 2)?;
    }
    Ok(name)
}

/// A text that a zero byte ends; the first bytes of it.
fn text(input: &mut SourceRead) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let zero = chunk.iter().position(|byte| *byte == 0);
        let piece = chunk.get(..zero.unwrap_or(chunk.len())).unwrap_or(chunk);
        let room = usize::try_from(LONGEST_NAME).unwrap_or(0).saturating_sub(kept.len());
        kept.extend(piece.iter().take(room));
        let used = piece.len() + usize::from(zero.is_some());
        input.consume(used);
        if zero.is_some() {
            return Ok(kept);
        }
    }
}

fn skip(input: &mut SourceRead, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(count), &mut io::sink())?;
    if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// DEFLATE (RFC 1951) with the trailer of gzip.
struct Deflate {
    inflate: Decompress,
    crc: crc32fast::Hasher,
}

impl Codec for Deflate {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Ran {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, output, FlushDecompress::None);
        let consumed = usize::try_from(self.inflate.total_in().wrapping_sub(before_in)).unwrap_or(0);
        let produced = usize::try_from(self.inflate.total_out().wrapping_sub(before_out)).unwrap_or(0);
        self.crc.update(output.get(..produced).unwrap_or(&[]));
        let next = match status {
            Ok(Status::StreamEnd) => Next::End,
            Ok(Status::Ok | Status::BufError) => Next::More,
            Err(_) => Next::Broken("invalid DEFLATE data"),
        };
        Ran { consumed, produced, next }
    }

    /// RFC 1952 2.3.1: CRC32 and ISIZE, the length modulo 2^32.
    fn trailer(&mut self, input: &mut SourceRead) -> io::Result<()> {
        let mut trailer = [0; 8];
        input.read_exact(&mut trailer)?;
        let [a, b, c, d, e, f, g, h] = trailer;
        let (crc, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if crc != self.crc.clone().finalize() {
            return Err(remark("the gzip checksum is wrong"));
        }
        if u64::from(size) != self.inflate.total_out() & 0xffff_ffff {
            return Err(remark("the gzip length is wrong"));
        }
        Ok(())
    }
}
