//! QEMU disks, versions 2 and 3 (QEMU, docs/interop/qcow2.txt).
//!
//! ```text
//! header (big-endian): "QFI\xfb", version, 8: backing file offset, 16: its length, 20: cluster bits, 24: disk size,
//!                      32: encryption, 36: entries of L1, 40: offset of L1, 72: incompatible features, 104: compression
//! L1 entry -> L2 table (one cluster)    L2 entry -> cluster, or compressed cluster (bit 62), or zeros (bit 0)
//! ```
//!
//! Version 1 is told as unsupported, as are encryption, external data files and extended L2 entries. Snapshots inside the
//! image are not read: their clusters are matched with the image as it stands.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Source, read_vec_at};

use super::{Disk, Map, Mapped, Method, Opened, Packed, Place, table_entry};
use crate::Unpack;

/// Bits 9 to 55 of an entry are an offset.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Features that change how the disk is read: external data file, compression type, extended L2.
const EXTERNAL_DATA: u64 = 1 << 2;
const EXTENDED_L2: u64 = 1 << 4;

/// Opens a disk.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Disk::open(budget, disk(source, budget))
}

struct Clusters {
    bits: u32,
    l1: u64,
    l1_count: u64,
    method: Method,
}

fn disk(source: &Arc<dyn Source>, budget: &Budget) -> Result<Opened, Anomaly> {
    let bytes = read_vec_at(source.as_ref(), 0, 112);
    let mut reader = Reader::new(&bytes, "QCOW header");
    reader.skip(4)?;
    let version = reader.u32_be()?;
    if !matches!(version, 2 | 3) {
        return Err(Anomaly::unsupported(format!("version {version} of QCOW cannot be read")));
    }
    let backing = reader.u64_be()?;
    reader.skip(4)?;
    let bits = reader.u32_be()?;
    let size = reader.u64_be()?;
    let encryption = reader.u32_be()?;
    let l1_count = u64::from(reader.u32_be()?);
    let l1 = reader.u64_be()?;
    let features = if version == 3 { features(&bytes)? } else { (0, 0) };
    refuse(bits, encryption, features.0)?;
    let method = if features.1 == 1 { Method::Zstd } else { Method::Deflate };
    let mapped = Mapped::new(Clusters { bits, l1, l1_count, method }, source, size, 1 << bits, budget)?;
    let parent = (backing != 0).then(|| Anomaly::unsupported("the disk builds on another file, which was not seen"));
    Ok(Opened { disk: Arc::new(mapped), remarks: parent.into_iter().collect() })
}

/// The incompatible features, and the compression type.
fn features(bytes: &[u8]) -> Result<(u64, u8), Anomaly> {
    let mut reader = Reader::new(bytes, "QCOW header");
    reader.skip(72)?;
    let incompatible = reader.u64_be()?;
    reader.skip(20)?;
    let length = reader.u32_be()?;
    let compression = if length > 104 { reader.u8()? } else { 0 };
    Ok((incompatible, compression))
}

fn refuse(bits: u32, encryption: u32, features: u64) -> Result<(), Anomaly> {
    if !(9..=21).contains(&bits) {
        return Err(Anomaly::damaged("the cluster size of the disk makes no sense"));
    }
    if encryption != 0 {
        return Err(Anomaly::encrypted("the disk is encrypted"));
    }
    if features & EXTERNAL_DATA != 0 {
        return Err(Anomaly::unsupported("the data of the disk stand in another file"));
    }
    if features & EXTENDED_L2 != 0 {
        return Err(Anomaly::unsupported("extended L2 entries of the disk cannot be read"));
    }
    Ok(())
}

impl Map for Clusters {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let size = 1_u64 << self.bits;
        let per_table = size / 8;
        let (cluster, within) = (offset / size, offset % size);
        let (outer, inner) = (cluster / per_table, cluster % per_table);
        if outer >= self.l1_count {
            return Place::Hole(u64::MAX - offset);
        }
        let Some(table) = table_entry::<8>(file, self.l1, outer).map(u64::from_be_bytes) else {
            return Place::Broken("the first table of the disk is cut off");
        };
        if table & OFFSET == 0 {
            return Place::Hole((per_table - inner).saturating_mul(size) - within);
        }
        match table_entry::<8>(file, table & OFFSET, inner).map(u64::from_be_bytes) {
            None => Place::Broken("a second table of the disk is cut off"),
            Some(entry) if entry & COMPRESSED != 0 => Place::Packed(self.packed(entry, offset - within)),
            Some(entry) if entry & 1 != 0 || entry & OFFSET == 0 => Place::Hole(size - within),
            Some(entry) => Place::Stored((entry & OFFSET).saturating_add(within), size - within),
        }
    }
}

impl Clusters {
    /// "Compressed Clusters Descriptor": offset in the low bits, then the number of further sectors.
    fn packed(&self, entry: u64, first: u64) -> Packed {
        let split = 62 - (self.bits - 8);
        let start = entry & ((1_u64 << split) - 1);
        let sectors = (entry & (COMPRESSED - 1)) >> split;
        let length = (sectors + 1).saturating_mul(512) - (start % 512);
        let size = 1 << self.bits;
        Packed { start, length, first, skip: 0, size, least: size, method: self.method }
    }
}

#[cfg(test)]
mod tests {
    use dachs_base::{Limits, Memory, NoClock};

    use super::*;

    #[test]
    fn a_disk_of_any_size_that_holds_nothing_is_passed_at_once() {
        let numbers = [[0, 0, 0, 16].as_slice(), &(1_u64 << 60).to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 1]].concat();
        let file = [&b"QFI\xfb\0\0\0\x02"[..], &[0; 12], &numbers, &112_u64.to_be_bytes(), &[0; 72]].concat();
        let source: Arc<dyn Source> = Arc::new(Memory::new(file));
        let disk = disk(&source, &Budget::new(Limits::default(), NoClock)).unwrap().disk;
        assert_eq!((disk.len(), disk.next_data(0)), (1 << 60, 1 << 60));
    }
}
