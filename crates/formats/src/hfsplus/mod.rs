//! HFS+ and HFSX (specification: Apple Technical Note TN1150, "HFS Plus Volume Format"; decmpfs: xnu, bsd/sys/decmpfs.h).
//!
//! ```text
//! 1024: volume header (big-endian): "H+" or "HX", version, 40: bytes a block, 192: extents, 272: catalogue, 352: attributes
//! fork:        bytes (u64), clump, blocks, eight extents: first block, blocks
//! tree:        nodes: next, previous, kind, height, records; at their end the places of the records
//! catalogue:   parent, name -> folder, file with two forks      extents: fork, file, block -> eight more extents
//! attributes:  file, name -> bytes; com.apple.decmpfs says that a file is compressed
//! ```
//!
//! The leaves of the catalogue are gone through from first to last, twice: folders first, whose names make paths, then
//! files. If their chain breaks, all other leaves are gone through as they stand. Both forks of a file are members, the
//! resource fork as `path:rsrc`; they are extents of the image without a copy. Files that the system has compressed are given as they
//! are read (zlib, LZVN, LZFSE or plain), from their attribute or resource fork. A volume inside HFS is found, and HFS itself is read as well ([`classic`]). Told: what is broken, other
//! kinds of compression. Passed: links, other attributes, the journal.

mod attributes;
mod catalogue;
mod classic;
mod compressed;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Part, Reader, Short, Source, read_vec_at};

use crate::joined::Extents;
use crate::tree::{ENTRY, Nothing, Shares, joined};
use crate::{Found, Search, Unpack};
use catalogue::{File, Item};
use compressed::Attribute;
use tree::{Leaves, Nodes};

/// The folder that holds all others.
const ROOT: u32 = 2;
/// Folders inside each other.
const DEEPEST: u32 = 256;
/// Files of the volume's own.
const EXTENTS: u32 = 3;
const CATALOGUE: u32 = 4;
const ATTRIBUTES: u32 = 8;
/// Forks, as keys of the tree of extents name them.
const DATA: u8 = 0;
const RESOURCES: u8 = 0xff;

/// Goes through the files of a volume.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    match HfsPlus::open(source, budget) {
        Ok(volume) => Box::new(volume),
        Err(anomaly) => Box::new(Nothing::because(budget, anomaly)),
    }
}

/// Where a fork stands, as far as eight extents say.
#[derive(Clone, Copy, Default)]
struct Fork {
    length: u64,
    blocks: u32,
    extents: [(u32, u32); 8],
}

impl Fork {
    fn read(reader: &mut Reader<'_>) -> Result<Fork, Short> {
        let length = reader.u64_be()?;
        reader.skip(4)?;
        Ok(Fork { length, blocks: reader.u32_be()?, extents: eight(reader)? })
    }
}

fn eight(reader: &mut Reader<'_>) -> Result<[(u32, u32); 8], Short> {
    let mut extents = [(0, 0); 8];
    for extent in &mut extents {
        *extent = (reader.u32_be()?, reader.u32_be()?);
    }
    Ok(extents)
}

/// What the volume header says.
struct Header {
    block: u64,
    /// Where the first block stands.
    first: u64,
    extents: Fork,
    catalogue: Fork,
    attributes: Fork,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(bytes, "volume header");
        reader.skip(40)?;
        let block = reader.u32_be()?.into();
        reader.skip(148)?;
        let (extents, catalogue, attributes) =
            (Fork::read(&mut reader)?, Fork::read(&mut reader)?, Fork::read(&mut reader)?);
        Ok(Header { block, first: 0, extents, catalogue, attributes })
    }
}

/// The extents of forks that have more than eight: by fork, file and first block.
type Overflow = BTreeMap<Place, [(u32, u32); 8]>;
/// Fork, file, first block.
type Place = (u8, u32, u32);

/// The volume's own files, and where blocks stand.
struct Blocks {
    source: Arc<dyn Source>,
    budget: Budget,
    size: u64,
    /// Where the first block stands.
    first: u64,
    /// It is HFS, not HFS+.
    classic: bool,
    overflow: Overflow,
    memory: Vec<Charge>,
}

struct HfsPlus {
    blocks: Blocks,
    found: Found,
    shares: Shares,
    leaves: Leaves,
    /// True while folders are gathered.
    gathering: bool,
    folders: BTreeMap<u32, (u32, Vec<u8>)>,
    /// Files that were given.
    given: BTreeSet<u32>,
    compressed: BTreeMap<u32, Attribute>,
    memory: Vec<Charge>,
}

impl HfsPlus {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<HfsPlus, Anomaly> {
        let (source, classic) = inside(source)?;
        let head = read_vec_at(source.as_ref(), 1024, 512);
        let header = if classic { classic::header(&head)? } else { Header::read(&head)? };
        let makes_sense = if classic { header.block.is_multiple_of(512) } else { header.block.is_power_of_two() };
        if !makes_sense || header.block < 512 {
            return Err(Anomaly::damaged("the volume header makes no sense"));
        }
        let mut found = Found::new(budget);
        let mut blocks = Blocks {
            source: Arc::clone(&source),
            budget: budget.clone(),
            size: header.block,
            first: header.first,
            classic,
            overflow: Overflow::new(),
            memory: Vec::new(),
        };
        if header.extents.length > 0
            && let Err(anomaly) = blocks.read_overflow(&header.extents)
        {
            found.remark(None, anomaly);
        }
        let (catalogue, told) = blocks.fork(CATALOGUE, DATA, &header.catalogue)?;
        told.into_iter().for_each(|anomaly| found.remark(None, anomaly));
        let leaves = Leaves::new(Nodes::open(catalogue)?);
        let mut volume = HfsPlus {
            blocks,
            found,
            shares: Shares::new(source.as_ref(), budget),
            leaves,
            gathering: true,
            folders: BTreeMap::new(),
            given: BTreeSet::new(),
            compressed: BTreeMap::new(),
            memory: Vec::new(),
        };
        if header.attributes.length > 0
            && let Err(anomaly) = volume.read_attributes(&header.attributes)
        {
            volume.found.remark(None, anomaly);
        }
        Ok(volume)
    }

    /// Notes which files are compressed.
    fn read_attributes(&mut self, fork: &Fork) -> Result<(), Anomaly> {
        let (content, told) = self.blocks.fork(ATTRIBUTES, DATA, fork)?;
        told.into_iter().for_each(|anomaly| self.found.remark(None, anomaly));
        let mut leaves = Leaves::new(Nodes::open(Arc::clone(&content))?);
        while let Some(records) = leaves.next_node(&self.blocks.budget)? {
            for (start, record) in records.records() {
                let Some((file, place, length)) = attributes::compressed(record) else { continue };
                self.memory.push(self.blocks.budget.reserve(ENTRY)?);
                let place = start.saturating_add(place);
                self.compressed.insert(file, Attribute { content: Arc::clone(&content), place, length });
            }
        }
        leaves.told.take().map_or(Ok(()), Err)
    }

    /// The path of a folder.
    fn path(&self, folder: u32) -> Vec<u8> {
        let (mut at, mut names) = (folder, Vec::new());
        for _ in 0..DEEPEST {
            if at == ROOT {
                break;
            }
            match self.folders.get(&at) {
                Some((parent, name)) => {
                    names.push(name);
                    at = *parent;
                }
                None => break,
            }
        }
        names.iter().rev().fold(Vec::new(), |path, name| joined(&path, name))
    }

    fn folder(&mut self, parent: u32, name: Vec<u8>, number: u32) -> Result<(), Anomaly> {
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        self.memory.push(self.blocks.budget.reserve(ENTRY.saturating_add(length))?);
        self.folders.insert(number, (parent, name));
        Ok(())
    }

    /// Gives the forks of a file.
    fn file(&mut self, parent: u32, name: &[u8], file: &File) -> Result<(), Anomaly> {
        if !self.given.insert(file.number) {
            return Ok(());
        }
        self.memory.push(self.blocks.budget.reserve(ENTRY)?);
        let path = joined(&self.path(parent), name);
        let attribute = self.compressed.remove(&file.number).filter(|_| file.is_compressed);
        if let Some(attribute) = attribute {
            let resources = self.blocks.fork(file.number, RESOURCES, &file.resources);
            let opened = resources.and_then(|(resources, told)| {
                Ok((compressed::open(&attribute, &resources, &self.blocks.budget)?, told))
            });
            return match opened {
                Ok(opened) => self.give(&path, Ok(opened), file.resources.length),
                Err(anomaly) => {
                    self.found.remark(Some(Name::new(&path)), anomaly);
                    self.blocks.budget.check_time()?;
                    self.fork(&[&path, b":rsrc".as_slice()].concat(), file.number, RESOURCES, &file.resources)
                }
            };
        }
        self.fork(&path, file.number, DATA, &file.data)?;
        self.fork(&[&path, b":rsrc".as_slice()].concat(), file.number, RESOURCES, &file.resources)
    }

    fn fork(&mut self, path: &[u8], number: u32, kind: u8, fork: &Fork) -> Result<(), Anomaly> {
        if fork.length == 0 {
            return Ok(());
        }
        let opened = self.blocks.fork(number, kind, fork);
        self.give(path, opened, fork.length)
    }

    fn give(
        &mut self,
        path: &[u8],
        opened: Result<(Arc<dyn Source>, Option<Anomaly>), Anomaly>,
        stored: u64,
    ) -> Result<(), Anomaly> {
        let name = Name::new(path);
        match opened {
            Ok((source, told)) => {
                told.into_iter().for_each(|anomaly| self.found.remark(Some(name.clone()), anomaly));
                self.shares.take(stored)?;
                Ok(self.found.member(name, source, Some(stored))?)
            }
            Err(anomaly) => {
                self.found.remark(Some(name), anomaly);
                Ok(self.blocks.budget.check_time()?)
            }
        }
    }
}

/// The volume itself, or the one that an HFS volume holds ("BD", 124: "H+", first block, blocks; 20: bytes a block, 28: first sector of them).
/// True with a volume of HFS that holds none.
fn inside(source: &Arc<dyn Source>) -> Result<(Arc<dyn Source>, bool), Anomaly> {
    let head = read_vec_at(source.as_ref(), 1024, 162);
    if !head.starts_with(b"BD") {
        return Ok((Arc::clone(source), false));
    }
    let mut reader = Reader::new(&head, "master directory block");
    reader.skip(20)?;
    let block = u64::from(reader.u32_be()?);
    reader.skip(4)?;
    let start = u64::from(reader.u16_be()?).saturating_mul(512);
    reader.skip(94)?;
    if &reader.array::<2>()? != b"H+" {
        return Ok((Arc::clone(source), true));
    }
    let (first, count) = (u64::from(reader.u16_be()?), u64::from(reader.u16_be()?));
    let start = start.saturating_add(first.saturating_mul(block));
    Ok((Arc::new(Part::new(Arc::clone(source), start, count.saturating_mul(block))), false))
}

impl Blocks {
    /// Reads the tree of further extents.
    fn read_overflow(&mut self, fork: &Fork) -> Result<(), Anomaly> {
        let (content, _) = self.fork(EXTENTS, DATA, fork)?;
        let mut leaves = Leaves::new(Nodes::open(content)?);
        while let Some(records) = leaves.next_node(&self.budget)? {
            for (_, record) in records.records() {
                let read = if self.classic { classic::overflow } else { overflow };
                let Ok((key, extents)) = read(record) else { continue };
                self.memory.push(self.budget.reserve(ENTRY)?);
                self.overflow.insert(key, extents);
            }
        }
        leaves.told.take().map_or(Ok(()), Err)
    }

    /// The bytes of a fork, and what is wrong with it.
    fn fork(&self, file: u32, kind: u8, fork: &Fork) -> Result<(Arc<dyn Source>, Option<Anomaly>), Anomaly> {
        let mut extents = Extents::new(&self.budget);
        let mut list = fork.extents;
        let mut blocks = 0_u32;
        loop {
            let before = blocks;
            for (start, count) in list.into_iter().filter(|(_, count)| *count > 0) {
                let place = self.first.saturating_add(u64::from(start).saturating_mul(self.size));
                extents.push(Some(place), u64::from(count).saturating_mul(self.size))?;
                blocks = blocks.saturating_add(count);
            }
            if extents.length() >= fork.length || blocks >= fork.blocks || blocks == before {
                break;
            }
            match self.overflow.get(&(kind, file, blocks)) {
                Some(more) => list = *more,
                None => break,
            }
        }
        let there = extents.length().min(fork.length);
        let short = (there < fork.length).then(|| Anomaly::damaged("its extents end before the file does"));
        Ok((extents.into_source(&self.source, there), short))
    }
}

/// Key: length, fork, 0, file, block. Then eight extents.
fn overflow(record: &[u8]) -> Result<(Place, [(u32, u32); 8]), Short> {
    let mut reader = Reader::new(record, "further extents");
    reader.skip(2)?;
    let kind = reader.u8()?;
    reader.skip(1)?;
    let (file, block) = (reader.u32_be()?, reader.u32_be()?);
    Ok(((kind, file, block), eight(&mut reader)?))
}

impl Search for HfsPlus {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(records) = self.leaves.next_node(&self.blocks.budget)? else {
            if self.gathering {
                self.gathering = false;
                self.leaves.again();
            } else {
                self.found.end();
                self.leaves.told.take().map_or(Ok(()), |anomaly| {
                    self.found.remark(None, anomaly);
                    Ok::<(), Anomaly>(())
                })?;
            }
            return Ok(());
        };
        let item = if self.blocks.classic { classic::item } else { catalogue::item };
        for (_, record) in records.records() {
            match item(record) {
                Ok(Item::Folder { parent, name, number }) if self.gathering => self.folder(parent, name, number)?,
                Ok(Item::File { parent, name, file }) if !self.gathering => self.file(parent, &name, &file)?,
                Ok(_) => {}
                Err(short) if self.gathering => self.found.remark(None, short.into()),
                Err(_) => {}
            }
        }
        Ok(())
    }
}
