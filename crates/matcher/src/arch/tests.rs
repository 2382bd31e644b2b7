//! All ways find the same positions.

use super::*;
use crate::filter::{self, Hash, PAIR_WORDS, STRIDE};
use crate::joint;

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
    let bytes = noise(7, 30_000);
    let words = |count: usize, seed| -> Vec<u32> {
        let bytes = noise(seed, count * 4);
        bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
    };
    let sparse = |mask: u32| {
        let mut map = [0; PAIR_WORDS];
        let numbers = words(PAIR_WORDS, 3).into_iter().map(|word| word & word.rotate_left(7) & mask);
        map.iter_mut().zip(numbers).for_each(|(word, number)| *word = number);
        // One byte and any behind it.
        (0..256).for_each(|second| map[(second << 8 | 0xE9) >> 5] |= 1 << (0xE9 & 31));
        Short::new(&map)
    };
    let shorts = [sparse(0x1111_F0F0), sparse(0x0100_0010), sparse(0), None];
    for count in [2, 1 << 4, 1 << 11, 1 << 17] {
        let words = words(count, 5);
        for short in &shorts {
            let shift = 32 - count.ilog2();
            let filters = Filters { words: &words, shift, short: short.as_deref() };
            let passes = |at: &usize| {
                let eight = filter::load(&bytes, *at);
                let pair = |pair: [u8; 2]| short.as_ref().is_some_and(|short| filter::has_pair(&short.pairs, pair));
                joint::has_long(&words, shift, Hash::new(eight)) || filter::pairs_of(eight).into_iter().any(pair)
            };
            for (first, to) in [
                (0, 3000),
                (1, 30_000),
                (2, 29_999),
                (2, 2),
                (5, 40),
                (17, 2990),
                (2990, 3000),
                (2936, 3000),
                (8, 3),
                (29_990, 30_000),
            ] {
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
        let filters = Filters { words: &[0; 2], shift: 31, short: None };
        let mut found = Vec::new();
        passing(way, &filters, &noise(9, 1000), (0, 1000), &mut found);
        assert!(found.is_empty(), "{way:?}");
    }
}
