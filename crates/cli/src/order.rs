//! Results in the order in which the work was found.
//!
//! Workers finish in any order; results are held back here until all before them are there. The room is bounded by count
//! and by memory: when it is full, no new work is begun until the slowest file at its front is done.

use std::collections::VecDeque;

/// How many results may wait.
const LONGEST: usize = 1 << 14;
/// About how many bytes they may hold.
const HEAVIEST: usize = 64 << 20;

/// Results that wait for those before them.
#[derive(Debug)]
pub(crate) struct Order<T> {
    /// The place at the front of `waiting`.
    front: u64,
    waiting: VecDeque<Option<(T, usize)>>,
    weight: usize,
}

impl<T> Order<T> {
    /// Nothing waits.
    pub(crate) fn new() -> Order<T> {
        Order { front: 0, waiting: VecDeque::new(), weight: 0 }
    }

    /// Takes the next place.
    pub(crate) fn open(&mut self) -> u64 {
        self.waiting.push_back(None);
        self.front.saturating_add(u64::try_from(self.waiting.len()).unwrap_or(u64::MAX)).saturating_sub(1)
    }

    /// Fills a place with a result of about `weight` bytes. A place that is not open is left alone.
    pub(crate) fn fill(&mut self, place: u64, result: T, weight: usize) {
        let index = place.checked_sub(self.front).and_then(|index| usize::try_from(index).ok());
        if let Some(slot @ None) = index.and_then(|index| self.waiting.get_mut(index)) {
            *slot = Some((result, weight));
            self.weight = self.weight.saturating_add(weight);
        }
    }

    /// The next result, if it is there.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if !matches!(self.waiting.front(), Some(Some(_))) {
            return None;
        }
        let (result, weight) = self.waiting.pop_front().flatten()?;
        self.front = self.front.saturating_add(1);
        self.weight = self.weight.saturating_sub(weight);
        Some(result)
    }

    /// True if no further place should be taken now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= LONGEST || self.weight >= HEAVIEST
    }

    /// True if no place is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_places() {
        let mut order = Order::new();
        let places: Vec<u64> = (0..4).map(|_| order.open()).collect();
        order.fill(places[2], 'c', 1);
        order.fill(places[1], 'b', 1);
        assert_eq!(order.pop(), None);
        order.fill(places[0], 'a', 1);
        order.fill(places[0], 'x', 1);
        order.fill(99, 'x', 1);
        assert_eq!(std::iter::from_fn(|| order.pop()).collect::<String>(), "abc");
        assert!(!order.is_empty());
        order.fill(places[3], 'd', 1);
        assert_eq!((order.pop(), order.pop(), order.is_empty()), (Some('d'), None, true));
        assert_eq!(order.open(), 4);
    }

    #[test]
    fn the_room_is_bounded_by_count_and_by_memory() {
        let mut order = Order::new();
        let first = order.open();
        let second = order.open();
        order.fill(second, (), HEAVIEST);
        assert!(order.is_full());
        order.fill(first, (), 1);
        order.pop();
        order.pop();
        assert!(!order.is_full());
        (0..LONGEST).for_each(|_| {
            order.open();
        });
        assert!(order.is_full());
    }
}
