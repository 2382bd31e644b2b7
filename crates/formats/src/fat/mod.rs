//! FAT12, FAT16, FAT32 (Microsoft FAT specification, 2005; ECMA-107) and exFAT (Microsoft exFAT file system specification).
//!
//! ```text
//! boot sector (little-endian): 11: bytes a sector, 13: sectors a cluster, 14: reserved sectors, 16: tables, 17: entries of the
//!                 root, 19: sectors, 22: sectors of a table, FAT32: 32: sectors, 36: sectors of a table, 44: root
//! table:          a number a cluster, of 12, 16 or 32 bits: the next cluster of the file, or its end
//! directory:      entries of 32 bytes: name, 11: attributes, 20: cluster, upper half, 26: cluster, 28: size
//! ```
//!
//! Files are given as they lie in the image: chains of clusters become extents. Long names come before the entry
//! they belong to; without one the short name is given in lower case as the entry asks. A chain that ends too early is told,
//! and what it holds is given. Passed: deleted files, labels, what stands behind the end of a file in its last cluster.

mod exfat;

use std::cell::RefCell;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Part, Reader, Short, Source, read_vec_at};

use crate::Unpack;
use crate::joined::Extents;
use crate::tree::{Entry, File, Tree, Volume};
use crate::utf16;

/// Bytes of an entry of a directory.
const ENTRY: u64 = 32;
/// Clusters of a directory are followed up to so many bytes: 65,536 entries are the most there may be; exFAT allows more.
const LONGEST_DIRECTORY: u64 = 256 << 20;

/// Goes through the files of a volume.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    if read_vec_at(source.as_ref(), 3, 8) == b"EXFAT   " {
        return exfat::open(source, budget);
    }
    let opened = Fat::open(source, budget).and_then(|(volume, root)| {
        let root = match root {
            Root::Cluster(first) => volume.clusters.directory(first)?,
            Root::Region(start, length) => {
                let root: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(source), start, length));
                (root, None)
            }
        };
        Ok((volume, vec![(Vec::new(), 0, Directory::new(root.0, root.1))]))
    });
    Tree::open(source, budget, opened)
}

/// How wide the entries of the table are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Bits12,
    Bits16,
    /// Four bits of 32 are of no account.
    Bits28,
    /// exFAT.
    Bits32,
}

/// The table, and the clusters it is about.
struct Clusters {
    source: Arc<dyn Source>,
    budget: Budget,
    width: Width,
    /// Where the table stands, and where cluster 2.
    table: u64,
    heap: u64,
    /// Bytes of a cluster, and how many there are.
    size: u64,
    count: u64,
    /// The piece of the table that was read last, and where it stands.
    piece: RefCell<(u64, Vec<u8>)>,
}

impl Clusters {
    /// The next cluster of a chain; nothing at its end.
    fn next(&self, cluster: u64) -> Result<Option<u64>, Anomaly> {
        let cut = || Anomaly::damaged("the table of clusters is cut off");
        let wide = |place| self.entry(place).map(u32::from_le_bytes).ok_or_else(cut);
        let narrow = |place| self.entry(place).map(u16::from_le_bytes).ok_or_else(cut);
        let (next, end) = match self.width {
            Width::Bits12 => {
                let both = narrow(cluster + cluster / 2)?;
                (u64::from(if cluster % 2 == 1 { both >> 4 } else { both & 0xfff }), 0xff8)
            }
            Width::Bits16 => (narrow(cluster * 2)?.into(), 0xfff8),
            Width::Bits28 => ((wide(cluster * 4)? & 0x0fff_ffff).into(), 0x0fff_fff8),
            Width::Bits32 => (wide(cluster * 4)?.into(), 0xffff_fff8),
        };
        Ok((next < end).then_some(next))
    }

    /// A number at a place of the table, of which a piece is read at once.
    fn entry<const N: usize>(&self, place: u64) -> Option<[u8; N]> {
        const PIECE: usize = 4096;
        let at = self.table.checked_add(place)?;
        let mut piece = self.piece.borrow_mut();
        let inside = |piece: &(u64, Vec<u8>)| {
            let from = usize::try_from(at.checked_sub(piece.0)?).ok()?;
            piece.1.get(from..)?.first_chunk::<N>().copied()
        };
        if let Some(entry) = inside(&piece) {
            return Some(entry);
        }
        *piece = (at, read_vec_at(self.source.as_ref(), at, PIECE));
        inside(&piece)
    }

    fn place(&self, cluster: u64) -> Result<u64, Anomaly> {
        let index = cluster.checked_sub(2).filter(|index| *index < self.count);
        let index = index.ok_or(Anomaly::damaged("its chain of clusters is broken"))?;
        Ok(self.heap.saturating_add(index.saturating_mul(self.size)))
    }

    /// The clusters of a chain, until they hold `length` bytes. What is wrong with the chain comes with what it holds.
    fn chain(&self, first: u64, length: u64, extents: &mut Extents) -> Result<(), Anomaly> {
        /// Clusters between two looks at the clock.
        const STEP: u64 = 1 << 14;
        let mut cluster = first;
        // A circle meets the cluster that was kept when as many were followed as a power of two says (Brent).
        let (mut followed, mut kept, mut keep) = (0_u64, first, 1_u64);
        while extents.length() < length {
            extents.push(Some(self.place(cluster)?), self.size)?;
            followed += 1;
            if followed.is_multiple_of(STEP) {
                self.budget.check_time()?;
            }
            let Some(next) = self.next(cluster)? else { break };
            if next == kept {
                return Err(Anomaly::damaged("its chain of clusters is a circle"));
            }
            if followed == keep {
                (kept, keep) = (next, keep.saturating_mul(2));
            }
            cluster = next;
        }
        Ok(())
    }

    /// A directory, as far as its chain goes, and what is wrong with that.
    fn directory(&self, first: u64) -> Result<(Arc<dyn Source>, Option<Anomaly>), Anomaly> {
        let mut extents = Extents::new(&self.budget);
        let most = LONGEST_DIRECTORY.min(self.count.saturating_mul(self.size));
        let told = self.chain(first, most, &mut extents).err();
        match told {
            Some(anomaly) if matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_)) => Err(anomaly),
            told => {
                let length = extents.length();
                Ok((extents.into_source(&self.source, length), told))
            }
        }
    }

    /// A file of so many bytes; `extents` are known already, or are the clusters of its chain.
    fn file(&self, name: Vec<u8>, first: u64, length: u64) -> Result<File, Anomaly> {
        let mut extents = Extents::new(&self.budget);
        let told = self.chain(first, length, &mut extents);
        if let Err(anomaly) = &told
            && matches!(anomaly.kind, dachs_base::AnomalyKind::Limit(_))
        {
            return Err(anomaly.clone());
        }
        let there = extents.length();
        let short = (there < length).then(|| Anomaly::damaged("its chain of clusters ends before the file does"));
        let source = extents.into_source(&self.source, length.min(there));
        Ok(File { name, id: None, source, stored: length.min(there), remark: told.err().or(short) })
    }
}

/// Where the root directory is.
enum Root {
    Cluster(u64),
    Region(u64, u64),
}

struct Fat {
    clusters: Clusters,
}

impl Fat {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<(Fat, Root), Anomaly> {
        let head = read_vec_at(source.as_ref(), 0, 512);
        let boot = Boot::read(&head)?;
        let (clusters, root) = boot.layout(source, budget).ok_or(Anomaly::damaged("the boot sector makes no sense"))?;
        Ok((Fat { clusters }, root))
    }
}

/// What the boot sector says.
struct Boot {
    sector: u64,
    per_cluster: u64,
    reserved: u64,
    tables: u64,
    root_entries: u64,
    sectors: u64,
    per_table: u64,
    /// The first cluster of the root, in FAT32.
    root: Option<u64>,
}

impl Boot {
    fn read(bytes: &[u8]) -> Result<Boot, Short> {
        let mut reader = Reader::new(bytes, "boot sector");
        reader.skip(11)?;
        let sector = reader.u16_le()?.into();
        let per_cluster = reader.u8()?.into();
        let reserved = reader.u16_le()?.into();
        let tables = reader.u8()?.into();
        let root_entries = u64::from(reader.u16_le()?);
        let few = u64::from(reader.u16_le()?);
        reader.skip(1)?;
        let short = u64::from(reader.u16_le()?);
        reader.skip(8)?;
        let many = u64::from(reader.u32_le()?);
        let long = u64::from(reader.u32_le()?);
        reader.skip(4)?;
        let root = u64::from(reader.u32_le()?);
        let wide = short == 0;
        Ok(Boot {
            sector,
            per_cluster,
            reserved,
            tables,
            root_entries,
            sectors: if few == 0 { many } else { few },
            per_table: if wide { long } else { short },
            root: wide.then_some(root),
        })
    }

    fn layout(&self, source: &Arc<dyn Source>, budget: &Budget) -> Option<(Clusters, Root)> {
        let sense = self.sector.is_power_of_two() && (128..=4096).contains(&self.sector) && self.per_cluster > 0;
        let roots = (self.root_entries * ENTRY).div_ceil(self.sector.max(1));
        let start = self.reserved.checked_add(self.tables.checked_mul(self.per_table)?)?;
        let heap = start.checked_add(roots)?;
        let count = self.sectors.checked_sub(heap).filter(|_| sense)? / self.per_cluster;
        let width = match self.root {
            Some(_) => Width::Bits28,
            None if count < 4085 => Width::Bits12,
            None => Width::Bits16,
        };
        let clusters = Clusters {
            source: Arc::clone(source),
            budget: budget.clone(),
            width,
            table: self.reserved * self.sector,
            heap: heap.checked_mul(self.sector)?,
            size: self.per_cluster * self.sector,
            count,
            piece: RefCell::default(),
        };
        let root = match self.root {
            Some(cluster) => Root::Cluster(cluster),
            None => Root::Region(start.checked_mul(self.sector)?, self.root_entries * ENTRY),
        };
        Some((clusters, root))
    }
}

/// A directory, and how far it was read.
struct Directory {
    content: Arc<dyn Source>,
    entries: Entries,
    /// The pieces of a long name, last first, and the checksum of the short name they belong to.
    long: Vec<[u8; 26]>,
    checksum: u8,
}

/// The entries of a directory, of 32 bytes each.
struct Entries {
    at: u64,
    bytes: Vec<u8>,
    used: usize,
    /// What is wrong with the clusters behind those that are read.
    told: Option<Anomaly>,
}

impl Entries {
    fn new(told: Option<Anomaly>) -> Entries {
        Entries { at: 0, bytes: Vec::new(), used: 0, told }
    }

    /// What comes behind the last entry where no mark ends them.
    fn end<D>(&mut self) -> Entry<D> {
        self.told.take().map_or(Entry::End, |anomaly| Entry::Remark(Vec::new(), anomaly))
    }

    fn next(&mut self, content: &dyn Source) -> Option<[u8; 32]> {
        /// Bytes that are read at once.
        const STEP: usize = 4096;
        if self.used >= self.bytes.len() {
            self.bytes = read_vec_at(content, self.at, STEP);
            self.at = self.at.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX));
            self.used = 0;
        }
        let entry = self.bytes.get(self.used..)?.first_chunk::<32>().copied();
        self.used = self.used.saturating_add(32);
        entry
    }
}

impl Directory {
    fn new(content: Arc<dyn Source>, told: Option<Anomaly>) -> Directory {
        Directory { content, entries: Entries::new(told), long: Vec::new(), checksum: 0 }
    }

    /// A piece of a long name: its number, five letters, attributes, type, checksum, six letters, cluster, two letters.
    fn piece(&mut self, entry: &[u8; 32]) {
        let [number, a @ ..] = *entry;
        let (first, rest) = a.split_at(10);
        let checksum = rest.get(2).copied().unwrap_or(0);
        if number & 0x40 != 0 || checksum != self.checksum || self.long.len() >= 20 {
            self.long.clear();
            self.checksum = checksum;
        }
        let parts = [first, rest.get(3..15).unwrap_or_default(), rest.get(17..21).unwrap_or_default()].concat();
        if let Some(piece) = parts.first_chunk::<26>() {
            self.long.push(*piece);
        }
    }

    /// The name of the entry that follows these pieces.
    fn name(&mut self, short: &[u8; 11], lower: u8) -> Vec<u8> {
        let pieces = std::mem::take(&mut self.long);
        let sum = short.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if pieces.is_empty() || sum != self.checksum {
            return short_name(short, lower);
        }
        let units: Vec<u8> = pieces.into_iter().rev().flatten().collect();
        utf16::little_until_zero(&units).into_bytes()
    }
}

/// Eight letters and three, filled up with spaces; two bits ask for lower case. The first letter E5 is kept as 05.
fn short_name(short: &[u8; 11], lower: u8) -> Vec<u8> {
    let mut short = *short;
    if let [first @ 5, ..] = &mut short {
        *first = 0xe5;
    }
    let (base, extension) = short.split_at(8);
    let part = |bytes: &[u8], lower: bool| {
        let bytes = bytes.trim_ascii_end();
        if lower { bytes.to_ascii_lowercase() } else { bytes.to_vec() }
    };
    let mut name = part(base, lower & 0x08 != 0);
    let extension = part(extension, lower & 0x10 != 0);
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

impl Volume for Fat {
    type Directory = Directory;

    fn next_entry(&mut self, directory: &mut Directory) -> Result<Entry<Directory>, Anomaly> {
        const LABEL: u8 = 0x08;
        const FOLDER: u8 = 0x10;
        const LONG: u8 = 0x0f;
        let Some(entry) = directory.entries.next(directory.content.as_ref()) else {
            return Ok(directory.entries.end());
        };
        let mut reader = Reader::new(&entry, "entry of a directory");
        let short = reader.array::<11>()?;
        let (attributes, lower) = (reader.u8()?, reader.u8()?);
        reader.skip(7)?;
        let high = reader.u16_le()?;
        reader.skip(4)?;
        let cluster = u64::from(reader.u16_le()?);
        let cluster = if self.clusters.width == Width::Bits28 { u64::from(high) << 16 | cluster } else { cluster };
        let size = u64::from(reader.u32_le()?);
        match short {
            [0, ..] => return Ok(Entry::End),
            [0xe5, ..] => directory.long.clear(),
            _ if attributes & 0x3f == LONG => directory.piece(&entry),
            _ if attributes & LABEL != 0 => directory.long.clear(),
            [b'.', ..] if attributes & FOLDER != 0 => directory.long.clear(),
            _ => {
                let name = directory.name(&short, lower);
                if attributes & FOLDER != 0 {
                    return Ok(self.folder(name, cluster));
                }
                if size > 0 {
                    let file = self.clusters.file(name.clone(), cluster, size);
                    return Ok(file.map_or_else(|anomaly| Entry::Remark(name, anomaly), Entry::File));
                }
            }
        }
        Ok(Entry::Other)
    }
}

impl Fat {
    fn folder(&self, name: Vec<u8>, cluster: u64) -> Entry<Directory> {
        match self.clusters.directory(cluster) {
            Ok((content, told)) => Entry::Directory { name, id: cluster, directory: Directory::new(content, told) },
            Err(anomaly) => Entry::Remark(name, anomaly),
        }
    }
}
