//! UDF (ECMA-167, third edition; OSTA Universal Disk Format 1.02 to 2.60).
//!
//! ```text
//! tag (16 bytes, little-endian) before every descriptor: what it is, 4: sum of the other bytes                 ECMA-167 3/7.2
//! sector 256: anchor: 16: where the descriptors of the volume stand                                                 3/10.2
//! 5 partition: 22: number, 188: first sector          6 logical volume: 212: block size, 248: file sets, 440: maps 3/10.5, 3/10.6
//! 256 file set: 400: root                              257 name: 18: what it is, 20: where, 38: name             4/14.1, 4/14.4
//! 261, 266 file entry: 16: ICB tag, 56: length, extended attributes, extents                                 4/14.9, 4/14.17
//! ```
//!
//! Files are given as they lie in the image: extents of three forms, or bytes inside the entry. Partitions may be mapped: that of
//! metadata is read through its file, a sparable one as it lies. Streams beside files are walked as a folder `path:streams`. Told:
//! volumes that can be written once (they begin with a table of their own, the VAT), descriptors and
//! directories that are broken. A disc that is ISO 9660 as well is walked by both readers, because they need not show the same;
//! files that both show are given once.

mod entry;
mod volume;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::iso9660::Known;
use crate::tree::{Entry, File, Tree, Volume};
use crate::utf16;
use entry::Content;
use volume::{Disc, Long};

/// Bytes of a directory that are read.
const LONGEST_NAME: u64 = 65_536;

/// Goes through the files of a volume.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let opened = Disc::open(source, budget).and_then(|(disc, root)| {
        let content = disc.entry(root)?;
        let id = disc.number(root);
        let known = Known::of(source, budget);
        Ok((Udf { disc, known }, vec![(Vec::new(), id, Directory { content: content.source, at: 0 })]))
    });
    Tree::open(source, budget, opened)
}

struct Udf {
    disc: Disc,
    /// Files that the reader of ISO 9660 gives.
    known: Known,
}

struct Directory {
    content: Arc<dyn Source>,
    at: u64,
}

/// An entry of a directory (4/14.4).
struct Named {
    characteristics: u8,
    place: Long,
    name: Vec<u8>,
    /// Bytes of it.
    length: u64,
}

/// What an entry is.
const FOLDER: u8 = 0x02;
const DELETED: u8 = 0x04;
const PARENT: u8 = 0x08;

impl Named {
    fn read(bytes: &[u8]) -> Result<Option<Named>, Short> {
        let mut reader = Reader::new(bytes, "entry of a directory");
        if !volume::is_tag(bytes, 257) {
            return Ok(None);
        }
        reader.skip(18)?;
        let (characteristics, letters) = (reader.u8()?, u64::from(reader.u8()?));
        let place = Long::read(&mut reader)?;
        let use_length = u64::from(reader.u16_le()?);
        reader.skip(use_length)?;
        let name = name(reader.take(letters)?);
        let length = (38 + use_length + letters).next_multiple_of(4);
        Ok(Some(Named { characteristics, place, name, length }))
    }
}

/// Compressed Unicode (OSTA 2.1.1): 8 stands for one byte a letter, 16 for two.
fn name(bytes: &[u8]) -> Vec<u8> {
    match bytes.split_first() {
        Some((8 | 254, letters)) => letters.iter().map(|letter| char::from(*letter)).collect::<String>().into_bytes(),
        Some((16 | 255, units)) => utf16::big(units).into_bytes(),
        _ => bytes.to_vec(),
    }
}

impl Volume for Udf {
    type Directory = Directory;

    fn remark(&mut self) -> Option<Anomaly> {
        self.disc.remarks.pop()
    }

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        if let Some((name, id, content)) = self.disc.streams.take() {
            return Ok(Entry::Directory { name, id, directory: Directory { content, at: 0 } });
        }
        if directory.at >= directory.content.len() {
            return Ok(Entry::End);
        }
        let most = usize::try_from(LONGEST_NAME.min(4096)).unwrap_or(0);
        let bytes = read_vec_at(directory.content.as_ref(), directory.at, most);
        let broken = || Anomaly::damaged("the directory is broken; not all of it was read");
        let named = Named::read(&bytes)?.ok_or_else(broken)?;
        directory.at = directory.at.saturating_add(named.length);
        if named.characteristics & (DELETED | PARENT) != 0 || named.place.length == 0 {
            return Ok(Entry::Other);
        }
        Ok(match self.disc.entry(named.place) {
            Ok(content) => self.take(named, content),
            Err(anomaly) => Entry::Remark(named.name, anomaly),
        })
    }
}

impl Udf {
    fn take(&mut self, named: Named, content: Content) -> Entry<Directory> {
        let id = self.disc.number(named.place);
        if let Some(place) = content.streams {
            let name = [&named.name, b":streams".as_slice()].concat();
            match self.disc.entry(place) {
                Ok(streams) => self.disc.streams = Some((name, self.disc.number(place), streams.source)),
                Err(anomaly) => self.disc.remarks.push(anomaly),
            }
        }
        let Content { source, stored, remark, is_folder, is_file, place, .. } = content;
        if is_folder || named.characteristics & FOLDER != 0 {
            return Entry::Directory { name: named.name, id, directory: Directory { content: source, at: 0 } };
        }
        if !is_file || place.is_some_and(|(start, size)| self.known.holds(start, size)) {
            return Entry::Other;
        }
        Entry::File(File { name: named.name, id: Some(id), source, stored, remark })
    }
}
