//! Streams that stand in pieces: a [`Chain`] is a [`Source`] over runs of sectors, without a copy, and a [`Table`] says
//! which sector follows which (MS-CFB 2.1, 2.3).

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Source, read_vec_at};

/// Special values of a sector table (MS-CFB 2.1); smaller ones are sectors.
pub(super) const LAST_SECTOR: u32 = 0xffff_fffa;
/// The end of a chain.
pub(super) const END: u32 = 0xffff_fffe;
/// Runs that memory is reserved for at once, and what that costs.
const STEP: usize = 256;
const COST: u64 = 24 * STEP as u64;
/// Bytes of a table that are read at once.
const PAGE: u64 = 4096;
/// Sectors between two looks at the clock.
const CLOCK: u64 = 1024;

/// A stretch of a stream that stands in one piece.
struct Run {
    /// Where it begins in the stream.
    at: u64,
    /// Where it begins in the source below.
    from: u64,
    length: u64,
}

/// A stream, as far as its sectors could be found.
pub(super) struct Chain {
    below: Arc<dyn Source>,
    runs: Vec<Run>,
    length: u64,
    problem: Option<Anomaly>,
    memory: Vec<Charge>,
}

impl Chain {
    /// A stream without bytes.
    pub(super) fn empty(below: &Arc<dyn Source>) -> Chain {
        Chain { below: Arc::clone(below), runs: Vec::new(), length: 0, problem: None, memory: Vec::new() }
    }

    /// Adds `length` bytes that stand at `from`; false if there is no memory to note that.
    pub(super) fn push(&mut self, from: u64, length: u64, budget: &Budget) -> bool {
        let at = self.length;
        match self.runs.last_mut() {
            Some(run) if run.from.checked_add(run.length) == Some(from) => {
                run.length = run.length.saturating_add(length)
            }
            _ => {
                if self.runs.len() >= self.memory.len() * STEP {
                    match budget.reserve(COST) {
                        Ok(charge) => self.memory.push(charge),
                        Err(reached) => {
                            self.problem = Some(reached.into());
                            return false;
                        }
                    }
                }
                self.runs.push(Run { at, from, length });
            }
        }
        self.length = at.saturating_add(length);
        true
    }

    /// Notes why there are no more bytes; the first reason stays.
    pub(super) fn fail(&mut self, anomaly: Anomaly) {
        self.problem.get_or_insert(anomaly);
    }

    /// Ends the stream after `length` bytes, and says so if it has fewer.
    fn cut(&mut self, length: u64) {
        if length < self.length {
            self.length = length;
        } else if self.length < length {
            self.fail(Anomaly::damaged("its chain of sectors ends before its stated length"));
        }
    }

    /// The bytes from `offset` to the end of their run: where they stand, and how many there are.
    fn find(&self, offset: u64) -> Option<(u64, u64)> {
        let index = self.runs.partition_point(|run| run.at <= offset).checked_sub(1)?;
        let run = self.runs.get(index)?;
        let inside = offset.checked_sub(run.at)?;
        let left = run.length.checked_sub(inside)?.min(self.length.saturating_sub(offset));
        Some((run.from.checked_add(inside)?, left))
    }
}

impl Source for Chain {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some((from, left)) = self.find(offset.saturating_add(wide(done))) else { break };
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let got = rest.get_mut(..count).map_or(0, |piece| self.below.read_at(from, piece));
            done += got;
            if got < count || got == 0 {
                break;
            }
        }
        done
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn problem(&self) -> Option<Anomaly> {
        self.problem.clone()
    }
}

/// Where sectors stand in the source that holds them.
#[derive(Clone)]
pub(super) struct Sectors {
    pub(super) below: Arc<dyn Source>,
    /// Where sector 0 begins.
    pub(super) first: u64,
    /// Bytes in a sector.
    pub(super) size: u64,
    /// Bytes in the source below.
    pub(super) end: u64,
}

impl Sectors {
    /// Where a sector stands, and how many of its bytes there are.
    pub(super) fn place(&self, sector: u32) -> Option<(u64, u64)> {
        let from = u64::from(sector).checked_mul(self.size)?.checked_add(self.first)?;
        let length = self.end.checked_sub(from)?.min(self.size);
        (length > 0).then_some((from, length))
    }
}

/// A table of sectors: the FAT or the mini-FAT.
pub(super) struct Table {
    entries: Chain,
    page: Vec<u8>,
    /// Where the page begins.
    at: u64,
}

impl Table {
    /// The table that stands in `entries`.
    pub(super) fn new(entries: Chain) -> Table {
        Table { entries, page: Vec::new(), at: 0 }
    }

    /// What is wrong with the table itself.
    pub(super) fn problem(&self) -> Option<Anomaly> {
        self.entries.problem()
    }

    /// The sector after this one, or a special value; `None` if the table does not reach so far.
    pub(super) fn next(&mut self, sector: u32) -> Option<u32> {
        let offset = u64::from(sector).checked_mul(4)?;
        let start = offset - offset % PAGE;
        if start != self.at || self.page.is_empty() {
            self.page = read_vec_at(&self.entries, start, usize::try_from(PAGE).unwrap_or(0));
            self.at = start;
        }
        let inside = usize::try_from(offset - start).ok()?;
        let bytes = self.page.get(inside..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// The stream that begins at sector `start`: its first `length` bytes, or all of it.
    pub(super) fn chain(&mut self, sectors: &Sectors, start: u32, length: Option<u64>, budget: &Budget) -> Chain {
        let mut chain = Chain::empty(&sectors.below);
        let wanted = length.unwrap_or(u64::MAX);
        let mut sector = start;
        // Brent's way to find a cycle: compare with a sector that moves on at each power of two.
        let (mut mark, mut steps, mut power) = (start, 0_u64, 1_u64);
        while chain.length < wanted && sector != END {
            if let Err(reached) = check_time(steps, budget) {
                chain.fail(reached);
                break;
            }
            if sector >= LAST_SECTOR {
                chain.fail(Anomaly::damaged("its chain of sectors leads into unused space"));
                break;
            }
            let Some((from, bytes)) = sectors.place(sector) else {
                chain.fail(Anomaly::damaged("its chain of sectors leads out of the file"));
                break;
            };
            if !chain.push(from, bytes, budget) {
                break;
            }
            if chain.length >= wanted {
                break;
            }
            if bytes < sectors.size && (length.is_some() || self.next(sector) != Some(END)) {
                chain.fail(Anomaly::damaged("the file ends within it"));
                break;
            }
            let Some(next) = self.next(sector) else {
                chain.fail(Anomaly::damaged("the table of sectors ends too early"));
                break;
            };
            steps = steps.saturating_add(1);
            if next == mark {
                chain.fail(Anomaly::damaged("its chain of sectors is a circle"));
                break;
            }
            if steps == power {
                (mark, power) = (next, power.saturating_mul(2));
            }
            sector = next;
        }
        if let Some(length) = length {
            chain.cut(length);
        }
        chain
    }
}

fn check_time(steps: u64, budget: &Budget) -> Result<(), Anomaly> {
    match steps % CLOCK {
        0 => Ok(budget.check_time()?),
        _ => Ok(()),
    }
}

pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
