//! The loop around encodings of mail, which turn bytes into bytes with a state of a few bytes.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use dachs_base::{Budget, Source};

use crate::stream::{Fenced, Replay, SourceRead};

/// Bytes given to an encoding at once; an encoding makes at most 256 times as many of them.
const STEP: usize = 512;
/// The input's buffer and what was decoded and not yet asked for.
const MEMORY: u64 = 192 * 1024;

/// An encoding at work.
pub(crate) trait Turn: Send {
    /// Decodes `input` to the end of `out`. False if nothing behind it is of interest.
    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool;

    /// Gives what is left at the end of the input.
    ///
    /// # Errors
    /// What is to be said about the whole.
    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()>;
}

/// A range of a source, decoded.
pub(crate) struct Turned<T> {
    input: SourceRead,
    turn: T,
    ready: Vec<u8>,
    given: usize,
    ended: bool,
    error: Option<io::Error>,
}

impl<T: Turn> Turned<T> {
    /// Decodes what `input` gives.
    pub(crate) fn new(input: SourceRead, turn: T) -> Turned<T> {
        Turned { input, turn, ready: Vec::new(), given: 0, ended: false, error: None }
    }

    fn refill(&mut self) {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() && !self.ended {
            let chunk = self.input.fill_buf().unwrap_or_default();
            let piece = chunk.get(..STEP.min(chunk.len())).unwrap_or_default();
            let used = piece.len();
            let more = used > 0 && self.turn.feed(piece, &mut self.ready);
            self.input.consume(used);
            if !more {
                self.ended = true;
                self.error = self.turn.end(&mut self.ready).err();
            }
        }
    }
}

impl<T: Turn> Read for Turned<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.ready.len() {
            self.refill();
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        if rest.is_empty() {
            return self.error.take().map_or(Ok(0), Err);
        }
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

/// A range of `source` as it is once decoded; `turn` makes a fresh decoder.
pub(crate) fn decoded<T: Turn + 'static>(
    source: &Arc<dyn Source>,
    (start, end): (u64, u64),
    budget: &Budget,
    turn: impl Fn() -> T + Send + Sync + 'static,
) -> Replay {
    decoded_as(source, (start, end), budget, turn, |decoder| decoder)
}

/// As [`decoded`], with something put around the decoder.
pub(crate) fn decoded_as<T: Turn + 'static, R: Read + Send + 'static>(
    source: &Arc<dyn Source>,
    (start, end): (u64, u64),
    budget: &Budget,
    turn: impl Fn() -> T + Send + Sync + 'static,
    around: impl Fn(Turned<T>) -> R + Send + Sync + 'static,
) -> Replay {
    let (source, again) = (Arc::clone(source), budget.clone());
    Replay::new(budget, move || {
        let input = SourceRead::range(Arc::clone(&source), start, end.saturating_sub(start));
        Ok(Box::new(Fenced::new(&again, MEMORY, || Ok(around(Turned::new(input, turn()))))?))
    })
}

/// Decodes bytes at hand.
pub(crate) fn decode_all(mut turn: impl Turn, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    turn.feed(input, &mut out);
    // Whatever is odd about it, these are the bytes.
    let _ = turn.end(&mut out);
    out
}
