//! Compiled rules, divided by the objects they can match, with what a report needs of each.

use crate::evaluate::{Compile, Evaluate, Hit, Object};
use crate::{BorealCompiler, Gate};
use dachs_base::{MatchedString, Strength};
use std::collections::HashMap;

/// The text of a rule, or of an import, as an image has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Its source.
    pub source: u32,
    /// Which objects it can match at all.
    pub gate: Gate,
    /// The text.
    pub text: &'a str,
}

/// What a report needs of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The number of its signature.
    pub signature: u32,
    /// How much it says.
    pub strength: Strength,
    /// The names of its strings, with `$`.
    pub strings: Vec<String>,
}

/// Rules that can be told of, by source and name.
pub type KnownRules = HashMap<u32, HashMap<String, Known>>;

/// A rule that matched, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of its signature.
    pub signature: u32,
    /// How much it says.
    pub strength: Strength,
    /// Where some of its strings matched.
    pub strings: Vec<MatchedString>,
}

/// Compiled rules, ready to be run.
pub struct RuleSet {
    /// All rules; for objects that begin with `MZ`.
    all: Box<dyn Evaluate>,
    /// Those without a gate, for the others; absent if there are no gates.
    open: Option<Box<dyn Evaluate>>,
    known: KnownRules,
}

impl RuleSet {
    /// Puts together what [`compile`] made: all rules, and those without a gate if some have one.
    #[must_use]
    pub fn new(all: Box<dyn Evaluate>, open: Option<Box<dyn Evaluate>>, known: KnownRules) -> RuleSet {
        RuleSet { all, open, known }
    }

    /// Runs the rules on one object. Gives those that matched, and false if the time was over before all were decided.
    #[must_use]
    pub fn run(&self, object: &Object<'_>) -> (Vec<Found>, bool) {
        let mut found = Vec::new();
        let rules = self.open.as_ref().filter(|_| !Gate::Mz.admits(object.bytes)).unwrap_or(&self.all);
        let whole = rules.evaluate(object, &mut |hit| found.extend(self.told(&hit, object.bytes)));
        (found, whole)
    }

    /// A hit in numbers; nothing if nobody is to be told of the rule.
    fn told(&self, hit: &Hit<'_>, bytes: &[u8]) -> Option<Found> {
        let known = self.known.get(&hit.source)?.get(hit.name)?;
        let strings = hit.strings.iter().filter_map(|found| {
            let string = known.strings.iter().position(|name| name.strip_prefix('$') == Some(found.name))?;
            let start = usize::try_from(found.offset).ok()?;
            let length = usize::try_from(found.length).unwrap_or(usize::MAX).min(MatchedString::EXCERPT);
            Some(MatchedString {
                string: u16::try_from(string).ok()?,
                offset: found.offset,
                length: found.length,
                bytes: bytes.get(start..start.saturating_add(length).min(bytes.len())).unwrap_or_default().to_vec(),
            })
        });
        Some(Found { signature: known.signature, strength: known.strength, strings: strings.collect() })
    }
}

/// Compiles the rules that can match objects without gate, or all. A text that does not compile is left out, and what
/// refers to it as well: texts in an image are known to compile, but an image may be hostile.
#[must_use]
pub fn compile<'a>(texts: impl Iterator<Item = Text<'a>>, all: bool) -> Box<dyn Evaluate> {
    let mut compiler = Box::<BorealCompiler>::default();
    for text in texts.filter(|text| all || text.gate == Gate::Any) {
        let _ = compiler.add(text.source, text.text);
    }
    compiler.finish()
}
