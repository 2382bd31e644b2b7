//! From a list of system calls to the kernel's filter (seccomp-bpf, `seccomp(2)`).
//!
//! What is not on the list kills the process, and so does a call of another architecture (32-bit, x32). Filters add up:
//! a worker is under its own and under the zygote's.

use super::list::{Condition, Rule};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// A filter that is ready to be put on.
pub(super) struct Filter(BpfProgram);

impl Filter {
    /// Translates rules. The error is a sentence.
    pub(super) fn new(rules: &[Rule]) -> Result<Filter, String> {
        let mut by_number: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        // A call that is allowed without conditions must not be narrowed by another line: it has an empty chain.
        let free: Vec<i64> = rules.iter().filter(|rule| rule.conditions.is_empty()).map(|rule| rule.number).collect();
        for rule in rules {
            let chain = by_number.entry(rule.number).or_default();
            if !free.contains(&rule.number) {
                chain.push(translate(rule).map_err(|error| error.to_string())?);
            }
        }
        let arch = std::env::consts::ARCH.try_into().map_err(|_| "no filter for this processor".to_owned())?;
        let filter = SeccompFilter::new(by_number, SeccompAction::KillProcess, SeccompAction::Allow, arch);
        let program = filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())?;
        Ok(Filter(program))
    }

    /// Puts the filter on this thread, for ever, after setting `no_new_privs`.
    pub(super) fn enter(&self) -> Result<(), String> {
        seccompiler::apply_filter(&self.0).map_err(|error| error.to_string())
    }
}

fn translate(rule: &Rule) -> seccompiler::Result<SeccompRule> {
    let conditions = rule.conditions.iter().map(|condition| {
        let Condition { argument, mask, value } = *condition;
        SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)
    });
    Ok(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?)
}
