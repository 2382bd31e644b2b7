//! What objects say of others, as far as it is known when those are met.

use std::collections::BTreeMap;

use dachs_base::{Budget, Charge};

use super::sight::Hint;

/// Hints that are kept.
const MOST: usize = 1024;
/// Memory for them: names are short.
const MEMORY: u64 = 512 * 1024;

/// Hints by the number of the object.
#[derive(Default)]
pub(super) struct Hints {
    hints: BTreeMap<u64, Hint>,
    memory: Option<Charge>,
}

impl Hints {
    /// Keeps a hint if there is room. Hints give names to members and nothing else, so one that is lost hides nothing.
    pub(super) fn keep(&mut self, number: u64, hint: Hint, budget: &Budget) {
        if self.memory.is_none() {
            self.memory = budget.reserve(MEMORY).ok();
        }
        if self.memory.is_some() && self.hints.len() < MOST {
            self.hints.insert(number, hint);
        }
    }

    pub(super) fn hint(&self, number: u64) -> Option<&Hint> {
        self.hints.get(&number)
    }
}
