//! Records of the tree of attributes.

use dachs_base::{Reader, Short};

use crate::utf16;

/// Kind of a record that holds its bytes itself.
const INSIDE: u32 = 0x10;

/// The file whose compression a record describes, and where in the record the description stands, and how long it is.
pub(super) fn compressed(record: &[u8]) -> Option<(u32, u64, u64)> {
    read(record).ok().flatten()
}

/// Key: length, 0, file, block, letters, name. Then kind, 8 bytes, length, bytes.
fn read(record: &[u8]) -> Result<Option<(u32, u64, u64)>, Short> {
    let mut reader = Reader::new(record, "record of an attribute");
    let length = reader.u16_be()?;
    let mut key = reader.sub(length.into(), "key of an attribute")?;
    key.skip(2)?;
    let file = key.u32_be()?;
    key.skip(4)?;
    let letters = key.u16_be()?;
    if utf16::big(key.take(u64::from(letters) * 2)?) != "com.apple.decmpfs" {
        return Ok(None);
    }
    if length % 2 == 1 {
        reader.skip(1)?;
    }
    if reader.u32_be()? != INSIDE {
        return Ok(None);
    }
    reader.skip(8)?;
    let length = u64::from(reader.u32_be()?);
    let place = record.len().saturating_sub(reader.left());
    Ok(Some((file, u64::try_from(place).unwrap_or(u64::MAX), length)))
}
