//! Collecting patterns into a set.

use std::fmt;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::code::{self, single};
use crate::filter::{self, Hash, PAIR_WORDS};
use crate::keys::{self, Crowds, Distance, Key, Kind};
use crate::layout::{AROUND, Entry, Header, LAST, MAGIC, ONCE, PartHead};
use crate::marks::{self, Border};
use crate::pattern::{Element, Pattern, fixed_length};
use crate::rarity;
use crate::split::{self, Part};

/// The most bytes of a part, before and from its anchor: what a window must repeat grows with it.
const MAX_PART: u32 = 1 << 16;
/// The most that a part's steps times its possible lengths may be: what confirming it once can cost.
const MAX_WORK: u64 = 1 << 20;
/// The most entries of a part, roughly.
const MOST_ENTRIES: usize = 128;
/// Bits of the filter for each stretch in it.
const BITS: usize = 18;
/// The most words of the filter: half a megabyte, so that it stays in a core's second cache.
const MAX_WORDS: usize = 1 << 17;

/// Collects the patterns of one set.
#[derive(Debug, Default)]
pub struct Builder {
    parts: Vec<PartHead>,
    firsts: Vec<U32>,
    code: Vec<u8>,
    /// By hash.
    long: Vec<(Hash, Entry)>,
    /// By bucket.
    short: Vec<(u32, Entry)>,
    pairs: Vec<u16>,
    crowds: Crowds,
    back: u32,
    forward: u32,
    zeros: Vec<U32>,
}

/// Why a pattern cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A part can have so many different lengths that confirming it costs too much.
    Ambiguous,
    /// A folded element that is no lower-case ASCII letter, or a byte's value with bits outside its mask.
    Contradiction,
    /// Alternatives nested deeper than 32.
    Deep,
    /// A stretch between two long or open gaps holds no two bytes in succession that are known.
    NoAnchor,
    /// It starts or ends with a long or open gap.
    OpenEnd,
    /// A stretch between two long or open gaps is longer than 64 KiB, or alternatives hold an open gap.
    TooLong,
    /// More patterns than a set can number.
    TooMany,
    /// Negated alternatives of unequal or no fixed length.
    UnequalNegation,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Ambiguous => "a part can have too many different lengths",
            Refusal::Contradiction => "an element contradicts itself",
            Refusal::Deep => "alternatives are nested deeper than 32",
            Refusal::NoAnchor => "a part has no two known bytes in succession",
            Refusal::OpenEnd => "it starts or ends with a long or open gap",
            Refusal::TooLong => "a part is longer than 64 KiB, or an alternative has no limit",
            Refusal::TooMany => "too many patterns in one set",
            Refusal::UnequalNegation => "negated alternatives have unequal lengths",
        })
    }
}

impl std::error::Error for Refusal {}

impl Builder {
    /// An empty set.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Adds a pattern and gives its number: 0, 1, 2…
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        self.add_searched(pattern, Distance::Next, 0)
    }

    /// Adds a pattern of which nobody asks for more than whether it is there: one of its starts is reported, any of them,
    /// and perhaps more, in any order. Such a pattern costs less.
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add_once(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        self.add_searched(pattern, Distance::Any, ONCE)
    }

    fn add_searched(&mut self, pattern: &Pattern, distance: Distance, flags: u8) -> Result<u32, Refusal> {
        check(&pattern.elements, code::DEPTH)?;
        let (before, body, after) = marks::split(&pattern.elements);
        let parts = split::parts(body, distance, &self.crowds)?;
        let number = self.push_all(&parts, before, after)?;
        let first = self.parts.len() - parts.len();
        for (at, part) in parts.iter().enumerate() {
            self.enter(count(first + at), part);
        }
        self.parts.iter_mut().skip(first).for_each(|part| part.flags |= flags);
        Ok(number)
    }

    /// Adds a pattern that is not searched: [`crate::Patterns::scan`] does not report it, [`crate::Patterns::match_at`]
    /// asks for it at given places. It needs no two known bytes in succession. Numbers are common to both kinds.
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add_placed(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        check(&pattern.elements, code::DEPTH)?;
        let (before, body, after) = marks::split(&pattern.elements);
        self.push_all(&[split::placed(body)], before, after)
    }

    /// Writes the parts of a pattern and gives its number.
    fn push_all(&mut self, parts: &[Part], before: Vec<Border>, after: Vec<Border>) -> Result<u32, Refusal> {
        let mut plans = parts.iter().map(plan).collect::<Result<Vec<Plan>, Refusal>>()?;
        if let Some(first) = plans.first_mut() {
            first.before = before;
        }
        if let Some(last) = plans.last_mut() {
            last.after = after;
        }
        let number = u32::try_from(self.firsts.len()).map_err(|_| Refusal::TooMany)?;
        let first = self.room_for(&plans)?;
        self.firsts.push(first.into());
        let again = plans.first().map_or(0, |first| if first.variable { first.back } else { 0 });
        for (order, plan) in plans.iter().enumerate() {
            let next = parts.get(order + 1).map(|next| next.gap);
            self.push((number, order, again), plan, next);
        }
        Ok(number)
    }

    /// The number of the next part, if the set can hold the plans at all.
    fn room_for(&self, plans: &[Plan]) -> Result<u32, Refusal> {
        let code = plans.iter().map(|plan| plan.prefix.len() + plan.suffix.len() + 512).sum::<usize>();
        u32::try_from(self.code.len() + code).map_err(|_| Refusal::TooMany)?;
        u32::try_from((self.parts.len() + plans.len()) * MOST_ENTRIES).map_err(|_| Refusal::TooMany)?;
        if plans.iter().any(|plan| plan.before.len().max(plan.after.len()) > 255) {
            return Err(Refusal::TooLong);
        }
        u32::try_from(self.parts.len()).map_err(|_| Refusal::TooMany)
    }

    fn push(&mut self, (pattern, order, again): (u32, usize, u32), plan: &Plan, next: Option<(u32, Option<u32>)>) {
        let last = if next.is_none() { LAST } else { 0 };
        self.parts.push(PartHead {
            pattern: pattern.into(),
            order: count(order),
            code: count(self.code.len()),
            prefix: count(plan.prefix.len()),
            suffix: count(plan.suffix.len()),
            back: plan.back.into(),
            forward: plan.forward.into(),
            gap_min: plan.part.gap.0.into(),
            gap_max: plan.part.gap.1.unwrap_or(u32::MAX).into(),
            next_max: next.and_then(|(_, max)| max).unwrap_or(u32::MAX).into(),
            again: again.into(),
            borders_before: u8::try_from(plan.before.len()).unwrap_or(0),
            borders_after: u8::try_from(plan.after.len()).unwrap_or(0),
            flags: last,
            reserved: 0,
        });
        self.code.extend(plan.before.iter().chain(&plan.after).map(|border| code::border_number(*border)));
        self.code.extend_from_slice(&plan.prefix);
        self.code.extend_from_slice(&plan.suffix);
    }

    /// Enters the keys of a part, whose number it is, into the tables.
    fn enter(&mut self, number: U32, part: &Part) {
        if split::match_zeros(&part.elements) {
            self.zeros.push(number);
        }
        let Some(keys) = &part.keys else { return };
        let whole = self.is_whole(number, part);
        let mut farthest = 0;
        // Of entries in one bucket the one whose anchor lies farther back comes first, so that places come in their order.
        for key in keys.all().iter().rev() {
            let shift = key.at - part.anchor();
            farthest = farthest.max(u32::try_from(shift).unwrap_or(u32::MAX));
            let entry = entry(&part.elements, number, key, shift, whole);
            self.crowds.enter(&part.elements, key);
            match key.kind {
                Kind::Long => self.long.push((Hash::new(eight(&part.elements, key.at)), entry)),
                Kind::Pair => self.enter_pair(&part.elements, key, entry),
                Kind::Byte => self.enter_byte(&part.elements, key, entry),
            }
        }
        if let Some(head) = self.parts.get(usize::try_from(number.get()).unwrap_or(usize::MAX)) {
            self.back = self.back.max(head.back.get().saturating_add(farthest));
            self.forward = self.forward.max(head.forward.get());
        }
    }

    fn enter_pair(&mut self, elements: &[Element], key: &Key, entry: Entry) {
        let known = |at: usize| elements.get(at).and_then(keys::known);
        let Some((first, second)) = known(key.at).zip(known(key.at + 1)) else { return };
        for first in first.cases() {
            self.pairs.extend(second.cases().map(|second| u16::from_le_bytes([first, second])));
        }
        let [first, second, ..] = eight(elements, key.at);
        self.short.push((filter::pair_bucket([first, second]), entry));
    }

    /// Enters all pairs that begin with the key's byte.
    fn enter_byte(&mut self, elements: &[Element], key: &Key, entry: Entry) {
        let cases = elements.get(key.at).and_then(keys::known).map(keys::Known::cases);
        for first in cases.into_iter().flatten() {
            self.pairs.extend((0..=u8::MAX).map(|second| u16::from_le_bytes([first, second])));
        }
        let [first, ..] = eight(elements, key.at);
        let folded = (0..=u8::MAX).filter(|second| second & code::FOLD == *second);
        self.short.extend(folded.map(|second| (filter::pair_bucket([first, second]), entry)));
    }

    /// See [`Entry::whole`].
    fn is_whole(&self, number: U32, part: &Part) -> u8 {
        let head = self.parts.get(usize::try_from(number.get()).unwrap_or(usize::MAX));
        let alone = head.is_some_and(|head| {
            head.order.get() == 0 && head.flags & LAST != 0 && head.borders_before == 0 && head.borders_after == 0
        });
        let length = part.elements.iter().map_while(single).count();
        if alone && length == part.elements.len() && length <= 8 { u8::try_from(length).unwrap_or(0) } else { 0 }
    }

    /// The set as bytes for [`crate::Patterns::new`]: flat, position-independent, little-endian, and the same for the
    /// same patterns in the same order.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let words = long_words(&self.long);
        let pairs = pair_words(&self.pairs);
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
            parts: count(self.parts.len()),
            firsts: count(self.firsts.len()),
            code: count(self.code.len()),
            reserved: 0.into(),
        };
        let mut out = header.as_bytes().to_vec();
        for section in [words.as_bytes(), long_heads.as_bytes(), long.as_bytes()] {
            out.extend_from_slice(section);
        }
        for section in [pairs.as_bytes(), short_heads.as_bytes(), short.as_bytes()] {
            out.extend_from_slice(section);
        }
        for section in [self.parts.as_bytes(), self.firsts.as_bytes(), self.zeros.as_bytes(), &self.code] {
            out.extend_from_slice(section);
        }
        out
    }
}

/// A part made ready to be written.
struct Plan<'a> {
    part: &'a Part,
    before: Vec<Border>,
    after: Vec<Border>,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    back: u32,
    forward: u32,
    variable: bool,
}

fn plan(part: &Part) -> Result<Plan<'_>, Refusal> {
    let (head, tail) = part.elements.split_at(part.anchor());
    let (head_min, head_max) = split::lengths(head).ok_or(Refusal::TooLong)?;
    let (tail_min, tail_max) = split::lengths(tail).ok_or(Refusal::TooLong)?;
    if head_max.max(tail_max) > MAX_PART {
        return Err(Refusal::TooLong);
    }
    let (mut prefix, mut suffix) = (Vec::new(), Vec::new());
    code::encode(&code::mirrored(head), &mut prefix);
    code::encode(tail, &mut suffix);
    let work = |code: &[u8], min: u32, max: u32| code.len() as u64 * u64::from(max - min + 1);
    if work(&prefix, head_min, head_max).max(work(&suffix, tail_min, tail_max)) > MAX_WORK {
        return Err(Refusal::Ambiguous);
    }
    let variable = head_min != head_max;
    let (before, after) = (Vec::new(), Vec::new());
    Ok(Plan { part, before, after, prefix, suffix, back: head_max, forward: tail_max, variable })
}

fn check(elements: &[Element], depth: usize) -> Result<(), Refusal> {
    elements.iter().try_for_each(|element| match element {
        Element::Byte { value, mask } if value & !mask != 0 => Err(Refusal::Contradiction),
        Element::Folded(letter) if !letter.is_ascii_lowercase() => Err(Refusal::Contradiction),
        Element::Alternatives { options, negated } => {
            if *negated && fixed_length(std::slice::from_ref(element)).is_none() {
                return Err(Refusal::UnequalNegation);
            }
            let depth = depth.checked_sub(1).ok_or(Refusal::Deep)?;
            options.iter().try_for_each(|option| check(option, depth))
        }
        _ => Ok(()),
    })
}

/// The eight bytes of a part from element `at` on, zeros for those that are not known.
fn eight(elements: &[Element], at: usize) -> [u8; 8] {
    [0, 1, 2, 3, 4, 5, 6, 7].map(|next| elements.get(at + next).and_then(single).map_or(0, |(value, _)| value))
}

/// The entry for a key that lies `shift` behind the anchor, with the eight bytes around it that say most.
fn entry(elements: &[Element], part: U32, key: &Key, shift: usize, whole: u8) -> Entry {
    let before = elements.get(..key.at).unwrap_or_default().iter().rev().map_while(single).take(AROUND).count();
    let first = key.at - before;
    let around = elements.get(first..).unwrap_or_default().iter().map_while(single).take(before + 2 * AROUND);
    let around = around.collect::<Vec<_>>();
    let hashed = match key.kind {
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
        part,
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
    let count = (entries.len().saturating_mul(BITS) / 32).next_power_of_two().clamp(2, MAX_WORDS);
    let mut words = vec![0_u32; count];
    for (hash, _) in entries {
        if let Some(word) = words.get_mut(hash.index(32 - count.ilog2())) {
            *word |= hash.bits();
        }
    }
    words.into_iter().map(U32::new).collect()
}

fn pair_words(pairs: &[u16]) -> Vec<U32> {
    if pairs.is_empty() {
        return Vec::new();
    }
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

/// A count as the layout holds it; [`Builder::room_for`] keeps all of them below 2^32.
fn count(items: usize) -> U32 {
    u32::try_from(items).unwrap_or(u32::MAX).into()
}
