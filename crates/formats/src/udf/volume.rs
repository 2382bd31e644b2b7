//! The descriptors of a volume, and where blocks of its partitions stand.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

/// Descriptors of a volume that are read.
const MOST: u64 = 256;
/// Partitions, and maps of them.
const MOST_MAPS: u32 = 16;

/// Where an extent stands (4/14.14.2).
#[derive(Clone, Copy)]
pub(super) struct Long {
    /// Bytes; the upper two bits say of what kind it is.
    pub(super) length: u32,
    pub(super) block: u32,
    pub(super) partition: u16,
}

impl Long {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Long, Short> {
        let long = Long { length: reader.u32_le()?, block: reader.u32_le()?, partition: reader.u16_le()? };
        reader.skip(6)?;
        Ok(long)
    }
}

/// A partition as the logical volume sees it.
enum Mapped {
    /// It begins at this byte.
    At(u64),
    /// The bytes of the file of metadata.
    Metadata(Arc<dyn Source>),
    /// It cannot be read.
    Unknown,
}

/// A disc whose descriptors were read.
pub(super) struct Disc {
    pub(super) source: Arc<dyn Source>,
    pub(super) budget: Budget,
    pub(super) block: u64,
    maps: Vec<Mapped>,
    pub(super) remarks: Vec<Anomaly>,
    /// The streams of the last file: a name, a number, and the directory.
    pub(super) streams: Option<(Vec<u8>, u64, Arc<dyn Source>)>,
}

/// True if a descriptor of this kind begins here, and its tag is whole.
pub(super) fn is_tag(bytes: &[u8], kind: u16) -> bool {
    let Some(tag) = bytes.first_chunk::<16>() else { return false };
    let [a, b, _, _, sum, ..] = *tag;
    let all = tag.iter().fold(0_u8, |all, byte| all.wrapping_add(*byte));
    u16::from_le_bytes([a, b]) == kind && all.wrapping_sub(sum) == sum
}

/// A map of a partition, as the logical volume has it.
enum Map {
    Number(u16),
    Sparable(u16),
    /// The partition, and where the file of metadata and its copy are described.
    Metadata(u16, u32, u32),
    Unknown,
}

#[derive(Default)]
struct Found {
    partitions: Vec<(u16, u64)>,
    /// Bytes of a block, the file sets, the maps.
    volume: Option<(u64, Long, Vec<Map>)>,
}

impl Disc {
    pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<(Disc, Long), Anomaly> {
        let missing = |what: &str| Anomaly::damaged(format!("the {what} of the volume is missing or broken"));
        let (sector, places) = anchor(source.as_ref()).ok_or_else(|| missing("anchor"))?;
        let read = places.into_iter().map(|place| descriptors(source.as_ref(), place, sector));
        let found = read.into_iter().find(|found| found.volume.is_some() && !found.partitions.is_empty());
        let found = found.ok_or_else(|| missing("description"))?;
        let (block, sets, maps) = found.volume.ok_or_else(|| missing("description"))?;
        if !block.is_power_of_two() || !(512..=32_768).contains(&block) {
            return Err(missing("block size"));
        }
        let (source, budget) = (Arc::clone(source), budget.clone());
        let mut disc = Disc { source, budget, block, maps: Vec::new(), remarks: Vec::new(), streams: None };
        let start = |number: u16| found.partitions.iter().find(|(known, _)| *known == number).map(|(_, start)| *start);
        for map in &maps {
            let mapped = match map {
                Map::Number(number) | Map::Sparable(number) => start(*number).map(Mapped::At),
                Map::Metadata(..) | Map::Unknown => None,
            };
            disc.maps.push(mapped.unwrap_or(Mapped::Unknown));
        }
        for (index, map) in maps.iter().enumerate() {
            if let Map::Metadata(number, file, copy) = map {
                let place = maps.iter().position(|map| matches!(map, Map::Number(n) | Map::Sparable(n) if n == number));
                let metadata = disc.metadata(place, [*file, *copy]);
                match (metadata, disc.maps.get_mut(index)) {
                    (Some(metadata), Some(map)) => *map = Mapped::Metadata(metadata),
                    _ => disc.remarks.push(missing("file of metadata")),
                }
            }
        }
        if maps.iter().any(|map| matches!(map, Map::Unknown)) {
            disc.remarks.push(Anomaly::unsupported("a partition is mapped by a table of its own, which is not read"));
        }
        let set = disc.read(sets, 512).ok_or_else(|| missing("file set"))?;
        if !is_tag(&set, 256) {
            return Err(missing("file set"));
        }
        let mut reader = Reader::new(&set, "file set");
        reader.skip(400)?;
        Ok((disc, Long::read(&mut reader)?))
    }

    /// The file of metadata, or its copy.
    fn metadata(&self, partition: Option<usize>, blocks: [u32; 2]) -> Option<Arc<dyn Source>> {
        let partition = u16::try_from(partition?).ok()?;
        let length = u32::try_from(self.block).ok()?;
        let place = |block| Long { length, block, partition };
        blocks.into_iter().find_map(|block| self.entry(place(block)).ok()).map(|content| content.source)
    }

    /// What a file is known by.
    pub(super) fn number(&self, place: Long) -> u64 {
        u64::from(place.partition) << 32 | u64::from(place.block)
    }

    /// The source that holds a block, and where in it.
    pub(super) fn place(&self, partition: u16, block: u32) -> Option<(&Arc<dyn Source>, u64)> {
        let offset = u64::from(block).saturating_mul(self.block);
        match self.maps.get(usize::from(partition))? {
            Mapped::At(start) => Some((&self.source, start.saturating_add(offset))),
            Mapped::Metadata(file) => Some((file, offset)),
            Mapped::Unknown => None,
        }
    }

    /// Up to `most` bytes from a place.
    pub(super) fn read(&self, place: Long, most: usize) -> Option<Vec<u8>> {
        let (source, at) = self.place(place.partition, place.block)?;
        Some(read_vec_at(source.as_ref(), at, most))
    }
}

/// The anchor stands in sector 256, whatever the size of a sector, or in the last one; it names the descriptors and a copy
/// (3/10.2).
fn anchor(source: &dyn Source) -> Option<(u64, [u64; 2])> {
    [2048, 512, 4096, 1024].into_iter().find_map(|sector: u64| {
        let last = source.len().saturating_sub(sector);
        let place = [sector * 256, last, sector * 512].into_iter().find_map(|at| {
            let bytes = read_vec_at(source, at, 512);
            let own = Reader::new(bytes.get(12..)?, "tag").u32_le().ok()?;
            (is_tag(&bytes, 2) && u64::from(own).checked_mul(sector)? == at).then_some(bytes)
        })?;
        let mut reader = Reader::new(&place, "anchor");
        reader.skip(20).ok()?;
        let main = u64::from(reader.u32_le().ok()?);
        reader.skip(4).ok()?;
        Some((sector, [main.saturating_mul(sector), u64::from(reader.u32_le().ok()?).saturating_mul(sector)]))
    })
}

/// Reads descriptors one behind the other up to the last (8).
fn descriptors(source: &dyn Source, start: u64, sector: u64) -> Found {
    let mut found = Found::default();
    for index in 0..MOST {
        let size = usize::try_from(sector).unwrap_or(0);
        let bytes = read_vec_at(source, start.saturating_add(index * sector), size);
        if is_tag(&bytes, 8) || bytes.is_empty() {
            break;
        }
        if is_tag(&bytes, 5)
            && let Ok((number, first)) = partition(&bytes)
        {
            found.partitions.push((number, first.saturating_mul(sector)));
        }
        if is_tag(&bytes, 6)
            && let Ok(volume) = logical(&bytes)
        {
            found.volume = Some(volume);
        }
    }
    found
}

fn partition(bytes: &[u8]) -> Result<(u16, u64), Short> {
    let mut reader = Reader::new(bytes, "partition");
    reader.skip(22)?;
    let number = reader.u16_le()?;
    reader.skip(164)?;
    Ok((number, reader.u32_le()?.into()))
}

fn logical(bytes: &[u8]) -> Result<(u64, Long, Vec<Map>), Short> {
    let mut reader = Reader::new(bytes, "logical volume");
    reader.skip(212)?;
    let block = reader.u32_le()?.into();
    reader.skip(32)?;
    let sets = Long::read(&mut reader)?;
    reader.skip(4)?;
    let count = reader.u32_le()?;
    reader.skip(168)?;
    let maps = (0..count.min(MOST_MAPS)).map_while(|_| map(&mut reader).ok()).collect();
    Ok((block, sets, maps))
}

/// Kind, length; of the second kind a name that says more (OSTA 2.2.8 to 2.2.10).
fn map(reader: &mut Reader<'_>) -> Result<Map, Short> {
    let (kind, length) = (reader.u8()?, reader.u8()?);
    let mut map = reader.sub(u64::from(length).saturating_sub(2), "map of a partition")?;
    if kind == 1 {
        map.skip(2)?;
        return Ok(Map::Number(map.u16_le()?));
    }
    map.skip(3)?;
    let name = map.take(23)?;
    map.skip(10)?;
    let number = map.u16_le()?;
    if name.starts_with(b"*UDF Sparable Partition") {
        return Ok(Map::Sparable(number));
    }
    if name.starts_with(b"*UDF Metadata Partition") {
        return Ok(Map::Metadata(number, map.u32_le()?, map.u32_le()?));
    }
    Ok(Map::Unknown)
}
