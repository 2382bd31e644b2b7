//! Sixteen streams of MD5 side by side with NEON: a lane of 32 bits for each, in four registers.
//!
//! The steps of the four registers do not wait for each other, so that a processor that can begin several vector instructions at once is
//! never without. The words of the blocks are more than there are registers: four streams after the other are turned from rows to
//! columns, and wait in memory.

#![allow(unsafe_code, reason = "vector loads and stores")]
#![allow(clippy::indexing_slicing, reason = "of arrays of sixteen and four, by numbers below that")]

use std::arch::aarch64::*;

use super::{each, has_neon};
use crate::arch::steps::rounds;
use crate::md5::{BLOCK, KEYS, LANES, States};

/// Sixteen lanes.
type Lanes = [uint32x4_t; 4];

/// See [`crate::arch::digest`].
pub(in crate::arch) fn digest(states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    assert!(has_neon(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { neon(states, blocks) }
}

macro_rules! turn {
    ($value:expr, $by:literal) => {{
        let value: Lanes = $value;
        each(|at| vsriq_n_u32::<{ 32 - $by }>(vshlq_n_u32::<$by>(value[at]), value[at]))
    }};
}

/// The mixtures of the four rounds (RFC 1321, 3.4); where one of two words is chosen by the bits of a third, by that instruction.
#[target_feature(enable = "neon")]
fn neon(states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let add = |one: Lanes, two: Lanes| each(|at| vaddq_u32(one[at], two[at]));
    let key = |step: usize| [vdupq_n_u32(KEYS.get(step).copied().unwrap_or(0)); 4];
    let first = |b: Lanes, c: Lanes, d: Lanes| each(|at| vbslq_u32(b[at], c[at], d[at]));
    let second = |b: Lanes, c: Lanes, d: Lanes| each(|at| vbslq_u32(d[at], b[at], c[at]));
    let third = |b: Lanes, c: Lanes, d: Lanes| each(|at| veorq_u32(b[at], veorq_u32(c[at], d[at])));
    let fourth = |b: Lanes, c: Lanes, d: Lanes| each(|at| veorq_u32(c[at], vornq_u32(b[at], d[at])));
    // SAFETY: each of the four is sixteen words of 32 bits.
    let mut state = each(|word| each(|at| unsafe { vld1q_u32(states[word].as_ptr().add(4 * at)) }));
    for at in 0..count {
        let words = words(&blocks, at);
        let [a, b, c, d] = state;
        rounds!(state, words, add, key, turn, (first, second, third, fourth));
        let [e, f, g, h] = state;
        state = [add(a, e), add(b, f), add(c, g), add(d, h)];
    }
    for (lanes, state) in states.iter_mut().zip(state) {
        for (at, four) in state.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { vst1q_u32(lanes.as_mut_ptr().add(4 * at), four) };
        }
    }
}

/// The sixteen words of a block of each stream.
#[inline]
#[target_feature(enable = "neon")]
fn words(blocks: &[&[[u8; BLOCK]]; LANES], at: usize) -> [Lanes; 16] {
    let mut words = [[vdupq_n_u32(0); 4]; 16];
    for (four, streams) in blocks.as_chunks::<4>().0.iter().enumerate() {
        let [a, b, c, d] = streams;
        let (Some(a), Some(b), Some(c), Some(d)) = (a.get(at), b.get(at), c.get(at), d.get(at)) else { continue };
        for part in 0..4 {
            let row = |block: &[u8; BLOCK]| {
                // SAFETY: a block is 64 bytes, four times sixteen.
                unsafe { vld1q_u32(block.as_ptr().add(16 * part).cast()) }
            };
            let columns = columns([row(a), row(b), row(c), row(d)]);
            for (word, column) in (4 * part..).zip(columns) {
                words[word][four] = column;
            }
        }
    }
    words
}

/// A square of words, its rows made columns.
#[inline]
#[target_feature(enable = "neon")]
fn columns([a, b, c, d]: Lanes) -> Lanes {
    let wide = |words| vreinterpretq_u64_u32(words);
    let (low, high) = ([vtrn1q_u32(a, b), vtrn2q_u32(a, b)], [vtrn1q_u32(c, d), vtrn2q_u32(c, d)]);
    each(|at| {
        let (one, two) = (wide(low[at % 2]), wide(high[at % 2]));
        vreinterpretq_u32_u64(if at < 2 { vtrn1q_u64(one, two) } else { vtrn2q_u64(one, two) })
    })
}
