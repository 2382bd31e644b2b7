//! The names of signatures, apart from everything that evaluation touches.
//!
//! There are millions of names, few families of them, and in the files of signatures they stand in runs:
//! `Pdf.Exploit.Agent-26511`, `Pdf.Exploit.Agent-26512`. So a name is kept as its family and its number ([`parts`]), and
//! the number as what it is more than the number before:
//!
//! ```text
//! Win.Packed.Gandcrab-6914457-1   =   family "Win.Packed.Gandcrab-" … "-1",   number 6914457
//!
//! name        2 * family + (1 if it has a number), in 7 bits a byte; then, if it has a number:
//!             number - number of the name before, as 0, -1, 1, -2, ..., in 7 bits a byte
//! family      length of its head u16 | length of its tail u16, or 0xFFFF if names of it have no number | head | tail
//! ```
//!
//! Names stand in the order of their signatures; families with the most names come first, so that their numbers are short. Of
//! both, an index holds the offset of every 64th, where also the number before is 0 again: a look-up walks at most 63
//! records. A name of ClamAV's takes 2 to 5 bytes. Nothing but reports and [`crate::Image::find`] reads names.

mod parts;
mod write;

pub(crate) use write::NameWriter;

use crate::ImageError;
use crate::layout::{Frame, Section, at, length};
use dachs_base::Reader;
use parts::Parts;

/// So many names, or families, share an entry of the index.
const STRIDE: u32 = 64;
/// The length of a tail that is none, because names of the family have no number.
const NO_NUMBER: u16 = u16::MAX;

/// The names of an image.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    index: &'a [[u8; 8]],
    names: &'a [u8],
    family_index: &'a [[u8; 8]],
    families: &'a [u8],
    count: u32,
}

/// A family of names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Family<'a> {
    head: &'a str,
    /// What comes behind the number; absent if names of the family have none.
    tail: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// The names of `count` signatures.
    pub(crate) fn new(frame: &Frame<'a>, count: u32) -> Result<Names<'a>, ImageError> {
        let names = Names {
            index: frame.records(Section::NameIndex, 0),
            names: frame.bytes(Section::Names, 0),
            family_index: frame.records(Section::FamilyIndex, 0),
            families: frame.bytes(Section::Families, 0),
            count,
        };
        if crate::layout::count(names.index) != count.div_ceil(STRIDE) {
            return Err(broken("there are not as many as signatures"));
        }
        Ok(names)
    }

    /// The name of a signature.
    pub(crate) fn name(&self, signature: u32) -> Option<String> {
        if signature >= self.count {
            return None;
        }
        let mut walk = self.walk(signature / STRIDE)?;
        for _ in 0..signature % STRIDE {
            walk.next()?;
        }
        let entry = walk.next()?;
        Some(self.family(entry.family)?.name(entry.number))
    }

    /// The signatures of this name.
    pub(crate) fn find(&self, name: &str) -> Vec<u32> {
        let parts = Parts::of(name);
        let (wanted, number) = (Family { head: parts.head, tail: parts.tail }, parts.number);
        let mut reader = Reader::new(self.families, "families");
        let all = std::iter::from_fn(|| family(&mut reader));
        let Some((family, _)) = (0..u32::MAX).zip(all).find(|(_, family)| *family == wanted) else { return Vec::new() };
        let wanted = Entry { family, number, numbered: wanted.tail.is_some() };
        let mut found = Vec::new();
        for block in 0..self.count.div_ceil(STRIDE) {
            let Some(mut walk) = self.walk(block) else { break };
            let first = block.saturating_mul(STRIDE);
            for signature in first..self.count.min(first.saturating_add(STRIDE)) {
                match walk.next() {
                    Some(entry) if entry == wanted => found.push(signature),
                    Some(_) => {}
                    None => break,
                }
            }
        }
        found
    }

    /// Checks every family, every name and both indexes.
    pub(crate) fn verify(&self) -> Result<(), ImageError> {
        let families = self.verify_families()?;
        let mut walk = Walk { reader: Reader::new(self.names, "names"), number: 0 };
        for signature in 0..self.count {
            if signature.is_multiple_of(STRIDE) {
                let offset = length(self.names.len().saturating_sub(walk.reader.left()));
                if at(self.index, signature / STRIDE) != Some(&offset.to_le_bytes()) {
                    return Err(broken("the index points elsewhere"));
                }
                walk.number = 0;
            }
            let entry = walk.next().ok_or(broken("one is cut off"))?;
            if at(&families, entry.family) != Some(&entry.numbered) {
                return Err(broken("one has no family, or a number that its family has not"));
            }
        }
        if walk.reader.is_empty() { Ok(()) } else { Err(broken("there are more than signatures")) }
    }

    /// Checks the families; tells of each whether its names have numbers.
    fn verify_families(&self) -> Result<Vec<bool>, ImageError> {
        let mut reader = Reader::new(self.families, "families");
        let mut numbered = Vec::new();
        while !reader.is_empty() {
            let offset = length(self.families.len().saturating_sub(reader.left()));
            let family = family(&mut reader).ok_or(broken("a family is cut off or not UTF-8"))?;
            if numbered.len().is_multiple_of(64)
                && self.family_index.get(numbered.len() / 64) != Some(&offset.to_le_bytes())
            {
                return Err(broken("the index of families points elsewhere"));
            }
            numbered.push(family.tail.is_some());
        }
        let indexed = self.family_index.len() == numbered.len().div_ceil(64);
        if indexed { Ok(numbered) } else { Err(broken("the index of families is too long")) }
    }

    /// A walk through the names from the start of a block.
    fn walk(&self, block: u32) -> Option<Walk<'a>> {
        let start = u64::from_le_bytes(*at(self.index, block)?);
        let mut reader = Reader::new(self.names, "names");
        reader.skip(start).ok()?;
        Some(Walk { reader, number: 0 })
    }

    /// The family of this number.
    fn family(&self, number: u32) -> Option<Family<'a>> {
        let start = u64::from_le_bytes(*at(self.family_index, number / STRIDE)?);
        let mut reader = Reader::new(self.families, "families");
        reader.skip(start).ok()?;
        for _ in 0..number % STRIDE {
            family(&mut reader)?;
        }
        family(&mut reader)
    }
}

impl Family<'_> {
    fn name(&self, number: u64) -> String {
        match self.tail {
            Some(tail) => format!("{}{number}{tail}", self.head),
            None => self.head.to_owned(),
        }
    }
}

/// A name as it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    family: u32,
    /// 0 if it has none.
    number: u64,
    numbered: bool,
}

/// Goes from name to name.
struct Walk<'a> {
    reader: Reader<'a>,
    /// The number of the last name that had one.
    number: u64,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<Entry> {
        let word = parts::read_number(&mut self.reader)?;
        let family = u32::try_from(word >> 1).ok()?;
        if word & 1 == 0 {
            return Some(Entry { family, number: 0, numbered: false });
        }
        self.number = self.number.wrapping_add(parts::unfold(parts::read_number(&mut self.reader)?));
        Some(Entry { family, number: self.number, numbered: true })
    }
}

fn family<'a>(reader: &mut Reader<'a>) -> Option<Family<'a>> {
    let (head, tail) = (reader.u16_le().ok()?, reader.u16_le().ok()?);
    let mut text = |length: u16| std::str::from_utf8(reader.take(u64::from(length)).ok()?).ok();
    let head = text(head)?;
    Some(Family { head, tail: if tail == NO_NUMBER { None } else { Some(text(tail)?) } })
}

fn broken(reason: &'static str) -> ImageError {
    ImageError::Section { section: Section::Names.name(), reason }
}
