//! The plain bytes that a fast decoder of the Lempel-Ziv kind made last, flat in memory: Zstandard and LZMA.
//!
//! ```text
//! before the first turn   | bytes ....................... at>         grows up to its full length
//! after it                | newest ....... at>   | oldest .......... older |
//! ```
//!
//! A decoder asks for room ([`Window::make_room`]) before each step of at most `step` bytes, writes into [`Window::space`] and says how
//! far it came. It writes in pieces of [`PIECE`] bytes, and so up to [`SLACK`] bytes behind the end: nothing is copied byte by byte. When
//! there is no room left the window turns: it is written from its start again, and a repetition that reaches back behind the turn
//! finds its bytes at the end of the older ones ([`Space::repeat`]). Nothing is ever moved.
//!
//! The memory is not charged here: whoever makes a window reserved its full length, or reserves as it grows.

use std::io;

/// Bytes that are copied at once.
const PIECE: usize = 16;
/// How far behind its end a copy may write.
const SLACK: usize = 2 * PIECE;
/// Repetitions of at least so many bytes that do not overlap are copied by the machine's own means.
const LONG: usize = 96;

/// Plain bytes, the newest of which may be repeated.
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Where the next byte goes.
    at: usize,
    /// Where the bytes begin that nobody took yet.
    taken: usize,
    /// Where the bytes of before the last turn end; 0 before the first one.
    older: usize,
    /// Bytes that were written before the last turn.
    before: usize,
    /// So many of the newest bytes can be repeated.
    history: usize,
    /// The most that one step writes.
    step: usize,
    /// The outcome that is given once all bytes were.
    outcome: Option<io::Result<()>>,
}

/// A decoder that fills a window in steps.
pub(super) trait Steps {
    /// Where its bytes are.
    fn window(&mut self) -> &mut Window;

    /// Decodes some bytes. True at the end.
    fn step(&mut self) -> io::Result<bool>;
}

/// [`io::Read::read`] for a decoder: what went wrong comes once, after the bytes that were decoded before.
pub(super) fn read(decoder: &mut impl Steps, buffer: &mut [u8]) -> io::Result<usize> {
    while !buffer.is_empty() {
        let got = decoder.window().take(buffer);
        if got > 0 {
            return Ok(got);
        }
        if let Some(outcome) = decoder.window().outcome.as_mut() {
            return std::mem::replace(outcome, Ok(())).map(|()| 0);
        }
        let stepped = decoder.step();
        decoder.window().outcome = stepped.map(|ended| ended.then_some(())).transpose();
    }
    Ok(0)
}

impl Window {
    /// A window in which the last `history` bytes can be repeated, written in steps of at most `step` bytes.
    pub(super) fn new(history: usize, step: usize) -> Window {
        Window { bytes: Vec::new(), at: 0, taken: 0, older: 0, before: 0, history, step, outcome: None }
    }

    /// Makes room for the next step. All bytes must have been taken.
    pub(super) fn make_room(&mut self) {
        let needed = self.at.saturating_add(self.step).saturating_add(SLACK);
        if needed <= self.bytes.len() {
            return;
        }
        // While a byte is written SLACK bytes behind it are lost, the history lies behind those.
        let most = self.history.saturating_add(self.step).saturating_add(2 * SLACK);
        if needed > most {
            self.before = self.before.wrapping_add(self.at);
            self.older = self.at;
            self.at = 0;
            self.taken = 0;
            return;
        }
        let longer = needed.saturating_add(self.at / 2).min(most);
        if self.bytes.is_empty() {
            // Fresh memory is zero already.
            self.bytes = vec![0; longer];
            return;
        }
        self.bytes.reserve_exact(longer.saturating_sub(self.bytes.len()));
        self.bytes.resize(longer, 0);
    }

    /// Forgets the history: nothing of before can be repeated.
    pub(super) fn forget(&mut self) {
        (self.at, self.taken, self.older, self.before) = (0, 0, 0, 0);
    }

    /// Where the next step writes.
    pub(super) fn space(&mut self) -> Space<'_> {
        let (at, older, before, history) = (self.at, self.older, self.before, self.history);
        let end = at.saturating_add(self.step).min(self.bytes.len().saturating_sub(SLACK));
        Space { bytes: &mut self.bytes, at, end, older, before, history }
    }

    /// The step is over; it wrote up to here.
    pub(super) fn written(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    /// The bytes that nobody took yet.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.taken..self.at).unwrap_or(&[])
    }

    /// Hands out bytes in their order, as many as there are and as the buffer takes.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let waiting = self.waiting();
        let count = waiting.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        count
    }
}

/// A window while a step writes to it.
pub(super) struct Space<'a> {
    /// All of it.
    pub(super) bytes: &'a mut [u8],
    /// Where the next byte goes.
    pub(super) at: usize,
    /// Where the step must end; [`SLACK`] bytes behind it are there.
    pub(super) end: usize,
    older: usize,
    before: usize,
    history: usize,
}

impl Space<'_> {
    /// How many bytes were written before the next one.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.before.wrapping_add(self.at)
    }

    /// How many bytes still have room.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.end.wrapping_sub(self.at)
    }

    /// One byte. The caller knows that there is room.
    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
            self.at = self.at.wrapping_add(1);
        }
    }

    /// The byte that was written `distance` bytes before the next one; zero if there is none.
    #[inline(always)]
    pub(super) fn back(&self, distance: usize) -> u8 {
        let index = self.at.wrapping_sub(distance);
        let index = if distance <= self.at { index } else { index.wrapping_add(self.older) };
        self.bytes.get(index).copied().unwrap_or(0)
    }

    /// `length` bytes of `from` at `start`, behind which [`SLACK`] more can be read. `None` if there is no room, or they are not there.
    #[inline(always)]
    pub(super) fn append(&mut self, from: &[u8], start: usize, length: usize) -> Option<()> {
        if length > self.room() {
            return None;
        }
        if length <= PIECE {
            copy_piece(from, start, self.bytes, self.at)?;
        } else {
            let to = self.bytes.get_mut(self.at..)?.get_mut(..length)?;
            to.copy_from_slice(from.get(start..)?.get(..length)?);
        }
        self.at = self.at.wrapping_add(length);
        Some(())
    }

    /// So many bytes again that were written `distance` bytes before; they may overlap with what they become. `None` if there is no room,
    /// or the window holds no such bytes.
    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
        if length > self.room() || distance == 0 {
            return None;
        }
        if distance > self.at {
            return self.repeat_older(distance, length);
        }
        self.repeat_near(distance, length)
    }

    /// A repetition that does not reach behind the turn.
    #[inline(always)]
    fn repeat_near(&mut self, distance: usize, length: usize) -> Option<()> {
        let end = self.at.wrapping_add(length);
        let (mut to, mut distance) = (self.at, distance);
        if distance < PIECE {
            // A piece repeats `distance` bytes; what is written then repeats twice as many.
            while distance < PIECE && to < end {
                copy_inside(self.bytes, to.wrapping_sub(distance), to)?;
                to = to.wrapping_add(distance);
                distance = distance.wrapping_add(distance);
            }
        } else if length >= LONG && distance >= length {
            let from = to.wrapping_sub(distance);
            self.bytes.copy_within(from..from.wrapping_add(length), to);
            to = end;
        }
        while to < end {
            copy_inside(self.bytes, to.wrapping_sub(distance), to)?;
            to = to.wrapping_add(PIECE);
        }
        self.at = end;
        Some(())
    }

    /// A repetition of bytes of before the turn.
    #[inline(never)]
    fn repeat_older(&mut self, distance: usize, length: usize) -> Option<()> {
        if distance > self.history {
            return None;
        }
        let start = self.older.checked_sub(distance - self.at)?;
        let count = length.min(self.older - start);
        if start < self.at || start + count > self.bytes.len() {
            return None;
        }
        self.bytes.copy_within(start..start + count, self.at);
        self.at += count;
        // What follows the older bytes stands at the start of the window.
        if count < length { self.repeat_near(self.at, length - count) } else { Some(()) }
    }
}

/// Copies a piece from one place to another of the same bytes.
#[inline(always)]
fn copy_inside(bytes: &mut [u8], from: usize, to: usize) -> Option<()> {
    let piece: [u8; PIECE] = *bytes.get(from..)?.first_chunk()?;
    *bytes.get_mut(to..)?.first_chunk_mut()? = piece;
    Some(())
}

/// Copies a piece.
#[inline(always)]
fn copy_piece(source: &[u8], from: usize, bytes: &mut [u8], to: usize) -> Option<()> {
    *bytes.get_mut(to..)?.first_chunk_mut::<PIECE>()? = *source.get(from..)?.first_chunk()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of vectors: what `Window` must agree with.
    struct Naive {
        bytes: Vec<u8>,
        history: usize,
    }

    impl Naive {
        fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
            if distance == 0 || distance > self.bytes.len() {
                return None;
            }
            for _ in 0..length {
                self.bytes.push(self.bytes[self.bytes.len() - distance]);
            }
            Some(())
        }
    }

    #[test]
    fn it_holds_what_a_plain_vector_holds() {
        let mut number: u64 = 1;
        let mut next = move |below: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(number >> 33).unwrap() % below
        };
        let source: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (history, step) in [(1, 300), (50, 40), (300, 100), (5000, 1000)] {
            let mut window = Window::new(history, step);
            let mut naive = Naive { bytes: Vec::new(), history };
            let mut given = Vec::new();
            while naive.bytes.len() < 20_000 {
                window.make_room();
                let mut space = window.space();
                assert_eq!(space.position(), naive.bytes.len());
                let end = naive.bytes.len() + step;
                loop {
                    let length = next(60) + 1;
                    if naive.bytes.len() + length > end {
                        break;
                    }
                    let most = if next(3) == 0 { 20 } else { naive.history };
                    let distance = next(most.min(naive.history)) + 1;
                    if naive.repeat(distance, length).is_none() {
                        let start = next(500);
                        naive.bytes.extend_from_slice(&source[start..start + length]);
                        space.append(&source, start, length).unwrap();
                        continue;
                    }
                    assert_eq!(space.back(distance), naive.bytes[naive.bytes.len() - length - distance]);
                    space.repeat(distance, length).unwrap();
                }
                let at = space.at;
                window.written(at);
                let mut buffer = vec![0; step];
                let got = window.take(&mut buffer);
                given.extend_from_slice(&buffer[..got]);
            }
            assert!(given == naive.bytes, "{history} {step}");
        }
    }

    #[test]
    fn what_was_not_written_is_not_repeated() {
        let mut window = Window::new(100, 50);
        window.make_room();
        let mut space = window.space();
        assert_eq!(space.repeat(1, 1), None);
        space.push(b'a');
        assert_eq!((space.repeat(0, 1), space.repeat(2, 1), space.repeat(1, 50)), (None, None, None));
        assert_eq!(space.repeat(1, 49), Some(()));
        assert_eq!((space.room(), space.repeat(1, 1)), (0, None));
    }
}
