//! PNG: chunks, each a length, a type, data and a checksum.

use super::{MediaFault, Walk};

/// RFC 2083 3.1
const SIGNATURE: u64 = 8;
/// RFC 2083 3.2: longer chunks are not allowed.
const LONGEST: u32 = 0x7fff_ffff;

pub(super) fn fault(walk: &mut Walk<'_>) -> Option<MediaFault> {
    walk.at = SIGNATURE;
    while walk.goes_on() {
        let length = u32::from_be_bytes(walk.take::<4>()?);
        if length > LONGEST {
            return Some(MediaFault::PngInvalidChunkLength);
        }
        let Some(kind) = walk.take::<4>() else { return Some(MediaFault::PngEofReadingChunkType) };
        if walk.skip(u64::from(length)).is_none() {
            return Some(MediaFault::PngEofReadingChunk);
        }
        if walk.take::<4>().is_none() {
            return Some(MediaFault::PngEofReadingChunkCrc);
        }
        if kind == *b"IEND" {
            break;
        }
    }
    None
}
