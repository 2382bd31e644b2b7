//! Sets of patterns: `matcher::Patterns`.

use dachs_matcher::pattern::{Element, Mark, Pattern};
use dachs_matcher::{Builder, Flow, Hit, Patterns, State, Window, naive};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Takes the bytes as a set and what to search in it: the first two bytes say how long the set is.
pub fn hostile_set(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let (set, bytes) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    scan_hostile(set, bytes);
}

/// Takes the bytes as changes to a good set, each of two bytes for where and one for what, and as what to search in it: the
/// first byte says how many changes there are.
pub fn changed_set(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(good_set);
    let Some((count, rest)) = data.split_first() else { return };
    let (changes, bytes) = rest.split_at((usize::from(*count) * 3).min(rest.len()));
    let mut set = good.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % set.len();
        set[at] = change[2];
    }
    scan_hostile(&set, bytes);
}

/// A set with patterns of every sort that a recipe makes.
fn good_set() -> Vec<u8> {
    let mut builder = Builder::new();
    for seed in 0..=u8::MAX {
        let bytes: Vec<u8> = (0..64_u8).map(|place| seed.wrapping_mul(31) ^ place.wrapping_mul(seed | 1)).collect();
        let _ = builder.add(&Recipe { rest: &bytes }.pattern());
    }
    builder.finish()
}

fn scan_hostile(set: &[u8], bytes: &[u8]) {
    let Ok(patterns) = Patterns::new(set) else { return };
    let mut hits = 0;
    let window = Window { bytes, base: 0, last: true };
    patterns.scan(&mut State::new(), window, &mut |_| {
        hits += 1;
        if hits < 10_000 { Flow::Go } else { Flow::Stop }
    });
    for pattern in 0..patterns.count().min(100) {
        let _ = patterns.decode(pattern);
    }
}

/// Takes the bytes as a recipe for patterns, windows and an object, and compares with the naive search.
pub fn against_the_oracle(data: &[u8]) {
    let mut recipe = Recipe { rest: data };
    let wanted: Vec<Pattern> = (0..=recipe.below(4)).map(|_| recipe.pattern()).collect();
    let mut builder = Builder::new();
    let taken: Vec<(u32, &Pattern)> =
        wanted.iter().filter_map(|pattern| builder.add(pattern).ok().map(|number| (number, pattern))).collect();
    let set = builder.finish();
    let patterns = Patterns::new(&set).expect("a set that was just built");
    let step = 1 + recipe.below(64);
    let bytes = recipe.rest.get(..recipe.rest.len().min(600)).unwrap_or_default();

    let found = scan(&patterns, bytes, step);
    for (number, pattern) in taken {
        let expected: BTreeSet<u64> = naive::find(pattern, bytes).into_iter().map(|(start, _)| start).collect();
        let starts: Vec<u64> = found.iter().filter(|hit| hit.pattern == number).map(|hit| hit.start).collect();
        let distinct: BTreeSet<u64> = starts.iter().copied().collect();
        assert_eq!(distinct.len(), starts.len(), "a start was reported twice: {pattern:?}");
        assert_eq!(distinct, expected, "{pattern:?} in {bytes:02x?}, {step} bytes a step");
        assert!(patterns.decode(number).is_some(), "{pattern:?} is not decoded");
    }
}

/// All hits, found in windows that go on by `step` bytes.
fn scan(patterns: &Patterns<'_>, bytes: &[u8], step: usize) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut state = State::new();
    let mut end = 0;
    let mut start = 0;
    while start == 0 || end < bytes.len() {
        end = (end + step).min(bytes.len());
        let window = Window { bytes: &bytes[start..end], base: start as u64, last: end == bytes.len() };
        let mut collect = |hit: Hit| {
            hits.push(hit);
            Flow::Go
        };
        patterns.scan(&mut state, window, &mut collect);
        if end == bytes.len() {
            break;
        }
        start = end.saturating_sub(patterns.overlap());
    }
    hits
}

/// Turns bytes into small choices.
struct Recipe<'a> {
    rest: &'a [u8],
}

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    fn below(&mut self, count: u8) -> usize {
        usize::from(self.byte() % count)
    }

    fn pattern(&mut self) -> Pattern {
        let count = 2 + self.below(10);
        Pattern { elements: (0..count).map(|_| self.element(2)).collect() }
    }

    /// One element; alternatives are nested at most `depth` deep.
    fn element(&mut self, depth: u8) -> Element {
        match self.byte() % 16 {
            0 => Element::Byte { value: 0, mask: 0 },
            1 => Element::Byte { value: self.byte() & 0xf0, mask: 0xf0 },
            2 => Element::Byte { value: self.byte() & 0x0f, mask: 0x0f },
            3 => Element::Folded(b'a' + self.byte() % 26),
            4 => self.gap(),
            5 if depth > 0 => self.alternatives(depth),
            6 => Element::Mark { mark: self.mark(), negated: self.byte() % 2 == 1 },
            _ => Element::Byte { value: b'a' + self.byte() % 3, mask: 0xff },
        }
    }

    fn gap(&mut self) -> Element {
        let min = u32::from(self.byte() % 8);
        let max = match self.byte() % 3 {
            0 => None,
            1 => Some(min),
            _ => Some(min + u32::from(self.byte() % 8)),
        };
        Element::Gap { min, max }
    }

    fn alternatives(&mut self, depth: u8) -> Element {
        let negated = self.byte() % 8 == 0;
        let count = 1 + self.below(3);
        let length = 1 + self.below(2);
        let option = |recipe: &mut Self| {
            let length = if negated { length } else { recipe.below(4) };
            (0..length).map(|_| if negated { recipe.element(0) } else { recipe.element(depth - 1) }).collect()
        };
        Element::Alternatives { options: (0..count).map(|_| option(self)).collect(), negated }
    }

    fn mark(&mut self) -> Mark {
        match self.byte() % 3 {
            0 => Mark::Boundary,
            1 => Mark::Line,
            _ => Mark::Word,
        }
    }
}
