//! All ways find the same positions.

use zerocopy::little_endian::U32;

use super::*;
use crate::filter::{self, Hash, PAIR_WORDS, STRIDE};

fn noise(mut seed: u64, count: usize) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
}

#[test]
fn all_ways_find_what_the_filters_say() {
    let bytes = noise(7, 3000);
    let words = |count: usize, seed| -> Vec<U32> {
        let bytes = noise(seed, count * 4);
        bytes.as_chunks::<4>().0.iter().map(|four| U32::new(u32::from_le_bytes(*four))).collect()
    };
    let pairs = noise(3, 4 * PAIR_WORDS);
    let mut map = [0; PAIR_WORDS];
    let sparse = |four: &[u8; 4]| u32::from_le_bytes(*four) & u32::from_le_bytes(*four).rotate_left(7) & 0x1111_F0F0;
    map.iter_mut().zip(pairs.as_chunks::<4>().0).for_each(|(word, four)| *word = sparse(four));
    for (one, two) in [(2, 1 << 11), (1 << 4, 2), (1 << 17, 1 << 8)] {
        let (one, two) = (words(one, 5), words(two, 11));
        for pairs in [&map, &[0; PAIR_WORDS]] {
            let filters = Filters { long: [Bitmap::new(&one), Bitmap::new(&two)], pairs };
            let passes = |at: &usize| {
                let eight = filter::load(&bytes, *at);
                filters.long.iter().any(|bitmap| bitmap.has(Hash::new(eight)))
                    || filter::pairs_of(eight).iter().any(|pair| filter::has_pair(pairs, *pair))
            };
            for (first, to) in [(0, 3000), (1, 2999), (2, 2), (5, 40), (17, 2990), (2990, 3000), (2936, 3000), (8, 3)] {
                let expected: Vec<u32> =
                    (first..to).step_by(STRIDE).filter(passes).map(|at| u32::try_from(at).unwrap()).collect();
                for way in Way::all() {
                    let mut found = vec![99];
                    passing(way, &filters, &bytes, (first, to), &mut found);
                    assert_eq!(found[1..], expected, "{way:?} {first}..{to}");
                }
            }
        }
    }
}

#[test]
fn nothing_passes_what_is_empty() {
    for way in Way::all() {
        let filters = Filters { long: [Bitmap::EMPTY; 2], pairs: &[0; PAIR_WORDS] };
        let mut found = Vec::new();
        passing(way, &filters, &noise(9, 1000), (0, 1000), &mut found);
        assert!(found.is_empty(), "{way:?}");
    }
}
