//! The filter: which positions of a window are worth a look.
//!
//! ```text
//! object   . . . . q w x y z u . . . .       sampled positions: every second one, by offset in the object
//!                  ^   ^   ^
//! part       . . . q w x y z u . .           two long keys, one for each way that the part can lie: whichever byte it
//!                  |-------|                 starts at, one of the two starts at a sampled position
//!                    |-------|
//! ```
//!
//! *Long keys*, five bytes of either case, are hashed to a word of a bitmap and to two bits in it, at every second position.
//! *Pairs* of bytes, for the parts that have no good long keys, are looked up in a map of the 65,536 pairs, at every
//! position. [`crate::arch`] does both, by several ways that all say the same.
//!
//! What passes with a long key is asked once more ([`check`]): most keys are followed by three more known bytes, and all eight
//! are hashed into a second bitmap; the others are in it by their five. That is what text of 16 bits a character fails, of which
//! five bytes are hardly three letters.
//!
//! What passes is looked up in a bucket of entries, and each entry compares eight bytes near the position under a mask,
//! rather others than those that were hashed; only then is a part confirmed. So a wrong candidate costs two cache lines
//! besides the filter's own.

use zerocopy::little_endian::U32;

use crate::layout::{Entry, Table};

/// Bytes hashed from a sampled position.
pub(crate) const KEY: usize = 5;
/// Every how many bytes a position is sampled.
pub(crate) const STRIDE: usize = 2;
/// Words of the map of pairs.
pub(crate) const PAIR_WORDS: usize = 1 << 11;
/// Bits of bytes that do not tell the case of letters.
pub(crate) const FOLD: u32 = 0xDFDF_DFDF;
/// The same of eight bytes.
const FOLD_EIGHT: u64 = 0xDFDF_DFDF_DFDF_DFDF;
/// An odd number that scatters well: 2 to the power of 64, divided by the golden ratio.
const SCATTER_EIGHT: u64 = 0x9E37_79B9_7F4A_7C15;
/// Words of the second check in a line of the processor's cache.
const LINE: usize = 16;
/// Odd numbers that scatter well.
pub(crate) const SCATTER: [u32; 3] = [0x9E37_79B1, 0xCC9E_2D51, 0x85EB_CA6B];

/// The map of pairs: a bit for each.
pub(crate) type Pairs = [u32; PAIR_WORDS];

/// What the filter makes of the bytes at a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash {
    /// Its upper bits choose the filter's word.
    word: u32,
    /// Its upper bits choose the bits in that word, and the bucket.
    rest: u32,
}

impl Hash {
    /// Of the eight bytes at a position, of which the first [`KEY`] count.
    #[inline(always)]
    pub(crate) fn new(bytes: [u8; 8]) -> Hash {
        let [a, b, c, d, e, ..] = bytes;
        let low = u32::from_le_bytes([a, b, c, d]) & FOLD;
        let mixed = low ^ (u32::from(e) & 0xDF).wrapping_mul(SCATTER[0]);
        Hash { word: mixed.wrapping_mul(SCATTER[1]), rest: mixed.wrapping_mul(SCATTER[2]) }
    }

    /// The bits in the filter's word.
    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        1 << (self.rest >> 27) | 1 << (self.rest >> 22 & 31)
    }

    /// The index of the filter's word.
    #[inline(always)]
    pub(crate) fn index(self, shift: u32) -> usize {
        usize::try_from(self.word.checked_shr(shift).unwrap_or(0)).unwrap_or(0)
    }
}

/// The bitmap of long keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bitmap<'a> {
    words: &'a [U32],
}

impl<'a> Bitmap<'a> {
    /// Nothing passes it.
    pub(crate) const EMPTY: Bitmap<'static> = Bitmap { words: &[U32::ZERO; 2] };

    /// Of a power of two of words, two at least; else nothing passes.
    pub(crate) fn new(words: &'a [U32]) -> Bitmap<'a> {
        if words.len() < 2 || !words.len().is_power_of_two() || words.len() > 1 << 31 {
            return Bitmap::EMPTY;
        }
        Bitmap { words }
    }

    /// Its words, a power of two of them.
    pub(crate) fn words(&self) -> &'a [U32] {
        self.words
    }

    /// Is it sure that nothing passes?
    pub(crate) fn is_empty(&self) -> bool {
        self.words.len() == 2 && self.words.iter().all(|word| word.get() == 0)
    }
}

/// Could a long key begin with these eight bytes? Of a power of two of words; of none, it could.
#[inline(always)]
pub(crate) fn check(words: &[U32], eight: [u8; 8]) -> bool {
    let has = |(word, bits): (usize, u32)| words.get(word).map_or(0, |word| word.get()) & bits == bits;
    // Both, so that nothing is jumped over: who asks for many positions waits for all their words at once.
    let [by_eight, by_five] = check_bits(words.len(), eight).map(has);
    words.is_empty() | by_eight | by_five
}

/// The word and the two bits in it of a key that is eight known bytes, and of one that is five. Both words lie in one line of the
/// processor's cache, which the five bytes choose.
#[inline(always)]
pub(crate) fn check_bits(words: usize, eight: [u8; 8]) -> [(usize, u32); 2] {
    let folded = u64::from_le_bytes(eight) & FOLD_EIGHT;
    let scatter = |key: u64| (key ^ key >> 32).wrapping_mul(SCATTER_EIGHT);
    let [by_eight, by_five] = [folded, folded << (8 * (8 - KEY)) | 1].map(scatter);
    let line = usize::try_from(by_five >> 33).unwrap_or(0) & !(LINE - 1);
    let place = |scattered: u64| {
        let word = (line | usize::try_from(scattered >> 33).unwrap_or(0) & (LINE - 1)) & words.wrapping_sub(1);
        let [one, two, ..] = scattered.to_be_bytes();
        (word, 1 << (one & 31) | 1 << (two >> 3))
    };
    [place(by_eight), place(by_five)]
}

/// Is the pair in the map?
#[inline(always)]
pub(crate) fn has_pair(pairs: &Pairs, pair: [u8; 2]) -> bool {
    let pair = u16::from_le_bytes(pair);
    pairs.get(usize::from(pair >> 5)).is_some_and(|word| word >> (pair & 31) & 1 != 0)
}

/// The pairs that begin at a sampled position and at the one behind it.
#[inline(always)]
pub(crate) fn pairs_of(bytes: [u8; 8]) -> [[u8; 2]; STRIDE] {
    let [a, b, c, ..] = bytes;
    [[a, b], [b, c]]
}

/// The bucket of a pair of bytes, either case alike.
pub(crate) fn pair_bucket(pair: [u8; 2]) -> u32 {
    (u32::from(u16::from_le_bytes(pair)) & FOLD).wrapping_add(1).wrapping_mul(SCATTER[0])
}

/// The bucket of a long key.
pub(crate) fn long_bucket(hash: Hash) -> u32 {
    hash.rest
}

/// What entries of a bucket say of its number besides their place.
pub(crate) fn tag(number: u32) -> u8 {
    let [_, tag, ..] = number.to_le_bytes();
    tag
}

/// The entries of a bucket.
pub(crate) fn bucket<'a>(table: &Table<'a>, number: u32) -> &'a [Entry] {
    let at = bucket_index(number, table.heads.len().saturating_sub(1));
    let head = |at: usize| table.heads.get(at).and_then(|head| usize::try_from(head.get()).ok());
    let range = head(at).zip(head(at.saturating_add(1)));
    range.and_then(|(from, to)| table.entries.get(from..to)).unwrap_or_default()
}

/// The index of a bucket, among a power of two of them.
pub(crate) fn bucket_index(number: u32, buckets: usize) -> usize {
    let bits = buckets.checked_ilog2().unwrap_or(0).min(32);
    usize::try_from(u64::from(number) >> (32 - bits)).unwrap_or(0)
}

/// The eight bytes at a position; zeros for those behind the end.
pub(crate) fn load(bytes: &[u8], at: usize) -> [u8; 8] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut eight = [0; 8];
        eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        eight
    })
}
