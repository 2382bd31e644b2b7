//! Signatures of container metadata: what an archive says of one of its members.
//!
//! They are few, and few objects are archives, so they stand in one section, one after the other, as `postcard` writes
//! them. Their regular expressions are compiled when an image is opened, once for all workers that are forked behind it;
//! [`MOST`] bounds how many there may be, and [`COMPILED`] how large each.

use crate::layout::{Frame, Section, Writer};
use crate::model::MemberRule;
use crate::signatures::strength_of;
use crate::{ImageError, Refusal};
use dachs_base::{FileKind, Finding, Meta, Strength};
use regex::bytes::{Regex, RegexBuilder};
use std::sync::Arc;

/// More rules than this are refused.
const MOST: usize = 100_000;
/// Bytes of a compiled expression, and of its automaton made on the fly.
const COMPILED: usize = 1 << 20;
/// Bytes of all compiled expressions together, as they are estimated.
const TOGETHER: usize = 64 << 20;

/// A member as its archive describes it.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// What the archive says.
    pub meta: &'a Meta,
    /// What the archive is.
    pub container: FileKind,
    /// How many bytes the archive has.
    pub container_size: u64,
}

/// Collects rules.
#[derive(Default)]
pub(crate) struct MemberWriter {
    rules: Vec<(u32, bool, MemberRule)>,
}

impl MemberWriter {
    /// Adds the rule of a signature; gives its place.
    pub(crate) fn push(&mut self, rule: &MemberRule, signature: u32, name: &str) -> Result<u32, Refusal> {
        if let Some(expression) = &rule.name {
            compile(expression).map_err(|error| Refusal::Pattern(error.to_string()))?;
        }
        let place = u32::try_from(self.rules.len()).ok().filter(|_| self.rules.len() < MOST);
        let place = place.ok_or(Refusal::TooMany("rules about members"))?;
        self.rules.push((signature, strength_of(name) == Strength::Weak, rule.clone()));
        Ok(place)
    }

    pub(crate) fn write(self, writer: &mut Writer<'_>) {
        if !self.rules.is_empty() {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(&self.rules).unwrap_or_default();
            writer.section(Section::Members, 0, |out| out.extend(bytes));
        }
    }
}

fn compile(expression: &str) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(expression);
    builder.unicode(false).dot_matches_new_line(true).size_limit(COMPILED).dfa_size_limit(COMPILED).build()
}

/// One rule, ready.
struct Ready {
    signature: u32,
    weak: bool,
    rule: MemberRule,
    /// Absent if any name will do.
    name: Option<Regex>,
}

/// The rules of an image.
#[derive(Clone)]
pub(crate) struct Members {
    rules: Arc<[Ready]>,
}

impl Members {
    pub(crate) fn new(frame: &Frame<'_>) -> Result<Members, ImageError> {
        let broken = |reason| ImageError::Section { section: Section::Members.name(), reason };
        let bytes = frame.bytes(Section::Members, 0);
        if bytes.is_empty() {
            return Ok(Members { rules: Arc::new([]) });
        }
        let (rules, rest): (Vec<(u32, bool, MemberRule)>, &[u8]) =
            postcard::take_from_bytes(bytes).map_err(|_| broken("they cannot be read"))?;
        if !rest.is_empty() || rules.len() > MOST {
            return Err(broken("there are too many"));
        }
        let mut left = TOGETHER;
        let ready = rules.into_iter().map(|(signature, weak, rule)| {
            let name = match &rule.name {
                None => None,
                Some(expression) => {
                    left = left.checked_sub(expression.len().saturating_mul(16)).ok_or(broken("they are too large"))?;
                    Some(compile(expression).map_err(|_| broken("an expression is none"))?)
                }
            };
            Ok(Ready { signature, weak, rule, name })
        });
        Ok(Members { rules: ready.collect::<Result<Vec<Ready>, ImageError>>()?.into() })
    }

    /// True if there are expressions among them.
    pub(crate) fn has_regexes(&self) -> bool {
        self.rules.iter().any(|ready| ready.name.is_some())
    }

    /// True if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule at a place.
    pub(crate) fn rule(&self, place: u32) -> Option<(u32, &MemberRule)> {
        let ready = self.rules.get(usize::try_from(place).ok()?)?;
        Some((ready.signature, &ready.rule))
    }

    /// The signatures that a member fulfils, in the order in which they were added.
    pub(crate) fn examine(&self, member: &Described<'_>, all: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        for ready in self.rules.iter().filter(|ready| ready.holds(member)) {
            let strength = if ready.weak { Strength::Weak } else { Strength::Strong };
            findings.push(Finding { signature: ready.signature, strength, offset: None });
            if strength == Strength::Strong && !all {
                break;
            }
        }
        findings
    }
}

impl Ready {
    fn holds(&self, member: &Described<'_>) -> bool {
        let Described { meta, container, container_size } = member;
        let within = |(from, to): (u64, u64), number: u64| (from..=to).contains(&number);
        let rule = &self.rule;
        (rule.containers.is_empty() || rule.containers.contains(container))
            && rule.encrypted.is_none_or(|encrypted| encrypted == meta.encrypted)
            && within(rule.container_size, *container_size)
            && within(rule.packed, meta.packed)
            && within(rule.length, meta.length)
            && within(rule.position, meta.position)
            && self.name.as_ref().is_none_or(|name| name.is_match(meta.name.as_bytes()))
    }
}
