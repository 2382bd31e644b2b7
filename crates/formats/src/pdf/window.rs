//! The bytes of a file in a window that goes forward, and the search for words in them.

use std::sync::Arc;

use dachs_base::{Budget, Charge, LimitReached, Source};
use memchr::memmem;

use super::syntax::is_space;

/// Bytes read at once.
const USUAL: usize = 64 * 1024;
/// Bytes kept before the place that is asked for.
const BEHIND: u64 = 64;

/// A window over a source.
pub(super) struct Window {
    source: Arc<dyn Source>,
    budget: Budget,
    start: u64,
    bytes: Vec<u8>,
    /// True if the source ends with the window.
    ended: bool,
    memory: Option<Charge>,
}

/// Where an object begins: `12 0 obj` (ISO 32000-1 7.3.10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) generation: u64,
    /// Offset behind `obj`.
    pub(super) body: u64,
}

impl Window {
    pub(super) fn new(source: &Arc<dyn Source>, budget: &Budget) -> Window {
        let (source, budget) = (Arc::clone(source), budget.clone());
        Window { source, budget, start: 0, bytes: Vec::new(), ended: false, memory: None }
    }

    /// The bytes from `at`: at least `count`, unless the source ends; and whether it ends with them.
    ///
    /// # Errors
    /// When memory or time is used up.
    pub(super) fn view(&mut self, at: u64, count: usize) -> Result<(&[u8], bool), LimitReached> {
        let inside = at.checked_sub(self.start).and_then(|inside| usize::try_from(inside).ok());
        let held = inside.and_then(|inside| self.bytes.len().checked_sub(inside));
        if !held.is_some_and(|held| held >= count || self.ended) {
            self.fill(at, count)?;
        }
        let inside = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok((self.bytes.get(inside..).unwrap_or(&[]), self.ended))
    }

    fn fill(&mut self, at: u64, count: usize) -> Result<(), LimitReached> {
        self.budget.check_time()?;
        let size = USUAL.max(count.saturating_add(usize::try_from(BEHIND).unwrap_or(0)));
        let wide = u64::try_from(size).unwrap_or(u64::MAX);
        if self.memory.as_ref().is_none_or(|memory| memory.count() != wide) {
            self.memory = None;
            self.bytes = Vec::new();
            self.memory = Some(self.budget.reserve(wide)?);
        }
        self.start = at.saturating_sub(BEHIND);
        self.bytes.resize(size, 0);
        let got = self.source.read_at(self.start, &mut self.bytes);
        self.ended = got < size;
        self.bytes.truncate(got);
        Ok(())
    }

    /// The first place of `word` from `from` on, and before `until`.
    ///
    /// # Errors
    /// When memory or time is used up.
    pub(super) fn find(&mut self, word: &[u8], from: u64, until: u64) -> Result<Option<u64>, LimitReached> {
        let finder = memmem::Finder::new(word);
        let mut at = from;
        while at < until {
            let (bytes, ended) = self.view(at, 1024)?;
            let found = finder.find(bytes);
            let length = bytes.len();
            if let Some(inside) = found {
                return Ok(Some(after(at, inside)).filter(|place| *place < until));
            }
            if ended {
                return Ok(None);
            }
            let passed = after(at, length.saturating_sub(word.len()).saturating_add(1));
            at = self.source.next_data(passed).max(passed);
        }
        Ok(None)
    }

    /// The first object that begins at or after `from`, and before `until`.
    ///
    /// # Errors
    /// When memory or time is used up.
    pub(super) fn next_header(&mut self, from: u64, until: u64) -> Result<Option<Header>, LimitReached> {
        let mut at = from;
        while let Some(place) = self.find(b"obj", at, until)? {
            let body = place.saturating_add(3);
            let behind = place.saturating_sub(BEHIND / 2);
            let count = usize::try_from(place.saturating_sub(behind)).unwrap_or(0);
            let (bytes, _) = self.view(behind, count)?;
            if let Some((number, generation)) = bytes.get(..count).and_then(numbers_before) {
                return Ok(Some(Header { number, generation, body }));
            }
            at = body;
        }
        Ok(None)
    }
}

fn after(at: u64, count: usize) -> u64 {
    at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
}

/// The two numbers at the end of `bytes`.
fn numbers_before(bytes: &[u8]) -> Option<(u64, u64)> {
    let (generation, rest) = number_before(trim(bytes))?;
    let spaced = trim(rest);
    let (number, _) = number_before(spaced).filter(|_| spaced.len() < rest.len())?;
    Some((number, generation))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let spaces = bytes.iter().rev().take_while(|byte| is_space(**byte)).count();
    bytes.get(..bytes.len().saturating_sub(spaces)).unwrap_or(bytes)
}

fn number_before(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let count = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, digits) = bytes.split_at_checked(bytes.len().saturating_sub(count))?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    fn window(bytes: &[u8]) -> Window {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        Window::new(&source, &Budget::new(Limits::default(), NoClock))
    }

    #[test]
    fn objects_are_found_wherever_they_stand() {
        for padding in [0usize, 1, 63, 64, 65, 65_000, 65_470, 65_530, 65_536, 200_000] {
            let bytes = [vec![b' '; padding], b"12 \r\n0\tobj<<>>endobj 7obj 3 1obj".to_vec()].concat();
            let mut window = window(&bytes);
            let first = window.next_header(0, u64::MAX).unwrap().unwrap();
            assert_eq!(first, Header { number: 12, generation: 0, body: padding as u64 + 10 });
            let second = window.next_header(first.body, u64::MAX).unwrap().unwrap();
            assert_eq!((second.number, second.generation, second.body), (3, 1, bytes.len() as u64));
            assert_eq!(window.next_header(second.body, u64::MAX).unwrap(), None);
            assert_eq!(window.next_header(0, 5 + padding as u64).unwrap(), None);
        }
    }

    #[test]
    fn words_are_found_across_windows() {
        for padding in 65_400..65_600usize {
            let bytes = [vec![b'e'; padding], b"endstream".to_vec()].concat();
            assert_eq!(window(&bytes).find(b"endstream", 3, u64::MAX).unwrap(), Some(padding as u64));
        }
    }
}
