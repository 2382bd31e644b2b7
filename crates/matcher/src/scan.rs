//! Scanning an object, window by window.

use crate::bits::Bits;
use crate::code;
use crate::confirm::{self, Way};
use crate::filter::{self, Candidate, Filter};
use crate::layout::{AROUND, Entry, LAST, PartHead};
use crate::marks::{self, Side};
use crate::progress::{Gap, Progress};
use crate::set::Patterns;

/// Positions that are filtered before their candidates are examined.
const CHUNK: usize = 1 << 14;
/// Windows longer than this are scanned only so far; candidates hold positions in 31 bits.
const MAX_WINDOW: usize = 1 << 30;

/// A stretch of an object. Windows are consecutive, and each repeats at least [`Patterns::overlap`] bytes of the one before.
/// A window holds at most 1 GiB.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The offset of `bytes[0]` in the object.
    pub base: u64,
    /// True if the object ends with this window.
    pub last: bool,
}

/// A pattern found. Every distinct start of every pattern is reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Which pattern.
    pub pattern: u32,
    /// The offset of its first byte in the object.
    pub start: u64,
    /// The offset behind its last byte; where several ends belong to one start, one of them.
    pub end: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Go,
    /// Go on, but report no more hits of this pattern in this object.
    Enough,
    /// Stop; the object needs no further scanning.
    Stop,
}

/// What the scan of one object with one set remembers from window to window: bounded, see the essay of `progress`.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The first position that was not filtered yet.
    next: u64,
    progress: Progress,
    /// The patterns of which there were enough hits.
    muted: Bits,
    statistics: Statistics,
    candidates: Vec<Candidate>,
    starts: Vec<usize>,
    ends: Vec<usize>,
}

/// How much work a scan was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Positions that passed the filter.
    pub candidates: u64,
    /// Entries of the buckets of these positions.
    pub entries: u64,
    /// Entries whose eight bytes agreed, so that a part was confirmed or not.
    pub confirmations: u64,
}

impl State {
    /// For the start of an object.
    #[must_use]
    pub fn new() -> State {
        State::default()
    }

    /// Makes it as new, keeping its memory for the next object.
    pub fn reset(&mut self) {
        self.next = 0;
        self.progress.clear();
        self.muted.clear();
        self.statistics = Statistics::default();
    }

    /// How much work the scan was so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }
}

impl Patterns<'_> {
    /// Finds the patterns in the next window of an object. After [`Flow::Stop`] from `hit` the scan ends at once, and gives
    /// back [`Flow::Stop`]; the state is then of no use but for [`State::reset`].
    pub fn scan(&self, state: &mut State, window: Window<'_>, hit: &mut dyn FnMut(Hit) -> Flow) -> Flow {
        let Some(window) = View::new(window) else { return Flow::Go };
        let filter = Filter { long: self.sections.long, short: self.sections.short };
        let needed = if window.last { 0 } else { self.forward() };
        let to = window.bytes.len().saturating_sub(needed);
        let mut from = usize::try_from(state.next.saturating_sub(window.base)).unwrap_or(usize::MAX);
        while from < to {
            let until = from.saturating_add(CHUNK).min(to);
            let mut candidates = std::mem::take(&mut state.candidates);
            candidates.clear();
            filter.candidates(window.bytes, window.base, from, until, &mut candidates);
            let flow = candidates.iter().try_for_each(|candidate| self.examine(state, window, *candidate, hit));
            state.candidates = candidates;
            if flow.is_none() {
                return Flow::Stop;
            }
            from = until;
            state.next = window.base.saturating_add(from as u64);
        }
        Flow::Go
    }

    /// Does the pattern match from `start` (an offset in the object)? Then its nearest end. The window must hold
    /// [`Patterns::reach`] bytes from there, or be the last, and the byte before, or be the first; what it does not hold
    /// does not match. For patterns of one part, as all of [`crate::Builder::add_placed`] are.
    #[must_use]
    pub fn match_at(&self, pattern: u32, window: Window<'_>, start: u64) -> Option<u64> {
        let window = View::new(window)?;
        let part = self.only_part(pattern)?;
        let code = self.code(part)?;
        let at = usize::try_from(start.checked_sub(window.base)?).ok().filter(|at| *at <= window.bytes.len())?;
        if !window.bordered(code.before, Side::Left, at) {
            return None;
        }
        let mut ends = vec![at];
        let prefix = code::decode(code.prefix, code::DEPTH)?;
        let mut head = Vec::new();
        code::encode(&code::mirrored(&prefix), &mut head);
        confirm::run(&head, Way::On, window.bytes, &mut ends);
        confirm::run(code.suffix, Way::On, window.bytes, &mut ends);
        ends.into_iter().find(|end| window.bordered(code.after, Side::Right, *end)).map(|end| window.offset(end))
    }

    /// How many bytes from its start [`Patterns::match_at`] can need for this pattern, two for its border included.
    /// Absent for a pattern that it cannot be asked for.
    #[must_use]
    pub fn reach(&self, pattern: u32) -> Option<u64> {
        let part = self.only_part(pattern)?;
        Some(u64::from(part.back.get()).saturating_add(u64::from(part.forward.get())).saturating_add(2))
    }

    /// Absent if the scan is to stop.
    fn examine(
        &self,
        state: &mut State,
        window: View<'_>,
        candidate: Candidate,
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        let at = candidate.at();
        let here = filter::load(window.bytes, at);
        let bucket = if candidate.is_short() {
            let [first, second, ..] = here.to_le_bytes();
            filter::bucket(&self.sections.short, filter::pair_hash(u16::from_le_bytes([first, second])))
        } else {
            filter::bucket(&self.sections.long, filter::hash(here))
        };
        state.statistics.candidates += 1;
        state.statistics.entries += bucket.len() as u64;
        let around = Around::new(window.bytes, at);
        bucket.iter().filter(|entry| around.agrees(entry)).try_for_each(|entry| {
            state.statistics.confirmations += 1;
            self.confirm(state, window, at, entry, hit)
        })
    }

    /// Absent if the scan is to stop.
    fn confirm(
        &self,
        state: &mut State,
        window: View<'_>,
        at: usize,
        entry: &Entry,
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        let Some(part) = self.part(entry.part.get()).filter(|part| part.pattern.get() < self.count()) else {
            return Some(());
        };
        let is_full = part.order.get() == 0 && state.progress.is_full(part.pattern.get());
        if is_full || state.muted.has(part.pattern.get()) {
            return Some(());
        }
        if entry.whole > 0 {
            let end = start_of_eight(entry, at).and_then(|start| start.checked_add(usize::from(entry.whole)));
            let Some(end) = end.filter(|end| *end <= window.bytes.len()) else { return Some(()) };
            let start = end.saturating_sub(usize::from(entry.whole));
            return state.hit(part.pattern.get(), window.offset(start), window.offset(end), hit);
        }
        let Some(anchor) = at.checked_sub(usize::from(entry.shift)) else { return Some(()) };
        let (mut starts, mut ends) = (std::mem::take(&mut state.starts), std::mem::take(&mut state.ends));
        let found = self.extent(part, window, anchor, &mut starts, &mut ends);
        let flow = if found { state.found(part, window, at, (&starts, &ends), hit) } else { Some(()) };
        (state.starts, state.ends) = (starts, ends);
        flow
    }

    /// Finds where the part starts and ends if its anchor is at `anchor`; false if it does not match there.
    fn extent(
        &self,
        part: &PartHead,
        window: View<'_>,
        anchor: usize,
        starts: &mut Vec<usize>,
        ends: &mut Vec<usize>,
    ) -> bool {
        let Some(code) = self.code(part) else { return false };
        ends.clear();
        ends.push(anchor);
        confirm::run(code.suffix, Way::On, window.bytes, ends);
        ends.retain(|end| window.bordered(code.after, Side::Right, *end));
        if ends.is_empty() {
            return false;
        }
        starts.clear();
        starts.push(anchor);
        confirm::run(code.prefix, Way::Back, window.bytes, starts);
        starts.retain(|start| window.bordered(code.before, Side::Left, *start));
        !starts.is_empty()
    }
}

impl State {
    /// A part was found, with any of the starts and any of the ends. Absent if the scan is to stop.
    fn found(
        &mut self,
        part: &PartHead,
        window: View<'_>,
        at: usize,
        (starts, ends): (&[usize], &[usize]),
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        let (pattern, order) = (part.pattern.get(), part.order.get());
        if let ([start], [end, ..], 0, 0, LAST) = (starts, ends, order, part.again.get(), part.flags) {
            return self.hit(pattern, window.offset(*start), window.offset(*end), hit);
        }
        let now = window.offset(at);
        let starts = starts.iter().map(|start| window.offset(*start)).collect::<Vec<u64>>();
        let ends = ends.iter().map(|end| window.offset(*end)).collect::<Vec<u64>>();
        let firsts = if order == 0 {
            starts
        } else {
            let gap = Gap { min: part.gap_min.get(), max: limit(part.gap_max.get()) };
            let oldest = now.saturating_sub(u64::from(part.back.get())).saturating_sub(filter::STRIDE as u64);
            self.progress.join(pattern, order, &starts, gap, oldest)
        };
        let again = part.again.get();
        for start in firsts {
            if part.flags & LAST == 0 {
                if order > 0 || !self.progress.was_reported(pattern, start) {
                    self.progress.keep(pattern, order, start, &ends, limit(part.next_max.get()));
                    if order == 0 && again == 0 {
                        self.progress.note_full(pattern, limit(part.next_max.get()));
                    }
                }
                continue;
            }
            if order > 0 {
                self.progress.forget(pattern, start);
            }
            if again > 0 && !self.progress.report(pattern, start, again, now) {
                continue;
            }
            self.hit(pattern, start, ends.first().copied().unwrap_or(start), hit)?;
        }
        Some(())
    }

    /// Absent if the scan is to stop.
    fn hit(&mut self, pattern: u32, start: u64, end: u64, hit: &mut dyn FnMut(Hit) -> Flow) -> Option<()> {
        if self.muted.has(pattern) {
            return Some(());
        }
        match hit(Hit { pattern, start, end }) {
            Flow::Go => Some(()),
            Flow::Enough => {
                self.muted.enter(pattern);
                Some(())
            }
            Flow::Stop => None,
        }
    }
}

fn limit(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

/// The bytes around a candidate, as many as an entry's eight can lie in; zeros for those outside the window.
struct Around([u8; 3 * AROUND]);

impl Around {
    fn new(bytes: &[u8], at: usize) -> Around {
        let inside = at.checked_sub(AROUND).and_then(|from| bytes.get(from..)).and_then(|rest| rest.first_chunk());
        Around(inside.copied().unwrap_or_else(|| {
            let mut around = [0; 3 * AROUND];
            let skip = AROUND.saturating_sub(at);
            let rest = bytes.get(at.saturating_sub(AROUND)..).unwrap_or_default();
            around.iter_mut().skip(skip).zip(rest).for_each(|(to, from)| *to = *from);
            around
        }))
    }

    fn agrees(&self, entry: &Entry) -> bool {
        let eight = self.0.get(usize::from(entry.from)..).and_then(|rest| rest.first_chunk());
        eight.is_some_and(|eight| u64::from_le_bytes(*eight) & entry.mask.get() == entry.value.get())
    }
}

fn start_of_eight(entry: &Entry, at: usize) -> Option<usize> {
    at.saturating_add(usize::from(entry.from)).checked_sub(AROUND)
}

/// A window as the scan sees it.
#[derive(Clone, Copy)]
struct View<'a> {
    bytes: &'a [u8],
    base: u64,
    last: bool,
}

impl<'a> View<'a> {
    /// Absent for a window that lies beyond all offsets.
    fn new(window: Window<'a>) -> Option<View<'a>> {
        let bytes = window.bytes.get(..window.bytes.len().min(MAX_WINDOW))?;
        window.base.checked_add(bytes.len() as u64)?;
        Some(View { bytes, base: window.base, last: window.last })
    }

    fn offset(self, at: usize) -> u64 {
        self.base.saturating_add(at as u64)
    }

    /// Do all borders hold beside a position? What lies outside a window that is not the object's end is no border.
    fn bordered(self, borders: &[u8], side: Side, at: usize) -> bool {
        borders.is_empty() || {
            let inside = match side {
                Side::Left => at > 0 || self.base == 0,
                Side::Right => at < self.bytes.len() || self.last,
            };
            let holds =
                |number: &u8| code::border(*number).is_some_and(|border| marks::holds(border, side, self.bytes, at));
            inside && borders.iter().all(holds)
        }
    }
}
