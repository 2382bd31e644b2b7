//! Which bytes of an archive belong to members, and which members were given already.
//!
//! Members of ordinary archives stand one behind the other, so their spans grow together into one and cost nothing.
//! Spans that do not touch cost memory, which is reserved from the budget. Entries that were given are remembered
//! exactly as long as they are few ([`Coverage::REMEMBERED`]); after that only those that share bytes with others are,
//! because only those can come again.

use std::collections::{BTreeMap, HashSet};

use dachs_base::{Budget, Charge, LimitReached};

/// What makes two entries the same: they decode the same bytes in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) data: u64,
    pub(super) packed: u64,
    pub(super) method: u16,
    pub(super) encrypted: bool,
}

/// How an entry stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Its bytes belong to no other entry.
    New,
    /// Some of its bytes belong to another entry, but it reads them differently.
    Shares,
    /// It was given already.
    Same,
}

/// The spans of members so far.
pub(super) struct Coverage {
    budget: Budget,
    /// Start and end of each span; they neither touch nor overlap.
    spans: BTreeMap<u64, u64>,
    given: HashSet<Key>,
    memory: Vec<Charge>,
    reserved: usize,
}

impl Coverage {
    /// How many entries are remembered although they share no bytes.
    const REMEMBERED: usize = 1 << 14;
    /// What one span or one entry costs in memory, with the overhead of its table.
    const COST: u64 = 64;
    /// Spans and entries that memory is reserved for at once.
    const STEP: usize = 1 << 10;

    /// Nothing is covered.
    pub(super) fn new(budget: &Budget) -> Coverage {
        Coverage {
            budget: budget.clone(),
            spans: BTreeMap::new(),
            given: HashSet::new(),
            memory: Vec::new(),
            reserved: 0,
        }
    }

    /// Covers `start..end` for an entry.
    pub(super) fn claim(&mut self, start: u64, end: u64, key: Key) -> Result<Claim, LimitReached> {
        if self.given.contains(&key) {
            return Ok(Claim::Same);
        }
        let shares = self.touches(start, end);
        if shares || self.given.len() < Coverage::REMEMBERED {
            self.reserve()?;
            self.given.insert(key);
        }
        self.cover(start, end)?;
        Ok(if shares { Claim::Shares } else { Claim::New })
    }

    /// Covers `start..end`, whatever was there.
    pub(super) fn cover(&mut self, start: u64, end: u64) -> Result<(), LimitReached> {
        if start >= end {
            return Ok(());
        }
        self.reserve()?;
        let (mut start, mut end) = (start, end);
        // Every span taken out here was put in once, so this is cheap on average.
        while let Some((&other_start, &other_end)) = self.spans.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.spans.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.spans.insert(start, end);
        Ok(())
    }

    /// True if a byte of `start..end` is covered.
    pub(super) fn touches(&self, start: u64, end: u64) -> bool {
        start < end && self.spans.range(..end).next_back().is_some_and(|(_, other_end)| *other_end > start)
    }

    /// The first stretch at or after `from` that is not covered.
    pub(super) fn gap(&self, from: u64, file_end: u64) -> Option<(u64, u64)> {
        let inside = self.spans.range(..=from).next_back().map_or(from, |(_, end)| (*end).max(from));
        let until = self.spans.range(inside..).next().map_or(file_end, |(start, _)| (*start).min(file_end));
        (inside < until).then_some((inside, until))
    }

    fn reserve(&mut self) -> Result<(), LimitReached> {
        if self.spans.len() + self.given.len() >= self.reserved {
            let step = u64::try_from(Coverage::STEP).unwrap_or(u64::MAX);
            self.memory.push(self.budget.reserve(step * Coverage::COST)?);
            self.reserved += Coverage::STEP;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, NoClock};

    fn coverage() -> Coverage {
        Coverage::new(&Budget::new(Limits::default(), NoClock))
    }

    fn key(data: u64) -> Key {
        Key { data, packed: 1, method: 0, encrypted: false }
    }

    #[test]
    fn spans_agree_with_a_bitmap() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let (mut coverage, mut bitmap) = (coverage(), [false; 64]);
            for _ in 0..random(12) {
                let start = random(60);
                let end = start + random(6);
                let cells = &mut bitmap[usize::try_from(start).unwrap()..usize::try_from(end.min(64)).unwrap()];
                assert_eq!(coverage.touches(start, end), cells.iter().any(|cell| *cell), "{start}..{end}");
                cells.fill(true);
                coverage.cover(start, end).unwrap();
            }
            for from in 0..64usize {
                let start = (from..64).find(|at| !bitmap[*at]);
                let gap = start.map(|start| (start, (start..64).find(|at| bitmap[*at]).unwrap_or(64)));
                let expected = gap.map(|(start, end)| (start as u64, end as u64));
                assert_eq!(coverage.gap(from as u64, 64), expected);
            }
        }
    }

    #[test]
    fn entries_that_touch_cost_one_span() {
        let mut coverage = coverage();
        for number in 0..100_000u64 {
            assert_eq!(coverage.claim(number * 10, number * 10 + 10, key(number)), Ok(Claim::New));
        }
        assert_eq!((coverage.spans.len(), coverage.given.len()), (1, Coverage::REMEMBERED));
        assert_eq!(coverage.gap(5, 2_000_000), Some((1_000_000, 2_000_000)));
    }

    #[test]
    fn the_same_entry_is_known_again() {
        let mut coverage = coverage();
        assert_eq!(coverage.claim(0, 10, key(1)), Ok(Claim::New));
        assert_eq!(coverage.claim(0, 10, key(1)), Ok(Claim::Same));
        assert_eq!(coverage.claim(5, 8, key(2)), Ok(Claim::Shares));
    }

    #[test]
    fn memory_is_refused_and_not_taken() {
        let mut coverage = Coverage::new(&Budget::new(Limits { memory: 70_000, ..Limits::default() }, NoClock));
        let refused = (0..10_000u64).find(|number| coverage.cover(number * 10, number * 10 + 5).is_err());
        assert!(refused.is_some_and(|number| number >= 512));
    }
}
