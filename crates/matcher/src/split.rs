//! Splitting a pattern into parts, and finding each part's anchor.
//!
//! ```text
//! 61 62 63 {0-5} 64 65 66 * 67 68 69 6a 6b 6c 6d
//! |------- part 0 ------|   |----- part 1 ------|     the short gap stays within its part, the open one does not
//!    ^^ anchor                    ^^^^^^^^^^^^^       the stretch that the filter looks for
//! ```
//!
//! An anchor is a stretch of known bytes, of [`LONG`] bytes where there are so many, else of two. Which stretch is taken
//! is decided by how rare it is in ordinary files ([`crate::rarity`]), and by how many patterns took it before: families
//! share long stretches, and would otherwise all be confirmed wherever one of them is found.

use std::collections::HashMap;

use crate::build::Refusal;
use crate::code::{FOLD, single};
use crate::filter::{KEY, LONG};
use crate::pattern::{Element, Mark};
use crate::rarity;

/// A gap of at most so many bytes is confirmed within its part.
const INNER_GAP: u32 = 128;
/// A gap of at most so many bytes may be confirmed within its part if one side of it has no anchor.
const JOINED_GAP: u32 = 4096;

/// A stretch of a pattern without a long gap.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) elements: Vec<Element>,
    pub(crate) anchor: Anchor,
    /// The gap before it; for the first part (0, 0).
    pub(crate) gap: (u32, Option<u32>),
}

/// Where a part's anchor is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    /// The index of its first element.
    pub(crate) at: usize,
    /// Of [`LONG`] bytes; else of two.
    pub(crate) long: bool,
    /// How rare it is: bits, the more the rarer.
    rarity: u32,
}

/// Rarer than once in 16 MB (2^24 bytes, in eighths of a bit) does not count: from there on the crowds decide.
const RARE: u32 = 24 * 8;

/// How many entries each stretch of an anchor has in a set so far, by its hash or by its pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowds(HashMap<u64, u32>);

impl Crowds {
    pub(crate) fn enter(&mut self, key: &[u8]) {
        let count = self.0.entry(crowd_key(key)).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// How rare the key is in ordinary files, less what its bucket costs when it is there.
    fn rarity(&self, key: &[u8]) -> u32 {
        let crowd = self.0.get(&crowd_key(key)).copied().unwrap_or(0);
        rarity::of(key).min(RARE).saturating_sub(8 * crowd.saturating_add(1).ilog2())
    }
}

fn crowd_key(key: &[u8]) -> u64 {
    key.iter().fold(key.len() as u64, |sum, byte| sum << 8 | u64::from(byte & FOLD))
}

/// A pattern that is looked for at given places only: one part, however long its gaps.
pub(crate) fn placed(body: &[Element]) -> Part {
    Part { elements: body.to_vec(), anchor: Anchor { at: 0, long: false, rarity: 0 }, gap: (0, Some(0)) }
}

/// Splits the elements between the marks of a pattern's ends.
pub(crate) fn parts(body: &[Element], crowds: &Crowds) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut current: Vec<Element> = Vec::new();
    let mut gap = (0, Some(0));
    for (before, stretch) in stretches(body) {
        if let Some((min, max)) = before {
            if anchored(&current) && anchored(stretch) {
                parts.push(part(std::mem::take(&mut current), gap, crowds)?);
                gap = (min, max);
            } else if max.is_some_and(|max| max <= JOINED_GAP) {
                current.push(Element::Gap { min, max });
            } else {
                return Err(if current.is_empty() || stretch.is_empty() {
                    Refusal::OpenEnd
                } else {
                    Refusal::NoAnchor
                });
            }
        }
        current.extend_from_slice(stretch);
    }
    parts.push(part(current, gap, crowds)?);
    Ok(parts)
}

fn part(elements: Vec<Element>, gap: (u32, Option<u32>), crowds: &Crowds) -> Result<Part, Refusal> {
    let anchor = anchor(&elements, crowds).ok_or(Refusal::NoAnchor)?;
    Ok(Part { elements, anchor, gap })
}

type GapRange = (u32, Option<u32>);

/// The stretches between long gaps, each with the gap before it.
fn stretches(body: &[Element]) -> Vec<(Option<GapRange>, &[Element])> {
    let mut found = Vec::new();
    let mut before = None;
    let mut rest = body;
    while let Some(at) = rest.iter().position(|element| long_gap(element).is_some()) {
        let (head, tail) = rest.split_at(at);
        found.push((before, head));
        before = tail.first().and_then(long_gap);
        rest = tail.get(1..).unwrap_or_default();
    }
    found.push((before, rest));
    found
}

fn long_gap(element: &Element) -> Option<GapRange> {
    match element {
        Element::Gap { min, max } if max.is_none_or(|max| max > INNER_GAP && max >= *min) => Some((*min, *max)),
        _ => None,
    }
}

/// The byte, if the filter can know it.
fn known(element: &Element) -> Option<u8> {
    single(element).filter(|(_, mask)| mask | !FOLD == 0xFF).map(|(value, _)| value)
}

fn anchored(elements: &[Element]) -> bool {
    elements.windows(2).any(|pair| pair.iter().all(|element| known(element).is_some()))
}

/// The rarest anchor; the first of equals.
fn anchor(elements: &[Element], crowds: &Crowds) -> Option<Anchor> {
    let known = elements.iter().map(known).collect::<Vec<_>>();
    rarest(&known, LONG, crowds).or_else(|| rarest(&known, 2, crowds))
}

fn rarest(known: &[Option<u8>], length: usize, crowds: &Crowds) -> Option<Anchor> {
    let mut best: Option<Anchor> = None;
    let mut bytes = Vec::new();
    for (at, window) in known.windows(length).enumerate() {
        bytes.clear();
        bytes.extend(window.iter().map_while(|known| *known));
        if bytes.len() < length {
            continue;
        }
        let rarity = bytes.windows(KEY.min(length)).map(|key| crowds.rarity(key)).min().unwrap_or(0);
        if best.is_none_or(|best| best.rarity < rarity) {
            best = Some(Anchor { at, long: length == LONG, rarity });
        }
    }
    best
}

/// The least and the most bytes that the elements consume; absent if there is no limit.
pub(crate) fn lengths(elements: &[Element]) -> Option<(u32, u32)> {
    elements.iter().try_fold((0_u32, 0_u32), |(least, most), element| {
        let (min, max) = lengths_of(element)?;
        Some((least.checked_add(min)?, most.checked_add(max)?))
    })
}

fn lengths_of(element: &Element) -> Option<(u32, u32)> {
    match element {
        Element::Byte { .. } | Element::Folded(_) => Some((1, 1)),
        Element::Gap { min, max } => max.map(|max| if max < *min { (0, 0) } else { (*min, max) }),
        Element::Mark { mark, negated } => Some((1, if *mark == Mark::Line && !negated { 2 } else { 1 })),
        Element::Alternatives { options, .. } => {
            let all = options.iter().map(|option| lengths(option)).collect::<Option<Vec<_>>>()?;
            let min = all.iter().map(|(min, _)| *min).min().unwrap_or(0);
            Some((min, all.iter().map(|(_, max)| *max).max().unwrap_or(0)))
        }
    }
}

/// Can the elements match among zero bytes?
pub(crate) fn match_zeros(elements: &[Element]) -> bool {
    elements.iter().all(|element| match element {
        Element::Byte { value, .. } => *value == 0,
        Element::Folded(_) => false,
        Element::Gap { min, max } => max.is_none_or(|max| *min <= max),
        Element::Mark { mark, negated } => {
            crate::marks::consume(*mark, *negated, &[0, 0], 0).iter().any(Option::is_some)
        }
        Element::Alternatives { options, negated } => options.iter().any(|option| match_zeros(option)) != *negated,
    })
}
