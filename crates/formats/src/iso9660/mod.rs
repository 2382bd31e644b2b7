//! ISO 9660 disc images (specification: ECMA-119), with Joliet names (Microsoft, 1995) and Rock Ridge names (SUSP 1.12, RRIP 1.12).
//!
//! ```text
//! sector 16...: volume descriptors, 2048 bytes each   8.1
//!   1 primary, 2 supplementary (Joliet if its escapes are %/@, %/C or %/E), 0 boot record (El Torito), 255 the end
//! descriptor 156: record of the root directory                                                                8.4.18
//! record: length, attributes, extent (sector), size, ..., flags, ..., length of name, name, system use        9.1
//! ```
//!
//! A disc may have several trees, and they need not hold the same files. All are walked, and a file that stands at the
//! same place with the same size as one before is given once, under the first name. So nothing is hidden by being listed
//! in only one tree. A Rock Ridge name replaces the short one. A file in several extents is one member. Directories are
//! walked with an explicit stack, each once; records that make no sense end a directory's sector.
//!
//! The boot images of El Torito are members when no file holds them; bytes behind the volume as well. A file
//! that is compressed by [`zisofs`] is given twice: plain, and as it is stored. Not done: files that are interleaved, the second
//! half of a disc that was written twice.

mod record;
mod volume;
mod zisofs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Meta, Name, Part, Source};

use self::record::{Record, Records};
use self::volume::{Volume, volumes};
use crate::joined::Joined;
use crate::tree::{ENTRY, is_padding};
use crate::{Found, Search, Unpack};

/// Goes through the files of a disc.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(disc(source, budget))
}

/// Files of a disc that are in one piece: where each begins, and its size. For readers of other file systems on the same disc,
/// which need not give them again.
pub(crate) struct Known {
    files: BTreeMap<u64, Given>,
    _memory: Vec<Charge>,
}

impl Known {
    /// Walks through the disc.
    pub(crate) fn of(source: &Arc<dyn Source>, budget: &Budget) -> Known {
        let mut disc = disc(source, budget);
        while disc.next_item().is_some() {}
        Known { files: disc.given, _memory: disc.memory }
    }

    /// True if these bytes are a file of the disc.
    pub(crate) fn holds(&self, place: u64, size: u64) -> bool {
        self.files.get(&place).is_some_and(|given| given.whole && given.size == size)
    }
}

fn disc(source: &Arc<dyn Source>, budget: &Budget) -> Disc {
    Disc {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        volumes: None,
        directories: VecDeque::new(),
        records: None,
        extents: Vec::new(),
        walked: BTreeSet::new(),
        given: BTreeMap::new(),
        memory: Vec::new(),
        end: 0,
    }
}

/// A file that was given.
struct Given {
    size: u64,
    /// It is in one piece.
    whole: bool,
}

struct Disc {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Trees that were not walked yet; absent until the descriptors were read.
    volumes: Option<VecDeque<Volume>>,
    /// Directories of the tree at hand that were not walked yet: path, place, size.
    directories: VecDeque<Directory>,
    /// The directory at hand.
    records: Option<(Records, Directory)>,
    /// Earlier extents of a file whose last one was not reached yet.
    extents: Vec<(u64, u64)>,
    /// Directories that were walked, by place.
    walked: BTreeSet<u64>,
    /// Files that were given, by where they begin.
    given: BTreeMap<u64, Given>,
    memory: Vec<Charge>,
    /// Where the last known byte stands.
    end: u64,
}

#[derive(Clone)]
struct Directory {
    path: Vec<u8>,
    place: u64,
    size: u64,
    joliet: bool,
    depth: u32,
    /// Bytes to be passed in each system use field (SUSP 5.3).
    skip: u8,
}

impl Search for Disc {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        if let Some((mut records, directory)) = self.records.take() {
            if let Some(record) = records.next_record(self.source.as_ref()) {
                self.take(record, &directory)?;
                self.records = Some((records, directory));
            } else if records.is_broken() {
                let name = Name::new(&directory.path);
                self.found.remark(Some(name), Anomaly::damaged("the directory is broken; not all of it was read"));
            }
        } else if let Some(directory) = self.directories.pop_front() {
            self.records = Some((Records::new(&directory), directory));
        } else {
            self.next_volume()?;
        }
        Ok(())
    }
}

impl Disc {
    fn next_volume(&mut self) -> Result<(), LimitReached> {
        let volumes = self.volumes.get_or_insert_with(|| volumes(self.source.as_ref()));
        match volumes.pop_front() {
            Some(Volume::Tree { root, joliet, size }) => {
                self.end = self.end.max(size);
                let skip = if joliet { 0 } else { record::system_use_skip(self.source.as_ref(), &root) };
                let (place, size) = (root.place, root.size);
                self.enter(Directory { path: Vec::new(), place, size, joliet, depth: 0, skip })?;
            }
            Some(Volume::Boot { place, size }) => self.boot_image(place, size)?,
            Some(Volume::Broken(detail)) => self.found.remark(None, Anomaly::damaged(detail)),
            None => self.finish()?,
        }
        Ok(())
    }

    /// Puts a directory into the queue, unless it was walked.
    fn enter(&mut self, directory: Directory) -> Result<(), LimitReached> {
        let limit = self.budget.limits().depth.saturating_mul(16);
        if directory.depth > limit {
            let name = Name::new(&directory.path);
            self.found.remark(Some(name), Anomaly::damaged("directories inside directories, too many to be walked"));
            return Ok(());
        }
        if directory.size > 0 && self.walked.insert(directory.place) {
            self.memory.push(self.budget.reserve(ENTRY + u64::try_from(directory.path.len()).unwrap_or(u64::MAX))?);
            self.end = self.end.max(directory.place.saturating_add(directory.size));
            self.directories.push_back(directory);
        }
        Ok(())
    }

    fn take(&mut self, record: Record, directory: &Directory) -> Result<(), LimitReached> {
        if record.is_dots {
            return Ok(());
        }
        let mut path = directory.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&record.name);
        if record.is_directory {
            let (place, size) = (record.child.unwrap_or(record.place), record.size);
            let depth = directory.depth.saturating_add(1);
            return self.enter(Directory { path, place, size, depth, ..directory.clone() });
        }
        self.file(&path, &record)
    }

    fn file(&mut self, path: &[u8], record: &Record) -> Result<(), LimitReached> {
        /// Extents of one file; one holds up to 4 GiB.
        const MOST: usize = 4096;
        self.end = self.end.max(record.place.saturating_add(record.size));
        self.extents.push((record.place, record.size));
        if record.continues && self.extents.len() < MOST {
            return Ok(());
        }
        let extents = std::mem::take(&mut self.extents);
        let size = extents.iter().fold(0, |sum: u64, extent| sum.saturating_add(extent.1));
        if size == 0 {
            return Ok(());
        }
        let first = extents.first().map_or(0, |extent| extent.0);
        match self.given.get(&first) {
            Some(known) if known.size == size && known.whole && extents.len() == 1 => return Ok(()),
            Some(_) => self.budget.charge_bytes(size.min(self.source.len()))?,
            None => {}
        }
        self.memory.push(self.budget.reserve(ENTRY)?);
        self.given.insert(first, Given { size, whole: extents.len() == 1 });
        let source: Arc<dyn Source> = match extents.as_slice() {
            [(start, length)] => Arc::new(Part::new(Arc::clone(&self.source), *start, *length)),
            _ => Arc::new(Joined::new(&self.source, extents)),
        };
        let name = Name::new(path);
        self.found.meta(Meta { name: name.clone(), packed: size, length: size, encrypted: false, position: 0 });
        match zisofs::open(&source, &self.budget) {
            Ok(None) => self.found.member(name, source, Some(size)),
            Ok(Some(plain)) => {
                self.found.member(name, plain, Some(size))?;
                self.found.member(Name::new(&[path, b" as stored"].concat()), source, Some(size))
            }
            Err(anomaly) => {
                self.found.remark(Some(name.clone()), anomaly);
                self.found.member(name, source, Some(size))
            }
        }
    }

    fn boot_image(&mut self, place: u64, size: u64) -> Result<(), LimitReached> {
        let inside = self.given.range(..=place).next_back().is_some_and(|(start, given)| place - start < given.size);
        if inside || size == 0 {
            return Ok(());
        }
        self.end = self.end.max(place.saturating_add(size));
        let part = Part::new(Arc::clone(&self.source), place, size);
        self.found.member(Name::new(b"boot image"), Arc::new(part), Some(size))
    }

    /// Gives what stands behind everything that was found.
    fn finish(&mut self) -> Result<(), LimitReached> {
        self.found.end();
        let (end, length) = (self.end, self.source.len());
        if end > 0 && end < length {
            let part = Part::new(Arc::clone(&self.source), end, length - end);
            if !is_padding(&part) {
                self.found.member(Name::new(b"trailing data"), Arc::new(part), Some(length - end))?;
            }
        }
        Ok(())
    }
}
