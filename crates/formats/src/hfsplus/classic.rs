//! The older file system, HFS (specification: Inside Macintosh: Files, chapter 2, "Data Organization on Volumes").
//!
//! ```text
//! 1024: master directory block (big-endian): "BD", 18: blocks, 20: bytes a block, 28: first sector of them, 130: extents, 146: catalogue
//! extents:     three of first block and count, 16 bits each         trees: as of HFS+, nodes of 512 bytes
//! catalogue:   key length 1, 0, parent 4, name with its length -> folder, file with two forks; kinds 1 and 2
//! ```
//!
//! Everything else is as in HFS+, whose reader goes through these trees too. Names are bytes of the Mac's character set and stay so.

use dachs_base::{Reader, Short};

use super::catalogue::{File, Item};
use super::{Fork, Header, Place};

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Kinds of records.
const FOLDER: u8 = 1;
const FILE: u8 = 2;

/// What the master directory block says.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Short> {
    let mut reader = Reader::new(bytes, "master directory block");
    reader.skip(20)?;
    let block = reader.u32_be()?.into();
    reader.skip(4)?;
    let first = u64::from(reader.u16_be()?).saturating_mul(SECTOR);
    reader.skip(100)?;
    let extents = tree(&mut reader)?;
    let catalogue = tree(&mut reader)?;
    Ok(Header { block, first, extents, catalogue, attributes: Fork::default() })
}

/// A tree's file: its length, and where it begins.
fn tree(reader: &mut Reader<'_>) -> Result<Fork, Short> {
    let length = reader.u32_be()?.into();
    Ok(Fork { length, blocks: u32::MAX, extents: three(reader)? })
}

fn three(reader: &mut Reader<'_>) -> Result<[(u32, u32); 8], Short> {
    let mut extents = [(0, 0); 8];
    for extent in extents.iter_mut().take(3) {
        *extent = (reader.u16_be()?.into(), reader.u16_be()?.into());
    }
    Ok(extents)
}

/// Key: length, 0, parent, name. Then the record, at an even place.
pub(super) fn item(record: &[u8]) -> Result<Item, Short> {
    let mut reader = Reader::new(record, "record of the catalogue");
    let length = reader.u8()?;
    let mut key = reader.sub(length.into(), "key of the catalogue")?;
    if length.is_multiple_of(2) {
        reader.skip(1)?;
    }
    let kind = reader.u8()?;
    // Records that were taken out have a key of no length.
    if length == 0 || !matches!(kind, FOLDER | FILE) {
        return Ok(Item::Thread);
    }
    key.skip(1)?;
    let parent = key.u32_be()?;
    let letters = key.u8()?;
    let name = key.take(letters.into())?.iter().map(|byte| if *byte == b'/' { b':' } else { *byte }).collect();
    reader.skip(5)?;
    if kind == FOLDER {
        return Ok(Item::Folder { parent, name, number: reader.u32_be()? });
    }
    Ok(Item::File { parent, name, file: Box::new(file(&mut reader)?) })
}

/// From the sixth byte of a file's record on: 20: number, 24: both forks with first block, length and room, 74: their extents.
fn file(reader: &mut Reader<'_>) -> Result<File, Short> {
    reader.skip(14)?;
    let number = reader.u32_be()?;
    let mut lengths = [0_u64; 2];
    for length in &mut lengths {
        reader.skip(2)?;
        *length = reader.u32_be()?.into();
        reader.skip(4)?;
    }
    reader.skip(30)?;
    let [data, resources] = lengths;
    let data = Fork { length: data, blocks: u32::MAX, extents: three(reader)? };
    let resources = Fork { length: resources, blocks: u32::MAX, extents: three(reader)? };
    Ok(File { number, is_compressed: false, data, resources })
}

/// Key: length, fork, file, block. Then three extents.
pub(super) fn overflow(record: &[u8]) -> Result<(Place, [(u32, u32); 8]), Short> {
    let mut reader = Reader::new(record, "further extents");
    reader.skip(1)?;
    let (kind, file, block) = (reader.u8()?, reader.u32_be()?, reader.u16_be()?);
    Ok(((kind, file, block.into()), three(&mut reader)?))
}
