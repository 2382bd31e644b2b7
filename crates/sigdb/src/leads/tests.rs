//! Leads of expressions, and that they lead: whatever is counted, an expression holds only where one of its leads matches.

use super::*;
use crate::logic::{self, Circumstances};
use crate::model::{Offset, Regex};
use dachs_matcher::pattern::{Element, Pattern};

fn body() -> Subsignature {
    let pattern = Pattern { elements: vec![Element::Byte { value: 1, mask: 0xFF }] };
    Subsignature::Body { offset: Offset::ANY, patterns: vec![pattern] }
}

fn id(id: u8) -> Expression {
    Expression::Count { id, comparison: Comparison::Greater, count: 0 }
}

fn block(inner: Expression, comparison: Comparison, count: u32, distinct: u32) -> Expression {
    Expression::Block { inner: Box::new(inner), comparison, count, distinct }
}

/// The higher a number, the cheaper.
fn leads(expression: &Expression, subsignatures: &[Subsignature]) -> Option<u64> {
    of(expression, subsignatures, &|id| 100 - u64::try_from(id).unwrap()).map(|leads| leads.ids)
}

#[test]
fn the_cheapest_lead() {
    use Comparison::{Equal, Greater, Less};
    let four = || vec![body(), body(), body(), body()];
    let all = |ids: &[u8]| ids.iter().map(|number| id(*number)).collect::<Vec<_>>();
    let count = |id, comparison, count| Expression::Count { id, comparison, count };
    let table = [
        (id(0), Some(0b1)),
        (Expression::And(all(&[0, 1, 2])), Some(0b100)),
        (Expression::Or(all(&[0, 2])), Some(0b101)),
        (Expression::And(vec![Expression::Or(all(&[2, 3])), id(0)]), Some(0b1)),
        (Expression::And(vec![id(0), count(1, Equal, 0)]), Some(0b1)),
        (Expression::Or(vec![id(0), count(1, Less, 2)]), None),
        (count(0, Equal, 3), Some(0b1)),
        (count(0, Equal, 0), None),
        (block(Expression::Or(all(&[0, 1, 2, 3])), Greater, 3, 4), Some(0b1000)),
        (block(Expression::Or(all(&[0, 1, 2, 3])), Greater, 1, 2), Some(0b1110)),
        (block(Expression::Or(all(&[0, 1])), Equal, 2, 0), Some(0b11)),
        (block(Expression::And(all(&[0, 1])), Equal, 0, 0), None),
        (block(Expression::And(all(&[0, 1])), Less, 3, 0), None),
    ];
    for (expression, expected) in table {
        assert_eq!(leads(&expression, &four()), expected, "{expression:?}");
    }
}

#[test]
fn what_is_no_pattern_is_led_by_what_it_needs() {
    let regex = |trigger| Subsignature::Regex { offset: Offset::ANY, trigger, regex: Regex::default() };
    let subsignatures = vec![body(), regex(id(0)), regex(Expression::Or(vec![id(0), id(1)]))];
    assert_eq!(leads(&id(1), &subsignatures), Some(1));
    assert_eq!(leads(&id(2), &subsignatures), Some(1));
    assert_eq!(leads(&id(1), &[body(), regex(id(1))]), None);
    assert_eq!(leads(&id(0), &[body(), Subsignature::Picture(7)]), None);
    assert_eq!(leads(&id(0), &[body(), Subsignature::Macro { min: 0, max: 1, group: 2 }]), None);
}

/// Numbers below a bound, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }

    fn expression(&mut self, depth: u32) -> Expression {
        let comparison = [Comparison::Equal, Comparison::Greater, Comparison::Less][self.below(3) as usize];
        let several = |dice: &mut Dice| (0..=dice.below(3)).map(|_| dice.expression(depth - 1)).collect();
        match if depth == 0 { 0 } else { self.below(5) } {
            0 | 1 => {
                let count = self.below(4).saturating_sub(self.below(4));
                Expression::Count { id: u8::try_from(self.below(5)).unwrap(), comparison, count }
            }
            2 => Expression::And(several(self)),
            3 => Expression::Or(several(self)),
            _ => block(self.expression(depth - 1), comparison, self.below(4), self.below(4)),
        }
    }
}

#[test]
fn where_no_lead_matches_nothing_holds() {
    let mut dice = Dice(1);
    let (mut led, mut held) = (0, 0);
    for _ in 0..50_000 {
        let expression = dice.expression(3);
        let bytes = logic::encode(&[], &expression, 5).unwrap();
        let leads = leads(&expression, &[body(), body(), body(), body(), body()]);
        let counts: Vec<u32> = (0..5).map(|_| dice.below(4).saturating_sub(dice.below(3))).collect();
        let waits: Vec<bool> = (0..5).map(|_| dice.below(3) == 0).collect();
        let around = Circumstances { size: 0, facts: None, around: &[] };
        let count = |id: u8| counts[usize::from(id)];
        let holds = logic::judge(&bytes, &around, &count).is_some();
        if let Some(leads) = leads {
            let is_led = (0..5).any(|id| leads >> id & 1 == 1 && count(id) > 0);
            assert!(is_led || !holds, "{expression:?} {leads:b} {counts:?}");
            led += 1;
        }
        held += u32::from(holds);
        let known = |id: u8| (!waits[usize::from(id)]).then(|| count(id));
        let may_hold = logic::may_hold(&bytes, &known);
        assert!(!holds || may_hold, "{expression:?} {counts:?} {waits:?}");
        assert!(waits.contains(&true) || may_hold == holds, "{expression:?} {counts:?}");
    }
    assert!(led > 5_000 && held > 5_000, "{led} {held}");
}
