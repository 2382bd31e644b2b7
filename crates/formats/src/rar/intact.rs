//! How far an archive is whole: its blocks, walked by their lengths alone.
//!
//! ```text
//! RAR 1.5 to 4: CRC (u16), type, flags (u16), size (u16), [further bytes (u32), if flag 0x8000; high half in file headers]
//! RAR 5:        CRC (u32), size of the rest, type, flags, [extra size], [data size]; numbers of 7 bits a byte
//! ```

use dachs_base::{Reader, Short, Source, read_vec_at};

/// Blocks that are walked.
const MOST: u32 = 1 << 20;
const OLD: &[u8] = b"Rar!\x1a\x07\x00";
/// What archives of version 5 begin with.
pub(super) const NEW: &[u8] = b"Rar!\x1a\x07\x01\x00";

/// Where the last whole block ends, if one follows the signature at all; an end block ends the archive.
pub(super) fn end(source: &dyn Source) -> Option<u64> {
    let head = read_vec_at(source, 0, NEW.len());
    let (mut at, next): (u64, Parse) = match head.as_slice() {
        head if head.starts_with(NEW) => (8, new),
        head if head.starts_with(OLD) => (7, old),
        _ => return None,
    };
    let (length, mut whole) = (source.len(), None);
    for _ in 0..MOST {
        let Ok(block) = next(&read_vec_at(source, at, 64)) else { break };
        let end = at.saturating_add(block.length);
        if block.length == 0 || end > length {
            break;
        }
        whole = Some(end);
        at = end;
        if block.last {
            break;
        }
    }
    whole
}

/// Reads the header of a block.
type Parse = fn(&[u8]) -> Result<Block, Short>;

struct Block {
    /// With its data.
    length: u64,
    last: bool,
}

fn old(bytes: &[u8]) -> Result<Block, Short> {
    let mut reader = Reader::new(bytes, "RAR block");
    reader.skip(2)?;
    let kind = reader.u8()?;
    let flags = reader.u16_le()?;
    let size = u64::from(reader.u16_le()?);
    let mut more = 0;
    // File and service headers always have data.
    if flags & 0x8000 != 0 || matches!(kind, 0x74 | 0x7a) {
        more = u64::from(reader.u32_le()?);
        if matches!(kind, 0x74 | 0x7a) && flags & 0x100 != 0 {
            reader.skip(21)?;
            more |= u64::from(reader.u32_le()?) << 32;
        }
    }
    let length = if size < 7 { 0 } else { size.saturating_add(more) };
    Ok(Block { length, last: kind == 0x7b })
}

fn new(bytes: &[u8]) -> Result<Block, Short> {
    let mut reader = Reader::new(bytes, "RAR block");
    reader.skip(4)?;
    let size = number(&mut reader)?;
    let header = u64::try_from(bytes.len() - reader.left()).unwrap_or(u64::MAX).saturating_add(size);
    let kind = number(&mut reader)?;
    let flags = number(&mut reader)?;
    if flags & 1 != 0 {
        number(&mut reader)?;
    }
    let data = if flags & 2 != 0 { number(&mut reader)? } else { 0 };
    let length = if size == 0 { 0 } else { header.saturating_add(data) };
    Ok(Block { length, last: kind == 5 })
}

/// Seven bits a byte, the lowest first.
pub(super) fn number(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Ok(u64::MAX)
}
