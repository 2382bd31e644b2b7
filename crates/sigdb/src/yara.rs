//! YARA rules in an image: their texts, for the process that compiles them, and what people are told of them.
//!
//! An image holds YARA rules as text. There is no compiled form that could be mapped and believed: see the essay of
//! `dachs_rules`. The texts stand apart from the details, which only the trusted side reads.
//!
//! ```text
//! text      source u32 | gate u8 | length u32 | bytes, UTF-8                 one after the other, in the order added
//! index     of each rule, where its details start, u32; signatures give the number of the rule
//! details   tags u16, each a short text | metadata u16, each a short text, a kind u8 and a value
//!           | strings u16, each a short text
//!           short text: length u16, bytes; value: 0 short text, 1 integer i64, 2 boolean u8
//! ```

use crate::ImageError;
use crate::Refusal;
use crate::layout::{Frame, Section, Writer, at};
use crate::model::{MetadataValue, YaraRule, YaraText};
use dachs_base::Reader;

/// No rule has more tags, entries of metadata or strings than this; what is beyond is not told.
const MOST: usize = 10_000;
/// Longer texts are cut to this many bytes.
const LONGEST: usize = 8 << 10;

/// Collects rules.
#[derive(Default)]
pub(crate) struct YaraWriter {
    texts: Vec<u8>,
    index: Vec<[u8; 4]>,
    details: Vec<u8>,
}

impl YaraWriter {
    /// Adds a text.
    pub(crate) fn text(&mut self, text: &YaraText<'_>) -> Result<(), Refusal> {
        let length = u32::try_from(text.text.len()).map_err(|_| Refusal::TooMany("bytes in a rule"))?;
        self.texts.extend(text.source.to_le_bytes());
        self.texts.push(text.gate);
        self.texts.extend(length.to_le_bytes());
        self.texts.extend(text.text.as_bytes());
        Ok(())
    }

    /// Adds what people are told of a rule; gives its number.
    pub(crate) fn details(&mut self, rule: &YaraRule) -> Result<u32, Refusal> {
        let count = |count: usize| u32::try_from(count).map_err(|_| Refusal::TooMany("YARA rules"));
        let (number, start) = (count(self.index.len())?, count(self.details.len())?);
        self.index.push(start.to_le_bytes());
        let out = &mut self.details;
        list(out, &rule.tags, |out, tag| short(out, tag));
        list(out, &rule.metadata, |out, (name, value)| {
            short(out, name);
            match value {
                MetadataValue::Text(text) => {
                    out.push(0);
                    short(out, text);
                }
                MetadataValue::Integer(number) => {
                    out.push(1);
                    out.extend(number.to_le_bytes());
                }
                MetadataValue::Boolean(truth) => out.extend([2, u8::from(*truth)]),
            }
        });
        list(out, &rule.strings, |out, name| short(out, name));
        Ok(number)
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.section(Section::YaraTexts, 0, |out| out.extend(self.texts));
        writer.section(Section::YaraIndex, 0, |out| out.extend(self.index.as_flattened()));
        writer.section(Section::YaraDetails, 0, |out| out.extend(self.details));
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    let count = items.len().min(MOST);
    out.extend(u16::try_from(count).unwrap_or(0).to_le_bytes());
    items.iter().take(count).for_each(|item| write(out, item));
}

fn short(out: &mut Vec<u8>, text: &str) {
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or("");
    out.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The rules of an image.
#[derive(Clone, Copy)]
pub(crate) struct Yara<'a> {
    texts: &'a [u8],
    index: &'a [[u8; 4]],
    details: &'a [u8],
}

impl<'a> Yara<'a> {
    pub(crate) fn new(frame: &Frame<'a>) -> Yara<'a> {
        Yara {
            texts: frame.bytes(Section::YaraTexts, 0),
            index: frame.records(Section::YaraIndex, 0),
            details: frame.bytes(Section::YaraDetails, 0),
        }
    }

    /// True if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The texts, in order; ends at the first one that is not whole.
    pub(crate) fn texts(&self) -> impl Iterator<Item = YaraText<'a>> + use<'a> {
        let mut reader = Reader::new(self.texts, "text of a rule");
        std::iter::from_fn(move || text(&mut reader))
    }

    /// What people are told of the rule of this number.
    pub(crate) fn details(&self, number: u32) -> Option<YaraRule> {
        let start = u32::from_le_bytes(*at(self.index, number)?);
        let mut reader = Reader::new(self.details, "details of a rule");
        reader.skip(u64::from(start)).ok()?;
        let tags = items(&mut reader, text_of)?;
        let metadata = items(&mut reader, |reader| Some((text_of(reader)?, value(reader)?)))?;
        let strings = items(&mut reader, text_of)?;
        Some(YaraRule { tags, metadata, strings })
    }

    /// Checks that every text is whole.
    pub(crate) fn verify(&self, sources: u32) -> Result<(), ImageError> {
        let broken = |reason| ImageError::Section { section: Section::YaraTexts.name(), reason };
        let mut reader = Reader::new(self.texts, "text of a rule");
        while !reader.is_empty() {
            let text = text(&mut reader).ok_or(broken("one is not whole"))?;
            if text.source >= sources {
                return Err(broken("one is of no source"));
            }
        }
        Ok(())
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Option<YaraText<'a>> {
    let (source, gate) = (reader.u32_le().ok()?, reader.u8().ok()?);
    let length = reader.u32_le().ok()?;
    let text = std::str::from_utf8(reader.take(u64::from(length)).ok()?).ok()?;
    Some(YaraText { source, gate, text })
}

/// A list, each item of which takes at least a byte: it is never longer than what is left.
fn items<T>(reader: &mut Reader<'_>, mut item: impl FnMut(&mut Reader<'_>) -> Option<T>) -> Option<Vec<T>> {
    let count = reader.u16_le().ok()?;
    (0..count).map(|_| item(reader)).collect()
}

fn text_of(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.u16_le().ok()?;
    let bytes = reader.take(u64::from(length)).ok()?;
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn value(reader: &mut Reader<'_>) -> Option<MetadataValue> {
    Some(match reader.u8().ok()? {
        0 => MetadataValue::Text(text_of(reader)?),
        1 => MetadataValue::Integer(i64::from_le_bytes(reader.array::<8>().ok()?)),
        2 => MetadataValue::Boolean(reader.u8().ok()? != 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceInfo;
    use crate::{Builder, Image};
    use dachs_base::Strength;

    fn rule() -> YaraRule {
        YaraRule {
            tags: vec!["apt".into()],
            metadata: vec![
                ("author".into(), MetadataValue::Text("somebody".into())),
                ("score".into(), MetadataValue::Integer(-70)),
                ("shared".into(), MetadataValue::Boolean(true)),
            ],
            strings: vec!["$a".into(), "$".into()],
        }
    }

    #[test]
    fn rules_come_back_as_they_were() {
        let mut builder = Builder::new();
        let source = builder.source(SourceInfo::default());
        builder.add_yara_text(&YaraText { source, gate: 1, text: "rule a { condition: true }" }).unwrap();
        builder.add_yara(source, "first", Strength::Weak, &YaraRule::default()).unwrap();
        builder.add_yara(source, "a", Strength::Strong, &rule()).unwrap();
        let image = builder.finish();
        let image = Image::new(&image).unwrap();
        image.verify().unwrap();
        assert_eq!((image.yara(1), image.yara(0)), (Some(rule()), Some(YaraRule::default())));
        assert_eq!((image.strength(0), image.strength(1)), (Strength::Weak, Strength::Strong));
        let texts: Vec<_> = image.yara_texts().collect();
        assert_eq!(texts, [YaraText { source, gate: 1, text: "rule a { condition: true }" }]);
        assert_eq!(image.yara(2), None);
    }

    #[test]
    fn cut_details_are_no_details() {
        let mut writer = YaraWriter::default();
        writer.details(&rule()).unwrap();
        for cut in 0..writer.details.len() {
            let yara = Yara { texts: &[], index: &writer.index, details: &writer.details[..cut] };
            assert_eq!(yara.details(0), None, "{cut}");
        }
        let whole = Yara { texts: &[], index: &writer.index, details: &writer.details };
        assert_eq!((whole.details(0), whole.details(1)), (Some(rule()), None));
    }

    #[test]
    fn cut_texts_are_damage() {
        let mut writer = YaraWriter::default();
        writer.text(&YaraText { source: 0, gate: 0, text: "rule" }).unwrap();
        let yara = |texts| Yara { texts, index: &[], details: &[] };
        assert!(yara(&writer.texts[..]).verify(1).is_ok());
        assert!(yara(&writer.texts[..]).verify(0).is_err());
        assert!(yara(&writer.texts[..8]).verify(1).is_err());
        assert_eq!(yara(&writer.texts[..8]).texts().count(), 0);
    }
}
