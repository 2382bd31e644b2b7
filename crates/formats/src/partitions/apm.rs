//! Apple's partition map (Inside Macintosh: Devices, 3-22 to 3-27).
//!
//! ```text
//! block 0: "ER", 2: bytes a block (big-endian)
//! block 1...: "PM", 4: blocks of the map, first block, blocks, 16: name (32 bytes), 48: type (32 bytes)
//! ```
//!
//! On discs the map may stand in blocks of 512 bytes although the first block says 2048. The map itself and what is free are no
//! partitions.

use dachs_base::{Anomaly, Name, Reader, Short, Source, read_vec_at};

use super::{Entries, Entry, Taken};

/// Entries that are read.
const MOST: u32 = 4096;

/// The size of a block, once it is known, and the next entry.
#[derive(Default)]
pub(super) struct Apm {
    block: u64,
    count: u32,
    next: u32,
    taken: Option<Taken>,
}

struct Slot {
    count: u32,
    first: u64,
    blocks: u64,
    name: Vec<u8>,
    kind: Vec<u8>,
}

impl Entries for Apm {
    fn next_entry(&mut self, disk: &dyn Source) -> Entry {
        if self.next == 0 {
            return self.begin(disk);
        }
        if self.next > self.count.min(MOST) {
            return Entry::End;
        }
        let bytes = read_vec_at(disk, u64::from(self.next).saturating_mul(self.block), 80);
        self.next += 1;
        match slot(&bytes) {
            Ok(Some(slot)) => {
                let (start, end) = (slot.first, slot.first.saturating_add(slot.blocks));
                self.taken = Some(Taken { table: 0, start, end });
                self.take(slot)
            }
            Ok(None) => Entry::Remark(Anomaly::damaged("an entry of the partition map is broken")),
            Err(short) => {
                self.next = u32::MAX;
                Entry::Remark(short.into())
            }
        }
    }

    fn taken(&mut self) -> Option<Taken> {
        self.taken.take()
    }
}

impl Apm {
    fn begin(&mut self, disk: &dyn Source) -> Entry {
        self.next = 1;
        let found = [512, 2048, 1024, 4096].into_iter().find_map(|block: u64| {
            let slot = slot(&read_vec_at(disk, block, 80)).ok()??;
            Some((block, slot.count))
        });
        let Some((block, count)) = found else {
            return Entry::Remark(Anomaly::damaged("the partition map is missing or broken"));
        };
        (self.block, self.count) = (block, count);
        if count > MOST {
            return Entry::Remark(Anomaly::damaged(format!(
                "the partition map has more than {MOST} entries; not all were read"
            )));
        }
        Entry::Other
    }

    fn take(&self, slot: Slot) -> Entry {
        if matches!(slot.kind.as_slice(), b"Apple_partition_map" | b"Apple_Free" | b"Apple_Void") || slot.blocks == 0 {
            return Entry::Other;
        }
        let number = self.next - 1;
        let name = String::from_utf8_lossy(if slot.name.is_empty() { &slot.kind } else { &slot.name }).into_owned();
        let name = Name::new(format!("partition {number} ({name})").as_bytes());
        let (start, length) = (slot.first.saturating_mul(self.block), slot.blocks.saturating_mul(self.block));
        Entry::Partition { name, start, length }
    }
}

fn slot(bytes: &[u8]) -> Result<Option<Slot>, Short> {
    let mut reader = Reader::new(bytes, "entry of the partition map");
    if &reader.array::<2>()? != b"PM" {
        return Ok(None);
    }
    reader.skip(2)?;
    let (count, first, blocks) = (reader.u32_be()?, reader.u32_be()?.into(), reader.u32_be()?.into());
    let text = |bytes: &[u8]| bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    Ok(Some(Slot { count, first, blocks, name: text(reader.take(32)?), kind: text(reader.take(32)?) }))
}
