//! Bytes by a table, and the bytes of a set, with NEON: 64 at a time.
//!
//! ```text
//! looked up   four quarters of a table of 256 bytes, four registers each: an index outside of its quarter leaves what is there
//! of a set    the lower half of a byte looks up the upper halves that go with it, as bits; the upper half its own bit
//! as bits     of 64 bytes those that are kept or blank, and the blanks
//! doubled     a blank behind another, also over bytes that are dropped: one addition carries over all of these
//! written     eight bytes at a time, moved together by a table of 256 orders, and stored as if all counted
//! ```

#![allow(unsafe_code, reason = "vector loads and stores")]
#![allow(clippy::indexing_slicing, reason = "of a table for each byte, and of arrays of four, by numbers below that")]

use std::arch::aarch64::*;

use super::{each, has_neon};
use crate::table::{self, BLANK, KEPT, Rewriting, Set};

/// Bytes that are looked at together.
const LANES: usize = 64;

/// For each mask of eight bytes, which of them are moved together.
static TOGETHER: [[u8; 8]; 256] = together();

/// See [`crate::arch::rewrite`].
pub(in crate::arch) fn rewrite(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    assert!(has_neon(), "asked for by a processor that has it");
    if bytes.len() < LANES {
        return table::rewrite(rewriting, bytes, after_blank);
    }
    // SAFETY: the first line establishes that the processor has the features that the function is compiled for.
    unsafe { rewrite_neon(rewriting, bytes, after_blank) }
}

/// See [`crate::arch::mark`].
pub(in crate::arch) fn mark(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    assert!(has_neon(), "asked for by a processor that has it");
    // SAFETY: the line before establishes that the processor has the features that the function is compiled for.
    unsafe { mark_neon(set, bytes, marks) }
}

#[target_feature(enable = "neon")]
fn rewrite_neon(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    let written = Lookup::new(&rewriting.written);
    let of_class = |classes| Halves::of_class(&rewriting.class, classes);
    let (some, blank) = (of_class(KEPT | BLANK), of_class(BLANK));
    let mut after = u64::from(*after_blank);
    let (mut at, mut kept) = (0_usize, 0_usize);
    while let Some(raw) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let raw = load(raw);
        let text = each(|at| written.of(raw[at]));
        let places = each(|at| Place::of(raw[at]));
        let (some, blanks) = (bits(each(|at| some.have(places[at]))), bits(each(|at| blank.have(places[at]))));
        let (doubled, last) = doubled_blanks(some, blanks, after);
        after = last;
        let place = bytes.get_mut(kept..).and_then(|rest| rest.first_chunk_mut());
        // No more is written than was read, so there is place.
        let Some(place) = place else { break };
        kept += store(text, some & !doubled, place);
        at += LANES;
    }
    *after_blank = after != 0;
    let more = bytes.get_mut(at..).map_or(0, |rest| table::rewrite(rewriting, rest, after_blank));
    bytes.copy_within(at..at + more, kept);
    kept + more
}

/// The blanks of 64 bytes before which, except for dropped bytes, stands another, or of which `after` tells that one stood before them
/// all; and, for the next 64 bytes, whether the last that is not dropped is one.
fn doubled_blanks(some: u64, blanks: u64, after: u64) -> (u64, u64) {
    let (behind, dropped) = (blanks << 1 | after, !some);
    // Where a dropped byte is behind a blank, the sum carries to the first byte that is not dropped.
    let (sum, carried) = dropped.overflowing_add(behind & dropped);
    (blanks & (behind | (sum ^ dropped)), blanks >> 63 | u64::from(carried))
}

/// Stores the bytes whose bits are set, one behind the other, and tells how many they are. What is behind them is overwritten.
#[inline]
#[target_feature(enable = "neon")]
fn store(text: [uint8x16_t; 4], kept: u64, place: &mut [u8; LANES]) -> usize {
    // For each eight bytes, how many are kept of them and of those before.
    let counts = vget_lane_u64::<0>(vreinterpret_u64_u8(vcnt_u8(vcreate_u8(kept)))).wrapping_mul(0x0101_0101_0101_0101);
    let ends = counts.to_le_bytes();
    let masks = kept.to_le_bytes();
    let starts = (counts << 8).to_le_bytes();
    for part in 0..4 {
        let halves = [vget_low_u8(text[part]), vget_high_u8(text[part])];
        for (half, bytes) in (2 * part..).zip(halves) {
            let order = &TOGETHER[usize::from(masks[half])];
            let start = usize::from(starts[half]);
            debug_assert!(start <= 8 * half, "eight bytes hold no more than eight");
            // SAFETY: an order is eight bytes. Of the eighths before this one, of which there are `half`, no more than eight bytes each
            // are kept, so that eight more lie in the place.
            unsafe { vst1_u8(place.as_mut_ptr().add(start), vtbl1_u8(bytes, vld1_u8(order.as_ptr()))) };
        }
    }
    usize::from(ends[7])
}

#[target_feature(enable = "neon")]
fn mark_neon(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    let [low, high] = set.halves.map(|half| sixteen(half));
    let set = Halves(uint8x16x2_t(low, high));
    let (parts, rest) = bytes.as_chunks::<LANES>();
    marks.reserve(bytes.len().div_ceil(LANES));
    let word = |bytes: &[u8; LANES]| {
        let bytes = load(bytes);
        bits(each(|at| set.have(Place::of(bytes[at]))))
    };
    for part in parts {
        marks.push(word(part));
    }
    if !rest.is_empty() {
        let mut last = [0; LANES];
        last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        marks.push(word(&last) & ((1 << rest.len()) - 1));
    }
}

/// A table of 256 bytes.
#[derive(Clone, Copy)]
struct Lookup([uint8x16x4_t; 4]);

impl Lookup {
    #[target_feature(enable = "neon")]
    fn new(table: &[u8; 256]) -> Lookup {
        let (quarters, _) = table.as_chunks::<LANES>();
        Lookup([0, 1, 2, 3].map(|quarter: usize| {
            let [a, b, c, d] = quarters.get(quarter).map_or([vdupq_n_u8(0); 4], |bytes| load(bytes));
            uint8x16x4_t(a, b, c, d)
        }))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn of(self, bytes: uint8x16_t) -> uint8x16_t {
        let [a, b, c, d] = self.0;
        let from = |quarter: u8| veorq_u8(bytes, vdupq_n_u8(quarter << 6));
        vqtbx4q_u8(vqtbx4q_u8(vqtbx4q_u8(vqtbl4q_u8(a, bytes), b, from(1)), c, from(2)), d, from(3))
    }
}

/// A set of bytes, as [`Set`] has it.
#[derive(Clone, Copy)]
struct Halves(uint8x16x2_t);

/// Where a byte is to be found in [`Halves`], and which bit it is there.
#[derive(Clone, Copy)]
struct Place {
    index: uint8x16_t,
    bit: uint8x16_t,
}

impl Place {
    #[inline]
    #[target_feature(enable = "neon")]
    fn of(bytes: uint8x16_t) -> Place {
        // The lower half of the byte, and above it its highest bit.
        let index = vsliq_n_u8::<4>(vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<7>(bytes));
        let bits = sixteen([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
        Place { index, bit: vqtbl1q_u8(bits, vshrq_n_u8::<4>(bytes)) }
    }
}

impl Halves {
    /// The bytes that have one of these classes.
    #[target_feature(enable = "neon")]
    fn of_class(class: &[u8; 256], classes: u8) -> Halves {
        let (rows, _) = class.as_chunks::<16>();
        let mut halves = [vdupq_n_u8(0); 2];
        for (number, row) in rows.iter().enumerate() {
            let is_in = vtstq_u8(sixteen(*row), vdupq_n_u8(classes));
            // The row's bit goes before those of the rows before.
            halves[number / 8] = vsriq_n_u8::<1>(is_in, halves[number / 8]);
        }
        let [low, high] = halves;
        Halves(uint8x16x2_t(low, high))
    }

    /// All bits of the lanes whose bytes are in the set.
    #[inline]
    #[target_feature(enable = "neon")]
    fn have(self, place: Place) -> uint8x16_t {
        vtstq_u8(vqtbl2q_u8(self.0, place.index), place.bit)
    }
}

/// A bit for each of 64 lanes that have all bits or none.
#[inline]
#[target_feature(enable = "neon")]
fn bits(lanes: [uint8x16_t; 4]) -> u64 {
    let own = sixteen([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
    let [a, b, c, d] = each(|at| vandq_u8(lanes[at], own));
    let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; LANES]) -> [uint8x16_t; 4] {
    let from = bytes.as_ptr();
    // SAFETY: 16 bytes from each of these places lie in the array.
    unsafe { [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))] }
}

#[inline]
#[target_feature(enable = "neon")]
fn sixteen(bytes: [u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes are read, as many as the array has.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

const fn together() -> [[u8; 8]; 256] {
    let mut orders = [[0; 8]; 256];
    let mut mask = 0;
    while mask < orders.len() {
        let (mut from, mut to) = (0, 0);
        while from < 8 {
            if mask >> from & 1 != 0 {
                orders[mask][to] = from;
                to += 1;
            }
            from += 1;
        }
        mask += 1;
    }
    orders
}
