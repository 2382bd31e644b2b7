//! Where an image's content came from, and what was left out of it.
//!
//! ```text
//! source         name: start u32, length u32 in the texts | time u64 | flags u32 | version u32
//!                | signatures of one pattern u32 | digests u32 | logical signatures u32 | allow list u32
//!                flags: 1 it has a time, 2 it has a version, 4 it is official
//! entries        source u32 | how many u32 | flags u32: 1 known | what: start u32, length u32; sorted by source and what
//! skip reason    source u32 | how many u32 | reason: start u32, length u32 in the texts; sorted by source and reason
//! ```

use crate::image::{Entries, SourceCounts};
use crate::layout::{Frame, Section, Writer, at, count};
use crate::model::SourceInfo;
use crate::{ImageError, Refusal};
use dachs_base::Reader;
use std::collections::BTreeMap;

/// The source knows its time; its version; it is official.
const HAS_TIME: u32 = 1;
const HAS_VERSION: u32 = 2;
const OFFICIAL: u32 = 4;

/// Longer names of sources and reasons are cut to this many bytes.
const LONGEST_TEXT: usize = 4096;
/// No image has more sources than this: a signature keeps its source in 24 bits.
const MOST_SOURCES: usize = 1 << 24;

/// Collects sources.
#[derive(Default)]
pub(crate) struct SourceWriter {
    sources: Vec<SourceCounts>,
    skipped: BTreeMap<(u32, String), u32>,
}

impl SourceWriter {
    /// Adds a source; gives its number.
    pub(crate) fn push(&mut self, info: SourceInfo) -> u32 {
        self.sources.push(SourceCounts { info, ..SourceCounts::default() });
        count(&self.sources).saturating_sub(1)
    }

    /// The counts of a source.
    pub(crate) fn counts(&mut self, source: u32) -> Result<&mut SourceCounts, Refusal> {
        let index = usize::try_from(source).ok().filter(|index| *index < MOST_SOURCES);
        index.and_then(|index| self.sources.get_mut(index)).ok_or(Refusal::NoSource(source))
    }

    /// Counts a signature that was left out.
    pub(crate) fn skipped(&mut self, source: u32, reason: &str) {
        let skipped = self.skipped.entry((source, reason.to_owned())).or_default();
        *skipped = skipped.saturating_add(1);
    }

    /// Writes the sections; gives that of the entries, which comes behind others.
    pub(crate) fn write(self, writer: &mut Writer<'_>) -> Vec<u8> {
        let (mut text, mut sources, mut skipped, mut entries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (source, number) in self.sources.iter().zip(0_u32..) {
            write_source(source, &mut sources, &mut text);
            write_entries(source, number, &mut entries, &mut text);
        }
        for ((source, reason), count) in &self.skipped {
            skipped.extend(source.to_le_bytes());
            skipped.extend(count.to_le_bytes());
            write_text(reason, &mut skipped, &mut text);
        }
        writer.section(Section::Sources, 0, |out| out.extend(sources));
        writer.section(Section::Skipped, 0, |out| out.extend(skipped));
        writer.section(Section::Text, 0, |out| out.extend(text));
        entries
    }
}

fn write_source(source: &SourceCounts, out: &mut Vec<u8>, text: &mut Vec<u8>) {
    let info = &source.info;
    let flag = |flag: u32, on: bool| if on { flag } else { 0 };
    let flags =
        flag(HAS_TIME, info.time.is_some()) | flag(HAS_VERSION, info.version.is_some()) | flag(OFFICIAL, info.official);
    write_text(&info.name, out, text);
    out.extend(info.time.unwrap_or(0).to_le_bytes());
    for number in [flags, info.version.unwrap_or(0), source.bodies, source.hashes, source.logicals, source.allowed] {
        out.extend(number.to_le_bytes());
    }
}

fn write_entries(source: &SourceCounts, number: u32, out: &mut Vec<u8>, text: &mut Vec<u8>) {
    for entries in &source.entries {
        for field in [number, entries.count, u32::from(entries.known)] {
            out.extend(field.to_le_bytes());
        }
        write_text(&entries.what, out, text);
    }
}

/// Writes where a text stands, and the text.
fn write_text(from: &str, out: &mut Vec<u8>, text: &mut Vec<u8>) {
    let from = from.get(..from.floor_char_boundary(LONGEST_TEXT)).unwrap_or(from);
    let place = u32::try_from(text.len()).ok().zip(u32::try_from(from.len()).ok());
    let (offset, length) = place.unwrap_or((0, 0));
    out.extend(offset.to_le_bytes());
    out.extend(length.to_le_bytes());
    if place.is_some() {
        text.extend(from.as_bytes());
    }
}

/// The sources of an image.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    sources: &'a [[u8; 40]],
    skipped: &'a [[u8; 16]],
    entries: &'a [[u8; 20]],
    text: &'a [u8],
}

impl<'a> Sources<'a> {
    pub(crate) fn new(frame: &Frame<'a>) -> Sources<'a> {
        Sources {
            sources: frame.records(Section::Sources, 0),
            skipped: frame.records(Section::Skipped, 0),
            entries: frame.records(Section::Entries, 0),
            text: frame.bytes(Section::Text, 0),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        count(self.sources)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<SourceCounts> {
        let left = &mut self.text.len();
        let mut all: Vec<SourceCounts> =
            (0..self.count()).map(|number| self.source(number, left).unwrap_or_default()).collect();
        for record in self.skipped {
            let Some((source, reason, count)) = self.skip(record, left) else { continue };
            if let Some(place) = usize::try_from(source).ok().and_then(|index| all.get_mut(index)) {
                place.skipped.push((reason, count));
            }
        }
        for record in self.entries {
            let Some((source, entries)) = self.entry(record, left) else { continue };
            if let Some(place) = usize::try_from(source).ok().and_then(|index| all.get_mut(index)) {
                place.entries.push(entries);
            }
        }
        all
    }

    /// Checks every record.
    pub(crate) fn verify(&self) -> Result<(), ImageError> {
        let left = &mut self.text.len();
        let sources = (0..self.count()).all(|number| self.source(number, left).is_some());
        let skipped = self.skipped.iter().all(|record| self.skip(record, left).is_some());
        let entries = self.entries.iter().all(|record| self.entry(record, left).is_some());
        let reason = "one is not as it must be";
        if sources && skipped && entries {
            Ok(())
        } else {
            Err(ImageError::Section { section: Section::Sources.name(), reason })
        }
    }

    fn source(&self, number: u32, left: &mut usize) -> Option<SourceCounts> {
        let mut reader = Reader::new(at(self.sources, number)?, "source");
        let name = self.text(&mut reader, left)?;
        let time = reader.u64_le().ok()?;
        let mut next = || reader.u32_le().ok();
        let (flags, version) = (next()?, next()?);
        let info = SourceInfo {
            name,
            time: (flags & HAS_TIME != 0).then_some(time),
            version: (flags & HAS_VERSION != 0).then_some(version),
            official: flags & OFFICIAL != 0,
        };
        let (bodies, hashes, logicals, allowed) = (next()?, next()?, next()?, next()?);
        Some(SourceCounts { info, bodies, hashes, logicals, allowed, ..SourceCounts::default() })
    }

    fn entry(&self, record: &[u8; 20], left: &mut usize) -> Option<(u32, Entries)> {
        let mut reader = Reader::new(record, "entries");
        let (source, count, known) = (reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?);
        let what = self.text(&mut reader, left)?;
        (known <= 1).then_some((source, Entries { what, count, known: known == 1 }))
    }

    fn skip(&self, record: &[u8; 16], left: &mut usize) -> Option<(u32, String, u32)> {
        let mut reader = Reader::new(record, "skip reason");
        let (source, count) = (reader.u32_le().ok()?, reader.u32_le().ok()?);
        Some((source, self.text(&mut reader, left)?, count))
    }

    /// A text. No two share bytes, so together they are no longer than the section; `left` keeps a hostile image from
    /// asking for many copies of the same bytes.
    fn text(&self, reader: &mut Reader<'_>, left: &mut usize) -> Option<String> {
        let (offset, long) = (reader.u32_le().ok()?, reader.u32_le().ok()?);
        *left = left.checked_sub(usize::try_from(long).ok()?)?;
        let mut text = Reader::new(self.text, "text");
        text.skip(u64::from(offset)).ok()?;
        std::str::from_utf8(text.take(u64::from(long)).ok()?).ok().map(str::to_owned)
    }
}
