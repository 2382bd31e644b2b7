//! LZMA and LZMA2 (Igor Pavlov's LZMA specification, `lzma-specification.txt` of the LZMA SDK; LZMA2 as the .xz file format 5.3.1 and
//! the SDK's `Lzma2Dec` tell of it).
//!
//! ```text
//! LZMA     five bytes of the range coder | symbols ... | the mark of an end, if no length is known
//! LZMA2    chunks: control 1 | plain length 2, packed length 2, perhaps properties 1 | LZMA of that length
//!                  control 1 | plain length 2 | plain bytes
//! ```
//!
//! [`Lzma`] and [`Lzma2`] bring the input into a buffer, let the decoder run over it (`decoder.rs`, `range.rs`) into a window
//! ([`Window`]), and hand out what it wrote before it goes on. All of it is safe Rust. What makes it fast:
//!
//! * the state of the range coder lives in registers for as long as there is input and room: neither is asked for within a symbol, because
//!   zeros count as input behind the end and a symbol needs [`LONGEST_SYMBOL`] bytes and room for [`LONGEST_REPETITION`] at most;
//! * bits of literals, lengths and distances are decoded without branches;
//! * probabilities stand in arrays whose lengths are powers of two, so masked indices need no check;
//! * repetitions are copied in pieces of 16 bytes.
//!
//! A stream that is cut off gives all bytes before the symbol that was cut. Nothing is charged here: see `codec::lzma`.

mod decoder;
mod range;

use std::io::{self, ErrorKind, Read};

pub(crate) use self::decoder::Properties;
use self::decoder::{Decoder, LONGEST_REPETITION, LONGEST_SYMBOL, Ran};
use super::window::{self, Space, Steps, Window};

/// What a decoder needs besides its dictionary and its probabilities: input, and room for a step.
pub(crate) const FIXED: u64 = 256 * 1024;
/// Bytes of LZMA that are read at once; a chunk of LZMA2 is no longer.
const INPUT: usize = 64 * 1024;
/// Bytes that are decoded at once.
const STEP: usize = 32 * 1024;

/// The size of a dictionary of LZMA2 in a byte (.xz file format 5.3.1): two bits of mantissa and an exponent.
pub(crate) fn dictionary_size(bits: u8) -> Option<u32> {
    match bits {
        0..40 => Some((2 | u32::from(bits & 1)) << (bits / 2 + 11)),
        40 => Some(u32::MAX),
        _ => None,
    }
}

/// Compressed bytes, as far as they were read.
struct Input {
    bytes: Vec<u8>,
    /// How many of them are there.
    filled: usize,
    at: usize,
    /// True if there are no more.
    ended: bool,
}

impl Input {
    fn new() -> Input {
        Input { bytes: vec![0; INPUT], filled: 0, at: 0, ended: false }
    }

    /// Reads until the buffer is full, or at least holds a symbol.
    fn fill(&mut self, input: &mut impl Read) -> io::Result<()> {
        if self.ended || self.filled - self.at > LONGEST_SYMBOL {
            return Ok(());
        }
        self.bytes.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        while self.filled <= LONGEST_SYMBOL && !self.ended {
            self.read_some(input)?;
        }
        Ok(())
    }

    /// Reads `length` bytes, or as many as there are.
    fn read(&mut self, input: &mut impl Read, length: usize) -> io::Result<()> {
        (self.filled, self.at) = (0, 0);
        while self.filled < length && !self.ended {
            let end = length.min(self.bytes.len());
            self.read_up_to(input, end)?;
        }
        Ok(())
    }

    fn read_some(&mut self, input: &mut impl Read) -> io::Result<()> {
        self.read_up_to(input, self.bytes.len())
    }

    fn read_up_to(&mut self, input: &mut impl Read, end: usize) -> io::Result<()> {
        match input.read(self.bytes.get_mut(self.filled..end).unwrap_or_default()) {
            Ok(0) => self.ended = true,
            Ok(got) => self.filled += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Lets the decoder run. `whole` if all input is there that it may use.
    fn run(&mut self, decoder: &mut Decoder, whole: bool, space: &mut Space<'_>, stop: usize) -> Ran {
        let until = if whole { self.filled + 1 } else { self.filled.saturating_sub(LONGEST_SYMBOL - 1) };
        let bytes = self.bytes.get(..self.filled).unwrap_or(&[]);
        decoder.run(bytes, &mut self.at, until, self.filled, space, stop)
    }

    fn finish(&mut self, decoder: &mut Decoder) -> bool {
        decoder.finish(self.bytes.get(..self.filled).unwrap_or(&[]), &mut self.at)
    }

    /// The first bytes of a range coder. `None` if there are too few.
    fn head(&mut self) -> Option<[u8; 5]> {
        let head = *self.bytes.get(self.at..self.filled)?.first_chunk()?;
        self.at += head.len();
        Some(head)
    }

    fn is_overdrawn(&self) -> bool {
        self.at > self.filled
    }
}

/// A window of a dictionary that large.
fn window_of(dictionary: u32) -> Window {
    let history = usize::try_from(dictionary).unwrap_or(usize::MAX).max(4096);
    Window::new(history, STEP + LONGEST_REPETITION)
}

/// A stream of LZMA at work.
pub(crate) struct Lzma<R> {
    source: R,
    input: Input,
    window: Window,
    decoder: Decoder,
    /// Plain bytes that are still to come, if that is known.
    left: Option<u64>,
    /// Whether the range coder must be at its end where the plain bytes are.
    strict: bool,
    begun: bool,
}

impl<R: Read> Lzma<R> {
    /// Decodes `length` plain bytes, or up to the mark of an end.
    pub(crate) fn new(source: R, properties: Properties, dictionary: u32, length: Option<u64>) -> Lzma<R> {
        let (input, window, decoder) = (Input::new(), window_of(dictionary), Decoder::new(properties));
        Lzma { source, input, window, decoder, left: length, strict: false, begun: false }
    }

    /// The range coder must be finished where the plain bytes end, or the mark of an end follow them.
    pub(crate) fn strict(self) -> Lzma<R> {
        Lzma { strict: true, ..self }
    }

    /// The source, and how many bytes of it were read that the stream did not need.
    pub(crate) fn into_parts(self) -> (R, usize) {
        let unused = self.input.filled.saturating_sub(self.input.at);
        (self.source, unused)
    }

    /// All plain bytes were decoded that there should be.
    fn end(&mut self) -> io::Result<()> {
        if !self.strict {
            return Ok(());
        }
        let finished = self.input.finish(&mut self.decoder);
        if self.input.is_overdrawn() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if finished {
            return Ok(());
        }
        // Only the mark of an end can follow; anything else finds no room.
        self.input.fill(&mut self.source)?;
        let mut space = self.window.space();
        space.end = space.at;
        let stop = space.at.saturating_add(1);
        match self.input.run(&mut self.decoder, self.input.ended, &mut space, stop) {
            _ if self.input.is_overdrawn() => Err(ErrorKind::UnexpectedEof.into()),
            Ran::Marked => self.finish(),
            Ran::Paused | Ran::Broken => Err(invalid("LZMA data go on behind their length")),
        }
    }

    /// Behind the mark of an end.
    fn finish(&mut self) -> io::Result<()> {
        self.input.fill(&mut self.source)?;
        let finished = self.input.finish(&mut self.decoder);
        if self.input.is_overdrawn() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if finished || !self.strict { Ok(()) } else { Err(invalid("the end of LZMA data is broken")) }
    }
}

impl<R: Read> Steps for Lzma<R> {
    fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    fn step(&mut self) -> io::Result<bool> {
        self.input.fill(&mut self.source)?;
        if !self.begun {
            let head = self.input.head().ok_or(ErrorKind::UnexpectedEof)?;
            self.decoder.begin(head).ok_or_else(|| invalid("an LZMA stream does not begin with zero"))?;
            self.begun = true;
        }
        if self.left == Some(0) {
            return self.end().map(|()| true);
        }
        self.window.make_room();
        let mut space = self.window.space();
        let start = space.at;
        let left = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let stop = start.saturating_add(left.min(STEP));
        space.end = space.end.min(start.saturating_add(left));
        let ran = self.input.run(&mut self.decoder, self.input.ended, &mut space, stop);
        let at = space.at;
        self.window.written(at);
        self.left = self.left.map(|left| left.saturating_sub(u64::try_from(at - start).unwrap_or(0)));
        match ran {
            _ if self.input.is_overdrawn() => Err(ErrorKind::UnexpectedEof.into()),
            Ran::Paused => Ok(false),
            Ran::Marked if self.left.is_some_and(|left| left > 0) => Err(invalid("LZMA data end before their length")),
            Ran::Marked => self.finish().map(|()| true),
            Ran::Broken => Err(invalid("LZMA data are broken")),
        }
    }
}

impl<R: Read> Read for Lzma<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        window::read(self, buffer)
    }
}

/// A stream of LZMA2 at work.
pub(crate) struct Lzma2<R> {
    source: R,
    input: Input,
    window: Window,
    /// Absent before the first properties.
    decoder: Option<Decoder>,
    needs: Needs,
    chunk: Chunk,
}

/// What the next chunk must bring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Dictionary,
    Properties,
    Nothing,
}

/// The chunk at work, and how many plain bytes of it are still to come.
#[derive(Clone, Copy)]
enum Chunk {
    Packed(usize),
    Plain(usize),
}

impl<R: Read> Lzma2<R> {
    /// Decodes chunks up to the end mark.
    pub(crate) fn new(source: R, dictionary: u32) -> Lzma2<R> {
        let (input, window) = (Input::new(), window_of(dictionary));
        Lzma2 { source, input, window, decoder: None, needs: Needs::Dictionary, chunk: Chunk::Plain(0) }
    }

    /// The source, behind the end mark if all was read.
    pub(crate) fn into_inner(self) -> R {
        self.source
    }

    /// Decodes some of the `left` bytes of a packed chunk.
    fn run(&mut self, left: usize) -> io::Result<usize> {
        let decoder = self.decoder.as_mut().ok_or_else(|| invalid("an LZMA2 chunk without properties"))?;
        self.window.make_room();
        let mut space = self.window.space();
        let start = space.at;
        let stop = start.saturating_add(left.min(STEP));
        space.end = space.end.min(start.saturating_add(left));
        let ran = self.input.run(decoder, true, &mut space, stop);
        let at = space.at;
        self.window.written(at);
        match ran {
            _ if self.input.is_overdrawn() && self.input.ended => Err(ErrorKind::UnexpectedEof.into()),
            Ran::Paused if !self.input.is_overdrawn() => Ok(at - start),
            _ => Err(invalid("an LZMA2 chunk is broken")),
        }
    }

    /// Copies some of the `left` bytes of a plain chunk.
    fn copy(&mut self, left: usize) -> io::Result<usize> {
        self.window.make_room();
        let mut space = self.window.space();
        let start = space.at;
        let end = start.saturating_add(left).min(space.end);
        let got = self.source.read(space.bytes.get_mut(start..end).unwrap_or_default())?;
        space.at = start.saturating_add(got).min(end);
        let at = space.at;
        self.window.written(at);
        if got == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(at - start) }
    }

    /// A packed chunk ends where its range coder does.
    fn end_chunk(&mut self) -> io::Result<()> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(()) };
        let finished = self.input.finish(decoder);
        match finished && self.input.at == self.input.filled {
            true => Ok(()),
            false if self.input.ended => Err(ErrorKind::UnexpectedEof.into()),
            false => Err(invalid("an LZMA2 chunk does not end where it should")),
        }
    }

    /// Reads the head of a chunk (5.3.1), and its bytes if it is packed. True at the end.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let [control] = self.bytes()?;
        if control == 0 {
            return Ok(true);
        }
        if control == 1 || control >= 0xe0 {
            self.window.forget();
            self.needs = Needs::Properties;
        } else if self.needs == Needs::Dictionary {
            return Err(invalid("the first LZMA2 chunk does not reset the dictionary"));
        }
        if control < 0x80 {
            let length = self.bytes().map(u16::from_be_bytes)?;
            self.chunk = Chunk::Plain(usize::from(length) + 1);
            return if control > 2 { Err(invalid("an LZMA2 chunk of no known kind")) } else { Ok(false) };
        }
        let [high, low, packed @ ..] = self.bytes::<4>()?;
        let plain = u32::from_be_bytes([0, control & 0x1f, high, low]);
        self.prepare(control)?;
        let packed = usize::from(u16::from_be_bytes(packed)) + 1;
        self.input.read(&mut self.source, packed)?;
        self.chunk = Chunk::Packed(usize::try_from(plain).unwrap_or(0) + 1);
        let head = self.input.head().ok_or(ErrorKind::UnexpectedEof)?;
        let begun = self.decoder.as_mut().and_then(|decoder| decoder.begin(head));
        begun.map(|()| false).ok_or_else(|| invalid("an LZMA2 chunk does not begin with zero"))
    }

    /// Makes the decoder ready for a chunk with this control byte.
    fn prepare(&mut self, control: u8) -> io::Result<()> {
        match control {
            0xc0.. => {
                let [byte] = self.bytes()?;
                let properties = Properties::new(byte).filter(|properties| properties.literal_bits() <= 4);
                let properties = properties.ok_or_else(|| invalid("the properties of an LZMA2 chunk cannot be"))?;
                self.decoder = Some(Decoder::new(properties));
                self.needs = Needs::Nothing;
            }
            _ if self.needs != Needs::Nothing => return Err(invalid("an LZMA2 chunk without properties")),
            0xa0.. => {
                if let Some(decoder) = self.decoder.as_mut() {
                    decoder.reset();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Steps for Lzma2<R> {
    fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    fn step(&mut self) -> io::Result<bool> {
        match self.chunk {
            Chunk::Packed(0) => {
                self.end_chunk()?;
                self.next_chunk()
            }
            Chunk::Plain(0) => self.next_chunk(),
            Chunk::Packed(left) => {
                self.chunk = Chunk::Packed(left - self.run(left)?);
                Ok(false)
            }
            Chunk::Plain(left) => {
                self.chunk = Chunk::Plain(left - self.copy(left)?);
                Ok(false)
            }
        }
    }
}

impl<R: Read> Read for Lzma2<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        window::read(self, buffer)
    }
}

fn invalid(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests;
