//! Disk images with a partition table: the partitions, as they stand.
//!
//! | table | specification |
//! |---|---|
//! | master boot record, with the chain of extended partitions | IBM PC DOS; UEFI 2.10 section 5.2.1 |
//! | Apple's partition map | Inside Macintosh: Devices, 3-22 |
//! | GUID partition table, in sectors of 512 and of 4096 bytes | UEFI 2.10 section 5.3 |
//!
//! A partition is a member without a copy. What it holds is told by its content, never by the type in the table. Partitions
//! that share bytes are odd; since their bytes are scanned more than once, they are charged to the budget. Sectors that
//! belong to no partition are matched with the image as a whole.
//!
//! Not done: BSD and Solaris labels inside a partition, logical volumes, dynamic disks.

mod apm;
mod gpt;
mod mbr;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Heuristic, Name, Part, Source};

use crate::{Found, Search, Unpack};

/// Goes through the partitions of a master boot record.
pub(crate) fn open_mbr(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Table::open(mbr::Mbr::default(), Heuristic::MbrIntersection, source, budget)
}

/// Goes through the partitions of Apple's partition map.
pub(crate) fn open_apm(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Table::open(apm::Apm::default(), Heuristic::ApmIntersection, source, budget)
}

/// Goes through the partitions of a GUID partition table.
pub(crate) fn open_gpt(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Table::open(gpt::Gpt::default(), Heuristic::GptIntersection, source, budget)
}

/// Reads a table from its first entry to its last.
trait Entries: Send {
    /// The next entry. Must go forward, or end.
    fn next_entry(&mut self, disk: &dyn Source) -> Entry;

    /// What the entry that was read last takes of the disk, if that may be taken once.
    fn taken(&mut self) -> Option<Taken>;
}

/// What an entry of a table says.
enum Entry {
    /// Nothing of interest.
    Other,
    /// A stretch of the disk, in bytes.
    Partition { name: Name, start: u64, length: u64 },
    /// A remark about the table.
    Remark(Anomaly),
    /// There are no more entries.
    End,
}

/// A stretch that an entry of a table takes, in sectors.
#[derive(Clone, Copy)]
struct Taken {
    /// Entries of other tables may take the same.
    table: u64,
    start: u64,
    end: u64,
}

impl Taken {
    /// Watched on ClamAV 1.4.6: of two stretches that begin together one may even be empty.
    fn meets(&self, other: &Taken) -> bool {
        let shared = self.start < other.end && other.start < self.end;
        self.table == other.table && (shared || self.start == other.start)
    }
}

struct Table<E> {
    entries: E,
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// The stretches that were given.
    given: Vec<(u64, u64)>,
    /// What entries take; and what is said if they take the same, until it was.
    taken: Vec<Taken>,
    heuristic: Option<Heuristic>,
}

impl<E: Entries + 'static> Table<E> {
    fn open(entries: E, heuristic: Heuristic, source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
        let (source, found) = (Arc::clone(source), Found::new(budget));
        let (given, taken) = (Vec::new(), Vec::new());
        Box::new(Table { entries, source, budget: budget.clone(), found, given, taken, heuristic: Some(heuristic) })
    }
}

impl<E: Entries> Search for Table<E> {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let entry = self.entries.next_entry(self.source.as_ref());
        if let Some(taken) = self.entries.taken() {
            self.take(taken);
        }
        match entry {
            Entry::Other => {}
            Entry::Partition { name, start, length } => self.partition(name, start, length)?,
            Entry::Remark(anomaly) => self.found.remark(None, anomaly),
            Entry::End => self.found.end(),
        }
        Ok(())
    }
}

impl<E> Table<E> {
    fn take(&mut self, taken: Taken) {
        if self.taken.iter().any(|other| other.meets(&taken))
            && let Some(heuristic) = self.heuristic.take()
        {
            self.found.heuristic(heuristic);
        }
        self.taken.push(taken);
    }

    fn partition(&mut self, name: Name, start: u64, length: u64) -> Result<(), Anomaly> {
        let end = start.saturating_add(length);
        if self.given.iter().any(|(from, to)| *from < end && start < *to) {
            self.budget.charge_bytes(length.min(self.source.len().saturating_sub(start)))?;
            self.found.remark(Some(name.clone()), Anomaly::odd("it shares bytes with another partition"));
        }
        self.given.push((start, end));
        let part = Part::new(Arc::clone(&self.source), start, length);
        Ok(self.found.member(name, Arc::new(part), Some(length))?)
    }
}
