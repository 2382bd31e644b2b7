//! The master boot record: four entries, and chains of extended partitions.
//!
//! ```text
//! sector 0: ... 446: entry * 4, 55 AA
//! entry:    status, CHS (3), type, CHS (3), first sector (u32), sectors (u32)
//! ```
//!
//! An extended partition (types 05, 0F, 85) begins with a record whose first entry is a logical partition, counted from
//! that record, and whose second leads to the next record, counted from the extended partition's start.

use dachs_base::{Anomaly, Name, Reader, Short, Source, read_vec_at};

use super::{Entries, Entry, Taken};

const SECTOR: u64 = 512;
/// Records of a chain that are followed; Linux stops at 60 logical partitions.
const LONGEST_CHAIN: u32 = 256;

/// Where in the table the walk stands.
#[derive(Default)]
pub(super) struct Mbr {
    /// The record at hand: its sector, and how many of its entries were read.
    record: u64,
    index: usize,
    /// The first sector of the extended partition that is walked; none in the first record.
    extended: Option<u64>,
    /// Extended partitions that were not walked yet.
    waiting: Vec<u64>,
    /// The next record of the chain.
    next: Option<u64>,
    count: u32,
    /// Records besides the first that were read.
    chain: u32,
    taken: Option<Taken>,
}

/// One entry of a record.
struct Slot {
    status: u8,
    system: u8,
    first: u64,
    sectors: u64,
}

impl Entries for Mbr {
    fn next_entry(&mut self, disk: &dyn Source) -> Entry {
        if self.index == 4 {
            return self.next_record();
        }
        let slot = slot(disk, self.record, self.index);
        self.index += 1;
        match slot {
            Ok(slot) => {
                self.taken = self.stretch(&slot, disk.len() / SECTOR);
                self.take(&slot)
            }
            Err(anomaly) => {
                self.index = 4;
                Entry::Remark(anomaly)
            }
        }
    }

    fn taken(&mut self) -> Option<Taken> {
        self.taken.take()
    }
}

impl Mbr {
    /// What an entry takes of the disk, if it is sound and lies on it: a partition, or an extended one of the first record.
    fn stretch(&self, slot: &Slot, sectors: u64) -> Option<Taken> {
        let link = matches!(slot.system, 0x05 | 0x0f | 0x85) && self.extended.is_some();
        let base = if self.extended.is_some() { self.record } else { 0 };
        let start = base.saturating_add(slot.first);
        let end = start.saturating_add(slot.sectors);
        let sound = matches!(slot.status, 0 | 0x80) && !matches!(slot.system, 0 | 0xee) && !link && end <= sectors;
        sound.then_some(Taken { table: self.extended.unwrap_or(0), start, end })
    }

    fn take(&mut self, slot: &Slot) -> Entry {
        if slot.system == 0 || slot.sectors == 0 {
            return Entry::Other;
        }
        if matches!(slot.system, 0x05 | 0x0f | 0x85) {
            match self.extended {
                None => self.waiting.push(slot.first),
                Some(start) => self.next = Some(start.saturating_add(slot.first)),
            }
            return Entry::Other;
        }
        // The table of a GUID partitioned disk covers all of it with one entry; its own reader goes through that.
        if slot.system == 0xee {
            return Entry::Other;
        }
        self.count = self.count.saturating_add(1);
        let base = if self.extended.is_some() { self.record } else { 0 };
        let start = base.saturating_add(slot.first).saturating_mul(SECTOR);
        let name = Name::new(format!("partition {} (type {:02x})", self.count, slot.system).as_bytes());
        Entry::Partition { name, start, length: slot.sectors.saturating_mul(SECTOR) }
    }

    fn next_record(&mut self) -> Entry {
        if self.chain == LONGEST_CHAIN && self.next.take().is_some() {
            self.waiting.clear();
            let detail = "the chain of extended partitions is too long; not all of it was followed";
            return Entry::Remark(Anomaly::damaged(detail));
        }
        let Some(record) = self.next.take().or_else(|| self.enter_extended()) else { return Entry::End };
        self.chain = self.chain.saturating_add(1);
        (self.record, self.index) = (record, 0);
        Entry::Other
    }

    fn enter_extended(&mut self) -> Option<u64> {
        self.extended = Some(self.waiting.pop()?);
        self.extended
    }
}

fn slot(disk: &dyn Source, record: u64, index: usize) -> Result<Slot, Anomaly> {
    let bytes = read_vec_at(disk, record.saturating_mul(SECTOR), 512);
    let signed = bytes.ends_with(&[0x55, 0xaa]);
    match parse(&bytes, index) {
        Ok(slot) if signed => Ok(slot),
        _ => Err(Anomaly::damaged("a record of the partition table is missing or broken")),
    }
}

fn parse(bytes: &[u8], index: usize) -> Result<Slot, Short> {
    let mut reader = Reader::new(bytes, "partition table");
    reader.skip(446)?;
    for _ in 0..index {
        reader.skip(16)?;
    }
    let status = reader.u8()?;
    reader.skip(3)?;
    let system = reader.u8()?;
    reader.skip(3)?;
    Ok(Slot { status, system, first: reader.u32_le()?.into(), sectors: reader.u32_le()?.into() })
}
