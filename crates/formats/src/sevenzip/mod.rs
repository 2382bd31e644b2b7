//! 7z archives (7zFormat.txt and Methods.txt, the specification in the LZMA SDK).
//!
//! The header stands at the end of the archive and is mostly packed itself. It says how folders are unpacked, and which
//! stretch of a folder's bytes is which file:
//!
//! ```text
//! start header -> [packed header ->] header: StreamTables, Files      header.rs
//!                                      |          |
//!                                    Packed     Stream + File         one at a time
//!                                      |          |
//!                                    Block ---- Member                stream/block.rs, over the coders of folder.rs
//! ```
//!
//! Members come in the order of the header, so each folder is decoded once, front to back; an encrypted one is first opened
//! by a password, if one is right ([`lock`]). What cannot be opened, for want of a password or with an unknown coder, is told
//! for each member by name. An archive behind a program (a
//! self-extractor) is found by its start header in the first MiB.
//!
//! Not done: archives whose header is missing, and coders with several outputs.

mod cursor;
mod folder;
mod header;
mod lock;
mod swapped;

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{
    Anomaly, AnomalyKind, Budget, Heuristic, Limit, LimitReached, Memory, Meta, Name, Reader, Source, read_vec_at,
};

use self::cursor::{Bytes, Wrong};
use self::header::{Content, File, Header, Packed, Stream, Streams, id};
use self::lock::Keyring;
use crate::codec::Decoder;
use crate::crypt::{Trial, try_stream};
use crate::stream::block::Block;
use crate::stream::{Replay, SourceRead};
use crate::{Found, Passwords, Search, Unpack};

/// The first bytes of an archive.
const SIGNATURE: [u8; 6] = *b"7z\xBC\xAF\x27\x1C";
/// Length of the start header.
const START_LENGTH: u64 = 32;
/// How far into a file an archive may begin.
const SEARCHED: usize = 1 << 20;
/// Headers may be packed in packed headers; nobody does that more than once.
const LAYERS: usize = 4;

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Box<dyn Unpack> {
    Box::new(Archive {
        source: Arc::clone(source),
        budget: budget.clone(),
        base: 0,
        keyring: Keyring::new(passwords),
        found: Found::new(budget),
        phase: Phase::Start,
    })
}

struct Archive {
    source: Arc<dyn Source>,
    budget: Budget,
    /// Where packed streams are counted from.
    base: u64,
    keyring: Keyring,
    found: Found,
    phase: Phase,
}

enum Phase {
    Start,
    Members(Box<Members>),
    Done,
}

struct Members {
    header: Header,
    streams: Streams,
    /// The folder at hand: its number, and its bytes or why they cannot be had.
    block: Option<(u64, Result<Arc<Block>, Anomaly>)>,
    /// Streams that no file has.
    nameless: u64,
    /// The number of the next file.
    position: u64,
}

impl Search for Archive {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Start => self.start(),
            Phase::Members(members) => self.next_member(members),
            Phase::Done => {
                self.found.end();
                Ok(())
            }
        }
    }
}

/// The header.
impl Archive {
    fn start(&mut self) -> Result<(), Anomaly> {
        let start = self.find_start().ok_or_else(|| Anomaly::damaged("the archive has no start"))?;
        self.base = start.position.saturating_add(START_LENGTH);
        if !start.valid {
            self.found.remark(None, Anomaly::damaged("the checksum of the start header is wrong"));
        }
        if start.size == 0 {
            return Ok(());
        }
        let mut bytes = self.read_header(&start)?;
        for _ in 0..LAYERS {
            match bytes.first() {
                Some(id::HEADER) => {
                    let header = Header::read(&bytes).map_err(anomaly)?;
                    let streams = Streams::new(&header.streams);
                    self.phase =
                        Phase::Members(Box::new(Members { header, streams, block: None, nameless: 0, position: 0 }));
                    return Ok(());
                }
                Some(id::ENCODED_HEADER) => bytes = self.unpack_header(&bytes)?,
                _ => return Err(Anomaly::damaged("what should be the header is none")),
            }
        }
        Err(Anomaly::damaged("the header is packed too many times"))
    }

    /// The first start header with a right checksum, or else the first one.
    fn find_start(&self) -> Option<Start> {
        let head = read_vec_at(self.source.as_ref(), 0, SEARCHED);
        let places = head.windows(SIGNATURE.len()).zip(0u64..).filter(|(window, _)| **window == SIGNATURE);
        let mut starts = places.filter_map(|(_, position)| Start::read(self.source.as_ref(), position));
        let first = starts.next()?;
        if first.valid {
            return Some(first);
        }
        starts.find(|start| start.valid).or(Some(first))
    }

    fn read_header(&mut self, start: &Start) -> Result<Bytes, Anomaly> {
        let position = self.base.checked_add(start.offset);
        let end = position.and_then(|position| position.checked_add(start.size));
        let (Some(position), Some(_)) = (position, end.filter(|end| *end <= self.source.len())) else {
            return Err(Anomaly::damaged("the header is missing: the archive is cut off"));
        };
        let memory = self.budget.reserve(start.size)?;
        let bytes = read_vec_at(self.source.as_ref(), position, usize::try_from(start.size).unwrap_or(0));
        if crc32fast::hash(&bytes) != start.crc {
            self.found.remark(None, Anomaly::damaged("the checksum of the header is wrong"));
        }
        Ok(Bytes::new(bytes, memory))
    }

    /// The header that is packed in a header.
    fn unpack_header(&mut self, bytes: &Bytes) -> Result<Bytes, Anomaly> {
        let tables = header::read_encoded(bytes).map_err(anomaly)?;
        let mut streams = Streams::new(&tables);
        let stream = streams.next_stream().map_err(anomaly)?;
        let (Some(stream), Some(mut packed)) = (stream, streams.packed) else {
            return Err(Anomaly::damaged("the packed header is missing"));
        };
        if let Some(refusal) = self.refusal(&mut packed, &stream) {
            return Err(Anomaly::new(refusal.kind, format!("the header cannot be read: {}", refusal.detail)));
        }
        let memory = self.budget.reserve(stream.size)?;
        self.budget.charge_bytes(stream.size)?;
        let plain = self.unpack_all(packed, &stream)?;
        if stream.crc.is_some_and(|crc| crc != crc32fast::hash(&plain)) {
            self.found.remark(None, Anomaly::damaged("the checksum of the header is wrong"));
        }
        Ok(Bytes::new(plain, memory))
    }

    fn unpack_all(&self, packed: Packed, stream: &Stream) -> Result<Vec<u8>, Anomaly> {
        let block = self.unpacked(packed);
        let mut plain = Vec::new();
        let result = block.open(0, stream.size).and_then(|mut decoder| decoder.read_to_end(&mut plain));
        match result {
            Ok(_) => Ok(plain),
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                Err(LimitReached { limit: Limit::Memory, allowed: self.budget.limits().memory }.into())
            }
            Err(_) => Err(Anomaly::damaged("the packed header is broken")),
        }
    }

    /// Why a folder cannot be unpacked, if that can be said beforehand. An encrypted one gets the keys of the right
    /// password, which is found by its first stream.
    fn refusal(&mut self, packed: &mut Packed, first: &Stream) -> Option<Anomaly> {
        let refusal = packed.folder.refusal();
        if refusal.is_some() || !packed.folder.is_encrypted() {
            return refusal;
        }
        let (source, base, budget) = (Arc::clone(&self.source), self.base, self.budget.clone());
        let tried = |packed: Packed, stream: &Stream| -> Result<Trial, LimitReached> {
            let opened = opener(&source, base, packed, &budget)();
            try_stream(opened, stream.size, stream.crc, &budget)
        };
        let opened = self.keyring.unlock(packed, first, &self.budget, &tried);
        if opened.is_ok() {
            self.found.heuristic(Heuristic::Encrypted7z);
        }
        opened.err()
    }

    /// The unpacked bytes of a folder.
    fn unpacked(&self, packed: Packed) -> Arc<Block> {
        Block::new(&self.budget, opener(&self.source, self.base, packed, &self.budget))
    }
}

/// What starts the decoders of a folder.
fn opener(
    source: &Arc<dyn Source>,
    base: u64,
    packed: Packed,
    budget: &Budget,
) -> impl Fn() -> std::io::Result<Decoder> + Send + Sync + 'static {
    let (source, budget) = (Arc::clone(source), budget.clone());
    move || {
        let open = |number: usize| -> Decoder {
            let (offset, size) = packed.streams.get(number).copied().unwrap_or((0, 0));
            Box::new(SourceRead::range(Arc::clone(&source), base.saturating_add(offset), size))
        };
        packed.folder.decoder(&packed.unpack_sizes, &open, &budget)
    }
}

/// The members.
impl Archive {
    fn next_member(&mut self, mut members: Box<Members>) -> Result<(), Anomaly> {
        let file = members.header.files.next_file();
        let position = members.position;
        members.position = position.saturating_add(1);
        match file.as_ref().map_or(Content::Stream, |file| file.content) {
            Content::Directory => {}
            Content::Empty => self.give_empty(file.map(|file| file.name).unwrap_or_default(), position)?,
            Content::Stream => match members.streams.next_stream().map_err(anomaly)? {
                Some(stream) => self.give(&mut members, file, stream, position)?,
                None if file.is_some() => return Err(Anomaly::damaged("there are more files than streams")),
                None => return Ok(()),
            },
        }
        self.phase = Phase::Members(members);
        Ok(())
    }

    fn give_empty(&mut self, name: Vec<u8>, position: u64) -> Result<(), Anomaly> {
        let name = Name::new(&name);
        self.found.meta(Meta { name: name.clone(), position, ..Meta::default() });
        self.found.member(name, Arc::new(Memory::new(Vec::new())), Some(0))?;
        Ok(())
    }

    fn give(
        &mut self,
        members: &mut Members,
        file: Option<File>,
        stream: Stream,
        position: u64,
    ) -> Result<(), Anomaly> {
        let name = file.map_or_else(|| members.nameless_name(), |file| Name::new(&file.name));
        let block = self.block(members, &stream);
        let encrypted = members.streams.packed.as_ref().is_some_and(|packed| packed.folder.is_encrypted());
        self.found.meta(Meta { name: name.clone(), packed: 0, length: stream.size, encrypted, position });
        match block {
            Ok(block) => {
                let opener = move || block.open(stream.offset, stream.size);
                let replay = Replay::new(&self.budget, opener).expecting(Some(stream.size), stream.crc);
                self.found.member(name, Arc::new(replay), None)?;
            }
            Err(anomaly) => self.found.remark(Some(name), anomaly),
        }
        Ok(())
    }

    /// The folder of a stream; the one before it is given up when the next one begins.
    fn block(&mut self, members: &mut Members, stream: &Stream) -> Result<Arc<Block>, Anomaly> {
        if let Some((number, block)) = members.block.as_ref()
            && *number == stream.folder
        {
            return block.clone();
        }
        members.block = None;
        let mut packed = members.streams.packed.clone().ok_or_else(|| Anomaly::damaged("a folder is missing"))?;
        let block = match self.refusal(&mut packed, stream) {
            Some(refusal) => Err(refusal),
            None => Ok(self.unpacked(packed)),
        };
        members.block = Some((stream.folder, block.clone()));
        block
    }
}

impl Members {
    fn nameless_name(&mut self) -> Name {
        self.nameless = self.nameless.saturating_add(1);
        Name::new(format!("stream {}", self.nameless).as_bytes())
    }
}

/// The start header (7zFormat.txt, "SignatureHeader").
#[derive(Clone, Copy, Debug)]
struct Start {
    position: u64,
    offset: u64,
    size: u64,
    crc: u32,
    /// True if its own checksum is right.
    valid: bool,
}

impl Start {
    fn read(source: &dyn Source, position: u64) -> Option<Start> {
        let bytes = read_vec_at(source, position, 32);
        let mut reader = Reader::new(&bytes, "7z start header");
        reader.skip(8).ok()?; // signature and version
        let own_crc = reader.u32_le().ok()?;
        let valid = crc32fast::hash(reader.clone().rest()) == own_crc;
        let (offset, size, crc) = (reader.u64_le().ok()?, reader.u64_le().ok()?, reader.u32_le().ok()?);
        Some(Start { position, offset, size, crc, valid })
    }
}

fn anomaly(wrong: Wrong) -> Anomaly {
    match wrong {
        Wrong::Damaged(detail) => Anomaly::new(AnomalyKind::Damaged, detail),
        Wrong::Unsupported(detail) => Anomaly::new(AnomalyKind::Unsupported, detail),
    }
}
