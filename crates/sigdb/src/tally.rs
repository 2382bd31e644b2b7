//! Counts the matches of an object's subsignatures.
//!
//! A target can have a million subsignatures of which an object hits a few. So counters stand in pages of 64, which are
//! made when one of them is hit first; subsignatures of one rule are neighbours. The memory is charged.
//!
//! The matcher reports every start once. For patterns of one part that is what ClamAV counts. Of a pattern of several
//! parts ClamAV counts every find of the last part that completes one, however many starts it completes and however
//! often a start was completed before; so comparisons of such counts with more than none can differ.

use crate::layout::length;
use dachs_base::{Budget, Charge, LimitReached};

/// Counters in a page.
const PAGE: usize = 64;
/// Pages that are charged together.
const STEP: usize = 64;

/// The count of one subsignature.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counter {
    /// How many matches were counted.
    pub(crate) count: u32,
    /// Where the first one starts in the object, in the order of the counting.
    pub(crate) first: u64,
    /// Where the last one starts.
    last: u64,
}

impl Counter {
    /// Counts a match, unless it was counted already: a pattern of one part counts only behind the last match, one of
    /// several parts also at its start.
    pub(crate) fn add(&mut self, start: u64, several_parts: bool) -> bool {
        let counts = self.count == 0 || start > self.last || (several_parts && start == self.last);
        if counts {
            if self.count == 0 {
                self.first = start;
            }
            self.count = self.count.saturating_add(1);
            self.last = start;
        }
        counts
    }
}

/// The counters of one target's subsignatures.
pub(crate) struct Tally {
    /// For each page its number in `pages` plus one; 0 for a page without a match.
    directory: Vec<u32>,
    pages: Vec<[Counter; PAGE]>,
    /// Rules with a match, to be looked at when the object is read; some twice.
    candidates: Vec<u32>,
    charges: Vec<Charge>,
}

impl Tally {
    /// Counters for `count` subsignatures.
    pub(crate) fn new(count: u32, budget: &Budget) -> Result<Tally, LimitReached> {
        let pages = usize::try_from(count).unwrap_or(usize::MAX).div_ceil(PAGE);
        let charge = budget.reserve(length(pages.saturating_mul(size_of::<u32>())))?;
        Ok(Tally { directory: vec![0; pages], pages: Vec::new(), candidates: Vec::new(), charges: vec![charge] })
    }

    /// The counter of a subsignature; `None` if there is no such subsignature.
    pub(crate) fn counter(&mut self, number: u32, budget: &Budget) -> Result<Option<&mut Counter>, LimitReached> {
        let Some((page, index)) = place(number) else { return Ok(None) };
        match self.directory.get(page) {
            None => return Ok(None),
            Some(0) => self.add_page(page, budget)?,
            Some(_) => {}
        }
        let page = self.directory.get(page).and_then(|page| usize::try_from(page.checked_sub(1)?).ok());
        Ok(page.and_then(|page| self.pages.get_mut(page)).and_then(|page| page.get_mut(index)))
    }

    /// The count of a subsignature as it stands.
    pub(crate) fn count(&self, number: u32) -> Counter {
        let counter = place(number).and_then(|(page, index)| {
            let page = usize::try_from(self.directory.get(page)?.checked_sub(1)?).ok()?;
            self.pages.get(page)?.get(index)
        });
        counter.copied().unwrap_or_default()
    }

    /// Remembers that a rule has a match.
    pub(crate) fn remember(&mut self, rule: u32) {
        self.candidates.push(rule);
    }

    /// The rules to be looked at: those with a match, and those of `always`; sorted, each once.
    pub(crate) fn rules(&mut self, always: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut rules = std::mem::take(&mut self.candidates);
        rules.extend(always);
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn add_page(&mut self, page: usize, budget: &Budget) -> Result<(), LimitReached> {
        if self.pages.len().is_multiple_of(STEP) {
            // Each counter can bring its rule into the list of candidates once.
            let bytes = PAGE * (size_of::<Counter>() + size_of::<u32>());
            self.charges.push(budget.reserve(length(STEP * bytes))?);
        }
        self.pages.push([Counter::default(); PAGE]);
        if let (Some(place), Ok(number)) = (self.directory.get_mut(page), u32::try_from(self.pages.len())) {
            *place = number;
        }
        Ok(())
    }
}

fn place(number: u32) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok()?;
    Some((number / PAGE, number % PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, NoClock};

    #[test]
    fn matches_count_once() {
        // starts as they come, several parts, how many count
        for (starts, several, count) in [
            (&[3_u64, 3, 4][..], false, 2),
            (&[3, 3, 4], true, 3),
            (&[9, 3, 10], false, 2),
            (&[9, 3, 9], true, 2),
            (&[0, 0], false, 1),
            (&[u64::MAX, u64::MAX], true, 2),
        ] {
            let mut counter = Counter::default();
            for start in starts {
                counter.add(*start, several);
            }
            assert_eq!((counter.count, counter.first), (count, starts[0]), "{starts:?}");
        }
    }

    #[test]
    fn memory_is_charged() {
        let budget = Budget::new(Limits { memory: 200_000, ..Limits::default() }, NoClock);
        let mut tally = Tally::new(1_000_000, &budget).unwrap();
        assert!(tally.counter(999_999, &budget).unwrap().unwrap().add(7, false));
        assert_eq!((tally.count(999_999).count, tally.count(999_998).count, tally.count(5).count), (1, 0, 0));
        assert!(tally.counter(1_000_000, &budget).unwrap().is_none());
        let refused = (0..999_999).find(|number| tally.counter(*number, &budget).is_err());
        assert!(refused.is_some_and(|number| number >= 63 * 64));
        assert!(Tally::new(u32::MAX, &budget).is_err());
    }
}
