//! What single rules cost: each is compiled with what it needs and nothing else, and run on the file by itself.
//!
//! A rule's own time is what it takes beyond a rule that has the same imports and never looks: reading the headers of a
//! program is the module's time, not the rule's. Alone it also pays for its own search through the file, which all rules
//! of a set share, so that the sum of the times is more than a scan takes; what is told apart well is which rules are slow.
//!
//! Rules are compiled in the worker, unlike those of a scan: a thousand engines for a thousand rules are needed once and
//! for this alone.

use crate::scan::unreached;
use crate::{Deadline, FileSource};
use dachs_base::{About, Anomaly, Budget, Report, RuleCost, RuleCosts, RuleRange, Source};
use dachs_proto::{Body, Request};
use dachs_rules::{AloneSet, Externals, Gate, Object, Text, Wanted, alone};
use dachs_sigdb::Image;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The least of so many measurements counts for what imports take.
const TRIES: usize = 3;

/// The rules that were profiled last, compiled.
#[derive(Default)]
pub(crate) struct Profile {
    compiled: Option<(RuleRange, AloneSet)>,
}

impl Profile {
    /// Answers a request to profile rules.
    pub(crate) fn costs(
        &mut self,
        image: &Image<'_>,
        rules: RuleRange,
        request: &Request,
        files: Vec<OwnedFd>,
    ) -> Body {
        let (Some(about), Some(file)) = (request.files.first(), files.into_iter().next()) else { return unreached() };
        let rules = RuleRange { count: rules.count.min(RuleRange::MOST), ..rules };
        let set = match self.compiled.take() {
            Some((range, set)) if range == rules => set,
            _ => compile(image, rules),
        };
        let budget = Budget::new(request.limits.clone(), Deadline::after(request.limits.time_for(about.size)));
        let costs = measure(&set, &FileSource::new(file, about.size), &budget, &about.about);
        self.compiled = Some((rules, set));
        match costs {
            Ok(costs) => Body::Costs(costs),
            Err(anomaly) => Body::Report(Report::unscanned(anomaly)),
        }
    }
}

fn compile(image: &Image<'_>, rules: RuleRange) -> AloneSet {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let wanted = image.yara_rules().skip(count(rules.first)).take(count(rules.count));
    let wanted: Vec<Wanted> = wanted.map(|(signature, source, name)| Wanted { signature, source, name }).collect();
    let texts = image.yara_texts().map(|text| Text {
        source: text.source,
        gate: Gate::from_number(text.gate),
        text: text.text,
    });
    alone(texts, wanted)
}

fn measure(set: &AloneSet, file: &FileSource, budget: &Budget, about: &About) -> Result<RuleCosts, Anomaly> {
    let _charge = budget.reserve(file.len()).map_err(Anomaly::from)?;
    let bytes = dachs_base::read_vec_at(file, 0, usize::try_from(file.len()).unwrap_or(usize::MAX));
    if let Some(problem) = file.problem() {
        return Err(problem);
    }
    let externals = Externals { owner: about.owner.clone(), ..Externals::of_path(&about.path) };
    let object = || Object { bytes: &bytes, externals: &externals, time: budget.time_left() };
    let imports: Vec<Duration> = set.imports.iter().map(|imports| least(|| imports.run(&object()))).collect();
    let mut costs = RuleCosts { rules: Vec::new(), whole: true };
    for rule in &set.rules {
        let begin = Instant::now();
        let Some(hit) = rule.run(&object()).filter(|_| budget.check_time().is_ok()) else {
            costs.whole = false;
            break;
        };
        let time = begin.elapsed().saturating_sub(imports.get(rule.imports).copied().unwrap_or_default());
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        costs.rules.push(RuleCost { signature: rule.signature, nanoseconds, hit });
    }
    Ok(costs)
}

/// The least time of some runs.
fn least(run: impl Fn() -> Option<bool>) -> Duration {
    let time = |_| {
        let begin = Instant::now();
        let _ = run();
        begin.elapsed()
    };
    (0..TRIES).map(time).min().unwrap_or_default()
}
