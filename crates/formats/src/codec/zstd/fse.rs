//! Finite state entropy codes (RFC 8878 4.1): what a block says of them, and the states of a decoder.
//!
//! A state stands for a symbol, and says how many bits lead to the next state and from where they count.

use super::bits::Forward;

/// Most states of a code.
pub(super) const MOST_STATES: usize = 1 << 9;
/// Most symbols of a code.
const MOST_SYMBOLS: usize = 64;

/// How often each symbol occurs in 2 to the power of `log` states; -1 stands for less than once.
pub(super) struct Shares {
    pub(super) shares: [i16; MOST_SYMBOLS],
    pub(super) log: u32,
}

impl Shares {
    /// Shares that the RFC states, of `1 << log` states.
    pub(super) fn fixed(log: u32, known: &[i16]) -> Shares {
        let mut shares = [0; MOST_SYMBOLS];
        for (place, share) in shares.iter_mut().zip(known) {
            *place = *share;
        }
        Shares { shares, log }
    }

    /// Reads a description (4.1.1) of a code of symbols up to `largest`, and tells how many bytes it takes.
    pub(super) fn read(bytes: &[u8], largest: usize, longest: u32) -> Option<(Shares, usize)> {
        let mut bits = Forward::new(bytes);
        let log = (bits.peek() & 15) + 5;
        bits.skip(4);
        if log > longest {
            return None;
        }
        let mut shares = [0; MOST_SYMBOLS];
        let mut left = (1_i32 << log) + 1;
        let (mut threshold, mut width) = (1_i32 << log, log + 1);
        let mut symbol = 0;
        while left > 1 {
            let share = Shares::number(&mut bits, left, threshold, width)? - 1;
            *shares.get_mut(symbol).filter(|_| symbol <= largest)? = i16::try_from(share).ok()?;
            symbol += 1;
            left -= share.abs();
            while left < threshold {
                threshold >>= 1;
                width -= 1;
            }
            if share == 0 {
                symbol += Shares::zeros(&mut bits, largest)?;
            }
        }
        (left == 1).then_some(())?;
        Some((Shares { shares, log }, bits.used()?))
    }

    /// A number from 0 to `left`: the small ones take a bit less.
    fn number(bits: &mut Forward<'_>, left: i32, threshold: i32, width: u32) -> Option<i32> {
        let next = i32::try_from(bits.peek() & 0xffff).ok()?;
        let shorter = 2 * threshold - 1 - left;
        let low = next & (threshold - 1);
        if low < shorter {
            bits.skip(usize::try_from(width - 1).ok()?);
            return Some(low);
        }
        bits.skip(usize::try_from(width).ok()?);
        let high = next & (2 * threshold - 1);
        Some(if high >= threshold { high - shorter } else { high })
    }

    /// How many more symbols do not occur: groups of two bits, of which 3 says that another follows.
    fn zeros(bits: &mut Forward<'_>, largest: usize) -> Option<usize> {
        let mut count = 0;
        loop {
            let more = usize::try_from(bits.peek() & 3).ok()?;
            bits.skip(2);
            count += more;
            if more < 3 {
                return Some(count);
            }
            (count <= largest).then_some(())?;
        }
    }

    /// Puts the states of a decoder into `table` (4.1.1): `pack` is given symbol, bits and base of each. `None` if the shares do not
    /// fill the states, or there is no room for them.
    pub(super) fn lay_out<T>(&self, table: &mut [T], pack: impl Fn(u8, u32, u32) -> T) -> Option<()> {
        let size = 1_usize << self.log;
        let table = table.get_mut(..size)?;
        let mut symbols = [0_u8; MOST_STATES];
        let symbols = symbols.get_mut(..size)?;
        self.spread(symbols)?;
        // A symbol's states are numbered from its share on.
        let mut next = self.shares.map(|share| u32::from(share.unsigned_abs()));
        let log = self.log;
        for (state, symbol) in table.iter_mut().zip(symbols.iter()) {
            let number = next.get_mut(usize::from(*symbol))?;
            let bits = log - number.checked_ilog2()?;
            *state = pack(*symbol, bits, (*number << bits) - (1 << log));
            *number += 1;
        }
        Some(())
    }

    fn spread(&self, symbols: &mut [u8]) -> Option<()> {
        let size = symbols.len();
        let mask = size - 1;
        let mut high = size;
        for (symbol, share) in (0_u8..).zip(self.shares) {
            if share == -1 {
                high = high.checked_sub(1)?;
                *symbols.get_mut(high)? = symbol;
            }
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (symbol, share) in (0_u8..).zip(self.shares) {
            for _ in 0..share.max(0) {
                *symbols.get_mut(at)? = symbol;
                at = (at + step) & mask;
                while at >= high {
                    at = (at + step) & mask;
                }
            }
        }
        (at == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read() {
        // Log 5; one symbol has all 32 states: the number 33 of 0 to 33, which is written as 33 + 30 in six bits.
        let packed = 63_u16 << 4;
        let (shares, used) = Shares::read(&packed.to_le_bytes(), 10, 9).unwrap();
        assert_eq!((shares.log, shares.shares[0], shares.shares[1], used), (5, 32, 0, 2));
        assert!(Shares::read(&[0x0f, 0xff], 10, 9).is_none());
    }

    #[test]
    fn states_lead_to_all_states() {
        let shares = Shares::fixed(5, &[10, -1, 4, 17]);
        let mut table = [(0, 0, 0); 32];
        shares.lay_out(&mut table, |symbol, bits, base| (symbol, bits, base)).unwrap();
        assert_eq!(table[31].0, 1);
        for symbol in [0, 1, 2, 3] {
            let mut reached: Vec<u32> = table
                .iter()
                .filter(|state| state.0 == symbol)
                .flat_map(|state| state.2..state.2 + (1 << state.1))
                .collect();
            reached.sort_unstable();
            assert_eq!(reached, (0..32).collect::<Vec<_>>(), "{symbol}");
        }
        assert!(Shares::fixed(5, &[10, 4]).lay_out(&mut table, |symbol, bits, base| (symbol, bits, base)).is_none());
    }
}
