//! Patterns that may start at one place only: they are compared there, and nobody searches for them.
//!
//! Where the place is follows from the object: `0`, `EP+16`, `EOF-8`, the start of a section. So the places are worked out
//! when the first window has come, and each is looked at when the window that holds it has. A record names the first four
//! bytes too, so that most patterns cost one comparison. Most objects are one window: then no place is kept, which took a fiftieth
//! of the time for small files.
//!
//! ```text
//! record      offset u32 | pattern u32 | value of the first four bytes u32 | their mask u32        sorted
//! ```

use crate::layout::length;
use crate::model::{Offset, OffsetBase};
use crate::offsets;
use crate::rules::RuleSet;
use dachs_base::{Facts, Source, read_vec_at};
use dachs_matcher::pattern::{Element, Pattern};
use dachs_matcher::{Flow, Hit, Patterns, Window};
use std::collections::BTreeSet;

/// Bytes before a match that the borders of a pattern can look at.
const BORDER: u64 = 2;
/// Bytes of a record.
pub(crate) const RECORD: usize = 16;

/// Does the offset leave one place?
pub(crate) fn is_one_place(offset: &Offset) -> bool {
    let placed = match offset.base {
        OffsetBase::Any | OffsetBase::Group(_) | OffsetBase::VersionKey | OffsetBase::WithinSection(_) => false,
        OffsetBase::Absolute(_) | OffsetBase::End(_) | OffsetBase::EntryPoint(_) => true,
        OffsetBase::LastSection(_) | OffsetBase::Section { .. } => true,
    };
    placed && offset.shift == 0
}

/// The first four bytes of a pattern: their value and which bits count.
pub(crate) fn beginning(pattern: &Pattern) -> (u32, u32) {
    let single = |element: &Element| match element {
        Element::Byte { value, mask } => Some((*value, *mask)),
        Element::Folded(letter) => Some((letter & 0xDF, 0xDF)),
        _ => None,
    };
    let mut four = [(0, 0); 4];
    four.iter_mut().zip(pattern.elements.iter().map_while(single)).for_each(|(to, from)| *to = from);
    (u32::from_le_bytes(four.map(|(value, _)| value)), u32::from_le_bytes(four.map(|(_, mask)| mask)))
}

/// Writes the records: of each its offset, its pattern and the pattern's beginning.
pub(crate) fn write(records: &BTreeSet<(u32, u32, (u32, u32))>) -> Vec<u8> {
    let bytes = |record: &(u32, u32, (u32, u32))| [record.0, record.1, record.2.0, record.2.1].map(u32::to_le_bytes);
    records.iter().flat_map(|record| bytes(record).concat()).collect()
}

/// The places of one object at which patterns are to be looked for.
#[derive(Default)]
pub(crate) struct Places<'p> {
    /// Before the first window has come: what the places follow from.
    asked: Option<Asked<'p>>,
    /// Those that were not looked at.
    waiting: Vec<Place>,
    /// Patterns whose place is known when the object's size is.
    unsized_yet: Vec<(Offset, Place)>,
}

/// What the places of an object follow from.
#[derive(Clone, Copy)]
struct Asked<'p> {
    rules: &'p RuleSet<'p>,
    /// Absent for an executable whose header could not be read.
    facts: Option<&'p Facts>,
    size: Option<u64>,
}

#[derive(Clone, Copy)]
struct Place {
    start: u64,
    pattern: u32,
    value: u32,
    mask: u32,
}

impl<'p> Places<'p> {
    /// The places of an object with these facts; absent for an executable whose header could not be read.
    pub(crate) fn new(rules: &'p RuleSet<'p>, facts: Option<&'p Facts>, size: Option<u64>) -> Places<'p> {
        Places { asked: Some(Asked { rules, facts, size }), ..Places::default() }
    }

    /// Looks at the places that the window holds, and at those that lie before it. Calls `hit` with what is found.
    pub(crate) fn look(
        &mut self,
        patterns: &Patterns<'_>,
        source: &dyn Source,
        window: Window<'_>,
        hit: &mut dyn FnMut(Hit) -> Flow,
    ) -> Flow {
        if let Some(asked) = self.asked.take() {
            if window.base == 0 && window.last {
                return asked.look_at_once(patterns, window, hit);
            }
            *self = asked.places();
        }
        let end = window.base.saturating_add(length(window.bytes.len()));
        if window.last {
            let sized = std::mem::take(&mut self.unsized_yet).into_iter().filter_map(|(offset, place)| {
                let OffsetBase::End(before) = offset.base else { return None };
                Some(Place { start: end.checked_sub(before)?, ..place })
            });
            self.waiting.extend(sized);
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut flow = Flow::Go;
        waiting.retain(|place| {
            let ready = window.last || place.is_inside(patterns, end);
            let found = if ready && flow != Flow::Stop && place.start <= end {
                place.find(patterns, source, window)
            } else {
                None
            };
            if found.map(&mut *hit) == Some(Flow::Stop) {
                flow = Flow::Stop;
            }
            !ready
        });
        self.waiting = waiting;
        flow
    }
}

impl<'p> Asked<'p> {
    /// The places, one by one.
    fn places(&self) -> Places<'p> {
        let mut places = Places::default();
        let mut known: Option<(u32, Option<Offset>, Option<u64>)> = None;
        for [offset, pattern, value, mask] in self.rules.placed() {
            let (_, decoded, start) = match known {
                Some(known) if known.0 == offset => known,
                _ => {
                    let decoded = self.rules.offset(offset);
                    let start = decoded.and_then(|decoded| self.start(&decoded, self.size));
                    (offset, decoded, start)
                }
            };
            known = Some((offset, decoded, start));
            let (Some(decoded), Some(start)) = (decoded, start) else { continue };
            let place = Place { start, pattern, value, mask };
            match (decoded.base, self.size) {
                (OffsetBase::End(_), None) => places.unsized_yet.push((decoded, place)),
                _ => places.waiting.push(place),
            }
        }
        places
    }

    /// Where a pattern of this offset stands in an object of so many bytes.
    fn start(&self, offset: &Offset, size: Option<u64>) -> Option<u64> {
        let starts = offsets::starts(offset, self.facts, &mut || size.unwrap_or(u64::MAX));
        starts.map(|starts| *starts.start())
    }

    /// As [`Places::look`] of an object in one window, which most are: no place is kept.
    fn look_at_once(&self, patterns: &Patterns<'_>, window: Window<'_>, hit: &mut dyn FnMut(Hit) -> Flow) -> Flow {
        // What follows from a size that was not known comes last, as where there are several windows.
        let turns = if self.size.is_some() { &[None][..] } else { &[Some(false), Some(true)] };
        for by_end in turns {
            let mut known: Option<(u32, Option<(u64, u32)>)> = None;
            for [offset, pattern, value, mask] in self.rules.placed() {
                let begins = match known {
                    Some((number, begins)) if number == offset => begins,
                    _ => self.beginning(offset, window, *by_end),
                };
                known = Some((offset, begins));
                let Some((start, _)) = begins.filter(|(_, four)| four & mask == value) else { continue };
                let found = patterns.match_at(pattern, window, start).map(|end| Hit { pattern, start, end });
                if found.map(&mut *hit) == Some(Flow::Stop) {
                    return Flow::Stop;
                }
            }
        }
        Flow::Go
    }

    /// Where patterns of an offset start, and the four bytes there. `by_end`: of those offsets alone that count from the end, or of
    /// the others.
    fn beginning(&self, offset: u32, window: Window<'_>, by_end: Option<bool>) -> Option<(u64, u32)> {
        let offset = self.rules.offset(offset)?;
        let counts_back = matches!(offset.base, OffsetBase::End(_));
        let size = self.size.unwrap_or(length(window.bytes.len()));
        let start = self.start(&offset, Some(size)).filter(|_| by_end.is_none_or(|by_end| by_end == counts_back))?;
        Some((start, four_at(window.bytes, usize::try_from(start).ok()?)?))
    }
}

/// The four bytes at a place, zeros for those behind the end.
fn four_at(bytes: &[u8], at: usize) -> Option<u32> {
    let mut four = [0; 4];
    four.iter_mut().zip(bytes.get(at..)?).for_each(|(to, from)| *to = *from);
    Some(u32::from_le_bytes(four))
}

impl Place {
    /// Does all that the pattern can need stand before `end`? What it needs is asked of the set, whose records lie scattered, only
    /// where it matters: hardly ever, as most objects are one window.
    fn is_inside(&self, patterns: &Patterns<'_>, end: u64) -> bool {
        let reach = || patterns.reach(self.pattern);
        self.start < end && reach().is_none_or(|reach| self.start.saturating_add(reach) <= end)
    }

    /// The hit, if the pattern is there.
    fn find(&self, patterns: &Patterns<'_>, source: &dyn Source, window: Window<'_>) -> Option<Hit> {
        let found = |window: Window<'_>| {
            let at = usize::try_from(self.start.checked_sub(window.base)?).ok()?;
            let start = (four_at(window.bytes, at)? & self.mask == self.value).then_some(self.start);
            start.and_then(|start| patterns.match_at(self.pattern, window, start))
        };
        let inside = self.start >= window.base.saturating_add(BORDER) || window.base == 0;
        let end = if inside { found(window) } else { self.read(patterns, source, found) };
        end.map(|end| Hit { pattern: self.pattern, start: self.start, end })
    }

    /// Reads what the windows left behind or jumped over.
    fn read(
        &self,
        patterns: &Patterns<'_>,
        source: &dyn Source,
        found: impl Fn(Window<'_>) -> Option<u64>,
    ) -> Option<u64> {
        let base = self.start.saturating_sub(BORDER);
        let wanted = usize::try_from(patterns.reach(self.pattern)?.saturating_add(BORDER)).ok()?;
        let bytes = read_vec_at(source, base, wanted);
        found(Window { bytes: &bytes, base, last: bytes.len() < wanted })
    }
}

impl<'a> RuleSet<'a> {
    /// Offset, pattern, and the value and the mask of its first four bytes.
    fn placed(&self) -> impl Iterator<Item = [u32; 4]> + use<'a> {
        self.placed.iter().map(|record| {
            let (words, _) = record.as_chunks::<4>();
            [0, 1, 2, 3].map(|at| words.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;
    use crate::image::{Image, View};
    use crate::model::{BodyRule, SourceInfo};
    use dachs_base::{Budget, Limits, Memory, NoClock, Section, Target};

    /// Bytes whose length is known only once they were read.
    struct Unsized(Memory);

    impl Source for Unsized {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
            self.0.read_at(offset, buffer)
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn known_len(&self) -> Option<u64> {
            None
        }
    }

    fn pattern(text: &[u8]) -> Pattern {
        Pattern { elements: text.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect() }
    }

    #[test]
    fn patterns_are_found_at_their_places_and_nowhere_else() {
        let mut object = vec![b'.'; 3 << 20];
        for at in [0, 100, 200_000, 1 << 20, (3 << 20) - 7] {
            object[at..at + 5].copy_from_slice(b"hello");
        }
        let facts = Facts {
            entry_point: Some(200_000),
            sections: vec![Section { offset: 64, size: 32 }, Section { offset: (1 << 20) - 3, size: 10 }],
            ..Facts::default()
        };
        let rows = [
            (OffsetBase::Absolute(0), true),
            (OffsetBase::Absolute(1), false),
            (OffsetBase::Absolute(100), true),
            (OffsetBase::Absolute((3 << 20) - 7), true),
            (OffsetBase::Absolute((3 << 20) - 3), false),
            (OffsetBase::Absolute(u64::MAX), false),
            (OffsetBase::EntryPoint(0), true),
            (OffsetBase::EntryPoint(-199_900), true),
            (OffsetBase::EntryPoint(5), false),
            (OffsetBase::Section { index: 1, offset: 3 }, true),
            (OffsetBase::Section { index: 2, offset: 3 }, false),
            (OffsetBase::LastSection(3), true),
            (OffsetBase::End(7), true),
            (OffsetBase::End(5), false),
            (OffsetBase::End(u64::MAX), false),
        ];
        let mut builder = Builder::new();
        let source = builder.source(SourceInfo::default());
        for (number, (base, _)) in rows.iter().enumerate() {
            let rule =
                BodyRule { target: Target::Any, offset: Offset { base: *base, shift: 0 }, pattern: pattern(b"hello") };
            builder.add_body(source, &format!("Row.{number}"), &rule).unwrap();
        }
        let bytes = builder.finish();
        let image = Image::new(&bytes).unwrap();
        image.verify().unwrap();
        let expected: Vec<u32> = (0..).zip(&rows).filter(|(_, row)| row.1).map(|(number, _)| number).collect();
        let memory = Memory::new(object);
        for source in [&memory as &dyn Source, &Unsized(memory.clone())] {
            let view = View { source, target: Target::Any, facts: &facts, around: &[] };
            let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
            let mut found: Vec<u32> = examined.findings.iter().map(|finding| finding.signature).collect();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }
}
