//! Declared names and their scopes.

use std::collections::HashMap;

/// Functions in functions whose scopes are told apart; what is deeper shares one.
const DEEPEST: u32 = 200;

/// The scopes of a script: 0 is the outermost.
pub(super) struct Names {
    words: HashMap<Box<[u8]>, u32>,
    numbers: HashMap<(u32, u32), u32>,
    /// For each scope, the one around it and how deep it is.
    scopes: Vec<(u32, u32)>,
    next: u32,
}

impl Names {
    pub(super) fn new() -> Names {
        Names { words: HashMap::new(), numbers: HashMap::new(), scopes: vec![(0, 0)], next: 0 }
    }

    /// A scope inside of another.
    pub(super) fn scope(&mut self, around: u32) -> u32 {
        let (_, depth) = self.scopes.get(as_index(around)).copied().unwrap_or_default();
        if depth >= DEEPEST {
            return around;
        }
        self.scopes.push((around, depth + 1));
        u32::try_from(self.scopes.len() - 1).unwrap_or(u32::MAX)
    }

    /// The scope around one.
    pub(super) fn around(&self, scope: u32) -> u32 {
        self.scopes.get(as_index(scope)).map_or(0, |(around, _)| *around)
    }

    /// Gives a name the next number in a scope, also if it has one there.
    pub(super) fn declare(&mut self, name: &[u8], scope: u32) {
        let fresh = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let word = match self.words.get(name) {
            Some(word) => *word,
            None => *self.words.entry(name.into()).or_insert(fresh),
        };
        self.numbers.insert((scope, word), self.next);
        self.next = self.next.saturating_add(1);
    }

    /// The number of a name, as it is seen from a scope.
    pub(super) fn number(&self, name: &[u8], scope: u32) -> Option<u32> {
        let word = *self.words.get(name)?;
        let mut scope = scope;
        loop {
            if let Some(number) = self.numbers.get(&(scope, word)) {
                return Some(*number);
            }
            let around = self.around(scope);
            if around == scope {
                return None;
            }
            scope = around;
        }
    }

    /// Bytes of memory, about.
    pub(super) fn memory(&self) -> usize {
        let entries = self.words.len().saturating_mul(96).saturating_add(self.numbers.len().saturating_mul(32));
        entries.saturating_add(self.scopes.len().saturating_mul(16))
    }
}

fn as_index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
