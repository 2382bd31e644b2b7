//! Virtual disks: files in which the sectors of a disk stand in any order, or not at all.
//!
//! | kind | specification | reader |
//! |---|---|---|
//! | VHD, fixed and dynamic | Virtual Hard Disk Image Format Specification 1.0 | [`vhd`] |
//! | QCOW, versions 2 and 3 | QEMU docs/interop/qcow2.txt | [`qcow`] |
//! | VMDK, sparse and stream-optimised | VMware Virtual Disk Format 5.0 | [`vmdk`] |
//! | VHDX | MS-VHDX | [`vhdx`] |
//!
//! A format is a [`Map`] from places of the disk to places of the file. [`Mapped`] makes a source of it, which is the only
//! member: nothing is copied, and stretches that are stored nowhere are holes. Tables stay in the file and are looked up as
//! they are needed, so a disk costs no memory whatever its size. A cluster that is compressed is unpacked when it is read;
//! the last one is kept.
//!
//! File systems and archives that compress in clusters make sources of their files in the same way: SquashFS, NTFS, HFS+,
//! Apple's disk images, WIM. They may share the clusters that are kept.
//!
//! A disk that builds on another file is incomplete: what stands in the other file was not seen.

mod cluster;
mod qcow;
mod vhd;
mod vhdx;
mod vmdk;

use std::sync::{Arc, Mutex};

use dachs_base::{Anomaly, Budget, LimitReached, Name, Source};

use crate::joined::read_pieces;
use crate::{Found, Search, Unpack};

pub(crate) use cluster::{Clusters, Method, Packed};
pub(crate) use qcow::open as open_qcow;
pub(crate) use vhd::open as open_vhd;
pub(crate) use vhdx::open as open_vhdx;
pub(crate) use vmdk::open as open_vmdk;

/// Where the sectors of a disk stand.
pub(crate) trait Map: Send + Sync {
    /// Where the byte at `offset` of the disk stands, and how many bytes from there on stand together (at least one).
    fn locate(&self, file: &dyn Source, offset: u64) -> Place;
}

/// Where a stretch of a disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file from this offset on, so many bytes.
    Stored(u64, u64),
    /// Nowhere: so many zeros, which may reach past the end of the disk.
    Hole(u64),
    /// In a compressed cluster.
    Packed(Packed),
    /// Where it should stand there is nothing.
    Broken(&'static str),
}

/// A disk, as a source.
pub(crate) struct Mapped<M> {
    map: M,
    file: Arc<dyn Source>,
    length: u64,
    clusters: Arc<Clusters>,
    problem: Mutex<Option<Anomaly>>,
}

impl<M: Map> Mapped<M> {
    /// The disk of `length` bytes that stands in `file`; its compressed clusters have at most `cluster` bytes.
    pub(crate) fn new(
        map: M,
        file: &Arc<dyn Source>,
        length: u64,
        cluster: u64,
        budget: &Budget,
    ) -> Result<Mapped<M>, LimitReached> {
        Ok(Mapped::sharing(map, file, length, &Clusters::new(budget, cluster, 1)?))
    }

    /// The same, with clusters that are kept for others as well.
    pub(crate) fn sharing(map: M, file: &Arc<dyn Source>, length: u64, clusters: &Arc<Clusters>) -> Mapped<M> {
        let (file, clusters) = (Arc::clone(file), Arc::clone(clusters));
        Mapped { map, file, length, clusters, problem: Mutex::default() }
    }

    /// Fills the start of `buffer` from one place; `None` if that cannot be read.
    fn read_place(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let fit = |length: u64| usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
        match self.map.locate(self.file.as_ref(), offset) {
            Place::Stored(at, length) => {
                let count = fit(length);
                let got = self.file.read_at(at, buffer.get_mut(..count)?);
                if got < count {
                    self.tell(Anomaly::damaged("sectors of the disk reach past the end of the file"));
                }
                (got == count).then_some(count)
            }
            Place::Hole(length) => {
                let count = fit(length);
                buffer.get_mut(..count)?.fill(0);
                Some(count)
            }
            Place::Packed(packed) => self.read_packed(packed, offset, buffer),
            Place::Broken(detail) => {
                self.tell(Anomaly::damaged(detail));
                None
            }
        }
    }

    fn read_packed(&self, packed: Packed, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let cluster = self.clusters.get(self.file.as_ref(), packed).map_err(|anomaly| self.tell(anomaly)).ok()?;
        let from = usize::try_from(offset.checked_sub(packed.first)?).ok()?.checked_add(packed.skip)?;
        let rest = cluster.get(from..).filter(|rest| !rest.is_empty());
        if rest.is_none() {
            self.tell(Anomaly::damaged("a compressed cluster is shorter than it should be"));
        }
        let rest = rest?;
        let count = rest.len().min(buffer.len());
        buffer.get_mut(..count)?.copy_from_slice(rest.get(..count)?);
        Some(count)
    }

    fn tell(&self, anomaly: Anomaly) {
        if let Ok(mut problem) = self.problem.lock() {
            problem.get_or_insert(anomaly);
        }
    }
}

impl<M: Map> Source for Mapped<M> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        read_pieces(self.length, offset, buffer, |at, rest| self.read_place(at, rest))
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn next_data(&self, offset: u64) -> u64 {
        /// Holes that are passed at one call; the caller asks again.
        const STEPS: u32 = 1 << 16;
        let mut at = offset;
        for _ in 0..STEPS {
            match self.map.locate(self.file.as_ref(), at) {
                Place::Hole(length) if at < self.length => at = at.saturating_add(length.max(1)),
                _ => break,
            }
        }
        at.min(self.length.max(offset))
    }

    fn problem(&self) -> Option<Anomaly> {
        self.problem.lock().ok().and_then(|problem| problem.clone())
    }
}

/// What a reader makes of a file: the disk, and what is to be said about it.
pub(crate) struct Opened {
    disk: Arc<dyn Source>,
    remarks: Vec<Anomaly>,
}

/// Gives the one disk that a file holds.
struct Disk {
    found: Found,
}

impl Disk {
    fn open(budget: &Budget, opened: Result<Opened, Anomaly>) -> Box<dyn Unpack> {
        let mut found = Found::new(budget);
        match opened {
            Ok(opened) => {
                if let Err(reached) = found.member(Name::new(b"disk"), opened.disk, None) {
                    found.remark(None, reached.into());
                }
                opened.remarks.into_iter().for_each(|anomaly| found.remark(None, anomaly));
            }
            Err(anomaly) => found.remark(None, anomaly),
        }
        found.end();
        Box::new(Disk { found })
    }
}

impl Search for Disk {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        Ok(())
    }
}

/// A number of `N` bytes of a table in the file; `None` past its end.
pub(crate) fn table_entry<const N: usize>(file: &dyn Source, table: u64, index: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let size = u64::try_from(N).ok()?;
    let at = table.checked_add(index.checked_mul(size)?)?;
    dachs_base::read_exact_at(file, at, &mut bytes).then_some(bytes)
}
