//! VMware disks in one sparse file (VMware Virtual Disk Format 5.0, "Hosted Sparse Extents").
//!
//! ```text
//! header (little-endian): "KDMV", version, flags, 12: capacity, 20: grain size, 28: descriptor, 36: its size,
//!                         44: entries a grain table, 48: second directory, 56: directory, 64: overhead, 77: compression
//! directory -> grain table -> grain; all in sectors of 512 bytes
//! ```
//!
//! In a stream-optimised disk grains are compressed and have a marker before them: sector (u64), size (u32). Its header
//! says that the directory stands at the end, where a second header tells.
//!
//! A text that only names other files, and a disk that builds on another, are told as unsupported.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use super::{Disk, Map, Mapped, Method, Opened, Packed, Place, table_entry};
use crate::Unpack;

const SECTOR: u64 = 512;
/// `flags`: grains are compressed, and have markers.
const COMPRESSED: u32 = 1 << 16;
/// A grain has at most so many sectors here; VMware writes 128.
const LARGEST_GRAIN: u64 = 1 << 12;
/// The directory stands where the footer says.
const AT_END: u64 = u64::MAX;

/// Opens a disk.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Disk::open(budget, disk(source, budget))
}

struct Grains {
    capacity: u64,
    /// Bytes of a grain.
    size: u64,
    /// Entries of a grain table.
    entries: u64,
    directory: u64,
    compressed: bool,
    /// Where the text stands that describes the disk, and its length.
    descriptor: (u64, u64),
}

fn disk(source: &Arc<dyn Source>, budget: &Budget) -> Result<Opened, Anomaly> {
    let start = read_vec_at(source.as_ref(), 0, 80);
    if !start.starts_with(b"KDMV") {
        return Err(Anomaly::unsupported("the disk stands in other files, which were not seen"));
    }
    let mut grains = header(&start)?;
    if grains.directory == AT_END {
        // The footer is the last but one sector.
        let footer = read_vec_at(source.as_ref(), source.len().saturating_sub(1024), 80);
        grains.directory = header(&footer)?.directory;
    }
    if grains.size == 0 || grains.size > LARGEST_GRAIN * SECTOR || grains.entries == 0 {
        return Err(Anomaly::damaged("the header of the disk makes no sense"));
    }
    let remarks = parent(source.as_ref(), &grains).into_iter().collect();
    let (length, cluster) = (grains.capacity.saturating_mul(SECTOR), if grains.compressed { grains.size } else { 0 });
    Ok(Opened { disk: Arc::new(Mapped::new(grains, source, length, cluster, budget)?), remarks })
}

fn header(bytes: &[u8]) -> Result<Grains, Short> {
    let mut reader = Reader::new(bytes, "VMDK header");
    reader.skip(8)?;
    let flags = reader.u32_le()?;
    let capacity = reader.u64_le()?;
    let size = reader.u64_le()?.saturating_mul(SECTOR);
    let descriptor = (reader.u64_le()?.saturating_mul(SECTOR), reader.u64_le()?.saturating_mul(SECTOR));
    let entries = u64::from(reader.u32_le()?);
    reader.skip(8)?;
    let directory = reader.u64_le()?;
    Ok(Grains { capacity, size, entries, directory, compressed: flags & COMPRESSED != 0, descriptor })
}

/// A remark if the description names a parent.
fn parent(source: &dyn Source, grains: &Grains) -> Option<Anomaly> {
    let (start, length) = grains.descriptor;
    let text = read_vec_at(source, start, usize::try_from(length.min(20 * SECTOR)).ok()?);
    let line = text.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"parentCID="))?;
    let own = line.get(10..).unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"ffffffff");
    (!own).then(|| Anomaly::unsupported("the disk builds on another file, which was not seen"))
}

impl Map for Grains {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let (grain, within) = (offset / self.size, offset % self.size);
        let left = self.size - within;
        let (outer, inner) = (grain / self.entries, grain % self.entries);
        let table = table_entry::<4>(file, self.directory.saturating_mul(SECTOR), outer).map(u32::from_le_bytes);
        let table = match table {
            None => return Place::Broken("the directory of the disk is cut off"),
            Some(0) => return Place::Hole((self.entries - inner).saturating_mul(self.size) - within),
            Some(sector) => u64::from(sector).saturating_mul(SECTOR),
        };
        match table_entry::<4>(file, table, inner).map(u32::from_le_bytes) {
            None => Place::Broken("a grain table of the disk is cut off"),
            // 1 stands for a grain of zeros.
            Some(0 | 1) => Place::Hole(left),
            Some(sector) if self.compressed => self.packed(file, u64::from(sector).saturating_mul(SECTOR), grain),
            Some(sector) => Place::Stored(u64::from(sector).saturating_mul(SECTOR).saturating_add(within), left),
        }
    }
}

impl Grains {
    fn packed(&self, file: &dyn Source, marker: u64, grain: u64) -> Place {
        let length = table_entry::<4>(file, marker.saturating_add(8), 0).map(u32::from_le_bytes);
        let size = usize::try_from(self.size).ok();
        match (length, size) {
            (Some(length), Some(size)) if u64::from(length) <= self.size.saturating_mul(2) => Place::Packed(Packed {
                start: marker.saturating_add(12),
                length: length.into(),
                first: grain.saturating_mul(self.size),
                skip: 0,
                size,
                least: size,
                method: Method::Zlib,
            }),
            _ => Place::Broken("the marker of a compressed grain is broken"),
        }
    }
}
