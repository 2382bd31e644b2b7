//! Windows Imaging files (specification: Microsoft, "Windows Imaging File Format (WIM)", 2007; [MS-XCA] for XPRESS).
//!
//! ```text
//! header (208 bytes, little-endian): "MSWIM", 16: flags, 20: chunk size, 40: part, parts, images, 48: table of resources, XML
//! resource:  packed size (7 bytes), flags, offset, plain size; compressed in chunks, whose offsets stand before them
//! table:     50 bytes a resource: where it is, part, how often it is used, SHA-1
//! metadata:  security data, then entries: length, attributes, 16: subdirectory, 64: SHA-1, 96: streams, lengths of names, names
//! ```
//!
//! Every image is a folder of its own if there are several. A file is a map from its chunks to those of the WIM; plain resources
//! are parts of it. A stream that several files share is given once; named streams are `path:stream`. Resources that
//! no image names are given by their SHA-1. Told: LZMS, resources that share a compressed block (solid files), other parts of
//! a split WIM.

mod metadata;
mod resource;

pub(crate) use resource::chunked;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::mapped::Method;
use crate::tree::{Entry, File, Roots, Tree, Volume};
use metadata::Directory;
use resource::Resource;

/// Goes through the files of all images.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Tree::open(source, budget, Wim::open(source, budget))
}

/// How resources are compressed.
#[derive(Clone, Copy)]
struct Packing {
    method: Option<Method>,
    /// Plain bytes of a chunk.
    chunk: u64,
}

struct Header {
    flags: u32,
    chunk: u64,
    parts: u16,
    table: Resource,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(bytes, "header of the image");
        reader.skip(16)?;
        let (flags, chunk) = (reader.u32_le()?, reader.u32_le()?.into());
        reader.skip(18)?;
        let parts = reader.u16_le()?;
        reader.skip(4)?;
        Ok(Header { flags, chunk, parts, table: Resource::read(&mut reader)? })
    }

    fn packing(&self) -> Result<Packing, Anomaly> {
        const PACKED: u32 = 0x2;
        const XPRESS: u32 = 0x2_0000;
        const LZX: u32 = 0x4_0000;
        const XPRESS_2: u32 = 0x20_0000;
        if self.flags & PACKED == 0 {
            return Ok(Packing { method: None, chunk: 32 << 10 });
        }
        let chunk = if self.chunk == 0 { 32 << 10 } else { self.chunk };
        let bits = u16::try_from(chunk.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        let method = match self.flags {
            flags if flags & (XPRESS | XPRESS_2) != 0 && (12..=16).contains(&bits) => Method::Xpress,
            flags if flags & LZX != 0 && (15..=21).contains(&bits) => Method::Lzx(bits),
            _ => return Err(Anomaly::unsupported("the image is compressed with LZMS, or in an unknown way")),
        };
        if !chunk.is_power_of_two() {
            return Err(Anomaly::damaged("the size of the image's chunks makes no sense"));
        }
        Ok(Packing { method: Some(method), chunk })
    }
}

struct Wim {
    source: Arc<dyn Source>,
    budget: Budget,
    packing: Packing,
    /// By SHA-1.
    resources: BTreeMap<[u8; 20], Resource>,
    /// Things to tell before the first entry.
    remarks: Vec<Anomaly>,
    /// Where to go on with resources that no image names.
    next: Option<[u8; 20]>,
    /// Resources that images named.
    named: BTreeSet<[u8; 20]>,
    memory: Vec<Charge>,
}

impl Wim {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<(Wim, Roots<Directory>), Anomaly> {
        let header = Header::read(&read_vec_at(source.as_ref(), 0, 208))?;
        let packing = header.packing()?;
        let mut wim = Wim {
            source: Arc::clone(source),
            budget: budget.clone(),
            packing,
            resources: BTreeMap::new(),
            remarks: Vec::new(),
            next: Some([0; 20]),
            named: BTreeSet::new(),
            memory: Vec::new(),
        };
        if header.parts > 1 {
            wim.remarks.push(Anomaly::unsupported("parts of the image stand in other files, which were not seen"));
        }
        let images = wim.read_table(header.table)?;
        let several = images.len() > 1;
        let mut roots = Vec::new();
        for (number, image) in (1_u64..).zip(images) {
            let name = if several { number.to_string().into_bytes() } else { Vec::new() };
            match metadata::root(wim.content(image)?, number) {
                Ok(root) => roots.push((name, root.number(), root)),
                Err(anomaly) => wim.remarks.push(anomaly),
            }
        }
        Ok((wim, roots))
    }

    /// Reads the table of resources; gives those that describe images.
    fn read_table(&mut self, table: Resource) -> Result<Vec<Resource>, Anomaly> {
        /// Entries that are read at once.
        const STEP: u64 = 512;
        const ENTRY: u64 = 50;
        let content = self.content(table)?;
        let (mut images, mut at) = (Vec::new(), 0);
        loop {
            let bytes = read_vec_at(content.as_ref(), at, usize::try_from(STEP * ENTRY).unwrap_or(0));
            at += STEP * ENTRY;
            self.budget.check_time()?;
            let entries = bytes.chunks_exact(usize::try_from(ENTRY).unwrap_or(1));
            if entries.len() == 0 {
                break;
            }
            self.memory.push(self.budget.reserve(u64::try_from(entries.len()).unwrap_or(0) * 160)?);
            for entry in entries {
                let (resource, digest) = self::entry(entry)?;
                if resource.is_metadata() {
                    images.push(resource);
                } else {
                    self.resources.insert(digest, resource);
                }
            }
        }
        if let Some(anomaly) = content.problem() {
            self.remarks.push(anomaly);
        }
        Ok(images)
    }

    fn content(&self, resource: Resource) -> Result<Arc<dyn Source>, Anomaly> {
        resource.open(&self.source, self.packing, &self.budget)
    }

    /// A stream of a file, named by its digest; nothing if it is empty.
    fn stream(&mut self, name: Vec<u8>, digest: [u8; 20]) -> Result<Option<Entry<Directory>>, Anomaly> {
        if digest == [0; 20] {
            return Ok(None);
        }
        let Some(resource) = self.resources.get(&digest).copied() else {
            return Ok(Some(Entry::Remark(name, Anomaly::damaged("its bytes are not in the image"))));
        };
        self.named.insert(digest);
        Ok(Some(match self.content(resource) {
            Ok(source) => {
                let (id, stored) = (Some(resource.start), resource.packed);
                Entry::File(File { name, id, source, stored, remark: None })
            }
            Err(anomaly) => Entry::Remark(name, anomaly),
        }))
    }
}

/// An entry of the table: where the resource is, and its SHA-1.
fn entry(bytes: &[u8]) -> Result<(Resource, [u8; 20]), Short> {
    let mut reader = Reader::new(bytes, "entry of the table of resources");
    let resource = Resource::read(&mut reader)?;
    reader.skip(6)?;
    Ok((resource, reader.array()?))
}

impl Volume for Wim {
    type Directory = Directory;

    fn remark(&mut self) -> Option<Anomaly> {
        self.remarks.pop()
    }

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        if let Some((name, digest)) = directory.next_stream() {
            return Ok(self.stream(name, digest)?.unwrap_or(Entry::Other));
        }
        match directory.next()? {
            None => Ok(Entry::End),
            Some(metadata::Found::File) => Ok(Entry::Other),
            Some(metadata::Found::Directory(name, child)) => {
                Ok(Entry::Directory { name, id: child.number(), directory: child })
            }
        }
    }

    fn next_unnamed(&mut self) -> Result<Option<File>, Anomaly> {
        let Some(from) = self.next else { return Ok(None) };
        let found = self.resources.range(from..).find(|(digest, _)| !self.named.contains(*digest));
        let Some((digest, resource)) = found.map(|(digest, resource)| (*digest, *resource)) else {
            self.next = None;
            return Ok(None);
        };
        self.named.insert(digest);
        self.next = Some(digest);
        let name = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
        let source = self.content(resource)?;
        Ok(Some(File { name, id: Some(resource.start), source, stored: resource.packed, remark: None }))
    }
}
