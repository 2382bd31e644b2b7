//! The filter: which positions of a window are worth a look.
//!
//! ```text
//! object   . . . . q w x y z u . . . .       sampled positions: every second one (by offset in the object)
//!                  ^   ^   ^
//! anchor           q w x y z u               6 known bytes: whichever byte it starts at, one of its two stretches of 5
//!                  |-------|                 starts at a sampled position, and both are in the filter
//!                    |-------|
//! ```
//!
//! *Long anchors*: the five bytes from a sampled position, folded, are hashed to one 64-bit word and to two bits in it. The
//! filter has some 18 bits for each stretch, so about one of a hundred strange stretches passes.
//! *Short anchors*: parts that do not hold six known bytes in succession go by a pair of bytes, looked up in a map
//! of the 65,536 pairs at every position.
//!
//! What passes is looked up in a bucket of entries, and each entry compares eight bytes near the position under a mask,
//! rather others than those that were hashed; only then is a part confirmed. So a wrong candidate costs two cache lines
//! besides the filter's own.

use crate::layout::{Entry, Table};

/// Bytes hashed from a sampled position.
pub(crate) const KEY: usize = 5;
/// Every how many bytes a position is sampled.
pub(crate) const STRIDE: usize = 2;
/// Bytes of a long anchor.
pub(crate) const LONG: usize = KEY + STRIDE - 1;
/// Of the eight bytes at a position those that are hashed, case folded.
const KEY_MASK: u64 = 0xDFDF_DFDF_DFDF_DFDF >> (64 - 8 * KEY);

/// A position in a window, and by which kind of anchor it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate(u32);

impl Candidate {
    pub(crate) fn long(at: usize) -> Candidate {
        Candidate(u32::try_from(at).unwrap_or(u32::MAX) << 1)
    }

    pub(crate) fn short(at: usize) -> Candidate {
        Candidate(u32::try_from(at).unwrap_or(u32::MAX) << 1 | 1)
    }

    pub(crate) fn at(self) -> usize {
        usize::try_from(self.0 >> 1).unwrap_or(usize::MAX)
    }

    pub(crate) fn is_short(self) -> bool {
        self.0 & 1 != 0
    }
}

/// The hash of the eight bytes at a position, of which the first [`KEY`] count.
pub(crate) fn hash(bytes: u64) -> u64 {
    let key = bytes & KEY_MASK;
    let mixed = (key ^ (key >> 32).wrapping_mul(0x9E37_79B1)) & 0xFFFF_FFFF;
    mixed.wrapping_mul(0xCC9E_2D51)
}

/// The filter's word for a hash, among a power of two of them.
pub(crate) fn word_index(hash: u64, words: usize) -> usize {
    usize::try_from(hash >> 40).unwrap_or(0) & words.wrapping_sub(1)
}

/// The bits in that word.
pub(crate) fn word_bits(hash: u64) -> u64 {
    1 << (hash >> 34 & 63) | 1 << (hash >> 28 & 63)
}

/// The bucket of a pair of bytes, either case alike.
pub(crate) fn pair_hash(pair: u16) -> u64 {
    u64::from(pair & 0xDFDF).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The entries of a hash's bucket.
pub(crate) fn bucket<'a>(table: &Table<'a>, hash: u64) -> &'a [Entry] {
    let at = bucket_index(hash, table.heads.len().saturating_sub(1));
    let head = |at: usize| table.heads.get(at).and_then(|head| usize::try_from(head.get()).ok());
    let range = head(at).zip(head(at.saturating_add(1)));
    range.and_then(|(from, to)| table.entries.get(from..to)).unwrap_or_default()
}

/// The bucket of a hash, among a power of two of them.
pub(crate) fn bucket_index(hash: u64, buckets: usize) -> usize {
    usize::try_from(hash >> 36).unwrap_or(0) & buckets.wrapping_sub(1)
}

/// The filters of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) long: Table<'a>,
    pub(crate) short: Table<'a>,
}

impl Filter<'_> {
    /// Adds the candidates among the positions `from..to` of `bytes`, ascending. `base` is the offset of the first byte.
    pub(crate) fn candidates(&self, bytes: &[u8], base: u64, from: usize, to: usize, found: &mut Vec<Candidate>) {
        let stride = STRIDE as u64;
        let into = (base % stride).wrapping_add(from as u64) % stride;
        let skip = usize::try_from((stride - into) % stride).unwrap_or(0);
        let first = from.saturating_add(skip).min(to);
        for at in from..first {
            self.pairs(load(bytes, at), at, 1, found);
        }
        match (self.long.words.is_empty(), self.short.words.is_empty()) {
            (false, false) => self.steps::<true, true>(bytes, first, to, found),
            (false, true) => self.steps::<true, false>(bytes, first, to, found),
            (true, false) => self.steps::<false, true>(bytes, first, to, found),
            (true, true) => {}
        }
    }

    fn steps<const LONGS: bool, const SHORTS: bool>(
        &self,
        bytes: &[u8],
        first: usize,
        to: usize,
        found: &mut Vec<Candidate>,
    ) {
        for at in (first..to).step_by(STRIDE) {
            let here = load(bytes, at);
            if LONGS && self.has_long(here) {
                found.push(Candidate::long(at));
            }
            if SHORTS {
                self.pairs(here, at, STRIDE.min(to - at), found);
            }
        }
    }

    fn has_long(&self, here: u64) -> bool {
        let hash = hash(here);
        let bits = word_bits(hash);
        self.long.words.get(word_index(hash, self.long.words.len())).is_some_and(|word| word.get() & bits == bits)
    }

    /// Looks up the pairs at `count` positions from `at`, where the eight bytes `here` are.
    fn pairs(&self, here: u64, at: usize, count: usize, found: &mut Vec<Candidate>) {
        for next in 0..count {
            let pair = here >> (8 * next) & 0xFFFF;
            let word = usize::try_from(pair >> 6).ok().and_then(|word| self.short.words.get(word));
            if word.is_some_and(|word| word.get() >> (pair & 63) & 1 != 0) {
                found.push(Candidate::short(at + next));
            }
        }
    }
}

/// The eight bytes at a position, little-endian; zeros for those behind the end.
pub(crate) fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}
