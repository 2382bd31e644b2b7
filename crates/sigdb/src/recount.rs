//! Counts the matches of patterns of several parts, as ClamAV counts them.
//!
//! A pattern of several parts is fulfilled by each find of its last part that some find of the part before it reaches, and
//! so on to its first part. The matcher reports every start once, which says that there is a match but not how often; so
//! where a number of such matches matters, the object is read once more for the parts alone:
//!
//! ```text
//! 6162 * 6364     ab .. ab .. cd .. cd        two matches, which both begin at the first ab
//! ```
//!
//! Of each part but the last, the latest [`KEPT`] finds are remembered; a match starts where the oldest of those that fit
//! starts. A match that starts before the last one does not count. This was observed on ClamAV 1.4.6: 1,600 random patterns
//! and files without a difference.

use crate::layout::length;
use crate::tally::Counter;
use crate::windows::Windows;
use dachs_base::{Budget, LimitReached, Source};
use dachs_matcher::pattern::{Element, Pattern};
use dachs_matcher::{Builder, Flow, Patterns, State};
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Finds of a part that are remembered.
const KEPT: usize = 8;
/// A fixed gap from this length on parts a pattern, as an open one does.
const PARTING_GAP: u32 = 128;
/// `[x-y]` within a part reaches no farther.
const INNER_GAP: u32 = 32;
/// Finds that are sorted together.
const TOGETHER: usize = 1 << 14;

/// The gap before a part.
type Gap = (u32, Option<u32>);

/// Does the pattern have a border of parts: a gap that is open or long?
pub(crate) fn has_several_parts(pattern: &Pattern) -> bool {
    pattern.elements.iter().any(|element| parting(element).is_some())
}

fn parting(element: &Element) -> Option<Gap> {
    match element {
        Element::Gap { min, max } if *max != Some(*min) || *min >= PARTING_GAP => Some((*min, *max)),
        _ => None,
    }
}

/// The parts of the patterns of a subsignature, ready to be looked for.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What the matcher looks for.
    set: Vec<u8>,
    /// For each part, its pattern and its place in that.
    owners: Vec<(usize, usize)>,
    /// For each pattern, the gaps before its parts.
    gaps: Vec<Vec<Gap>>,
}

impl Parts {
    /// Those of these patterns; absent if they cannot be looked for by themselves.
    pub(crate) fn new(patterns: &[Pattern]) -> Option<Parts> {
        let mut builder = Builder::new();
        let (mut owners, mut gaps) = (Vec::new(), Vec::new());
        for (chain, pattern) in patterns.iter().enumerate() {
            let parts = parts(&pattern.elements);
            for (order, (_, elements)) in parts.iter().enumerate() {
                builder.add(&Pattern { elements: elements.clone() }).ok()?;
                owners.push((chain, order));
            }
            gaps.push(parts.into_iter().map(|(gap, _)| gap).collect());
        }
        Some(Parts { set: builder.finish(), owners, gaps })
    }

    /// Bytes that it takes, roughly.
    pub(crate) fn memory(&self) -> usize {
        let places = self.owners.len().saturating_mul(size_of::<(usize, usize)>().saturating_add(size_of::<Gap>()));
        self.set.len().saturating_add(places)
    }
}

/// The matches of the patterns of these parts that start within `starts`. Counting ends when there are more than `most`. Absent if
/// they cannot be counted.
pub(crate) fn count(
    parts: &Parts,
    starts: &RangeInclusive<u64>,
    most: u32,
    source: &dyn Source,
    budget: &Budget,
) -> Result<Option<Counter>, LimitReached> {
    let Ok(set) = Patterns::new(&parts.set) else { return Ok(None) };
    let chain = |gaps: &Vec<Gap>| Chain { open: vec![VecDeque::new(); gaps.len()], gaps: gaps.clone() };
    let chains = parts.gaps.iter().map(chain).collect();
    let mut recount = Recount { chains, starts, most, counter: Counter::default() };
    recount.read(&set, &parts.owners, source, budget)?;
    Ok(Some(recount.counter))
}

/// The parts of a pattern, each with the gap before it.
fn parts(elements: &[Element]) -> Vec<(Gap, Vec<Element>)> {
    let mut parts: Vec<(Gap, Vec<Element>)> = vec![((0, Some(0)), Vec::new())];
    for element in elements {
        match (parting(element), parts.last_mut()) {
            (Some(gap), _) => parts.push((gap, Vec::new())),
            (None, Some((_, part))) => part.push(element.clone()),
            (None, None) => {}
        }
    }
    while parts.len() > 1
        && let Some(at) = parts.iter().position(|(_, part)| !is_part(part))
    {
        let after = at.saturating_add(1);
        let near = parts.get(after).is_some_and(|((_, max), _)| max.is_some_and(|max| max <= INNER_GAP));
        join(&mut parts, if at == 0 || near { after } else { at });
    }
    parts
}

/// Joins a part to the one before it.
fn join(parts: &mut Vec<(Gap, Vec<Element>)>, at: usize) {
    let at = at.min(parts.len().saturating_sub(1));
    let ((min, max), elements) = parts.remove(at);
    if let Some((_, before)) = at.checked_sub(1).and_then(|at| parts.get_mut(at)) {
        before.push(Element::Gap { min, max });
        before.extend(elements);
    }
}

/// Are there two known bytes in succession?
fn is_part(elements: &[Element]) -> bool {
    let known = |element: &Element| matches!(element, Element::Byte { mask: 0xFF, .. } | Element::Folded(_));
    elements.windows(2).any(|pair| pair.iter().all(known))
}

/// A part that was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Find {
    start: u64,
    part: u32,
    end: u64,
}

/// One pattern: for each part the gap before it and its latest finds, as the start of the match and the end of the part.
struct Chain {
    gaps: Vec<Gap>,
    open: Vec<VecDeque<(u64, u64)>>,
}

impl Chain {
    /// Where the match starts that this find of a part completes, if it is the last part.
    fn find(&mut self, order: usize, find: &Find) -> Option<u64> {
        let start = match order.checked_sub(1) {
            None => find.start,
            Some(before) => {
                let (min, max) = *self.gaps.get(order)?;
                let fits = |end: u64| {
                    let gap = find.start.checked_sub(end);
                    gap.is_some_and(|gap| gap >= u64::from(min) && max.is_none_or(|max| gap <= u64::from(max)))
                };
                self.open.get(before)?.iter().find(|(_, end)| fits(*end))?.0
            }
        };
        if order.saturating_add(1) == self.gaps.len() {
            return Some(start);
        }
        let open = self.open.get_mut(order)?;
        if open.len() >= KEPT {
            open.pop_front();
        }
        open.push_back((start, find.end));
        None
    }
}

struct Recount<'s> {
    chains: Vec<Chain>,
    starts: &'s RangeInclusive<u64>,
    most: u32,
    counter: Counter,
}

impl Recount<'_> {
    fn read(
        &mut self,
        set: &Patterns<'_>,
        owners: &[(usize, usize)],
        source: &dyn Source,
        budget: &Budget,
    ) -> Result<(), LimitReached> {
        let overlap = length(set.overlap());
        let mut windows = Windows::new(source, set.overlap(), budget)?;
        let mut state = State::new();
        let mut finds: Vec<Find> = Vec::new();
        let mut full = TOGETHER;
        loop {
            budget.check_time()?;
            let last = windows.read(budget)?;
            let flow = set.scan(&mut state, windows.window(last), &mut |hit| {
                finds.push(Find { start: hit.start, part: hit.pattern, end: hit.end });
                if finds.len() < full {
                    return Flow::Go;
                }
                let flow = self.settle(&mut finds, hit.start.saturating_sub(overlap), owners);
                full = finds.len().saturating_mul(2).max(TOGETHER);
                flow
            });
            if flow == Flow::Stop {
                return Ok(());
            }
            if last {
                self.settle(&mut finds, u64::MAX, owners);
                return Ok(());
            }
        }
    }

    /// Takes the finds that start before `until`, in the order of their starts.
    fn settle(&mut self, finds: &mut Vec<Find>, until: u64, owners: &[(usize, usize)]) -> Flow {
        finds.sort_unstable();
        let count = finds.partition_point(|find| find.start < until);
        for find in finds.drain(..count) {
            self.take(&find, owners);
            if self.counter.count > self.most {
                return Flow::Stop;
            }
        }
        Flow::Go
    }

    fn take(&mut self, find: &Find, owners: &[(usize, usize)]) {
        let owner = usize::try_from(find.part).ok().and_then(|part| owners.get(part));
        let Some((chain, order)) = owner.and_then(|(chain, order)| Some((self.chains.get_mut(*chain)?, *order))) else {
            return;
        };
        if order == 0 && !self.starts.contains(&find.start) {
            return;
        }
        if let Some(start) = chain.find(order, find) {
            self.counter.add(start, chain.gaps.len() > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    fn pattern(text: &str) -> Pattern {
        let element = |byte: u8| match byte {
            b'*' => Element::Gap { min: 0, max: None },
            b'-' => Element::Gap { min: 2, max: Some(5) },
            b'~' => Element::Gap { min: 1, max: Some(2) },
            b'?' => Element::Gap { min: 2, max: Some(2) },
            value => Element::Byte { value, mask: 0xFF },
        };
        Pattern { elements: text.bytes().map(element).collect() }
    }

    fn counted(texts: &[&str], bytes: &[u8]) -> (u32, u64) {
        let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
        let budget = Budget::new(Limits::default(), NoClock);
        let parts = Parts::new(&patterns).unwrap();
        let counter = count(&parts, &(0..=u64::MAX), u32::MAX, &Memory::new(bytes), &budget).unwrap().unwrap();
        (counter.count, counter.last)
    }

    /// The answers of ClamAV 1.4.6.
    #[test]
    fn every_completion_counts() {
        let table: &[(&[&str], &[u8], u32, u64)] = &[
            (&["ab*cd"], b"..ab..ab..cd..cd", 2, 2),
            (&["ab*cd"], b"cd..ab..ab", 0, 0),
            (&["ab-cd"], b"ab..cd.ab.cd.cd", 2, 7),
            (&["ab*ab"], b"abababab", 3, 0),
            (&["ab*cd*ef"], b"ab cd ef cd ef ef", 3, 0),
            (&["ab*cd", "ab*ef"], b"ab cd ef", 2, 0),
            (&["ab?cd"], b"ab12cd ab12cd", 2, 7),
        ];
        for (texts, bytes, times, last) in table {
            assert_eq!(counted(texts, bytes), (*times, *last), "{texts:?} {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_byte_apart_belongs_to_its_part() {
        for (text, count) in [("a~bcd*ef", 2), ("ef*bcd~a", 2), ("ef*a~bcd", 2), ("ab*c~def", 2), ("a~bcd", 1)] {
            assert_eq!(parts(&pattern(text).elements).len(), count, "{text}");
        }
        assert_eq!(counted(&["a~bcd*ef"], b"a.bcd ef ef"), (2, 0));
    }

    #[test]
    fn large_objects_are_counted_in_pieces() {
        let bytes = b"ab.cd.".repeat(50_000);
        assert_eq!(counted(&["ab*cd"], &bytes).0, 50_000);
        let zeros = vec![0; 300_000];
        assert_eq!(counted(&["\0\0*\0\0\0"], &zeros).0, 299_996);
    }
}
