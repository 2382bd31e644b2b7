//! Virtual PC and Hyper-V disks (Virtual Hard Disk Image Format Specification 1.0).
//!
//! ```text
//! footer (512 bytes, at the end; a copy at the start of dynamic disks)
//!   "conectix", 16: offset of the dynamic header (u64), 48: current size (u64), 60: type (u32: 2 fixed, 3 dynamic, 4 differencing)
//! dynamic header: "cxsparse", 16: offset of the table (u64), 28: entries (u32), 32: block size (u32)
//! block: a bitmap of its sectors, then the sectors
//! ```
//!
//! Sectors whose bit is not set are read as they stand in the block: a writer leaves zeros there.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Part, Reader, Short, Source, read_vec_at};

use super::{Disk, Map, Mapped, Opened, Place, table_entry};
use crate::Unpack;

/// Opens a disk.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Disk::open(budget, disk(source, budget))
}

struct Footer {
    header: u64,
    size: u64,
    kind: u32,
}

fn disk(source: &Arc<dyn Source>, budget: &Budget) -> Result<Opened, Anomaly> {
    let last = source.len().saturating_sub(512);
    let places = [last, 0, source.len().saturating_sub(511)];
    let footer = places.into_iter().find_map(|place| footer(&read_vec_at(source.as_ref(), place, 512)).ok().flatten());
    let footer = footer.ok_or_else(|| Anomaly::damaged("the footer of the disk is missing"))?;
    if footer.kind == 2 {
        let disk = Arc::new(Part::new(Arc::clone(source), 0, last));
        return Ok(Opened { disk, remarks: Vec::new() });
    }
    let blocks = blocks(&read_vec_at(source.as_ref(), footer.header, 1024))?;
    let parent =
        (footer.kind == 4).then(|| Anomaly::unsupported("the disk builds on another file, which was not seen"));
    let mapped = Mapped::new(blocks, source, footer.size, 0, budget)?;
    Ok(Opened { disk: Arc::new(mapped), remarks: parent.into_iter().collect() })
}

fn footer(bytes: &[u8]) -> Result<Option<Footer>, Short> {
    let mut reader = Reader::new(bytes, "VHD footer");
    if reader.take(8)? != b"conectix" {
        return Ok(None);
    }
    reader.skip(8)?;
    let header = reader.u64_be()?;
    reader.skip(24)?;
    let size = reader.u64_be()?;
    reader.skip(4)?;
    let kind = reader.u32_be()?;
    Ok(matches!(kind, 2..=4).then_some(Footer { header, size, kind }))
}

/// The table of a dynamic disk.
struct Blocks {
    table: u64,
    count: u64,
    size: u64,
}

fn blocks(bytes: &[u8]) -> Result<Blocks, Anomaly> {
    let mut reader = Reader::new(bytes, "VHD dynamic header");
    let magic = reader.take(8)?;
    reader.skip(8)?;
    let table = reader.u64_be()?;
    reader.skip(4)?;
    let (count, size) = (u64::from(reader.u32_be()?), u64::from(reader.u32_be()?));
    if magic != b"cxsparse" || !size.is_power_of_two() || size < 512 {
        return Err(Anomaly::damaged("the dynamic header of the disk is broken"));
    }
    Ok(Blocks { table, count, size })
}

impl Blocks {
    /// The bitmap before the sectors of a block, one bit a sector, rounded up to sectors.
    fn bitmap(&self) -> u64 {
        (self.size / 512).div_ceil(8).next_multiple_of(512)
    }
}

impl Map for Blocks {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let (index, within) = (offset / self.size, offset % self.size);
        let left = self.size - within;
        if index >= self.count {
            return Place::Hole(u64::MAX - offset);
        }
        match table_entry::<4>(file, self.table, index).map(u32::from_be_bytes) {
            None => Place::Broken("the table of blocks is cut off"),
            Some(u32::MAX) => Place::Hole(left),
            Some(sector) => {
                let block = u64::from(sector).saturating_mul(512).saturating_add(self.bitmap());
                Place::Stored(block.saturating_add(within), left)
            }
        }
    }
}
