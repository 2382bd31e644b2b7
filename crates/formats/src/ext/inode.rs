//! Inodes, and where the bytes of their files stand.

use std::sync::Arc;

use dachs_base::{Anomaly, Held, Reader, Short, Source};

use super::{Ext, broken};
use crate::joined::Extents;

/// Flags of an inode.
const EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;
const ENCRYPTED: u32 = 0x800;
const COMPRESSED: u32 = 0x4;
/// Levels of a tree of extents.
const DEEPEST: u16 = 5;
/// Extents of more blocks than this are set aside, but not written.
const WRITTEN: u64 = 32_768;

/// What is known of a file or directory.
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) links: u16,
    size: u64,
    flags: u32,
    /// All of it.
    bytes: Vec<u8>,
}

/// The bytes of a file.
pub(super) struct Content {
    pub(super) source: Arc<dyn Source>,
    pub(super) length: u64,
    /// Bytes of the image that it takes.
    pub(super) stored: u64,
    pub(super) remark: Option<Anomaly>,
}

impl Inode {
    pub(super) fn read(bytes: Vec<u8>) -> Result<Inode, Short> {
        let mut reader = Reader::new(&bytes, "inode");
        let mode = reader.u16_le()?;
        reader.skip(2)?;
        let low = reader.u32_le()?;
        reader.skip(18)?;
        let links = reader.u16_le()?;
        reader.skip(4)?;
        let flags = reader.u32_le()?;
        reader.skip(72)?;
        let high = reader.u32_le()?;
        reader.skip(16)?;
        Ok(Inode { mode, links, size: u64::from(high) << 32 | u64::from(low), flags, bytes })
    }

    /// The bytes stand in the inode itself.
    pub(super) fn is_inline(&self) -> bool {
        self.flags & INLINE != 0
    }

    /// The 60 bytes that say where the rest is.
    fn blocks(&self) -> &[u8] {
        self.bytes.get(40..100).unwrap_or_default()
    }

    /// Bytes inside the inode: 60 where blocks would be named, the rest in the attribute `system.data`. Those of a directory begin
    /// with the inode of its parent.
    fn inside(&self) -> Result<Vec<u8>, Anomaly> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let mut bytes = self.blocks().to_vec();
        if size > bytes.len() {
            bytes.extend(self.attribute().ok_or(broken("what should stand in the inode is not there"))?);
        }
        bytes.truncate(size);
        Ok(bytes)
    }

    /// The value of `system.data`: index 7 stands for "system.".
    fn attribute(&self) -> Option<&[u8]> {
        let mut reader = Reader::new(self.bytes.get(128..)?, "attributes of an inode");
        let extra = reader.u16_le().ok()?;
        reader.skip(u64::from(extra).checked_sub(2)?).ok()?;
        (reader.u32_le().ok()? == 0xea02_0000).then_some(())?;
        let values = reader.clone().rest();
        loop {
            let (length, index) = (reader.u8().ok()?, reader.u8().ok()?);
            let offset = reader.u16_le().ok()?;
            let (elsewhere, size) = (reader.u32_le().ok()?, reader.u32_le().ok()?);
            reader.skip(4).ok()?;
            if (length, index) == (0, 0) {
                return None;
            }
            let name = reader.take(u64::from(length).next_multiple_of(4)).ok()?;
            if index == 7 && name.starts_with(b"data") && length == 4 && elsewhere == 0 {
                return values.get(usize::from(offset)..)?.get(..usize::try_from(size).ok()?);
            }
        }
    }
}

impl Ext {
    /// Where the bytes of a file or directory stand.
    pub(super) fn content(&self, inode: &Inode) -> Result<Content, Anomaly> {
        let directory = inode.mode & super::FORMAT == super::DIRECTORY;
        if inode.is_inline() {
            let mut bytes = inode.inside()?;
            if directory {
                bytes.drain(..bytes.len().min(4));
            }
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let source = Arc::new(Held::new(bytes, [self.budget.reserve(length)?]));
            return Ok(Content { source, length, stored: length, remark: None });
        }
        let mut extents = Extents::new(&self.budget);
        let told = if inode.flags & EXTENTS != 0 {
            Walk { volume: self, extents: &mut extents, at: 0 }.node(inode.blocks(), DEEPEST)
        } else {
            Walk { volume: self, extents: &mut extents, at: 0 }.map(inode)
        };
        let mut remark = match told {
            Err(anomaly) if matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_)) => return Err(anomaly),
            other => other.err(),
        };
        if inode.flags & ENCRYPTED != 0 && !directory {
            remark = Some(Anomaly::encrypted("the file is encrypted"));
        } else if inode.flags & COMPRESSED != 0 {
            remark = Some(Anomaly::unsupported("the file is compressed by a patch of the file system"));
        }
        let stored = extents.stored();
        // What a directory says of its own length is not needed where holes would be.
        let length = if directory { inode.size.min(extents.length()) } else { inode.size };
        Ok(Content { source: extents.into_source(&self.source, length), length, stored, remark })
    }
}

/// On the way through the blocks of a file.
struct Walk<'a> {
    volume: &'a Ext,
    extents: &'a mut Extents,
    /// The next block of the file.
    at: u64,
}

impl Walk<'_> {
    /// So many blocks of the file: where they stand, or a hole.
    fn push(&mut self, start: Option<u64>, count: u64) -> Result<(), Anomaly> {
        let block = self.volume.head.block;
        self.extents.push(start.map(|start| start.saturating_mul(block)), count.saturating_mul(block))?;
        self.at = self.at.saturating_add(count);
        Ok(())
    }

    fn read(&self, block: u64) -> Vec<u8> {
        let size = self.volume.head.block;
        let count = usize::try_from(size).unwrap_or(0);
        dachs_base::read_vec_at(self.volume.source.as_ref(), block.saturating_mul(size), count)
    }

    /// A node of the tree of extents: `F30A, entries, most, depth, generation`, then entries of 12 bytes.
    fn node(&mut self, bytes: &[u8], deepest: u16) -> Result<(), Anomaly> {
        let mut reader = Reader::new(bytes, "node of a tree of extents");
        let (magic, count) = (reader.u16_le()?, reader.u16_le()?);
        reader.skip(2)?;
        let depth = reader.u16_le()?;
        reader.skip(4)?;
        if magic != 0xf30a || depth > deepest {
            return Err(broken("the tree of its extents is broken"));
        }
        self.volume.budget.check_time()?;
        for _ in 0..count {
            let first = u64::from(reader.u32_le()?);
            if first < self.at {
                return Err(broken("the tree of its extents is out of order"));
            }
            if depth == 0 {
                let (length, high, low) = (reader.u16_le()?, reader.u16_le()?, reader.u32_le()?);
                self.extent(first, length.into(), u64::from(high) << 32 | u64::from(low))?;
            } else {
                let (low, high) = (reader.u32_le()?, reader.u16_le()?);
                reader.skip(2)?;
                let child = self.read(u64::from(high) << 32 | u64::from(low));
                let before = self.at;
                self.node(&child, depth - 1)?;
                if self.at == before {
                    return Err(broken("the tree of its extents has an empty branch"));
                }
            }
        }
        Ok(())
    }

    fn extent(&mut self, first: u64, length: u64, start: u64) -> Result<(), Anomaly> {
        self.push(None, first - self.at)?;
        match length {
            ..=WRITTEN => self.push(Some(start), length),
            _ => self.push(None, length - WRITTEN),
        }
    }

    /// Twelve blocks, then blocks of numbers, once, twice and three times removed.
    fn map(&mut self, inode: &Inode) -> Result<(), Anomaly> {
        let end = inode.size.div_ceil(self.volume.head.block);
        let (numbers, _) = inode.blocks().as_chunks::<4>();
        for (index, number) in numbers.iter().enumerate() {
            let levels = u32::try_from(index.saturating_sub(11)).unwrap_or(0);
            self.branch(u32::from_le_bytes(*number), levels, end)?;
        }
        Ok(())
    }

    /// What a number stands for that is so many levels above the blocks.
    fn branch(&mut self, number: u32, levels: u32, end: u64) -> Result<(), Anomaly> {
        let left = end.saturating_sub(self.at);
        if left == 0 {
            return Ok(());
        }
        let size = self.volume.head.block;
        let count = (size / 4).saturating_pow(levels).min(left);
        if number == 0 {
            return self.push(None, count);
        }
        if levels == 0 {
            return self.push(Some(number.into()), 1);
        }
        self.volume.budget.check_time()?;
        let bytes = self.read(number.into());
        let (numbers, _) = bytes.as_chunks::<4>();
        for number in numbers {
            self.branch(u32::from_le_bytes(*number), levels - 1, end)?;
        }
        let whole = u64::try_from(bytes.len()) == Ok(size);
        if whole { Ok(()) } else { Err(broken("its blocks reach past the end of the image")) }
    }
}
