//! Which subsignatures of a rule are searched in every object: its leads.
//!
//! A rule `0&1&2` can hold only where 1 matches, so the others need not be searched where it does not. The leads of a rule are
//! subsignatures of which at least one has a match wherever the rule holds, whatever all others count, and the cheapest of
//! such that can be found:
//!
//! ```text
//! 0&1         the cheaper one                    id = 0, id < n       none: it may hold without a match
//! 0|1         both                               (…)>n  (…)=n, n > 0  those of what is inside
//! (0|1|2)>0,2 the two cheapest: of any two       a regular expression those of its trigger
//!             that match, one is among them
//! ```
//!
//! The patterns of the others wait (`dachs_matcher::Builder::add_waiting`). Once an object was read, the rules that could
//! still hold, whatever those that wait count, are known, and there are few in most objects, or none; for those the object is
//! read once more ([`crate::examine`]). Of 38,889 rules for ClamAV with 158,555 subsignatures that may match anywhere, 35,000
//! lead with one each, and what is common in ordinary files hardly leads. Instead of a lead that is dear a piece of it may be searched: see
//! [`crate::heralds`].

use crate::model::{Comparison, Expression, Subsignature};

/// Subsignatures of which one has a match wherever an expression holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leads {
    /// A bit for each.
    pub(crate) ids: u64,
    cost: u64,
}

impl Leads {
    const NOBODY: Leads = Leads { ids: 0, cost: 0 };

    fn and(self, other: Leads) -> Leads {
        Leads { ids: self.ids | other.ids, cost: self.cost.saturating_add(other.cost) }
    }
}

/// The leads of an expression over `subsignatures`. `cost`: what it costs to search for one. Absent if the expression may hold
/// where nothing matches, or if that cannot be told.
pub(crate) fn of(
    expression: &Expression,
    subsignatures: &[Subsignature],
    cost: &dyn Fn(usize) -> u64,
) -> Option<Leads> {
    let needs_all = |wanted: &Subsignature| matches!(wanted, Subsignature::Macro { .. } | Subsignature::Picture(_));
    if subsignatures.iter().any(needs_all) {
        return None;
    }
    Search { subsignatures, cost }.expression(expression)
}

struct Search<'s> {
    subsignatures: &'s [Subsignature],
    cost: &'s dyn Fn(usize) -> u64,
}

impl Search<'_> {
    fn expression(&self, expression: &Expression) -> Option<Leads> {
        match expression {
            Expression::And(operands) => {
                operands.iter().filter_map(|operand| self.expression(operand)).min_by_key(|leads| leads.cost)
            }
            Expression::Or(operands) => self.all_of(operands.iter().map(|operand| self.expression(operand))),
            Expression::Count { id, comparison, count } if needs_match(*comparison, *count) => {
                self.subsignature(usize::from(*id))
            }
            Expression::Block { inner, comparison, count, distinct } if needs_match(*comparison, *count) => {
                let several = self.of_any(inner, *distinct);
                several.or_else(|| self.expression(inner))
            }
            Expression::Count { .. } | Expression::Block { .. } => None,
        }
    }

    fn all_of(&self, leads: impl Iterator<Item = Option<Leads>>) -> Option<Leads> {
        leads.collect::<Option<Vec<_>>>().map(|all| all.into_iter().fold(Leads::NOBODY, Leads::and))
    }

    /// Of `(0|1|2)>n,distinct`: so many of the cheapest that any `distinct` of them hold one.
    fn of_any(&self, inner: &Expression, distinct: u32) -> Option<Leads> {
        let Expression::Or(operands) = inner else { return None };
        let simple = |operand: &Expression| match operand {
            Expression::Count { id, comparison, count } if needs_match(*comparison, *count) => Some(*id),
            _ => None,
        };
        let mut ids = operands.iter().map(simple).collect::<Option<Vec<u8>>>()?;
        ids.sort_unstable();
        ids.dedup();
        let spared = usize::try_from(distinct.saturating_sub(1)).ok()?;
        let leads = ids.iter().map(|id| self.subsignature(usize::from(*id))).collect::<Option<Vec<_>>>();
        let mut leads = leads?;
        leads.sort_by_key(|leads| leads.cost);
        let enough = leads.len().saturating_sub(spared);
        Some(leads.into_iter().take(enough).fold(Leads::NOBODY, Leads::and))
    }

    /// What must match wherever a subsignature does.
    fn subsignature(&self, id: usize) -> Option<Leads> {
        match self.subsignatures.get(id)? {
            Subsignature::Body { .. } => {
                Some(Leads { ids: 1_u64.checked_shl(u32::try_from(id).ok()?)?, cost: (self.cost)(id) })
            }
            Subsignature::Compare(compare) => {
                let before = usize::from(compare.id);
                let body = matches!(self.subsignatures.get(before)?, Subsignature::Body { .. });
                body.then(|| self.subsignature(before))?
            }
            // A trigger names subsignatures before it, so this ends.
            Subsignature::Regex { trigger, .. } if ids_below(trigger, id) => self.expression(trigger),
            _ => None,
        }
    }
}

/// Does the expression name only subsignatures before `id`?
fn ids_below(expression: &Expression, id: usize) -> bool {
    match expression {
        Expression::And(operands) | Expression::Or(operands) => operands.iter().all(|operand| ids_below(operand, id)),
        Expression::Block { inner, .. } => ids_below(inner, id),
        Expression::Count { id: named, .. } => usize::from(*named) < id,
    }
}

/// Is the comparison false for 0?
fn needs_match(comparison: Comparison, count: u32) -> bool {
    match comparison {
        Comparison::Equal => count > 0,
        Comparison::Greater => true,
        Comparison::Less => false,
    }
}

#[cfg(test)]
mod tests;
