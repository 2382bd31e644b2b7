//! Records of the catalogue.

use dachs_base::{Reader, Short};

use super::Fork;
use crate::utf16;

/// Kinds of records.
const FOLDER: u16 = 1;
const FILE: u16 = 2;
/// Set in the owner's flags of a file that the system has compressed.
const COMPRESSED: u8 = 0x20;

/// What a record is.
pub(super) enum Item {
    Folder {
        parent: u32,
        name: Vec<u8>,
        number: u32,
    },
    File {
        parent: u32,
        name: Vec<u8>,
        file: Box<File>,
    },
    /// The way back from a folder or file to its name.
    Thread,
}

pub(super) struct File {
    pub(super) number: u32,
    pub(super) is_compressed: bool,
    pub(super) data: Fork,
    pub(super) resources: Fork,
}

/// Key: length, parent, letters, name. Then the record.
pub(super) fn item(record: &[u8]) -> Result<Item, Short> {
    let mut reader = Reader::new(record, "record of the catalogue");
    let length = reader.u16_be()?;
    let mut key = reader.sub(length.into(), "key of the catalogue")?;
    if length % 2 == 1 {
        reader.skip(1)?;
    }
    let kind = reader.u16_be()?;
    if !matches!(kind, FOLDER | FILE) {
        return Ok(Item::Thread);
    }
    let (parent, letters) = (key.u32_be()?, key.u16_be()?);
    let name = name(key.take(u64::from(letters) * 2)?);
    reader.skip(6)?;
    let number = reader.u32_be()?;
    if kind == FOLDER {
        return Ok(Item::Folder { parent, name, number });
    }
    reader.skip(29)?;
    // Access: owner, group, the administrator's flags, the owner's flags, mode.
    let flags = reader.u8()?;
    reader.skip(46)?;
    let (data, resources) = (Fork::read(&mut reader)?, Fork::read(&mut reader)?);
    let is_compressed = flags & COMPRESSED != 0;
    Ok(Item::File { parent, name, file: Box::new(File { number, is_compressed, data, resources }) })
}

/// A slash in a name is what a colon is elsewhere.
fn name(units: &[u8]) -> Vec<u8> {
    utf16::big(units).replace('/', ":").into_bytes()
}
