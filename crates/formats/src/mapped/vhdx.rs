//! Hyper-V disks (MS-VHDX).
//!
//! ```text
//! 0: "vhdxfile"   64 KiB, 128 KiB: headers   192 KiB, 256 KiB: region tables "regi"                        2.1, 2.2
//! region table -> block allocation table, metadata table "metadata"                                        2.2.3
//! metadata     -> block size and flags, disk size, sector size                                             2.6
//! table entry  (u64): state in bits 0 to 2, offset in MiB from bit 20; after every chunk a bitmap block    2.5.1
//! ```
//!
//! A log that was not replayed is told: the file was not closed properly, and some of its blocks may be old.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_exact_at, read_vec_at};

use super::{Disk, Map, Mapped, Opened, Place, table_entry};
use crate::Unpack;

const KIB_64: u64 = 64 * 1024;
/// Region and metadata items, little-endian as they stand (2.2.3.2, 2.6.2).
const BLOCK_TABLE: [u8; 16] = *b"\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08";
const METADATA: [u8; 16] = *b"\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
const PARAMETERS: [u8; 16] = *b"\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b";
const DISK_SIZE: [u8; 16] = *b"\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8";
const SECTOR_SIZE: [u8; 16] = *b"\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f";

/// Opens a disk.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Disk::open(budget, disk(source, budget))
}

struct Blocks {
    table: u64,
    size: u64,
    /// Blocks between two bitmap blocks of the table.
    ratio: u64,
}

fn disk(source: &Arc<dyn Source>, budget: &Budget) -> Result<Opened, Anomaly> {
    let file = source.as_ref();
    let missing = |what: &str| Anomaly::damaged(format!("the {what} of the disk is missing"));
    let regions = |guid| [192, 256].into_iter().find_map(|kib: u64| region(file, kib * 1024, guid));
    let table = regions(&BLOCK_TABLE).ok_or_else(|| missing("table of blocks"))?;
    let metadata = regions(&METADATA).ok_or_else(|| missing("description"))?;
    let item = |guid| item(file, metadata, guid).ok_or_else(|| missing("description"));
    let (parameters, length, sector) = (item(&PARAMETERS)?, item(&DISK_SIZE)?, item(&SECTOR_SIZE)?);
    let (size, sector) = (u64::from(low(parameters)), u64::from(low(sector)));
    if !size.is_power_of_two() || !(1 << 20..=256 << 20).contains(&size) || !matches!(sector, 512 | 4096) {
        return Err(Anomaly::damaged("the description of the disk makes no sense"));
    }
    let mut remarks = Vec::new();
    if high(parameters) & 2 != 0 {
        remarks.push(Anomaly::unsupported("the disk builds on another file, which was not seen"));
    }
    if log_in_use(file) {
        remarks.push(Anomaly::unsupported("the disk has a log that was not replayed; some blocks may be old"));
    }
    let ratio = (sector << 23) / size;
    let mapped = Mapped::new(Blocks { table, size, ratio }, source, u64::from_le_bytes(length), 0, budget)?;
    Ok(Opened { disk: Arc::new(mapped), remarks })
}

fn low(bytes: [u8; 8]) -> u32 {
    let [a, b, c, d, ..] = bytes;
    u32::from_le_bytes([a, b, c, d])
}

fn high(bytes: [u8; 8]) -> u32 {
    let [.., a, b, c, d] = bytes;
    u32::from_le_bytes([a, b, c, d])
}

/// Where a region begins (2.2.3).
fn region(file: &dyn Source, table: u64, guid: &[u8; 16]) -> Option<u64> {
    let bytes = read_vec_at(file, table, 16 + 32 * 2047);
    let mut reader = Reader::new(&bytes, "VHDX region table");
    if reader.take(4).ok()? != b"regi" {
        return None;
    }
    reader.skip(4).ok()?;
    let count = reader.u32_le().ok()?;
    reader.skip(4).ok()?;
    (0..count.min(2047)).find_map(|_| {
        let entry = reader.take(32).ok()?;
        entry.starts_with(guid).then(|| Reader::new(entry.get(16..)?, "VHDX region").u64_le().ok()).flatten()
    })
}

/// The first bytes of an item of the metadata table (2.6.1); short ones are filled up with zeros.
fn item(file: &dyn Source, metadata: u64, guid: &[u8; 16]) -> Option<[u8; 8]> {
    let bytes = read_vec_at(file, metadata, 32 + 32 * 2047);
    let (offset, length) = entry(&bytes, guid).ok()??;
    let mut value = [0; 8];
    let count = usize::try_from(length).ok()?.min(8);
    let at = metadata.checked_add(offset.into())?;
    read_exact_at(file, at, value.get_mut(..count)?).then_some(value)
}

fn entry(bytes: &[u8], guid: &[u8; 16]) -> Result<Option<(u32, u32)>, Short> {
    let mut reader = Reader::new(bytes, "VHDX metadata table");
    if reader.take(8)? != b"metadata" {
        return Ok(None);
    }
    reader.skip(2)?;
    let count = reader.u16_le()?;
    reader.skip(20)?;
    for _ in 0..count {
        let mut entry = reader.sub(32, "VHDX metadata entry")?;
        if entry.take(16)? == guid {
            return Ok(Some((entry.u32_le()?, entry.u32_le()?)));
        }
    }
    Ok(None)
}

/// True if the newer of the two headers names a log (2.2.2).
fn log_in_use(file: &dyn Source) -> bool {
    let header = |at: u64| {
        let bytes = read_vec_at(file, at, 64);
        let sequence = bytes.get(8..16)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))?;
        bytes.starts_with(b"head").then(|| (sequence, bytes.get(48..64).is_some_and(|log| log.iter().any(|b| *b != 0))))
    };
    header(KIB_64).max(header(2 * KIB_64)).is_some_and(|(_, log)| log)
}

impl Map for Blocks {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let (block, within) = (offset / self.size, offset % self.size);
        let left = self.size - within;
        let index = block.saturating_add(block / self.ratio.max(1));
        match table_entry::<8>(file, self.table, index).map(u64::from_le_bytes) {
            None => Place::Broken("the table of blocks is cut off"),
            // 6: wholly present; 7: partly, the rest stands in the parent.
            Some(entry) if matches!(entry & 7, 6 | 7) => {
                Place::Stored(((entry >> 20) << 20).saturating_add(within), left)
            }
            Some(_) => Place::Hole(left),
        }
    }
}
