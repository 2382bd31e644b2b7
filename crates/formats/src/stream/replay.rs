//! A compressed stream that is read at offsets.
//!
//! A [`Replay`] decodes as far as somebody reads and keeps the bytes. When memory runs short it keeps a window behind the
//! newest byte, and a read before the window starts the decoder again. It holds up to [`CURSORS`] runs of the decoder
//! at once, so that a reader who looks at the end of a member and then at its start, member by member, costs each run one
//! pass and not one pass a member:
//!
//! ```text
//! bytes      0 ------------------------------------------------------------------ end
//! run 1                                [ window ]>         looks ahead
//! run 2            [ window ]>                              reads the member at hand
//! ```
//!
//! A stream of few bytes ([`HELD`]) is decoded to its end and laid out in one piece when somebody asks for all of it.
//!
//! Every decoded byte is charged, those of later runs as well: whoever makes it decode again and again meets the limit of
//! unpacked bytes.
//!
//! An error of the decoder ends the object. The bytes before it are kept, and [`Source::problem`] tells the reason:
//! [`ErrorKind::Unsupported`] an unsupported method, [`ErrorKind::OutOfMemory`] the limit of memory, a [`remark`] that
//! all was read and something is odd, anything else damage.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use dachs_base::{Anomaly, Budget, HELD, Held, Limit, LimitReached, Source};

use super::cursor::Cursor;

/// Runs of the decoder that are held at once.
const CURSORS: usize = 3;
/// With less memory left than this, another run takes the place of those there are.
const NEEDED: u64 = 64 * 1024;

/// Starts a decoder at the first byte of its stream. It reserves the decoder's memory itself, see
/// [`Fenced`](super::Fenced).
pub type Opener = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// A [`Source`] over a decoder that can be started again.
pub struct Replay {
    opener: Box<Opener>,
    budget: Budget,
    length: Option<u64>,
    crc32: Option<u32>,
    state: Mutex<State>,
    /// All bytes in one piece; the absence inside means that there are too many, or no memory for them.
    whole: OnceLock<Option<Held>>,
}

#[derive(Default)]
struct State {
    cursors: Vec<Cursor>,
    opened: bool,
    clock: u64,
    /// Checksum of the first `hashed` bytes.
    hasher: crc32fast::Hasher,
    hashed: u64,
    /// Known once a run came to the end, or as far as any will come.
    length: Option<u64>,
    problem: Option<Anomaly>,
}

impl Replay {
    /// A stream; `opener` is called at the first read, and again whenever somebody reads behind the window.
    #[must_use]
    pub fn new(
        budget: &Budget,
        opener: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Replay {
        let state = Mutex::new(State::default());
        Replay {
            opener: Box::new(opener),
            budget: budget.clone(),
            length: None,
            crc32: None,
            state,
            whole: OnceLock::new(),
        }
    }

    /// Compares the stream with what its container says of it: `length` in bytes, `crc32` as in ISO 3309.
    #[must_use]
    pub fn expecting(self, length: Option<u64>, crc32: Option<u32>) -> Replay {
        Replay { length, crc32, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decodes all and lays it out in one piece, unless there is too much of it.
    fn gather(&self) -> Option<Held> {
        let mut state = self.lock();
        while state.length.is_none() {
            let farthest = state.cursors.iter().map(Cursor::end).max().unwrap_or(0);
            if farthest > HELD || self.budget.check_time().is_err() {
                return None;
            }
            let index = self.cursor_for(&mut state, farthest)?;
            self.advance(&mut state, index);
        }
        let length = state.length.filter(|length| *length <= HELD)?;
        let memory = self.budget.reserve(length).ok()?;
        let bytes = state.cursors.iter_mut().find_map(|cursor| cursor.take_all(length))?;
        state.cursors.clear();
        Some(Held::new(bytes, [memory]))
    }

    /// Decodes one step with the given run. False if there is nothing more.
    fn advance(&self, state: &mut State, index: usize) -> bool {
        let Some(cursor) = state.cursors.get_mut(index) else { return false };
        let from = cursor.end();
        match cursor.step(&self.budget, self.length) {
            Ok(0) => {
                let end = self.judge(state, from);
                state.finish(end);
                false
            }
            Ok(got) => {
                state.hash(index, from, got);
                true
            }
            Err(anomaly) => {
                state.finish(Some(anomaly));
                false
            }
        }
    }

    /// Compares a stream that ended without an error with what is expected.
    fn judge(&self, state: &State, length: u64) -> Option<Anomaly> {
        match self.length {
            Some(expected) if length < expected => Some(Anomaly::damaged("it ends before its stated length")),
            Some(expected) if length > expected => Some(Anomaly::odd("it is longer than stated")),
            _ => {
                let known = state.hashed == length && self.crc32.is_some();
                let wrong = known && self.crc32 != Some(state.hasher.clone().finalize());
                wrong.then(|| Anomaly::odd("its checksum is wrong"))
            }
        }
    }

    /// The run that reaches `offset` soonest; starts another if none can.
    fn cursor_for(&self, state: &mut State, offset: u64) -> Option<usize> {
        let reaches = |(index, cursor): (usize, &Cursor)| Some((cursor.distance(offset)?, index));
        let nearest = state.cursors.iter().enumerate().filter_map(reaches).min();
        let index = match nearest {
            Some((_, index)) => index,
            None => self.start(state)?,
        };
        state.clock = state.clock.saturating_add(1);
        state.cursors.get_mut(index)?.last_use = state.clock;
        Some(index)
    }

    fn start(&self, state: &mut State) -> Option<usize> {
        if state.cursors.len() >= CURSORS {
            state.drop_oldest();
        }
        if self.budget.memory_left() < NEEDED {
            state.cursors.clear();
        }
        let decoder = match self.open(state) {
            Ok(decoder) => decoder,
            Err(error) => {
                state.finish(Some(anomaly_of(&error, &self.budget)));
                return None;
            }
        };
        let cursor = if state.opened { Cursor::sliding(decoder) } else { Cursor::keeping(decoder) };
        state.opened = true;
        state.cursors.push(cursor);
        state.cursors.len().checked_sub(1)
    }

    /// Starts the decoder; if there is no memory for another, gives up those that run.
    fn open(&self, state: &mut State) -> io::Result<Box<dyn Read + Send>> {
        match (self.opener)() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && !state.cursors.is_empty() => {
                state.cursors.clear();
                (self.opener)()
            }
            result => result,
        }
    }
}

impl State {
    /// Notes how far the stream goes, and why not farther. A gap is never replaced.
    fn finish(&mut self, anomaly: Option<Anomaly>) {
        let end = self.cursors.iter().map(Cursor::end).max().unwrap_or(0);
        self.length = Some(self.length.unwrap_or(0).max(end));
        let gap = self.problem.as_ref().is_some_and(|problem| problem.kind.is_gap());
        if !gap && anomaly.is_some() {
            self.problem = anomaly;
        }
    }

    fn hash(&mut self, index: usize, from: u64, got: usize) {
        if let (true, Some(cursor)) = (from == self.hashed, self.cursors.get(index)) {
            self.hasher.update(cursor.newest(got));
            self.hashed = cursor.end();
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.cursors.iter().enumerate().min_by_key(|(_, cursor)| cursor.last_use);
        if let Some((index, _)) = oldest {
            self.cursors.swap_remove(index);
        }
    }
}

impl Source for Replay {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        if let Some(Some(whole)) = self.whole.get() {
            return whole.read_at(offset, buffer);
        }
        let mut state = self.lock();
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            if state.length.is_some_and(|length| at >= length) {
                break;
            }
            let Some(index) = self.cursor_for(&mut state, at) else { break };
            let got = state.cursors.get(index).map_or(0, |cursor| cursor.copy(at, rest));
            if got == 0 && !self.advance(&mut state, index) {
                break;
            }
            done += got;
        }
        done
    }

    fn len(&self) -> u64 {
        let mut state = self.lock();
        loop {
            if let Some(length) = state.length {
                return length;
            }
            let farthest = state.cursors.iter().map(Cursor::end).max().unwrap_or(0);
            match self.cursor_for(&mut state, farthest) {
                Some(index) => self.advance(&mut state, index),
                None => return state.length.unwrap_or(0),
            };
        }
    }

    fn known_len(&self) -> Option<u64> {
        self.lock().length
    }

    fn held(&self) -> Option<&[u8]> {
        self.whole.get_or_init(|| self.gather()).as_ref()?.held()
    }

    fn keeps(&self) -> bool {
        let state = self.lock();
        let farthest = state.cursors.iter().map(Cursor::end).max().unwrap_or(0);
        state.cursors.iter().any(|cursor| cursor.end() >= farthest && cursor.keeps(&self.budget))
    }

    fn problem(&self) -> Option<Anomaly> {
        self.lock().problem.clone()
    }
}

#[derive(Debug)]
struct Remark(&'static str);

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Remark {}

/// What a decoder gives instead of its end when all bytes were read and something is odd, such as a wrong checksum.
#[must_use]
pub fn remark(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Remark(detail))
}

/// True if an error is only a [`remark`].
pub(crate) fn is_remark(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Remark>())
}

/// What an error of a decoder means.
pub(super) fn anomaly_of(error: &io::Error, budget: &Budget) -> Anomaly {
    if let Some(remark) = error.get_ref().and_then(|inner| inner.downcast_ref::<Remark>()) {
        return Anomaly::odd(remark.0);
    }
    match error.kind() {
        ErrorKind::OutOfMemory => LimitReached { limit: Limit::Memory, allowed: budget.limits().memory }.into(),
        ErrorKind::TimedOut => match budget.check_time() {
            Err(reached) => reached.into(),
            Ok(()) => Anomaly::damaged("the compressed data could not be read in time"),
        },
        ErrorKind::Unsupported => Anomaly::unsupported(format!("the compressed data cannot be read: {}", plain(error))),
        ErrorKind::UnexpectedEof => Anomaly::damaged("the compressed data is cut off"),
        _ => Anomaly::damaged(format!("the compressed data is broken: {}", plain(error))),
    }
}

/// The text of an error, short and printable, whatever a codec puts into it.
fn plain(error: &io::Error) -> String {
    error.to_string().chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(120).collect()
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
