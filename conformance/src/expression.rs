//! Random expressions of logical signatures.
//!
//! They use every id from 0 to the highest, as the format demands, and mix operators on one level only rarely, where the
//! two sides of a level bind in an order of their own (the feature `mixed`).

use crate::random::Random;

/// An expression over `count` subsignatures.
pub(crate) fn random(random: &mut Random, count: usize) -> String {
    let ids: Vec<usize> = (0..count).collect();
    level(random, &ids, true)
}

fn level(random: &mut Random, ids: &[usize], top: bool) -> String {
    if let [id] = ids {
        return single(random, *id);
    }
    let mut operands = Vec::new();
    let mut rest = ids;
    while !rest.is_empty() {
        let take = if random.once_in(3) && rest.len() >= 2 && rest.len() < ids.len() { 2 } else { 1 };
        let (now, later) = rest.split_at(take);
        operands.push(level(random, now, false));
        rest = later;
    }
    let mut text = join(random, &operands);
    if !top || random.once_in(3) && operands.len() > 1 {
        text = block(random, &text);
    }
    text
}

fn join(random: &mut Random, operands: &[String]) -> String {
    let operator = *random.pick(&["&", "|"]);
    let mixed = random.once_in(10);
    let mut text = String::new();
    for (at, operand) in operands.iter().enumerate() {
        if at > 0 {
            let another = mixed.then(|| *random.pick(&["&", "|"]));
            text.push_str(another.unwrap_or(operator));
        }
        text.push_str(operand);
    }
    text
}

/// An id, sometimes with a comparison of its count.
fn single(random: &mut Random, id: usize) -> String {
    match random.below(8) {
        0 => format!("{id}={}", random.below(3)),
        1 => format!("{id}>{}", random.below(3)),
        2 => format!("{id}<{}", random.range(1, 3)),
        _ => id.to_string(),
    }
}

/// A block in parentheses, sometimes with a comparison of its sum.
fn block(random: &mut Random, inner: &str) -> String {
    let distinct = if random.once_in(2) { format!(",{}", random.range(1, 3)) } else { String::new() };
    match random.below(6) {
        0 => format!("({inner})>{}{distinct}", random.below(4)),
        1 => format!("({inner})={}{distinct}", random.below(4)),
        2 => format!("({inner})<{}{distinct}", random.range(1, 4)),
        _ => format!("({inner})"),
    }
}
