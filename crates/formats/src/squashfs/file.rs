//! Files: lists of blocks, and a piece of a fragment block for what is left.

use std::sync::Arc;

use dachs_base::{Anomaly, Charge, Reader, Source};

use super::metadata::{Metadata, Place};
use super::{Image, broken};
use crate::mapped::{self, Map, Mapped, Method, Packed};

/// `fragment` of a file that has none.
const NO_FRAGMENT: u32 = u32::MAX;
/// Set in the size of a block that is not compressed.
const PLAIN: u32 = 1 << 24;

/// What the inode of a file says.
pub(super) struct Shape {
    start: u64,
    size: u64,
    fragment: u32,
    /// Where its last bytes stand in the fragment.
    offset: u32,
    /// Where the list of block sizes begins.
    list: Place,
}

impl Shape {
    pub(super) fn read(metadata: &mut Metadata, mut place: Place, extended: bool) -> Result<Shape, Anomaly> {
        if extended {
            let bytes: [u8; 40] = metadata.array(&mut place)?;
            let mut reader = Reader::new(&bytes, "inode of a file");
            let (start, size) = (reader.u64_le()?, reader.u64_le()?);
            reader.skip(12)?;
            let (fragment, offset) = (reader.u32_le()?, reader.u32_le()?);
            return Ok(Shape { start, size, fragment, offset, list: place });
        }
        let bytes: [u8; 16] = metadata.array(&mut place)?;
        let mut reader = Reader::new(&bytes, "inode of a file");
        let (start, fragment, offset, size) =
            (reader.u32_le()?.into(), reader.u32_le()?, reader.u32_le()?, reader.u32_le()?.into());
        Ok(Shape { start, size, fragment, offset, list: place })
    }
}

/// A block of a file.
#[derive(Clone, Copy)]
struct Block {
    start: u64,
    size: u32,
}

/// Where the blocks of a file stand.
pub(super) struct Blocks {
    list: Vec<Block>,
    _memory: Vec<Charge>,
    /// The fragment block, and where the file's last bytes are in it.
    fragment: Option<(Block, u64)>,
    length: u64,
    block: u64,
    method: Method,
}

impl Image {
    /// The bytes of a file, and how many of the image it takes.
    pub(super) fn content(&mut self, shape: &Shape) -> Result<(Arc<dyn Source>, u64), Anomaly> {
        let (whole, tail) = (shape.size / self.block, shape.size % self.block);
        let fragment = if shape.fragment == NO_FRAGMENT { None } else { Some(self.fragment(shape.fragment)?) };
        let count = if fragment.is_none() && tail > 0 { whole + 1 } else { whole };
        let mut blocks = Blocks {
            list: Vec::new(),
            _memory: Vec::new(),
            fragment: fragment.map(|block| (block, shape.offset.into())),
            length: shape.size,
            block: self.block,
            method: self.method,
        };
        let (mut list, mut start) = (shape.list, shape.start);
        for index in 0..count {
            if index % 1024 == 0 {
                self.budget.check_time()?;
                blocks._memory.push(self.budget.reserve((count - index).min(1024).saturating_mul(32))?);
            }
            let size = u32::from_le_bytes(self.metadata.array(&mut list)?);
            blocks.list.push(Block { start, size });
            start = start.saturating_add((size & (PLAIN - 1)).into());
        }
        let stored = start.saturating_sub(shape.start).saturating_add(if fragment.is_some() { tail } else { 0 });
        let mapped = Mapped::sharing(blocks, &self.source, shape.size, &self.clusters);
        Ok((Arc::new(mapped), stored))
    }

    /// The table has a list of its blocks, each with 512 entries.
    fn fragment(&mut self, number: u32) -> Result<Block, Anomaly> {
        if number >= self.fragment_count {
            return Err(broken("a file names a fragment that there is not"));
        }
        let table = mapped::table_entry::<8>(self.source.as_ref(), self.fragments, u64::from(number / 512));
        let block = u64::from_le_bytes(table.ok_or(broken("the table of fragments is cut off"))?);
        let mut place = Place::new(block, u64::from(number % 512) * 16);
        let bytes: [u8; 16] = self.metadata.array(&mut place)?;
        let mut reader = Reader::new(&bytes, "entry of the table of fragments");
        Ok(Block { start: reader.u64_le()?, size: reader.u32_le()? })
    }
}

impl Map for Blocks {
    fn locate(&self, _file: &dyn Source, offset: u64) -> mapped::Place {
        let (index, within) = (offset / self.block, offset % self.block);
        let first = offset - within;
        let length = self.block.min(self.length.saturating_sub(first));
        let listed = usize::try_from(index).ok().and_then(|index| self.list.get(index));
        let (block, skip, least) = match (listed, self.fragment) {
            (Some(block), _) => (*block, 0, length),
            (None, Some((block, skip))) => (block, skip, skip.saturating_add(length)),
            _ => return mapped::Place::Broken("a file has fewer blocks than it should"),
        };
        let stored = u64::from(block.size & (PLAIN - 1));
        let from = skip.saturating_add(within);
        let (skip, least) = (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(least).unwrap_or(usize::MAX));
        if block.size == 0 {
            return mapped::Place::Hole(length - within);
        }
        if block.size & PLAIN == 0 {
            let size = usize::try_from(self.block).unwrap_or(usize::MAX);
            let (start, method) = (block.start, self.method);
            return mapped::Place::Packed(Packed { start, length: stored, first, skip, size, least, method });
        }
        match stored.checked_sub(from).filter(|left| *left > 0) {
            Some(left) => mapped::Place::Stored(block.start.saturating_add(from), left.min(length - within)),
            None => mapped::Place::Broken("a block of the image is shorter than it should be"),
        }
    }
}
