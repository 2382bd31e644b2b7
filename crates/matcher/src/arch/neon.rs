//! The filter with NEON: four sampled positions in a register, 32 in a block of 64 bytes.
//!
//! ```text
//! lanes      0-3 | 16-19 | 32-35 | 48-51       one of four registers: a load of 64 bytes deals out their words
//! next       4-7 | 20-23 | 36-39 | 52-55       its neighbour, whose lowest bytes are the fifth of the keys
//! between    2-5 | 18-21 | 34-37 | 50-53       the upper half of the one, with the lower half of the other
//! ```
//!
//! So no byte is looked up to lay out the keys, and lane after lane, bit after bit, eight registers give the 32 positions of a block in
//! their order. NEON cannot gather: the words of the bitmap are loaded one by one, by indexes that are taken out of the register
//! two at a time, as with AVX-512. Each of the two bits of a key is shifted to the sign, so that `and` answers for both.
//!
//! Pairs are looked up in their map by the processor's own instructions, five for each: NEON's largest table is of 64 bytes, so
//! that their classes (see `joint`) would take 128 of its dearest instructions for a block.
//!
//! What passes cannot be foretold, so nothing branches on it until the masks of [`BLOCKS`] blocks are there; those in which
//! something passed are moved together first.

#![allow(unsafe_code, reason = "vector loads, and loads by indexes in registers")]
#![allow(clippy::cast_possible_wrap, reason = "a shift is at most 31")]
#![allow(clippy::cast_possible_truncation, reason = "of words the lower halves are wanted")]

mod digesting;
mod rewriting;

use std::arch::aarch64::*;

use crate::arch::{Filters, rounds};
use crate::filter::{FOLD, Pairs, SCATTER, STRIDE};

pub(super) use digesting::digest;
pub(super) use rewriting::{mark, rewrite};

/// Bytes of a block, of a bit for each sampled position.
const BLOCK: usize = 64;
const _: () = assert!(BLOCK / STRIDE == u32::BITS as usize, "a bit for each sampled position");
/// Bytes that are read of a block and behind it.
const READ: usize = 80;
/// So many blocks are looked at together: few enough for a core's first cache.
const BLOCKS: usize = 128;

/// All processors of this architecture have it but those that have no floating-point numbers. The order of bytes in a
/// register is taken for that of memory.
pub(super) fn has_neon() -> bool {
    cfg!(target_endian = "little") && std::arch::is_aarch64_feature_detected!("neon")
}

/// See [`crate::arch::passing`]; gives the first position that it did not look at.
pub(super) fn passing(filters: &Filters<'_>, bytes: &[u8], range: (usize, usize), found: &mut Vec<u32>) -> usize {
    assert!(has_neon(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { neon(filters, bytes, range, found) }
}

#[target_feature(enable = "neon")]
fn neon(filters: &Filters<'_>, bytes: &[u8], (first, to): (usize, usize), found: &mut Vec<u32>) -> usize {
    let long = LongLanes::new(filters);
    let pairs = filters.short.map(|short| &short.pairs);
    let mut left = rounds(bytes, (first, to), BLOCK / STRIDE, READ);
    let mut at = first;
    let mut masks = [0; BLOCKS];
    while left > 0 {
        let count = left.min(BLOCKS);
        let masks = masks.get_mut(..count).unwrap_or_default();
        // `rounds` is so small that READ bytes from the start of each block lie in `bytes`.
        let blocks = bytes.get(at..at + (count - 1) * BLOCK + READ).unwrap_or_default();
        for (block, mask) in (0_usize..).zip(masks.iter_mut()) {
            let block = blocks.get(block * BLOCK..).and_then(|rest| rest.first_chunk::<READ>());
            let Some(block) = block else { return at };
            *mask = long.passing(block) | pairs.map_or(0, |pairs| passing_pairs(pairs, block));
        }
        write(masks, u32::try_from(at).unwrap_or(u32::MAX), found);
        at += count * BLOCK;
        left -= count;
    }
    at
}

/// Of each of four. No method of arrays, of which the compiler makes a call.
#[inline(always)]
fn each<T>(of: impl Fn(usize) -> T) -> [T; 4] {
    [of(0), of(1), of(2), of(3)]
}

/// Adds the positions whose bits are set in the masks of successive blocks, the first of which begins at `at`.
fn write(masks: &[u32], at: u32, found: &mut Vec<u32>) {
    let mut some = [(0_u32, 0_u32); BLOCKS];
    let mut count = 0_usize;
    let mut place = at;
    for mask in masks {
        some.get_mut(count).into_iter().for_each(|some| *some = (place, *mask));
        count += usize::from(*mask != 0);
        place = place.wrapping_add(BLOCK as u32);
    }
    for (place, mut mask) in some.into_iter().take(count) {
        while mask != 0 {
            found.push(place.saturating_add(mask.trailing_zeros().wrapping_mul(STRIDE as u32)));
            mask &= mask.wrapping_sub(1);
        }
    }
}

/// At which positions of a block, or behind which, there is a pair of the map, a bit for each.
#[inline(always)]
fn passing_pairs(pairs: &Pairs, block: &[u8; READ]) -> u32 {
    let word = |pair: u64| pairs.get(usize::from(pair as u16 >> 5)).map_or(0, |word| word >> (pair & 31));
    let mut mask = 0;
    for at in (0..BLOCK).step_by(8) {
        let eight =
            |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_le_bytes);
        let (here, behind) = (eight(at), eight(at + 1));
        let [a, b, c, d] = each(|pair| (word(here >> (16 * pair)) | word(behind >> (16 * pair))) & 1);
        // Four bits go before those of the bytes before.
        mask = mask >> 4 | a << 28 | b << 29 | c << 30 | d << 31;
    }
    mask
}

/// The bitmap of long keys, four positions at a time.
#[derive(Clone, Copy)]
struct LongLanes {
    words: *const u32,
    /// To the right, which is below zero.
    shift: int32x4_t,
}

impl LongLanes {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(filters: &Filters<'_>) -> LongLanes {
        LongLanes { words: filters.words.as_ptr(), shift: vdupq_n_s32((filters.shift as i32).wrapping_neg()) }
    }

    /// Which positions of a block pass, a bit for each.
    #[inline]
    #[target_feature(enable = "neon")]
    fn passing(self, block: &[u8; READ]) -> u32 {
        let from = block.as_ptr();
        // SAFETY: 64 bytes from 0 and 16 from 64 lie in a chunk of READ.
        let (raw, behind) = unsafe { (vld4q_u32(from.cast()), vld1q_u32(from.add(BLOCK).cast())) };
        let fold = vdupq_n_u32(FOLD);
        let (a, b) = (vandq_u32(raw.0, fold), vandq_u32(raw.1, fold));
        let (c, d) = (vandq_u32(raw.2, fold), vandq_u32(raw.3, fold));
        let e = vextq_u32::<1>(a, vandq_u32(behind, fold));
        let between = |one, two| vsliq_n_u32::<16>(vshrq_n_u32::<16>(one), two);
        let [ab, bc, cd, de] = [between(a, b), between(b, c), between(c, d), between(d, e)];
        let ef = vshrq_n_u32::<16>(e);
        let keys = [(a, b), (ab, bc), (b, c), (bc, cd), (c, d), (cd, de), (d, e), (de, ef)];
        let mut signs = vdupq_n_u32(0);
        for (low, high) in keys {
            // The sign goes before those of the registers before.
            signs = vsriq_n_u32::<1>(self.signs(low, high), signs);
        }
        let bytes = vshrn_n_u16::<8>(vcombine_u16(vshrn_n_u32::<16>(signs), vdup_n_u16(0)));
        vget_lane_u32::<0>(vreinterpret_u32_u8(bytes))
    }

    /// In the sign of each lane, whether its position passes: four bytes, and in the lowest byte of `high` the fifth.
    #[inline]
    #[target_feature(enable = "neon")]
    fn signs(self, low: uint32x4_t, high: uint32x4_t) -> uint32x4_t {
        let [c0, c1, c2] = SCATTER;
        let (c0, c1, c2) = (vdupq_n_u32(c0), vdupq_n_u32(c1), vdupq_n_u32(c2));
        let mixed = veorq_u32(low, vmulq_u32(vandq_u32(high, vdupq_n_u32(0xFF)), c0));
        let word = vmulq_u32(mixed, c1);
        // How far the two bits are from the sign.
        let rest = vmvnq_u32(vmulq_u32(mixed, c2));
        let first = vreinterpretq_s32_u32(vshrq_n_u32::<27>(rest));
        let second = vreinterpretq_s32_u32(vandq_u32(vshrq_n_u32::<22>(rest), vdupq_n_u32(31)));
        // SAFETY: a bitmap has 2^(32 - shift) words, and a hash shifted by `shift` is below that; `passing` of `arch` has looked.
        let words = unsafe { four(self.words, vshlq_u32(word, self.shift)) };
        vandq_u32(vshlq_u32(words, first), vshlq_u32(words, second))
    }
}

/// The words at four indexes, two of which are taken out of the register at a time.
///
/// # Safety
/// Each index is below the number of words.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn four(words: *const u32, indexes: uint32x4_t) -> uint32x4_t {
    let indexes = vreinterpretq_u64_u32(indexes);
    let (low, high) = (vgetq_lane_u64::<0>(indexes), vgetq_lane_u64::<1>(indexes));
    // SAFETY: as the caller promises.
    let word = |index: u64| unsafe { *words.add(index as usize) };
    let one = vsetq_lane_u32::<0>(word(low & 0xFFFF_FFFF), vdupq_n_u32(0));
    let two = vsetq_lane_u32::<1>(word(low >> 32), one);
    let three = vsetq_lane_u32::<2>(word(high & 0xFFFF_FFFF), two);
    vsetq_lane_u32::<3>(word(high >> 32), three)
}
