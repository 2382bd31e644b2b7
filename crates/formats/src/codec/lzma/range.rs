//! The range coder of LZMA (LZMA specification, "Range Coder"): bits with probabilities of 11 bits.
//!
//! Two ways to decode a bit give the same. [`Range::bit`] branches, for bits that lead to different code anyway. [`Range::digit`] does
//! not: the bits of a byte or of a distance are hard to foresee, and a wrong guess costs more than the few steps that are too many. Which
//! probability the next bit has depends on this one; so both are loaded while this one is worked out, and one of them is chosen.
//! Bytes behind the end of the input count as zeros; whoever decodes compares [`Range::at`] with what there is.

use std::hint::select_unpredictable;

/// A bit is as likely as not.
pub(super) const EVEN: u16 = 1 << (BITS - 1);
/// Bits of a probability.
const BITS: u32 = 11;
/// How fast probabilities move.
const MOVE: u32 = 5;
/// Below this, the range takes another byte.
const TOP: u32 = 1 << 24;

/// A range coder and its input.
pub(super) struct Range<'a> {
    pub(super) range: u32,
    pub(super) code: u32,
    input: &'a [u8],
    /// How many bytes of the input were used.
    pub(super) at: usize,
}

impl<'a> Range<'a> {
    pub(super) fn new(range: u32, code: u32, input: &'a [u8], at: usize) -> Range<'a> {
        Range { range, code, input, at }
    }

    /// Takes a byte if the range is small.
    #[inline(always)]
    pub(super) fn normalise(&mut self) {
        if self.range < TOP {
            let byte = self.input.get(self.at).copied().unwrap_or(0);
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
            self.at = self.at.wrapping_add(1);
        }
    }

    /// A bit, with the probability at an index, which counts modulo `N`.
    #[inline(always)]
    pub(super) fn bit<const N: usize>(&mut self, probabilities: &mut [u16; N], index: usize) -> bool {
        let Some(probability) = probabilities.get_mut(index & (N - 1)) else { return false };
        self.normalise();
        let bound = (self.range >> BITS).wrapping_mul(u32::from(*probability));
        if self.code < bound {
            self.range = bound;
            *probability = probability.wrapping_add((1_u16 << BITS).wrapping_sub(*probability) >> MOVE);
            return false;
        }
        self.range = self.range.wrapping_sub(bound);
        self.code = self.code.wrapping_sub(bound);
        *probability = probability.wrapping_sub(*probability >> MOVE);
        true
    }

    /// A bit of this probability, without a branch, and what the probability becomes.
    #[inline(always)]
    pub(super) fn digit(&mut self, probability: u16) -> (bool, u16) {
        self.normalise();
        let known = u32::from(probability);
        let bound = (self.range >> BITS).wrapping_mul(known);
        let one = self.code >= bound;
        self.range = select_unpredictable(one, self.range.wrapping_sub(bound), bound);
        self.code = select_unpredictable(one, self.code.wrapping_sub(bound), self.code);
        let more = (1_u32 << BITS).wrapping_sub(known) >> MOVE;
        let moved = select_unpredictable(one, known.wrapping_sub(known >> MOVE), known.wrapping_add(more));
        (one, (moved & 0xffff) as u16)
    }

    /// `COUNT` digits, the highest first, in the tree whose probabilities begin at `start`.
    #[inline(always)]
    pub(super) fn tree<const COUNT: u32, const N: usize>(&mut self, tree: &mut [u16; N], start: usize) -> usize {
        let node = self.descend(tree, start, COUNT, |_, _| {});
        node.wrapping_sub(1 << COUNT)
    }

    /// `count` digits, the lowest first.
    #[inline(always)]
    pub(super) fn reverse_tree<const N: usize>(&mut self, tree: &mut [u16; N], start: usize, count: u32) -> usize {
        let mut value = 0_usize;
        self.descend(tree, start, count, |place, one| value |= usize::from(one) << place);
        value
    }

    /// Goes down `count` nodes from the root of the tree that begins at `start`, which counts modulo `N`, and gives the node it comes to. The
    /// probabilities of both nodes that may be next are there before it is known which.
    #[inline(always)]
    fn descend<const N: usize>(
        &mut self,
        tree: &mut [u16; N],
        start: usize,
        count: u32,
        mut step: impl FnMut(u32, bool),
    ) -> usize {
        let place = |node: usize| start.wrapping_add(node) & (N - 1);
        let mut node = 1_usize;
        let mut probability = tree.get(place(node)).copied().unwrap_or(EVEN);
        for level in 0..count {
            let below = node << 1;
            let zero = tree.get(place(below)).copied().unwrap_or(EVEN);
            let one = tree.get(place(below | 1)).copied().unwrap_or(EVEN);
            let (is_one, moved) = self.digit(probability);
            if let Some(probability) = tree.get_mut(place(node)) {
                *probability = moved;
            }
            probability = select_unpredictable(is_one, one, zero);
            node = below | usize::from(is_one);
            step(level, is_one);
        }
        node
    }

    /// `count` digits that are as likely as not, the highest first.
    #[inline(always)]
    pub(super) fn direct(&mut self, count: u32) -> usize {
        let mut value = 0_u32;
        for _ in 0..count {
            self.normalise();
            self.range >>= 1;
            self.code = self.code.wrapping_sub(self.range);
            let below = 0_u32.wrapping_sub(self.code >> 31);
            self.code = self.code.wrapping_add(self.range & below);
            value = (value << 1).wrapping_add(below.wrapping_add(1));
        }
        value as usize
    }
}
