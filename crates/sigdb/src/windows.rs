//! Reads an object front to back in windows that overlap, into one buffer, and jumps over holes.
//!
//! ```text
//! object   |=============window============|
//!                                 |overlap|=============window============|
//! ```
//!
//! An object that is held in memory is one window, of its own bytes.
//!
//! A hole is a stretch that the source knows to be zero. A match that crosses its border lies within `overlap` bytes of
//! it, so of a hole only its first and its last `overlap` bytes are given out, and no bytes are read for it.

use crate::layout::length;
use dachs_base::{Budget, Charge, HELD, LimitReached, Source};
use dachs_matcher::Window;

/// Fresh bytes in a window: few enough to stay in a core's second cache until they are scanned.
const FULL: usize = 1 << 18;
/// Fresh bytes where memory is short, and of the first window where the object's size is not known.
const SMALL: usize = 1 << 16;
/// Holes have to be longer than this, and four overlaps, to be worth a jump.
const WORTH: u64 = 1 << 16;

/// The windows of one object.
pub(crate) struct Windows<'s> {
    source: &'s dyn Source,
    overlap: usize,
    /// The whole object, if it is in memory anyway; then there is no buffer.
    held: Option<&'s [u8]>,
    buffer: Vec<u8>,
    /// Bytes of the buffer, or of what is held, that are in the window.
    filled: usize,
    /// Bytes of the window that were in the one before.
    kept: usize,
    /// Where in the object the window starts.
    base: u64,
    charges: Vec<Charge>,
}

impl<'s> Windows<'s> {
    /// Windows over all of `source`.
    pub(crate) fn new(source: &'s dyn Source, overlap: usize, budget: &Budget) -> Result<Windows<'s>, LimitReached> {
        let held = source.held().filter(|held| length(held.len()) <= HELD);
        let mut windows =
            Windows { source, overlap, held, buffer: Vec::new(), filled: 0, kept: 0, base: 0, charges: Vec::new() };
        if held.is_some() {
            return Ok(windows);
        }
        let known = source.known_len().map(|known| usize::try_from(known).unwrap_or(usize::MAX).saturating_add(1));
        match known {
            // The whole object is one window, and one byte more shows that it ends there.
            Some(whole) if whole <= FULL => windows.enlarge(whole, budget)?,
            Some(_) => windows.make_room(budget)?,
            None => windows.enlarge(windows.room(SMALL), budget)?,
        }
        Ok(windows)
    }

    /// Reads the next window. True if it is the last.
    pub(crate) fn read(&mut self, budget: &Budget) -> Result<bool, LimitReached> {
        if let Some(held) = self.held {
            self.filled = held.len();
            return Ok(true);
        }
        if self.base == 0 && self.filled > 0 {
            self.make_room(budget)?;
        }
        self.keep();
        let Some(place) = self.buffer.get_mut(self.kept..) else { return Ok(true) };
        let got = self.source.read_at(self.base.saturating_add(length(self.kept)), place).min(place.len());
        self.filled = self.kept.saturating_add(got);
        Ok(self.filled < self.buffer.len())
    }

    /// Where a hole ends that starts behind the window, if it is worth a jump.
    pub(crate) fn hole(&self) -> Option<u64> {
        if self.held.is_some() {
            return None;
        }
        let (position, known) = (self.position(), self.source.known_len()?);
        let worth = length(self.overlap).saturating_mul(4).max(WORTH);
        // Where no hole can be long enough, nobody is asked.
        if known.saturating_sub(position) <= worth {
            return None;
        }
        let data = self.source.next_data(position).min(known);
        (data.saturating_sub(position) > worth && self.buffer.len() >= self.overlap.saturating_mul(2)).then_some(data)
    }

    /// Makes the next window of the first zeros of a hole.
    pub(crate) fn enter_hole(&mut self) {
        self.keep();
        self.filled = self.kept.saturating_add(self.overlap).min(self.buffer.len());
        if let Some(zeros) = self.buffer.get_mut(self.kept..self.filled) {
            zeros.fill(0);
        }
    }

    /// Jumps to the end of a hole. The next window starts with its last zeros.
    pub(crate) fn leave_hole(&mut self, end: u64) {
        let zeros = self.overlap.min(self.buffer.len());
        self.base = end.saturating_sub(length(zeros));
        self.filled = zeros;
        self.kept = zeros;
        if let Some(zeros) = self.buffer.get_mut(..zeros) {
            zeros.fill(0);
        }
    }

    /// The window.
    pub(crate) fn window(&self, last: bool) -> Window<'_> {
        Window { bytes: self.bytes().get(..self.filled).unwrap_or(&[]), base: self.base, last }
    }

    /// The object, if it is in one window.
    pub(crate) fn whole(&self) -> Option<Window<'_>> {
        let ended = self.held.is_some() || self.filled < self.buffer.len();
        (self.base == 0 && ended).then(|| self.window(true))
    }

    /// Those bytes of the window that were not in the one before.
    pub(crate) fn fresh(&self) -> &[u8] {
        self.bytes().get(self.kept..self.filled).unwrap_or(&[])
    }

    fn bytes(&self) -> &[u8] {
        self.held.unwrap_or(&self.buffer)
    }

    /// The offset behind the window.
    pub(crate) fn position(&self) -> u64 {
        self.base.saturating_add(length(self.filled))
    }

    /// Moves the end of the window to the start of the buffer.
    fn keep(&mut self) {
        self.kept = self.overlap.min(self.filled);
        let moved = self.filled.saturating_sub(self.kept);
        if moved < self.filled {
            self.buffer.copy_within(moved..self.filled, 0);
        }
        self.base = self.base.saturating_add(length(moved));
        self.filled = self.kept;
    }

    /// Makes the buffer large enough for any number of windows; a small one will do where memory is short.
    fn make_room(&mut self, budget: &Budget) -> Result<(), LimitReached> {
        self.enlarge(self.room(FULL), budget).or_else(|_| self.enlarge(self.room(SMALL), budget))
    }

    /// Bytes of a buffer for windows of `fresh` fresh bytes, or of as many as overlap.
    fn room(&self, fresh: usize) -> usize {
        fresh.max(self.overlap).saturating_add(self.overlap)
    }

    fn enlarge(&mut self, to: usize, budget: &Budget) -> Result<(), LimitReached> {
        let Some(more) = to.checked_sub(self.buffer.len()) else { return Ok(()) };
        self.charges.push(budget.reserve(length(more))?);
        if self.buffer.is_empty() {
            self.buffer = vec![0; to];
        } else {
            self.buffer.resize(to, 0);
        }
        Ok(())
    }
}
