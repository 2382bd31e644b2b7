//! The oracle: what a [`Pattern`] means, as the shortest program that says it. For tests; its time is polynomial, not small.
//!
//! A pattern matches from `start` to `end` if its elements can be laid end to end between them. [`Element::Mark`]s before
//! the first and after the last other element consume nothing: they look at the byte before `start` and after `end`, and
//! the object's own borders count as borders.

use std::collections::BTreeSet;

use crate::marks::{self, Side};
use crate::pattern::{Element, Pattern};

/// All distinct (start, end) of `pattern` in `bytes`, sorted. `bytes` is the whole object.
#[must_use]
pub fn find(pattern: &Pattern, bytes: &[u8]) -> Vec<(u64, u64)> {
    let (before, body, after) = marks::split(&pattern.elements);
    let mut found = Vec::new();
    for start in 0..=bytes.len() {
        if !before.iter().all(|mark| marks::holds(*mark, Side::Left, bytes, start)) {
            continue;
        }
        let ends = run(body, bytes, &BTreeSet::from([start]));
        let ends =
            ends.into_iter().filter(|end| after.iter().all(|mark| marks::holds(*mark, Side::Right, bytes, *end)));
        found.extend(ends.map(|end| (start as u64, end as u64)));
    }
    found
}

/// Where `elements` can end if they start at one of `starts`.
fn run(elements: &[Element], bytes: &[u8], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
    elements
        .iter()
        .fold(starts.clone(), |starts, element| starts.iter().flat_map(|at| step(element, bytes, *at)).collect())
}

fn step(element: &Element, bytes: &[u8], at: usize) -> BTreeSet<usize> {
    let one = |holds: &dyn Fn(u8) -> bool| bytes.get(at).filter(|b| holds(**b)).map(|_| at + 1).into_iter().collect();
    match element {
        Element::Byte { value, mask } => one(&|b| b & mask == *value),
        Element::Folded(letter) => one(&|b| b.to_ascii_lowercase() == *letter),
        Element::Gap { min, max } => {
            let first = at.saturating_add(*min as usize);
            let last = max.map_or(usize::MAX, |max| at.saturating_add(max as usize)).min(bytes.len());
            (first..=last).collect()
        }
        Element::Mark { mark, negated } => {
            marks::consume(*mark, *negated, bytes, at).into_iter().flatten().map(|n| at + n).collect()
        }
        Element::Alternatives { options, negated } => {
            let ends =
                options.iter().flat_map(|option| run(option, bytes, &BTreeSet::from([at]))).collect::<BTreeSet<_>>();
            if !negated {
                return ends;
            }
            let length = options.first().and_then(|option| crate::pattern::fixed_length(option)).unwrap_or(0);
            let end = at.saturating_add(length);
            BTreeSet::from([end]).into_iter().filter(|end| ends.is_empty() && *end <= bytes.len()).collect()
        }
    }
}
