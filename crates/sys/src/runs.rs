//! Which pages of a stretch are taken: runs of them are handed out, the first that fits.
//!
//! ```text
//! pages   0 ................ fresh .................. end         one bit each, 1 for taken
//!         taken and given back    never taken, all zero
//! ```
//!
//! Pages that lie beside each other and are given back are one run again, whatever they were before. So the memory that one object
//! used serves the next, in whatever sizes that wants it, and a run often grows in its place. A search goes over 64 pages at a step;
//! the worst one, through a stretch of which every second page is taken, takes some ten microseconds.
//!
//! It knows numbers of pages, no addresses, and touches no memory but its own.

use std::cell::Cell;

/// Pages that one word tells of.
const BITS: usize = 64;

/// The pages of a stretch of `WORDS * 64` pages.
pub(crate) struct Runs<const WORDS: usize> {
    taken: [Cell<u64>; WORDS],
    /// No page before this one is free, or is to be taken.
    lowest: Cell<usize>,
    /// From here on no page was ever taken.
    fresh: Cell<usize>,
}

impl<const WORDS: usize> Runs<WORDS> {
    /// How many pages there are.
    pub(crate) const PAGES: usize = WORDS * BITS;

    /// All free.
    pub(crate) const fn new() -> Runs<WORDS> {
        Runs { taken: [const { Cell::new(0) }; WORDS], lowest: Cell::new(0), fresh: Cell::new(0) }
    }

    /// Takes the first run of `count` free pages: its first page, and how many pages of it were taken before; the others never were.
    pub(crate) fn take(&self, count: usize) -> Option<(usize, usize)> {
        let mut at = self.next(self.lowest.get(), false);
        self.lowest.set(at);
        loop {
            let end = at.checked_add(count).filter(|end| *end <= Self::PAGES)?;
            let obstacle = self.next(at, true);
            if obstacle >= end {
                let used = self.fresh.get().saturating_sub(at).min(count);
                self.mark(at, end, true);
                return Some((at, used));
            }
            at = self.next(obstacle, false);
        }
    }

    /// Leaves out the pages before `start` as long as none of them is given back.
    pub(crate) fn pass_over(&self, start: usize) {
        self.lowest.set(self.lowest.get().max(start));
    }

    /// Takes pages back.
    pub(crate) fn give(&self, start: usize, count: usize) {
        self.mark(start, start.saturating_add(count), false);
        self.lowest.set(self.lowest.get().min(start));
    }

    /// Makes the run at `start` longer or shorter; false if what follows it is taken.
    pub(crate) fn resize(&self, start: usize, count: usize, wanted: usize) -> bool {
        let (end, wanted) = (start.saturating_add(count), start.saturating_add(wanted));
        if wanted <= end {
            self.give(wanted, end - wanted);
            return true;
        }
        let fits = wanted <= Self::PAGES && self.next(end, true) >= wanted;
        if fits {
            self.mark(end, wanted, true);
        }
        fits
    }

    /// The first page from `at` on that is taken, or is not; the number of pages if there is none.
    #[inline]
    fn next(&self, at: usize, taken: bool) -> usize {
        let mut mask = u64::MAX << (at % BITS);
        for (index, word) in self.taken.iter().enumerate().skip(at / BITS) {
            let word = if taken { word.get() } else { !word.get() } & mask;
            if word != 0 {
                return index * BITS + word.trailing_zeros() as usize;
            }
            mask = u64::MAX;
        }
        Self::PAGES
    }

    /// Notes the pages from `start` to `end` as taken, or free.
    fn mark(&self, start: usize, end: usize, taken: bool) {
        let mut at = start;
        while at < end {
            let next = (at / BITS + 1) * BITS;
            let mask = (u64::MAX << (at % BITS)) & if end < next { !(u64::MAX << (end % BITS)) } else { u64::MAX };
            let Some(word) = self.taken.get(at / BITS) else { return };
            word.set(if taken { word.get() | mask } else { word.get() & !mask });
            at = next;
        }
        if taken {
            self.fresh.set(self.fresh.get().max(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of who has each page: what `Runs` must agree with.
    struct Naive(Vec<Option<usize>>);

    impl Naive {
        fn first_fit(&self, count: usize) -> Option<usize> {
            (0..=self.0.len().checked_sub(count)?).find(|at| self.0[*at..at + count].iter().all(Option::is_none))
        }
    }

    #[test]
    fn runs_are_the_first_that_fit_and_nobody_has_a_page_twice() {
        let runs = Runs::<8>::new();
        let mut naive = Naive(vec![None; Runs::<8>::PAGES]);
        let mut ever = vec![false; Runs::<8>::PAGES];
        let mut held: Vec<(usize, usize, usize)> = Vec::new();
        let mut seed = 1_u32;
        for turn in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (number, count) = ((seed >> 16) as usize, (seed >> 8) as usize % [3, 30, 150][turn % 3] + 1);
            if number % 3 == 0 && !held.is_empty() {
                let (name, start, count) = held.swap_remove(number % held.len());
                assert!(naive.0[start..start + count].iter().all(|page| *page == Some(name)));
                runs.give(start, count);
                naive.0[start..start + count].fill(None);
            } else if number % 3 == 1 && !held.is_empty() {
                let index = number % held.len();
                let (name, start, old) = held[index];
                let fits = start + count <= naive.0.len()
                    && naive.0[start + old.min(count)..start + count]
                        .iter()
                        .all(|page| page.is_none() || *page == Some(name));
                assert_eq!(runs.resize(start, old, count), fits);
                if fits {
                    naive.0[start..start + old].fill(None);
                    naive.0[start..start + count].fill(Some(name));
                    ever[start..start + count].fill(true);
                    held[index].2 = count;
                }
            } else {
                let taken = runs.take(count);
                assert_eq!(taken.map(|(start, _)| start), naive.first_fit(count));
                if let Some((start, used)) = taken {
                    assert!(ever[start + used..start + count].iter().all(|used| !used), "{turn}");
                    ever[start..start + count].fill(true);
                    naive.0[start..start + count].fill(Some(turn));
                    held.push((turn, start, count));
                }
            }
        }
        assert!(held.len() > 5);
    }

    #[test]
    fn pages_that_are_passed_over_come_again_with_one_that_is_given_back() {
        let runs = Runs::<2>::new();
        assert_eq!(runs.take(3), Some((0, 0)));
        runs.pass_over(10);
        assert_eq!((runs.take(2), runs.take(2)), (Some((10, 0)), Some((12, 0))));
        runs.give(2, 1);
        assert_eq!((runs.take(2), runs.take(6), runs.take(1)), (Some((2, 2)), Some((4, 6)), Some((14, 0))));
    }

    #[test]
    fn all_pages_can_be_had_at_once_and_no_more() {
        let runs = Runs::<2>::new();
        assert_eq!((runs.take(129), runs.take(128), runs.take(1)), (None, Some((0, 0)), None));
        runs.give(5, 3);
        assert_eq!((runs.take(4), runs.take(3), runs.take(1)), (None, Some((5, 3)), None));
        assert!(!runs.resize(0, 5, 6) && !runs.resize(0, 128, 129) && runs.resize(0, 128, 64));
        assert_eq!(runs.take(usize::MAX), None);
        assert_eq!(runs.take(64), Some((64, 64)));
    }
}
