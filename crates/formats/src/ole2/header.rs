//! The header of a compound file and the list of its FAT sectors (MS-CFB 2.2, 2.5).

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use super::chain::{Chain, END, LAST_SECTOR, Sectors, Table, wide};

/// Bytes of the header.
const LENGTH: usize = 512;
/// FAT sectors that the header itself names.
const IN_HEADER: usize = 109;
/// An entry of a table without a meaning: stands for no sector at all.
const NOWHERE: u64 = u64::MAX;

/// What the header says.
pub(super) struct Header {
    /// 3 or 4.
    pub(super) version: u16,
    sector_shift: u16,
    mini_shift: u16,
    pub(super) directory: u32,
    pub(super) cutoff: u32,
    pub(super) mini_fat: u32,
    difat: u32,
    fat: Vec<u32>,
}

impl Header {
    /// Reads the header.
    pub(super) fn read(source: &dyn Source) -> Result<Header, Anomaly> {
        let bytes = read_vec_at(source, 0, LENGTH);
        let header = Header::parse(&bytes)?;
        // MS-CFB 2.2: 9 or 12, and 6. Broken files are read with what they say, as long as that makes sense.
        if !(7..=16).contains(&header.sector_shift) || !(2..header.sector_shift).contains(&header.mini_shift) {
            return Err(Anomaly::damaged("the header states an impossible size of sectors"));
        }
        Ok(header)
    }

    fn parse(bytes: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(bytes, "header of the compound file");
        reader.skip(26)?;
        let version = reader.u16_le()?;
        reader.skip(2)?;
        let (sector_shift, mini_shift) = (reader.u16_le()?, reader.u16_le()?);
        reader.skip(6 + 4 + 4)?;
        let directory = reader.u32_le()?;
        reader.skip(4)?;
        let (cutoff, mini_fat) = (reader.u32_le()?, reader.u32_le()?);
        reader.skip(4)?;
        let difat = reader.u32_le()?;
        reader.skip(4)?;
        // A header that is cut off here still names some.
        let fat = std::iter::from_fn(|| reader.u32_le().ok()).take(IN_HEADER).collect();
        Ok(Header { version, sector_shift, mini_shift, directory, cutoff, mini_fat, difat, fat })
    }

    /// Where the sectors of the file stand.
    pub(super) fn sectors(&self, source: &Arc<dyn Source>) -> Sectors {
        let size = 1_u64 << self.sector_shift;
        // The header takes the place of one sector, and never fewer than its own bytes.
        Sectors { below: Arc::clone(source), first: size.max(wide(LENGTH)), size, end: source.len() }
    }

    /// Where the sectors of the mini-stream stand.
    pub(super) fn mini_sectors(&self, mini_stream: Chain) -> Sectors {
        let end = mini_stream.len();
        Sectors { below: Arc::new(mini_stream), first: 0, size: 1 << self.mini_shift, end }
    }

    /// The FAT: its sectors are named by the header and by the chain of DIFAT sectors (MS-CFB 2.5.1).
    pub(super) fn fat(&self, sectors: &Sectors, budget: &Budget) -> Table {
        let mut fat = Chain::empty(&sectors.below);
        let mut full = add_all(&mut fat, self.fat.iter().copied(), sectors, budget);
        let (mut sector, mut steps) = (self.difat, 0);
        let most = sectors.end / sectors.size;
        while full && sector < LAST_SECTOR {
            steps += 1;
            let Some((from, length)) = sectors.place(sector).filter(|_| steps <= most) else {
                fat.fail(Anomaly::damaged("the list of table sectors is broken"));
                break;
            };
            if let Err(reached) = budget.check_time() {
                fat.fail(reached.into());
                break;
            }
            let bytes = read_vec_at(sectors.below.as_ref(), from, usize::try_from(length).unwrap_or(0));
            let (entries, _) = bytes.as_chunks::<4>();
            let Some((next, entries)) = entries.split_last() else { break };
            full = add_all(&mut fat, entries.iter().map(|entry| u32::from_le_bytes(*entry)), sectors, budget);
            sector = u32::from_le_bytes(*next);
        }
        Table::new(fat)
    }
}

/// Adds FAT sectors; false if there is no memory for them. Each keeps its place, whether it exists or not.
fn add_all(fat: &mut Chain, list: impl Iterator<Item = u32>, sectors: &Sectors, budget: &Budget) -> bool {
    for sector in list {
        let place = if sector < LAST_SECTOR { sectors.place(sector) } else { None };
        if place.is_none() && sector != u32::MAX && sector != END {
            fat.fail(Anomaly::damaged("a sector of the table of sectors does not exist"));
        }
        let from = place.map_or(NOWHERE, |(from, _)| from);
        if !fat.push(from, sectors.size, budget) {
            return false;
        }
    }
    true
}
