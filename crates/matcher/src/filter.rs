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

use zerocopy::little_endian::U64;

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
        // Before the first sampled position there is at most one, where only short anchors are looked for.
        let pairs = self.short.words.first_chunk();
        if let Some(pairs) = pairs {
            (from..first)
                .filter(|at| has_pair(pairs, load(bytes, *at)))
                .for_each(|at| found.push(Candidate::short(at)));
        }
        let words = self.long.words;
        match (words.is_empty(), pairs) {
            (false, Some(pairs)) => steps(bytes, first, to, |here| (has_long(words, here), short(pairs, here)), found),
            (false, None) => steps(bytes, first, to, |here| (has_long(words, here), 0), found),
            (true, Some(pairs)) => steps(bytes, first, to, |here| (false, short(pairs, here)), found),
            (true, None) => {}
        }
    }
}

/// Asks `passes` about the eight bytes at every sampled position: does it pass, and which of the positions from it to the
/// next sampled one have a pair (a bit for each).
#[inline(always)]
fn steps(bytes: &[u8], first: usize, to: usize, passes: impl Fn(u64) -> (bool, u8), found: &mut Vec<Candidate>) {
    let mut take = |at: usize, (long, pairs): (bool, u8)| {
        if long | (pairs != 0) {
            found.extend(long.then_some(Candidate::long(at)));
            let with_pair =
                (at..to.min(at.saturating_add(STRIDE))).enumerate().filter(|(bit, _)| pairs >> bit & 1 != 0);
            found.extend(with_pair.map(|(_, at)| Candidate::short(at)));
        }
    };
    // As long as all eight bytes lie in the window, without a look at its end; then with.
    let whole = bytes.get(first..bytes.len().min(to.saturating_add(7))).unwrap_or_default();
    let mut at = first;
    for eight in whole.windows(8).step_by(STRIDE) {
        take(at, passes(eight.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))));
        at = at.wrapping_add(STRIDE);
    }
    (at..to).step_by(STRIDE).for_each(|at| take(at, passes(load(bytes, at))));
}

#[inline(always)]
fn has_long(words: &[U64], here: u64) -> bool {
    let hash = hash(here);
    let bits = word_bits(hash);
    words.get(word_index(hash, words.len())).is_some_and(|word| word.get() & bits == bits)
}

/// Which of the positions up to the next sampled one have a pair of the map, a bit for each.
#[inline(always)]
fn short(pairs: &[U64; 1024], here: u64) -> u8 {
    (0..STRIDE).fold(0, |bits, next| bits | u8::from(has_pair(pairs, here >> (8 * next))) << next)
}

#[inline(always)]
fn has_pair(pairs: &[U64; 1024], here: u64) -> bool {
    let word = usize::try_from(here >> 6 & 1023).ok().and_then(|word| pairs.get(word));
    word.is_some_and(|word| word.get() >> (here & 63) & 1 != 0)
}

/// The eight bytes at a position, little-endian; zeros for those behind the end.
pub(crate) fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}
