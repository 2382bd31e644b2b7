//! Reading rules, for evaluation and for people.

use super::{
    ALL_STARTS, COMPARE, HERALD, HERALDED, MACRO, MOST_SUBSIGNATURES, ONE_MATCH, PARTED, PICTURE, REGEX, SEVERAL_PARTS,
};
use crate::compare;
use crate::layout::{Frame, Section, at, count, length, number};
use crate::model::{BodyRule, Compare, LogicalRule, Offset, OffsetBase, Regex, Subsignature};
use crate::regex::Cache;
use crate::{ImageError, logic, offsets, placed};
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
    specials: &'a [u8],
    pub(crate) placed: &'a [[u8; placed::RECORD]],
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
    /// Does a macro ask where all matches start?
    pub(crate) all_starts: bool,
    /// Does one of its patterns have several parts?
    pub(crate) parted: bool,
    /// Has each of its patterns a herald?
    pub(crate) heralded: bool,
    /// The number of its offset; 0 for anywhere.
    pub(crate) offset: u32,
}

impl Sub {
    /// Is it one of patterns?
    pub(crate) fn has_patterns(&self) -> bool {
        self.count > 0
    }
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
    /// Is the pattern no more than a herald of it?
    pub(crate) herald: bool,
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
            specials: frame.bytes(Section::Specials, item),
            placed: frame.records(Section::Placed, item),
            compiled: Cache::default(),
        };
        let expected = set.patterns.as_ref().map_or(0, |patterns| u64::from(patterns.count()).saturating_add(1));
        if length(set.use_index.len()) != expected {
            return Err(broken("their index does not fit"));
        }
        Ok((!set.rules.is_empty()).then_some(set))
    }

    /// Are there special subsignatures, such as regular expressions?
    pub(crate) fn has_specials(&self) -> bool {
        !self.specials.is_empty()
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
        let bit = |word: u32, bit: u32| word & bit != 0;
        uses.iter().map(|bytes| u32::from_le_bytes(*bytes)).map(move |word| Use {
            subsignature: word & (HERALD - 1),
            herald: bit(word, HERALD),
            several_parts: bit(word, SEVERAL_PARTS),
        })
    }

    /// One subsignature.
    pub(crate) fn subsignature(&self, number: u32) -> Option<Sub> {
        let ([rule, pattern, word], []) = at(self.subsignatures, number)?.as_chunks::<4>() else { return None };
        let [rule, pattern, word] = [rule, pattern, word].map(|bytes| u32::from_le_bytes(*bytes));
        let bit = |bit| word & bit != 0;
        let (one_match, all_starts, parted) = (bit(ONE_MATCH), bit(ALL_STARTS), bit(PARTED));
        let (heralded, offset) = (bit(HERALDED), (word & !HERALDED) >> 8);
        Some(Sub { rule, pattern, count: word & (PARTED - 1), one_match, all_starts, parted, heralded, offset })
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

    /// What a subsignature is that has no patterns.
    pub(crate) fn special(&self, sub: &Sub) -> Option<Special<'a>> {
        if sub.count > 0 {
            return None;
        }
        let mut reader = Reader::new(self.specials, "special subsignature");
        reader.skip(u64::from(sub.pattern)).ok()?;
        match reader.u8().ok()? {
            REGEX => regex(sub.pattern, &mut reader),
            COMPARE => {
                let length = reader.u32_le().ok()?;
                compare::decode(reader.take(u64::from(length)).ok()?).map(Special::Compare)
            }
            MACRO => {
                let group = reader.u8().ok()?;
                Some(Special::Macro { group, min: reader.u64_le().ok()?, max: reader.u64_le().ok()? })
            }
            PICTURE => reader.u64_le().ok().map(Special::Picture),
            _ => None,
        }
    }

    /// What must hold before a subsignature is tried that is a regular expression. The rest of it is not looked at: this is asked
    /// of hundreds in each object.
    pub(crate) fn trigger(&self, sub: &Sub) -> Option<&'a [u8]> {
        if sub.count > 0 {
            return None;
        }
        let mut reader = Reader::new(self.specials, "special subsignature");
        reader.skip(u64::from(sub.pattern)).ok()?;
        if reader.u8().ok()? != REGEX {
            return None;
        }
        let [trigger, ..] = lengths(&mut reader)?;
        reader.take(u64::from(trigger)).ok()
    }

    /// Must more be found out of a subsignature once the object was read?
    pub(crate) fn has_more(&self, sub: &Sub) -> bool {
        sub.count == 0 || (sub.parted && !sub.one_match)
    }

    /// Does one of a subsignature's patterns wait, so that its matches are not counted yet?
    pub(crate) fn is_waiting(&self, sub: &Sub) -> bool {
        let waits = |number: u32| self.patterns.as_ref().is_some_and(|patterns| patterns.is_waiting(number));
        self.patterns_of(sub).flatten().any(waits)
    }

    /// The patterns of a subsignature.
    pub(crate) fn patterns_to_count(&self, sub: &Sub) -> Option<Vec<Pattern>> {
        self.decode_patterns(sub, &mut 0)
    }

    /// The group of a body signature that is a member of one.
    pub(crate) fn group(&self, sub: &Sub) -> Option<u8> {
        match self.offset(sub.offset)?.base {
            OffsetBase::Group(group) => Some(group),
            _ => None,
        }
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

    /// Would [`RuleSet::decode_body`] give a signature? Found out without making it.
    pub(crate) fn holds_body(&self, rule: u32) -> bool {
        let sub = self.rule(rule).and_then(|rule| self.subsignature(rule.first));
        sub.is_some_and(|sub| self.measure_patterns(&sub, &mut 0).is_some() && self.offset(sub.offset).is_some())
    }

    /// A logical signature as it was added.
    pub(crate) fn decode_logical(&self, target: Target, rule: u32) -> Option<LogicalRule> {
        let record = self.rule(rule)?;
        let (conditions, expression) = logic::decode(self.logic(&record))?;
        let (mut subsignatures, mut elements) = (Vec::new(), 0);
        self.each_subsignature(&record, &mut |sub, offset| {
            subsignatures.push(match self.special(sub) {
                Some(special) => special.decode(offset)?,
                None => Subsignature::Body { offset, patterns: self.decode_patterns(sub, &mut elements)? },
            });
            Some(())
        })?;
        Some(LogicalRule { target, conditions, expression, subsignatures })
    }

    /// Would [`RuleSet::decode_logical`] give a signature? Found out without making its patterns.
    pub(crate) fn holds_logical(&self, rule: u32) -> bool {
        let mut elements = 0;
        let mut holds = |sub: &Sub, offset: Offset| match self.special(sub) {
            Some(special) => special.decode(offset).map(drop),
            None => self.measure_patterns(sub, &mut elements),
        };
        let record = self.rule(rule).filter(|record| logic::decode(self.logic(record)).is_some());
        record.and_then(|record| self.each_subsignature(&record, &mut holds)).is_some()
    }

    /// Calls `each` with the subsignatures of a rule and their offsets. Absent if the rule is not whole, or `each` says nothing of one.
    fn each_subsignature(&self, rule: &RuleRecord, each: &mut dyn FnMut(&Sub, Offset) -> Option<()>) -> Option<()> {
        if usize::try_from(rule.count).ok()? > MOST_SUBSIGNATURES {
            return None;
        }
        (rule.first..rule.first.checked_add(rule.count)?).try_for_each(|number| {
            let sub = self.subsignature(number)?;
            each(&sub, self.offset(sub.offset)?)
        })
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
            let heralds = |number: u32| self.subsignature(number).is_some_and(|sub| sub.heralded);
            let fits = |usage: Use| match usage.herald {
                true => heralds(usage.subsignature),
                false => self.is_wanted(pattern, usage.subsignature),
            };
            if !self.uses(pattern).all(fits) {
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
    pub(crate) fn patterns_of(&self, sub: &Sub) -> impl Iterator<Item = Option<u32>> + use<'a> {
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
            count_elements(elements, pattern.elements.len())?;
            decoded.push(pattern);
        }
        Some(decoded)
    }

    /// As [`RuleSet::decode_patterns`], but nothing is made.
    fn measure_patterns(&self, sub: &Sub, elements: &mut usize) -> Option<()> {
        let patterns = self.patterns.as_ref().filter(|_| sub.count > 0)?;
        self.patterns_of(sub).try_for_each(|number| count_elements(elements, patterns.decoded_length(number?)?))
    }
}

/// Counts elements that were decoded; absent if they are too many.
fn count_elements(elements: &mut usize, more: usize) -> Option<()> {
    *elements = elements.saturating_add(more);
    (*elements <= MOST_ELEMENTS).then_some(())
}

/// A subsignature that is no pattern.
pub(crate) enum Special<'a> {
    Compare(Compare),
    Macro {
        group: u8,
        min: u64,
        max: u64,
    },
    /// What the picture looks like.
    Picture(u64),
    Regex(Expression<'a>),
}

/// A regular expression.
#[derive(Clone, Copy)]
pub(crate) struct Expression<'a> {
    /// Its place, which names it.
    pub(crate) place: u32,
    /// What must hold before it is tried.
    pub(crate) trigger: &'a [u8],
    pub(crate) flags: &'a str,
    pub(crate) text: &'a str,
    /// What bytes must occur where it matches.
    pub(crate) needles: &'a [u8],
}

impl Special<'_> {
    fn decode(self, offset: Offset) -> Option<Subsignature> {
        Some(match self {
            Special::Compare(compare) => Subsignature::Compare(compare),
            Special::Macro { group, min, max } => Subsignature::Macro { min, max, group },
            Special::Picture(hash) => Subsignature::Picture(hash),
            Special::Regex(Expression { trigger, flags, text, .. }) => {
                let regex = Regex { flags: flags.to_owned(), text: text.to_owned() };
                Subsignature::Regex { offset, trigger: logic::decode_trigger(trigger)?, regex }
            }
        })
    }
}

fn regex<'a>(place: u32, reader: &mut Reader<'a>) -> Option<Special<'a>> {
    let [trigger, flags, text, needles] = lengths(reader)?.map(|length| reader.take(u64::from(length)).ok());
    let (flags, text) = (std::str::from_utf8(flags?).ok()?, std::str::from_utf8(text?).ok()?);
    Some(Special::Regex(Expression { place, trigger: trigger?, flags, text, needles: needles? }))
}

/// Of trigger, flags, text and needles of a regular expression.
fn lengths(reader: &mut Reader<'_>) -> Option<[u32; 4]> {
    Some([reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?])
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::Patterns.name(), reason }
}
