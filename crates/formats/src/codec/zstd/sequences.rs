//! The sequences of a block (RFC 8878 3.1.1.3.2): how many literals come next, and what is repeated behind them.
//!
//! Three codes give the number of literals, the length and the distance of a repetition; their states take turns in one stream of bits.
//! A state is one number of 64 bits: what it stands for, how many bits more belong to that, and where the next state is. Tables have
//! fixed lengths, so that a masked index needs no check.
//!
//! ```text
//! state      0 .. 31 base value | 32 .. 39 further bits | 40 .. 47 bits of the next state | 48 .. 63 its base
//! sequence   literals from the section before, then a repetition of the window
//! ```

use super::bits::Bits;
use super::fse::Shares;
use super::literals::Literals;
use crate::codec::window::Space;

/// Codes of numbers of literals and of lengths have up to 512 states, those of distances up to 256 (3.1.1.3.2.1.1).
const LENGTH_LOG: u32 = 9;
const DISTANCE_LOG: u32 = 8;

/// A table's states.
type States<const N: usize> = [u64; N];

/// What stands for a code: the first number, and how many bits are added to it.
type Codes = [(u32, u8)];

/// 3.1.1.3.2.1.1: numbers of literals.
const LITERALS: [(u32, u8); 36] = {
    let mut codes = [(0, 0); 36];
    fill(&mut codes, 0, &[0; 16]);
    fill(&mut codes, 16, &[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    codes
};

/// 3.1.1.3.2.1.1: lengths of repetitions.
const LENGTHS: [(u32, u8); 53] = {
    let mut codes = [(3, 0); 53];
    fill(&mut codes, 0, &[0; 32]);
    fill(&mut codes, 32, &[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    codes
};

/// 3.1.1.3.2.1.1: distances, powers of two.
const DISTANCES: [(u32, u8); 32] = {
    let mut codes = [(0, 0); 32];
    let mut rest: &mut [(u32, u8)] = &mut codes;
    let mut bits = 0;
    while let Some((code, others)) = rest.split_first_mut() {
        *code = (1 << bits, bits);
        bits += 1;
        rest = others;
    }
    codes
};

/// Codes from `start` on whose numbers have so many bits: each begins where the one before it ended.
const fn fill(codes: &mut [(u32, u8)], start: usize, mut widths: &[u8]) {
    let (before, mut rest) = codes.split_at_mut(start);
    let mut base = match (before.last(), rest.first()) {
        (Some((base, bits)), _) => *base + (1 << *bits),
        (None, Some((base, _))) => *base,
        (None, None) => 0,
    };
    while let (Some((code, others)), Some((bits, wider))) = (rest.split_first_mut(), widths.split_first()) {
        *code = (base, *bits);
        base += 1 << *bits;
        rest = others;
        widths = wider;
    }
}

/// 3.1.1.3.2.2: the shares of codes that a block need not describe.
const USUAL_LITERALS: [i16; 36] =
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];
const USUAL_LENGTHS: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
const USUAL_DISTANCES: [i16; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];

/// One of the three codes, as far as it is known.
struct Code<const N: usize> {
    states: Box<States<N>>,
    /// Bits of a state; absent if no block has told the code yet.
    log: Option<u32>,
}

/// How a code is told.
struct Kind {
    codes: &'static Codes,
    usual: &'static [i16],
    usual_log: u32,
    most_log: u32,
}

impl<const N: usize> Code<N> {
    fn new() -> Code<N> {
        Code { states: Box::new([0; N]), log: None }
    }

    /// Takes the code as the mode says (3.1.1.3.2.1), and tells how many bytes that took.
    fn read(&mut self, mode: u8, bytes: &[u8], kind: &Kind) -> Option<usize> {
        match mode & 3 {
            0 => {
                self.lay_out(&Shares::fixed(kind.usual_log, kind.usual), kind.codes)?;
                Some(0)
            }
            1 => {
                let code = *bytes.first()?;
                *self.states.first_mut()? = packed(kind.codes, code, 0, 0)?;
                self.log = Some(0);
                Some(1)
            }
            2 => {
                let (shares, used) = Shares::read(bytes, kind.codes.len() - 1, kind.most_log)?;
                self.lay_out(&shares, kind.codes)?;
                Some(used)
            }
            _ => self.log.map(|_| 0),
        }
    }

    fn lay_out(&mut self, shares: &Shares, codes: &Codes) -> Option<()> {
        self.log = None;
        shares.lay_out(&mut self.states[..], |code, bits, base| packed(codes, code, bits, base).unwrap_or(0))?;
        self.log = Some(shares.log);
        Some(())
    }

    #[inline(always)]
    fn at(&self, state: u64) -> State {
        State(self.states.get(usize::try_from(state).unwrap_or(0) & (N - 1)).copied().unwrap_or(0))
    }
}

fn packed(codes: &Codes, code: u8, bits: u32, base: u32) -> Option<u64> {
    let (value, more) = *codes.get(usize::from(code))?;
    Some(u64::from(value) | u64::from(more) << 32 | u64::from(bits) << 40 | u64::from(base) << 48)
}

/// A state of a code.
#[derive(Clone, Copy)]
struct State(u64);

impl State {
    /// The number without its further bits.
    #[inline(always)]
    fn value(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    /// How many further bits there are.
    #[inline(always)]
    fn more(self) -> u32 {
        (self.0 >> 32 & 0xff) as u32
    }

    #[inline(always)]
    fn next(self, bits: &mut Bits<'_>) -> u64 {
        (self.0 >> 48).wrapping_add(bits.take((self.0 >> 40 & 0xff) as u32))
    }
}

/// The codes, and the distances that are repeated, which later blocks may use again.
pub(super) struct Sequences {
    literals: Code<{ 1 << LENGTH_LOG }>,
    lengths: Code<{ 1 << LENGTH_LOG }>,
    distances: Code<{ 1 << DISTANCE_LOG }>,
    /// 3.1.1.5: the newest first.
    recent: [usize; 3],
}

impl Sequences {
    pub(super) fn new() -> Sequences {
        Sequences { literals: Code::new(), lengths: Code::new(), distances: Code::new(), recent: [1, 4, 8] }
    }

    /// Reads the section `bytes[start..end]` and writes the block. What was written before damage stays.
    pub(super) fn run(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        literals: &Literals,
        space: &mut Space<'_>,
    ) -> Option<()> {
        let section = bytes.get(start..end)?;
        let (count, size) = match *section {
            [0] => (0, 1),
            [few @ 1..128, ..] => (usize::from(few), 1),
            [high @ 128..=254, low, ..] => (usize::from(high - 128) << 8 | usize::from(low), 2),
            [255, low, high, ..] => ((usize::from(low) | usize::from(high) << 8) + 0x7f00, 3),
            _ => return None,
        };
        let mut used = 0;
        if count > 0 {
            let size = size + self.read_codes(section.get(size..)?)?;
            let bits = Bits::new(bytes.get(..end)?, start + size, end)?;
            used = self.decode(bits, count, literals, space)?;
        }
        space.append(&literals.bytes, used, literals.length.checked_sub(used)?)
    }

    fn read_codes(&mut self, section: &[u8]) -> Option<usize> {
        let (modes, mut rest) = section.split_first()?;
        (modes & 3 == 0).then_some(())?;
        let literals = Kind { codes: &LITERALS, usual: &USUAL_LITERALS, usual_log: 6, most_log: LENGTH_LOG };
        let distances = Kind { codes: &DISTANCES, usual: &USUAL_DISTANCES, usual_log: 5, most_log: DISTANCE_LOG };
        let lengths = Kind { codes: &LENGTHS, usual: &USUAL_LENGTHS, usual_log: 6, most_log: LENGTH_LOG };
        rest = rest.get(self.literals.read(modes >> 6, rest, &literals)?..)?;
        rest = rest.get(self.distances.read(modes >> 4, rest, &distances)?..)?;
        rest = rest.get(self.lengths.read(modes >> 2, rest, &lengths)?..)?;
        Some(section.len() - rest.len())
    }

    /// Decodes and carries out `count` sequences, and tells how many literals they used.
    fn decode(
        &mut self,
        mut bits: Bits<'_>,
        count: usize,
        literals: &Literals,
        space: &mut Space<'_>,
    ) -> Option<usize> {
        let mut literal_state = bits.take(self.literals.log?);
        let mut distance_state = bits.take(self.distances.log?);
        let mut length_state = bits.take(self.lengths.log?);
        let mut recent = self.recent;
        let mut used = 0_usize;
        for left in (0..count).rev() {
            let literal = self.literals.at(literal_state);
            let distance = self.distances.at(distance_state);
            let length = self.lengths.at(length_state);
            // 57 bits are at hand: enough for a distance and a length, and in most cases for all.
            bits.refill();
            let value = distance.value().wrapping_add(bits.take(distance.more()));
            let repeated = narrow(length.value().wrapping_add(bits.take(length.more())));
            if distance.more().wrapping_add(length.more()).wrapping_add(literal.more()) > 31 {
                bits.refill();
            }
            let plain = narrow(literal.value().wrapping_add(bits.take(literal.more())));
            if left > 0 {
                literal_state = literal.next(&mut bits);
                length_state = length.next(&mut bits);
                distance_state = distance.next(&mut bits);
            }
            let distance = resolve(narrow(value), plain == 0, &mut recent);
            let after = used.wrapping_add(plain);
            if after > literals.length {
                return None;
            }
            space.append(&literals.bytes, used, plain)?;
            space.repeat(distance, repeated)?;
            used = after;
        }
        self.recent = recent;
        bits.is_finished().then_some(used)
    }
}

#[inline(always)]
fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// 3.1.1.5: a distance, or one of the last three. Zero if there is none such.
#[inline(always)]
fn resolve(value: usize, no_literals: bool, recent: &mut [usize; 3]) -> usize {
    let [first, second, third] = *recent;
    if value > 3 {
        *recent = [value.wrapping_sub(3), first, second];
    } else {
        match value.wrapping_add(usize::from(no_literals)) {
            1 => {}
            2 => *recent = [second, first, third],
            3 => *recent = [third, first, second],
            _ => *recent = [first.wrapping_sub(1), first, second],
        }
    }
    recent[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_the_numbers_of_the_rfc() {
        assert_eq!([LITERALS[0], LITERALS[15], LITERALS[16], LITERALS[20]], [(0, 0), (15, 0), (16, 1), (24, 2)]);
        assert_eq!([LITERALS[25], LITERALS[26], LITERALS[35]], [(64, 6), (128, 7), (65536, 16)]);
        assert_eq!([LENGTHS[0], LENGTHS[31], LENGTHS[32], LENGTHS[36]], [(3, 0), (34, 0), (35, 1), (43, 2)]);
        assert_eq!([LENGTHS[42], LENGTHS[43], LENGTHS[52]], [(99, 5), (131, 7), (65539, 16)]);
        assert_eq!([DISTANCES[0], DISTANCES[31]], [(1, 0), (1 << 31, 31)]);
    }

    #[test]
    fn distances_are_repeated_as_the_rfc_tells() {
        let mut recent = [1, 4, 8];
        let mut next = |value, no_literals| resolve(value, no_literals, &mut recent);
        assert_eq!([next(1114, false), next(1, false), next(2, false)], [1111, 1111, 1]);
        // Now 1, 1111, 4.
        assert_eq!([next(2, false), next(1, true), next(3, true)], [1111, 1, 0]);
    }
}
