//! xz (the .xz File Format 1.2.1): one or more streams with padding between them, LZMA2 and branch filters inside.
//!
//! The decoder of a stream is [`mod@crate::codec::xz`]; a wrong checksum ends it as damaged. The dictionary is reserved as
//! the first block announces it; a later block that needs more is a limit.

use std::io;
use std::sync::Arc;

use dachs_base::{Budget, Heuristic, Memory, Name, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::codec::lzma::dictionary_size;
use crate::codec::xz::{FIXED, MAGIC, Xz, number};
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

/// Taken for the dictionary if the header of the first block cannot be read.
const USUAL_DICTIONARY: u64 = 64 << 20;
/// A larger one is suspicious (observed of ClamAV 1.4.6).
const LARGEST_DICTIONARY: u64 = 1 << 30;
/// 2.1.1 and 3.1: a stream header, the longest block header, and a byte behind them.
const LONGEST_HEADERS: usize = 12 + 1024 + 1;
/// 5.3.1: the filter LZMA2.
const LZMA2: u64 = 0x21;

/// Unpacks an xz stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

/// Judges the dictionary that the first block announces, if the headers before it are whole and something follows them.
pub(crate) fn judge(source: &dyn Source) -> Option<Heuristic> {
    let head = read_vec_at(source, 0, LONGEST_HEADERS);
    let (stream, block) = head.split_at_checked(12)?;
    let flags = stream.strip_prefix(&MAGIC)?;
    let length = 4 * (usize::from(*block.first()?) + 1);
    let (block, rest) = block.split_at_checked(length)?;
    if flags.first() != Some(&0) || rest.is_empty() || !is_summed(flags) || !is_summed(block) {
        return None;
    }
    let (dictionary, padding) = dictionary(&head).ok()?;
    let padding = head.get(padding..12 + length - 4)?;
    let large = dictionary.is_some_and(|dictionary| dictionary > LARGEST_DICTIONARY);
    (large && padding.iter().all(|byte| *byte == 0)).then_some(Heuristic::XzDictionary)
}

/// True if the last four bytes are the CRC-32 of those before them.
fn is_summed(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(bytes, sum)| crc32fast::hash(bytes).to_le_bytes() == *sum)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let end = input.position();
    if before > 0 {
        skip_padding(&mut input);
    }
    let (head, got) = input.peek::<128>();
    let head = head.get(..got).unwrap_or(&head);
    if !head.starts_with(&MAGIC) {
        return if before == 0 { Err(no_frame()) } else { Ok(Begun::End(end)) };
    }
    let dictionary = dictionary(head).ok().and_then(|(dictionary, _)| dictionary).unwrap_or(USUAL_DICTIONARY);
    let make = || Ok(Xz::new(input, false, dictionary));
    Ok(Begun::Frame(Box::new(Fenced::growing(budget, FIXED, dictionary, make)?)))
}

/// 2.2: stream padding, groups of four zero bytes.
fn skip_padding(input: &mut SourceRead) {
    while let ([0, 0, 0, 0], 4) = input.peek::<4>() {
        input.go_to(input.position().saturating_add(4));
    }
}

/// The size of the dictionary that the first block announces (3.1, 5.3.1), and where its header's padding begins.
fn dictionary(head: &[u8]) -> Result<(Option<u64>, usize), Short> {
    let mut reader = Reader::new(head, "xz block header");
    reader.skip(12)?;
    let _size = reader.u8()?;
    let flags = reader.u8()?;
    for flag in [0x40, 0x80] {
        if flags & flag != 0 {
            number(&mut reader)?;
        }
    }
    let mut found = None;
    for _ in 0..=(flags & 3) {
        let filter = number(&mut reader)?;
        let size = number(&mut reader)?;
        let properties = reader.take(size)?;
        if let (LZMA2, [bits]) = (filter, properties) {
            found = dictionary_size(*bits).map(u64::from);
        }
    }
    let left = reader.left();
    Ok((found, head.len().saturating_sub(left)))
}

impl Frame for Xz<SourceRead> {
    fn finish(self: Box<Self>) -> SourceRead {
        self.into_input().unwrap_or_else(|| SourceRead::new(Arc::new(Memory::new(*b""))))
    }
}
