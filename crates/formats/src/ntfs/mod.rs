//! NTFS (no specification is published; Linux-NTFS project, "NTFS Documentation"; [MS-FSCC] for reparse points).
//!
//! ```text
//! boot sector (little-endian): 11: bytes a sector, 13: sectors a cluster, 48: cluster of the file table, 64: size of a record
//! file table: records "FILE", each of which describes a file by attributes
//! attribute:  80 data (several, with names: alternate data streams), 30 name and parent, 20 list of attributes in other records
//! ```
//!
//! The file table itself is gone through, record by record, and paths are made from the names of parents: so a broken
//! index hides nothing. Every stream of data is a member, `path` or `path:stream`, the streams of folders as well. It is a
//! piece of the record, or extents of the image without a copy; compressed units are unpacked as they are read, and
//! holes are holes. A file that Windows has compressed as a whole (WOF) is given as it is read. Told: encrypted files,
//! records that are broken. Passed: deleted files, the contents of the first sixteen records (tables of the volume; they are
//! matched with the image), what stands in the journal only.

mod attribute;
mod record;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Name, Reader, Short, Source, read_vec_at};

use crate::tree::{ENTRY, Nothing, Shares, joined};
use crate::{Found, Search, Unpack};
use attribute::Attribute;
use record::Record;

/// Records of tables of the volume.
const TABLES: u64 = 16;
/// The record of the root.
const ROOT: u64 = 5;
/// Folders inside each other.
const DEEPEST: u32 = 256;
/// Records that one file may take.
const MOST_RECORDS: usize = 4096;

/// Goes through the files of a volume.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    match Ntfs::open(source, budget) {
        Ok(volume) => Box::new(volume),
        Err(anomaly) => Box::new(Nothing::because(budget, anomaly)),
    }
}

/// What the boot sector says.
struct Boot {
    /// Bytes of a cluster.
    cluster: u64,
    /// Where the file table begins.
    table: u64,
    /// Bytes of a record.
    record: u64,
}

impl Boot {
    fn read(bytes: &[u8]) -> Result<Option<Boot>, Short> {
        let mut reader = Reader::new(bytes, "boot sector");
        reader.skip(11)?;
        let sector = u64::from(reader.u16_le()?);
        let per_cluster = power(reader.u8()?, 0x80);
        reader.skip(34)?;
        let table = reader.u64_le()?;
        reader.skip(8)?;
        let size = reader.u8()?;
        let cluster = sector.saturating_mul(per_cluster);
        // A size of 0x80 and more is a power of two.
        let record = if size < 0x80 { cluster.saturating_mul(size.into()) } else { power(size, 0) };
        let sense = cluster.is_power_of_two() && (256..=2 << 20).contains(&cluster);
        let sense = sense && record.is_power_of_two() && (256..=65_536).contains(&record);
        Ok(sense.then(|| Boot { cluster, table: table.saturating_mul(cluster), record }))
    }
}

/// Numbers above a bound are negative, and stand for a power of two.
fn power(number: u8, bound: u8) -> u64 {
    if number <= bound { number.into() } else { 1_u64.checked_shl(u32::from(number.wrapping_neg())).unwrap_or(0) }
}

struct Ntfs {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    shares: Shares,
    boot: Boot,
    table: Arc<dyn Source>,
    /// The next record.
    next: u64,
    count: u64,
    /// Folders whose paths are known.
    paths: BTreeMap<u64, Vec<u8>>,
    memory: Vec<Charge>,
    /// Streams that were not given yet.
    waiting: VecDeque<(Vec<u8>, stream::Stream)>,
}

impl Ntfs {
    fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<Ntfs, Anomaly> {
        let boot = Boot::read(&read_vec_at(source.as_ref(), 0, 512))?;
        let boot = boot.ok_or(Anomaly::damaged("the boot sector makes no sense"))?;
        let (table, remark) = stream::file_table(source, &boot, budget)?;
        let count = table.len() / boot.record;
        let mut found = Found::new(budget);
        remark.into_iter().for_each(|anomaly| found.remark(None, anomaly));
        Ok(Ntfs {
            source: Arc::clone(source),
            budget: budget.clone(),
            found,
            shares: Shares::new(source.as_ref(), budget),
            boot,
            table,
            next: 0,
            count,
            paths: BTreeMap::new(),
            memory: Vec::new(),
            waiting: VecDeque::new(),
        })
    }

    /// A record of the file table.
    fn record(&self, number: u64) -> Result<Option<Record>, Anomaly> {
        let size = usize::try_from(self.boot.record).unwrap_or(0);
        let at = number.saturating_mul(self.boot.record);
        Record::read(read_vec_at(self.table.as_ref(), at, size))
    }

    /// Puts the streams of a file into the queue.
    fn file(&mut self, number: u64, record: &Record) -> Result<(), Anomaly> {
        let mut attributes = record.attributes();
        let mut told = attributes.broken.take();
        for other in self.others(number, &attributes.list, &mut told)? {
            let Ok(Some(record)) = self.record(other) else {
                told = Some(Anomaly::damaged("a record that belongs to it is broken"));
                continue;
            };
            if record.base == number {
                let more = record.attributes();
                told = told.or(more.broken);
                attributes.list.extend(more.list);
            }
        }
        let path = self.path_of(number, &attributes.list)?;
        for stream in stream::streams(attributes.list) {
            // What the first records hold is the volume itself; folders have streams with names only.
            if number >= TABLES || (number == ROOT && !stream.name.is_empty() && !stream.name.starts_with("$")) {
                self.waiting.push_back((path.clone(), stream));
            }
        }
        if let Some(anomaly) = told {
            self.found.remark(Some(Name::new(&path)), anomaly);
        }
        Ok(())
    }

    /// Numbers of the other records that a list of attributes names.
    fn others(&self, number: u64, list: &[Attribute], told: &mut Option<Anomaly>) -> Result<Vec<u64>, Anomaly> {
        let Some(list) = list.iter().find(|attribute| attribute.kind == attribute::LIST) else { return Ok(Vec::new()) };
        let bytes = stream::list_bytes(list, &self.source, &self.boot, &self.budget)?;
        let mut others = attribute::records_of(&bytes);
        others.retain(|other| *other != number);
        if others.len() > MOST_RECORDS {
            others.truncate(MOST_RECORDS);
            *told = Some(Anomaly::damaged("it takes more records than are read"));
        }
        Ok(others)
    }

    /// The path of a file, from its best name and those of its parents.
    fn path_of(&mut self, number: u64, attributes: &[Attribute]) -> Result<Vec<u8>, Anomaly> {
        let Some((parent, name)) = attribute::name_of(attributes) else {
            return Ok(format!("record {number}").into_bytes());
        };
        if number == ROOT {
            return Ok(Vec::new());
        }
        let folder = self.folder(parent)?;
        Ok(joined(&folder, name.as_bytes()))
    }

    /// The path of a folder.
    fn folder(&mut self, number: u64) -> Result<Vec<u8>, Anomaly> {
        let (mut at, mut names) = (number, Vec::new());
        let mut path = Vec::new();
        for _ in 0..DEEPEST {
            if at == ROOT {
                break;
            }
            if let Some(known) = self.paths.get(&at) {
                path.clone_from(known);
                break;
            }
            let record = self.record(at)?;
            let name = record.and_then(|record| attribute::name_of(&record.attributes().list));
            let Some((parent, name)) = name else {
                path = format!("record {at}").into_bytes();
                break;
            };
            names.push(name);
            at = parent;
        }
        for name in names.iter().rev() {
            path = joined(&path, name.as_bytes());
        }
        if number != ROOT && !self.paths.contains_key(&number) {
            let length = u64::try_from(path.len()).unwrap_or(u64::MAX);
            // Without memory for it the path is made anew each time.
            if let Ok(memory) = self.budget.reserve(ENTRY.saturating_add(length)) {
                self.memory.push(memory);
                self.paths.insert(number, path.clone());
            }
        }
        Ok(path)
    }

    fn give(&mut self, path: &[u8], stream: stream::Stream) -> Result<(), LimitReached> {
        let mut name = path.to_vec();
        if !stream.name.is_empty() {
            name.push(b':');
            name.extend_from_slice(stream.name.as_bytes());
        }
        let name = Name::new(&name);
        match stream.open(&self.source, &self.boot, &self.budget) {
            Ok(Some(opened)) => {
                opened.remark.into_iter().for_each(|anomaly| self.found.remark(Some(name.clone()), anomaly));
                self.shares.take(opened.stored)?;
                self.found.member(name, opened.source, Some(opened.stored))
            }
            Ok(None) => Ok(()),
            Err(anomaly) => {
                self.found.remark(Some(name), anomaly);
                self.budget.check_time()
            }
        }
    }
}

impl Search for Ntfs {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        /// Records that are not in use and are passed in one step.
        const STEP: u32 = 256;
        if let Some((path, stream)) = self.waiting.pop_front() {
            return Ok(self.give(&path, stream)?);
        }
        for _ in 0..STEP {
            if self.next >= self.count {
                self.found.end();
                return Ok(());
            }
            let number = self.next;
            self.next += 1;
            match self.record(number) {
                Ok(Some(record)) if record.in_use && record.base == 0 => {
                    if let Err(anomaly) = self.file(number, &record) {
                        self.found.remark(Some(Name::new(format!("record {number}").as_bytes())), anomaly);
                        self.budget.check_time()?;
                    }
                    return Ok(());
                }
                Ok(_) => {}
                Err(anomaly) => {
                    self.found.remark(Some(Name::new(format!("record {number}").as_bytes())), anomaly);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
