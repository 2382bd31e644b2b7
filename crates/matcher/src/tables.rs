//! The filters of a set and what they point to: entered key by key, written once.
//!
//! Two make them: [`crate::Builder`] for the patterns that are searched in every object, and [`crate::Patterns::select`] for
//! those that are asked for in one. Both know of a part what stands around its keys, and nothing else is needed:
//!
//! ```text
//! part      . . . . 61 62 63 64 65 66 67 68 . . . .        single bytes, as many as there are in succession
//!                   |-- key ---|-- key --|                 at the anchor, and so many bytes behind it
//! ```

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::code;
use crate::filter::{self, Hash, PAIR_WORDS};
use crate::keys::{Key, Kind, Known};
use crate::layout::{AROUND, Entry, Header, MAGIC, PartHead, Table};
use crate::order::Order;
use crate::rarity;

/// Bits of the filter for each stretch in it.
const BITS: usize = 18;
/// The most words of the filter: half a megabyte, so that it stays in a core's second cache.
const MAX_WORDS: usize = 1 << 17;
/// Bits for each stretch of a filter that stays in a core's first cache anyway: there fewer wrong candidates cost nothing.
const SPARSE_BITS: usize = 64;
/// The most words of such a filter: 16 KB.
const SPARSE_WORDS: usize = 1 << 12;
/// Bits of the second check for each key, of which it sets two.
const CHECK_BITS: usize = 32;
/// Single bytes from a part's anchor on that keys and entries can need.
pub(crate) const AHEAD: usize = crate::keys::REACH as usize + 2 * AROUND;

/// The single bytes around a part's anchor.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// Value and mask of each.
    pub(crate) singles: Vec<(u8, u8)>,
    /// How many of them stand before the anchor: at most [`AROUND`].
    pub(crate) before: usize,
    /// The part consists of them alone.
    pub(crate) whole: bool,
}

/// The filters of a set and what they point to.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// By hash.
    long: Vec<(Hash, Entry)>,
    /// The eight bytes that each long key begins with, and whether all of them are known.
    checks: Vec<([u8; 8], bool)>,
    /// By bucket.
    short: Vec<(u32, Entry)>,
    /// Those that are looked for from the start of an object on: not those of parts behind the first.
    pairs: Vec<u16>,
    back: u32,
    forward: u32,
    zeros: Vec<U32>,
}

impl Tables {
    /// Enters a part by its keys. `zeros`: it can match among zero bytes.
    pub(crate) fn enter(&mut self, number: u32, head: &PartHead, stretch: &Stretch, keys: &[Key], zeros: bool) {
        if zeros {
            self.zeros.push(number.into());
        }
        let whole = whole(head, stretch);
        let anchor = keys.first().map_or(0, |key| key.at);
        let mut farthest = 0;
        // Of entries in one bucket the one whose anchor lies farther back comes first, so that places come in their order.
        for key in keys.iter().rev() {
            let shift = key.at.saturating_sub(anchor);
            farthest = farthest.max(u32::try_from(shift).unwrap_or(u32::MAX));
            let at = stretch.before.saturating_add(shift);
            let entry = entry(&stretch.singles, number, (key.kind, at), shift, whole);
            let eight = eight(&stretch.singles, at);
            match key.kind {
                Kind::Long => {
                    self.long.push((Hash::new(eight), entry));
                    let known = stretch.singles.iter().skip(at).take(8).copied().map_while(Known::new);
                    self.checks.push((eight, known.count() == 8));
                }
                Kind::Pair | Kind::Byte => self.enter_short(&stretch.singles, (key.kind, at), entry),
            }
            if head.is_first() {
                self.pairs.extend(pairs(&stretch.singles, (key.kind, at)));
            }
        }
        self.back = self.back.max(head.back.get().saturating_add(farthest));
        self.forward = self.forward.max(head.forward.get());
    }

    /// Enters a pair of bytes, or a byte and any behind it, into its buckets.
    fn enter_short(&mut self, singles: &[(u8, u8)], (kind, at): (Kind, usize), entry: Entry) {
        let [first, second, ..] = eight(singles, at);
        if kind == Kind::Pair {
            self.short.push((filter::pair_bucket([first, second]), entry));
            return;
        }
        let folded = (0..=u8::MAX).filter(|second| second & code::FOLD == *second);
        self.short.extend(folded.map(|second| (filter::pair_bucket([first, second]), entry)));
    }

    /// Gives the parts the numbers that they have in this order.
    pub(crate) fn move_parts(&mut self, order: &Order) {
        let entries = self.long.iter_mut().map(|(_, entry)| entry).chain(self.short.iter_mut().map(|(_, entry)| entry));
        entries.for_each(|entry| entry.part = order.moved(entry.part));
        self.zeros.iter_mut().for_each(|part| *part = order.moved(*part));
    }

    /// The filters, the buckets and their entries.
    pub(crate) fn finish(self) -> Finished {
        let words = long_words(&self.long);
        let checks = check_words(&self.checks);
        let pairs = if self.short.is_empty() { Vec::new() } else { pair_words(&self.pairs) };
        let long = self.long.into_iter().map(|(hash, entry)| (filter::long_bucket(hash), entry)).collect();
        let (long_heads, long) = buckets(long);
        let (short_heads, short) = buckets(self.short);
        let header = Header {
            magic: MAGIC,
            back: self.back.into(),
            forward: self.forward.into(),
            zeros: count(self.zeros.len()),
            long_words: count(words.len()),
            long_heads: count(long_heads.len()),
            long_entries: count(long.len()),
            pair_words: count(pairs.len()),
            short_heads: count(short_heads.len()),
            short_entries: count(short.len()),
            checks: count(checks.len()),
            ..Header::default()
        };
        let long = OwnTable { words, heads: long_heads, entries: long };
        let short = OwnTable { words: pairs, heads: short_heads, entries: short };
        Finished { header, long, short, checks, zeros: self.zeros }
    }
}

/// Tables made ready.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// What is known of the set: the tables, and nothing of its parts.
    pub(crate) header: Header,
    pub(crate) long: OwnTable,
    pub(crate) short: OwnTable,
    pub(crate) checks: Vec<U32>,
    pub(crate) zeros: Vec<U32>,
}

impl Finished {
    /// Bytes of memory that it holds, roughly.
    pub(crate) fn memory(&self) -> usize {
        let table = |table: &OwnTable| {
            let words = table.words.len().saturating_add(table.heads.len()).saturating_mul(size_of::<U32>());
            words.saturating_add(table.entries.len().saturating_mul(size_of::<Entry>()))
        };
        let checks = self.checks.len().saturating_mul(size_of::<U32>());
        table(&self.long).saturating_add(table(&self.short)).saturating_add(checks)
    }
}

/// As [`Table`], but it owns what it holds.
#[derive(Clone, Debug)]
pub(crate) struct OwnTable {
    words: Vec<U32>,
    heads: Vec<U32>,
    entries: Vec<Entry>,
}

impl OwnTable {
    pub(crate) fn borrowed(&self) -> Table<'_> {
        Table { words: &self.words, heads: &self.heads, entries: &self.entries }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for section in [self.words.as_bytes(), self.heads.as_bytes(), self.entries.as_bytes()] {
            out.extend_from_slice(section);
        }
    }
}

/// See [`Entry::whole`].
fn whole(head: &PartHead, stretch: &Stretch) -> u8 {
    let alone = head.is_only() && head.borders_before == 0 && head.borders_after == 0;
    let length = stretch.singles.len();
    if alone && stretch.whole && length <= 8 { u8::try_from(length).unwrap_or(0) } else { 0 }
}

/// The eight bytes from `at` on, zeros for those that are not known.
fn eight(singles: &[(u8, u8)], at: usize) -> [u8; 8] {
    [0, 1, 2, 3, 4, 5, 6, 7].map(|next| singles.get(at + next).map_or(0, |(value, _)| *value))
}

/// The entry for a key at `at`, `shift` behind the anchor, with the eight bytes around it that say most.
fn entry(singles: &[(u8, u8)], part: u32, (kind, at): (Kind, usize), shift: usize, whole: u8) -> Entry {
    let before = at.min(AROUND);
    let around = singles.get(at - before..).unwrap_or_default();
    let around = around.get(..around.len().min(before + 2 * AROUND)).unwrap_or_default();
    let hashed = match kind {
        Kind::Long => filter::KEY,
        Kind::Pair => 2,
        Kind::Byte => 1,
    };
    let weight = |index: usize, (value, mask): (u8, u8)| {
        let hashed = (before..before + hashed).contains(&index);
        mask.count_ones() * rarity::of_byte(value) / if hashed { 4 } else { 1 }
    };
    let weights = around.iter().enumerate().map(|(index, byte)| weight(index, *byte)).collect::<Vec<_>>();
    let gain = |skip: &usize| weights.iter().skip(*skip).take(8).sum::<u32>();
    let last = if whole > 0 { 0 } else { around.len().saturating_sub(8) };
    let skip = (0..=last).max_by_key(gain).unwrap_or(0);
    let mut eight = [(0, 0); 8];
    eight.iter_mut().zip(around.iter().skip(skip)).for_each(|(to, from)| *to = *from);
    Entry {
        value: u64::from_le_bytes(eight.map(|(value, _)| value)).into(),
        mask: u64::from_le_bytes(eight.map(|(_, mask)| mask)).into(),
        part: part.into(),
        from: u8::try_from((AROUND + skip).saturating_sub(before)).unwrap_or(0),
        shift: u8::try_from(shift).unwrap_or(u8::MAX),
        whole,
        tag: 0,
    }
}

fn long_words(entries: &[(Hash, Entry)]) -> Vec<U32> {
    if entries.is_empty() {
        return Vec::new();
    }
    let words = |bits: usize| (entries.len().saturating_mul(bits) / 32).next_power_of_two();
    let count = words(BITS).max(words(SPARSE_BITS).min(SPARSE_WORDS)).clamp(2, MAX_WORDS);
    let mut words = vec![0_u32; count];
    for (hash, _) in entries {
        if let Some(word) = words.get_mut(hash.index(32 - count.ilog2())) {
            *word |= hash.bits();
        }
    }
    words.into_iter().map(U32::new).collect()
}

fn check_words(keys: &[([u8; 8], bool)]) -> Vec<U32> {
    if keys.is_empty() {
        return Vec::new();
    }
    let mut words = vec![0_u32; (keys.len().saturating_mul(CHECK_BITS) / 32).next_power_of_two().clamp(2, MAX_WORDS)];
    for (eight, whole) in keys {
        let [by_eight, by_five] = filter::check_bits(words.len(), *eight);
        let (word, bits) = if *whole { by_eight } else { by_five };
        words.get_mut(word).into_iter().for_each(|word| *word |= bits);
    }
    words.into_iter().map(U32::new).collect()
}

/// The pairs of bytes that a short key is found by; none for a long key.
pub(crate) fn pairs(singles: &[(u8, u8)], (kind, at): (Kind, usize)) -> Vec<u16> {
    let cases = |at: usize| singles.get(at).copied().and_then(Known::new).map(Known::cases);
    let pair = |first: u8, second: u8| u16::from_le_bytes([first, second]);
    let firsts = cases(at).into_iter().flatten();
    match kind {
        Kind::Long => Vec::new(),
        Kind::Pair => {
            let seconds = || cases(at.saturating_add(1)).into_iter().flatten();
            firsts.flat_map(|first| seconds().map(move |second| pair(first, second))).collect()
        }
        Kind::Byte => firsts.flat_map(|first| (0..=u8::MAX).map(move |second| pair(first, second))).collect(),
    }
}

fn pair_words(pairs: &[u16]) -> Vec<U32> {
    let mut words = vec![0_u32; PAIR_WORDS];
    for pair in pairs {
        if let Some(word) = words.get_mut(usize::from(pair >> 5)) {
            *word |= 1 << (pair & 31);
        }
    }
    words.into_iter().map(U32::new).collect()
}

/// Sorts entries into buckets: where each bucket starts, and the entries.
fn buckets(mut entries: Vec<(u32, Entry)>) -> (Vec<U32>, Vec<Entry>) {
    if entries.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let buckets = entries.len().next_power_of_two();
    entries.sort_by_key(|(number, _)| filter::bucket_index(*number, buckets));
    let mut heads = vec![U32::new(0); buckets + 1];
    let mut at = 0;
    for (bucket, head) in heads.iter_mut().enumerate() {
        let is_before = |(number, _): &(u32, Entry)| filter::bucket_index(*number, buckets) < bucket;
        at += entries.iter().skip(at).take_while(|entry| is_before(entry)).count();
        *head = count(at);
    }
    (heads, entries.into_iter().map(|(number, entry)| Entry { tag: filter::tag(number), ..entry }).collect())
}

/// A count as the layout holds it; [`crate::Builder`] keeps all of them below 2^32.
pub(crate) fn count(items: usize) -> U32 {
    u32::try_from(items).unwrap_or(u32::MAX).into()
}
