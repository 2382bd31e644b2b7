//! The decoders that archives embed: raw streams without a header of their own, whose parameters stand in the archive.
//!
//! Each function takes the compressed bytes and gives a reader of the plain ones. It reserves the decoder's memory
//! first, so a dictionary of absurd size is refused before it exists: the error is then of the kind
//! [`ErrorKind::OutOfMemory`]. Where the plain length is known, no more memory is taken than that length needs. Decoders
//! that throw away bytes when they fail are read in small steps.

pub(crate) mod adc;
mod brotli;
pub(crate) mod bytewise;
pub(crate) mod bzip2;
pub(crate) mod huffman;
mod inflate;
mod loose_inflate;
mod lz4;
pub(crate) mod lzfse;
pub(crate) mod lzh;
pub(crate) mod lzma;
pub(crate) mod lznt1;
pub(crate) mod lzo;
pub(crate) mod lzss;
pub(crate) mod lzx;
pub(crate) mod mszip;
mod output;
pub(crate) mod quantum;
#[cfg(test)]
mod samples;
mod shrink;
mod window;
pub(crate) mod xpress;
pub(crate) mod xz;
pub(crate) mod zstd;

use std::io::{self, BufRead, ErrorKind, Read};

use dachs_base::Budget;
use ppmd_rust::{Ppmd7Decoder, Ppmd8Decoder, RestoreMethod};

use crate::stream::{Careful, Fenced};

/// A decoder at work.
pub(crate) type Decoder = Box<dyn Read + Send>;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Deflate (RFC 1951).
pub(crate) fn deflate(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, 64 * KIB, || Ok(inflate::Inflate::new(input)))
}

/// True if the bytes are deflate, as far as they go, and make `least` plain bytes; `whole` if no more follow. Noise ends within
/// few bytes.
pub(crate) fn is_deflate(head: &[u8], whole: bool, least: u64) -> bool {
    const MOST: u64 = 16 * KIB;
    let mut state = flate2::Decompress::new(false);
    let mut plain = vec![0; usize::try_from(MOST).unwrap_or(0)];
    let status = state.decompress(head, &mut plain, flate2::FlushDecompress::None);
    let (made, length) = (state.total_out(), u64::try_from(head.len()).unwrap_or(u64::MAX));
    // Behind the end stands zlib's checksum, or the last group of base64 is filled up.
    let left = length.saturating_sub(state.total_in());
    made >= least
        && match status {
            Ok(flate2::Status::StreamEnd) => whole && left <= 8,
            Ok(_) => made == MOST || !whole,
            Err(_) => false,
        }
}

/// Deflate64: deflate with a window of 64 KiB (APPNOTE 4.4.5, method 9).
pub(crate) fn deflate64(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, 320 * KIB, || Ok(deflate64::Deflate64Decoder::with_buffer(input)))
}

/// Deflate as NSIS writes it.
pub(crate) fn loose_deflate(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, 64 * KIB, || Ok(loose_inflate::LooseInflate::new(input)))
}

/// bzip2 as NSIS writes it.
pub(crate) fn bare_bzip2(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, bzip2::MEMORY, || Ok(bzip2::Bzip2::bare(input, bzip2::NSIS)))
}

/// bzip2 as ALZip writes it in ALZ archives.
pub(crate) fn alz_bzip2(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, bzip2::MEMORY, || Ok(bzip2::Bzip2::bare(input, bzip2::ALZ)))
}

/// PKZIP's shrink, of this plain length.
pub(crate) fn shrink(input: impl BufRead + Send + 'static, length: u64, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, shrink::MEMORY, || Ok(shrink::Shrink::new(input, length)))
}

/// Brotli (RFC 7932), or frames of it.
pub(crate) fn brotli(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    Ok(Box::new(Fenced::growing(budget, brotli::FIXED, brotli::WINDOW, || Ok(brotli::Brotli::new(input)))?))
}

/// LZ4 frames, one behind the other.
pub(crate) fn lz4(input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, lz4::MEMORY, || Ok(lz4::Lz4::new(input)))
}

/// One bzip2 stream, or several of them one behind the other.
pub(crate) fn bzip2(input: impl BufRead + Send + 'static, many: bool, budget: &Budget) -> io::Result<Decoder> {
    fenced(budget, bzip2::MEMORY, || Ok(bzip2::Bzip2::new(input, many)))
}

/// LZMA without a header. `length` is the plain length, absent if an end mark ends the stream.
pub(crate) fn lzma(
    input: impl Read + Send + 'static,
    properties: [u8; 5],
    length: Option<u64>,
    budget: &Budget,
) -> io::Result<Decoder> {
    let [first, dictionary @ ..] = properties;
    let dictionary = clamp_dictionary(u32::from_le_bytes(dictionary), length);
    let properties = lzma::Properties::new(first).ok_or_else(|| invalid("the properties of LZMA data cannot be"))?;
    let memory = lzma::FIXED.saturating_add(properties.memory()).saturating_add(dictionary.into());
    fenced(budget, memory, || Ok(lzma::Lzma::new(input, properties, dictionary, length)))
}

/// LZMA2 without a header; `property` is the size of the dictionary as xz writes it (xz format 5.3.1).
pub(crate) fn lzma2(
    input: impl Read + Send + 'static,
    property: u8,
    length: Option<u64>,
    budget: &Budget,
) -> io::Result<Decoder> {
    let dictionary =
        lzma::dictionary_size(property).ok_or_else(|| invalid("the size of the dictionary is not valid"))?;
    let dictionary = clamp_dictionary(dictionary, length);
    let memory = lzma::FIXED.saturating_add(dictionary.into());
    fenced(budget, memory, || Ok(lzma::Lzma2::new(input, dictionary)))
}

/// Streams in the xz format, with dictionaries up to three quarters of the memory that is left.
pub(crate) fn xz(input: impl Read + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    let dictionary = (budget.memory_left() / 4 * 3).min(64 * MIB);
    Ok(Box::new(Fenced::growing(budget, xz::FIXED, dictionary, || Ok(xz::Xz::new(input, true, dictionary)))?))
}

/// One frame of Zstandard (RFC 8878).
pub(crate) fn zstd(mut input: impl BufRead + Send + 'static, budget: &Budget) -> io::Result<Decoder> {
    let head = input.fill_buf()?;
    let header = zstd::Header::read(head).ok().filter(|_| head.starts_with(&zstd::MAGIC.to_le_bytes()));
    let header = header.ok_or_else(|| invalid("it does not begin with a frame"))?;
    input.consume(header.size);
    fenced(budget, zstd::FIXED.saturating_add(header.history()), || zstd::Zstd::new(input, header))
}

/// PPMd variant H, as in 7z.
pub(crate) fn ppmd7(
    input: impl Read + Send + 'static,
    order: u32,
    memory: u32,
    budget: &Budget,
) -> io::Result<Decoder> {
    fenced(budget, u64::from(memory) + MIB, || {
        Ppmd7Decoder::new(input, order, memory).map(Careful::new).map_err(io::Error::other)
    })
}

/// PPMd variant I, as in ZIP (APPNOTE 5.10): `parameters` are order, memory and restoration in one number.
pub(crate) fn ppmd8(input: impl Read + Send + 'static, parameters: u16, budget: &Budget) -> io::Result<Decoder> {
    let order = u32::from(parameters & 0xF) + 1;
    let memory = (u32::from(parameters >> 4 & 0xFF) + 1) << 20;
    let restoration = match parameters >> 12 {
        0 => RestoreMethod::Restart,
        1 => RestoreMethod::CutOff,
        _ => return Err(io::Error::new(ErrorKind::Unsupported, "PPMd with an unknown way of restoration")),
    };
    fenced(budget, u64::from(memory) + MIB, || {
        Ppmd8Decoder::new(input, order, memory, restoration).map(Careful::new).map_err(io::Error::other)
    })
}

/// No distance in a stream is longer than the stream, so its dictionary need not be.
fn clamp_dictionary(dictionary: u32, length: Option<u64>) -> u32 {
    let needed = length.and_then(|length| u32::try_from(length).ok()).unwrap_or(u32::MAX);
    dictionary.min(needed).clamp(4096, u32::MAX - 15)
}

fn fenced<R: Read + Send + 'static>(
    budget: &Budget,
    memory: u64,
    make: impl FnOnce() -> io::Result<R>,
) -> io::Result<Decoder> {
    Ok(Box::new(Fenced::new(budget, memory, make)?))
}

fn invalid(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, NoClock};

    #[test]
    fn a_dictionary_is_refused_before_it_exists() {
        let budget = Budget::new(Limits { memory: 1 << 20, ..Limits::default() }, NoClock);
        let kind = |result: io::Result<Decoder>| result.err().map(|error| error.kind());
        let huge = [0x5D, 0xFF, 0xFF, 0xFF, 0x3F];
        assert_eq!(kind(lzma(&[0u8; 9][..], huge, None, &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(lzma(&[0u8; 9][..], huge, Some(100), &budget)), None);
        assert_eq!(kind(lzma(&[0u8; 9][..], [44, 0, 0, 1, 0], None, &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(lzma(&[0u8; 9][..], [225, 0, 0, 1, 0], None, &budget)), Some(ErrorKind::InvalidData));
        assert_eq!(kind(lzma2(&[0u8; 9][..], 40, None, &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(lzma2(&[0u8; 9][..], 40, Some(100), &budget)), None);
        assert_eq!(kind(lzma2(&[0u8; 9][..], 41, Some(100), &budget)), Some(ErrorKind::InvalidData));
        assert_eq!(kind(ppmd7(&[0u8; 9][..], 6, 1 << 24, &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(ppmd8(&[0u8; 9][..], 0x0FF5, &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(zstd(&[0x28, 0xB5, 0x2F, 0xFD, 0, 0xF8][..], &budget)), Some(ErrorKind::OutOfMemory));
        assert_eq!(kind(zstd(&[0x28, 0xB5, 0x2F, 0xFD, 0][..], &budget)), Some(ErrorKind::InvalidData));
    }
}
