//! What it is expected to cost that a pattern is searched in every object.
//!
//! Two things cost: each position of an ordinary file that the filter passes because of the pattern, and each object in which
//! it is found, since something is to be done there. The first follows from the keys; the second from the whole pattern,
//! whose bytes say more together than any four of them, though not as much as if they had nothing to do with each other.
//!
//! The figures are rough, and only their order counts: of several patterns that must all be there, the cheapest is searched.
//! Dearest is what files hold because of their kind: `4d5a` at the start of a program for Windows, `89504e47` of a picture.

use crate::keys::known_value;
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
/// Something is to be done in each object, because it holds this by its kind.
const CERTAIN: u64 = 1 << UNIT;
/// Something is to be done in many objects, because it seems frequent. Little, since what is frequent in some kinds of files is rare in
/// others, and objects are smaller than [`OBJECT`]: what the filter passes for it counts for more.
const FREQUENT: u64 = CERTAIN >> 10;
/// Something is to be done in most objects, because it is so short that chance makes it.
const NEARLY_CERTAIN: u64 = CERTAIN >> 3;
/// Patterns of fewer known bytes are so short, if they seem frequent.
const SHORT: usize = 4;

/// The cost of these parts of a pattern: see [`crate::Builder::cost`].
pub(crate) fn cost(parts: &[Part<'_>]) -> u64 {
    let passes = parts.iter().map(|part| share(rarity_of_keys(part)) << CANDIDATE).sum::<u64>();
    let rarity = parts.iter().filter_map(whole).reduce(|sum, rarity| sum + rarity);
    let known = parts.iter().flat_map(|part| part.elements).filter(|element| known_value(element).is_some()).count();
    let found = match rarity {
        None => CERTAIN,
        Some(rarity) if known < SHORT && share(rarity) << OBJECT > FREQUENT => NEARLY_CERTAIN,
        Some(rarity) => in_object(share(rarity), OBJECT),
    };
    passes.saturating_add(found).max(1)
}

/// How rare it is that the filter passes a part: of long keys the more frequent one counts, and of what follows the hashed
/// bytes, which the filter asks as well, a quarter of what it adds.
fn rarity_of_keys(part: &Part<'_>) -> u32 {
    let Some(keys) = part.keys.as_ref() else { return 0 };
    let behind = |at: usize| {
        let four = part.elements.get(at + 4..at + 8).unwrap_or_default();
        let four = four.iter().map(known_value).collect::<Option<Vec<u8>>>();
        four.map_or(0, |four| rarity::of_long(&four) / 4)
    };
    let more = if keys.are_short() { None } else { keys.all().iter().map(|key| behind(key.at)).min() };
    keys.rarity().saturating_add(more.unwrap_or(0))
}

/// The cost of a pattern that is compared at one place, of which files differ less than elsewhere.
pub(crate) fn cost_at_place(part: &Part<'_>) -> u64 {
    whole(part).map_or(CERTAIN, |rarity| in_object(share(rarity), PLACED)).max(1)
}

/// The cost of what is found at this share of 2 to the power of `positions` positions of an object.
fn in_object(share: u64, positions: u32) -> u64 {
    let (often, once) = (share.checked_ilog2().unwrap_or(0).saturating_add(positions), FREQUENT.ilog2());
    match often.checked_sub(once) {
        None => share << positions,
        Some(more) => FREQUENT.saturating_add(u64::from(more.min(16)) * (FREQUENT >> 3)),
    }
}

/// How rare a part is: its rarest four bytes, and a quarter of what the others would add; two or three bytes alone count by
/// their rarest pair. What files hold because of their kind counts for nothing; absent if nothing else is known of it.
fn whole(part: &Part<'_>) -> Option<u32> {
    let mut bytes = part.elements.iter().map(known_value).collect::<Vec<_>>();
    usual::forget(&mut bytes);
    if bytes.iter().all(Option::is_none) {
        return None;
    }
    let (mut most, mut sum) = (None, 0_u32);
    for stretch in bytes.split(Option::is_none) {
        for four in stretch.as_chunks::<4>().0 {
            let four = four.map(Option::unwrap_or_default);
            let rarity = rarity::of_long(&four);
            most = most.max(Some(rarity));
            sum = sum.saturating_add(if is_wide(four) { rarity / 2 } else { rarity });
        }
        if stretch.len() < 4 {
            let pairs = stretch.array_windows::<2>().map(|pair| rarity::of_pair(pair.map(Option::unwrap_or_default)));
            let rarity = pairs.max().unwrap_or(0);
            most = most.max(Some(rarity));
            sum = sum.saturating_add(rarity);
        }
    }
    let most = most.filter(|most| *most > 0).unwrap_or(BIT * BIT);
    let rest = sum.saturating_sub(most) / 4;
    Some(most.saturating_add(rest))
}

/// Are these two letters of 16 bits? They say little, and the next two hardly more.
fn is_wide([a, b, c, d]: [u8; 4]) -> bool {
    (a | c == 0 && b != 0 && d != 0) || (b | d == 0 && a != 0 && c != 0)
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

    #[test]
    fn what_chance_makes_costs_more_than_some_words() {
        let bytes = |bytes: &[u8]| bytes.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect();
        let mut builder = Builder::new();
        let mut cost = |elements: Vec<Element>| {
            let number = builder.add_waiting(&Pattern { elements }, true).unwrap();
            builder.cost(number)
        };
        // Any of these words, beside an instruction of two bytes that most programs hold.
        let words = [&b"linturefa"[..], b"xablopefgr", b"tarbidzuwek", b"weksrubaz", b"mifastubiv", b"lacdilefter"];
        let words = words.iter().map(|word| cost(bytes(word))).sum::<u64>();
        let instruction = cost(bytes(b"\x33\xc9"));
        assert!(instruction > words, "{instruction} {words}");
        // Letters of 16 bits, of which nothing hashed is rare, and a word of chance.
        let wide = b"pported".iter().flat_map(|letter| [*letter, 0]).collect::<Vec<u8>>();
        let (wide, chance) = (cost(bytes(&wide)), cost(bytes(b"t&Yz__e:\\J")));
        assert!(wide > chance, "{wide} {chance}");
    }

    #[test]
    fn what_each_file_of_a_kind_holds_costs_most() {
        let bytes = |bytes: &[u8]| bytes.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect();
        let mut builder = Builder::new();
        let beginnings = [&b"\x89PNG"[..], b"MZ"];
        let certain = beginnings.map(|begin| builder.add_placed(&Pattern { elements: bytes(begin) }).unwrap());
        // Words that are frequent in scripts, and so in the table; but a program or a picture hardly holds one.
        for word in [&b"curl"[..], b"wget", b"netsyst"] {
            let number = builder.add_waiting(&Pattern { elements: bytes(word) }, true).unwrap();
            let cheaper = |certain: &u32| builder.cost(number) < builder.cost(*certain) / 2;
            assert!(certain.iter().all(cheaper), "{}", word.escape_ascii());
        }
    }
}
