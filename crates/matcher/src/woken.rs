//! Where in a chunk pairs stand that woke in it.
//!
//! The filter looked through the chunk before they woke, and did not look for them. So they are looked for here, in what is left of
//! the chunk: a few pairs one by one, with comparisons that the compiler makes vectors of; many of them in a map.
//!
//! What it costs: each part of a pattern wakes once in an object, so each costs one more pass over a chunk at most.

use crate::filter::{self, PAIR_WORDS, STRIDE};

/// More pairs than these are looked up in a map.
const FEW: usize = 8;
/// Bytes that are compared together.
const STRETCH: usize = 64;

/// Adds the sampled positions from `first` to before `to` at which one of the pairs stands, or behind which one does, to
/// `wanted`, which is in descending order behind.
pub(crate) fn places(pairs: &[u16], bytes: &[u8], (first, to): (usize, usize), wanted: &mut Vec<usize>) {
    // The pair behind the last position has one byte more.
    let stretch = bytes.get(first..bytes.len().min(to.saturating_add(STRIDE))).unwrap_or_default();
    let mut found = Vec::new();
    let mut note = |at: usize| found.push(first.saturating_add(at - at % STRIDE));
    if pairs.len() <= FEW {
        pairs.iter().for_each(|pair| each(pair.to_le_bytes(), stretch, &mut note));
    } else {
        each_of_many(pairs, stretch, &mut note);
    }
    found.retain(|at| *at < to);
    // As if zeros followed the last byte.
    let end = bytes.len().saturating_sub(1).max(first);
    let is_woken = |at: &usize| {
        filter::pairs_of(filter::load(bytes, *at)).iter().any(|pair| pairs.contains(&u16::from_le_bytes(*pair)))
    };
    found.extend((end - (end - first) % STRIDE..to).step_by(STRIDE).filter(is_woken));
    wanted.extend(found);
    wanted.sort_unstable_by(|one, other| other.cmp(one));
    wanted.dedup();
}

/// Where a pair stands.
fn each([one, two]: [u8; 2], bytes: &[u8], note: &mut impl FnMut(usize)) {
    let seconds = bytes.get(1..).unwrap_or_default();
    let (firsts, rest) = bytes.get(..seconds.len()).unwrap_or_default().as_chunks::<STRETCH>();
    let (seconds, last) = seconds.as_chunks::<STRETCH>();
    let is_pair = |(first, second): (&u8, &u8)| (*first == one) & (*second == two);
    let mut look = |start: usize, (firsts, seconds): (&[u8], &[u8])| {
        let here = (start..).zip(firsts.iter().zip(seconds)).filter(|(_, pair)| is_pair(*pair));
        here.for_each(|(at, _)| note(at));
    };
    for ((firsts, seconds), start) in firsts.iter().zip(seconds).zip((0..).step_by(STRETCH)) {
        // All are compared, so that vectors do it.
        if firsts.iter().zip(seconds).fold(false, |any, pair| any | is_pair(pair)) {
            look(start, (firsts, seconds));
        }
    }
    look(firsts.len() * STRETCH, (rest, last));
}

fn each_of_many(pairs: &[u16], bytes: &[u8], note: &mut impl FnMut(usize)) {
    let mut map = [0; PAIR_WORDS];
    for pair in pairs {
        map.get_mut(usize::from(pair >> 5)).into_iter().for_each(|word| *word |= 1 << (pair & 31));
    }
    let pairs = (0..).zip(bytes.array_windows::<2>());
    pairs.filter(|(_, pair)| filter::has_pair(&map, **pair)).for_each(|(at, _)| note(at));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_are_found_in_descending_order() {
        let text: Vec<u8> =
            (0..5_000_u32).map(|at| at.wrapping_mul(at).wrapping_mul(2_654_435_761).to_be_bytes()[0] % 7).collect();
        for count in [0, 1, 3, 8, 9, 40] {
            let pairs: Vec<u16> =
                (0..count).map(|number: u16| (number * 5 % 49 % 7) << 8 | (number * 5 % 49 / 7)).collect();
            for (first, to) in [(0, 5_000), (1, 4_999), (6, 4_000), (6, 7), (4_998, 5_000), (4_999, 5_000), (10, 10)] {
                let is_wanted = |at: &usize| {
                    filter::pairs_of(filter::load(&text, *at))
                        .iter()
                        .any(|pair| pairs.contains(&u16::from_le_bytes(*pair)))
                };
                let mut expected: Vec<usize> = (first..to).step_by(2).filter(is_wanted).chain([6_000, 6_002]).collect();
                expected.sort_unstable_by(|one, other| other.cmp(one));
                let mut wanted = vec![6_002, 6_000];
                places(&pairs, &text, (first, to), &mut wanted);
                assert_eq!(wanted, expected, "{count} pairs, {first}..{to}");
            }
        }
    }
}
