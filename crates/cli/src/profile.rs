//! What YARA rules cost: each rule of an image, alone, on each file of a corpus, in a jailed worker.
//!
//! ```text
//! image ── groups of rules ──┐
//! walk  ── files ────────────┴──> Profiler (a worker) ──costs──> Profile ──> terminal, JSON, HTML
//! ```
//!
//! Files are looked at as they are; nothing is unpacked. A file that could not be measured is told of and not asked about
//! again.

mod bars;
mod html;
mod json;
mod page;
mod plots;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use dachs_base::{RuleCosts, RuleRange};
use dachs_pool::{Job, Pool, Profiler};
use dachs_sigdb::Image;

use crate::escape::shown;
use crate::input::Unopened;
use crate::interrupt::Interrupt;
use crate::owners::Owners;
use crate::walk::{Candidate, Step, Walk};

pub(crate) use bars::bars;
pub(crate) use json::object;
pub(crate) use page::page;

/// Rules that a worker holds compiled at once.
const GROUP: u32 = 250;

/// What the rules of an image cost.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// The rules, slowest first.
    pub(crate) rules: Vec<Rule>,
    /// How many files all rules were run on.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// What was not measured, or not by all rules: a sentence each.
    pub(crate) gaps: Vec<String>,
}

/// What one rule cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: String,
    /// The file that it stands in.
    pub(crate) source: String,
    /// The time it took alone over all files, in nanoseconds.
    pub(crate) nanoseconds: u64,
    /// The time of the file that took longest, in nanoseconds.
    pub(crate) longest: u64,
    /// In how many files it matched.
    pub(crate) hits: u64,
}

impl Profile {
    /// The time of all rules, in nanoseconds.
    pub(crate) fn total(&self) -> u64 {
        self.rules.iter().fold(0, |total, rule| total.saturating_add(rule.nanoseconds))
    }

    /// The share of a time in all, from 0 to 1.
    pub(crate) fn share(&self, nanoseconds: u64) -> f64 {
        real(nanoseconds) / real(self.total().max(1))
    }
}

/// A count as a number to draw with: no plot needs more than 53 bits of it.
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// A time for a person: `812 ns`, `1.5 µs`, `23.4 ms`, `5.1 s`.
pub(crate) fn time(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    match UNITS.iter().find(|(unit, _)| nanoseconds >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", real(nanoseconds) / real(*unit)),
        None => format!("{nanoseconds} ns"),
    }
}

/// Measures the rules of an image over what the walk finds, and tells how many rules are done. Ends early, with a gap, when
/// somebody asks for it.
pub(crate) fn profile(
    image: &Image<'_>,
    pool: &Pool,
    walk: Walk,
    interrupt: &Interrupt,
    mut progress: impl FnMut(usize, usize),
) -> Profile {
    let mut measuring = Measuring::new(image, pool.profiler());
    let mut files = measuring.files(walk);
    let all = measuring.profile.rules.len();
    let firsts = (0..u32::try_from(all).unwrap_or(u32::MAX)).step_by(usize::try_from(GROUP).unwrap_or(1));
    for (first, done) in firsts.zip((0..all).step_by(usize::try_from(GROUP).unwrap_or(1))) {
        progress(done, all);
        let rules = RuleRange { first, count: GROUP };
        files.retain(|file| interrupt.asked() || measuring.measure(file, rules, interrupt));
        if interrupt.asked() {
            measuring.profile.gaps.push(format!("it was ended early, after {done} of {all} rules"));
            break;
        }
    }
    measuring.finish(&files)
}

struct Measuring<'a> {
    profiler: Profiler<'a>,
    owners: Owners,
    /// Where the rule of a signature stands in the profile.
    places: HashMap<u32, usize>,
    profile: Profile,
}

impl Measuring<'_> {
    fn new<'a>(image: &Image<'_>, profiler: Profiler<'a>) -> Measuring<'a> {
        let sources = image.info().sources;
        let (mut places, mut profile) = (HashMap::new(), Profile::default());
        for (signature, source, name) in image.yara_rules() {
            let source = usize::try_from(source).ok().and_then(|source| sources.get(source));
            let source = source.map(|source| source.info.name.clone()).unwrap_or_default();
            places.insert(signature, profile.rules.len());
            profile.rules.push(Rule { name, source, ..Rule::default() });
        }
        Measuring { profiler, owners: Owners::read(), places, profile }
    }

    /// The files of the corpus. What is none and should have been measured is a gap.
    fn files(&mut self, walk: Walk) -> Vec<Candidate> {
        let mut files = Vec::new();
        for step in walk {
            match step {
                Step::File(candidate) => files.push(candidate),
                Step::Gap { path, reason } | Step::Wrong { path, reason } => self.gap(&path, &reason),
                Step::Stdin => self.gap(b"-", "standard input is no corpus"),
                Step::Skipped { .. } => {}
            }
        }
        files
    }

    fn gap(&mut self, path: &[u8], reason: &str) {
        self.profile.gaps.push(format!("{}: {}", shown(path), shown(reason.as_bytes())));
    }

    /// Measures some rules on one file; false if it is not to be asked about again.
    fn measure(&mut self, file: &Candidate, rules: RuleRange, interrupt: &Interrupt) -> bool {
        match self.costs(file, rules, interrupt) {
            Ok(costs) => {
                if !costs.whole {
                    self.gap(&file.path, "the time was over before all rules were run (--max-scan-time)");
                }
                self.add(&costs);
                costs.whole
            }
            Err(reason) => {
                self.gap(&file.path, &reason);
                false
            }
        }
    }

    fn costs(&mut self, file: &Candidate, rules: RuleRange, interrupt: &Interrupt) -> Result<RuleCosts, String> {
        let input = file.open(interrupt).map_err(|unopened| match unopened {
            Unopened::Gap(reason) => reason,
            Unopened::Vanished => "it is gone".to_owned(),
        })?;
        let about = self.owners.about(&file.path, &input.file);
        let job = Job { tag: 0, file: input.file, size: input.size, all_matches: false, about };
        self.profiler.costs(&job, rules).map_err(|anomaly| anomaly.detail)
    }

    fn add(&mut self, costs: &RuleCosts) {
        for cost in &costs.rules {
            // Numbers come from a worker: one that is not known is not believed.
            let place = self.places.get(&cost.signature).copied();
            let Some(rule) = place.and_then(|place| self.profile.rules.get_mut(place)) else { continue };
            rule.nanoseconds = rule.nanoseconds.saturating_add(cost.nanoseconds);
            rule.longest = rule.longest.max(cost.nanoseconds);
            rule.hits = rule.hits.saturating_add(u64::from(cost.hit));
        }
    }

    fn finish(mut self, files: &[Candidate]) -> Profile {
        self.profile.files = u64::try_from(files.len()).unwrap_or(u64::MAX);
        self.profile.bytes = files.iter().fold(0, |sum, file| sum.saturating_add(file.size));
        self.profile.rules.sort_by(|one, other| {
            other
                .nanoseconds
                .cmp(&one.nanoseconds)
                .then_with(|| (&one.name, &one.source).cmp(&(&other.name, &other.source)))
        });
        std::mem::take(&mut self.profile)
    }
}
