//! Flash files (specification: SWF File Format Specification 19, chapter 2).
//!
//! ```text
//! FWS version length                        the movie as it stands: nothing to unpack
//! CWS version length | zlib                 6 and later
//! ZWS version length, packed | LZMA         13 and later: properties and dictionary, 5 bytes, then the stream
//! ```
//!
//! The member is the movie as an uncompressed file: signatures are written for that form. Tags are not taken apart: files
//! that a movie embeds (`DefineBinaryData`) stand in it as they are.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source, read_vec_at};

use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Length of the header that stands uncompressed.
const HEADER: u64 = 8;

/// Unpacks a movie.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Movie { source: Arc::clone(source), budget: budget.clone(), found: Found::new(budget) })
}

struct Movie {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
}

impl Search for Movie {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let header = Header::read(self.source.as_ref())?;
        if !header.is_packed {
            return Ok(());
        }
        let length = header.length.checked_sub(HEADER).filter(|length| *length > 0);
        let plain = [b"FWS", header.rest.as_slice()].concat();
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let opener = move || -> std::io::Result<Decoder> {
            Ok(Box::new(std::io::Cursor::new(plain.clone()).chain(header.decoder(&source, length, &budget)?)))
        };
        let replay = Replay::new(&self.budget, opener).expecting(length.map(|length| length + HEADER), None);
        self.found.member(Name::new(b"movie"), Arc::new(replay), None)?;
        Ok(())
    }
}

#[derive(Clone)]
struct Header {
    /// The first letter of the signature.
    form: u8,
    /// False also for what is no movie, which a signature may ask to be looked at as one.
    is_packed: bool,
    /// Version and length as they stand.
    rest: [u8; 5],
    /// Of the whole uncompressed file.
    length: u64,
    /// For LZMA.
    properties: [u8; 5],
}

impl Header {
    fn read(source: &dyn Source) -> Result<Header, Short> {
        let bytes = read_vec_at(source, 0, 17);
        let mut reader = Reader::new(&bytes, "SWF header");
        let magic @ [form, ..] = reader.array::<3>()?;
        let is_packed = matches!(&magic, b"CWS" | b"ZWS");
        let rest = reader.array::<5>()?;
        let [_, length @ ..] = rest;
        let properties = if form == b'Z' { reader.skip(4).and_then(|()| reader.array())? } else { [0; 5] };
        Ok(Header { form, is_packed, rest, length: u32::from_le_bytes(length).into(), properties })
    }

    /// The part of the movie behind its header.
    fn decoder(&self, source: &Arc<dyn Source>, length: Option<u64>, budget: &Budget) -> std::io::Result<Decoder> {
        let input = |start| SourceRead::range(Arc::clone(source), start, u64::MAX - start);
        match self.form {
            b'Z' => codec::lzma(input(17), self.properties, length, budget),
            // Two bytes say that it is zlib (RFC 1950 2.2).
            _ => codec::deflate(input(HEADER + 2), budget),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Item;
    use dachs_base::{Limits, Memory, NoClock};

    fn items(bytes: &[u8]) -> Vec<Item> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.to_vec()));
        let mut movie = open(&source, &Budget::new(Limits::default(), NoClock));
        std::iter::from_fn(|| movie.next_item()).collect()
    }

    #[test]
    fn only_what_is_packed_holds_a_movie() {
        assert!(items(b"FWS\x06\x20\0\0\0 and its tags").is_empty());
        assert!(items(b"\x01\x02\x03\x06\x20\0\0\0 is no movie at all").is_empty());
        assert!(matches!(items(b"CWS\x06\x20\0\0\0\x78\x9c").as_slice(), [Item::Member(_), ..]));
        assert!(matches!(items(b"CWS\x06").as_slice(), [Item::Anomaly { .. }]));
    }
}
