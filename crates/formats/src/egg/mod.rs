//! ALZip's newer archives (specification: "EGG Archive Format Specification" 1.0 in the documents of unegg-rs, after that of ESTsoft).
//!
//! ```text
//! "EGGA" 10 bytes | fields, end | file: number, size | fields (name, times, encryption), end | block, end, data | ... | end
//! ```
//!
//! A field is a sign of four bytes, flags, a length and data. A file is a row of blocks, each compressed for itself: stored, DEFLATE,
//! bzip2, or LZMA behind four bytes. Blocks with wrong checksums are told when the file was read.
//!
//! Not done: ESTsoft's own method (AZO), encrypted files, archives that are solid or go on in other volumes; all are told.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Reader, Source, read_vec_at};

use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead, remark};
use crate::{Found, Search, Unpack};

/// 3: signs.
const ARCHIVE: u32 = 0x4147_4745;
const SPLIT: u32 = 0x24F5_A262;
const SOLID: u32 = 0x24E5_A060;
const FILE: u32 = 0x0A85_90E3;
const NAME: u32 = 0x0A85_91AC;
const ENCRYPTION: u32 = 0x08D1_470F;
const BLOCK: u32 = 0x02B5_0C13;
const END: u32 = 0x08E2_8222;
/// Memory of a block's description.
const BLOCK_MEMORY: u64 = 40;
/// More names than this are cut.
const LONGEST_NAME: u64 = 4096;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, found) = (Arc::clone(source), Found::new(budget));
    Box::new(Egg { source, budget: budget.clone(), found, at: 0, file: None, begun: false, solid: false, number: 0 })
}

struct Egg {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    at: u64,
    /// The file whose blocks are being met.
    file: Option<File>,
    /// The end of the first fields was met.
    begun: bool,
    solid: bool,
    number: u64,
}

#[derive(Default)]
struct File {
    name: Vec<u8>,
    size: u64,
    encrypted: bool,
    blocks: Vec<Block>,
    memory: Vec<Charge>,
    /// The first thing that cannot be read.
    refusal: Option<Anomaly>,
}

#[derive(Clone, Copy)]
struct Block {
    start: u64,
    packed: u64,
    length: u64,
    sum: u32,
    method: u8,
}

impl Search for Egg {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let head = read_vec_at(self.source.as_ref(), self.at, 32);
        let mut reader = Reader::new(&head, "archive: its end");
        match reader.u32_le() {
            Ok(ARCHIVE) if self.at == 0 => self.pass(14),
            Ok(FILE) => {
                self.give()?;
                reader.skip(4)?;
                self.file = Some(File { size: reader.u64_le()?, ..File::default() });
                self.pass(16);
            }
            Ok(BLOCK) => self.block(reader)?,
            Ok(END) => {
                self.pass(4);
                let first = !std::mem::replace(&mut self.begun, true);
                if self.at >= self.source.len() && !first {
                    self.found.end();
                    self.give()?;
                }
            }
            Ok(sign) if self.at > 0 => self.field(sign, reader)?,
            Ok(_) => return Err(Anomaly::damaged("it does not begin as an archive")),
            Err(short) => {
                self.give()?;
                return Err(short.into());
            }
        }
        Ok(())
    }
}

impl Egg {
    fn pass(&mut self, count: u64) {
        self.at = self.at.saturating_add(count);
    }

    /// 4: a field, of those that matter.
    fn field(&mut self, sign: u32, mut reader: Reader<'_>) -> Result<(), Anomaly> {
        let flags = reader.u8()?;
        let (head, length) = match flags & 1 {
            0 => (7, u64::from(reader.u16_le()?)),
            _ => (9, u64::from(reader.u32_le()?)),
        };
        let data = self.at.saturating_add(head);
        self.at = data.saturating_add(length);
        match (sign, &mut self.file) {
            (NAME, Some(file)) => {
                let skipped = if flags & 0x10 != 0 { 2 } else { 0 } + if flags & 0x20 != 0 { 4 } else { 0 };
                let count = usize::try_from(length.saturating_sub(skipped).min(LONGEST_NAME)).unwrap_or(0);
                file.name = read_vec_at(self.source.as_ref(), data.saturating_add(skipped), count);
            }
            (ENCRYPTION, Some(file)) => file.encrypted = true,
            (SOLID, _) => self.solid = true,
            (SPLIT, _) => {
                let bytes = read_vec_at(self.source.as_ref(), data, 8);
                if bytes.iter().any(|byte| *byte != 0) {
                    self.found.remark(None, Anomaly::unsupported("it goes on in another volume"));
                }
            }
            _ if sign >> 24 == 0 || self.at > self.source.len() => {
                self.give()?;
                return Err(Anomaly::damaged("what should be a header is none"));
            }
            _ => {}
        }
        Ok(())
    }

    /// 9: a block.
    fn block(&mut self, mut reader: Reader<'_>) -> Result<(), Anomaly> {
        let method = reader.u8()?;
        reader.skip(1)?;
        let (length, packed, sum) = (u64::from(reader.u32_le()?), u64::from(reader.u32_le()?), reader.u32_le()?);
        let marked = reader.u32_le()? == END;
        let start = self.at.saturating_add(22);
        self.at = start.saturating_add(packed);
        let file = self.file.get_or_insert_default();
        if !marked {
            file.refusal.get_or_insert_with(|| Anomaly::damaged("a block has no end of its header"));
        }
        if self.at > self.source.len() {
            file.refusal.get_or_insert_with(|| Anomaly::damaged("its bytes reach past the end of the archive"));
        }
        if method == 3 {
            file.refusal.get_or_insert_with(|| Anomaly::unsupported("it is compressed with ALZip's own method (AZO)"));
        }
        file.memory.push(self.budget.reserve(BLOCK_MEMORY)?);
        file.blocks.push(Block { start, packed, length, sum, method });
        Ok(())
    }

    /// Gives the file whose blocks were met.
    fn give(&mut self) -> Result<(), Anomaly> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        self.number += 1;
        let name = match file.name.as_slice() {
            [] => Name::new(format!("file {}", self.number).as_bytes()),
            name => Name::new(name),
        };
        if file.blocks.is_empty() {
            let missing = (file.size > 0).then(|| Anomaly::damaged("its data are missing"));
            missing.into_iter().for_each(|anomaly| self.found.remark(Some(name.clone()), anomaly));
            return Ok(());
        }
        let closed = match (file.encrypted, self.solid) {
            (true, _) => Some(Anomaly::encrypted("it is encrypted")),
            (_, true) => Some(Anomaly::unsupported("it is part of a solid archive")),
            _ => None,
        };
        if let Some(anomaly) = closed {
            self.found.remark(Some(name), anomaly);
            return Ok(());
        }
        let refusal = file.refusal.take();
        refusal.into_iter().for_each(|anomaly| self.found.remark(Some(name.clone()), anomaly));
        let (source, budget, size) = (Arc::clone(&self.source), self.budget.clone(), file.size);
        let packed = file.blocks.iter().map(|block| block.packed).sum();
        let file = Arc::new(file);
        let replay = Replay::new(&self.budget, move || {
            let (file, source, budget) = (Arc::clone(&file), Arc::clone(&source), budget.clone());
            Ok(Box::new(Blocks { file, source, budget, next: 0, current: None, wrong: false }))
        });
        Ok(self.found.member(name, Arc::new(replay.expecting(Some(size), None)), Some(packed))?)
    }
}

/// The bytes of a file, block by block.
struct Blocks {
    file: Arc<File>,
    source: Arc<dyn Source>,
    budget: Budget,
    next: usize,
    current: Option<Current>,
    /// A checksum was wrong.
    wrong: bool,
}

struct Current {
    decoder: Decoder,
    left: u64,
    hasher: crc32fast::Hasher,
    sum: u32,
}

impl Blocks {
    /// Begins the next block; none at the end.
    fn begin(&mut self) -> io::Result<bool> {
        let Some(block) = self.file.blocks.get(self.next).copied() else { return Ok(false) };
        self.next += 1;
        let mut input = SourceRead::range(Arc::clone(&self.source), block.start, block.packed);
        let decoder: Decoder = match block.method {
            0 => Box::new(input),
            1 => codec::deflate(input, &self.budget)?,
            2 => codec::bzip2(input, false, &self.budget)?,
            4 => {
                let mut header = [0; 9];
                input.read_exact(&mut header)?;
                let [_, _, _, _, properties @ ..] = header;
                codec::lzma(input, properties, Some(block.length), &self.budget)?
            }
            _ => return Err(io::Error::new(ErrorKind::Unsupported, "a block with an unknown compression method")),
        };
        let hasher = crc32fast::Hasher::new();
        self.current = Some(Current { decoder, left: block.length, hasher, sum: block.sum });
        Ok(true)
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let Some(current) = &mut self.current else {
                if self.begin()? {
                    continue;
                }
                return if std::mem::take(&mut self.wrong) { Err(remark("its checksum is wrong")) } else { Ok(0) };
            };
            let most = usize::try_from(current.left).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..most).unwrap_or_default();
            let got = if most == 0 { 0 } else { current.decoder.read(piece)? };
            if got > 0 {
                current.hasher.update(piece.get(..got).unwrap_or_default());
                current.left -= u64::try_from(got).unwrap_or(0);
                return Ok(got);
            }
            if current.left > 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let done = self.current.take();
            self.wrong |= done.is_some_and(|done| done.hasher.finalize() != done.sum);
        }
        Ok(0)
    }
}
