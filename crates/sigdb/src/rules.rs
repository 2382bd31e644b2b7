//! Body and logical signatures: the sets of patterns, one for each target, and what their hits mean.
//!
//! ```text
//! hit of pattern p ──use index──> uses[i .. j]: subsignatures that want p
//!                                   └─> subsignature: rule, offset, patterns      counted per object
//!                                         └─> rule: signature, its subsignatures, its logic
//! ```
//!
//! A pattern that several signatures share stands in the matcher once. A rule is looked at after the last window only if
//! one of its subsignatures was hit, or if it could be fulfilled without any match (`0=0`); those few stand in a list.
//!
//! Records, little-endian, all numbers counted within the target's own tables:
//!
//! ```text
//! use index       first use u32                                   one more than there are patterns
//! use             subsignature u31, then 1 bit: the pattern has several parts
//! subsignature    rule u32 | pattern u32 | count u8, offset u24   count 1: that pattern; else a start in the lists
//! pattern list    pattern u32
//! rule            signature u32 | first subsignature u32 | subsignatures u32 (0 never) | logic start u32 | logic length u32
//! always          rule u32, sorted
//! ```
//!
//! A body signature is a rule of one subsignature without logic.

use crate::layout::{Frame, Section, Writer, at, count, length, number};
use crate::model::{BodyRule, LogicalRule, Offset, Subsignature};
use crate::{ImageError, Refusal, logic, offsets};
use dachs_base::{Reader, Target};
use dachs_matcher::Patterns;
use dachs_matcher::pattern::{Element, Pattern};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

/// The bit of a use that says that the pattern has several parts.
const SEVERAL_PARTS: u32 = 1 << 31;
/// Rules have at most so many subsignatures: an expression keeps a bit for each.
const MOST_SUBSIGNATURES: usize = 64;
/// A fixed gap from this length on parts a pattern, as an open one does.
const PARTING_GAP: u32 = 128;

/// Collects the rules of one target.
#[derive(Default)]
pub(crate) struct RuleWriter {
    matcher: dachs_matcher::Builder,
    /// Patterns by a digest of theirs, so that they need not be kept.
    known: HashMap<[u8; 16], u32>,
    /// Pattern and use.
    uses: Vec<(u32, u32)>,
    patterns: u32,
    subsignatures: Vec<u8>,
    lists: Vec<u8>,
    offsets: Vec<u8>,
    known_offsets: HashMap<Offset, u32>,
    rules: Vec<u8>,
    logic: Vec<u8>,
    always: Vec<u8>,
}

impl RuleWriter {
    /// Adds a body signature; gives the number of its rule.
    pub(crate) fn body(&mut self, rule: &BodyRule, signature: u32) -> Result<u32, Refusal> {
        let pattern = self.pattern(&rule.pattern)?;
        self.rule(signature, &[(rule.offset, vec![pattern])], &[])
    }

    /// Adds a logical signature; gives the number of its rule.
    pub(crate) fn logical(&mut self, rule: &LogicalRule, signature: u32) -> Result<u32, Refusal> {
        if rule.subsignatures.len() > MOST_SUBSIGNATURES {
            return Err(Refusal::TooMany("subsignatures"));
        }
        let logic = logic::encode(&rule.conditions, &rule.expression, rule.subsignatures.len())?;
        let mut subsignatures = Vec::with_capacity(rule.subsignatures.len());
        for Subsignature::Body { offset, patterns } in &rule.subsignatures {
            let numbers = patterns.iter().map(|pattern| self.pattern(pattern)).collect::<Result<Vec<_>, _>>()?;
            subsignatures.push((*offset, numbers));
        }
        let number = self.rule(signature, &subsignatures, &logic)?;
        if logic::holds_without_matches(&rule.expression) {
            self.always.extend(number.to_le_bytes());
        }
        Ok(number)
    }

    /// Bytes it will write, roughly.
    pub(crate) fn len(&self) -> usize {
        let flat = [&self.subsignatures, &self.lists, &self.rules, &self.logic].map(Vec::len);
        flat.iter().sum::<usize>().saturating_add(self.uses.len().saturating_mul(64))
    }

    /// The sections of the target, in the order in which they must be written, made by `parts`.
    pub(crate) fn finish(mut self) -> RuleParts {
        self.uses.sort_unstable();
        let (index, uses) = write_uses(self.patterns, &self.uses);
        let patterns = if self.patterns == 0 { Vec::new() } else { self.matcher.finish() };
        RuleParts {
            parts: vec![
                (Section::Patterns, patterns),
                (Section::UseIndex, index),
                (Section::Uses, uses),
                (Section::Subsignatures, self.subsignatures),
                (Section::PatternLists, self.lists),
                (Section::Offsets, self.offsets),
                (Section::Rules, self.rules),
                (Section::Logic, self.logic),
                (Section::Always, self.always),
            ],
        }
    }

    /// The number of a pattern in this target's set.
    fn pattern(&mut self, pattern: &Pattern) -> Result<(u32, bool), Refusal> {
        if pattern.elements.is_empty() {
            return Err(Refusal::NoPattern);
        }
        let key = fingerprint(pattern);
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.matcher.add(pattern).map_err(|refusal| Refusal::Pattern(refusal.to_string()))?;
                self.known.insert(key, number);
                self.patterns = self.patterns.max(number.saturating_add(1));
                number
            }
        };
        Ok((number, has_several_parts(pattern)))
    }

    /// Writes a rule whose patterns are in the set already.
    fn rule(&mut self, signature: u32, subsignatures: &[Wanted], logic: &[u8]) -> Result<u32, Refusal> {
        let most = usize::try_from(SEVERAL_PARTS).unwrap_or(usize::MAX).saturating_sub(MOST_SUBSIGNATURES);
        let full = self.subsignatures.len() / 12 >= most || self.logic.len() >= most || self.lists.len() / 4 >= most;
        if full || subsignatures.iter().any(|(_, patterns)| u8::try_from(patterns.len()).is_err()) {
            return Err(Refusal::TooMany("patterns"));
        }
        if subsignatures.is_empty() || subsignatures.iter().any(|(_, patterns)| patterns.is_empty()) {
            return Err(Refusal::NoPattern);
        }
        let offsets = subsignatures.iter().map(|(offset, _)| self.offset(offset)).collect::<Result<Vec<_>, _>>()?;
        let rule = entries(&self.rules, 20);
        let first = entries(&self.subsignatures, 12);
        for ((_, patterns), offset) in subsignatures.iter().zip(offsets) {
            self.subsignature(rule, patterns, offset);
        }
        self.rules.extend(signature.to_le_bytes());
        self.rules.extend(first.to_le_bytes());
        self.rules.extend(u32::try_from(subsignatures.len()).unwrap_or(0).to_le_bytes());
        self.rules.extend(entries(&self.logic, 1).to_le_bytes());
        self.rules.extend(entries(logic, 1).to_le_bytes());
        self.logic.extend(logic);
        Ok(rule)
    }

    fn subsignature(&mut self, rule: u32, patterns: &[(u32, bool)], offset: u32) {
        let number = entries(&self.subsignatures, 12);
        for (pattern, several) in patterns {
            self.uses.push((*pattern, if *several { number | SEVERAL_PARTS } else { number }));
        }
        let place = match patterns {
            [(only, _)] => *only,
            several => {
                let start = entries(&self.lists, 4);
                self.lists.extend(several.iter().flat_map(|(pattern, _)| pattern.to_le_bytes()));
                start
            }
        };
        let count = u32::try_from(patterns.len()).unwrap_or(0);
        self.subsignatures.extend(rule.to_le_bytes());
        self.subsignatures.extend(place.to_le_bytes());
        self.subsignatures.extend((count | offset << 8).to_le_bytes());
    }

    /// The number of an offset: 0 for anywhere.
    fn offset(&mut self, offset: &Offset) -> Result<u32, Refusal> {
        let Some(record) = offsets::encode(offset) else { return Ok(0) };
        if let Some(number) = self.known_offsets.get(offset) {
            return Ok(*number);
        }
        let number = entries(&self.offsets, 24).saturating_add(1);
        if number >= 1 << 24 {
            return Err(Refusal::TooMany("different offsets"));
        }
        self.offsets.extend(record);
        self.known_offsets.insert(*offset, number);
        Ok(number)
    }
}

/// Where a subsignature must start, and its patterns: the number in the set, and whether it has several parts.
type Wanted = (Offset, Vec<(u32, bool)>);

/// A target's sections.
pub(crate) struct RuleParts {
    parts: Vec<(Section, Vec<u8>)>,
}

/// Writes the sections of all targets.
pub(crate) fn write(targets: Vec<(Target, RuleParts)>, writer: &mut Writer) {
    let mut all: Vec<(Section, u16, Vec<u8>)> = Vec::new();
    for (target, parts) in targets {
        let item = u16::from(target.number());
        all.extend(parts.parts.into_iter().map(|(section, bytes)| (section, item, bytes)));
    }
    all.sort_by_key(|(section, item, _)| (*section, *item));
    for (section, item, bytes) in all {
        writer.section(section, item, |out| out.extend(bytes));
    }
}

fn entries(bytes: &[u8], record: usize) -> u32 {
    u32::try_from(bytes.len() / record).unwrap_or(u32::MAX)
}

/// The uses, sorted by pattern, as an index by pattern and a list.
fn write_uses(patterns: u32, uses: &[(u32, u32)]) -> (Vec<u8>, Vec<u8>) {
    let mut list = Vec::with_capacity(uses.len().saturating_mul(4));
    let mut index = Vec::new();
    let mut rest = uses.iter().peekable();
    for pattern in 0..patterns {
        index.extend(entries(&list, 4).to_le_bytes());
        while let Some((_, usage)) = rest.next_if(|(number, _)| *number == pattern) {
            list.extend(usage.to_le_bytes());
        }
    }
    if patterns > 0 {
        index.extend(entries(&list, 4).to_le_bytes());
    }
    (index, list)
}

/// Does the pattern have a border of parts: a gap that is open or long?
fn has_several_parts(pattern: &Pattern) -> bool {
    pattern.elements.iter().any(|element| match element {
        Element::Gap { min, max } => *max != Some(*min) || *min >= PARTING_GAP,
        _ => false,
    })
}

/// Sixteen bytes that stand for a pattern.
fn fingerprint(pattern: &Pattern) -> [u8; 16] {
    struct Sink(Sha256);
    impl Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sink = Sink(Sha256::new());
    pattern.hash(&mut sink);
    let digest: [u8; 32] = sink.0.finalize().into();
    digest.first_chunk::<16>().copied().unwrap_or_default()
}

/// The rules of one target.
#[derive(Clone)]
pub(crate) struct RuleSet<'a> {
    /// What the matcher looks for; absent if the target has no patterns.
    pub(crate) patterns: Option<Patterns<'a>>,
    use_index: &'a [[u8; 4]],
    uses: &'a [[u8; 4]],
    subsignatures: &'a [[u8; 12]],
    lists: &'a [[u8; 4]],
    offsets: &'a [[u8; 24]],
    rules: &'a [[u8; 20]],
    logic: &'a [u8],
    always: &'a [[u8; 4]],
}

/// One subsignature.
#[derive(Clone, Copy)]
pub(crate) struct Sub {
    /// Its rule.
    pub(crate) rule: u32,
    pattern: u32,
    count: u32,
    /// The number of its offset; 0 for anywhere.
    pub(crate) offset: u32,
}

/// One rule.
#[derive(Clone, Copy)]
pub(crate) struct RuleRecord {
    /// The signature.
    pub(crate) signature: u32,
    /// Its first subsignature.
    pub(crate) first: u32,
    /// How many it has.
    pub(crate) count: u32,
    logic: u32,
    logic_length: u32,
}

/// One subsignature that wants a pattern.
#[derive(Clone, Copy)]
pub(crate) struct Use {
    /// The subsignature.
    pub(crate) subsignature: u32,
    /// Does the pattern have several parts?
    pub(crate) several_parts: bool,
}

impl<'a> RuleSet<'a> {
    /// The rules of `target`; `None` if there are none.
    pub(crate) fn new(frame: &Frame<'a>, target: Target) -> Result<Option<RuleSet<'a>>, ImageError> {
        let item = u16::from(target.number());
        let bytes = frame.bytes(Section::Patterns, item);
        let patterns = if bytes.is_empty() { None } else { Some(Patterns::new(bytes).map_err(|_| broken("no set"))?) };
        let set = RuleSet {
            patterns,
            use_index: frame.records(Section::UseIndex, item),
            uses: frame.records(Section::Uses, item),
            subsignatures: frame.records(Section::Subsignatures, item),
            lists: frame.records(Section::PatternLists, item),
            offsets: frame.records(Section::Offsets, item),
            rules: frame.records(Section::Rules, item),
            logic: frame.bytes(Section::Logic, item),
            always: frame.records(Section::Always, item),
        };
        let expected = set.patterns.as_ref().map_or(0, |patterns| u64::from(patterns.count()).saturating_add(1));
        if length(set.use_index.len()) != expected {
            return Err(broken("their index does not fit"));
        }
        Ok((!set.rules.is_empty()).then_some(set))
    }

    /// How many subsignatures there are.
    pub(crate) fn subsignature_count(&self) -> u32 {
        count(self.subsignatures)
    }

    /// The subsignatures that want a pattern.
    pub(crate) fn uses(&self, pattern: u32) -> impl Iterator<Item = Use> + use<'a> {
        let range = number(self.use_index, pattern).zip(number(self.use_index, pattern.saturating_add(1)));
        let bounds = range.and_then(|(start, end)| usize::try_from(start).ok().zip(usize::try_from(end).ok()));
        let uses = bounds.and_then(|(start, end)| self.uses.get(start..end)).unwrap_or(&[]);
        uses.iter()
            .map(|bytes| u32::from_le_bytes(*bytes))
            .map(|word| Use { subsignature: word & !SEVERAL_PARTS, several_parts: word & SEVERAL_PARTS != 0 })
    }

    /// One subsignature.
    pub(crate) fn subsignature(&self, number: u32) -> Option<Sub> {
        let ([rule, pattern, word], []) = at(self.subsignatures, number)?.as_chunks::<4>() else { return None };
        let [rule, pattern, word] = [rule, pattern, word].map(|bytes| u32::from_le_bytes(*bytes));
        Some(Sub { rule, pattern, count: word & 0xFF, offset: word >> 8 })
    }

    /// An offset by its number; `None` if there is none of this number.
    pub(crate) fn offset(&self, number: u32) -> Option<Offset> {
        match number.checked_sub(1) {
            None => Some(Offset::ANY),
            Some(index) => offsets::decode(at(self.offsets, index)?),
        }
    }

    /// One rule.
    pub(crate) fn rule(&self, number: u32) -> Option<RuleRecord> {
        let ([signature, first, count, logic, logic_length], []) = at(self.rules, number)?.as_chunks::<4>() else {
            return None;
        };
        let [signature, first, count, logic, logic_length] =
            [signature, first, count, logic, logic_length].map(|bytes| u32::from_le_bytes(*bytes));
        Some(RuleRecord { signature, first, count, logic, logic_length })
    }

    /// The logic of a rule; empty for body signatures.
    pub(crate) fn logic(&self, rule: &RuleRecord) -> &'a [u8] {
        let mut reader = Reader::new(self.logic, "logic");
        let logic = reader.skip(u64::from(rule.logic)).and_then(|()| reader.take(u64::from(rule.logic_length)));
        logic.unwrap_or(&[])
    }

    /// The rules that could be fulfilled without any match.
    pub(crate) fn always(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.always.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A body signature as it was added.
    pub(crate) fn decode_body(&self, target: Target, rule: u32) -> Option<BodyRule> {
        let sub = self.subsignature(self.rule(rule)?.first)?;
        let pattern = self.decode_patterns(&sub)?.into_iter().next()?;
        Some(BodyRule { target, offset: self.offset(sub.offset)?, pattern })
    }

    /// A logical signature as it was added.
    pub(crate) fn decode_logical(&self, target: Target, rule: u32) -> Option<LogicalRule> {
        let record = self.rule(rule)?;
        let (conditions, expression) = logic::decode(self.logic(&record))?;
        if usize::try_from(record.count).ok()? > MOST_SUBSIGNATURES {
            return None;
        }
        let mut subsignatures = Vec::new();
        for number in record.first..record.first.checked_add(record.count)? {
            let sub = self.subsignature(number)?;
            let patterns = self.decode_patterns(&sub)?;
            subsignatures.push(Subsignature::Body { offset: self.offset(sub.offset)?, patterns });
        }
        Some(LogicalRule { target, conditions, expression, subsignatures })
    }

    /// Checks every index.
    pub(crate) fn verify(&self) -> Result<(), ImageError> {
        let patterns = self.patterns.as_ref().map_or(0, Patterns::count);
        let index: Vec<u32> = self.use_index.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let whole =
            index.last().copied().unwrap_or(0) == count(self.uses) && index.first().is_none_or(|first| *first == 0);
        if !whole || !index.is_sorted() {
            return Err(broken("the index of their uses is not in order"));
        }
        for pattern in 0..patterns {
            if self.uses(pattern).any(|usage| !self.is_wanted(pattern, usage.subsignature)) {
                return Err(broken("one is used by a subsignature that does not name it"));
            }
        }
        if !self.always().is_sorted() || self.always().any(|rule| self.rule(rule).is_none()) {
            return Err(broken("the list of rules without a hit is not in order"));
        }
        for number in 0..count(self.rules) {
            let rule = self.rule(number).ok_or(broken("a rule is cut off"))?;
            let end =
                rule.first.checked_add(rule.count).filter(|end| rule.count > 0 && *end <= self.subsignature_count());
            let end = end.ok_or(broken("a rule has subsignatures that are not there"))?;
            if (rule.first..end).any(|sub| self.subsignature(sub).is_none_or(|sub| sub.rule != number)) {
                return Err(broken("a subsignature belongs to another rule"));
            }
        }
        Ok(())
    }

    /// Does the subsignature name the pattern?
    fn is_wanted(&self, pattern: u32, subsignature: u32) -> bool {
        self.subsignature(subsignature).is_some_and(|sub| self.patterns_of(&sub).any(|number| number == Some(pattern)))
    }

    /// The numbers of a subsignature's patterns.
    fn patterns_of(&self, sub: &Sub) -> impl Iterator<Item = Option<u32>> + use<'a> {
        let (single, start, lists) = (sub.count == 1, sub.pattern, self.lists);
        (0..sub.count).map(
            move |index| {
                if single { Some(start) } else { start.checked_add(index).and_then(|at| number(lists, at)) }
            },
        )
    }

    fn decode_patterns(&self, sub: &Sub) -> Option<Vec<Pattern>> {
        let patterns = self.patterns.as_ref()?;
        self.patterns_of(sub).map(|number| patterns.decode(number?)).collect()
    }
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::Patterns.name(), reason }
}
