//! Resources, and the chunks they are compressed in.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Part, Reader, Short, Source};

use super::Packing;
use crate::mapped::{Map, Mapped, Method, Packed, Place, table_entry};

/// Flags of a resource.
const METADATA: u8 = 0x02;
const PACKED: u8 = 0x04;
const SPLIT: u8 = 0x08;
const SOLID: u8 = 0x10;

/// Where a resource stands.
#[derive(Clone, Copy)]
pub(super) struct Resource {
    flags: u8,
    pub(super) start: u64,
    pub(super) packed: u64,
    plain: u64,
}

impl Resource {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Resource, Short> {
        let size = reader.u64_le()?;
        let [.., flags] = size.to_le_bytes();
        Ok(Resource { flags, packed: size & (u64::MAX >> 8), start: reader.u64_le()?, plain: reader.u64_le()? })
    }

    pub(super) fn is_metadata(self) -> bool {
        self.flags & METADATA != 0
    }

    /// Its bytes.
    pub(super) fn open(
        self,
        source: &Arc<dyn Source>,
        packing: Packing,
        budget: &Budget,
    ) -> Result<Arc<dyn Source>, Anomaly> {
        if self.flags & SOLID != 0 {
            return Err(Anomaly::unsupported("it shares a compressed block with others (a solid image)"));
        }
        if self.flags & SPLIT != 0 {
            return Err(Anomaly::unsupported("it goes on in another part of the image, which was not seen"));
        }
        let Some(method) = packing.method.filter(|_| self.flags & PACKED != 0) else {
            return Ok(Arc::new(Part::new(Arc::clone(source), self.start, self.plain)));
        };
        chunked(source, (self.start, self.packed), self.plain, (method, packing.chunk), budget)
    }
}

/// `plain` bytes that are compressed in chunks; the list of those and the chunks themselves stand in a stretch of the source.
pub(crate) fn chunked(
    source: &Arc<dyn Source>,
    (start, packed): (u64, u64),
    plain: u64,
    (method, chunk): (Method, u64),
    budget: &Budget,
) -> Result<Arc<dyn Source>, Anomaly> {
    let chunks = Chunks { start, end: start.saturating_add(packed), plain, chunk, method };
    Ok(Arc::new(Mapped::new(chunks, source, plain, chunk.min(plain), budget)?))
}

/// The chunks of a resource: before them stand their offsets, but for the first.
struct Chunks {
    start: u64,
    end: u64,
    plain: u64,
    chunk: u64,
    method: Method,
}

impl Chunks {
    /// Where a chunk begins, or the last one ends.
    fn place(&self, file: &dyn Source, index: u64) -> Option<u64> {
        let count = self.plain.div_ceil(self.chunk);
        let wide = self.plain > u64::from(u32::MAX);
        let table = count.saturating_sub(1).saturating_mul(if wide { 8 } else { 4 });
        let offset = match index {
            0 => 0,
            _ if index >= count => return Some(self.end),
            _ if wide => u64::from_le_bytes(table_entry(file, self.start, index - 1)?),
            _ => u32::from_le_bytes(table_entry(file, self.start, index - 1)?).into(),
        };
        Some(self.start.saturating_add(table).saturating_add(offset))
    }
}

impl Map for Chunks {
    fn locate(&self, file: &dyn Source, offset: u64) -> Place {
        let (index, within) = (offset / self.chunk, offset % self.chunk);
        let first = offset - within;
        let length = self.chunk.min(self.plain.saturating_sub(first));
        let places = self.place(file, index).zip(self.place(file, index + 1));
        match places.and_then(|(start, next)| Some((start, next.checked_sub(start)?))) {
            None => Place::Broken("the list of its chunks is broken"),
            Some((start, packed)) if packed == length => Place::Stored(start.saturating_add(within), length - within),
            Some((_, packed)) if packed > length => Place::Broken("a chunk is longer than what it holds"),
            Some((start, packed)) => {
                let size = usize::try_from(length).unwrap_or(usize::MAX);
                let method = self.method;
                Place::Packed(Packed { start, length: packed, first, skip: 0, size, least: size, method })
            }
        }
    }
}
