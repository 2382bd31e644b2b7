//! Splitting a pattern into parts, and finding each part's anchor.
//!
//! ```text
//! 61 62 63 {0-5} 64 65 66 * 67 68 69 6a 6b 6c 6d
//! |------- part 0 ------|   |----- part 1 ------|     the short gap stays within its part, the open one does not
//! ```
//!
//! What each part is found by, `keys` decides.

use std::borrow::Cow;
use std::ops::Range;

use crate::build::Refusal;
use crate::keys::{self, Crowds, Distance, Keys, anchored};
use crate::pattern::{Element, Mark};

/// A gap of at most so many bytes is confirmed within its part.
const INNER_GAP: u32 = 128;
/// A gap of at most so many bytes may be confirmed within its part if one side of it has no anchor.
const JOINED_GAP: u32 = 4096;
/// A gap of one length, of at most so many bytes, is as many bytes of any value: so what stands on both sides of it is one stretch, and
/// an entry of the filter can hold bytes of both.
const INNER_SKIP: u32 = 16;

/// A stretch of a pattern without a long gap.
#[derive(Clone, Debug)]
pub(crate) struct Part<'p> {
    pub(crate) elements: &'p [Element],
    /// What it is found by; none if it is not searched.
    pub(crate) keys: Option<Keys>,
    /// The gap before it; for the first part (0, 0).
    pub(crate) gap: (u32, Option<u32>),
}

impl Part<'_> {
    /// The index of the element from which it is confirmed both ways.
    pub(crate) fn anchor(&self) -> usize {
        self.keys.as_ref().map_or(0, Keys::anchor)
    }
}

/// A pattern that is looked for at given places only: one part, however long its gaps.
pub(crate) fn placed(body: &[Element]) -> Part<'_> {
    Part { elements: body, keys: None, gap: (0, Some(0)) }
}

/// Splits the elements between the marks of a pattern's ends, which were given their [skips](with_skips).
pub(crate) fn parts<'p>(body: &'p [Element], distance: Distance, crowds: &Crowds) -> Result<Vec<Part<'p>>, Refusal> {
    let mut parts = Vec::new();
    // What was not made a part yet, from its first element to the gap before the next stretch.
    let (mut from, mut to, mut gap) = (0, 0, (0, Some(0)));
    for (before, range) in stretches(body) {
        let current = body.get(from..to).unwrap_or_default();
        let stretch = body.get(range.clone()).unwrap_or_default();
        if let Some((min, max)) = before {
            if anchored(current) && anchored(stretch) {
                parts.push(part(current, gap, distance, crowds)?);
                (from, gap) = (range.start, (min, max));
            } else if max.is_none_or(|max| max > JOINED_GAP) {
                return Err(if current.is_empty() || stretch.is_empty() {
                    Refusal::OpenEnd
                } else {
                    Refusal::NoAnchor
                });
            }
        }
        to = range.end;
    }
    parts.push(part(body.get(from..).unwrap_or_default(), gap, distance, crowds)?);
    Ok(parts)
}

/// The elements, with bytes of any value for gaps of one length of at most [`INNER_SKIP`] bytes. A gap of no bytes stays: without it a
/// mark beside it could come to stand at an end of the pattern, where it means something else.
pub(crate) fn with_skips(body: &[Element]) -> Cow<'_, [Element]> {
    if !body.iter().any(|element| skip(element).is_some()) {
        return Cow::Borrowed(body);
    }
    let any = Element::Byte { value: 0, mask: 0 };
    let elements = body.iter().flat_map(|element| match skip(element) {
        Some(length) => std::iter::repeat_n(&any, length),
        None => std::iter::repeat_n(element, 1),
    });
    Cow::Owned(elements.cloned().collect())
}

/// The length of a gap that is as many bytes of any value.
fn skip(element: &Element) -> Option<usize> {
    match element {
        Element::Gap { min, max } if *max == Some(*min) && (1..=INNER_SKIP).contains(min) => usize::try_from(*min).ok(),
        _ => None,
    }
}

fn part<'p>(elements: &'p [Element], gap: GapRange, distance: Distance, crowds: &Crowds) -> Result<Part<'p>, Refusal> {
    let keys = keys::choose(elements, distance, crowds).ok_or(Refusal::NoAnchor)?;
    Ok(Part { elements, keys: Some(keys), gap })
}

type GapRange = (u32, Option<u32>);

/// The stretches between long gaps, each with the gap before it.
fn stretches(body: &[Element]) -> impl Iterator<Item = (Option<GapRange>, Range<usize>)> {
    let mut start = Some((None, 0));
    std::iter::from_fn(move || {
        let (before, from) = start.take()?;
        let next = (from..).zip(body.iter().skip(from)).find_map(|(at, element)| Some((at, long_gap(element)?)));
        start = next.map(|(at, gap)| (Some(gap), at + 1));
        Some((before, from..next.map_or(body.len(), |(at, _)| at)))
    })
}

fn long_gap(element: &Element) -> Option<GapRange> {
    match element {
        Element::Gap { min, max } if max.is_none_or(|max| max > INNER_GAP && max >= *min) => Some((*min, *max)),
        _ => None,
    }
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
