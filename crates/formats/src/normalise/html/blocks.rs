//! The first step: a page in blocks.
//!
//! A block is [`LONGEST`] bytes, but ends behind its last white space if it would end within a word. The white space that a
//! block begins with is dropped.

use std::io::{self, Read};

/// Bytes of a block.
const LONGEST: u64 = 8191;

/// The page from the next block on, as far as it was read.
#[derive(Default)]
pub(super) struct Blocks {
    waiting: Vec<u8>,
    /// Where in `waiting` the next block begins.
    next: usize,
}

impl Blocks {
    /// The next block; empty at the end.
    pub(super) fn next(&mut self, reader: &mut impl Read) -> io::Result<&[u8]> {
        self.waiting.drain(..self.next.min(self.waiting.len()));
        let room = (LONGEST + 1).saturating_sub(u64::try_from(self.waiting.len()).unwrap_or(u64::MAX));
        reader.by_ref().take(room).read_to_end(&mut self.waiting)?;
        self.next = cut(&self.waiting);
        let block = self.waiting.get(..self.next).unwrap_or(&[]);
        let begin = block.iter().position(|byte| !is_space(*byte)).unwrap_or(block.len());
        Ok(block.get(begin..).unwrap_or(&[]))
    }

    /// True if the last block was empty.
    pub(super) fn ended(&self) -> bool {
        self.next == 0
    }
}

/// The first block of a page in memory, and what is behind it. Both are empty at the end.
pub(super) fn split(page: &[u8]) -> (&[u8], &[u8]) {
    let most = usize::try_from(LONGEST + 1).unwrap_or(usize::MAX);
    let next = cut(page.get(..most).unwrap_or(page));
    let (block, rest) = page.split_at_checked(next).unwrap_or((page, &[]));
    let begin = block.iter().position(|byte| !is_space(*byte)).unwrap_or(block.len());
    (block.get(begin..).unwrap_or_default(), rest)
}

/// The length of the block that begins these bytes.
fn cut(bytes: &[u8]) -> usize {
    let most = usize::try_from(LONGEST).unwrap_or(0);
    match bytes.get(most) {
        None => bytes.len(),
        Some(next) if is_space(*next) => most,
        Some(_) => bytes.iter().rposition(|byte| is_space(*byte)).map_or(most, |last| last + 1),
    }
}

/// White space as in the C locale.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}
