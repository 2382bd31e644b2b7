//! Choosing the keys of a part: what the filter finds it by.
//!
//! ```text
//! part     61 62 63 {2} 31 32 ?3 34 35 36 37 38 39 ..
//!          |---stretch--|                                 one pair of bytes
//!                       |------- stretch --------|        or, if they are rarer, two runs of five
//!                                ^^^^^^^^^^^^^^ at an even place
//!                                   ^^^^^^^^^^^^^^ at an odd place
//! ```
//!
//! Pairs are looked up at every position, so a part needs one. Runs of five are looked up at every second position, so a part
//! needs two, at an even and at an odd place of one stretch: a run of elements of one byte each, in which all distances
//! are fixed. Whichever is found then says where the part lies, and each place of the part is found once.
//!
//! Which keys are taken is decided by how rare they are in ordinary files ([`crate::rarity`]), and by how many parts took
//! them before: families share long stretches, and would otherwise all be confirmed wherever one of them is found. The two
//! runs may be as far apart as they like if nobody counts the pattern; else they are neighbours, so that the places of
//! the pattern are found in their order.

use crate::code::single;
use crate::filter::{KEY, STRIDE};
use crate::layout::{KEYS, PartHead};
use crate::pattern::Element;
use crate::rarity;

/// How far the keys of a part may be from each other.
const APART: usize = 64;
/// How far behind a part's anchor, or before it, a position can lie that the filter reports for it.
pub(crate) const REACH: u32 = 64;
/// Rarer than once in 2^24 bytes, in eighths of a bit, does not count: from there on the crowds decide.
const RARE: u32 = 24 * 8;

/// What the filter knows of a byte.
const UPPER: u8 = 0xDF;

/// How much of the object a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Five bytes, either case alike, at every second position.
    Long,
    /// Two bytes, at every position.
    Pair,
    /// One byte and any behind it, at every position: for parts whose pairs are all much more frequent, as
    /// `ba ?? 00 00 00`. Such a key takes 128 entries.
    Byte,
}

impl Kind {
    /// How much rarer such a key has to be than a run, in eighths of a bit.
    fn penalty(self) -> u32 {
        match self {
            Kind::Long => 0,
            Kind::Pair => 1,
            Kind::Byte => 24,
        }
    }
}

/// A key of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    /// The index of its first element.
    pub(crate) at: usize,
    /// How rare it is: eighths of a bit, the more the rarer.
    rarity: u32,
}

/// The keys of a part: one pair, or as many runs as there are ways to lie among the sampled positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// The first, and the second or the first again.
    keys: [Key; 2],
    count: usize,
}

impl Keys {
    fn one(key: Key) -> Keys {
        Keys { keys: [key; 2], count: 1 }
    }

    fn two(keys: [Key; 2]) -> Keys {
        Keys { keys, count: 2 }
    }

    /// All of them, in the order of the elements.
    pub(crate) fn all(&self) -> &[Key] {
        self.keys.get(..self.count).unwrap_or_default()
    }

    /// Those of a part that was written, by their places behind its anchor; none if it has none.
    pub(crate) fn of(head: &PartHead) -> Option<Keys> {
        let kind = match (head.flags & KEYS) >> KEYS.trailing_zeros() {
            1 => Kind::Long,
            2 => Kind::Pair,
            3 => Kind::Byte,
            _ => return None,
        };
        let key = |at: usize| Key { kind, at, rarity: 0 };
        let second = usize::from(head.second);
        Some(if second > 0 { Keys::two([key(0), key(second)]) } else { Keys::one(key(0)) })
    }

    /// What is written of them: the flags of their kind, and how far the second lies behind the first.
    pub(crate) fn flags(&self) -> (u8, u8) {
        let [first, second] = self.keys;
        let number = match first.kind {
            Kind::Long => 1,
            Kind::Pair => 2,
            Kind::Byte => 3,
        };
        (number << KEYS.trailing_zeros(), u8::try_from(second.at.saturating_sub(first.at)).unwrap_or(0))
    }

    /// Are pairs looked up to find it?
    pub(crate) fn are_short(&self) -> bool {
        self.keys.iter().any(|key| key.kind != Kind::Long)
    }

    /// The element that the first begins with: the part's anchor.
    pub(crate) fn anchor(&self) -> usize {
        let [first, _] = self.keys;
        first.at
    }

    /// What is to be as small as can be. Of keys as rare as each other those that are found without doubt come first, and one of
    /// many entries has to be three bits rarer.
    fn cost(&self) -> u32 {
        let [first, second] = self.keys;
        first.kind.penalty().max(second.kind.penalty()) + 2 * RARE - self.rarity()
    }

    /// How rare the most frequent is.
    pub(crate) fn rarity(&self) -> u32 {
        let [first, second] = self.keys;
        first.rarity.min(second.rarity)
    }

    /// The same, so many elements farther on.
    fn moved(self, by: usize) -> Keys {
        Keys { keys: self.keys.map(|key| Key { at: key.at + by, ..key }), ..self }
    }
}

/// May the two runs of a part be apart?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distance {
    /// They may.
    Any,
    /// They are neighbours: then the places of the part are found in their order.
    Next,
}

/// How many entries each key has in a set so far, about: keys that share a place are counted together, which can only make a
/// key look more crowded than it is. A map of exact counts took a third of the time of building a large set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowds {
    /// The places of a small set, each with its count.
    few: Vec<(usize, u16)>,
    /// A count for each place, once there are more.
    many: Vec<u16>,
    /// What [`Crowds::cost`] says of each of those, two in a byte: a quarter of the memory, and it is asked much more often than counts rise.
    bits: Vec<u8>,
}

/// Places for counts, 8 MB of them in a set that is not small.
const PLACES: usize = 1 << 22;
/// With more places in use than this, a set is not small. Workers make sets of a few parts, and each touch of a fresh table for many would be a
/// large page that the kernel clears.
const FEW: usize = 64;

impl Crowds {
    /// Notes that a part has a key of this kind at the start of these bytes.
    pub(crate) fn enter(&mut self, singles: &[(u8, u8)], kind: Kind) {
        self.count_up(place(singles.iter().copied().map_while(Known::new), kind), 1);
    }

    fn count_up(&mut self, place: usize, by: u16) {
        if let Some(count) = self.many.get_mut(place) {
            *count = count.saturating_add(by);
            let bits = bits(*count);
            if let Some(two) = self.bits.get_mut(place / 2) {
                let shift = place % 2 * 4;
                *two = *two & !(0xF << shift) | bits << shift;
            }
        } else if let Some((_, count)) = self.few.iter_mut().find(|(few, _)| *few == place) {
            *count = count.saturating_add(by);
        } else if self.few.len() < FEW {
            self.few.push((place, by));
        } else {
            (self.many, self.bits) = (vec![0; PLACES], vec![0; PLACES / 2]);
            std::mem::take(&mut self.few)
                .into_iter()
                .chain([(place, by)])
                .for_each(|(place, by)| self.count_up(place, by));
        }
    }

    /// What the bucket of a key costs when the key is there, by its place: eighths of a bit.
    fn cost(&self, place: usize) -> u32 {
        let of_few = || self.few.iter().find(|(few, _)| *few == place).map_or(0, |(_, count)| bits(*count));
        let bits = self.bits.get(place / 2).map_or_else(of_few, |two| *two >> (place % 2 * 4) & 0xF);
        8 * u32::from(bits)
    }
}

/// How many bits the number of a crowd has beyond the first: at most 15.
fn bits(count: u16) -> u8 {
    u8::try_from(count.saturating_add(1).ilog2()).unwrap_or(0)
}

/// Where a key is counted that begins with these bytes.
fn place(known: impl Iterator<Item = Known>, kind: Kind) -> usize {
    let count = match kind {
        Kind::Long => KEY,
        Kind::Pair => 2,
        Kind::Byte => 1,
    };
    let crowd = known.take(count).fold(count as u64, |sum, known| sum << 8 | u64::from(known.value & UPPER));
    usize::try_from(scattered(crowd)).unwrap_or(0)
}

fn scattered(crowd: u64) -> u32 {
    u32::try_from(crowd.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - PLACES.ilog2())).unwrap_or(0)
}

/// A byte that the filter can know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    value: u8,
    /// A letter of either case.
    folded: bool,
}

impl Known {
    /// A byte of this value under this mask, if the filter can know it.
    pub(crate) fn new((value, mask): (u8, u8)) -> Option<Known> {
        (mask | !UPPER == 0xFF).then_some(Known { value, folded: mask != 0xFF })
    }

    /// The bytes that it can be.
    pub(crate) fn cases(self) -> [u8; 2] {
        if self.folded { [self.value & UPPER, self.value | !UPPER] } else { [self.value; 2] }
    }
}

/// The byte, if the filter can know it.
fn known(element: &Element) -> Option<Known> {
    Known::new(single(element)?)
}

/// The value of a byte that the filter can know.
pub(crate) fn known_value(element: &Element) -> Option<u8> {
    known(element).map(|known| known.value)
}

/// Has a part of these elements two known bytes in succession?
pub(crate) fn anchored(elements: &[Element]) -> bool {
    elements.windows(2).any(|pair| pair.iter().all(|element| known(element).is_some()))
}

/// The keys of a part: the rarest pair, or two runs of a stretch if both are as rare.
pub(crate) fn choose(elements: &[Element], distance: Distance, crowds: &Crowds) -> Option<Keys> {
    let mut best: Option<Keys> = None;
    let mut from = 0;
    for stretch in elements.split(|element| single(element).is_none()) {
        let bytes = Bytes::new(stretch);
        let runs = match distance {
            Distance::Any => bytes.apart(crowds),
            Distance::Next => bytes.neighbours(crowds),
        };
        // What can be no cheaper than what there is is not weighed; of equals a pair comes before runs.
        let known = best.as_ref().map_or(u32::MAX, Keys::cost);
        let bound = runs.as_ref().map_or(known, |runs| known.min(runs.cost().saturating_add(1)));
        let least = (Kind::Pair.penalty() + 2 * RARE).saturating_sub(bound);
        let pair = bytes.rarest(Kind::Pair, least, crowds).map(Keys::one);
        let bound = pair.as_ref().map_or(bound, |pair| bound.min(pair.cost()));
        let bound = runs.as_ref().map_or(bound, |runs| bound.min(runs.cost()));
        let least = (Kind::Byte.penalty() + 2 * RARE).saturating_sub(bound);
        let byte = bytes.rarest(Kind::Byte, least, crowds).map(Keys::one);
        for keys in pair.into_iter().chain(runs).chain(byte) {
            if best.is_none_or(|best| best.cost() > keys.cost()) {
                best = Some(keys.moved(from));
            }
        }
        from += stretch.len() + 1;
    }
    best
}

/// The single bytes of a stretch.
struct Bytes {
    known: Vec<Option<Known>>,
    /// Of the run of [`KEY`] known bytes that begins at a byte, if one does: asked for several times, found out once.
    runs: Vec<Option<Spot>>,
}

/// What is known of a run.
#[derive(Clone, Copy)]
struct Spot {
    /// How rare it is, whatever its crowd.
    rarity: u32,
    /// Where it is counted.
    place: u32,
}

impl Bytes {
    fn new(stretch: &[Element]) -> Bytes {
        let known = stretch.iter().map(known).collect::<Vec<_>>();
        let mut runs = Vec::with_capacity(known.len());
        let mut run = Run::default();
        for byte in &known {
            let spot = run.push(*byte);
            if runs.len() + KEY <= run.at {
                runs.push(spot);
            }
        }
        Bytes { known, runs }
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    /// The rarest run, and the rarest of the other parity near it.
    fn apart(&self, crowds: &Crowds) -> Option<Keys> {
        let first = self.rarest_run(0..self.len(), |_| true, crowds)?;
        let near = first.at.saturating_sub(APART)..self.len().min(first.at + APART + 1);
        let second = self.rarest_run(near, |at| at % STRIDE != first.at % STRIDE, crowds)?;
        Some(Keys::two(if first.at < second.at { [first, second] } else { [second, first] }))
    }

    /// The rarest two runs that begin side by side.
    fn neighbours(&self, crowds: &Crowds) -> Option<Keys> {
        let mut best: Option<Keys> = None;
        for (at, pair) in self.runs.array_windows::<STRIDE>().enumerate() {
            let [Some(first), Some(second)] = *pair else { continue };
            // Of what can be no rarer than what there is, the crowds are not asked for.
            let least = best.as_ref().map_or(0, Keys::rarity);
            let alone = first.rarity.min(second.rarity);
            if alone < least || (alone == least && least > 0) {
                continue;
            }
            let two = Keys::two([first.key(at, crowds), second.key(at + 1, crowds)]);
            if best.is_none_or(|best| best.rarity() < two.rarity()) {
                best = Some(two);
            }
        }
        best
    }

    /// The rarest run that starts in `range`, where `fits` says so; the first of equals.
    fn rarest_run(
        &self,
        range: std::ops::Range<usize>,
        fits: impl Fn(usize) -> bool + Copy,
        crowds: &Crowds,
    ) -> Option<Key> {
        let runs =
            || range.clone().filter(move |at| fits(*at)).filter_map(|at| Some((at, self.runs.get(at).copied()??)));
        // What would be the rarest without any crowd leaves few of which the crowd is to be asked for.
        let (at, alone) = runs().reduce(|best, next| if next.1.rarity > best.1.rarity { next } else { best })?;
        let mut best = alone.key(at, crowds);
        for (at, alone) in runs() {
            if best.is_before(alone.rarity, at) {
                continue;
            }
            let key = alone.key(at, crowds);
            if !best.is_before(key.rarity, at) {
                best = key;
            }
        }
        Some(best)
    }

    /// The rarest short key of a kind, the first of equals. None that is no rarer than `least`, if that is not 0.
    fn rarest(&self, kind: Kind, least: u32, crowds: &Crowds) -> Option<Key> {
        let mut best: Option<Key> = None;
        for at in 0..self.len() {
            let Some(alone) = self.rarity(kind, at) else { continue };
            // Of what can be no rarer than what there is, the crowd is not asked for.
            let bound = best.map_or(least, |best| best.rarity);
            if alone <= bound && (bound > 0 || best.is_some()) {
                continue;
            }
            let rarity = alone.saturating_sub(self.crowd(kind, at, crowds));
            if best.is_none_or(|best| best.rarity < rarity) && (least == 0 || rarity > least) {
                best = Some(Key { kind, at, rarity });
            }
        }
        best
    }

    /// How rare the short key at a place is, if there is one, whatever its crowd.
    fn rarity(&self, kind: Kind, at: usize) -> Option<u32> {
        let known = |at: usize| self.known.get(at).copied().flatten();
        match kind {
            Kind::Byte => known(at).map(rarity_of_byte),
            _ => Some(rarity_of_pair(known(at)?, known(at + 1)?)),
        }
    }

    /// What the crowd of the key at a place costs.
    fn crowd(&self, kind: Kind, at: usize, crowds: &Crowds) -> u32 {
        let rest = self.known.get(at..).unwrap_or_default();
        crowds.cost(place(rest.iter().map_while(|known| *known), kind))
    }
}

impl Spot {
    /// The key that begins at this place of the stretch.
    fn key(self, at: usize, crowds: &Crowds) -> Key {
        let cost = usize::try_from(self.place).map_or(0, |place| crowds.cost(place));
        Key { kind: Kind::Long, at, rarity: self.rarity.saturating_sub(cost) }
    }
}

impl Key {
    /// Is it taken rather than one so rare at this place?
    fn is_before(&self, rarity: u32, at: usize) -> bool {
        self.rarity > rarity || (self.rarity == rarity && self.at <= at)
    }
}

/// The bytes before a place, as far as they say how rare the run of [`KEY`] bytes is that ends there.
#[derive(Default)]
struct Run {
    /// How many bytes there were.
    at: usize,
    /// How many of the last are known, and how many of those are the same.
    known: usize,
    same: usize,
    four: [u8; 4],
    /// How rare the last four are.
    rarity: u32,
    /// The last, in upper case, as they are counted.
    crowd: u64,
}

impl Run {
    /// Takes the next byte. Gives what is known of the run that ends with it, if all of its bytes are known.
    fn push(&mut self, byte: Option<Known>) -> Option<Spot> {
        self.at += 1;
        let Some(Known { value, .. }) = byte else {
            (self.known, self.same) = (0, 0);
            return None;
        };
        let [_, b, c, d] = self.four;
        self.same = if self.known > 0 && d == value { self.same + 1 } else { 1 };
        self.known += 1;
        self.four = [b, c, d, value];
        self.crowd = (self.crowd << 8 | u64::from(value & UPPER)) & ((1 << (8 * KEY)) - 1);
        let before = std::mem::replace(&mut self.rarity, rarity::of_four(self.four));
        let rarity = before.max(self.rarity).min(RARE);
        // A run of one byte fills pages of some file, whichever byte it is.
        let rarity = if self.same >= KEY { rarity / 4 } else { rarity };
        let place = || scattered((KEY as u64) << (8 * KEY) | self.crowd);
        (self.known >= KEY).then(|| Spot { rarity, place: place() })
    }
}

/// That of the most frequent of its cases.
fn rarity_of_pair(first: Known, second: Known) -> u32 {
    if !first.folded && !second.folded {
        return rarity::of_pair([first.value, second.value]).min(RARE);
    }
    let cases =
        first.cases().into_iter().flat_map(|first| second.cases().map(|second| rarity::of_pair([first, second])));
    let folds = [first, second].iter().filter(|known| known.folded).map(|_| 8_u32).sum();
    cases.min().unwrap_or(0).saturating_sub(folds).min(RARE)
}

fn rarity_of_byte(known: Known) -> u32 {
    if !known.folded {
        return rarity::of_byte(known.value);
    }
    let cases = known.cases().into_iter().map(rarity::of_byte);
    cases.min().unwrap_or(0).saturating_sub(8)
}
