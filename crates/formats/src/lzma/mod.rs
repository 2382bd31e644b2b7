//! LZMA-alone (`.lzma`): a header of 13 bytes and one LZMA stream (LZMA SDK, `lzma-specification.txt`).
//!
//! The format has no checksum. If the header states a length, the range coder must be at its end there.

use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Reader, Source};

use crate::Unpack;
use crate::codec::lzma::{self, Properties};
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

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
    let stream = Lzma { properties, dictionary, length: Some(length).filter(|length| *length < u64::MAX) };
    Ok(Begun::Frame(stream.decoder(input, budget)?))
}

/// What is known of an LZMA stream from its header.
pub(crate) struct Lzma {
    /// lc, lp and pb.
    pub(crate) properties: u8,
    /// Size of the dictionary in bytes.
    pub(crate) dictionary: u32,
    /// Length of the content; absent if a mark ends it.
    pub(crate) length: Option<u64>,
}

impl Lzma {
    /// A decoder of the stream at the position of the input. The range coder must be finished at the end.
    ///
    /// # Errors
    /// If there is no memory, or no LZMA stream.
    pub(crate) fn decoder(&self, input: SourceRead, budget: &Budget) -> io::Result<Box<Fenced<Stream>>> {
        let properties = Properties::new(self.properties).ok_or_else(no_frame)?;
        let fixed = lzma::FIXED.saturating_add(properties.memory());
        let dictionary = u64::from(self.dictionary).min(self.length.unwrap_or(u64::MAX));
        let make = || Ok(lzma::Lzma::new(input, properties, self.dictionary, self.length).strict());
        Ok(Box::new(Fenced::growing(budget, fixed, dictionary, make)?))
    }
}

/// An LZMA stream at work.
pub(crate) type Stream = lzma::Lzma<SourceRead>;

impl Frame for Stream {
    fn finish(self: Box<Self>) -> SourceRead {
        let (mut input, unused) = self.into_parts();
        let unused = u64::try_from(unused).unwrap_or(0);
        input.go_to(input.position().saturating_sub(unused));
        input
    }
}
