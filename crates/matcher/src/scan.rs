//! Scanning an object, window by window.

use crate::arch;
use crate::bits::Bits;
use crate::code;
use crate::confirm::{self, Way};
use crate::filter::{self, Bitmap, Hash, PAIR_WORDS, Pairs, STRIDE};
use crate::joint::{self, Filter, Short};
use crate::keys;
use crate::layout::{AROUND, Entry, LAST, ONCE, PartHead, WAKES};
use crate::marks::{self, Side};
use crate::progress::{Gap, Progress};
use crate::set::Patterns;
use crate::woken;

/// Positions that are filtered before their candidates are examined.
const CHUNK: usize = 1 << 14;
/// Windows longer than this are scanned only so far; candidates hold positions in 32 bits.
const MAX_WINDOW: usize = 1 << 30;
/// Candidates of the second set that wait for the first one to be done with a window.
const LATE: usize = 1 << 15;

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
    /// The pairs that are looked for in this object; absent as long as they are the set's. Those that nobody looks for any more
    /// are dropped, those of a part behind the first wake when the part before it is found.
    pairs: Option<Box<Pairs>>,
    /// The parts whose pairs woke.
    awake: Bits,
    /// The pairs that woke at the candidate at hand: the filter did not look for them yet.
    woken: Vec<u16>,
    /// The pairs that are still looked for by all sets that are scanned together, in the state of the first; absent as long
    /// as they are all.
    left: Option<Option<Box<Short>>>,
    /// Pairs were dropped since `left` was made.
    is_stale: bool,
    /// The set's own filter, if nobody else keeps one.
    filter: Option<Box<Filter>>,
    /// What stood around the last candidate, of each kind of key, of which nothing was learnt that depends on where it is.
    barren: [Option<Box<Around>>; 2],
    candidates: Vec<u32>,
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
        self.pairs = None;
        self.awake.clear();
        self.woken.clear();
        self.left = None;
        self.is_stale = false;
        self.filter = None;
        self.barren = [None, None];
    }

    /// Bytes of memory that it holds, roughly: 8 KiB for most objects, some 6 MB for the worst.
    #[must_use]
    pub fn memory(&self) -> usize {
        let flat = size_of::<Pairs>() + size_of::<Short>() + 2 * size_of::<Around>() + size_of::<State>();
        let lists =
            self.candidates.capacity().saturating_mul(4).saturating_add(self.starts.capacity().saturating_mul(16));
        let bits = self.muted.memory().saturating_add(self.awake.memory());
        flat.saturating_add(lists).saturating_add(bits).saturating_add(self.progress.memory())
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
        let filter = state.filter.take().unwrap_or_else(|| Box::new(Filter::new([self])));
        let flow = scan_all(&mut [(self, state)], &filter, window, &mut |_, found| hit(found));
        state.filter = Some(filter);
        flow
    }

    /// Does the pattern match from `start` (an offset in the object)? Then its nearest end. The window must hold
    /// [`Patterns::reach`] bytes from there, or be the last, and the two bytes before, or be the first; what it does not hold
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
        code::encode(&prefix, Way::Back, &mut head);
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

    /// Looks at what the filter says of a position. Absent if the scan is to stop.
    fn examine(&self, state: &mut State, window: View<'_>, at: usize, hit: &mut dyn FnMut(Hit) -> Flow) -> Option<()> {
        let here = filter::load(window.bytes, at);
        if filter::check(self.sections.checks, here) {
            let number = filter::long_bucket(Hash::new(here));
            let bucket = filter::bucket(&self.sections.long, number);
            self.try_all(state, (window, at), (0, number, bucket), hit)?;
        }
        if self.sections.short.words.is_empty() {
            return Some(());
        }
        for (at, pair) in (at..).zip(filter::pairs_of(here)) {
            if self.has_pair(state, pair) {
                let number = filter::pair_bucket(pair);
                let bucket = filter::bucket(&self.sections.short, number);
                self.try_all(state, (window, at), (1, number, bucket), hit)?;
                let mut alike = bucket.iter().filter(|entry| entry.tag == filter::tag(number));
                if alike.all(|entry| self.is_idle(state, entry.part.get())) {
                    self.change_pair(state, u16::from_le_bytes(pair), false);
                }
            }
        }
        Some(())
    }

    /// Confirms the entries of a bucket that agree with the bytes around a position. Absent if the scan is to stop.
    fn try_all(
        &self,
        state: &mut State,
        (window, at): (View<'_>, usize),
        (kind, number, bucket): (usize, u32, &[Entry]),
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        state.statistics.candidates += 1;
        state.statistics.entries += bucket.len() as u64;
        let tag = filter::tag(number);
        if bucket.iter().all(|entry| entry.tag != tag || !agrees_at(window.bytes, at, entry)) {
            return Some(());
        }
        let around = Around::new(window.bytes, at);
        let last = state.barren.get(kind).and_then(Option::as_deref);
        if last.is_some_and(|last| *last == around) {
            return Some(());
        }
        let mut barren = true;
        for entry in bucket.iter().filter(|entry| entry.tag == tag && around.agrees(entry)) {
            state.statistics.confirmations += 1;
            let part = self.part(entry.part.get()).filter(|part| part.pattern.get() < self.count());
            let Some(part) = part else { continue };
            if !state.is_done(part) {
                barren = false;
                self.confirm(state, window, at, (entry, part), hit)?;
            }
        }
        if barren {
            state.note_barren(kind, around);
        }
        Some(())
    }

    /// Absent if the scan is to stop.
    fn confirm(
        &self,
        state: &mut State,
        window: View<'_>,
        at: usize,
        (entry, part): (&Entry, &PartHead),
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        if state.is_vain(part, window.offset(at)) {
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
        if found && part.flags & WAKES != 0 {
            self.wake_next(state, (entry.part.get(), part));
        }
        flow
    }

    /// A part was found: if it continues what was found before, the pairs of the next are looked for from now on. The next
    /// lies wholly behind this one, and so behind the position at hand.
    fn wake_next(&self, state: &mut State, (number, part): (u32, &PartHead)) {
        let next = number.saturating_add(1);
        if state.awake.has(next) || !state.progress.has_come_to(part.pattern.get(), part.order.get()) {
            return;
        }
        let pairs = self.part(next).map_or_else(Vec::new, |next| self.short_keys(next));
        pairs.iter().for_each(|pair| self.change_pair(state, *pair, true));
        state.awake.enter(next);
        state.woken.extend(pairs);
    }

    /// Looks for a pair from now on, or no more.
    fn change_pair(&self, state: &mut State, pair: u16, wanted: bool) {
        let pairs = state.pairs.get_or_insert_with(|| {
            let mut pairs = Box::new([0; PAIR_WORDS]);
            pairs.iter_mut().zip(self.sections.short.words).for_each(|(to, word)| *to = word.get());
            pairs
        });
        if let Some(word) = pairs.get_mut(usize::from(pair >> 5)) {
            let bit = 1 << (pair & 31);
            *word = if wanted { *word | bit } else { *word & !bit };
            state.is_stale = true;
        }
    }

    /// Can nothing more be learnt from a part, or not until another of its pattern is found?
    fn is_idle(&self, state: &State, number: u32) -> bool {
        let part = self.part(number);
        part.is_none_or(|part| state.is_done(part) || !(part.is_first() || state.awake.has(number)))
    }

    pub(crate) fn bitmap(&self) -> Bitmap<'_> {
        Bitmap::new(self.sections.long.words)
    }

    /// Is the pair still looked for?
    fn has_pair(&self, state: &State, pair: [u8; 2]) -> bool {
        let number = u16::from_le_bytes(pair);
        let at = usize::from(number >> 5);
        let word = match &state.pairs {
            Some(pairs) => pairs.get(at).copied(),
            None => self.sections.short.words.get(at).map(|word| word.get()),
        };
        word.unwrap_or(0) >> (number & 31) & 1 != 0
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

/// Finds the patterns of several sets in the next window of an object, in one pass over the bytes. `filter` is that of these
/// sets. Each hit comes with the index of its set; in a window those of a set mostly come before those of the next. Windows
/// repeat [`Patterns::overlap_of`] the sets. Else as [`Patterns::scan`].
pub fn scan_all<'s, 'p>(
    sets: &mut [(&'s Patterns<'p>, &'s mut State)],
    filter: &Filter,
    window: Window<'_>,
    hit: &mut dyn FnMut(usize, Hit) -> Flow,
) -> Flow {
    let Some(window) = View::new(window) else { return Flow::Go };
    let scanned = scan_together(sets, filter, window, hit);
    if scanned.is_some() { Flow::Go } else { Flow::Stop }
}

/// Absent if the scan is to stop.
fn scan_together<'s, 'p>(
    sets: &mut [(&'s Patterns<'p>, &'s mut State)],
    filter: &Filter,
    window: View<'_>,
    hit: &mut dyn FnMut(usize, Hit) -> Flow,
) -> Option<()> {
    let next = sets.iter().map(|(_, state)| state.next).max().unwrap_or(0);
    let needed = sets.iter().map(|(patterns, _)| patterns.forward()).max().unwrap_or(0);
    let to = window.bytes.len().saturating_sub(if window.last { 0 } else { needed });
    let mut from = usize::try_from(next.saturating_sub(window.base)).unwrap_or(usize::MAX);
    let mut candidates = sets.first_mut().map(|(_, state)| std::mem::take(&mut state.candidates)).unwrap_or_default();
    let (mut kept, mut late) = (Vec::new(), vec![Vec::new(); sets.len().saturating_sub(1)]);
    let way = arch::Way::best();
    while from < to {
        let until = from.saturating_add(CHUNK).min(to);
        refresh(sets);
        candidates.clear();
        let sampled = from.saturating_add(usize::from((window.base ^ from as u64) & 1 != 0));
        let left = sets.first().and_then(|(_, state)| state.left.as_ref());
        arch::passing(way, &filter.filters(left), window.bytes, (sampled, until), &mut candidates);
        let Some(((first, state), rest)) = sets.split_first_mut() else { break };
        kept.clear();
        first.sift(state, window, &candidates, &mut kept);
        first.examine_all(state, window, (&kept, until), &mut |found| hit(0, found))?;
        for (number, ((patterns, state), late)) in (1..).zip(rest.iter_mut().zip(&mut late)) {
            patterns.sift(state, window, &candidates, late);
            if late.len() > LATE {
                patterns.examine_all(state, window, (late, until), &mut |found| hit(number, found))?;
                late.clear();
            }
        }
        from = until;
    }
    let next = next.max(window.base.saturating_add(from as u64));
    for (number, ((patterns, state), late)) in (1..).zip(sets.iter_mut().skip(1).zip(&mut late)) {
        patterns.examine_all(state, window, (late, from), &mut |found| hit(number, found))?;
        state.next = next;
    }
    if let Some((_, state)) = sets.first_mut() {
        state.candidates = candidates;
        state.next = next;
    }
    Some(())
}

/// Works out which pairs are still looked for, if some were dropped.
fn refresh<'s, 'p>(sets: &mut [(&'s Patterns<'p>, &'s mut State)]) {
    if !sets.iter().any(|(_, state)| state.is_stale) {
        return;
    }
    let mut pairs = [0; PAIR_WORDS];
    for (patterns, state) in sets.iter_mut() {
        joint::join_pairs(&mut pairs, patterns, state.pairs.as_deref());
        state.is_stale = false;
    }
    if let Some((_, state)) = sets.first_mut() {
        state.left = Some(Short::new(&pairs));
    }
}

impl Patterns<'_> {
    /// Adds those of the candidates to `kept` that this set may have a part for: by the second check of long keys, or by
    /// the set's own pairs. Without a branch, since what stands in an object cannot be foretold; so the words of many
    /// positions are waited for at once.
    fn sift(&self, state: &State, window: View<'_>, candidates: &[u32], kept: &mut Vec<u32>) {
        let mut count = kept.len();
        kept.resize(count.saturating_add(candidates.len()), 0);
        let has_long = !self.sections.long.entries.is_empty();
        for at in candidates {
            let here = filter::load(window.bytes, *at as usize);
            let wanted = (has_long & filter::check(self.sections.checks, here)) | self.has_pairs(state, here);
            kept.get_mut(count).into_iter().for_each(|place| *place = *at);
            count = count.saturating_add(usize::from(wanted));
        }
        kept.truncate(count);
    }

    /// Is one of the pairs that begin at a sampled position and behind it looked for?
    fn has_pairs(&self, state: &State, here: [u8; 8]) -> bool {
        let [one, two] = filter::pairs_of(here);
        !self.sections.short.words.is_empty() && (self.has_pair(state, one) | self.has_pair(state, two))
    }

    /// Looks at all candidates, which are all that the filter passes before `until`. Once pairs wake, they are looked for
    /// behind, chunk by chunk. Absent if the scan is to stop.
    fn examine_all(
        &self,
        state: &mut State,
        window: View<'_>,
        (candidates, until): (&[u32], usize),
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        let mut candidates = candidates.iter().map(|at| *at as usize);
        while let Some(at) = candidates.next() {
            self.examine(state, window, at, hit)?;
            if !state.woken.is_empty() {
                let rest = candidates.collect::<Vec<_>>();
                return self.examine_rest(state, window, (at.saturating_add(STRIDE), &rest, until), hit);
            }
        }
        Some(())
    }

    /// Looks at candidates from a position on, and for pairs that woke before it, or wake on the way.
    fn examine_rest(
        &self,
        state: &mut State,
        window: View<'_>,
        (mut from, mut rest, until): (usize, &[usize], usize),
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Option<()> {
        let mut woken = std::mem::take(&mut state.woken);
        while from < until {
            let end = from.saturating_add(CHUNK).min(until);
            let (here, behind) = rest.split_at(rest.partition_point(|at| *at < end));
            let mut wanted = here.to_vec();
            woken::places(&woken, window.bytes, (from, end), &mut wanted);
            while let Some(at) = wanted.pop() {
                self.examine(state, window, at, hit)?;
                if !state.woken.is_empty() {
                    woken::places(&state.woken, window.bytes, (at.saturating_add(STRIDE), end), &mut wanted);
                    woken.append(&mut state.woken);
                }
            }
            (from, rest) = (from.saturating_add(CHUNK), behind);
        }
        Some(())
    }
}

impl State {
    /// Can nothing more be learnt from a part, wherever it is found?
    pub(crate) fn is_done(&self, part: &PartHead) -> bool {
        let pattern = part.pattern.get();
        self.muted.has(pattern) || (part.order.get() == 0 && self.progress.was_settled(pattern))
    }

    /// Can nothing more be learnt from a part that the filter finds at `now`?
    fn is_vain(&mut self, part: &PartHead, now: u64) -> bool {
        let pattern = part.pattern.get();
        let next = limit(part.next_max.get()).or((part.flags & LAST != 0).then_some(0));
        if part.order.get() > 0 {
            return self.progress.is_vain(pattern, part.order.get(), (limit(part.gap_max.get()), next), now);
        }
        let settles = part.flags & ONCE != 0 && next.is_none();
        self.progress.is_full(pattern) || (settles && self.progress.is_settled(pattern, now))
    }

    /// Notes that nothing is to be learnt from a position with these bytes around it.
    fn note_barren(&mut self, kind: usize, around: Around) {
        match self.barren.get_mut(kind) {
            Some(Some(place)) => **place = around,
            Some(place) => *place = Some(Box::new(around)),
            None => {}
        }
    }

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
        if let ([start], [end, ..], 0, 0, LAST) = (starts, ends, order, part.again.get(), part.flags & (LAST | ONCE)) {
            return self.hit(pattern, window.offset(*start), window.offset(*end), hit);
        }
        let now = window.offset(at);
        let starts = starts.iter().map(|start| window.offset(*start)).collect::<Vec<u64>>();
        let ends = ends.iter().map(|end| window.offset(*end)).collect::<Vec<u64>>();
        let firsts = if order == 0 {
            starts
        } else {
            let gap = Gap { min: part.gap_min.get(), max: limit(part.gap_max.get()) };
            let oldest = now.saturating_sub(u64::from(part.back.get())).saturating_sub(u64::from(keys::REACH));
            self.progress.join(pattern, order, &starts, gap, oldest)
        };
        let again = part.again.get();
        let once = part.flags & ONCE != 0;
        let firsts = if once { firsts.get(..1).unwrap_or_default() } else { &firsts };
        for start in firsts.iter().copied() {
            if part.flags & LAST == 0 && once {
                self.progress.keep_once(pattern, order, start, &ends, limit(part.next_max.get()));
                continue;
            }
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
#[derive(Clone, Debug)]
struct Around([u8; 3 * AROUND]);

impl PartialEq for Around {
    /// All at once, in registers: in long runs of one byte they are alike.
    fn eq(&self, other: &Around) -> bool {
        let (one, two) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let differs = |(one, two): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*one) ^ u64::from_le_bytes(*two);
        one.iter().zip(two).map(differs).fold(0, |all, some| all | some) == 0
    }
}

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

/// As [`Around::agrees`], and true where the eight bytes do not lie in the window.
fn agrees_at(bytes: &[u8], at: usize, entry: &Entry) -> bool {
    let eight = start_of_eight(entry, at).and_then(|start| bytes.get(start..)).and_then(|rest| rest.first_chunk());
    eight.is_none_or(|eight| u64::from_le_bytes(*eight) & entry.mask.get() == entry.value.get())
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
