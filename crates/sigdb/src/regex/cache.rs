//! Expressions that were compiled, by place, and the parts of patterns whose matches were counted, by subsignature.

use super::{Compiled, Ending, LONGEST, linear_text, parse};
use crate::recount::Parts;
use dachs_matcher::pattern::Pattern;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that compiled expressions may take together. All five hundred of a real database take 7 MB.
const KEPT: usize = 32 << 20;
/// Bytes that an entry takes besides, roughly.
const ENTRY: usize = 64;

/// Expressions that were compiled, by place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    compiled: BTreeMap<u32, Arc<Compiled>>,
    endings: BTreeMap<u32, Option<Arc<Ending>>>,
    parts: BTreeMap<u32, Option<Arc<Parts>>>,
    bytes: usize,
}

impl Cache {
    /// The compiled form of the expression at a place; absent if it is none.
    pub(crate) fn compiled(&self, place: u32, text: &str, flags: &str) -> Option<Arc<Compiled>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = kept.compiled.get(&place) {
            return Some(Arc::clone(compiled));
        }
        let compiled = Arc::new(Compiled::when_needed(text, flags).ok()?);
        kept.make_room(compiled.memory());
        kept.compiled.insert(place, Arc::clone(&compiled));
        Some(compiled)
    }

    /// What stands before a stretch in the expression at a place; absent if that is not known.
    pub(crate) fn ending(&self, place: u32, text: &str, flags: &str) -> Option<Arc<Ending>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ending) = kept.endings.get(&place) {
            return ending.clone();
        }
        let text = Some(text).filter(|text| text.len() <= LONGEST);
        let hir = text.and_then(|text| linear_text(text, flags)).and_then(|text| parse(&text, flags));
        let ending = hir.and_then(|hir| Ending::of(&hir)).map(Arc::new);
        kept.make_room(ending.as_ref().map_or(0, |ending| ending.memory()).saturating_add(ENTRY));
        kept.endings.insert(place, ending.clone());
        ending
    }

    /// The parts of a subsignature's patterns; absent if they cannot be looked for by themselves, or there are none.
    pub(crate) fn parts(&self, number: u32, patterns: impl FnOnce() -> Option<Vec<Pattern>>) -> Option<Arc<Parts>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parts) = kept.parts.get(&number) {
            return parts.clone();
        }
        let parts = patterns().and_then(|patterns| Parts::new(&patterns)).map(Arc::new);
        kept.make_room(parts.as_ref().map_or(0, |parts| parts.memory()).saturating_add(ENTRY));
        kept.parts.insert(number, parts.clone());
        parts
    }
}

impl Kept {
    /// Forgets everything if so many bytes more would be too many.
    fn make_room(&mut self, bytes: usize) {
        if self.bytes.saturating_add(bytes) > KEPT {
            *self = Kept::default();
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
