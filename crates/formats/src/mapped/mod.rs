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
//! A disk that builds on another file is incomplete: what stands in the other file was not seen.

mod qcow;
mod vhd;
mod vhdx;
mod vmdk;

use std::io::Read;
use std::sync::{Arc, Mutex};

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Name, Source};

use crate::{Found, Search, Unpack};

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
    /// Nowhere: so many zeros.
    Hole(u64),
    /// In a compressed cluster.
    Packed(Packed),
    /// Where it should stand there is nothing.
    Broken(&'static str),
}

/// A compressed cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Where its compressed bytes stand in the file, and how many there are at most.
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Where it begins on the disk.
    pub(crate) first: u64,
    /// How many bytes it has.
    pub(crate) size: usize,
    pub(crate) method: Method,
}

/// How a cluster is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// DEFLATE without a frame.
    Deflate,
    /// DEFLATE in a zlib stream.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// A disk, as a source.
pub(crate) struct Mapped<M> {
    map: M,
    file: Arc<dyn Source>,
    length: u64,
    budget: Budget,
    state: Mutex<State>,
    /// For the cluster that is kept.
    _memory: Charge,
}

#[derive(Default)]
struct State {
    problem: Option<Anomaly>,
    /// The compressed cluster that was read last: where it stands, and its bytes.
    cluster: Option<(u64, Arc<[u8]>)>,
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
        let memory = budget.reserve(cluster)?;
        let file = Arc::clone(file);
        Ok(Mapped { map, file, length, budget: budget.clone(), state: Mutex::default(), _memory: memory })
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
        let cluster = self.cluster(packed)?;
        let from = usize::try_from(offset.checked_sub(packed.first)?).ok()?;
        let rest = cluster.get(from..).filter(|rest| !rest.is_empty())?;
        let count = rest.len().min(buffer.len());
        buffer.get_mut(..count)?.copy_from_slice(rest.get(..count)?);
        Some(count)
    }

    fn cluster(&self, packed: Packed) -> Option<Arc<[u8]>> {
        let mut state = self.state.lock().ok()?;
        if let Some((start, bytes)) = &state.cluster
            && *start == packed.start
        {
            return Some(Arc::clone(bytes));
        }
        match unpack(self.file.as_ref(), packed, &self.budget) {
            Ok(bytes) => {
                state.cluster = Some((packed.start, Arc::clone(&bytes)));
                Some(bytes)
            }
            Err(anomaly) => {
                state.problem.get_or_insert(anomaly);
                None
            }
        }
    }

    fn tell(&self, anomaly: Anomaly) {
        if let Ok(mut state) = self.state.lock() {
            state.problem.get_or_insert(anomaly);
        }
    }
}

impl<M: Map> Source for Mapped<M> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let mut done = 0;
        while done < wanted {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            let Some(rest) = buffer.get_mut(done..wanted) else { break };
            match self.read_place(at, rest) {
                Some(count) if count > 0 => done += count,
                _ => break,
            }
        }
        done
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
        self.state.lock().ok().and_then(|state| state.problem.clone())
    }
}

/// The bytes of a compressed cluster.
fn unpack(file: &dyn Source, packed: Packed, budget: &Budget) -> Result<Arc<[u8]>, Anomaly> {
    let _input = budget.reserve(packed.length)?;
    budget.charge_bytes(u64::try_from(packed.size).unwrap_or(u64::MAX))?;
    let broken = || Anomaly::damaged("a compressed cluster of the disk is broken");
    let input = dachs_base::read_vec_at(file, packed.start, usize::try_from(packed.length).map_err(|_| broken())?);
    let mut plain = vec![0; packed.size];
    let whole = match packed.method {
        Method::Deflate => inflate(&input, false, &mut plain),
        Method::Zlib => inflate(&input, true, &mut plain),
        Method::Zstd => unzstd(&input, &mut plain),
    };
    if whole { Ok(plain.into()) } else { Err(broken()) }
}

/// Decompresses into all of `plain`; bytes behind the stream are of no account.
fn inflate(input: &[u8], zlib: bool, plain: &mut [u8]) -> bool {
    let mut inflater = flate2::Decompress::new(zlib);
    let result = inflater.decompress(input, plain, flate2::FlushDecompress::Finish);
    result.is_ok() && usize::try_from(inflater.total_out()).is_ok_and(|count| count == plain.len())
}

/// The same for Zstandard.
fn unzstd(input: &[u8], plain: &mut [u8]) -> bool {
    let decoder = ruzstd::decoding::StreamingDecoder::new(input);
    decoder.is_ok_and(|mut decoder| decoder.read_exact(plain).is_ok())
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
fn table_entry<const N: usize>(file: &dyn Source, table: u64, index: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let size = u64::try_from(N).ok()?;
    let at = table.checked_add(index.checked_mul(size)?)?;
    dachs_base::read_exact_at(file, at, &mut bytes).then_some(bytes)
}
