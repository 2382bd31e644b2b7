//! Counts the matches of an object's subsignatures.
//!
//! A target can have a million subsignatures of which an object hits a few. So counters stand in pages of 64, which are
//! made when one of them is hit first; subsignatures of one rule are neighbours. The memory is charged.
//!
//! The matcher reports every start once. For patterns of one part that is what ClamAV counts; where the number of matches
//! of a pattern of several parts matters, [`crate::recount`] finds it out.
//!
//! Where a macro needs to know all starts of a subsignature, or of the members of a group, these are kept, up to
//! [`MOST_STARTS`] of an object.

use crate::layout::length;
use dachs_base::{Budget, Charge, Limit, LimitReached};
use std::collections::BTreeMap;

/// Counters in a page.
const PAGE: usize = 64;
/// Pages that are charged together.
const STEP: usize = 64;
/// Starts that are kept of one object.
const MOST_STARTS: usize = 1 << 16;

/// The count of one subsignature.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counter {
    /// How many matches were counted.
    pub(crate) count: u32,
    /// Where the first one starts in the object, in the order of the counting.
    pub(crate) first: u64,
    /// Where the last one starts.
    pub(crate) last: u64,
    /// A herald of the subsignature was found.
    pub(crate) heralded: bool,
}

/// The starts that are kept for macros.
#[derive(Default)]
struct Starts {
    subsignatures: BTreeMap<u32, Vec<u64>>,
    groups: BTreeMap<u8, Vec<u64>>,
    count: usize,
    charge: Option<Charge>,
}

impl Starts {
    /// Makes room for one more.
    fn enter(&mut self, budget: &Budget) -> Result<(), LimitReached> {
        if self.count >= MOST_STARTS {
            return Err(LimitReached { limit: Limit::Steps, allowed: length(MOST_STARTS) });
        }
        if self.charge.is_none() {
            self.charge = Some(budget.reserve(length(MOST_STARTS.saturating_mul(2 * size_of::<u64>())))?);
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
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
#[derive(Default)]
pub(crate) struct Tally {
    /// For each page its number in `pages` plus one; 0 for a page without a match.
    directory: Vec<u32>,
    pages: Vec<[Counter; PAGE]>,
    /// Rules with a match, to be looked at when the object is read; some twice.
    candidates: Vec<u32>,
    starts: Starts,
    charges: Vec<Charge>,
}

impl Tally {
    /// Counters for `count` subsignatures.
    pub(crate) fn new(count: u32, budget: &Budget) -> Result<Tally, LimitReached> {
        let pages = usize::try_from(count).unwrap_or(usize::MAX).div_ceil(PAGE);
        let charge = budget.reserve(length(pages.saturating_mul(size_of::<u32>())))?;
        Ok(Tally {
            directory: vec![0; pages],
            pages: Vec::new(),
            candidates: Vec::new(),
            starts: Starts::default(),
            charges: vec![charge],
        })
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

    /// Sets what was counted of a subsignature.
    pub(crate) fn set(&mut self, number: u32, counted: Counter, budget: &Budget) -> Result<(), LimitReached> {
        if let Some(counter) = self.counter(number, budget)? {
            *counter = counted;
        }
        Ok(())
    }

    /// Keeps where a match of a subsignature starts.
    pub(crate) fn keep(&mut self, number: u32, start: u64, budget: &Budget) -> Result<(), LimitReached> {
        self.starts.enter(budget)?;
        self.starts.subsignatures.entry(number).or_default().push(start);
        Ok(())
    }

    /// Where the matches of a subsignature start that were kept, in the order in which they were found.
    pub(crate) fn kept(&self, number: u32) -> &[u64] {
        self.starts.subsignatures.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Keeps where a match of a member of a group starts.
    pub(crate) fn keep_member(&mut self, group: u8, start: u64, budget: &Budget) -> Result<(), LimitReached> {
        self.starts.enter(budget)?;
        self.starts.groups.entry(group).or_default().push(start);
        Ok(())
    }

    /// Where members of `group` start that lie from `min` to `max` bytes behind a match of subsignature `before`; sorted.
    pub(crate) fn members(&mut self, before: u32, group: u8, min: u64, max: u64) -> Vec<u64> {
        let Starts { subsignatures, groups, .. } = &mut self.starts;
        let (Some(before), Some(members)) = (subsignatures.get_mut(&before), groups.get_mut(&group)) else {
            return Vec::new();
        };
        before.sort_unstable();
        members.sort_unstable();
        members.dedup();
        let reached = |member: &&u64| {
            let first = before.partition_point(|start| start.saturating_add(max) < **member);
            before.get(first).is_some_and(|start| start.saturating_add(min) <= **member)
        };
        members.iter().filter(reached).copied().collect()
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
