//! Huffman codes of literals (RFC 8878 4.2): the description of a tree, and four streams that are decoded side by side.
//!
//! A tree becomes a table of all numbers of 11 bits: the symbol they begin with, and the length of its code. The bits of a stream stand
//! at the top of a word whose lowest bit is set as a mark, so the number of zeros below the mark tells how many were used: a symbol
//! costs a look-up and a shift. Five symbols need 55 bits and are decoded between two refills.

use super::bits::{Bits, word};
use super::fse::Shares;

/// The longest code (4.2.1).
const LONGEST: u32 = 11;
/// Symbols between two refills.
const GROUP: usize = 5;
/// Weights are coded with as many states at most.
const WEIGHT_STATES: usize = 1 << 6;

/// A tree as a table: the symbol above the length of its code.
pub(super) type Table = [u16; 1 << LONGEST];

/// Reads the description at `bytes[start..end]` into `table` and tells where it ends.
pub(super) fn read_tree(bytes: &[u8], start: usize, end: usize, table: &mut Table) -> Option<usize> {
    let head = usize::from(*bytes.get(start..end)?.first()?);
    let body = start + 1;
    let mut weights = [0; 256];
    let (count, next) = match head.checked_sub(127) {
        None => {
            let next = body + head;
            (coded_weights(bytes.get(..end)?.get(..next)?, body, &mut weights)?, next)
        }
        Some(count) => {
            let next = body + count.div_ceil(2);
            let packed = bytes.get(body..next).filter(|_| next <= end)?;
            for (weight, index) in weights.iter_mut().zip(0..count) {
                let pair = packed.get(index / 2)?;
                *weight = if index % 2 == 0 { pair >> 4 } else { pair & 15 };
            }
            (count, next)
        }
    };
    build(&mut weights, count, table)?;
    Some(next)
}

/// Weights in a code of two states that take turns (4.2.1.2), from `start` to the end of `bytes`.
fn coded_weights(bytes: &[u8], start: usize, weights: &mut [u8; 256]) -> Option<usize> {
    let (shares, used) = Shares::read(bytes.get(start..)?, 12, 6)?;
    let mut table = [(0, 0, 0); WEIGHT_STATES];
    shares.lay_out(&mut table, |symbol, bits, base| (symbol, bits, base))?;
    let mut bits = Bits::new(bytes, start + used, bytes.len())?;
    let mut states = [bits.take(shares.log), bits.take(shares.log)];
    let mut count = 0;
    // The last weight is not written, so there are no more than 255.
    while count < 254 {
        for turn in [0, 1] {
            let [now, other] = if turn == 0 { states } else { [states[1], states[0]] };
            let (symbol, width, base) = *table.get(usize::try_from(now).ok()?)?;
            *weights.get_mut(count)? = symbol;
            count += 1;
            bits.refill();
            let moved = u64::from(base) + bits.take(width);
            if bits.is_overdrawn() {
                *weights.get_mut(count)? = table.get(usize::try_from(other).ok()?)?.0;
                return Some(count + 1);
            }
            *states.get_mut(turn)? = moved;
        }
    }
    None
}

/// Completes the weights (4.2.1.1) and lays out their codes: those of the smallest weight, which are the longest, first.
fn build(weights: &mut [u8; 256], count: usize, table: &mut Table) -> Option<()> {
    let known = weights.get(..count)?;
    let longest_weight = known.iter().max()?;
    let sum = known
        .iter()
        .filter(|weight| **weight > 0)
        .try_fold(0_u32, |sum, weight| Some(sum + (1 << u32::from(*weight - 1).min(LONGEST))))?;
    let longest = sum.checked_ilog2()? + 1;
    if longest > LONGEST || u32::from(*longest_weight) > longest {
        return None;
    }
    let rest = (1_u32 << longest) - sum;
    let last = rest.is_power_of_two().then(|| rest.ilog2() + 1)?;
    *weights.get_mut(count)? = u8::try_from(last).ok()?;
    let weights = weights.get(..=count)?;
    // A tree has two leaves at its bottom, or four, and so on.
    let bottom = weights.iter().filter(|weight| **weight == 1).count();
    (bottom > 0 && bottom % 2 == 0).then_some(())?;
    let mut at = 0;
    for weight in 1..=longest {
        // In units of the table: a symbol takes all numbers that begin with its code.
        let width = 1_usize << (weight - 1 + LONGEST - longest);
        let length = u16::try_from(longest + 1 - weight).ok()?;
        for (symbol, _) in (0_u16..).zip(weights).filter(|(_, of)| u32::from(**of) == weight) {
            table.get_mut(at..at + width)?.fill(symbol << 8 | length);
            at += width;
        }
    }
    (at == table.len()).then_some(())
}

/// A stream of codes.
struct Codes<'a> {
    bytes: &'a [u8],
    /// Where the word was fetched.
    at: usize,
    /// The next bits from the highest on, then a mark.
    word: u64,
    start: usize,
}

impl<'a> Codes<'a> {
    fn new(bytes: &'a [u8], start: usize, end: usize) -> Option<Codes<'a>> {
        let last = *bytes.get(start..end)?.last()?;
        let used = last.leading_zeros() + 1;
        let at = end.checked_sub(8)?;
        (last > 0).then_some(Codes { bytes, at, word: (word(bytes, at)? | 1) << used, start })
    }

    /// Makes sure that 55 bits are at hand. `None` if far more bits were used than there are.
    #[inline(always)]
    fn refill(&mut self) -> Option<()> {
        let used = self.word.trailing_zeros();
        self.at = self.at.wrapping_sub((used >> 3) as usize);
        self.word = (word(self.bytes, self.at)? | 1) << (used & 7);
        Some(())
    }

    #[inline(always)]
    fn symbol(&mut self, table: &Table) -> u8 {
        let entry = table.get((self.word >> (64 - LONGEST) & ((1 << LONGEST) - 1)) as usize).copied().unwrap_or(0);
        self.word = self.word.wrapping_shl(u32::from(entry));
        (entry >> 8) as u8
    }

    /// The symbols of a whole stream, or of the rest of one.
    fn decode(&mut self, table: &Table, output: &mut [u8]) -> Option<()> {
        for group in output.chunks_mut(GROUP) {
            self.refill()?;
            for place in group {
                *place = self.symbol(table);
            }
        }
        let end = (self.at + 8) * 8 - usize::try_from(self.word.trailing_zeros()).ok()?;
        (end == self.start * 8).then_some(())
    }
}

/// Decodes one stream that is `bytes[start..end]`.
pub(super) fn decode_one(bytes: &[u8], start: usize, end: usize, table: &Table, output: &mut [u8]) -> Option<()> {
    Codes::new(bytes, start, end)?.decode(table, output)
}

/// Decodes four streams behind a table of their lengths (4.2.2): the first three give as many symbols each.
pub(super) fn decode_four(bytes: &[u8], start: usize, end: usize, table: &Table, output: &mut [u8]) -> Option<()> {
    let [a, b, c, d, e, f] = *bytes.get(start..end)?.first_chunk()?;
    let length = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let first = start + 6;
    let second = first + length(a, b);
    let third = second + length(c, d);
    let fourth = third + length(e, f);
    // Of the whole block's bytes, so that no stream ends behind them.
    let bytes = bytes.get(..end)?;
    let mut streams = (
        Codes::new(bytes, first, second)?,
        Codes::new(bytes, second, third)?,
        Codes::new(bytes, third, fourth)?,
        Codes::new(bytes, fourth, end)?,
    );
    let quarter = output.len().div_ceil(4);
    let (one, rest) = output.split_at_mut_checked(quarter)?;
    let (two, rest) = rest.split_at_mut_checked(quarter)?;
    let (three, four) = rest.split_at_mut_checked(quarter)?;
    let together = four.len().min(quarter) / GROUP * GROUP;
    let (one, one_rest) = one.split_at_mut_checked(together)?;
    let (two, two_rest) = two.split_at_mut_checked(together)?;
    let (three, three_rest) = three.split_at_mut_checked(together)?;
    let (four, four_rest) = four.split_at_mut_checked(together)?;
    decode_together(&mut streams, table, [one, two, three, four])?;
    streams.0.decode(table, one_rest)?;
    streams.1.decode(table, two_rest)?;
    streams.2.decode(table, three_rest)?;
    streams.3.decode(table, four_rest)
}

type Four<'a> = (Codes<'a>, Codes<'a>, Codes<'a>, Codes<'a>);

/// Groups of symbols of all four streams in turn, so that no look-up waits for the one before it.
fn decode_together(streams: &mut Four<'_>, table: &Table, output: [&mut [u8]; 4]) -> Option<()> {
    let [one, two, three, four] = output.map(|part| part.as_chunks_mut::<GROUP>().0.iter_mut());
    for (((one, two), three), four) in one.zip(two).zip(three).zip(four) {
        streams.0.refill()?;
        streams.1.refill()?;
        streams.2.refill()?;
        streams.3.refill()?;
        for (((one, two), three), four) in one.iter_mut().zip(two).zip(three).zip(four) {
            *one = streams.0.symbol(table);
            *two = streams.1.symbol(table);
            *three = streams.2.symbol(table);
            *four = streams.3.symbol(table);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_built() {
        // RFC 8878 4.2.1: weights 4, 3, 2, 0, 1 and a last one of 1.
        let mut weights = [0; 256];
        weights[..5].copy_from_slice(&[4, 3, 2, 0, 1]);
        let mut table = [0; 1 << LONGEST];
        build(&mut weights, 5, &mut table).unwrap();
        let code = |bits: usize, length: usize| table[bits << (11 - length)];
        assert_eq!([code(1, 1), code(1, 2), code(1, 3), code(0, 4), code(1, 4)], [0x001, 0x102, 0x203, 0x404, 0x504]);
    }

    #[test]
    fn weights_that_make_no_tree_are_refused() {
        let refused = |given: &[u8]| {
            let mut weights = [0; 256];
            weights[..given.len()].copy_from_slice(given);
            build(&mut weights, given.len(), &mut [0; 1 << LONGEST]).is_none()
        };
        assert!(refused(&[]) && refused(&[0, 0]) && refused(&[12]) && refused(&[15, 15]) && refused(&[3, 1]));
        assert!(refused(&[11]) && !refused(&[1]) && !refused(&[1, 2]));
    }
}
