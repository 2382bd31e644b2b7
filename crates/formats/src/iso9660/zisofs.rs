//! Files that were compressed before they were put on a disc (zisofs; H. P. Anvin, zisofs-tools; libisofs, doc/zisofs_format.txt and
//! doc/zisofs2_format.txt).
//!
//! ```text
//! magic (8), plain bytes (u32), bytes of this header / 4, block size as power of two (15 to 17), 0 (2)
//! or      magic (8), 0, bytes of this header / 4, 1 for zlib, block size (15 to 20), plain bytes (u64), 0 (4)
//! behind the header: where each block begins, and where the last one ends (u32 each, or u64); an empty block is full of zeros
//! block: a zlib stream
//! ```
//!
//! A directory's record says as well that a file is compressed (`ZF`). The file's own header is believed instead, so that a
//! record without it hides nothing.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Source, read_vec_at};

use crate::mapped::{Map, Mapped, Method, Packed, Place};

const MAGIC: [u8; 8] = [0x37, 0xE4, 0x53, 0x96, 0xC9, 0xDB, 0xD6, 0x07];
const MAGIC_2: [u8; 8] = [0xEF, 0x22, 0x55, 0xA1, 0xBC, 0x1B, 0x95, 0xA0];
/// Bytes of a header.
const HEADER: usize = 24;

/// The plain bytes of a compressed file; none if it is not compressed.
///
/// # Errors
/// When it is compressed in a way that is not known, or its memory is not to be had.
pub(super) fn open(file: &Arc<dyn Source>, budget: &Budget) -> Result<Option<Arc<dyn Source>>, Anomaly> {
    let head = read_vec_at(file.as_ref(), 0, HEADER);
    let second = head.starts_with(&MAGIC_2);
    if !second && !head.starts_with(&MAGIC) {
        return Ok(None);
    }
    let mut reader = Reader::new(&head, "header of zisofs");
    reader.skip(8)?;
    let (length, table, power) = if second {
        reader.skip(1)?;
        let (size, method, power) = (reader.u8()?, reader.u8()?, reader.u8()?);
        if method != 1 {
            return Err(Anomaly::unsupported("the file is compressed by zisofs, with an unknown method"));
        }
        (reader.u64_le()?, u64::from(size) * 4, power)
    } else {
        let length = u64::from(reader.u32_le()?);
        (length, u64::from(reader.u8()?) * 4, reader.u8()?)
    };
    if !(9..=20).contains(&power) {
        return Err(Anomaly::unsupported("the file is compressed by zisofs, in blocks of an unknown size"));
    }
    let blocks = Blocks { table, width: if second { 8 } else { 4 }, length, block: 1 << power };
    let plain = Mapped::new(blocks, file, length, 1 << power, budget)?;
    Ok(Some(Arc::new(plain)))
}

/// Where the blocks of a file stand; the table stays in the file.
struct Blocks {
    table: u64,
    /// Bytes of an entry.
    width: usize,
    length: u64,
    block: u64,
}

impl Map for Blocks {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let first = offset - offset % self.block;
        let width = u64::try_from(self.width).unwrap_or(8);
        let at = self.table.saturating_add((offset / self.block).saturating_mul(width));
        let entry = read_vec_at(file, at, self.width * 2);
        let mut reader = Reader::new(&entry, "table of zisofs");
        let mut number = || if self.width == 8 { reader.u64_le() } else { reader.u32_le().map(u64::from) };
        let size = self.block.min(self.length.saturating_sub(first));
        match (number(), number()) {
            (Ok(start), Ok(end)) if start == end => Place::Hole(size.saturating_sub(offset % self.block)),
            (Ok(start), Ok(end)) if start < end && end - start <= 2 * self.block => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let length = end - start;
                Place::Packed(Packed { start, length, first, skip: 0, size, least: size, method: Method::Zlib })
            }
            _ => Place::Broken("the table of a compressed file is broken"),
        }
    }
}
