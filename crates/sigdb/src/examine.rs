//! The examination of one object.
//!
//! ```text
//! window ──> digests                      only those of sizes that occur
//!        ──> patterns of its target ─┐
//!        ──> patterns of any target ─┴─hit──> offset fits? ──> counted ──> body signature: a finding at once
//! after the last window:  digests looked up ──> logical signatures of those subsignatures that were hit
//!                         ──> patterns that wait, see `again` ───────────┤
//!                         ──> what is no pattern, see `specials` ────────┘
//!                         ──> digests of sections and imports
//! ```
//!
//! The order of findings is ClamAV's: revoked certificates of a program; body signatures as they are found, those of the target before the others of the
//! same window; then digests; then logical signatures in the order in which they were added, the target's first; then
//! digests of an executable's sections and imports.
//!
//! What is read as two forms, as the scripts of a page are, is examined with the generic signatures once.
//!
//! An object that was not read to its end, because a limit was reached, has no digest and no logical signature: either
//! could say of the whole what holds of a part only.

mod again;
mod settled;
mod specials;

use crate::digests::Digests;
use crate::hashes::Hashes;
use crate::image::{Examined, Image, View};
use crate::layout::length;
use crate::logic::{self, Circumstances};
use crate::model::{OffsetBase, Told};
use crate::offsets;
use crate::placed::Places;
use crate::rules::{RuleRecord, RuleSet, Sub, Use};
use crate::scopes;
use crate::tally::Tally;
use crate::windows::Windows;
use dachs_base::{Budget, Charge, Facts, FileKind, Finding, LimitReached, Source, Strength, Target};
use dachs_matcher::{Filter, Flow, Hit, Patterns, State, Window, scan_all};
use specials::Whole;

/// Objects of so many bytes or fewer fulfil no signature.
const TINY: u64 = 5;
/// The clock is looked at after so many hits.
const HITS_PER_LOOK: u32 = 4096;
/// So many times as many findings of one object are told as a report holds: the same are often found in another form of it.
const FORMS: u64 = 10;
/// What patterns tell of kinds is told so often of an object.
const TOLD: usize = 1000;
/// Bytes read at once for the allow list.
const CHUNK: usize = 1 << 16;

/// The examination of one object.
pub(crate) struct Examination<'e, 'a> {
    judge: Judge<'e, 'a>,
    /// Signatures of any target, and digests, count.
    generic: bool,
}

/// One set of patterns at work.
struct Active<'e, 'a> {
    rules: &'e RuleSet<'a>,
    /// Absent if its rules ask for other things than bytes.
    patterns: Option<Patterns<'e>>,
    /// The subsignatures whose matches count, sorted; absent for all.
    wanted: Option<Vec<u32>>,
    state: State,
    tally: Tally,
    places: Places<'e>,
    /// What the state was charged for.
    charges: Vec<Charge>,
}

impl Active<'_, '_> {
    /// Charges what the state has grown by.
    fn charge(&mut self, budget: &Budget) -> Result<(), LimitReached> {
        let charged = self.charges.iter().map(Charge::count).sum::<u64>();
        let more = length(self.state.memory()).saturating_sub(charged);
        if more > 0 {
            self.charges.push(budget.reserve(more)?);
        }
        Ok(())
    }
}

impl<'e, 'a> Examination<'e, 'a> {
    pub(crate) fn new(image: &'e Image<'a>, object: &'e View<'e>, budget: &'e Budget, all: bool) -> Self {
        let executable = matches!(object.target, Target::Pe | Target::Elf | Target::MachO);
        let unread = executable && object.facts.is_unread();
        let facts = if unread { None } else { Some(object.facts) };
        let judge = Judge {
            image,
            object,
            budget,
            all,
            facts,
            size: None,
            steps: 0,
            found: Found::default(),
            limit: None,
            whole: None,
        };
        Examination { judge, generic: true }
    }

    /// Without signatures of any target, and without digests.
    pub(crate) fn of_target_alone(self) -> Self {
        Examination { generic: false, ..self }
    }

    pub(crate) fn run(mut self) -> Examined {
        let revoked = self.judge.certificates();
        let (bytes, result) = if self.judge.is_done() { (0, Ok(())) } else { self.read() };
        let result = revoked.and(result);
        let Found { findings, dropped, handlers, told, .. } = self.judge.found;
        Examined { findings, dropped, handlers, told, bytes, limit: result.err().or(self.judge.limit) }
    }

    /// Reads the object and judges it; gives the bytes looked at.
    fn read(&mut self) -> (u64, Result<(), LimitReached>) {
        let source = self.judge.object.source;
        // As in ClamAV, the normalised form of a text has no digest: signatures are told the text's size of it.
        let digested = self.generic && self.judge.object.facts.size.is_none();
        let awaited = digested.then(|| Digests::awaited(&self.judge.image.hashes, source));
        let mut digests = awaited.unwrap_or_default();
        let mut active = match self.active() {
            Ok(active) => active,
            Err(limit) => return (0, Err(limit)),
        };
        if active.is_empty() && digests.is_empty() {
            return (source.known_len().unwrap_or(0), self.judge.scopes());
        }
        let overlap = Patterns::overlap_of(active.iter().filter_map(|active| active.patterns.as_ref()));
        let mut windows = match Windows::new(source, overlap, self.judge.budget) {
            Ok(windows) => windows,
            Err(limit) => return (0, Err(limit)),
        };
        let filter = self.judge.image.filter(self.judge.object.target);
        let result = self.read_windows(&mut windows, (&mut active, filter), &mut digests);
        let bytes = windows.position();
        let judged = match result {
            Ok(true) if bytes > TINY => {
                self.conclude((bytes, windows), digests, &mut active).and_then(|()| self.judge.scopes())
            }
            other => other.map(drop),
        };
        (bytes, judged)
    }

    /// The sets of patterns of the object's target and of any, those that there are.
    fn active(&self) -> Result<Vec<Active<'e, 'a>>, LimitReached> {
        let target = self.judge.object.target;
        let targets = [Some(target), (target != Target::Any && self.generic).then_some(Target::Any)];
        let mut active = Vec::with_capacity(2);
        for rules in targets.into_iter().flatten().filter_map(|target| self.judge.image.rules(target)) {
            let patterns = rules.patterns.clone();
            if patterns.is_some() || rules.always().next().is_some() {
                let tally = Tally::new(rules.subsignature_count(), self.judge.budget)?;
                let places = Places::new(rules, self.judge.facts, self.judge.object.source.known_len());
                let (state, charges) = (State::new(), Vec::new());
                active.push(Active { rules, patterns, wanted: None, state, tally, places, charges });
            }
        }
        Ok(active)
    }

    /// Gives every window to the digests and the matcher. True if the object was read to its end.
    fn read_windows(
        &mut self,
        windows: &mut Windows<'_>,
        (active, filter): (&mut [Active<'_, '_>], &Filter),
        digests: &mut Digests,
    ) -> Result<bool, LimitReached> {
        let may_skip = digests.is_empty();
        loop {
            self.judge.budget.check_time()?;
            active.iter_mut().try_for_each(|active| active.charge(self.judge.budget))?;
            let is_asked = |active: &Active<'_, '_>| {
                active.patterns.as_ref().is_some_and(|set| set.can_match_zeros(&active.state))
            };
            let skips = || may_skip && !active.iter().any(is_asked);
            if let Some(end) = windows.hole().filter(|_| skips()) {
                windows.enter_hole();
                if self.scan(active, filter, windows.window(false)) == Flow::Stop {
                    return Ok(false);
                }
                windows.leave_hole(end);
            }
            let last = windows.read(self.judge.budget)?;
            digests.take(&self.judge.image.hashes, self.judge.object.source, windows, last);
            if last && windows.position() <= TINY {
                return Ok(true);
            }
            if self.scan(active, filter, windows.window(last)) == Flow::Stop {
                return Ok(false);
            }
            if last {
                return Ok(true);
            }
        }
    }

    fn scan(&mut self, active: &mut [Active<'_, '_>], filter: &Filter, window: Window<'_>) -> Flow {
        let judge = &mut self.judge;
        let (mut sets, mut judged) = (Vec::with_capacity(2), Vec::with_capacity(2));
        for Active { rules, patterns, wanted, state, tally, places, .. } in active {
            let Some(patterns) = patterns else { continue };
            let (source, wanted) = (judge.object.source, wanted.as_deref());
            if places.look(patterns, source, window, &mut |hit| judge.hit(rules, tally, wanted, hit)) == Flow::Stop {
                return Flow::Stop;
            }
            sets.push((&*patterns, state));
            judged.push((*rules, tally, wanted));
        }
        scan_all(&mut sets, filter, window, &mut |set, hit| match judged.get_mut(set) {
            Some((rules, tally, wanted)) => judge.hit(rules, tally, *wanted, hit),
            None => Flow::Go,
        })
    }

    /// Judges the object as a whole.
    fn conclude(
        &mut self,
        (size, windows): (u64, Windows<'_>),
        digests: Digests,
        active: &mut [Active<'e, 'a>],
    ) -> Result<(), LimitReached> {
        let judge = &mut self.judge;
        judge.tell_kinds(active);
        for digest in digests.finish() {
            let image = judge.image;
            image.hashes.signatures(size, &digest, &mut |signature| judge.find(signature, None) == Flow::Go);
            if judge.is_done() {
                return Ok(());
            }
        }
        let undecided = active.iter_mut().map(|active| judge.undecided(active.rules, &mut active.tally, size));
        let undecided = undecided.collect::<Result<Vec<_>, _>>()?;
        if !self.read_again(windows, active, &undecided)? {
            return Ok(());
        }
        for (Active { rules, tally, .. }, undecided) in active.iter_mut().zip(undecided) {
            if self.judge.logic(rules, tally, size, &undecided)? == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Turns hits into findings.
struct Judge<'e, 'a> {
    image: &'e Image<'a>,
    object: &'e View<'e>,
    budget: &'e Budget,
    all: bool,
    /// Absent for an executable whose header could not be read.
    facts: Option<&'e Facts>,
    /// The object's size, once somebody asked for it.
    size: Option<u64>,
    /// Hits so far, to look at the clock now and then.
    steps: u32,
    found: Found,
    limit: Option<LimitReached>,
    /// The whole object, once a regular expression asked for it, or why it cannot be had.
    whole: Option<Result<Whole<'e>, LimitReached>>,
}

/// Whether a match of a subsignature may start where it does.
enum Place {
    /// It may.
    Fits,
    /// It may not, and neither may any that comes.
    Never,
    /// It may not, but a later one may.
    NotHere,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    /// How many more there are.
    dropped: u64,
    /// Signatures that ask for another look at the object, as one of a kind.
    handlers: Vec<(Finding, FileKind)>,
    /// What patterns tell of kinds.
    told: Vec<(Told, u64)>,
    strong: bool,
}

impl Judge<'_, '_> {
    /// A pattern was found. It need not be reported again once nobody who wants it could learn more from it.
    fn hit(&mut self, rules: &RuleSet<'_>, tally: &mut Tally, wanted: Option<&[u32]>, hit: Hit) -> Flow {
        let mut flow = Flow::Enough;
        let counts = |usage: &Use| wanted.is_none_or(|wanted| wanted.binary_search(&usage.subsignature).is_ok());
        for usage in rules.uses(hit.pattern).filter(counts) {
            if usage.herald {
                let announced = if wanted.is_none() { self.announce(rules, tally, usage) } else { Ok(()) };
                match announced {
                    Ok(()) => continue,
                    Err(limit) => return self.stop(limit),
                }
            }
            match self.count(rules, tally, usage, hit.start) {
                Ok(Flow::Enough) => {}
                Ok(Flow::Go) => flow = Flow::Go,
                Ok(Flow::Stop) => return Flow::Stop,
                Err(limit) => return self.stop(limit),
            }
        }
        match self.step() {
            Ok(()) => flow,
            Err(limit) => self.stop(limit),
        }
    }

    /// A herald of a subsignature was found: its rule is to be looked at.
    fn announce(&mut self, rules: &RuleSet<'_>, tally: &mut Tally, usage: Use) -> Result<(), LimitReached> {
        self.step()?;
        let Some(sub) = rules.subsignature(usage.subsignature) else { return Ok(()) };
        let Some(counter) = tally.counter(usage.subsignature, self.budget)? else { return Ok(()) };
        if !std::mem::replace(&mut counter.heralded, true) {
            tally.remember(sub.rule);
        }
        Ok(())
    }

    /// Counts a match of one subsignature, if it starts where it must.
    fn count(&mut self, rules: &RuleSet<'_>, tally: &mut Tally, usage: Use, start: u64) -> Result<Flow, LimitReached> {
        self.step()?;
        let Some(sub) = rules.subsignature(usage.subsignature) else { return Ok(Flow::Enough) };
        if sub.one_match && tally.count(usage.subsignature).count > 0 {
            return Ok(Flow::Enough);
        }
        if !sub.one_match
            && sub.offset > 0
            && let Some(group) = rules.group(&sub)
        {
            tally.keep_member(group, start, self.budget)?;
            return Ok(Flow::Go);
        }
        match self.place(rules, &sub, usage, start) {
            Place::Fits => {}
            Place::Never => return Ok(Flow::Enough),
            Place::NotHere => return Ok(Flow::Go),
        }
        let Some(counter) = tally.counter(usage.subsignature, self.budget)? else { return Ok(Flow::Enough) };
        let first = counter.add(start, usage.several_parts) && counter.count == 1;
        if sub.all_starts {
            tally.keep(usage.subsignature, start, self.budget)?;
        }
        if first && self.first_match(rules, tally, sub.rule, start) == Flow::Stop {
            return Ok(Flow::Stop);
        }
        Ok(if sub.one_match { Flow::Enough } else { Flow::Go })
    }

    /// A subsignature of a rule was found first: a body signature is fulfilled, a logical one may be.
    fn first_match(&mut self, rules: &RuleSet<'_>, tally: &mut Tally, number: u32, start: u64) -> Flow {
        match rules.rule(number) {
            Some(rule) if rules.logic(&rule).is_empty() => self.find(rule.signature, Some(start)),
            Some(_) => {
                tally.remember(number);
                Flow::Go
            }
            None => Flow::Go,
        }
    }

    /// May a match of the subsignature start here?
    fn place(&mut self, rules: &RuleSet<'_>, sub: &Sub, usage: Use, start: u64) -> Place {
        if sub.offset == 0 {
            return Place::Fits;
        }
        let (size, source) = (&mut self.size, self.object.source);
        let mut size = || *size.get_or_insert_with(|| source.len());
        let Some(offset) = rules.offset(sub.offset) else { return Place::Never };
        let Some(starts) = offsets::starts(&offset, self.facts, &mut size) else { return Place::Never };
        let at_key = offset.base != OffsetBase::VersionKey || offsets::is_at_key(start, offset.shift, self.facts);
        // Patterns of one part come in the order of their anchors, so their starts go back by less than an overlap.
        let reach = rules.patterns.as_ref().map_or(0, |patterns| length(patterns.overlap()));
        if starts.contains(&start) && at_key {
            Place::Fits
        } else if start > starts.end().saturating_add(reach) && !usage.several_parts {
            Place::Never
        } else {
            Place::NotHere
        }
    }

    /// Looks at the logical signatures that could be fulfilled.
    fn logic(
        &mut self,
        rules: &RuleSet<'_>,
        tally: &mut Tally,
        size: u64,
        undecided: &[u32],
    ) -> Result<Flow, LimitReached> {
        let around = Circumstances { size, facts: self.facts, around: self.object.around };
        for number in undecided.iter().copied() {
            self.budget.check_time()?;
            let Some(rule) = rules.rule(number) else { continue };
            if !self.complete(rules, tally, &rule, &around)? {
                continue;
            }
            let counts = |id: u8| counter_of(&rule, id).map_or(0, |number| tally.count(number).count);
            let Some(more) = logic::judge(rules.logic(&rule), &around, &counts) else { continue };
            if let Some(groups) = more.icon
                && !self.has_icon(groups)?
            {
                continue;
            }
            let offset = first_start(&rule, tally);
            if let Some(kind) = more.handler {
                self.hand_over(rule.signature, offset, kind);
            } else if self.find(rule.signature, offset) == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Go)
    }

    /// Does the object have an icon of these groups?
    fn has_icon(&self, groups: [Option<&str>; 2]) -> Result<bool, LimitReached> {
        let Some(facts) = self.facts.filter(|_| self.image.icons.knows(groups)) else { return Ok(false) };
        Ok(facts.icons.find()?.is_some_and(|icons| self.image.icons.find(groups, icons)))
    }

    /// A signature is fulfilled that asks for another look at the object.
    fn hand_over(&mut self, signature: u32, offset: Option<u64>, kind: FileKind) {
        let strength = self.image.strength(signature);
        if length(self.found.handlers.len()) < u64::from(self.budget.limits().detections) {
            self.found.handlers.push((Finding { signature, strength, offset }, kind));
        }
    }

    /// Gathers what patterns tell of kinds.
    fn tell_kinds(&mut self, active: &[Active<'_, '_>]) {
        let Some(Active { rules, tally, .. }) = active.last().filter(|_| self.image.settings.told().next().is_some())
        else {
            return;
        };
        for (rule, told) in self.image.settings.told() {
            // Others than the rules for any object have no such rule.
            let first = rules.rule(rule).filter(|rule| self.image.settings.told_by(rule.signature).is_some());
            let starts = first.map_or(&[][..], |rule| tally.kept(rule.first));
            let room = TOLD.saturating_sub(self.found.told.len());
            self.found.told.extend(starts.iter().take(room).map(|start| (told.clone(), *start)));
        }
        self.found.told.sort_by_key(|(_, start)| *start);
    }

    /// Looks at the certificates that come with a Portable Executable.
    fn certificates(&mut self) -> Result<(), LimitReached> {
        let image = self.image;
        let Some(facts) = self.facts.filter(|_| self.object.target == Target::Pe && !image.certificates.is_empty())
        else {
            return Ok(());
        };
        let Some(certificates) = facts.certificates.find()? else { return Ok(()) };
        for signature in image.certificates.of(certificates) {
            if self.find(signature, None) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the sections and the imports of a Portable Executable.
    fn scopes(&mut self) -> Result<(), LimitReached> {
        let (image, source, budget) = (self.image, self.object.source, self.budget);
        let Some(facts) = self.facts.filter(|_| self.object.target == Target::Pe && !self.is_done()) else {
            return Ok(());
        };
        scopes::signatures(image, source, facts, budget, &mut |signature| {
            let known = self.found.findings.iter().any(|finding| finding.signature == signature);
            known || self.find(signature, None) == Flow::Go
        })
    }

    /// A signature is fulfilled.
    fn find(&mut self, signature: u32, offset: Option<u64>) -> Flow {
        if self.image.settings.told_by(signature).is_some() {
            return Flow::Go;
        }
        let strength = self.image.strength(signature);
        let found = &mut self.found;
        let first_strong = strength == Strength::Strong && !found.strong;
        let most = u64::from(self.budget.limits().detections).saturating_mul(FORMS);
        if first_strong || length(found.findings.len()) < most {
            found.findings.push(Finding { signature, strength, offset });
        } else {
            found.dropped = found.dropped.saturating_add(1);
        }
        found.strong |= first_strong;
        if self.is_done() { Flow::Stop } else { Flow::Go }
    }

    /// Is nothing left to be found out?
    fn is_done(&self) -> bool {
        self.found.strong && !self.all
    }

    /// Looks at the clock now and then.
    fn step(&mut self) -> Result<(), LimitReached> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(HITS_PER_LOOK) { self.budget.check_time() } else { Ok(()) }
    }

    fn stop(&mut self, limit: LimitReached) -> Flow {
        self.limit = Some(limit);
        Flow::Stop
    }
}

/// The number of a rule's subsignature.
fn counter_of(rule: &RuleRecord, id: u8) -> Option<u32> {
    let id = u32::from(id);
    if id < rule.count { rule.first.checked_add(id) } else { None }
}

/// Where the first match of any of a rule's subsignatures starts.
fn first_start(rule: &RuleRecord, tally: &Tally) -> Option<u64> {
    let numbers = (0..=u8::MAX).map_while(|id| counter_of(rule, id));
    numbers.map(|number| tally.count(number)).filter(|counter| counter.count > 0).map(|counter| counter.first).min()
}

/// Is the object's digest in `list`?
pub(crate) fn is_listed(list: &Hashes<'_>, source: &dyn Source) -> bool {
    let known = source.known_len();
    let mut digests = Digests::wanted_of(list, source);
    if digests.is_empty() {
        return false;
    }
    let chunk =
        known.and_then(|known| usize::try_from(known).ok()).map_or(CHUNK, |known| known.saturating_add(1).min(CHUNK));
    let mut buffer = vec![0; chunk];
    let mut size = 0_u64;
    loop {
        let got = source.read_at(size, &mut buffer).min(buffer.len());
        digests.update(buffer.get(..got).unwrap_or(&[]));
        size = size.saturating_add(length(got));
        if got < buffer.len() {
            return digests.finish().any(|digest| list.holds(size, &digest));
        }
    }
}
