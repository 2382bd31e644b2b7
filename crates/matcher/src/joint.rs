//! The filter of several sets together, so that one look at a position is enough for all of them.
//!
//! Bitmaps of long keys are of different sizes, but the index of a word is made of the upper bits of one hash: a small one is
//! a large one whose neighbours are alike, so the larger takes both. What passes is asked again of each set.
//!
//! Pairs of bytes are few in most sets. Vector instructions look them up in *classes*: a pair passes if its first byte and its
//! second one have a class in common, in each of two divisions of the pairs, by their second bytes and by their first.
//! Where there are more pairs than classes, one division lets pass several times as many as both.
//!
//! ```text
//! pairs       4c 28   4c 00   3c 3f   3c 50        e9 ??  (any)
//! first       4c: a   3c: b                        e9: z
//! second      28: a   00: a   3f: b   50: b        all: z
//! ```

use crate::filter::{self, Bitmap, Hash, PAIR_WORDS, Pairs};
use crate::set::Patterns;

/// Classes in each of the two tables of a byte.
const CLASSES: usize = 8;
/// Bytes that make a pair with so many others have the last class.
const MANY: usize = 128;

/// The filter of several sets: what [`crate::scan_all`] looks for in one pass. Worth keeping: making it reads the filters of
/// all sets.
#[derive(Clone, Debug)]
pub struct Filter {
    /// A power of two of them, two at least.
    words: Vec<u32>,
    short: Option<Box<Short>>,
}

/// The pairs that are looked for; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) pairs: Pairs,
    /// By second bytes, and by first bytes.
    pub(crate) classes: [Classes; 2],
}

/// The classes of the first byte of a pair and of its second, a bit for each, in two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) first: [[u8; 256]; 2],
    pub(crate) second: [[u8; 256]; 2],
}

impl Filter {
    /// The filter of these sets.
    #[must_use]
    pub fn new<'s, 'p: 's>(sets: impl IntoIterator<Item = &'s Patterns<'p>>) -> Filter {
        let (mut words, mut pairs) = (vec![0, 0], [0; PAIR_WORDS]);
        for set in sets {
            join(&mut words, &set.bitmap());
            join_pairs(&mut pairs, set, None);
        }
        Filter { words, short: Short::new(&pairs) }
    }

    /// What is looked for, with other pairs than its own if there are such.
    pub(crate) fn filters<'f>(&'f self, short: Option<&'f Option<Box<Short>>>) -> crate::arch::Filters<'f> {
        let shift = 32 - self.words.len().ilog2();
        crate::arch::Filters { words: &self.words, shift, short: short.unwrap_or(&self.short).as_deref() }
    }
}

impl Short {
    /// Absent if there are no pairs.
    pub(crate) fn new(pairs: &Pairs) -> Option<Box<Short>> {
        let some = pairs.iter().any(|word| *word != 0);
        some.then(|| Box::new(Short { pairs: *pairs, classes: Classes::both(pairs) }))
    }
}

/// Adds the pairs of a set, or those that are looked for instead.
pub(crate) fn join_pairs(pairs: &mut Pairs, set: &Patterns<'_>, instead: Option<&Pairs>) {
    match instead {
        Some(instead) => pairs.iter_mut().zip(instead).for_each(|(to, word)| *to |= word),
        None => pairs.iter_mut().zip(set.sections.short.words).for_each(|(to, word)| *to |= word.get()),
    }
}

fn join(words: &mut Vec<u32>, bitmap: &Bitmap<'_>) {
    if bitmap.is_empty() {
        return;
    }
    let more = bitmap.words();
    if words.len() <= more.len() && words.iter().all(|word| *word == 0) {
        *words = more.iter().map(|word| word.get()).collect();
        return;
    }
    if words.len() < more.len() {
        let times = more.len() / words.len();
        *words = words.iter().flat_map(|word| std::iter::repeat_n(*word, times)).collect();
    }
    let times = words.len() / more.len();
    for (alike, word) in words.chunks_mut(times).zip(more) {
        alike.iter_mut().for_each(|to| *to |= word.get());
    }
}

impl Classes {
    /// Of the pairs by their second bytes, and by their first ones.
    fn both(pairs: &Pairs) -> [Classes; 2] {
        let mut pairs = each(pairs).collect::<Vec<_>>();
        let mut counts = [0_usize; 256];
        for (first, _) in &pairs {
            counts.get_mut(usize::from(*first)).into_iter().for_each(|count| *count += 1);
        }
        let is_many = |first: u8| counts.get(usize::from(first)).is_some_and(|count| *count >= MANY);
        let many = pairs.iter().copied().filter(|(first, _)| is_many(*first)).collect::<Vec<_>>();
        pairs.retain(|(first, _)| !is_many(*first));
        let by_second = Classes::new(&pairs, &many);
        pairs.sort_unstable();
        [by_second, Classes::new(&pairs, &many)]
    }

    /// Of pairs in this order: neighbours have a class in common. The last class is that of bytes that make many pairs.
    fn new(pairs: &[(u8, u8)], many: &[(u8, u8)]) -> Classes {
        let mut classes = Classes { first: [[0; 256]; 2], second: [[0; 256]; 2] };
        let kept = 2 * CLASSES - 1;
        for (rank, (first, second)) in pairs.iter().enumerate() {
            classes.enter(rank * kept / pairs.len(), *first, *second);
        }
        many.iter().for_each(|(first, second)| classes.enter(kept, *first, *second));
        classes
    }

    fn enter(&mut self, class: usize, first: u8, second: u8) {
        let (table, bit) = (class / CLASSES, 1 << (class % CLASSES));
        let set = |tables: &mut [[u8; 256]; 2], byte: u8| {
            let place = tables.get_mut(table).and_then(|table| table.get_mut(usize::from(byte)));
            place.into_iter().for_each(|place| *place |= bit);
        };
        set(&mut self.first, first);
        set(&mut self.second, second);
    }
}

/// All pairs, by their second bytes.
fn each(pairs: &Pairs) -> impl Iterator<Item = (u8, u8)> + '_ {
    (0_u32..).zip(pairs).filter(|(_, word)| **word != 0).flat_map(|(at, word)| {
        let next = |rest: &u32| Some(rest & rest.wrapping_sub(1)).filter(|rest| *rest != 0);
        std::iter::successors(Some(*word), next).map(move |rest| {
            let [first, second, ..] = (at * 32 + rest.trailing_zeros()).to_le_bytes();
            (first, second)
        })
    })
}

/// Does a long key pass?
#[inline(always)]
pub(crate) fn has_long(words: &[u32], shift: u32, hash: Hash) -> bool {
    let bits = hash.bits();
    words.get(hash.index(shift)).is_some_and(|word| word & bits == bits)
}

/// Does the pair at a position or the one behind it pass?
#[inline(always)]
pub(crate) fn has_short(short: Option<&Short>, here: [u8; 8]) -> bool {
    short.is_some_and(|short| filter::pairs_of(here).into_iter().any(|pair| filter::has_pair(&short.pairs, pair)))
}
