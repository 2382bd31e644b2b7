//! Where a stream's data begin and end (ISO 32000-1 7.3.8).
//!
//! A stated length counts if `endstream` follows it. A length that stands in another object is looked for nearby: writers
//! put it right behind the stream. If none counts, the data end at the next `endstream`, without the line end before it.

use dachs_base::{LimitReached, Source, read_vec_at};

use super::sight::Length;
use super::syntax::{is_space, value};
use super::window::Window;

/// How far behind a stream its length is looked for.
const NEARBY: u64 = 4096;

/// The next `endstream`, remembered, so that a file full of streams without an end is searched once.
#[derive(Default)]
pub(super) struct Extents {
    /// The search began here and found this.
    last: Option<(u64, Option<u64>)>,
}

/// The data of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) length: u64,
    /// False if the file ends before the stream does.
    pub(super) whole: bool,
}

impl Extents {
    /// The data behind the word `stream`, which ends at `at`.
    pub(super) fn extent(
        &mut self,
        window: &mut Window,
        source: &dyn Source,
        at: u64,
        stated: Option<Length>,
    ) -> Result<Extent, LimitReached> {
        let start = at.saturating_add(line_end(&read_vec_at(source, at, 16)));
        let whole = |length: u64| Extent { start, length, whole: true };
        if let Some(Length::Direct(length)) = stated
            && ends_at(source, start, length)
        {
            return Ok(whole(length));
        }
        let Some(end) = self.next_end(window, start)? else {
            return Ok(Extent { start, length: source.len().saturating_sub(start), whole: false });
        };
        if let Some(Length::Elsewhere(number, generation)) = stated
            && let Some(length) = nearby(window, end, number, generation)?
            && ends_at(source, start, length)
        {
            return Ok(whole(length));
        }
        let before = end.saturating_sub(2).max(start);
        let (tail, _) = window.view(before, 2)?;
        let tail = tail.get(..usize::try_from(end.saturating_sub(before)).unwrap_or(0)).unwrap_or(&[]);
        let trimmed = match tail {
            [b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => 0,
        };
        Ok(whole(end.saturating_sub(start).saturating_sub(trimmed)))
    }

    fn next_end(&mut self, window: &mut Window, from: u64) -> Result<Option<u64>, LimitReached> {
        if let Some((start, found)) = self.last
            && start <= from
            && found.is_none_or(|found| from <= found)
        {
            return Ok(found);
        }
        let found = window.find(b"endstream", from, u64::MAX)?;
        self.last = Some((from, found));
        Ok(found)
    }
}

/// The line end behind `stream`, with spaces before it if there are some.
fn line_end(bytes: &[u8]) -> u64 {
    let blanks = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let count = match bytes.get(blanks..).unwrap_or(&[]) {
        [b'\r', b'\n', ..] => blanks + 2,
        [b'\r' | b'\n', ..] => blanks + 1,
        _ => 0,
    };
    u64::try_from(count).unwrap_or(0)
}

/// True if `endstream` follows after this many bytes.
fn ends_at(source: &dyn Source, start: u64, length: u64) -> bool {
    let Some(end) = start.checked_add(length) else { return false };
    let bytes = read_vec_at(source, end, 16);
    let spaces = bytes.iter().take(4).take_while(|byte| is_space(**byte)).count();
    bytes.get(spaces..).is_some_and(|rest| rest.starts_with(b"endstream"))
}

/// The number in an object that stands soon behind `from`.
fn nearby(window: &mut Window, from: u64, number: u64, generation: u64) -> Result<Option<u64>, LimitReached> {
    let until = from.saturating_add(NEARBY);
    let mut at = from;
    while let Some(header) = window.next_header(at, until)? {
        at = header.body;
        if (header.number, header.generation) == (number, generation) {
            let (bytes, ended) = window.view(at, 64)?;
            let length = value(bytes, ended).ok().and_then(|object| object.value.as_integer());
            return Ok(length.and_then(|length| u64::try_from(length).ok()));
        }
    }
    Ok(None)
}
