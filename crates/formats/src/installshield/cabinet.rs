//! InstallShield cabinets, versions 6 and later (known from unshield, <https://github.com/twogood/unshield>, MIT licence).
//!
//! ```text
//! "ISc(" | version 4 | 4 | descriptor: offset 4, size 4 | volume: data begin at, first and last file ...
//! descriptor: ... offset of the tables 4 (at 12) ... directories 4 (28) ... files 4 (40), offset of the files 4 (44)
//! file, 87 bytes: flags 2 | size 8 | packed size 8 | offset 8 | digest 16 | 16 | name 4 | directory 2 | ... volume 2 (at 85)
//! packed data: size 2, deflate, size 2, deflate ...
//! ```
//!
//! The descriptor stands in a file of its own (`data1.hdr`), so a cabinet by itself does not say what it holds: its data are
//! then read as one packed stream as far as they are one, and the rest is told. With the header, which stands in the same
//! list, files are taken out by name. Data may be turned over byte by byte, which is undone. Digests are not compared.
//!
//! Not done: versions before 6, files that go on in the next cabinet. They are told.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, LimitReached, Name, Part, Reader, Short, Source, read_vec_at};

use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack, utf16};

/// How a cabinet or a header begins.
pub(super) const MAGIC: [u8; 4] = *b"ISc(";
/// Bytes of a file's entry.
const ENTRY: u64 = 0x57;
/// Flags of a file.
const SPLIT: u16 = 1;
const OBFUSCATED: u16 = 2;
const COMPRESSED: u16 = 4;
const INVALID: u16 = 8;
/// The file is the same as one before.
const LINK_BACK: u8 = 1;
/// Files of one header; more are not believed.
const MOST: u32 = 100_000;
/// Bytes of the longest name.
const LONGEST_NAME: usize = 1024;

/// A header, and the cabinets that it describes, by number.
pub(super) struct Set {
    /// What their names begin with.
    pub(super) stem: Vec<u8>,
    pub(super) header: Arc<dyn Source>,
    pub(super) cabinets: Vec<(u16, Arc<dyn Source>)>,
}

/// A cabinet or a header by itself.
pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(Alone { source, budget, found })
}

struct Alone {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
}

impl Search for Alone {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.found.end();
        let start = start_of_data(self.source.as_ref())?;
        let length = self.source.len();
        if start >= length {
            // A header holds names, and the cabinets that it describes are other files.
            return Ok(());
        }
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let opener = move || -> io::Result<Decoder> {
            let input = Plain::new(SourceRead::range(Arc::clone(&source), start, u64::MAX), false);
            Ok(Box::new(Chunks { input, chunk: None, budget: budget.clone(), left: length - start }))
        };
        let stream = Replay::new(&self.budget, opener);
        self.found.member(Name::new(b"content"), Arc::new(stream), Some(length - start))?;
        Err(Anomaly::unsupported("the header that names the files of this InstallShield cabinet is another file"))
    }
}

/// Where the data of a cabinet begin; at its end, if it is a header.
fn start_of_data(cabinet: &dyn Source) -> Result<u64, Anomaly> {
    let bytes = read_vec_at(cabinet, 0, 24);
    let mut reader = Reader::new(&bytes, "InstallShield cabinet");
    reader.skip(4)?;
    let version = reader.u32_le()?;
    if major(version) < 6 {
        return Err(Anomaly::unsupported("InstallShield cabinets before version 6 cannot be opened yet"));
    }
    reader.skip(8)?;
    let descriptor = reader.u32_le()?;
    let start = reader.u32_le()?;
    Ok(if descriptor > 0 { cabinet.len() } else { u64::from(start) })
}

fn major(version: u32) -> u32 {
    match version >> 24 {
        1 => version >> 12 & 0xF,
        2 | 4 => (version & 0xFFFF) / 100,
        _ => 0,
    }
}

/// The tables of a header.
struct Tables {
    header: Arc<dyn Source>,
    /// Where directories and names count from, and where the files stand.
    base: u64,
    files: u64,
    count: u32,
    /// Names are in UTF-16.
    wide: bool,
}

struct File {
    flags: u16,
    plain: u64,
    packed: u64,
    offset: u64,
    name: u32,
    directory: u16,
    link: u8,
    volume: u16,
}

/// Gives the files of a set.
pub(super) fn give(set: &Set, found: &mut Found, budget: &Budget) -> Result<(), LimitReached> {
    let tables = match Tables::read(&set.header) {
        Ok(tables) => tables,
        Err(anomaly) => {
            found.remark(None, anomaly);
            return Ok(());
        }
    };
    for number in 0..tables.count.min(MOST) {
        budget.check_time()?;
        match tables.file(number) {
            Ok(file) => give_file(set, &tables, &file, found, budget)?,
            Err(short) => {
                found.remark(None, short.into());
                break;
            }
        }
    }
    Ok(())
}

/// A file without a place of its own stands beside the cabinets.
fn give_file(set: &Set, tables: &Tables, file: &File, found: &mut Found, budget: &Budget) -> Result<(), LimitReached> {
    if file.flags & INVALID != 0 || file.link & LINK_BACK != 0 || file.plain == 0 || file.offset == 0 {
        return Ok(());
    }
    let name = Name::new(&tables.path(file));
    let cabinet = set.cabinets.iter().find(|(number, _)| *number == file.volume);
    let Some((_, cabinet)) = cabinet.filter(|_| file.flags & SPLIT == 0) else {
        found.remark(Some(name), Anomaly::unsupported("it stands in another InstallShield cabinet, or in several"));
        return Ok(());
    };
    let stored = if file.flags & COMPRESSED != 0 { file.packed } else { file.plain };
    let source = member(cabinet, file, stored, budget);
    found.member(name, source, Some(stored))
}

fn member(cabinet: &Arc<dyn Source>, file: &File, stored: u64, budget: &Budget) -> Arc<dyn Source> {
    let (offset, turned) = (file.offset, file.flags & OBFUSCATED != 0);
    if file.flags & (COMPRESSED | OBFUSCATED) == 0 {
        return Arc::new(Part::new(Arc::clone(cabinet), offset, stored));
    }
    let (source, again, packed) = (Arc::clone(cabinet), budget.clone(), file.flags & COMPRESSED != 0);
    let opener = move || -> io::Result<Decoder> {
        let input = Plain::new(SourceRead::range(Arc::clone(&source), offset, stored), turned);
        if !packed {
            return Ok(Box::new(input));
        }
        Ok(Box::new(Chunks { input, chunk: None, budget: again.clone(), left: stored }))
    };
    Arc::new(Replay::new(budget, opener).expecting(Some(file.plain), None))
}

impl Tables {
    fn read(header: &Arc<dyn Source>) -> Result<Tables, Anomaly> {
        let bytes = read_vec_at(header.as_ref(), 0, 20);
        let mut reader = Reader::new(&bytes, "InstallShield header");
        reader.skip(4)?;
        let version = major(reader.u32_le()?);
        if version < 6 {
            return Err(Anomaly::unsupported("InstallShield cabinets before version 6 cannot be opened yet"));
        }
        reader.skip(4)?;
        let descriptor = u64::from(reader.u32_le()?);
        let bytes = read_vec_at(header.as_ref(), descriptor, 48);
        let mut reader = Reader::new(&bytes, "InstallShield descriptor");
        reader.skip(12)?;
        let base = descriptor.saturating_add(u64::from(reader.u32_le()?));
        reader.skip(24)?;
        let count = reader.u32_le()?;
        let files = base.saturating_add(u64::from(reader.u32_le()?));
        Ok(Tables { header: Arc::clone(header), base, files, count, wide: version >= 17 })
    }

    fn file(&self, number: u32) -> Result<File, Short> {
        let at = self.files.saturating_add(u64::from(number).saturating_mul(ENTRY));
        let bytes = read_vec_at(self.header.as_ref(), at, usize::try_from(ENTRY).unwrap_or(0));
        let mut reader = Reader::new(&bytes, "InstallShield file");
        let (flags, plain, packed, offset) = (reader.u16_le()?, reader.u64_le()?, reader.u64_le()?, reader.u64_le()?);
        reader.skip(32)?;
        let (name, directory) = (reader.u32_le()?, reader.u16_le()?);
        reader.skip(20)?;
        let (link, volume) = (reader.u8()?, reader.u16_le()?);
        Ok(File { flags, plain, packed, offset, name, directory, link, volume })
    }

    fn path(&self, file: &File) -> Vec<u8> {
        let place = self.base.saturating_add(u64::from(file.directory) * 4);
        let bytes = read_vec_at(self.header.as_ref(), place, 4);
        let directory =
            Reader::new(&bytes, "InstallShield directory").u32_le().map_or_else(|_| Vec::new(), |at| self.text(at));
        let name = self.text(file.name);
        if directory.is_empty() { name } else { [directory, name].join(&b'\\') }
    }

    fn text(&self, at: u32) -> Vec<u8> {
        let bytes = read_vec_at(self.header.as_ref(), self.base.saturating_add(u64::from(at)), LONGEST_NAME);
        if self.wide {
            return utf16::little_until_zero(&bytes).into_bytes();
        }
        bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
    }
}

/// Data, with what turns them over undone: by exclusive or, rotation, and the place.
struct Plain<R> {
    input: R,
    turned: bool,
    /// The place, modulo 71.
    at: u8,
}

impl<R> Plain<R> {
    fn new(input: R, turned: bool) -> Plain<R> {
        Plain { input, turned, at: 0 }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        if self.turned {
            for byte in buffer.iter_mut().take(got) {
                *byte = (*byte ^ 0xd5).rotate_right(2).wrapping_sub(self.at);
                self.at = (self.at + 1) % 0x47;
            }
        }
        Ok(got)
    }
}

/// Packed data: each piece is deflate by itself.
struct Chunks<R> {
    input: R,
    chunk: Option<Decoder>,
    budget: Budget,
    /// Packed bytes that are left.
    left: u64,
}

impl<R: Read> Chunks<R> {
    /// Begins the next piece; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        let mut size = [0; 2];
        self.input.read_exact(&mut size)?;
        let size = u16::from_le_bytes(size);
        let mut piece = vec![0; usize::from(size)];
        self.input.read_exact(&mut piece)?;
        self.left = self.left.checked_sub(u64::from(size) + 2).ok_or(ErrorKind::UnexpectedEof)?;
        // A piece whose last block is not marked as the last gets one that is, and is empty.
        piece.extend([1, 0, 0, 0xff, 0xff]);
        self.chunk = Some(codec::deflate(io::Cursor::new(piece), &self.budget)?);
        Ok(true)
    }
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(chunk) = self.chunk.as_mut() {
                match chunk.read(buffer)? {
                    0 if !buffer.is_empty() => self.chunk = None,
                    got => return Ok(got),
                }
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}
