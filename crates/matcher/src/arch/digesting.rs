//! Sixteen streams of MD5 side by side: a lane of 32 bits for each, with AVX-512 in one register, with AVX2 in two.
//!
//! The words of sixteen blocks, each a row of a square, are made columns of it first, by four rounds of exchanges; then each step of
//! MD5 is done for all streams at once. What a step costs is its latency, as with one stream, so that sixteen take hardly longer.

#![allow(unsafe_code, reason = "vector loads and stores")]
#![allow(clippy::cast_possible_wrap, reason = "lanes are bits, whatever their sign")]
#![allow(clippy::indexing_slicing, reason = "of arrays of sixteen and eight, by numbers below that")]

use std::arch::x86_64::*;

use crate::arch::steps::rounds;
use crate::md5::{BLOCK, KEYS, LANES, States};

pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

pub(super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
}

/// See [`crate::arch::digest`].
pub(super) fn digest_avx512(states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    assert!(has_avx512(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { avx512(states, blocks) }
}

/// See [`crate::arch::digest`].
pub(super) fn digest_avx2(states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    assert!(has_avx2(), "asked for by a processor that has it");
    let (first, second) = blocks.split_at(LANES / 2);
    let (Some(first), Some(second)) = (first.first_chunk(), second.first_chunk()) else { return };
    // SAFETY: the first line establishes that the processor has the features that the function is compiled for.
    unsafe {
        avx2(states, 0, *first);
        avx2(states, LANES / 2, *second);
    }
}

macro_rules! turn_avx512 {
    ($value:expr, $by:literal) => {
        _mm512_rol_epi32::<$by>($value)
    };
}

macro_rules! turn_avx2 {
    ($value:expr, $by:literal) => {{
        let value = $value;
        _mm256_or_si256(_mm256_slli_epi32::<$by>(value), _mm256_srli_epi32::<{ 32 - $by }>(value))
    }};
}

/// The mixtures of the four rounds (RFC 1321, 3.4), by their tables of truth.
#[target_feature(enable = "avx512f")]
fn avx512(states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let add = |one, two| _mm512_add_epi32(one, two);
    let key = |step: usize| _mm512_set1_epi32(KEYS.get(step).copied().unwrap_or(0) as i32);
    let first = |b, c, d| _mm512_ternarylogic_epi32::<0xCA>(b, c, d);
    let second = |b, c, d| _mm512_ternarylogic_epi32::<0xE4>(b, c, d);
    let third = |b, c, d| _mm512_ternarylogic_epi32::<0x96>(b, c, d);
    let fourth = |b, c, d| _mm512_ternarylogic_epi32::<0x39>(b, c, d);
    // SAFETY: each of the four is sixteen words of 32 bits.
    let mut state = states.each_ref().map(|lanes| unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) });
    for at in 0..count {
        let mut rows = [_mm512_setzero_si512(); LANES];
        // No method of arrays: the compiler makes a call of it, which is not compiled for these registers.
        for (row, blocks) in rows.iter_mut().zip(&blocks) {
            if let Some(block) = blocks.get(at) {
                // SAFETY: a block is 64 bytes.
                *row = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
            }
        }
        let words = columns_avx512(rows);
        let [a, b, c, d] = state;
        rounds!(state, words, add, key, turn_avx512, (first, second, third, fourth));
        let [e, f, g, h] = state;
        state = [add(a, e), add(b, f), add(c, g), add(d, h)];
    }
    for (lanes, state) in states.iter_mut().zip(state) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), state) };
    }
}

/// A square of words, its rows made columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns_avx512(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut words = rows;
    // Neighbours exchange words, then pairs of words.
    for at in (0..16).step_by(2) {
        let (one, two) = (words[at], words[at + 1]);
        words[at] = _mm512_unpacklo_epi32(one, two);
        words[at + 1] = _mm512_unpackhi_epi32(one, two);
    }
    for at in (0..16).step_by(4) {
        let [one, two, three, four] = [words[at], words[at + 1], words[at + 2], words[at + 3]];
        words[at] = _mm512_unpacklo_epi64(one, three);
        words[at + 1] = _mm512_unpackhi_epi64(one, three);
        words[at + 2] = _mm512_unpacklo_epi64(two, four);
        words[at + 3] = _mm512_unpackhi_epi64(two, four);
    }
    // Now each quarter of a register is a column of four rows: quarters are gathered from the four groups of rows.
    let mut columns = words;
    for at in 0..4 {
        let [one, two, three, four] = [words[at], words[at + 4], words[at + 8], words[at + 12]];
        let (low, high) = (_mm512_shuffle_i32x4::<0x88>(one, two), _mm512_shuffle_i32x4::<0x88>(three, four));
        let (odd_low, odd_high) = (_mm512_shuffle_i32x4::<0xDD>(one, two), _mm512_shuffle_i32x4::<0xDD>(three, four));
        columns[at] = _mm512_shuffle_i32x4::<0x88>(low, high);
        columns[at + 8] = _mm512_shuffle_i32x4::<0xDD>(low, high);
        columns[at + 4] = _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high);
        columns[at + 12] = _mm512_shuffle_i32x4::<0xDD>(odd_low, odd_high);
    }
    columns
}

/// Eight lanes of the states, from `from` on.
#[target_feature(enable = "avx2")]
fn avx2(states: &mut States, from: usize, blocks: [&[[u8; BLOCK]]; LANES / 2]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let all = _mm256_set1_epi32(-1);
    let add = |one, two| _mm256_add_epi32(one, two);
    let key = |step: usize| _mm256_set1_epi32(KEYS.get(step).copied().unwrap_or(0) as i32);
    let first = |b, c, d| _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)));
    let second = |b, c, d| _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)));
    let third = |b, c, d| _mm256_xor_si256(b, _mm256_xor_si256(c, d));
    let fourth = |b, c, d| _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, all)));
    let half =
        |lanes: &[u32; LANES]| lanes.get(from..).and_then(|half| half.first_chunk::<8>()).copied().unwrap_or([0; 8]);
    // SAFETY: eight words of 32 bits.
    let mut state = states.each_ref().map(|lanes| unsafe { _mm256_loadu_si256(half(lanes).as_ptr().cast()) });
    for at in 0..count {
        let mut words = [_mm256_setzero_si256(); 16];
        for half in 0..2 {
            let mut rows = [_mm256_setzero_si256(); LANES / 2];
            for (row, blocks) in rows.iter_mut().zip(&blocks) {
                let block = blocks.get(at).and_then(|block| block.get(32 * half..));
                if let Some(block) = block.and_then(|half| half.first_chunk::<32>()) {
                    // SAFETY: half a block is 32 bytes.
                    *row = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
                }
            }
            let columns = columns_avx2(rows);
            words.iter_mut().skip(8 * half).zip(columns).for_each(|(to, column)| *to = column);
        }
        let [a, b, c, d] = state;
        rounds!(state, words, add, key, turn_avx2, (first, second, third, fourth));
        let [e, f, g, h] = state;
        state = [add(a, e), add(b, f), add(c, g), add(d, h)];
    }
    for (lanes, state) in states.iter_mut().zip(state) {
        let mut eight = [0_u32; 8];
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast(), state) };
        lanes.iter_mut().skip(from).zip(eight).for_each(|(to, word)| *to = word);
    }
}

/// A square of words, its rows made columns.
#[inline]
#[target_feature(enable = "avx2")]
fn columns_avx2(rows: [__m256i; 8]) -> [__m256i; 8] {
    let mut words = rows;
    for at in (0..8).step_by(2) {
        let (one, two) = (words[at], words[at + 1]);
        words[at] = _mm256_unpacklo_epi32(one, two);
        words[at + 1] = _mm256_unpackhi_epi32(one, two);
    }
    for at in (0..8).step_by(4) {
        let [one, two, three, four] = [words[at], words[at + 1], words[at + 2], words[at + 3]];
        words[at] = _mm256_unpacklo_epi64(one, three);
        words[at + 1] = _mm256_unpackhi_epi64(one, three);
        words[at + 2] = _mm256_unpacklo_epi64(two, four);
        words[at + 3] = _mm256_unpackhi_epi64(two, four);
    }
    let mut columns = words;
    for at in 0..4 {
        columns[at] = _mm256_permute2x128_si256::<0x20>(words[at], words[at + 4]);
        columns[at + 4] = _mm256_permute2x128_si256::<0x31>(words[at], words[at + 4]);
    }
    columns
}
