//! What the scan of one object remembers: which parts of patterns were found, and where they ended.
//!
//! Parts of one pattern are found in their order, because each begins behind the anchor of the one before. So when part
//! k+1 is found, everything that it can join is known:
//!
//! ```text
//! part 0 found at (start, ends)           -> level 0 keeps (start, ends)
//! part 1 found, gap to an end in level 0  -> level 1 keeps (that start, its own ends), and so on
//! the last part found and joined          -> a hit at that start; the start leaves all levels
//! ```
//!
//! Memory is bounded, by [`PENDING`] for a level and [`TOTAL`] for an object, and what that can lose is this. Before an open gap
//! only a start's earliest end is kept, which loses nothing; when the level is full, later starts are not taken, so such a
//! pattern is still found, but with fewer starts than it has. Before a bounded gap ends that lie too far back are dropped,
//! which loses nothing; when the level is full, the item with the first start is dropped, so of more than [`PENDING`] within one gap's
//! reach the latest count. When the object's total is reached, each level still keeps [`FLOOR`].
//!
//! A pattern whose first byte can lie at several distances before its anchor can find one start from several anchors. It
//! remembers what it reported for that distance, the last [`REPORTED`]; of more than these one may be reported twice.
//!
//! Of most patterns nobody asks for more than whether they are there. Before an open gap they keep one item, that with the
//! earliest end, and once the filter has passed that end their first part is not looked at again ([`Progress::is_settled`]).
//! A part behind the first is looked at only if the first was found.

use std::collections::{BTreeMap, VecDeque};

use crate::bits::Bits;

/// The most items a level keeps; an item is a start and a run of neighbouring ends.
const PENDING: usize = 1024;
/// The most items all levels of an object keep together, but for [`FLOOR`] each.
const TOTAL: usize = 1 << 18;
/// What a level keeps at least.
const FLOOR: usize = 8;
/// Items that are compared one by one for each candidate.
const FEW: usize = 16;
/// The most reported starts that a pattern remembers.
const REPORTED: usize = 4096;

/// The patterns found up to some part, and the starts that were reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// By pattern and by the order of the part; each ascending.
    levels: BTreeMap<(u32, u32), Level>,
    /// The starts of each pattern that were reported, as long as they could be found again.
    reported: BTreeMap<u32, Vec<u64>>,
    /// The patterns whose first part was found.
    begun: Bits,
    /// The patterns whose first part need not be confirmed, because its level is full and takes no more.
    full: Bits,
    /// The patterns whose first part need never be confirmed again: they are asked for once, and what is kept ends first.
    settled: Bits,
    total: usize,
}

/// A pattern found up to some part, which ends anywhere between `first` and `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    start: u64,
    first: u64,
    last: u64,
}

/// The patterns found up to one part.
#[derive(Clone, Debug, Default)]
struct Level {
    /// Ascending.
    items: VecDeque<Pending>,
    /// Before an open gap: no item ends behind this.
    latest: u64,
}

impl Level {
    /// Has all that the level before keeps come to this one? Both keep all starts if the gaps behind them are open, so that their number
    /// says it. Before a bounded gap starts are dropped, so each is looked for, if there are not too many.
    fn continues(&self, before: &Level, gap: Option<u32>) -> bool {
        if gap.is_none() {
            return self.items.len() >= before.items.len();
        }
        let is_here = |pending: &Pending| self.items.binary_search_by_key(&pending.start, |here| here.start).is_ok();
        before.items.len() <= FEW && before.items.iter().rev().all(is_here)
    }
}

/// What lies behind a part: how it limits what must be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    pub(crate) min: u32,
    /// Absent for any number.
    pub(crate) max: Option<u32>,
}

impl Progress {
    pub(crate) fn clear(&mut self) {
        self.levels.clear();
        self.reported.clear();
        self.begun.clear();
        self.full.clear();
        self.settled.clear();
        self.total = 0;
    }

    /// Bytes of memory that it holds, roughly.
    pub(crate) fn memory(&self) -> usize {
        let items = self.levels.values().map(|level| level.items.capacity()).sum::<usize>();
        let reported = self.reported.values().map(Vec::capacity).sum::<usize>();
        let maps = (self.levels.len() + self.reported.len()).saturating_mul(128);
        let flat = items.saturating_mul(size_of::<Pending>()).saturating_add(reported.saturating_mul(8));
        let bits = [&self.begun, &self.full, &self.settled].map(Bits::memory);
        flat.saturating_add(maps).saturating_add(bits.iter().sum())
    }

    /// Keeps, of a pattern that is asked for once, that the part `order` was found with an end at any of `ends` (ascending).
    pub(crate) fn keep_once(&mut self, pattern: u32, order: u32, start: u64, ends: &[u64], next: Option<u32>) {
        let Some(&end) = ends.first().filter(|_| next.is_none()) else {
            return self.keep(pattern, order, start, ends, next);
        };
        if order == 0 {
            self.begun.enter(pattern);
        }
        let level = &mut self.levels.entry((pattern, order)).or_default().items;
        let new = Pending { start, first: end, last: end };
        match level.front_mut() {
            Some(kept) if kept.first <= end => {}
            Some(kept) => *kept = new,
            None => {
                level.push_back(new);
                self.total = self.total.saturating_add(1);
            }
        }
    }

    /// Is the pattern's first part, of which nobody asks for more than whether it is there, found so that nothing that is
    /// found from the position `now` on can end before it?
    pub(crate) fn is_settled(&mut self, pattern: u32, now: u64) -> bool {
        if self.settled.has(pattern) {
            return true;
        }
        let settled = self.begun.has(pattern)
            && self
                .levels
                .get(&(pattern, 0))
                .and_then(|level| level.items.front())
                .is_some_and(|kept| kept.first <= now);
        if settled {
            self.settled.enter(pattern);
        }
        settled
    }

    /// Was it found before that nothing more can be learnt from the pattern's first part?
    pub(crate) fn was_settled(&self, pattern: u32) -> bool {
        self.settled.has(pattern)
    }

    /// Is the pattern found up to this part?
    pub(crate) fn has_come_to(&self, pattern: u32, order: u32) -> bool {
        self.levels.get(&(pattern, order)).is_some_and(|level| !level.items.is_empty())
    }

    /// Is a part behind the first not worth a look at the position `now`? Because nothing that it could continue was found;
    /// or because an open gap is behind it, and all that it could continue was continued already, with an earlier end. `gap` is the most
    /// of the gap before it.
    pub(crate) fn is_vain(&self, pattern: u32, order: u32, (gap, next): (Option<u32>, Option<u32>), now: u64) -> bool {
        if !self.begun.has(pattern) {
            return true;
        }
        let before = order.checked_sub(1).and_then(|before| self.levels.get(&(pattern, before)));
        let Some(before) = before.filter(|before| !before.items.is_empty()) else { return true };
        let here = if next.is_none() { self.levels.get(&(pattern, order)) } else { None };
        here.is_some_and(|here| here.latest <= now && here.continues(before, gap))
    }

    /// Keeps that the part `order` of `pattern` was found for `start` with an end at any of `ends` (ascending).
    /// `next` is the most of the gap behind it.
    pub(crate) fn keep(&mut self, pattern: u32, order: u32, start: u64, ends: &[u64], next: Option<u32>) {
        if order == 0 {
            self.begun.enter(pattern);
        }
        let Level { items: level, latest } = self.levels.entry((pattern, order)).or_default();
        let before = level.len();
        let room = if self.total >= TOTAL { FLOOR } else { PENDING };
        match next {
            None => {
                keep_earliest(level, start, ends, room);
                *latest = ends.first().map_or(*latest, |end| (*latest).max(*end));
            }
            Some(_) => runs(start, ends).for_each(|run| keep_latest(level, run, room)),
        }
        self.total = self.total.saturating_sub(before).saturating_add(level.len());
    }

    /// The starts that part `order` continues if it starts at any of `starts` behind `gap`. Forgets what lies too far back for
    /// any part that starts at `oldest` or later.
    pub(crate) fn join(&mut self, pattern: u32, order: u32, starts: &[u64], gap: Gap, oldest: u64) -> Vec<u64> {
        let level = order.checked_sub(1).and_then(|before| self.levels.get_mut(&(pattern, before)));
        let Some(level) = level.map(|level| &mut level.items) else { return Vec::new() };
        if let Some(max) = gap.max {
            let count = level.len();
            level.retain(|pending| pending.last.saturating_add(u64::from(max)) >= oldest);
            self.total = self.total.saturating_sub(count - level.len());
        }
        let fits = |pending: &&Pending| starts.iter().any(|start| gap.joins(pending, *start));
        let mut joined = level.iter().filter(fits).map(|pending| pending.start).collect::<Vec<_>>();
        joined.sort_unstable();
        joined.dedup();
        joined
    }

    /// Notes that the pattern is reported at `start`; false if it was before. The start can be found again from anchors up
    /// to `back` bytes behind it; `now` is the filter's position.
    pub(crate) fn report(&mut self, pattern: u32, start: u64, back: u32, now: u64) -> bool {
        let reported = self.reported.entry(pattern).or_default();
        reported.retain(|start| start.saturating_add(u64::from(back)).saturating_add(RECENT) >= now);
        if reported.contains(&start) {
            return false;
        }
        if reported.len() >= REPORTED {
            reported.remove(0);
        }
        reported.push(start);
        true
    }

    /// Was the pattern reported at `start`, so far as it is remembered?
    pub(crate) fn was_reported(&self, pattern: u32, start: u64) -> bool {
        self.reported.get(&pattern).is_some_and(|reported| reported.contains(&start))
    }

    /// Notes whether the first level of a pattern takes no more. `next` is the most of the gap behind it: before an open gap a
    /// full level stays as it is. The pattern's first part has every start once.
    pub(crate) fn note_full(&mut self, pattern: u32, next: Option<u32>) {
        if next.is_none() && self.levels.get(&(pattern, 0)).is_some_and(|level| level.items.len() >= PENDING) {
            self.full.enter(pattern);
        }
    }

    pub(crate) fn is_full(&self, pattern: u32) -> bool {
        self.full.has(pattern)
    }

    /// Forgets a start of a pattern of several parts.
    pub(crate) fn forget(&mut self, pattern: u32, start: u64) {
        self.full.remove(pattern);
        for (_, level) in self.levels.range_mut((pattern, 0)..=(pattern, u32::MAX)) {
            let before = level.items.len();
            level.items.retain(|pending| pending.start != start);
            self.total = self.total.saturating_sub(before - level.items.len());
        }
    }
}

/// How far behind its anchor's start a filter's position can lie.
const RECENT: u64 = crate::keys::REACH as u64;

impl Gap {
    /// Is any of the ends so far before `start` as the gap is long?
    fn joins(self, pending: &Pending, start: u64) -> bool {
        let Some(nearest) = start.checked_sub(u64::from(self.min)) else { return false };
        let farthest = self.max.map_or(0, |max| start.saturating_sub(u64::from(max)));
        farthest <= nearest && pending.first <= nearest && pending.last >= farthest
    }
}

/// The runs of neighbours among ascending ends.
fn runs(start: u64, ends: &[u64]) -> impl Iterator<Item = Pending> {
    let neighbours = |a: &u64, b: &u64| a.checked_add(1) == Some(*b);
    ends.chunk_by(neighbours).filter_map(move |run| Some(Pending { start, first: *run.first()?, last: *run.last()? }))
}

fn keep_earliest(level: &mut VecDeque<Pending>, start: u64, ends: &[u64], room: usize) {
    let Some(&end) = ends.first() else { return };
    let at = level.partition_point(|pending| pending.start < start);
    if let Some(known) = level.get_mut(at).filter(|known| known.start == start) {
        known.first = known.first.min(end);
        known.last = known.first;
    } else if level.len() < room {
        level.insert(at, Pending { start, first: end, last: end });
    }
}

fn keep_latest(level: &mut VecDeque<Pending>, new: Pending, room: usize) {
    if level.binary_search(&new).is_ok() {
        return;
    }
    if level.len() >= room {
        level.pop_front();
    }
    level.insert(level.partition_point(|pending| *pending < new), new);
}
