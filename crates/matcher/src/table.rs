//! Bytes by a table: what becomes of each in a normalised text, and which are of a class.
//!
//! Texts are rewritten byte by byte: letters become small, white space is squeezed, some bytes are dropped. Where a byte goes depends
//! on how many before it were kept, so a loop over bytes waits for the one before (1.2 ns a byte), and a branch for each blank is
//! foretold wrongly more often than not: words are short. With AVX-512 (VBMI2, since 2019) 64 bytes are looked up, and those that are
//! kept are moved together, in some ten instructions; with NEON in 200, eight bytes at a time; other processors take the loop. The functions
//! know nothing of texts: the table says all.
//!
//! ```
//! use dachs_matcher::table::{Rewriting, BLANK, KEPT};
//! let mut rewriting = Rewriting { written: [0; 256], class: [0; 256] };
//! for byte in b'a'..=b'z' {
//!     rewriting.written[usize::from(byte)] = byte;
//!     rewriting.class[usize::from(byte)] = KEPT;
//! }
//! rewriting.written[usize::from(b'\n')] = b' ';
//! rewriting.class[usize::from(b'\n')] = BLANK;
//! let mut text = *b"a\n\nB\nb";
//! let kept = rewriting.apply(&mut text, &mut false);
//! assert_eq!(&text[..kept], b"a b");
//! ```

use crate::arch;

/// The class of bytes that are kept.
pub const KEPT: u8 = 1;
/// The class of blanks: kept, unless the last byte before that was not dropped is one.
pub const BLANK: u8 = 2;

/// What becomes of each byte.
#[derive(Clone, Debug)]
pub struct Rewriting {
    /// What is written of it.
    pub written: [u8; 256],
    /// [`KEPT`], [`BLANK`], or 0 for what is dropped.
    pub class: [u8; 256],
}

impl Rewriting {
    /// Rewrites bytes in place, and tells how many are left. `after_blank`: whether the last byte before them that was not dropped is
    /// a blank, and the last of them.
    pub fn apply(&self, bytes: &mut [u8], after_blank: &mut bool) -> usize {
        arch::rewrite(self, bytes, after_blank)
    }
}

/// A set of bytes.
#[derive(Clone, Debug)]
pub struct Set {
    /// For the lower half of a byte, a bit for each upper half with which it is in the set: those below 8, and the others.
    pub(crate) halves: [[u8; 16]; 2],
}

impl Set {
    /// The bytes for which the table says true.
    #[must_use]
    pub const fn new(table: &[bool; 256]) -> Set {
        let mut halves = [[0; 16]; 2];
        let mut byte = 0;
        while byte < table.len() {
            #[expect(clippy::indexing_slicing, reason = "the indices are below the lengths")]
            {
                halves[byte >> 7][byte & 15] |= (table[byte] as u8) << (byte >> 4 & 7);
            }
            byte += 1;
        }
        Set { halves }
    }

    /// Is a byte in the set?
    #[must_use]
    #[inline]
    pub fn has(&self, byte: u8) -> bool {
        let half = self.halves.get(usize::from(byte >> 7)).and_then(|half| half.get(usize::from(byte & 15)));
        half.is_some_and(|bits| bits >> (byte >> 4 & 7) & 1 != 0)
    }

    /// Adds a bit for each byte, whether it is in the set: 64 in a word, the first the lowest; those behind the end are 0.
    pub fn mark(&self, bytes: &[u8], marks: &mut Vec<u64>) {
        arch::mark(self, bytes, marks);
    }
}

/// Several sets of bytes, eight at most, of which all are marked in one pass: one look at a byte tells all sets that it is in.
#[derive(Clone, Debug)]
pub struct Sets<const N: usize> {
    /// Of each byte a bit for each set.
    pub(crate) table: [u8; 256],
    /// The same one by one, for processors that cannot look up so much at once.
    pub(crate) each: [Set; N],
}

impl<const N: usize> Sets<N> {
    /// The bytes for which the tables say true.
    #[must_use]
    pub const fn new(tables: &[[bool; 256]; N]) -> Sets<N> {
        const { assert!(N <= 8, "a bit of a byte for each set") };
        const NONE: Set = Set { halves: [[0; 16]; 2] };
        let mut sets = Sets { table: [0; 256], each: [NONE; N] };
        let mut number = 0;
        while number < N {
            #[expect(clippy::indexing_slicing, reason = "the indices are below the lengths")]
            {
                sets.each[number] = Set::new(&tables[number]);
                let mut byte = 0;
                while byte < 256 {
                    sets.table[byte] |= (tables[number][byte] as u8) << number;
                    byte += 1;
                }
            }
            number += 1;
        }
        sets
    }

    /// As [`Set::mark`] for each of the sets.
    pub fn mark(&self, bytes: &[u8], marks: &mut Vec<[u64; N]>) {
        arch::mark_sets(self, bytes, marks);
    }
}

/// See [`Sets::mark`]: one set after the other.
pub(crate) fn mark_one_by_one<const N: usize>(sets: &Sets<N>, bytes: &[u8], marks: &mut Vec<[u64; N]>) {
    let start = marks.len();
    marks.resize(start.saturating_add(bytes.len().div_ceil(64)), [0; N]);
    let mut words = Vec::with_capacity(bytes.len().div_ceil(64));
    for (number, set) in sets.each.iter().enumerate() {
        words.clear();
        set.mark(bytes, &mut words);
        let places = marks.iter_mut().skip(start).filter_map(|all| all.get_mut(number));
        places.zip(&words).for_each(|(to, word)| *to = *word);
    }
}

/// See [`Rewriting::apply`]: what all other ways must agree with. Each byte is written, and then counted or not.
pub(crate) fn rewrite(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    let cells = std::cell::Cell::from_mut(bytes).as_slice_of_cells();
    let mut after = u8::from(*after_blank);
    let mut kept = 0_usize;
    for cell in cells {
        let byte = usize::from(cell.get());
        let class = rewriting.class.get(byte).copied().unwrap_or(0);
        if let (Some(place), Some(written)) = (cells.get(kept), rewriting.written.get(byte)) {
            place.set(*written);
        }
        let (is_kept, is_blank) = (class & KEPT, class >> 1 & 1);
        kept = kept.wrapping_add(usize::from(is_kept | (is_blank & (after ^ 1))));
        after = (after & (is_kept ^ 1)) | is_blank;
    }
    *after_blank = after != 0;
    kept
}

/// See [`Set::mark`].
pub(crate) fn mark_each(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 1 | u64::from(set.has(*byte)));
    marks.extend(bytes.chunks(64).map(word));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, mut seed: u64) -> Vec<u8> {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    fn rewriting(seed: u64, dropped: u8) -> Rewriting {
        let mut class = [0; 256];
        class.iter_mut().zip(noise(256, seed)).for_each(|(to, byte)| {
            *to = match byte {
                _ if byte < dropped => 0,
                _ if byte % 3 == 0 => BLANK,
                _ => KEPT,
            };
        });
        let mut written = [0; 256];
        written.copy_from_slice(&noise(256, seed + 1));
        Rewriting { written, class }
    }

    #[test]
    fn all_ways_write_the_same() {
        for (seed, dropped) in [(1, 0), (2, 3), (3, 60), (4, 200), (5, 255)] {
            let rewriting = rewriting(seed, dropped);
            for length in (0..200).chain([1_000, 4_096, 10_001]) {
                for blank in [false, true] {
                    let (mut one, mut other) = (noise(length, seed + 9), noise(length, seed + 9));
                    let (mut after, mut behind) = (blank, blank);
                    let kept = rewriting.apply(&mut one, &mut after);
                    let expected = rewrite(&rewriting, &mut other, &mut behind);
                    assert_eq!((&one[..kept], after), (&other[..expected], behind), "{seed} {length} {blank}");
                }
            }
        }
    }

    #[test]
    fn all_ways_mark_the_same() {
        let mut table = [false; 256];
        table.iter_mut().zip(noise(256, 7)).for_each(|(to, byte)| *to = byte < 100);
        let set = Set::new(&table);
        assert!((0..=255).all(|byte: u8| set.has(byte) == table[usize::from(byte)]));
        for length in (0..200).chain([4_096, 10_001]) {
            let bytes = noise(length, 5);
            let (mut one, mut other) = (vec![3], vec![3]);
            set.mark(&bytes, &mut one);
            mark_each(&set, &bytes, &mut other);
            assert_eq!(one, other, "{length}");
        }
    }

    #[test]
    fn several_sets_are_marked_as_each_of_them() {
        let mut tables = [[false; 256]; 5];
        for (table, seed) in tables.iter_mut().zip(20..) {
            table.iter_mut().zip(noise(256, seed)).for_each(|(to, byte)| *to = byte < 100);
        }
        let sets = Sets::new(&tables);
        for length in (0..200).chain([4_096, 10_001]) {
            let bytes = noise(length, 5);
            let (mut all, mut other) = (vec![[3; 5]], vec![[3; 5]]);
            sets.mark(&bytes, &mut all);
            mark_one_by_one(&sets, &bytes, &mut other);
            assert_eq!(all, other, "{length}");
            for (number, table) in tables.iter().enumerate() {
                let mut marks = vec![3];
                mark_each(&Set::new(table), &bytes, &mut marks);
                assert_eq!(all.iter().map(|word| word[number]).collect::<Vec<_>>(), marks, "{number} {length}");
            }
        }
    }
}
