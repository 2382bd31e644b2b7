//! A queue that is fair between clients: each in turn gives its oldest item.
//!
//! ```text
//! a: 1 4 5 6 7      take: 1 (a)  2 (b)  3 (c)  4 (a)  5 (a) …
//! b: 2              a client with much to do waits for itself, not the others for it
//! c: 3
//! ```

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Items that wait, by client.
#[derive(Debug)]
pub(crate) struct Fair<C, T> {
    waiting: HashMap<C, VecDeque<T>>,
    /// Clients with something waiting, the next one first.
    turns: VecDeque<C>,
    count: usize,
}

impl<C: Clone + Eq + Hash, T> Fair<C, T> {
    pub(crate) fn new() -> Fair<C, T> {
        Fair { waiting: HashMap::new(), turns: VecDeque::new(), count: 0 }
    }

    pub(crate) fn push(&mut self, client: C, item: T) {
        let items = self.waiting.entry(client.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(client);
        }
        items.push_back(item);
        self.count += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.pop_of(|_| true).map(|(_, item)| item)
    }

    /// The next item of a client that may, and the client.
    pub(crate) fn pop_of(&mut self, may: impl Fn(&C) -> bool) -> Option<(C, T)> {
        let client = self.turns.remove(self.turns.iter().position(may)?)?;
        let items = self.waiting.get_mut(&client)?;
        let item = items.pop_front();
        self.count -= 1;
        if items.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client.clone());
        }
        item.map(|item| (client, item))
    }

    /// Takes out one item of a client.
    pub(crate) fn remove(&mut self, client: &C, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let items = self.waiting.get_mut(client)?;
        let item = items.remove(items.iter().position(is_it)?);
        self.count -= 1;
        if items.is_empty() {
            self.waiting.remove(client);
            self.turns.retain(|other| other != client);
        }
        item
    }

    /// True if a client may add an item where `most` may wait: it has no more than its share. A client with nothing
    /// waiting may always.
    pub(crate) fn has_room(&self, client: &C, most: usize) -> bool {
        let own = self.waiting.get(client).map_or(0, VecDeque::len);
        let others = self.turns.len() - usize::from(own > 0);
        own < (most / (others + 1)).max(1)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_in_turn() {
        let mut fair = Fair::new();
        for (client, item) in [('a', 1), ('b', 2), ('c', 3), ('a', 4), ('a', 5), ('b', 6)] {
            fair.push(client, item);
        }
        assert_eq!(fair.remove(&'b', |item| *item == 6), Some(6));
        assert_eq!(fair.remove(&'x', |_| true), None);
        assert_eq!(std::iter::from_fn(|| fair.pop()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((fair.len(), fair.waiting.len(), fair.turns.len()), (0, 0, 0));
    }

    #[test]
    fn who_may_not_keeps_its_turn() {
        let mut fair = Fair::new();
        for (client, item) in [('a', 1), ('b', 2), ('a', 3)] {
            fair.push(client, item);
        }
        assert_eq!(fair.pop_of(|client| *client != 'a'), Some(('b', 2)));
        assert_eq!(fair.pop_of(|client| *client != 'a'), None);
        assert_eq!((fair.pop(), fair.pop(), fair.pop()), (Some(1), Some(3), None));
    }

    #[test]
    fn removing_the_last_item_ends_the_turn() {
        let mut fair = Fair::new();
        fair.push('a', 1);
        fair.remove(&'a', |_| true);
        fair.push('b', 2);
        assert_eq!((fair.pop(), fair.pop()), (Some(2), None));
    }

    #[test]
    fn nobody_fills_the_room_for_others() {
        let mut fair = Fair::new();
        while fair.has_room(&'a', 10) {
            fair.push('a', 0);
        }
        assert_eq!(fair.len(), 10);
        assert!(fair.has_room(&'b', 10));
        while fair.has_room(&'b', 10) {
            fair.push('b', 0);
        }
        assert_eq!(fair.len(), 15);
        assert!(fair.has_room(&'c', 10));
    }
}
