//! Collecting rules and writing their tables.

use super::{
    ALL_STARTS, COMPARE, HERALD, HERALDED, MACRO, MOST_PATTERNS, MOST_SUBSIGNATURES, ONE_MATCH, PARTED, PICTURE, REGEX,
    SEVERAL_PARTS,
};
use crate::compare;
use crate::heralds::{self, Heralds};
use crate::layout::{Section, Writer};
use crate::model::{BodyRule, Compare, Expression, LogicalRule, Offset, OffsetBase, Regex, Subsignature};
use crate::recount::has_several_parts;
use crate::regex::{self, Compiled, Problem};
use crate::{Refusal, leads, logic, offsets, placed};
use dachs_base::Target;
use dachs_matcher::pattern::Pattern;
use sha2::{Digest, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Collects the rules of one target.
#[derive(Default)]
pub(crate) struct RuleWriter {
    matcher: dachs_matcher::Builder,
    /// Patterns by a digest of theirs, so that they need not be kept, and of how they are looked for.
    known: HashMap<Fingerprint, u32, BuildHasherDefault<Digested>>,
    /// Room for what is digested.
    scratch: Vec<u8>,
    /// The first bytes of those patterns that are looked for at places only.
    beginnings: HashMap<u32, (u32, u32)>,
    /// Offset, pattern and beginning.
    placed: BTreeSet<(u32, u32, (u32, u32))>,
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
    specials: Vec<u8>,
}

impl RuleWriter {
    /// Adds a body signature; gives the number of its rule.
    pub(crate) fn body(&mut self, rule: &BodyRule, signature: u32) -> Result<u32, Refusal> {
        self.pattern_alone(rule, signature, !matches!(rule.offset.base, OffsetBase::Group(_)), false)
    }

    /// Adds a pattern of which every match is told, though it detects nothing; gives the number of its rule.
    pub(crate) fn every_match(&mut self, rule: &BodyRule, signature: u32) -> Result<u32, Refusal> {
        self.pattern_alone(rule, signature, false, true)
    }

    fn pattern_alone(
        &mut self,
        rule: &BodyRule,
        signature: u32,
        one_match: bool,
        all_starts: bool,
    ) -> Result<u32, Refusal> {
        let pattern = self.pattern(&rule.pattern, Search::of(&rule.offset, one_match))?;
        self.matcher.search(pattern.0);
        let (patterns, heralds) = (vec![pattern], vec![]);
        let wanted = Wanted { offset: rule.offset, patterns, heralds, special: None, one_match, all_starts };
        self.rule(signature, &[wanted], &[])
    }

    /// Adds a logical signature; gives the number of its rule.
    pub(crate) fn logical(&mut self, rule: &LogicalRule, signature: u32) -> Result<u32, Refusal> {
        if rule.subsignatures.len() > MOST_SUBSIGNATURES {
            return Err(Refusal::TooMany("subsignatures"));
        }
        let logic = logic::encode(&rule.conditions, &rule.expression, rule.subsignatures.len())?;
        let triggers = || {
            rule.subsignatures.iter().filter_map(|subsignature| match subsignature {
                Subsignature::Regex { trigger, .. } => Some(trigger),
                _ => None,
            })
        };
        let counted = triggers().map(logic::one_match_tells_all);
        let one_match = counted.fold(logic::one_match_tells_all(&rule.expression), |all, one| all & one);
        let one_match = one_match & !compared(&rule.subsignatures);
        let mut subsignatures = Vec::with_capacity(rule.subsignatures.len());
        for (id, subsignature) in rule.subsignatures.iter().enumerate() {
            let all_starts = matches!(rule.subsignatures.get(id + 1), Some(Subsignature::Macro { .. }));
            let one_match = one_match >> id & 1 == 1 && !all_starts;
            let (offset, patterns, special) = match subsignature {
                Subsignature::Body { offset, patterns } => {
                    let search = Search::of(offset, one_match);
                    let numbers = patterns.iter().map(|pattern| self.pattern(pattern, search));
                    (*offset, numbers.collect::<Result<_, _>>()?, None)
                }
                Subsignature::Regex { offset, trigger, regex } => {
                    (*offset, vec![], Some(encode_regex(trigger, regex, id)?))
                }
                Subsignature::Compare(compare) => (Offset::ANY, vec![], Some(encode_compare(compare)?)),
                Subsignature::Picture(hash) => (Offset::ANY, vec![], Some(encode_picture(*hash))),
                Subsignature::Macro { min, max, group } => {
                    (Offset::ANY, vec![], Some(encode_macro(*min, *max, *group)))
                }
            };
            subsignatures.push(Wanted { offset, patterns, heralds: vec![], special, one_match, all_starts });
        }
        self.search(rule, &mut subsignatures)?;
        let number = self.rule(signature, &subsignatures, &logic)?;
        let pictures = rule.subsignatures.iter().any(|wanted| matches!(wanted, Subsignature::Picture(_)));
        let without = logic::holds_without_matches(&rule.expression);
        if without || pictures || triggers().any(logic::holds_without_matches) {
            self.always.extend(number.to_le_bytes());
        }
        Ok(number)
    }

    /// Has the rule's leads searched in every object, or what heralds them; all of its patterns if it has none.
    fn search(&mut self, rule: &LogicalRule, subsignatures: &mut [Wanted]) -> Result<(), Refusal> {
        let heralds: Vec<Option<Heralds>> =
            subsignatures.iter().zip(&rule.subsignatures).map(|(wanted, of)| self.heralds(wanted, of)).collect();
        let cost = |id: usize| match heralds.get(id) {
            Some(Some(heralds)) => heralds.cost,
            _ => self.cost(subsignatures.get(id)),
        };
        let leads = leads::of(&rule.expression, &rule.subsignatures, &cost);
        for (id, (wanted, heralds)) in subsignatures.iter_mut().zip(heralds).enumerate() {
            match (leads, heralds) {
                (Some(leads), _) if leads.ids >> id & 1 == 0 => {}
                (Some(_), Some(heralds)) => wanted.heralds = self.search_heralds(&heralds)?,
                _ => wanted.patterns.iter().for_each(|(pattern, _)| self.matcher.search(*pattern)),
            }
        }
        Ok(())
    }

    /// What could be searched instead of a subsignature.
    fn heralds(&self, wanted: &Wanted, subsignature: &Subsignature) -> Option<Heralds> {
        let Subsignature::Body { patterns, .. } = subsignature else { return None };
        heralds::of(patterns, self.cost(Some(wanted)), &|piece| self.matcher.estimate(piece, true))
    }

    fn search_heralds(&mut self, heralds: &Heralds) -> Result<Vec<u32>, Refusal> {
        let numbers = heralds.pieces.iter().map(|piece| self.pattern(piece, Search::Once).map(|(number, _)| number));
        let numbers = numbers.collect::<Result<Vec<u32>, Refusal>>()?;
        numbers.iter().for_each(|number| self.matcher.search(*number));
        Ok(numbers)
    }

    /// What it is expected to cost to search for a subsignature.
    fn cost(&self, wanted: Option<&Wanted>) -> u64 {
        let costs = wanted.map(|wanted| wanted.patterns.iter().map(|(pattern, _)| self.matcher.cost(*pattern)));
        costs.map_or(u64::MAX, |costs| costs.fold(0, u64::saturating_add))
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
                (Section::Specials, self.specials),
                (Section::Placed, placed::write(&self.placed)),
            ],
        }
    }

    /// The number of a pattern in this target's set, and whether it has several parts.
    fn pattern(&mut self, pattern: &Pattern, search: Search) -> Result<(u32, bool), Refusal> {
        if pattern.elements.is_empty() {
            return Err(Refusal::NoPattern);
        }
        let fingerprint = fingerprint(pattern, search, &mut self.scratch);
        let number = match self.known.entry(fingerprint) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(room) => {
                let number = new_pattern(&mut self.matcher, &mut self.beginnings, pattern, search)?;
                self.patterns = self.patterns.max(number.saturating_add(1));
                *room.insert(number)
            }
        };
        Ok((number, has_several_parts(pattern)))
    }

    /// Writes a rule whose patterns are in the set already.
    fn rule(&mut self, signature: u32, subsignatures: &[Wanted], logic: &[u8]) -> Result<u32, Refusal> {
        let most = usize::try_from(HERALD).unwrap_or(usize::MAX).saturating_sub(MOST_SUBSIGNATURES);
        let full = self.subsignatures.len() / 12 >= most
            || self.logic.len() >= most
            || self.specials.len() >= most
            || self.lists.len() / 4 >= most;
        if full || subsignatures.iter().any(|wanted| wanted.patterns.len() > MOST_PATTERNS) {
            return Err(Refusal::TooMany("patterns"));
        }
        if subsignatures.is_empty()
            || subsignatures.iter().any(|wanted| wanted.patterns.is_empty() && wanted.special.is_none())
        {
            return Err(Refusal::NoPattern);
        }
        let offsets = subsignatures.iter().map(|wanted| self.offset(&wanted.offset)).collect::<Result<Vec<_>, _>>()?;
        let rule = entries(&self.rules, 20);
        let first = entries(&self.subsignatures, 12);
        for (wanted, offset) in subsignatures.iter().zip(offsets) {
            self.subsignature(rule, wanted, offset);
        }
        self.rules.extend(signature.to_le_bytes());
        self.rules.extend(first.to_le_bytes());
        self.rules.extend(u32::try_from(subsignatures.len()).unwrap_or(0).to_le_bytes());
        self.rules.extend(entries(&self.logic, 1).to_le_bytes());
        self.rules.extend(entries(logic, 1).to_le_bytes());
        self.logic.extend(logic);
        Ok(rule)
    }

    fn subsignature(&mut self, rule: u32, wanted: &Wanted, offset: u32) {
        let number = entries(&self.subsignatures, 12);
        for (pattern, several) in &wanted.patterns {
            self.uses.push((*pattern, if *several { number | SEVERAL_PARTS } else { number }));
            // What may start anywhere is not looked for at places.
            let beginning = if offset > 0 { self.beginnings.get(pattern) } else { None };
            self.placed.extend(beginning.map(|beginning| (offset, *pattern, *beginning)));
        }
        self.uses.extend(wanted.heralds.iter().map(|herald| (*herald, number | HERALD)));
        let place = match wanted.patterns.as_slice() {
            [] => {
                let start = entries(&self.specials, 1);
                self.specials.extend(wanted.special.iter().flatten());
                start
            }
            [(only, _)] => *only,
            several => {
                let start = entries(&self.lists, 4);
                self.lists.extend(several.iter().flat_map(|(pattern, _)| pattern.to_le_bytes()));
                start
            }
        };
        let count = u32::try_from(wanted.patterns.len()).unwrap_or(0);
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        let parted = wanted.patterns.iter().any(|(_, several)| *several);
        let bits = bit(wanted.one_match, ONE_MATCH) | bit(wanted.all_starts, ALL_STARTS) | bit(parted, PARTED);
        let bits = bits | bit(!wanted.heralds.is_empty(), HERALDED);
        self.subsignatures.extend(rule.to_le_bytes());
        self.subsignatures.extend(place.to_le_bytes());
        self.subsignatures.extend((count | bits | offset << 8).to_le_bytes());
    }

    /// The number of an offset: 0 for anywhere.
    fn offset(&mut self, offset: &Offset) -> Result<u32, Refusal> {
        let Some(record) = offsets::encode(offset) else { return Ok(0) };
        if let Some(number) = self.known_offsets.get(offset) {
            return Ok(*number);
        }
        let number = entries(&self.offsets, 24).saturating_add(1);
        if number >= 1 << 23 {
            return Err(Refusal::TooMany("different offsets"));
        }
        self.offsets.extend(record);
        self.known_offsets.insert(*offset, number);
        Ok(number)
    }
}

/// Adds a pattern to a set; gives its number.
fn new_pattern(
    matcher: &mut dachs_matcher::Builder,
    beginnings: &mut HashMap<u32, (u32, u32)>,
    pattern: &Pattern,
    search: Search,
) -> Result<u32, Refusal> {
    let added = match search {
        Search::All => matcher.add_waiting(pattern, false),
        Search::Once => matcher.add_waiting(pattern, true),
        // What is too long for that is searched, and its hits are asked where they start.
        Search::Placed => match matcher.add_placed(pattern) {
            Ok(number) => {
                beginnings.insert(number, placed::beginning(pattern));
                Ok(number)
            }
            Err(_) => matcher.add_waiting(pattern, false),
        },
    };
    added.map_err(|refusal| Refusal::Pattern(refusal.to_string()))
}

/// How a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// Everywhere, and all that is found counts.
    All,
    /// Everywhere, and nobody asks for more than whether it is there.
    Once,
    /// At one place of each object.
    Placed,
}

impl Search {
    /// `one_match`: one match tells as much as many.
    fn of(offset: &Offset, one_match: bool) -> Search {
        if one_match && placed::is_one_place(offset) {
            Search::Placed
        } else if one_match && offset.base == OffsetBase::Any {
            Search::Once
        } else {
            Search::All
        }
    }
}

/// A subsignature to be written.
struct Wanted {
    /// Where it must start.
    offset: Offset,
    /// Its patterns: the number in the set, and whether it has several parts.
    patterns: Vec<(u32, bool)>,
    /// What is searched for instead of them in every object: nothing, or one for each.
    heralds: Vec<u32>,
    /// What it is if it has no patterns.
    special: Option<Vec<u8>>,
    /// Does one match tell as much as many?
    one_match: bool,
    /// Does a macro ask where all matches start?
    all_starts: bool,
}

/// The record of a regular expression that is subsignature `id`.
fn encode_regex(trigger: &Expression, regex: &Regex, id: usize) -> Result<Vec<u8>, Refusal> {
    match Compiled::new(regex) {
        Ok(_) => {}
        Err(Problem::Malformed(reason)) => return Err(Refusal::MalformedRegex(reason)),
        Err(Problem::Unsupported) => {
            return Err(Refusal::Pattern("a regular expression with what cannot be compiled yet".to_owned()));
        }
    }
    let trigger = logic::encode_trigger(trigger, id)?;
    let needles = regex::needles_of(regex);
    let parts = [trigger.as_slice(), regex.flags.as_bytes(), regex.text.as_bytes(), needles.as_slice()];
    let mut record = vec![REGEX];
    record.extend(parts.iter().flat_map(|part| entries(part, 1).to_le_bytes()));
    parts.iter().for_each(|part| record.extend(*part));
    Ok(record)
}

/// The subsignatures of whose last match comparisons ask, a bit for each.
fn compared(subsignatures: &[Subsignature]) -> u64 {
    let bit = |subsignature: &Subsignature| match subsignature {
        Subsignature::Compare(compare) => 1_u64.checked_shl(u32::from(compare.id)).unwrap_or(0),
        _ => 0,
    };
    subsignatures.iter().fold(0, |bits, subsignature| bits | bit(subsignature))
}

/// The record of a comparison.
fn encode_compare(compare: &Compare) -> Result<Vec<u8>, Refusal> {
    let bytes = compare::encode(compare)?;
    let mut record = vec![COMPARE];
    record.extend(entries(&bytes, 1).to_le_bytes());
    record.extend(bytes);
    Ok(record)
}

/// The record of a macro.
fn encode_macro(min: u64, max: u64, group: u8) -> Vec<u8> {
    [&[MACRO, group][..], &min.to_le_bytes(), &max.to_le_bytes()].concat()
}

/// The record of a hash of a picture.
fn encode_picture(hash: u64) -> Vec<u8> {
    std::iter::once(PICTURE).chain(hash.to_le_bytes()).collect()
}

/// A target's sections.
pub(crate) struct RuleParts {
    parts: Vec<(Section, Vec<u8>)>,
}

impl RuleParts {
    /// Writes the sections.
    pub(crate) fn write(self, target: Target, writer: &mut Writer<'_>) {
        for (section, bytes) in self.parts {
            writer.section(section, u16::from(target.number()), |out| out.extend(bytes));
        }
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

/// Sixteen bytes that stand for a pattern and how it is looked for.
type Fingerprint = [u8; 16];

fn fingerprint(pattern: &Pattern, search: Search, scratch: &mut Vec<u8>) -> Fingerprint {
    scratch.clear();
    scratch.push(match search {
        Search::All => 0,
        Search::Once => 1,
        Search::Placed => 2,
    });
    pattern.write(scratch);
    let digest: [u8; 32] = Sha256::digest(scratch).into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// The hash of what is a digest already.
#[derive(Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comparison;
    use dachs_matcher::pattern::Element;

    fn pattern(text: &str) -> Pattern {
        let gap = Element::Gap { min: 0, max: None };
        let element = |byte: u8| if byte == b'*' { gap.clone() } else { Element::Byte { value: byte, mask: 0xFF } };
        Pattern { elements: text.bytes().map(element).collect() }
    }

    /// Which subsignatures of a rule that needs all of them have heralds.
    fn heralded(texts: &[&str]) -> Vec<bool> {
        let body = |text: &&str| Subsignature::Body { offset: Offset::ANY, patterns: vec![pattern(text)] };
        let all = (0..u8::try_from(texts.len()).unwrap()).map(|id| Expression::Count {
            id,
            comparison: Comparison::Greater,
            count: 0,
        });
        let rule = LogicalRule {
            target: Target::Any,
            conditions: vec![],
            expression: Expression::And(all.collect()),
            subsignatures: texts.iter().map(body).collect(),
        };
        let mut writer = RuleWriter::default();
        writer.logical(&rule, 0).unwrap();
        let is_heralded = |number: u32| writer.uses.iter().any(|(_, usage)| *usage == number | HERALD);
        (0..u32::try_from(texts.len()).unwrap()).map(is_heralded).collect()
    }

    #[test]
    fn a_dear_lead_has_a_herald() {
        assert_eq!(heralded(&["<script*function*zq#xj%kvw!yb"]), [true]);
        assert_eq!(heralded(&["zq#xj%kvw!yb"]), [false]);
        assert_eq!(heralded(&["<script*function", "zq#xj%kvw!yb"]), [false, false]);
    }
}
