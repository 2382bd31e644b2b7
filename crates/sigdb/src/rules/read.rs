//! Reading rules, for evaluation and for people.

use super::{MOST_SUBSIGNATURES, ONE_MATCH, SEVERAL_PARTS};
use crate::layout::{Frame, Section, at, count, length, number};
use crate::model::{BodyRule, LogicalRule, Offset, Regex, Subsignature};
use crate::regex::Cache;
use crate::{ImageError, logic, offsets};
use dachs_base::{Reader, Target};
use dachs_matcher::Patterns;
use dachs_matcher::pattern::Pattern;

/// A rule with more elements in all of its patterns is not shown.
const MOST_ELEMENTS: usize = 1 << 20;

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
    regexes: &'a [u8],
    /// What of them was compiled.
    pub(crate) compiled: Cache,
}

/// One subsignature.
#[derive(Clone, Copy)]
pub(crate) struct Sub {
    /// Its rule.
    pub(crate) rule: u32,
    pattern: u32,
    count: u32,
    /// Does one match tell as much as many?
    pub(crate) one_match: bool,
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
            regexes: frame.bytes(Section::Regexes, item),
            compiled: Cache::default(),
        };
        let expected = set.patterns.as_ref().map_or(0, |patterns| u64::from(patterns.count()).saturating_add(1));
        if length(set.use_index.len()) != expected {
            return Err(broken("their index does not fit"));
        }
        Ok((!set.rules.is_empty()).then_some(set))
    }

    /// Are there regular expressions?
    pub(crate) fn has_regexes(&self) -> bool {
        !self.regexes.is_empty()
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
        let one_match = word & ONE_MATCH != 0;
        Some(Sub { rule, pattern, count: word & (ONE_MATCH - 1), one_match, offset: word >> 8 })
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

    /// The regular expression of a subsignature that has one: its place, its trigger and itself.
    pub(crate) fn regex(&self, sub: &Sub) -> Option<(u32, &'a [u8], Regex)> {
        if sub.count > 0 {
            return None;
        }
        let mut reader = Reader::new(self.regexes, "regular expression");
        reader.skip(u64::from(sub.pattern)).ok()?;
        let lengths = [reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?];
        let [trigger, flags, text] = lengths.map(|length| reader.take(u64::from(length)).ok());
        let owned = |bytes: Option<&[u8]>| std::str::from_utf8(bytes?).ok().map(str::to_owned);
        Some((sub.pattern, trigger?, Regex { flags: owned(flags)?, text: owned(text)? }))
    }

    /// The rules that could be fulfilled without any match.
    pub(crate) fn always(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.always.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A body signature as it was added.
    pub(crate) fn decode_body(&self, target: Target, rule: u32) -> Option<BodyRule> {
        let sub = self.subsignature(self.rule(rule)?.first)?;
        let pattern = self.decode_patterns(&sub, &mut 0)?.into_iter().next()?;
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
        let mut elements = 0;
        for number in record.first..record.first.checked_add(record.count)? {
            let sub = self.subsignature(number)?;
            if let Some((_, trigger, regex)) = self.regex(&sub) {
                let trigger = logic::decode_trigger(trigger)?;
                subsignatures.push(Subsignature::Regex { offset: self.offset(sub.offset)?, trigger, regex });
                continue;
            }
            let patterns = self.decode_patterns(&sub, &mut elements)?;
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

    /// A subsignature's patterns. `elements` counts what was decoded of the rule: a hostile one could ask for a long
    /// pattern many times.
    fn decode_patterns(&self, sub: &Sub, elements: &mut usize) -> Option<Vec<Pattern>> {
        let patterns = self.patterns.as_ref().filter(|_| sub.count > 0)?;
        let mut decoded = Vec::new();
        for number in self.patterns_of(sub) {
            let pattern = patterns.decode(number?)?;
            *elements = elements.saturating_add(pattern.elements.len());
            if *elements > MOST_ELEMENTS {
                return None;
            }
            decoded.push(pattern);
        }
        Some(decoded)
    }
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::Patterns.name(), reason }
}
