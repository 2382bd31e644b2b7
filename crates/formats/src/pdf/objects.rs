//! Object streams (ISO 32000-1 7.5.7): a table of numbers and offsets, then the objects themselves.
//!
//! Objects are read where the table says they stand, as every reader does. How much is read in all is bounded, because
//! entries may point to the same bytes.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, LimitReached, Part, Source};

use super::growing;
use super::sight::{self, Contents};
use super::syntax;
use super::window::Window;

/// Bytes that may be read more often than once.
const AGAIN: u64 = 1 << 20;

/// The objects of one stream.
pub(super) struct Objects {
    source: Arc<dyn Source>,
    window: Window,
    budget: Budget,
    /// Where the table goes on.
    table: u64,
    /// Where the objects begin.
    first: u64,
    read: u64,
    farthest: u64,
}

/// An object in an object stream.
pub(super) enum Sighting {
    /// Its number, what it holds, and its bytes.
    Object(u64, Contents, Part),
    Trouble(Anomaly),
    End,
}

impl Objects {
    pub(super) fn new(source: &Arc<dyn Source>, first: u64, budget: &Budget) -> Objects {
        let window = Window::new(source, budget);
        let (source, budget) = (Arc::clone(source), budget.clone());
        Objects { source, window, budget, table: 0, first, read: 0, farthest: 0 }
    }

    /// The next object.
    ///
    /// # Errors
    /// When the budget is used up.
    pub(super) fn next_object(&mut self) -> Result<Sighting, LimitReached> {
        let broken = "the table of an object stream is broken";
        let Some(number) = self.number()? else {
            return Ok(if self.table < self.first { self.stop(broken) } else { Sighting::End });
        };
        let Some(offset) = self.number()? else { return Ok(self.stop(broken)) };
        let at = self.first.saturating_add(offset);
        let parsed = growing(&mut self.window, &self.budget, at, &mut |bytes, whole| {
            let object = syntax::value(bytes, whole)?;
            Ok((sight::contents(&object.value, &|text| vec![text]), object.length, object.inner))
        })?;
        let Ok((contents, length, inner)) = parsed else {
            return Ok(Sighting::Trouble(Anomaly::unsupported("an object in an object stream is too large")));
        };
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.read = self.read.saturating_add(length);
        self.farthest = self.farthest.max(at.saturating_add(length));
        if self.read > self.farthest.saturating_mul(4).saturating_add(AGAIN) {
            return Ok(self.stop("the objects of an object stream overlap too much"));
        }
        let inner = u64::try_from(inner).unwrap_or(u64::MAX);
        Ok(Sighting::Object(number, contents, Part::new(Arc::clone(&self.source), at, inner)))
    }

    fn stop(&mut self, detail: &'static str) -> Sighting {
        self.table = self.first;
        Sighting::Trouble(Anomaly::damaged(detail))
    }

    /// The next number of the table; none at its end.
    fn number(&mut self) -> Result<Option<u64>, LimitReached> {
        while self.table < self.first {
            let (bytes, ended) = self.window.view(self.table, 64)?;
            let bytes = bytes.get(..64).unwrap_or(bytes);
            let blanks = bytes.iter().take_while(|byte| syntax::is_space(**byte)).count();
            if blanks == 0 {
                let Ok(object) = syntax::value(bytes, ended) else { return Ok(None) };
                let number = object.value.as_integer().and_then(|number| u64::try_from(number).ok());
                let length = if number.is_some() { object.length } else { 0 };
                self.table = self.table.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                return Ok(number);
            }
            self.table = self.table.saturating_add(u64::try_from(blanks).unwrap_or(u64::MAX));
        }
        Ok(None)
    }
}
