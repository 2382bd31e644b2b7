//! A set of patterns, read from bytes.

use std::fmt;

use crate::code;
use crate::layout::{self, LAST, PartHead, Sections};
use crate::pattern::{Element, Pattern};
use crate::scan::State;

/// A set of patterns, borrowing the bytes that [`crate::Builder::finish`] made.
#[derive(Clone, Debug)]
pub struct Patterns<'a> {
    pub(crate) sections: Sections<'a>,
}

/// The bytes are no set of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a set of patterns: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl<'a> Patterns<'a> {
    /// Reads a set. Cheap: only the sizes of its sections are checked; what they hold is checked where it is used, and
    /// taken for "no match" where it makes no sense.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes do not have the shape of a set.
    pub fn new(bytes: &'a [u8]) -> Result<Patterns<'a>, Malformed> {
        Ok(Patterns { sections: layout::read(bytes).map_err(Malformed)? })
    }

    /// How many patterns the set has. They are numbered from 0 in the order they were added.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.sections.header.firsts.get()
    }

    /// How many bytes a window must repeat of the one before: what a part can reach back from its anchor and what it can
    /// need from there on, the largest of each. At most 128 KiB and a few bytes.
    #[must_use]
    pub fn overlap(&self) -> usize {
        self.back().saturating_add(self.forward())
    }

    /// [`Patterns::overlap`] of windows that are given to all of several sets at once.
    #[must_use]
    pub fn overlap_of<'p>(sets: impl Iterator<Item = &'p Patterns<'a>>) -> usize
    where
        'a: 'p,
    {
        let (back, forward) = sets
            .fold((0, 0), |(back, forward): (usize, usize), set| (back.max(set.back()), forward.max(set.forward())));
        back.saturating_add(forward)
    }

    /// Could any part of a pattern match within a long run of zero bytes, of which something is still asked? If not, all of
    /// such a run but `overlap()` bytes at either end may be left out: by a window that begins farther on than the one
    /// before ended.
    #[must_use]
    pub fn can_match_zeros(&self, state: &State) -> bool {
        let mut parts = self.sections.zeros.iter().map(|number| self.part(number.get()));
        !parts.all(|part| part.is_some_and(|part| state.is_done(part)))
    }

    /// The pattern of this number, for showing it to a person: as it was added, or another way to say the same.
    #[must_use]
    pub fn decode(&self, pattern: u32) -> Option<Pattern> {
        let mut elements = Vec::new();
        self.each_part(pattern, &mut |part| self.decode_part(part, &mut elements))?;
        Some(Pattern { elements })
    }

    /// How many elements [`Patterns::decode`] would give, without making them; absent if it would give no pattern.
    #[must_use]
    pub fn decoded_length(&self, pattern: u32) -> Option<usize> {
        let mut length = 0_usize;
        self.each_part(pattern, &mut |part| {
            length = length.saturating_add(self.decoded_length_of(part)?);
            Some(())
        })?;
        Some(length)
    }

    /// Calls `each` with the parts of a pattern. Absent if it is not whole, or `each` says nothing of one.
    fn each_part(&self, pattern: u32, each: &mut dyn FnMut(&PartHead) -> Option<()>) -> Option<()> {
        let first = self.sections.firsts.get(usize::try_from(pattern).ok()?)?.get();
        for part in self.sections.parts.get(usize::try_from(first).ok()?..)? {
            if part.pattern.get() != pattern {
                return None;
            }
            each(part)?;
            if part.flags & LAST != 0 {
                return Some(());
            }
        }
        None
    }

    fn decoded_length_of(&self, part: &PartHead) -> Option<usize> {
        let code = self.code(part)?;
        let marks = [code.before, code.after].map(<[u8]>::len).iter().sum::<usize>();
        let known = code.before.iter().chain(code.after).all(|number| code::border(*number).is_some());
        let gap = usize::from(part.order.get() > 0);
        let [prefix, suffix] = [code.prefix, code.suffix].map(|code| code::decoded_length(code, code::DEPTH));
        known.then_some(prefix?.saturating_add(suffix?).saturating_add(marks).saturating_add(gap))
    }

    fn decode_part(&self, part: &PartHead, elements: &mut Vec<Element>) -> Option<()> {
        let code = self.code(part)?;
        if part.order.get() > 0 {
            let max = part.gap_max.get();
            elements.push(Element::Gap { min: part.gap_min.get(), max: (max != u32::MAX).then_some(max) });
        }
        elements.extend(marks(code.before)?);
        elements.extend(code::mirrored(&code::decode(code.prefix, code::DEPTH)?));
        elements.extend(code::decode(code.suffix, code::DEPTH)?);
        elements.extend(marks(code.after)?);
        Some(())
    }

    pub(crate) fn part(&self, number: u32) -> Option<&'a PartHead> {
        self.sections.parts.get(usize::try_from(number).ok()?)
    }

    /// The part of a pattern that has one only.
    pub(crate) fn only_part(&self, pattern: u32) -> Option<&'a PartHead> {
        let first = self.sections.firsts.get(usize::try_from(pattern).ok()?)?;
        self.part(first.get()).filter(|part| part.flags & LAST != 0)
    }

    pub(crate) fn code(&self, part: &PartHead) -> Option<PartCode<'a>> {
        let rest = self.sections.code.get(usize::try_from(part.code.get()).ok()?..)?;
        let (before, rest) = rest.split_at_checked(usize::from(part.borders_before))?;
        let (after, rest) = rest.split_at_checked(usize::from(part.borders_after))?;
        let (prefix, rest) = rest.split_at_checked(usize::try_from(part.prefix.get()).ok()?)?;
        let suffix = rest.get(..usize::try_from(part.suffix.get()).ok()?)?;
        Some(PartCode { before, after, prefix, suffix })
    }

    /// The most bytes before a position of the filter that examining it can need: its distance from the anchor, the bytes
    /// before the anchor and two for the borders.
    fn back(&self) -> usize {
        usize::try_from(self.sections.header.back.get()).unwrap_or(usize::MAX).saturating_add(2)
    }

    /// The most bytes from a position of the filter on that examining it can need: the filter's own eight, those from the
    /// anchor on, and two for the borders.
    pub(crate) fn forward(&self) -> usize {
        usize::try_from(self.sections.header.forward.get()).unwrap_or(usize::MAX).saturating_add(2).max(8)
    }
}

/// The code of a part.
pub(crate) struct PartCode<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) after: &'a [u8],
    pub(crate) prefix: &'a [u8],
    pub(crate) suffix: &'a [u8],
}

fn marks(numbers: &[u8]) -> Option<Vec<Element>> {
    let element = |number: &u8| code::border(*number).map(|(mark, negated)| Element::Mark { mark, negated });
    numbers.iter().map(element).collect()
}
