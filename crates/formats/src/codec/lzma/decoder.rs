//! What a run of LZMA decodes (LZMA specification): literals and repetitions, from a piece of the input into a window.

use std::hint::select_unpredictable;

use super::range::{EVEN, Range};
use crate::codec::window::Space;

/// The most bytes of input that one symbol takes: 22 bits with probabilities and 26 without.
pub(super) const LONGEST_SYMBOL: usize = 20;
/// The longest repetition.
pub(super) const LONGEST_REPETITION: usize = 273;
/// The shortest.
const SHORTEST: usize = 2;
/// Probabilities of a literal.
const LITERAL: usize = 0x300;
/// States from here on follow a repetition.
const AFTER_REPETITION: usize = 7;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// The input is at its end, or there is no more room.
    Paused,
    /// At the mark of the end.
    Marked,
    /// At something that cannot be.
    Broken,
}

/// `lc`, `lp` and `pb` in one byte ("LZMA properties").
#[derive(Clone, Copy)]
pub(crate) struct Properties {
    literal_context: u32,
    literal_position: u32,
    position: u32,
}

impl Properties {
    /// `None` if the byte is none of those there are.
    pub(crate) fn new(byte: u8) -> Option<Properties> {
        let (literal_context, rest) = (u32::from(byte % 9), u32::from(byte / 9));
        let (literal_position, position) = (rest % 5, rest / 5);
        (position < 5).then_some(Properties { literal_context, literal_position, position })
    }

    /// Bits that choose the probabilities of a literal.
    pub(super) fn literal_bits(self) -> u32 {
        self.literal_context + self.literal_position
    }

    /// The memory that a decoder's probabilities take.
    pub(crate) fn memory(self) -> u64 {
        (0x600 << self.literal_bits()) + 8192
    }
}

/// The probabilities of a length.
struct Lengths {
    choice: [u16; 2],
    low: [u16; 16 * 8],
    middle: [u16; 16 * 8],
    high: [u16; 256],
}

impl Lengths {
    fn new() -> Lengths {
        Lengths { choice: [EVEN; 2], low: [EVEN; 128], middle: [EVEN; 128], high: [EVEN; 256] }
    }

    /// A length, less the shortest one.
    #[inline(always)]
    fn decode(&mut self, range: &mut Range<'_>, position: usize) -> usize {
        if !range.bit(&mut self.choice, 0) {
            range.tree::<3, _>(&mut self.low, position << 3)
        } else if !range.bit(&mut self.choice, 1) {
            range.tree::<3, _>(&mut self.middle, position << 3).wrapping_add(8)
        } else {
            range.tree::<8, _>(&mut self.high, 0).wrapping_add(16)
        }
    }
}

/// All probabilities but those of literals. Arrays have powers of two as lengths, see [`Range::bit`].
struct Probabilities {
    is_repetition: [u16; 256],
    is_recent: [u16; 16],
    is_not_newest: [u16; 16],
    is_long: [u16; 256],
    is_not_second: [u16; 16],
    is_fourth: [u16; 16],
    slots: [u16; 4 * 64],
    special: [u16; 128],
    align: [u16; 16],
    new_lengths: Lengths,
    recent_lengths: Lengths,
}

impl Probabilities {
    fn new() -> Probabilities {
        Probabilities {
            is_repetition: [EVEN; 256],
            is_recent: [EVEN; 16],
            is_not_newest: [EVEN; 16],
            is_long: [EVEN; 256],
            is_not_second: [EVEN; 16],
            is_fourth: [EVEN; 16],
            slots: [EVEN; 256],
            special: [EVEN; 128],
            align: [EVEN; 16],
            new_lengths: Lengths::new(),
            recent_lengths: Lengths::new(),
        }
    }
}

/// A decoder between two runs.
pub(super) struct Decoder {
    properties: Properties,
    probabilities: Box<Probabilities>,
    literals: Vec<[u16; LITERAL]>,
    /// What the last symbols were, 0 to 11.
    state: usize,
    /// The last distances, less one.
    recent: [usize; 4],
    range: u32,
    code: u32,
}

impl Decoder {
    pub(super) fn new(properties: Properties) -> Decoder {
        let literals = vec![[EVEN; LITERAL]; 1 << properties.literal_bits()];
        let probabilities = Box::new(Probabilities::new());
        Decoder { properties, probabilities, literals, state: 0, recent: [0; 4], range: u32::MAX, code: 0 }
    }

    /// Begins anew with the same properties ("state reset" of LZMA2).
    pub(super) fn reset(&mut self) {
        *self.probabilities = Probabilities::new();
        self.literals.fill([EVEN; LITERAL]);
        self.state = 0;
        self.recent = [0; 4];
    }

    /// Begins a range coder with its first five bytes. `None` if they are none.
    pub(super) fn begin(&mut self, first: [u8; 5]) -> Option<()> {
        let [0, code @ ..] = first else { return None };
        self.range = u32::MAX;
        self.code = u32::from_be_bytes(code);
        Some(())
    }

    /// Takes the byte that the end of a range coder may still need.
    pub(super) fn finish(&mut self, input: &[u8], at: &mut usize) -> bool {
        let mut range = Range::new(self.range, self.code, input, *at);
        range.normalise();
        (self.range, self.code, *at) = (range.range, range.code, range.at);
        self.code == 0
    }

    /// Decodes symbols as long as fewer than `until` bytes of the input were used and less than `stop` bytes of the window written. The
    /// last symbol may go on behind either; but what it would write behind `space.end` is damage.
    ///
    /// A symbol that used more than `filled` bytes of the input is taken back.
    pub(super) fn run(
        &mut self,
        input: &[u8],
        at: &mut usize,
        until: usize,
        filled: usize,
        space: &mut Space<'_>,
        stop: usize,
    ) -> Ran {
        let mut range = Range::new(self.range, self.code, input, *at);
        let Decoder { probabilities, literals, .. } = self;
        let probabilities: &mut Probabilities = probabilities;
        let (mut state, [mut first, mut second, mut third, mut fourth]) = (self.state, self.recent);
        let position_mask = (1_usize << self.properties.position) - 1;
        let literal_mask = (1_usize << self.properties.literal_position) - 1;
        let context = self.properties.literal_context;
        let mut before = space.at;
        let mut ran = Ran::Paused;
        while space.at < stop && range.at < until {
            before = space.at;
            let total = space.position();
            let position = total & position_mask;
            if !range.bit(&mut probabilities.is_repetition, state << 4 | position) {
                let newest = usize::from(space.back(1));
                let index =
                    ((total & literal_mask) << context).wrapping_add(newest >> (8_u32.wrapping_sub(context) & 15));
                let Some(tree) = literals.get_mut(index) else {
                    ran = Ran::Broken;
                    break;
                };
                let byte = if state < AFTER_REPETITION {
                    literal(&mut range, tree)
                } else {
                    literal_unlike(&mut range, tree, space.back(first.wrapping_add(1)))
                };
                space.push(byte);
                state = match state {
                    0..4 => 0,
                    4..10 => state.wrapping_sub(3),
                    _ => state.wrapping_sub(6),
                };
                continue;
            }
            let length = if !range.bit(&mut probabilities.is_recent, state) {
                (fourth, third, second) = (third, second, first);
                let length = probabilities.new_lengths.decode(&mut range, position);
                first = distance(&mut range, probabilities, length);
                state = if state < AFTER_REPETITION { 7 } else { 10 };
                if first == 0xffff_ffff {
                    ran = Ran::Marked;
                    break;
                }
                length.wrapping_add(SHORTEST)
            } else {
                if !range.bit(&mut probabilities.is_not_newest, state) {
                    if !range.bit(&mut probabilities.is_long, state << 4 | position) {
                        state = if state < AFTER_REPETITION { 9 } else { 11 };
                        if space.repeat(first.wrapping_add(1), 1).is_none() {
                            ran = Ran::Broken;
                            break;
                        }
                        continue;
                    }
                } else if !range.bit(&mut probabilities.is_not_second, state) {
                    (first, second) = (second, first);
                } else if !range.bit(&mut probabilities.is_fourth, state) {
                    (first, second, third) = (third, first, second);
                } else {
                    (first, second, third, fourth) = (fourth, first, second, third);
                }
                state = if state < AFTER_REPETITION { 8 } else { 11 };
                probabilities.recent_lengths.decode(&mut range, position).wrapping_add(SHORTEST)
            };
            if space.repeat(first.wrapping_add(1), length).is_none() {
                // As much of it as there is room for, if that is what is wrong.
                let room = space.room();
                if length > room {
                    let _ = space.repeat(first.wrapping_add(1), room);
                }
                ran = Ran::Broken;
                break;
            }
        }
        if range.at > filled {
            space.at = before;
        }
        (self.range, self.code, *at) = (range.range, range.code, range.at);
        (self.state, self.recent) = (state, [first, second, third, fourth]);
        ran
    }
}

/// A literal behind another.
#[inline(always)]
fn literal(range: &mut Range<'_>, tree: &mut [u16; LITERAL]) -> u8 {
    let at = |tree: &[u16; LITERAL], node: usize| tree.get(node & 0xff).copied().unwrap_or(EVEN);
    let mut node = 1_usize;
    let mut probability = at(tree, node);
    for _ in 0..8 {
        let below = node << 1;
        let (zero, one) = (at(tree, below), at(tree, below | 1));
        let (is_one, moved) = range.digit(probability);
        if let Some(place) = tree.get_mut(node & 0xff) {
            *place = moved;
        }
        probability = select_unpredictable(is_one, one, zero);
        node = below | usize::from(is_one);
    }
    u8::try_from(node & 0xff).unwrap_or(0)
}

/// A literal behind a repetition: it is not the byte that would have gone on with that, which chooses the probabilities as long as the
/// bits agree.
#[inline(always)]
fn literal_unlike(range: &mut Range<'_>, tree: &mut [u16; LITERAL], other: u8) -> u8 {
    let at = |tree: &[u16; LITERAL], place: usize| tree.get(place).copied().unwrap_or(EVEN);
    // 0x100 as long as the bits agree: then the next one of the other chooses among two trees, else there is a third.
    let (mut node, mut agrees) = (1_usize, 0x100_usize);
    let mut other = usize::from(other) << 1;
    let mut place = agrees.wrapping_add(other & agrees).wrapping_add(node);
    let mut probability = at(tree, place);
    for _ in 0..8 {
        let expected = other & agrees;
        other <<= 1;
        // It goes on to agree with a one if one was expected, with a zero if not.
        let (if_one, if_zero) = (expected, agrees ^ expected);
        let below = node << 1 & 0xff;
        let place_of = |agrees: usize, node: usize| agrees.wrapping_add(other & agrees).wrapping_add(node);
        let (place_zero, place_one) = (place_of(if_zero, below), place_of(if_one, below | 1));
        let (zero, one) = (at(tree, place_zero), at(tree, place_one));
        let (is_one, moved) = range.digit(probability);
        if let Some(place) = tree.get_mut(place) {
            *place = moved;
        }
        probability = select_unpredictable(is_one, one, zero);
        place = select_unpredictable(is_one, place_one, place_zero);
        agrees = select_unpredictable(is_one, if_one, if_zero);
        node = node << 1 | usize::from(is_one);
    }
    u8::try_from(node & 0xff).unwrap_or(0)
}

/// A distance, less one ("Distance decoding").
#[inline(always)]
fn distance(range: &mut Range<'_>, probabilities: &mut Probabilities, length: usize) -> usize {
    let slot = range.tree::<6, _>(&mut probabilities.slots, length.min(3) << 6);
    if slot < 4 {
        return slot;
    }
    let bits = u32::try_from(slot >> 1).unwrap_or(1).wrapping_sub(1);
    let base = (2 | slot & 1) << (bits & 31);
    if slot < 14 {
        return base.wrapping_add(range.reverse_tree(&mut probabilities.special, base.wrapping_sub(slot), bits));
    }
    let high = range.direct(bits.wrapping_sub(4) & 31) << 4;
    base.wrapping_add(high).wrapping_add(range.reverse_tree(&mut probabilities.align, 0, 4))
}
