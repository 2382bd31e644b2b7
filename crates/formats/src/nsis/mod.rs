//! Set-up programs of NSIS, the Nullsoft Scriptable Install System, versions 2 and 3 (specification: `Source/exehead/fileform.h`
//! of its source; the forms of compression as `Source/7zip`, `Source/bzip2` and `Source/zlib` there read them).
//!
//! ```text
//! flags 4 | DEADBEEF "NullsoftInst" | length of the header 4 | length of all that follows 4
//! not solid: size and "packed" bit 4 | header | size and bit 4 | file | ...      each packed by itself
//! solid:     one stream of: size 4 | header | size 4 | file | size 4 | file ...
//! ```
//!
//! Files stand one behind the other and say how long they are, so they are found without the script; the script in the
//! header ([`script`]) tells what they are called. The header is a member too: its texts are what the program writes and runs.
//!
//! The checksum is not compared. Not done: set-up programs of version 1, whose sign is another.

mod script;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source, read_vec_at};
use lzma_rust2::filter::bcj::BcjReader;

use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Bytes before the first block.
const FIRST: u64 = 28;
/// Set in the size of a block that is packed.
const PACKED: u32 = 0x8000_0000;
/// Bytes of a header that are read for names. Those of large programs have some hundred KiB.
const LONGEST_HEADER: u64 = 32 << 20;

/// Goes through the files; `source` begins with the flags.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, found) = (Arc::clone(source), Found::new(budget));
    Box::new(Files {
        source,
        budget: budget.clone(),
        found,
        layout: None,
        at: 0,
        end: 0,
        base: 0,
        names: BTreeMap::new(),
        number: 0,
    })
}

struct Files {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Absent until the start was read.
    layout: Option<Layout>,
    /// Where the next block stands: in the file, or in the stream if it is solid.
    at: u64,
    /// Where the blocks end in the file.
    end: u64,
    /// Where the block behind the header stands: names count from there.
    base: u64,
    names: BTreeMap<u64, Vec<u8>>,
    number: u64,
}

/// How the blocks are kept.
#[derive(Clone)]
enum Layout {
    Blocks(Method),
    Solid(Arc<dyn Source>),
}

/// How a block is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Bzip2,
    Deflate,
    /// With a byte before it that says if programs were changed (BCJ).
    FilteredLzma,
    Lzma,
}

impl Method {
    /// Bytes say how they are packed: LZMA by its properties and a dictionary of whole 64 KiB, bzip2 by its first block.
    fn of(bytes: &[u8]) -> Method {
        let is_lzma = |bytes: &[u8]| matches!(bytes, [0x5D, 0, 0, _, _, 0, high, ..] if high & 0x80 == 0);
        match bytes {
            bytes if is_lzma(bytes) => Method::Lzma,
            [0 | 1, rest @ ..] if is_lzma(rest) => Method::FilteredLzma,
            [0x31, order, ..] if *order < 14 => Method::Bzip2,
            _ => Method::Deflate,
        }
    }

    fn decoder(self, mut input: SourceRead, budget: &Budget) -> io::Result<Decoder> {
        let mut filtered = [0];
        if self == Method::FilteredLzma {
            input.read_exact(&mut filtered)?;
        }
        match self {
            Method::Bzip2 => codec::bare_bzip2(input, budget),
            Method::Deflate => codec::loose_deflate(input, budget),
            Method::Lzma | Method::FilteredLzma => {
                let mut properties = [0; 5];
                input.read_exact(&mut properties)?;
                let decoder = codec::lzma(input, properties, None, budget)?;
                Ok(if filtered == [1] { Box::new(BcjReader::new_x86(decoder, 0)) } else { decoder })
            }
        }
    }
}

impl Search for Files {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(layout) = self.layout.clone() else { return self.begin() };
        let (name, member, packed) = match layout {
            Layout::Solid(stream) => {
                if stream.read_at(self.at, &mut [0]) == 0 {
                    self.found.end();
                    return stream.problem().map_or(Ok(()), Err);
                }
                let bytes = read_vec_at(stream.as_ref(), self.at, 4);
                let size = Reader::new(&bytes, "size of a file").u32_le()?;
                let name = self.name();
                let member: Arc<dyn Source> = Arc::new(Part::new(stream, self.at.saturating_add(4), u64::from(size)));
                self.at = self.at.saturating_add(4).saturating_add(u64::from(size));
                (name, member, None)
            }
            Layout::Blocks(method) => {
                if self.at >= self.end {
                    self.found.end();
                    return Ok(());
                }
                let name = self.name();
                let (start, size, packed) = self.block()?;
                (name, self.unpacked(start, size, packed.then_some(method)), Some(u64::from(size)))
            }
        };
        if member.known_len() == Some(0) {
            return Ok(());
        }
        Ok(self.found.member(name, member, packed)?)
    }
}

impl Files {
    /// Reads the start, and the header.
    fn begin(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 0, 64);
        let mut reader = Reader::new(&bytes, "NSIS header");
        reader.skip(20)?;
        let (header, all) = (reader.u32_le()?, reader.u32_le()?);
        let first = Reader::new(reader.rest(), "NSIS data").array::<12>()?;
        if u64::from(all) > self.source.len() {
            self.found.remark(None, Anomaly::damaged("the set-up program is cut off"));
        }
        // Without a checksum, four bytes less follow: they would be the start of another block.
        self.end = u64::from(all).saturating_sub(4).min(self.source.len());
        let [a, b, c, d, block @ ..] = first;
        let size = u32::from_le_bytes([a, b, c, d]);
        let fits = u64::from(size & !PACKED).saturating_add(FIRST + 4) <= self.end;
        let packed = size & PACKED != 0 && size & !PACKED < header.saturating_add(64);
        // The properties of LZMA look like a size.
        let is_stream = Method::of(&first) == Method::Lzma && Method::of(&block) != Method::Lzma;
        let separate = fits && !is_stream && (size == header || packed);
        if separate {
            let method = Method::of(&block);
            self.at = FIRST;
            let (start, size, packed) = self.block()?;
            let member = self.unpacked(start, size, packed.then_some(method));
            self.layout = Some(Layout::Blocks(method));
            self.base = self.at;
            self.header(member)
        } else {
            let (source, budget, method) = (Arc::clone(&self.source), self.budget.clone(), Method::of(&first));
            let rest = self.end.saturating_sub(FIRST);
            let opener = move || method.decoder(SourceRead::range(Arc::clone(&source), FIRST, rest), &budget);
            let stream: Arc<dyn Source> = Arc::new(Replay::new(&self.budget, opener));
            let bytes = read_vec_at(stream.as_ref(), 0, 4);
            let size = match (Reader::new(&bytes, "NSIS data").u32_le(), stream.problem()) {
                (Err(_), Some(problem)) => return Err(problem),
                (size, _) => u64::from(size?),
            };
            self.layout = Some(Layout::Solid(Arc::clone(&stream)));
            self.at = size.saturating_add(4);
            self.base = self.at;
            self.header(Arc::new(Part::new(stream, 4, size)))
        }
    }

    /// A block: where it begins, its size, and if it is packed. Moves behind it.
    fn block(&mut self) -> Result<(u64, u32, bool), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), self.at, 4);
        let size = Reader::new(&bytes, "size of a file").u32_le()?;
        let start = self.at.saturating_add(4);
        self.at = start.saturating_add(u64::from(size & !PACKED));
        Ok((start, size & !PACKED, size & PACKED != 0))
    }

    fn unpacked(&self, start: u64, size: u32, method: Option<Method>) -> Arc<dyn Source> {
        let size = u64::from(size);
        let Some(method) = method else { return Arc::new(Part::new(Arc::clone(&self.source), start, size)) };
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        Arc::new(Replay::new(&self.budget, move || {
            method.decoder(SourceRead::range(Arc::clone(&source), start, size), &budget)
        }))
    }

    /// The header is a member, and tells the names of the others.
    fn header(&mut self, header: Arc<dyn Source>) -> Result<(), Anomaly> {
        let memory = self.budget.reserve(LONGEST_HEADER.min(self.budget.memory_left() / 4))?;
        let mut bytes = Vec::new();
        // A `SourceRead` gives no errors.
        let _ = SourceRead::new(Arc::clone(&header)).take(memory.count()).read_to_end(&mut bytes);
        self.names = script::names(&bytes);
        drop(memory);
        Ok(self.found.member(Name::new(b"header"), header, None)?)
    }

    /// The name of the block at hand.
    fn name(&mut self) -> Name {
        self.number = self.number.saturating_add(1);
        match self.names.get(&self.at.saturating_sub(self.base)) {
            Some(name) => Name::new(name),
            None => Name::new(format!("file {}", self.number).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
