//! The filter with AVX2 and AVX-512: eight or sixteen sampled positions at a time.
//!
//! ```text
//! bytes      b0 b1 b2 b3 b4 b5 b6 b7 …
//! low        b0-b3 | b2-b5 | b4-b7 | …        a lane of 32 bits for each position
//! high       b4    | b6    | b8    | …
//! hash       (low ^ high * c0) * c1           as in `filter::Hash`, lane by lane
//! ```
//!
//! The words of the bitmap are gathered, and a lane that has its bits in its word is a position found. Pairs are gathered too
//! with AVX2; with AVX-512 they are looked up by their classes (see `joint`), 64 at a time, in registers, and the few that
//! pass are asked in the map. Written for processors where a gather costs about a load a lane; see `arch` for what that
//! means.

#![allow(unsafe_code, reason = "vector loads and gathers")]
#![allow(clippy::cast_possible_wrap, reason = "lanes are bits, whatever their sign")]

use std::arch::x86_64::*;

use crate::arch::Filters;
use crate::filter::{self, FOLD, SCATTER, STRIDE};
use crate::joint::{self, Short};

/// Bytes between sampled positions.
const STEP: u32 = 2;
const _: () = assert!(STEP as usize == STRIDE, "one stride, told twice");

/// Bytes from a position that AVX2 reads at a time.
const READ_AVX2: usize = 24;
/// Bytes from a position that AVX-512 reads at a time.
const READ_AVX512: usize = 96;

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

/// How many positions from `first` on can be looked at, `lanes` at a time, each time reading `read` bytes.
fn rounds(bytes: &[u8], (first, to): (usize, usize), lanes: usize, read: usize) -> usize {
    let step = lanes * STRIDE;
    let by_end = bytes.len().saturating_sub(first).checked_sub(read).map_or(0, |left| left / step + 1);
    by_end.min(to.saturating_sub(first) / step)
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
    let short = filters.short.map(|short| (short, ShortLanes::new(short)));
    let rounds = rounds(bytes, (first, to), 32, READ_AVX512);
    let mut at = first;
    for _ in 0..rounds {
        // SAFETY: `rounds` is so small that READ_AVX512 bytes from `at` lie in `bytes`: 64 from 0, 1 and 32.
        let (raw, next, half) = unsafe {
            let from = bytes.as_ptr().add(at);
            (
                _mm512_loadu_si512(from.cast()),
                _mm512_loadu_si512(from.add(1).cast()),
                _mm512_loadu_si512(from.add(32).cast()),
            )
        };
        let lanes = u32::from(long.passing(raw)) | u32::from(long.passing(half)) << 16;
        let mut mask = _pdep_u64(u64::from(lanes), EVEN);
        if let Some((short, lanes)) = &short {
            let pairs = lanes.passing(raw, next);
            let mut maybe = (pairs | pairs >> 1) & EVEN & !mask;
            while maybe != 0 {
                let bit = maybe & maybe.wrapping_neg();
                maybe ^= bit;
                let here = filter::load(bytes, at.wrapping_add(bit.trailing_zeros() as usize));
                if joint::has_short(Some(short), here) {
                    mask |= bit;
                }
            }
        }
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        while mask != 0 {
            found.push(place.saturating_add(mask.trailing_zeros()));
            mask &= mask.wrapping_sub(1);
        }
        at += 32 * STRIDE;
    }
    at
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
        // SAFETY: a bitmap has 2^(32 - shift) words of four bytes, which is the scale, and a hash shifted by `shift` is below
        // that; `passing` of `arch` has looked.
        let words = unsafe { _mm512_i32gather_epi32::<4>(_mm512_srl_epi32(word, self.shift), self.words) };
        _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, bits), bits)
    }
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
    fn new(short: &Short) -> ShortLanes {
        let [a, b] = &short.classes.first;
        let [c, d] = &short.classes.second;
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
