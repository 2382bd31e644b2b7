//! Signs that are looked for while somebody else reads the object, so that it need not be read once more for them.
//!
//! ```text
//! reader   ──read_at──>  Watched  ──read_at──>  object
//!                          └─ each byte that is read for the first time, in order: signs
//! ```
//!
//! Whoever goes through an object front to back (the matcher) is given a [`Watched`] in its place. What it knows at the end is as good
//! as a search of its own; where it was not read to the end, or not in one go, it knows nothing, and the search reads the object.
//! A program of 8 MB was read twice from the kernel before, and the second time out of a core's caches.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dachs_base::{Anomaly, Source};

use super::LONGEST;
use super::signs::{self, Sign};

/// More places than these are not kept: the search reads the object then.
const MOST_PLACES: usize = 1 << 12;

/// An object that is looked at while it is read.
pub struct Watched<'s> {
    source: &'s dyn Source,
    seen: Mutex<Seen>,
}

/// Where signs stand in an object, ascending.
pub struct Places(Vec<(u64, &'static Sign)>);

impl Places {
    pub(super) fn into_iter(self) -> std::vec::IntoIter<(u64, &'static Sign)> {
        self.0.into_iter()
    }
}

#[derive(Default)]
struct Seen {
    /// All bytes before were looked at.
    position: u64,
    /// The last of them.
    tail: Vec<u8>,
    places: Vec<(u64, &'static Sign)>,
    /// The end was reached.
    ended: bool,
    /// There are too many places.
    lost: bool,
}

impl<'s> Watched<'s> {
    pub(super) fn new(source: &'s dyn Source) -> Watched<'s> {
        Watched { source, seen: Mutex::default() }
    }

    /// Where signs stand, if all of the object was read, front to back.
    #[must_use]
    pub fn places(self) -> Option<Places> {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        (seen.ended && !seen.lost).then_some(Places(seen.places))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Takes bytes that were read at an offset, `ended` if they are the last.
    fn take(&mut self, offset: u64, bytes: &[u8], ended: bool) {
        let known = self.position.checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        // Not what was read before, and not what stands farther on: whoever asks for that now will read it again in its turn, or else
        // the end is never reached.
        let Some(fresh) = known.and_then(|known| bytes.get(known..)).filter(|_| !self.lost) else { return };
        self.look(fresh);
        self.ended |= ended;
    }

    /// Looks at the next bytes: first at the border, for what began before it.
    fn look(&mut self, fresh: &[u8]) {
        let border = self.tail.len();
        self.tail.extend(fresh.iter().take(LONGEST));
        let start = self.position.saturating_sub(as_u64(border));
        let crosses = |place: usize, sign: &Sign| place < border && place.saturating_add(sign.length()) > border;
        let crossing = signs::places(&self.tail).into_iter().filter(|(place, sign)| crosses(*place, sign));
        let inside = signs::places(fresh);
        self.places.extend(crossing.map(|(place, sign)| (start.saturating_add(as_u64(place)), sign)));
        self.places.extend(inside.into_iter().map(|(place, sign)| (self.position.saturating_add(as_u64(place)), sign)));
        self.position = self.position.saturating_add(as_u64(fresh.len()));
        if fresh.len() >= LONGEST {
            self.tail.clear();
            self.tail.extend(fresh.iter().skip(fresh.len().saturating_sub(LONGEST)));
        } else {
            self.tail.drain(..self.tail.len().saturating_sub(LONGEST));
        }
        if self.places.len() > MOST_PLACES {
            self.lost = true;
            self.places = Vec::new();
        }
    }
}

impl Source for Watched<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let got = self.source.read_at(offset, buffer).min(buffer.len());
        self.seen().take(offset, buffer.get(..got).unwrap_or(&[]), got < buffer.len());
        got
    }

    fn len(&self) -> u64 {
        self.source.len()
    }

    fn known_len(&self) -> Option<u64> {
        self.source.known_len()
    }

    fn next_data(&self, offset: u64) -> u64 {
        self.source.next_data(offset)
    }

    fn held(&self) -> Option<&[u8]> {
        self.source.held()
    }

    fn keeps(&self) -> bool {
        self.source.keeps()
    }

    fn problem(&self) -> Option<Anomaly> {
        self.source.problem()
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::Memory;

    /// Bytes of which each sign stands at several places, also side by side.
    fn object() -> Vec<u8> {
        let magics: Vec<&[u8]> = signs::SIGNS.iter().map(|sign| sign.magic()).collect();
        let noise = |count: usize| (0..count).map(|at| b"MPR%7"[at * at % 5]);
        (0..60).flat_map(|at| magics[at % 10].iter().copied().chain(noise(at * 7 % 40)).collect::<Vec<u8>>()).collect()
    }

    fn told(places: Option<Places>) -> Option<Vec<(u64, &'static [u8])>> {
        places.map(|places| places.into_iter().map(|(at, sign)| (at, sign.magic())).collect())
    }

    #[test]
    fn what_is_read_in_order_is_known_as_well_as_by_a_search() {
        let bytes = object();
        let expected: Vec<(u64, &[u8])> =
            signs::places(&bytes).into_iter().map(|(at, sign)| (as_u64(at), sign.magic())).collect();
        assert!(expected.len() > 50);
        for step in [1, 2, 3, 7, 23, 24, 25, 40, 100, 5_000] {
            for repeated in [0, 1, 30] {
                let memory = Memory::new(bytes.clone());
                let watched = Watched::new(&memory);
                let mut at = 0;
                loop {
                    let from = at - repeated.min(at);
                    let mut buffer = vec![0; step + at - from];
                    if watched.read_at(as_u64(from), &mut buffer) < buffer.len() {
                        break;
                    }
                    at += step;
                }
                assert_eq!(told(watched.places()), Some(expected.clone()), "{step} {repeated}");
            }
        }
    }

    #[test]
    fn what_is_not_read_wholly_is_not_known() {
        let bytes = object();
        let memory = Memory::new(bytes.clone());
        for reads in [&[(0, 100)][..], &[], &[(50, 5_000)], &[(0, 10), (11, 5_000)], &[(0, bytes.len())]] {
            let watched = Watched::new(&memory);
            for (at, count) in reads {
                watched.read_at(*at, &mut vec![0; *count]);
            }
            assert!(watched.places().is_none(), "{reads:?}");
        }
        let many = Memory::new(b"MZ".repeat(MOST_PLACES + 1));
        let watched = Watched::new(&many);
        watched.read_at(0, &mut vec![0; 1 << 20]);
        assert!(watched.places().is_none());
    }
}
