//! Bytes by a table with AVX-512, and the bytes of a set with AVX2: 64 at a time.
//!
//! ```text
//! looked up   two halves of a table of 256 bytes, four registers; the upper bit of a byte chooses the half
//! kept        a bit for each byte; those dropped are moved out first, so that a blank's neighbour is the one before it
//! written     moved together, and stored as far as they count
//!
//! of a set    the lower half of a byte looks up the upper halves that go with it, as bits; the upper half its own bit
//! of several  a byte looks up the sets that it is in, as bits; each bit is asked of all 64
//! ```

#![allow(unsafe_code, reason = "vector loads and stores")]
#![allow(clippy::cast_possible_truncation, reason = "counts are at most 64")]

use std::arch::x86_64::*;

use std::sync::LazyLock;

use crate::table::{BLANK, KEPT, Rewriting, Set, Sets};

/// Bytes of a register.
const LANES: usize = 64;

/// Asked for stretches of a few bytes, so the answer is kept.
pub(super) fn has_avx512() -> bool {
    static HAS: LazyLock<bool> =
        LazyLock::new(|| super::x86_64::has_avx512() && is_x86_feature_detected!("avx512vbmi2"));
    *HAS
}

/// See [`crate::arch::rewrite`].
pub(super) fn rewrite(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    assert!(has_avx512(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { rewrite_avx512(rewriting, bytes, after_blank) }
}

/// See [`crate::arch::mark`].
pub(super) fn mark(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    assert!(super::x86_64::has_avx2(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { mark_avx2(set, bytes, marks) }
}

/// See [`crate::arch::mark_sets`].
pub(super) fn mark_sets<const N: usize>(sets: &Sets<N>, bytes: &[u8], marks: &mut Vec<[u64; N]>) {
    assert!(has_avx512(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { mark_sets_avx512(sets, bytes, marks) }
}

/// A table of 256 bytes.
#[derive(Clone, Copy)]
struct Lookup([__m512i; 4]);

impl Lookup {
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(table: &[u8; 256]) -> Lookup {
        let mut parts = [_mm512_setzero_si512(); 4];
        for (part, bytes) in parts.iter_mut().zip(table.as_chunks::<LANES>().0) {
            *part = load(bytes, u64::MAX);
        }
        Lookup(parts)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn of(self, bytes: __m512i) -> __m512i {
        let [a, b, c, d] = self.0;
        let (low, high) = (_mm512_permutex2var_epi8(a, bytes, b), _mm512_permutex2var_epi8(c, bytes, d));
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
    }
}

/// The first bytes, as many as the mask has bits, which are its lowest; those behind are 0.
#[target_feature(enable = "avx512f,avx512bw")]
fn load(bytes: &[u8], mask: u64) -> __m512i {
    assert!(bytes.len() >= mask.count_ones() as usize && mask & mask.wrapping_add(1) == 0, "a mask within the bytes");
    // SAFETY: bytes are read only where the mask has bits, and the line before establishes that those are in the slice.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()) }
}

/// The lowest bits, 64 at most.
fn lowest(count: usize) -> u64 {
    if count >= LANES { u64::MAX } else { (1 << count) - 1 }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi2,popcnt")]
fn rewrite_avx512(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    let (written, class) = (Lookup::new(&rewriting.written), Lookup::new(&rewriting.class));
    let (kept_bit, blank_bit) = (_mm512_set1_epi8(KEPT.cast_signed()), _mm512_set1_epi8(BLANK.cast_signed()));
    let mut after = u64::from(*after_blank);
    let (mut at, mut kept) = (0_usize, 0_usize);
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let here = lowest(rest.len());
        let raw = load(rest, here);
        let (mut text, classes) = (written.of(raw), class.of(raw));
        let blank = _mm512_mask_test_epi8_mask(here, classes, blank_bit);
        let some = blank | _mm512_mask_test_epi8_mask(here, classes, kept_bit);
        let mut blanks = blank;
        if some != here {
            text = _mm512_maskz_compress_epi8(some, text);
            blanks = _pext_u64(blank, some);
        }
        let count = some.count_ones();
        let doubled = blanks & (blanks << 1 | after);
        if let Some(last) = count.checked_sub(1) {
            after = blanks >> last & 1;
        }
        let kept_bits = lowest(count as usize) & !doubled;
        let more = kept_bits.count_ones() as usize;
        let text = _mm512_maskz_compress_epi8(kept_bits, text);
        let place = bytes.get_mut(kept..kept + more).unwrap_or_default();
        assert!(place.len() == more, "no more is written than was read");
        // SAFETY: bytes are written only where the mask has bits, its lowest, as many as the place has bytes.
        unsafe { _mm512_mask_storeu_epi8(place.as_mut_ptr().cast(), lowest(more), text) };
        kept += more;
        at += LANES;
    }
    *after_blank = after != 0;
    kept
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi2,popcnt")]
fn mark_sets_avx512<const N: usize>(sets: &Sets<N>, bytes: &[u8], marks: &mut Vec<[u64; N]>) {
    let table = Lookup::new(&sets.table);
    marks.reserve(bytes.len().div_ceil(LANES));
    for part in bytes.chunks(LANES) {
        let here = lowest(part.len());
        let found = table.of(load(part, here));
        let mut words = [0; N];
        for (number, word) in words.iter_mut().enumerate() {
            *word = _mm512_mask_test_epi8_mask(here, found, _mm512_set1_epi8(1 << number));
        }
        marks.push(words);
    }
}

#[target_feature(enable = "avx2")]
fn mark_avx2(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    let [low, high] = set.halves.map(|half| _mm256_broadcastsi128_si256(sixteen(half)));
    let bits = _mm256_broadcastsi128_si256(sixteen([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]));
    let nibble = _mm256_set1_epi8(15);
    let of_half = |half: &[u8; 32]| {
        // SAFETY: 32 bytes are read, as many as the array has.
        let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
        // An index whose upper bit is set gives 0, so each table answers for its half.
        let below = _mm256_or_si256(_mm256_and_si256(bytes, nibble), _mm256_and_si256(bytes, _mm256_set1_epi8(-128)));
        let above = _mm256_xor_si256(below, _mm256_set1_epi8(-128));
        let uppers = _mm256_or_si256(_mm256_shuffle_epi8(low, below), _mm256_shuffle_epi8(high, above));
        let own = _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
        let outside = _mm256_cmpeq_epi8(_mm256_and_si256(uppers, own), _mm256_setzero_si256());
        u64::from(!_mm256_movemask_epi8(outside).cast_unsigned())
    };
    marks.reserve(bytes.len().div_ceil(LANES));
    let (parts, rest) = bytes.as_chunks::<32>();
    let (pairs, odd) = parts.as_chunks::<2>();
    marks.extend(pairs.iter().map(|[first, second]| of_half(first) | of_half(second) << 32));
    let mut last = [0; LANES];
    let left = odd.len() * 32 + rest.len();
    last.iter_mut().zip(odd.as_flattened().iter().chain(rest)).for_each(|(to, byte)| *to = *byte);
    if left > 0 {
        let halves = last.as_chunks::<32>().0.iter().map(of_half).collect::<Vec<_>>();
        let word = halves.iter().rev().fold(0, |word, half| word << 32 | half);
        marks.push(word & lowest(left));
    }
}

#[target_feature(enable = "avx2")]
fn sixteen(bytes: [u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are read, as many as the array has.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
