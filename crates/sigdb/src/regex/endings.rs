//! What stands before a stretch of plain bytes in an expression: a quick no where the stretch itself does occur.
//!
//! Two hundred and sixty real expressions name programs that mails carry, and all need `.exe`: one mail that speaks of a program
//! had ninety of them compiled and searched, each for nothing. What most want before that stretch is enough to tell.
//!
//! ```text
//! [A-Z]{3}\s?[0-9]{2,4}\.exe        [0-9] [0-9] before ".exe"
//! ```
//!
//! Where the stretch stands is found once for all expressions that have it ([`Places`]).

use memchr::memmem;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter stretches stand nearly everywhere.
const SHORTEST: usize = 3;
/// So many bytes before a stretch are looked at.
const BEFORE: usize = 8;
/// Of more places than this in an object none are kept.
const MOST_PLACES: usize = 256;
/// No more stretches are looked for in one object.
const MOST_STRETCHES: usize = 64;

/// A stretch of bytes that is part of all matches of an expression, and what stands before it.
#[derive(Debug)]
pub(crate) struct Ending {
    stretch: Vec<u8>,
    /// The bytes that may stand before the stretch, the nearest first.
    before: Vec<Set>,
}

/// A set of bytes, a bit each.
type Set = [u64; 4];

impl Ending {
    /// That of the longest stretch, if anything is known of what stands before it.
    pub(super) fn of(hir: &Hir) -> Option<Ending> {
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let stretches = parts.iter().enumerate().filter_map(|(at, part)| match part.kind() {
            HirKind::Literal(literal) if at > 0 && literal.0.len() >= SHORTEST => Some((at, &literal.0)),
            _ => None,
        });
        let (at, stretch) = stretches.max_by_key(|(_, stretch)| stretch.len())?;
        let mut before = Vec::new();
        for part in parts.get(..at)?.iter().rev() {
            if !add(part, &mut before) {
                break;
            }
        }
        before.truncate(BEFORE);
        (!before.is_empty()).then(|| Ending { stretch: stretch.to_vec(), before })
    }

    /// Bytes that it takes, roughly.
    pub(super) fn memory(&self) -> usize {
        self.stretch.len().saturating_add(self.before.len().saturating_mul(size_of::<Set>()))
    }

    /// Could a match stand around the stretch at a place?
    fn fits(&self, bytes: &[u8], place: usize) -> bool {
        let seen = bytes.get(..place).unwrap_or_default().iter().rev();
        let fitting = seen.zip(&self.before).take_while(|(byte, set)| holds(set, **byte)).count();
        fitting == self.before.len()
    }
}

/// Adds what stands at the end of a part, from there to the front. False if what is before the part can stand elsewhere than before that.
fn add(part: &Hir, before: &mut Vec<Set>) -> bool {
    if before.len() >= BEFORE {
        return false;
    }
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            before.extend(literal.0.iter().rev().take(BEFORE).map(|byte| set_of(*byte, *byte)));
            true
        }
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class.ranges().iter().map(|range| set_of(range.start(), range.end()));
            before.push(ranges.fold([0; 4], |all, range| {
                std::array::from_fn(|word| all.get(word).copied().unwrap_or(0) | range.get(word).copied().unwrap_or(0))
            }));
            true
        }
        HirKind::Repetition(repetition) => {
            let most = u32::try_from(BEFORE).unwrap_or(u32::MAX);
            let all = (0..repetition.min.min(most)).all(|_| add(&repetition.sub, before));
            all && repetition.min <= most && repetition.max == Some(repetition.min)
        }
        HirKind::Capture(capture) => add(&capture.sub, before),
        HirKind::Concat(parts) => parts.iter().rev().all(|part| add(part, before)),
        HirKind::Class(_) | HirKind::Alternation(_) => false,
    }
}

fn set_of(first: u8, last: u8) -> Set {
    let mut set = [0; 4];
    for byte in first..=last {
        if let Some(word) = set.get_mut(usize::from(byte / 64)) {
            *word |= 1 << (byte % 64);
        }
    }
    set
}

fn holds(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte / 64)).is_some_and(|word| word >> (byte % 64) & 1 == 1)
}

/// Where in one object stretches stand, of those that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Each stretch with its places; without, if they are too many.
    found: Vec<(Vec<u8>, Option<Vec<usize>>)>,
}

impl Places {
    /// Could an expression with this ending match in these bytes? They are the same each time.
    pub(crate) fn may_match(&mut self, bytes: &[u8], ending: &Ending) -> bool {
        let at = self.found.iter().position(|(stretch, _)| *stretch == ending.stretch);
        if at.is_none() && self.found.len() >= MOST_STRETCHES {
            return true;
        }
        let at = at.unwrap_or_else(|| {
            self.found.push((ending.stretch.clone(), find(bytes, &ending.stretch)));
            self.found.len().saturating_sub(1)
        });
        let places = self.found.get(at).and_then(|(_, places)| places.as_ref());
        places.is_none_or(|places| places.iter().any(|place| ending.fits(bytes, *place)))
    }
}

/// Where a stretch stands, if not in too many places.
fn find(bytes: &[u8], stretch: &[u8]) -> Option<Vec<usize>> {
    // Places may overlap: each begins behind the beginning of the one before.
    let finder = memmem::Finder::new(stretch);
    let mut places = Vec::new();
    let mut from = 0_usize;
    while let Some(place) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
        places.push(from.saturating_add(place));
        from = from.saturating_add(place).saturating_add(1);
        if places.len() > MOST_PLACES {
            return None;
        }
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn ending(text: &str) -> Option<Ending> {
        Ending::of(&parse(text, "").unwrap())
    }

    /// What stands before, in the order of the text: each set as its lowest byte and how many there are.
    fn before(text: &str) -> Vec<(u8, u32)> {
        let sets = ending(text).map(|ending| ending.before).unwrap_or_default();
        let lowest = |set: &Set| (0..=255).find(|byte| holds(set, *byte)).unwrap_or_default();
        sets.iter().rev().map(|set| (lowest(set), set.iter().map(|word| word.count_ones()).sum())).collect()
    }

    #[test]
    fn what_stands_before_is_told_as_far_as_it_is_fixed() {
        for (text, wanted) in [
            (r"[a-c]{2}\.exe", vec![(b'a', 3), (b'a', 3)]),
            (r"x[0-9]{1,3}\.exe", vec![(b'0', 10)]),
            (r"[a-z][0-9]{2,}\.exe", vec![(b'0', 10), (b'0', 10)]),
            (r"a[0-9]?\.exe", vec![]),
            (r"(x[ab])(\.exe)", vec![]),
            (r"(x[ab])\.exe", vec![(b'x', 1), (b'a', 2)]),
            (r"(ab|cde)[xy]\.exe", vec![(b'x', 2)]),
            (r"([ab][cd]){2}\.exe", vec![(b'a', 2), (b'c', 2), (b'a', 2), (b'c', 2)]),
            (r"([ab]c?){2}\.exe", vec![]),
            (r"[ab]\b\.exe", vec![(b'a', 2)]),
            (r"\.exe[ab]", vec![]),
            (r"[ab]\.e", vec![]),
            (r"[ab]\.ex", vec![(b'a', 2)]),
            (r"[ab]\.ex[cd]archive", vec![(b'a', 2), (b'.', 1), (b'e', 1), (b'x', 1), (b'c', 2)]),
            (r"[ab]{99}\.exe", vec![(b'a', 2); BEFORE]),
        ] {
            assert_eq!(before(text), wanted, "{text}");
        }
    }

    #[test]
    fn places_are_found_once_and_all() {
        let ending = ending(r"[0-9]{2}aaaa").unwrap();
        let mut places = Places::default();
        assert!(places.may_match(b"1 11aaaaaa", &ending));
        assert_eq!(places.found, [(b"aaaa".to_vec(), Some(vec![4, 5, 6]))]);
        assert!(!Places::default().may_match(b"aaaa 1aaaa x1aaaa", &ending));
        assert!(!Places::default().may_match(b"1aaaa", &ending));
        assert!(Places::default().may_match(&[b'a'; 1_000], &ending), "too many to be kept");
    }
}
