//! Heralds: what stands for a subsignature that is dear to search in every object.
//!
//! Of `3c736372697074{-500}66756e6374696f6e{-250}2e617474726962757465733b` (`<script`, `function`, `.attributes;`) the matcher would
//! look for `<script` in every page, since what comes first is looked for first. But it can match only where `.attributes;` stands,
//! and hardly a page holds that. So this piece is searched alone, as its herald, and the subsignature waits as those do that do not
//! lead (see [`crate::leads`]): where the herald was found, and the rule could hold, it is looked for in the second reading.
//!
//! Only leads of logical signatures have heralds. What a body signature finds is told in the order in which it stands in the object, and would
//! come too late.

use dachs_matcher::pattern::{Element, Pattern};

/// Subsignatures that cost less are searched as they are. 2^40 is a nanosecond for each byte, see [`dachs_matcher::Builder::cost`].
const DEAR: u64 = 1 << 28;
/// A herald must cost so many times less than what it stands for.
const CHEAPER: u64 = 4;

/// The heralds of a subsignature: one for each of its patterns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heralds {
    pub(crate) pieces: Vec<Pattern>,
    /// What it costs to search for all of them.
    pub(crate) cost: u64,
}

/// The heralds of a subsignature with these patterns, if they cost much less than it does. `estimate`: what it would cost to search for
/// a pattern.
pub(crate) fn of(patterns: &[Pattern], cost: u64, estimate: &dyn Fn(&[Element]) -> Option<u64>) -> Option<Heralds> {
    // What has no gap is one piece, which costs as much as the whole.
    let has_gap = |pattern: &Pattern| pattern.elements.iter().any(|element| matches!(element, Element::Gap { .. }));
    if cost < DEAR || !patterns.iter().any(has_gap) {
        return None;
    }
    let cheapest = patterns.iter().map(|pattern| cheapest_piece(pattern, estimate)).collect::<Option<Vec<_>>>()?;
    let all = cheapest.iter().fold(0, |all: u64, (_, cost)| all.saturating_add(*cost));
    let pieces = || cheapest.into_iter().map(|(piece, _)| Pattern { elements: piece.to_vec() }).collect();
    (all.saturating_mul(CHEAPER) <= cost).then(|| Heralds { pieces: pieces(), cost: all })
}

/// The cheapest stretch without gaps and marks.
fn cheapest_piece<'p>(
    pattern: &'p Pattern,
    estimate: &dyn Fn(&[Element]) -> Option<u64>,
) -> Option<(&'p [Element], u64)> {
    let ends = |element: &Element| matches!(element, Element::Gap { .. } | Element::Mark { .. });
    let pieces = pattern.elements.split(ends).filter(|piece| !piece.is_empty());
    let costs = pieces.filter_map(|piece| estimate(piece).map(|cost| (piece, cost)));
    costs.min_by_key(|(_, cost)| *cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &[u8]) -> Pattern {
        let gap = Element::Gap { min: 0, max: None };
        let element = |byte: &u8| if *byte == b'*' { gap.clone() } else { Element::Byte { value: *byte, mask: 0xFF } };
        Pattern { elements: text.iter().map(element).collect() }
    }

    /// The longer, the cheaper; what is too short cannot be searched.
    fn estimate(elements: &[Element]) -> Option<u64> {
        (elements.len() > 1).then(|| DEAR >> elements.len())
    }

    #[test]
    fn the_cheapest_piece_stands_for_a_pattern() {
        // Patterns, separated by spaces, their cost, and the pieces, none for no heralds.
        let table = [
            ("ab*cdefgh*ij", DEAR, "cdefgh"),
            ("ab*cdefgh*ij", DEAR - 1, ""),
            ("abc ab*cdefgh", DEAR, "abc cdefgh"),
            ("ab*cd", DEAR, "ab"),
            ("a*b", DEAR, ""),
            ("ab*c d*e", DEAR, ""),
        ];
        for (patterns, cost, expected) in table {
            let all = |texts: &str| texts.split_whitespace().map(|text| pattern(text.as_bytes())).collect::<Vec<_>>();
            let found = of(&all(patterns), cost, &estimate).map_or(vec![], |heralds| heralds.pieces);
            assert_eq!(found, all(expected), "{patterns}");
        }
    }

    #[test]
    fn heralds_that_save_little_are_none() {
        let dear = |_: &[Element]| Some(DEAR / 2);
        assert_eq!(of(&[pattern(b"ab*cd")], DEAR, &dear), None);
    }
}
