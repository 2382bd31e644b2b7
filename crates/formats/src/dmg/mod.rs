//! Apple disk images (UDIF; no specification is published: the fields are those of xnu's and libdmg's descriptions, "Demystifying
//! the DMG File Format" by J. Levin).
//!
//! ```text
//! last 512 bytes (big-endian): "koly", version, 24: data fork, 40: resource fork, its length, 216: property list, its length,
//!                              492: sectors
//! property list: resource-fork / blkx: for each partition a table in Base64
//! table:         "mish", version, 8: first sector, sectors, 24: start of its data, 200: how many chunks, then chunks of 40 bytes:
//!                kind, comment, first sector, sectors, where they stand, how long they are
//! ```
//!
//! The disk is the one member: a map from its sectors to those of the file, whose chunks are unpacked as they are read:
//! zlib, bzip2, LZFSE, LZMA (xz) and ADC; chunks of zeros are holes. Old images keep the tables in a resource fork. Encrypted images
//! are told, as are images in several files. Images without a trailer are what they hold.

mod tables;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Reader, Short, Source, read_vec_at};

use crate::mapped::{Map, Mapped, Method, Packed, Place};
use crate::tree::Nothing;
use crate::{Found, Search, Unpack};
use tables::Chunk;

const SECTOR: u64 = 512;
/// Bytes of the trailer.
const TRAILER: u64 = 512;
/// Plain bytes of a chunk; images have 256 KiB to 1 MiB.
const LARGEST: u64 = 32 << 20;

/// Opens an image.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    match disk(source, budget) {
        Ok(disk) => Box::new(disk),
        Err(anomaly) => Box::new(Nothing::because(budget, anomaly)),
    }
}

/// What the trailer says.
struct Trailer {
    data: u64,
    resources: (u64, u64),
    list: (u64, u64),
    /// Number of the file, and how many there are.
    segment: (u32, u32),
    sectors: u64,
}

impl Trailer {
    fn read(bytes: &[u8]) -> Result<Trailer, Short> {
        let mut reader = Reader::new(bytes, "trailer of the image");
        reader.skip(24)?;
        let data = reader.u64_be()?;
        reader.skip(8)?;
        let resources = (reader.u64_be()?, reader.u64_be()?);
        let segment = (reader.u32_be()?, reader.u32_be()?);
        reader.skip(152)?;
        let list = (reader.u64_be()?, reader.u64_be()?);
        reader.skip(260)?;
        Ok(Trailer { data, resources, list, segment, sectors: reader.u64_be()? })
    }
}

fn disk(source: &Arc<dyn Source>, budget: &Budget) -> Result<Disk, Anomaly> {
    if read_vec_at(source.as_ref(), 0, 8) == b"encrcdsa" {
        return Err(Anomaly::encrypted("the image is encrypted"));
    }
    let trailer = Trailer::read(&read_vec_at(source.as_ref(), source.len().saturating_sub(TRAILER), 512))?;
    let mut found = Found::new(budget);
    if trailer.segment.1 > 1 {
        found.remark(None, Anomaly::unsupported("parts of the image stand in other files, which were not seen"));
    }
    let tables = tables::read(source.as_ref(), trailer.list, trailer.resources, trailer.data, budget)?;
    tables.remarks.into_iter().for_each(|anomaly| found.remark(None, anomaly));
    let end = tables.chunks.iter().map(Chunk::end).max().unwrap_or(0).max(trailer.sectors);
    let largest =
        tables.chunks.iter().filter(|chunk| chunk.method.is_some()).map(|chunk| chunk.count).max().unwrap_or(0);
    let largest = largest.saturating_mul(SECTOR).min(LARGEST);
    let chunks = Chunks { list: tables.chunks, _memory: tables.memory };
    let mapped = Mapped::new(chunks, source, end.saturating_mul(SECTOR), largest, budget)?;
    found.member(Name::new(b"disk"), Arc::new(mapped), None)?;
    found.end();
    Ok(Disk { found })
}

/// Gives the one disk that an image holds.
struct Disk {
    found: Found,
}

impl Search for Disk {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        Ok(())
    }
}

/// Where the sectors of the disk stand: chunks in the order of their sectors.
struct Chunks {
    list: Vec<Chunk>,
    _memory: Vec<Charge>,
}

impl Map for Chunks {
    fn locate(&self, _file: &dyn Source, offset: u64) -> Place {
        let sector = offset / SECTOR;
        let after = self.list.partition_point(|chunk| chunk.first <= sector);
        let next = self.list.get(after).map_or(u64::MAX, |chunk| chunk.first.saturating_mul(SECTOR));
        let before = after.checked_sub(1).and_then(|index| self.list.get(index));
        let Some(chunk) = before.filter(|chunk| sector < chunk.end()) else {
            return Place::Hole(next.saturating_sub(offset).max(1));
        };
        let first = chunk.first.saturating_mul(SECTOR);
        let plain = chunk.count.saturating_mul(SECTOR);
        let within = offset - first;
        let left = plain.saturating_sub(within).min(next.saturating_sub(offset)).max(1);
        match chunk.method {
            None if chunk.is_hole => Place::Hole(left),
            None => match chunk.length.saturating_sub(within) {
                0 => Place::Broken("a chunk of the image is shorter than it should be"),
                there => Place::Stored(chunk.start.saturating_add(within), left.min(there)),
            },
            Some(_) if plain > LARGEST => Place::Broken("a chunk of the image is too large"),
            Some(method) => {
                let size = usize::try_from(plain).unwrap_or(usize::MAX);
                let (start, length) = (chunk.start, chunk.length);
                Place::Packed(Packed { start, length, first, skip: 0, size, least: size, method })
            }
        }
    }
}

/// How chunks of a kind are compressed; nothing for kinds that are no compression.
fn method(kind: u32) -> Option<Method> {
    match kind {
        0x8000_0004 => Some(Method::Adc),
        0x8000_0005 => Some(Method::Zlib),
        0x8000_0006 => Some(Method::Bzip2),
        0x8000_0007 => Some(Method::Lzfse),
        0x8000_0008 => Some(Method::Xz),
        _ => None,
    }
}
