//! Which counts of a rule's subsignatures are settled, that is, will not change any more, at a stage of the examination.
//!
//! Before each step the expression of a rule is asked whether it could hold at all ([`crate::logic::may_hold`]): what is settled
//! counts, and anything may come of the rest.

use super::counter_of;
use crate::logic;
use crate::rules::{RuleRecord, RuleSet, Sub};
use crate::tally::Tally;

/// How far an examination has come.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// The object was read once: patterns that wait (see [`super::again`]) were not looked for. Those whose heralds were not found are not there.
    Once,
    /// All patterns were looked for; of those of several parts it is known whether they were met, not how often.
    Met,
    /// How often patterns were met is known, and all of the subsignatures before this one.
    Before(u32),
}

/// The number of matches of a rule's subsignature, if it is settled.
pub(super) fn settled(rules: &RuleSet<'_>, rule: &RuleRecord, tally: &Tally, id: u8, stage: Stage) -> Option<u32> {
    let Some((number, sub)) = counter_of(rule, id).and_then(|number| Some((number, rules.subsignature(number)?)))
    else {
        return Some(0);
    };
    let (count, more) = (tally.count(number).count, rules.has_more(&sub));
    let is_settled = match stage {
        Stage::Once if !sub.has_patterns() => return never_tried(rules, rule, tally, &sub).then_some(0),
        Stage::Once if rules.is_waiting(&sub) => {
            return (sub.heralded && !tally.count(number).heralded).then_some(0);
        }
        Stage::Once => !more || count == 0,
        Stage::Met => !more || (sub.has_patterns() && count == 0),
        Stage::Before(next) => !more || sub.has_patterns() || number < next,
    };
    is_settled.then_some(count)
}

/// True for a regular expression whose trigger cannot hold any more. What it says of other special subsignatures is not followed.
fn never_tried(rules: &RuleSet<'_>, rule: &RuleRecord, tally: &Tally, sub: &Sub) -> bool {
    let Some(trigger) = rules.trigger(sub) else { return false };
    let counts = |id: u8| {
        rules.subsignature(counter_of(rule, id)?).filter(Sub::has_patterns)?;
        settled(rules, rule, tally, id, Stage::Once)
    };
    !logic::trigger_may_hold(trigger, &counts)
}
