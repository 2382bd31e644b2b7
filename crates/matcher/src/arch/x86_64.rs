//! The filter with AVX2 and AVX-512: eight or sixteen sampled positions at a time.
//!
//! ```text
//! bytes      b0 b1 b2 b3 b4 b5 b6 b7 …
//! low        b0-b3 | b2-b5 | b4-b7 | …        a lane of 32 bits for each position
//! high       b4    | b6    | b8    | …
//! hash       (low ^ high * c0) * c1           as in `filter::Hash`, lane by lane
//! ```
//!
//! The words of the bitmap are gathered with AVX2, and loaded one by one with AVX-512, where gathers of sixteen took half as long
//! again; a lane that has its bits in its word is a position found. Pairs are gathered too
//! with AVX2; with AVX-512 they are looked up by their classes (see `joint`), 64 at a time, in registers, and the few that
//! pass are asked in the map.
//!
//! What passes cannot be foretold, so with AVX-512 nothing branches on it: the results of [`BLOCKS`] blocks of 64 bytes are kept
//! as bits, and become positions at the end, by compressed stores. A loop over the bits of each block instead took half
//! as long again as all the rest (3.1 GB/s became 2.1, 35 MB of programs for Windows, long keys alone).

#![allow(unsafe_code, reason = "vector loads and gathers")]
#![allow(clippy::cast_possible_wrap, reason = "lanes are bits, whatever their sign")]
#![allow(clippy::cast_possible_truncation, reason = "of masks the lower bits are wanted")]

use std::arch::x86_64::*;

use crate::arch::{Filters, rounds};
use crate::filter::{self, FOLD, SCATTER, STRIDE};
use crate::joint::{self, Classes, Short};

/// Bytes between sampled positions.
const STEP: u32 = 2;
const _: () = assert!(STEP as usize == STRIDE, "one stride, told twice");

/// Bytes from a position that AVX2 reads at a time.
const READ_AVX2: usize = 24;
/// Bytes from a position that AVX-512 reads at a time.
const READ_AVX512: usize = 96;
/// Bytes between the blocks that AVX-512 looks at, of a bit for each sampled position.
const BLOCK: usize = 64;
const _: () = assert!(BLOCK / STRIDE == u32::BITS as usize, "a bit for each sampled position");
/// So many blocks are looked at together: few enough for a core's first cache.
const BLOCKS: usize = 128;

pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

pub(super) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("bmi2")
}

/// See [`crate::arch::passing`]; gives the first position that it did not look at.
pub(super) fn passing_avx2(filters: &Filters<'_>, bytes: &[u8], range: (usize, usize), found: &mut Vec<u32>) -> usize {
    assert!(has_avx2(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { avx2(filters, bytes, range, found) }
}

/// See [`crate::arch::passing`]; gives the first position that it did not look at.
pub(super) fn passing_avx512(
    filters: &Filters<'_>,
    bytes: &[u8],
    range: (usize, usize),
    found: &mut Vec<u32>,
) -> usize {
    assert!(has_avx512(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { avx512(filters, bytes, range, found) }
}

/// Adds the positions of the lanes whose bits are set.
#[inline(always)]
fn push(found: &mut Vec<u32>, at: usize, mut mask: u32) {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    while mask != 0 {
        found.push(at.saturating_add(mask.trailing_zeros().wrapping_mul(STEP)));
        mask &= mask.wrapping_sub(1);
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn avx2(filters: &Filters<'_>, bytes: &[u8], (first, to): (usize, usize), found: &mut Vec<u32>) -> usize {
    let low_bytes = _mm256_setr_epi8(
        0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9,
    );
    let high_bytes = _mm256_setr_epi8(
        4, -1, -1, -1, 6, -1, -1, -1, 8, -1, -1, -1, 10, -1, -1, -1, 4, -1, -1, -1, 6, -1, -1, -1, 8, -1, -1, -1, 10,
        -1, -1, -1,
    );
    let fold = _mm256_set1_epi32(FOLD as i32);
    let [c0, c1, c2] = SCATTER.map(|number| _mm256_set1_epi32(number as i32));
    let one = _mm256_set1_epi32(1);
    let five = _mm256_set1_epi32(31);
    let shift = _mm_cvtsi32_si128(filters.shift as i32);
    let words = filters.words.as_ptr().cast::<i32>();
    let pairs = filters.short.map(|short| short.pairs.as_ptr().cast::<i32>());
    let rounds = rounds(bytes, (first, to), 8, READ_AVX2);
    let mut at = first;
    for _ in 0..rounds {
        // SAFETY: `rounds` is so small that READ_AVX2 bytes from `at` lie in `bytes`; unaligned loads of 16 from 0 and 8.
        let raw = unsafe {
            let from = bytes.as_ptr().add(at);
            _mm256_loadu2_m128i(from.add(8).cast(), from.cast())
        };
        let low = _mm256_shuffle_epi8(raw, low_bytes);
        let high = _mm256_and_si256(_mm256_shuffle_epi8(raw, high_bytes), fold);
        let mixed = _mm256_xor_si256(_mm256_and_si256(low, fold), _mm256_mullo_epi32(high, c0));
        let word = _mm256_mullo_epi32(mixed, c1);
        let rest = _mm256_mullo_epi32(mixed, c2);
        let second = _mm256_and_si256(_mm256_srli_epi32::<22>(rest), five);
        let bits =
            _mm256_or_si256(_mm256_sllv_epi32(one, _mm256_srli_epi32::<27>(rest)), _mm256_sllv_epi32(one, second));
        // SAFETY: a bitmap has 2^(32 - shift) words of four bytes, which is the scale, and a hash shifted by `shift` is below
        // that; `passing` has looked.
        let found_words = unsafe { _mm256_i32gather_epi32::<4>(words, _mm256_srl_epi32(word, shift)) };
        let mut passed = _mm256_cmpeq_epi32(_mm256_and_si256(found_words, bits), bits);
        if let Some(pairs) = pairs {
            let pair = _mm256_and_si256(low, _mm256_set1_epi32(0xFFFF));
            let next = _mm256_and_si256(_mm256_srli_epi32::<8>(low), _mm256_set1_epi32(0xFFFF));
            // SAFETY: the map of pairs has 2^11 words, and a pair shifted by five is below that.
            let (pair_words, next_words) = unsafe {
                (
                    _mm256_i32gather_epi32::<4>(pairs, _mm256_srli_epi32::<5>(pair)),
                    _mm256_i32gather_epi32::<4>(pairs, _mm256_srli_epi32::<5>(next)),
                )
            };
            // The pair's bit goes to the sign.
            let to_sign = |pair| _mm256_sub_epi32(five, _mm256_and_si256(pair, five));
            passed = _mm256_or_si256(passed, _mm256_sllv_epi32(pair_words, to_sign(pair)));
            passed = _mm256_or_si256(passed, _mm256_sllv_epi32(next_words, to_sign(next)));
        }
        let mask = _mm256_movemask_ps(_mm256_castsi256_ps(passed)).cast_unsigned();
        push(found, at, mask);
        at += 8 * STRIDE;
    }
    at
}

#[target_feature(enable = "avx2,popcnt,avx512f,avx512bw,avx512vbmi,bmi2")]
fn avx512(filters: &Filters<'_>, bytes: &[u8], (first, to): (usize, usize), found: &mut Vec<u32>) -> usize {
    let long = LongLanes::new(filters);
    let mut left = rounds(bytes, (first, to), BLOCK / STRIDE, READ_AVX512);
    let mut at = first;
    let (mut masks, mut pairs, mut maybe) = ([0; BLOCKS], [0; BLOCKS], Vec::new());
    while left > 0 {
        let count = left.min(BLOCKS);
        let masks = masks.get_mut(..count).unwrap_or_default();
        // `rounds` is so small that READ_AVX512 bytes from the start of each block lie in `bytes`.
        let blocks = bytes.get(at..at + (count - 1) * BLOCK + READ_AVX512).unwrap_or_default();
        long.look(blocks, masks);
        if let Some(short) = filters.short {
            let pairs = pairs.get_mut(..count).unwrap_or_default();
            may_have_pairs(short, blocks, masks, pairs);
            maybe.clear();
            write(pairs, 0, &mut maybe);
            for position in &maybe {
                let here = filter::load(blocks, *position as usize);
                let bit = u32::from(joint::has_short(Some(short), here)) << (position / STEP % u32::BITS);
                masks.get_mut(*position as usize / BLOCK).into_iter().for_each(|mask| *mask |= bit);
            }
        }
        write(masks, u32::try_from(at).unwrap_or(u32::MAX), found);
        at += count * BLOCK;
        left -= count;
    }
    at
}

/// Adds the positions whose bits are set in the masks of successive blocks, the first of which begins at `at`.
#[target_feature(enable = "popcnt,avx512f")]
fn write(masks: &[u32], at: u32, found: &mut Vec<u32>) {
    const LANES: usize = 16;
    // Each store is of all lanes, whatever of them counts.
    found.reserve(masks.len() * 2 * LANES + LANES);
    let mut length = found.len();
    let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let mut positions = _mm512_add_epi32(lanes, _mm512_set1_epi32(at.cast_signed()));
    let half = _mm512_set1_epi32(32);
    for mask in masks.iter().copied() {
        for half_mask in [mask as u16, (mask >> 16) as u16] {
            let compressed = _mm512_maskz_compress_epi32(half_mask, positions);
            // SAFETY: room for all lanes of each half, and for one store more, was reserved above.
            unsafe { _mm512_storeu_si512(found.as_mut_ptr().add(length).cast(), compressed) };
            length += half_mask.count_ones() as usize;
            positions = _mm512_add_epi32(positions, half);
        }
    }
    // SAFETY: so many were stored, within what was reserved.
    unsafe { found.set_len(length) };
}

/// Sets the bits of those sampled positions of blocks that are not found yet, and at which or behind which a pair has classes
/// in common.
#[target_feature(enable = "popcnt,avx512f,avx512bw,avx512vbmi,bmi2")]
fn may_have_pairs(short: &Short, blocks: &[u8], found: &[u32], maybe: &mut [u32]) {
    let [by_second, by_first] = &short.classes;
    let (by_second, by_first) = (ShortLanes::new(by_second), ShortLanes::new(by_first));
    for ((block, found), maybe) in (0_usize..).zip(found).zip(maybe) {
        let block = blocks.get(block * BLOCK..).and_then(|rest| rest.first_chunk::<READ_AVX512>());
        let Some(block) = block else { return };
        // SAFETY: 64 bytes from 0 and from 1 lie in a chunk of READ_AVX512.
        let (raw, next) =
            unsafe { (_mm512_loadu_si512(block.as_ptr().cast()), _mm512_loadu_si512(block.as_ptr().add(1).cast())) };
        let pairs = by_second.passing(raw, next) & by_first.passing(raw, next);
        *maybe = _pext_u64(pairs | pairs >> 1, EVEN) as u32 & !found;
    }
}

/// Every second of 64 positions.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The bitmap of long keys, sixteen positions at a time.
#[derive(Clone, Copy)]
struct LongLanes {
    words: *const i32,
    shift: __m128i,
    low_bytes: __m512i,
    high_bytes: __m512i,
}

impl LongLanes {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(filters: &Filters<'_>) -> LongLanes {
        let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        // In each lane four places of bytes: those of its position, and the one behind them.
        let low_bytes =
            _mm512_add_epi32(_mm512_mullo_epi32(lanes, _mm512_set1_epi32(0x0101_0101)), _mm512_set1_epi32(0x0302_0100));
        LongLanes {
            words: filters.words.as_ptr().cast(),
            shift: _mm_cvtsi32_si128(filters.shift as i32),
            low_bytes,
            high_bytes: _mm512_add_epi32(lanes, _mm512_set1_epi32(4)),
        }
    }

    /// Which positions of blocks pass, a bit for each. There must be READ_AVX512 bytes from the start of each block.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn look(self, blocks: &[u8], masks: &mut [u32]) {
        for (block, mask) in (0_usize..).zip(masks) {
            let block = blocks.get(block * BLOCK..).and_then(|rest| rest.first_chunk::<READ_AVX512>());
            let Some(block) = block else { return };
            // SAFETY: 64 bytes from 0 and from 32 lie in a chunk of READ_AVX512.
            let (raw, half) = unsafe {
                (_mm512_loadu_si512(block.as_ptr().cast()), _mm512_loadu_si512(block.as_ptr().add(32).cast()))
            };
            *mask = u32::from(self.passing(raw)) | u32::from(self.passing(half)) << 16;
        }
    }

    /// Which of the sixteen positions at the start of these bytes pass.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn passing(self, raw: __m512i) -> u16 {
        let only_first = 0x1111_1111_1111_1111;
        let fold = _mm512_set1_epi32(FOLD as i32);
        let [c0, c1, c2] = SCATTER.map(|number| _mm512_set1_epi32(number as i32));
        let one = _mm512_set1_epi32(1);
        let five = _mm512_set1_epi32(31);
        let low = _mm512_permutexvar_epi8(self.low_bytes, raw);
        let high = _mm512_and_si512(_mm512_maskz_permutexvar_epi8(only_first, self.high_bytes, raw), fold);
        let mixed = _mm512_xor_si512(_mm512_and_si512(low, fold), _mm512_mullo_epi32(high, c0));
        let word = _mm512_mullo_epi32(mixed, c1);
        let rest = _mm512_mullo_epi32(mixed, c2);
        let second = _mm512_and_si512(_mm512_srli_epi32::<22>(rest), five);
        let bits =
            _mm512_or_si512(_mm512_sllv_epi32(one, _mm512_srli_epi32::<27>(rest)), _mm512_sllv_epi32(one, second));
        // SAFETY: a bitmap has 2^(32 - shift) words, and a hash shifted by `shift` is below that; `passing` of `arch` has looked.
        let words = unsafe { sixteen(self.words, _mm512_srl_epi32(word, self.shift)) };
        _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, bits), bits)
    }
}

/// The words at sixteen indexes.
///
/// # Safety
/// Each index is below the number of words.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn sixteen(words: *const i32, indexes: __m512i) -> __m512i {
    // SAFETY: as the caller promises.
    let [a, b, c, d] = unsafe {
        [
            four(words, _mm512_castsi512_si128(indexes)),
            four(words, _mm512_extracti32x4_epi32::<1>(indexes)),
            four(words, _mm512_extracti32x4_epi32::<2>(indexes)),
            four(words, _mm512_extracti32x4_epi32::<3>(indexes)),
        ]
    };
    let low = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(a), b);
    _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(low, c), d)
}

/// The words at four indexes, two of which are taken out of the register at a time.
///
/// # Safety
/// As of [`sixteen`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four(words: *const i32, indexes: __m128i) -> __m128i {
    let (low, high) = (_mm_cvtsi128_si64(indexes).cast_unsigned(), _mm_extract_epi64::<1>(indexes).cast_unsigned());
    // SAFETY: as the caller promises.
    let word = |index: u64| unsafe { *words.add(index as usize) };
    let one = _mm_cvtsi32_si128(word(low & 0xFFFF_FFFF));
    let two = _mm_insert_epi32::<1>(one, word(low >> 32));
    let three = _mm_insert_epi32::<2>(two, word(high & 0xFFFF_FFFF));
    _mm_insert_epi32::<3>(three, word(high >> 32))
}

/// The classes of pairs.
#[derive(Clone, Copy)]
struct ShortLanes {
    first: [ByteTable; 2],
    second: [ByteTable; 2],
}

impl ShortLanes {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(classes: &Classes) -> ShortLanes {
        let [a, b] = &classes.first;
        let [c, d] = &classes.second;
        let (first, second) = ([ByteTable::new(a), ByteTable::new(b)], [ByteTable::new(c), ByteTable::new(d)]);
        ShortLanes { first, second }
    }

    /// At which of 64 positions a byte and the next one have a class in common.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn passing(&self, bytes: __m512i, next: __m512i) -> u64 {
        let ([a, b], [c, d]) = (self.first, self.second);
        _mm512_test_epi8_mask(a.look_up(bytes), c.look_up(next))
            | _mm512_test_epi8_mask(b.look_up(bytes), d.look_up(next))
    }
}

/// A table of 256 bytes in registers.
#[derive(Clone, Copy)]
struct ByteTable([__m512i; 4]);

impl ByteTable {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(table: &[u8; 256]) -> ByteTable {
        let from = table.as_ptr();
        // SAFETY: 64 bytes from each of these places lie in the table.
        unsafe {
            ByteTable([
                _mm512_loadu_si512(from.cast()),
                _mm512_loadu_si512(from.add(64).cast()),
                _mm512_loadu_si512(from.add(128).cast()),
                _mm512_loadu_si512(from.add(192).cast()),
            ])
        }
    }

    /// What the table says of each of 64 bytes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn look_up(self, bytes: __m512i) -> __m512i {
        let [a, b, c, d] = self.0;
        let (low, high) = (_mm512_permutex2var_epi8(a, bytes, b), _mm512_permutex2var_epi8(c, bytes, d));
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
    }
}
