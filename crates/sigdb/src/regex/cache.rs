//! Expressions that were compiled, by place.

use super::Compiled;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that compiled expressions may take together. All five hundred of a real database take 7 MB.
const KEPT: usize = 32 << 20;

/// Expressions that were compiled, by place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    compiled: BTreeMap<u32, Arc<Compiled>>,
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
        let bytes = compiled.memory();
        if kept.bytes.saturating_add(bytes) > KEPT {
            *kept = Kept::default();
        }
        kept.bytes = kept.bytes.saturating_add(bytes);
        kept.compiled.insert(place, Arc::clone(&compiled));
        Some(compiled)
    }
}
