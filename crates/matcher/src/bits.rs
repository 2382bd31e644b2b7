//! A set of pattern numbers, a bit for each, as long as the largest that was entered.

/// The set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// Bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        self.0.capacity().saturating_mul(8)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn enter(&mut self, number: u32) {
        let word = usize::try_from(number / 64).unwrap_or(0);
        self.0.resize(self.0.len().max(word.saturating_add(1)), 0);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (number % 64);
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        if let Some(word) = usize::try_from(number / 64).ok().and_then(|word| self.0.get_mut(word)) {
            *word &= !(1 << (number % 64));
        }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }
}
