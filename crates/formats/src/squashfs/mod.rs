//! SquashFS 4 (specification: Linux Documentation/filesystems/squashfs.rst; "Squashfs Binary Format" of the squashfs-tools-ng).
//!
//! ```text
//! superblock (96 bytes, little-endian): "hsqs", inodes, time, block size, fragments, 20: compressor, block log, flags,
//!                       28: version, 32: root inode, bytes used, id table, xattr table, 64: inode table,
//!                       72: directory table, 80: fragment table
//! metadata block: length and "not compressed" (bit 15) in two bytes, then up to 8 KiB of tables
//! data block:     as long as the list of its file says; bit 24 says "not compressed"; a length of zero is a hole
//! ```
//!
//! Nothing is copied: a file is a map from its blocks to those of the image, whatever compresses them: zlib, LZMA, LZO, xz,
//! LZ4 or Zstandard. Ends of files share blocks, which are kept for those who come next. Metadata blocks
//! are read as they are needed, and the last ones are kept. Behind a program (an AppImage) the image begins where its
//! magic stands. Bytes behind the image are a member. Versions before 4 are told as unsupported; extended
//! attributes, device files and links are passed.

mod file;
mod metadata;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::mapped::{Clusters, Method};
use crate::tree::{Entry, File, Tree, Volume};
use metadata::{Metadata, Place};

/// Goes through the files of an image.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let opened = Image::open(source, budget).and_then(|mut image| {
        let root = image.root;
        let inode = image.inode(root)?;
        let Kind::Directory { place, size } = inode else {
            return Err(broken("the root of the image is no directory"));
        };
        let roots = vec![(Vec::new(), root, Directory::new(place, size))];
        Ok((image, roots))
    });
    Tree::open(source, budget, opened)
}

fn broken(detail: &'static str) -> Anomaly {
    Anomaly::damaged(detail)
}

/// An image that is read.
struct Image {
    source: Arc<dyn Source>,
    budget: Budget,
    metadata: Metadata,
    clusters: Arc<Clusters>,
    method: Method,
    block: u64,
    root: u64,
    used: u64,
    inodes: u64,
    directories: u64,
    fragments: u64,
    fragment_count: u32,
}

/// What an inode is.
enum Kind {
    Directory {
        place: Place,
        size: u64,
    },
    File(file::Shape),
    /// A link, a device, a socket.
    Other,
}

impl Image {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<Image, Anomaly> {
        let head = read_vec_at(source.as_ref(), 0, 96);
        let mut reader = Reader::new(&head, "superblock of the image");
        let magic = reader.array::<4>()?;
        reader.skip(8)?;
        let block = u64::from(reader.u32_le()?);
        let fragment_count = reader.u32_le()?;
        let compressor = reader.u16_le()?;
        reader.skip(6)?;
        if (&magic, reader.u16_le()?) != (b"hsqs", 4) {
            return Err(Anomaly::unsupported("the image is of a version of SquashFS before 4"));
        }
        reader.skip(2)?;
        let (root, used) = (reader.u64_le()?, reader.u64_le()?);
        reader.skip(16)?;
        let (inodes, directories, fragments) = (reader.u64_le()?, reader.u64_le()?, reader.u64_le()?);
        if !block.is_power_of_two() || !(4096..=1 << 20).contains(&block) {
            return Err(broken("the block size of the image makes no sense"));
        }
        let method = method(compressor)?;
        Ok(Image {
            source: Arc::clone(source),
            budget: budget.clone(),
            metadata: Metadata::new(source, method, budget)?,
            clusters: Clusters::new(budget, block, 3)?,
            method,
            block,
            root,
            used,
            inodes,
            directories,
            fragments,
            fragment_count,
        })
    }

    /// The inode that a reference names: the metadata block from bit 16 on, and the place in it.
    fn inode(&mut self, reference: u64) -> Result<Kind, Anomaly> {
        let mut place = Place::new(self.inodes.saturating_add(reference >> 16), reference & 0xffff);
        let kind = u16::from_le_bytes(self.metadata.array(&mut place)?);
        self.metadata.pass(&mut place, 14)?;
        match kind {
            1 => {
                let bytes: [u8; 16] = self.metadata.array(&mut place)?;
                let mut reader = Reader::new(&bytes, "inode of a directory");
                let start = reader.u32_le()?;
                reader.skip(4)?;
                let (size, offset) = (reader.u16_le()?, reader.u16_le()?);
                Ok(self.directory(start, offset, size.into()))
            }
            8 => {
                let bytes: [u8; 20] = self.metadata.array(&mut place)?;
                let mut reader = Reader::new(&bytes, "inode of a directory");
                reader.skip(4)?;
                let (size, start) = (reader.u32_le()?, reader.u32_le()?);
                reader.skip(6)?;
                Ok(self.directory(start, reader.u16_le()?, size.into()))
            }
            2 | 9 => Ok(Kind::File(file::Shape::read(&mut self.metadata, place, kind == 9)?)),
            3..=7 | 10..=14 => Ok(Kind::Other),
            _ => Err(broken("an inode of the image makes no sense")),
        }
    }

    /// The size counts three bytes that stand for "." and "..".
    fn directory(&self, start: u32, offset: u16, size: u64) -> Kind {
        let place = Place::new(self.directories.saturating_add(start.into()), offset.into());
        Kind::Directory { place, size: size.saturating_sub(3) }
    }
}

fn method(compressor: u16) -> Result<Method, Anomaly> {
    Ok(match compressor {
        1 => Method::Zlib,
        2 => Method::Lzma,
        3 => Method::Lzo,
        4 => Method::Xz,
        5 => Method::Lz4,
        6 => Method::Zstd,
        _ => return Err(Anomaly::unsupported("the image is compressed in an unknown way")),
    })
}

/// A directory: runs of entries, each behind a header.
struct Directory {
    place: Place,
    left: u64,
    /// Entries left of the run, and the metadata block of their inodes.
    run: u32,
    start: u32,
}

impl Directory {
    fn new(place: Place, left: u64) -> Directory {
        Directory { place, left, run: 0, start: 0 }
    }

    fn charge(&mut self, count: u64) -> Result<(), Anomaly> {
        let left = self.left.checked_sub(count);
        self.left = left.ok_or(broken("the directory is broken; not all of it was read"))?;
        Ok(())
    }
}

impl Volume for Image {
    type Directory = Directory;

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        if directory.run == 0 {
            if directory.left == 0 {
                return Ok(Entry::End);
            }
            directory.charge(12)?;
            let bytes: [u8; 12] = self.metadata.array(&mut directory.place)?;
            let mut reader = Reader::new(&bytes, "header of a directory");
            directory.run = reader.u32_le()?.saturating_add(1);
            directory.start = reader.u32_le()?;
            return Ok(Entry::Other);
        }
        directory.run -= 1;
        directory.charge(8)?;
        let bytes: [u8; 8] = self.metadata.array(&mut directory.place)?;
        let (offset, length) = entry(&bytes)?;
        directory.charge(length)?;
        let name = self.metadata.take(&mut directory.place, length)?;
        let reference = u64::from(directory.start) << 16 | u64::from(offset);
        Ok(match self.inode(reference) {
            Ok(Kind::Other) => Entry::Other,
            Ok(Kind::Directory { place, size }) => {
                Entry::Directory { name, id: reference, directory: Directory::new(place, size) }
            }
            Ok(Kind::File(shape)) => match self.content(&shape) {
                Ok((source, stored)) => Entry::File(File { name, id: Some(reference), source, stored, remark: None }),
                Err(anomaly) => Entry::Remark(name, anomaly),
            },
            Err(anomaly) => Entry::Remark(name, anomaly),
        })
    }

    /// Images are filled up to 4 KiB.
    fn end(&self) -> Option<u64> {
        self.used.checked_next_multiple_of(4096)
    }
}

/// Offset of the inode, and length of the name.
fn entry(bytes: &[u8]) -> Result<(u16, u64), Short> {
    let mut reader = Reader::new(bytes, "entry of a directory");
    let offset = reader.u16_le()?;
    reader.skip(4)?;
    Ok((offset, u64::from(reader.u16_le()?) + 1))
}
