//! What of a logical signature is found out once the object was read: numbers of matches, macros, comparisons of numbers, and
//! regular expressions, in the order of their numbers.
//!
//! Nothing is found out that cannot matter: before each step, the expression is asked whether it could hold at all with what
//! is known. A regular expression whose trigger is an ordinary word, in a signature that asks for rare words too, would
//! otherwise be tried on most pages, for nothing (nine tenths of the time for HTML with the real signatures).

use super::settled::{Stage, settled};
use super::{Judge, counter_of};
use crate::layout::length;
use crate::logic::{self, Circumstances};
use crate::model::{Offset, OffsetBase};
use crate::regex::{Grams, Places};
use crate::rules::{Expression, RuleRecord, RuleSet, Special, Sub};
use crate::tally::Tally;
use crate::{compare, offsets, recount, regex};
use dachs_base::{Budget, Charge, Limit, LimitReached, Source, read_vec_at};
use memchr::memmem;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// So many needles are looked for one by one: each in a tenth of the time that the stretches of an object take.
const FEW: usize = 8;

/// The bytes of an object in lower case.
enum Lower {
    /// They are so themselves.
    Same,
    Made {
        bytes: Vec<u8>,
        _memory: Charge,
    },
    /// There was no memory for them.
    Missing,
}

/// All bytes of an object.
pub(super) struct Whole<'e> {
    bytes: Cow<'e, [u8]>,
    /// In lower case. Made when it is first asked for.
    lower: Option<Lower>,
    /// Needles that were asked for.
    sought: usize,
    /// Made when more needles are asked for, if there is memory for it.
    grams: Option<Option<(Grams, Charge)>>,
    places: Places,
    _charge: Option<Charge>,
}

impl<'e> Whole<'e> {
    fn read(source: &'e dyn Source, size: u64, budget: &Budget) -> Result<Whole<'e>, LimitReached> {
        if let Some(held) = source.held().filter(|held| length(held.len()) == size && size <= regex::LARGEST) {
            return Ok(Whole::new(Cow::Borrowed(held), None));
        }
        let allowed = regex::LARGEST;
        let refused = || LimitReached { limit: Limit::Memory, allowed };
        let count = usize::try_from(size).ok().filter(|_| size <= allowed).ok_or_else(refused)?;
        let charge = budget.reserve(size)?;
        Ok(Whole::new(Cow::Owned(read_vec_at(source, 0, count)), Some(charge)))
    }

    fn new(bytes: Cow<'e, [u8]>, charge: Option<Charge>) -> Whole<'e> {
        Whole { bytes, lower: None, sought: 0, grams: None, places: Places::default(), _charge: charge }
    }

    /// Could an expression match of which one of these needles must occur?
    fn may_match(&mut self, needles: &[u8], budget: &Budget) -> bool {
        if needles.is_empty() {
            return true;
        }
        self.sought = self.sought.saturating_add(regex::each_needle(needles).count());
        if self.sought <= FEW
            && let Some(lower) = self.lower(budget)
        {
            return regex::each_needle(needles).any(|needle| memmem::find(lower, needle).is_some());
        }
        let bytes = &self.bytes;
        let make = || {
            let charge = budget.reserve(length(Grams::memory(bytes.len()))).ok()?;
            Some((Grams::new(bytes), charge))
        };
        let grams = self.grams.get_or_insert_with(make).as_ref();
        grams.is_none_or(|(grams, _)| regex::each_needle(needles).any(|needle| grams.may_hold(needle)))
    }

    /// The bytes in lower case, if there is memory for them.
    fn lower(&mut self, budget: &Budget) -> Option<&[u8]> {
        let bytes = &self.bytes;
        let make = || {
            // All bytes are looked at, so that vectors do it.
            if !bytes.iter().fold(false, |any, byte| any | byte.is_ascii_uppercase()) {
                return Lower::Same;
            }
            let charge = budget.reserve(length(bytes.len()));
            charge.map_or(Lower::Missing, |memory| Lower::Made { bytes: bytes.to_ascii_lowercase(), _memory: memory })
        };
        match self.lower.get_or_insert_with(make) {
            Lower::Same => Some(&self.bytes),
            Lower::Made { bytes, .. } => Some(bytes),
            Lower::Missing => None,
        }
    }
}

/// A rule that could be fulfilled, and what is known of the object.
struct Case<'c, 'a> {
    rules: &'c RuleSet<'a>,
    rule: &'c RuleRecord,
    around: &'c Circumstances<'c>,
}

impl Case<'_, '_> {
    /// Could the rule be fulfilled, with what is known?
    fn is_open(&self, tally: &Tally, stage: Stage) -> bool {
        logic::may_hold(self.rules.logic(self.rule), &|id| settled(self.rules, self.rule, tally, id, stage))
    }
}

impl Judge<'_, '_> {
    /// Finds out what is missing of a rule whose conditions hold, as long as it could be fulfilled. False if something could
    /// not be found out: then nothing can be said of the rule, and the limit is told.
    pub(super) fn complete(
        &mut self,
        rules: &RuleSet<'_>,
        tally: &mut Tally,
        rule: &RuleRecord,
        around: &Circumstances<'_>,
    ) -> Result<bool, LimitReached> {
        let needed = |number: u32| rules.subsignature(number).is_some_and(|sub| rules.has_more(&sub));
        if !numbers(rule).any(needed) || !logic::conditions_met(rules.logic(rule), around) {
            return Ok(true);
        }
        let case = Case { rules, rule, around };
        if !case.is_open(tally, Stage::Met) {
            return Ok(true);
        }
        let done = self.counts(&case, tally).and_then(|()| self.specials(&case, tally));
        if let Err(limit) = done {
            self.limit = Some(limit);
        }
        Ok(done.is_ok())
    }

    /// Counts the matches of subsignatures of several parts, where their number matters.
    fn counts(&mut self, case: &Case<'_, '_>, tally: &mut Tally) -> Result<(), LimitReached> {
        for number in numbers(case.rule) {
            let Some(sub) = case.rules.subsignature(number) else { continue };
            if !sub.parted || sub.one_match || tally.count(number).count == 0 {
                continue;
            }
            let offset = case.rules.offset(sub.offset).filter(|offset| offset.base != OffsetBase::VersionKey);
            let starts = offset.and_then(|offset| self.starts(&offset, case.around.size));
            let parts = || case.rules.compiled.parts(number, || case.rules.patterns_to_count(&sub));
            let Some((starts, parts)) = starts.and_then(|starts| Some((starts, parts()?))) else { continue };
            let most = most_counted(case);
            if let Some(counted) = recount::count(&parts, &starts, most, self.object.source, self.budget)? {
                tally.set(number, counted, self.budget)?;
            }
        }
        Ok(())
    }

    fn specials(&mut self, case: &Case<'_, '_>, tally: &mut Tally) -> Result<(), LimitReached> {
        for number in numbers(case.rule) {
            let Some(sub) = case.rules.subsignature(number) else { continue };
            let special = case.rules.special(&sub);
            if special.is_some() && !case.is_open(tally, Stage::Before(number)) {
                return Ok(());
            }
            match special {
                Some(Special::Compare(compare)) => {
                    let start = counter_of(case.rule, compare.id)
                        .filter(|place| case.rules.subsignature(*place).is_some_and(|sub| sub.has_patterns()))
                        .map(|place| tally.count(place))
                        .filter(|counter| counter.count > 0)
                        .map(|counter| counter.last);
                    let held = start.filter(|start| compare::holds(&compare, self.object.source, *start));
                    if let (Some(start), Some(counter)) = (held, tally.counter(number, self.budget)?) {
                        counter.add(start, false);
                    }
                }
                Some(Special::Macro { group, min, max }) => self.members(number, (group, min, max), case, tally)?,
                Some(Special::Picture(hash)) => {
                    let seen = self.facts.map_or(Ok(None), |facts| facts.picture.find())?;
                    if let (Some(counter), true) = (tally.counter(number, self.budget)?, seen == Some(&hash)) {
                        counter.add(0, false);
                    }
                }
                Some(Special::Regex(expression)) => {
                    let counts = |id: u8| counter_of(case.rule, id).map_or(0, |number| tally.count(number).count);
                    if logic::trigger_holds(expression.trigger, &counts) {
                        self.regex(case, tally, number, &sub, &expression)?;
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Counts the members of a group that a macro reaches.
    fn members(
        &mut self,
        number: u32,
        (group, min, max): (u8, u64, u64),
        case: &Case<'_, '_>,
        tally: &mut Tally,
    ) -> Result<(), LimitReached> {
        let Some(before) = number.checked_sub(1).filter(|before| *before >= case.rule.first) else { return Ok(()) };
        let all_starts = case.rules.subsignature(number).is_some_and(|sub| sub.all_starts);
        for start in tally.members(before, group, min, max) {
            if let Some(counter) = tally.counter(number, self.budget)? {
                counter.add(start, false);
            }
            if all_starts {
                tally.keep(number, start, self.budget)?;
            }
        }
        Ok(())
    }

    /// Counts the matches of one regular expression.
    fn regex(
        &mut self,
        case: &Case<'_, '_>,
        tally: &mut Tally,
        number: u32,
        sub: &Sub,
        wanted: &Expression<'_>,
    ) -> Result<(), LimitReached> {
        let Some(offset) = case.rules.offset(sub.offset) else { return Ok(()) };
        let Some(starts) = self.starts(&offset, case.around.size) else { return Ok(()) };
        let (source, budget, size) = (self.object.source, self.budget, case.around.size);
        let whole = self.whole.get_or_insert_with(|| Whole::read(source, size, budget));
        let whole = whole.as_mut().map_err(|limit| *limit)?;
        if !whole.may_match(wanted.needles, budget) {
            return Ok(());
        }
        let ending = case.rules.compiled.ending(wanted.place, wanted.text, wanted.flags);
        if ending.is_some_and(|ending| !whole.places.may_match(&whole.bytes, &ending)) {
            return Ok(());
        }
        let compiled = case.rules.compiled.compiled(wanted.place, wanted.text, wanted.flags);
        let window = regex::Window::new(&whole.bytes, &offset, &starts, wanted.flags);
        let (Some(compiled), Some(window)) = (compiled, window) else { return Ok(()) };
        let Some(counter) = tally.counter(number, budget)? else { return Ok(()) };
        let all = wanted.flags.contains('g') && !sub.one_match;
        compiled.search(&window, all, budget, &mut |start| {
            counter.add(starts.start().saturating_add(start), false);
            true
        })
    }

    fn starts(&self, offset: &Offset, size: u64) -> Option<RangeInclusive<u64>> {
        offsets::starts(offset, self.facts, &mut || size)
    }
}

/// The numbers of a rule's subsignatures.
fn numbers(rule: &RuleRecord) -> impl Iterator<Item = u32> + use<> {
    rule.first..rule.first.saturating_add(rule.count.min(u32::from(u8::MAX)))
}

/// Counts beyond this are all alike for a rule; there is none where a comparison asks for the last match.
fn most_counted(case: &Case<'_, '_>) -> u32 {
    let specials = numbers(case.rule).filter_map(|number| case.rules.special(&case.rules.subsignature(number)?));
    let counted = specials.map(|special| match special {
        Special::Compare(_) => Some(u32::MAX),
        Special::Macro { .. } | Special::Picture(_) => Some(0),
        Special::Regex(expression) => logic::largest_count_of_trigger(expression.trigger),
    });
    let all = counted.chain([logic::largest_count(case.rules.logic(case.rule))]);
    all.map(|most| most.unwrap_or(u32::MAX)).max().unwrap_or(u32::MAX)
}
