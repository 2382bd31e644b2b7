//! The GUID partition table (UEFI 2.10, 5.3).
//!
//! ```text
//! sector 1: "EFI PART", revision, size, CRC, 0, own sector, other's sector, first, last, GUID,
//!           72: sector of the entries (u64), 80: how many (u32), 84: size of one (u32), CRC
//! entry:    type GUID, own GUID, 32: first sector (u64), last sector (u64), attributes, 56: name (72 bytes of UTF-16)
//! ```
//!
//! Checksums are not looked at: a broken table is read as far as it makes sense. If the first table is gone, the second
//! one, in the last sector, is not searched for; the partitions are then not found, which identification makes clear.

use dachs_base::{Anomaly, Name, Reader, Short, Source, read_vec_at};

use super::{Entries, Entry, Taken};
use crate::utf16;

/// Entries that are read; disks have 128.
const MOST: u32 = 4096;

/// The header, once it was read, and the next entry.
#[derive(Default)]
pub(super) struct Gpt {
    header: Option<Header>,
    next: u32,
    taken: Option<Taken>,
}

#[derive(Clone, Copy)]
struct Header {
    sector: u64,
    /// The first and the last sector that partitions may take.
    usable: (u64, u64),
    entries: u64,
    count: u32,
    size: u32,
}

impl Entries for Gpt {
    fn next_entry(&mut self, disk: &dyn Source) -> Entry {
        let Some(header) = self.header else { return self.begin(disk) };
        if self.next >= header.count.min(MOST) {
            return Entry::End;
        }
        let offset = u64::from(self.next).saturating_mul(header.size.into());
        self.next += 1;
        let place = header.entries.saturating_mul(header.sector).saturating_add(offset);
        let bytes = read_vec_at(disk, place, 128);
        match entry(&bytes, header.sector, self.next) {
            Ok(entry) => {
                self.taken = stretch(&bytes, &header);
                entry
            }
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

impl Gpt {
    fn begin(&mut self, disk: &dyn Source) -> Entry {
        match [512, 4096].into_iter().find_map(|sector| header(disk, sector)) {
            Some(header) if header.size >= 128 => {
                self.header = Some(header);
                if header.count > MOST {
                    let detail = format!("the partition table has more than {MOST} entries; not all were read");
                    return Entry::Remark(Anomaly::damaged(detail));
                }
                Entry::Other
            }
            _ => {
                self.header = Some(Header { sector: 512, usable: (0, 0), entries: 0, count: 0, size: 128 });
                Entry::Remark(Anomaly::damaged("the header of the partition table is missing or broken"))
            }
        }
    }
}

fn header(disk: &dyn Source, sector: u64) -> Option<Header> {
    let bytes = read_vec_at(disk, sector, 92);
    let mut reader = Reader::new(&bytes, "GPT header");
    if reader.take(8).ok()? != b"EFI PART" {
        return None;
    }
    reader.skip(32).ok()?;
    let usable = (reader.u64_le().ok()?, reader.u64_le().ok()?);
    reader.skip(16).ok()?;
    Some(Header {
        sector,
        usable,
        entries: reader.u64_le().ok()?,
        count: reader.u32_le().ok()?,
        size: reader.u32_le().ok()?,
    })
}

/// What an entry takes of the disk, if it may.
fn stretch(bytes: &[u8], header: &Header) -> Option<Taken> {
    let mut reader = Reader::new(bytes, "GPT entry");
    let system = reader.take(16).ok()?;
    reader.skip(16).ok()?;
    let (first, last) = (reader.u64_le().ok()?, reader.u64_le().ok()?);
    let sound = first >= header.usable.0 && last <= header.usable.1 && first <= last;
    (sound && system.iter().any(|byte| *byte != 0)).then_some(Taken {
        table: 0,
        start: first,
        end: last.checked_add(1)?,
    })
}

fn entry(bytes: &[u8], sector: u64, number: u32) -> Result<Entry, Short> {
    let mut reader = Reader::new(bytes, "GPT entry");
    let system = reader.take(16)?;
    reader.skip(16)?;
    let (first, last) = (reader.u64_le()?, reader.u64_le()?);
    reader.skip(8)?;
    if system.iter().all(|byte| *byte == 0) {
        return Ok(Entry::Other);
    }
    let label = utf16::little_until_zero(reader.take(72)?);
    let text = if label.is_empty() { format!("partition {number}") } else { format!("partition {number} ({label})") };
    let length = last.saturating_add(1).saturating_sub(first).saturating_mul(sector);
    Ok(Entry::Partition { name: Name::new(text.as_bytes()), start: first.saturating_mul(sector), length })
}
