//! The second reading of an object, for patterns that were not searched in the first.
//!
//! Of most logical signatures only the leads are searched (see `leads`), and in most objects none of them has a match. Where one
//! has, those signatures that could still hold, whatever their other subsignatures count, are *undecided*, and their
//! patterns are looked for now, all together. Of these subsignatures nothing counts that was counted before, so that their
//! matches are counted in one order; of all others nothing counts that is found now.
//!
//! What it costs at worst: one more pass over the object, with the patterns of the signatures that its own bytes name.

use super::settled::{Stage, settled};
use super::{Active, Examination, Judge, counter_of};
use crate::digests::Digests;
use crate::layout::length;
use crate::logic::{self, Circumstances};
use crate::placed::Places;
use crate::rules::RuleSet;
use crate::tally::{Counter, Tally};
use crate::windows::Windows;
use dachs_base::LimitReached;
use dachs_matcher::{Filter, Flow, Patterns, Selection, State};
use std::collections::BTreeSet;

/// What a selected pattern may take of memory, roughly, until it is known.
const ROOM: u64 = 256;

/// The patterns of one target that are looked for in the second reading.
struct Waiting<'a> {
    selection: Selection<'a>,
    /// The subsignatures that are counted.
    wanted: Vec<u32>,
}

impl<'e, 'a> Examination<'e, 'a> {
    /// Looks for the patterns that undecided rules wait for. False if nothing can be said of these rules.
    pub(super) fn read_again(
        &mut self,
        windows: Windows<'_>,
        active: &mut [Active<'e, 'a>],
        undecided: &[Vec<u32>],
    ) -> Result<bool, LimitReached> {
        let waiting = active.iter_mut().zip(undecided).map(|(active, rules)| self.judge.waiting(active, rules));
        let waiting = waiting.collect::<Result<Vec<_>, _>>()?;
        if waiting.iter().all(Option::is_none) {
            return Ok(true);
        }
        let mut again = Vec::with_capacity(active.len());
        for (active, waiting) in active.iter_mut().zip(&waiting) {
            let Some(Waiting { selection, wanted }) = waiting else { continue };
            again.push(Active {
                rules: active.rules,
                patterns: Some(selection.patterns()),
                wanted: Some(wanted.clone()),
                state: State::new(),
                tally: std::mem::take(&mut active.tally),
                places: Places::default(),
                charges: vec![self.judge.budget.reserve(length(selection.memory()))?],
            });
        }
        let whole = self.look_again(windows, &mut again)?;
        let read = active.iter_mut().zip(&waiting).filter(|(_, waiting)| waiting.is_some());
        read.zip(again).for_each(|((active, _), again)| active.tally = again.tally);
        Ok(whole)
    }

    fn look_again(&mut self, windows: Windows<'_>, again: &mut [Active<'_, '_>]) -> Result<bool, LimitReached> {
        let filter = Filter::new(again.iter().filter_map(|active| active.patterns.as_ref()));
        if let Some(whole) = windows.whole() {
            return Ok(self.scan(again, &filter, whole) != Flow::Stop);
        }
        drop(windows);
        let overlap = Patterns::overlap_of(again.iter().filter_map(|active| active.patterns.as_ref()));
        let mut windows = Windows::new(self.judge.object.source, overlap, self.judge.budget)?;
        self.read_windows(&mut windows, (again, &filter), &mut Digests::default())
    }
}

impl Judge<'_, '_> {
    /// The rules that may hold, by what is known.
    pub(super) fn undecided(
        &mut self,
        rules: &RuleSet<'_>,
        tally: &mut Tally,
        size: u64,
    ) -> Result<Vec<u32>, LimitReached> {
        let around = Circumstances { size, facts: self.facts, around: self.object.around };
        let mut undecided = Vec::new();
        for number in tally.rules(rules.always()) {
            self.step()?;
            let Some(rule) = rules.rule(number) else { continue };
            let logic = rules.logic(&rule);
            // Hundreds of rules of attachments share a pattern that each archive holds: what is around tells them apart for less.
            if logic::conditions_met(logic, &around)
                && logic::may_hold(logic, &|id| settled(rules, &rule, tally, id, Stage::Once))
            {
                undecided.push(number);
            }
        }
        Ok(undecided)
    }

    /// What the undecided rules of a target wait for; `None` for nothing. Forgets what was counted of it.
    fn waiting<'a>(
        &mut self,
        active: &mut Active<'_, 'a>,
        undecided: &[u32],
    ) -> Result<Option<Waiting<'a>>, LimitReached> {
        let rules = active.rules;
        let (mut wanted, mut patterns) = (Vec::new(), BTreeSet::new());
        for rule in undecided.iter().filter_map(|number| rules.rule(*number)) {
            self.step()?;
            for number in (0..=u8::MAX).map_while(|id| counter_of(&rule, id)) {
                let Some(sub) = rules.subsignature(number).filter(|sub| rules.is_waiting(sub)) else { continue };
                if active.tally.count(number).count > 0 {
                    active.tally.set(number, Counter::default(), self.budget)?;
                }
                wanted.push(number);
                patterns.extend(rules.patterns_of(&sub).flatten());
            }
        }
        let Some(set) = rules.patterns.as_ref().filter(|_| !patterns.is_empty()) else { return Ok(None) };
        let room = self.budget.reserve(length(patterns.len()).saturating_mul(ROOM))?;
        wanted.sort_unstable();
        let selection = set.select(patterns);
        drop(room);
        Ok(Some(Waiting { selection, wanted }))
    }
}
