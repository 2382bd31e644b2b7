//! Looking for some patterns of a set in one object.
//!
//! Most patterns of a set need not be searched in every object: who knows that a pattern matters only where another one was
//! found adds it with [`crate::Builder::add_waiting`], and asks for it where it matters. Its parts say what they are found
//! by, so that filters for a few of them are made in about a microsecond for each.

use crate::code;
use crate::keys::Keys;
use crate::layout::{Header, PartHead, Sections};
use crate::set::Patterns;
use crate::split;
use crate::tables::{self, AHEAD, Finished, Stretch, Tables};

/// Longer code is not decoded to see whether it can match zeros.
const LOOKED_AT: usize = 1 << 12;

/// Some patterns of a set, ready to be searched.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    set: Sections<'a>,
    header: Header,
    tables: Finished,
}

impl<'a> Patterns<'a> {
    /// Makes filters for these patterns alone, which may wait or not. Those that are compared at places only are left out.
    #[must_use]
    pub fn select(&self, patterns: impl IntoIterator<Item = u32>) -> Selection<'a> {
        let mut tables = Tables::default();
        for pattern in patterns {
            for (number, head) in self.parts_of(pattern) {
                self.enter(number, head, &mut tables);
            }
        }
        let tables = tables.finish();
        let set = self.sections;
        let header =
            Header { parts: set.header.parts, firsts: set.header.firsts, code: set.header.code, ..tables.header };
        Selection { set, header, tables }
    }

    /// Does the pattern wait, so that [`Patterns::scan`] does not look for it?
    #[must_use]
    pub fn is_waiting(&self, pattern: u32) -> bool {
        self.parts_of(pattern).next().is_some_and(|(_, head)| head.is_waiting())
    }

    /// The pairs that a part is found by; none if it is found by long keys.
    pub(crate) fn short_keys(&self, head: &PartHead) -> Vec<u16> {
        let (Some(keys), Some(code)) = (Keys::of(head).filter(Keys::are_short), self.code(head)) else {
            return Vec::new();
        };
        let Some((stretch, _)) = stretch(code.prefix, code.suffix) else { return Vec::new() };
        keys.all().iter().flat_map(|key| tables::pairs(&stretch.singles, (key.kind, stretch.before + key.at))).collect()
    }

    pub(crate) fn parts_of(&self, pattern: u32) -> impl Iterator<Item = (u32, &'a PartHead)> + use<'a> {
        let first = usize::try_from(pattern).ok().and_then(|at| self.sections.firsts.get(at)).map(|first| first.get());
        let rest = first.and_then(|first| self.sections.parts.get(usize::try_from(first).ok()?..)).unwrap_or_default();
        let same = rest.iter().take_while(move |head| head.pattern.get() == pattern);
        (first.unwrap_or(0)..=u32::MAX).zip(same)
    }

    fn enter(&self, number: u32, head: &PartHead, tables: &mut Tables) {
        let (Some(keys), Some(code)) = (Keys::of(head), self.code(head)) else { return };
        if let Some((stretch, zeros)) = stretch(code.prefix, code.suffix) {
            tables.enter(number, head, &stretch, keys.all(), zeros);
        }
    }
}

impl Selection<'_> {
    /// The selected patterns as a set, in which they have the numbers that they had.
    #[must_use]
    pub fn patterns(&self) -> Patterns<'_> {
        let sections = Sections {
            header: &self.header,
            long: self.tables.long.borrowed(),
            short: self.tables.short.borrowed(),
            checks: &self.tables.checks,
            zeros: &self.tables.zeros,
            ..self.set
        };
        Patterns { sections }
    }

    /// Bytes of memory that it holds, roughly.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>().saturating_add(self.tables.memory())
    }
}

/// What stands around the anchor of a part, and whether it could match among zero bytes.
pub(crate) fn stretch(prefix: &[u8], suffix: &[u8]) -> Option<(Stretch, bool)> {
    let (mut singles, all_before) = code::head_run(prefix, crate::layout::AROUND)?;
    let before = singles.len();
    singles.reverse();
    let (after, all_after) = code::head_run(suffix, AHEAD)?;
    singles.extend(after);
    let zeros = singles.iter().all(|(value, _)| *value == 0) && match_zeros(prefix) && match_zeros(suffix);
    Some((Stretch { singles, before, whole: all_before && all_after }, zeros))
}

/// Can the elements match among zero bytes? What is too long to be looked at can.
fn match_zeros(elements: &[u8]) -> bool {
    let decoded = code::decode(elements.get(..LOOKED_AT).map_or(elements, |_| &[]), code::DEPTH);
    decoded.is_none_or(|elements| split::match_zeros(&elements))
}
