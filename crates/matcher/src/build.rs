//! Collecting patterns into a set.

use std::borrow::Cow;
use std::fmt;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::code;
use crate::confirm::Way;
use crate::expect;
use crate::keys::{Crowds, Distance, Keys};
use crate::layout::{Header, LAST, ONCE, PartHead, WAITING, WAKES};
use crate::marks::{self, Border};
use crate::order::Order;
use crate::pattern::{Element, Pattern, fixed_length};
use crate::select;
use crate::split::{self, Part};
use crate::tables::{Stretch, Tables, count};

/// The most bytes of a part, before and from its anchor: what a window must repeat grows with it.
const MAX_PART: u32 = 1 << 16;
/// The most that a part's steps times its possible lengths may be: what confirming it once can cost.
const MAX_WORK: u64 = 1 << 20;
/// The most entries of a part, roughly.
const MOST_ENTRIES: usize = 128;

/// Collects the patterns of one set.
#[derive(Debug, Default)]
pub struct Builder {
    parts: Vec<PartHead>,
    firsts: Vec<U32>,
    code: Vec<u8>,
    tables: Tables,
    crowds: Crowds,
    /// What the search for each pattern is expected to cost; see [`Builder::cost`].
    costs: Vec<u64>,
}

/// Why a pattern cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A part can have so many different lengths that confirming it costs too much.
    Ambiguous,
    /// A folded element that is no lower-case ASCII letter, or a byte's value with bits outside its mask.
    Contradiction,
    /// Alternatives nested deeper than 32.
    Deep,
    /// A stretch between two long or open gaps holds no two bytes in succession that are known.
    NoAnchor,
    /// It starts or ends with a long or open gap.
    OpenEnd,
    /// A stretch between two long or open gaps is longer than 64 KiB, or alternatives hold an open gap.
    TooLong,
    /// More patterns than a set can number.
    TooMany,
    /// Negated alternatives of unequal or no fixed length.
    UnequalNegation,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Ambiguous => "a part can have too many different lengths",
            Refusal::Contradiction => "an element contradicts itself",
            Refusal::Deep => "alternatives are nested deeper than 32",
            Refusal::NoAnchor => "a part has no two known bytes in succession",
            Refusal::OpenEnd => "it starts or ends with a long or open gap",
            Refusal::TooLong => "a part is longer than 64 KiB, or an alternative has no limit",
            Refusal::TooMany => "too many patterns in one set",
            Refusal::UnequalNegation => "negated alternatives have unequal lengths",
        })
    }
}

impl std::error::Error for Refusal {}

impl Builder {
    /// An empty set.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Adds a pattern and gives its number: 0, 1, 2…
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        self.add_searched(pattern, false)
    }

    /// Adds a pattern of which nobody asks for more than whether it is there: one of its starts is reported, any of them,
    /// and perhaps more, in any order. Such a pattern costs less.
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add_once(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        self.add_searched(pattern, true)
    }

    /// Adds a pattern that waits: [`crate::Patterns::scan`] does not look for it, until [`Builder::search`] says that it must,
    /// or [`crate::Patterns::select`] in one object. `once`: as [`Builder::add_once`].
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add_waiting(&mut self, pattern: &Pattern, once: bool) -> Result<u32, Refusal> {
        let flags = if once { ONCE } else { 0 };
        let (before, body, after) = apart(&pattern.elements)?;
        let parts = self.parts(&body, once)?;
        let number = self.push_all(&parts, before, after)?;
        let first = self.parts.len() - parts.len();
        for (head, part) in self.parts.iter_mut().skip(first).zip(&parts) {
            let (kind, second) = part.keys.as_ref().map_or((0, 0), Keys::flags);
            head.flags |= flags | WAITING | kind;
            head.second = second;
        }
        for (head, next) in self.parts.iter_mut().skip(first).zip(parts.iter().skip(1)) {
            if next.keys.as_ref().is_some_and(Keys::are_short) {
                head.flags |= WAKES;
            }
        }
        self.costs.push(expect::cost(&parts));
        Ok(number)
    }

    /// Looks for a pattern in every object from now on; nothing changes for one that does not wait.
    pub fn search(&mut self, pattern: u32) {
        let first = usize::try_from(pattern).ok().and_then(|at| self.firsts.get(at)).map(|first| first.get());
        let Some(first) = first else { return };
        for number in first.. {
            let Some(head) = self.parts.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) else { return };
            if head.pattern.get() != pattern || head.flags & WAITING == 0 {
                return;
            }
            head.flags &= !WAITING;
            let head = *head;
            self.enter(number, &head);
        }
    }

    /// What it is expected to cost that a pattern is searched in every object: what its filter passes in ordinary files, and
    /// how often something is to be done because it was found. 2^40 is a nanosecond for each byte; the least is one.
    #[must_use]
    pub fn cost(&self, pattern: u32) -> u64 {
        usize::try_from(pattern).ok().and_then(|at| self.costs.get(at)).copied().unwrap_or(u64::MAX)
    }

    /// What [`Builder::cost`] would say of a pattern of these elements that is not added; absent for one that would be refused.
    #[must_use]
    pub fn estimate(&self, elements: &[Element], once: bool) -> Option<u64> {
        let (_, body, _) = apart(elements).ok()?;
        self.parts(&body, once).ok().map(|parts| expect::cost(&parts))
    }

    fn parts<'p>(&self, body: &'p [Element], once: bool) -> Result<Vec<Part<'p>>, Refusal> {
        split::parts(body, if once { Distance::Any } else { Distance::Next }, &self.crowds)
    }

    fn add_searched(&mut self, pattern: &Pattern, once: bool) -> Result<u32, Refusal> {
        let number = self.add_waiting(pattern, once)?;
        self.search(number);
        Ok(number)
    }

    /// Adds a pattern that is not searched: [`crate::Patterns::scan`] does not report it, [`crate::Patterns::match_at`]
    /// asks for it at given places. It needs no two known bytes in succession. Numbers are common to both kinds.
    ///
    /// # Errors
    /// [`Refusal`] says why the pattern cannot be taken; the set stays as it was.
    pub fn add_placed(&mut self, pattern: &Pattern) -> Result<u32, Refusal> {
        check(&pattern.elements, code::DEPTH)?;
        let (before, body, after) = marks::split(&pattern.elements);
        let part = split::placed(body);
        let number = self.push_all(std::slice::from_ref(&part), before, after)?;
        self.costs.push(expect::cost_at_place(&part));
        Ok(number)
    }

    /// Writes the parts of a pattern and gives its number.
    fn push_all(&mut self, parts: &[Part<'_>], before: Vec<Border>, after: Vec<Border>) -> Result<u32, Refusal> {
        let mut plans = parts.iter().map(plan).collect::<Result<Vec<Plan>, Refusal>>()?;
        if let Some(first) = plans.first_mut() {
            first.before = before;
        }
        if let Some(last) = plans.last_mut() {
            last.after = after;
        }
        let number = u32::try_from(self.firsts.len()).map_err(|_| Refusal::TooMany)?;
        let first = self.room_for(&plans)?;
        self.firsts.push(first.into());
        let again = plans.first().map_or(0, |first| if first.variable { first.back } else { 0 });
        for (order, plan) in plans.iter().enumerate() {
            let next = parts.get(order + 1).map(|next| next.gap);
            self.push((number, order, again), plan, next);
        }
        Ok(number)
    }

    /// The number of the next part, if the set can hold the plans at all.
    fn room_for(&self, plans: &[Plan]) -> Result<u32, Refusal> {
        let code = plans.iter().map(|plan| plan.code.len() + 512).sum::<usize>();
        u32::try_from(self.code.len() + code).map_err(|_| Refusal::TooMany)?;
        u32::try_from((self.parts.len() + plans.len()) * MOST_ENTRIES).map_err(|_| Refusal::TooMany)?;
        if plans.iter().any(|plan| plan.before.len().max(plan.after.len()) > 255) {
            return Err(Refusal::TooLong);
        }
        u32::try_from(self.parts.len()).map_err(|_| Refusal::TooMany)
    }

    fn push(&mut self, (pattern, order, again): (u32, usize, u32), plan: &Plan, next: Option<(u32, Option<u32>)>) {
        let last = if next.is_none() { LAST } else { 0 };
        self.parts.push(PartHead {
            pattern: pattern.into(),
            order: count(order),
            code: count(self.code.len()),
            prefix: count(plan.prefix),
            suffix: count(plan.code.len() - plan.prefix),
            back: plan.back.into(),
            forward: plan.forward.into(),
            gap_min: plan.part.gap.0.into(),
            gap_max: plan.part.gap.1.unwrap_or(u32::MAX).into(),
            next_max: next.and_then(|(_, max)| max).unwrap_or(u32::MAX).into(),
            again: again.into(),
            borders_before: u8::try_from(plan.before.len()).unwrap_or(0),
            borders_after: u8::try_from(plan.after.len()).unwrap_or(0),
            flags: last,
            second: 0,
        });
        self.code.extend(plan.before.iter().chain(&plan.after).map(|border| code::border_number(*border)));
        self.code.extend_from_slice(&plan.code);
    }

    /// Enters a part into the tables by its keys.
    fn enter(&mut self, number: u32, head: &PartHead) {
        let Some((keys, (stretch, zeros))) = Keys::of(head).zip(self.stretch(head)) else { return };
        for key in keys.all() {
            let at = stretch.before + key.at;
            self.crowds.enter(stretch.singles.get(at..).unwrap_or_default(), key.kind);
        }
        self.tables.enter(number, head, &stretch, keys.all(), zeros);
    }

    fn stretch(&self, head: &PartHead) -> Option<(Stretch, bool)> {
        let start =
            usize::try_from(head.code.get()).ok()? + usize::from(head.borders_before) + usize::from(head.borders_after);
        let (prefix, rest) = self.code.get(start..)?.split_at_checked(usize::try_from(head.prefix.get()).ok()?)?;
        let suffix = rest.get(..usize::try_from(head.suffix.get()).ok()?)?;
        select::stretch(prefix, suffix)
    }

    /// The set as bytes for [`crate::Patterns::new`]: flat, position-independent, little-endian, and the same for the
    /// same patterns in the same order.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let order = Order::of(&self.parts);
        let heads = order.heads(&self.parts);
        self.tables.move_parts(&order);
        let tables = self.tables.finish();
        let header = Header {
            parts: count(heads.len()),
            firsts: count(self.firsts.len()),
            code: count(self.code.len()),
            ..tables.header
        };
        let mut out = header.as_bytes().to_vec();
        out.extend_from_slice(tables.checks.as_bytes());
        tables.long.write(&mut out);
        tables.short.write(&mut out);
        let firsts = self.firsts.iter().map(|first| order.moved(*first)).collect::<Vec<U32>>();
        for section in [heads.as_bytes(), firsts.as_bytes(), tables.zeros.as_bytes()] {
            out.extend_from_slice(section);
        }
        drop((tables, heads, firsts));
        out.reserve(self.code.len());
        order.code(&self.parts, &self.code).for_each(|code| out.extend_from_slice(code));
        out
    }
}

/// A pattern taken apart: the borders before it, what its parts are made of, and the borders behind it.
type Apart<'p> = (Vec<Border>, Cow<'p, [Element]>, Vec<Border>);

fn apart(elements: &[Element]) -> Result<Apart<'_>, Refusal> {
    check(elements, code::DEPTH)?;
    let (before, body, after) = marks::split(elements);
    Ok((before, split::with_skips(body), after))
}

/// A part made ready to be written.
struct Plan<'a> {
    part: &'a Part<'a>,
    before: Vec<Border>,
    after: Vec<Border>,
    /// Prefix and suffix, and how much of it is the prefix.
    code: Vec<u8>,
    prefix: usize,
    back: u32,
    forward: u32,
    variable: bool,
}

fn plan<'a>(part: &'a Part<'a>) -> Result<Plan<'a>, Refusal> {
    let (head, tail) = part.elements.split_at(part.anchor());
    let (head_min, head_max) = split::lengths(head).ok_or(Refusal::TooLong)?;
    let (tail_min, tail_max) = split::lengths(tail).ok_or(Refusal::TooLong)?;
    if head_max.max(tail_max) > MAX_PART {
        return Err(Refusal::TooLong);
    }
    let mut code = Vec::with_capacity(part.elements.len().saturating_add(8));
    code::encode(head, Way::Back, &mut code);
    let prefix = code.len();
    code::encode(tail, Way::On, &mut code);
    let work = |code: usize, min: u32, max: u32| code as u64 * u64::from(max - min + 1);
    if work(prefix, head_min, head_max).max(work(code.len() - prefix, tail_min, tail_max)) > MAX_WORK {
        return Err(Refusal::Ambiguous);
    }
    let variable = head_min != head_max;
    let (before, after) = (Vec::new(), Vec::new());
    Ok(Plan { part, before, after, code, prefix, back: head_max, forward: tail_max, variable })
}

fn check(elements: &[Element], depth: usize) -> Result<(), Refusal> {
    elements.iter().try_for_each(|element| match element {
        Element::Byte { value, mask } if value & !mask != 0 => Err(Refusal::Contradiction),
        Element::Folded(letter) if !letter.is_ascii_lowercase() => Err(Refusal::Contradiction),
        Element::Alternatives { options, negated } => {
            if *negated && fixed_length(std::slice::from_ref(element)).is_none() {
                return Err(Refusal::UnequalNegation);
            }
            let depth = depth.checked_sub(1).ok_or(Refusal::Deep)?;
            options.iter().try_for_each(|option| check(option, depth))
        }
        _ => Ok(()),
    })
}
