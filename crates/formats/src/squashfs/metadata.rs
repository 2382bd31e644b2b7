//! Tables, in metadata blocks of up to 8 KiB.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Source, read_exact_at};

use crate::mapped::{Clusters, Method, Packed};

/// Plain bytes of a block.
const BLOCK: usize = 8192;
/// Blocks that are kept.
const KEPT: usize = 16;

/// A place in a table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where its block stands in the image.
    block: u64,
    /// Where it is in the plain bytes of the block.
    at: usize,
}

impl Place {
    pub(super) fn new(block: u64, at: u64) -> Place {
        Place { block, at: usize::try_from(at).unwrap_or(usize::MAX) }
    }
}

/// The metadata blocks of an image.
pub(super) struct Metadata {
    source: Arc<dyn Source>,
    method: Method,
    clusters: Arc<Clusters>,
    /// The block at hand: where it stands, its bytes, and where the next one begins.
    at_hand: Option<(u64, Arc<[u8]>, u64)>,
    _memory: Charge,
}

impl Metadata {
    pub(super) fn new(source: &Arc<dyn Source>, method: Method, budget: &Budget) -> Result<Metadata, Anomaly> {
        let clusters = Clusters::new(budget, 8192, KEPT)?;
        let memory = budget.reserve(8192)?;
        Ok(Metadata { source: Arc::clone(source), method, clusters, at_hand: None, _memory: memory })
    }

    /// The next `N` bytes; goes forward.
    pub(super) fn array<const N: usize>(&mut self, place: &mut Place) -> Result<[u8; N], Anomaly> {
        let mut bytes = [0; N];
        self.fill(place, &mut bytes)?;
        Ok(bytes)
    }

    /// The next bytes, at most 64 KiB.
    pub(super) fn take(&mut self, place: &mut Place, count: u64) -> Result<Vec<u8>, Anomaly> {
        let mut bytes = vec![0; usize::try_from(count.min(1 << 16)).unwrap_or(0)];
        self.fill(place, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn pass(&mut self, place: &mut Place, count: u64) -> Result<(), Anomaly> {
        self.take(place, count).map(drop)
    }

    fn fill(&mut self, place: &mut Place, buffer: &mut [u8]) -> Result<(), Anomaly> {
        let broken = || Anomaly::damaged("the tables of the image are broken");
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (bytes, next) = self.block(place.block)?;
            let there = bytes.get(place.at..).ok_or_else(broken)?;
            if there.is_empty() {
                if bytes.is_empty() {
                    return Err(broken());
                }
                *place = Place { block: next, at: 0 };
                continue;
            }
            let count = there.len().min(rest.len());
            rest.get_mut(..count)
                .zip(there.get(..count))
                .map(|(to, from)| to.copy_from_slice(from))
                .ok_or_else(broken)?;
            (done, place.at) = (done + count, place.at + count);
        }
        Ok(())
    }

    fn block(&mut self, at: u64) -> Result<(Arc<[u8]>, u64), Anomaly> {
        if let Some((known, bytes, next)) = &self.at_hand
            && *known == at
        {
            return Ok((Arc::clone(bytes), *next));
        }
        let (bytes, next) = self.read(at)?;
        self.at_hand = Some((at, Arc::clone(&bytes), next));
        Ok((bytes, next))
    }

    fn read(&self, at: u64) -> Result<(Arc<[u8]>, u64), Anomaly> {
        let broken = || Anomaly::damaged("the tables of the image are cut off");
        let mut header = [0; 2];
        if !read_exact_at(self.source.as_ref(), at, &mut header) {
            return Err(broken());
        }
        let header = u16::from_le_bytes(header);
        let (start, length) = (at.saturating_add(2), u64::from(header & 0x7fff));
        let next = start.saturating_add(length);
        if header & 0x8000 != 0 {
            let mut bytes = vec![0; usize::from(header & 0x7fff).min(BLOCK)];
            let whole = read_exact_at(self.source.as_ref(), start, &mut bytes);
            return if whole { Ok((bytes.into(), next)) } else { Err(broken()) };
        }
        let packed = Packed { start, length, first: 0, skip: 0, size: BLOCK, least: 1, method: self.method };
        Ok((self.clusters.get(self.source.as_ref(), packed)?, next))
    }
}
