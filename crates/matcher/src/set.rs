//! A set of patterns, read from bytes, and scanning with it.

use std::fmt;

use crate::build::MAGIC;
use crate::pattern::Pattern;
use crate::{code, naive};

/// A set of patterns, borrowing the bytes that [`crate::Builder::finish`] made.
#[derive(Clone, Debug)]
pub struct Patterns<'a> {
    codes: Vec<&'a [u8]>,
}

/// The bytes are no set of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a set of patterns: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// A stretch of an object. Windows are consecutive, and each repeats at least [`Patterns::overlap`] bytes of the one before.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The offset of `bytes[0]` in the object.
    pub base: u64,
    /// True if the object ends with this window.
    pub last: bool,
}

/// A pattern found. Every distinct start of every pattern is reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Which pattern.
    pub pattern: u32,
    /// The offset of its first byte in the object.
    pub start: u64,
    /// The offset behind its last byte; where several ends belong to one start, one of them.
    pub end: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Go,
    /// Stop; the object needs no further scanning.
    Stop,
}

/// What the scan of one object remembers from window to window.
#[derive(Clone, Debug, Default)]
pub struct State {
    seen: Vec<u8>,
}

impl State {
    /// For the start of an object.
    #[must_use]
    pub fn new() -> State {
        State::default()
    }

    /// Makes it as new, keeping its memory for the next object.
    pub fn reset(&mut self) {
        self.seen.clear();
    }
}

impl<'a> Patterns<'a> {
    /// Reads a set. Cheap: what the bytes hold is checked where it is used.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes do not have the shape of a set.
    pub fn new(bytes: &'a [u8]) -> Result<Patterns<'a>, Malformed> {
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(Malformed("it does not start with the mark of one"))?;
        let mut codes = Vec::new();
        while !rest.is_empty() {
            codes.push(code::run(&mut rest).ok_or(Malformed("a pattern is cut"))?);
        }
        Ok(Patterns { codes })
    }

    /// How many patterns the set has. They are numbered from 0 in the order they were added.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.codes.len()).unwrap_or(u32::MAX)
    }

    /// How many bytes a window must repeat of the one before.
    #[must_use]
    pub fn overlap(&self) -> usize {
        0
    }

    /// Could any pattern match within a long run of zero bytes? If not, all of such a run but `overlap()` bytes at
    /// either end may be left out, by a window whose `base` lies farther on.
    #[must_use]
    pub fn can_match_zeros(&self) -> bool {
        true
    }

    /// Finds the patterns in the next window of an object.
    pub fn scan(&self, state: &mut State, window: Window<'_>, hit: &mut dyn FnMut(Hit) -> Flow) -> Flow {
        let known = usize::try_from((state.seen.len() as u64).saturating_sub(window.base)).unwrap_or(usize::MAX);
        state.seen.extend_from_slice(window.bytes.get(known..).unwrap_or_default());
        if !window.last {
            return Flow::Go;
        }
        for number in 0..self.count() {
            let mut found = self.decode(number).map(|pattern| naive::find(&pattern, &state.seen)).unwrap_or_default();
            found.dedup_by_key(|(start, _)| *start);
            for (start, end) in found {
                if hit(Hit { pattern: number, start, end }) == Flow::Stop {
                    return Flow::Stop;
                }
            }
        }
        Flow::Go
    }

    /// The pattern of this number, for showing it to a person.
    #[must_use]
    pub fn decode(&self, pattern: u32) -> Option<Pattern> {
        let bytes = self.codes.get(usize::try_from(pattern).ok()?)?;
        Some(Pattern { elements: code::decode(bytes, code::DEPTH)? })
    }
}
