//! LZMA-alone (`.lzma`): a header of 13 bytes and one LZMA stream (LZMA SDK, `lzma-specification.txt`).
//!
//! The format has no checksum. If the header states a length, the range coder must be at its end there.

use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Reader, Source};
use lzma_rust2::LzmaReader;

use crate::Unpack;
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

/// What the decoder needs besides its dictionary and the probabilities.
const FIXED: u64 = 64 * 1024;

/// Unpacks an LZMA-alone stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    if before > 0 {
        return Ok(Begun::End(input.position()));
    }
    let mut header = [0; 13];
    input.read_exact(&mut header)?;
    let mut reader = Reader::new(&header, "lzma header");
    let (Ok(properties), Ok(dictionary), Ok(length)) = (reader.u8(), reader.u32_le(), reader.u64_le()) else {
        return Err(no_frame());
    };
    let stream = Lzma { properties, dictionary, length, strict: true };
    Ok(Begun::Frame(stream.decoder(input, budget)?))
}

/// What is known of an LZMA stream from its header.
pub(crate) struct Lzma {
    /// lc, lp and pb.
    pub(crate) properties: u8,
    /// Size of the dictionary in bytes.
    pub(crate) dictionary: u32,
    /// Length of the content; [`u64::MAX`] if a marker ends it.
    pub(crate) length: u64,
    /// Whether the range coder must be finished at the end.
    pub(crate) strict: bool,
}

impl Lzma {
    /// A decoder of the stream at the position of the input.
    ///
    /// # Errors
    /// If there is no memory, or no LZMA stream.
    pub(crate) fn decoder(&self, input: SourceRead, budget: &Budget) -> io::Result<Box<Fenced<Stream>>> {
        // 2 bytes for each of 0x300 << (lc + lp) probabilities, lc and lp taken from the properties byte.
        let bits = (self.properties % 9).saturating_add(self.properties / 9 % 5);
        let fixed = FIXED + (0x600 << u32::from(bits));
        let dictionary = u64::from(self.dictionary).min(self.length).saturating_add(4096);
        let fenced = Fenced::growing(budget, fixed, dictionary, || {
            let mut reader = LzmaReader::new_with_props(input, self.length, self.properties, self.dictionary, None)?;
            reader.set_defer_errors(true);
            reader.set_relaxed_end_condition(!self.strict);
            Ok(Stream(reader))
        })?;
        Ok(Box::new(fenced))
    }
}

/// An LZMA stream at work.
pub(crate) struct Stream(LzmaReader<SourceRead>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Frame for Stream {
    fn finish(self: Box<Self>) -> SourceRead {
        let (mut input, unused) = self.0.into_parts();
        let unused = u64::try_from(unused.len()).unwrap_or(0);
        input.go_to(input.position().saturating_sub(unused));
        input
    }
}
