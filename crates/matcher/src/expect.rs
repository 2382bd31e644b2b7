//! What it is expected to cost that a pattern is searched in every object.
//!
//! Two things cost: each position of an ordinary file that the filter passes because of the pattern, and each object in which
//! it is found, since something is to be done there. The first follows from the keys; the second from the whole pattern,
//! whose bytes say more together than any four of them, though not as much as if they had nothing to do with each other.
//!
//! The figures are rough, and only their order counts: of several patterns that must all be there, the cheapest is searched.

use crate::keys::{Keys, known_value};
use crate::rarity;
use crate::split::Part;
use crate::usual;

/// One for each byte: a nanosecond.
const UNIT: u32 = 40;
/// Two to this many nanoseconds for a position that passes the filter.
const CANDIDATE: u32 = 5;
/// Objects have two to this many bytes.
const OBJECT: u32 = 20;
/// Two to this many times as often as anywhere else a pattern is found at the one place where it may be.
const PLACED: u32 = 10;
/// Eighths of a bit.
const BIT: u32 = 8;

/// The cost of these parts of a pattern: see [`crate::Builder::cost`].
pub(crate) fn cost(parts: &[Part]) -> u64 {
    let passes = parts.iter().map(|part| share(part.keys.as_ref().map_or(0, Keys::rarity)) << CANDIDATE).sum::<u64>();
    let found = share(parts.iter().map(whole).sum::<u32>()) << OBJECT;
    passes.saturating_add(found.min(1 << UNIT)).max(1)
}

/// The cost of a pattern that is compared at one place, of which files differ less than elsewhere.
pub(crate) fn cost_at_place(part: &Part) -> u64 {
    (share(whole(part)) << PLACED).clamp(1, 1 << UNIT)
}

/// How rare a part is: its rarest four bytes, and a quarter of what the others would add. What files hold because of their kind
/// counts for nothing.
fn whole(part: &Part) -> u32 {
    let mut bytes = part.elements.iter().map(known_value).collect::<Vec<_>>();
    usual::forget(&mut bytes);
    let fours = bytes.split(Option::is_none).flat_map(|stretch| {
        let known = stretch.iter().copied().flatten().collect::<Vec<u8>>();
        known.chunks(4).filter(|four| four.len() == 4).map(rarity::of_long).collect::<Vec<u32>>()
    });
    let fours = fours.collect::<Vec<u32>>();
    let most = fours.iter().copied().max().unwrap_or(BIT * BIT);
    let rest = fours.iter().sum::<u32>().saturating_sub(most) / 4;
    most.saturating_add(rest)
}

/// The share of positions, in parts of [`UNIT`], of what is so rare.
fn share(rarity: u32) -> u64 {
    let (bits, rest) = (rarity / BIT, u64::from(rarity % BIT));
    // Between two powers of two on a straight line.
    (((1_u64 << UNIT) * (16 - rest)) >> 4).checked_shr(bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;
    use crate::pattern::{Element, Pattern};

    #[test]
    fn shares_halve_with_each_bit() {
        assert_eq!((share(0), share(8), share(80)), (1 << UNIT, 1 << (UNIT - 1), 1 << (UNIT - 10)));
        assert!(share(4) < share(3) && share(4) > share(8) && share(u32::MAX) == 0);
    }

    #[test]
    fn what_is_rarer_costs_less() {
        let mut builder = Builder::new();
        let mut cost = |bytes: &[u8]| {
            let elements = bytes.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect();
            let number = builder.add_waiting(&Pattern { elements }, true).unwrap();
            builder.cost(number)
        };
        let zeros = cost(&[0; 4]);
        let common = cost(b"\x8b\x45\x08");
        let short = cost(b"\x9d\x13\xe7\x55\xc9\xb2");
        let long = cost(b"\x9d\x13\xe7\x55\xc9\xb2\x41\x77\x1f\xe3\x91\xd7");
        assert!(zeros > common && common > short && short > long, "{zeros} {common} {short} {long}");
    }
}
