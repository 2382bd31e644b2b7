//! What single YARA rules cost: the answer when rules are profiled instead of a file being scanned.

use serde::{Deserialize, Serialize};

/// Some of the YARA rules of an image, by their place among those that can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRange {
    /// The first.
    pub first: u32,
    /// How many; at most [`RuleRange::MOST`].
    pub count: u32,
}

impl RuleRange {
    /// No more rules are profiled by one request.
    pub const MOST: u32 = 1000;
}

/// What one rule cost on one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCost {
    /// The number of its signature.
    pub signature: u32,
    /// How long it took alone, beyond what a rule with the same imports and nothing else takes, in nanoseconds.
    pub nanoseconds: u64,
    /// True if it matched.
    pub hit: bool,
}

/// What the rules of a [`RuleRange`] cost on one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCosts {
    /// Each rule that was run to its end, once.
    pub rules: Vec<RuleCost>,
    /// False if the time was over before all of them were run.
    pub whole: bool,
}
