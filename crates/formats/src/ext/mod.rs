//! The second, third and fourth extended file systems (specification: Linux Documentation/filesystems/ext4, "Data Structures and Algorithms").
//!
//! ```text
//! 1024: superblock (little-endian): inodes, blocks, 20: first block, 24: block size log, 40: inodes a group, 56: EF53,
//!       88: size of an inode, 92: features, 254: size of a descriptor
//! block after the superblock: descriptors of groups: 8: inode table
//! inode: mode, 4: size, 32: flags, 40: extents, block map, or the bytes themselves, 108: size, upper half
//! directory: inode, length of the entry, length of the name, type, name
//! ```
//!
//! Files are given as they lie in the image, without a copy: by extents, by block maps of up to three levels, or from inside
//! the inode. Blocks that are set aside but not written are holes, as the kernel reads them. A journal that was not
//! replayed is told, because newer versions of tables may stand in it. If a directory is broken, the inodes in use
//! that no directory named are given by number. Told as unsupported: external journals, values in inodes of their own,
//! encrypted files. Passed: deleted files, extended attributes, links, devices.

mod inode;

use std::collections::BTreeSet;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::mapped::table_entry;
use crate::tree::{Entry, File, Tree, Volume};
use inode::{Content, Inode};

/// The inode of the root.
const ROOT: u32 = 2;
/// Mode of an inode: what it is.
const FORMAT: u16 = 0xf000;
const DIRECTORY: u16 = 0x4000;
const FILE: u16 = 0x8000;
/// Features that a reader must know.
const META_GROUPS: u32 = 0x10;
const WIDE: u32 = 0x80;
const RECOVER: u32 = 0x04;
const JOURNAL_DEVICE: u32 = 0x08;
/// Features that only writers must know: fewer copies of the superblock.
const FEW_COPIES: u32 = 0x01;

/// Goes through the files of a volume.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let opened = Ext::open(source, budget).and_then(|mut volume| {
        let root = volume.directory(ROOT)?;
        Ok((volume, vec![(Vec::new(), u64::from(ROOT), root)]))
    });
    Tree::open(source, budget, opened)
}

/// What the superblock says.
struct Super {
    inodes: u32,
    first_block: u32,
    /// Bytes of a block.
    block: u64,
    blocks_per_group: u32,
    inodes_per_group: u32,
    inode_size: u64,
    descriptor_size: u64,
    incompatible: u32,
    few_copies: bool,
    /// The first meta group with descriptors of its own.
    first_meta: u32,
}

impl Super {
    fn read(bytes: &[u8]) -> Result<Super, Short> {
        let mut reader = Reader::new(bytes, "superblock");
        let inodes = reader.u32_le()?;
        reader.skip(16)?;
        let (first_block, log) = (reader.u32_le()?, reader.u32_le()?);
        reader.skip(4)?;
        let blocks_per_group = reader.u32_le()?;
        reader.skip(4)?;
        let inodes_per_group = reader.u32_le()?;
        reader.skip(32)?;
        let revision = reader.u32_le()?;
        reader.skip(8)?;
        let inode_size = reader.u16_le()?;
        reader.skip(6)?;
        let (incompatible, compatible_to_read) = (reader.u32_le()?, reader.u32_le()?);
        reader.skip(150)?;
        let wide = reader.u16_le()?;
        reader.skip(4)?;
        let first_meta = reader.u32_le()?;
        Ok(Super {
            inodes,
            first_block,
            block: 1024 << log.min(6),
            blocks_per_group,
            inodes_per_group,
            inode_size: if revision == 0 { 128 } else { inode_size.into() },
            descriptor_size: if incompatible & WIDE != 0 { wide.max(32).into() } else { 32 },
            incompatible,
            few_copies: compatible_to_read & FEW_COPIES != 0,
            first_meta,
        })
    }

    fn makes_sense(&self) -> bool {
        self.inodes_per_group > 0
            && self.blocks_per_group > 0
            && (128..=self.block).contains(&self.inode_size)
            && self.descriptor_size <= self.block
    }
}

struct Ext {
    source: Arc<dyn Source>,
    budget: Budget,
    head: Super,
    remark: Option<Anomaly>,
    /// Inodes that a directory named.
    named: BTreeSet<u32>,
    memory: Vec<Charge>,
    /// A directory could not be read wholly.
    damaged: bool,
    /// The next inode to be looked at for files without a name.
    next: u32,
}

/// A directory, and the block of it at hand.
struct Directory {
    content: Arc<dyn Source>,
    /// Where the block at hand ends in the directory.
    read: u64,
    bytes: Vec<u8>,
    at: usize,
    /// Bytes of a block: all of a directory that lies in its inode.
    block: usize,
}

fn broken(detail: &'static str) -> Anomaly {
    Anomaly::damaged(detail)
}

impl Ext {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<Ext, Anomaly> {
        let head = Super::read(&read_vec_at(source.as_ref(), 1024, 1024))?;
        if head.incompatible & JOURNAL_DEVICE != 0 {
            return Err(Anomaly::unsupported("it is the journal of a file system that stands elsewhere"));
        }
        if !head.makes_sense() {
            return Err(broken("the superblock makes no sense"));
        }
        let remark = (head.incompatible & RECOVER != 0).then(|| {
            Anomaly::unsupported("the file system has a journal that was not replayed; some tables may be old")
        });
        let (source, budget) = (Arc::clone(source), budget.clone());
        let (named, memory) = (BTreeSet::new(), Vec::new());
        Ok(Ext { source, budget, head, remark, named, memory, damaged: false, next: 11 })
    }

    /// Where an inode stands: the descriptor of its group says where the table is.
    fn place_of(&self, number: u32) -> Option<u64> {
        let index = number.checked_sub(1).filter(|_| number <= self.head.inodes)?;
        let (group, within) = (index / self.head.inodes_per_group, index % self.head.inodes_per_group);
        let descriptor = self.descriptor(group);
        let low = u32::from_le_bytes(table_entry::<4>(self.source.as_ref(), descriptor.checked_add(8)?, 0)?);
        let high = match self.head.descriptor_size {
            64.. => u32::from_le_bytes(table_entry::<4>(self.source.as_ref(), descriptor.checked_add(40)?, 0)?),
            _ => 0,
        };
        let table = (u64::from(high) << 32 | u64::from(low)).checked_mul(self.head.block)?;
        table.checked_add(u64::from(within).checked_mul(self.head.inode_size)?)
    }

    /// Where the descriptor of a group stands. With meta groups, each block of descriptors stands in the first of the groups
    /// that it describes.
    fn descriptor(&self, group: u32) -> u64 {
        let head = &self.head;
        let per_block = head.block / head.descriptor_size;
        let (meta, within) = (u64::from(group) / per_block, u64::from(group) % per_block);
        let block = if head.incompatible & META_GROUPS == 0 || meta < u64::from(head.first_meta) {
            // The superblock stands at 1024, whatever the size of a block.
            1024 / head.block + 1 + meta
        } else {
            let first = meta.saturating_mul(per_block);
            let start = first.saturating_mul(head.blocks_per_group.into()).saturating_add(head.first_block.into());
            start.saturating_add(u64::from(!head.few_copies || has_copy(first)))
        };
        block.saturating_mul(head.block).saturating_add(within * head.descriptor_size)
    }

    fn inode(&self, number: u32) -> Result<Inode, Anomaly> {
        let place = self.place_of(number).ok_or(broken("it has no inode"))?;
        let size = usize::try_from(self.head.inode_size).unwrap_or(0);
        let bytes = read_vec_at(self.source.as_ref(), place, size);
        Ok(Inode::read(bytes)?)
    }

    fn directory(&mut self, number: u32) -> Result<Directory, Anomaly> {
        let inode = self.inode(number)?;
        if inode.mode & FORMAT != DIRECTORY {
            return Err(broken("it should be a directory, and is none"));
        }
        let Content { source, length, .. } = self.content(&inode)?;
        let block = if inode.is_inline() { length } else { self.head.block };
        let block = usize::try_from(block).unwrap_or(0);
        Ok(Directory { content: source, read: 0, bytes: Vec::new(), at: 0, block })
    }

    /// What an entry leads to.
    fn entry(&mut self, number: u32, name: Vec<u8>) -> Result<Entry<Directory>, Anomaly> {
        let inode = self.inode(number)?;
        if self.named.insert(number) {
            self.memory.push(self.budget.reserve(64)?);
        }
        match inode.mode & FORMAT {
            DIRECTORY => {
                let directory = self.directory(number)?;
                Ok(Entry::Directory { name, id: number.into(), directory })
            }
            FILE => Ok(Entry::File(self.file(&inode, number, name)?)),
            _ => Ok(Entry::Other),
        }
    }

    fn file(&self, inode: &Inode, number: u32, name: Vec<u8>) -> Result<File, Anomaly> {
        let Content { source, stored, remark, .. } = self.content(inode)?;
        Ok(File { name, id: Some(number.into()), source, stored, remark })
    }
}

/// Groups with a copy of the superblock: 0, 1, and powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let is_power =
        |base: u64| (1..).map_while(|power| base.checked_pow(power)).take_while(|n| *n <= group).any(|n| n == group);
    group < 2 || [3, 5, 7].into_iter().any(is_power)
}

impl Volume for Ext {
    type Directory = Directory;

    fn remark(&mut self) -> Option<Anomaly> {
        self.remark.take()
    }

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        let Some(rest) = directory.rest()? else { return Ok(Entry::End) };
        let (number, length, name) = match dirent(rest) {
            Ok(entry) if entry.1 >= 8 && entry.1 <= rest.len() => entry,
            _ => {
                self.damaged = true;
                directory.at = directory.bytes.len();
                return Ok(Entry::Remark(Vec::new(), broken("the directory is broken; not all of it was read")));
            }
        };
        directory.at = directory.at.saturating_add(length);
        if number == 0 || matches!(name.as_slice(), b"" | b"." | b"..") {
            return Ok(Entry::Other);
        }
        Ok(self.entry(number, name.clone()).unwrap_or_else(|anomaly| {
            self.damaged |= !matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_));
            Entry::Remark(name, anomaly)
        }))
    }

    fn next_unnamed(&mut self) -> Result<Option<File>, Anomaly> {
        /// Inodes that are looked at between two looks at the clock.
        const STEP: u32 = 4096;
        while self.damaged && self.next <= self.head.inodes {
            let number = self.next;
            self.next = self.next.saturating_add(1);
            if number.is_multiple_of(STEP) {
                self.budget.check_time()?;
            }
            let Ok(inode) = self.inode(number) else { continue };
            if inode.mode & FORMAT == FILE && inode.links > 0 && !self.named.contains(&number) {
                let name = format!("inode {number}").into_bytes();
                match self.file(&inode, number, name) {
                    Ok(file) => return Ok(Some(file)),
                    Err(anomaly) if matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_)) => return Err(anomaly),
                    Err(_) => {}
                }
            }
        }
        Ok(None)
    }
}

impl Directory {
    /// What is left of the block at hand, or of the next one; nothing at the end.
    fn rest(&mut self) -> Result<Option<&[u8]>, Anomaly> {
        if self.at >= self.bytes.len() {
            if self.read >= self.content.len() {
                return Ok(None);
            }
            self.bytes = read_vec_at(self.content.as_ref(), self.read, self.block);
            if self.bytes.is_empty() {
                return Err(broken("the directory reaches past the end of the image"));
            }
            self.read = self.read.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX));
            self.at = 0;
        }
        Ok(self.bytes.get(self.at..))
    }
}

/// Inode, length of the entry, name.
fn dirent(bytes: &[u8]) -> Result<(u32, usize, Vec<u8>), Short> {
    let mut reader = Reader::new(bytes, "entry of a directory");
    let (number, length, name) = (reader.u32_le()?, usize::from(reader.u16_le()?), reader.u8()?);
    reader.skip(1)?;
    // Blocks of 64 KiB do not fit into two bytes.
    let length = if matches!(length, 0 | 65_535) { 65_536 } else { length };
    let name = if number == 0 { Vec::new() } else { reader.take(name.into())?.to_vec() };
    Ok((number, length, name))
}
