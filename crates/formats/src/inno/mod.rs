//! Set-up programs of Inno Setup 5 to 7 (specification: its own `Projects/Src/Shared.Struct.pas` and
//! `Compression.Base.pas`; innoextract and the crate inno as descriptions of all versions).
//!
//! ```text
//! program | resource: offset table | files, in chunks | "Inno Setup Setup Data (6.2.2)" | header block | block of locations
//!                                        ^                                                                   |
//!                                        +-- chunk, offset and size in it, checksum -------------------------+
//! ```
//!
//! The table in the program's resources says where header and files are ([`table`]). The second block tells of each file in which
//! chunk it stands and where ([`location`]); its layout follows the version. Chunks say by themselves how they are compressed:
//! zlib, bzip2, LZMA or LZMA2. Files of one chunk share a decoder. Programs were changed to be compressed better, which
//! is undone ([`calls`]).
//!
//! The header is given as a member: its texts and compiled scripts are what the program runs. Names are taken from it by the form
//! of its entries for files ([`names`]), not by reading all that stands before them, which each version arranges anew; a file
//! without one is `file 7`. Checksums of files are not compared.
//!
//! Not done: versions before 5.1.5 and files in further disks, which are told; passwords: files that are encrypted are told.

mod block;
mod calls;
mod location;
mod names;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Source, read_vec_at};

use self::block::Blocks;
use self::calls::Calls;
use self::location::{Layout, Location};
use self::table::Table;
use crate::codec::{self, Decoder};
use crate::stream::block::Block;
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// What each chunk begins with.
const CHUNK: &[u8] = b"zlb\x1A";
/// Bytes of a header that are read for names.
const LONGEST_HEADER: u64 = 32 << 20;

/// Where the header of a set-up program stands, if `source` is one.
pub(crate) fn header_at(source: &dyn Source) -> Option<u64> {
    Table::find(source).map(|table| table.header)
}

/// Goes through the files; `source` is the whole program.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, found) = (Arc::clone(source), Found::new(budget));
    Box::new(Setup { source, budget: budget.clone(), found, files: None })
}

struct Setup {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Absent until the headers were read.
    files: Option<Files>,
}

struct Files {
    locations: Decoder,
    layout: Layout,
    names: BTreeMap<u32, Vec<u8>>,
    /// Where the chunks are counted from.
    data: u64,
    number: u32,
    /// The chunk at hand and its plain bytes.
    chunk: Option<(u64, Arc<Block>)>,
}

impl Search for Setup {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(mut files) = self.files.take() else { return self.begin() };
        let mut entry = vec![0; files.layout.size()];
        match read_all(&mut files.locations, &mut entry) {
            Ok(0) => {
                self.found.end();
                return Ok(());
            }
            Ok(got) if got == entry.len() => {}
            Ok(_) => return Err(Anomaly::damaged("the list of files is cut off")),
            Err(error) => return Err(problem(&error, "the list of files")),
        }
        let location = files.layout.read(&entry)?;
        let name = match files.names.get(&files.number) {
            Some(name) => Name::new(name),
            None => Name::new(format!("file {}", files.number.saturating_add(1)).as_bytes()),
        };
        files.number = files.number.saturating_add(1);
        match self.member(&mut files, &location) {
            Ok(None) => {}
            Ok(Some(member)) => self.found.member(name, member, None)?,
            Err(anomaly) => self.found.remark(Some(name), anomaly),
        }
        self.files = Some(files);
        Ok(())
    }
}

impl Setup {
    /// Reads the table, the header and what is needed of it.
    fn begin(&mut self) -> Result<(), Anomaly> {
        let unknown = || Anomaly::unsupported("a set-up program of Inno Setup of an unknown version, or only its data");
        let table = Table::find(self.source.as_ref()).ok_or_else(unknown)?;
        let layout = Layout::of(&read_vec_at(self.source.as_ref(), table.header, 64)).ok_or_else(unknown)?;
        let mut at = table.header.saturating_add(64);
        if layout.has_encryption_header() {
            let bytes = read_vec_at(self.source.as_ref(), at, 64);
            if location::hides_headers(&bytes) {
                return Err(Anomaly::encrypted("the set-up program is encrypted, its headers too"));
            }
            at = at.saturating_add(location::ENCRYPTION_HEADER);
        }
        let header = Blocks::find(self.source.as_ref(), at, layout.wide_blocks())?;
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let replay = Replay::new(&self.budget, move || header.open(&source, &budget));
        let member: Arc<dyn Source> = Arc::new(replay);
        let names = self.names(&member, layout)?;
        if let Some(problem) = member.problem().filter(|_| names.is_empty()) {
            self.found.remark(None, problem);
        }
        self.found.member(Name::new(b"header"), member, None)?;
        if table.data == 0 {
            return Err(Anomaly::unsupported("its files are in other files of a set"));
        }
        let locations = Blocks::find(self.source.as_ref(), header.end, layout.wide_blocks())?;
        let locations =
            locations.open(&self.source, &self.budget).map_err(|error| problem(&error, "the list of files"))?;
        self.files = Some(Files { locations, layout, names, data: table.data, number: 0, chunk: None });
        Ok(())
    }

    /// What the files are called, by their numbers.
    fn names(&self, header: &Arc<dyn Source>, layout: Layout) -> Result<BTreeMap<u32, Vec<u8>>, Anomaly> {
        let memory = self.budget.reserve(LONGEST_HEADER.min(self.budget.memory_left() / 4))?;
        let mut bytes = Vec::new();
        // A `SourceRead` gives no errors.
        let _ = SourceRead::new(Arc::clone(header)).take(memory.count()).read_to_end(&mut bytes);
        let names = names::names(&bytes, layout);
        drop(memory);
        Ok(names)
    }

    /// The bytes of a file; nothing if it has none.
    fn member(&self, files: &mut Files, location: &Location) -> Result<Option<Arc<dyn Source>>, Anomaly> {
        if location.size == 0 {
            return Ok(None);
        }
        if location.first_slice != 0 {
            return Err(Anomaly::unsupported("it is in another file of a set"));
        }
        let start = files.data.saturating_add(location.chunk);
        if read_vec_at(self.source.as_ref(), start, CHUNK.len()) != CHUNK {
            return Err(Anomaly::damaged("its data are not where the list of files says"));
        }
        if location.encrypted {
            return Err(Anomaly::encrypted("it is encrypted"));
        }
        let start = start.saturating_add(4);
        let block = match &files.chunk {
            Some((known, block)) if *known == start => Arc::clone(block),
            _ => {
                let block = self.chunk(start, location);
                files.chunk = Some((start, Arc::clone(&block)));
                block
            }
        };
        let (offset, size, calls) = (location.offset, location.size, location.calls);
        let replay = Replay::new(&self.budget, move || {
            let plain = block.open(offset, size)?;
            Ok(match calls {
                Some(form) => Box::new(Calls::new(plain, form)),
                None => plain,
            })
        });
        Ok(Some(Arc::new(replay.expecting(Some(size), None))))
    }

    /// The plain bytes of the chunk that holds a file.
    fn chunk(&self, start: u64, location: &Location) -> Arc<Block> {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let (packed, compressed) = (location.chunk_size, location.compressed);
        Block::new(&self.budget, move || {
            if !compressed {
                let part: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&source), start, packed));
                return Ok(Box::new(SourceRead::new(part)));
            }
            decoder(SourceRead::range(Arc::clone(&source), start, packed), &budget)
        })
    }
}

/// Starts the decoder that the first bytes of a chunk ask for.
fn decoder(mut input: SourceRead, budget: &Budget) -> io::Result<Decoder> {
    let (head, got) = input.peek::<7>();
    match head.get(..got).unwrap_or_default() {
        [b'B', b'Z', b'h', ..] => codec::bzip2(input, false, budget),
        [0x78, flags, ..] if u16::from_be_bytes([0x78, *flags]).is_multiple_of(31) => {
            input.go_to(2);
            codec::deflate(input, budget)
        }
        [0x5D, a, b, c, d, 0, ..] => {
            input.go_to(5);
            codec::lzma(input, [0x5D, *a, *b, *c, *d], None, budget)
        }
        [property @ 0..=40, 1 | 0xE0..=0xFF, ..] => {
            input.go_to(1);
            codec::lzma2(input, *property, None, budget)
        }
        _ => Err(io::Error::new(ErrorKind::Unsupported, "a chunk that is compressed in an unknown way")),
    }
}

/// Fills `buffer`; fewer bytes only at the end.
fn read_all(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            got => done += got,
        }
    }
    Ok(done)
}

fn problem(error: &io::Error, what: &str) -> Anomaly {
    match error.kind() {
        ErrorKind::Unsupported => Anomaly::unsupported(format!("{what} cannot be read")),
        ErrorKind::OutOfMemory => Anomaly::unsupported(format!("{what} needs more memory than is allowed")),
        _ => Anomaly::damaged(format!("{what} is broken")),
    }
}
