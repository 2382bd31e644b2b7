//! Universal Mach-O: executables for several processors in one file (Apple, `mach-o/fat.h`:
//! <https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/fat.h>).
//!
//! Each is a member. They may not overlap in a sound file; here they may, at the cost of their bytes, but not reach into
//! the header, so that no file holds itself.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Short, Source};

use crate::Unpack;
use crate::stored::{Entry, Place, Stored, Walk};

/// `FAT_MAGIC_64`
const WIDE: u32 = 0xcafe_babf;
/// More architectures than this are not believed.
const MOST: u32 = 64;

/// Unpacks a universal Mach-O file.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Stored::open(Universal { slices: None }, source, budget)
}

struct Universal {
    /// Offset and size of those that are left, the last first.
    slices: Option<Vec<(u64, u64)>>,
}

impl Walk for Universal {
    fn next_entry(&mut self, place: &mut Place) -> Entry {
        let Some(slices) = self.slices.as_mut() else {
            let (bytes, got) = place.take::<2056>();
            let (slices, anomaly) = table(bytes.get(..got).unwrap_or(&bytes));
            self.slices = Some(slices);
            return anomaly.map_or(Entry::Other, |anomaly| Entry::Remark(None, anomaly));
        };
        let Some((offset, size)) = slices.pop() else { return Entry::End };
        let name = Name::new(format!("architecture {}", slices.len()).as_bytes());
        match place.budget.charge_bytes(size.min(place.source.len())) {
            Ok(()) => Entry::File(name, offset, size),
            Err(reached) => Entry::Remark(Some(name), reached.into()),
        }
    }
}

/// The rows of the table, the last first, and what is wrong with it.
fn table(bytes: &[u8]) -> (Vec<(u64, u64)>, Option<Anomaly>) {
    let mut slices = Vec::new();
    let anomaly = read_table(bytes, &mut slices).err().map(Anomaly::from);
    let header = slices.len() as u64 * 20;
    let count = slices.len();
    slices.retain(|(offset, _)| *offset >= header);
    slices.reverse();
    let inside = (slices.len() < count).then(|| Anomaly::damaged("a universal Mach-O file points into its own header"));
    (slices, anomaly.or(inside))
}

fn read_table(bytes: &[u8], slices: &mut Vec<(u64, u64)>) -> Result<(), Short> {
    let mut reader = Reader::new(bytes, "table of architectures");
    let wide = reader.u32_be()? == WIDE;
    let count = reader.u32_be()?;
    for _ in 0..count.min(MOST) {
        reader.skip(8)?; // cputype, cpusubtype
        let row = if wide {
            (reader.u64_be()?, reader.u64_be()?)
        } else {
            (reader.u32_be()?.into(), reader.u32_be()?.into())
        };
        reader.skip(if wide { 8 } else { 4 })?; // align, reserved
        slices.push(row);
    }
    if count > MOST { Err(Short { what: "table of architectures" }) } else { Ok(()) }
}
