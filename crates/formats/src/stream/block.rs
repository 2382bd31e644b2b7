//! The unpacked bytes of one folder of a solid archive, from which members are cut.
//!
//! In a solid archive many files share a folder (the word of 7z and CAB), and the bytes of the last one come out of the
//! decoder only after those of all others. Members are scanned one after the other, so one decoder is enough: each member borrows it, reads on
//! where the one before it stopped, and gives it back. A member that is read again starts another decoder, which takes
//! the place of the first.
//!
//! ```text
//! folder   0 ------- a ------- b -------------- c ------------->
//! decoder                      ^ given back by the member a..b, borrowed by the member b..c
//! ```
//!
//! Where the decoder failed is remembered, so that the members behind it do not decode everything again to find out.

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dachs_base::Budget;

use super::Opener;
use crate::codec::Decoder;

/// Bytes that are skipped at once.
const STEP: usize = 16 * 1024;

/// A folder that is being unpacked.
pub(crate) struct Block {
    /// Starts a decoder at the folder's first byte.
    opener: Box<Opener>,
    budget: Budget,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A decoder that nobody uses.
    idle: Option<Running>,
    failure: Option<Failure>,
}

struct Running {
    decoder: Decoder,
    /// How many bytes it gave.
    position: u64,
}

/// Where unpacking ended, and why.
struct Failure {
    position: u64,
    kind: ErrorKind,
    detail: String,
}

impl Failure {
    fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.detail.clone())
    }
}

impl Block {
    /// The bytes of a folder that decoders give which `opener` starts.
    pub(crate) fn new(budget: &Budget, opener: impl Fn() -> io::Result<Decoder> + Send + Sync + 'static) -> Arc<Block> {
        let state = Mutex::new(State::default());
        Arc::new(Block { opener: Box::new(opener), budget: budget.clone(), state })
    }

    /// Reads `length` bytes from `start`.
    pub(crate) fn open(self: &Arc<Block>, start: u64, length: u64) -> io::Result<Decoder> {
        let running = self.start(start)?;
        Ok(Box::new(Member { block: Arc::clone(self), running: Some(running), start, left: length }))
    }

    fn start(&self, start: u64) -> io::Result<Running> {
        let mut state = self.lock();
        if let Some(failure) = state.failure.as_ref().filter(|failure| failure.position <= start) {
            return Err(failure.error());
        }
        // A decoder that is too far on is dropped here, before another one needs its memory.
        if let Some(running) = state.idle.take().filter(|running| running.position <= start) {
            return Ok(running);
        }
        drop(state);
        Ok(Running { decoder: (self.opener)()?, position: 0 })
    }

    /// Takes a decoder back, unless there is one that came farther.
    fn give_back(&self, running: Running) {
        let mut state = self.lock();
        if state.idle.as_ref().is_none_or(|idle| idle.position < running.position) {
            state.idle = Some(running);
        }
    }

    /// Remembers a failure; not the want of memory, which may be over when the next member comes.
    fn note_failure(&self, position: u64, error: &io::Error) {
        let mut state = self.lock();
        let earlier = state.failure.as_ref().is_none_or(|failure| failure.position > position);
        if earlier && !matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::Interrupted) {
            state.failure = Some(Failure { position, kind: error.kind(), detail: error.to_string() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member that borrows the decoder.
struct Member {
    block: Arc<Block>,
    running: Option<Running>,
    /// Where the next byte stands.
    start: u64,
    left: u64,
}

impl Member {
    /// How many bytes before the member are still to be unpacked.
    fn missing(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| self.start.saturating_sub(running.position))
    }

    /// Unpacks the bytes before the member.
    fn skip(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; STEP];
        while self.missing() > 0 {
            // The caller asks the clock itself, and goes on if it was not that.
            self.block.budget.check_time().map_err(|_| io::Error::from(ErrorKind::Interrupted))?;
            let step = usize::try_from(self.missing()).unwrap_or(STEP).min(STEP);
            self.run(buffer.get_mut(..step).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Lets the decoder give some bytes. After an error it is gone.
    fn run(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(running) = self.running.as_mut() else { return Err(ErrorKind::UnexpectedEof.into()) };
        let result = match running.decoder.read(buffer) {
            Ok(0) if !buffer.is_empty() => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            result => result,
        };
        match result {
            Ok(got) => {
                running.position = running.position.saturating_add(u64::try_from(got).unwrap_or(0));
                Ok(got)
            }
            Err(error) => {
                self.block.note_failure(running.position, &error);
                self.running = None;
                Err(error)
            }
        }
    }
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.missing() > 0 {
            self.skip()?;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let got = self.run(buffer.get_mut(..most).unwrap_or_default())?;
        let count = u64::try_from(got).unwrap_or(0);
        self.left = self.left.saturating_sub(count);
        self.start = self.start.saturating_add(count);
        Ok(got)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.block.give_back(running);
        }
    }
}
